"""Replicate weights that follow the sampling design.

Draws depend on the seed, the number of the replicate and the sorted ids of the resampling units, on nothing else:
not on the order of rows, the size of blocks or the number of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tcslib.errors import InputRefused, NotEstimable
from tcslib.survey.design import Design
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import UNMET, Adjustment, adjustment

CHUNK = 64          # replicates drawn and multiplied together; fixed, so that no setting changes a last digit

Kind = Literal["simple", "rao_wu"]


@dataclass(frozen=True, eq=False)
class Replicates:
    """B bootstrap replicates of a design, with the weighting replayed in each.

    ``kind`` *simple*: n rows drawn from n with replacement (Efron 1979). *rao_wu*: in each stratum of m PSUs, m - 1
    are drawn with replacement and weights rescaled by m / (m - 1) (Rao & Wu 1988; Rao, Wu & Yue 1992, with m - 1
    draws); the first-stage finite population correction is ignored, which errs on the safe side.
    Variance: the sum of squared deviations from the replicates' mean, over B - 1.
    """

    design: Design
    steps: Adjustment
    kind: Kind
    count: int
    seed: int
    memory_mb: int = 500
    workers: int = 1

    @property
    def df(self) -> int:
        """Degrees of freedom of the design."""
        return self.design.df

    def unit_factors(self, chunk: int) -> np.ndarray:
        """(CHUNK, units) resampling factors of one chunk of replicates, before weighting."""
        return resample(self.design, self.kind, self.seed, chunk)

    def factors(self, chunk: int) -> np.ndarray:
        """(CHUNK, G) final over base weight for each weighting group, steps replayed; NaN rows are undefined."""
        return self.steps.factors(self.unit_factors(chunk))

    def weights(self, chunk: int) -> np.ndarray:
        """(CHUNK, n) replicate weights of the rows."""
        return self.factors(chunk)[:, self.steps.group] * self.design.weights

    @cached_property
    def sample_factors(self) -> np.ndarray:
        """(1, G) final over base weight in the sample itself."""
        return self.steps.factors(np.ones((1, self.design.units)))

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


def resample(design: Design, kind: Kind, seed: int, chunk: int) -> np.ndarray:
    """(CHUNK, units) resampling factors of a design's units in one chunk of replicates."""
    sizes = np.bincount(design.unit_stratum)
    draws = sizes if kind == "simple" else sizes - 1
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rng = np.random.default_rng([seed, chunk])
    # units are sorted by stratum, so a stratum's units follow one another from its first
    drawn = (rng.random((CHUNK, draws.sum())) * np.repeat(sizes, draws)).astype(np.int64) + np.repeat(first, draws)
    drawn += np.arange(CHUNK)[:, None] * design.units
    counts = np.bincount(drawn.ravel(), minlength=CHUNK * design.units).reshape(CHUNK, design.units)
    return counts * np.repeat(sizes / draws, sizes)


def replicate(responses: Responses, count: int = 2000, seed: int = 20260930, *, memory_mb: int = 500,
              workers: int = 1, where: str = "study") -> Replicates:
    """Replicates for these responses: simple when rows were drawn at random, Rao–Wu under strata or clusters.

    Parameters
    ----------
    count
        Number of replicates B.
    seed
        Any whole number from 0.
    memory_mb
        Ceiling on the arrays held at a time, in megabytes.
    workers
        Threads that share the blocks; results do not depend on it.

    Raises
    ------
    InputRefused
        For a stratum with a single PSU, whose variance cannot be told.
    NotEstimable
        When raking and trimming cannot both be met in the sample itself.
    """
    design = responses.design
    if lonely := design.lonely():
        raise InputRefused(f"{len(lonely)} of {design.strata_count} strata hold a single sampling unit "
                           f"({', '.join(lonely[:5])}), so their variance cannot be told. Merge them with a neighbour.",
                           f"{where}: design.strata")
    kind: Kind = "simple" if design.strata is None and design.clusters is None else "rao_wu"
    replicates = Replicates(design, adjustment(responses, where), kind, count, seed, memory_mb, workers)
    if not np.isfinite(replicates.sample_factors).all():
        raise NotEstimable(UNMET, f"{where}: weighting")
    return replicates
