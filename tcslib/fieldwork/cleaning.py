"""From the file's records to responses: rules in a fixed order, each of which leaves a line in the ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.fieldwork.drawn import design_of
from tcslib.fieldwork.masking import mask
from tcslib.fieldwork.nonrespondents import background_of, who_responded
from tcslib.fieldwork.quality import half_used, same_answers, speeders, straight_lines
from tcslib.fieldwork.reading import RawAnswers
from tcslib.fieldwork.source import listed, quoted
from tcslib.study.load import Study, item_names
from tcslib.survey.responses import Responses
from tcslib.survey.weighting import weighting_plan

NEVER_ASKED = ("not_asked", "no_experience")          # kinds of missing that are no sign of a poor interview


@dataclass
class Work:
    """The records on their way through the rules."""

    study: Study
    raw: RawAnswers
    frame: pd.DataFrame
    ids: pd.Series
    kinds: pd.DataFrame
    aside: pd.DataFrame | None = None          # who was drawn and did not respond
    aside_ids: pd.Series | None = None
    behind: int = 0          # rows of the frame that are theirs
    ledger: list[tuple[str, str, int, int, int]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def where(self) -> str:
        """The file, for messages."""
        return self.study.params.data.file

    def line(self, rule: str, detail: str = "", rows: int = 0, cells: int = 0) -> None:
        """A line of the ledger."""
        self.ledger.append((rule, detail, rows, cells, len(self.frame) - self.behind))

    def drop(self, bad: np.ndarray, rule: str, detail: str = "") -> None:
        """Leave records out, and say so."""
        self.left_out += [(str(i), rule) for i in self.ids[bad]]
        self.frame, self.ids, self.kinds = self.frame[~bad], self.ids[~bad], self.kinds[~bad]
        self.line(rule, detail, rows=int(bad.sum()))

    def rows(self, bad: np.ndarray) -> str:
        """The first few file rows of a mask, for a message."""
        at = [str(self.raw.lines[i]) for i in self.frame.index[bad][:5]]
        return f"row{'s' if bad.sum() > 1 else ''} {', '.join(at)}{', …' if bad.sum() > 5 else ''}"

    def numbers(self, column: str) -> pd.Series:
        """A column of numbers without what the file itself declares missing (SPSS user-missing values and ranges)."""
        values = self.frame[column].astype(float)
        declared = pd.Series(False, index=values.index)
        for low, high in self.raw.missing.get(column, ()):
            try:
                declared |= values.between(float(low), float(high))
            except ValueError:          # a text, in a column that has become numbers
                continue
        return values.mask(declared)


def clean(raw: RawAnswers, study: Study) -> Responses:
    """Apply the study's cleaning rules.

    Nothing is deleted silently: every rule that leaves out a record or blanks a cell writes a line of the ledger, and
    the ids left out are kept with their reason. The raw file is never written.

    Raises
    ------
    InputRefused
        For missing or repeated ids, unusable weights, empty strata or clusters, or a column with too many answers
        outside its scale.
    """
    items = item_names(study)
    frame = raw.frame.reset_index(drop=True)
    column = study.params.data.id
    ids = frame[column].str.strip() if column else pd.Series([f"row{line:07d}" for line in raw.lines])
    frame = frame.assign(**{column: ids}) if column else frame
    work = Work(study, raw, frame, ids, pd.DataFrame("", index=frame.index, columns=items))
    work.line("read", rows=0)
    for repair in raw.repairs:
        work.line(repair.rule, repair.column, cells=repair.cells)
    if column and (blanks := int((ids.to_numpy() != raw.frame[column].to_numpy()).sum())):
        work.line("blanks", column, cells=blanks)
    for rule in (_identical, _ids, _set_aside, _screen, _codes, _scales, _reverse, _unanswered):
        rule(work)
    flags = _flags(work)
    if not len(work.frame):
        name, detail, rows, *_ = max(work.ledger, key=lambda line: line[2])
        raise InputRefused(f"no respondent is left after cleaning: {name}{f' ({detail})' if detail else ''} left out "
                           f"{rows} of {len(frame)}. Look at the rules under cleaning.", work.where)
    return _responses(work, items, flags.loc[work.frame.index])


def _identical(work: Work) -> None:
    # without an id, the same record twice cannot be told from two people who answer alike
    known = bool(work.study.params.data.id)
    work.drop(work.frame.duplicated().to_numpy() & known, "identical_record")


def _ids(work: Work) -> None:
    column, rule = work.study.params.data.id, work.study.params.cleaning.same_id
    if not column:
        return
    empty = (work.ids == "").to_numpy()
    if empty.any():
        raise InputRefused(f'id column "{column}" is empty in {empty.sum()} records ({work.rows(empty)}). Give '
                           "every respondent an id, or drop data.id and the row number will serve.", work.where)
    repeated = work.ids.duplicated(keep="first" if rule != "keep_last" else "last").to_numpy()
    if repeated.any() and rule == "refuse":
        raise InputRefused(f'id column "{column}" holds {repeated.sum()} ids twice with different answers '
                           f'({listed([quoted(i) for i in work.ids[repeated]])}; {work.rows(repeated)}). Correct the '
                           "file, or set cleaning.same_id: keep_first or keep_last.", work.where)
    work.drop(repeated, "same_id", rule)


def _set_aside(work: Work) -> None:
    """Who did not respond: no rule for interviews is asked of them, and none of them is left out."""
    came = who_responded(work.frame, work.study)
    if came.all():
        return
    work.aside, work.aside_ids = work.frame[~came], work.ids[~came]
    work.frame, work.ids, work.kinds = work.frame[came], work.ids[came], work.kinds[came]
    work.line("nonresponse", rows=int((~came).sum()))


def _screen(work: Work) -> None:
    for column, allowed in work.study.params.cleaning.require.items():
        work.drop(~work.frame[column].isin(allowed).to_numpy(), "screened_out", f"{column}: {', '.join(allowed)}")


def _codes(work: Work) -> None:
    """Codes for "don't know" and the like become missing, each with its kind."""
    counts: Counter[str] = Counter()
    for name in work.kinds.columns:
        item, values, kinds = work.study.questionnaire[name], work.frame[name].copy(), work.kinds[name].copy()
        kinds[values.isna()] = "not_asked" if item.asked_if else "skipped"
        kinds[kinds.index.isin(work.raw.text_cells.get(name, ()))] = "text_in_item"
        # Stata's .a to .z, then codes, then what the file itself declares
        found = [(kinds.index.isin(at), work.study.params.tags(name).get(tag, "user_missing"))
                 for tag, at in work.raw.tagged.get(name, {}).items()]
        found += [(values == code, kind) for code, kind in item.missing_codes.items()]
        coded = values.isin(list(item.missing_codes))
        if (declared := values.notna() & ~coded & work.numbers(name).isna()).any():
            found.append((declared, "user_missing"))
        for hit, kind in found:
            kinds[hit], values[hit] = kind, np.nan
            counts[kind] += int(hit.sum())
        work.kinds[name], work.frame[name] = kinds, values
    for kind, cells in counts.items():
        work.line("missing_code", kind, cells=cells)


def _scales(work: Work) -> None:
    """Answers outside the scale become missing when they are few; a column with many is refused."""
    limit, faults = work.study.params.cleaning.out_of_scale_limit, []
    for name in work.kinds.columns:
        scale, values = work.study.questionnaire[name].scale, work.frame[name]
        bad = ((values < scale.low) | (values > scale.high)).to_numpy()
        if not bad.any():
            continue
        share = bad.sum() / max(int(values.notna().sum()), 1)
        if share > limit:
            seen = listed([f"{v:g}" for v in sorted(values[bad].unique())])
            faults.append(InputRefused(f"{share:.0%} of the answers lie outside {scale} ({seen}; {work.rows(bad)}). "
                                       "Correct the scale, or declare the codes under missing_codes.",
                                       f'{work.where}: column "{name}"'))
            continue
        work.frame.loc[bad, name] = np.nan
        work.kinds.loc[bad, name] = "out_of_scale"
        work.line("out_of_scale", name, cells=int(bad.sum()))
    refuse_all(faults)
    used = half_used(work.frame, {name: work.study.questionnaire[name].scale for name in work.kinds.columns})
    if used is not None:
        scale, items, top = used
        raise InputRefused(f"no answer to the {items} items on {scale} is above {top:g}. State the scale that was "
                           f"asked, such as scale: {scale.low:g}-{top:g}.", f"{work.study.path}: scale")


def _reverse(work: Work) -> None:
    for name in work.kinds.columns:
        item = work.study.questionnaire[name]
        if item.reversed:
            work.frame[name] = item.scale.turned(work.frame[name])
            work.line("reversed", name, cells=int(work.frame[name].notna().sum()))


def _unanswered(work: Work) -> None:
    limit = work.study.params.cleaning.max_missing
    kinds = work.kinds[list(dict.fromkeys(work.study.model.items))]
    asked = (~kinds.isin(NEVER_ASKED)).sum(axis=1)
    answered = (kinds == "").sum(axis=1)
    # an interview without any question of the model is as empty as one without answers
    work.drop((asked - answered > limit * asked).to_numpy() | ((asked == 0) & (limit < 1)).to_numpy(),
              "too_much_missing", f"> {limit:.0%}")


def _as_given(work: Work) -> np.ndarray:
    """(n, p) answers as the respondents gave them: nines throughout are nines in a reversed question too."""
    columns = {}
    for name in work.study.model.items:
        item = work.study.questionnaire[name]
        columns[name] = item.scale.turned(work.frame[name]) if item.reversed else work.frame[name]
    return pd.DataFrame(columns).to_numpy(float)


def _flags(work: Work) -> pd.DataFrame:
    """Flag doubtful interviews; leave out those with as many flags as the study says."""
    rules = work.study.params.cleaning
    x = _as_given(work)
    found: dict[str, np.ndarray] = {"straight_line": straight_lines(x, rules.straight_share),
                                    "same_answers": same_answers(x)}
    if rules.duration:
        seconds = work.numbers(rules.duration).to_numpy()
        if np.isnan(seconds).all() and len(seconds):
            raise InputRefused(f'column "{rules.duration}" (cleaning.duration) holds no lengths. Name another column, '
                               "or drop the key.", work.where)
        found["speeder"] = speeders(seconds, rules.speed_share)
    flags = pd.DataFrame(found, index=work.frame.index)
    for name in flags:
        work.line(f"flag_{name}", cells=int(flags[name].sum()))
    work.drop((flags.sum(axis=1) >= rules.exclude_at_flags).to_numpy(), "flags", f"≥ {rules.exclude_at_flags}")
    return flags


def _responses(work: Work, items: list[str], flags: pd.DataFrame) -> Responses:
    params, came = work.study.params, len(work.frame)
    if work.aside is not None:          # behind the interviews that are left, without answers
        work.frame = pd.concat([work.frame, work.aside.assign(**dict.fromkeys(items, np.nan))])
        work.ids, work.behind = pd.concat([work.ids, work.aside_ids]), len(work.aside)
        work.kinds = work.kinds.reindex(work.frame.index, fill_value="not_asked")
        flags = flags.reindex(work.frame.index, fill_value=False)
    design = design_of(work)
    silent = np.arange(len(design.ids)) >= came
    design = replace(design, silent=silent) if silent.any() else design
    domain = _domain(work, design.weights) & ~silent
    verbatims = {name: _masked(work, name).to_numpy() for name in params.report.verbatims}
    ledger = pd.DataFrame(work.ledger, columns=["rule", "detail", "rows", "cells", "left"])
    by_id = [part.set_axis(design.ids, axis=0) for part in
             (work.frame[items].astype(float), work.kinds, background_of(work.frame, work.study), flags)]
    return Responses(by_id[0], by_id[1], by_id[2], work.study.questionnaire, design, weighting_plan(params.weighting),
                     domain, ledger, by_id[3], pd.DataFrame(work.left_out, columns=["id", "rule"]),
                     pd.DataFrame(verbatims, index=design.ids))


def _domain(work: Work, weights: np.ndarray) -> np.ndarray:
    """(n,) True for the client's own customers, everybody where no brand is told."""
    compare = work.study.params.compare
    if not compare.brand:
        return np.ones(len(work.frame), dtype=bool)
    brands = work.frame[compare.brand]
    domain = (brands == compare.own).to_numpy()
    if not domain.any():
        raise InputRefused(f'"{compare.own}" is no value of column "{compare.brand}", which holds '
                           f"{listed([quoted(b) for b in sorted(brands.unique())], 6)}. Correct it.",
                           f"{work.study.path}: compare.own")
    if not weights[domain].sum() > 0:
        raise InputRefused(f'weight column "{work.study.params.design.weights}" is 0 for everyone with '
                           f'{compare.brand} "{compare.own}". Give them weights, or drop design.weights.', work.where)
    return domain


def _masked(work: Work, name: str) -> pd.Series:
    """One open question without e-mail addresses, numbers and accounts: masked before anything is stored."""
    masked = mask(work.frame[name])
    for kind, count in masked.counts.items():
        if count:
            work.line("masked", f"{name}: {kind}", cells=count)
    return masked.texts
