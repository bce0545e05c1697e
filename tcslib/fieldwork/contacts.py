"""What became of those who were drawn, as a study tells it: counts, a column of its data, a log of contacts, a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.fieldwork.columns import unopened
from tcslib.fieldwork.reading import READERS, RawAnswers
from tcslib.fieldwork.source import listed, quoted, source_at
from tcslib.fieldwork.tables import texts_of, value_text
from tcslib.study.dispositions import DISPOSITIONS, INTERVIEWS, PRECEDENCE, disposition_of
from tcslib.study.load import Study
from tcslib.study.params import DataParams


@dataclass(frozen=True, eq=False)
class Cases:
    """The cases drawn.

    Attributes
    ----------
    outcomes
        outcome, count, weight (NaN where unknown), and the columns rates are shown by: a row for each case, or for
        each outcome where the study states counts. Empty where it tells nothing of them.
    records
        Interviews in the data file, a record that stands twice counted once.
    frame
        What the frame knows of the cases, as text; empty where the study names no such columns.
    responded, weights
        (cases of ``frame``,) True for interviews; base weights, ones where they are not known of everyone.
    modes
        mode, attempts, interviews of the log of contacts; empty without one.
    attempts
        Attempts by id, from the log or the data file; empty where neither tells.
    """

    outcomes: pd.DataFrame
    records: int
    frame: pd.DataFrame = field(default_factory=pd.DataFrame)
    responded: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    weights: np.ndarray = field(default_factory=lambda: np.zeros(0))
    modes: pd.DataFrame = field(default_factory=pd.DataFrame)
    attempts: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))


def cases(raw: RawAnswers, study: Study) -> Cases:
    """The cases drawn with their final outcomes, as far as the study states them.

    Raises
    ------
    InputRefused
        For outcomes that mean nothing known, fewer interviews than the file of answers holds, files and columns that
        are not there.
    """
    field, more = study.params.fieldwork, [*study.params.fieldwork.frame, *study.params.fieldwork.outcome.by]
    own = _own(raw, study)
    known = pd.DataFrame({"outcome": [], "count": [], "weight": []})
    modes, attempts = pd.DataFrame(), _attempts(own, study)
    drawn = _drawn(study, more) if field.drawn else None
    if field.outcome.column:
        known = own.assign(count=1.0, weight=_weights(own, study))
        own = own[own["outcome"].isin(INTERVIEWS)]
    elif field.contacts:
        known, attempts, modes = _from_log(study, more if drawn is None else [])
        _check_listed(own, known, field.contacts.file)
        if drawn is not None:          # nobody knows anything of a case that was not tried
            known = drawn.join(known[["outcome"]]).fillna({"outcome": "unknown_household"})
        known = known.assign(count=1.0, weight=np.nan)
    elif field.outcome.counts:
        rows = [(disposition_of(name, field.outcome.codes), float(n)) for name, n in field.outcome.counts.items()]
        known = pd.DataFrame(rows, columns=["outcome", "count"]).assign(weight=np.nan)
    if field.drawn and drawn is not None:
        _check_listed(own, drawn, field.drawn.file)
    _check_interviews(known, len(own), study)
    if not field.frame:
        return Cases(known, len(own), modes=modes, attempts=attempts)
    if drawn is None or field.contacts:
        rows_of, responded = known, known["outcome"].isin(INTERVIEWS).to_numpy(bool)
    else:
        rows_of, responded = drawn.assign(weight=np.nan), drawn.index.isin(own.index)
    weights = rows_of["weight"].to_numpy(float)
    sound = np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0
    return Cases(known, len(own), rows_of[list(dict.fromkeys(field.frame))].astype(str), responded,
                 weights if sound else np.ones(len(weights)), modes, attempts)


def shown_by(cases: Cases, study: Study) -> list[str]:
    """The columns rates are shown by: as the study says, else the strata where every case has one."""
    stated, strata = study.params.fieldwork.outcome.by, study.params.design.strata
    return list(dict.fromkeys(stated or [strata][:strata in cases.outcomes.columns]))


def quotas(raw: RawAnswers, study: Study, plan: Mapping[str, Any]) -> tuple[dict[str, np.ndarray],
                                                                            dict[str, dict[str, int]]]:
    """Each interview's categories, and the interviews planned in them.

    Stated as ``fieldwork.quota``; for a quota sample else the plan's allocation to strata, of the client's customers.
    """
    params, field = study.params, study.params.fieldwork
    targets = {column: dict(planned) for column, planned in field.quota.items()}
    own = _own(raw, study)
    own = own[own["outcome"].isin(INTERVIEWS)] if field.outcome.column else own
    allocation = {row["stratum"]: int(row["n"]) for row in plan.get("allocation", [])}
    if not targets and params.sample == "quota" and params.design.strata and allocation:
        targets = {params.design.strata: allocation}
        own = own[own[params.compare.brand] == params.compare.own] if params.compare.brand else own
    return {column: own[column].to_numpy(str) for column in targets}, targets


def interview_days(raw: RawAnswers, study: Study) -> pd.Series:
    """The day of each interview by id, as a timestamp; empty where the study names no column of days."""
    column = study.params.fieldwork.date
    if not column:
        return pd.Series(dtype="datetime64[ns]")
    days = _own(raw, study)[column]
    return _days(days[days != ""], f'{study.params.data.file}: column "{column}"')


def _own(raw: RawAnswers, study: Study) -> pd.DataFrame:
    """The file's records by id as cleaning makes them, the first of each, with ``outcome`` where a column tells it."""
    column, said = study.params.data.id, study.params.fieldwork.outcome
    ids = pd.Index(raw.frame[column].str.strip() if column else [f"row{line:07d}" for line in raw.lines], dtype="str")
    own = raw.frame.set_axis(ids, axis=0)[~ids.duplicated()]
    if not said.column:
        return own
    return own.assign(outcome=_known(own[said.column], said.codes, raw.value_labels.get(said.column, {}),
                                     f'{study.params.data.file}: column "{said.column}"'))


def _days(texts: pd.Series, where: str) -> pd.Series:
    # 2026/7/6 and 2026-07-06 10:15 are days too; an order of day and month that must be guessed is not read
    tidy = texts.str.strip().str.extract(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})(?:\D|$)").set_axis(
        ["year", "month", "day"], axis=1)
    days = pd.to_datetime(tidy.astype(float), errors="coerce")
    if (bad := days.isna()).any():
        raise InputRefused(f"{int(bad.sum())} cells are no day ({listed([quoted(t) for t in texts[bad].unique()], 3)})."
                           " Write days as 2026-07-06.", where)
    return days


def _attempts(own: pd.DataFrame, study: Study) -> pd.Series:
    column = study.params.fieldwork.attempts
    if not column:
        return pd.Series(dtype=float)
    numbers = pd.to_numeric(own[column].replace("", np.nan), errors="coerce")
    if (bad := (numbers.isna() & (own[column] != "")) | (numbers < 1)).any():
        raise InputRefused(f"{int(bad.sum())} cells are no number of attempts "
                           f"({listed([quoted(str(t)) for t in own[column][bad].unique()], 3)}). Correct them.",
                           f'{study.params.data.file}: column "{column}"')
    return numbers.dropna()


def _weights(own: pd.DataFrame, study: Study) -> np.ndarray:
    column = study.params.design.weights
    return own[column].to_numpy(float) if column else np.full(len(own), np.nan)


def _known(texts: pd.Series, codes: Mapping[str, str], labels: Mapping[str, str], where: str) -> pd.Series:
    """What each text means; a value may be known by its label in the file."""
    means = {text: disposition_of(text, codes) or disposition_of(labels.get(text, "")) for text in texts.unique()}
    if unknown := [text for text, name in means.items() if not name]:
        times = texts.value_counts()
        named = listed([f"{quoted(text)} {times[text]:,} times" if text else f"{times[text]:,} empty cells"
                        for text in unknown])
        raise InputRefused(f"holds outcomes that are not known: {named}. Say what they mean in "
                           f"fieldwork.outcome.codes; outcomes are {', '.join(DISPOSITIONS)}.", where)
    return texts.map(means)


def _table(study: Study, file: str, key: str, columns: Mapping[str, str]) -> tuple[pd.DataFrame, str]:
    """The named columns of a file as text; ``columns`` are names with their keys."""
    source = source_at(study.root, DataParams(file=file))
    try:
        table = READERS[source.kind](source)
    except OSError as error:
        raise unopened(source, error) from None
    if lacking := [f'"{name}" ({of})' for name, of in columns.items() if name not in table.names]:
        raise source.refused(f"column {listed(lacking)} is missing. The file has "
                             f"{listed([name for name in table.names if name])}.")
    if not len(table.lines):
        raise source.refused(f"holds no row. Check fieldwork.{key}.file.")
    found = {}
    for name in columns:
        cells = table.columns[table.names.index(name)]
        found[name] = texts_of(["" if v != v else value_text(v) for v in cells]) if cells.dtype == float else cells
    return pd.DataFrame(found).apply(lambda column: column.str.strip()), source.shown


def _drawn(study: Study, more: list[str]) -> pd.DataFrame:
    part = study.params.fieldwork.drawn
    assert part is not None
    frame, shown = _table(study, part.file, "drawn", {part.id: "fieldwork.drawn.id"} | dict.fromkeys(
        more, "fieldwork.frame, fieldwork.outcome.by"))
    if (again := frame[part.id].duplicated() | (frame[part.id] == "")).any():
        raise InputRefused(f'column "{part.id}" names {int(again.sum())} cases twice or not at all. Every case drawn '
                           "has one row.", shown)
    return frame.set_index(part.id)


def _from_log(study: Study, more: list[str]) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """The final outcome of each case of the log, its attempts, and attempts and interviews by mode."""
    part, codes = study.params.fieldwork.contacts, study.params.fieldwork.outcome.codes
    assert part is not None
    named = {part.id: "id", part.outcome: "outcome", part.date: "date", part.mode: "mode"}
    log, shown = _table(study, part.file, "contacts", {
        **{name: f"fieldwork.contacts.{key}" for name, key in named.items() if name},
        **dict.fromkeys(more, "fieldwork.frame, fieldwork.outcome.by")})
    if (empty := log[part.id] == "").any():
        raise InputRefused(f'column "{part.id}" is empty in {int(empty.sum())} rows. Every attempt belongs to a case.',
                           shown)
    log["_outcome"] = _known(log[part.outcome], codes, {}, f'{shown}: column "{part.outcome}"')
    log["_rank"] = log["_outcome"].map(PRECEDENCE)
    log["_day"] = _days(log[part.date], f'{shown}: column "{part.date}"') if part.date else 0
    last = log.sort_values(["_rank", "_day"], kind="stable").groupby(part.id, sort=True).tail(1).set_index(part.id)
    out = last.assign(outcome=last["_outcome"])[["outcome", *dict.fromkeys(more)]].sort_index()
    modes = pd.DataFrame()
    if part.mode:
        made = last["_outcome"].isin(INTERVIEWS)
        modes = pd.DataFrame({"attempts": log.groupby(part.mode).size(),
                              "interviews": last[made].groupby(part.mode).size()}).fillna(0).rename_axis("mode")
    return out, log.groupby(part.id).size().astype(float), modes.reset_index()


def _check_listed(own: pd.DataFrame, cases: pd.DataFrame, file: str) -> None:
    """Who answered must have been drawn."""
    if len(strangers := own.index.difference(cases.index)):
        raise InputRefused(f"lacks {len(strangers):,} of the {len(own):,} respondents "
                           f"({listed([quoted(i) for i in strangers], 3)}). Correct the ids, or add them.", file)


def _check_interviews(known: pd.DataFrame, records: int, study: Study) -> None:
    field = study.params.fieldwork
    if not len(known):
        if field.invited is not None and field.invited < records:
            raise InputRefused(f"{field.invited:,} invitations for {records:,} interviews in {study.params.data.file}. "
                               "Correct the number.", f"{study.path}: fieldwork.invited")
        return
    made = int(known.loc[known["outcome"].isin(INTERVIEWS), "count"].sum())
    at = ("contacts" if field.contacts else "outcome.column" if field.outcome.column else "outcome.counts")
    if made < records or not made:
        raise InputRefused(f"tells of {made:,} interviews, complete and partial, and {study.params.data.file} holds "
                           f"{records:,} respondents. Correct the outcomes, or the file.",
                           f"{study.path}: fieldwork.{at}")
    if field.outcome.counts and (planned := study.params.plan.drawn) and planned != known["count"].sum():
        raise InputRefused(f"add up to {int(known['count'].sum()):,} cases, and plan.drawn says {planned:,}. Correct "
                           "one.", f"{study.path}: fieldwork.outcome.counts")
    if field.invited is not None and field.invited < made:
        raise InputRefused(f"{field.invited:,} invitations for {made:,} interviews. Correct the number.",
                           f"{study.path}: fieldwork.invited")
