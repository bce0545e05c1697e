"""The weight of those who were drawn and did not answer passes to those who did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tcslib.errors import InputRefused, NotEstimable
from tcslib.study.margins import CROSS
from tcslib.survey.weighting import NonResponse
from tcslib.weighting.calibration import information, logistic, solve
from tcslib.weighting.coding import Coder, joint, summed
from tcslib.weighting.state import State

SEPARATED = 12.0          # a linear predictor beyond this is a propensity of 0 or 1 (6 in a million)


@dataclass(frozen=True, eq=False)
class Cells:
    """Weighting classes: in each cell respondents carry the weight of all who were drawn."""

    cell: np.ndarray              # (K,) of each pattern
    responded: np.ndarray         # (K,)
    cells: int
    name: str = "nonresponse"
    calibrates: bool = False
    own_weights: bool = False

    def factors(self, state: State) -> np.ndarray:
        """Inverse of the weighted response rate of the cell; 0 for who did not respond."""
        return _inverse_rates(state.totals, np.broadcast_to(self.cell, state.drawn.shape), self.responded, self.cells)

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """The cell's mean for everyone; for respondents more, by how far they are from it."""
        return _of_rates(values, before, self.cell[pattern], self.responded[pattern], self.cells)


@dataclass(frozen=True, eq=False)
class Propensity:
    """Response propensities by a weighted logistic regression; their inverse, or that of classes of them."""

    labels: tuple[str, ...]       # of the regressors
    cell: np.ndarray              # (K,) of each pattern
    responded: np.ndarray         # (K,)
    x: np.ndarray                 # (C, p) with a column of ones first
    drawn: float                  # sum of the base weights, which a miss is measured against
    classes: int | None = None
    name: str = "nonresponse"
    calibrates: bool = False
    own_weights: bool = False

    def propensities(self, totals: np.ndarray) -> np.ndarray:
        """(b, C) fitted propensities; NaN rows where everyone or no one of a kind responded."""
        every = summed(totals, self.cell, len(self.x))
        answered = summed(totals * self.responded, self.cell, len(self.x)) @ self.x
        predictor, _ = solve(every, self.x, answered, np.full(self.x.shape[1], self.drawn), logistic)
        sure = (np.abs(np.where(every > 0, predictor, 0)) > SEPARATED).any(axis=1)
        p: np.ndarray = logistic(predictor, np.arange(len(totals)))[0]
        p[sure] = np.nan
        return p

    def factors(self, state: State) -> np.ndarray:
        """Inverse propensity of respondents, or inverse weighted response rate of their class."""
        p = self.propensities(state.totals)
        if self.classes is None:
            return np.where(self.responded, 1 / p[:, self.cell], np.where(np.isnan(p[:, :1]), np.nan, 0.0))
        return _inverse_rates(state.totals, self._class(p, state.totals), self.responded, self.classes)

    def _class(self, p: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """(b, K) class of each pattern: classes of equal weight, by rising propensity."""
        every = summed(totals, self.cell, len(self.x))
        out = np.empty(totals.shape, dtype=np.int64)
        for row, (fitted, weight) in enumerate(zip(p, every, strict=True)):
            order = np.argsort(fitted, kind="stable")
            middle = np.cumsum(weight[order]) - weight[order] / 2
            of = np.empty(len(order), dtype=np.int64)
            of[order] = np.minimum(middle / weight.sum() * (self.classes or 1), (self.classes or 1) - 1)
            out[row] = np.where(np.isnan(fitted[0]), 0, of)[self.cell]
        return out

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """From the estimating equation of the regression (Kim & Kim 2007); classes, once formed, count as cells."""
        totals = np.bincount(pattern, before, len(self.cell))[None]
        p, code, r = self.propensities(totals)[0], self.cell[pattern], self.responded[pattern]
        if self.classes is not None:
            return _of_rates(values, before, self._class(p[None], totals)[0][pattern], r, self.classes)
        every = summed(totals, self.cell, len(self.x))
        answered = before * r * ((1 - p) / p)[code]
        slope = summed((values * answered[:, None]).T, code, len(self.x)) @ self.x
        matrix = information(every * p * (1 - p), self.x)[0]
        effect = (self.x @ np.linalg.solve(matrix, slope.T))[code]
        return values * (r / p[code])[:, None] - (r - p[code])[:, None] * effect


def _inverse_rates(totals: np.ndarray, cell: np.ndarray, responded: np.ndarray, cells: int) -> np.ndarray:
    """(b, K) inverse weighted response rates of the cells (b, K); NaN rows where a cell has no respondent left."""
    out = np.empty_like(totals)
    for row, (weight, of) in enumerate(zip(totals, cell, strict=True)):
        every, answered = np.bincount(of, weight, cells), np.bincount(of, weight * responded, cells)
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(every > 0, every / answered, 1.0)
        out[row] = np.where(responded, rate[of], 0.0) if np.isfinite(rate).all() else np.nan
    return out


def _of_rates(values: np.ndarray, before: np.ndarray, code: np.ndarray, responded: np.ndarray,
              cells: int) -> np.ndarray:
    """d[ē + r a (e − ē)] without its d: ē the respondents' mean of the cell, a its inverse response rate."""
    answered = before * responded
    every, weight = np.bincount(code, before, cells), np.bincount(code, answered, cells)
    sure = np.where(weight > 0, weight, 1)
    means = (summed((values * answered[:, None]).T, code, cells) / sure).T[code]
    return means + (responded * (every / sure)[code])[:, None] * (values - means)


def step_of(plan: NonResponse, coder: Coder) -> tuple[list[np.ndarray], Cells | Propensity]:
    """The step over rows (``cell`` and ``responded`` (n,)), and the codes that tell its patterns apart.

    Raises
    ------
    InputRefused
        For auxiliary columns with holes, a cell without respondents (naming the neighbour it could join), a regressor
        that is constant or says what others say, a propensity that separates, or a class without respondents.
    """
    at = f"{coder.where}: weighting.nonresponse"
    coder.complete([c for c in plan.by if c not in plan.numeric], at)
    if plan.propensity:
        return _propensity(plan, coder, at)
    code, names = coder.categories(plan.by)
    code = _collapsed(plan, coder, code, names, at)
    return [code], Cells(code, coder.responded, len(names))


def _collapsed(plan: NonResponse, coder: Coder, code: np.ndarray, names: Sequence[str], at: str) -> np.ndarray:
    """The cells, those without respondents joined to a neighbour or refused."""
    drawn = np.bincount(code, coder.base, len(names))
    answered = np.bincount(code, coder.base * coder.responded, len(names))
    rows, into = np.bincount(code, minlength=len(names)), np.arange(len(names))
    others = np.flatnonzero(answered > 0).tolist()
    for empty in np.flatnonzero((drawn > 0) & (answered == 0)).tolist():
        # cells are sorted: the nearest one with respondents, of those that share the first columns if any does
        nearest = min(others, key=partial(_distance, names, empty))
        share = drawn[empty] / drawn.sum()
        if not plan.collapse:
            raise InputRefused(f'nobody of the {rows[empty]:,} drawn in the cell "{names[empty]}" responded: '
                               f'{share:.1%} of the weight would be lost. Join it to "{names[nearest]}" by recoding, '
                               "or set collapse: true.", f"{at}.cells")
        coder.allowed.append(("collapse", CROSS.join(plan.by), f"{names[empty]} → {names[nearest]}",
                              int(rows[empty]), share))
        into[empty] = nearest
    return into[code]


def _distance(names: Sequence[str], one: int, other: int) -> tuple[bool, int, int]:
    """How far a cell is from another: first whether all columns but the last agree, then the places between them."""
    return names[other].rpartition(CROSS)[0] != names[one].rpartition(CROSS)[0], abs(other - one), other


def _propensity(plan: NonResponse, coder: Coder, at: str) -> tuple[list[np.ndarray], Propensity]:
    every = np.ones(len(coder.base), dtype=bool)
    labels, parts, codes = ["1"], [np.ones((len(coder.base), 1))], []
    for column in plan.by:
        if column in plan.numeric:
            values = coder.numbers(column, every, f"{at}.propensity")
            ranked = np.sort(values)          # no last digit hangs on the order of the file
            middle, spread = ranked.mean(), ranked.std()
            if not spread > 0:
                raise InputRefused(f"{column} is {values[0]:g} for everyone drawn and explains nothing. Drop it.",
                                   f"{at}.propensity")
            labels.append(column)
            parts.append(((values - middle) / spread)[:, None])
            codes.append(np.unique(values, return_inverse=True)[1])
            continue
        code, names = coder.categories([column])
        _separates(column, code, names, coder, f"{at}.propensity")
        labels += [f"{column}={name}" for name in names[1:]]
        parts.append((code[:, None] == np.arange(1, len(names))).astype(float))
        codes.append(code)
    cell, first = joint(codes)
    x = np.hstack([part[first] for part in parts])
    if (twice := dependent(x, np.bincount(cell, coder.base, len(first)))) is not None:
        raise InputRefused(f"{labels[twice]} says no more than the columns before it. Drop one of them.",
                           f"{at}.propensity")
    step = Propensity(tuple(labels), cell, coder.responded, x, float(np.sort(coder.base).sum()), plan.classes)
    p = step.propensities(coder.base[None])
    if np.isnan(p).any():
        raise NotEstimable("the propensity separates: some combination of its columns tells who responded without "
                           "fail, so its inverse is not defined. Leave a column out, or use cells.",
                           f"{at}.propensity")
    if plan.classes and np.isnan(step.factors(State(coder.base[None], coder.base, np.ones((1, len(cell))),
                                                    lambda: coder.base[None]))).any():
        raise InputRefused(f"one of the {plan.classes} classes holds no respondent. Ask for fewer.", f"{at}.classes")
    return codes, step


def _separates(column: str, code: np.ndarray, names: Sequence[str], coder: Coder, at: str) -> None:
    """Refuse a category in which everyone, or no one, responded."""
    rows = np.bincount(code[coder.base > 0], minlength=len(names))
    answered = np.bincount(code[(coder.base > 0) & coder.responded], minlength=len(names))
    for name, drawn, came in zip(names, rows, answered, strict=True):
        if drawn and came in (0, drawn) and 0 < answered.sum() < rows.sum():
            raise InputRefused(f'{column} separates: {"all" if came else "none"} of the {drawn:,} drawn with '
                               f'{column} "{name}" responded, so its propensity is {int(came > 0)}. Join the category '
                               "to another, or use cells.", at)


def dependent(x: np.ndarray, weights: np.ndarray) -> int | None:
    """The first column of x (C, p) that is a combination of those before it, None where there is none."""
    matrix = information(weights[None], x)[0]
    size = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1))
    matrix = matrix / np.outer(size, size)
    for column in range(len(matrix)):
        before = matrix[:column, :column]
        fit = np.linalg.lstsq(before, matrix[:column, column], rcond=None)[0] if column else np.empty(0)
        if matrix[column, column] - matrix[:column, column] @ fit < 1e-9:
            return column
    return None
