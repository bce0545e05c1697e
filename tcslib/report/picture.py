"""A sampling design as a picture: population, strata, sampling units, answers, and how many are approached for them.

Drawn twice, 720 pixels wide level beside level, and 328 pixels wide for a phone, level below level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from tcslib.report.diagram import fit

INK, INK2, INK3 = "var(--ink, #1a1f26)", "var(--ink-2, #454e59)", "var(--ink-3, #5c6672)"
ACCENT, TINT, BAND = ("var(--accent, #0b4f8a)", "var(--tint, #bcd6ec)", "var(--band, #f3f5f7)")
WIDE, NARROW, MOST_SQUARES = 720.0, 328.0, 32


@dataclass(frozen=True)
class Row:
    """One stratum: printed numbers, empty where they are not known, and shares from 0 to 1 for the bars."""

    name: str
    size: str
    share: float
    units: int | None
    answers: str
    part: float


@dataclass(frozen=True)
class Picture:
    """A design in words and numbers, ready to draw.

    ``heads`` name the levels: population, stratum (empty without strata), sampling unit (empty without), answers.
    ``funnel`` are (words, number, share) from those approached to those the report is about.
    """

    heads: tuple[str, str, str, str]
    population: str
    rows: Sequence[Row]
    funnel: Sequence[tuple[str, str, float]]
    per_unit: str = ""

    def draw(self) -> tuple[str, str]:
        """Two SVG elements as text, 720 and 328 pixels wide."""
        return _wide(self), _narrow(self)


class _Sheet:
    """What is drawn, kept by kind, so that each kind is one path and its style stands once."""

    def __init__(self, width: float) -> None:
        self.width, self.paths, self.texts = width, dict.fromkeys(_KINDS, ""), ""

    def box(self, kind: str, x: float, y: float, width: float, height: float = 8) -> None:
        self.paths[kind] += f"M{x:.1f} {y:.1f}h{width:.1f}v{height:g}h{-width:.1f}z"

    def bar(self, x: float, y: float, width: float, share: float, kind: str) -> None:
        """A share of a track."""
        self.box("track", x, y, width)
        self.box(kind, x, y, max(width * min(share, 1), 1.5))

    def squares(self, x: float, y: float, width: float, count: int) -> float:
        """The sampling units one by one, as far as they can be counted; more are left to their number."""
        row = max(1, int((width + 3) // 11))
        for i in range(count if count <= MOST_SQUARES else 0):
            self.box("light", x + 11 * (i % row), y + 11 * (i // row), 8)
        return 11.0 * -(-count // row) if count <= MOST_SQUARES else 0.0

    def arrow(self, x0: float, x1: float, y: float) -> None:
        self.paths["line"] += f"M{x0:.1f} {y:.1f}H{x1 - 5:.1f}"
        self.paths["head"] += f"M{x1 - 6:.1f} {y - 3.5:.1f}L{x1:.1f} {y:.1f}L{x1 - 6:.1f} {y + 3.5:.1f}z"

    def text(self, x: float, y: float, text: str, colour: str = INK, bold: bool = False, anchor: str = "start",
             size: float = 12) -> None:
        if text:
            extra = (' font-weight="700"' if bold else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
            self.texts += (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{extra} style="fill:{colour}">'
                           f"{escape(text)}</text>\n")

    def svg(self, height: float) -> str:
        shapes = "".join(f'<path d="{d}" {_KINDS[kind]}/>\n' for kind, d in self.paths.items() if d)
        return (f'<svg viewBox="0 0 {self.width:g} {height:g}" xmlns="http://www.w3.org/2000/svg">\n{shapes}'
                f"{self.texts}</svg>")


# light fills are outlined, so that they can be told from the track
_KINDS = {"track": f'fill="{BAND}"', "light": f'fill="{TINT}" stroke="{ACCENT}" stroke-width="0.8"',
          "dark": f'fill="{ACCENT}"', "line": f'fill="none" stroke="{INK3}" stroke-width="1.2"',
          "head": f'fill="{INK3}"'}


def _wide(p: Picture) -> str:
    sheet, levels = _Sheet(WIDE), [k for k in (1, 2, 3) if p.heads[k]]
    gap, first, pitch, top = 34.0, 128.0, 50.0, 32.0
    each = (WIDE - first - gap * len(levels)) / len(levels)
    left = {k: first + gap + (each + gap) * i for i, k in enumerate(levels)}
    start, middle = left[levels[0]], top + pitch * len(p.rows) / 2
    for k, x in {0: 0.0, **left}.items():
        sheet.text(x, 14, p.heads[k], INK2, True)
    sheet.box("light", 1, middle - 24, first - 2, 48)
    sheet.text(first / 2, middle + 5, p.population, INK, True, "middle", 14)
    for i, row in enumerate(p.rows):
        y = top + pitch * (i + 0.5)
        sheet.paths["line"] += (f"M{first:g} {middle:.1f}C{first + 20:g} {middle:.1f} {first + 6:g} {y:.1f} "
                                f"{start - 14:.1f} {y:.1f}")
        sheet.arrow(start - 14, start - 8, y)
        for one, other in pairwise(levels):
            sheet.arrow(left[one] + each + 6, left[other] - 8, y)
        if 1 in left:
            sheet.text(left[1], y - 5, fit(row.name, each - 70, 12.5)[0], INK, True)
            sheet.text(left[1] + each, y - 5, row.size, INK2, False, "end")
            sheet.bar(left[1], y + 4, each, row.share, "light")
        if 2 in left and row.units is not None:
            sheet.text(left[2], y - 5, f"{row.units:,}", INK, True)
            sheet.squares(left[2], y + 3, each, row.units)
        sheet.text(left[3], y - 5, row.answers, INK, True)
        sheet.bar(left[3], y + 4, each, row.part, "dark")
    y = top + pitch * len(p.rows) + 8
    if p.per_unit:
        sheet.text(left[2], y + 4, p.per_unit, INK3)
        y += 14
    for words, number, share in p.funnel:
        y += 24
        sheet.text(start - 10, y, words, INK2, False, "end")
        sheet.bar(start, y - 8, WIDE - start - 70, share, "dark" if share < 1 else "light")
        sheet.text(WIDE, y, number, INK, True, "end")
    return sheet.svg(y + 12)


def _narrow(p: Picture) -> str:
    sheet, y, x, wide = _Sheet(NARROW), 38.0, 24.0, NARROW - 24
    sheet.box("light", 1, 1, NARROW - 2, 36)
    sheet.text(12, 24, p.heads[0], INK, True)
    sheet.text(NARROW - 12, 24, p.population, INK, True, "end", 14)
    for row in p.rows:
        end = y + 18
        sheet.arrow(8, x - 4, end)
        if p.heads[1]:
            sheet.text(x, y + 22, fit(row.name, wide - 110, 12.5)[0], INK, True)
            sheet.text(NARROW, y + 22, row.size, INK2, False, "end")
            sheet.bar(x, y + 28, wide, row.share, "light")
            y += 36
        if p.heads[2] and row.units is not None:
            sheet.text(x, y + 18, p.heads[2], INK2)
            sheet.text(NARROW, y + 18, f"{row.units:,}", INK, True, "end")
            y += 24 + sheet.squares(x, y + 24, wide, row.units)
        sheet.text(x, y + 18, p.heads[3], INK2)
        sheet.text(NARROW, y + 18, row.answers, INK, True, "end")
        sheet.bar(x, y + 24, wide, row.part, "dark")
        y += 42
    sheet.paths["line"] += f"M8 37V{end:.1f}"
    if p.per_unit:
        sheet.text(x, y + 10, p.per_unit, INK3)
        y += 16
    for words, number, share in p.funnel:
        sheet.text(0, y + 20, words, INK2)
        sheet.text(NARROW, y + 20, number, INK, True, "end")
        sheet.bar(0, y + 26, NARROW, share, "dark" if share < 1 else "light")
        y += 40
    return sheet.svg(y + 6)
