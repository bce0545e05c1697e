"""From replicates to standard errors and intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy import special

Bounds = Literal["none", "proportion", "correlation"]
Rule = Literal["t", "percentile"]
UNDEFINED_LIMIT = 0.05          # beyond this share of undefined replicates a bootstrap interval is not given


def standard_error(draws: np.ndarray) -> np.ndarray:
    """Standard errors from (B, …) bootstrap replicates.

    Root of the squared deviations from the replicates' mean over B - 1 (R survey's ``mse = FALSE``); NaN where more
    than one in twenty is undefined.
    """
    finite = np.isfinite(draws)
    count = finite.sum(axis=0)
    enough = (count >= 2) & (count >= (1 - UNDEFINED_LIMIT) * len(draws))
    mean = np.where(finite, draws, 0).sum(axis=0) / np.maximum(count, 1)
    squares = np.nansum((np.where(finite, draws, np.nan) - mean) ** 2, axis=0)
    return np.where(enough, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


Function = Callable[[np.ndarray], np.ndarray]


def _transforms(bounds: Bounds) -> tuple[Function, Function, Function]:
    """The scale an interval is made on: there, its slope, and back."""
    if bounds == "proportion":
        return lambda p: np.log(p / (1 - p)), lambda p: 1 / (p * (1 - p)), lambda x: 1 / (1 + np.exp(-x))
    if bounds == "correlation":
        return np.arctanh, lambda r: 1 / (1 - r ** 2), np.tanh
    return lambda x: x, np.ones_like, lambda x: x


def t_limits(estimate: np.ndarray, se: np.ndarray, df: float | np.ndarray, level: float = 0.95,
             bounds: Bounds = "none") -> tuple[np.ndarray, np.ndarray]:
    """Limits from t on the design's degrees of freedom; undefined where there are none.

    A proportion's or correlation's interval is made on the transformed scale with the delta-method SE (Korn &
    Graubard 1999, section 2.5), so that it stays inside its bounds.
    """
    estimate = np.asarray(estimate, dtype=float)
    quantile = np.where(np.asarray(df) >= 1, special.stdtrit(np.maximum(df, 1), (1 + level) / 2), np.nan)
    there, slope, back = _transforms(bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = quantile * se * slope(estimate)
        return back(there(estimate) - half), back(there(estimate) + half)


def percentile_limits(draws: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Limits from the quantiles of (B, …) bootstrap replicates; undefined where their standard error is."""
    tail, sound = (1 - level) / 2, np.isfinite(standard_error(draws))
    clean = np.where(np.isfinite(draws) & sound, draws, np.where(sound, np.nan, 0.0))
    low, high = np.nanquantile(clean, [tail, 1 - tail], axis=0)
    return np.where(sound, low, np.nan), np.where(sound, high, np.nan)
