"""Variances of totals under sampling with probability proportional to size, without replacement.

Each function gives what ``sample_of(…, variance=…)`` takes: expanded values z = y/π (n, k) → (k, k) covariance of their
sums. Units drawn with replacement need nothing of this (Hansen & Hurwitz 1943): leave ``fpc`` out of the design.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tcslib.errors import InputRefused
from tcslib.inference.linearization import Variance


def brewer(probability: np.ndarray) -> Variance:
    """Brewer's (2002) estimator from first-order probabilities (n,): n/(n - 1) Σ (1 - π)(z - z̄)²."""
    pi = _checked(probability)

    def variance(z: np.ndarray) -> np.ndarray:
        deviations = (z - z.mean(axis=0)) * np.sqrt((1 - pi) * len(pi) / (len(pi) - 1))[:, None]
        return deviations.T @ deviations
    return variance


def overton(probability: np.ndarray, yates_grundy: bool = False) -> Variance:
    """Joint probabilities as Overton (1985) approximates them: (n - 1) π_i π_j / (n - (π_i + π_j)/2)."""
    pi = _checked(probability)
    n = len(pi)
    return joint((n - 1) * np.outer(pi, pi) / (n - (pi[:, None] + pi) / 2), pi, yates_grundy)


def hartley_rao(probability: np.ndarray, mean_square: float | None = None, yates_grundy: bool = False) -> Variance:
    """Hartley & Rao's (1962) weights for systematic sampling from a random order, as Berger (2004) has them.

    Parameters
    ----------
    mean_square
        Σ π² / n over the population; without it the sample's estimate, its mean π.
    """
    pi = _checked(probability)
    n = len(pi)
    s = float(pi.mean()) if mean_square is None else mean_square
    return _quadratic(1 - (n - pi[:, None] - pi + s) / (n - 1), pi, yates_grundy)


def joint(probabilities: np.ndarray, probability: np.ndarray, yates_grundy: bool = False) -> Variance:
    """Horvitz & Thompson's (1952) variance from joint probabilities (n, n), or Yates & Grundy's (1953)."""
    pi = _checked(probability)
    if probabilities.shape != (len(pi), len(pi)) or not (probabilities > 0).all():
        raise InputRefused(f"joint probabilities must be {len(pi)} by {len(pi)} and above 0. A pair that can never be "
                           "drawn leaves the variance untold.", "joint probabilities")
    return _quadratic(1 - np.outer(pi, pi) / probabilities, pi, yates_grundy)


def _quadratic(weights: np.ndarray, pi: np.ndarray, yates_grundy: bool) -> Variance:
    """ΣΣ D_ij z_i z_j, or -½ ΣΣ D_ij (z_i - z_j)², which is the same with rows of D summing to 0."""
    d = weights.copy()
    np.fill_diagonal(d, 1 - pi)
    if yates_grundy:
        np.fill_diagonal(d, np.diag(d) - d.sum(axis=1))
    return partial(_form, d)


def _form(d: np.ndarray, z: np.ndarray) -> np.ndarray:
    return z.T @ d @ z


def _checked(probability: np.ndarray) -> np.ndarray:
    pi = np.asarray(probability, dtype=float)
    if not ((pi > 0) & (pi <= 1)).all() or len(pi) < 2:
        raise InputRefused("inclusion probabilities must lie above 0 and not above 1, for two units or more.",
                           "inclusion probabilities")
    return pi
