"""Columns that belong together: by the common part of their names, else by how their answers go together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pandas as pd

from tcslib.fieldwork.proposing.profile import Profile
from tcslib.fieldwork.proposing.roles import core
from tcslib.fieldwork.proposing.words import is_generic

_CUT = re.compile(r"\s*(?:—|–|:|：|\[| - )\s*")
_NUMBERED = re.compile(r"(.*?)[ _.\-]?0*(\d+)([a-z]?)\Z")
_QUESTION = re.compile(r"([A-Za-z]{1,2}\d+)[A-Za-z_]")


@dataclass
class Block:
    """Columns of one question or construct: their common name, and whether that says they belong together."""

    stem: str
    columns: list[Profile] = field(default_factory=list)
    named: bool = True


def stem_of(name: str) -> str:
    """The part of a name that the columns of its block share: ``IMAG`` of IMAG1, ``Q7`` of Q7_1 and of Q7B_FOOD."""
    parts = [part for part in _CUT.split(name) if part]
    if len(parts) > 1:
        return parts[0]
    if (found := _NUMBERED.match(name)) and found.group(1):
        return found.group(1).rstrip(" _.-")
    if found := _QUESTION.match(name):
        return found.group(1)
    head, mark, _ = name.partition("_")
    return head if mark and head else name


def by_stem(columns: Sequence[Profile]) -> list[Block]:
    """Blocks of columns with one stem, in the order of their first column."""
    stems = [stem_of(p.name) for p in columns]
    often = Counter(stem.casefold() for stem in stems)

    def lone(pair: tuple[int, str]) -> tuple[str, int]:
        number, stem = pair
        start = stem.rstrip("0123456789")
        alone = often[stem.casefold()] == 1 and start != stem and is_generic(start)
        return (start, columns[number].at - number) if alone else ("", 0)          # neighbours differ by the same

    blocks: dict[str, Block] = {}
    for (start, _), run in groupby(enumerate(stems), lone):
        near = list(run)
        for number, stem in near:
            # three or more in a row that hold one numbered question each (v08_x, v09_x …) are one block
            name, key = (start, near[0][1]) if start and len(near) > 2 else (stem, stem)
            blocks.setdefault(key.casefold(), Block(name, named=not is_generic(name))).columns.append(columns[number])
    return list(blocks.values())


def answers(columns: Sequence[Profile], inner: bool = False) -> pd.DataFrame:
    """(n, p) the columns' numbers without those far outside their run; ``inner``: without those at its ends too."""
    out = {}
    for p in columns:
        near = core(p)
        near = near[1:-1] if inner and len(near) > 3 else near
        x = p.numbers
        out[p.name] = np.where((x >= near[0]) & (x <= near[-1]), x, np.nan) if near else np.full(p.n, np.nan)
    return pd.DataFrame(out)


def correlations(columns: Sequence[Profile]) -> pd.DataFrame:
    """(p, p) pairwise correlations; 0 where two columns have too few answers in common or do not vary."""
    frame = answers(columns)
    return frame.corr(min_periods=5).fillna(0.0)


def rest_means(columns: Sequence[Profile], r: pd.DataFrame,
               inner: bool = False) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """What the others say, for each column.

    Returns
    -------
    For each column the (n,) mean of the others in standard deviations, each other one weighted with its part in the
    first principal component of the correlations and turned as its sign there says; and the column's own part.
    ``inner`` leaves out answers at the ends of their run, which may be codes: those who skip one question skip others.
    """
    frame = answers(columns, inner)
    z = ((frame - frame.mean()) / frame.std().replace(0, np.nan)).to_numpy()
    part = np.linalg.eigh(r.to_numpy())[1][:, -1] if len(columns) else np.empty(0)
    part = part if part.sum() >= 0 else -part
    out = {}
    for j, p in enumerate(columns):
        others, weight = np.delete(z, j, axis=1), np.delete(part, j)
        known = ~np.isnan(others)
        total = (known * np.abs(weight)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[p.name] = np.where(total > 0, np.nansum(others * weight, axis=1) / total, np.nan)
    return out, {p.name: float(part[j]) for j, p in enumerate(columns)}


def segments(r: np.ndarray) -> list[list[int]]:
    """Runs of neighbouring columns that go together more than with the rest.

    The partition of the columns in their order that maximises the sum, over pairs within a run, of |r| − c, where c
    parts the correlations of near neighbours best (Otsu 1979: the largest variance between the two sides).

    Parameters
    ----------
    r
        (p, p) correlations.
    """
    size = np.abs(r)
    near = np.sort([size[i, j] for i in range(len(r)) for j in range(i + 1, min(i + 5, len(r)))])
    if len(r) < 3 or near.std() < 1e-9:
        return [list(range(len(r)))]
    n, below = np.arange(1, len(near)), np.cumsum(near)[:-1]
    at = int((n * n[::-1] * (below / n - (near.sum() - below) / n[::-1]) ** 2).argmax())
    cut = (near[at] + near[at + 1]) / 2
    gain = size - cut
    best: list[tuple[float, list[list[int]]]] = [(0.0, [])]          # of the first columns, by their number
    for end in range(1, len(r) + 1):
        best.append(max(((best[start][0] + np.triu(gain[start:end, start:end], 1).sum(),
                          [*best[start][1], list(range(start, end))]) for start in range(end)), key=lambda b: b[0]))
    return best[-1][1]
