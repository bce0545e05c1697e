"""The stages of a design, unit within unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tcslib.errors import InputRefused
from tcslib.survey.design import Design


@dataclass(frozen=True, eq=False)
class Level:
    """One stage of the design: U units drawn in H strata.

    Attributes
    ----------
    unit
        (n,) unit of each row.
    stratum
        (U,) stratum of each unit; at later stages strata lie within one unit of the stage before.
    parent
        (H,) that unit, 0 at the first stage.
    drawn, frame
        (H,) units in the sample and on the frame (infinite where no count is known).
    heard
        (H,) those of the sample of which somebody answered.
    """

    unit: np.ndarray
    stratum: np.ndarray
    parent: np.ndarray
    drawn: np.ndarray
    frame: np.ndarray
    heard: np.ndarray

    @property
    def fraction(self) -> np.ndarray:
        """(H,) sampling fractions, of units that answered; 0 where the frame's count is not known."""
        return self.heard / self.frame


def levels(design: Design) -> Iterator[Level]:
    """The stages of a design, down to the last that can add to a variance: the first one without frame counts."""
    unit, stratum = design.unit, design.unit_stratum
    parent, fpc, number = np.zeros(design.strata_count, dtype=int), design.fpc, 1
    answered = slice(None) if design.silent is None else ~design.silent
    for later in (*design.stages, None):
        drawn = np.bincount(stratum, minlength=len(parent))
        heard = np.bincount(stratum[np.unique(unit[answered])], minlength=len(parent))
        yield Level(unit, stratum, parent, drawn, _frame(fpc, stratum[unit], drawn, number), heard)
        if later is None or fpc is None:
            return
        within = np.zeros(len(unit), dtype=int) if later.strata is None else _codes(later.strata)
        pairs, of_row = np.unique(unit * (within.max() + 1) + within, return_inverse=True)
        label = _codes(later.clusters)
        units, unit_of_row = np.unique(of_row * (label.max() + 1) + label, return_inverse=True)
        unit, stratum, parent = unit_of_row, units // (label.max() + 1), pairs // (within.max() + 1)
        fpc, number = later.fpc, number + 1


def _codes(labels: np.ndarray) -> np.ndarray:
    return np.unique(np.asarray(labels).astype(str), return_inverse=True)[1]


def _frame(fpc: np.ndarray | None, of_row: np.ndarray, drawn: np.ndarray, number: int) -> np.ndarray:
    """(H,) frame counts of the strata, refused where rows of one stratum differ or more was drawn than there is."""
    if fpc is None:
        return np.full(len(drawn), np.inf)
    low, high = np.full(len(drawn), np.inf), np.zeros(len(drawn))
    np.minimum.at(low, of_row, fpc)
    np.maximum.at(high, of_row, fpc)
    where = f"design.stages.{number - 1}.fpc" if number > 1 else "design.fpc"
    if (low < high).any():
        h = int(np.argmax(low < high))
        raise InputRefused(f"one stratum states {low[h]:g} and {high[h]:g} units on the frame. Give every row of a "
                           "stratum the same count.", where)
    if not (high >= drawn).all():
        h = int(np.argmin(high >= drawn))
        raise InputRefused(f"{drawn[h]} units were drawn of {high[h]:g} on the frame. Give the number of units on the "
                           "frame, not their share.", where)
    return high
