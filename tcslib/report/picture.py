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
ACCENT, TINT, HAIR, BAND = ("var(--accent, #0b4f8a)", "var(--tint, #bcd6ec)", "var(--hair, #dfe3e8)",
                            "var(--band, #f3f5f7)")
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
        return _svg(WIDE, *_wide(self)), _svg(NARROW, *_narrow(self))


def _svg(width: float, parts: list[str], height: float) -> str:
    return (f'<svg viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(parts)
            + "\n</svg>")


def _text(x: float, y: float, text: str, colour: str = INK, bold: bool = False, anchor: str = "start",
          size: float = 12) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"{weight} '
            f'style="fill:{colour}">{escape(text)}</text>') if text else ""


def _bar(x: float, y: float, width: float, share: float, fill: str) -> str:
    """A share of a track; light fills are outlined, so that they can be told from the track."""
    long = max(width * min(share, 1), 1.5)
    line = f' stroke="{ACCENT}" stroke-width="0.8"' if fill == TINT else ""
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="8" fill="{BAND}"/>'
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{long:.1f}" height="8" fill="{fill}"{line}/>')


def _squares(x: float, y: float, width: float, count: int) -> str:
    """The sampling units one by one, as far as they can be counted; more are left to their number."""
    if count > MOST_SQUARES:
        return ""
    row = max(1, int((width + 3) // 11))
    return "".join(f'<rect x="{x + 11 * (i % row):.1f}" y="{y + 11 * (i // row):.1f}" width="8" height="8" '
                   f'fill="{TINT}" stroke="{ACCENT}" stroke-width="0.8"/>' for i in range(count))


def _line(d: str) -> str:
    return f'<path d="{d}" fill="none" stroke="{INK3}" stroke-width="1.2"/>'


def _arrow(x0: float, x1: float, y: float) -> str:
    return (_line(f"M{x0:.1f} {y:.1f}H{x1 - 5:.1f}")
            + f'<path d="M{x1 - 6:.1f} {y - 3.5:.1f}L{x1:.1f} {y:.1f}L{x1 - 6:.1f} {y + 3.5:.1f}z" fill="{INK3}"/>')


def _wide(p: Picture) -> tuple[list[str], float]:
    levels = [k for k in (1, 2, 3) if p.heads[k]]
    gap, first = 34.0, 128.0
    each = (WIDE - first - gap * len(levels)) / len(levels)
    left = {k: first + gap + (each + gap) * i for i, k in enumerate(levels)}
    pitch, top = 50.0, 32.0
    height = pitch * len(p.rows)
    middle = top + height / 2
    parts = [_text(left[k], 14, p.heads[k], INK2, True) for k in levels] + [_text(0, 14, p.heads[0], INK2, True)]
    parts.append(f'<rect x="1" y="{middle - 24:.1f}" width="{first - 2:g}" height="48" rx="4" fill="{TINT}" '
                 f'stroke="{ACCENT}" stroke-width="1.2"/>' + _text(first / 2, middle + 5, p.population, INK, True,
                                                                "middle", 14))
    for i, row in enumerate(p.rows):
        y = top + pitch * (i + 0.5)
        x = left[levels[0]] - 8
        parts.append(_line(f"M{first:g} {middle:.1f}C{first + 20:g} {middle:.1f} {first + 6:g} {y:.1f} {x - 6:.1f} "
                           f"{y:.1f}") + _arrow(x - 6, x, y))
        parts += [_arrow(left[a] + each + 6, left[b] - 8, y) for a, b in pairwise(levels)]
        if 1 in left:
            name = fit(row.name, each - 70, 12.5)
            parts += [_text(left[1], y - 5, name[0], INK, True), _text(left[1] + each, y - 5, row.size, INK2, False,
                                                                    "end"), _bar(left[1], y + 4, each, row.share, TINT)]
        if 2 in left and row.units is not None:
            parts += [_text(left[2], y - 5, f"{row.units:,}", INK, True), _squares(left[2], y + 3, each, row.units)]
        parts += [_text(left[3], y - 5, row.answers, INK, True), _bar(left[3], y + 4, each, row.part, ACCENT)]
    bottom = top + height + 8
    if p.per_unit and 2 in left:
        parts.append(_text(left[2], bottom + 4, p.per_unit, INK3))
        bottom += 14
    for i, (words, number, share) in enumerate(p.funnel):
        y = bottom + 24 + 24 * i
        parts += [_text(left[levels[0]] - 10, y, words, INK2, False, "end"),
                  _bar(left[levels[0]], y - 8, WIDE - left[levels[0]] - 70, share, ACCENT if share < 1 else TINT),
                  _text(WIDE, y, number, INK, True, "end")]
    return parts, bottom + (24 * len(p.funnel) + 12 if p.funnel else 0)


def _narrow(p: Picture) -> tuple[list[str], float]:
    parts = [f'<rect x="1" y="1" width="{NARROW - 2:g}" height="36" rx="4" fill="{TINT}" stroke="{ACCENT}" '
             'stroke-width="1.2"/>', _text(12, 24, p.heads[0], INK, True),
             _text(NARROW - 12, 24, p.population, INK, True, "end", 14)]
    y, x, wide = 38.0, 24.0, NARROW - 24.0
    for row in p.rows:
        start = y
        if p.heads[1]:
            parts += [_text(x, y + 22, fit(row.name, wide - 110, 12.5)[0], INK, True),
                      _text(NARROW, y + 22, row.size, INK2, False, "end"), _bar(x, y + 28, wide, row.share, TINT)]
            y += 36
        if p.heads[2] and row.units is not None:
            parts += [_text(x, y + 18, p.heads[2], INK2), _text(NARROW, y + 18, f"{row.units:,}", INK, True, "end"),
                      _squares(x, y + 24, wide, row.units)]
            y += 24 + (11 * -(-row.units // int((wide + 3) // 11)) if row.units <= MOST_SQUARES else 0)
        parts += [_text(x, y + 18, p.heads[3], INK2), _text(NARROW, y + 18, row.answers, INK, True, "end"),
                  _bar(x, y + 24, wide, row.part, ACCENT)]
        y += 32
        parts.append(_arrow(8, x - 4, start + 18))
        end = start + 18
        y += 10
    parts.insert(0, _line(f"M8 37V{end:.1f}"))
    if p.per_unit:
        parts.append(_text(x, y + 10, p.per_unit, INK3))
        y += 16
    for words, number, share in p.funnel:
        parts += [_text(0, y + 20, words, INK2), _text(NARROW, y + 20, number, INK, True, "end"),
                  _bar(0, y + 26, NARROW, share, ACCENT if share < 1 else TINT)]
        y += 40
    return parts, y + 6
