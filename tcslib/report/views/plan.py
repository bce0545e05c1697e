"""Chapter 1: whom the study is about, how many answers it needs, and how they are spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, View
from tcslib.sampling.size import SampleSize, change_seen, margin_of


def population(context: Context, study: Any) -> View:
    """Whom the study speaks for, from which frame, by what kind of sample."""
    p, words = study.params, context.words
    blanks = {"population": study.words(p.population) or words("plan.population_unstated"),
              "sample": words(f"sample.{p.sample}")}
    text = [words("plan.population", **blanks)]
    if p.sponsor:
        text.append(words("plan.sponsor", sponsor=study.words(p.sponsor)))
    if p.plan.frame:
        text.append(words("plan.frame", frame=study.words(p.plan.frame)))
    if p.fieldwork.start and p.fieldwork.end:
        text.append(words("plan.fieldwork_mode" if p.fieldwork.mode else "plan.fieldwork", mode=study.words(
            p.fieldwork.mode), dates=words.dates(p.fieldwork.start, p.fieldwork.end)))
    return View([Finding(words.sentences(*text))], {"population": blanks["population"], "sample": p.sample})


def sample_size(context: Context, margin: SampleSize, change: SampleSize, plan: Any) -> View:
    """Answers needed for the stated precision and for the smallest change worth seeing, step by step."""
    words = context.words
    n = max(margin.n, change.n)
    names = [*dict.fromkeys(step for size in (margin, change) for step, _ in size.steps), "n", "approach"]
    values = {size.purpose: dict(size.steps) | {"n": size.n, "approach": size.approach} for size in (margin, change)}
    data = pd.DataFrame({"step": names, **{k: [v.get(s, np.nan) for s in names] for k, v in values.items()}})
    columns = [context.column("step", [words(f"size_step.{s}") for s in names])]
    for purpose, target in (("margin", plan.margin), ("change", plan.change)):
        columns.append(Column(words(f"head.for_{purpose}", points=words.number(target, 1)),
                              [context.cell(v, "count" if s in {"n", "approach"} else "score")
                               for s, v in zip(names, data[purpose], strict=True)]))
    settings = words("settings.plan", sd=words.number(plan.sd, 1), deff=words.number(plan.deff, 2),
                     response=words.share(plan.response), eligible=words.share(plan.eligible),
                     power=words.share(plan.power))
    answer = words("plan.answer", n=words.number(n, 0), margin=words.number(plan.margin, 1),
                   margin_n=words.number(margin.n, 0), change=words.number(plan.change, 1),
                   change_n=words.number(change.n, 0))
    if not context.planned:          # what usual values would ask for is no plan of this study
        return View([Finding(words("plan.no_plan"), "answer")])
    table = context.table("sample_size", data, columns, settings,
                          {"margin_n": words.number(margin.n, 0), "change_n": words.number(change.n, 0)})
    return View([Finding(answer, "answer"), table],
                {"plan": {"n": n, "n_margin": margin.n, "n_change": change.n, "margin": plan.margin,
                          "change": plan.change, "approach": max(margin.approach, change.approach)}})


def precision(context: Context, n: int, plan: Any) -> View:
    """How precision and the smallest change seen depend on the number of answers."""
    if not context.planned:
        return View([])
    from tcslib.report.plots import ACCENT, INK2, INK3, sns

    words = context.words
    grid = np.unique(np.round(np.geomspace(max(50, n / 5), n * 3, 60)).astype(int))
    frame = pd.DataFrame({"n": grid, "margin": [margin_of(g, plan.sd, deff=plan.deff) for g in grid],
                          "change": [change_seen(g, plan.sd, power=plan.power, deff=plan.deff) for g in grid]})
    here = {"margin": margin_of(n, plan.sd, deff=plan.deff),
            "change": change_seen(n, plan.sd, power=plan.power, deff=plan.deff)}

    def paint(axes: Any, narrow: bool) -> None:
        for key, color in (("change", INK2), ("margin", ACCENT)):
            sns.lineplot(frame, x="n", y=key, ax=axes, color=color)
            sns.scatterplot(x=[n], y=[here[key]], ax=axes, color=color, s=60, zorder=3)
            axes.annotate(words(f"figure.precision.{key}", points=words.number(here[key], 1)), (n, here[key]),
                          xytext=(6, 8), textcoords="offset points", color=color, fontweight="bold")
        axes.axvline(n, color=INK3, linewidth=1, linestyle=(0, (2, 3)))
        axes.set(xlabel=words("figure.precision.x"), ylabel="", ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda v, _: words.number(v, 0))
        axes.locator_params(axis="x", nbins=4 if narrow else 7)

    blanks = {"n": words.number(n, 0), "margin": words.number(here["margin"], 1),
              "change": words.number(here["change"], 1)}
    settings = words("settings.plan_short", sd=words.number(plan.sd, 1), deff=words.number(plan.deff, 2),
                     power=words.share(plan.power))
    return View([context.figure("precision", frame, paint, (250, 230), settings, blanks)])


def allocation(context: Context, plan: pd.DataFrame, rule: str) -> View:
    """The answers planned in each stratum, or a sentence where the study names no strata."""
    words = context.words
    if not len(plan):
        return View([Finding(words("plan.no_strata"))])
    columns = [context.strata(plan["stratum"]), *context.columns(plan, "count", population_size="size"),
               *context.columns(plan, "share", "share"), *context.columns(plan, "count", planned="n")]
    blanks = {"n": words.number(plan["n"].sum(), 0), "strata": words.number(len(plan), 0)}
    return View([context.table("allocation", plan, columns, words(f"settings.allocation.{rule}"), blanks)],
                {"allocation": plan.to_dict("records")})
