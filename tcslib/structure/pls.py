"""The PLS algorithm on covariance matrices, for many weightings at once.

Wold's basic design as in Lohmöller (1989, ch. 2) and Tenenhaus et al. (2005, section 2): outer weights and inner
weights in turn until the outer weights stand still. Everything is a function of the items' covariances, so the loop
runs on (b, p, p) arrays, b weightings side by side, and drops those that have converged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tcslib.study.models import Model

Scheme = Literal["path", "factorial", "centroid"]


@dataclass(frozen=True)
class PlsSettings:
    """Everything that decides a PLS estimate besides data and model; replicates reuse it whole.

    ``tolerance`` stops the loop when the outer weights' absolute changes sum to less. Signs: a construct whose
    loadings are negative in the majority is turned round (by the sum of loadings when as many are positive).
    ``outer`` *equal* estimates no outer weights: each construct is the mean of its items on their 0–100 scales.
    """

    scheme: Scheme = "path"
    standardised: bool = True
    tolerance: float = 1e-7
    max_iterations: int = 300
    outer: Literal["estimated", "equal"] = "estimated"

    def __post_init__(self) -> None:
        """Equal weights are weights of the items in their own units."""
        if self.outer == "equal":
            object.__setattr__(self, "standardised", False)


@dataclass(frozen=True, eq=False)
class PlsSolution:
    """PLS estimates under b weightings of a model with p items and k constructs.

    Attributes
    ----------
    weights
        (b, p) outer weights that give scores of variance 1 from the standardised items (from the items in their own
        units when not standardised).
    loadings
        (b, p) correlations of each item with its construct's score.
    cross_loadings
        (b, p, k) correlations of each item with every score.
    correlations
        (b, k, k) correlations of the scores.
    iterations
        (b,) rounds taken; -1 where the loop did not settle, -2 where a score or its inner weights are not defined
        (collinear predecessors, an item without variance), and every array is NaN there.
    """

    weights: np.ndarray
    loadings: np.ndarray
    cross_loadings: np.ndarray
    correlations: np.ndarray
    iterations: np.ndarray


def solve_spd(a: np.ndarray, rhs: np.ndarray) -> np.ndarray:
    """Solve b small symmetric positive definite systems; arrays carry b on their LAST axis.

    Gaussian elimination written over the systems, not within them: for the handful of predecessors a construct has,
    thirty times as fast as one call per system. (m, m, b) and (m, r, b) give (m, r, b); a singular one gives NaN.
    """
    a, x = a.copy(), rhs.copy()
    m = len(a)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(m):
            pivot = np.where(a[i, i] > 1e-12, a[i, i], np.nan)
            for j in range(i + 1, m):
                factor = a[j, i] / pivot
                a[j, i:] -= factor * a[i, i:]
                x[j] -= factor * x[i]
        for i in reversed(range(m)):
            for j in range(i + 1, m):
                x[i] -= a[i, j] * x[j]
            x[i] /= np.where(a[i, i] > 1e-12, a[i, i], np.nan)
    return x


class PlsSolver:
    """The loop for one model and one set of settings; or, with ``fixed`` (p,) outer weights, what follows from them."""

    def __init__(self, model: Model, settings: PlsSettings, fixed: np.ndarray | None = None) -> None:
        self.model, self.settings, self.fixed = model, settings, fixed
        self.before = [np.flatnonzero(column) for column in model.inner.T]          # predecessors of each construct

    @cached_property
    def membership(self) -> np.ndarray:
        """(p, k) 1 where the item belongs to the construct."""
        out = np.zeros((len(self.model.items), len(self.model.names)))
        for k, block in enumerate(self.model.blocks):
            out[block, k] = 1
        return out

    def solve(self, cov: np.ndarray) -> PlsSolution:
        """Outer weights, loadings and score correlations from (b, p, p) covariances."""
        sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        with np.errstate(divide="ignore", invalid="ignore"):
            s = cov / (sd[:, :, None] * sd[:, None, :]) if self.settings.standardised else cov.copy()
        sound = np.isfinite(s).all(axis=(1, 2))
        if self.fixed is not None:
            given = self._unit_variance(s, np.broadcast_to(self.fixed, sd.shape))
            return self._finish(s, sd, given, np.where(sound & np.isfinite(given).all(axis=1), 0, -2))
        weights, iterations = np.full(sd.shape, np.nan), np.where(sound, -1, -2)
        open_rows, work = np.flatnonzero(sound), s[sound]
        inverses = self._block_inverses(work)
        w = np.ones((len(work), s.shape[1]))
        for round_ in range(1, self.settings.max_iterations + 1):
            if not len(open_rows):
                break
            new = self._round(work, w, inverses)
            change = np.abs(new - w).sum(axis=1)
            done = change < self.settings.tolerance
            weights[open_rows[done]], iterations[open_rows[done]] = new[done], round_
            iterations[open_rows[~np.isfinite(change)]] = -2
            keep = ~done & np.isfinite(change)
            if keep.all():
                w = new
            else:
                open_rows, work, w = open_rows[keep], work[keep], new[keep]
                inverses = {k: inverse[keep] for k, inverse in inverses.items()}
        return self._finish(s, sd, weights, iterations)

    def _block_inverses(self, s: np.ndarray) -> dict[int, np.ndarray]:
        out = {}
        for k, (construct, block) in enumerate(zip(self.model.constructs, self.model.blocks, strict=True)):
            if construct.mode == "B":
                out[k] = np.linalg.pinv(s[:, block[:, None], block], hermitian=True)
        return out

    def _round(self, s: np.ndarray, w: np.ndarray, inverses: dict[int, np.ndarray]) -> np.ndarray:
        """One round: scores, inner weights, inner estimates, outer weights."""
        with_score, between = self._scores(s, w)
        scale = 1 / np.sqrt(np.diagonal(between, axis1=1, axis2=2))
        inner = self._inner_weights(between * scale[:, :, None] * scale[:, None, :])
        # covariance of every item with the inner estimate of its own construct
        with_inner = ((with_score * scale[:, None, :]) @ inner * self.membership).sum(axis=2)
        for k, inverse in inverses.items():
            block = self.model.blocks[k]
            with_inner[:, block] = (inverse @ with_inner[:, block, None])[:, :, 0]
        return self._unit_variance(s, with_inner)

    def _scores(self, s: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Covariances of items with scores (b, p, k) and among scores (b, k, k)."""
        spread = w[:, :, None] * self.membership
        with_score = s @ spread
        return with_score, spread.transpose(0, 2, 1) @ with_score

    def _unit_variance(self, s: np.ndarray, w: np.ndarray) -> np.ndarray:
        """Outer weights rescaled so that each score has variance 1."""
        out = w.copy()
        for block in self.model.blocks:
            part = w[:, block]
            variance = ((s[:, block[:, None], block] * part[:, None, :]).sum(axis=2) * part).sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                out[:, block] = part / np.sqrt(variance)[:, None]
        return out

    def _inner_weights(self, r: np.ndarray) -> np.ndarray:
        """(b, k, k) weights of construct i in the inner estimate of construct j."""
        linked = self.model.inner | self.model.inner.T
        if self.settings.scheme == "centroid":
            return np.sign(r) * linked
        e = r * linked
        if self.settings.scheme == "path":
            for target, before in enumerate(self.before):
                if len(before) > 1:          # with one predecessor the coefficient is the correlation
                    e[:, before, target] = regress(r, before, target)
        return e

    def _finish(self, s: np.ndarray, sd: np.ndarray, w: np.ndarray, iterations: np.ndarray) -> PlsSolution:
        with_score, r = self._scores(s, w)
        unit = 1.0 if self.settings.standardised else sd[:, :, None]
        cross = with_score / unit
        own = cross * self.membership
        votes = np.sign(own).sum(axis=1)
        sign = np.where(np.where(votes == 0, own.sum(axis=1), votes) < 0, -1.0, 1.0)
        cross, r = cross * sign[:, None, :], r * sign[:, :, None] * sign[:, None, :]
        w = w * (sign[:, None, :] * self.membership).sum(axis=2)
        return PlsSolution(w, (cross * self.membership).sum(axis=2), cross, r, iterations)


def regress(r: np.ndarray, before: Sequence[int] | np.ndarray, target: int) -> np.ndarray:
    """(b, m) standardised coefficients of a construct on its m predecessors, from (b, k, k) correlations."""
    before = np.asarray(before)
    a = np.ascontiguousarray(np.moveaxis(r[:, before[:, None], before], 0, -1))
    rhs = np.ascontiguousarray(r[:, before, target].T)[:, None]
    return solve_spd(a, rhs)[:, 0].T


def structural(model: Model, r: np.ndarray) -> dict[str, np.ndarray]:
    """Path coefficients and what follows from them, by least squares on the scores.

    Parameters
    ----------
    r
        (b, k, k) correlations of the construct scores.

    Returns
    -------
    ``paths`` (b, paths) standardised coefficients in the model's order of paths; ``r2`` (b, k), NaN for constructs
    without predecessors; ``f2`` (b, paths) effect sizes (R² with - R² without) / (1 - R² with) (Cohen 1988, p. 410),
    scores held as they are (as cSEM does; SEMinR estimates the whole model anew without the path);
    ``total`` (b, k, k) total effects (I - P)^-1 - I, ``total[i, j]`` from construct i to construct j.
    """
    b, k, _ = r.shape
    direct, f2, r2 = np.zeros((b, k, k)), np.zeros((b, k, k)), np.full((b, k), np.nan)
    for target, column in enumerate(model.inner.T):
        before = np.flatnonzero(column)
        if not len(before):
            continue
        m = len(before)
        a = np.ascontiguousarray(np.moveaxis(r[:, before[:, None], before], 0, -1))
        rhs = np.concatenate([r[:, before, target].T[:, None], np.broadcast_to(np.eye(m)[:, :, None], (m, m, b))],
                             axis=1)
        solved = solve_spd(a, np.ascontiguousarray(rhs))
        beta = solved[:, 0].T
        direct[:, before, target] = beta
        r2[:, target] = (beta * r[:, before, target]).sum(axis=1)
        inverse_diagonal = solved[np.arange(m), 1 + np.arange(m)].T
        # dropping predecessor i lowers R² by beta_i² / (R^-1)_ii
        with np.errstate(divide="ignore", invalid="ignore"):
            f2[:, before, target] = beta ** 2 / inverse_diagonal / (1 - r2[:, target])[:, None]
    pairs = tuple(np.array([model.names.index(end) for end in ends]) for ends in zip(*model.paths, strict=True))
    total = direct.copy()
    for _ in range(k - 1):          # the longest chain has k - 1 paths
        total = direct + direct @ total
    return {"paths": direct[:, pairs[0], pairs[1]], "f2": f2[:, pairs[0], pairs[1]], "r2": r2, "total": total}
