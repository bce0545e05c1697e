"""``tcs draw``: a sample from the study's customer list, its field sheet, and what to tell about both."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, RunFailed, refuse_all
from tcslib.fieldwork.source import sha256
from tcslib.run.customers import as_of, classes_of, drawable, read_list, stated
from tcslib.run.fieldsheet import write_field_sheet
from tcslib.run.manifest import changed_keys, draws, hash_of
from tcslib.run.runs import aligned
from tcslib.run.store import aside, plain, read_json, write_json
from tcslib.sampling.aims import approached, costs, limits
from tcslib.sampling.allocation import allocate
from tcslib.sampling.coverage import by_class, unheard
from tcslib.sampling.selection import ALL, Draw, Step, draw
from tcslib.sampling.size import ceiling
from tcslib.study.load import Study
from tcslib.study.sections.frame import DrawParams, StageParams, StratumDraw, by_name

RECORD = "draw.json"
_THOUSANDS = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"


@dataclass(frozen=True)
class Drawn:
    """A draw on the disk: its folder, whether it is new, and what it says in plain words."""

    folder: Path
    new: bool
    said: list[str]


def draw_study(study: Study, again: bool = False) -> Drawn:
    """Draw the study's sample and write it as the next version, unless the newest is the same.

    Parameters
    ----------
    again
        Draw anew where the list or the parameters are no longer those of the newest draw.

    Raises
    ------
    InputRefused
        When the list or the parameters cannot be used, or differ from those of the newest draw and ``again`` is False.
    """
    from filelock import FileLock, Timeout

    if study.params.draw is None:
        raise InputRefused("says nothing of how to draw. Add `draw: {n: …}`.", f"{study.path}: draw")
    place = study.root / "data" / "processed" / study.params.client / study.params.wave / "draw"
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / ".lock", timeout=3):
            for left in place.glob(".making-*"):
                shutil.rmtree(left)
            return _draw(study, study.params.draw, place, again)
    except Timeout:
        raise RunFailed("another draw of this wave is at work. Wait until it is done.", study.name) from None


def _draw(study: Study, how: DrawParams, place: Path, again: bool) -> Drawn:
    frame, customers = stated(study), read_list(study)
    listed, rests, wanted = drawable(study, customers)
    rows = np.flatnonzero(wanted)
    list_ = _numbers(customers.rows.take(rows).reset_index(drop=True), how)
    found = draw(list_, _plan(study, how, list_), id=frame.id, strata=how.strata, seed=how.seed, reserve=how.reserve)
    table = _drawn_list(study, found, customers.kinds()[rows])
    sample = np.zeros(len(listed), dtype=bool)
    sample[rows[found.rows[found.main]]] = True
    classes = by_class(customers.kinds(), listed, rests, wanted, sample, classes_of(study, customers))
    record = {"client": study.params.client, "wave": study.params.wave, "day": as_of(study),
              "made_of": {"frame": {frame.file: sha256(study.root / frame.file)},
                          "params": _settings(study), "language": study.params.language},
              "n": int(found.main.sum()), "reserve": int((~found.main).sum()), "drawn_sha256": hash_of(
                  table.to_csv(index=False, lineterminator="\n")),
              "strata": _by_stratum(list_, how, found), "classes": classes.to_dict("records")}
    before = draws(study)
    if before and (old := read_json(before[-1] / RECORD)) == plain(record):
        return Drawn(before[-1], False, _said(study, record, found))
    if before and not again:
        what = changed_keys(old["made_of"], plain(record["made_of"])) or ["program"]
        raise InputRefused(f"was drawn from another list or otherwise ({', '.join(what[:4])}). It stands; to draw anew "
                           f"beside it: tcs draw {study.name} --again.", before[-1].relative_to(study.root).as_posix())
    folder = place / f"v{1 + max((int(p.name[1:]) for p in place.glob('v*') if p.name[1:].isdigit()), default=0)}"
    with aside(folder) as made:
        made.mkdir()
        table.to_csv(made / "drawn.csv", index=False, encoding="utf-8-sig", lineterminator="\n")
        contact = frame.contact or [c for c in (*customers.columns.same.values(), frame.role) if c]
        write_field_sheet(made / "field-sheet.xlsx", study, table,
                          list_[list(dict.fromkeys(contact))].iloc[found.rows].reset_index(drop=True))
        write_json(made / RECORD, record)
    return Drawn(folder, True, _said(study, record, found))


def _settings(study: Study) -> dict[str, Any]:
    """The parameters a draw depends on."""
    kept = study.params.model_dump(mode="json", include={"frame", "draw", "plan"})
    for key in ("since", "totals", "classes"):          # told in the report, of no effect on who is drawn
        kept["frame"].pop(key)
    how = study.params.draw
    by_hand = how is not None and how.n and "" not in by_name(how.n)          # the plan has no say in it
    return {k: v for k, v in kept.items() if k != "plan" or not by_hand}


def _numbers(rows: pd.DataFrame, how: DrawParams) -> pd.DataFrame:
    """The list with its sizes, and what sorts it if all of it is numeric, as numbers."""
    stages = [s for part in (how, *how.by_stratum.values()) for s in (part, *part.stages)]
    sizes = {s.size_measure for s in stages} - {""}
    faults, out = [], rows.copy()
    for column in sorted(sizes | {c for s in stages for c in s.sort}):
        text = rows[column]
        if column in sizes:          # 1,200 is a number of customers; 1,5 is not known to be fifteen
            text = text.mask(text.str.fullmatch(_THOUSANDS), text.str.replace(",", ""))
        numbers = pd.to_numeric(text.mask(text == ""), errors="coerce")
        odd = numbers.isna() & (text != "")
        if not odd.any():
            out[column] = numbers
        elif column in sizes:
            faults.append(InputRefused(f'"{rows[column][odd].iloc[0][:30]}" is no number. A size is.',
                                       f'frame: column "{column}"'))
    refuse_all(faults)
    return out


def _plan(study: Study, how: DrawParams, rows: pd.DataFrame) -> dict[str, list[Step]]:
    """The stages of each stratum, with the numbers the study gives, or those of its plan."""
    sizes = rows[how.strata].value_counts().to_dict() if how.strata else {ALL: len(rows)}
    if how.strata and "" in sizes:
        raise InputRefused(f"is empty for {sizes['']:,} of the list. Give every customer a stratum.",
                           f'draw: column "{how.strata}"')
    first = how.stages[0] if how.stages else how
    given = by_name(how.n or first.n)
    counts = dict(given) if set(given) != {""} or not how.strata else _spread(study, given[""], sizes, "draw.n")
    own = {name: by_name(part.n or (part.stages[0].n if part.stages else {})) for name, part in how.by_stratum.items()}
    refuse_all([InputRefused(f'there is no stratum "{name}" that can be drawn from; there are '
                             f"{', '.join(sorted(sizes)[:12])}. Correct it.", f"{study.path}: draw.by_stratum")
                for name in how.by_stratum if name not in sizes])
    counts |= {name: n[""] for name, n in own.items() if n}
    if not given and not all(name in counts for name in sizes):
        if first.clusters:
            raise InputRefused("is missing: the plan tells customers, and clusters are drawn. Say how many.",
                               f"{study.path}: draw.n")
        counts = _planned(study, sizes) | counts
    return {name: _steps(how.by_stratum.get(name), how, n) for name, n in counts.items()}


def _spread(study: Study, n: int, sizes: Mapping[str, int], where: str) -> dict[str, int]:
    """A sum over the strata by the plan's rule."""
    plan, names = study.params.plan, sorted(sizes)
    known = all(name in plan.strata for name in names)
    if not known and (other := [name for name in names if name not in plan.strata]) != names:
        raise InputRefused(f'plan.strata knows nothing of stratum "{other[0]}" of the list. Name the strata alike in '
                           "both, or give draw.n by stratum.", f"{study.path}: {where}")
    of = [plan.strata[name].size if known else sizes[name] for name in names]
    sds = [plan.strata[name].sd or plan.sd for name in names] if known else None
    each = [costs(plan)[name] for name in names] if known else None
    how = dict(limits(plan))
    if plan.minimum:          # of answers; these are customers to approach
        how["minimum"] = ceiling(plan.minimum / (plan.response * plan.eligible))
    try:
        return dict(zip(names, allocate(n, of, plan.allocation, sds, costs=each, **how).tolist(), strict=True))
    except InputRefused as error:
        least = min(names, key=lambda name: sizes[name])
        raise InputRefused(f'{error.message} The smallest on the list is "{least}", with {sizes[least]:,}.',
                           f"{study.path}: {where}") from None


def _planned(study: Study, sizes: Mapping[str, int]) -> dict[str, int]:
    """How many customers the plan approaches, by stratum: as stated, else what its aims ask for."""
    plan = study.params.plan
    if not study.params.plan.model_fields_set:
        raise InputRefused("is missing, and there is no plan to take it from. Say how many to draw.",
                           f"{study.path}: draw.n")
    customers = sum(s.size for s in plan.strata.values()) or plan.population or sum(sizes.values())
    n = approached(plan, study.model, customers)
    return _spread(study, n, sizes, "plan") if set(sizes) != {ALL} else {ALL: n}


def _steps(own: StratumDraw | None, how: DrawParams, n: int) -> list[Step]:
    """The stages of a stratum: its own, else those of all, key by key where there is one stage."""
    keys = ("method", "clusters", "size_measure", "sort", "short")
    told = {key: own and getattr(own, key) for key in keys}
    stages: Sequence[StageParams] = (own.stages if own else []) or ([] if any(told.values()) else how.stages)
    if not stages:
        stages = [StageParams(**{key: told[key] or getattr(how, key) for key in keys})]
    return [Step(n if number == 0 else by_name(s.n)[""], s.method or "simple", s.clusters, s.size_measure,
                 tuple(s.sort), None, s.short or "refuse") for number, s in enumerate(stages)]


def _drawn_list(study: Study, found: Draw, kinds: np.ndarray) -> pd.DataFrame:
    """The drawn list: a field id that tells nothing of the customer, then who it is and with what chance."""
    table = found.table()
    width = max(4, len(str(len(table))))
    table.insert(0, "field_id", [f"{study.params.wave}-{number:0{width}d}" for number in range(1, len(table) + 1)])
    table["row"] = kinds[found.rows]
    table = table.rename(columns={"row": "class"})
    return table.drop(columns=[] if stated(study).kind else ["class"])


def _by_stratum(rows: pd.DataFrame, how: DrawParams, found: Draw) -> list[dict[str, Any]]:
    sizes = rows[how.strata].value_counts() if how.strata else pd.Series({ALL: len(rows)})
    weights = 1 / found.probability
    out = []
    for name in sorted(sizes.index):
        here = found.strata == name
        main = here & found.main
        out.append({"stratum": name, "drawable": int(sizes[name]), "drawn": int(main.sum()),
                    "reserve": int((here & ~found.main).sum()),
                    "weight_low": float(weights[main].min()), "weight_high": float(weights[main].max())})
    return out


def _said(study: Study, record: Mapping[str, Any], found: Draw) -> list[str]:
    """What was drawn, in plain words."""
    how, frame, classes = study.params.draw, stated(study), pd.DataFrame(record["classes"])
    assert how is not None
    sums = classes[["listed", "resting", "drawable"]].sum()
    rest = f", of whom {sums['resting']:,} rest on {record['day']}" if frame.rest_days or frame.max_per_year else ""
    out = [f"{study.title}, {study.params.wave}: {sums['listed']:,} customers on the list{rest}; {sums['drawable']:,} "
           "can be drawn.",
           f"Drawn: {record['n']:,}, and {record['reserve']:,} to replace them in the order given; seed {how.seed}."]
    if how.strata:
        rows = [["stratum", "can be drawn", "drawn", "reserve", "base weights"]]
        rows += [[s["stratum"], f"{s['drawable']:,}", f"{s['drawn']:,}", f"{s['reserve']:,}",
                  _range(s["weight_low"], s["weight_high"])] for s in record["strata"]]
        out += [f"  {line}" for line in aligned(rows, right={1, 2, 3})]
    else:
        out.append(f"Base weights: {_range(record['strata'][0]['weight_low'], record['strata'][0]['weight_high'])}.")
    reasons = {"listed": "nobody is on the list", "drawable": "nobody can be drawn", "drawn": "nobody was drawn"}
    if frame.kind:
        out += [f"Nobody will be heard of: {', '.join(names)} ({reasons[why]})."
                for why, names in unheard(classes).items()]
    keys = [*(["strata: stratum"] if how.strata else []), *(["clusters: unit_1"] if found.clustered else []),
            "weights: weight", *(["fpc: list_1"] if found.equal else [])]
    return [*out, f"With the answers joined to drawn.csv, the study's design is {{{', '.join(keys)}}}."]


def _range(low: float, high: float) -> str:
    return f"{low:,.2f}" if np.isclose(low, high) else f"{low:,.2f} to {high:,.2f}"
