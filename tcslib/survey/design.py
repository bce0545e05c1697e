"""The sampling design, told once, travelling with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused

SampleKind = Literal["probability", "quota", "opt_in", "census"]
LonelyRule = Literal["refuse", "remove", "adjust", "average", "certainty", "collapse"]


@dataclass(frozen=True, eq=False)
class Stage:
    """A later stage of sampling: units drawn within each unit of the stage before.

    Attributes
    ----------
    clusters
        (n,) labels of the units drawn at this stage; a label counts within its unit of the stage before.
    strata
        (n,) labels of the strata they were drawn in, or None.
    fpc
        (n,) units of the row's stratum (or of its unit of the stage before) on the frame, or None.
    """

    clusters: np.ndarray
    strata: np.ndarray | None = None
    fpc: np.ndarray | None = None

    def take(self, keep: np.ndarray) -> Stage:
        """The stage of the rows kept."""
        return Stage(self.clusters[keep], None if self.strata is None else self.strata[keep],
                     None if self.fpc is None else self.fpc[keep])


@dataclass(frozen=True, eq=False)
class GivenReplicates:
    """Replicate weights that were delivered with the data, weighting already in them.

    Attributes
    ----------
    weights
        (n, R) final weights of each replicate.
    scales
        (R,) multipliers of the squared deviations whose sum is the variance.
    about
        Deviations from the replicates' *mean* or from the *estimate* of the sample itself.
    df
        Degrees of freedom.
    """

    weights: np.ndarray
    scales: np.ndarray
    about: Literal["mean", "estimate"]
    df: int


@dataclass(frozen=True, eq=False)
class Design:
    """How n respondents were drawn: stratified, clustered, in one stage or several, with unequal chances.

    Attributes
    ----------
    ids
        (n,) unique respondent ids, text.
    weights
        (n,) base weights, inverse inclusion probabilities; zero keeps a row out of every estimate.
    strata, clusters
        (n,) labels of the first-stage stratum and primary sampling unit (PSU), or None. A PSU label counts within
        its stratum. Without clusters the respondent is the unit that was drawn.
    sample
        What kind of sample it is; decides the wording of intervals, not the arithmetic.
    fpc
        (n,) first-stage units of the row's stratum on the frame, for the finite population correction; None leaves
        it out, as if units had been drawn with replacement.
    stages
        The second and later stages; they enter standard errors only where ``fpc`` is known.
    lonely_psu
        What a stratum with a single unit contributes to variances. *refuse*: nothing is estimated. *remove*:
        nothing. *certainty*: nothing, since the unit was drawn for certain. *adjust*: its deviation from the grand mean
        (Taylor). *average*: the mean of the other strata's (Taylor). *collapse*: it joins its neighbour (replicates).
    given
        Replicate weights delivered with the data, or None.
    silent
        (n,) True for rows that were drawn and did not answer, or None. Units without any answer count neither for
        degrees of freedom nor for sampling fractions: what was not seen can still be missed.
    """

    ids: np.ndarray
    weights: np.ndarray
    strata: np.ndarray | None = None
    clusters: np.ndarray | None = None
    sample: SampleKind = "probability"
    fpc: np.ndarray | None = None
    stages: tuple[Stage, ...] = ()
    lonely_psu: LonelyRule = "refuse"
    given: GivenReplicates | None = None
    silent: np.ndarray | None = None

    @cached_property
    def _units(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        if self.clusters is None:          # all different: nothing beats a sort
            labels, label = np.unique(self.ids.astype(str), return_inverse=True)
        else:
            label, labels = coded(self.clusters)
        of_row, strata_names = np.zeros(len(self.ids), dtype=int), np.array([""])
        if self.strata is not None:
            of_row, strata_names = coded(self.strata)
        pairs, unit = np.unique(of_row * len(labels) + label, return_inverse=True)
        return unit, pairs // len(labels), strata_names, labels[pairs % len(labels)]

    @property
    def unit(self) -> np.ndarray:
        """(n,) index of each row's resampling unit among the units sorted by stratum and label."""
        return self._units[0]

    @cached_property
    def order(self) -> np.ndarray:
        """(n,) rows sorted by id: sums taken in this order do not depend on the order of the file."""
        return np.argsort(self.ids.astype(str), kind="stable")

    @property
    def unit_stratum(self) -> np.ndarray:
        """(units,) index of each unit's stratum."""
        return self._units[1]

    @property
    def unit_names(self) -> tuple[np.ndarray, np.ndarray]:
        """(units,) name of each unit's stratum, and its own label: the PSU's, or the respondent's id."""
        return self._units[2][self._units[1]], self._units[3]

    @property
    def units(self) -> int:
        """Number of primary sampling units."""
        return len(self.unit_stratum)

    @property
    def strata_count(self) -> int:
        """Number of strata; 1 without stratification."""
        return len(self._units[2])

    @property
    def simple(self) -> bool:
        """True for a simple random sample of rows: no strata, no clusters, equal weights."""
        positive = self.weights[self.weights > 0]
        return (self.strata is None and self.clusters is None
                and bool(np.allclose(positive, positive[:1], rtol=1e-12, atol=0)))

    @property
    def df(self) -> int:
        """Degrees of freedom: PSUs less strata, of those that answered (Korn & Graubard 1999, section 5.2)."""
        return int(self.heard.sum() - (self.heard > 0).sum())

    @cached_property
    def answered(self) -> np.ndarray:
        """(units,) True for sampling units of which somebody answered."""
        out = np.zeros(self.units, dtype=bool)
        out[self.unit if self.silent is None else self.unit[~self.silent]] = True
        return out

    @cached_property
    def heard(self) -> np.ndarray:
        """(strata,) number of such units in each stratum."""
        return np.bincount(self.unit_stratum[self.answered], minlength=self.strata_count)

    @property
    def frame_units(self) -> int | None:
        """First-stage units on the frame, all strata together; None where no count is known."""
        return None if self.fpc is None else round(float(self.on_frame.sum()))

    @cached_property
    def on_frame(self) -> np.ndarray:
        """(strata,) first-stage units on the frame, where ``fpc`` counts them."""
        of_stratum = np.zeros(self.strata_count)
        of_stratum[self.unit_stratum[self.unit]] = self.fpc
        return of_stratum

    @cached_property
    def open_share(self) -> np.ndarray:
        """(strata,) share of each stratum's units that were not heard: 1 - n / N, or 1 where N is not known."""
        if self.fpc is None:
            return np.ones(self.strata_count)
        return np.maximum(0.0, 1 - self.heard / self.on_frame)

    def lonely(self) -> list[str]:
        """Strata with a single PSU, whose variance the sample cannot tell; not those whose only unit that one is."""
        counts = np.bincount(self.unit_stratum)
        return [str(name) for name, count, share in zip(self._units[2], counts, self.open_share, strict=True)
                if count < 2 and share > 0]

    def collapsed(self) -> Design:
        """The design with each lonely stratum joined to the next by name, the last to the one before it.

        Its units keep their order; the frame's counts are added up.
        """
        alone = np.isin(self._units[2], self.lonely())
        if not alone.any() or self.strata_count == 1:
            return self
        # a stratum opens a new one unless the one before it, alone so far, waits for company
        joined, size = np.zeros(self.strata_count, dtype=int), 0
        for h in range(self.strata_count):
            joined[h] = joined[h - 1] + (size > 1 or not alone[h - 1] if h else 0)
            size = size + 1 if h and joined[h] == joined[h - 1] else 1
        if alone[-1] and size == 1:
            joined[-1] = joined[-2]
        stratum, label = self.unit_names
        digits = len(str(self.units))
        merged = np.char.zfill(joined.astype(str), digits)[self.unit_stratum]
        # a label counted within its stratum; now it must count within several
        clusters = np.char.add(np.char.add(stratum, "\x1f"), label)
        fpc = None
        if self.fpc is not None:
            fpc = np.bincount(joined, self.on_frame)[joined[self.unit_stratum[self.unit]]]
        return replace(self, strata=merged[self.unit], clusters=clusters[self.unit], fpc=fpc)

    def take(self, keep: np.ndarray) -> Design:
        """The design of the rows kept (boolean or integer index)."""
        def rows(of: np.ndarray | None) -> np.ndarray | None:
            return None if of is None else of[keep]

        return replace(self, ids=self.ids[keep], weights=self.weights[keep], strata=rows(self.strata),
                       clusters=rows(self.clusters), fpc=rows(self.fpc),
                       stages=tuple(stage.take(keep) for stage in self.stages),
                       given=self.given and replace(self.given, weights=self.given.weights[keep]),
                       silent=rows(self.silent))


def coded(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) codes of labels, and the sorted labels they stand for, as text."""
    codes, names = pd.factorize(labels.astype(str).astype(object), sort=True)          # a hash beats a sort of all rows
    return codes, names.astype(str)


def check_weights(weights: np.ndarray, column: str, rows: Sequence[int], where: str) -> None:
    """Refuse weights that are missing, infinite, negative or all zero, naming file rows.

    Parameters
    ----------
    weights
        (n,) as read, missing as NaN.
    column, where
        Their name and file, for the message.
    rows
        (n,) the rows' numbers in the file.
    """
    for bad, said in ((~np.isfinite(weights), "missing or not a number"), (weights < 0, "negative")):
        if bad.any():
            which = [str(rows[i]) for i in np.flatnonzero(bad)[:5]]
            count, more = int(bad.sum()), ", …" if bad.sum() > 5 else ""
            raise InputRefused(f'weight column "{column}" is {said} in {count} row{"s" if count > 1 else ""} (row'
                               f'{"s" if count > 1 else ""} {", ".join(which)}{more}). Give every respondent a weight '
                               "of 0 or more.", where)
    if not weights.sum() > 0:
        raise InputRefused(f'weight column "{column}" is 0 in every row. Give the weights, or drop design.weights.',
                           where)
