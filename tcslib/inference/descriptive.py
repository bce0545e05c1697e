"""Means, totals, ratios, shares and variances with their design-based standard errors, by linearisation.

Every estimator here takes ``of`` (Responses, a Design, or a Sample made of either with ``sample_of``) and values: an
array or frame of the design's n rows, or names of items when ``of`` is Responses. ``where`` (n,) narrows the domain by
weight, never by deletion; ``by``, (n,) labels or the name of a background column, splits it, with one joint covariance
matrix. A row that misses a value is outside the domain of that value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from tcslib.inference.estimates import (
    Cells,
    Estimates,
    Labels,
    Source,
    Values,
    cells_of,
    frame_of,
    groups_of,
    missing,
    summarise,
)
from tcslib.inference.infer import quiet
from tcslib.inference.intervals import t_limits
from tcslib.inference.linearization import Sample, sample_of

ShareInterval = Literal["logit", "beta", "xlogit", "asin", "mean"]


def mean(of: Source, values: Values, *, where: np.ndarray | None = None, by: Labels | None = None,
         level: float = 0.95) -> Estimates:
    """Weighted means: e = (x - x̄) / Ŵ (Binder 1983)."""
    sample = sample_of(of)
    cells = cells_of(sample, frame_of(sample, values), where, by)
    with quiet():
        total = sample.weights @ cells.inside
        estimate = sample.weights @ cells.x / total
        e = np.where(cells.inside, (cells.x - estimate) / total, 0)
    return summarise(sample, cells, estimate, e, level=level)


def total(of: Source, values: Values, *, where: np.ndarray | None = None, by: Labels | None = None,
          level: float = 0.95) -> Estimates:
    """Weighted totals Σ w x; they mean something where weights sum to the population."""
    sample = sample_of(of)
    cells = cells_of(sample, frame_of(sample, values), where, by)
    return summarise(sample, cells, sample.weights @ cells.x, cells.x, level=level)


def ratio(of: Source, numerator: Values, denominator: Values, *, where: np.ndarray | None = None,
          by: Labels | None = None, level: float = 0.95) -> Estimates:
    """Ratios R = Σ w y / Σ w x, column by column: e = (y - R x) / Σ w x (Woodruff 1971)."""
    sample = sample_of(of)
    top, bottom = frame_of(sample, numerator), frame_of(sample, denominator)
    known = ~top.isna() & ~bottom.isna().to_numpy()
    cells = cells_of(sample, top.where(known), where, by)
    x = cells_of(sample, bottom.where(known.to_numpy()), where, by).x
    with quiet():
        base = sample.weights @ x
        estimate = sample.weights @ cells.x / base
        e = np.where(cells.inside, (cells.x - estimate * x) / base, 0)
    return summarise(sample, cells, estimate, e, level=level)


def variance(of: Source, values: Values, *, where: np.ndarray | None = None, by: Labels | None = None,
             level: float = 0.95) -> Estimates:
    """Population variances, n/(n - 1) Σ w (x - x̄)² / Ŵ; the mean's own error is of second order."""
    sample = sample_of(of)
    cells = cells_of(sample, frame_of(sample, values), where, by)
    return _second_moments(sample, cells, cells.x, cells.x, level)


def covariance(of: Source, values: Values, *, where: np.ndarray | None = None, level: float = 0.95) -> Estimates:
    """Variances and covariances of p items in rows that answer them all: the upper triangle, row by row."""
    sample = sample_of(of)
    frame = frame_of(sample, values)
    i, j = np.triu_indices(frame.shape[1])
    frame = frame.where(frame.notna().all(axis=1))
    cells = cells_of(sample, frame, where, None)
    labels = pd.DataFrame({"item": frame.columns[i], "with": frame.columns[j]})
    x, y, inside = cells.x[:, i], cells.x[:, j], cells.inside[:, i]
    return _second_moments(sample, Cells(labels, x, inside), x, y, level)


def _second_moments(sample: Sample, cells: Cells, x: np.ndarray, y: np.ndarray, level: float) -> Estimates:
    w, n = sample.weights, cells.inside.sum(axis=0)
    with quiet():
        total = w @ cells.inside
        product = np.where(cells.inside, (x - w @ x / total) * (y - w @ y / total), 0) * (n / (n - 1))
        estimate = w @ product / total
        e = np.where(cells.inside, (product - estimate) / total, 0)
    return summarise(sample, cells, estimate, e, level=level)


def proportion(of: Source, values: Labels, categories: Sequence[Any] | None = None, *,
               where: np.ndarray | None = None, by: Labels | None = None, method: ShareInterval = "logit",
               level: float = 0.95) -> Estimates:
    """Shares of the categories of one question, as fractions.

    Parameters
    ----------
    values
        (n,) answers of any kind, or a name; missing or empty is outside the domain.
    categories
        Those to estimate, by default all that occur, sorted.
    method
        Of the interval: see ``share_limits``.
    """
    sample = sample_of(of)
    if isinstance(values, str) and sample.answers is not None and values in sample.answers:
        values = sample.answers[values]
    given = groups_of(sample, values)
    gone = missing(given)
    names = sorted(pd.unique(given[~gone])) if categories is None else list(categories)
    frame = pd.DataFrame((given[:, None] == np.array(names, dtype=object)).astype(float))
    frame[gone] = np.nan
    cells = cells_of(sample, frame, where, by)
    cells = Cells(cells.labels.assign(item=np.array(names, dtype=object)[cells.labels["item"]]).rename(
        columns={"item": "category"}), cells.x, cells.inside)
    with quiet():
        w = sample.weights
        base = w @ cells.inside
        estimate = w @ cells.x / base
        e = np.where(cells.inside, (cells.x - estimate) / base, 0)
        n, n_eff = cells.inside.sum(axis=0), base ** 2 / (w ** 2 @ cells.inside)

    def limits(p: np.ndarray, se: np.ndarray, df: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        return share_limits(p, se, df, n, n_eff, method, level)
    return summarise(sample, cells, estimate, e, level=level, limits=limits, method=method)


def share_limits(p: np.ndarray, se: np.ndarray, df: np.ndarray, n: np.ndarray, n_eff: np.ndarray,
                 method: ShareInterval, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits of shares, as R survey's ``svyciprop`` makes them.

    *logit*, *xlogit*: t limits of ln p/(1 - p); *asin*: of arcsin √p; *mean*: of p itself. *beta*: Clopper–Pearson with
    the effective sample size p(1 - p)/V, rescaled by the t quantiles on n - 1 and on df (Korn & Graubard 1998); where
    p is 0 or 1 the Kish n_eff takes its place, and the other methods have no limits.
    """
    tail = (1 - level) / 2
    sound = np.where(df > 0, 1.0, np.nan)
    with quiet():
        if method == "mean":
            return t_limits(p, se, df, level)
        if method == "beta":
            size = np.where((p > 0) & (p < 1), p * (1 - p) / se ** 2, n_eff)
            size = size * (special.stdtrit(n - 1, tail) / special.stdtrit(np.maximum(df, 1), tail)) ** 2
            low = np.where(p > 0, special.betaincinv(size * p, size * (1 - p) + 1, tail), 0)
            high = np.where(p < 1, special.betaincinv(size * p + 1, size * (1 - p), 1 - tail), 1)
            return low * sound, high * sound
        if method == "asin":
            low, high = t_limits(np.arcsin(np.sqrt(p)), se / (2 * np.sqrt(p * (1 - p))), df, level)
            return np.sin(np.maximum(low, 0)) ** 2, np.sin(np.minimum(high, np.pi / 2)) ** 2
        low, high = t_limits(special.logit(p), se / (p * (1 - p)), df, level)
        return special.expit(low), special.expit(high)


def linearize(function: Callable[[np.ndarray], Any], of: Source, values: Values, *,
              names: Sequence[str] = ("value",), where: np.ndarray | None = None, level: float = 0.95) -> Estimates:
    """Any smooth function of weighted totals, (p,) → (m,), with its standard error (Woodruff 1971)."""
    return total(of, values, where=where, level=level).transform(function, names)
