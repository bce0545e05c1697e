"""Replicates of several waves at once: one draw over the union of their units, so that changes carry what they share.

The waves are strata, or share strata and units, of one stacked design. A replicate draws from that design once; every
wave then replays its own weighting on the units it has in the draw. A difference formed between the waves' statistics
in the same replicate therefore knows of panel members and of stores that were visited twice.

Under finite population corrections one draw for all would overstate what waves share: means of n and n' units, m of
them in both, have the covariance (m / (n n') - 1 / N) S S' r (Tam 1984, American Statistician 38:288-289), which is
nothing where two near-censuses miss other units. Each wave then draws halves of its own units, by keys that correlate
as this asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from scipy import special

from tcslib.errors import InputRefused
from tcslib.inference.bootstrap import CHUNK, SHRINK, halved, resample
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
    mix
        (units, waves) what each unit's key is mixed of, where waves carry finite population corrections, else None.
    waves
        How many were drawn together.
    """

    union: Design = field(kw_only=True)
    at: np.ndarray = field(kw_only=True)
    overlap: Overlap = field(kw_only=True)
    mix: np.ndarray | None = field(kw_only=True)
    waves: int = field(kw_only=True)

    @property
    def kept_mb(self) -> float:
        """A wave's part of it."""
        return super().kept_mb / self.waves

    @property
    def corrected(self) -> bool:
        """Whether deviations carry the wave's finite population corrections."""
        return self.mix is not None

    def unit_factors(self, chunk: int) -> np.ndarray:
        """(CHUNK, units) factors of this wave's units in one chunk of the common draw."""
        if self.mix is not None:
            rng = np.random.default_rng([self.seed, chunk])
            normal = rng.standard_normal((CHUNK, self.mix.shape[1], self.union.units))[:, :, self.at]
            return halved(self.union.unit_stratum[self.at], self.design.open_share[self.design.unit_stratum],
                          special.ndtr(np.einsum("bwu,uw->bu", normal, self.mix)))
        apart = resample(self.union, np.bincount(self.union.unit_stratum) - 1, self.seed, chunk)[:, self.at] - 1
        return 1 + (apart / SHRINK if self.kind == "positive" else apart)


def link(waves: Sequence[Responses], overlap: Overlap | None = None, count: int = 2000, seed: int = 20260930, *,
         method: Method = "bootstrap", memory_mb: int = 500, workers: int = 1, where: str = "study") -> list[Linked]:
    """Replicates for each wave from one draw over the union of the waves' units.

    Parameters
    ----------
    waves
        Responses of each wave.
    overlap
        *none*: samples drawn apart; equal labels mean nothing. *units*: strata and sampling units of one name are the
        same ones in every wave. *respondents*: so are people of one id. Without a statement, *none* where no id and no
        unit comes again.
    method
        *preston* draws halves of each wave's units and corrects each for its own population, at the first stage, where
        all waves count theirs; *positive* keeps every weight above zero; whatever else a wave's own standard errors
        rest on, changes rest on the bootstrap.
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
    places = np.split(union.unit, cuts)
    mixes: Sequence[np.ndarray | None] = [None] * len(own)
    if method == "preston" and all(r.design.fpc is not None for r in own):
        loads = _loads(union, [r.design for r in own], places)
        mixes = [loads[union.unit_stratum[at], number] for number, at in enumerate(places)]
    kind: Kind = "positive" if method == "positive" else "rao_wu" if mixes[0] is None else "preston"
    return [Linked(r.design, r.steps, kind, count, seed, memory_mb, workers, union=union, at=at, overlap=overlap,
                   mix=mix, waves=len(waves)) for r, at, mix in zip(own, places, mixes, strict=True)]


def _loads(union: Design, designs: Sequence[Design], places: Sequence[np.ndarray]) -> np.ndarray:
    """(strata, waves, waves) lower triangles whose rows mix independent normals into keys.

    Halves told by keys that correlate at sin(π r / 2) correlate at r (the orthant probability of the binormal); r is
    what Tam's covariance asks for, over the root of both waves' 1 - n / N. Where no triple of waves can have it, it is
    shrunk towards 0.
    """
    strata, waves = union.strata_count, len(designs)
    there = np.zeros((waves, union.units), dtype=bool)
    frame = np.zeros(strata)
    for number, (design, at) in enumerate(zip(designs, places, strict=True)):
        there[number, at[design.answered]] = True
        each = (design.on_frame / np.bincount(design.unit_stratum))[design.unit_stratum]
        frame = np.maximum(frame, np.bincount(union.unit_stratum[at], each, strata))
    both = np.array([[np.bincount(union.unit_stratum[a & b], minlength=strata) for b in there] for a in there], float)
    n = np.einsum("wwh->wh", both)
    with np.errstate(divide="ignore", invalid="ignore"):
        opened = np.sqrt(np.maximum(0.0, 1 - n / frame))
        r = (1 - n[:, None] * n / (frame * both)) / (opened[:, None] * opened)
    r = np.where(np.isfinite(r), r, 0.0).clip(-1, 1)          # nothing in common, or nothing that can be missed
    keys = np.moveaxis(np.sin(np.pi / 2 * r), 2, 0)
    keys[:, np.arange(waves), np.arange(waves)] = 1.0
    lift = np.maximum(0.0, -np.linalg.eigvalsh(keys)[:, :1, None]) + 1e-9
    out: np.ndarray = np.linalg.cholesky((keys + lift * np.eye(waves)) / (1 + lift))
    return out


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
