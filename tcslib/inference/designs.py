"""What a design can carry: which replicates, by which units, and what becomes of its lonely strata."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from tcslib.errors import InputRefused
from tcslib.survey.design import Design
from tcslib.survey.levels import levels
from tcslib.survey.responses import Responses

Kind = Literal["simple", "rao_wu", "preston", "positive", "jackknife", "brr", "fay", "given"]
Method = Literal["bootstrap", "preston", "positive", "jackknife", "brr", "fay", "given"]
MOST_LISTED = 20_000          # replicates of a jackknife; more take longer than a bootstrap of any use


def settled(responses: Responses, where: str) -> Responses:
    """The responses with their lonely strata dealt with as the design says."""
    design = responses.design
    if not (lonely := design.lonely()):
        return responses
    if design.lonely_psu == "collapse" and design.strata_count > 1:
        return replace(responses, design=design.collapsed())
    if design.lonely_psu == "certainty" and len(lonely) < design.strata_count:
        return responses
    asked = "" if design.lonely_psu in ("refuse", "collapse", "certainty") else (
        f", and {design.lonely_psu} is a rule for linearised standard errors only")
    way = {"collapse": "There is no neighbour to join: name the units drawn first in design.clusters.",
           "certainty": "All certain, nothing would vary: merge strata, or set design.lonely to collapse."}.get(
               design.lonely_psu, "Merge them with a neighbour, or set design.lonely to collapse or certainty.")
    raise InputRefused(f"{len(lonely)} of {design.strata_count} strata hold a single sampling unit "
                       f"({', '.join(lonely[:5])}), so their variance cannot be told{asked}. {way}",
                       f"{where}: design.strata")


def check_method(design: Design, method: Method, where: str) -> None:
    """Refuse replicates that the design cannot carry."""
    at = f"{where}: replicates.method"
    sizes = np.bincount(design.unit_stratum)
    if method == "preston" and design.fpc is None:
        raise InputRefused("preston needs the number of units on the frame (design.fpc). Name its column, or use "
                           "bootstrap.", at)
    if method == "preston" and design.lonely_psu in ("refuse", "collapse"):
        for number, level in enumerate(list(levels(design))[1:], 1):
            if (alone := int(((level.drawn == 1) & (level.fraction < 1)).sum())):
                raise InputRefused(f"{alone} of {len(level.drawn)} groups hold a single unit of this stage, so the "
                                   "variance within them cannot be told. Drop the stage, or set design.lonely: "
                                   "certainty, which takes such units as drawn for certain.",
                                   f"{where}: design.stages.{number}")
    if method in ("brr", "fay") and (sizes != 2).any():
        raise InputRefused(f"half-samples need exactly two sampling units in every stratum; {(sizes != 2).sum()} of "
                           f"{len(sizes)} strata hold another number. Use jackknife or bootstrap.", at)
    if method == "jackknife" and design.units > MOST_LISTED:
        raise InputRefused(f"a jackknife would need {design.units:,} replicates, one for each sampling unit. Use "
                           "bootstrap.", at)
    if (method == "given") != (design.given is not None):
        raise InputRefused("replicate weights are given with the data when replicates.columns names them, and only "
                           "then. State both, or neither.", at)


def resampled(design: Design, kind: Kind) -> Design:
    """The design as the weighting steps need it: its units are those that receive factors of their own."""
    if kind == "given":
        of_row = np.argsort(design.order)          # by id, so that no last digit depends on the order of the file
    elif kind == "preston" and design.stages:
        of_row = list(levels(design))[-1].unit
    else:
        return design
    names = np.char.zfill(of_row.astype(str), len(str(len(of_row))))          # sorted as the units are
    return Design(design.ids, design.weights, None, names, design.sample)
