"""Estimates with their joint covariance under the design, their intervals and contrasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from scipy import special, stats

from tcslib.errors import InputRefused, NotEstimable
from tcslib.inference.infer import quiet
from tcslib.inference.intervals import t_limits
from tcslib.inference.linearization import Sample, domain_df, gradient
from tcslib.survey.design import Design
from tcslib.survey.responses import Responses

Source: TypeAlias = Sample | Responses | Design
Values: TypeAlias = str | Sequence[str] | np.ndarray | pd.Series | pd.DataFrame
Labels: TypeAlias = str | np.ndarray | pd.Series


@dataclass(frozen=True, eq=False)
class Estimates:
    """k estimates with their joint covariance under the design.

    Attributes
    ----------
    labels
        (k, ·) frame of what each estimate is of: item, category, group, …
    estimate, vcov
        (k,) values and (k, k) covariance; NaN where a domain is empty.
    n, n_eff, df
        (k,) rows used, their Kish effective number, units less strata of those that hold such rows.
    deff, deff_fpc
        (k,) variance over that of a simple random sample of n rows drawn with replacement (R survey's
        ``deff = "replace"``) or without (``deff = TRUE``, which takes the weights' sum for the population's size).
    low, high
        (k,) 95% limits, or those of ``level``; NaN, not defined, where df < 1.
    method
        How the interval was made.
    held, stratum
        (k, units) first-stage units that hold rows of each estimate; (units,) their strata.
    """

    labels: pd.DataFrame
    estimate: np.ndarray
    vcov: np.ndarray
    n: np.ndarray
    n_eff: np.ndarray
    df: np.ndarray
    deff: np.ndarray
    deff_fpc: np.ndarray
    low: np.ndarray
    high: np.ndarray
    method: str
    held: np.ndarray = field(repr=False)
    stratum: np.ndarray = field(repr=False)
    level: float = 0.95

    @property
    def se(self) -> np.ndarray:
        """(k,) standard errors; NaN where a variance came out below 0, as Horvitz & Thompson's can."""
        with quiet():
            return np.sqrt(np.diag(self.vcov))

    def table(self) -> pd.DataFrame:
        """One row per estimate: labels, estimate, se, low, high, n, n_eff, df, deff, method."""
        return self.labels.assign(estimate=self.estimate, se=self.se, low=self.low, high=self.high, n=self.n,
                                  n_eff=self.n_eff, df=self.df, deff=self.deff, method=self.method)

    def tests(self) -> pd.DataFrame:
        """Each estimate against 0: labels, estimate, se, t, df and two-sided p."""
        with quiet():
            t = self.estimate / self.se
            p = np.where(self.df > 0, 2 * special.stdtr(np.maximum(self.df, 1), -np.abs(t)), np.nan)
        return self.labels.assign(estimate=self.estimate, se=self.se, t=t, df=self.df, p=p)

    def jointly(self, rows: slice | Sequence[int] = slice(None)) -> pd.DataFrame:
        """Wald test that the estimates named are all 0: one row, F, df, ddf (the smallest of theirs) and p."""
        theta, vcov, ddf = self.estimate[rows], self.vcov[rows][:, rows], self.df[rows].min()
        size = np.sqrt(np.outer(np.diag(vcov), np.diag(vcov)))
        correlation = np.divide(vcov, size, out=np.zeros_like(vcov), where=size > 0)
        if np.isfinite(vcov).all() and np.linalg.matrix_rank(correlation, tol=1e-10) < len(theta):
            raise NotEstimable("these estimates determine each other, or the design has too few sampling units to test "
                               "them together. Test fewer.", "joint test")
        f = float(theta @ np.linalg.solve(vcov, theta)) / len(theta)
        p = stats.f.sf(f, len(theta), ddf) if ddf > 0 else np.nan
        return pd.DataFrame([{"statistic": f, "df": len(theta), "ddf": ddf, "p": p}])

    def contrast(self, weights: Mapping[str, Sequence[float]] | Sequence[float]) -> Estimates:
        """Linear combinations, named or one: Σ c θ, with the covariances between the estimates carried."""
        named = weights if isinstance(weights, Mapping) else {"contrast": weights}
        c = np.array(list(named.values()), dtype=float)
        if c.shape[1:] != self.estimate.shape:
            raise InputRefused(f"{c.shape[1]} numbers for {len(self.estimate)} estimates. Give one for each.",
                               "contrast")
        return self._derived(list(named), np.where(c, c * self.estimate, 0).sum(axis=1), c)

    def transform(self, function: Callable[[np.ndarray], Any], names: Sequence[str] = ("value",)) -> Estimates:
        """A smooth function (k,) → (m,) of the estimates, by its gradient (Woodruff 1971)."""
        values = np.atleast_1d(np.asarray(function(self.estimate), dtype=float))
        return self._derived(names, values, gradient(function, self.estimate))

    def _derived(self, names: Sequence[str], values: np.ndarray, slopes: np.ndarray) -> Estimates:
        takes = slopes != 0
        vcov = np.full((len(values), len(values)), np.nan)
        for i, j in np.ndindex(vcov.shape):
            part = self.vcov[np.ix_(takes[i], takes[j])]
            vcov[i, j] = slopes[i, takes[i]] @ part @ slopes[j, takes[j]]
            if i == j and -1e-12 * (np.abs(slopes[i, takes[i]]) ** 2 @ np.abs(np.diag(part))) < vcov[i, i] < 0:
                vcov[i, i] = 0          # rounding, of a combination the design knows exactly
        held = np.array([self.held[row].any(axis=0) for row in takes])
        df = np.array([domain_df(units, self.stratum) for units in held])
        with quiet():
            low, high = t_limits(values, np.sqrt(np.diag(vcov)), df, self.level)
        none = np.full(len(values), np.nan)
        n, n_eff = (np.array([one[row].min() if row.any() else 0 for row in takes]) for one in (self.n, self.n_eff))
        return Estimates(pd.DataFrame({"name": list(names)}), values, vcov, n, n_eff, df, none, none, low, high, "t",
                         held, self.stratum, self.level)


@dataclass(frozen=True, eq=False)
class Cells:
    """k domains with a value in each: x (n, k), 0 outside; inside (n, k); all in the order of the ids."""

    labels: pd.DataFrame
    x: np.ndarray
    inside: np.ndarray


def frame_of(sample: Sample, values: Values) -> pd.DataFrame:
    """(n, p) numbers of the named items, or of an array or frame, in the order of the file."""
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, np.ndarray | pd.Series | pd.DataFrame):
        if sample.answers is None or (absent := [v for v in values if v not in sample.answers]):
            raise InputRefused(f"no item {', '.join(map(str, values if sample.answers is None else absent))}.", "items")
        values = sample.answers[list(values)]
    if isinstance(values, np.ndarray):
        values = pd.DataFrame(values if values.ndim == 2 else values[:, None])
    frame = values.to_frame(values.name or "value") if isinstance(values, pd.Series) else values
    if len(frame) != len(sample.used):
        raise InputRefused(f"{len(frame)} values for {len(sample.used)} rows of the design. Give every row one, "
                           "missing as NaN.", "values")
    return frame.astype(float).reset_index(drop=True)


def cells_of(sample: Sample, frame: pd.DataFrame, where: np.ndarray | None, by: Labels | None) -> Cells:
    """A cell for each column and group."""
    order = sample.design.order
    x, used = frame.to_numpy()[order], sample.rows(where)
    inside, labels = used[:, None] & ~np.isnan(x), pd.DataFrame({"item": frame.columns})
    if by is not None:
        group = groups_of(sample, by)[order]
        names = sorted(pd.unique(group[~missing(group)]))
        member = group[:, None] == np.array(names, dtype=object)
        inside = (inside[:, :, None] & member[:, None, :]).reshape(len(x), -1)
        labels = labels.loc[labels.index.repeat(len(names))].assign(group=names * x.shape[1]).reset_index(drop=True)
        x = np.repeat(x, len(names), axis=1)
    return Cells(labels, np.where(inside, x, 0.0), inside)


def groups_of(sample: Sample, by: Labels) -> np.ndarray:
    """(n,) labels as objects, by name of a background column or as given."""
    if isinstance(by, str):
        if sample.background is None or by not in sample.background:
            raise InputRefused(f'no column "{by}" to group by.', "by")
        by = sample.background[by]
    return np.asarray(by, dtype=object)


def missing(labels: np.ndarray) -> np.ndarray:
    """(n,) True for labels that name nothing: missing or empty."""
    return np.asarray(pd.isna(labels)) | (labels == "")


def summarise(sample: Sample, cells: Cells, estimate: np.ndarray, e: np.ndarray, *, level: float = 0.95,
              limits: Callable[..., tuple[np.ndarray, np.ndarray]] = t_limits, method: str = "t",
              df_less: int = 0) -> Estimates:
    """Estimates from their linearised values.

    Parameters
    ----------
    estimate, e
        (k,) estimates and (n, k) linearised values, 0 outside a cell, such that θ̂ varies as Σ w e.
    df_less
        Degrees of freedom spent on a model.
    """
    w, inside = sample.weights, cells.inside
    n, total = inside.sum(axis=0), w @ inside
    with quiet():
        vcov = sample.vcov(e)
        vcov[n == 0] = np.nan
        vcov[:, n == 0] = np.nan
        mean = w @ e / total
        spread = w @ np.where(inside, (e - mean) ** 2, 0) / total * n / (n - 1)
        deff = np.diag(vcov) / (total ** 2 * spread / n)
        n_eff = total ** 2 / (w ** 2 @ inside)
        held = sample.held(inside)
        df = np.array([domain_df(units, sample.design.unit_stratum) for units in held]) - df_less
        low, high = limits(estimate, np.sqrt(np.diag(vcov)), df, level)
        return Estimates(cells.labels, estimate, vcov, n, n_eff, df, deff, deff / (1 - n / total), low, high, method,
                         held, sample.design.unit_stratum, level)
