"""What became of those who were drawn, as rates: AAPOR's outcome rates, and the participation rate of panels.

The American Association for Public Opinion Research, Standard Definitions: Final Dispositions of Case Codes and
Outcome Rates for Surveys (9th edition, 2016); one share e for all that is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.study.dispositions import DISPOSITIONS, INTERVIEWS

EFrom = Literal["stated", "known_cases", "no_unknown"]
# numerator and denominator of every rate; U is weighed by 1, e or 0 behind the colon
_FORMULAS: Mapping[str, tuple[str, str]] = {
    "rr1": ("I", "I P R NC O :1"), "rr2": ("I P", "I P R NC O :1"), "rr3": ("I", "I P R NC O :e"),
    "rr4": ("I P", "I P R NC O :e"), "rr5": ("I", "I P R NC O :0"), "rr6": ("I P", "I P R NC O :0"),
    "coop1": ("I", "I P R O :0"), "coop2": ("I P", "I P R O :0"), "coop3": ("I", "I P R :0"),
    "coop4": ("I P", "I P R :0"),
    "ref1": ("R", "I P R NC O :1"), "ref2": ("R", "I P R NC O :e"), "ref3": ("R", "I P R NC O :0"),
    "con1": ("I P R O", "I P R NC O :1"), "con2": ("I P R O", "I P R NC O :e"), "con3": ("I P R O", "I P R NC O :0")}
RATES = tuple(_FORMULAS)


@dataclass(frozen=True)
class Outcome:
    """Cases by final disposition, and the rates they give.

    Attributes
    ----------
    counts
        Cases by disposition (the keys of ``DISPOSITIONS``), or sums of their base weights.
    e
        Share of the cases of unknown eligibility taken for eligible, 0 to 1.
    e_from
        *stated* by the study; *known_cases*, by proportional allocation; *no_unknown*, where it decides nothing.
    weighted
        The same from base weights; None where they are not known of every case.
    groups
        The same by column and group, e of all cases in each.
    """

    counts: Mapping[str, float]
    e: float
    e_from: EFrom
    weighted: Outcome | None = None
    groups: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)

    @property
    def letters(self) -> dict[str, float]:
        """The cases by the letters of the formulas."""
        return {letter: self.counts.get(name, 0.0) for name, (_, letter) in DISPOSITIONS.items()}

    @property
    def drawn(self) -> float:
        """All cases."""
        return sum(self.counts.values())

    @property
    def unknown(self) -> float:
        """Cases of unknown eligibility, UH + UO."""
        return self.letters["UH"] + self.letters["UO"]

    @property
    def interviews(self) -> float:
        """Complete and partial interviews, I + P."""
        return sum(self.counts.get(name, 0.0) for name in INTERVIEWS)

    @property
    def eligible(self) -> float:
        """Cases known to be eligible, I + P + R + NC + O."""
        return self.drawn - self.unknown - self.letters["NE"]

    def parts(self, rate: str) -> tuple[float, float]:
        """Numerator and denominator of a rate."""
        above, below = _FORMULAS[rate]
        cases, share = below.split(" :")
        return (sum(self.letters[c] for c in above.split()),
                sum(self.letters[c] for c in cases.split()) + {"1": 1.0, "e": self.e, "0": 0.0}[share] * self.unknown)

    @property
    def rates(self) -> dict[str, float]:
        """The sixteen rates, 0 to 1; NaN where nobody is in the denominator."""
        return {name: above / below if below else np.nan for name in RATES for above, below in [self.parts(name)]}

    def table(self) -> pd.DataFrame:
        """rate, estimate, numerator, denominator, weighted."""
        rows = [(name, value, *self.parts(name), self.weighted.rates[name] if self.weighted else np.nan)
                for name, value in self.rates.items()]
        return pd.DataFrame(rows, columns=["rate", "estimate", "numerator", "denominator", "weighted"])


def outcome(counts: Mapping[str, float], e: float | None = None) -> Outcome:
    """Outcome rates from cases by disposition.

    Parameters
    ----------
    counts
        Cases by disposition; those left out are none.
    e
        Share of the unknown that is eligible. By default that among the cases known, (I+P+R+NC+O) /
        (I+P+R+NC+O+NE): the proportional allocation of CASRO (1982).

    Raises
    ------
    InputRefused
        For names that are no dispositions, negative counts, no case at all, e outside 0 to 1, and an e that the cases
        cannot tell.
    """
    where = "fieldwork.outcome"
    if odd := [name for name in counts if name not in DISPOSITIONS]:
        raise InputRefused(f'"{odd[0]}" is no disposition; there are {", ".join(DISPOSITIONS)}. Correct it.', where)
    given = {name: float(counts.get(name, 0.0)) for name in DISPOSITIONS}
    for name, n in given.items():
        if not 0 <= n < np.inf:
            raise InputRefused(f"{name}: {n:g} cases; a number of 0 or more is expected. Correct it.", where)
    if e is not None and not 0 <= e <= 1:
        raise InputRefused(f"e is {e:g}; a share from 0 to 1 is expected. Correct it.", where)
    plain = Outcome(given, 1.0 if e is None else float(e), "no_unknown" if e is None else "stated")
    if not plain.drawn:
        raise InputRefused("every outcome has 0 cases. Give the cases drawn.", where)
    if e is not None or not plain.unknown:
        return plain
    known = plain.eligible + plain.letters["NE"]
    if not known:
        raise InputRefused("no case's eligibility is known, so its share among the unknown cannot be told. State "
                           "fieldwork.outcome.e.", where)
    return Outcome(given, plain.eligible / known, "known_cases")


def response(cases: pd.DataFrame, e: float | None = None, by: Sequence[str] = ()) -> Outcome | None:
    """The same from cases, weighted too where their base weights are known, and by groups.

    Parameters
    ----------
    cases
        outcome, count, weight, and the columns named in ``by``; a row for each case or outcome.
    """
    if not len(cases):
        return None
    plain = outcome(_sums(cases, cases["count"]), e)
    weight, weighted = cases["weight"], None
    if np.isfinite(weight).all() and (weight >= 0).all() and weight.sum() > 0:
        weighted = outcome(_sums(cases, weight * cases["count"]), e)
    groups = {column: {str(name): Outcome(_sums(part, part["count"]), plain.e, plain.e_from)
                       for name, part in cases.groupby(column, sort=True)} for column in by}
    return Outcome(plain.counts, plain.e, plain.e_from, weighted, groups)


def _sums(cases: pd.DataFrame, values: pd.Series) -> dict[str, float]:
    sums = values.groupby(cases["outcome"]).sum()
    return {name: float(sums.get(name, 0.0)) for name in DISPOSITIONS}


def participation(usable: float, invited: float) -> float:
    """Participation rate of a panel: usable interviews over personal invitations sent (ISO 20252; AAPOR 2016 on).

    It is no response rate: nobody knows by what chance a member came into the panel.
    """
    if not 0 <= usable <= invited or not invited:
        raise InputRefused(f"{usable:g} interviews of {invited:g} invitations. Correct the numbers.",
                           "fieldwork.invited")
    return usable / invited
