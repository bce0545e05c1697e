"""Any function of the data, with its standard error and interval under the sampling design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special
from threadpoolctl import threadpool_limits

from tcslib.inference.moments import Missing, Moments, MomentSource
from tcslib.inference.replicates import CHUNK, Replicates
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import kish

Arrays = Mapping[str, np.ndarray]
OfMoments = Callable[[Moments, Arrays], dict[str, np.ndarray]]
OfRows = Callable[[np.ndarray, np.ndarray, Arrays], dict[str, np.ndarray]]
Bounds = Literal["none", "proportion", "correlation"]

UNDEFINED_LIMIT = 0.05          # beyond this share of undefined replicates a bootstrap interval is not given


@dataclass(frozen=True, eq=False)
class Inference:
    """Estimates and their B replicates, by name.

    Attributes
    ----------
    estimate
        name → array of any shape S.
    draws
        name → (B, *S) replicates, NaN where undefined.
    n, n_eff, df
        Rows used, their Kish effective number under the final weights, degrees of freedom of the design.
    interval
        *t* with the replicate SE on ``df``, or *percentile*; see ``interval_rule``.
    """

    estimate: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    n: int
    n_eff: float
    df: int
    interval: Literal["t", "percentile"]
    replicates: Replicates

    def undefined(self, name: str) -> np.ndarray:
        """Share of replicates in which the statistic is not defined."""
        return 1 - np.isfinite(self.draws[name]).mean(axis=0)

    def se(self, name: str) -> np.ndarray:
        """Standard errors, NaN where too many replicates are undefined."""
        return standard_error(self.draws[name])

    def limits(self, name: str, bounds: Bounds = "none", level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limits; *proportion* works on the logit, *correlation* on Fisher's z, when t is used."""
        return limits(self.estimate[name], self.draws[name], self.df, self.interval, bounds, level)

    def table(self, name: str, labels: Mapping[str, Any] | None = None, bounds: Bounds = "none",
              where: Any = None) -> pd.DataFrame:
        """Tidy frame of one statistic: labels, then estimate, se, low, high, n, n_eff, df, method.

        Parameters
        ----------
        labels
            Column name → one label per row.
        where
            Index into the statistic's array of the entries to show; all by default.
        """
        low, high = self.limits(name, bounds)

        def pick(a: np.ndarray) -> np.ndarray:
            return np.atleast_1d(a if where is None else a[where]).ravel()

        frame = pd.DataFrame({"estimate": pick(self.estimate[name]), "se": pick(self.se(name)),
                              "low": pick(low), "high": pick(high)})
        for position, (column, values) in enumerate((labels or {}).items()):
            frame.insert(position, column, list(values))
        return frame.assign(n=self.n, n_eff=self.n_eff, df=self.df, method=self.method())

    def method(self) -> str:
        """How the interval was made, for the table."""
        return f"{self.interval}, {self.replicates.kind}"

    def derive(self, make: Callable[[Arrays], dict[str, np.ndarray]]) -> Inference:
        """Statistics of these statistics, formed inside each replicate.

        ``make`` receives arrays with a leading axis of replicates (one for the sample itself) and returns the like.
        """
        sample = make({name: value[None] for name, value in self.estimate.items()})
        draws = make(self.draws)
        return Inference({k: v[0] for k, v in sample.items()}, draws, self.n, self.n_eff, self.df, self.interval,
                         self.replicates)


def interval_rule(replicates: Replicates) -> Literal["t", "percentile"]:
    """Percentile intervals for simple random samples, t intervals on the design's df otherwise.

    With few PSUs a percentile interval is too short: for a mean from 15 PSUs it covers 91%, the t interval 95%.
    """
    return "percentile" if replicates.design.simple and not replicates.steps.calibrated else "t"


def standard_error(draws: np.ndarray) -> np.ndarray:
    """Root of the squared deviations from the replicates' mean over B - 1 (R survey's ``mse = FALSE``)."""
    finite = np.isfinite(draws)
    clean = np.where(finite, draws, np.nan)
    count = finite.sum(axis=0)
    enough = (count >= 2) & (count >= (1 - UNDEFINED_LIMIT) * len(draws))
    mean = np.where(finite, draws, 0).sum(axis=0) / np.maximum(count, 1)
    squares = np.nansum((clean - mean) ** 2, axis=0)
    return np.where(enough, np.sqrt(squares / np.maximum(count - 1, 1)), np.nan)


Function = Callable[[np.ndarray], np.ndarray]


def _transforms(bounds: Bounds) -> tuple[Function, Function, Function]:
    """The scale an interval is made on: there, its slope, and back."""
    if bounds == "proportion":
        return lambda p: np.log(p / (1 - p)), lambda p: 1 / (p * (1 - p)), lambda x: 1 / (1 + np.exp(-x))
    if bounds == "correlation":
        return np.arctanh, lambda r: 1 / (1 - r ** 2), np.tanh
    return lambda x: x, np.ones_like, lambda x: x


def limits(estimate: np.ndarray, draws: np.ndarray, df: int, how: str, bounds: Bounds = "none",
           level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval limits from replicates.

    With *t*, a proportion's or correlation's interval is made on the transformed scale with the delta-method SE
    (Korn & Graubard 1999, section 2.5), so that it stays inside its bounds. Undefined where df < 1.
    """
    tail = (1 - level) / 2
    estimate = np.asarray(estimate, dtype=float)
    se = standard_error(draws)
    if how == "percentile":
        sound = np.isfinite(se)
        clean = np.where(np.isfinite(draws) & sound, draws, np.where(sound, np.nan, 0.0))
        low, high = np.nanquantile(clean, [tail, 1 - tail], axis=0)
        return np.where(sound, low, np.nan), np.where(sound, high, np.nan)
    if df < 1:
        return np.full_like(estimate, np.nan), np.full_like(estimate, np.nan)
    there, slope, back = _transforms(bounds)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = special.stdtrit(df, 1 - tail) * se * slope(estimate)
        return back(there(estimate) - half), back(there(estimate) + half)


def means(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
    """The plainest statistic for ``infer``: ``mean`` (b, p) of the items."""
    return {"mean": moments.mean}


def infer(statistic: OfMoments, responses: Responses, replicates: Replicates, items: Sequence[str], *,
          missing: Missing = "pairwise", fitted: Inference | None = None) -> Inference:
    """A function of the items' moments (the first kind), in the sample and in every replicate.

    Parameters
    ----------
    statistic
        ``f(moments, fitted) -> {name: (b, …) array}``; pure, and the same for each of the b weightings by itself.
    items
        Columns of the moments.
    fitted
        An earlier inference under the same replicates, whose arrays the statistic receives replicate by replicate.
    """
    source = MomentSource(responses.matrix(items), replicates, responses.domain, missing)
    with one_thread(), quiet():
        sample = statistic(source.sample(), _sample_of(fitted))

    def run(chunks: range) -> dict[str, np.ndarray]:
        return statistic(source.block(chunks), _draws_of(fitted, chunks))

    results = replicates.count * sum(value.nbytes for value in sample.values())
    return _collect(sample, run, source.budget(results), replicates, source.n, source.n_eff)


def infer_rows(statistic: OfRows, responses: Responses, replicates: Replicates, items: Sequence[str], *,
               fitted: Inference | None = None) -> Inference:
    """A function of the rows and their replicate weights (the second kind): quantiles, curves, shares of segments.

    ``statistic(rows, weights, fitted)`` receives (m, p) answers of the domain's m rows, (b, m) weights and, when
    given, the fitted arrays of the same b replicates.
    """
    x, used = responses.matrix(items), np.flatnonzero(responses.domain & (responses.design.weights > 0))
    used = used[np.argsort(replicates.design.ids[used], kind="stable")]
    rows, base, group = x[used], replicates.design.weights[used], replicates.steps.group[used]
    with one_thread(), quiet():
        sample = statistic(rows, replicates.sample_weights[used][None], _sample_of(fitted))

    def run(chunks: range) -> dict[str, np.ndarray]:
        parts = []
        for chunk in chunks:
            weights = replicates.factors(chunk)[:, group] * base
            sound = np.isfinite(weights).all(axis=1)
            part = statistic(rows, np.where(sound[:, None], weights, 1.0), _draws_of(fitted, range(chunk, chunk + 1)))
            parts.append({k: np.where(sound.reshape(-1, *[1] * (v.ndim - 1)), v, np.nan) for k, v in part.items()})
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    return _collect(sample, run, 1, replicates, len(used), kish(replicates.sample_weights[used])[1])


def one_thread() -> threadpool_limits:
    """One BLAS thread: the products are small, and their last digits must not depend on how many cores there are."""
    return threadpool_limits(1, user_api="blas")


def quiet() -> np.errstate:
    """What is not defined in a weighting is NaN there and counted; numpy need not warn of it as well."""
    return np.errstate(divide="ignore", invalid="ignore")


def _sample_of(fitted: Inference | None) -> Arrays:
    return {} if fitted is None else {name: value[None] for name, value in fitted.estimate.items()}


def _draws_of(fitted: Inference | None, chunks: range) -> Arrays:
    """The fitted replicates of these chunks; the last chunk is padded, its surplus replicates are cut off later."""
    if fitted is None:
        return {}
    out = {}
    for name, draws in fitted.draws.items():
        part = draws[chunks.start * CHUNK:chunks.stop * CHUNK]
        short = len(chunks) * CHUNK - len(part)
        out[name] = np.concatenate([part, np.repeat(part[-1:], short, axis=0)]) if short else part
    return out


def _collect(sample: dict[str, np.ndarray], run: Callable[[range], dict[str, np.ndarray]], at_once: int,
             replicates: Replicates, n: int, n_eff: float) -> Inference:
    draws = {name: np.empty((replicates.count, *value.shape[1:])) for name, value in sample.items()}

    def fill(chunks: range) -> None:
        start, stop = chunks.start * CHUNK, min(chunks.stop * CHUNK, replicates.count)
        with quiet():          # each thread has its own
            found = run(chunks)
        for name, value in found.items():
            draws[name][start:stop] = value[:stop - start]

    with one_thread(), ThreadPoolExecutor(replicates.workers) as pool:
        list(pool.map(fill, replicates.blocks(at_once)))
    return Inference({k: v[0] for k, v in sample.items()}, draws, n, n_eff, replicates.df, interval_rule(replicates),
                     replicates)
