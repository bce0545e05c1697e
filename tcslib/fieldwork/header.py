"""A file's first row as the names of its columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tcslib.fieldwork import workbook
from tcslib.fieldwork.source import Source, listed


def names_in(cells: Sequence[str], source: Source, place: str) -> list[str]:
    """The header's cells as names: composed Unicode, no byte order mark, one space where blanks or line breaks were.

    Raises
    ------
    InputRefused
        When two columns bear one name: nobody could say which is meant.
    """
    names = [" ".join(unicodedata.normalize("NFC", cell.replace("\ufeff", "")).split()) for cell in cells]
    places: dict[str, list[str]] = {}
    for number, name in enumerate(names):
        places.setdefault(name, []).append(workbook.column_letters(number) if source.kind == "xlsx"
                                           else str(number + 1))
    twice = {name: at for name, at in places.items() if name and len(at) > 1}
    if twice:
        said = [f'"{name}" (columns {listed(at)})' for name, at in twice.items()]
        raise source.refused(f"the same column name stands more than once: {listed(said)}. Give each column a name of "
                             "its own.", place)
    return names
