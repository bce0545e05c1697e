"""Weighted quantiles: under many weightings at once, and with design-based intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tcslib.inference.estimates import (
    Cells,
    Estimates,
    Labels,
    Source,
    Values,
    cells_of,
    frame_of,
    summarise,
)
from tcslib.inference.infer import quiet
from tcslib.inference.intervals import t_limits
from tcslib.inference.linearization import Sample, domain_df, sample_of

QuantileRule = Literal["math", "school", "hf7"]
ROUNDING = 1e-12          # the sum of many weights misses q·total by this much where it should meet it exactly


def weighted_quantile(x: np.ndarray, weights: np.ndarray, q: float = 0.5) -> np.ndarray:
    """Smallest value at which the weighted distribution function reaches q (R survey's ``qrule = "math"``).

    Parameters
    ----------
    x
        (m,) values shared by all weightings, or (b, m) values of each; missing as NaN, left out.
    weights
        (b, m) weights of 0 or more.

    Returns
    -------
    (b,) quantiles, NaN where no weight is above zero.
    """
    if x.ndim == 1:
        keep = ~np.isnan(x)
        order = np.argsort(x[keep], kind="stable")
        values = np.broadcast_to(x[keep][order], (len(weights), keep.sum()))
        ordered = weights[:, keep][:, order]
    else:
        order = np.argsort(x, axis=1, kind="stable")          # NaN sorts last
        values = np.take_along_axis(x, order, axis=1)
        ordered = np.where(np.isnan(values), 0.0, np.take_along_axis(weights, order, axis=1))
    if not ordered.shape[1]:
        return np.full(len(weights), np.nan)
    running = np.cumsum(ordered, axis=1)
    total = running[:, -1]
    at = (running < (q * total * (1 - ROUNDING))[:, None]).sum(axis=1).clip(max=ordered.shape[1] - 1)
    return np.where(total > 0, values[np.arange(len(weights)), at], np.nan)


def quantiles_of(x: np.ndarray, weights: np.ndarray, q: Sequence[float] | np.ndarray,
                 rule: QuantileRule = "math") -> np.ndarray:
    """(len(q),) quantiles of one weighting, NaN where q is not within 0–1 (R survey's ``qrule``).

    *math*: the smallest value at which the distribution function reaches q. *school*: the same, but halfway to the next
    value where it meets q exactly. *hf7*: linear between the points (weight before x_i)/(all but the last), which is
    Hyndman & Fan's (1996) definition 7 under equal weights; among equal answers of unequal weight it depends on their
    order.
    """
    order = np.argsort(x, kind="stable")
    values, running = x[order], np.cumsum(weights[order])
    out = np.full(len(q), np.nan)
    if not len(x):
        return out
    for i, share in enumerate(q):
        if not 0 <= share <= 1:
            continue
        if rule == "hf7":
            out[i] = values[0] if len(x) == 1 else np.interp(share, np.append(0, running[:-1]) / running[-2], values)
            continue
        goal, spare = share * running[-1], ROUNDING * running[-1]
        at = min(int((running < goal - spare).sum()), len(x) - 1)
        out[i] = values[at]
        if rule == "school" and abs(running[at] - goal) <= spare and at + 1 < len(x):
            out[i] = (values[at] + values[at + 1]) / 2
    return out


def quantile(of: Source, values: Values, q: Sequence[float] = (0.25, 0.5, 0.75), *, rule: QuantileRule = "math",
             where: np.ndarray | None = None, by: Labels | None = None, level: float = 0.95) -> Estimates:
    """Quantiles with Woodruff's interval: the quantiles at the t limits of the share at or below the estimate.

    The standard error is half the interval over its t quantile (Woodruff 1952; R survey's ``interval.type = "mean"``);
    covariances follow from those of the shares (Francisco & Fuller 1991). A limit beyond 0 or 1 is not defined.
    """
    sample = sample_of(of)
    base = cells_of(sample, frame_of(sample, values), where, by)
    k, per = base.x.shape[1], len(q)
    labels = base.labels.loc[base.labels.index.repeat(per)].assign(q=np.tile(q, k)).reset_index(drop=True)
    cells = Cells(labels, np.repeat(base.x, per, axis=1), np.repeat(base.inside, per, axis=1))
    # equal answers by weight, so that no rule depends on the order of rows
    order = [rows[np.argsort(sample.weights[rows], kind="stable")] for rows in map(np.flatnonzero, base.inside.T)]
    answers = [(base.x[rows, c], sample.weights[rows]) for c, rows in enumerate(order)]
    estimate = np.concatenate([quantiles_of(*answers[c], q, rule) for c in range(k)])
    with quiet():
        total = sample.weights @ cells.inside
        below = np.where(cells.inside & (cells.x <= estimate), 1.0, 0.0)
        share = sample.weights @ below / total
        e = np.where(cells.inside, (below - share) / total, 0)
    se_share = np.sqrt(np.diag(sample.vcov(e)))
    df = _df(sample, cells.inside)
    limits = [t_limits(share, se_share, df, at) for at in (level, 0.95)]
    (low, high), (low95, high95) = ([np.concatenate([quantiles_of(*answers[c], end[c * per:(c + 1) * per], rule)
                                                     for c in range(k)]) for end in ends] for ends in limits)
    with quiet():
        slope = -(high95 - low95) / (limits[1][1] - limits[1][0])          # of the quantile on the share
    return summarise(sample, cells, estimate, e * slope, level=level, method="Woodruff",
                     limits=lambda *_: (low, high))


def _df(sample: Sample, inside: np.ndarray) -> np.ndarray:
    return np.array([domain_df(units, sample.design.unit_stratum) for units in sample.held(inside)])
