"""Post-stratification, raking, calibration and trimming as steps that are replayed in every replicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tcslib.survey.weighting import Method, Trimming
from tcslib.weighting.calibration import Distance, exponential, linear, logit, rake_cells, solve, truncated
from tcslib.weighting.coding import Margin, summed
from tcslib.weighting.state import State, Step, explained

TRIM_ROUNDS = 50
SLACK = 1e-9          # a weight within this share of a limit keeps it


@dataclass(frozen=True, eq=False)
class PostStratify:
    """The weight of each cell becomes its population total (Holt & Smith 1979)."""

    margin: Margin
    cell: np.ndarray          # (K,) of each pattern
    population: float
    name: str = "post_stratified"
    calibrates: bool = True
    own_weights: bool = False

    def factors(self, state: State) -> np.ndarray:
        """Known over weighted total of the cell; NaN where a cell was lost."""
        got = summed(state.totals, self.cell, len(self.margin.shares))
        return _lost(np.where(got > 0, self.margin.shares * self.population / got, np.nan))[:, self.cell]

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """The value less its mean in the cell."""
        used = before if free is None else before * free
        code, cells = self.cell[pattern], len(self.margin.shares)
        weight = np.bincount(code, used, cells)
        means = summed((values * used[:, None]).T, code, cells) / np.where(weight > 0, weight, 1)
        return values - means.T[code]


@dataclass(frozen=True, eq=False)
class Rake:
    """Raking to several margins, over their joint cells."""

    margins: tuple[Margin, ...]
    cell: np.ndarray                       # (K,) of each pattern
    members: tuple[np.ndarray, ...]        # of each margin, (C, categories)
    population: float
    gap: float = 0.0
    name: str = "raked"
    calibrates: bool = True
    own_weights: bool = False

    def factors(self, state: State) -> np.ndarray:
        """Products of a factor for each category; see ``rake_cells``."""
        totals = summed(state.totals, self.cell, len(self.members[0]))
        return rake_cells(totals, self.members, [m.shares for m in self.margins], self.population,
                          self.gap)[:, self.cell]

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """The value less its regression on all categories."""
        used = before if free is None else before * free
        return values - explained(values, used, self.cell[pattern], np.hstack(self.members))


@dataclass(frozen=True, eq=False)
class Calibrate:
    """Calibration to auxiliary totals (Deville & Särndal 1992)."""

    labels: tuple[str, ...]          # of the auxiliaries
    cell: np.ndarray                 # (K,) of each pattern
    x: np.ndarray                    # (C, p), numbers centred on what is known of them and scaled
    target: np.ndarray               # (p,)
    scale: np.ndarray                # (p,) what a miss is measured against
    method: Method
    bounds: tuple[float, float] | None = None
    on_weight: bool = False
    name: str = "calibrated"
    calibrates: bool = True

    @property
    def own_weights(self) -> bool:
        """Bounds on the weight are others for each weight before."""
        return self.on_weight

    def limits(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bounds of the factors at weights (b, K) before, (b, K) or (b, 1)."""
        low, high = self.bounds or (-np.inf, np.inf)
        if not self.on_weight:
            return np.full((len(weights), 1), low), np.full((len(weights), 1), high)
        sure = np.where(weights > 0, weights, 1)
        return np.where(weights > 0, low / sure, 0.5), np.where(weights > 0, high / sure, 2.0)

    def factors(self, state: State) -> np.ndarray:
        """F(x'λ) with the λ that meets the totals; NaN where none does."""
        cells = len(self.x)
        if not self.on_weight:
            totals = summed(state.totals, self.cell, cells)
            return self._solved(totals, self.x, *self.limits(totals))[:, self.cell]
        low, high = self.limits(state.weights)
        inside = ~((self.method == "logit") & (state.totals > 0) & ((low >= 1) | (high <= 1))).any(axis=1)
        out = np.full_like(state.totals, np.nan)
        if inside.any():
            ends = np.where(low < 1, low, 0.5), np.where(high > 1, high, 2.0)          # of patterns that weigh nothing
            low, high = ends if self.method == "logit" else (low, high)
            out[inside] = self._solved(state.totals[inside], self.x[self.cell], low[inside], high[inside])
        return out

    def _solved(self, totals: np.ndarray, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        distance = self.distance(low, high)
        target = np.broadcast_to(self.target, (len(totals), len(self.target)))
        predictor, _ = solve(totals, x, target, self.scale, distance)
        return _lost(distance(predictor, np.arange(len(totals)))[0])

    def distance(self, low: np.ndarray, high: np.ndarray) -> Distance:
        """The method's F."""
        if self.method == "linear":
            return linear
        return exponential if self.method == "exponential" else \
            logit(low, high) if self.method == "logit" else truncated(low, high)

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """The value less its regression on the auxiliaries, by the weights before (their eq. 3.4)."""
        used = before if free is None else before * free
        return values - explained(values, used, self.cell[pattern], self.x)


@dataclass(frozen=True, eq=False)
class Trim:
    """Weights held within limits; what is cut off is redistributed (Potter 1990 reviews the ways)."""

    rule: Trimming
    again: tuple[Step, ...]          # the steps that met known totals
    population: float
    name: str = "trimmed"
    calibrates: bool = False
    own_weights: bool = True

    def factors(self, state: State) -> np.ndarray:
        """Weight within the limits over weight before."""
        if self.rule.redistribute == "calibrate":
            return self._calibrated(state)
        low, high = self.limits(state, state.weights)
        factors, cut = np.ones_like(state.drawn), np.zeros(state.drawn.shape, dtype=bool)
        for _ in range(TRIM_ROUNDS):
            weights = state.weights * factors
            outside = self._outside(state, weights, low, high)
            if not outside.any():
                break
            cut |= outside
            within = np.where(outside, np.clip(weights, low, high), weights)
            lost = (state.times * (weights - within)).sum(axis=1, keepdims=True)
            free = np.where(cut, 0.0, state.times * (state.weights > 0))
            share = free if self.rule.redistribute == "equal" else free * within
            with np.errstate(divide="ignore", invalid="ignore"):
                more = lost / share.sum(axis=1, keepdims=True)
                within = np.where(cut | (within == 0), within, within + more * (
                    1.0 if self.rule.redistribute == "equal" else within))
            nobody = (share.sum(axis=1, keepdims=True) <= 0) & (lost != 0)          # nobody is left to take it
            within = np.where(nobody, np.nan, within)
            factors = within / np.where(state.weights > 0, state.weights, 1)
            if not self.rule.strict:
                return _lost(factors)
        return np.where(self._outside(state, state.weights * factors, low, high).any(axis=1, keepdims=True), np.nan,
                        _lost(factors))

    def _calibrated(self, state: State) -> np.ndarray:
        """Cut, meet the totals again, and so on until both hold."""
        out = np.full_like(state.drawn, np.nan)
        rows, now = np.arange(len(out)), state          # the weightings not done yet, and how far they are
        for number in range(TRIM_ROUNDS):
            for step in self.again if number else ():
                now = now.times_factors(step.factors(now))
            if not self.again:
                now = now.times_factors(self.population / now.totals.sum(axis=1, keepdims=True))
            weights = now.weights
            low, high = self.limits(now, weights)
            going = np.any(self._outside(now, weights, low, high), axis=1)
            done, start = ~going, state.adjusted[rows[~going]]
            out[rows[done]] = now.adjusted[done] / np.where(start > 0, start, 1)
            if done.all():
                break
            # what is cut off goes to the other weights by the next round
            within = np.where(weights > 0, np.clip(weights, low, high) / np.where(weights > 0, weights, 1), 1)
            rows, now = rows[going], now.times_factors(within).take(going)
        return out

    def _outside(self, state: State, weights: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        beyond = (weights > high * (1 + SLACK)) | ((weights < low * (1 - SLACK)) & (weights > 0))
        return beyond & (state.drawn > 0)

    def limits(self, state: State, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(b, 1) smallest and largest weight."""
        times = state.times * (weights > 0)
        if self.rule.of == "mean":
            unit = ((times * weights).sum(axis=1) / times.sum(axis=1))[:, None]
        elif self.rule.of == "median":
            unit = np.array([_median(w, t) for w, t in zip(weights, times, strict=True)])[:, None]
        else:
            unit = np.ones((len(weights), 1))
        return unit * (self.rule.below or 0.0), unit * (np.inf if self.rule.above is None else self.rule.above)

    def held(self, state: State) -> np.ndarray:
        """(K,) True for the patterns whose weight in the sample, after this step, is a limit."""
        weights = state.weights
        low, high = self.limits(state, weights)
        return ((weights >= high * (1 - 1e-6)) | (weights <= low * (1 + 1e-6)))[0]

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """The limits are taken as fixed; where totals were met again, by the weights that were not cut."""
        for step in reversed(self.again):
            values = step.residuals(values, before, pattern, free)
        return values


def joined(margins: Sequence[Margin], first: np.ndarray) -> tuple[np.ndarray, ...]:
    """For each margin the members (C, categories) of the joint cells that rows ``first`` (C,) show."""
    return tuple((m.code[first][:, None] == np.arange(len(m.names))).astype(float) for m in margins)


def _lost(factors: np.ndarray) -> np.ndarray:
    """Whole rows of NaN where any is, so that no half-met weighting is used."""
    return np.where(np.isfinite(factors).all(axis=1, keepdims=True), factors, np.nan)


def _median(weights: np.ndarray, times: np.ndarray) -> float:
    """The weight of the middle one, each drawn so many times."""
    order = np.argsort(weights, kind="stable")
    run = np.cumsum(times[order])
    at = int(np.searchsorted(run, run[-1] / 2 * (1 - SLACK)))
    return float(weights[order[min(at, len(order) - 1)]])
