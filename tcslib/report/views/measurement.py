"""Chapter 3: do the questions measure what they claim to?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tcslib.measurement.assess import Measurement
from tcslib.report.context import Context, marked
from tcslib.report.records import Column, Finding, Table, View
from tcslib.structure.fit import PlsFit

ALPHA_LEAST, AVE_LEAST, HTMT_MOST, LOADING_LEAST = 0.70, 0.50, 0.90, 0.708


def items(context: Context, table: pd.DataFrame) -> View:
    """Item statistics: one row per question."""
    words = context.words
    columns = [*context.questions(table["item"]), *context.columns(table, "count", answers="n"),
               *context.columns(table, "coef", "mean"), context.interval_column(table),
               *context.columns(table, "coef", "sd"), *context.columns(table, "share", "floor", "ceiling"),
               *context.columns(table, "coef", "item_rest", "alpha_without")]
    scales = [context.study.questionnaire[item].scale for item in table["item"]]
    place = (table["mean"] - [s.low for s in scales]) / [s.width for s in scales]          # scales may differ
    high, low = table.loc[place.idxmax()], table.loc[place.idxmin()]
    blanks = {"high": context.wording(high["item"]), "high_mean": words.number(high["mean"], 1),
              "low": context.wording(low["item"]), "low_mean": words.number(low["mean"], 1)}
    kind = words(f"settings.alpha.{context.study.params.measurement.alpha}")
    return View([context.table("items", table, columns, words("settings.items", kind=kind), blanks)])


def reliability(context: Context, measures: Measurement) -> View:
    """Reliability and separation of the constructs, with a caution for every limit that is passed."""
    context = context.seen(measures.inference)
    words, table = context.words, measures.table()
    htmt = marked([words.number(v, 2) for v in table["htmt"]], table["htmt_high"] > HTMT_MOST)
    columns = [context.constructs(table["construct"]), *context.columns(table, "count", "items"),
               *context.columns(table, "coef", "alpha"), context.interval_column(table, of="alpha"),
               *(context.columns(table, "coef", "rho_a") if table["rho_a"].notna().any() else []),
               *context.columns(table, "coef", "rho_c", "ave"), Column(words("head.htmt_most"), htmt),
               context.column("htmt_with", context.labels(table["htmt_with"])),
               context.interval_column(table, of="htmt")]
    weak = table.loc[table["alpha"] < ALPHA_LEAST, "construct"]
    scales = int(table["alpha"].notna().sum())
    blanks = {"reliable": words.number(scales - len(weak), 0), "scales": words.number(scales, 0),
              "weak": words.listed(context.labels(weak)), "limit": words.number(ALPHA_LEAST, 2)}
    title = words("table.reliability.title" if len(weak) else "table.reliability.title_all", **blanks)
    settings = context.settings(measures.inference, words("settings.htmt_flag", limit=words.number(HTMT_MOST, 2)),
                                words(f"settings.alpha.{measures.alpha_kind}"),
                                words(f"settings.htmt.{measures.htmt_kind}"), words("settings.single"))
    shown = [Finding(words("measurement.answer" if len(weak) else "measurement.answer_all", **blanks), "answer"),
             context.table("reliability", table, columns, settings, blanks, title=title),
             _intervals(context, measures), *_overlaps(context, measures)]
    low_ave = table.loc[table["ave"] < AVE_LEAST, "construct"]
    if len(low_ave):
        shown.append(Finding(words("measurement.low_ave", names=words.listed(context.labels(low_ave)))))
    weak_scales = [words("measurement.weak", names=blanks["weak"], limit=blanks["limit"])] if len(weak) else []
    pairs = measures.htmt_table()[["first", "second", "estimate", "low", "high"]]
    return View(shown, {"warnings": weak_scales, "htmt": pairs.to_dict("records"),
                        "reliability": table.to_dict("records")})


def _intervals(context: Context, measures: Measurement) -> Table:
    """Every coefficient with its standard error and interval."""
    words, table = context.words, measures.intervals()
    columns = [context.constructs(table["construct"]),
               context.column("coefficient", [words(f"head.{name}") for name in table["coefficient"]]),
               *context.columns(table, "coef", "estimate", "se"), context.interval_column(table)]
    settings = context.settings(measures.inference, words(f"settings.alpha.{measures.alpha_kind}"))
    return context.table("reliability_intervals", table, columns, settings, folded=True)


def _overlaps(context: Context, measures: Measurement) -> list[Any]:
    """The pairs of constructs that cannot be told apart: a caution and the folded table of all pairs."""
    words, pairs = context.words, measures.htmt_table()
    over = pairs[pairs["high"] > HTMT_MOST].sort_values("estimate", ascending=False)
    out: list[Any] = []
    if len(over):
        first = over.iloc[0]
        out.append(Finding(words("measurement.overlap" if len(over) > 1 else "measurement.overlap_one",
                                 count=words.number(len(over), 0), first=context.label(first["first"]),
                                 second=context.label(first["second"]), value=words.number(first["estimate"], 2),
                                 interval=words.interval(first["low"], first["high"], 2),
                                 limit=words.number(HTMT_MOST, 2)), "caution"))
    named = [words("format.pair", first=context.label(a), second=context.label(b))
             for a, b in zip(pairs["first"], pairs["second"], strict=True)]
    columns = [context.column("pair", named), *context.columns(pairs, "coef", htmt="estimate"),
               context.interval_column(pairs)]
    settings = context.settings(measures.inference, words(f"settings.htmt.{measures.htmt_kind}"))
    out.append(context.table("htmt", pairs, columns, settings, folded=True))
    return out


def loadings(context: Context, fit: PlsFit) -> View:
    """How closely each question follows its construct."""
    from tcslib.report.plots import INK2, INK3, intervals

    context = context.seen(fit.inference)
    words, table = context.words, fit.items("loadings")
    weights = fit.items("weights")
    weak = table[table["estimate"] < LOADING_LEAST]
    where = np.arange(len(table)) + np.searchsorted(np.cumsum([len(b) for b in fit.model.blocks]),
                                                    np.arange(len(table)), side="right")
    heads = {c.name: where[block[0]] - 1 for c, block in zip(fit.model.constructs, fit.model.blocks, strict=True)}

    def paint(axes: Any, narrow: bool) -> None:
        axes.axvline(LOADING_LEAST, color=INK3, linewidth=1, linestyle=(0, (2, 3)))
        intervals(axes, table, where)
        axes.set_ylim(where[-1] + 0.8, -1.6)
        axes.set_yticks([*where, *heads.values()], [*table["item"], *context.labels(heads)])
        for label in axes.get_yticklabels()[len(where):]:
            label.set(fontweight="bold", color=INK2)
        axes.set_xlim(np.floor(10 * np.nanmin([table["low"].min(), table["estimate"].min(), 0.6])) / 10, 1.02)

    counts = {"weak": words.number(len(weak), 0), "items": words.number(len(table), 0),
              "limit": words.number(LOADING_LEAST, 3),
              "names": words.listed(weak["item"].tolist()) or words("settings.none")}
    title = words(f"figure.loadings.{'title' if len(weak) else 'title_all'}", **counts)
    settings = context.settings(fit.inference, context.estimation(fit))
    figure = context.figure("loadings", table, paint, 40 + 17 * (len(table) + len(heads)), settings, counts, title)
    both = table.assign(weight=weights["estimate"], weight_low=weights["low"], weight_high=weights["high"])
    columns = [context.column("item", table["item"]), context.constructs(table["construct"]),
               *context.columns(table, "coef", loading="estimate"), context.interval_column(table)]
    if not context.equal:          # else nothing is estimated of weights
        columns += [*context.columns(weights, "coef", outer_weight="estimate"), context.interval_column(weights)]
    folded = context.table("loadings", both, columns, settings, folded=True)
    loose = [words("measurement.loose", names=counts["names"], limit=counts["limit"])] if len(weak) else []
    return View([figure, folded], {"warnings": loose})


def cross_check(context: Context, checked: pd.DataFrame) -> View:
    """Alpha of every multi-item construct by pingouin and by this library, unweighted and raw, side by side."""
    words = context.words
    widest = float((checked["pingouin"] - checked["tcslib"]).abs().max())
    columns = [context.constructs(checked["construct"]),
               *(Column(program, [words.number(v, 4) for v in checked[program]]) for program in ("pingouin", "tcslib"))]
    agree = "agree" if widest < 5e-7 else "differ"
    return View([Finding(words(f"measurement.check_{agree}", widest=f"{widest:.1g}")),
                 context.table("cross_check", checked, columns, words("settings.cross_check"), folded=True)])
