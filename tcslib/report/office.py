"""The report's tables as a workbook, as print and as numbers, with nothing in it that a spreadsheet would run."""

from __future__ import annotations

import datetime as dt
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FIXED = dt.datetime(2000, 1, 1)          # the same tables give the same bytes
_LONGEST = 32_767                         # characters a cell can hold


def write_tables(path: Path, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """One sheet per table: its title, the printed table where there is one, and the numbers behind it.

    Text is written as text, whatever it begins with: no cell becomes a formula or a link.
    """
    book = _book(path)
    bold, wrap = book.add_format({"bold": True}), book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    used: set[str] = {"history"}          # a name the spreadsheet keeps for itself
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
            for down, values in enumerate([heads, *rows]):
                for at, value in enumerate(values):
                    _write(sheet, row + down, at, value, None if down else wrap)
            row += len(rows) + 2
    if not tables:
        book.add_worksheet("empty")
    book.close()
    _rezip(path)


def write_sheets(path: Path, sheets: Mapping[str, Any]) -> None:
    """Frames as sheets, column names in the first row, ready to be read back; text is text here too."""
    book = _book(path)
    bold = book.add_format({"bold": True})
    for name, frame in sheets.items():
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        for at, column in enumerate(frame):
            _write(sheet, 0, at, str(column), bold)
            for down, value in enumerate(frame[column].tolist(), 1):
                _write(sheet, down, at, value)
    book.close()
    _rezip(path)


def _book(path: Path) -> Any:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False, "strings_to_urls": False,
                                           "strings_to_numbers": False, "nan_inf_to_errors": False})
    book.set_properties({"created": _FIXED})
    return book


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


def _rezip(path: Path) -> None:
    """The archive again with fixed times, so that equal content is equal bytes."""
    with zipfile.ZipFile(path) as old:
        parts = [(name, old.read(name)) for name in old.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in parts:
            new.writestr(zipfile.ZipInfo(name, _FIXED.timetuple()[:6]), content, zipfile.ZIP_DEFLATED)
