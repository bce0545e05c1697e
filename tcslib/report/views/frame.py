"""The end of chapter 1: the customer list the sample was drawn from, in counts. No customer is shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from tcslib.report.context import Context
from tcslib.report.records import Column, Finding, Table, View
from tcslib.report.wording import Words
from tcslib.sampling.coverage import FrameState, unheard

_MANY = 12          # entries of the log; more are folded


def frame(context: Context, state: FrameState | None) -> View:
    """The list by class, its coverage, its changes since the wave before, and who will not be heard; or nothing."""
    if state is None:
        return View([])
    words = context.words
    sums = {key: int(state.classes[key].sum()) for key in ("listed", "resting", "drawable", "drawn")}
    said = {key: words.number(value, 0) for key, value in sums.items()}
    if not state.drawn:
        answer = words("customers.answer_open", **said)
    elif sums["resting"]:
        answer = words("customers.answer_resting", **said)
    else:
        answer = words("customers.answer_drawn", **said)
    shown: list[Table | Finding] = [Finding(answer)]
    if state.classed:
        shown.append(_classes(context, state, said))
    if len(state.coverage):
        shown.append(_coverage(context, state.coverage))
    if state.changes is not None:
        shown.append(_changes(context, state))
    if len(state.log):
        shown.append(_log(context, state))
    shown += [Finding(text, "caution") for text in _cautions(context, state)]
    numbers = {"day": state.day, "classes": state.classes.to_dict("records"), "drawn": state.drawn,
               "coverage": state.coverage.to_dict("records"), "duplicates": dict(state.duplicates),
               "since": state.since, "changes": [] if state.changes is None else state.changes.to_dict("records"),
               "log": state.log.to_dict("records")}
    return View([s for s in shown if not isinstance(s, Table) or len(s.data)], {"frame": numbers})


def class_names(context: Context, names: Sequence[str]) -> list[str]:
    """Classes of customer as readers see them."""
    stated = context.study.params.frame
    own = stated.classes if stated is not None else {}
    return [context.study.words(own[name]) if own.get(name) else
            context.words.known("class", name) if name else context.words("customers.no_class") for name in names]


def _table(context: Context, name: str, data: pd.DataFrame, title: str, sub: str, columns: list[Column],
           *settings: str) -> Table:
    return Table(name, title, sub, columns, context.words.clauses(settings), False, data)


def _classes(context: Context, state: FrameState, said: dict[str, str]) -> Table:
    words, data = context.words, state.classes
    columns = [Column(words("customers.class"), class_names(context, data["class"].tolist()), "left"),
               Column(words("customers.listed"), [words.number(v, 0) for v in data["listed"]])]
    if data["resting"].sum():
        columns.append(Column(words("customers.resting"), [words.number(v, 0) for v in data["resting"]]))
    columns.append(Column(words("customers.drawable"), [words.number(v, 0) for v in data["drawable"]]))
    if state.drawn:
        columns.append(Column(words("customers.drawn"), [words.number(v, 0) for v in data["drawn"]]))
        title = words("customers.classes_title", drawn=said["drawn"],
                      classes=words.number((data["drawn"] > 0).sum(), 0))
    else:
        title = words("customers.classes_title_open", drawable=said["drawable"])
    return _table(context, "customer_list", data, title, words("customers.classes_sub"), columns,
                  words("customers.day" if _rests(context) else "customers.day_listed",
                        day=_day(words, state.day)) if state.day else "",
                  _range(context), words("customers.stale") if state.stale else "")


def _coverage(context: Context, data: pd.DataFrame) -> Table:
    words = context.words
    least = data.loc[data["share"].idxmin()]
    shares = [words.share(v) for v in data["share"]]
    columns = [Column(words("customers.category"), _categories(context, data), "left"),
               Column(words("customers.listed"), [words.number(v, 0) for v in data["listed"]]),
               Column(words("customers.total"), [words.number(v, 0) for v in data["total"]]),
               Column(words("customers.share"), shares),
               Column(words("customers.gap"), [words.number(v if v > 0 else 0 * v, 0) for v in data["gap"]])]
    listed, total = data["listed"].sum(), data["total"].sum(skipna=False)
    if data["column"].nunique() > 1:
        columns.insert(0, Column(words("customers.column"), [_heading(context, c) for c in data["column"]], "left"))
    sub = words("customers.coverage_sub")
    if data["column"].nunique() == 1 and total == total:
        sub = words("customers.coverage_sub_all", listed=words.number(listed, 0), total=words.number(total, 0),
                    share=words.share(listed / total))
    return _table(context, "coverage", data, words(
        "customers.coverage_title", category=_categories(context, data.loc[[least.name]])[0],
        share=words.share(least["share"])), sub, columns, words("customers.coverage_settings"))


def _rests(context: Context) -> bool:
    """Whether the study lets customers rest."""
    stated = context.study.params.frame
    return stated is not None and bool(stated.rest_days or stated.max_per_year)


def _kind(context: Context) -> str:
    """The column with the class of customer."""
    stated = context.study.params.frame
    return stated.kind if stated is not None else ""


def _heading(context: Context, column: str) -> str:
    return context.words("customers.class") if column == _kind(context) else context.heading(column)


def _categories(context: Context, data: pd.DataFrame) -> list[str]:
    return [_category(context, *pair) for pair in zip(data["column"], data["category"], strict=True)]


def _category(context: Context, column: str, category: str) -> str:
    """A category of a column of the list as readers see it."""
    if column == _kind(context) or not category:
        return class_names(context, [category])[0]
    return context.study.category(column, category)


def _range(context: Context) -> str:
    """Whom the sample was drawn from, where the study leaves some of the list out."""
    words, how = context.words, context.study.params.draw
    if how is None or not how.require:
        return ""
    return words("customers.require", conditions=words.series(
        words("format.named", name=_heading(context, column),
              value=words.parted(_category(context, column, value) for value in values))
        for column, values in how.require.items()))


def _day(words: Words, day: str) -> str:
    """A day as readers write it."""
    at = date.fromisoformat(day)
    return words("customers.on_day", year=at.year, month=at.month, day=at.day)


def _changes(context: Context, state: FrameState) -> Table | Finding:
    words, data = context.words, state.changes
    if data is None or not len(data):
        return Finding(words("customers.no_changes", since=_day(words, state.since)))
    total = {key: words.number(data[key].sum(), 0) for key in ("added", "retired")}
    if not state.classed:
        return Finding(words("customers.changes_plain", since=_day(words, state.since), **total))
    place = {name: at for at, name in enumerate(state.classes["class"])}          # as the tables above have them
    data = data.sort_values("class", key=lambda names: names.map(lambda name: place.get(name, len(place))),
                            kind="stable", ignore_index=True)
    columns = [Column(words("customers.class"), class_names(context, data["class"].tolist()), "left"),
               Column(words("customers.added"), [words.number(v, 0) for v in data["added"]]),
               Column(words("customers.retired"), [words.number(v, 0) for v in data["retired"]])]
    title = words("customers.changes_title", **total)
    sub = words("customers.changes_sub", since=_day(words, state.since))
    return _table(context, "list_changes", data, title, sub, columns)


def _log(context: Context, state: FrameState) -> Table:
    """The log as it was written, customers of one day and reason counted together."""
    words, data = context.words, state.log
    columns = [Column(words("customers.date"), [_day(words, day) for day in data["date"]], "left"),
               Column(words("customers.what"), [words(f"customers.{what}") for what in data["what"]], "left"),
               Column(words("customers.count"), [words.number(v, 0) for v in data["count"]]),
               Column(words("customers.why"), data["why"].tolist(), "left")]
    title = words("customers.log_title", since=_day(words, state.since), entries=words.number(len(data), 0))
    return Table("list_log", title, words("customers.log_sub"), columns, words("customers.log_settings"),
                 len(data) > _MANY, data)


def _cautions(context: Context, state: FrameState) -> list[str]:
    """Who will not be heard, and who may be listed twice."""
    words, out = context.words, []
    if state.classed:
        silent = unheard(state.classes if state.drawn else state.classes.assign(drawn=1))
        out = [words(f"customers.unheard.{why}", names=words.parted(class_names(context, names)))
               for why, names in silent.items()]
    gone = state.coverage[(state.coverage["listed"] == 0) & (state.coverage["column"] != _kind(context))]
    if len(gone):
        out.append(words("customers.missing", names=words.parted(_categories(context, gone))))
    if state.duplicates:
        groups = words.parted(words(f"customers.twice_by.{by}", n=words.number(n, 0))
                              for by, n in state.duplicates.items())
        out.append(words("customers.twice", groups=groups))
    return out

