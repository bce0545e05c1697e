"""Chances of being drawn: of each unit in proportion to its size, and of each pair."""

from __future__ import annotations

import numpy as np

# so near to 1 a chance is 1: sums of millions of chances are known to about this
_CERTAIN = 1 - 1e-9


def inclusion(sizes: np.ndarray, n: int) -> np.ndarray:
    """Inclusion probabilities in proportion to size, of a sample of n.

    Units whose share would exceed 1 are drawn for certain and taken out, and the rest is shared out anew, until none
    exceeds it (Särndal, Swensson & Wretman 1992, section 3.6.2).

    Parameters
    ----------
    sizes
        (N,) sizes above 0.
    n
        Units to draw, at most N.

    Returns
    -------
    (N,) probabilities that sum to n; exactly 1 for units drawn for certain.
    """
    sizes = np.asarray(sizes, dtype=float)
    out = np.zeros(len(sizes))
    certain = np.zeros(len(sizes), dtype=bool)
    while True:
        rest = ~certain
        left = n - int(certain.sum())
        out[rest] = left * sizes[rest] / sizes[rest].sum() if left and rest.any() else 0.0
        more = rest & (out >= _CERTAIN)
        if not more.any():
            return out
        certain |= more
        out[certain] = 1.0


def joint_simple(n: int, size: int, of: int) -> np.ndarray:
    """Joint inclusion probabilities, (of, of), of units of a simple random sample of n among ``size``."""
    single, pair = n / size, n * (n - 1) / (size * (size - 1)) if size > 1 else 1.0
    return np.where(np.eye(of, dtype=bool), single, pair)


def joint_systematic(chances: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Joint inclusion probabilities of a systematic sample from a list in a fixed order.

    Laid end to end the chances are stretches of a line; a random start in [0, 1) and steps of 1 draw the units hit.
    Modulo 1 each unit is an arc of a circle, and two units are drawn together by the starts common to their arcs.

    Parameters
    ----------
    chances
        (m,) inclusion probabilities of the units asked about, at most 1.
    starts
        (m,) sum of the chances of all units before each of them in the list.

    Returns
    -------
    (m, m); the diagonal holds the chances.
    """
    p, at = np.asarray(chances, dtype=float), np.mod(starts, 1.0)
    ahead = np.mod(at[None, :] - at[:, None], 1.0)          # from the start of k on to the start of l
    begins_within = np.clip(np.minimum(p[:, None] - ahead, p[None, :]), 0, None)
    wraps_round = np.clip(np.minimum(p[None, :] - (1 - ahead), p[:, None]), 0, None)
    out = begins_within + wraps_round
    # rounding may set an arc's start a hair before or behind another's
    out = np.minimum((out + out.T) / 2, np.minimum(p[:, None], p[None, :]))
    out[np.diag_indices(len(p))] = p
    return out


def sampford_tables(chances: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """What is left to draw, from the end of the list: total weights of all ways to do so.

    Sampford's design gives a sample s the weight ``Σ_s(1 - p) Π_s p/(1 - p)`` (Sampford 1967). As ``(1 - p)`` times
    ``p/(1 - p)`` is p, that is the weight of choosing one unit of s as the first, at p, and the others at their odds.

    Parameters
    ----------
    chances
        (N, …) inclusion probabilities below 1 that sum to n; further axes are further lists.

    Returns
    -------
    (N + 1, n + 1, …) each: weights of drawn numbers 0 to n of units k, k+1, …, without and with the first unit among
    them; every unit's weights are multiplied by ``1 - p``, so that nothing overflows.
    """
    p = np.asarray(chances, dtype=float)
    plain = np.zeros((len(p) + 1, n + 1, *p.shape[1:]))
    first = np.zeros_like(plain)
    plain[-1, 0] = 1.0
    for k in range(len(p) - 1, -1, -1):
        plain[k], first[k] = _one_more(plain[k + 1], first[k + 1], p[k])
    return plain, first


def _one_more(plain: np.ndarray, first: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tables' rows with one more unit of chance p."""
    out, led = plain * (1 - p), first * (1 - p)
    out[1:] += p * plain[:-1]
    led[1:] += p * first[:-1] + p * (1 - p) * plain[:-1]
    return out, led


def joint_sampford(chances: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Joint inclusion probabilities of Sampford's design, exact.

    Every sample that holds both units has its weight counted by the sums of ``sampford_tables`` over the other units,
    all terms positive; Sampford's own recursion (1967, section 3) alternates in sign and loses digits.

    Parameters
    ----------
    chances
        (N,) inclusion probabilities of all units, below 1, that sum to a whole n.
    of
        (m,) positions of the units asked about. Work grows with N · n · m².

    Returns
    -------
    (m, m); the diagonal holds the chances.
    """
    p, of = np.asarray(chances, dtype=float), np.asarray(of)
    n = round(p.sum())
    out = np.diag(p[of])
    one, two = np.triu_indices(len(of), 1)
    if not len(one) or n < 2:
        return out
    total = _last_row(p, n)[1][n]
    for begin in range(0, len(one), _PAIRS):
        i, j = one[begin:begin + _PAIRS], two[begin:begin + _PAIRS]
        k, m = of[i], of[j]
        others = np.repeat(p[:, None], len(k), axis=1)
        others[k, np.arange(len(k))] = others[m, np.arange(len(k))] = 0.0
        plain, first = _last_row(others, n - 2)
        # the first unit is another, or k, or m
        out[i, j] = out[j, i] = p[k] * p[m] * (first[n - 2] + (2 - p[k] - p[m]) * plain[n - 2]) / total
    return out


_PAIRS = 4000          # pairs at a time: the tables' rows stay in the processor's cache


def _last_row(p: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """``sampford_tables`` of the whole list, without those of its parts."""
    plain = np.zeros((n + 1, *p.shape[1:]))
    first = np.zeros_like(plain)
    plain[0] = 1.0
    for chance in p:
        plain, first = _one_more(plain, first, chance)
    return plain, first
