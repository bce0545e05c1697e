"""The report's tables as a workbook, as print and as numbers, with nothing in it that a spreadsheet would run."""

from __future__ import annotations

import datetime as dt
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_FIXED = dt.datetime(2000, 1, 1)          # the same tables give the same bytes
_LONGEST = 32_767                         # characters a cell can hold


def write_tables(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """One sheet per table: its title, the printed table where there is one, and the numbers behind it.

    Text is written as text, whatever it begins with: no cell becomes a formula or a link.
    """
    with _book(path) as book:
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        bold, used = book.add_format({"bold": True}), {"history"}          # a name the spreadsheet keeps for itself
        for name, table in tables.items():
            sheet = book.add_worksheet(_sheet_name(name, used))
            _write(sheet, 0, 0, table["title"], bold)
            sheet.freeze_panes(0, 1)
            sheet.set_column(0, 0, 28)
            sheet.set_column(1, 40, 14)
            blocks = [(table["columns"], table["rows"])]
            if printed := table.get("print"):
                blocks.insert(0, ([c[0] for c in printed], list(zip(*(c[1:] for c in printed), strict=True))))
            row = 2
            for heads, rows in blocks:
                _block(sheet, row, heads, rows, head)
                row += len(rows) + 2
        if not tables:
            book.add_worksheet("empty")


def write_sheets(path: Path, sheets: Mapping[str, Any]) -> None:
    """Frames as sheets, column names in the first row, ready to be read back; text is text here too."""
    with _book(path) as book:
        bold = book.add_format({"bold": True})
        for name, frame in sheets.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 1)
            _block(sheet, 0, map(str, frame), zip(*(frame[c].tolist() for c in frame), strict=True), bold)


@contextmanager
def _book(path: Path) -> Iterator[Any]:
    """A workbook to write in; at the end its archive is made again with fixed times: equal content is equal bytes."""
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False,
                                           "strings_to_numbers": False, "nan_inf_to_errors": False})
    book.set_properties({"created": _FIXED})
    yield book
    book.close()
    with zipfile.ZipFile(path) as old:
        parts = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in parts:
            new.writestr(zipfile.ZipInfo(name, _FIXED.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)


def _block(sheet: Any, row: int, heads: Iterable[Any], rows: Iterable[Iterable[Any]], style: Any) -> None:
    """Heads in this row, rows of values below."""
    for down, values in enumerate([heads, *rows]):
        for at, value in enumerate(values):
            _write(sheet, row + down, at, value, None if down else style)


def _write(sheet: Any, row: int, at: int, value: Any, style: Any = None) -> None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, int | float) and not isinstance(value, bool):
        sheet.write_number(row, at, value, style)
    else:
        sheet.write_string(row, at, str(value)[:_LONGEST], style)


def _sheet_name(name: str, used: set[str]) -> str:
    base = "".join(c if c not in "[]:*?/\\'" else "_" for c in name)[:31] or "table"
    out, number = base, 2
    while out.lower() in used:
        out, number = f"{base[:28]}_{number}", number + 1
    used.add(out.lower())
    return out


workbook, write_cell, sheet_name = _book, _write, _sheet_name          # for workbooks made elsewhere
