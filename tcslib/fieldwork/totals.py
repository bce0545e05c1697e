"""Rows below the answers that are no respondents: totals, averages, footnotes.

A row is taken for a total or an average when nobody follows it, one of its cells is nothing but such a word, that cell
is the id's or the id's is empty, and its other cells are numbers or empty; for a footnote when its one filled cell
begins with a word like *Source:*. Everything else that looks alike is refused: a respondent is never dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from tcslib.fieldwork.source import Source, quoted
from tcslib.fieldwork.workbook import column_letters

_TOTAL = frozenset({"total", "totals", "grand total", "subtotal", "sum", "mean", "means", "average", "averages",
                    "overall average", "overall mean", "合计", "总计", "小计", "共计", "总和", "平均", "平均值",
                    "平均数", "平均分", "均值", "总平均", "总体平均"})
_NOTE = "sources?|notes?|n\\.b\\.|base|注|备注|说明|来源|资料来源|数据来源|基数|样本量"
_FOOTNOTE = re.compile(rf"(?:{_NOTE}) ?\d*:|\*|n ?= ?[0-9]", re.I)


def without_totals(source: Source, names: Sequence[str], rows: list[list[Any]], lines: list[int]) -> list[str]:
    """Take totals and footnotes off the end of a sheet's rows and their line numbers, both changed in place.

    Returns
    -------
    The cell that told and its text for each row taken off.

    Raises
    ------
    InputRefused
        For a row of totals among the respondents, one that holds text besides, and any where the study names no id.
    """
    at = names.index(source.id) if source.id in names else None
    gone: list[str] = []
    if source.id and at is None:
        return gone          # the missing column is refused
    while rows and (found := _no_respondent(rows[-1], at)) is not None:
        place = f"{column_letters(found)}{lines[-1]}"
        if at is None:
            if any(str(row[found]).strip() == str(rows[-1][found]).strip() for row in rows[:-1]):
                break
            raise source.refused(f"{quoted(str(rows[-1][found]))} looks like a row of totals or a footnote, not a "
                                 "respondent. Take it out of the sheet, or name the respondents' column in data.id.",
                                 f"cell {place}")
        if any(isinstance(cell, str) and cell.strip() for c, cell in enumerate(rows[-1]) if c != found):
            raise source.refused(f"{quoted(str(rows[-1][found]))} looks like a row of totals and holds other text. "
                                 "Take it out of the sheet, or correct the respondent's id.", f"cell {place}")
        gone.append(f"{place} {quoted(str(rows[-1][found]))[1:-1]}")
        rows.pop()
        lines.pop()
    if at is not None:
        for row, line in zip(rows, lines, strict=True):
            suspect = row[at] == "" or isinstance(row[at], str)
            if suspect and (found := _total(row, at)) is not None:
                raise source.refused(f"{quoted(str(row[found]))} looks like a row of totals among the respondents. "
                                     "Take such rows out of the sheet.", f"cell {column_letters(found)}{line}")
    return gone[::-1]


def _no_respondent(row: Sequence[Any], at: int | None) -> int | None:
    """The column of the cell that shows a row to be none, or None."""
    found = _total(row, at)
    filled = [c for c, cell in enumerate(row) if str(cell).strip()]
    if found is None and len(filled) == 1 and _FOOTNOTE.match(_plain(row[filled[0]])):
        return filled[0]
    return found


def _total(row: Sequence[Any], at: int | None) -> int | None:
    """The column of a cell that is nothing but a word for totals: the id's, or any where the id is empty."""
    filled = [c for c, cell in enumerate(row) if str(cell).strip()]
    where = filled if at is not None and at not in filled else [at] if at is not None else filled[:1]
    return next((c for c in where if isinstance(row[c], str) and _plain(row[c]).rstrip(":. ") in _TOTAL), None)


def _plain(cell: Any) -> str:
    return " ".join(unicodedata.normalize("NFKC", str(cell)).split()).casefold()
