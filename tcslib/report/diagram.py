"""Path diagrams as SVG: boxes and paths laid out by :mod:`tcslib.report.routing`, labels put where there is room.

Drawn twice, 756 pixels wide with intervals and 328 pixels wide, for a phone, without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd

from tcslib.report.routing import NARROW, WIDE, Array, Frame, Route, lay_out, route
from tcslib.report.wording import Words
from tcslib.study.models import Model, read_preset

MOST_PATHS = 12
def path_diagram(model: Model, labels: Mapping[str, str], paths: pd.DataFrame, r2: Mapping[str, float], words: Words,
                 target: str) -> tuple[str, str]:
    """Draw a structural model.

    Parameters
    ----------
    model
        Its constructs are the boxes; a preset may bring a layout of its own.
    labels
        Constructs' names as readers see them.
    paths
        Columns ``source, target, estimate, low, high``; a row per path.
    r2
        Share of variance explained, where a construct has one.
    words
        Number formats.
    target
        The construct that is filled with the accent colour.

    Returns
    -------
    Two SVG elements as text, 756 and 328 pixels wide; both empty when there are more than 12 paths to draw.
    """
    if not 0 < len(paths) <= MOST_PATHS:
        return "", ""
    names = model.names
    edges = np.array([(names.index(s), names.index(t)) for s, t in zip(paths["source"], paths["target"], strict=True)])
    wide, narrow = (_draw(frame, _given(model, frame, paths), names, edges, labels, paths, r2, words, target)
                    for frame in (WIDE, NARROW))
    return wide, narrow


def _given(model: Model, frame: Frame, paths: pd.DataFrame) -> Array | None:
    """The preset's own layout (centres in pixels), if the study kept to the preset's constructs and paths."""
    preset = read_preset(model.preset) if model.preset else {}
    layout = preset.get("layout", {}).get("wide" if frame.wide else "narrow", {})
    known = {tuple(p) for p in preset.get("paths", [])}
    if not set(model.names) <= set(layout) or not set(zip(paths["source"], paths["target"], strict=True)) <= known:
        return None
    return np.array([layout[name] for name in model.names], dtype=float)


# -- labels ----------------------------------------------------------------------------------------------------------

def text_width(text: str, size: float) -> float:
    """Estimated width in pixels: 1 em for Chinese and full-width signs, 0.28 em for thin ones, 0.56 em for the rest."""
    return size * sum(1.0 if ord(c) >= 0x2E80 else 0.28 if c in " .,:;'|!ijl" else 0.56 for c in text)


def fit(text: str, width: float, size: float) -> list[str]:
    """The text on one line, else on two parted at a blank (or between Chinese signs), what is too long cut with …."""
    if text_width(text, size) <= width:
        return [text]
    parts = [(text[:i].rstrip(), text[i:].lstrip()) for i in range(1, len(text))
             if text[i] == " " or (ord(text[i]) >= 0x2E80 and ord(text[i - 1]) >= 0x2E80)]
    lines = min(parts, key=lambda p: max(text_width(x, size) for x in p), default=(text,))
    return [line if text_width(line, size) <= width else _shortened(line, width, size) for line in lines]


def _shortened(line: str, width: float, size: float) -> str:
    while line and text_width(line + "…", size) > width:
        line = line[:-1]
    return line.rstrip() + "…"


def _spots(line: Route, texts: list[str], frame: Frame) -> tuple[Array, list[str], Array]:
    """Where a path's label may stand, beside it or on it: rectangles (c, 4) as x0, y0, x1, y1, text anchors, costs."""
    size = np.array([max(text_width(texts[0], 13), *(text_width(t, 11) for t in texts)), 14 * len(texts)])
    t = np.linspace(0.14, 0.86, 19)
    tangent = line.at(t + 0.01) - line.at(t - 0.01)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    rects, anchors, costs = [], [], []
    for side in (-1, 1, 0):
        n = side * normal
        away = (np.abs(n) @ (size / 2) + line.width / 2 + 3) * abs(side)
        middle = line.at(t) + n * away[:, None]
        rects.append(np.hstack([middle - size / 2, middle + size / 2]))
        anchors += ["start" if x > 0.5 else "end" if x < -0.5 else "middle" for x in n[:, 0]]
        # above is read more easily than below; two lines of text on the line itself would hide it
        costs.append(60 * np.abs(t - 0.5) + (3 * (n[:, 1] > 0.3) if side else (70 if frame.wide else 6)))
    return np.concatenate(rects), anchors, np.concatenate(costs)


def _place_labels(lines: list[Route], texts: list[list[str]], at: Array, frame: Frame) -> list[tuple[Array, str]]:
    """A rectangle and an anchor for every label: clear of boxes and labels first, of lines next, near the middle last.

    Those with the least choice go first, then each is placed again with all others in view. An interval for which there
    is no room is taken out of ``texts``; the table holds it.
    """
    boxes = np.hstack([at - frame.half - 3, at + frame.half + 3])
    marks = []
    for line in lines:
        points, room = line.at(np.linspace(0, 1, 60)), 5 + line.width / 2
        marks.append(np.hstack([points - room, points + room]))

    def choices(e: int) -> tuple[Array, list[str], Array]:
        rects, anchors, cost = _spots(lines[e], texts[e], frame)
        cost += 5000 * ((rects[:, 0] < 1) | (rects[:, 2] > frame.width - 1)) + 1000 * _overlaps(rects, boxes).sum(1)
        foreign = np.concatenate([np.zeros((0, 4)), *marks[:e], *marks[e + 1:]])
        cost += 12 * _overlaps(rects, foreign).sum(1)
        return rects, anchors, np.round(cost, 3)

    spots = [choices(e) for e in range(len(lines))]
    for e, (_, _, cost) in enumerate(spots):
        if cost.min() >= 1000 and len(texts[e]) > 1:
            del texts[e][1:]
            spots[e] = choices(e)
    order = sorted(range(len(lines)), key=lambda e: -np.sort(spots[e][2])[:8].mean())
    chosen: dict[int, int] = {}
    for _ in range(4):
        for e in order:
            others = np.array([spots[o][0][c] for o, c in chosen.items() if o != e]).reshape(-1, 4)
            near = _overlaps(spots[e][0] + np.array([-3, -2, 3, 2]), others)
            chosen[e] = int((spots[e][2] + 1000 * near.sum(1)).argmin())
    return [(spots[e][0][c], spots[e][1][c]) for e, c in sorted(chosen.items())]


def _overlaps(a: Array, b: Array) -> Array:
    """(c, d) booleans: rectangle of ``a`` and rectangle of ``b`` have area in common."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a.T[..., None], b.T
    return (ax0 < bx1) & (bx0 < ax1) & (ay0 < by1) & (by0 < ay1)


# -- SVG -------------------------------------------------------------------------------------------------------------

def _draw(frame: Frame, given: Array | None, names: list[str], edges: Array, labels: Mapping[str, str],
          paths: pd.DataFrame, r2: Mapping[str, float], words: Words, target: str) -> str:
    widths = 1 + 8 * paths["estimate"].abs().fillna(0).to_numpy(float)
    at, routes = (lay_out(len(names), edges, widths, frame) if given is None else
                  (given, route(given, edges, widths, frame)[0]))
    clear = ((paths["low"] > 0) | (paths["high"] < 0)).tolist()
    texts = [[words.number(b, 2), words.interval(low, high, 2)][:2 if frame.wide else 1]
             for b, low, high in zip(paths["estimate"], paths["low"], paths["high"], strict=True)]
    places = _place_labels(routes, texts, at, frame)
    # lines and labels may stand above the first box or below the last: the drawing is as tall as what is on it
    y = np.concatenate([at[:, 1] - frame.half[1], at[:, 1] + frame.half[1], *(rect[[1, 3]] for rect, _ in places),
                        *(r.at(np.linspace(0, 1, 60))[:, 1] + side * r.width / 2 for r in routes for side in (-1, 1))])
    move = np.array([0, 3 - y.min()])
    room = frame.box[0] - (14 if frame.wide else 5)
    parts = [*(_line(frame, e, routes[e], clear[e], move) for e in range(len(routes))),
             *(_box(frame, k, at[k] + move, fit(labels.get(name, name), room, frame.label), r2.get(name), words,
                    name == target) for k, name in enumerate(names)),
             *(_label(frame, e, texts[e], clear[e], places[e][0] + np.tile(move, 2), places[e][1])
               for e in range(len(routes)))]
    return (f'<svg viewBox="0 0 {frame.width:g} {math.ceil(np.ptp(y) + 6)}" xmlns="http://www.w3.org/2000/svg">\n'
            + "\n".join(parts) + "\n</svg>")


def _xy(*points: Array) -> str:
    return " ".join(f"{p[0]:.1f} {p[1]:.1f}" for p in points)


def _line(frame: Frame, number: int, line: Route, clear: bool, move: Array) -> str:
    """A path and its arrowhead."""
    long, half = 7 + line.width, 3 + 0.75 * line.width
    curve, tip = line.cut(long) + move, line.bezier[3] + move
    way = (tip - curve[3]) / np.hypot(*(tip - curve[3]))
    wing = half * np.array([-way[1], way[0]])
    colour = "var(--ink-2, #454e59)" if clear else "var(--ink-3, #5c6672)"
    # a broad line starts inside the box, which is drawn over it, so that no corner of its end shows
    start = f"M{_xy(curve[0] - 4 * line.leaves)}L{_xy(curve[0])}" if clear else f"M{_xy(curve[0])}"
    dash = "" if clear else ' stroke-dasharray="5 4"'
    return (f'<path id="{frame.prefix}path-{number}" d="{start}C{_xy(*curve[1:])}" fill="none" stroke="{colour}" '
            f'stroke-width="{line.width:.2f}"{dash}/>'
            f'<path id="{frame.prefix}tip-{number}" d="M{_xy(curve[3] + wing)}L{_xy(tip)}L{_xy(curve[3] - wing)}z" '
            f'fill="{colour if clear else "var(--paper, #fff)"}" stroke="{colour}" '
            f'stroke-width="{0.5 if clear else 1.3}"/>')


def _text(x: float, y: float, size: float, colour: str, text: str, anchor: str = "middle", bold: bool = False,
          halo: bool = False, name: str = "") -> str:
    # `style` wins over a rule of the page such as `svg text {fill: …}`, an attribute would not
    return (f'<text{name} x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
            + (' font-weight="700"' if bold else "") + f' style="fill:{colour}'
            + (";paint-order:stroke;stroke:var(--paper, #fff);stroke-width:4px;stroke-linejoin:round" if halo else "")
            + f'">{escape(text)}</text>')


def _box(frame: Frame, number: int, middle: Array, lines: list[str], r2: float | None, words: Words,
         target: bool) -> str:
    corner, accent = middle - frame.half, "var(--accent, #0b4f8a)"
    rows = [(line, frame.label, True, "#fff" if target else "var(--ink, #1a1f26)") for line in lines]
    if r2 is not None and math.isfinite(r2):
        rows.append((f"{words('head.r2')} {words.number(r2, 2)}", frame.small, False,
                     "#fff" if target else "var(--ink-3, #5c6672)"))
    y = middle[1] - 7.5 * (len(rows) - 1) + 4.4
    return (f'<rect id="{frame.prefix}box-{number}" x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{frame.box[0]:g}" '
            f'height="{frame.box[1]:g}" rx="4" fill="{accent if target else "var(--paper, #fff)"}" '
            f'stroke="{accent if target else "var(--ink-2, #454e59)"}" stroke-width="1.5"/>'
            + "".join(_text(middle[0], y + 15 * k, size, colour, line, bold=bold)
                      for k, (line, size, bold, colour) in enumerate(rows)))


def _label(frame: Frame, number: int, texts: list[str], clear: bool, rect: Array, anchor: str) -> str:
    x = {"start": rect[0], "end": rect[2], "middle": (rect[0] + rect[2]) / 2}[anchor]
    grey = "var(--ink-3, #5c6672)"
    out = _text(x, rect[1] + 11.5, 13, "var(--ink, #1a1f26)" if clear else grey, texts[0], anchor, clear, True,
                f' id="{frame.prefix}label-{number}"')
    return out + "".join(_text(x, rect[1] + 25, 11, grey, text, anchor, False, True,
                               f' id="{frame.prefix}interval-{number}"') for text in texts[1:])
