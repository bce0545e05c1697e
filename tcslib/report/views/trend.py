"""Change over time: the index by wave on one definition, every change with its interval and what could be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tcslib.compare.waves import CHANGE, Trend
from tcslib.report.context import Context, marked
from tcslib.report.records import Column, Figure, Finding, Table, View

MOST_WAVES = 12


def trend(context: Context, found: Trend | None) -> View:
    """The index over waves, what changed beside it, and the marks on what does not compare."""
    if found is None:
        return View([Finding(context.words("trend.none"))])
    context = context.seen(*found.found)
    words = context.words
    table = found.scores()
    marks = [found.marks(found.target, k) for k in range(len(table))]
    now = table.iloc[-1]
    target, periods = context.label(found.target), [words.wave(p) for p in found.periods]
    kind = verdict(now, bool(marks[-1]))
    blanks = {"target": target, "previous": periods[-2], "base": words.wave(found.base), **_said(context, now),
              "now": words.number(now["estimate"], 1), "before": words.number(table["estimate"].iloc[-2], 1)}
    asked = found.compared(found.target)
    replicates = found.found[-1].replicates
    drawn = (words("settings.trend", base=blanks["base"]), words(f"settings.overlap.{found.overlap}"),
             words("settings.together_halves" if getattr(replicates, "corrected", False) else "settings.together",
                   count=words.number(replicates.count, 0), seed=replicates.seed),
             words("settings.exact_wave") if not context.complete and any(
                 context.seen(each).complete for each in found.found) else "")
    settings = context.settings(None, words("settings.compared", count=words.number(len(asked), 0)), *drawn)
    short = context.settings(None, *drawn)
    own = words.number(found.own, 1)
    shown: list[Any] = [Finding(words(f"trend.answer_{kind}", **blanks)),
                        *([Finding(words("trend.weights", own=own, **blanks))] if own != blanks["now"] else []),
                        *_cautions(context, found),
                        _figure(context, found, table, marks, settings, blanks, kind),
                        _waves(context, found, table, marks, settings, blanks),
                        _constructs(context, found, short, blanks), _items(context, found, short, blanks)]
    if len(table) > 2:
        said = _said(context, found.since_first())
        shown.insert(1, Finding(words("trend.since_marked" if any(marks) else "trend.since", first=periods[0],
                                      target=target, **said)))
    if left := [c for name in found.constructs if name != found.target for c in found.passed_over(name)]:
        shown.append(Finding(words("trend.passed_over", items=words.listed(left))))
    records = table.rename(columns={"estimate": "score"})
    columns = ["wave", "score", "se", "low", "high", "n", "n_eff", "df", *CHANGE]
    numbers: dict[str, Any] = {"trend": [row | {"marks": [f"{item}: {how}" for item, how in mark]} for row, mark in
                                         zip(records[columns].to_dict("records"), marks, strict=True)],
                               "trend_base": found.base,
                               "trend_constructs": found.latest().to_dict("records")}
    if "nps" in found.found[-1].estimate:
        nps = found.over_time("nps").rename(columns={"estimate": "score"})
        numbers["trend_nps"] = nps.drop(columns=["n", "n_eff"]).to_dict("records")
    return View(shown, numbers)


def verdict(change: Mapping[str, Any], marked: bool) -> str:
    """What may be said of a change: *up*, *down*, *unclear*, or *marked* where a question changed."""
    if marked:
        return "marked"
    low, high = (change[key] or 0 for key in ("change_low", "change_high"))          # nothing is sure without limits
    return "up" if low > 0 else "down" if high < 0 else "unclear"


def _said(context: Context, row: Mapping[str, Any]) -> dict[str, str]:
    """A change as print: points, interval, and the smallest change that would be seen."""
    words = context.words
    return {"change": words.number(row["change"], 1, True), "points": words.number(abs(row["change"]), 1),
            "interval": words.interval(row["change_low"], row["change_high"], 1, True), "ci": context.ci(),
            "detectable": words.number(row["detectable"], 1)}


def _cautions(context: Context, found: Trend) -> list[Finding]:
    """A caution for each wave in which questions were changed, and one where the index rests on fewer than it did."""
    words, out = context.words, []
    for k in range(1, len(found.periods)):
        how = dict(mark for name in found.constructs for mark in found.marks(name, k))
        if how:
            said = [words("trend.question", item=item, how=words(f"trend.how.{h}")) for item, h in how.items()]
            out.append(Finding(words("trend.changed", wave=words.wave(found.periods[k]), questions=words.listed(said)),
                               "caution"))
    if left := found.passed_over(found.target):
        out.append(Finding(words("trend.passed_target", items=words.listed(left), target=context.label(found.target)),
                           "caution"))
    return out


def _figure(context: Context, found: Trend, table: pd.DataFrame, marks: list[list[tuple[str, str]]], settings: str,
            blanks: dict[str, str], kind: str) -> Figure:
    from tcslib.report.plots import ACCENT, INK, INK3, TINT, name_y, reach, sns

    words = context.words
    shown = table.tail(MOST_WAVES).reset_index(drop=True)
    breaks = [k for k, mark in enumerate(marks[len(table) - len(shown):]) if mark and k]
    pieces = np.split(np.arange(len(shown)), breaks)

    def paint(axes: Any, narrow: bool) -> None:
        x, y = np.arange(len(shown)), shown["estimate"].to_numpy(float)
        for piece in pieces:
            axes.fill_between(piece, shown["low"].iloc[piece], shown["high"].iloc[piece], facecolor=TINT,
                              edgecolor=ACCENT, linewidth=0.5, alpha=0.6)
            sns.lineplot(x=piece, y=y[piece], ax=axes, color=ACCENT)
        axes.errorbar(x, y, yerr=reach(y, shown["low"], shown["high"]), fmt="none", ecolor=ACCENT, elinewidth=1.8,
                      capsize=4, capthick=1.8, zorder=3)
        # the present wave is filled, the past is hollow
        axes.plot(x[:-1], y[:-1], "o", color=ACCENT, markerfacecolor="white", markersize=7, zorder=4)
        axes.plot(x[-1:], y[-1:], "o", color=ACCENT, markersize=7, zorder=4)
        for at in x if not narrow or len(x) <= 4 else x[-2:]:
            axes.annotate(words.number(y[at], 1), (at, shown["high"].iloc[at]), xytext=(0, 6), ha="center", color=INK,
                          textcoords="offset points", fontweight="bold" if at == x[-1] else 400)
        for at in breaks:
            axes.axvline(at - 0.5, color=INK3, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(words("figure.trend.break"), (at - 0.5, 0.02), xycoords=("data", "axes fraction"),
                          xytext=(-4, 0), textcoords="offset points", rotation=90, ha="right", va="bottom", color=INK3)
        step = 1 if not narrow else -(-len(x) // 5)
        ticks = x[::-1][::step][::-1]
        axes.set_xticks(ticks, [words.wave(w) for w in shown["wave"].iloc[ticks]])
        room = max(1.0, float(np.nanmax(shown["high"]) - np.nanmin(shown["low"])))
        low = np.floor(float(np.nanmin(shown["low"])) - 0.15 * room)
        axes.set(xlim=(-0.5, len(x) - 0.5), ylim=(low, float(np.nanmax(shown["high"])) + 0.3 * room), xlabel="")
        name_y(axes, words("figure.trend.y", low=words.number(low, 0)), words.language)

    said = {"values": context.values(map(words.wave, shown["wave"]), shown),
            "title": words(f"trend.title_{kind}", **blanks)}
    return context.figure("trend", table, paint, (250, 240), settings, blanks | said)


def _change_columns(context: Context, table: pd.DataFrame, decimals: Sequence[int] | int = 1) -> list[Column]:
    words, rows = context.words, table.to_dict("records")
    places = [decimals] * len(rows) if isinstance(decimals, int) else decimals
    cells = [(words.number(row["change"], d, True), words.interval(row["change_low"], row["change_high"], d, True),
              words.number(row["detectable"], d)) for row, d in zip(rows, places, strict=True)]
    heads = words("head.change"), context.ci(), words("head.detectable")
    return [Column(head, [c[at] for c in cells]) for at, head in enumerate(heads)]


def _waves(context: Context, found: Trend, table: pd.DataFrame, marks: list[list[tuple[str, str]]], settings: str,
           blanks: dict[str, str]) -> Table:
    words = context.words
    flagged = table.assign(marked=[bool(m) for m in marks])
    columns = [context.column("wave", marked(map(words.wave, table["wave"]), flagged["marked"])),
               *context.columns(table, "count", "n"), *context.columns(table, "score", score="estimate"),
               context.interval_column(table, 1), *_change_columns(context, table)]
    return context.table("trend", flagged, columns, _noted(context, flagged["marked"], settings), blanks)


def _noted(context: Context, flags: Iterable[bool], settings: str) -> str:
    """The settings, behind what a mark means where there is one."""
    return context.words.clauses([context.words("settings.marked") if any(flags) else "", settings])


def _constructs(context: Context, found: Trend, settings: str, blanks: dict[str, str]) -> Table:
    """All constructs, and the net promoter score where it was asked: then, now, change."""
    words, table = context.words, found.latest()
    names = context.labels(table["construct"])
    whole = [1] * len(table)
    if "nps" in found.found[-1].estimate:
        nps = found.over_time("nps")
        whole.append(0)
        row = {"construct": "nps", "before": nps["estimate"].iloc[-2], "now": nps["estimate"].iloc[-1]}
        table = pd.concat([table, pd.DataFrame([row | nps.iloc[-1][list(CHANGE)].to_dict()])], ignore_index=True)
        names.append(words("nps.nps"))
    asked = context.study.params.changes.get(context.study.params.nps)
    recommended = bool(asked and (asked.wording or asked.scale or asked.codes))
    flags = [bool(found.marks(c, len(found.found) - 1)) if c in found.constructs else recommended
             for c in table["construct"]]
    columns = [context.column("construct", marked(names, flags)),
               *(Column(words.wave(found.periods[at]), [words.number(v, d, not d) for v, d in
                                                        zip(table[name], whole, strict=True)])
                 for at, name in ((-2, "before"), (-1, "now"))), *_change_columns(context, table, whole)]
    sure = (table["change_low"] > 0) | (table["change_high"] < 0)
    clear = int((sure & ~np.array(flags)).sum())          # what moved with its question is no clear change
    title = words("table.changes.title" if clear else "table.changes.title_none", clear=words.number(clear, 0),
                  count=words.number(len(table), 0), previous=blanks["previous"])
    noted = _noted(context, flags, words.clauses([words("settings.unadjusted"), settings]))
    return context.table("changes", table, columns, noted, blanks, title=title)


def _items(context: Context, found: Trend, settings: str, blanks: dict[str, str]) -> Table:
    words, table = context.words, found.latest_items()
    rescaled = table["item"].isin({q.names[-1] for q in found.questions if "scale" in q.marks[-1]})
    table.loc[rescaled, list(CHANGE)] = np.nan          # points of one scale less points of another are nothing
    changed = {q.names[-1] for q in found.questions if q.marks[-1]}
    columns = [context.column("item", marked(table["item"], table["item"].isin(changed))),
               context.column("wording", map(context.wording, table["item"])),
               Column(words.wave(found.periods[-2]), [words.number(v, 2) for v in table["before"]]),
               Column(words.wave(found.periods[-1]), [words.number(v, 2) for v in table["now"]]),
               *_change_columns(context, table, 2)]
    return context.table("item_changes", table, columns, settings, blanks, folded=True)
