"""Weighted means and covariances of the items, in the sample and in every replicate of it.

Almost every statistic of a satisfaction study is a function of these. Products are formed once per row, summed to
weighting groups, and multiplied by the replicates' factors; neither the products of all rows nor the moments of all
replicates are ever held together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tcslib.errors import NotEstimable
from tcslib.inference.replicates import CHUNK, Replicates
from tcslib.weighting.weights import kish

Missing = Literal["pairwise", "mean", "listwise"]
MOST_CHUNKS = 4          # more at a time is slower: the arrays leave the processor's cache
_TILE = 500_000          # numbers in one tile of products; fixed, so that no setting changes a last digit


@dataclass(frozen=True, eq=False)
class Moments:
    """Weighted moments of p items under b weightings.

    Attributes
    ----------
    mean
        (b, p) weighted means over the rows that answered.
    cov
        (b, p, p) weighted covariances, ``Σw(x-m)(x-m)'/Σw`` times n/(n-1) with n the rows of the sample (R survey's
        ``svyvar``); missing answers by the rule the moments were made with. NaN throughout where undefined, and of no
        items where only means were asked for.
    """

    mean: np.ndarray
    cov: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """(b, p) standard deviations."""
        return np.sqrt(np.diagonal(self.cov, axis1=1, axis2=2))

    @property
    def cor(self) -> np.ndarray:
        """(b, p, p) correlations."""
        sd = self.sd
        with np.errstate(divide="ignore", invalid="ignore"):          # undefined where an item has no variance
            return self.cov / (sd[:, :, None] * sd[:, None, :])


class MomentSource:
    """The items of a set of rows, ready to be summed under any weighting.

    Parameters
    ----------
    x
        (n, p) answers, missing as NaN.
    replicates
        Whose groups and base weights apply.
    domain
        (n,) True for the rows that count.
    missing
        *pairwise*: each mean and covariance from the rows that answered (both). *mean*: missing answers take the
        replicate's mean of the item. *listwise*: only rows that answered every item.
    products
        False leaves the covariances out, and with them most of the work.
    """

    def __init__(self, x: np.ndarray, replicates: Replicates, domain: np.ndarray, missing: Missing = "pairwise",
                 products: bool = True):
        steps, weights = replicates.steps, replicates.design.weights
        used = (
            domain & (weights > 0) & (~np.isnan(x).any(axis=1) if missing == "listwise" else ~np.isnan(x).all(axis=1))
        )
        if used.sum() < 2:
            raise NotEstimable(f"{int(used.sum())} rows answered; at least 2 are needed.", "moments")
        # rows in the order of their group and id: sums, and their last digits, do not depend on the file's order
        order = np.lexsort((replicates.design.ids[used], steps.group[used]))
        rows = np.flatnonzero(used)[order]
        self.n, self.replicates, self.missing, self.p = len(rows), replicates, missing, x.shape[1]
        self._paired = products
        self.n_eff = kish(replicates.sample_weights[rows])[1]
        self._group, self._weight, values = steps.group[rows], weights[rows], x[rows]
        self._holes = np.flatnonzero(np.isnan(values).any(axis=0))
        final = replicates.sample_weights[rows]
        self._centre, self._scale = _centre_and_scale(values, final)
        self._z = (values - self._centre) / self._scale
        if not products:
            return
        seen = ~np.isnan(values)
        pairs = (seen.T.astype(float) @ seen.astype(float))
        with np.errstate(divide="ignore", invalid="ignore"):
            self._bessel = np.where(pairs > 1, pairs / (pairs - 1), np.nan) if missing == "pairwise" \
                else np.full_like(pairs, self.n / (self.n - 1))

    @cached_property
    def _upper(self) -> tuple[np.ndarray, np.ndarray]:
        return np.triu_indices(self.p)

    @cached_property
    def columns(self) -> int:
        """Sums kept per group: weight, means, products, and what missing answers need."""
        p, q = self.p, len(self._holes)
        if not self._paired:
            return 1 + p + q
        return 1 + p + p * (p + 1) // 2 + (q + p * q + q * (q + 1) // 2 if q else 0)

    def _products(self, rows: slice) -> np.ndarray:
        """(rows, columns) products of a stretch of rows, times the base weight."""
        z, (i, j) = self._z[rows], self._upper
        parts = [np.ones((len(z), 1))]
        if not self._paired:
            parts += [np.nan_to_num(z), ~np.isnan(z[:, self._holes])]
        elif len(self._holes):
            seen = (~np.isnan(z[:, self._holes])).astype(float)
            z = np.nan_to_num(z)
            a, b = np.triu_indices(len(self._holes))
            parts += [z, z[:, i] * z[:, j], seen, (z[:, :, None] * seen[:, None, :]).reshape(len(z), -1),
                      seen[:, a] * seen[:, b]]
        else:
            parts += [z, z[:, i] * z[:, j]]
        return np.hstack(parts) * self._weight[rows, None]

    def _tiles(self) -> Iterator[tuple[np.ndarray | slice, np.ndarray]]:
        """Groups with rows, and the (groups, columns) sums of their rows, a tile at a time."""
        present, start = np.unique(self._group, return_index=True)
        ends = np.append(start[1:], len(self._group))
        stretch = max(16, _TILE // self.columns)
        for first in range(0, len(present), stretch):
            groups = slice(first, first + stretch)
            lo, hi = start[groups][0], ends[groups][-1]
            sums = np.zeros((len(present[groups]), self.columns))
            for a in range(lo, hi, stretch):
                b = min(a + stretch, hi)
                inside, at = np.unique(np.searchsorted(present[groups], self._group[a:b]), return_index=True)
                sums[inside] += np.add.reduceat(self._products(slice(a, b)), at, axis=0)
            some = present[groups]
            gapless = some[-1] - some[0] + 1 == len(some)          # a slice spares a copy of the factors
            yield slice(some[0], some[-1] + 1) if gapless else some, sums

    def budget(self, results: float = 0) -> int:
        """Chunks of replicates whose moments fit into the memory setting at a time, beside so many bytes of results."""
        per_replicate = 8 * (self.columns + 6 * self.p * self.p + 40 * self.p)
        fixed = 8 * (4 * _TILE + 3 * self._z.size)
        room = (self.replicates.room - results) / self.replicates.workers - fixed
        return min(MOST_CHUNKS, max(1, int(room / per_replicate) // CHUNK))

    @cached_property
    def _kept(self) -> list[tuple[np.ndarray | slice, np.ndarray]] | None:
        """The tiles, when they are small beside the memory setting; else they are formed anew for each block."""
        groups = len(np.unique(self._group))
        return list(self._tiles()) if 8 * groups * self.columns < self.replicates.memory_mb * 1e6 / 4 else None

    def _sums(self, factors: Iterable[np.ndarray]) -> np.ndarray:
        """(b, columns) sums under these factors, which are formed one by one where the tiles are kept."""
        if self._kept is not None:
            return np.vstack([sum((f[:, groups] @ sums for groups, sums in self._kept), np.zeros(1)) for f in factors])
        given = list(factors)
        out = [np.zeros((len(f), self.columns)) for f in given]
        for groups, sums in self._tiles():
            for into, f in zip(out, given, strict=True):
                into += f[:, groups] @ sums
        return np.vstack(out)

    def sample(self) -> Moments:
        """Moments of the sample itself, b = 1."""
        return self._moments(self._sums([self.replicates.sample_factors]))

    def block(self, chunks: range) -> Moments:
        """Moments of the replicates in these chunks."""
        return self._moments(self._sums(self.replicates.factors(c) for c in chunks))

    def _moments(self, sums: np.ndarray) -> Moments:
        p, q = self.p, len(self._holes)
        i, j = self._upper
        with np.errstate(divide="ignore", invalid="ignore"):
            total = np.where(sums[:, 0] > 0, sums[:, 0], np.nan)
            if not self._paired:
                weight = np.repeat(total[:, None], p, axis=1)
                weight[:, self._holes] = np.where(sums[:, 1 + p:] > 0, sums[:, 1 + p:], np.nan)
                return Moments(sums[:, 1:1 + p] / weight * self._scale + self._centre, np.empty((len(sums), 0, 0)))
            s, packed = sums[:, 1:1 + p], sums[:, 1 + p:1 + p + len(i)]
            products = np.empty((len(sums), p, p))
            products[:, i, j] = packed
            products[:, j, i] = packed
            if not q:
                mean = s / total[:, None]
                cov = products / total[:, None, None] - mean[:, :, None] * mean[:, None, :]
            else:
                mean, cov = self._incomplete(sums, total, s, products)
        # what rounding leaves of the variance of an item that is constant in a replicate
        flat = np.diagonal(cov, axis1=1, axis2=2) < 1e-12
        if flat.any():
            cov[flat[:, :, None] | flat[:, None, :]] = 0.0
        cov *= self._bessel * (self._scale[:, None] * self._scale)
        return Moments(mean * self._scale + self._centre, cov)

    def _incomplete(self, sums: np.ndarray, total: np.ndarray, s: np.ndarray,
                    products: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means and covariances when some items have missing answers, by the rule set."""
        b, p, q = len(sums), self.p, len(self._holes)
        at = 1 + p + p * (p + 1) // 2
        weight = np.repeat(total[:, None], p, axis=1)
        weight[:, self._holes] = sums[:, at:at + q]
        given = np.repeat(s[:, :, None], p, axis=2)          # given[i, j]: sum of item i where j was answered
        given[:, :, self._holes] = sums[:, at + q:at + q + p * q].reshape(b, p, q)
        both = np.minimum(weight[:, :, None], weight[:, None, :])          # right wherever one of the two is complete
        a, c = np.triu_indices(q)
        pair = sums[:, at + q + p * q:]
        both[:, self._holes[a], self._holes[c]] = pair
        both[:, self._holes[c], self._holes[a]] = pair
        weight = np.where(weight > 0, weight, np.nan)
        mean = s / weight
        if self.missing == "pairwise":
            both = np.where(both > 0, both, np.nan)
            return mean, products / both - given * given.transpose(0, 2, 1) / both ** 2
        centred = (products - mean[:, :, None] * given.transpose(0, 2, 1) - mean[:, None, :] * given
                   + mean[:, :, None] * mean[:, None, :] * both)
        return mean, centred / total[:, None, None]


def _centre_and_scale(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fixed for the sample and every replicate, so that products lose no digits to a large mean."""
    w = np.where(np.isnan(x), 0.0, weights[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = (w * np.nan_to_num(x)).sum(axis=0) / w.sum(axis=0)
        spread = np.sqrt((w * np.nan_to_num(x - centre) ** 2).sum(axis=0) / w.sum(axis=0))
    return np.nan_to_num(centre), np.where(np.isfinite(spread) & (spread > 0), spread, 1.0)


