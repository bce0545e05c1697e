"""The stages of a draw within one stratum: units from its list, then units of those, down to rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.sampling.picking import BY_SIZE, Method, pick, reserve_of


@dataclass(frozen=True)
class Step:
    """One stage of a draw.

    Attributes
    ----------
    n
        Units to draw: from the stratum at the first stage, from each unit of the stage before at a later one.
    method
        *simple* at random; *systematic* at equal, fractional intervals along the list; *pps_systematic* and
        *pps_sampford* with chances in proportion to size.
    clusters
        Column that names the units; without it each row is one. Everybody in the units of a last stage is drawn.
    size
        Column with the size of each unit, the same in all its rows; without it a cluster's size is its number of rows.
    sort
        Columns by which the list is ordered before the systematic methods (implicit stratification); then by id.
    start
        Start of the systematic methods in [0, 1), as a share of the interval; drawn by the seed if None.
    short
        What a list with fewer than n units means at a later stage: *refuse*, or *all* of them.
    """

    n: int
    method: Method = "simple"
    clusters: str = ""
    size: str = ""
    sort: tuple[str, ...] = ()
    start: float | None = None
    short: Literal["refuse", "all"] = "refuse"


def few(names: Any, most: int = 5) -> str:
    """The first names, and how many more there are."""
    names = list(map(str, names))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(eq=False)
class Part:
    """Rows drawn below one unit: (stages, 5, r) of chance, listed, drawn, number of the list, place on it."""

    rows: np.ndarray
    main: np.ndarray
    info: np.ndarray
    units: np.ndarray = field(default_factory=lambda: np.empty(0))
    ids: np.ndarray = field(default_factory=lambda: np.empty(0))
    name: str = ""


@dataclass
class Walk:
    """The stages of one stratum, walked from its list down to rows."""

    frame: pd.DataFrame
    ids: pd.Series
    steps: Sequence[Step]
    rng: np.random.Generator
    reserve: float
    lists: list[Callable[[], np.ndarray]]
    where: str

    def descend(self, rows: np.ndarray, depth: int, path: str = "") -> list[Part]:
        """Everybody drawn from these rows by the stages from this depth on."""
        step, where, last = self.steps[depth], self.where + path, depth + 1 == len(self.steps)
        labels, of = (pd.factorize(self.frame[step.clusters].iloc[rows].astype(str), sort=True)[::-1]
                      if step.clusters else (None, np.arange(len(rows))))
        count = len(rows) if labels is None else len(labels)
        if labels is not None and (labels == "").any():
            empty = int((of == np.flatnonzero(labels == "")[0]).sum())
            raise InputRefused(f'column "{step.clusters}" is empty for {empty:,} customers. Give each a unit.', where)
        n = self._number(step, depth, count, where)
        sizes = self._sizes(step, rows, of, count, labels, where) if step.method in BY_SIZE else None
        line = self._line(step, rows, of, count, labels, where)
        reserve = reserve_of(n, count, self.reserve) if last else 0
        got = pick(step.method, n, count, None if sizes is None else sizes[line], self.rng, step.start, reserve)
        number = len(self.lists)
        self.lists.append(got.joint)
        units, m = line[got.units], len(got.units)
        info = np.stack([got.chances, np.full(m, count), np.full(m, n), np.full(m, number), np.arange(m)])
        main = np.arange(m) < got.main
        if labels is None:
            return [Part(rows[units], main, info[None])]
        members = _members(of, count, rows)
        if last:
            sizes_of = [len(members[u]) for u in units]
            return [Part(np.concatenate([members[u] for u in units]), np.repeat(main, sizes_of),
                          np.repeat(info, sizes_of, axis=1)[None])]
        out = []
        for at, unit in enumerate(units):
            for part in self.descend(members[unit], depth + 1, f', {step.clusters} "{labels[unit]}"'):
                above = np.repeat(info[:, at:at + 1], len(part.rows), axis=1)
                out.append(Part(part.rows, part.main, np.concatenate([above[None], part.info])))
        return out

    def _number(self, step: Step, depth: int, count: int, where: str) -> int:
        if not isinstance(step.n, int | np.integer) or isinstance(step.n, bool) or step.n < 1:
            raise InputRefused(f"{step.n} to draw; a whole number of 1 or more is expected. Correct it, or leave these "
                               "customers out of the frame.", where)
        if step.n > count:
            if depth and step.short == "all":
                return count
            more = " Or say `short: all`." if depth else ""
            what = "units" if step.clusters else "customers"
            raise InputRefused(f"{step.n:,} to draw from {count:,} {what}. Draw at most {count:,}.{more}", where)
        if step.start is not None and not 0 <= step.start < 1:
            raise InputRefused(f"the start {step.start:g} is not in 0 to 1. Correct it.", where)
        return int(step.n)

    def _sizes(self, step: Step, rows: np.ndarray, of: np.ndarray, count: int, labels: Any,
               where: str) -> np.ndarray:
        if not step.size and step.clusters:
            return np.bincount(of, minlength=count).astype(float)
        if not step.size:
            raise InputRefused(f"{step.method} needs a size of each customer. Name its column as draw.size_measure.",
                               where)
        values = np.asarray(self.frame[step.size].to_numpy()[rows], dtype=float)
        for bad, said in ((~np.isfinite(values), "missing"), (values < 0, "negative"), (values == 0, "zero")):
            if bad.any():
                raise InputRefused(f'size "{step.size}" is {said}: {few(self.ids.iloc[rows[bad]])}. Correct it, or '
                                   "leave them out of the frame.", where)
        return self._of_unit(step.size, values, rows, of, count, labels, where)

    def _of_unit(self, column: str, values: np.ndarray, rows: np.ndarray, of: np.ndarray, count: int, labels: Any,
                 where: str) -> np.ndarray:
        """One value for each unit, which all its rows must share."""
        if labels is None:
            return values
        out = np.empty(count, dtype=values.dtype)
        out[of] = values
        if (differs := np.flatnonzero(out[of] != values)).size:
            raise InputRefused(f'column "{column}" has different values within "{labels[of[differs[0]]]}". A unit has '
                               "one: correct it, or name a column of the units.", where)
        return out

    def _line(self, step: Step, rows: np.ndarray, of: np.ndarray, count: int, labels: Any, where: str) -> np.ndarray:
        """The units in the order of the list; equal ones stay in the order of ids or names."""
        if not step.sort or step.method in {"simple", "pps_sampford"}:
            return np.arange(count)
        keys = [self._of_unit(c, pd.factorize(self.frame[c].iloc[rows], sort=True, use_na_sentinel=True)[0], rows, of,
                              count, labels, where) for c in step.sort]
        return np.lexsort(keys[::-1])


def _members(of: np.ndarray, count: int, rows: np.ndarray) -> list[np.ndarray]:
    """Rows of each unit."""
    return np.split(rows[np.argsort(of, kind="stable")], np.cumsum(np.bincount(of, minlength=count))[:-1])
