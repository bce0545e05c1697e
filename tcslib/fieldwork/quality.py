"""Signs that an interview was not answered with care. They flag; whether anything is left out is the study's rule."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tcslib.study.questionnaire import Scale

LEAST_ANSWERS = 10          # fewer equal answers than this prove nothing
LEAST_SAME = 8              # nor do fewer answers that two respondents share


def straight_lines(x: np.ndarray, share: float) -> np.ndarray:
    """(n,) True where at least this share of a respondent's answers to (n, p) items is one and the same value.

    Needs ten answers. In satisfaction data equal nines can be honest, so that this sign alone should exclude nobody
    (DeSimone, Harms & DeSimone 2015 on long strings).
    """
    answers, _, longest = _runs(x)
    return (answers >= LEAST_ANSWERS) & (longest >= share * answers - 1e-9)


def _runs(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each row of (n, p) answers: how many there are, how many different ones, how often the commonest occurs."""
    ordered = np.sort(x, axis=1)          # missing ones go to the end, and none equals another
    run, longest, different = (np.zeros(len(x), dtype=int) for _ in range(3))
    for j in range(x.shape[1]):
        seen = ~np.isnan(ordered[:, j])
        again = seen & (ordered[:, j] == ordered[:, j - 1]) & (j > 0)
        run = np.where(again, run + 1, seen.astype(int))
        longest = np.maximum(longest, run)
        different += seen & ~again
    return (~np.isnan(x)).sum(axis=1), different, longest


def speeders(seconds: np.ndarray, share: float) -> np.ndarray:
    """(n,) True where an interview took less than this share of the median duration (missing ones are not flagged)."""
    if np.isnan(seconds).all():
        return np.zeros(len(seconds), dtype=bool)
    with np.errstate(invalid="ignore"):
        return seconds < share * np.nanmedian(seconds)


def same_answers(x: np.ndarray) -> np.ndarray:
    """(n,) True where an earlier respondent gave the very same answers to all (n, p) items, eight or more of them."""
    answers, different, _ = _runs(x)
    telling = np.flatnonzero((answers >= LEAST_SAME) & (different >= 3))
    out = np.zeros(len(x), dtype=bool)
    out[telling[pd.DataFrame(x[telling]).duplicated().to_numpy()]] = True
    return out


def half_used(answers: pd.DataFrame, scales: Mapping[str, Scale]) -> tuple[Scale, int, float] | None:
    """A scale of whose upper half nobody used any, with its number of items and highest answer.

    A 1-5 questionnaire read as 1-10 gives a wrong index; three items and thirty respondents tell it from chance.
    """
    groups: dict[Scale, list[str]] = {}
    for name, scale in scales.items():
        groups.setdefault(scale, []).append(name)
    for scale, names in groups.items():
        top = float(answers[names].max().max())
        if len(names) >= 3 and len(answers) >= 30 and top <= scale.low + scale.width / 2:
            return scale, len(names), top
    return None
