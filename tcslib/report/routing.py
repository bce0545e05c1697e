"""Where the boxes of a path diagram stand and how its paths run between them.

Both are chosen among listed candidates by a cost in pixels, so the same model always gives the same picture. Costs are
rounded before they are compared: what ties on one machine must tie on every other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
# What a fault costs: the pixels of detour that are taken to avoid it.
_THROUGH, _CROSSING, _BACKWARD, _CRAMPED, _FORBIDDEN = 300.0, 300.0, 120.0, 300.0, 5000.0
_STEP = 110.0                       # a step on the grid, whichever way it goes
_ROOM, _MARGIN = 40.0, 9.0          # between joined boxes, for the label; between a line and a box or line it passes
_T = np.linspace(0, 1, 25)
_BOWS = (0.0, 0.08, -0.08, 0.18, -0.18, 0.32, -0.32, 0.5, -0.5, 0.75, -0.75)    # sideways, as shares of the distance
_PULLS = (0.3, 0.5, 0.75)                   # the same for curves that leave and enter at right angles to the box


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


WIDE = Frame(True, "pd-w-", 756, (112, 54), (250, 112), 12.5, 11.5)
NARROW = Frame(False, "pd-n-", 328, (86, 52), (118, 106), 12, 11)


@dataclass(frozen=True)
class Route:
    """A path as drawn: Bézier control points (4, 2) from border to border, the side it leaves from, its line width."""

    bezier: Array
    leaves: Array
    width: float

    def at(self, t: Array) -> Array:
        """Points (n, 2) of the curve at ``t`` (n,)."""
        return _basis(t) @ self.bezier

    def cut(self, back: float) -> Array:
        """Control points of the part that ends ``back`` pixels before the tip, where the arrowhead begins."""
        fine = np.linspace(0, 1, 400)
        t = fine[np.argmin(np.abs(np.hypot(*(self.at(fine) - self.bezier[3]).T) - back))]
        out, rest = [self.bezier[0]], self.bezier
        while len(rest) > 1:                                    # de Casteljau
            rest = rest[:-1] + t * (rest[1:] - rest[:-1])
            out.append(rest[0])
        return np.array(out)


def _basis(t: Array) -> Array:
    """Cubic Bernstein polynomials (n, 4): times control points they give points."""
    return np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t ** 2 * (1 - t), t ** 3], axis=1)


def _cross(ax: Array, ay: Array, bx: Array, by: Array, cx: Array, cy: Array, dx: Array, dy: Array) -> Array:
    """Whether segments a-b and c-d cross, element by element."""
    ux, uy, vx, vy, wx, wy = bx - ax, by - ay, dx - cx, dy - cy, cx - ax, cy - ay
    turn = ux * vy - uy * vx
    along, across = (wx * vy - wy * vx) * turn, (wx * uy - wy * ux) * turn
    return (along > 0) & (along < turn * turn) & (across > 0) & (across < turn * turn)


# -- boxes -----------------------------------------------------------------------------------------------------------

def lay_out(count: int, edges: Array, widths: Array, frame: Frame) -> tuple[Array, list[Route]]:
    """Place and join the boxes of any acyclic model.

    Parameters
    ----------
    count
        Number of boxes, k.
    edges
        (e, 2) positions of source and target.
    widths
        Line widths, (e,).
    frame
        The drawing's sizes.

    Returns
    -------
    Centres (k, 2) in pixels and a route for every edge: of some good placements the first whose paths neither cross nor
    touch a foreign box, else the one with the fewest such faults.
    """
    best: tuple[int, Array, list[Route]] | None = None
    for at in _placements(count, edges, frame):
        routes, faults = route(at, edges, widths, frame)
        if best is None or faults < best[0]:
            best = faults, at, routes
        if not faults:
            break
    assert best is not None
    return best[1:]


def _placements(count: int, edges: Array, frame: Frame) -> Iterator[Array]:
    """Good placements (k, 2), on a narrow grid first.

    Boxes start in layers by their longest path from an exogenous one, more layers than the drawing has room for folded
    together; then they move and swap on a grid with half steps across the flow for as long as it helps.
    """
    layer = np.zeros(count, dtype=int)
    for _ in range(count):
        np.maximum.at(layer, edges[:, 1], layer[edges[:, 0]] + 1)
    depth = int(layer.max()) + 1
    fewest, most = (math.ceil(count / 4), 4) if frame.wide else (math.ceil(count / 3) + (count > 3), count // 2 + 2)
    for extra in range(2):
        steps = min(max(depth, fewest), most) + (0 if frame.wide else extra)
        across = math.ceil(count / steps) + 1 + extra if frame.wide else 3
        pitch = np.array(frame.pitch)
        if frame.wide and steps > 1:
            pitch[0] = min(pitch[0], (frame.width - 16 - frame.box[0]) / (steps - 1))
        grid = np.array([(u, v / 2) for u in range(steps) for v in range(2 * across - 1)])
        cells = (grid if frame.wide else grid[:, ::-1]) * pitch
        column = np.round(layer * (steps - 1) / max(1, depth - 1)).astype(int)
        found = []
        for order in (range(count), reversed(range(count))):
            spot, used = np.zeros(count, dtype=int), [0] * steps
            for i in order:
                spot[i] = column[i] * (2 * across - 1) + min(2 * used[column[i]], 2 * across - 2)
                used[column[i]] += 1
            found.append(_improve(spot, cells, edges, frame, pitch))
        for spot, _ in sorted(found, key=lambda f: f[1]):
            at = cells[spot]
            if frame.wide and (span := np.ptp(at[:, 0])) > 0:  # columns left empty give their room to the others
                at[:, 0] *= min(frame.pitch[0] / pitch[0], (frame.width - 16 - frame.box[0]) / span)
            at[:, 0] += frame.width / 2 - (at[:, 0].min() + at[:, 0].max()) / 2
            yield at


def _improve(spot: Array, cells: Array, edges: Array, frame: Frame, pitch: Array) -> tuple[Array, float]:
    """The best move or swap of one box after another until none lowers the cost; each box's cell, and the cost."""
    pairs = np.array([(i, j) for i in range(len(edges)) for j in range(i) if not set(edges[i]) & set(edges[j])],
                     dtype=int).reshape(-1, 2)
    cost, before = float(_cost(cells[spot][None], edges, pairs, frame, pitch)[0]), math.inf
    every = np.arange(len(spot))
    while cost < before:
        before = cost
        for i in every:
            tries = np.tile(spot, (len(cells) + len(spot), 1))
            tries[:len(cells), i] = np.arange(len(cells))
            tries[len(cells):, i] = spot
            tries[len(cells) + every, every] = spot[i]
            costs = _cost(cells[tries], edges, pairs, frame, pitch)
            if costs.min() < cost:
                spot, cost = tries[costs.argmin()], float(costs.min())
    return spot, cost


def _cost(at: Array, edges: Array, pairs: Array, frame: Frame, pitch: Array) -> Array:
    """Cost of placements (m, k, 2) joined by straight lines: length, direction, crossings, hits, overlaps; (m,)."""
    x, y = at[..., 0], at[..., 1]
    s, t = edges.T
    x0, y0, dx, dy = x[:, s], y[:, s], x[:, t] - x[:, s], y[:, t] - y[:, s]
    right, down = dx / pitch[0], dy / pitch[1]
    forward = right if frame.wide else down
    out = _STEP * np.hypot(right, down).sum(1) + _BACKWARD * np.clip(1 - forward, 0, None).sum(1)
    out += _CRAMPED * (np.maximum(np.abs(dx) - frame.box[0], np.abs(dy) - frame.box[1]) < _ROOM).sum(1)
    out += 0.02 * (np.abs(x - x.mean(axis=1, keepdims=True)) + np.abs(y - y.mean(axis=1, keepdims=True))).sum(1)
    i, j = pairs.T
    x1, y1 = x[:, t], y[:, t]
    out += _CROSSING * _cross(x0[:, i], y0[:, i], x1[:, i], y1[:, i], x0[:, j], y0[:, j], x1[:, j], y1[:, j]).sum(1)
    # the line meets a box where its stretches inside the box's columns and inside its rows have a part in common
    low, high = np.zeros((1, 1, 1)), np.ones((1, 1, 1))
    for middle, start, step, half in ((x, x0, dx, frame.half[0]), (y, y0, dy, frame.half[1])):
        step = np.where(np.abs(step) < 1e-9, 1e-9, step)[..., None]
        gap, reach = (middle[:, None] - start[..., None]) / step, (half + _MARGIN) / np.abs(step)
        low, high = np.maximum(low, gap - reach), np.minimum(high, gap + reach)
    hit = low < high
    hit[:, np.arange(len(edges))[:, None], edges] = False
    near = ((np.abs(x[:, :, None] - x[:, None]) < frame.box[0] + 20)
            & (np.abs(y[:, :, None] - y[:, None]) < frame.box[1] + 20))
    return np.round(out + _THROUGH * hit.sum((1, 2)) + _FORBIDDEN * (near.sum((1, 2)) - x.shape[1]), 3)


# -- paths -----------------------------------------------------------------------------------------------------------

def route(at: Array, edges: Array, widths: Array, frame: Frame) -> tuple[list[Route], int]:
    """Lead every path from border to border; short ones first, then each again with all others in view.

    Returns
    -------
    A route for every path, and the faults: crossings, and points of a path that lie too near a foreign box or in it.
    """
    lists = [_candidates(at, int(s), int(t), float(w), frame) for (s, t), w in zip(edges, widths, strict=True)]
    order = np.argsort(np.round([np.hypot(*(at[t] - at[s])) for s, t in edges], 3), kind="stable")
    chosen: dict[int, int] = {}
    for _ in range(5):
        before = dict(chosen)
        for e in order:
            others = [(lists[o][0][c], widths[o]) for o, c in chosen.items() if o != e]
            chosen[e] = _cheapest(lists[e][0], lists[e][1], float(widths[e]), others)
        if chosen == before:
            break
    routes = [Route(lists[e][0][chosen[e]], lists[e][2][chosen[e]], float(widths[e])) for e in range(len(edges))]
    x, y = (np.array([r.at(_T) for r in routes])[..., k] for k in (0, 1))
    one = [z[:, None, k, None] for k in (slice(0, -1), slice(1, None)) for z in (x, y)]
    two = [z[None, :, None, k] for k in (slice(0, -1), slice(1, None)) for z in (x, y)]
    crossings = np.triu(_cross(*one, *two).any((2, 3)), 1).sum()
    return routes, int(crossings + sum(lists[e][3][c] for e, c in chosen.items()))


def _ports(middle: Array, frame: Frame) -> tuple[Array, Array, Array]:
    """Where lines may touch a box: points and outward directions (20, 2), distance from the side's middle (20,)."""
    sides = np.repeat(np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], dtype=float), 5, axis=0)
    # 0.686: a phone's boxes half a column apart are then joined by an upright line
    shift = np.tile([0, -0.33, 0.33, -0.686, 0.686], 4)
    return middle + (sides + np.abs(sides[:, ::-1]) * shift[:, None]) * frame.half, sides, np.abs(shift)


def _candidates(at: Array, source: int, target: int, width: float, frame: Frame) -> tuple[Array, Array, Array, Array]:
    """Bézier curves that may join two boxes, cheapest first.

    Control points (c, 4, 2), cost of each by itself (c,), side it leaves from (c, 2), faults with boxes and edges (c,).
    """
    (p, n, off_p), (q, m, off_q) = _ports(at[source], frame), _ports(at[target], frame)
    i, j = (a.ravel() for a in np.indices((len(p), len(q))))
    d = q[j] - p[i]
    long = np.hypot(d[:, 0], d[:, 1])
    score = np.round(long - 40 * ((d * n[i]).sum(1) - (d * m[j]).sum(1)) / long, 3)
    by_sides = _ranks(score.reshape(4, 5, 4, 5).swapaxes(1, 2).reshape(16, 25)).reshape(4, 4, 5, 5).swapaxes(1, 2)
    # the best of all, and for detours some from every side to every side
    keep = np.flatnonzero((_ranks(score) < 50) | (by_sides.ravel() < 5))
    i, j, d, long = i[keep], j[keep], d[keep], long[keep][:, None]
    normal = np.stack([-d[:, 1], d[:, 0]], axis=1)
    inner = [(p[i] + d / 3 + h * normal, q[j] - d / 3 + h * normal) for h in _BOWS]
    inner += [(p[i] + h * long * n[i], q[j] + h * long * m[j]) for h in _PULLS]
    curves = np.concatenate([np.stack([p[i], a, b, q[j]], axis=1) for a, b in inner])
    cost = np.repeat([0, *(16 + 80 * abs(h) for h in _BOWS[1:]), *(40 + 30 * h for h in _PULLS)], len(i))
    # a straight line that is almost level or upright looks like a slip
    cost[:len(i)] += 15 * ((np.abs(d).min(1) > 1) & (np.abs(d).min(1) < 0.12 * long[:, 0]))
    i, j = np.tile(i, len(inner)), np.tile(j, len(inner))
    square = np.stack([(way * away).sum(1) / np.hypot(way[:, 0], way[:, 1]) for way, away in
                       ((curves[:, 1] - curves[:, 0], n[i]), (curves[:, 2] - curves[:, 3], m[j]))])
    cost += 10 * (off_p[i] + off_q[j]) + 40 * (1 - square).sum(0)
    sound = square.min(0) > 0.3                                # neither leaves nor enters along the border
    curves, cost, leaves = curves[sound], cost[sound], n[i][sound]
    x, y = curves[..., 0] @ _basis(_T).T, curves[..., 1] @ _basis(_T).T
    cost += np.hypot(np.diff(x), np.diff(y)).sum(1)
    margin = _MARGIN + width / 2
    hits = 4 * ((x < 3 + width / 2) | (x > frame.width - 3 - width / 2)).sum(1)
    reach = np.array([[x.min(), y.min()], [x.max(), y.max()]]) + np.array([[-1], [1]]) * (frame.half + margin)
    for box in np.flatnonzero(((at > reach[0]) & (at < reach[1])).all(1)):
        outside = np.maximum(np.abs(x - at[box, 0]) - frame.half[0], np.abs(y - at[box, 1]) - frame.half[1])
        if box in (source, target):                            # a path touches its own two boxes but never enters them
            hits += 5 * (outside < -1).sum(1)
        else:
            hits += (outside < margin).sum(1) + 4 * (outside < 2).sum(1)
    cost = np.round(cost + _FORBIDDEN / 10 * hits, 3)
    order = np.argsort(cost, kind="stable")[:500]
    return curves[order], cost[order], leaves[order], hits[order]


def _ranks(score: Array) -> Array:
    return np.argsort(np.argsort(score, kind="stable"), kind="stable")


def _cheapest(curves: Array, cost: Array, width: float, others: list[tuple[Array, float]]) -> int:
    """Position of the candidate that costs least beside the other paths: no crossings, room, arrowheads apart."""
    if not others:
        return 0
    fine = _basis(_T)
    them = np.array([c for c, _ in others])
    tx, ty = them[..., 0] @ fine.T, them[..., 1] @ fine.T                                              # (o, 25)
    room = (width + np.array([w for _, w in others]))[:, None] / 2 + _MARGIN
    a = [z[None, :, None, k] for k in (slice(0, -1, 2), slice(2, None, 2)) for z in (tx, ty)]
    best, least = 0, math.inf
    for start in range(0, len(cost), 20):
        if cost[start] >= least:                               # what is to come costs more by itself already
            break
        mine = curves[start:start + 20]
        x, y = mine[..., 0] @ fine[::2].T, mine[..., 1] @ fine[::2].T                                  # (c, 13)
        b = [z[:, None, k, None] for k in (slice(0, -1), slice(1, None)) for z in (x, y)]
        total = cost[start:start + 20] + _CROSSING * _cross(*a, *b).sum((1, 2, 3))
        gap = ((x[:, None, :, None] - tx[:, None]) ** 2 + (y[:, None, :, None] - ty[:, None]) ** 2).min(-1)
        total += 2 * np.clip(room - np.sqrt(gap), 0, None).sum((1, 2))
        ends = np.hypot(x[:, [0, -1], None] - tx[:, [0, -1]].ravel(), y[:, [0, -1], None] - ty[:, [0, -1]].ravel())
        total = np.round(total + 6 * np.clip(19 - ends, 0, None).sum((1, 2)), 3)
        if total.min() < least:
            best, least = start + int(total.argmin()), float(total.min())
    return best
