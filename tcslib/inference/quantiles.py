"""Weighted quantiles under many weightings at once."""

from __future__ import annotations

import numpy as np


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
    # the sum of many weights misses q·total by rounding where it should meet it exactly
    at = (running < (q * total * (1 - 1e-12))[:, None]).sum(axis=1).clip(max=ordered.shape[1] - 1)
    return np.where(total > 0, values[np.arange(len(weights)), at], np.nan)
