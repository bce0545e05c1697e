"""Replicate weights that follow the sampling design.

Draws depend on the seed, the number of the replicate and the sorted ids of the resampling units, on nothing else:
not on the order of rows, the size of blocks or the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tcslib.errors import NotEstimable
from tcslib.inference.bootstrap import CHUNK, SHRINK, preston, resample
from tcslib.inference.designs import Kind, Method, check_method, resampled, settled
from tcslib.inference.halving import balanced, deleted, half_samples, jackknife, jackknife_scales
from tcslib.inference.intervals import UNDEFINED_LIMIT
from tcslib.survey.design import Design
from tcslib.survey.levels import Level, levels
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import UNMET, Adjustment, adjustment

DRAWN = ("simple", "rao_wu", "preston", "positive")          # bootstraps: their number is free
KEPT, NEEDED = 0.2, 100       # share of the memory setting, beyond the megabytes one inference needs, for what all need


@dataclass(frozen=True, eq=False)
class Shelf:
    """Arrays of the first chunks, so many as there is room for; of later ones none.

    Every inference walks all chunks in order: a rule that dropped the oldest would always drop what is asked for next.
    Threads work on different chunks, and which chunks are kept does not depend on who comes first.
    """

    chunks: int
    arrays: dict[int, np.ndarray] = field(default_factory=dict)

    def get(self, chunk: int, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The chunk's array, made where it is not kept."""
        if (found := self.arrays.get(chunk)) is None:
            found = make()
            if chunk < self.chunks:
                found.flags.writeable = False
                self.arrays[chunk] = found
        return found


@dataclass(frozen=True, eq=False)
class Replicates:
    """B replicates of a design, with the weighting replayed in each.

    Drawn: *simple*, n rows from n with replacement (Efron 1979). *rao_wu*, in each stratum of m PSUs m - 1 are drawn
    with replacement and weights rescaled by m / (m - 1) (Rao & Wu 1988; Rao, Wu & Yue 1992); finite population
    corrections are ignored, which errs on the safe side. *preston*, half of the units of each stage without
    replacement, rescaled by the sampling fractions of all stages (Preston 2009). *positive*, Rao–Wu's factors brought
    half-way to one and deviations doubled, so that no weight is ever zero and no category lost (Beaumont & Patak 2012,
    section 5). Listed: *jackknife* (JK1, JKn with strata), *brr* and *fay* (half-samples of two PSUs a stratum).
    *given*, as delivered with the data.
    Variance: the sum of squared deviations from the replicates' mean (R survey's ``mse = FALSE``) times ``scales``.

    Attributes
    ----------
    design, steps
        The design, and its weighting steps coded for replay over the units that are resampled.
    count, seed
        Replicates, and the seed of those that are drawn.
    fay
        Fay's coefficient, 0 to below 1.
    """

    design: Design
    steps: Adjustment
    kind: Kind
    count: int
    seed: int
    memory_mb: int = 500
    workers: int = 1
    fay: float = 0.0

    @property
    def df(self) -> int:
        """Degrees of freedom of the design."""
        return self.design.df if self.design.given is None or self.kind != "given" else self.design.given.df

    @cached_property
    def complete(self) -> bool:
        """Whether every unit of the frame answered and the replicates know it: no standard error is above 0.

        Tables and ``results.json`` then hold se 0 and low = high = the estimate; the page names no interval.
        """
        corrected = self.kind in ("preston", "jackknife") and self.design.fpc is not None
        return corrected and all((level.fraction >= 1).all() for level in levels(self.design))

    @cached_property
    def scales(self) -> np.ndarray | None:
        """(B,) multipliers of the squared deviations; None for the bootstraps, whose deviations all count alike."""
        if self.kind == "jackknife":
            return jackknife_scales(self.design)
        if self.kind in ("brr", "fay"):
            return np.full(self.count, 1 / (self.count * (1 - self.fay) ** 2))
        return self.design.given.scales if self.kind == "given" and self.design.given else None

    def unit_factors(self, chunk: int) -> np.ndarray:
        """(CHUNK, units) resampling factors of one chunk of replicates, before weighting; ones after the last."""
        if self.kind in DRAWN:
            return self._drawn(chunk)
        at = np.arange(chunk * CHUNK, min((chunk + 1) * CHUNK, self.count))
        if self.kind == "given":
            factors = self._given[at]
        elif self.kind == "jackknife":
            factors = jackknife(self.design, deleted(self.design)[at])
        else:
            factors = balanced(self.design, half_samples(self.design.strata_count)[at], self.fay)
        return np.vstack([factors, np.ones((CHUNK - len(at), factors.shape[1]))])

    def _drawn(self, chunk: int) -> np.ndarray:
        if self.kind == "preston":
            return preston(self._levels, self.seed, chunk)
        sizes = np.bincount(self.design.unit_stratum)
        factors = resample(self.design, sizes if self.kind == "simple" else sizes - 1, self.seed, chunk)
        return 1 + (factors - 1) / SHRINK if self.kind == "positive" else factors

    @cached_property
    def _levels(self) -> list[Level]:
        return list(levels(self.design))

    @cached_property
    def _given(self) -> np.ndarray:
        """(R, n) replicate over final weight, rows in the order of their ids; rows without weight keep none."""
        assert self.design.given is not None
        with np.errstate(divide="ignore", invalid="ignore"):
            factors = np.nan_to_num(self.design.given.weights / self.design.weights[:, None], posinf=0.0)
        return factors[self.design.order].T

    def deviations(self, draws: np.ndarray, estimate: np.ndarray) -> np.ndarray:
        """(B, …) deviations whose squares add up to the variance; NaN for a statistic undefined too often.

        A bootstrap may miss one in twenty, a jackknife, half-samples or given replicates none.
        """
        finite = np.isfinite(draws)
        count = finite.sum(axis=0)
        about = estimate if self.kind == "given" and self.design.given and self.design.given.about == "estimate" else (
            np.where(finite, draws, 0).sum(axis=0) / np.maximum(count, 1))
        apart = np.where(finite, draws - about, 0.0)
        # what rounding alone sets apart is no error: of a census everybody answered there is none
        apart = np.where(np.abs(apart) <= 1e-12 * (1 + np.abs(about)), 0.0, apart)
        if self.scales is not None:
            each = np.sqrt(self.scales).reshape(-1, *[1] * (draws.ndim - 1))
            return np.where(count == len(draws), apart * each, np.nan)
        enough = (count >= 2) & (count >= (1 - UNDEFINED_LIMIT) * len(draws))
        each = (SHRINK if self.kind == "positive" else 1.0) / np.sqrt(np.maximum(count - 1, 1))
        return np.where(enough, apart * each, np.nan)

    def variance(self, draws: np.ndarray, estimate: np.ndarray) -> np.ndarray:
        """Variances of statistics from their (B, …) replicates."""
        return (self.deviations(draws, estimate) ** 2).sum(axis=0)

    def factors(self, chunk: int) -> np.ndarray:
        """(CHUNK, G) final over base weight for each weighting group, steps replayed; NaN rows are undefined."""
        drawn, adjusted = self._shelves
        of_units = drawn.get(chunk, lambda: self.unit_factors(chunk))
        if not self.steps.calibrated:
            return self.steps.factors(of_units)
        return self.steps.factors(of_units, adjusted.get(chunk, lambda: self.steps.adjusted(of_units)))

    @cached_property
    def _shelves(self) -> tuple[Shelf, Shelf]:
        """What was drawn and how the steps adjusted it: the second takes longer to make and comes first."""
        room, shelves = self.kept_mb * 1e6, []
        for width in (self.steps.patterns if self.steps.calibrated else 0, self.steps.units * (self.kind in DRAWN)):
            size = 8 * CHUNK * width
            shelves.append(Shelf(min(len(self.chunks()), int(room // size)) if size else 0))
            room -= shelves[-1].chunks * size
        return shelves[1], shelves[0]

    @property
    def kept_mb(self) -> float:
        """Megabytes that may be kept from one inference to the next."""
        return KEPT * max(0, self.memory_mb - NEEDED)

    @property
    def room(self) -> float:
        """Bytes of the memory setting that are left for one inference."""
        kept = sum(shelf.chunks * width for shelf, width in zip(
            self._shelves, (self.steps.units, self.steps.patterns), strict=True))
        return self.memory_mb * 1e6 - 8 * CHUNK * kept

    def weights(self, chunk: int) -> np.ndarray:
        """(CHUNK, n) replicate weights of the rows."""
        return self.factors(chunk)[:, self.steps.group] * self.design.weights

    @cached_property
    def sample_factors(self) -> np.ndarray:
        """(1, G) final over base weight in the sample itself."""
        return self.steps.factors(np.ones((1, self.steps.units)))

    @cached_property
    def sample_weights(self) -> np.ndarray:
        """(n,) final weights of the sample itself."""
        return self.sample_factors[0][self.steps.group] * self.design.weights

    def chunks(self) -> range:
        """Numbers of the chunks that make up all replicates; the last may be used in part."""
        return range(-(-self.count // CHUNK))

    def blocks(self, chunks_at_once: int) -> Iterator[range]:
        """The chunks in runs of at most so many."""
        for start in range(0, len(self.chunks()), chunks_at_once):
            yield range(start, min(start + chunks_at_once, len(self.chunks())))


def replicate(responses: Responses, count: int = 2000, seed: int = 20260930, *, method: Method = "bootstrap",
              fay: float = 0.3, memory_mb: int = 500, workers: int = 1, where: str = "study") -> Replicates:
    """Replicates for these responses.

    Parameters
    ----------
    count
        Number of replicates B of a bootstrap; the others know their own.
    seed
        Any whole number from 0.
    method
        *bootstrap*: simple when rows were drawn at random, Rao–Wu under strata or clusters; the others as in
        ``Replicates``.
    fay
        Fay's coefficient, for *fay*.
    memory_mb
        Ceiling on the arrays held at a time, in megabytes.
    workers
        Threads that share the blocks; results do not depend on it.

    Raises
    ------
    InputRefused
        For a stratum with a single PSU, unless the design says what to do with it; for a method the design cannot
        carry.
    NotEstimable
        When raking and trimming cannot both be met in the sample itself.
    """
    responses = responses if method == "given" else settled(responses, where)
    design = responses.design
    check_method(design, method, where)
    kind: Kind = method if method != "bootstrap" else (
        "simple" if design.strata is None and design.clusters is None else "rao_wu")
    if kind == "given" and design.given is not None:
        count = design.given.weights.shape[1]
    elif kind == "jackknife":
        count = len(deleted(design))
    elif kind in ("brr", "fay"):
        count = len(half_samples(design.strata_count))
    steps = adjustment(replace(responses, design=resampled(design, kind)), where)
    replicates = Replicates(design, steps, kind, count, seed, memory_mb, workers, fay if kind == "fay" else 0.0)
    if not np.isfinite(replicates.sample_factors).all():
        raise NotEstimable(UNMET, f"{where}: weighting")
    return replicates
