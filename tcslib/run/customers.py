"""A study's customer list on the disk: read through the door for answers, kept with its log, told in counts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.fieldwork.listfile import lacking, list_source, of_frame
from tcslib.fieldwork.masking import mask
from tcslib.fieldwork.reading import READERS
from tcslib.fieldwork.source import Source, quoted, sha256
from tcslib.fieldwork.source import listed as listed_names
from tcslib.fieldwork.tables import Table, number_text, texts_of
from tcslib.report.office import write_sheets
from tcslib.run.manifest import draws, log_of
from tcslib.run.store import aside, read_json
from tcslib.sampling.coverage import CLASSES, FrameState, by_class
from tcslib.sampling.frame import LOG, CustomerList, ListColumns
from tcslib.study.load import Study
from tcslib.study.sections.frame import FrameParams, day_of

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,12})?\Z")


def stated(study: Study) -> FrameParams:
    """The study's section ``frame``; refused where it has none."""
    if study.params.frame is None:
        raise InputRefused("names no customer list. Add `frame: {file: …, id: …}`.", f"{study.path}: frame")
    return study.params.frame


def read_list(study: Study) -> CustomerList:
    """The study's customer list with its log.

    Raises
    ------
    InputRefused
        When the list, or its log, cannot be used as it is; one line for every column it lacks.
    """
    frame = stated(study)
    source = list_source(study, frame)
    try:
        rows = read_customers(source)
    except OSError as error:
        raise source.refused(f"cannot be opened ({error.strerror}). Close it in other programs.") from None
    refuse_all(lacking(study, frame, list(rows.columns)))
    log, log_file = pd.DataFrame(columns=list(LOG), dtype="str"), log_of(source.path)
    if log_file.exists():
        log = read_customers(Source(log_file, log_file.relative_to(study.root).as_posix(), "csv"))
        if list(log.columns) != list(LOG):
            raise InputRefused(f"its columns are not {', '.join(LOG)}. Restore it.",
                               log_file.relative_to(study.root).as_posix())
    same = {key: column for key in ("name", "phone", "email") if (column := getattr(frame.names, key))}
    return CustomerList(rows, ListColumns(frame.id, frame.kind, frame.role, tuple(frame.last_contact), frame.retired,
                                          same), log)


def read_customers(source: Source) -> pd.DataFrame:
    """A file of customers, every cell text without blanks around it, "" where empty."""
    try:
        table = READERS[source.kind](source)
    except InputRefused as error:
        raise of_frame(error) from None
    if source.id in table.names:
        _check_ids(source, table)
    return pd.DataFrame({name: _as_text(column).str.strip() for name, column in
                         zip(table.names, table.columns, strict=True) if name})


def _check_ids(source: Source, table: Table) -> None:
    """Ids stored as numbers too long for a number: different customers may have become one."""
    ids = table.columns[table.names.index(source.id)]
    if ids.dtype == float and (ids.abs() >= table.largest).any():
        raise source.refused(f'column "{source.id}": ids are stored as numbers with more digits than a number keeps. '
                             "Store them as text.")


def _as_text(column: pd.Series) -> pd.Series:
    if column.dtype != float:
        return column
    return texts_of(["" if np.isnan(value) else number_text(value) for value in column.tolist()])


def write_list(study: Study, customers: CustomerList) -> list[Path]:
    """Put a changed list and its log in place of those before: both made aside, the log first.

    Cut short in between, the same command finishes the change; see ``CustomerList``.
    """
    frame = stated(study)
    path = study.root / frame.file
    log = log_of(path)
    with aside(path) as new, aside(log) as told:
        customers.log.to_csv(told, index=False, encoding="utf-8", lineterminator="\n")
        rows = customers.rows
        if path.suffix.lower() == ".xlsx":
            write_sheets(new, {frame.sheet or "customers": rows.apply(_as_numbers, args=(customers.columns,))})
        elif path.suffix.lower() == ".parquet":
            rows.to_parquet(new)
        else:
            rows.to_csv(new, index=False, encoding=frame.encoding or "utf-8-sig", lineterminator="\n",
                        sep={"tab": "\t", "": ","}.get(frame.delimiter, frame.delimiter))
    return [path, log]


def check_kept(study: Study) -> None:
    """Refuse a list that cannot be written again without losing what else its file holds."""
    frame = stated(study)
    path = study.root / frame.file
    if path.suffix.lower() not in {".csv", ".tsv", ".txt", ".xlsx", ".parquet"}:
        raise InputRefused(f"a {path.suffix} file cannot be kept as a list. Save it as .csv, .xlsx or .parquet, and "
                           "name that.", frame.file)
    if path.suffix.lower() == ".xlsx":
        from python_calamine import CalamineWorkbook

        with CalamineWorkbook.from_path(path) as book:
            if len(book.sheet_names) > 1:
                raise InputRefused("has more than one sheet, and the others would be lost. Keep the list in a workbook "
                                   "of its own.", frame.file)
    if frame.header_row not in {None, 1}:
        raise InputRefused("the rows above the column names would be lost. Delete them, and drop frame.header_row.",
                           frame.file)


def _as_numbers(column: pd.Series, columns: ListColumns) -> pd.Series:
    """A column of plain numbers as such, so that the spreadsheet adds it up; ids and telephone numbers stay text."""
    filled = column[column != ""]
    if column.name in {columns.id, *columns.same.values()} or not len(filled) or not filled.str.match(_NUMBER).all():
        return column
    return pd.to_numeric(column.replace("", np.nan))


def _day(earlier: Mapping[str, Any]) -> str:
    """The day a run of another wave counted rest to, or would have."""
    return day_of((earlier.get("frame") or {}).get("as_of", ""), (earlier.get("fieldwork") or {}).get("start", ""))


# -- what of it a report tells ---------------------------------------------------------------------------------------

def as_of(study: Study) -> str:
    """The day rest is counted to, "" where the study states none."""
    return day_of(stated(study).as_of, study.params.fieldwork.start)


def drawable(study: Study, customers: CustomerList) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) each: who is on the list, which of them rest, and who may be drawn: neither resting nor left out."""
    frame, draw, day = stated(study), study.params.draw, as_of(study)
    listed = customers.active(day)
    rests = np.zeros(len(listed), dtype=bool)
    if frame.rest_days or frame.max_per_year:
        rests = listed & ~np.isnat(customers.resting_until(day, frame.rest_days, frame.max_per_year))
    wanted = listed & ~rests
    for column, values in (draw.require if draw else {}).items():
        wanted &= (found := customers.rows[column].isin(values).to_numpy(bool))
        if len(found) and not found.any():
            raise InputRefused(f'nobody on the list has {listed_names([quoted(v) for v in values])} in column '
                               f'"{column}". Correct it.', f"{study.path}: draw.require.{column}")
    return listed, rests, wanted


def classes_of(study: Study, customers: CustomerList) -> list[str]:
    """Classes there ought to be: the study's, else the usual ones where the list speaks of no others."""
    frame = stated(study)
    if frame.classes or not frame.kind:
        return list(frame.classes)
    return list(CLASSES) if set(customers.kinds()) - {""} <= set(CLASSES) else []


def state(study: Study, earlier: Mapping[str, Any]) -> FrameState:
    """The list and the draw from it, in counts.

    Parameters
    ----------
    earlier
        Parameters of the run of the wave before, empty without one: its day is the one changes are counted from.
    """
    frame, customers = stated(study), read_list(study)
    listed, rests, wanted = drawable(study, customers)
    record = next((read_json(folder / "draw.json") for folder in reversed(draws(study))), None)
    kinds, classes = customers.kinds(), classes_of(study, customers)
    if record is None:
        table = by_class(kinds, listed, rests, wanted, np.zeros(len(kinds), dtype=bool), classes)
    else:
        table = pd.DataFrame(record["classes"])
    since = frame.since or _day(earlier)
    twice = customers.duplicates()
    return FrameState(
        table, customers.coverage(frame.totals, as_of(study)), customers.changes(since) if since else None,
        as_of(study), since, record is not None,
        record is not None and record["made_of"]["frame"] != {frame.file: sha256(study.root / frame.file)},
        {by: int((twice["by"] == by).sum()) for by in dict.fromkeys(twice["by"])}, bool(frame.kind),
        _entries(customers, since))


def _entries(customers: CustomerList, since: str) -> pd.DataFrame:
    """The log's entries for a reader: a reason that names a customer is left out, addresses and numbers are masked."""
    out = customers.entries(since) if since else customers.entries("").iloc[:0]
    out["why"] = mask(out["why"].mask(customers.named_in(out["why"]), "")).texts
    return out
