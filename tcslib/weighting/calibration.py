"""Raking (iterative proportional fitting) of many weightings at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all

TOLERANCE = 1e-10          # largest relative miss of a margin
MAX_ROUNDS = 500


@dataclass(frozen=True, eq=False)
class Margins:
    """The population margins a sample is raked to, over the joint cells of their categories.

    Raking multiplies a weight by one factor for each category the respondent belongs to, so its result depends on
    the joint cell alone: C cells are enough, however many respondents there are.

    Attributes
    ----------
    cell
        (n,) joint cell of each respondent.
    members
        For each margin a (C, categories) 0/1 matrix.
    shares
        For each margin its (categories,) population shares, summing to 1.
    """

    cell: np.ndarray
    members: tuple[np.ndarray, ...]
    shares: tuple[np.ndarray, ...]

    @property
    def cells(self) -> int:
        """Number of joint cells that hold respondents."""
        return len(self.members[0]) if self.members else 1


def margins(background: pd.DataFrame, rake: Mapping[str, Mapping[str, float]], where: str = "study") -> Margins:
    """Code respondents into the joint cells of the raking variables.

    Raises
    ------
    InputRefused
        With one line for each target without respondents, category without a target, or respondents without one.
    """
    codes, refused = [], []
    for column, targets in rake.items():
        faults: list[str] = []
        at = f"{where}: weighting.rake.{column}"
        values = background[column].to_numpy().astype(str)
        present = set(values)
        for category in targets:
            if category not in present:
                faults.append(f'"{category}" has a target but no respondents. Merge it or drop the target.')
        for category in sorted(present - set(targets)):
            count = int((values == category).sum())
            faults.append(
                f'{column} is "{category}", which has no target, for {count} respondents. Give it a target, or recode '
                "these answers." if category else f"{column} is empty for {count} respondents. Fill it in, or leave "
                "them out by cleaning.require.")
        refused += [InputRefused(fault, at) for fault in faults]
        names = list(targets)
        codes.append(np.searchsorted(np.sort(names), values))
    refuse_all(refused)
    if not codes:
        return Margins(np.zeros(len(background), dtype=int), (), ())
    joint, cell = np.unique(np.column_stack(codes), axis=0, return_inverse=True)
    members, shares = [], []
    for position, targets in enumerate(rake.values()):
        ordered = np.sort(list(targets))
        members.append((joint[:, [position]] == np.arange(len(ordered))).astype(float))
        shares.append(np.array([targets[name] for name in ordered], dtype=float) / sum(targets.values()))
    return Margins(cell.ravel(), tuple(members), tuple(shares))


def rake_cells(totals: np.ndarray, members: Sequence[np.ndarray], shares: Sequence[np.ndarray],
               population: float) -> np.ndarray:
    """Factors that bring weighted cell totals to the population margins.

    Iterative proportional fitting (Deming & Stephan 1940), which keeps the odds ratios of the cells.

    Parameters
    ----------
    totals
        (b, C) weighted totals of the joint cells, one row per weighting.
    members, shares
        As in ``Margins``.
    population
        Total the weights shall sum to.

    Returns
    -------
    (b, C) factors. A row whose margins cannot be met (a category lost in a resample, or no convergence) is NaN.
    """
    factors = np.ones_like(totals)
    open_rows = np.arange(len(totals))
    for _ in range(MAX_ROUNDS):
        fitted = totals[open_rows] * factors[open_rows]
        worst = np.zeros(len(open_rows))
        for member, share in zip(members, shares, strict=True):
            got = np.einsum("bc,cm->bm", fitted, member)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = np.where(got > 0, share * population / got, np.nan)
            worst = np.maximum(worst, np.abs(step - 1).max(axis=1))
            fitted = fitted * np.einsum("bm,cm->bc", step, member)
            factors[open_rows] *= np.einsum("bm,cm->bc", step, member)
        going = worst > TOLERANCE          # False for NaN: a lost category never comes back
        open_rows = open_rows[going]
        if not len(open_rows):
            return factors
    factors[open_rows] = np.nan
    return factors
