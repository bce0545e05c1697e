"""Path diagrams as SVG laid out by our own hand: boxes are placed, paths routed around them, labels put where it is free.

All three steps choose among listed candidates by a cost in pixels, so the same model always gives the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from tcslib.report.wording import Words
from tcslib.study.models import Model, read_preset

MOST_PATHS = 12
Array = np.ndarray

# What a fault costs, in pixels of line a route may be longer to avoid it.
_THROUGH, _CROSSING, _BACKWARD, _OVERLAP = 160.0, 300.0, 100.0, 5000.0
_T = np.linspace(0, 1, 25)[:, None]
_BASIS = np.hstack([(1 - _T) ** 3, 3 * _T * (1 - _T) ** 2, 3 * _T ** 2 * (1 - _T), _T ** 3])       # cubic Bézier, (25, 4)
_BOWS = (0.0, 0.08, -0.08, 0.18, -0.18, 0.32, -0.32, 0.5, -0.5, 0.75, -0.75)                   # shares of the distance
_PULLS = (0.3, 0.5, 0.75)                                    # of curves that leave and enter at right angles to the box


@dataclass(frozen=True)
class Frame:
    """Sizes of one of the two drawings, in pixels; ``wide`` flows left to right, the other top to bottom."""

    wide: bool
    prefix: str
    width: float
    box: tuple[float, float]
    pitch: tuple[float, float]
    label: float
    small: float

    @property
    def half(self) -> Array:
        """Half a box, (2,)."""
        return np.array(self.box) / 2


WIDE = Frame(True, "pd-w-", 756, (116, 56), (208, 98), 12.5, 11.5)
NARROW = Frame(False, "pd-n-", 328, (90, 52), (117, 104), 12, 11)


@dataclass(frozen=True)
class Route:
    """A path as drawn: Bézier control points (4, 2) from border to border, the side it leaves from, its line width."""

    bezier: Array
    leaves: Array
    width: float

    def cut(self, back: float) -> Array:
        """Control points of the part that ends ``back`` pixels before the tip, where the arrowhead begins."""
        fine = np.linspace(0, 1, 400)
        points = _along(self.bezier, fine)
        t = fine[np.argmin(np.abs(np.hypot(*(points - self.bezier[3]).T) - back))]
        out, rest = [self.bezier[0]], self.bezier
        while len(rest) > 1:                                     # de Casteljau
            rest = rest[:-1] + t * (rest[1:] - rest[:-1])
            out.append(rest[0])
        return np.array(out)


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
    widths = 1 + 8 * paths["estimate"].abs().fillna(0).to_numpy(float)
    return tuple(_draw(frame, _given(model, frame, paths), names, edges, widths, labels, paths, r2, words, target)
                 for frame in (WIDE, NARROW))                                                      # type: ignore[return-value]


def _given(model: Model, frame: Frame, paths: pd.DataFrame) -> Array | None:
    """The preset's own layout (centres in pixels), if the study kept to the preset's constructs and paths."""
    preset = read_preset(model.preset) if model.preset else {}
    layout = preset.get("layout", {}).get("wide" if frame.wide else "narrow", {})
    known = {tuple(p) for p in preset.get("paths", [])}
    if not set(model.names) <= set(layout) or not set(zip(paths["source"], paths["target"], strict=True)) <= known:
        return None
    return np.array([layout[name] for name in model.names], dtype=float)


# -- boxes ---------------------------------------------------------------------------------------------------------------

def _place(count: int, edges: Array, frame: Frame) -> Array:
    """Centres (k, 2) on a grid with half steps across the flow: layers first, then moves and swaps while they help."""
    layer = np.zeros(count, dtype=int)
    for _ in range(count):
        np.maximum.at(layer, edges[:, 1], layer[edges[:, 0]] + 1)
    depth = layer.max() + 1
    fewest, most = (math.ceil(count / 4), 4) if frame.wide else (math.ceil(count / 3) + 1, max(4, count // 2 + 1))
    steps = min(max(depth, fewest), most)
    across = math.ceil(count / steps) + 1 if frame.wide else 3
    grid = np.array([(u, v / 2) for u in range(steps) for v in range(2 * across - 1)])
    pitch = np.array(frame.pitch)
    cells = (grid if frame.wide else grid[:, ::-1]) * pitch
    column = np.round(layer * (steps - 1) / max(1, depth - 1)).astype(int)
    best, best_cost = np.zeros(count, dtype=int), math.inf
    for order in (range(count), reversed(range(count))):
        spot, used = np.zeros(count, dtype=int), dict.fromkeys(range(steps), 0)
        for i in order:
            spot[i] = column[i] * (2 * across - 1) + min(2 * used[column[i]], 2 * across - 2)
            used[column[i]] += 1
        spot, cost = _improve(spot, cells, edges, frame)
        if cost < best_cost - 1e-6:
            best, best_cost = spot, cost
    at = cells[best]
    at[:, 0] += frame.width / 2 - (at[:, 0].min() + at[:, 0].max()) / 2
    return at


def _improve(spot: Array, cells: Array, edges: Array, frame: Frame) -> tuple[Array, float]:
    pairs = np.array([(i, j) for i in range(len(edges)) for j in range(i) if not set(edges[i]) & set(edges[j])],
                     dtype=int).reshape(-1, 2)
    cost, before = _cost(cells[spot][None], edges, pairs, frame)[0], math.inf
    while cost < before - 1e-6:
        before = cost
        for i in range(len(spot)):
            tries = np.tile(spot, (len(cells) + len(spot), 1))
            tries[:len(cells), i] = np.arange(len(cells))
            tries[len(cells):, i] = spot
            tries[len(cells) + np.arange(len(spot)), np.arange(len(spot))] = spot[i]
            costs = _cost(cells[tries], edges, pairs, frame)
            if costs.min() < cost - 1e-6:
                spot, cost = tries[costs.argmin()], costs.min()
    return spot, cost


def _cost(at: Array, edges: Array, pairs: Array, frame: Frame) -> Array:
    """Cost of placements (m, k, 2) with straight lines between centres: length, direction, crossings, hits, overlaps."""
    start, end = at[:, edges[:, 0]], at[:, edges[:, 1]]
    step = end - start
    forward = step[..., 0 if frame.wide else 1] / frame.pitch[0 if frame.wide else 1]
    out = np.hypot(step[..., 0], step[..., 1]).sum(1) + _BACKWARD * np.clip(1 - forward, 0, None).sum(1)
    out += 0.01 * np.abs(at - at.mean(axis=1, keepdims=True)).sum((1, 2))
    i, j = pairs.T
    out += _CROSSING * _cross(start[:, i], end[:, i], start[:, j], end[:, j]).sum(1)
    # the line meets a box where the stretches inside its columns and inside its rows have a part in common
    safe = np.where(np.abs(step) < 1e-9, 1e-9, step)[:, :, None]
    gap = at[:, None] - start[:, :, None]
    reach = (frame.half + 10) / np.abs(safe)
    low, high = (gap / safe - reach).max(-1), (gap / safe + reach).min(-1)
    hit = (low < high) & (high > 0) & (low < 1)
    hit[:, np.arange(len(edges))[:, None], edges] = False
    apart = np.abs(at[:, :, None] - at[:, None]) < np.array(frame.box) + 20
    return out + _THROUGH * hit.sum((1, 2)) + _OVERLAP * (apart.all(-1).sum((1, 2)) - at.shape[1])


def _cross(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Whether segments a-b and c-d cross, element by element."""
    def side(p: Array, q: Array, r: Array) -> Array:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])
    return (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)


# -- paths ---------------------------------------------------------------------------------------------------------------

def _along(bezier: Array, t: Array) -> Array:
    t = t[:, None]
    return ((1 - t) ** 3 * bezier[0] + 3 * t * (1 - t) ** 2 * bezier[1] + 3 * t ** 2 * (1 - t) * bezier[2]
            + t ** 3 * bezier[3])


def _ports(at: Array, frame: Frame) -> tuple[Array, Array, Array]:
    """Where lines may touch a box: points (20, 2), outward directions (20, 2), distance from the side's middle (20,)."""
    sides = np.repeat(np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], dtype=float), 5, axis=0)
    shift = np.tile([-0.66, -0.33, 0, 0.33, 0.66], 4)
    return at + (sides + sides[:, ::-1] ** 2 * shift[:, None]) * frame.half, sides, np.abs(shift)


def _routes(at: Array, edges: Array, widths: Array, frame: Frame) -> list[Route]:
    """A route for every path: cheapest by itself first, then each again with all others in view until none changes."""
    lists = [_candidates(at, int(s), int(t), w, frame) for (s, t), w in zip(edges, widths, strict=True)]
    order = np.argsort([np.hypot(*(at[t] - at[s])) for s, t in edges], kind="stable")
    chosen: dict[int, int] = {}
    for _ in range(6):
        before = dict(chosen)
        for e in order:
            others = [(lists[o][0][c], widths[o]) for o, c in chosen.items() if o != e]
            chosen[e] = _cheapest(lists[e], widths[e], others)
        if chosen == before:
            break
    return [Route(lists[e][0][chosen[e]], lists[e][2][chosen[e]], widths[e]) for e in range(len(edges))]


def _candidates(at: Array, source: int, target: int, width: float, frame: Frame) -> tuple[Array, Array, Array]:
    """Bézier curves (c, 4, 2) that may join two boxes, what each costs by itself, where it leaves; cheapest first."""
    (p, n, off_p), (q, m, off_q) = _ports(at[source], frame), _ports(at[target], frame)
    i, j = (x.ravel() for x in np.indices((len(p), len(q))))
    d = q[j] - p[i]
    long = np.hypot(d[:, 0], d[:, 1])
    facing = (d * n[i]).sum(1) / long - (d * m[j]).sum(1) / long
    keep = np.argsort(long - 40 * facing, kind="stable")[:110]
    i, j, d, long = i[keep], j[keep], d[keep], long[keep][:, None]
    normal = np.stack([-d[:, 1], d[:, 0]], axis=1)
    inner = [(p[i] + d / 3 + h * normal, q[j] - d / 3 + h * normal) for h in _BOWS]
    inner += [(p[i] + h * long * n[i], q[j] + h * long * m[j]) for h in _PULLS]
    bent = np.repeat([0 if h == 0 else 10 + 70 * abs(h) for h in _BOWS] + [16 + 20 * h for h in _PULLS], len(i))
    curves = np.concatenate([np.stack([p[i], a, b, q[j]], axis=1) for a, b in inner])
    i, j = np.tile(i, len(inner)), np.tile(j, len(inner))
    points = _BASIS @ curves
    step = np.diff(points, axis=1)
    cost = np.hypot(step[..., 0], step[..., 1]).sum(1) + bent + 10 * (off_p[i] + off_q[j])
    for tip, away in ((curves[:, 1] - curves[:, 0], n[i]), (curves[:, 2] - curves[:, 3], m[j])):
        straight = (tip * away).sum(1) / np.hypot(tip[:, 0], tip[:, 1])
        cost += 40 * (1 - straight) + 400 * (straight < 0.3)
    from_box = np.abs(points[:, :, None] - at) - frame.half
    own = [source, target]
    from_box[:, :, own] += 9 + width / 2 + 1                    # a path touches its own two boxes, it never enters them
    cost += _OVERLAP / 10 * (from_box.max(-1) < 9 + width / 2).sum((1, 2))
    beyond = (points[..., 0] < 3 + width / 2) | (points[..., 0] > frame.width - 3 - width / 2)
    cost += _OVERLAP / 10 * beyond.sum(1)
    order = np.argsort(cost, kind="stable")[:500]
    return curves[order], cost[order], n[i][order]


def _cheapest(candidates: tuple[Array, Array, Array], width: float, others: list[tuple[Array, float]]) -> int:
    """Position of the candidate that costs least beside the others."""
    curves, cost, _ = candidates
    if not others:
        return 0
    them = _BASIS @ np.array([c for c, _ in others])                                                   # (o, 25, 2)
    room = (width + np.array([w for _, w in others])) / 2 + 9
    a, b = them[:, :-1:2][None, :, None], them[:, 2::2][None, :, None]
    ends = them[:, [0, -1]].reshape(-1, 2)
    best, least = 0, math.inf
    for start in range(0, len(cost), 24):
        if cost[start] >= least:                                # what is to come costs more by itself already
            break
        own = _BASIS @ curves[start:start + 24]
        c, d = own[:, None, :-1:2, None], own[:, None, 2::2, None]
        total = cost[start:start + 24] + _CROSSING * _cross(a, b, c, d).sum((1, 2, 3))
        gap = np.sqrt(((own[:, None, :, None] - them[None, :, None]) ** 2).sum(-1)).min(-1)
        total += 2 * np.clip(room[:, None] - gap, 0, None).sum((1, 2))
        tips = np.sqrt(((own[:, [0, -1], None] - ends) ** 2).sum(-1))
        total += 6 * np.clip(19 - tips, 0, None).sum((1, 2))
        if total.min() < least:
            best, least = start + int(total.argmin()), total.min()
    return best


# -- labels --------------------------------------------------------------------------------------------------------------

def text_width(text: str, size: float) -> float:
    """Estimated width in pixels: 1 em for Chinese and full-width signs, 0.56 em for the rest."""
    return size * sum(1.0 if ord(c) >= 0x2E80 else 0.56 for c in text)


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


def _spots(route: Route, texts: list[str], frame: Frame) -> tuple[Array, list[str], Array]:
    """Where a path's label may stand: rectangles (c, 4) as x0, y0, x1, y1, text anchors, costs; beside it or on it."""
    size = np.array([max(text_width(texts[0], 13), *(text_width(t, 11) for t in texts)), 14 * len(texts)])
    t = np.linspace(0.14, 0.86, 19)
    on = _along(route.bezier, t)
    tangent = _along(route.bezier, t + 0.01) - _along(route.bezier, t - 0.01)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    out, anchors, costs = [], [], []
    for side in (-1, 1, 0):
        n = side * normal
        away = (np.abs(n) @ (size / 2) + route.width / 2 + 3) * abs(side)
        middle = on + n * away[:, None]
        out.append(np.hstack([middle - size / 2, middle + size / 2]))
        anchors += ["start" if x > 0.5 else "end" if x < -0.5 else "middle" for x in n[:, 0]]
        dear = 3 * (n[:, 1] > 0.3) if side else (60 if frame.wide else 6)
        costs.append(60 * np.abs(t - 0.5) + dear)
    return np.concatenate(out), anchors, np.concatenate(costs)


def _place_labels(routes: list[Route], texts: list[list[str]], at: Array, frame: Frame) -> list[tuple[Array, str]]:
    """A rectangle and an anchor for every label: free of boxes and labels first, of lines next, near the middle last."""
    spots = [_spots(route, text, frame) for route, text in zip(routes, texts, strict=True)]
    boxes = np.hstack([at - frame.half - 3, at + frame.half + 3])
    points = [_along(r.bezier, np.linspace(0, 1, 60)) for r in routes]
    costs = []
    for e, (rect, _, base) in enumerate(spots):
        cost = base + 1000 * _overlaps(rect, boxes).sum(1) + 1000 * ((rect[:, 0] < 1) | (rect[:, 2] > frame.width - 1))
        for o, route in enumerate(routes):
            grown = rect + (0 if o == e else 2 + route.width / 2) * np.array([-1, -1, 1, 1])
            inside = (points[o][None] > grown[:, None, :2]).all(-1) & (points[o][None] < grown[:, None, 2:]).all(-1)
            cost += 0 if o == e else 12 * inside.sum(1)
        costs.append(cost)
    chosen: dict[int, int] = {}
    for _ in range(4):
        for e in sorted(range(len(routes)), key=lambda e: -np.sort(costs[e])[:8].mean()):
            others = np.array([spots[o][0][c] for o, c in chosen.items() if o != e]).reshape(-1, 4)
            chosen[e] = int((costs[e] + 1000 * _overlaps(spots[e][0] + np.array([-3, -2, 3, 2]), others).sum(1)).argmin())
    return [(spots[e][0][chosen[e]], spots[e][1][chosen[e]]) for e in range(len(routes))]


def _overlaps(a: Array, b: Array) -> Array:
    """(c, d) booleans: rectangle of ``a`` and rectangle of ``b`` have area in common."""
    return ((a[:, None, :2] < b[:, 2:]) & (b[:, :2] < a[:, None, 2:])).all(-1)


# -- SVG -----------------------------------------------------------------------------------------------------------------

def _draw(frame: Frame, given: Array | None, names: list[str], edges: Array, widths: Array, labels: Mapping[str, str],
          paths: pd.DataFrame, r2: Mapping[str, float], words: Words, target: str) -> str:
    at = _place(len(names), edges, frame) if given is None else given
    routes = _routes(at, edges, widths, frame)
    clear = ((paths["low"] > 0) | (paths["high"] < 0)).tolist()
    texts = [[words.number(b, 2), words.interval(low, high, 2)][:2 if frame.wide else 1]
             for b, low, high in zip(paths["estimate"], paths["low"], paths["high"], strict=True)]
    places = _place_labels(routes, texts, at, frame)
    tall = [at[:, 1] - frame.half[1], at[:, 1] + frame.half[1], *(_along(r.bezier, _T[:, 0])[:, 1] + s * r.width / 2
            for r in routes for s in (-1, 1)), *(rect[[1, 3]] for rect, _ in places)]
    top, bottom = min(map(np.min, tall)) - 3, max(map(np.max, tall)) + 3
    move = np.array([0, -top])
    parts = [*(_line(frame, e, routes[e], clear[e], move) for e in range(len(routes))),
             *(_box(frame, k, at[k] + move, fit(labels[name], frame.box[0] - 8, frame.label), r2.get(name), words,
                    name == target) for k, name in enumerate(names)),
             *(_label(frame, e, texts[e], clear[e], places[e][0] + np.tile(move, 2), places[e][1])
               for e in range(len(routes)))]
    return (f'<svg viewBox="0 0 {frame.width:g} {math.ceil(bottom - top)}" xmlns="http://www.w3.org/2000/svg">\n'
            + "\n".join(parts) + "\n</svg>")


def _xy(*points: Any) -> str:
    return " ".join(f"{p[0]:.1f} {p[1]:.1f}" for p in points)


def _line(frame: Frame, number: int, route: Route, clear: bool, move: Array) -> str:
    """A path and its arrowhead; it starts inside the box, drawn over it, so that its end shows no corner."""
    long, half = 7 + route.width, 3 + 0.75 * route.width
    curve, tip = route.cut(long) + move, route.bezier[3] + move
    way = (tip - curve[3]) / np.hypot(*(tip - curve[3]))
    wing = half * np.array([-way[1], way[0]])
    colour = "var(--ink-2, #454e59)" if clear else "var(--ink-3, #5c6672)"
    dash = "" if clear else ' stroke-dasharray="5 4"'
    inside = "var(--paper, #fff)" if not clear else colour
    return (f'<path id="{frame.prefix}path-{number}" d="M{_xy(curve[0] - 4 * route.leaves)}L{_xy(curve[0])}'
            f'C{_xy(*curve[1:])}" fill="none" stroke="{colour}" stroke-width="{route.width:.2f}"{dash}/>'
            f'<path id="{frame.prefix}tip-{number}" d="M{_xy(curve[3] + wing)}L{_xy(tip)}L{_xy(curve[3] - wing)}z" '
            f'fill="{inside}" stroke="{colour}" stroke-width="{0.5 if clear else 1.3}"/>')


def _text(x: float, y: float, size: float, colour: str, text: str, anchor: str = "middle", bold: bool = False,
          halo: bool = False, name: str = "") -> str:
    # `style` wins over a rule of the page such as `svg text {fill: …}`, an attribute would not
    return (f'<text{name} x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"'
            + (' font-weight="700"' if bold else "") + f' style="fill:{colour}'
            + (";paint-order:stroke;stroke:var(--paper, #fff);stroke-width:4px;stroke-linejoin:round" if halo else "")
            + f'">{escape(text)}</text>')


def _box(frame: Frame, number: int, middle: Array, lines: list[str], r2: float | None, words: Words, target: bool) -> str:
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


def _unused() -> Iterator[None]: ...
