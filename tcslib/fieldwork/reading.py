"""The one door for answers: a study's file in, its records as a frame out, or one line for each thing that is wrong.

Nothing is repaired in silence: what was changed is in ``repairs``, what was left out is in ``notes``, and what cannot
be trusted is refused with its place in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.fieldwork.columns import check_columns, columns_of, named_columns, unopened
from tcslib.fieldwork.numerals import Role, decimal_comma, numbers_of
from tcslib.fieldwork.parquet import read_parquet
from tcslib.fieldwork.source import Source, also, listed, sha256, source_of
from tcslib.fieldwork.spss import read_sav
from tcslib.fieldwork.tables import MissingRange, Repair, Table, number_text, read_csv, read_xlsx, repaired, texts_of
from tcslib.fieldwork.workbook import column_letters
from tcslib.study.load import Study, item_names

MAX_CELL = 10_000
READERS = {"csv": read_csv, "xlsx": read_xlsx, "sav": read_sav, "dta": read_sav, "parquet": read_parquet}


@dataclass(frozen=True)
class RawAnswers:
    """A file of answers as it was read.

    Attributes
    ----------
    frame
        One row for each record, in the file's order. Items, weights, population sizes and the interview's length are
        float64; every other column is text, "" where empty.
    lines
        (n,) line of the file (row of the sheet) of each record.
    labels, value_labels
        Wording of columns, and of values written as the frame's text would be.
    missing
        For each column the ranges (low, high) its author declared missing; the frame still holds the codes.
    tagged
        For each column of a Stata file the positions of its extended missing values, by their tag (``.a``).
    text_cells
        For each item with text in it, the positions of the records whose answer became missing for that reason.
    repairs
        What was changed on reading, by rule and column.
    notes
        What was left out, as sentences.
    sheets_hidden
        Names of hidden sheets; they are not read unless the study names one.
    file, sha256
        The file's name from the project's root, and its hash.
    """

    frame: pd.DataFrame
    lines: np.ndarray
    file: str
    sha256: str
    labels: Mapping[str, str] = field(default_factory=dict)
    value_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    missing: Mapping[str, tuple[MissingRange, ...]] = field(default_factory=dict)
    text_cells: Mapping[str, np.ndarray] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    notes: tuple[str, ...] = ()
    sheets_hidden: tuple[str, ...] = ()
    tagged: Mapping[str, Mapping[str, np.ndarray]] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """Line of the file, or row of the sheet, of the first record."""
        return int(self.lines[0])


def read(study: Study) -> RawAnswers:
    """Read the study's file of answers.

    Raises
    ------
    InputRefused
        With one line for each thing that is wrong with the file, as far as one reading can tell.
    """
    source = source_of(study)
    try:
        before = sha256(source.path)
        table = READERS[source.kind](source)
        refuse_all([*check_columns(study, table.names), *_long_cells(source, table)])
        if not len(table.lines):
            raise source.refused("holds 0 respondents: there is nothing below the column names. Export it again.")
        out = _answers(study, source, table, before)
        if sha256(source.path) != before:
            raise source.refused("changed while it was read. Wait until it is complete, then run again.")
    except OSError as error:
        raise unopened(source, error) from None
    return out


def numeric_columns(study: Study) -> dict[str, Role]:
    """The columns used as numbers, and what the numbers are."""
    out: dict[str, Role] = dict.fromkeys(item_names(study), "item")
    out.setdefault(study.params.cleaning.duration, "duration")
    design, weighting = study.params.design, study.params.weighting
    for column in (*design.numbers.values(), *study.params.replicates.given, *weighting.numeric):
        out.setdefault(column, "weight")
    out.pop("", None)          # of what the study does not name
    return out


def _answers(study: Study, source: Source, table: Table, digest: str) -> RawAnswers:
    roles, used = numeric_columns(study), named_columns(study)
    verbatims = set(study.params.report.verbatims)
    exact = {study.params.data.id, *verbatims}
    limit = study.params.cleaning.out_of_scale_limit
    frame: dict[str, pd.Series] = {}
    text_cells: dict[str, np.ndarray] = {}
    repairs, faults = list(table.repairs), _faulty_cells(source, table, set(used))
    decimal = _decimal(source, table, roles)
    for name, column in zip(table.names, table.columns, strict=True):
        if name in roles:
            numbers = numbers_of(column, name, roles[name], source, table.place, table.lines, limit, decimal)
            frame[name] = pd.Series(numbers.values)
            repairs += numbers.repairs
            faults += numbers.faults
            if len(numbers.text_rows):
                text_cells[name] = numbers.text_rows
        elif name:
            text = _as_text(column)
            if name == study.params.data.id:
                faults += _rounded_ids(source, table, column, name)
            text = _without_nul(source, table, text, name, name in used and name not in verbatims, repairs, faults)
            if name in used and name not in exact:
                text = _stripped(text, name, table, repairs)
            frame[name] = text
    refuse_all(_still_header(source, table, text_cells, frame) or faults)          # the first would cause others
    unnamed = [str(number) for number, name in enumerate(table.names, 1) if not name]
    notes = [f"{source.shown}: column {listed(unnamed)} has no name and is left out."] if unnamed else []
    return RawAnswers(pd.DataFrame(frame), table.lines, source.shown, digest, table.labels, table.value_labels,
                      table.missing, text_cells, tuple(repairs), (*notes, *table.notes), table.hidden, table.tagged)


def _decimal(source: Source, table: Table, roles: Mapping[str, Role]) -> str:
    """What stands before decimals: as declared; in a file without commas between its columns as its numbers show."""
    if source.decimal or table.mark == ",":
        return source.decimal or "."
    numbers = [column for name, column in zip(table.names, table.columns, strict=True) if name in roles]
    return "," if decimal_comma(numbers) else "."


def _still_header(source: Source, table: Table, text_cells: Mapping[str, np.ndarray],
                  frame: Mapping[str, pd.Series]) -> list[InputRefused]:
    """A first record whose every answer to two items or more is text belongs to the header: a second row of it."""
    words = [name for name, at in text_cells.items() if 0 in at]
    if len(words) < 2 or any(np.isfinite(column.iloc[0]) for column in frame.values() if column.dtype == float):
        return []
    return [source.refused(f"the row below the column names holds words where answers are expected ({listed(words)}). "
                           "If it belongs to the header, correct data.header_row; if not, correct the row.",
                           f"{'row' if table.row_word == 'cell' else table.row_word} {table.lines[0]}")]


def _as_text(column: pd.Series) -> pd.Series:
    """Text as it is; numbers as people write them, "" where missing."""
    if column.dtype != float:
        return column
    codes, distinct = pd.factorize(column.to_numpy())          # NaN has the code -1, the last text
    return texts_of(np.array([*(number_text(float(value)) for value in distinct), ""], dtype=object)[codes])


def _without_nul(source: Source, table: Table, text: pd.Series, name: str, strict: bool, repairs: list[Repair],
                 faults: list[InputRefused]) -> pd.Series:
    """Text without NUL characters: debris in an open answer, a fault in a column that sorts respondents."""
    rows = np.flatnonzero(text.str.contains("\0", regex=False).to_numpy())
    if not len(rows):
        return text
    if strict:
        faults.append(source.refused(f'column "{name}": the cell holds a NUL byte. Export the file again.',
                                     table.place(int(rows[0]), name)))
    repairs += repaired("nul_removed", name, table.lines[rows])
    return text.str.replace("\0", "", regex=False)


def _stripped(text: pd.Series, name: str, table: Table, repairs: list[Repair]) -> pd.Series:
    """A column of categories without the blanks around them: ``West`` and ``West `` are one region."""
    out = text.str.strip()
    repairs += repaired("blanks", name, table.lines[(out != text).to_numpy()])
    return out


def _rounded_ids(source: Source, table: Table, column: pd.Series, name: str) -> list[InputRefused]:
    """Ids stored as numbers too long for a number: different respondents may have become one."""
    if column.dtype != float:
        return []
    rows = np.flatnonzero(np.abs(column.to_numpy()) >= table.largest)
    if not len(rows):
        return []
    return [source.refused(f'column "{name}": the id is stored as a number with more digits than a number keeps '
                           f"({len(rows)} such cells). Store ids as text.", table.place(int(rows[0]), name))]


def _long_cells(source: Source, table: Table) -> list[InputRefused]:
    out = []
    for name, column in zip(table.names, table.columns, strict=True):
        if column.dtype != float and len(column):
            lengths = column.str.len().to_numpy()
            if lengths.max() > MAX_CELL:
                row = int(lengths.argmax())
                place = table.place(row, name) if name else f"line {table.lines[row]}"
                out.append(source.refused(f'column "{name}": a cell of {int(lengths[row]):,} characters; at most '
                                          f"{MAX_CELL:,} are read. Shorten it.", place))
    return out


def _faulty_cells(source: Source, table: Table, used: set[str]) -> list[InputRefused]:
    """Refusals of spreadsheet cells without a value, one for each column the study uses."""
    places: dict[str, list[tuple[str, str]]] = {}
    read = set(table.lines.tolist())
    for (row, at), what in sorted(table.faulty.items()):
        name = table.names[at] if at < len(table.names) else ""
        if name in used and row in read:
            places.setdefault(name, []).append((f"cell {column_letters(at)}{row}", what))
    out = []
    for name, cells in places.items():
        out.append(source.refused(f'column "{name}": {cells[0][1]}{also([at for at, _ in cells[1:]])}', cells[0][0]))
    return out


__all__ = ["RawAnswers", "Repair", "check_columns", "columns_of", "numeric_columns", "read", "sha256"]
