"""Chapter 2: whom the answers speak for: weights step by step, what they were to meet, and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, View
from tcslib.report.views.design import asked, design_numbers, drawn
from tcslib.report.views.groups import hidden
from tcslib.study.margins import CROSS
from tcslib.survey.responses import Responses
from tcslib.survey.weighting import NonResponse, Trimming, weighting_plan
from tcslib.weighting.weights import Weights, kish

JOINED = " → "          # between a cell and the one it was joined to
MOST_DOTS = 24          # categories a figure shows; more are read in the table


def weights(context: Context, answers: Responses, weighed: Weights) -> View:
    """The weighting ledger, the design effect of unequal weights and the effective n of the reported group."""
    words, table = context.words, weighed.table()
    deff, n_eff = kish(weighed.weights[answers.domain])
    columns = [context.column("step", [words(f"weight_step.{s}") for s in table["step"]]),
               *context.columns(table, "count", "n", "sum"),
               *context.columns(table, "score", smallest="low", largest="high"),
               *context.columns(table, "coef", "deff"), *context.columns(table, "count", "n_eff"),
               *context.columns(table, "share", "changed")]
    blanks = {"n": words.number(answers.n, 0), "n_eff": words.number(n_eff, 0), "deff": words.number(deff, 2),
              "design": drawn(context, answers)}
    numbers = {"n_eff": n_eff, "design": design_numbers(context, answers),
               "weighting": {"deff": deff, "steps": table.to_dict("records"),
                             "margins": _shown(context, weighed)[0].to_dict("records"),
                             **({"allowed": weighed.allowed.to_dict("records")} if len(weighed.allowed) else {})}}
    if np.isclose(deff, 1.0) and len(table) == 1:
        return View([Finding(words("cleaning.equal_weights", **blanks))], numbers)
    settings = words("settings.weights", steps=_steps(context))
    return View([Finding(words("cleaning.weights", **blanks)), *_allowed(context, weighed.allowed),
                 context.table("weights", table, columns, settings, blanks)], numbers)


def _steps(context: Context) -> str:
    """The declared steps as one line of settings."""
    words, plan = context.words, weighting_plan(context.study.params.weighting)

    def names(columns: Any) -> str:
        return words.listed([context.named(column) for column in columns])

    parts = [] if plan.nonresponse is None else [_nonresponse(context, plan.nonresponse, names(plan.nonresponse.by))]
    if plan.post_stratify:
        parts.append(words("settings.post_stratified", columns=words.listed(
            [words("settings.crossed").join(map(context.named, cells.by)) for cells in plan.post_stratify])))
    if plan.rake:
        margins = []
        for column, targets in plan.rake.items():
            total = sum(targets.values())
            shares = words.parted(words("settings.margin_share", value=context.study.category(column, value),
                                        share=words.share(target / total)) for value, target in targets.items())
            margins.append(words("settings.margin", column=context.named(column), shares=shares))
        parts.append(words("settings.raked", margins=words.listed(margins)))
    if (aux := plan.calibrate) is not None:
        bounds = "" if aux.bounds is None else words(
            f"settings.bounds.{aux.bounds_on}", low=f"{aux.bounds[0]:g}", high=f"{aux.bounds[1]:g}")
        parts.append(words("settings.calibrated", columns=names([*aux.shares, *aux.means, *aux.totals]), bounds=bounds,
                           method=words(f"settings.calibration.{aux.method}")))
    parts.append(words("settings.no_trim") if plan.trimming is None else _trim(context, plan.trimming))
    said = words.series(parts if len(parts) > 1 or plan.trimming else [words("settings.no_margins"), *parts])
    return said[:1].upper() + said[1:]


def _nonresponse(context: Context, given: NonResponse, columns: str) -> str:
    words = context.words
    if given.propensity and given.classes:
        return words("settings.nonresponse_classes", columns=columns, classes=given.classes)
    return words("settings.nonresponse_propensity" if given.propensity else "settings.nonresponse_cells",
                 columns=columns)


def _trim(context: Context, rule: Trimming) -> str:
    words = context.words
    if rule.below is None and rule.of == "mean" and rule.redistribute == "calibrate":
        return words("settings.trim", times=words.number(rule.above, 1))
    ends = [words(f"settings.trim_{end}", limit=words(f"settings.trim_of.{rule.of}", times=f"{limit:g}"))
            for end, limit in (("above", rule.above), ("below", rule.below)) if limit is not None]
    way = words(f"settings.redistribute.{rule.redistribute}")
    return words("settings.trim_limits", limits=words.listed(ends),
                 way=words("settings.strict", way=way) if rule.strict else way)


def _allowed(context: Context, allowed: pd.DataFrame) -> list[Finding]:
    """A sentence for everything an option let pass."""
    words, out = context.words, []
    for row in allowed.to_dict("records"):
        column = words("settings.crossed").join(map(context.named, row["column"].split(CROSS)))
        cells = [_category(context, row["column"], cell) for cell in row["category"].split(JOINED)]
        category = JOINED.join(cells)
        out.append(Finding(words(f"weighting.{row['option']}", column=column, category=category,
                                 rows=words.number(row["rows"], 0), share=words.share(abs(row["share"])),
                                 off=words.number(100 * row["share"], 1, True)), "caution"))
    return out


def margins(context: Context, answers: Responses, weighed: Weights) -> View:
    """The sample beside the population, before and after weighting: a dot each, a tick for the target."""
    words, (data, hide) = context.words, _shown(context, weighed)
    if not len(data):
        return View([])
    crossed, share = words("settings.crossed"), data["kind"] == "share"
    heads = [crossed.join(map(context.heading, c.split(CROSS))) for c in data["column"]]
    names = [_category(context, row["column"], row["category"]) if row["kind"] == "share" else ""
             for row in data.to_dict("records")]
    cells = {key: [context.cell(v, "share" if s else "coef") for v, s in zip(data[key], share, strict=True)]
             for key in ("target", "before", "after")}
    rows = [words("cleaning.kept", column=head, values=name) if name else head
            for head, name in zip(heads, names, strict=True)]
    columns = [context.column("category", rows), Column(words("head.population"), cells["target"]),
               *(context.hidden(column, hide) for column in (Column(words("head.before"), cells["before"]),
                                                             Column(words("head.after"), cells["after"])))]
    shown = data[share & ~hide]
    if not len(shown):
        return View([context.table("margins", data, columns, words("settings.margins"), {}, folded=True)])
    gap = (shown["before"] - shown["target"]).abs()
    far = gap.idxmax()
    said = {key: data[key].map(words.share) for key in ("before", "after", "target")}
    blanks = {"axis": words.number(_start(shown), 0), "column": heads[far], "category": names[far],
              **{key: values[far] for key, values in said.items()},
              "all": words.series(words("figure.margins.value", name=f"{heads[i]} {names[i]}", before=said["before"][i],
                                        after=said["after"][i], target=said["target"][i]) for i in shown.index)}
    title = words("figure.margins.title" if gap[far] >= 0.005 else "figure.margins.title_none", **blanks)
    figure = [] if len(shown) > MOST_DOTS else [context.figure(
        "margins", data, _dots(context, shown, heads, names), _height(shown), words("settings.margins"), blanks,
        title=title)]
    return View([*figure, context.table("margins", data, columns, words("settings.margins"), blanks,
                                        folded=bool(figure))])


def _shown(context: Context, weighed: Weights) -> tuple[pd.DataFrame, pd.Series]:
    """The margins without what small categories hold, and which those are."""
    data = weighed.margins.astype({"n": float})
    small = [hidden(part["n"].to_numpy(), context.min_cell) if part["kind"].iloc[0] == "share" else np.zeros(len(part))
             for _, part in data.groupby("column", sort=False)]
    hide = pd.Series(np.concatenate(small).astype(bool) if small else [], data.index, dtype=bool)
    data.loc[hide, ["before", "after", "n"]] = np.nan
    return data, hide


def _category(context: Context, column: str, category: str) -> str:
    """A category, or a cell of crossed columns, as readers see it."""
    if not category:
        return context.words("kind.skipped")
    return context.words("settings.crossed").join(
        context.study.category(*each) for each in zip(column.split(CROSS), category.split(CROSS), strict=True))


def _height(shown: pd.DataFrame) -> float:
    return 76 + 25 * len(shown) + 27 * shown["column"].nunique()


def _start(shown: pd.DataFrame) -> float:
    """Where the axis of shares begins, in percent: a round number below all of them."""
    least = 100 * shown[["before", "after", "target"]].to_numpy(float).min()
    return float(max(np.floor(least / 5 - 0.3) * 5, 0))


def _dots(context: Context, shown: pd.DataFrame, heads: list[str], names: list[str]) -> Any:
    """Paints one line for each category, under the heading of its margin."""
    from tcslib.report.plots import ACCENT, HAIR, INK, INK2, INK3

    words = context.words

    def paint(axes: Any, narrow: bool) -> None:
        at, y, last = {}, 0.0, ""
        for i in shown.index:
            if heads[i] != last:
                y -= 1.1
                axes.text(0, y, heads[i], transform=axes.get_yaxis_transform(), ha="left", va="center", color=INK2,
                          fontweight="bold")
                last = heads[i]
            y -= 1.0
            at[i] = y
        places = np.array(list(at.values()))
        axes.hlines(places, 0, 1, color=HAIR, linewidth=1, zorder=1, transform=axes.get_yaxis_transform())
        before, after, target = (100 * shown[key].to_numpy(float) for key in ("before", "after", "target"))
        axes.hlines(places, before, after, color=INK3, linewidth=1.2, zorder=2)
        tick = {"marker": "|", "markersize": 18, "markeredgewidth": 2.2, "linestyle": "none", "color": INK}
        marks = {"target": axes.plot(target, places, zorder=3, **tick)[0],
                 "before": axes.scatter(before, places, s=46, facecolor="white", edgecolor=INK2, linewidth=1.6,
                                        zorder=4),
                 "after": axes.scatter(after, places, s=46, facecolor=ACCENT, edgecolor="white", linewidth=0.8,
                                       zorder=5)}
        ends = np.concatenate([before, after, target])
        axes.set(yticks=places, ylim=(y - 0.8, 0.2), xlim=(_start(shown), min(np.ceil(ends.max() / 5 + 0.3) * 5, 100)))
        axes.set_yticklabels([names[i] for i in at])
        axes.xaxis.set_major_formatter(lambda v, _: f"{v:g}%")
        axes.figure.legend([marks[k] for k in ("before", "after", "target")],
                           [words(f"figure.margins.{k}") for k in ("before", "after", "target")],
                           loc="outside upper left", ncols=3, handlelength=1, borderaxespad=0, handletextpad=0.4,
                           columnspacing=1.2 if narrow else 2)

    return paint


def deff_split(context: Context, found: pd.DataFrame) -> View:
    """Design effects of design-based estimates, split into what weights and what clusters and strata do to them.

    Parameters
    ----------
    found
        A row for each ``construct``: ``deff`` in all, ``weighting`` (Kish) and ``clustering``, ``deff / weighting``.
    """
    words = context.words
    if not len(found):
        return View([])
    most = found.loc[found["deff"].idxmax()]
    blanks = {"statistic": context.label(most["construct"]), **{k: words.number(most[k], 2)
                                                 for k in ("deff", "weighting", "clustering")}}
    columns = [context.constructs(found["construct"]), *context.columns(found, "count", answers="n"),
               *context.columns(found, "coef", deff_weighting="weighting", deff_clustering="clustering",
                                deff_total="deff"), *context.columns(found, "count", "n_eff")]
    return View([context.table("deff_split", found, columns, words("settings.deff_split"), blanks)],
                {"deff_split": found.to_dict("records")})


def achieved(context: Context, answers: Responses, weighed: Weights, plan: dict[str, Any]) -> View:
    """Planned against achieved answers, by stratum where the plan names strata; of a census, asked and answered."""
    if context.census:
        return asked(context, answers, weighed)
    words, n_plan = context.words, int(plan["n"])
    strata = {row["stratum"]: row for row in plan.get("allocation", [])}
    blanks = {"planned": words.number(n_plan, 0), "n": words.number(answers.n, 0)}
    if not context.planned:
        return View([Finding(words("cleaning.no_plan", **blanks))])
    verdict = words("cleaning.achieved" if answers.n >= n_plan else "cleaning.short", **blanks)
    if not strata or answers.design.strata is None or set(answers.design.strata) - set(strata):
        return View([Finding(verdict)])
    of = pd.Series(answers.design.strata[answers.domain])
    total = weighed.weights.sum()
    data = pd.DataFrame({"stratum": list(strata), "planned": [r["n"] for r in strata.values()],
                         "achieved": [int((of == s).sum()) for s in strata],
                         "population": [r["share"] for r in strata.values()],
                         "weighted": [weighed.weights[answers.design.strata == s].sum() / total for s in strata]})
    hidden = data["achieved"] < context.min_cell
    columns = [context.strata(data["stratum"]), *context.columns(data, "count", "planned"),
               *(context.hidden(column, hidden) for column in context.columns(data, "count", "achieved")),
               *context.columns(data, "share", population_share="population", weighted_share="weighted")]
    data.loc[hidden, "achieved"] = pd.NA
    return View([Finding(verdict), context.table("achieved", data, columns, words("settings.achieved"), blanks)],
                {"achieved": data.to_dict("records")})
