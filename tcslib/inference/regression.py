"""Regressions and two-sample tests under the sampling design."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from tcslib.errors import NotEstimable
from tcslib.inference.estimates import (
    Cells,
    Estimates,
    Labels,
    Source,
    Values,
    frame_of,
    groups_of,
    missing,
    summarise,
)
from tcslib.inference.infer import one_thread
from tcslib.inference.linearization import Sample, sample_of

Family = Literal["linear", "logistic"]
ROUNDS = 50


def regress(of: Source, outcome: Values, predictors: Values, *, family: Family = "linear",
            where: np.ndarray | None = None, level: float = 0.95, tolerance: float = 1e-12) -> Estimates:
    """Weighted regression with an intercept, its coefficients' covariance by linearisation (Binder 1983).

    Parameters
    ----------
    outcome
        (n,) numbers, 0/1 for the logistic; or an item.
    predictors
        (n, p) numbers; a row that misses any, or the outcome, is outside the domain.
    tolerance
        The logistic stops when the deviance changes by less than this share; R's ``glm`` stops at 1e-8.

    Returns
    -------
    p + 1 coefficients, the intercept first; t intervals on df = units - strata - p.

    Raises
    ------
    NotEstimable
        For predictors that repeat each other, or answers that the predictors separate.
    """
    sample = sample_of(of)
    x, y = frame_of(sample, predictors), frame_of(sample, outcome)
    data = np.column_stack([y.to_numpy(), np.ones(len(x)), x.to_numpy()])[sample.design.order]
    used = sample.rows(where) & ~np.isnan(data).any(axis=1)
    return _fit(sample, data[:, 0], data[:, 1:], used, ["intercept", *map(str, x.columns)], family, level, tolerance)


def _fit(sample: Sample, y: np.ndarray, x: np.ndarray, used: np.ndarray, terms: list[str], family: Family,
         level: float = 0.95, tolerance: float = 1e-12) -> Estimates:
    if np.linalg.matrix_rank(x[used]) < x.shape[1]:
        raise NotEstimable("the predictors repeat each other or do not vary, so their coefficients cannot be told "
                           "apart. Drop one.", "regression")
    with one_thread():
        solve = _least_squares if family == "linear" else _logistic
        b, bread, score = solve(y[used], x[used], sample.weights[used], tolerance)
        e = np.zeros(x.shape)
        e[used] = (x[used] * score[:, None]) @ bread
    cells = Cells(pd.DataFrame({"term": terms}), e, np.repeat(used[:, None], x.shape[1], axis=1))
    return summarise(sample, cells, b, e, level=level, df_less=x.shape[1] - 1)


def _least_squares(y: np.ndarray, x: np.ndarray, w: np.ndarray, _: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, inverse of X'WX and residuals."""
    root = np.sqrt(w)[:, None]
    q, r = np.linalg.qr(x * root)
    inverse = np.linalg.inv(r)
    b = inverse @ (q.T @ (y * root[:, 0]))
    return b, inverse @ inverse.T, y - x @ b


def _logistic(y: np.ndarray, x: np.ndarray, w: np.ndarray,
              tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Iteratively reweighted least squares (McCullagh & Nelder 1989, section 2.5), from (wy + ½)/(w + 1).

    The working weights are those of the last step taken, as R's ``glm`` leaves them; at a small tolerance it makes no
    difference.
    """
    if not np.isin(y, (0, 1)).all():
        raise NotEstimable("the outcome of a logistic regression is 0 or 1.", "regression")
    scale = 1 / w.mean()
    w = w * scale
    mu, before = (w * y + 0.5) / (w + 1), np.inf
    eta = special.logit(mu)
    for _ in range(ROUNDS):
        slope, last = mu * (1 - mu), eta
        if not slope.min() > 1e-15:
            break
        b, bread, _residual = _least_squares(eta + (y - mu) / slope, x, w * slope, tolerance)
        eta = x @ b
        mu = special.expit(eta)
        deviance = 2 * float(w @ np.logaddexp(0, np.where(y == 1, -eta, eta)))
        # where answers are separated, the deviance settles at its end and the coefficients never do
        if abs(deviance - before) < tolerance * (deviance + 0.1) and np.abs(eta - last).max() < 0.1:
            return b, bread, scale * slope * (y - mu) / (mu * (1 - mu))
        before = deviance
    raise NotEstimable("the logistic regression does not settle: some combination of the predictors separates the "
                       "answers. Drop a predictor, or merge its categories.", "regression")


def t_test(of: Source, values: Values, groups: Labels, *, where: np.ndarray | None = None,
           level: float = 0.95) -> Estimates:
    """Mean of the first group, and how far each other group's lies from it: a regression on the groups.

    ``tests()`` gives each difference with its t and p, ``jointly(rows)`` the test of all of them; groups are taken in
    sorted order. df = units - strata - (groups - 1).
    """
    return _compare(of, values, groups, where, level, ranks=False)


def rank_test(of: Source, values: Values, groups: Labels, *, where: np.ndarray | None = None,
              level: float = 0.95) -> Estimates:
    """The same of population ranks in 0–1: Wilcoxon's test under a design, Kruskal & Wallis' for several groups.

    Lumley & Scott (2013): a row's rank is the estimated share of the population below it, plus half of that
    with the same answer (alike to 12 digits). R survey averages the ranks of equal answers in the order of the file
    instead, which differs where their weights do.
    """
    return _compare(of, values, groups, where, level, ranks=True)


def _compare(of: Source, values: Values, groups: Labels, where: np.ndarray | None, level: float,
             ranks: bool) -> Estimates:
    sample = sample_of(of)
    order = sample.design.order
    y = frame_of(sample, values).to_numpy()[order, 0]
    group = groups_of(sample, groups)[order]
    used = sample.rows(where) & ~np.isnan(y) & ~missing(group)
    names = sorted(pd.unique(group[used]))
    if len(names) < 2:
        raise NotEstimable("there is one group only, so there is nothing to compare.", "comparison of groups")
    if ranks:
        y[used] = _ranks(y[used], sample.weights[used])
    x = np.column_stack([np.ones(len(y)), *[np.where(group == name, 1.0, 0.0) for name in names[1:]]])
    return _fit(sample, y, x, used, [str(names[0]), *[f"{name} - {names[0]}" for name in names[1:]]], "linear", level)


def _ranks(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weighted mid-ranks in 0–1; answers equal to 12 digits of the largest share theirs."""
    digits = 12 - int(np.ceil(np.log10(np.abs(y).max() or 1)))
    place = np.unique(np.round(y, digits), return_inverse=True)[1]
    at = np.bincount(place, w)
    return ((np.cumsum(at) - at / 2) / at.sum())[place]
