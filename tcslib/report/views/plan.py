"""Chapter 1: whom the study is about, and how many answers it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, View
from tcslib.sampling.pls_size import path_seen
from tcslib.sampling.size import SampleSize, ceiling, change_seen, margin_of, normal, nps_sd, to_approach

ONE_SIDED = 0.90          # the level whose two-sided z is the one-sided one of 95%


def by_model(context: Context) -> bool:
    """Whether respondents are not drawn by chance, so that what is planned is no margin of error."""
    return context.study.params.sample in {"quota", "opt_in"}


def population(context: Context, study: Any) -> View:
    """Whom the study speaks for, from which frame, by what kind of sample."""
    p, words = study.params, context.words
    blanks = {"population": study.words(p.population) or words("plan.population_unstated"),
              "sample": words(f"sample.{p.sample}")}
    text = [words("plan.population", **blanks)]
    if context.census:
        text.append(_everybody(context, p.plan))
    if p.sponsor:
        text.append(words("plan.sponsor", sponsor=study.words(p.sponsor)))
    if p.plan.frame:
        text.append(words("plan.frame", frame=study.words(p.plan.frame)))
    if p.fieldwork.start and p.fieldwork.end:
        text.append(words("plan.fieldwork_mode" if p.fieldwork.mode else "plan.fieldwork", mode=study.words(
            p.fieldwork.mode), dates=words.dates(p.fieldwork.start, p.fieldwork.end)))
    return View([Finding(words.sentences(*text))], {"population": blanks["population"], "sample": p.sample})


def _everybody(context: Context, plan: Any) -> str:
    """That nobody is drawn, and of how many units everybody is asked where the plan counts them."""
    words, sizes = context.words, {name: stratum.size for name, stratum in plan.strata.items()}
    count = sum(sizes.values()) or plan.population
    if not count:
        return words("plan.all_asked_uncounted")
    names = context.categories(context.study.params.design.strata, sizes)
    parts = words.parted([words("format.valued", name=name, value=words.number(size, 0))
                          for name, size in zip(names, sizes.values(), strict=True)])
    return words.sentences(words("plan.all_asked", count=words.number(count, 0)),
                           words("plan.asked_by", strata=parts) if parts else "")


def sample_size(context: Context, sizes: Mapping[str, SampleSize], n: int, plan: Any,
                shared: Mapping[str, Any]) -> View:
    """Answers needed for every aim the plan states, with the numbers put into the formula.

    ``sizes`` by aim: margin, change and what else is stated; ``n`` the answers planned; ``shared`` deff, population,
    response and eligible, as they were given to each of them.
    """
    words = context.words
    if context.census:          # nobody is drawn, so there is no number to plan
        return View([])
    if not context.planned:          # what usual values would ask for is no plan of this study
        return View([Finding(words("plan.no_plan"), "answer")])
    said = {aim: _aim(context, aim, plan, size) for aim, size in sizes.items()}
    most = max(sizes, key=lambda aim: sizes[aim].n)
    count = {aim: words.number(size.n, 0) for aim, size in sizes.items()}
    blanks = {"n": count[most], "margin": words.number(plan.margin, 1), "margin_n": count["margin"],
              "change": words.number(plan.change, 1), "change_n": count["change"]}
    answer = [words("plan.answer_model" if by_model(context) else "plan.answer", **blanks)]
    if most not in {"margin", "change"}:
        answer.append(words("plan.governs", aim=said[most], n=count[most]))
    if n < sizes[most].n:
        answer.append(words("plan.fewer", n=words.number(n, 0), needed=count[most]))
    elif n > sizes[most].n:
        answer.append(words("plan.more", n=words.number(n, 0)))
    data = pd.DataFrame([{"aim": aim, "n": size.n, "approach": size.approach} | (
        {} if aim == "segments" else dict(size.steps)) for aim, size in sizes.items()])
    columns = [Column(words("head.aim"), list(said.values()), "left"),
               Column(words("head.working"), [_working(context, aim, plan, size, shared)
                                              for aim, size in sizes.items()], "left"),
               *context.columns(data, "count", answers_needed="n", to_approach="approach")]
    table = context.table("sample_size", data, columns, _settings(context, plan, shared), {"aims": words.number(
        len(sizes), 0), "n": count[most]})
    approach = to_approach(n, sizes, shared["response"], shared["eligible"])
    shown: list[Any] = [Finding(words.sentences(*answer), "answer"), table]
    customers = shared["population"] and shared["population"] / shared["eligible"]
    if customers and approach > customers:
        shown.append(Finding(words("plan.too_many", approach=words.number(approach, 0),
                                   customers=words.number(customers, 0)), "caution"))
    return View(shown, {"plan": {
        "n": n, "n_margin": sizes["margin"].n, "n_change": sizes["change"].n, "margin": plan.margin,
        "change": plan.change, "approach": approach, "deff": shared["deff"],
        "aims": {aim: size.n for aim, size in sizes.items()}}})


def rates(context: Context, shared: Mapping[str, Any]) -> list[str]:
    """The response and the share of eligible expected, as far as they are below all."""
    words = context.words
    return [words("settings.response", response=words.share(shared["response"]))] * (shared["response"] < 1) + [
        words("settings.eligible", eligible=words.share(shared["eligible"]))] * (shared["eligible"] < 1)


def _aim(context: Context, aim: str, plan: Any, size: SampleSize) -> str:
    """What is to be reached, in words."""
    words, model, number = context.words, by_model(context), context.words.number
    if aim == "share":
        return words("aim.share_model" if model else "aim.share", share=words.share(plan.share.expected),
                     points=number(100 * plan.share.margin, 1))
    if aim == "nps":
        return words("aim.nps_model" if model else "aim.nps", points=number(plan.nps.margin, 1))
    if aim == "change":
        return words("aim.overlap" if plan.overlap else "aim.change", points=number(plan.change, 1),
                     overlap=words.share(plan.overlap))
    if aim == "rival":
        pairs = plan.rival.correlation is not None
        return words("aim.pairs" if pairs else "aim.rival", points=number(plan.rival.difference, 1),
                     other=number(ceiling(size.steps[-1][1] * (plan.rival.ratio or 1)), 0))
    if aim == "segments":
        return words("aim.segments_model" if model else "aim.segments", points=number(
            plan.segment_margin or plan.margin, 1), count=len(plan.segments))
    if aim == "path":
        return words("aim.path", path=number(plan.smallest_path, 2))
    if aim == "effect":
        return words("aim.effect", f2=number(plan.smallest_f2, 2))
    return words("aim.margin_model" if model else "aim.margin", points=number(plan.margin, 1))


def _working(context: Context, aim: str, plan: Any, size: SampleSize, shared: Mapping[str, Any]) -> str:
    """The formula with the numbers put in: under simple random sampling, by the design effect, for the population."""
    number, words, simple = context.words.number, context.words, context.words.number(size.steps[0][1], 1)
    z, both = number(normal(0.95), 2), number(normal(0.95, plan.power), 3)
    sd, half = number(plan.sd, 1), number(plan.margin, 1)
    if aim == "segments":
        return words("working.segments", sum=" + ".join(number(value, 0) for _, value in size.steps))
    if aim == "share":
        p = plan.share.expected
        out = f"{z}² × {p:g} × {1 - p:g} / {plan.share.margin:g}²"
    elif aim == "nps":
        out = f"({z} × {number(nps_sd(plan.nps.promoters, plan.nps.detractors), 1)} / {number(plan.nps.margin, 1)})²"
    elif aim == "change":
        kept = f" × (1 − {plan.overlap:g} × {plan.correlation:g})" if plan.overlap else ""
        out = f"2{kept} × ({both} × {sd} / {number(plan.change, 1)})²"
    elif aim == "rival":
        r, other = plan.rival, number(plan.rival.sd or plan.sd, 1)
        spread = f"{sd}² + {other}²" + (f" / {r.ratio:g}" if r.ratio not in (None, 1) else "") + (
            f" − 2 × {r.correlation:g} × {sd} × {other}" if r.correlation is not None else "")
        out = f"({spread}) × ({both} / {number(r.difference, 1)})²"
    elif aim == "path":
        out = f"({number(normal(ONE_SIDED, plan.power), 3)} / {plan.smallest_path:g})²"
    elif aim == "effect":
        out = words("working.effect")
    else:
        out = f"({z} × {sd} / {half})²"
    parts = [words("working.simple", working=out, value=simple)]
    for step, value in size.steps[1:]:
        if step == "deff" and shared["deff"] != 1:
            parts.append(words("working.deff", deff=number(shared["deff"], 2), value=number(value, 1)))
        elif step == "fpc":
            parts.append(words("working.fpc", value=number(value, 1)))
    return words.series(parts)


def _settings(context: Context, plan: Any, shared: Mapping[str, Any]) -> str:
    """What went into the sizes, and in which order."""
    words, number = context.words, context.words.number
    parts = [words("settings.size", power=words.share(plan.power), sd=number(plan.sd, 1))]
    if plan.cluster_size or plan.weights_deff:
        parts.append(words("settings.deff_parts", deff=number(shared["deff"], 2),
                           working=" × ".join(([f"{plan.weights_deff:g}"] if plan.weights_deff else []) + (
                               [f"(1 + ({plan.cluster_size:g} − 1) × {plan.rho:g})"] if plan.cluster_size else []))))
    elif shared["deff"] != 1:
        parts.append(words("settings.deff", deff=number(shared["deff"], 2)))
    if shared["population"]:
        parts.append(words("settings.fpc", population=number(shared["population"], 0)))
    parts += rates(context, shared)
    if plan.smallest_path:
        parts.append(words("settings.path"))
    if plan.smallest_f2:
        parts.append(words("settings.effect"))
    if by_model(context):
        parts.append(words("settings.by_model"))
    return words.clauses([*parts, words("settings.rounded")])


def plan_segments(context: Context, segments: pd.DataFrame, plan: Any, shared: Mapping[str, Any]) -> View:
    """Answers for every segment the plan wants known by itself; nothing where it names none."""
    if not len(segments) or not context.planned or context.census:
        return View([])
    words, known = context.words, context.study.params.categories.values()
    names = [next((context.study.words(of.values[name]) for of in known if name in of.values), name)
             for name in segments["segment"]]
    columns = [context.column("segment", names), *context.columns(segments, "share", "share"),
               *context.columns(segments, "count", answers_needed="n", in_all="in_all")]
    points = words.number(plan.segment_margin or plan.margin, 1)
    blanks = {"points": points, "n": words.number(segments["n"].sum(), 0), "in_all": words.number(
        segments["in_all"].max(), 0)}
    title = words("table.plan_segments.title_model", **blanks) if by_model(context) else ""
    settings = words("settings.plan_segments", sd=words.number(plan.sd, 1), deff=words.number(shared["deff"], 2))
    return View([context.table("plan_segments", segments, columns, settings, blanks, title)],
                {"plan_segments": segments.to_dict("records")})


def precision(context: Context, n: int, plan: Any, shared: Mapping[str, Any]) -> View:
    """How precision and the smallest change seen depend on the number of answers."""
    if not context.planned or context.census:
        return View([])
    from tcslib.report.plots import ACCENT, INK2, INK3, sns

    words, deff, N = context.words, shared["deff"], shared["population"]
    panel = {"overlap": plan.overlap or 0.0, "correlation": plan.correlation or 0.0}
    grid = np.unique(np.round(np.geomspace(max(min(50, n), n / 5), n * 3, 60)).astype(int))
    here = {"margin": margin_of(n, plan.sd, deff=deff, population=N),
            "change": change_seen(n, plan.sd, power=plan.power, deff=deff, population=N, **panel)}
    frame = pd.DataFrame({"n": grid, "margin": [margin_of(g, plan.sd, deff=deff, population=N) for g in grid],
                          "change": [change_seen(g, plan.sd, power=plan.power, deff=deff, population=N, **panel)
                                     for g in grid]})
    model = by_model(context)

    def paint(axes: Any, narrow: bool) -> None:
        for key, color in (("change", INK2), ("margin", ACCENT)):
            sns.lineplot(frame, x="n", y=key, ax=axes, color=color)
            sns.scatterplot(x=[n], y=[here[key]], ax=axes, color=color, s=60, zorder=3)
            axes.annotate(words("figure.precision.margin_model" if model and key == "margin" else
                                f"figure.precision.{key}", points=words.number(here[key], 1)), (n, here[key]),
                          xytext=(6, 8), textcoords="offset points", color=color, fontweight="bold")
        axes.axvline(n, color=INK3, linewidth=1, linestyle=(0, (2, 3)))
        axes.set(xlabel=words("figure.precision.x"), ylabel="", ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda v, _: words.number(v, 0))
        axes.locator_params(axis="x", nbins=4 if narrow else 7)

    blanks = {"n": words.number(n, 0), **{key: words.number(value, 1) for key, value in here.items()}}
    settings = words("settings.plan_short", sd=words.number(plan.sd, 1), deff=words.number(deff, 2),
                     power=words.share(plan.power))
    apart = change_seen(n, plan.sd, power=plan.power, deff=deff, population=N)
    seen = [words("plan.seen", n=blanks["n"], points=words.number(apart, 1), power=words.share(plan.power))]
    if plan.overlap:
        seen.append(words("plan.seen_overlap", overlap=words.share(plan.overlap), points=blanks["change"],
                          correlation=words.number(plan.correlation, 2)))
    if here["change"] > plan.change * (1 + 1e-9):
        seen.append(words("plan.unseen", change=words.number(plan.change, 1)))
    if plan.smallest_path:
        seen.append(words("plan.path_seen", path=words.number(path_seen(n, power=plan.power, deff=deff), 2)))
    figure = context.figure("precision_model" if model else "precision", frame, paint, (250, 230), settings, blanks)
    return View([figure, Finding(words.sentences(*seen))], {"plan_precision": {
        "n": n, "margin": here["margin"], "change_independent": apart, "change": here["change"]}})
