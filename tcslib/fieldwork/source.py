"""The file of answers before anything in it has a meaning: where it lies, what it is, that it stays the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tcslib.errors import InputRefused
from tcslib.study.load import Study
from tcslib.study.params import DataParams

Kind = Literal["csv", "xlsx", "sav", "dta", "parquet"]
KINDS: dict[str, Kind] = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".xlsx": "xlsx", ".sav": "sav", ".zsav": "sav",
                          ".dta": "dta", ".parquet": "parquet"}


@dataclass(frozen=True)
class Source:
    """A file of answers and how the study says to read it; ``shown`` is its name in messages.

    ``header_row`` is the lowest row of the column names; ``header_stated`` tells whether the study says so, or whether
    a workbook's title rows may be passed over. ``header_rows`` is how many rows they take, None for what the sheet
    shows. ``id`` is the column that names the respondents.
    """

    path: Path
    shown: str
    kind: Kind
    sheet: str = ""
    header_row: int = 1
    encoding: str | None = None
    delimiter: str = ""
    decimal: str = ""
    header_stated: bool = False
    header_rows: int | None = None
    id: str = ""

    def refused(self, message: str, place: str = "") -> InputRefused:
        """The refusal of this file, at a line, row or cell of it."""
        return InputRefused(message, f"{self.shown}: {place}" if place else self.shown)


def source_of(study: Study) -> Source:
    """The study's file of answers; refused when it is no regular file, is empty or of an unknown kind."""
    return source_at(study.root, study.params.data)


def source_at(root: Path, data: DataParams) -> Source:
    """The file a section ``data`` tells of, from a folder; refused as in ``source_of``."""
    path = root / data.file
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputRefused(f'the kind of file "{path.suffix}" is not known. Save it as .csv, .xlsx, .sav, .dta '
                           "or .parquet.", data.file)
    if not path.is_file():
        raise InputRefused("there is no such regular file. Check data.file.", data.file)
    if path.stat().st_size == 0:
        raise InputRefused("the file is empty. Export it again.", data.file)
    for key, value, of in (("header_rows", data.header_rows, "xlsx"), ("delimiter", data.delimiter, "csv")):
        if value and kind != of:
            raise InputRefused(f"data.{key} is for .{of} files. Drop it.", data.file)
    return Source(path, data.file, kind, data.sheet, data.header_row or data.header_rows or 1, data.encoding,
                  data.delimiter, data.decimal, data.header_row is not None, data.header_rows, data.id)


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed(words: list[str], most: int = 5) -> str:
    """``a, b, c and 9 more``."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def also(places: list[str]) -> str:
    """Where else the same is wrong, as a sentence behind the first place."""
    return f" So in {listed(places)}." if places else ""


def quoted(text: str) -> str:
    """A cell's text as a message shows it: on one line, in quotes, shortened."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return f'"{text if len(text) <= 30 else text[:30] + "…"}"'
