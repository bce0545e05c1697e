"""Chapter 5: would they recommend us and stay?"""

from __future__ import annotations

from typing import Any

import numpy as np

from tcslib.index.scoring import Index
from tcslib.loyalty.link import LoyaltyCurve
from tcslib.loyalty.recommendation import Nps
from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, View
from tcslib.report.views.structure import scored


def loyalty_score(context: Context, index: Index) -> View:
    """The loyalty construct on the 0–100 scale, with the formula behind it."""
    context = context.seen(index.scores)
    words, model = context.words, index.fit.model
    if not model.loyalty:
        return View([Finding(words("loyalty.no_construct"), "answer")], {"loyalty": {}})
    (said, numbers), parts = scored(context, index, model.loyalty), index.formula(model.loyalty)
    blanks = {"loyalty": context.label(model.loyalty), **said}
    columns = [*context.questions(parts["item"]), *context.columns(parts, "exact", weight_share="share"),
               *context.columns(parts, "coef", "mean"), *context.columns(parts, "score", "score")]
    settings = context.settings(index.scores, context.estimation(index.fit))
    return View([Finding(words("loyalty.answer", **blanks), "answer"),
                 context.table("loyalty", parts, columns, settings, blanks)], {"loyalty": numbers})


def recommendation(context: Context, found: Nps | None) -> View:
    """The net promoter score with its interval, or a sentence where the question was not asked."""
    if found is None:
        return View([Finding(context.words("loyalty.no_nps"))], {"nps": {}})
    from tcslib.report.plots import ACCENT, ALERT, INK, TINT, TINT_O, reach

    context = context.seen(found.inference)
    words = context.words

    table = found.table().set_index("statistic")
    row, groups = table.loc["nps"], table["estimate"].iloc[1:]
    blanks = {"nps": words.number(row["estimate"], 0, True), "ci": context.ci(),
              "interval": words.interval(row["low"], row["high"], 0, True), **groups.map(words.share)}

    def paint(axes: Any, narrow: bool) -> None:
        p, d = 100 * groups["promoters"], 100 * groups["detractors"]
        axes.barh([0], [-d], color=TINT_O, edgecolor=ALERT, height=0.55, linewidth=1)
        axes.barh([0], [p], color=TINT, edgecolor=ACCENT, height=0.55, linewidth=1)
        for x, side, text, color in ((-d, "left", words("figure.nps.detractors", share=blanks["detractors"]), ALERT),
                                     (p, "right", words("figure.nps.promoters", share=blanks["promoters"]), ACCENT)):
            axes.text(x, 0.40, text, ha=side, va="bottom", color=color)
        axes.errorbar([row["estimate"]], [0], xerr=reach(row["estimate"], row["low"], row["high"]), fmt="o", color=INK,
                      elinewidth=2.4, capsize=5, capthick=2, markersize=6)
        axes.axvline(0, color=INK, linewidth=1)
        axes.text(row["estimate"], -0.40, words("figure.nps.score", nps=blanks["nps"]), ha="center", va="top",
                  fontweight="bold", color=INK)
        axes.set(yticks=[], ylim=(-0.75, 0.75), xlim=(min(-d, row["low"]) - 4, max(p, row["high"]) + 4))

    limits = [words.share_interval(a, b) for a, b in zip(table["low"].iloc[1:], table["high"].iloc[1:], strict=True)]
    columns = [context.column("statistic", [words(f"nps.{s}") for s in table.index]),
               Column(words("head.estimate"), [blanks["nps"], *groups.map(words.share)]),
               Column(context.ci(), [blanks["interval"], *limits])]
    settings, data = context.settings(found.inference, words("settings.nps")), table.reset_index()
    figure = context.figure("nps", data, paint, (140, 150), settings, blanks)
    numbers = {"item": found.item, "score": row["estimate"],
               **{key: row[key] for key in ("se", "low", "high", "n")}, **groups}
    return View([Finding(words("loyalty.nps", **blanks)), figure,
                 context.table("nps", data, columns, settings, blanks, folded=True)], {"nps": numbers})


def curve(context: Context, found: LoyaltyCurve | None, satisfaction: str, loyalty: str) -> View:
    """Loyalty by level of satisfaction: straight, or bent?"""
    if found is None:
        return View([Finding(context.words("loyalty.no_curve"))])
    from tcslib.report.plots import ACCENT, INK2, TINT, name_y, reach, sns

    context = context.seen(found.inference)
    words, table, terms = context.words, found.table(), found.terms().set_index("term")
    shown = table[table["n"] >= context.min_cell]
    low, high = found.inference.limits("curve")
    span = (shown["low"], shown["high"]) if len(shown) else (low, high)          # every band may be hidden
    mid = (np.array(found.edges[:-1]) + np.array(found.edges[1:])) / 2
    bend, slope = terms.loc["bend"], terms.loc["slope"]
    verdict = "up" if bend["low"] > 0 else "down" if bend["high"] < 0 else "straight"

    def paint(axes: Any, narrow: bool) -> None:
        line = found.inference.estimate["curve"]
        axes.fill_between(found.grid, low, high, facecolor=TINT, edgecolor=ACCENT, linewidth=0.5, alpha=0.6)
        sns.lineplot(x=found.grid, y=line, ax=axes, color=ACCENT)
        at = mid[shown.index]
        y = shown["estimate"].to_numpy(float)
        axes.errorbar(at, y, yerr=reach(y, shown["low"], shown["high"]), fmt="o", color=INK2, elinewidth=1.6, capsize=4,
                      markersize=5, markerfacecolor="white", markeredgewidth=1.5)
        axes.set(xlabel=words("figure.curve.x", name=context.label(satisfaction)),
                 ylim=(max(0, float(np.nanmin(span[0])) - 5), min(102, float(np.nanmax(span[1])) + 5)))
        name_y(axes, words("figure.curve.y", name=context.label(loyalty)), words.language)
        axes.grid(axis="y", color="#dfe3e8", linewidth=1)

    bands = [words("format.band", low=words.number(a, 0), high=words.number(b, 0))
             for a, b in zip(table["low_edge"], table["high_edge"], strict=True)]
    hidden = table["n"] < context.min_cell
    columns = [Column(words("head.band", name=context.label(satisfaction)), bands, "left"),
               *(context.hidden(column, hidden) for column in (
                   *context.columns(table, "count", "n"), *context.columns(table, "score", mean_loyalty="estimate"),
                   context.interval_column(table, 1)))]
    table.loc[hidden, ["estimate", "se", "low", "high", "n"]] = np.nan
    blanks = {"slope": words.number(slope["estimate"], 1, True), "ci": context.ci(),
              "slope_interval": words.interval(slope["low"], slope["high"], 1, True),
              "bend": words.number(bend["estimate"], 2, True), "satisfaction": context.label(satisfaction),
              "bend_interval": words.interval(bend["low"], bend["high"], 2, True), "loyalty": context.label(loyalty),
              "cell": words.number(context.min_cell, 0)}
    settings = context.settings(found.inference, words("settings.curve", **blanks))
    figure = context.figure("curve", table, paint, (330, 290), settings, blanks,
                            words(f"figure.curve.title_{verdict}", **blanks))
    numbers = {"loyalty_curve": {"terms": found.terms()[["term", "estimate", "se", "low", "high"]].to_dict("records"),
                                 "bands": table.drop(columns="method").to_dict("records")}}
    return View([Finding(words(f"loyalty.curve_{verdict}", **blanks)), figure,
                 context.table("curve", table, columns, settings, blanks)], numbers)
