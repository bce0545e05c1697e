"""Chapter 4: what moves satisfaction, how high it stands, and what to do first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tcslib.index.importance import RISE, PriorityMap
from tcslib.index.scoring import Index
from tcslib.inference.infer import Inference
from tcslib.report.context import Context
from tcslib.report.records import Column, Figure, Finding, View
from tcslib.structure.fit import PlsFit
from tcslib.study.models import Model

STRONG = 0.40
FAIR = 0.80          # share of replicates from which an order is called fairly sure


def _reading(row: pd.Series) -> str:
    if not (row["low"] > 0 or row["high"] < 0):
        return "unclear"
    return "strong" if abs(row["estimate"]) >= STRONG else "moderate"


def paths(context: Context, fit: PlsFit) -> View:
    """Path coefficients, drawn and listed; or why there are none."""
    if fit.too_few is not None:
        n, least = (context.words.number(v, 0) for v in fit.too_few)
        return View([Finding(context.words("structure.too_few", n=n, least=least, largest=context.words.number(
            max(len(b) for b in fit.model.blocks), 0)), "answer")])
    context = context.seen(fit.inference)
    words, table = context.words, fit.paths()
    table["reading"] = [_reading(row) for _, row in table.iterrows()]
    names = [f"{context.label(s)} → {context.label(t)}" for s, t in zip(table["source"], table["target"], strict=True)]
    clear = table[table["reading"] != "unclear"]
    into = clear[clear["target"] == fit.model.target].sort_values("estimate", ascending=False)
    drivers = words.listed([words("format.named", name=context.label(r["source"]), value=words.number(r["estimate"], 2))
                            for _, r in into.iterrows()])
    blanks = {"clear": words.number(len(clear), 0), "paths": words.number(len(table), 0), "drivers": drivers,
              "target": context.label(fit.model.target), "ci": context.ci()}
    settings = context.settings(fit.inference, context.estimation(fit))
    columns = [context.column("path", names), *context.columns(table, "coef", coefficient="estimate"),
               context.interval_column(table), *context.columns(table, "coef", "f2"),
               context.column("reading", [words(f"reading.{r}") for r in table["reading"]])]
    answer = Finding(words("structure.answer" if len(into) else "structure.answer_none", **blanks), "answer")
    records = table.rename(columns={"method": "interval"})[["source", "target", "estimate", "se", "low", "high", "f2"]]
    listed = context.table("paths", table, columns, words.sentences(
        words("settings.reading"), words.clauses([settings, _model(context, fit.model)])), blanks)
    return View([answer, *diagram(context, fit).shown, listed], {"paths": records.to_dict("records")})


def _model(context: Context, model: Model) -> str:
    """Where the model comes from and how sure its structure and wording are."""
    words = context.words
    if not model.title:
        return words("settings.model_own")
    title, status, source = (context.study.words(text) for text in (model.title, model.status, model.source))
    return words("settings.model_adapted" if model.adapted else "settings.model_preset", name=title, status=status,
                 source=source)


def is_ahead(draws: np.ndarray, first: int, second: int) -> bool:
    """Whether one of two statistics is above the other in so many replicates that a title may say so."""
    with np.errstate(invalid="ignore"):
        return bool((draws[:, first] > draws[:, second]).mean() >= FAIR)


def diagram(context: Context, fit: PlsFit) -> View:
    """The model as drawn: constructs, paths between them, what is explained; empty where a table must serve."""
    from tcslib.report.diagram import path_diagram

    words, table, target = context.words, fit.paths(), fit.model.target
    explained = fit.r2().set_index("construct")["estimate"]
    labels = {name: context.label(name) for name in fit.model.names}
    wide, narrow = path_diagram(fit.model, labels, table, explained.to_dict(), words, target)
    if not wide:
        return View([])
    unclear = np.array([_reading(row) == "unclear" for _, row in table.iterrows()])
    routes = [f"{labels[s]} → {labels[t]} {words.number(b, 2)}"
              for s, t, b in zip(table["source"], table["target"], table["estimate"], strict=True)]
    strongest = table[~unclear].sort_values("estimate", key=abs, ascending=False, kind="stable").index
    into = [k for k in strongest if table.loc[k, "target"] == target]
    first, second = ([labels[table.loc[k, "source"]] for k in into] + ["", ""])[:2]
    blanks = {"first": first, "second": second, "target": labels[target], "unclear": words.number(unclear.sum(), 0)}
    kind = "title_none" if not into else {0: "title_all", 1: "title_one"}.get(int(unclear.sum()), "title")
    if len(into) > 1 and not is_ahead(fit.inference.spread("paths"), into[0], into[1]):
        kind = "title_two"
    alt = words("figure.diagram.alt", constructs=words.number(len(labels), 0), paths=words.number(len(table), 0),
                strongest=words.series(routes[k] for k in strongest[:3]) or words("settings.none"),
                unclear=words.series(r for r, u in zip(routes, unclear, strict=True) if u) or words("settings.none"),
                target=labels[target], r2=words.number(explained.get(target), 2))
    title = words(f"figure.diagram.{kind}", **blanks)
    settings = context.settings(fit.inference, context.estimation(fit))
    return View([Figure("diagram", title, words("figure.diagram.sub"), wide, narrow, alt, settings, table)])


def explained(context: Context, fit: PlsFit) -> View:
    """Share of variance explained, and total effects on the target."""
    if fit.too_few is not None:
        return View([])
    words, table = context.words, fit.r2()
    columns = [context.constructs(table["construct"]), *context.columns(table, "coef", r2="estimate"),
               context.interval_column(table)]
    target = table.set_index("construct").loc[fit.model.target] if fit.model.target in set(table["construct"]) else None
    blanks = {"target": context.label(fit.model.target),
              "share": words.share(target["estimate"]) if target is not None else words.number(None)}
    settings = context.settings(fit.inference, context.estimation(fit))
    total = fit.total_effects(fit.model.target)
    effect_columns = [context.constructs(total["source"]), *context.columns(total, "coef", total_effect="estimate"),
                      context.interval_column(total)]
    return View([context.table("r2", table, columns, settings, blanks),
                 context.table("total_effects", total, effect_columns, settings, blanks, folded=True)],
                {"r2": dict(zip(table["construct"], table["estimate"], strict=True)),
                 "total_effects": total[["source", "target", "estimate", "se", "low", "high"]].to_dict("records")})


def scored(context: Context, index: Index, construct: str, *more: str) -> tuple[dict[str, str], dict[str, Any]]:
    """A construct's score with its interval and both standard errors: as print, and as numbers with its formula."""
    words, row, parts = context.words, index.of(construct), index.formula(construct)
    said = {"score": words.number(row["estimate"], 1), "ci": context.ci(),
            "interval": words.interval(row["low"], row["high"], 1), "se": words.number(row["se"], 2),
            "se_fixed": words.number(row["se_fixed"], 2)}
    return said, {"construct": construct, "score": row["estimate"],
                  **{key: row[key] for key in ("se", "se_fixed", "low", "high", *more)},
                  "outer_weights": dict(zip(parts["item"], parts["share"], strict=True))}


def index_score(context: Context, index: Index) -> View:
    """The index with its interval, the formula a reader can recompute, and every construct's score."""
    context = context.seen(index.scores)
    words, target = context.words, index.fit.model.target
    (said, numbers), parts = scored(context, index, target, "n", "n_eff", "df"), index.formula(target)
    columns = [*context.questions(parts["item"]), *context.columns(parts, "exact", weight_share="share", mean="mean"),
               *context.columns(parts, "coef", "score")]
    sum_text = " + ".join(f"{s:.4f} × {v:.2f}" for s, v in zip(parts["share"], parts["score"], strict=True))
    blanks = {"target": context.label(target), "sum": sum_text, **said}
    said_as = words("structure.index_equal" if equally(index.fit) else "structure.index", **blanks)
    settings = words("settings.formula", **blanks)
    return View([Finding(said_as), context.table("formula", parts, columns, settings, blanks)], {"index": numbers})


def equally(fit: PlsFit) -> bool:
    """Whether the questions of a construct weigh the same by definition, so that nothing is estimated of weights."""
    return fit.settings.outer == "equal"


def scores(context: Context, index: Index, median: Inference) -> View:
    """All constructs on the 0–100 scale, with both standard errors."""
    from tcslib.report.plots import ACCENT, INK, INK2, intervals

    context = context.seen(index.scores, median)
    words, table = context.words, index.table()
    target = index.fit.model.target
    order = table.sort_values("estimate", ascending=False, ignore_index=True)
    columns = [context.constructs(table["construct"]), *context.columns(table, "score", score="estimate"),
               context.interval_column(table, 1), *context.columns(table, "coef", "se"),
               *([] if equally(index.fit) else context.columns(table, "coef", "se_fixed"))]
    settings = context.settings(index.scores, context.estimation(index.fit),
                                "" if equally(index.fit) else words("settings.two_se"))

    def paint(axes: Any, narrow: bool) -> None:
        y = np.arange(len(order))
        for own, color in ((True, ACCENT), (False, INK2)):
            rows = ((order["construct"] == target) == own).to_numpy()
            intervals(axes, order[rows], y[rows], color=color)
        for at, (_, row) in zip(y, order.iterrows(), strict=True):
            axes.annotate(words.number(row["estimate"], 1), (row["high"], at), xytext=(8, 0), va="center",
                          textcoords="offset points", color=INK,
                          fontweight="bold" if row["construct"] == target else 400)
        axes.set_yticks(y, context.labels(order["construct"]))
        low = max(0, 10 * np.floor((order["low"].min() - 4) / 10))
        axes.set(ylim=(len(order) - 0.5, -0.5), xlim=(low, min(100, order["high"].max() + 8)),
                 xlabel=words("figure.scores.x", low=words.number(low, 0)))

    best, worst = order.iloc[0], order.iloc[-1]
    blanks = {"best": context.label(best["construct"]), "best_score": words.number(best["estimate"], 1),
              "worst": context.label(worst["construct"]), "worst_score": words.number(worst["estimate"], 1),
              "ci": context.ci()}
    middle = median.table("median").iloc[0]
    sentence = words("structure.median_equal" if equally(index.fit) else "structure.median",
                     target=context.label(target), median=words.number(middle["estimate"], 1),
                     interval=words.interval(middle["low"], middle["high"], 1), ci=context.ci())
    values = words.series(words("figure.scores.point", name=context.label(r["construct"]), value=words.number(
        r["estimate"], 1), interval=words.interval(r["low"], r["high"], 1)) for _, r in order.iterrows())
    draws, at = index.scores.spread("score"), [index.fit.model.names.index(name) for name in order["construct"]]
    clear = len(at) > 2 and is_ahead(draws, at[0], at[1]) and is_ahead(draws, at[-2], at[-1])
    kind = "title" if clear else "title_plain"
    figure = context.figure("scores", order, paint, 50 + 30 * len(order), settings, blanks | {"values": values},
                            words(f"figure.scores.{kind}", **blanks))
    listed = context.table("scores", table, columns, settings, blanks, words(f"table.scores.{kind}", **blanks))
    return View([figure, listed, Finding(sentence)],
                {"median": {k: middle[k] for k in ("estimate", "se", "low", "high")},
                 "scores": table[["construct", "estimate", "se", "se_fixed", "low", "high"]].to_dict("records")})


def priorities(context: Context, found: PriorityMap | None) -> View:
    """Where effort would bring most: the map, the first actions, the numbers behind them."""
    if found is None:
        return View([], {"priorities": []})          # there are no paths, as was said above
    words, table = context.words, found.table()
    if not len(table):
        return View([Finding(words("structure.no_drivers", target=context.label(found.target)))], {"priorities": []})
    first = found.priorities()
    names = context.labels(first["construct"])
    blanks = {"names": words.listed(names), "first": names[0] if names else words("settings.none"),
              "second": names[1] if len(names) > 1 else "",
              "target": context.label(found.target), "rise": words.number(RISE, 0), "ci": context.ci()}
    certain = [words.share(c) if lever else words("structure.no_lever")
               for c, lever in zip(table["certainty"], table["lever"], strict=True)]
    columns = [context.constructs(table["construct"]), *context.columns(table, "score", score="performance"),
               context.interval_column(table, 1, "performance"),
               Column(words("head.gain", rise=blanks["rise"]), [words.number(v, 1, True) for v in table["gain"]]),
               context.interval_column(table, 1, "gain", signed=True),
               Column(words("head.certainty" if found.more_than_first else "head.same_place"), certain)]
    settings = context.settings(found.inference, context.estimation(found.index.fit), words("settings.gain", **blanks))
    shown: list[Any] = [_map(context, table, first, settings, blanks),
                        context.table("priorities", table, columns, settings, blanks, folded=True)]
    actions = [{"construct": r["construct"], "label": context.label(r["construct"]),
                "action": context.study.words(found.index.fit.model[r["construct"]].action,
                                              words("structure.action", name=context.label(r["construct"]))),
                "performance": r["performance"], "gain": r["gain"], "low": r["gain_low"], "high": r["gain_high"],
                "certainty": r["certainty"], "among_first": found.more_than_first} for _, r in first.iterrows()]
    return View(shown, {"priorities": actions})


def _map(context: Context, table: pd.DataFrame, first: pd.DataFrame, settings: str, blanks: dict[str, str]) -> Figure:
    from tcslib.report.plots import ACCENT, INK2, INK3, beside, name_y, sns

    words = context.words
    rank = {name: i + 1 for i, name in enumerate(first["construct"])}
    cross = table["performance"].mean(), table["gain"].mean()

    def paint(axes: Any, narrow: bool) -> None:
        for _, row in table.iterrows():
            color = ACCENT if row["construct"] in rank else INK2
            reach = [[[row["performance"] - row["performance_low"]], [row["performance_high"] - row["performance"]]],
                     [[row["gain"] - row["gain_low"]], [row["gain_high"] - row["gain"]]]]
            axes.errorbar(row["performance"], row["gain"], xerr=reach[0], yerr=reach[1], fmt="none", ecolor=color,
                          elinewidth=1.5, capsize=3, zorder=2)
            sns.scatterplot(x=[row["performance"]], y=[row["gain"]], ax=axes, s=60, color=color if color == ACCENT else
                            "white", edgecolor=color, linewidth=1.5, marker="o" if color == ACCENT else "s", zorder=3)
        x0, x1 = table["performance_low"].min() - 2, table["performance_high"].max() + (9 if narrow else 4)
        y0, y1 = min(0, table["gain_low"].min()) - 0.1, table["gain_high"].max() * 1.18
        axes.axvline(cross[0], color=INK3, linewidth=1, linestyle=(0, (2, 3)))
        axes.axhline(cross[1], color=INK3, linewidth=1, linestyle=(0, (2, 3)))
        axes.set(xlim=(x0, x1), ylim=(y0, y1), xlabel=words("figure.priorities.x", low=words.number(x0, 0)))
        name_y(axes, words("figure.priorities.y", **blanks), words.language)
        texts = [f"{rank[c]} {context.label(c)}" if c in rank else context.label(c) for c in table["construct"]]
        places = beside(axes, table["performance"], table["gain"], texts)
        for (_, row), text, place in zip(table.iterrows(), texts, places, strict=True):
            own = row["construct"] in rank
            axes.annotate(text, (row["performance"], row["gain"]), **place, color=ACCENT if own else INK2, zorder=4,
                          fontweight="bold" if own else 400,
                          bbox={"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75})

    values = words.series(words("figure.priorities.point", name=context.label(r["construct"]), score=words.number(
        r["performance"], 1), gain=words.number(r["gain"], 1, True)) for _, r in table.iterrows())
    kind = "title_two" if len(first) > 1 and first["certainty"].iloc[0] < FAIR else "title"
    return context.figure("priorities", table, paint, (400, 380), settings, blanks | {"values": values},
                          words(f"figure.priorities.{kind}", **blanks))
