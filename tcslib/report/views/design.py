"""Chapter 2: how the respondents came into the sample, and what standard errors make of it, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tcslib.report.context import Context
from tcslib.report.records import Finding, View
from tcslib.survey.design import Design
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import Weights


def drawn(context: Context, answers: Responses) -> str:
    """How the sample was drawn or a census held, what lonely strata were taken for, and whose correction counts."""
    design, stated, method = answers.design, context.study.params.design, context.study.params.replicates.method
    known = design.fpc is not None and method in {"preston", "jackknife"} and not design.stages
    context = replace(context, complete=context.census and known and not design.open_share.any())
    words = context.words
    blanks = {"strata": words.number(design.strata_count, 0), "units": words.number(design.units, 0),
              "df": words.number(design.df, 0), "heard": words.number(design.heard.sum(), 0)}
    if context.census and design.fpc is not None:
        blanks["units"] = words.number(design.frame_units, 0)
    if stated.strata or stated.clusters:
        said = words("cleaning.design", **blanks)
    elif design.sample in {"probability", "census"}:
        said = words("cleaning.design_plain", **blanks)
    else:
        said = words("cleaning.design_unknown")
    return words.sentences(said, _lonely(context, design), _correction(context, design))


def _correction(context: Context, design: Design) -> str:
    """Whether standard errors carry finite population corrections, and of which stages."""
    words, method = context.words, context.study.params.replicates.method
    if design.fpc is None:
        return words("cleaning.fpc_unknown") if context.census else ""
    if method == "given":
        return words("cleaning.fpc_given")
    if method not in {"preston", "jackknife"}:
        return words("cleaning.fpc_none")
    if context.complete:
        return words("cleaning.fpc_complete")
    counted = 1
    for stage in design.stages if method == "preston" else ():
        counted += stage.fpc is not None
        if stage.fpc is None:
            break
    share = design.heard.sum() / design.on_frame.sum()
    return words("cleaning.fpc" if counted == 1 else "cleaning.fpc_stages", stages=words.number(counted, 0),
                 share=words.share(share))


def _lonely(context: Context, design: Design) -> str:
    """Strata that hold a single sampling unit, and what the study lets be done with them."""
    words, names = context.words, design.lonely()
    rule = context.study.params.design.lonely
    if not names or rule == "refuse":
        return ""
    said = words.listed(_strata(context, names))
    if rule == "certainty":
        return words("cleaning.lonely_certainty", names=said)
    # collapsing keeps the order of the units
    merged = pd.DataFrame({"own": design.unit_names[0], "joined": design.collapsed().unit_names[0]})
    groups = [list(dict.fromkeys(part["own"])) for _, part in merged.groupby("joined", sort=True)]
    joined = [words("settings.joined").join(_strata(context, group)) for group in groups if len(group) > 1]
    return words("cleaning.lonely_collapse", names=said, joined=words.series(joined))


def _strata(context: Context, names: Any) -> list[str]:
    return context.categories(context.study.params.design.strata, names)


def design_numbers(context: Context, answers: Responses) -> dict[str, Any]:
    """The design for ``results.json``; ``frame`` and ``heard`` where the units on the frame are counted."""
    design, lonely = answers.design, answers.design.lonely()
    numbers: dict[str, Any] = {"rows": len(answers), "units": design.units, "strata": design.strata_count,
                               "df": design.df, "sample": design.sample}
    if design.fpc is not None:
        numbers |= {"frame": design.frame_units, "heard": int(design.heard.sum())}
    if lonely:
        numbers["lonely"] = {"rule": context.study.params.design.lonely, "strata": lonely}
    return numbers


def asked(context: Context, answers: Responses, weighed: Weights) -> View:
    """Of a census: how many of those asked answered, by stratum where there are any and their units are counted."""
    words, design = context.words, answers.design
    if design.fpc is None:
        return View([])
    blanks = {"asked": words.number(design.frame_units, 0), "n": words.number(design.heard.sum(), 0),
              "silent": words.number(design.frame_units - design.heard.sum(), 0)}
    verdict = Finding(words("cleaning.asked_all" if not design.open_share.any() else "cleaning.asked", **blanks))
    if design.strata is None:
        return View([verdict])
    names = pd.unique(np.sort(design.unit_names[0]))
    total = weighed.weights.sum()
    data = pd.DataFrame({"stratum": names, "asked": design.on_frame.round(), "answered": design.heard})
    data["rate"], data["population"] = data["answered"] / data["asked"], data["asked"] / data["asked"].sum()
    data["weighted"] = [weighed.weights[design.strata == name].sum() / total for name in names]
    hide = (data["answered"] < context.min_cell) & (data["answered"] < data["asked"])
    columns = [context.strata(names), *context.columns(data, "count", "asked"),
               *(context.hidden(c, hide) for c in (*context.columns(data, "count", answered_units="answered"),
                                                   *context.columns(data, "share", response="rate"))),
               *context.columns(data, "share", population_share="population", weighted_share="weighted")]
    data.loc[hide, ["answered", "rate"]] = np.nan
    table = context.table("asked", data, columns, words("settings.asked"), blanks)
    return View([verdict, table], {"asked": data.to_dict("records")})
