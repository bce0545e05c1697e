"""Any function of the data, with its standard error and interval under the sampling design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from tcslib.errors import NotEstimable
from tcslib.inference.intervals import UNDEFINED_LIMIT, Bounds, Rule, percentile_limits, t_limits
from tcslib.inference.moments import Missing, Moments, MomentSource
from tcslib.inference.replicates import CHUNK, Replicates
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import kish

Arrays = Mapping[str, np.ndarray]
OfMoments = Callable[[Moments, Arrays], dict[str, np.ndarray]]
OfRows = Callable[[np.ndarray, np.ndarray, Arrays], dict[str, np.ndarray]]
MANY = 2000          # draws of the sampling distribution where the replicates are none themselves


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
    interval: Rule
    replicates: Replicates

    def undefined(self, name: str) -> np.ndarray:
        """Share of replicates in which the statistic is not defined."""
        return 1 - np.isfinite(self.draws[name]).mean(axis=0)

    def se(self, name: str) -> np.ndarray:
        """Standard errors, NaN where too many replicates are undefined."""
        return np.sqrt(self.replicates.variance(self.draws[name], self.estimate[name]))

    def limits(self, name: str, bounds: Bounds = "none", level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limits; *proportion* works on the logit, *correlation* on Fisher's z, when t is used."""
        if self.interval == "percentile":
            return percentile_limits(self.draws[name], level)
        return t_limits(self.estimate[name], self.se(name), self.df, level, bounds)

    def spread(self, name: str) -> np.ndarray:
        """(many, *S) draws from the sampling distribution, for how often one statistic is ahead of another.

        The replicates of a bootstrap are such draws. Shrunken, listed or given ones are not: their scaled deviations
        are mixed by normal numbers, the same for every name, which keeps all covariances.
        """
        if self.replicates.kind in ("simple", "rao_wu", "preston"):
            return self.draws[name]
        deviations = self.replicates.deviations(self.draws[name], self.estimate[name])
        mix = np.random.default_rng(self.replicates.seed).standard_normal((MANY, len(deviations)))
        return self.estimate[name] + np.tensordot(mix, deviations, 1)

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


def interval_rule(replicates: Replicates) -> Rule:
    """Percentile intervals for simple random samples, t intervals on the design's df otherwise.

    With few PSUs a percentile interval is too short: for a mean from 15 PSUs it covers 91%, the t interval 95%.
    """
    plain = replicates.kind == "simple" and replicates.design.simple and not replicates.steps.calibrated
    return "percentile" if plain else "t"


def means(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
    """The plainest statistic for ``infer``: ``mean`` (b, p) of the items."""
    return {"mean": moments.mean}


def infer(statistic: OfMoments, responses: Responses, replicates: Replicates, items: Sequence[str], *,
          missing: Missing = "pairwise", fitted: Inference | None = None, products: bool = True) -> Inference:
    """A function of the items' moments (the first kind), in the sample and in every replicate.

    Parameters
    ----------
    statistic
        ``f(moments, fitted) -> {name: (b, …) array}``; pure, and the same for each of the b weightings by itself.
    items
        Columns of the moments.
    fitted
        An earlier inference under the same replicates, whose arrays the statistic receives replicate by replicate.
    products
        False for a statistic of means alone, which is several times faster.
    """
    source = MomentSource(responses.matrix(items), replicates, responses.domain, missing, products)
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


def check_weighted(found: Inference) -> None:
    """Refuse where the weighting is not met in so many replicates that nothing has a standard error.

    Raises
    ------
    NotEstimable
        With the number of these replicates.
    """
    replicates = found.replicates
    limit = UNDEFINED_LIMIT * replicates.count if replicates.scales is None else 0
    lost = np.any([np.isnan(v).reshape(len(v), -1).all(axis=1) for v in found.draws.values()], axis=0)
    if lost.sum() <= limit or not replicates.steps.calibrated:
        return
    failed = sum(int((~np.isfinite(replicates.factors(chunk)).all(axis=1))[:replicates.count - chunk * CHUNK].sum())
                 for chunk in np.unique(np.flatnonzero(lost) // CHUNK).tolist())
    if failed > limit:
        raise NotEstimable(f"it cannot be met in {failed:,} of {replicates.count:,} replicates (a small category is "
                           "lost, or limits and totals no longer fit together), so nothing has a standard error. Merge "
                           "small categories, widen limits, or set replicates.method to positive.", "weighting")
