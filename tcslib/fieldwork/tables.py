"""A file of any format as one plain table: named columns of numbers or text, and the place of every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from tcslib.fieldwork import delimited, workbook
from tcslib.fieldwork.encoding import encoding_of
from tcslib.fieldwork.header import names_in
from tcslib.fieldwork.sheethead import head_of
from tcslib.fieldwork.source import Source, listed
from tcslib.fieldwork.totals import without_totals

MissingRange = tuple[float, float] | tuple[str, str]
_CHUNK = 20_000          # records turned into columns at a time, so that a long file is never held as lists
_EXCEL_DIGITS = 1e15     # a spreadsheet keeps 15 digits of a number and sets the rest to 0


@dataclass(frozen=True)
class Repair:
    """A change made on reading: the rule, the column, how many cells, the lines or rows of the first few."""

    rule: str
    column: str
    cells: int
    rows: tuple[int, ...]


def repaired(rule: str, column: str, lines: Sequence[int] | np.ndarray) -> list[Repair]:
    """The change made in these lines; nothing where there are none."""
    return [Repair(rule, column, len(lines), tuple(int(line) for line in lines[:5]))] if len(lines) else []


@dataclass(frozen=True)
class Table:
    """What a file holds, before the study gives it a meaning.

    ``names`` has "" for a column without one; ``columns`` are float64 where the file has numbers, else text with ""
    for an empty cell; ``lines`` is each record's line or row in the file. ``faulty`` holds spreadsheet cells that
    came as empty and are not, by row and column. ``mark`` stands between the columns of a text file.
    ``tagged`` has the rows of Stata's extended missing values by column and tag (``.a``).
    """

    names: list[str]
    columns: list[pd.Series]
    lines: np.ndarray
    labels: Mapping[str, str] = field(default_factory=dict)
    value_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: Mapping[str, tuple[MissingRange, ...]] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    notes: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    faulty: Mapping[tuple[int, int], str] = field(default_factory=dict)
    mark: str = ","
    tagged: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    row_word: str = "line"
    largest: float = np.inf

    def place(self, row: int, name: str) -> str:
        """Where a cell is, as its owner finds it: ``line 12``, ``cell C12`` in a spreadsheet."""
        line = int(self.lines[row])
        if self.row_word == "cell":
            return f"cell {workbook.column_letters(self.names.index(name))}{line}"
        return f"{self.row_word} {line}"


def texts_of(values: Sequence[str]) -> pd.Series:
    """Text as a column; the words NA, null and None stay the text they are."""
    return pd.Series(values, dtype="str")


def number_text(value: float) -> str:
    """A number as text: ``1`` for 1.0, the shortest form that reads back as the same number otherwise."""
    return str(int(value)) if value.is_integer() and abs(value) < 2.0**53 else repr(value)


def read_csv(source: Source) -> Table:
    """A CSV file: every cell text, every row as long as the header."""
    encoding = encoding_of(source)
    mark = delimited.mark_of(source, encoding)
    head, below = delimited.header(source, encoding, mark)
    names = names_in(head.cells, source, f"line {head.line}")
    width = len(names)
    rows = delimited.whole(below, width)
    pieces: list[list[pd.Series]] = [[] for _ in names]
    lines, empty, broken = [], [], []
    odd: list[tuple[int, int]] = []
    last = head.line
    while chunk := list(islice(rows, _CHUNK)):
        cells = []
        for record, joined in chunk:
            last = record.line
            if len(record.cells) != width:
                odd.append((record.line, len(record.cells)))
            elif any(record.cells):
                cells.append(record.cells)
                lines.append(record.line)
                if joined:
                    broken.append(record.line)
            else:
                empty.append(record.line)
        if cells and not odd:
            for piece, column in zip(pieces, zip(*cells, strict=True), strict=True):
                piece.append(texts_of(column))
    delimited.check_shape(source, mark, width, odd, last)
    columns = [pd.concat(piece, ignore_index=True) if piece else texts_of([]) for piece in pieces]
    told = [Repair("encoding", encoding.detected, 0, ())] if encoding.detected else []
    if mark != "," and not source.delimiter:
        told.append(Repair("delimiter", "tab" if mark == "\t" else mark, 0, ()))
    return Table(names, columns, np.array(lines, dtype=np.int64),
                 repairs=(*told, *repaired("empty_row", "", empty), *repaired("line_break_in_cell", "", broken)),
                 mark=mark)


def read_xlsx(source: Source) -> Table:
    """One sheet of a workbook, from the row below its header to the last respondent.

    Hidden rows and columns are read like the others, because a filter left on must not drop a respondent.
    """
    with workbook.opened(source) as archive:
        found = workbook.sheets(archive)
        sheet = workbook.chosen(source, found)
        head = head_of(source, archive, sheet)
        names = names_in(head.names, source, f"row {head.row}")
        workbook.check_intact(source, archive)
        seen = workbook.scan(archive, sheet)
    faulty_rows = {row for row, _ in seen.faulty}
    rows, lines, empty, beyond = [], [], [], 0
    width = len(names)
    for line, row in enumerate(_sheet_rows(source, sheet.name), 1):
        if line <= head.row:
            continue
        if any(cell != "" for cell in row) or line in faulty_rows:
            rows.append((row + [""] * (width - len(row)))[:width])
            lines.append(line)
            beyond += any(cell != "" for cell in row[width:])
        else:
            empty.append(line)
    totals = without_totals(source, names, rows, lines)
    inside = [line for line in empty if lines and line < lines[-1]]          # formatted rows below the data are none
    hidden = tuple(s.name for s in found if not s.visible)
    hidden_rows = [str(row) for row in seen.rows if row in set(lines)]
    notes = (f"{source.shown}: {beyond} rows have cells to the right of the last column name; they are not read.",)
    told = [*head.told, *(("totals_row", said) for said in totals), *(("hidden_sheet", name) for name in hidden),
            *(("hidden_rows", listed(hidden_rows, 3)) for _ in hidden_rows[:1]),
            *(("hidden_columns", listed(seen.columns, 3)) for _ in seen.columns[:1])]
    return Table(names, [_cells(column) for column in zip(*rows, strict=True)] if rows else [texts_of([])] * width,
                 np.array(lines, dtype=np.int64),
                 repairs=(*(Repair(rule, said, 0, ()) for rule, said in told), *repaired("empty_row", "", inside)),
                 notes=notes if beyond else (), hidden=hidden, faulty=seen.faulty, row_word="cell",
                 largest=_EXCEL_DIGITS)


def _sheet_rows(source: Source, sheet: str) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(source.path) as book:
            # the empty corner is kept, so that a row's position is its number
            return book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except CalamineError as error:
        raise source.refused(f"the workbook is damaged ({' '.join(str(error).split())[:100]}). Save it "
                             "again.") from None


def _cells(values: tuple[Any, ...]) -> pd.Series:
    """Float64 where all cells are numbers or empty, else text; dates as ISO text, truth values as TRUE and FALSE."""
    kinds = {type(value) for value in values}
    if kinds <= {float, int} or (kinds <= {float, int, str} and not any(v for v in values if type(v) is str)):
        return pd.Series([np.nan if value == "" else float(value) for value in values], dtype=float)
    return texts_of([value_text(value) for value in values])


def value_text(value: Any) -> str:
    """A cell of a file that tells numbers from text, as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return number_text(float(value)) if isinstance(value, float | int) else str(value)
