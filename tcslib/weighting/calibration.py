"""Raking and calibration of many weightings at once, over the cells of their auxiliary variables.

A factor depends on the auxiliary values alone, so C cells are enough, however many respondents there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

TOLERANCE = 1e-10          # largest relative miss of a margin
MAX_ROUNDS = 500
MAX_STEPS = 100            # of Newton's method, halved ones included
BLOCK = 4096               # cells whose products of auxiliaries are formed at a time

# factors (b, C) and their slopes at linear predictors (b, C) of the rows named
Distance = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def rake_cells(totals: np.ndarray, members: Sequence[np.ndarray], shares: Sequence[np.ndarray], population: float,
               gap: float = 0.0) -> np.ndarray:
    """Factors that bring weighted cell totals to the population margins.

    Iterative proportional fitting (Deming & Stephan 1940), which keeps the odds ratios of the cells.

    Parameters
    ----------
    totals
        (b, C) weighted totals of the joint cells, one row per weighting.
    members
        For each margin a (C, categories) 0/1 matrix.
    shares
        For each margin its (categories,) population shares, summing to 1.
    population
        Total the weights shall sum to.
    gap
        Relative miss of a margin that is accepted after the last round.

    Returns
    -------
    (b, C) factors. A row whose margins cannot be met (a category lost in a resample, or no convergence) is NaN.
    """
    factors, worst = fit_margins(totals, members, shares, population)
    factors[~(worst <= max(TOLERANCE, gap))] = np.nan
    return factors


def fit_margins(totals: np.ndarray, members: Sequence[np.ndarray], shares: Sequence[np.ndarray],
                population: float) -> tuple[np.ndarray, np.ndarray]:
    """Raking as far as it goes: (b, C) factors, and (b,) the largest relative miss of a margin in the last round."""
    factors = np.ones_like(totals)
    miss = np.full(len(totals), np.nan)
    open_rows = np.arange(len(totals))
    for _ in range(MAX_ROUNDS):
        fitted = totals[open_rows] * factors[open_rows]
        worst = np.zeros(len(open_rows))
        for member, share in zip(members, shares, strict=True):
            got = np.einsum("bc,cm->bm", fitted, member)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.where(got > 0, share * population / got, np.nan)
            worst = np.maximum(worst, np.abs(step - 1).max(axis=1))
            fitted = fitted * np.einsum("bm,cm->bc", step, member)
            factors[open_rows] *= np.einsum("bm,cm->bc", step, member)
        miss[open_rows] = worst
        open_rows = open_rows[worst > TOLERANCE]          # False for NaN: a lost category never comes back
        if not len(open_rows):
            break
    return factors, miss


def solve(totals: np.ndarray, x: np.ndarray, target: np.ndarray, scale: np.ndarray,
          distance: Distance) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method for ``Σ t F(x'λ) x = target``, on all weightings at once; steps that do not help are halved.

    Parameters
    ----------
    totals
        (b, C) weighted totals of the cells.
    x
        (C, p) auxiliaries of the cells.
    target, scale
        (b, p) what is to be met, and (p,) what a miss is measured against.
    distance
        F and its slope.

    Returns
    -------
    (b, C) linear predictors, NaN in rows without a solution; (b,) the largest relative miss left.
    """
    b, p = len(totals), x.shape[1]
    solution, miss = np.zeros((b, p)), np.full(b, np.inf)
    step, size = np.zeros((b, p)), np.ones(b)
    rows = np.arange(b)
    for _ in range(MAX_STEPS):
        trial = solution[rows] + size[rows, None] * step[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            factor, slope = distance(trial @ x.T, rows)
            wrong = target[rows] - (totals[rows] * factor) @ x
            off = np.abs(wrong / scale).max(axis=1)
        better = off < miss[rows]
        solution[rows[better]], miss[rows[better]], size[rows[better]] = trial[better], off[better], 1.0
        size[rows[~better]] *= 0.5
        more = better & (off > TOLERANCE)
        if more.any():
            matrix = information(totals[rows[more]] * slope[more], x)
            # the ridge keeps a direction no cell can move any more from stopping the other rows of the batch
            ridge = 1e-13 * np.einsum("bii->bi", matrix).max(axis=1)[:, None, None] + 1e-300
            step[rows[more]] = np.linalg.solve(matrix + ridge * np.eye(p), wrong[more][..., None])[..., 0]
        rows = rows[(miss[rows] > TOLERANCE) & (size[rows] > 1e-6) & np.isfinite(miss[rows])]
        if not len(rows):
            break
    solution[~(miss <= 100 * TOLERANCE)] = np.nan
    return solution @ x.T, miss


def information(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(b, p, p) sums over the cells of weight (b, C) times the products of the auxiliaries (C, p)."""
    p = x.shape[1]
    i, j = np.triu_indices(p)
    packed = np.zeros((len(weights), len(i)))
    for start in range(0, len(x), BLOCK):
        part = x[start:start + BLOCK]
        packed += weights[:, start:start + BLOCK] @ (part[:, i] * part[:, j])
    out = np.empty((len(weights), p, p))
    out[:, i, j] = out[:, j, i] = packed
    return out


def linear(predictor: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F(u) = 1 + u: the generalised regression estimator (Deville & Särndal 1992, case 1)."""
    return 1 + predictor, np.ones_like(predictor)


def exponential(predictor: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F(u) = exp u, the distance of raking (case 2)."""
    factor = np.exp(predictor)
    return factor, factor


def logistic(predictor: np.ndarray, _: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F(u) = 1 / (1 + exp −u): the propensity to respond."""
    p = 0.5 * (1 + np.tanh(predictor / 2))
    return p, p * (1 - p)


def truncated(low: np.ndarray, high: np.ndarray) -> Distance:
    """F(u) = 1 + u, held between bounds (b, C) or (b, 1) (case 7)."""
    def distance(predictor: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        free = 1 + predictor
        factor = np.clip(free, low[rows], high[rows])
        return factor, (factor == free).astype(float)
    return distance


def logit(low: np.ndarray, high: np.ndarray) -> Distance:
    """F between bounds around 1 as a logistic curve (case 6)."""
    def distance(predictor: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lo, hi = low[rows], high[rows]
        rate = (hi - lo) / ((1 - lo) * (hi - 1))
        share, slope = logistic(rate * predictor + np.log((1 - lo) / (hi - 1)), rows)
        return lo + (hi - lo) * share, (hi - lo) * rate * slope
    return distance
