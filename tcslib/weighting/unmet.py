"""Why a weighting cannot be met in the sample, with the size of the gap."""

from __future__ import annotations

import numpy as np

from tcslib.weighting.calibration import MAX_ROUNDS, fit_margins
from tcslib.weighting.coding import summed
from tcslib.weighting.state import State, Step
from tcslib.weighting.steps import Calibrate, PostStratify, Rake, Trim

UNMET = "the margins and the limit on weights cannot be met together. Merge small categories, or raise weighting.trim."
MOST_CELLS = 100_000          # beyond this many, what would be needed is not searched for


def unmet(step: Step, before: State) -> str:
    """One sentence: what cannot be met by this step from the weights before it (1, K), and by how much."""
    if isinstance(step, Rake):
        return _margins(step, before)
    if isinstance(step, Calibrate):
        return _totals(step, before)
    if isinstance(step, Trim):
        return _limits(step, before)
    return "a cell lost all its respondents. Merge small cells."


def _margins(step: Rake, before: State) -> str:
    totals = summed(before.totals, step.cell, len(step.members[0]))
    factors, _ = fit_margins(totals, step.members, [m.shares for m in step.margins], step.population)
    worst, said = -1.0, ""
    for margin, member in zip(step.margins, step.members, strict=True):
        target = margin.shares * step.population
        short = target - (totals * factors)[0] @ member
        at = int(np.argmax(np.abs(short / target)))
        if (miss := abs(short[at]) / target[at]) > worst:
            worst = miss
            said = (f"{margin.column}={margin.names[at]} is still {abs(short[at]):,.6g} ({miss:.1%}) "
                    f"{'short' if short[at] > 0 else 'over'}")
    return (f"after {MAX_ROUNDS} rounds {said}: the margins cannot be met together. Correct the targets, merge small "
            "categories, or accept a miss with weighting.gap.")


def _totals(step: Calibrate, before: State) -> str:
    low, high = (np.broadcast_to(limit, before.drawn.shape)[0] for limit in step.limits(before.weights))
    if step.bounds is None:
        low, high = np.zeros(len(low)), np.full(len(high), np.inf)
    used, what = before.totals[0] > 0, "weights" if step.on_weight else "factors"
    totals, x, low, high = before.totals[0][used], step.x[step.cell[used]], low[used], high[used]
    way = "Widen the bounds, or merge or drop an auxiliary." if step.bounds else "Merge or drop an auxiliary."
    if step.on_weight:
        outside = (low >= 1) | (high <= 1)
        if step.method == "logit" and outside.any():
            return (f"{int(outside.sum())} patterns of respondents have weights beyond the bounds before calibration, "
                    "which the method logit cannot start from. Trim first, take the method truncated, or widen the "
                    "bounds.")
    bounds = f" {what} from {step.bounds[0]:g} to {step.bounds[1]:g} meet" if step.bounds else " positive weights meet"
    if len(totals) > MOST_CELLS:
        return f"no{bounds} the totals. {way}"
    miss, label = _best(step, totals, x, low, high)
    unit = "standard deviations" if label in step.labels[1:] and "=" not in label else ""
    off = f"{miss:.2f} {unit} off in its mean" if unit else f"{miss:.1%} off"
    needs = _needed(step, before.weights[0][used], totals, x) if step.bounds else ""
    return f"no{bounds} the totals: at best {'their sum' if label == '1' else label} stays {off}{needs}. {way}"


def _best(step: Calibrate, totals: np.ndarray, x: np.ndarray, low: np.ndarray,
          high: np.ndarray) -> tuple[float, str]:
    """The smallest largest miss within the bounds, and the auxiliary that has it: a linear programme."""
    from scipy.optimize import linprog

    sums = (totals[:, None] * x / step.scale).T                      # (p, C)
    p, target = len(sums), step.target / step.scale
    both = np.vstack([np.hstack([sums, -np.ones((p, 1))]), np.hstack([-sums, -np.ones((p, 1))])])
    limits, cost = [*zip(low, high, strict=True), (0, None)], np.append(np.zeros(len(totals)), 1.0)
    known = np.concatenate([target, -target])
    # the sum of the weights exactly, if it can be had, and the rest as near as may be
    found = linprog(cost, both, known, np.append(sums[:1], [[0.0]], axis=1), target[:1], bounds=limits)
    if found.x is None:
        found = linprog(cost, both, known, bounds=limits)
    if found.x is None:
        return np.nan, "1"
    off = np.abs(sums @ found.x[:-1] - target)
    return float(found.x[-1]), step.labels[int(np.argmax(off))]


def _needed(step: Calibrate, weights: np.ndarray, totals: np.ndarray, x: np.ndarray) -> str:
    """The bounds, stretched from their middle (1 for factors) just as far as the totals need."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack, identity, vstack

    low, high = step.bounds or (0.0, 1.0)
    middle, scale = ((low + high) / 2, 1 / weights) if step.on_weight else (1.0, np.ones(len(totals)))
    rows = len(totals)
    eye, up, down = identity(rows), scale * (high - middle), scale * (middle - low)
    limits = vstack([hstack([eye, csr_matrix(-up[:, None])]), hstack([-eye, csr_matrix(-down[:, None])])])
    found = linprog(np.append(np.zeros(rows), 1.0), limits, np.concatenate([scale * middle, -scale * middle]),
                    np.hstack([(totals[:, None] * x / step.scale).T, np.zeros((x.shape[1], 1))]),
                    step.target / step.scale, bounds=[(None, None)] * rows + [(0, None)])
    if found.x is None:
        return ""
    stretch, what = float(found.x[-1]), "weights" if step.on_weight else "g"
    return f"; it needs {what} from {middle - stretch * (middle - low):.3g} to {middle + stretch * (high - middle):.3g}"


def _limits(step: Trim, before: State) -> str:
    if not step.again:
        return ("trimming leaves nobody between the limits to take what is cut off. Widen the limits of "
                "weighting.trim, or calibrate again instead.")
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix, hstack, identity

    used = (before.times[0] > 0) & (before.weights[0] > 0)
    times = before.times[0][used]
    if len(times) > MOST_CELLS:
        return UNMET
    members, targets = [], []
    for each in step.again:
        for margin, member, cell in _margins_of(each):
            members.append(member[cell[used]])
            targets.append(margin * step.population)
    if not members:
        return UNMET
    # the smallest u such that weights between 0 and u meet the margins, in multiples of the mean
    mean = step.population / times.sum()
    known = np.hstack([(times[:, None] * np.hstack(members)).T * mean, np.zeros((sum(map(len, targets)), 1))])
    rows = len(times)
    found = linprog(np.append(np.zeros(rows), 1.0), hstack([identity(rows), csr_matrix(-np.ones((rows, 1)))]),
                    np.zeros(rows), csr_matrix(known), np.concatenate(targets), bounds=[(0, None)] * (rows + 1))
    if found.x is None:
        return UNMET
    return (f"the margins and the limit on weights cannot be met together: the margins need weights of at least "
            f"{found.x[-1]:.2f} times the mean. Merge small categories, or raise weighting.trim.")


def _margins_of(step: Step) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Shares, members (C, categories) and cells (K,) of a step's margins."""
    if isinstance(step, Rake):
        return [(m.shares, member, step.cell) for m, member in zip(step.margins, step.members, strict=True)]
    if isinstance(step, PostStratify):
        return [(step.margin.shares, np.eye(len(step.margin.shares)), step.cell)]
    return []
