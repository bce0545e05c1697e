"""Chapter 2: what came in, what each rule did, and what is left."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tcslib.report.context import Context
from tcslib.report.records import Finding, View
from tcslib.survey.responses import Responses

_OUT = ("identical_record", "same_id", "screened_out", "too_much_missing", "flags")


def source(context: Context, raw: Any) -> View:
    """The file as it came."""
    words = context.words
    text = words("cleaning.source", file=raw.file, records=words.number(len(raw.frame), 0),
                 columns=words.number(len(raw.frame.columns), 0), sha=raw.sha256[:12])
    return View([Finding(text)], {"data": {"file": raw.file, "sha256": raw.sha256, "records": len(raw.frame)}})


def ledger(context: Context, answers: Responses) -> View:
    """The cleaning ledger: every rule in order, records and cells it touched, records left."""
    words, book = context.words, answers.ledger
    steps = book.groupby("rule", sort=False).agg(rows=("rows", "sum"), cells=("cells", "sum"), left=("left", "last"),
                                                 detail=("detail", lambda d: list(d))).reset_index()
    out = int(book.loc[book["rule"].isin(_OUT), "rows"].sum())
    details = [_detail(context, r, d) for r, d in zip(steps["rule"], steps["detail"], strict=True)]
    columns = [context.column("rule", [words(f"rule.{r}") for r in steps["rule"]]), context.column("detail", details),
               *context.columns(steps, "count", records_out="rows", cells="cells", left="left")]
    silent = int((~answers.responded).sum())
    came, left = int(book["left"].iloc[0]) - silent, len(answers) - silent
    blanks = {"out": words.number(out, 0), "came": words.number(came, 0), "left": words.number(left, 0)}
    shown: list[Any] = [
        Finding(words("cleaning.answer" if out else "cleaning.answer_none", **blanks), "answer"),
        context.table("ledger", book, columns, words("settings.ledger"), blanks,
                      title=words("table.ledger.title" if out else "table.ledger.title_none", **blanks)),
    ]
    if silent:
        shown.append(Finding(words("cleaning.nonrespondents", count=words.number(silent, 0))))
    if answers.n < left:
        shown.append(Finding(words("cleaning.domain", n=words.number(answers.n, 0), left=blanks["left"],
                                   own=context.own)))
    numbers = {"cleaning": book[["rule", "detail", "rows", "cells", "left"]].to_dict("records"), "n": answers.n}
    return View(shown, numbers)


def _detail(context: Context, rule: str, details: list[str]) -> str:
    words = context.words
    named = [d for d in details if d]
    if rule == "missing_code":
        return words.listed([words.known("kind", d) for d in named])
    if rule == "screened_out":
        return words.series(words("cleaning.kept", column=context.heading(column),
                                  values=words.parted(context.categories(column, allowed)))
                            for column, allowed in context.study.params.cleaning.require.items())
    if rule == "same_id":
        return words(f"same_id.{named[0]}")
    if rule == "masked":
        return words.listed([words.known("mask", m) for m in dict.fromkeys(d.split(": ")[1] for d in named)])
    return words.listed(named) if len(named) <= 3 else words("cleaning.in_columns", count=len(named))


def missing(context: Context, answers: Responses) -> View:
    """The missing map: for each item, why answers are missing and how often."""
    from tcslib.report.plots import INK, sns

    words, items = context.words, context.study.model.items
    inside = answers.kinds.loc[answers.domain, items]
    kinds = [k for k in pd.unique(inside.to_numpy().ravel()) if k]
    data = pd.DataFrame({k: (inside == k).mean() for k in kinds}, index=items)
    total = float((inside != "").to_numpy().mean())
    if not kinds:
        return View([Finding(words("cleaning.no_missing"))], {"missing": {"share": 0.0}})
    data = data[data.sum().sort_values(ascending=False).index]
    worst = data.sum(axis=1).idxmax()
    names = [words.known("kind", k) for k in data.columns]

    def paint(axes: Any, narrow: bool) -> None:
        from matplotlib.colors import LinearSegmentedColormap

        top = max(data.to_numpy().max(), 0.1)
        shade = LinearSegmentedColormap.from_list("tint", ["#ffffff", "#bcd6ec"])
        text = data.map(lambda v: words.share(v) if v > 0 else "")
        sns.heatmap(data, ax=axes, cmap=shade, vmin=0, vmax=top, cbar=False, annot=text, fmt="", linewidths=1,
                    linecolor="#dfe3e8", annot_kws={"color": INK, "fontsize": 11 if narrow else 12})
        axes.set_xticklabels([n.replace(" ", "\n") for n in names], rotation=0)
        axes.set_yticklabels(data.index, rotation=0)
        axes.xaxis.tick_top()
        axes.set(xlabel="", ylabel="")

    blanks = {"share": words.share(total), "item": worst, "wording": context.wording(worst),
              "worst": words.share(float(data.sum(axis=1).max()))}
    figure = context.figure("missing", data.reset_index(names="item"), paint, 60 + 19 * len(items),
                            words("settings.domain_n", n=words.number(answers.n, 0)), blanks)
    return View([figure], {"missing": {"share": total, "items": data.sum(axis=1).to_dict()}})


def flags(context: Context, answers: Responses) -> View:
    """Signs of careless answering: how many interviews carry each, and how many were left out for them."""
    words, book, rules = context.words, answers.ledger, context.study.params.cleaning
    found = book[book["rule"].str.startswith("flag_")]
    gone = int(book.loc[book["rule"] == "flags", "rows"].sum())
    columns = [context.column("sign", [words(f"rule.{r}") for r in found["rule"]]),
               context.column("interviews", found["cells"], "count"),
               context.column("share", found["cells"] / found["left"], "share")]
    blanks = {"gone": words.number(gone, 0), "at": words.number(rules.exclude_at_flags, 0),
              "straight": words.share(rules.straight_share), "speed": words.share(rules.speed_share)}
    title = words("table.flags.title" if gone else "table.flags.title_none", **blanks)
    return View([context.table("flags", found[["rule", "cells", "left"]], columns, words("settings.flags", **blanks),
                               blanks, title=title)])
