"""Variances of weighted totals under the sampling design, and of whatever can be written as one by linearisation.

An estimator that is a smooth function of weighted totals varies, to first order, as the total Σ w e of its linearised
values e (Woodruff 1971; Binder 1983). Its variance is then that of a total: between the units of each stratum, stage by
stage (Särndal, Swensson & Wretman 1992, result 4.3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, NotEstimable
from tcslib.inference.infer import one_thread, quiet
from tcslib.survey.design import Design
from tcslib.survey.levels import Level, levels
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import UNMET, Adjustment, adjustment

Variance = Callable[[np.ndarray], np.ndarray]
STEP = 1e-20          # of the complex-step gradient: nothing is subtracted, so it can be as small as it likes


def variance_of_total(z: np.ndarray, design: Design) -> np.ndarray:
    """Variance of the column sums of weighted values under the design.

    Parameters
    ----------
    z
        (n, k) weighted linearised values of the design's rows, 0 outside a domain.

    Returns
    -------
    (k, k) covariance matrix: for each stratum of m units of M, ``(1 - m/M) m/(m - 1) Σ (t - t̄)(t - t̄)'`` of the
    units' sums t; later stages add theirs, times the shares of units drawn before (SSW 1992, result 4.3.1). A lonely
    unit adds t t' under *adjust*, and under *average* the mean of the stage's other strata.

    Raises
    ------
    InputRefused
        For a stratum with a single unit, unless ``design.lonely_psu`` says what it contributes.
    """
    return _variance(z[design.order], design)


def _variance(ordered: np.ndarray, design: Design) -> np.ndarray:
    """``variance_of_total`` of rows in the order of their ids."""
    total, share = np.zeros((ordered.shape[1], ordered.shape[1])), np.ones(1)
    with one_thread():
        for number, level in enumerate(levels(design), 1):
            fraction, before = level.fraction, share[level.parent]
            sums = _sums(ordered, level.unit[design.order], len(level.stratum))
            means = _sums(sums, level.stratum, len(level.drawn)) / level.drawn[:, None]
            lonely = (level.drawn == 1) & (fraction < 1) & (before > 0)
            if lonely.any():
                _check_lonely(design, level, lonely, number)
            if design.lonely_psu == "adjust":
                means[lonely] = 0          # the grand mean of linearised values; R survey takes it for totals too
            scale = before * (1 - fraction) * level.drawn / np.maximum(level.drawn - 1, 1)
            deviations = (sums - means[level.stratum]) * np.sqrt(scale)[level.stratum][:, None]
            part = deviations.T @ deviations
            if design.lonely_psu == "average":          # the others' mean for each lonely stratum
                part *= len(lonely) / (len(lonely) - lonely.sum())
            total += part
            share = (before * fraction)[level.stratum]
            if not share.any():
                break
    return total


def _sums(values: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """(count, k) sums of rows by group, added up in the order of the rows."""
    return np.column_stack([np.bincount(group, column, count) for column in values.T])


def _check_lonely(design: Design, level: Level, lonely: np.ndarray, number: int) -> None:
    if design.lonely_psu == "average" and lonely.all():
        raise NotEstimable("every stratum holds a single sampling unit, so there is no other to take the variance of. "
                           "Merge strata.", "design.lonely_psu")
    if design.lonely_psu not in ("refuse", "collapse"):
        return
    first = design.unit_names
    names = dict(zip(design.unit_stratum, first[0], strict=True)) if number == 1 else dict(enumerate(first[1]))
    said = [str(names.get(int(h if number == 1 else level.parent[h]), h)) for h in np.flatnonzero(lonely)]
    what = "strata hold" if number == 1 else f"groups of stage {number} hold"
    raise InputRefused(f"{len(said)} of {len(lonely)} {what} a single sampling unit ({', '.join(said[:5])}), so their "
                       "variance cannot be told. Merge them with a neighbour, or state what they contribute "
                       "(remove, adjust, average, certainty).", "design.lonely_psu")


@dataclass(frozen=True, eq=False)
class Sample:
    """A design with its weighting steps, as linearised estimators need it.

    Attributes
    ----------
    design, steps
        The design, and the weighting steps replayed in its variances; without them base weights are final.
    domain
        (n,) rows the estimates are about; the others stay in the design.
    answers, background
        Columns that may be called by name.
    variance
        (n, k) weighted values → (k, k) covariance of their sums; by default that of the design's stages.
    """

    design: Design
    steps: Adjustment | None = None
    domain: np.ndarray | None = None
    answers: pd.DataFrame | None = None
    background: pd.DataFrame | None = None
    variance: Variance | None = None

    @cached_property
    def weights(self) -> np.ndarray:
        """(n,) final weights, in the order of the ids."""
        final = self.design.weights
        if self.steps is not None:
            final = self.steps.factors(np.ones((1, self.design.units)))[0][self.steps.group] * final
        if not np.isfinite(final).all():
            raise NotEstimable(UNMET, "weighting")
        return final[self.design.order]

    @cached_property
    def used(self) -> np.ndarray:
        """(n,) rows of the domain with a weight above 0, in the order of the ids."""
        return (self.weights > 0) & (True if self.domain is None else self.domain[self.design.order])

    def rows(self, where: np.ndarray | None) -> np.ndarray:
        """(n,) the rows used where ``where`` (n,), in the order of the file, is True; in the order of the ids."""
        return self.used if where is None else self.used & np.asarray(where, dtype=bool)[self.design.order]

    def vcov(self, e: np.ndarray) -> np.ndarray:
        """(k, k) covariance of Σ w e, weighting steps replayed to first order; e (n, k) in the order of the ids."""
        if self.steps is None and self.variance is None:
            return _variance(self.weights[:, None] * e, self.design)
        back = np.argsort(self.design.order)
        z = self.weights[back, None] * e[back] if self.steps is None else self.steps.residuals(e[back])
        return (self.variance or partial(variance_of_total, design=self.design))(z)

    def held(self, inside: np.ndarray) -> np.ndarray:
        """(k, units) first-stage units that hold rows of each domain (n, k), given in the order of the ids."""
        found = np.zeros((inside.shape[1], self.design.units), dtype=bool)
        unit = self.design.unit[self.design.order]
        for column, rows in enumerate(inside.T):
            found[column, unit[rows]] = True
        return found


def sample_of(of: Sample | Responses | Design, steps: Adjustment | None = None,
              variance: Variance | None = None) -> Sample:
    """What estimators work on: the responses' own weighting steps unless others are given.

    Made once for several estimates, it codes the steps once. ``variance`` stands in for the design's stages (``pps``).
    """
    if isinstance(of, Sample):
        return of
    given = of if isinstance(of, Design) else of.design
    design = given.collapsed() if given.lonely_psu == "collapse" else given
    if isinstance(of, Design):
        return Sample(design, steps, variance=variance)
    if steps is None and of.weighting.steps:
        steps = adjustment(of)
    return Sample(design, steps, of.domain, of.answers, of.background, variance)


def domain_df(held: np.ndarray, stratum: np.ndarray) -> int:
    """Units less strata, of those that hold rows of a domain (Korn & Graubard 1999, section 5.2); at least 0."""
    return int(held.sum() - len(np.unique(stratum[held])))


def gradient(function: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """(m, k) derivatives of a function of k numbers, by the complex step (Squire & Trapp 1998).

    A function that is not analytic in its code (an absolute value, a comparison, a sort) loses the complex part; where
    central differences disagree, they are used instead.
    """
    scale = np.where(at == 0, 1.0, np.abs(at))
    width = np.cbrt(np.finfo(float).eps) * scale
    steps = np.diag(width)
    rough = np.column_stack([(np.atleast_1d(function(at + s)) - np.atleast_1d(function(at - s))) / (2 * w)
                             for s, w in zip(steps, width, strict=True)])
    try:
        with quiet():
            exact = np.column_stack([np.imag(np.atleast_1d(function(at + 1j * s))) / STEP
                                     for s in np.eye(len(at)) * STEP])
    except (TypeError, ValueError):
        return rough
    near = np.abs(exact - rough) * scale <= 1e-5 * np.max(np.abs(rough) * scale, axis=1, keepdims=True)
    return exact if near.all() else rough
