"""Chapter 1: how the answers are spread over the strata, and the design as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tcslib.report.context import Context
from tcslib.report.picture import MOST_SQUARES, Picture, Row
from tcslib.report.records import Column, Figure, Finding, View
from tcslib.report.views.plan import by_model, rates
from tcslib.sampling.allocation import margin_by_strata, size_by_strata
from tcslib.sampling.size import best_cluster_size, ceiling, design_effect, margin_of

MOST_STRATA = 12          # more are drawn as one


def _clustering(plan: Any, deff: float) -> float:
    """What clustering alone costs, where the plan tells it apart."""
    return design_effect(plan.cluster_size, plan.rho) if plan.cluster_size else deff


def allocation(context: Context, spread: pd.DataFrame, plan: Any, sds: Mapping[str, float], costs: Mapping[str, float],
               shared: Mapping[str, Any]) -> View:
    """The answers planned in each stratum, or a sentence where the study names no strata."""
    words, number = context.words, context.words.number
    if context.census:
        return View([])
    if not len(spread):
        return View([Finding(words("plan.no_strata"))])
    sd, deff = pd.Series([sds[s] for s in spread["stratum"]]), _clustering(plan, shared["deff"])
    half = [margin_of(n, s, deff=deff, population=max(n, size * shared["eligible"]))
            for n, s, size in zip(spread["n"], sd, spread["size"], strict=True)]
    data = spread.assign(sd=sd, margin=half)
    uses = {"sd": plan.allocation in {"neyman", "cost", "power"}, "cost": plan.allocation == "cost"}
    columns = [context.strata(spread["stratum"]), *context.columns(spread, "count", population_size="size"),
               *context.columns(spread, "share", "share")]
    if uses["sd"]:
        columns += context.columns(data, "score", "sd")
    if uses["cost"]:
        columns.append(Column(words("head.cost"), [number(costs[s], 0 if float(costs[s]).is_integer() else 2)
                                                    for s in spread["stratum"]]))
    columns += [*context.columns(spread, "count", planned="n"),
                Column(words("head.half_width" if by_model(context) else "head.margin"), [number(x, 1) for x in half])]
    blanks = {"n": number(spread["n"].sum(), 0), "strata": number(len(spread), 0)}
    settings = [words(f"settings.allocation.{plan.allocation}"),
                words("settings.half_width", deff=number(deff, 2))]
    if plan.allocation == "power":
        exponent = 0.5 if plan.power_exponent is None else plan.power_exponent
        settings.insert(1, words("settings.power_exponent", exponent=f"{exponent:g}"))
    if uses["cost"] and plan.unit_cost:
        settings.insert(1, words("settings.cost_with_unit"))
    if plan.minimum:
        settings.append(words("settings.minimum", minimum=number(plan.minimum, 0)))
    if plan.takes_all and (full := list(spread["stratum"][spread["n"] == spread["size"]])):
        settings.append(words("settings.takes_all", strata=words.listed(context.categories(
            context.study.params.design.strata, full))))
    table = context.table("allocation", data, columns, words.clauses(settings), blanks)
    said = _costs(context, plan, spread, costs)
    if plan.cluster_size or plan.deff == 1:          # else nobody can tell how much of deff this allocation is
        half_all = margin_by_strata(spread, sd, deff=deff)
        enough = size_by_strata(plan.margin, spread, sd, deff=deff)
        said.insert(0, words("plan.by_strata_model" if by_model(context) else "plan.by_strata", planned=blanks["n"],
                             margin=number(half_all, 1), target=number(plan.margin, 1), n=number(enough, 0)))
    return View([table, *([Finding(words.sentences(*said))] if said else [])],
                {"allocation": spread.to_dict("records")})


def _costs(context: Context, plan: Any, spread: pd.DataFrame, costs: Mapping[str, float]) -> list[str]:
    """What the money says: what these answers cost, and how many belong in one sampling unit."""
    words, number, said = context.words, context.words.number, []
    if plan.budget:
        spent = plan.fixed_cost + sum(n * costs[s] for s, n in zip(spread["stratum"], spread["n"], strict=True))
        said.append(words("plan.budget", budget=number(plan.budget, 0), spent=number(spent, 0)))
    if plan.unit_cost and plan.interview_cost:
        said.append(words("plan.cluster_size", best=number(best_cluster_size(
            plan.unit_cost, plan.interview_cost, plan.rho), 1), rho=f"{plan.rho:g}", planned=f"{plan.cluster_size:g}",
            unit_cost=f"{plan.unit_cost:,g}", interview_cost=f"{plan.interview_cost:,g}"))
    return said


def design_picture(context: Context, spread: pd.DataFrame, n: int, approach: int, plan: Any,
                   shared: Mapping[str, Any]) -> View:
    """The design from the population to the answers, of what the study states; nothing where it states no levels."""
    words, number, design = context.words, context.words.number, context.study.params.design
    customers = shared["population"] / shared["eligible"] if shared["population"] else None
    if not context.planned or context.census or not (customers or plan.cluster_size):
        return View([])
    count = number(customers, 0) if customers else words("picture.unknown")
    of = spread if 0 < len(spread) <= MOST_STRATA else pd.DataFrame(
        {"stratum": [words("picture.strata", count=len(spread))], "size": [customers or 1], "share": [1.0], "n": [n]})
    units = [ceiling(answers / plan.cluster_size) if plan.cluster_size else None for answers in of["n"]]
    names = context.strata(of["stratum"]).cells
    rows = [Row(name, number(size, 0), share, unit, number(answers, 0), answers / n)
            for name, size, share, unit, answers in zip(names, of["size"], of["share"], units, of["n"], strict=True)]
    heads = (words("picture.population"), (context.heading(design.strata) if design.strata else words("head.stratum"))
             if len(spread) else "", (context.heading(design.clusters) if design.clusters else words("picture.unit"))
             if plan.cluster_size else "", words("picture.answers"))
    reached = approach * shared["response"]
    funnel = [(words("picture.approach"), number(approach, 0), 1.0)] if approach > n else []
    if shared["eligible"] < 1 and shared["response"] < 1:
        funnel.append((words("picture.respond"), number(reached, 0), shared["response"]))
    if funnel:
        last = words("picture.eligible" if shared["eligible"] < 1 else "picture.respond")
        funnel.append((last, number(n, 0), n / approach))
    per_unit = words("picture.per_unit", count=f"{plan.cluster_size:g}") if plan.cluster_size else ""
    wide, narrow = Picture(heads, count, rows, funnel, per_unit).draw()
    parts = [words("picture.row_units" if row.units else "picture.row", name=row.name, size=row.size,
                   answers=row.answers, unit=heads[2], units=row.units) for row in rows] if heads[1] else []
    blanks = {"population": count, "n": number(n, 0), "approach": number(approach, 0)}
    alt = words.sentences(words("figure.design.alt", rows=words.series(parts), **blanks) if parts else words(
        "figure.design.alt_plain", **blanks))
    settings = [words(f"settings.allocation.{plan.allocation}")] * (len(spread) > 0) + rates(context, shared)
    if any(unit and unit <= MOST_SQUARES for unit in units):
        settings.append(words("settings.square", unit=context.named(design.clusters) if design.clusters else words(
            "picture.one_unit")))
    title = words("figure.design.title" if customers else "figure.design.title_plain", **blanks)
    sub = words("figure.design.sub" if heads[1] else "figure.design.sub_plain")
    figure = Figure("design", title, sub, wide, narrow, alt, words.clauses(settings),
                    of.assign(units=units))
    return View([figure])
