"""Where a file's column names stand, and the further header rows that survey platforms put below them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tcslib.errors import InputRefused
from tcslib.fieldwork.columns import unopened
from tcslib.fieldwork.reading import READERS
from tcslib.fieldwork.source import Source
from tcslib.fieldwork.tables import Table

_DEEPEST = 8          # rows among which the column names are looked for


@dataclass(frozen=True)
class Layout:
    """A table and how it was found: the row of its names, and the rows below that are header too."""

    table: Table
    source: Source
    labels_rows: int = 0


def table_at(source: Source) -> Layout:
    """The file as a table.

    The names are looked for in the row stated, and where that one cannot be a header in those below it. Rows with a
    platform's question texts and import ids become the columns' labels.

    Raises
    ------
    InputRefused
        When no row can be read as the column names, as the first one was refused.
    """
    try:
        return _platform(_named(source))
    except OSError as error:
        raise unopened(source, error) from None


def _named(source: Source) -> Layout:
    first: InputRefused | None = None
    alone: Layout | None = None          # a single column, unless a row below has more names: then it was a title
    for row in range(source.header_row, source.header_row + _DEEPEST):
        at = replace(source, header_row=row)
        try:
            table = READERS[source.kind](at)
        except InputRefused as error:
            first = first or error
            if source.kind == "sav":
                break
            continue
        named = sum(map(bool, table.names))
        if row == source.header_row and named > 1 and named >= 0.5 * len(table.names):
            return Layout(table, at)
        alone = alone or (Layout(table, at) if row == source.header_row and named else None)
        if named > 1 and named >= 0.9 * len(table.names) and not _is_data(table.names):
            return Layout(table, at)
        if source.kind == "sav":
            return Layout(table, at)
    if alone is not None and not alone.table.notes:
        return alone
    raise first or source.refused("no row of it can be the column names. Give the row that holds them with "
                                  "--header-row.")


def _is_data(names: list[str]) -> bool:
    """Whether a row holds answers: column names are seldom numbers."""
    return sum(name.replace(".", "").isdigit() for name in names) > 0.3 * len(names)


def _platform(found: Layout) -> Layout:
    """The question texts and import ids of Qualtrics, and question texts alone, taken from the rows as labels."""
    table = found.table
    texts = [i for i, column in enumerate(table.columns) if column.dtype != float]
    if len(table.lines) < 2 or not texts:
        return found
    imports = [row for row in range(min(2, len(table.lines)))
               if sum('"ImportId"' in str(table.columns[i].iloc[row]) for i in texts) > 0.5 * len(texts)]
    if imports:
        return _taken(found, imports[-1] + 1)
    # an older export: names V1, V2 … in the first row, words under them in the second
    anonymous = [i for i in texts if table.names[i][:1] in {"V", "Q"} and table.names[i][1:].isdigit()]
    known = {"ResponseID", "IPAddress", "StartDate", "EndDate", "Finished"}
    if len(anonymous) > 3 and len(known & {str(table.columns[i].iloc[0]) for i in texts}) >= 3:
        return _taken(found, 1)
    return found


def _taken(found: Layout, rows: int) -> Layout:
    table = found.table
    labels: Mapping[str, str] = {name: str(column.iloc[0]) for name, column in zip(table.names, table.columns,
                                                                                 strict=True) if name}
    columns = [column.iloc[rows:].reset_index(drop=True) for column in table.columns]
    return replace(found, table=replace(table, columns=columns, lines=np.asarray(table.lines[rows:]),
                                        labels={**labels, **table.labels}), labels_rows=rows)
