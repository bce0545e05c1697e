"""From base weights to final weights, in the sample and in every replicate of it by the same steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, NotEstimable
from tcslib.survey.responses import Responses
from tcslib.weighting.calibration import Margins, margins, rake_cells

TRIM_ROUNDS = 50
UNMET = "the margins and the limit on weights cannot be met together. Merge small categories, or raise weighting.trim."


def kish(weights: np.ndarray) -> tuple[float, float]:
    """Design effect of unequal weighting and effective n (Kish 1965, section 11.7; 1992, eq. 2.3).

    ``deff = n Σw² / (Σw)²``, ``n_eff = (Σw)² / Σw²`` over the rows with a weight above zero.
    """
    used = weights[weights > 0]
    if not len(used):
        return np.nan, 0.0
    n_eff = float(used.sum() ** 2 / (used ** 2).sum())
    return len(used) / n_eff, n_eff


@dataclass(frozen=True, eq=False)
class Adjustment:
    """The declared weighting steps, ready to be replayed under any resampling factors.

    Rows that share their unit, their raking cell and (when weights are trimmed) their base weight always share their
    factor, so factors are formed once for each such group.

    Attributes
    ----------
    group
        (n,) group of each row.
    unit, cell, weight, rows
        (G,) each group's resampling unit, raking cell, base weight of its rows (their mean unless weights are
        trimmed) and number of rows.
    """

    group: np.ndarray
    unit: np.ndarray
    cell: np.ndarray
    weight: np.ndarray
    rows: np.ndarray
    margins: Margins
    trim: float | None

    @cached_property
    def units(self) -> int:
        """Number of resampling units."""
        return int(self.unit.max()) + 1

    @property
    def calibrated(self) -> bool:
        """True when anything is done beside the base weights."""
        return bool(self.margins.members) or self.trim is not None

    @cached_property
    def population(self) -> float:
        """Sum of the base weights, which the final weights keep."""
        return float((self.weight * self.rows).sum())

    @cached_property
    def _in_cell(self) -> np.ndarray:
        return (self.cell[:, None] == np.arange(self.margins.cells)).astype(float) * (self.weight * self.rows)[:, None]

    def factors(self, of_units: np.ndarray) -> np.ndarray:
        """Final weight over base weight for each group.

        Parameters
        ----------
        of_units
            (b, units) resampling factors; a row of ones for the sample itself.

        Returns
        -------
        (b, G) factors, NaN in rows where the margins cannot be met.
        """
        drawn = of_units[:, self.unit]
        if not self.margins.members and self.trim is None:
            return drawn
        adjusted = np.ones_like(drawn)
        for _ in range(TRIM_ROUNDS):
            adjusted *= self._raked(drawn * adjusted)
            if self.trim is None:
                return drawn * adjusted
            weight = self.weight * adjusted
            mean = (drawn * self.rows * weight).sum(axis=1) / (drawn * self.rows).sum(axis=1)
            cap = (self.trim * mean)[:, None]
            over = (weight > cap * (1 + 1e-9)) & (drawn > 0)
            if not over.any():
                return drawn * adjusted
            # what is cut off goes to the other weights by the next raking, or by rescaling when nothing is raked
            adjusted = np.where(weight > cap, cap / np.where(self.weight > 0, self.weight, 1), adjusted)
        return np.where(over.any(axis=1, keepdims=True), np.nan, drawn * adjusted)

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """What a linearised estimator's rows contribute once the weighting steps are known.

        Parameters
        ----------
        values
            (n, k) linearised values e of the rows: the estimator varies as Σ w e with w the final weights.

        Returns
        -------
        (n, k) z such that Σ z, over rows drawn by the design, has the variance of the estimator: the final weight times
        e less what calibration already explains of it (Deville & Särndal 1992, eq. 3.4).
        """
        final = (self.factors(np.ones((1, int(self.unit.max()) + 1)))[0] * self.weight)[self.group]
        if self.margins.members:
            raise NotImplementedError("residuals after raking")
        return values * final[:, None]

    def _raked(self, factors: np.ndarray) -> np.ndarray:
        if not self.margins.members:
            total = (factors * (self.weight * self.rows)).sum(axis=1, keepdims=True)
            return self.population / total * np.ones_like(factors)
        totals = factors @ self._in_cell
        return rake_cells(totals, self.margins.members, self.margins.shares, self.population)[:, self.cell]


def adjustment(responses: Responses, where: str = "study") -> Adjustment:
    """The weighting steps of these responses, coded for replay; refuses margins that cannot be met by name."""
    plan, design = responses.weighting, responses.design
    coded = margins(responses.background, plan.rake, where)
    _check_weight_in_margins(responses, where)
    keys = [design.unit, coded.cell]
    if plan.trim is not None:
        keys.append(np.unique(design.weights, return_inverse=True)[1])
    joint, group = np.unique(np.column_stack(keys), axis=0, return_inverse=True)
    group = group.ravel()
    rows = np.bincount(group).astype(float)
    order = np.argsort(design.ids, kind="stable")          # so that no last digit depends on the order of the file
    weight = np.bincount(group[order], design.weights[order]) / rows
    return Adjustment(group, joint[:, 0], joint[:, 1], weight, rows, coded, plan.trim)


def _check_weight_in_margins(responses: Responses, where: str) -> None:
    """Refuse a category whose respondents all have the weight 0: no factor brings them to their share."""
    used = responses.design.weights > 0
    for column, targets in responses.weighting.rake.items():
        weighted = set(responses.background[column].to_numpy().astype(str)[used])
        for category in targets:
            if category not in weighted:
                raise InputRefused(f'"{category}" has a target and its respondents have the weight 0. Merge it, drop '
                                   "the target, or correct the weights.", f"{where}: weighting.rake.{column}")


@dataclass(frozen=True, eq=False)
class Weights:
    """Final weights (n,) with a line for every step that made them."""

    weights: np.ndarray
    ledger: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """One row per step: sum, smallest and largest weight, Kish design effect, effective n."""
        return self.ledger


def weigh(responses: Responses) -> Weights:
    """Final weights of the sample: base, raked, trimmed, as the study declares.

    Raises
    ------
    InputRefused
        When a margin names a category nobody gave, or leaves one out.
    NotEstimable
        When raking and trimming cannot both be met.
    """
    plan, base = responses.weighting, responses.design.weights
    stages = [("base", base)]
    if plan.rake:
        only_raked = adjustment(Responses(**{**responses.__dict__, "weighting": type(plan)(plan.rake)}))
        stages.append(("raked", base * only_raked.factors(np.ones((1, responses.design.units)))[0][only_raked.group]))
    if plan.trim is not None:
        steps = adjustment(responses)
        stages.append(("trimmed", base * steps.factors(np.ones((1, responses.design.units)))[0][steps.group]))
    final = stages[-1][1]
    if not np.isfinite(final).all():
        raise NotEstimable(UNMET, "weighting")
    rows = []
    for step, weights in stages:
        deff, n_eff = kish(weights)
        rows.append((step, int((weights > 0).sum()), weights.sum(), weights.min(), weights.max(), deff, n_eff))
    return Weights(final, pd.DataFrame(rows, columns=["step", "n", "sum", "low", "high", "deff", "n_eff"]))
