"""Chapter 2, from sample to interviews: what became of those drawn, how the field went, whom it missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tcslib.fieldwork.contacts import Cases
from tcslib.report.context import Context
from tcslib.report.records import Column, Figure, Finding, Table, View
from tcslib.report.views.groups import hidden
from tcslib.sampling.outcome import RATES, Outcome, participation
from tcslib.sampling.progress import EarlyLate, FrameCheck
from tcslib.study.dispositions import DISPOSITIONS


def _percent(context: Context, x: float) -> str:
    return f"{context.words.number(x * 100, 1)}%" if np.isfinite(x) else context.words.number(None)


def response(context: Context, found: Outcome | None, cases: Cases) -> View:
    """What became of the cases drawn and AAPOR's rates; of a panel the participation rate; nothing where none is told.

    An opt-in panel has no response rate: its members were not drawn.
    """
    words = context.words
    shown: list[Table | Figure | Finding] = []
    numbers: dict[str, Any] = {}
    invited, sample = context.study.params.fieldwork.invited, context.study.params.sample
    if invited is not None:
        usable = found.interviews if found else float(cases.records)
        rate = participation(usable, invited)
        shown.append(Finding(words("field.participation", usable=words.number(usable, 0),
                                   invited=words.number(invited, 0), rate=_percent(context, rate))))
        numbers |= {"participation": rate, "invited": invited, "usable": usable}
    if found is None:
        return View(shown, {"response": numbers} if numbers else {})
    rated = sample != "opt_in"
    told = not context.census or found.interviews < found.drawn          # nobody was lost on the way
    if rated:
        shown += [Finding(text) for text in _sentences(context, found)]
        shown += [_flow(context, found)] * told
    elif invited is None:
        shown.append(Finding(words("field.opt_in")))
    shown += [_dispositions(context, found)] * told
    if len(cases.modes):
        columns = [context.column("mode", cases.modes["mode"]), *context.columns(cases.modes, "count", "attempts",
                                                                                 "interviews")]
        mean = words.number(float(cases.attempts.mean()), 1)
        shown.append(context.table("modes", cases.modes, columns, words("settings.modes"), {"mean": mean}))
    numbers |= {"counts": dict(found.counts)}
    if rated:
        shown += [_rates(context, found), *(_by(context, found, column) for column in found.groups)] if told else []
        numbers |= {**found.rates, "e": found.e, "e_from": found.e_from, "groups": [
            {"column": column, "group": group, "drawn": each.drawn, "interviews": each.interviews, **each.rates}
            for column, groups in found.groups.items() for (group, each), small in
            zip(groups.items(), _small(context, groups), strict=True) if not small]}
        if found.weighted:
            numbers["weighted"] = {**found.weighted.rates, "e": found.weighted.e}
    return View(shown, {"response": numbers})


def _headline(found: Outcome) -> tuple[str, str]:
    """The response and the contact rate that use e, where there is anything it weighs."""
    return ("rr3", "con2") if found.unknown else ("rr1", "con1")


def _sentences(context: Context, found: Outcome) -> list[str]:
    words, rates = context.words, found.rates
    rr, con = _headline(found)
    known = {"unknown": words.number(found.unknown, 0), "e": words.number(found.e, 2)}
    blanks = {"drawn": words.number(found.drawn, 0), "interviews": words.number(found.interviews, 0),
              "rr": rr.upper(), "con": con.upper(), "response": _percent(context, rates[rr]),
              "contact": _percent(context, rates[con]), "cooperation": _percent(context, rates["coop1"])}
    first = words("field.answer_e", **blanks, **known) if found.unknown else words("field.answer", **blanks)
    if not found.unknown:
        second = words("field.no_unknown")
    elif found.e_from == "stated":
        second = words("field.e_stated", **known)
    elif found.letters["NE"]:
        second = words("field.e_known_cases", **known, eligible=words.number(found.eligible, 0),
                       out=words.number(found.letters["NE"], 0))
    else:
        second = words("field.e_all", **known)
    parts = [second, words("field.highest", response=_percent(context, rates["rr5"])) if found.unknown else ""]
    if found.weighted:
        parts.append(words("field.weighted", rr=rr.upper(), response=_percent(context, found.weighted.rates[rr])))
    if context.study.params.sample == "quota":
        parts.append(words("field.quota"))
    return [first, words.sentences(*parts)]


def _flow(context: Context, found: Outcome) -> Figure:
    """From those drawn to those interviewed, with what fell away at each step."""
    from tcslib.report.plots import ACCENT, HAIR, INK, INK3, TINT

    words, cases = context.words, found.letters
    counted = found.e * found.unknown
    losses = [{}, {"not_eligible": cases["NE"], "unknown_out": found.unknown - counted},
              {"non_contact": cases["NC"], "unknown_in": counted}, {"refusal": cases["R"], "other": cases["O"]}]
    left = [found.drawn]
    for loss in losses[1:]:
        left.append(left[-1] - sum(loss.values()))
    names = ["drawn", "eligible", "contacted", "interviewed"]

    def valued(name: str, n: float) -> str:
        return words("format.valued", name=words(f"flow.{name}"), value=words.number(n, 0))

    said = [words.parted(valued(name, n) for name, n in loss.items() if n >= 0.5) for loss in losses]

    def paint(axes: Any, narrow: bool) -> None:
        for k, (name, n) in enumerate(zip(names, left, strict=True)):
            before = left[max(k - 1, 0)]
            axes.barh(-k, before, 0.26, color=HAIR)
            axes.barh(-k, n, 0.26, color=ACCENT if k == len(names) - 1 else TINT)
            head = axes.annotate(valued(name, n), (0, -k), (0, 16), color=INK,
                                 textcoords="offset points", fontweight="bold", va="baseline")
            if said[k]:          # beside the step where there is room, else below its bar
                where = ({"xy": (0, -k), "xytext": (0, -24), "fontsize": 11} if narrow else
                         {"xy": (1, 0), "xycoords": head, "xytext": (10, 0)})
                axes.annotate(words("figure.flow.less", what=said[k]), textcoords="offset points", color=INK3, **where)
        axes.set(ylim=(-len(names) + (0.5 if narrow else 0.75), 0.65), xlim=(0, found.drawn), xlabel="", ylabel="")
        axes.set_axis_off()

    data = pd.DataFrame({"step": names, "cases": left})
    blanks = {"interviews": words.number(left[-1], 0), "drawn": words.number(left[0], 0),
              "values": words.series(map(valued, names, left))}
    return context.figure("flow", data, paint, (212, 280), words("settings.flow"), blanks)


def _dispositions(context: Context, found: Outcome) -> Table:
    words, names = context.words, [name for name, n in found.counts.items() if n]
    data = pd.DataFrame({"outcome": names, "cases": [found.counts[n] for n in names]})
    data["share"] = data["cases"] / found.drawn
    columns = [context.column("outcome", [words(f"disposition.{n}") for n in names]),
               context.column("code", [" ".join(DISPOSITIONS[n]) for n in names]),
               *context.columns(data, "count", "cases"), *context.columns(data, "share", "share")]
    if found.weighted:
        data["weighted"] = [found.weighted.counts[n] / found.weighted.drawn for n in names]
        columns += context.columns(data, "share", weighted_cases="weighted")
    return context.table("outcomes", data, columns, words("settings.outcomes"),
                         {"drawn": words.number(found.drawn, 0), "interviews": words.number(found.interviews, 0)})


def _rates(context: Context, found: Outcome) -> Table:
    words, table = context.words, found.table()
    columns = [context.column("rate", [rate.upper() for rate in RATES]),
               context.column("meaning", [words(f"aapor.{rate}") for rate in RATES]),
               Column(words("head.estimate"), [_percent(context, x) for x in table["estimate"]]),
               *context.columns(table, "count", "numerator", "denominator")]
    if found.weighted:
        columns.append(Column(words("head.weighted"), [_percent(context, x) for x in table["weighted"]]))
    data = table if found.weighted else table.drop(columns="weighted")
    return context.table("rates", data, columns, words("settings.rates", e=words.number(found.e, 2)), folded=True)


def _small(context: Context, groups: Mapping[str, Outcome]) -> np.ndarray:
    return hidden(np.array([each.drawn for each in groups.values()], dtype=int), context.min_cell)


def _by(context: Context, found: Outcome, column: str) -> Table:
    words, groups = context.words, found.groups[column]
    rr, con = _headline(found)
    data = pd.DataFrame([{"group": name, "drawn": each.drawn, "interviews": each.interviews,
                          "response": each.rates[rr], "contact": each.rates[con], "cooperation": each.rates["coop1"]}
                         for name, each in groups.items()])
    hide = _small(context, groups)
    columns = [Column(context.heading(column), context.categories(column, data["group"]), "left"),
               *(context.hidden(c, hide) for c in (
                   *context.columns(data, "count", "drawn", "interviews"),
                   *(Column(words("head.named_rate", name=words(f"head.{key}"), rate=rate.upper()),
                            [_percent(context, x) for x in data[key]])
                     for key, rate in (("response", rr), ("contact", con), ("cooperation", "coop1")))))]
    data.loc[hide, data.columns[1:]] = np.nan
    low, high = (data.loc[~hide, "response"].agg(f) for f in ("min", "max"))
    table = context.table("response_by", data, columns, words("settings.response_by", e=words.number(found.e, 2)),
                          {"column": context.named(column), "low": _percent(context, low),
                           "high": _percent(context, high), "rr": rr.upper()})
    return Table(**{**vars(table), "name": f"response_by_{column}"})


def progress(context: Context, quota: pd.DataFrame, periods: pd.DataFrame) -> View:
    """Quotas planned, made, open and over, and interviews by day or week."""
    words = context.words
    shown: list[Table | Figure | Finding] = []
    numbers: dict[str, Any] = {}
    if len(quota):
        short = int((quota["open"] > 0).sum())
        columns = [context.column("quota", [context.heading(c) for c in quota["column"]]),
                   context.column("category", [context.study.category(c, v) for c, v in
                                               zip(quota["column"], quota["category"], strict=True)]),
                   *context.columns(quota, "count", "planned", "achieved", "open", "over"),
                   *context.columns(quota, "share", made="share")]
        blanks = {"open": words.number(short, 0), "missing": words.number(quota["open"].sum(), 0),
                  "cells": words.number((quota["planned"] > 0).sum(), 0)}
        shown.append(context.table("quota", quota, columns, words("settings.quota"), blanks, title=words(
            "table.quota.title" if short else "table.quota.title_all", **blanks)))
        numbers["quota"] = quota.to_dict("records")
    if len(periods) > 1:
        shown.append(_days(context, periods))
        numbers["field"] = [{"start": day.date().isoformat(), "interviews": int(n), "total": int(total)} for
                            day, n, total in periods.itertuples(index=False)]
    return View(shown, numbers)


def _days(context: Context, periods: pd.DataFrame) -> Figure:
    from tcslib.report.plots import ACCENT, sns

    words, most = context.words, periods.loc[periods["interviews"].idxmax()]
    weekly = (periods["start"].iloc[1] - periods["start"].iloc[0]).days > 1
    days = [words("format.day", month=day.month, day=day.day) for day in periods["start"]]

    def paint(axes: Any, narrow: bool) -> None:
        sns.barplot(x=np.arange(len(days)), y=periods["interviews"], ax=axes, color=ACCENT, width=0.72)
        step = -(-len(days) // (5 if narrow else 12))
        axes.set_xticks(range(0, len(days), step), days[::step])
        axes.set(xlabel="", ylabel="")
        axes.locator_params(axis="y", nbins=4, integer=True)

    blanks = {"most": words.number(most["interviews"], 0), "day": days[int(periods["interviews"].idxmax())],
              "total": words.number(periods["interviews"].sum(), 0), "periods": words.number(len(periods), 0)}
    kind = "weeks" if weekly else "days"
    data = periods.assign(start=[day.date().isoformat() for day in periods["start"]])
    return context.figure(kind, data, paint, (200, 190), words(f"settings.{kind}"), blanks)


def early_late(context: Context, found: EarlyLate | None) -> View:
    """Late respondents against early ones on the target's questions."""
    if found is None:
        return View([])
    words, table = context.words, found.table()
    by = "day" if context.study.params.fieldwork.date else "attempt"
    clear = found.low > 0 or found.high < 0
    blanks = {"target": context.label(context.study.model.target),
              "difference": words.number(found.difference, 1, True),
              "interval": words.interval(found.low, found.high, 1, True)}
    columns = [context.column("answered", [words(f"field.{group}") for group in table["group"]]),
               *context.columns(table, "count", "n"), *context.columns(table, "score", mean_score="mean", sd="sd")]
    design = context.study.params.design
    naive = words("field.naive") if design.clusters or design.weights else ""
    settings = words("settings.early_late", order=words(f"field.order_{by}"), t=words.number(found.t, 2),
                     df=words.number(found.df, 1), p=words.number(found.p, 3))
    title = words("table.early_late.title_naive" if naive else "table.early_late.title" if clear
                  else "table.early_late.title_none", **blanks)
    numbers = {"difference": found.difference, "low": found.low, "high": found.high, "t": found.t, "df": found.df,
               "p": found.p, "groups": table.to_dict("records")}
    return View([context.table("early_late", table, columns, settings, blanks, title=title),
                 Finding(words.sentences(naive, words("field.assumption")))], {"early_late": numbers})


def frame_check(context: Context, found: FrameCheck | None) -> View:
    """Respondents against all who were drawn, by what the frame knows of both."""
    if found is None:
        return View([])
    words, rows = context.words, found.table()
    worst = rows.loc[rows["standardised"].abs().fillna(-1).idxmax()]
    means = (rows["category"] == "").to_numpy()

    def named(row: Any) -> str:
        heading = context.heading(row.variable)
        return heading if not row.category else words("format.named", name=heading, value=context.study.category(
            row.variable, row.category))

    columns = [context.column("variable", [named(row) for row in rows.itertuples()]), *(
        Column(words(f"head.{key}"), [words.number(x, 1) if mean else _percent(context, x)
                                      for x, mean in zip(rows[key], means, strict=True)])
        for key in ("drawn", "respondents")),
        Column(words("head.difference_plain"), [words.number(x if mean else 100 * x, 1, True)
                                                for x, mean in zip(rows["difference"], means, strict=True)]),
        Column(words("head.standardised"), [words.number(x, 2, True) for x in rows["standardised"]])]
    blanks = {"worst": named(worst), "size": words.number(worst["standardised"], 2, True),
              "n": words.number(found.n, 0), "drawn": words.number(found.drawn, 0)}
    r = (words("field.indicator", r=words.number(found.indicator, 2)) if np.isfinite(found.indicator)
         else words("field.no_indicator"))
    return View([context.table("frame_check", rows, columns, words("settings.frame_check"), blanks), Finding(r)],
                {"frame_check": {"rows": rows.to_dict("records"), "n": found.n, "drawn": found.drawn,
                                 "r_indicator": found.indicator}})
