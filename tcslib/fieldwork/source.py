"""The file of answers before anything in it has a meaning: where it lies, what it is, that it stays the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tcslib.errors import InputRefused
from tcslib.study.load import Study

Kind = Literal["csv", "xlsx", "sav"]
KINDS: dict[str, Kind] = {".csv": "csv", ".xlsx": "xlsx", ".sav": "sav", ".zsav": "sav"}


@dataclass(frozen=True)
class Source:
    """A file of answers and how the study says to read it; ``shown`` is its name in messages."""

    path: Path
    shown: str
    kind: Kind
    sheet: str = ""
    header_row: int = 1
    encoding: str | None = None

    def refused(self, message: str, place: str = "") -> InputRefused:
        """The refusal of this file, at a line, row or cell of it."""
        return InputRefused(message, f"{self.shown}: {place}" if place else self.shown)


def source_of(study: Study) -> Source:
    """The study's file of answers; refused when it is no regular file, is empty or of an unknown kind."""
    data = study.params.data
    path = study.root / data.file
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise InputRefused(f'the kind of file "{path.suffix}" is not known. Save it as .csv, .xlsx or .sav.', data.file)
    if not path.is_file():
        raise InputRefused("there is no such regular file. Check data.file.", data.file)
    if path.stat().st_size == 0:
        raise InputRefused("the file is empty. Export it again.", data.file)
    return Source(path, data.file, kind, data.sheet, data.header_row, data.encoding)


def sha256(path: Path) -> str:
    """The file's SHA-256 as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def listed(words: list[str], most: int = 5) -> str:
    """``a, b, c and 9 more``."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def quoted(text: str, most: int = 30) -> str:
    """A cell's text as a message shows it: on one line, in quotes, shortened."""
    text = "".join(c if c.isprintable() else " " for c in text)
    return f'"{text if len(text) <= most else text[:most] + "…"}"'
