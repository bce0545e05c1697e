"""Columns that belong together: by the common part of their names, else by how their answers go together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

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
    blocks: dict[str, Block] = {}
    for p in columns:
        stem = stem_of(p.name)
        blocks.setdefault(stem.casefold(), Block(stem)).columns.append(p)
    out = _numbered_apart(list(blocks.values()))
    for block in out:
        block.named = not is_generic(block.stem)
    if len(out) == 1 and len(columns) > 8:          # one stem for the whole questionnaire says nothing
        out[0].named = False
    return out


def _numbered_apart(blocks: list[Block]) -> list[Block]:
    """The blocks; three or more in a row that hold one numbered question each (v08_x, v09_x …) become one."""
    out: list[Block] = []
    for block in sorted(blocks, key=lambda b: b.columns[0].at):
        letters = block.stem.rstrip("0123456789")
        alone = len(block.columns) == 1 and letters != block.stem and is_generic(letters)
        before = out[-1] if out else None
        if alone and before is not None and before.stem == letters and before.columns[-1].at == block.columns[0].at - 1:
            before.columns += block.columns
        else:
            out.append(Block(letters if alone else block.stem, block.columns))
    return [part for block in out for part in _kept(block)]


def _kept(block: Block) -> list[Block]:
    """A run of two numbered questions stays two blocks."""
    if len(block.columns) == 2 and is_generic(block.stem) and len({stem_of(p.name) for p in block.columns}) == 2:
        return [Block(stem_of(p.name), [p]) for p in block.columns]
    if len(block.columns) == 1 and is_generic(block.stem):
        return [Block(stem_of(block.columns[0].name), block.columns)]
    return [block]


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
    lies halfway between the two groups into which the correlations of near neighbours fall (Otsu's threshold).

    Parameters
    ----------
    r
        (p, p) correlations.
    """
    p = len(r)
    near = np.array([abs(r[i, j]) for i in range(p) for j in range(i + 1, min(i + 5, p))])
    if p < 3 or near.std() < 1e-9:
        return [list(range(p))]
    cut = _otsu(np.sort(near))
    gain = np.abs(r) - cut
    best, start = np.full(p + 1, -np.inf), np.zeros(p + 1, dtype=int)
    best[0] = 0.0
    for end in range(1, p + 1):
        inside = 0.0
        for begin in range(end - 1, -1, -1):
            inside += gain[begin, begin + 1:end].sum()
            if best[begin] + inside > best[end] + 1e-12:
                best[end], start[end] = best[begin] + inside, begin
    out, end = [], p
    while end:
        out.append(list(range(start[end], end)))
        end = int(start[end])
    return out[::-1]


def _otsu(values: np.ndarray) -> float:
    """The cut of sorted values that makes the variance between the two sides largest (Otsu 1979)."""
    n = np.arange(1, len(values))
    below, total = np.cumsum(values)[:-1], values.sum()
    between = n * (len(values) - n) * (below / n - (total - below) / (len(values) - n)) ** 2
    at = int(between.argmax())
    return float((values[at] + values[at + 1]) / 2)
