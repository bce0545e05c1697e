"""Units drawn from one list: at random, at equal intervals, with chances in proportion to size."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from tcslib.errors import InputRefused
from tcslib.sampling.probabilities import (
    inclusion,
    joint_sampford,
    joint_simple,
    joint_systematic,
    sampford_tables,
)

Method = Literal["simple", "systematic", "pps_systematic", "pps_sampford"]
BY_SIZE = ("pps_systematic", "pps_sampford")
_MOST_CELLS = 30_000_000          # of Sampford's tables, two of them of 8 bytes each


@dataclass(frozen=True, eq=False)
class Picked:
    """Units drawn from a list of N.

    Attributes
    ----------
    units
        (m,) positions in the list: the sample in random order, then its reserve in the order of replacement.
    main
        How many of them are the sample.
    chances
        (m,) inclusion probabilities; for the reserve those the units had of being in the sample.
    size
        N.
    joint
        Gives the sample's joint inclusion probabilities, (main, main), when called.
    """

    units: np.ndarray
    main: int
    chances: np.ndarray
    size: int
    joint: Callable[[], np.ndarray]


def systematic(size: int, n: int, start: float) -> np.ndarray:
    """Positions of n units at equal, fractional intervals: exactly n, whatever N is.

    ``floor((start + j) N / n)``, j = 0 … n - 1 (Särndal, Swensson & Wretman 1992, section 3.4.2, fractional interval).

    Parameters
    ----------
    start
        Random start in [0, 1), as a share of the interval.
    """
    j = np.arange(n)
    # rounding may carry a start next to 1 over a whole number; the j-th of n leaves room for those behind it
    return np.minimum(np.floor(start * size / n + j * (size / n)).astype(int), size - n + j)


def pps_systematic(chances: np.ndarray, n: int, start: float) -> np.ndarray:
    """Positions of n units hit by steps of 1 from the start along their chances laid end to end (Madow 1949).

    Parameters
    ----------
    chances
        (N,) below 1, summing to n.
    start
        In [0, 1).
    """
    ends = np.cumsum(chances)
    ends[-1] = n          # what rounding takes from the sum would be the last unit's loss
    return np.searchsorted(ends, start + np.arange(n) - 1e-12)


def sampford(chances: np.ndarray, n: int, rng: np.random.Generator, times: int = 1) -> np.ndarray:
    """Samples of Sampford's design (Sampford 1967), drawn unit by unit without rejection.

    Each unit in turn is left out, taken, or taken as the first, with the shares these have in the weights of all
    samples that agree with what was decided before it; see ``sampford_tables``.

    Parameters
    ----------
    chances
        (N,) below 1, summing to n.

    Returns
    -------
    (times, N) whether each unit is in each sample.
    """
    plain, first = sampford_tables(chances, n)
    need, led = np.full(times, n), np.zeros(times, dtype=bool)
    out = np.zeros((times, len(chances)), dtype=bool)
    for k, p in enumerate(chances):
        fewer = np.maximum(need - 1, 0)
        left_out = (1 - p) * np.where(led, plain[k + 1, need], first[k + 1, need])
        taken = p * np.where(led, plain[k + 1, fewer], first[k + 1, fewer]) * (need > 0)
        leads = np.where(led, 0.0, p * (1 - p) * plain[k + 1, fewer]) * (need > 0)
        at = rng.random(times) * (left_out + taken + leads)
        out[:, k] = at >= left_out
        led |= at >= left_out + taken
        need = need - out[:, k]
    return out


def pick(method: Method, n: int, size: int, sizes: np.ndarray | None, rng: np.random.Generator,
         start: float | None = None, reserve: int = 0) -> Picked:
    """Draw n units from a list of N in its order, and a reserve.

    Parameters
    ----------
    sizes
        (N,) sizes above 0 for the methods by size.
    start
        Start of the systematic methods in [0, 1), instead of one drawn by ``rng``.
    reserve
        Further units in the order they replace others: at random, or in proportion to size one after another.
    """
    at = rng.random() if start is None else start
    joint: Callable[[], np.ndarray]
    if method == "simple":
        units = rng.permutation(size)[:n + reserve]
        return Picked(units, n, np.full(len(units), n / size), size, partial(joint_simple, n, size, n))
    if method == "systematic":
        chosen = rng.permutation(systematic(size, n, at))
        chances = np.broadcast_to(n / size, size)
        joint = partial(joint_systematic, chances[chosen], chosen * (n / size))
    else:
        assert sizes is not None
        chances = inclusion(sizes, n)
        chosen, joint = _by_size(method, chances, n, rng, at)
    units = np.concatenate([chosen, _reserve(chosen, size, sizes, reserve, rng)]) if reserve else chosen
    return Picked(units, n, chances[units], size, joint)


def _by_size(method: Method, chances: np.ndarray, n: int, rng: np.random.Generator,
             start: float) -> tuple[np.ndarray, Callable[[], np.ndarray]]:
    """The sample by size in random order, and its joint probabilities; units with chance 1 are drawn apart."""
    certain, rest = np.flatnonzero(chances >= 1), np.flatnonzero(chances < 1)
    p, left = chances[rest], n - len(certain)
    if not left:
        found = np.empty(0, dtype=int)
    elif method == "pps_systematic":
        found = pps_systematic(p, left, start)
    else:
        if len(rest) * left > _MOST_CELLS:
            raise InputRefused(f"Sampford's method keeps a table of {len(rest):,} units by {left:,} draws, which is "
                               "too large. Take pps_systematic, or smaller strata.", "draw.method")
        found = np.flatnonzero(sampford(p, left, rng)[0])
    order = rng.permutation(n)
    chosen = np.concatenate([certain, rest[found]])[order]

    def joint() -> np.ndarray:
        among = (joint_sampford(p, found) if method == "pps_sampford"
                 else joint_systematic(p[found], (np.cumsum(p) - p)[found]))
        ones = np.concatenate([np.ones(len(certain)), p[found]])
        out = np.outer(ones, ones)
        out[len(certain):, len(certain):] = among
        return out[np.ix_(order, order)]

    return chosen, joint


def _reserve(chosen: np.ndarray, size: int, sizes: np.ndarray | None, reserve: int,
             rng: np.random.Generator) -> np.ndarray:
    """Units not drawn, one after another: each with a chance in proportion to its size (Efraimidis & Spirakis 2006)."""
    left = np.delete(np.arange(size), chosen)
    waits = rng.exponential(size=len(left)) / (1.0 if sizes is None else sizes[left])
    return left[np.argsort(waits, kind="stable")[:reserve]]


def reserve_of(n: int, size: int, share: float) -> int:
    """How many units a reserve of a share of n takes, rounded up, as far as the list goes."""
    return min(math.ceil(round(n * share, 9)), size - n)
