"""From base weights to final weights, in the sample and in every replicate of it by the same steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tcslib.errors import NotEstimable
from tcslib.survey.responses import Responses
from tcslib.weighting.building import Built, build
from tcslib.weighting.coding import Coder, joint, summed
from tcslib.weighting.state import State, Step
from tcslib.weighting.steps import Rake, Trim
from tcslib.weighting.unmet import UNMET as UNMET
from tcslib.weighting.unmet import unmet

CHANGED = 0.1          # the ledger counts weights a step changes by more than this share


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

    Rows that share their unit and their pattern (what the steps tell apart, with the base weight where a step needs
    each row's own) always share their factor, so factors are formed once for each such group.

    Attributes
    ----------
    group
        (n,) group of each row.
    unit, cell, weight, rows
        (G,) each group's resampling unit, pattern, base weight of its rows (their mean unless a step needs each row's
        own) and number of rows.
    built
        The steps over the patterns.
    """

    group: np.ndarray
    unit: np.ndarray
    cell: np.ndarray
    weight: np.ndarray
    rows: np.ndarray
    built: Built
    base: np.ndarray

    @cached_property
    def units(self) -> int:
        """Number of resampling units."""
        return int(self.unit.max()) + 1

    @property
    def calibrated(self) -> bool:
        """True when any step follows the base weights."""
        return bool(self.built.steps)

    @property
    def population(self) -> float:
        """What the final weights sum to where a margin is met: the study's count, else the sum of the base weights."""
        return self.built.population

    @cached_property
    def _base(self) -> np.ndarray:
        """(K,) base weight of each pattern's rows."""
        weight = np.bincount(self.cell, self.weight * self.rows)
        return weight / np.bincount(self.cell, self.rows)

    @property
    def patterns(self) -> int:
        """Number of patterns K."""
        return len(self._base)

    def factors(self, of_units: np.ndarray, adjusted: np.ndarray | None = None) -> np.ndarray:
        """Final weight over base weight for each group.

        Parameters
        ----------
        of_units
            (b, units) resampling factors; a row of ones for the sample itself.
        adjusted
            What ``adjusted`` makes of them, where it is known.

        Returns
        -------
        (b, G) factors, NaN in rows where the steps cannot be met.
        """
        drawn: np.ndarray = of_units[:, self.unit]
        if self.calibrated:
            drawn *= (self.adjusted(of_units) if adjusted is None else adjusted)[:, self.cell]
        return drawn

    def adjusted(self, of_units: np.ndarray) -> np.ndarray:
        """(b, K) product of the steps' factors for each pattern; all the work of the steps."""
        for _, state in self.replay(of_units[:, self.unit]):
            final = state
        return final.adjusted

    def replay(self, drawn: np.ndarray) -> Iterator[tuple[Step, State]]:
        """Each step with the state (b, K) after it, for resampling factors (b, G) of the groups."""
        patterns = self.patterns
        with np.errstate(over="ignore", invalid="ignore"):          # a row that cannot be met is NaN to the end
            state = State(summed(drawn * (self.weight * self.rows), self.cell, patterns), self._base,
                          np.ones((len(drawn), patterns)), lambda: summed(drawn * self.rows, self.cell, patterns))
            for step in self.built.steps:
                state = state.times_factors(step.factors(state))
                yield step, state

    @cached_property
    def _sample(self) -> list[tuple[Step, np.ndarray]]:
        """Each step with the product (K,) of the factors up to it, in the sample itself."""
        return [(step, state.adjusted[0]) for step, state in self.replay(np.ones((1, len(self.unit))))]

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """What a linearised estimator's rows contribute once the weighting steps are known.

        From the last step to the first, values for the weights after a step become values for the weights before it:
        g(e − x'B) for a calibration with factor g, B the regression on its auxiliaries by the weights before (Deville &
        Särndal 1992, eq. 3.4); ē + r a(e − ē) for cells of non-response; the regression's estimating equation for a
        propensity. Limits on weights and the forming of propensity classes are taken as fixed.

        Parameters
        ----------
        values
            (n, k) linearised values e of the rows: the estimator varies as Σ w e with w the final weights.

        Returns
        -------
        (n, k) z such that Σ z, over rows drawn by the design, has the variance of the estimator.
        """
        pattern, base = self.cell[self.group], self.base
        steps = self._sample
        position = len(steps)
        while position:
            step, after = steps[position - 1]
            again = isinstance(step, Trim) and len(step.again)
            position -= 1 + again          # limits and totals that hold together are one step
            before = steps[position - 1][1] if position else np.ones_like(after)
            free = ~step.held(self._state(after))[pattern] if isinstance(step, Trim) and again else None
            values = step.residuals(values, base * before[pattern], pattern, free)
            if step.name != "nonresponse":
                values = values * np.where(before > 0, after / np.where(before > 0, before, 1), 0)[pattern][:, None]
        return values * base[:, None]

    def _state(self, adjusted: np.ndarray) -> State:
        """The sample itself after steps with these factors (K,)."""
        times = np.bincount(self.cell, self.rows)[None]
        return State(times * self._base, self._base, adjusted[None], lambda: times)


def adjustment(responses: Responses, where: str = "study") -> Adjustment:
    """The weighting steps of these responses, coded for replay.

    Raises
    ------
    InputRefused
        For margins and cells the sample cannot meet, by name.
    NotEstimable
        When the steps cannot be met together in the sample, with the size of the gap.
    """
    return _adjustment(Coder(responses, where), responses.design.unit)


def _adjustment(coder: Coder, unit: np.ndarray) -> Adjustment:
    built, base = build(coder), coder.base
    group, first = joint([unit, built.pattern])
    rows = np.bincount(group).astype(float)
    order = np.argsort(base, kind="stable")          # so that no last digit depends on the order of the file
    weight = np.bincount(group[order], base[order]) / rows
    steps = Adjustment(group, unit[first], built.pattern[first], weight, rows, built, base)
    before, cell_of = steps._state(np.ones(len(steps._base))), steps.cell
    for step, state in steps.replay(np.ones((1, len(rows)))):
        if not np.isfinite(state.adjusted).all():
            raise NotEstimable(unmet(step, before), f"{coder.where}: weighting")
        if (below := (state.adjusted < 0) & (state.totals != 0)).any():
            raise NotEstimable(f"the method linear turns {int(rows[below[0][cell_of]].sum()):,} weights negative, down "
                               f"to {state.adjusted.min():.3g} times what they were: the totals are far from the "
                               "sample's. Correct them, or take the method exponential, or truncated with bounds.",
                               f"{coder.where}: weighting.calibrate")
        before = state
    return steps


@dataclass(frozen=True, eq=False)
class Weights:
    """Final weights (n,) and how they came about.

    Attributes
    ----------
    ledger
        A line for every step: see ``table``.
    margins
        What the steps were to meet: column, kind (*share* of a category or *mean* of a number), category, the
        population's, that of the respondents by base weights and by final weights, and how many respondents there are.
    allowed
        What an option of the study let pass that is refused by default: option, column, category, rows, share.
    """

    weights: np.ndarray
    ledger: pd.DataFrame
    margins: pd.DataFrame
    allowed: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """One row per step: rows with a weight, sum, smallest and largest, Kish design effect, effective n, changed.

        ``changed`` is the share of these rows whose weight the step changed by more than a tenth.
        """
        return self.ledger


def weigh(responses: Responses, where: str = "study") -> Weights:
    """Final weights of the sample: non-response, post-strata, raking, calibration, trimming, as the study declares.

    A *weight* says how many of the population a respondent stands for, and nothing else: weights of customer classes or
    roles, and the importance of an indicator, are other things and are never multiplied into it.

    Raises
    ------
    InputRefused
        When a margin names a category nobody gave, or leaves one out.
    NotEstimable
        When the steps cannot be met together.
    """
    coder, base = Coder(responses, where), responses.design.weights
    steps = _adjustment(coder, np.zeros(len(base), dtype=np.int64))
    pattern = steps.cell[steps.group]
    stages = [("base", base), *((step.name, base * adjusted[pattern]) for step, adjusted in steps._sample)]
    final, rows, before = stages[-1][1], [], base
    for name, weights in stages:
        used = weights > 0
        changed = float((np.abs(weights[used] / before[used] - 1) > CHANGED).mean()) if name != "base" else np.nan
        rows.append((name, int(used.sum()), weights.sum(), weights[used].min(), weights.max(), *kish(weights), changed))
        before = weights
    miss = [("gap", column, category, 0, off) for column, category, off in _missed(steps.built, final)]
    return Weights(
        final, pd.DataFrame(rows, columns=["step", "n", "sum", "low", "high", "deff", "n_eff", "changed"]),
        _against(steps.built, np.where(coder.responded, base, 0), final),
        pd.DataFrame([*coder.allowed, *miss], columns=["option", "column", "category", "rows", "share"]))


def _missed(built: Built, final: np.ndarray) -> list[tuple[str, str, float]]:
    """Margins that raking was allowed to miss, and by how much."""
    out = []
    for margin in (m for step in built.steps if isinstance(step, Rake) and step.gap for m in step.margins):
        off = np.bincount(margin.code, final, len(margin.shares)) / built.population / margin.shares - 1
        out += [(margin.column, name, float(o)) for name, o in zip(margin.names, off, strict=True) if abs(o) > 1e-6]
    return out


def _against(built: Built, base: np.ndarray, final: np.ndarray) -> pd.DataFrame:
    """Every margin of the population beside the sample's, before and after."""
    rows: list[tuple[str, str, str, float, float, float, int]] = []
    for margin in {m.column: m for m in built.margins}.values():          # one that several steps meet, once
        shares = [np.bincount(margin.code, w, len(margin.shares)) / w.sum() for w in (base, final)]
        counts = np.bincount(margin.code[base > 0], minlength=len(margin.shares)).tolist()
        rows += [(margin.column, "share", *each)
                 for each in zip(margin.names, margin.shares, *shares, counts, strict=True)]
    rows += [(number.column, "mean", "", number.mean, float(number.values @ base / base.sum()),
              float(number.values @ final / final.sum()), int((base > 0).sum())) for number in built.numbers]
    return pd.DataFrame(rows, columns=["column", "kind", "category", "target", "before", "after", "n"])
