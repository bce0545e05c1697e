"""Replicates of several waves at once: one draw over the union of their units, so that changes carry what they share.

The waves are strata, or share strata and units, of one stacked design. A replicate draws from that design once; every
wave then replays its own weighting on the units it has in the draw. A difference formed between the waves' statistics
in the same replicate therefore knows of panel members and of stores that were visited twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np

from tcslib.errors import InputRefused
from tcslib.inference.bootstrap import SHRINK, resample
from tcslib.inference.replicates import Kind, Method, Replicates, replicate
from tcslib.survey.design import Design
from tcslib.survey.responses import Responses

Overlap = Literal["none", "units", "respondents"]
SAME_IDS = 0.01          # a larger share of ids met again is no accident, and its meaning must be stated


@dataclass(frozen=True, eq=False)
class Linked(Replicates):
    """One wave's replicates, drawn with those of other waves.

    Attributes
    ----------
    union
        The stacked design, a row for each of its units.
    at
        (units,) where each unit of this wave stands among the units of the union.
    overlap
        What the waves share, as it was stated.
    corrected
        Whether deviations are brought down by the wave's finite population corrections (Rao & Wu 1988, eq. 2.4).
    waves
        How many were drawn together.
    """

    union: Design = field(kw_only=True)
    at: np.ndarray = field(kw_only=True)
    overlap: Overlap = field(kw_only=True)
    corrected: bool = field(kw_only=True)
    waves: int = field(kw_only=True)

    @property
    def kept_mb(self) -> float:
        """A wave's part of it."""
        return super().kept_mb / self.waves

    def unit_factors(self, chunk: int) -> np.ndarray:
        """(CHUNK, units) factors of this wave's units in one chunk of the common draw."""
        apart = resample(self.union, np.bincount(self.union.unit_stratum) - 1, self.seed, chunk)[:, self.at] - 1
        if self.corrected:
            apart *= np.sqrt(self.design.open_share)[self.design.unit_stratum]
        return 1 + (apart / SHRINK if self.kind == "positive" else apart)


def link(waves: Sequence[Responses], overlap: Overlap | None = None, count: int = 2000, seed: int = 20260930, *,
         method: Method = "bootstrap", memory_mb: int = 500, workers: int = 1, where: str = "study") -> list[Linked]:
    """Replicates for each wave from one Rao–Wu draw over the union of the waves' units.

    Parameters
    ----------
    waves
        Responses of each wave.
    overlap
        *none*: samples drawn apart; equal labels mean nothing. *units*: strata and sampling units of one name are the
        same ones in every wave. *respondents*: so are people of one id. Without a statement, *none* where no id and no
        unit comes again.
    method
        *preston* corrects each wave for its own population, at the first stage; *positive* keeps every weight above
        zero; whatever else a wave's own standard errors rest on, changes rest on the bootstrap.
    count, seed, memory_mb, workers
        As for ``replicate``.

    Raises
    ------
    InputRefused
        When units are stated in some waves only, nothing is stated and ids or units come again, or replicate weights
        were given with the data.
    """
    overlap = overlap or _nothing_shared(waves, where)
    if any(w.design.given is not None for w in waves):
        raise InputRefused("one of the waves has its replicate weights given with its data, and a change needs a draw "
                           "that both share. Drop compare.previous, or state strata and clusters of both.",
                           f"{where}: compare.previous")
    own = [replicate(w, count, seed, memory_mb=memory_mb, workers=workers, where=where) for w in waves]
    clustered = {w.design.clusters is not None for w in waves}
    if overlap != "none" and len(clustered) > 1:
        raise InputRefused("some of the waves state sampling units and others do not, so their overlap cannot be told. "
                           "State compare.overlap: none, or the units of every wave.", f"{where}: compare.overlap")
    if overlap == "units" and clustered == {False}:
        raise InputRefused("no sampling units are stated (design.clusters) that could be the same in both waves. Write "
                           "respondents, when the same people answered, or none.", f"{where}: compare.overlap")
    strata, labels = [], []
    for number, wave in enumerate(waves):
        stratum, label = wave.design.unit_names
        # apart means apart: strata of their own, so that no draw is shared
        strata.append(stratum if overlap != "none" else np.char.add(f"{number}\x1f", stratum))
        labels.append(label)
    if overlap == "respondents" and clustered == {False}:
        strata = _first_stratum(strata, labels)
    ids = np.arange(sum(map(len, labels))).astype(str)
    union = Design(ids, np.ones(len(ids)), np.concatenate(strata), np.concatenate(labels), waves[0].design.sample)
    if any(w.design.lonely_psu == "collapse" for w in waves):
        union = union.collapsed()
    cuts = np.cumsum([len(label) for label in labels])[:-1]
    kind: Kind = "positive" if method == "positive" else "rao_wu"
    return [Linked(r.design, r.steps, kind, count, seed, memory_mb, workers, union=union, at=at, overlap=overlap,
                   corrected=method == "preston" and r.design.fpc is not None, waves=len(waves))
            for r, at in zip(own, np.split(union.unit, cuts), strict=True)]


def _first_stratum(strata: list[np.ndarray], labels: list[np.ndarray]) -> list[np.ndarray]:
    """Everyone in the stratum of the first wave they were in: a person who moved is still the person who was drawn."""
    first: dict[str, str] = {}
    for stratum, label in zip(strata, labels, strict=True):
        for name, of in zip(label, stratum, strict=True):
            first.setdefault(name, of)
    return [np.array([first[name] for name in label]) for label in labels]


def _nothing_shared(waves: Sequence[Responses], where: str) -> Overlap:
    """*none*, where no id and no unit comes again.

    What comes again may be the same people and stores, or numbers that begin anew in every wave: no program can tell,
    and the standard error of a change hangs on it.
    """
    for before, wave in pairwise(waves):
        ids = set(before.design.ids.tolist())
        again = sum(i in ids for i in wave.design.ids.tolist())
        clusters = [w.design.clusters for w in (before, wave)]
        units = set() if clusters[0] is None or clusters[1] is None else set(clusters[0]) & set(clusters[1])
        if again > SAME_IDS * len(wave.design.ids) or units:
            met = f"{again} of {len(wave.design.ids)} ids" if again else f"{len(units)} sampling units"
            raise InputRefused(
                f"{met} also stand in the wave before. State compare.overlap: respondents (the same people), units "
                "(the same sampling units, other people) or none (names that begin anew in every wave).",
                f"{where}: compare")
    return "none"
