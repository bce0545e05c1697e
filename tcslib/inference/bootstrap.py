"""Bootstrap factors of the units of a design, a chunk of replicates at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcslib.survey.design import Design
from tcslib.survey.levels import Level

CHUNK = 64          # replicates drawn and multiplied together; fixed, so that no setting changes a last digit
SHRINK = 2.0        # by how much the always-positive bootstrap brings its factors nearer to one


def resample(design: Design, draws: np.ndarray, seed: int, chunk: int) -> np.ndarray:
    """(CHUNK, units) factors: in each stratum of m units so many are drawn with replacement, rescaled to m.

    ``draws`` (strata,): m is the bootstrap of Efron (1979), m - 1 that of Rao & Wu (1988; Rao, Wu & Yue 1992, section
    2); 0 leaves the stratum's units at one.
    """
    sizes = np.bincount(design.unit_stratum, minlength=design.strata_count)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rng = np.random.default_rng([seed, chunk])
    # units are sorted by stratum, so a stratum's units follow one another from its first
    drawn = (rng.random((CHUNK, draws.sum())) * np.repeat(sizes, draws)).astype(np.int64) + np.repeat(first, draws)
    drawn += np.arange(CHUNK)[:, None] * design.units
    counts = np.bincount(drawn.ravel(), minlength=CHUNK * design.units).reshape(CHUNK, design.units)
    still = draws == 0
    factors = counts * np.repeat(sizes / np.where(still, 1, draws), sizes)
    factors[:, still[design.unit_stratum]] = 1.0
    return factors


def halves(stratum: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(CHUNK, units) True for half of each stratum's units, rounded down: those with the smallest keys (0 to 1)."""
    sizes = np.bincount(stratum)
    order = np.argsort(stratum + keys, axis=1)
    rank = np.empty_like(order)
    # sorted by stratum first, so the places of a stratum's units in the order are its own
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(len(stratum)), order.shape), axis=1)
    return rank - (np.cumsum(sizes) - sizes)[stratum] < (sizes // 2)[stratum]


def halved(stratum: np.ndarray, open_share: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """(CHUNK, units) factors of Preston's first stage (2009, eq. 2.2), the halves told by keys; a single unit stays.

    ``open_share`` (units,) is 1 - n / N of the unit's stratum.
    """
    many = np.bincount(stratum)[stratum]
    taken = np.maximum(many // 2, 1)
    scale = np.where(many == 1, 0.0, np.sqrt(taken * open_share / np.maximum(many - taken, 1)))
    return 1 + scale * (many / taken * halves(stratum, keys) - 1)


def preston(stages: Sequence[Level], seed: int, chunk: int) -> np.ndarray:
    """(CHUNK, units of the last level) factors of the rescaled bootstrap for several stages without replacement.

    In each stratum of each stage half of the m units, rounded down, are drawn without replacement; deviations are
    scaled by the sampling fractions of their own and all earlier stages (Preston 2009, eq. 2.2 and 3.2).
    """
    rng = np.random.default_rng([seed, chunk])
    factors = np.ones((CHUNK, 1))
    carry, earlier = np.ones((CHUNK, 1)), np.ones(1)
    for level in stages:
        many, parent = level.drawn[level.stratum], level.parent[level.stratum]
        taken = many // 2
        alone = many == 1          # a single unit stays what it is
        drawn = np.where(alone, 1.0, halves(level.stratum, rng.random((CHUNK, len(many)))))
        share = np.where(alone, 1.0, many / np.maximum(taken, 1))
        scale = np.where(alone, 0.0, np.sqrt(taken * earlier[parent] * (1 - level.fraction[level.stratum])
                                             / np.maximum(many - taken, 1)))
        above = carry[:, parent]
        factors = factors[:, parent] + scale * above * (share * drawn - 1)
        carry, earlier = above * np.sqrt(share) * drawn, earlier[parent] * level.fraction[level.stratum]
    return factors
