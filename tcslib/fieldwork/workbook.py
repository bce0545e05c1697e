"""XLSX before its rows are parsed: is it a workbook, is it safe to open, which sheets has it, what are its columns.

Only the parts needed are unpacked, with the standard library, so that a check of the column names costs
milliseconds however long the sheet is, and an archive that unpacks to gigabytes is never unpacked.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from xml.etree import ElementTree

from tcslib.fieldwork.source import Source, listed, quoted
from tcslib.study.strict_yaml import meant

MAX_UNPACKED, MAX_RATIO = 200_000_000, 100
_OLE = b"\xd0\xcf\x11\xe0"
_BLOCK = 1 << 22
# attributes stand in any order, and some writers give every tag a prefix
_ERROR = re.compile(rb'<(?:\w+:)?c\s([^>]*\bt="e"[^>]*)>.*?<(?:\w+:)?v>([^<]*)<', re.DOTALL)
_NO_VALUE = re.compile(rb"<(?:\w+:)?c\s([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
                       rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>")
_HIDDEN = re.compile(rb'<(?:\w+:)?(row|col)\s([^>]*\bhidden="(?:1|true)"[^>]*)>')
_NUMBERS = re.compile(rb'\b(r|min|max)="([0-9]+)"')
_ADDRESS = re.compile(rb'\br="([A-Z]+[0-9]+)"')


class Sheet(NamedTuple):
    """One sheet: its name, the part of the archive that holds it, whether readers see it."""

    name: str
    part: str
    visible: bool


@contextmanager
def opened(source: Source) -> Iterator[zipfile.ZipFile]:
    """The workbook's archive, once it is known to be one and to be safe; whatever breaks inside is its own fault."""
    with source.path.open("rb") as file:
        start = file.read(8)
    if start[:4] == _OLE:
        raise source.refused("is an old or a password-protected workbook. Save it as .xlsx without a password.")
    if start[:2] != b"PK":
        raise source.refused("the content is not XLSX, whatever the file's name says. Save it as .xlsx, or give the "
                             "file the ending of what it is.")
    try:
        with zipfile.ZipFile(source.path) as archive:
            _check_safe(source, archive)
            yield archive
    except zipfile.BadZipFile:
        raise source.refused("the workbook is damaged or cut short. Save it again.") from None
    except (KeyError, ElementTree.ParseError, zlib.error, EOFError, RuntimeError, NotImplementedError,
            ValueError) as error:
        raise source.refused(f"the workbook is damaged ({type(error).__name__}). Save it again.") from None


def _check_safe(source: Source, archive: zipfile.ZipFile) -> None:
    unpacked = sum(info.file_size for info in archive.infolist())
    packed = source.path.stat().st_size
    if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * packed:
        raise source.refused(f"unpacks from {packed:,} to {unpacked:,} bytes; at most {MAX_UNPACKED:,} bytes and "
                             f"{MAX_RATIO} times its size are read. Save the sheet as CSV.")
    for name in archive.namelist():
        if name.startswith("/") or ".." in name.replace("\\", "/").split("/"):
            raise source.refused(f"holds a part that lies outside the workbook, {quoted(name)}. Do not trust this "
                                 "file; ask for it again.")


def sheets(archive: zipfile.ZipFile) -> list[Sheet]:
    """The worksheets in their order."""
    book, parts = _book(archive)
    out = []
    for element in ElementTree.fromstring(archive.read(book)).iter():
        if tag(element) == "sheet":
            kind, part = parts[next(v for k, v in element.attrib.items() if k.endswith("}id"))]
            if kind == "worksheet":
                out.append(Sheet(element.attrib["name"], part, element.attrib.get("state", "visible") == "visible"))
    return out


def chosen(source: Source, found: list[Sheet]) -> Sheet:
    """The sheet the study names, else the first that readers see."""
    seen = [s.name for s in found if s.visible]
    if source.sheet:
        sheet = next((s for s in found if s.name == source.sheet), None)
        if sheet is None:
            raise source.refused(f'there is no sheet "{source.sheet}" (data.sheet); there are {listed(seen, 10)}. '
                                 + meant(source.sheet, (s.name for s in found), "Name one of them."))
        return sheet
    if not seen:
        raise source.refused("has no visible sheet. Name the one to read in data.sheet.")
    return next(s for s in found if s.visible)


def strings(archive: zipfile.ZipFile, wanted: set[int]) -> dict[int, str]:
    """The shared strings of those numbers, reading no further than the last of them."""
    part = next(target for kind, target in _book(archive)[1].values() if kind == "sharedStrings")
    texts: dict[int, str] = {}
    with archive.open(part) as file:
        for index, element in enumerate(e for _, e in ElementTree.iterparse(file) if tag(e) == "si"):
            if index in wanted:
                texts[index] = text(element)
            if len(texts) == len(wanted):
                break
            element.clear()
    return texts


def check_intact(source: Source, archive: zipfile.ZipFile) -> None:
    """Refuse an archive whose parts do not unpack to the sizes and checksums it states."""
    broken = archive.testzip()
    if broken:
        raise source.refused(f"the workbook is damaged (its part {quoted(broken)}). Save it again.")


class Scan(NamedTuple):
    """What a parser of the sheet does not tell.

    ``faulty``: cells handed over as if they were empty, errors and formulas nobody has calculated, by row from 1 and
    column from 0, with what to do. ``rows`` and ``columns``: what the sheet hides, as it names them.
    """

    faulty: dict[tuple[int, int], str]
    rows: list[int]
    columns: list[str]


def scan(archive: zipfile.ZipFile, sheet: Sheet) -> Scan:
    """The sheet's own text searched for what a parser passes over."""
    out = Scan({}, [], [])
    with archive.open(sheet.part) as file:
        rest = b""
        while block := file.read(_BLOCK):
            block = rest + block
            cut = block.rfind(b"row>") + 4 if b"row>" in block else 0
            block, rest = block[:cut], block[cut:]
            found = [(m[1], f'"{m[2].decode()}" is an error of the spreadsheet. Correct the formula, or leave the '
                            "cell empty.") for m in _ERROR.finditer(block)] if b't="e"' in block else []
            found += [(m[1], "the formula was never calculated. Open the workbook in a spreadsheet and save it.")
                      for m in _NO_VALUE.finditer(block) if b't="str"' not in m[1]]
            for attributes, what in found:
                if address := _ADDRESS.search(attributes):
                    out.faulty[position(address[1].decode())] = what
            for what_hides, attributes in _HIDDEN.findall(block) if b"hidden=" in block else ():
                said = dict(_NUMBERS.findall(attributes))
                if what_hides == b"row" and b"r" in said:
                    out.rows.append(int(said[b"r"]))
                elif what_hides == b"col":
                    columns = range(int(said[b"min"]), min(int(said[b"max"]), 1_000) + 1)
                    out.columns.extend(column_letters(number - 1) for number in columns)
    return out


def position(address: str) -> tuple[int, int]:
    """(17, 2) for C17: the row from 1, the column from 0."""
    letters = address.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - 64
    return int(address[len(letters):]), column - 1


def column_letters(number: int) -> str:
    """A for 0, Z for 25, AA for 26."""
    out = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        out = chr(65 + rest) + out
    return out


def tag(element: ElementTree.Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def text(element: ElementTree.Element) -> str:
    """The text of a string with its runs, without the reading aids (``rPh``) some Asian workbooks hold."""
    return "".join((e.text or "") if tag(e) == "t" else text(e) for e in element if tag(e) != "rPh")


def _book(archive: zipfile.ZipFile) -> tuple[str, dict[str, tuple[str, str]]]:
    """The part that lists the sheets, and what it refers to."""
    book = next(target for kind, target in _related(archive, "").values() if kind == "officeDocument")
    return book, _related(archive, book)


def _related(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """What a part of the archive refers to: ``{id: (kind, name of the part)}``."""
    folder, name = posixpath.split(part)
    out = {}
    for element in ElementTree.fromstring(archive.read(posixpath.join(folder, "_rels", f"{name}.rels"))):
        target = element.attrib["Target"]
        where = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        out[element.attrib["Id"]] = (element.attrib["Type"].rpartition("/")[2], where)
    return out
