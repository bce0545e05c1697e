"""Factors of the replicates that are listed, not drawn: the jackknife and balanced half-samples."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from tcslib.survey.design import Design


def deleted(design: Design) -> np.ndarray:
    """(replicates,) the unit each replicate of the jackknife leaves out: all that have a fellow in their stratum."""
    return np.flatnonzero(np.bincount(design.unit_stratum)[design.unit_stratum] > 1)


def jackknife(design: Design, left_out: np.ndarray) -> np.ndarray:
    """(r, units) factors: the unit left out 0, its fellows in the stratum m / (m - 1), all others 1.

    JK1 without strata, JKn with them (Wolter 2007, section 4.5).
    """
    stratum, sizes = design.unit_stratum, np.bincount(design.unit_stratum)[design.unit_stratum]
    same = stratum[left_out][:, None] == stratum
    factors = np.where(same, sizes / np.maximum(sizes - 1, 1), 1.0)
    factors[np.arange(len(left_out)), left_out] = 0.0
    return factors


def jackknife_scales(design: Design) -> np.ndarray:
    """(replicates,) multipliers of squared deviations: (m - 1) / m, times 1 - f where the frame's count is known."""
    left_out = deleted(design)
    stratum = design.unit_stratum[left_out]
    sizes = np.bincount(design.unit_stratum)[stratum]
    return (sizes - 1) / sizes * design.open_share[stratum]


def half_samples(strata: int) -> np.ndarray:
    """(R, strata) signs ±1, orthogonal and balanced over the strata, R the next power of two above their number.

    Columns of a Hadamard matrix other than its first (McCarthy 1969).
    """
    return linalg.hadamard(1 << max(1, strata.bit_length()))[:, 1:strata + 1]


def balanced(design: Design, signs: np.ndarray, fay: float) -> np.ndarray:
    """(r, units) factors 1 ± (1 - fay) for the two units of each stratum (Judkins 1990; fay = 0 is plain BRR)."""
    second = np.concatenate([[False], design.unit_stratum[1:] == design.unit_stratum[:-1]])
    return 1 + (1 - fay) * signs[:, design.unit_stratum] * np.where(second, -1, 1)
