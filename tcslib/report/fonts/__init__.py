"""The Chinese font that ships: known to matplotlib under a name of its own, and the glyphs a page carries with it."""

from __future__ import annotations

import base64
import io
import string
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

FILE, FAMILY = Path(__file__).parent / "tcs-sans-sc.ttf", "TCS Sans SC"
_HAN = "\u2e80"          # from here on no Latin font helps
_PRINTABLE = string.printable.strip()          # digits are to stand beside Chinese in one face


@cache
def register() -> str:
    """Make the font known to matplotlib, for bold letters too: Chinese ones are as wide; returns its family."""
    from matplotlib.font_manager import fontManager

    fontManager.addfont(FILE)
    regular = next(font for font in reversed(fontManager.ttflist) if font.name == FAMILY)
    fontManager.ttflist.append(replace(regular, weight=700))
    return FAMILY


def embedded(text: str) -> str:
    """An ``@font-face`` rule with the glyphs of a text; empty for a text without Chinese.

    A character the shipped font lacks, a rare name say, is left to the reader's own fonts, which come first anyway.
    The same text gives the same bytes.
    """
    if max(text, default="") < _HAN:
        return ""
    face = base64.b64encode(woff(map(ord, {*text, *_PRINTABLE}))).decode("ascii")
    return f'@font-face{{font-family:"{FAMILY}";src:url(data:font/woff;base64,{face}) format("woff")}}'


def woff(characters: Iterable[int]) -> bytes:
    """The font cut down to these code points, as far as it has them."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    font = TTFont(FILE, recalcTimestamp=False)
    subsetter = Subsetter(Options(layout_features=[], hinting=False))
    subsetter.populate(unicodes=sorted(characters))
    subsetter.subset(font)
    font.flavor = "woff"
    made = io.BytesIO()
    font.save(made)
    return made.getvalue()
