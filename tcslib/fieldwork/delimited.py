"""CSV taken apart, whatever mark parts its columns: records with their line numbers, or why that cannot be.

Python's own reader is used in its strict mode, because it alone tells a short row from one that ends in empty cells
and an unclosed quotation mark from a long cell; others fill up, cut off or rename without a word.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterator
from itertools import islice
from typing import NamedTuple

from tcslib.errors import InputRefused
from tcslib.fieldwork.encoding import Encoding, undecodable
from tcslib.fieldwork.source import Source, listed

MARKS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
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


def records(source: Source, encoding: Encoding, mark: str) -> Generator[Record, None, None]:
    """Every record of the file, blank ones too."""
    begun, end = 1, ""

    def lines() -> Iterator[str]:
        nonlocal end
        for number, line in enumerate(file, 1):
            if line.count("\0") > _STRAY:
                raise source.refused("holds NUL bytes, so it is not CSV text (or its encoding is not the one read). "
                                     "Export it again as CSV UTF-8.", f"line {number}")
            end = line[-1:]
            yield line[:-2] + "\n" if line.endswith("\r\n") else line

    try:
        # newline="" keeps a lone CR apart from a line's end: it may stand inside a cell
        with io.TextIOWrapper(source.path.open("rb"), encoding=encoding.codec, newline="") as file:
            reader = csv.reader(lines(), strict=True, delimiter=mark)
            for cells in reader:
                yield Record(begun, cells, end)
                begun = reader.line_num + 1
    except UnicodeError:
        raise source.refused(*undecodable(source)) from None
    except csv.Error as error:
        if "end of data" in str(error):
            what = "the quotation mark that opens here is not closed"
        elif "limit" in str(error):          # the reader's own limit stays: it holds for the whole process
            what = f"a cell of more than {csv.field_size_limit():,} characters, or a quotation mark that is not closed"
        else:
            what = "a quotation mark is not closed, or one inside a quoted cell is not doubled"
        raise source.refused(f"{what}. Correct this row, or export the file again.", f"line {begun}") from None


def mark_of(source: Source, encoding: Encoding) -> str:
    """The mark between the columns: as declared, else the one that parts the header into the most columns."""
    if source.delimiter:
        return "\t" if source.delimiter == "tab" else source.delimiter
    widths = {}
    for mark in MARKS:
        below = records(source, encoding, mark)
        try:
            widths[mark] = next((len(r.cells) for r in islice(below, source.header_row - 1, None)), 0)
        except InputRefused:          # the one that is taken says why
            widths[mark] = 0
        below.close()
    most = max(widths.values())
    best = [mark for mark, width in widths.items() if width == most]
    if most > 1 and len(best) > 1:
        raise source.refused(f"the column names are {most} when parted by {MARKS[best[0]]}, and as many when parted by "
                             f"{MARKS[best[1]]}. State data.delimiter.", f"line {source.header_row}")
    return best[0]


def header(source: Source, encoding: Encoding, mark: str) -> tuple[Record, Generator[Record, None, None]]:
    """The record that holds the column names, and the records below it."""
    below = records(source, encoding, mark)
    above = list(islice(below, source.header_row))
    found = above[-1] if len(above) == source.header_row else None
    if found is None or found.blank:
        if all(r.blank for r in above) and all(r.blank for r in below):
            only = "blank lines only" if above else "nothing but a byte order mark"
            raise source.refused(f"holds {only}. Export it again.")
        raise source.refused("the column names are expected here, and there are none. Correct data.header_row.",
                             f"line {found.line if found else source.header_row}")
    other = next((m for m in MARKS if m in found.cells[0]), "") if len(found.cells) == 1 and source.delimiter else ""
    if other:
        raise source.refused(f"the columns are separated by {MARKS[other]}, not by {MARKS[mark]}. Correct "
                             "data.delimiter.", f"line {found.line}")
    return found, below


def check_shape(source: Source, mark: str, width: int, odd: list[tuple[int, int]], last: int) -> None:
    """Refuse rows with another number of cells than the header.

    Parameters
    ----------
    source
        The file.
    mark
        What stands between its columns.
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
    also = f"; so do lines {listed([f'{at} ({n})' for at, n in odd[1:]])}" if odd[1:] else ""
    raise source.refused(f"the row has {cells} cells where the header has {width}{also}. Put cells that hold "
                         f"{MARKS[mark]} into quotation marks, or export the file again.", f"line {line}")


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
