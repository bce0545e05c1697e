"""Who is on the list and who will be heard, by class of customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# who a customer can be, beside those who pay: ISO 10004:2018, 7.1, and those a list is apt to forget
CLASSES = ("buyer", "decider", "end_user", "intermediary", "processor", "oem", "supplier", "former", "potential",
           "hidden", "rival")


@dataclass(frozen=True, eq=False)
class FrameState:
    """A list and the draw from it, in counts.

    Attributes
    ----------
    classes
        class, listed, resting, drawable, drawn; as they were when the sample was drawn, else as of ``day``.
    coverage
        As ``CustomerList.coverage`` gives it.
    changes
        As ``CustomerList.changes`` gives it, of the days after ``since``; None where no day is known.
    drawn
        Whether a sample was drawn; ``stale``: whether the list's file has changed after that.
    log
        As ``CustomerList.entries`` gives it, of the same days; a reason that names a customer is left out.
    duplicates
        Groups of customers that may be one, by id, name, phone or email.
    classed
        Whether the list names classes.
    """

    classes: pd.DataFrame
    coverage: pd.DataFrame
    changes: pd.DataFrame | None
    day: str
    since: str
    drawn: bool
    stale: bool
    duplicates: Mapping[str, int]
    classed: bool
    log: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """Customers of each class: class, listed, resting, drawable, drawn."""
        return self.classes


def by_class(kinds: np.ndarray, listed: np.ndarray, resting: np.ndarray, drawable: np.ndarray, drawn: np.ndarray,
             classes: Sequence[str] = ()) -> pd.DataFrame:
    """Customers of each class: class, listed, resting, drawable, drawn.

    Parameters
    ----------
    kinds
        (n,) class of each customer; the others are (n,) and tell whether it is so of each.
    classes
        Classes that ought to be there; those nobody is in have a row of zeros. Others follow by name.
    """
    names = [*classes, *sorted(set(kinds[listed]) - set(classes))]
    counts: dict[str, Any] = {"listed": listed, "resting": resting, "drawable": drawable, "drawn": drawn}
    return pd.DataFrame({"class": names, **{key: [int((mask & (kinds == name)).sum()) for name in names]
                                            for key, mask in counts.items()}})


def unheard(table: pd.DataFrame) -> dict[str, list[str]]:
    """Classes of ``by_class`` nobody will hear from, by the first reason that holds: listed, drawable, drawn."""
    out: dict[str, list[str]] = {}
    for row in table.to_dict("records"):
        reason = next((key for key in ("listed", "drawable", "drawn") if not row[key]), "")
        if reason and row["class"]:
            out.setdefault(reason, []).append(row["class"])
    return out
