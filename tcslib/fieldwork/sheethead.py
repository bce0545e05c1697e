"""Where the column names of a sheet stand: below its title rows, in one row or under merged groups.

The name of a column is the lowest cell above its answers, and that cell alone wherever no other column shares it.
Names that stand more than once, as *Quality* and *Price* under each of several groups, are joined to the text of
their group: ``Service - Quality``. A cell merged over both rows names its column.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from tcslib.fieldwork import workbook
from tcslib.fieldwork.source import Source
from tcslib.fieldwork.workbook import Sheet, position

_LOOK = 20          # rows in which the column names are looked for
_BLOCK = 1 << 22
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*\bref="([A-Z]+[0-9]+):([A-Z]+[0-9]+)"')

Cells = Mapping[int, str]                      # the filled cells of a row, by column from 0
Merged = tuple[int, int, int, int]             # first row, first column, last row, last column


class Head(NamedTuple):
    """Column names from column A on, the lowest row they take, and what was made of the rows above as (rule, where)."""

    names: list[str]
    row: int
    told: list[tuple[str, str]]


def head_of(source: Source, archive: zipfile.ZipFile, sheet: Sheet) -> Head:
    """The column names, in the row the study states or the first that is no title.

    A row with a single filled cell above wider ones is a title; a row of names with cells merged across holds groups.

    Raises
    ------
    InputRefused
        When there are no names where they are expected.
    """
    rows = _filled(archive, sheet, source.header_row + (0 if source.header_stated else _LOOK))
    told: list[tuple[str, str]] = []
    at = source.header_row
    if not source.header_stated:
        titles = _titles(rows)
        if titles:
            told.append(("title_rows", ", ".join(f"{workbook.column_letters(min(rows[t]))}{t}" for t in titles)))
        at = next((r for r in rows if r not in titles), 1) + (source.header_rows == 2)
    lower = rows.get(at, {})
    merged: Sequence[Merged] = []
    # what is merged stands at the sheet's end, so it is looked up only where it can matter
    width = 1 + max((max(cells) for cells in rows.values()), default=0)
    if source.header_rows != 1 and len(set(lower.values())) < width:          # a gap, or a name twice
        merged = _merged(archive, sheet)
        if not (source.header_stated or source.header_rows) and _across(merged, at):
            at += 1
            lower = rows.get(at, {})
    if not lower:
        raise source.refused("the column names are expected here, and there are none. Correct data.header_row or "
                             f"data.sheet (it reads the sheet {sheet.name}).", f"row {at}")
    grouped = source.header_rows == 2 or (_across(merged, at - 1) and at - 1 not in _titles(rows))
    above = rows.get(at - 1, {}) if grouped else {}
    names = _names(lower, above, merged, rows, at, fill=source.header_rows == 2)
    if above:
        told.append(("header_rows", f"{at - 1}–{at}"))
    return Head(names, at, told)


def _titles(rows: Mapping[int, Cells]) -> list[int]:
    """Rows of one filled cell above the first row of several."""
    wide = next((r for r, cells in rows.items() if len(cells) > 1), 0)
    return [r for r in rows if r < wide]


def _across(merged: Sequence[Merged], row: int) -> list[Merged]:
    """The groups of a row: its cells merged over several columns and no further row."""
    return [m for m in merged if m[0] == m[2] == row and m[3] > m[1]]


def _names(lower: Cells, above: Cells, merged: Sequence[Merged], rows: Mapping[int, Cells], at: int,
           fill: bool) -> list[str]:
    tall = {m[1]: rows.get(m[0], {}).get(m[1], "") for m in merged if m[0] < at <= m[2]}
    width = max([*lower, *tall, *(above if fill else ())]) + 1
    names = [lower.get(c) or tall.get(c) or (above.get(c, "") if fill else "") for c in range(width)]
    reach = {m[1]: m[3] for m in _across(merged, at - 1)}
    groups: dict[int, str] = {}
    for c, text in above.items():
        until = reach.get(c, c)
        if fill and not reach:          # nothing is merged: a group reaches to the next
            until = min((o for o in above if o > c), default=width) - 1
        groups |= dict.fromkeys(range(c, until + 1), text)
    return [f"{groups[c]} - {name}" if name and names.count(name) > 1 and c in groups else name
            for c, name in enumerate(names)]


def _filled(archive: zipfile.ZipFile, sheet: Sheet, last: int) -> dict[int, Cells]:
    """The filled cells of the first rows, each on one line."""
    plain: dict[int, dict[int, str]] = {}
    shared: dict[tuple[int, int], int] = {}
    at = 0
    with archive.open(sheet.part) as file:
        for _, row in ElementTree.iterparse(file):
            if workbook.tag(row) != "row":
                continue
            at = int(row.get("r", at + 1))
            if at > last:
                break
            cells = plain.setdefault(at, {})
            for number, cell in enumerate(e for e in row if workbook.tag(e) == "c"):
                column = position(cell.attrib["r"])[1] if "r" in cell.attrib else number
                value = "".join(v.text or "" for v in cell if workbook.tag(v) == "v")
                if cell.get("t") == "s":
                    shared[at, column] = int(value)
                    value = ""
                cells[column] = workbook.text(cell) if cell.get("t") == "inlineStr" else value
            row.clear()
    if shared:
        texts = workbook.strings(archive, set(shared.values()))
        for (row_number, column), index in shared.items():
            plain[row_number][column] = texts[index]
    return {r: found for r, cells in plain.items()
            if (found := {c: said for c, value in sorted(cells.items()) if (said := " ".join(value.split()))})}


def _merged(archive: zipfile.ZipFile, sheet: Sheet) -> list[Merged]:
    rest, below = b"", False
    with archive.open(sheet.part) as file:
        while block := file.read(_BLOCK):
            rest += block
            if not below:
                end = rest.rfind(b"sheetData>")
                below, rest = end >= 0 and b"/" in rest[max(end - 12, 0):end], rest[end if end >= 0 else -12:]
    return [(*position(m[1].decode()), *position(m[2].decode())) for m in _MERGED.finditer(rest)]
