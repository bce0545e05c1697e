"""Respondents coded into categories and cells, and the targets of a margin beside them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.study.margins import CROSS
from tcslib.survey.responses import Responses

MOST_NAMED = 10          # categories without a target that are named one by one


@dataclass(frozen=True, eq=False)
class Margin:
    """One categorical margin: what is known of the population, and where each row belongs.

    Attributes
    ----------
    column
        Its column, or the crossed columns joined by `` × ``.
    names
        Categories in the order of their text.
    code
        (n,) category of each row; 0 for rows that did not respond, which count nowhere.
    shares
        (categories,) population shares, summing to 1.
    """

    column: str
    names: tuple[str, ...]
    code: np.ndarray
    shares: np.ndarray

    @property
    def members(self) -> np.ndarray:
        """(n, categories) 0/1."""
        return (self.code[:, None] == np.arange(len(self.names))).astype(float)


@dataclass
class Coder:
    """Codes the columns of one sample; remembers what the study's options let pass.

    Attributes
    ----------
    responded, base
        (n,) who answered, and the base weights.
    allowed
        What an option let pass: option, column, category, rows, share of the weight or of the population.
    """

    responses: Responses
    where: str
    responded: np.ndarray = field(init=False)
    base: np.ndarray = field(init=False)
    allowed: list[tuple[str, str, str, int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.responded, self.base = self.responses.responded, self.responses.design.weights
        if not (self.base[self.responded] > 0).any():
            raise InputRefused("no row with a weight above 0 responded. Correct `status` or `responded`.",
                               f"{self.where}: weighting.nonresponse")

    def categories(self, columns: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """Codes (n,) and names, sorted, of a column or of crossed columns; a cell with an empty part is "" whole."""
        codes, names = _categories(self.responses.background[columns[0]])
        for column in columns[1:]:
            code, more = _categories(self.responses.background[column])
            pair = [a + CROSS + b if a and b else "" for a in names for b in more]
            codes, names = _sorted(codes * len(more) + code, pair)
        return codes, names

    def numbers(self, column: str, rows: np.ndarray, at: str) -> np.ndarray:
        """(n,) a column of numbers, refused where one of ``rows`` has none."""
        values = pd.to_numeric(self.responses.background[column], errors="coerce").to_numpy(float)
        if (bad := rows & ~np.isfinite(values)).any():
            raise InputRefused(f"{column} is no number for {self._said(bad)}. Fill it in, or drop the column.", at)
        return values

    def complete(self, columns: Sequence[str], at: str) -> None:
        """Refuse auxiliary columns that are empty for anybody drawn."""
        faults = []
        for column in columns:
            codes, names = self.categories([column])
            if "" in names:
                said = self._said(codes == names.index(""))
                faults.append(InputRefused(f"{column} is empty for {said} of the {len(codes):,} drawn. It must be "
                                           "known of everyone, respondent or not: fill it in, or drop it.", at))
        refuse_all(faults)

    def margin(self, columns: Sequence[str], targets: Mapping[str, float], at: str) -> Margin:
        """A margin's codes and shares.

        Raises
        ------
        InputRefused
            With one line for each target without respondents, category without a target, or respondents without one.
        """
        plan, column, faults = self.responses.weighting, CROSS.join(columns), []
        codes, names = self.categories(columns)
        counts = np.bincount(codes[self.responded], minlength=len(names))
        weights = np.bincount(codes[self.responded], self.base[self.responded], len(names))
        present = {name: number for number, name in enumerate(names) if counts[number]}
        total, kept = sum(targets.values()), dict(targets)
        others = {_plain(name): name for name in present if name and name not in targets}
        spelt = {name: others[_plain(name)] for name in targets if name not in present and _plain(name) in others}
        faults += [f'"{name}" has a target and no respondents, and "{other}" respondents and no target. Write both '
                   "alike." for name, other in spelt.items()]
        for category, target in targets.items():
            if category in spelt:
                continue
            share = f"{target / total:.1%} of the population"
            if category not in present and plan.empty == "drop":
                self.allowed.append(("empty", column, category, 0, target / total))
                del kept[category]
            elif category not in present:
                faults.append(f'"{category}" has a target but no respondents: {share} would stand for nobody. Merge it '
                              "or drop the target.")
            elif not weights[present[category]] > 0:
                faults.append(f'"{category}" has a target and its respondents have the weight 0. Merge it, drop '
                              "the target, or correct the weights.")
        left = [name for name in present if name not in targets and name not in spelt.values()]
        if len(left) > MOST_NAMED:          # a column of numbers, or of ids
            said = self._said(self.responded & np.isin(codes, [present[name] for name in left]))
            faults.append(f'{column} holds {len(left):,} categories without a target ("{left[0]}", "{left[1]}", '
                          f'"{left[2]}", …), for {said}. Name a column of few categories, or recode it.')
            left = []
        for category in left:
            number = present[category]
            if not category and plan.missing == "keep":
                share = weights[number] / weights.sum()
                self.allowed.append(("missing", column, "", int(counts[number]), share))
                kept[""] = sum(kept.values()) * share / (1 - share)
                continue
            said = self._said(self.responded & (codes == number))
            faults.append(f'{column} is "{category}", which has no target, for {said}. Give it a target, or recode '
                          "these answers." if category else f"{column} is empty for {said}. Fill it in, leave them "
                          "out by cleaning.require, or set weighting.missing: keep.")
        refuse_all([InputRefused(fault, at) for fault in faults])
        order = sorted(kept)
        place = np.zeros(len(names), dtype=np.int64)
        place[[present[name] for name in order]] = np.arange(len(order))
        return Margin(column, tuple(order), np.where(self.responded, place[codes], 0),
                      np.array([kept[name] for name in order], dtype=float) / sum(kept.values()))

    def _said(self, rows: np.ndarray) -> str:
        """``12 respondents (ids 3, 17, …)``."""
        at = np.flatnonzero(rows)
        ids = ", ".join(self.responses.design.ids[at[:3]].tolist())
        who = "row" if not self.responded[at].all() else "respondent"
        return f"{len(at):,} {who}{'s' if len(at) > 1 else ''} (id {ids}{', …' if len(at) > 3 else ''})"


def joint(codes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The patterns in which several codes (n,) occur together, in sorted order.

    Returns
    -------
    (n,) pattern of each row, and (patterns,) a row that shows each pattern.
    """
    if len(codes[0]) == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    found = codes[0].astype(np.int64)
    for code in codes[1:]:
        width = int(code.max()) + 1
        if (int(found.max()) + 1) * width > 2 ** 62:
            found = pd.factorize(found, sort=True)[0]
        found = found * width + code
    pattern, distinct = pd.factorize(found, sort=True)
    first = np.empty(len(distinct), dtype=np.int64)
    first[pattern[::-1]] = np.arange(len(pattern))[::-1]
    return pattern.astype(np.int64), first


def summed(values: np.ndarray, code: np.ndarray, groups: int) -> np.ndarray:
    """(b, groups) sums of (b, n) values by code (n,); a row at a time, so that no other row moves a last digit."""
    return np.stack([np.bincount(code, row, groups) for row in values])


def _categories(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    codes, distinct = pd.factorize(column, use_na_sentinel=False)
    return _sorted(codes, ["" if pd.isna(value) else str(value) for value in distinct])


def _sorted(codes: np.ndarray, names: list[str]) -> tuple[np.ndarray, list[str]]:
    """Codes and names in the order of the names, equal ones joined, those that do not occur left out."""
    used = np.bincount(codes, minlength=len(names)) > 0
    order = {name: number for number, name in enumerate(sorted({n for n, u in zip(names, used, strict=True) if u}))}
    return np.array([order.get(name, 0) for name in names], dtype=np.int64)[codes], list(order)


def _plain(name: str) -> str:
    """A category as it may have been meant: without case, blanks, full-width letters and a number's decimals."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split()).removesuffix(".0")
