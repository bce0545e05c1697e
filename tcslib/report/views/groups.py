"""Groups compared: brands and segments on one measure, small groups hidden."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tcslib.compare.groups import GroupScores
from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, Table, View


def hidden(n: np.ndarray, least: int) -> np.ndarray:
    """Groups too small to show; when only one is, the next smallest too, or subtraction would tell it.

    Groups without anybody are no group.
    """
    out = n < least
    if out.sum() == 1 and len(n) > 1:
        out[np.argsort(np.where(out, np.iinfo(int).max, n), kind="stable")[0]] = True
    return out


def _table(context: Context, found: GroupScores, name: str) -> tuple[Table, pd.DataFrame]:
    context = context.seen(found.inference)
    words, table = context.words, found.table()
    hide, few = hidden(found.n, context.min_cell), found.n < context.study.params.report.min_base
    # of a small group whose size is known and of whom most answered, few answers are no weakness
    few &= not (context.census and found.inference.replicates.design.fpc is not None)
    marks = [words("format.few", group=g) if f and not h else g for g, f, h in
             zip(context.categories(found.column, table["group"]), few, hide, strict=True)]
    reference = context.study.category(found.column, found.reference) if found.reference else words("groups.rest")
    head = words(f"head.{name}") if words.has(f"head.{name}") else context.heading(found.column)
    differences = Column(words("head.difference", reference=reference),
                         [words.number(v, 1, True) for v in table["difference"]])
    numbers = [*context.columns(table, "count", "n"), *context.columns(table, "score", score="estimate"),
               context.interval_column(table, 1), differences,
               context.interval_column(table, 1, "difference", signed=True)]
    columns = [Column(head, marks, "left"), *(context.hidden(column, hide) for column in numbers)]
    table.loc[hide, [c for c in table.columns if c not in {"group", "method", "df"}]] = np.nan
    blanks = {"construct": context.label(found.construct), "column": context.named(found.column)}
    settings = context.settings(found.inference, words(f"settings.{name}"),
                                words("settings.hidden", cell=words.number(context.min_cell, 0)) if hide.any() else "")
    clear = (table["difference_low"] > 0) | (table["difference_high"] < 0)          # by its own interval; not if hidden
    title = words(f"table.{name}.{'title' if clear.any() else 'title_none'}", **blanks)
    return context.table(name, table.drop(columns="method"), columns, settings, blanks, title=title), table


def segments(context: Context, found: Sequence[GroupScores]) -> View:
    """One table per segment column, or a sentence where the study names none."""
    if not found:
        return View([Finding(context.words("groups.no_segments"))], {"segments": []})
    shown, numbers = [], []
    for each in found:
        table, data = _table(context, each, "segments")
        shown.append(Table(**{**vars(table), "name": f"segments_{each.column}"}))
        numbers += [{"column": each.column, **row} for row in data.drop(columns="method").to_dict("records")]
    return View(shown, {"segments": numbers})


def brands(context: Context, found: GroupScores | None) -> View:
    """The client beside its rivals, or a sentence where only the client was rated."""
    words = context.words
    if found is None:
        return View([Finding(words("groups.no_brands"))], {"brands": []})
    table, data = _table(context, found, "brands")
    return View([Finding(words("groups.brands", own=context.own)), table],
                {"brands": data.drop(columns="method").to_dict("records")})
