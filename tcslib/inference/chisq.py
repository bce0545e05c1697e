"""Tests of independence in a two-way table from a complex sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from tcslib.errors import NotEstimable
from tcslib.inference.estimates import Cells, Labels, Source, groups_of, missing, summarise
from tcslib.inference.linearization import sample_of

ChiStatistic = Literal["F", "Chisq", "Wald", "adjWald", "lincom", "saddlepoint"]
TERMS = 20_000          # of the series in ``lincom_tail``


@dataclass(frozen=True, eq=False)
class Independence:
    """A test that rows and columns of a table are independent.

    Attributes
    ----------
    counts
        Weighted table, rows by columns.
    statistic, df, ddf, p
        What was computed, its degrees of freedom, those of the denominator (infinite for a χ²), and the p value.
    deffs
        Generalised design effects, the eigenvalues of Rao and Scott's matrix.
    n
        Rows used.
    """

    counts: pd.DataFrame
    method: ChiStatistic
    statistic: float
    df: float
    ddf: float
    p: float
    deffs: np.ndarray
    n: int

    def table(self) -> pd.DataFrame:
        """One row: statistic, df, ddf, p, n, method."""
        return pd.DataFrame([{"statistic": self.statistic, "df": self.df, "ddf": self.ddf, "p": self.p, "n": self.n,
                              "method": self.method}])


def independence(of: Source, rows: Labels, columns: Labels, *, method: ChiStatistic = "F",
                 where: np.ndarray | None = None) -> Independence:
    """Test of independence of two questions under the design.

    Parameters
    ----------
    rows, columns
        (n,) labels, or names of background columns; a row of the data that misses one is left out.
    method
        *Chisq*: Pearson's X² over the mean design effect (Rao & Scott 1981, first order). *F*: the second-order
        correction as an F (Rao & Scott 1984; Thomas & Rao 1987). *Wald*, *adjWald*: of the weighted counts less those
        expected, as F, plain or with the correction for few units (Koch, Freeman & Freeman 1975; Korn & Graubard 1990).
        *lincom*, *saddlepoint*: X² against its own limit, a sum of χ² weighted by the design effects over an estimated
        scale; exact by series, or by Kuonen's (1999) approximation.

    Raises
    ------
    NotEstimable
        When a question has one answer only or the design leaves no degrees of freedom.
    """
    sample = sample_of(of)
    labels = [groups_of(sample, given)[sample.design.order] for given in (rows, columns)]
    used = sample.rows(where) & ~missing(labels[0]) & ~missing(labels[1])
    (r_names, r), (c_names, c) = (np.unique(given[used].astype(str), return_inverse=True) for given in labels)
    shape = len(r_names), len(c_names)
    if min(shape) < 2:
        raise NotEstimable("one of the two questions has a single answer, so there is nothing to compare.",
                           "chi-square")
    x = np.zeros((len(used), shape[0] * shape[1]))
    x[np.flatnonzero(used), r * shape[1] + c] = 1
    inside = np.repeat(used[:, None], x.shape[1], axis=1)
    counts = sample.weights @ x
    total = counts.sum()
    p, n = counts / total, int(used.sum())
    e = np.where(inside, (x - p) / total, 0)
    shares = summarise(sample, Cells(pd.DataFrame(index=range(len(p))), x, inside), p, e)
    nu = int(shares.df[0])
    if nu < 1:
        raise NotEstimable("the design leaves no degrees of freedom: as many strata as sampling units.", "chi-square")
    deffs = _design_effects(p, shares.vcov * n, shape)
    outcome = (_wald(p.reshape(shape), sample.vcov(x) / total ** 2, nu, method == "adjWald")
               if method in ("Wald", "adjWald") else _rao_scott(p.reshape(shape), n, deffs, nu, method))
    return Independence(pd.DataFrame(counts.reshape(shape), r_names, c_names), method, *outcome, deffs, n)


def _rao_scott(p: np.ndarray, n: int, deffs: np.ndarray, nu: int, method: str) -> tuple[float, float, float, float]:
    expected = np.outer(p.sum(axis=1), p.sum(axis=0))
    x2 = float(n * ((p - expected) ** 2 / expected).sum())
    k, d0 = len(deffs), float(deffs.sum() ** 2 / (deffs ** 2).sum())
    if method == "Chisq":
        return x2, k, np.inf, float(stats.chi2.sf(x2 / deffs.mean(), k))
    if method == "F":
        return x2 / deffs.sum(), d0, d0 * nu, float(stats.f.sf(x2 / deffs.sum(), d0, d0 * nu))
    tail = lincom_tail if method == "lincom" else saddlepoint_tail
    return x2, k, d0 * nu, tail(x2, deffs, d0 * nu)


def _design_effects(p: np.ndarray, deviation: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Eigenvalues of (C' D C)^-1 C' D nV D C, with D = diag(1/p) and C the interactions free of the main effects.

    Rao & Scott (1984), at the observed shares p. ``deviation`` is n times the covariance of p.
    """
    ones = [np.column_stack([np.ones(k), np.eye(k)[:, 1:]]) for k in shape]
    full = np.kron(ones[0], ones[1])
    effect = np.arange(full.shape[1])
    inner = (effect >= shape[1]) & (effect % shape[1] > 0)
    main, inter = full[:, ~inner], full[:, inner]
    contrast = inter - main @ np.linalg.lstsq(main, inter, rcond=None)[0]
    scaled = contrast * np.divide(1, p, out=np.zeros_like(p), where=p > 0)[:, None]
    return np.sort(np.linalg.eigvals(np.linalg.solve(contrast.T @ scaled, scaled.T @ deviation @ scaled)).real)


def _wald(p: np.ndarray, vcov: np.ndarray, nu: int, adjusted: bool) -> tuple[float, float, float, float]:
    """``vcov`` is that of the weighted counts over their sum; counts, not shares, as Koch et al. have it."""
    r, c = p.sum(axis=1), p.sum(axis=0)
    free = [(i, j) for i in range(len(r) - 1) for j in range(len(c) - 1)]
    slopes = np.zeros((len(free), *p.shape))
    for row, (i, j) in zip(slopes, free, strict=True):          # of N_ij - N_i. N_.j / N
        row += r[i] * c[j]
        row[i] -= c[j]
        row[:, j] -= r[i]
        row[i, j] += 1
    y = np.array([p[cell] - r[cell[0]] * c[cell[1]] for cell in free])
    flat = slopes.reshape(len(free), -1)
    k = len(free)
    if nu < k:
        raise NotEstimable(f"the design leaves {nu} degrees of freedom, fewer than the {k} the table needs. Use F, or "
                           "merge answers.", "chi-square")
    f = float(y @ np.linalg.solve(flat @ vcov @ flat.T, y)) / k
    ddf = nu - k + 1 if adjusted else nu
    f *= ddf / nu
    return f, k, ddf, float(stats.f.sf(f, k, ddf))


def lincom_tail(x: float, scales: np.ndarray, ddf: float = np.inf) -> float:
    """P(Σ a χ²₁ / (χ²_d / d) > x) for a > 0: a mixture of F tails (Ruben 1962), to 12 digits.

    Every term is positive, so small p values keep their digits. NaN where 20,000 terms do not reach them.
    """
    a = scales[scales > 1e-12 * scales.max()]
    least, m = a.min(), len(a)
    ratio = 1 - least / a
    mixture, powers, p, left = [float(np.prod(np.sqrt(least / a)))], [], 0.0, 1.0
    for k in range(TERMS):
        if k:
            powers.append(float((ratio ** k).sum()))
            mixture.append(float(np.dot(powers[::-1], mixture)) / (2 * k))
        dof, y = m + 2 * k, x / least
        p += mixture[k] * float(special.chdtrc(dof, y) if np.isinf(ddf) else stats.f.sf(y / dof, dof, ddf))
        left -= mixture[k]
        if left < 1e-13 * p or (k > 50 and mixture[k] < 1e-18 * p):
            return p
    return np.nan


def saddlepoint_tail(x: float, scales: np.ndarray, ddf: float = np.inf) -> float:
    """The same probability by the Lugannani–Rice type of formula Φ̄(w + ln(v/w)/w) (Kuonen 1999).

    As R survey has it, the χ² below keeps its whole degrees of freedom only: 20.9 count as 20 over 20.9.
    """
    a, times, goal = scales, np.ones(len(scales)), x
    if np.isfinite(ddf):          # Σ a χ² / (χ²_d / d) > x where Σ a χ² - x/d χ²_d > 0
        a, times, goal = np.append(a, -x / ddf), np.append(times, np.floor(ddf)), 0.0

    def slope(t: float) -> float:
        return float((times * a / (1 - 2 * t * a)).sum()) - goal

    top = 1 / (2 * a.max())
    bottom = 1 / (2 * a.min()) if a.min() < 0 else -len(a) / (2 * x)
    t = optimize.brentq(slope, bottom * (1 - 1e-12), top * (1 - 1e-12), xtol=1e-15 * top, rtol=1e-14)
    cumulant = -0.5 * float((times * np.log1p(-2 * t * a)).sum())
    w = np.sign(t) * np.sqrt(2 * max(t * goal - cumulant, 0.0))
    if abs(w) < 1e-4:          # at the mean the formula is 0/0; its limit is a sixth of the skewness
        return float(special.ndtr(-np.sqrt(2) / 3 * (times * a ** 3).sum() / (times * a ** 2).sum() ** 1.5))
    v = t * np.sqrt(2 * float((times * (a / (1 - 2 * t * a)) ** 2).sum()))
    return float(special.ndtr(-(w + np.log(v / w) / w)))
