"""Chapter 4: scores without and with policy weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tcslib.index.policy import PolicyScores
from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, Table, View
from tcslib.report.views.groups import hidden


def policy(context: Context, found: PolicyScores | None) -> View:
    """The scores side by side, by group as well, and the weights behind them; nothing where no policy is stated."""
    if found is None:
        return View([])
    words, table = context.words, found.table()
    target = found.index.fit.model.target
    everybody = table[table["column"] == ""]
    row = everybody.set_index("construct").loc[target]
    blanks = {"target": context.label(target), "ci": context.ci(), "plain": words.number(row["plain"], 1),
              "policy": words.number(row["policy"], 1), "difference": words.number(row["difference"], 1, True),
              "interval": words.interval(row["difference_low"], row["difference_high"], 1, True)}
    settings = context.settings(found.inference, words("settings.policy"))
    columns = [context.constructs(everybody["construct"]), *_scores(context, everybody)]
    shown: list[Finding | Table] = [Finding(words("policy.answer", **blanks), "answer"),
             context.table("policy", everybody.drop(columns=["column", "group"]), columns, settings, blanks),
             _by_group(context, table[table["column"] != ""].reset_index(drop=True), settings), _voices(context, found)]
    kept = ["construct", *(f"{name}{part}" for name in ("plain", "policy", "difference")
                           for part in ("", "_se", "_low", "_high"))]
    return View(shown, {"policy": {
        "score": row["policy"], **{part: row[f"policy_{part}"] for part in ("se", "low", "high")},
        "plain": row["plain"], "difference": row["difference"], "difference_low": row["difference_low"],
        "difference_high": row["difference_high"], "constructs": everybody[kept].to_dict("records")}})


def _scores(context: Context, table: pd.DataFrame) -> list[Column]:
    words = context.words
    return [*context.columns(table, "score", policy_without="plain"), context.interval_column(table, 1, "plain"),
            *context.columns(table, "score", policy_with="policy"), context.interval_column(table, 1, "policy"),
            Column(words("head.policy_difference"), [words.number(v, 1, True) for v in table["difference"]]),
            context.interval_column(table, 1, "difference", signed=True)]


def _by_group(context: Context, table: pd.DataFrame, settings: str) -> Table:
    """Every construct in every class, small cells hidden column by column as everywhere."""
    words, hide = context.words, np.zeros(len(table), dtype=bool)
    for _, part in table.groupby(["column", "construct"], sort=False):
        hide[part.index] = hidden(part["n"].to_numpy(), context.min_cell)
    names = [context.study.category(c, g) for c, g in zip(table["column"], table["group"], strict=True)]
    numbers = [*context.columns(table, "count", "n"), *_scores(context, table)]
    columns = [context.column("group", names), context.constructs(table["construct"]),
               *(context.hidden(column, hide) for column in numbers)]
    table.loc[hide, [c for c in table.columns if c not in {"column", "group", "construct"}]] = np.nan
    cell = words("settings.hidden", cell=words.number(context.min_cell, 0)) if hide.any() else ""
    return context.table("policy_groups", table, columns, words.clauses([settings, cell] if cell else [settings]),
                         folded=True)


def _voices(context: Context, found: PolicyScores) -> Table:
    """The policy's weights: a row for each category, a column for each way it counts."""
    words = context.words
    aspects = list(dict.fromkeys(name for rule in found.rules for name in rule.aspects))
    rows = []
    for rule in found.rules:
        for category in dict.fromkeys([*rule.weights, *(c for of in rule.aspects.values() for c in of)]):
            rows.append({"group": context.study.category(rule.column, category), "other": rule.weights.get(category),
                         **{name: rule.aspects.get(name, rule.weights).get(category) for name in aspects}})
    table = pd.DataFrame(rows, columns=["group", *aspects, "other"])
    columns = [context.column("group", table["group"]),
               *(Column(context.label(name), [words.number(v, 2) for v in table[name]]) for name in aspects),
               Column(words("head.policy_other" if aspects else "head.policy_all"),
                      [words.number(v, 2) for v in table["other"]])]
    return context.table("policy_weights", table, columns, words("settings.policy_weights"), folded=True)
