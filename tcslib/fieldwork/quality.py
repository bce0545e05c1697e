"""Signs that an interview was not answered with care. They flag; whether anything is left out is the study's rule."""

from __future__ import annotations

import numpy as np

LEAST_ANSWERS = 10          # fewer equal answers than this prove nothing


def straight_lines(x: np.ndarray, share: float) -> np.ndarray:
    """(n,) True where at least this share of a respondent's answers to (n, p) items is one and the same value.

    Needs ten answers. In satisfaction data equal nines can be honest, so that this sign alone should exclude nobody
    (DeSimone, Harms & DeSimone 2015 on long strings).
    """
    out = np.zeros(len(x), dtype=bool)
    for i, row in enumerate(x):
        answers = row[~np.isnan(row)]
        if len(answers) >= LEAST_ANSWERS:
            out[i] = np.unique(answers, return_counts=True)[1].max() >= share * len(answers)
    return out


def speeders(seconds: np.ndarray, share: float) -> np.ndarray:
    """(n,) True where an interview took less than this share of the median duration (missing ones are not flagged)."""
    median = np.nanmedian(seconds) if np.isfinite(seconds).any() else np.nan
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(seconds, nan=np.inf) < share * median


def same_answers(x: np.ndarray) -> np.ndarray:
    """(n,) True where an earlier respondent gave the very same answers to all (n, p) items, eight or more of them."""
    seen: set[bytes] = set()
    out = np.zeros(len(x), dtype=bool)
    for i, row in enumerate(x):
        if (~np.isnan(row)).sum() < 8 or len(np.unique(row[~np.isnan(row)])) < 3:
            continue
        key = row.tobytes()
        out[i] = key in seen
        seen.add(key)
    return out
