"""Reliability and validity coefficients from item moments, for many weightings at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

AlphaKind = Literal["standardised", "raw"]
HtmtKind = Literal["absolute", "signed"]


def alpha(cov: np.ndarray, kind: AlphaKind) -> np.ndarray:
    """Cronbach's alpha (Cronbach 1951, eq. 2) of one block from (b, m, m) covariances.

    *raw*: ``m/(m-1) · (1 - tr S / 1'S1)``. *standardised*: the same on correlations. Undefined (NaN) for m = 1.
    """
    m = cov.shape[1]
    if m < 2:
        return np.full(len(cov), np.nan)
    if kind == "standardised":
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        cov = cov / (sd[:, :, None] * sd[:, None, :])
    return m / (m - 1) * (1 - np.trace(cov, axis1=1, axis2=2) / cov.sum(axis=(1, 2)))


def rho_a(cor: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Dijkstra & Henseler's rho_A (2015, eq. 3) of one mode A block.

    ``(w'w)² · w'(R - diag R)w / w'(ww' - diag ww')w`` with w the outer weights (b, m) that give the score from
    standardised items variance 1. Undefined for m = 1.
    """
    if cor.shape[1] < 2:
        return np.full(len(cor), np.nan)
    square = (weights ** 2).sum(axis=1)
    above = (weights[:, None, :] @ cor @ weights[:, :, None])[:, 0, 0] - square          # diag R is 1
    below = square ** 2 - (weights ** 4).sum(axis=1)
    return square ** 2 * above / below


def rho_c(loadings: np.ndarray) -> np.ndarray:
    """Jöreskog's composite reliability from (b, m) standardised loadings (Werts, Linn & Jöreskog 1974)."""
    if loadings.shape[1] < 2:
        return np.full(len(loadings), np.nan)
    total = loadings.sum(axis=1) ** 2
    return total / (total + (1 - loadings ** 2).sum(axis=1))


def ave(loadings: np.ndarray) -> np.ndarray:
    """Average variance extracted from (b, m) standardised loadings (Fornell & Larcker 1981, eq. 12)."""
    return (loadings ** 2).mean(axis=1) if loadings.shape[1] > 1 else np.full(len(loadings), np.nan)


def htmt(cor: np.ndarray, blocks: Sequence[np.ndarray], kind: HtmtKind) -> np.ndarray:
    """Heterotrait–monotrait ratios (Henseler, Ringle & Sarstedt 2015, eq. 6) as (b, k, k), NaN on the diagonal.

    Mean correlation between the items of two constructs over the geometric mean of the mean correlations within
    them. *absolute* takes correlations without their sign, *signed* as they are. Within a single item it is 1.
    """
    r = np.abs(cor) if kind == "absolute" else cor
    k = len(blocks)
    member = np.zeros((cor.shape[1], k))
    for j, block in enumerate(blocks):
        member[block, j] = 1
    size = member.sum(axis=0)
    sums = member.T @ (r @ member)
    own = np.diagonal(sums, axis1=1, axis2=2)
    within = np.where(size > 1, (own - size) / np.maximum(size * (size - 1), 1), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        out = sums / (size[:, None] * size) / np.sqrt(within[:, :, None] * within[:, None, :])
    out[:, np.arange(k), np.arange(k)] = np.nan
    return out
