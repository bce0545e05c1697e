"""In which encoding a text file is written: as declared, told by its bytes, or refused; never guessed.

Undeclared, a file is UTF-16 when it begins with that byte order mark, UTF-8 when all its bytes are, and GB18030 when
they are not and :func:`looks_chinese` holds for the text they give, while no other reading is as plausible.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import NamedTuple

from tcslib.fieldwork.source import Source, quoted

CODECS = {"utf-8": "utf-8-sig"}          # the rest are named as Python names them
_OTHERS = ("gb18030", "big5", "cp1252")
_BLOCK = 1 << 20
_LONG = re.compile(rb"[\xe0-\xf4]")          # begins a character of three bytes or more in UTF-8
_HIGH = re.compile(rb"[\x80-\xff]")
_LETTER = re.compile(r"(?<=[A-Za-z])[^\W\d_a-zA-Z]|[^\W\d_a-zA-Z](?=[A-Za-z])")          # touches a plain letter
_RUN = re.compile(r"[^\x00-\x7f]+")
# the commonest characters of Chinese print, and those of the places, names and scales that surveys hold
_COMMON = frozenset(
    "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学"
    "么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老"
    "因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感见明问力理尔点文几定本公特做外孩相西果走将月十实向声车全"
    "信重三机工物气每并别真打太新比才便夫再书部水像眼等体却加电主界门利海受听表德少克代员许先口由死安写性马光白或住难"
    "望教命花结乐色更拉东神记处让母父应直字场平报友关放至张认接告入笑内英军候民岁往何度山觉路带万男边风解叫任金快原吃"
    "妈变通师立象数四失满战远格士音轻目条呢病始达深完今提求清王化空业思切怎非找片罗钱语元喜曾离飞科言干流欢约各即指合"
    "反题必该论交终林请医晚制球决传画保读运及则房早院量苦火布品近坐产答星精视五连司巴奇管类未朋且婚台夜青北队久乎越"
    "南华京州市省县区镇城村江河湖广川津沪苏浙鲁客户顾服务质价格费网速度态产低较非常般意满推荐续办理营厅店员销售后"
    "李刘陈杨赵黄周吴徐孙胡朱郭何梁宋郑谢韩唐冯董萧程曹袁邓傅沈曾彭吕建华国志伟芳娜秀敏静丽强磊军洋艳勇杰娟涛超")


class Encoding(NamedTuple):
    """Python's name for it, and the name that is logged where it was detected."""

    codec: str
    detected: str = ""


def encoding_of(source: Source) -> Encoding:
    """The file's encoding; reads the file through once, 1 MB at a time, as far as it is UTF-8.

    Raises
    ------
    InputRefused
        When a declared encoding is contradicted by the bytes, or an undeclared one cannot be told.
    """
    with source.path.open("rb") as file:
        start = file.read(4)
    if source.encoding:
        _check_declared(source)
        return Encoding(CODECS.get(source.encoding, source.encoding))
    if start in {codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE}:
        raise source.refused("is UTF-32. Save it as CSV UTF-8.")
    if start[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return Encoding("utf-16", "UTF-16")
    if _is_utf8(source):
        if start[:3] != codecs.BOM_UTF8:
            _check_short(source)
        return Encoding("utf-8-sig")
    raw = _sample(source)          # reading is strict, so that a fault further down is still refused
    text = _decoded(raw, "gb18030")
    if text is None or not looks_chinese(text) or any(_plausible(raw, rival) for rival in ("big5", "cp949", "cp1252")):
        raise source.refused(*undecodable(source))
    return Encoding("gb18030", "GB18030")


def header_encoding(source: Source) -> Encoding:
    """The encoding as far as the column names need it: names in plain ASCII read alike in all but UTF-16."""
    with source.path.open("rb") as file:
        lines = file.read(_BLOCK // 16).split(b"\n")
    above = lines[:source.header_row]
    plain = len(lines) > source.header_row and all(line.isascii() and line.count(b'"') % 2 == 0 for line in above)
    if plain and source.encoding in {None, "utf-8"} and not any(b"\0" in line for line in above):
        return Encoding("latin-1")          # which takes any byte below the names for a letter
    return encoding_of(source)


def looks_chinese(text: str) -> bool:
    """Whether a text decoded from bytes is Chinese, told by the characters it is made of.

    Of its characters beyond ASCII at least 90% are hanzi of GB 2312 or Chinese punctuation; of the hanzi at least 85%
    are of its first level, the 3,755 in common use, and at least 40% are among the 500 or so commonest, of which five
    different ones must occur. Other languages' bytes give hanzi too, but spread over all of them: one in six or seven
    is a common one.
    """
    counts = Counter("".join(_RUN.findall(text)))
    total = sum(counts.values())
    level = {c: _level(c) for c in counts}
    first = sum(n for c, n in counts.items() if level[c] == 1)
    hanzi = first + sum(n for c, n in counts.items() if level[c] == 2)
    common = [n for c, n in counts.items() if c in _COMMON]
    known = hanzi + sum(n for c, n in counts.items() if level[c] == 0)
    return known >= 0.9 * total and first >= 0.85 * hanzi and sum(common) >= 0.4 * hanzi and len(common) >= 5


def _level(character: str) -> int:
    """1 or 2 for a hanzi of that level of GB 2312, 0 for punctuation and full-width forms, 3 for all else."""
    try:
        lead = character.encode("gb2312")[0]
    except UnicodeEncodeError:
        return 3
    return 1 if 0xB0 <= lead <= 0xD7 else 2 if lead > 0xD7 else 0 if lead in {0xA1, 0xA3} else 3


def _plausible(raw: bytes, encoding: str) -> bool:
    """Whether bytes that read as Chinese in GB18030 may as well be meant in another encoding."""
    text = _decoded(raw, encoding)
    if text is None:
        return False
    beyond = "".join(_RUN.findall(text))
    if encoding == "cp1252":          # accented letters stand among plain ones
        return 2 * len(_LETTER.findall(text)) >= len(beyond)
    if encoding == "cp949":
        return sum("\uac00" <= c <= "\ud7a3" for c in beyond) >= 0.9 * len(beyond)
    return sum(c.encode("big5")[0] < 0xC9 for c in beyond) >= 0.9 * len(beyond)          # its characters in common use


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeError:
        return None


def _sample(source: Source) -> bytes:
    """The first megabytes of lines with more than ASCII in them: they tell a language as well as all do."""
    kept = b""
    with source.path.open("rb") as file:
        while len(kept) < 2 * _BLOCK and (lines := file.readlines(_BLOCK)):
            kept += b"".join(line for line in lines if not line.isascii())
    return kept


def _is_utf8(source: Source) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with source.path.open("rb") as file:
            while block := file.read(_BLOCK):
                if not block.isascii() or decoder.getstate()[0]:
                    decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_short(source: Source) -> None:
    """Refuse what is UTF-8 only as far as some hanzi of GB18030 are: 女 is written with the bytes of Ů.

    Such a file holds nothing beyond ASCII but pairs of bytes that read as hanzi in use too; few of them touch a plain
    letter, as accented letters do; and they are no Latin-1 signs that would be uncommon hanzi, as é, £ and ² would.
    """
    pairs = b""
    with source.path.open("rb") as file:
        while block := file.read(_BLOCK):
            if _LONG.search(block):
                return
            if not block.isascii() and len(pairs) < _BLOCK:
                pairs += block
    if not (at := _HIGH.search(pairs)):
        return
    text = pairs.decode("utf-8", "ignore")
    hanzi = _decoded(pairs, "gb18030")
    beyond = "".join(_RUN.findall(text))
    words = "".join(_RUN.findall(hanzi or ""))
    if not words or any(_level(c) != 1 for c in words):
        return
    common = sum(c in _COMMON for c in words) >= 0.4 * len(words)
    if (common or max(beyond) > "\xff") and 2 * len(_LETTER.findall(text)) < len(beyond):
        raw = source.path.read_bytes()
        first = raw.find(pairs[at.start():at.start() + 2])
        reads = _readings(raw, first, ("utf-8", "gb18030"))
        raise source.refused(f"could be UTF-8 or GB18030: {reads}. State the one that is right.", _line(raw, first))


def _check_declared(source: Source) -> None:
    """Refuse a file that is UTF-8 though the study declares another encoding: it would be read as mojibake."""
    if source.encoding not in _OTHERS:
        return
    raw = source.path.read_bytes()
    text = _decoded(raw, "utf-8")
    if text is not None and not text.isascii() and (source.encoding == "cp1252" or _LONG.search(raw)):
        raise source.refused(f"is UTF-8, not {source.encoding}. Drop data.encoding from the study.")


def undecodable(source: Source) -> tuple[str, str]:
    """What to say of bytes that are not text in the expected encoding, and where the first of them is."""
    raw = source.path.read_bytes()
    if raw[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} and source.encoding not in {None, "utf-16"}:
        return "is UTF-16. State data.encoding: utf-16, or save the file as CSV UTF-8.", ""
    if raw[:4] == b"PK\x03\x04":
        return "is a workbook, not CSV. Give it the ending .xlsx.", ""
    expected = source.encoding or ("utf-16" if raw[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8")
    at = 0
    try:
        raw.decode(expected)
    except UnicodeDecodeError as error:
        at = error.start
    except UnicodeError:
        pass          # UTF-16 without its mark
    place = _line(raw, at)
    if b"\0" in raw and expected != "utf-16":
        return "holds binary data, not CSV text. Export it again as CSV UTF-8.", place
    came = f"the byte 0x{raw[at]:02X} is not {expected.upper()}"
    if source.encoding not in {None, "utf-8"}:
        return f"{came}, which data.encoding states. Correct data.encoding, or save the file as UTF-8.", place
    if expected == "utf-16" or not (reads := _readings(raw, at, _OTHERS)):
        return f"{came}. Save the file as CSV UTF-8, or state its encoding in data.encoding.", place
    return f"{came}. {reads}. State the one that is right, or save the file as CSV UTF-8.", place


def _line(raw: bytes, at: int) -> str:
    before = raw[:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return f"line {before.count(10) + 1}"


def _readings(raw: bytes, at: int, encodings: tuple[str, ...]) -> str:
    """The cell around a byte as encodings read it that can read the whole file."""
    marks = (b",", b";", b"\t", b"|", b"\n", b"\r", b'"')
    first = max(raw.rfind(mark, 0, at) for mark in marks) + 1
    ends = [end for mark in marks if (end := raw.find(mark, at)) >= 0]
    cell = raw[first:min(ends, default=len(raw))]
    return ", ".join(f"`data.encoding: {name}` reads the cell as {quoted(cell.decode(name, 'replace'))}"
                     for name in encodings if _decoded(raw, name) is not None)
