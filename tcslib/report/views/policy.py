"""Chapter 4: scores without and with policy weights."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tcslib.index.policy import PolicyScores
from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, Table, View
from tcslib.report.views.groups import hidden

_SCORES = [f"{name}{part}" for name in ("plain", "policy", "difference") for part in ("", "_se", "_low", "_high")]
_SHOWS = 0.05          # a difference below it is printed as 0.0


def policy(context: Context, found: PolicyScores | None) -> View:
    """The scores side by side, by aspect and class as well, and the weights behind them; nothing without a policy."""
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
    hide = _small(context, table)
    small = words("settings.hidden", cell=words.number(context.min_cell, 0)) if hide.any() else ""
    if hide.any():
        table.loc[hide, ["n", *_SCORES]] = np.nan
    by_column = [_by_class(context, table, hide, rule.column, small) for rule in found.rules]
    shown: list[Finding | Table] = [
        Finding(words("policy.answer", **blanks), "answer"), _voices(context, found),
        context.table("policy", everybody.drop(columns=["column", "group"]), columns, settings, blanks), *by_column,
        _by_group(context, table, hide, words.clauses([settings, small]))]
    groups = table[table["column"] != ""]
    return View(shown, {"policy": {
        "score": row["policy"], **{part: row[f"policy_{part}"] for part in ("se", "low", "high")},
        "plain": row["plain"], "difference": row["difference"], "difference_low": row["difference_low"],
        "difference_high": row["difference_high"], "constructs": everybody[["construct", *_SCORES]].to_dict("records"),
        "groups": groups[["column", "group", "construct", "n", *_SCORES]].to_dict("records")}})


def _small(context: Context, table: pd.DataFrame) -> np.ndarray:
    """Cells of the table too small to show, column by column as everywhere; never those of everybody."""
    hide = np.zeros(len(table), dtype=bool)
    for _, part in table[table["column"] != ""].groupby(["column", "construct"], sort=False):
        hide[part.index] = hidden(part["n"].to_numpy(), context.min_cell)
    return hide


def _scores(context: Context, table: pd.DataFrame) -> list[Column]:
    words = context.words
    return [*context.columns(table, "score", policy_without="plain"), context.interval_column(table, 1, "plain"),
            *context.columns(table, "score", policy_with="policy"), context.interval_column(table, 1, "policy"),
            Column(words("head.policy_difference"), [words.number(v, 1, True) for v in table["difference"]]),
            context.interval_column(table, 1, "difference", signed=True)]


def _by_class(context: Context, table: pd.DataFrame, hide: np.ndarray, column: str, small: str) -> Table:
    """Aspects down, the classes of one column across, the score without and with policy weights in every cell."""
    words, heading = context.words, context.heading(column)
    mine = table[table["column"] == column]
    moved = bool((mine["difference"].abs() >= _SHOWS).any())
    heads, cells, data = [], {}, {"construct": table.loc[table["column"] == "", "construct"].to_list()}
    for group in ["", *dict.fromkeys(mine["group"])]:
        part = table[(table["column"] == "") if not group else (table["column"] == column) & (table["group"] == group)]
        name, n = context.study.category(column, group) if group else words("policy.everybody"), part["n"].max()
        heads.append(words("format.few", group=name) if n < context.study.params.report.min_base else name)
        both = zip(part["plain"], part["policy"], hide[part.index], strict=True)
        cells[heads[-1]] = [words.number(n, 0) if n == n else words("format.hidden"), *(
            words("format.hidden") if out else words("policy.cell", plain=words.number(a, 1), policy=words.number(b, 1))
            if moved or not group else words.number(a, 1) for a, b, out in both)]
        data |= {f"{group or 'all'} {key}": part[key].to_list() for key in ("n", "plain", "policy")}
    clear = mine[(mine["difference_low"] > 0) | (mine["difference_high"] < 0)]
    clear = clear[clear["difference"].abs() >= _SHOWS]
    blanks = {"column": heading, "clear": words.number(len(clear), 0), "count": words.number(len(mine), 0)}
    if len(clear):
        most = clear.loc[clear["difference"].abs().idxmax()]
        blanks |= {"construct": context.label(most["construct"]), "difference": words.number(
            most["difference"], 1, True), "group": context.study.category(column, most["group"])}
    title = words(f"policy.title_{'most' if len(clear) else 'none' if moved else 'same'}", **blanks)
    columns = [Column(words("head.construct"), [words("policy.n"), *context.labels(data["construct"])], "left"),
               *(Column(head, cells[head]) for head in heads)]
    sub = words("policy.sub" if moved else "policy.sub_same")
    return Table(f"policy_{column}", title, sub, columns, words.clauses([words("policy.read"), small]), False,
                 pd.DataFrame(data))


def _by_group(context: Context, table: pd.DataFrame, hide: np.ndarray, settings: str) -> Table:
    """The same with every interval."""
    rows = (table["column"] != "").to_numpy()
    part, small = table[rows].reset_index(drop=True), hide[rows]
    numbers = [*context.columns(part, "count", "n"), *_scores(context, part)]
    columns = [context.column("group", _named(context, part["column"], part["group"])),
               context.constructs(part["construct"]), *(context.hidden(column, small) for column in numbers)]
    return context.table("policy_groups", part, columns, settings, folded=True)


def _named(context: Context, columns: pd.Series, groups: pd.Series) -> list[str]:
    """Categories, with their column before them where two columns have one of the same name."""
    names = {pair: context.study.category(*pair) for pair in zip(columns, groups, strict=True)}
    if len(set(names.values())) < len(names):
        names = {(c, g): context.words("policy.of", column=context.heading(c), group=name)
                 for (c, g), name in names.items()}
    return [names[pair] for pair in zip(columns, groups, strict=True)]


def _voices(context: Context, found: PolicyScores) -> Table:
    """The policy's weights: a row for each category, a column for each way it counts."""
    words = context.words
    aspects = list(dict.fromkeys(name for rule in found.rules for name in rule.aspects))
    rows = [{"column": rule.column, "group": category, "other": rule.weights.get(category),
             **{name: rule.aspects.get(name, rule.weights).get(category) for name in aspects}}
            for rule in found.rules for category in rule.categories]
    table = pd.DataFrame(rows, columns=["column", "group", *aspects, "other"])
    columns = [context.column("group", _named(context, table["column"], table["group"])),
               *(Column(context.label(name), [words.number(v, 2) for v in table[name]]) for name in aspects),
               Column(words("head.policy_other" if aspects else "head.policy_all"),
                      [words.number(v, 2) for v in table["other"]])]
    stated = table[[*aspects, "other"]].astype(float)
    blanks = {"low": words.number(np.nanmin(stated), 2), "high": words.number(np.nanmax(stated), 2)}
    return context.table("policy_weights", table, columns, words("settings.policy_weights"), blanks)
