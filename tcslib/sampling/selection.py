"""A sample from a frame: by strata, in stages, with the chance of everybody drawn."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.sampling.walking import Part, Step, Walk, few
from tcslib.survey.design import Design, Stage

ALL = ""          # the one stratum of a frame without strata
_EQUAL = ("simple", "systematic")


@dataclass(frozen=True, eq=False)
class Draw:
    """A sample, and its reserve, stratum by stratum in the order of contact; the sample of a stratum comes first.

    Attributes
    ----------
    rows
        (m,) positions in the frame.
    ids, strata
        (m,) labels; a stratum is "" without strata.
    main
        (m,) True for the sample, False for its reserve.
    order
        (m,) 1, 2, … within the stratum.
    units
        (stages, m) labels of the units drawn at each stage; "" where a stratum has fewer stages.
    chances
        (stages, m) inclusion probabilities at each stage, given the stages before.
    listed, drawn
        (stages, m) units on the list each unit was drawn from, and how many of them were.
    clustered
        Whether the first stage draws clusters of rows.
    equal
        Whether every first stage gives all its units the same chance.
    """

    rows: np.ndarray
    ids: np.ndarray
    strata: np.ndarray
    main: np.ndarray
    order: np.ndarray
    units: np.ndarray
    chances: np.ndarray
    listed: np.ndarray
    drawn: np.ndarray
    clustered: bool
    equal: bool
    _lists: np.ndarray
    _at: np.ndarray
    _joint: tuple[Callable[[], np.ndarray], ...]

    @property
    def probability(self) -> np.ndarray:
        """(m,) overall inclusion probability."""
        return self.chances.prod(axis=0)

    def table(self) -> pd.DataFrame:
        """Frame row, id, stratum, part, order, probability, weight, certain; by stage unit, chance, list, drawn."""
        p = self.probability
        out: dict[str, Any] = {"row": self.rows, "id": self.ids, "stratum": self.strata,
                               "part": np.where(self.main, "main", "reserve"), "order": self.order, "probability": p,
                               "weight": 1 / p, "certain": self.chances[0] == 1}
        for s in range(len(self.units)):
            out |= {f"unit_{s + 1}": self.units[s], f"chance_{s + 1}": self.chances[s], f"list_{s + 1}": self.listed[s],
                    f"drawn_{s + 1}": self.drawn[s]}
        return pd.DataFrame(out)

    def design(self) -> Design:
        """The sampling design of the sample, without its reserve.

        Where a first stage draws by size its units have no common sampling fraction, and the finite population
        correction is left out.
        """
        keep = self.main
        stages = tuple(Stage(self.units[s, keep], None, self.listed[s, keep]) for s in range(1, len(self.units)))
        return Design(self.ids[keep], 1 / self.probability[keep],
                      None if (self.strata == ALL).all() else self.strata[keep],
                      self.units[0, keep] if self.clustered else None, "probability",
                      self.listed[0, keep].astype(float) if self.equal else None, stages)

    def joint(self) -> np.ndarray:
        """Joint inclusion probabilities of the sample's rows, (k, k); rows of the same unit share its chance.

        Two rows from one list have that list's joint probability, else the product of their chances, stage by stage.
        """
        keep = self.main
        known = [joint() for joint in self._joint]
        out = np.ones((keep.sum(), keep.sum()))
        for p, lists, at in zip(self.chances[:, keep], self._lists[:, keep], self._at[:, keep], strict=True):
            stage = np.outer(p, p)
            for number in np.unique(lists[lists >= 0]):
                here = np.flatnonzero(lists == number)
                stage[np.ix_(here, here)] = known[number][np.ix_(at[here], at[here])]
            out *= stage
        return out


def draw(frame: pd.DataFrame, steps: Sequence[Step] | Mapping[str, Sequence[Step]], *, id: str = "", strata: str = "",
         seed: int = 0, reserve: float = 0.0) -> Draw:
    """Draw a sample from a frame; the frame is not changed.

    The same seed gives the same sample from the same list, whatever the order of its rows, if the rows have ids; a
    stratum's sample does not depend on the other strata.

    Parameters
    ----------
    frame
        A row for each customer.
    steps
        The stages of the draw: the same in every stratum, or by stratum.
    id
        Column of unique ids; without it the row's position is its id.
    strata
        Column of the strata.
    reserve
        Size of the reserve as a share of each last stage's n, rounded up.

    Raises
    ------
    InputRefused
        One line for every fault of the frame or the plan, with names.
    """
    order, ids = _in_order(frame, id)
    groups = _strata(frame, strata, order)
    plan = dict(steps) if isinstance(steps, Mapping) else dict.fromkeys(groups, steps)
    faults = [InputRefused(f'there is no stratum "{name}" on the list; there are {few(groups)}. Correct it.',
                           f"draw: {strata or 'strata'}") for name in plan if name not in groups]
    faults += [InputRefused(f'stratum "{name}" ({len(rows):,} on the list) has no number to draw. Give it one.',
                            f"draw: {strata}") for name, rows in groups.items() if name not in plan]
    if reserve < 0:
        faults.append(InputRefused(f"{reserve:g} is no share. Give 0 or more.", "draw.reserve"))
    refuse_all(faults)
    found: list[Part] = []
    lists: list[Callable[[], np.ndarray]] = []
    for name, rows in groups.items():
        walk = Walk(frame, ids, plan[name], np.random.default_rng([seed, zlib.crc32(name.encode())]), reserve, lists,
                     f'draw: stratum "{name}"' if strata else "draw")
        try:
            found.append(_joined(name, walk.descend(rows, 0), frame, plan[name], ids))
        except InputRefused as error:
            faults.append(error)
    refuse_all(faults)
    first = [plan[name][0] for name in groups]
    return _drawn(found, lists, any(s.clusters for s in first), all(s.method in _EQUAL for s in first))


def _in_order(frame: pd.DataFrame, id: str) -> tuple[np.ndarray, pd.Series]:
    """Positions of the rows in the order of their ids, which are unique, and the ids."""
    if not len(frame):
        raise InputRefused("holds nobody to draw from. Check the list and who rests.", "frame")
    if not id:
        return np.arange(len(frame)), pd.Series(np.arange(len(frame)))
    ids = frame[id].reset_index(drop=True)
    if ids.isna().any() or (not pd.api.types.is_numeric_dtype(ids) and (ids == "").any()):
        empty = np.flatnonzero((ids.isna() | (ids == "")).to_numpy(bool))
        raise InputRefused(f"is empty in {len(empty):,} of the rows: {few(empty + 1)}. Give each an id.",
                           f'frame: column "{id}"')
    order = np.arange(len(ids)) if ids.is_monotonic_increasing else ids.argsort(kind="stable").to_numpy()
    line = ids.take(order)
    same = (line.to_numpy()[1:] == line.to_numpy()[:-1]) if pd.api.types.is_numeric_dtype(ids) else (
        line.iloc[1:].reset_index(drop=True) == line.iloc[:-1].reset_index(drop=True)).to_numpy(bool)
    if same.any():
        twice = list(dict.fromkeys(map(str, line.iloc[1:][same].iloc[:50])))
        raise InputRefused(f"{few(twice)} {'stands' if len(twice) == 1 else 'stand'} on the list more than once. Keep "
                           "one row for each id.", f'frame: column "{id}"')
    return order, ids


def _strata(frame: pd.DataFrame, strata: str, order: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of each stratum in the order given, strata by name."""
    if not strata:
        return {ALL: order}
    column = frame[strata]
    codes, names = pd.factorize(column, sort=True)
    empty = int((codes < 0).sum()) + int((column == "").sum())
    if empty:
        raise InputRefused(f"is empty for {empty:,} of the list. Give every customer a stratum.",
                           f'draw: column "{strata}"')
    codes = codes.astype(np.min_scalar_type(len(names)))[order]
    rows = order[np.argsort(codes, kind="stable")]          # a radix sort for so few codes
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return dict(zip(map(str, names), np.split(rows, ends), strict=True))


def _joined(name: str, parts: Sequence[Part], frame: pd.DataFrame, steps: Sequence[Step], ids: pd.Series) -> Part:
    """A stratum's parts as one, the sample before its reserve, with the labels of their units."""
    rows, main = (np.concatenate([getattr(p, key) for p in parts]) for key in ("rows", "main"))
    order = np.argsort(~main, kind="stable")
    rows, info = rows[order], np.concatenate([p.info for p in parts], axis=2)[:, :, order]
    own = ids.iloc[rows].astype(str).to_numpy(dtype=object)
    units = np.array([frame[s.clusters].iloc[rows].astype(str).to_numpy(dtype=object) if s.clusters else own
                      for s in steps])
    return Part(rows, main[order], info, units, own, name)


def _drawn(parts: Sequence[Part], lists: Sequence[Callable[[], np.ndarray]], clustered: bool, equal: bool) -> Draw:
    """The strata's parts as the draw; a stratum with fewer stages is given empty ones of chance 1."""
    most, total = max(len(p.info) for p in parts), sum(len(p.rows) for p in parts)
    info, units = np.ones((most, 5, total)), np.full((most, total), "", dtype=object)
    info[:, 3] = -1
    begin = 0
    for part in parts:
        here = slice(begin, begin := begin + len(part.rows))
        info[:len(part.info), :, here], units[:len(part.units), here] = part.info, part.units
    rows = np.concatenate([p.rows for p in parts])
    names = np.repeat(np.array([p.name for p in parts], dtype=object), [len(p.rows) for p in parts])
    ids = np.concatenate([p.ids for p in parts])
    whole = info[:, 1:].astype(np.int64)
    return Draw(rows, ids, names, np.concatenate([p.main for p in parts]),
                np.concatenate([np.arange(1, len(p.rows) + 1) for p in parts]), units, info[:, 0], whole[:, 0],
                whole[:, 1], clustered, equal, whole[:, 2], whole[:, 3], tuple(lists))
