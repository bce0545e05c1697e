"""CSV taken apart: records with their line numbers, or the one line that says why it cannot be.

Python's own reader is used in its strict mode, because it alone tells a short row from one that ends in empty cells
and an unclosed quotation mark from a long cell; others fill up, cut off or rename without a word.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from tcslib.fieldwork.source import Source, listed, quoted

CODECS = {None: "utf-8-sig", "utf-8": "utf-8-sig"}          # the rest are named as Python names them
_FIRST_OTHER = "\u0800"          # from here on UTF-8 takes three bytes, which other encodings do not hit by accident
_STRAY = 5          # NULs in a line that may be debris in a text; more of them is no text


class Record(NamedTuple):
    """One row: the line it begins in, its cells, and how its last line ended."""

    line: int
    cells: list[str]
    end: str

    @property
    def blank(self) -> bool:
        """True for a line without any text."""
        return len(self.cells) < 2 and not "".join(self.cells).strip(" \t\ufeff")


class _Lines:
    """The lines of a file, counted; ``end`` is how the latest one ended."""

    def __init__(self, file: io.TextIOWrapper, source: Source) -> None:
        self.file, self.source, self.number, self.end = file, source, 0, ""

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.number += 1
            if line.count("\0") > _STRAY:
                raise self.source.refused("holds NUL bytes, so it is not CSV text (or its encoding is not the one "
                                          "read). Export it again as CSV UTF-8.", f"line {self.number}")
            self.end = "\r" if line.endswith("\r") else line[-1:]
            yield line[:-2] + "\n" if line.endswith("\r\n") else line


def records(source: Source) -> Iterator[Record]:
    """Every record of the file, blank ones too."""
    begun = 1
    try:
        # newline="" keeps a lone CR apart from a line's end: it may stand inside a cell
        codec = CODECS.get(source.encoding, source.encoding)
        with io.TextIOWrapper(source.path.open("rb"), encoding=codec, newline="") as file:
            lines = _Lines(file, source)
            reader = csv.reader(lines, strict=True)
            for cells in reader:
                yield Record(begun, cells, lines.end)
                begun = reader.line_num + 1
    except UnicodeError:
        raise source.refused(*_undecodable(source)) from None
    except csv.Error as error:
        if "end of data" in str(error):
            what = "the quotation mark that opens here is not closed"
        elif "limit" in str(error):          # the reader's own limit stays: it holds for the whole process
            what = f"a cell of more than {csv.field_size_limit():,} characters, or a quotation mark that is not closed"
        else:
            what = "a quotation mark is not closed, or one inside a quoted cell is not doubled"
        raise source.refused(f"{what}. Correct this row, or export the file again.", f"line {begun}") from None


def header(source: Source) -> tuple[Record, Iterator[Record]]:
    """The record that holds the column names, and the records below it."""
    below = records(source)
    above: list[Record] = []
    found = None
    for record in below:
        above.append(record)
        if len(above) == source.header_row:
            found = record
            break
    if found is None or found.blank:
        if all(r.blank for r in above) and all(r.blank for r in below):
            only = "blank lines only" if above else "nothing but a byte order mark"
            raise source.refused(f"holds {only}. Export it again.")
        raise source.refused("the column names are expected here, and there are none. Correct data.header_row.",
                             f"line {found.line if found else source.header_row}")
    if len(found.cells) == 1:
        other = next((mark for mark in (";", "\t", "|") if mark in found.cells[0]), "")
        if other:
            sign = "a tab" if other == "\t" else f'"{other}"'
            raise source.refused(f"the columns are separated by {sign}; a comma is expected. Save it as CSV with "
                                 "commas, or as XLSX.", f"line {found.line}")
    return found, below


def check_shape(source: Source, width: int, odd: list[tuple[int, int]], last: int) -> None:
    """Refuse rows with another number of cells than the header.

    Parameters
    ----------
    source
        The file.
    width
        Number of columns.
    odd
        Line and number of cells of every such row.
    last
        Line of the last row: when it alone is short, the file was cut.
    """
    if not odd:
        return
    line, cells = odd[0]
    if len(odd) == 1 and line == last and cells < width:
        raise source.refused(f"the last row has {cells} cells where the header has {width}: the file seems to be cut "
                             "short. Export it again.", f"line {line}")
    others = [f"{at} ({n})" for at, n in odd[1:]]
    also = f"; so do lines {listed(others)}" if others else ""
    raise source.refused(f"the row has {cells} cells where the header has {width}{also}. Put cells that hold a comma "
                         "into quotation marks, or export the file again.", f"line {line}")


def whole(below: Iterator[Record], width: int) -> Iterator[tuple[Record, bool]]:
    """The records with text, and for each whether a lone CR inside one of its cells had cut it in two.

    A lone CR ends a line in old files and stands inside a cell in others. It is taken as inside when the row
    would be short otherwise and the two halves together are just as long as the header.
    """
    before: Record | None = None
    joined = False
    for record in below:
        if not record.cells or (record.blank and width > 1):
            continue
        if (before is not None and before.end == "\r" and record.end == "\n" and len(record.cells) < width
                and len(before.cells) + len(record.cells) - 1 == width):
            middle = f"{before.cells[-1]}\r{record.cells[0]}"
            before = Record(before.line, [*before.cells[:-1], middle, *record.cells[1:]], record.end)
            joined = True
            continue
        if before is not None:
            yield before, joined
        before, joined = record, False
    if before is not None:
        yield before, joined


def check_encoding(source: Source) -> None:
    """Refuse a file that is UTF-8 though the study declares another encoding: it would be read as mojibake."""
    if source.encoding not in {"gb18030", "big5", "cp1252"}:
        return
    raw = source.path.read_bytes()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return
    if not text.isascii() and (source.encoding == "cp1252" or max(text) >= _FIRST_OTHER):
        raise source.refused(f"is UTF-8, not {source.encoding}. Drop data.encoding from the study.")


def _undecodable(source: Source) -> tuple[str, str]:
    """What to say of bytes that are not text in the expected encoding, and where the first of them is."""
    raw = source.path.read_bytes()
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} and source.encoding != "utf-16":
        return "is UTF-16. State data.encoding: utf-16, or save the file as CSV UTF-8.", ""
    if raw[:4] == b"PK\x03\x04":
        return "is a workbook, not CSV. Give it the ending .xlsx.", ""
    expected = source.encoding or "utf-8"
    at = 0
    try:
        raw.decode(expected)
    except UnicodeDecodeError as error:
        at = error.start
    except UnicodeError:
        pass          # UTF-16 without its mark
    before = raw[:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    place = f"line {before.count(10) + 1}"
    if b"\0" in raw and expected != "utf-16":
        return "holds binary data, not CSV text. Export it again as CSV UTF-8.", place
    came = f"the byte 0x{raw[at]:02X} is not {expected.upper()}"
    if source.encoding not in {None, "utf-8"}:
        return f"{came}, which data.encoding states. Correct data.encoding, or save the file as UTF-8.", place
    reads = [f"`data.encoding: {name}` reads the cell as {quoted(cell)}" for name in ("gb18030", "big5", "cp1252")
             if (cell := _cell(raw, at, name))]
    if not reads:
        return f"{came}. Save the file as CSV UTF-8, or state its encoding in data.encoding.", place
    return f"{came}. {', '.join(reads)}. State the one that is right, or save the file as CSV UTF-8.", place


def _cell(raw: bytes, at: int, encoding: str) -> str:
    """The cell around a byte as another encoding reads it; empty when the file is not in that encoding."""
    try:
        raw.decode(encoding)
    except UnicodeError:
        return ""
    first = max(raw.rfind(mark, 0, at) for mark in (b",", b"\n", b"\r", b'"')) + 1
    ends = [end for mark in (b",", b"\n", b"\r", b'"') if (end := raw.find(mark, at)) >= 0]
    return raw[first:min(ends, default=len(raw))].decode(encoding, "replace")
