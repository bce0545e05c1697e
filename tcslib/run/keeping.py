"""``tcs frame``: the customer list told in plain words, and changed with a line in its log for each customer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, RunFailed, refuse_all
from tcslib.fieldwork.source import source_at
from tcslib.run.customers import as_of, check_kept, drawable, read_customers, read_list, stated, write_list
from tcslib.run.runs import aligned
from tcslib.sampling.frame import CustomerList
from tcslib.sampling.walking import few
from tcslib.study.load import Study
from tcslib.study.params import DataParams

_DONE = {"added": "joined the list", "retired": "left the list", "contacted": "were contacted"}
_SHOWN = 10          # groups of customers who may be one, on the terminal


def change(study: Study, files: Mapping[str, Path | None], day: str, who: str, why: str,
           allow_same: bool) -> list[str]:
    """Let customers join and leave the list, or note their contacts, all of it or nothing; returns what was done.

    Parameters
    ----------
    files
        The customers, by what happens to them: *added*, *retired*, *contacted*.

    Raises
    ------
    InputRefused
        When anybody cannot join or leave, one line for each; the list is then as it was.
    """
    from filelock import FileLock, Timeout

    frame = stated(study)
    check_kept(study)
    place = study.root / "data" / "processed" / study.params.client
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / ".frame.lock", timeout=3):
            customers = read_list(study)
            faults: list[InputRefused] = []
            said: list[str] = []
            for what, file in files.items():
                if file is None:
                    continue
                new = _given(file, frame.id)
                ids = new[frame.id].tolist()
                try:
                    customers = (customers.add(new, day, who, why, allow_same) if what == "added" else
                                 customers.retire(ids, day, who, why) if what == "retired" else
                                 customers.contact(ids, day, who, why))
                except InputRefused as error:
                    faults += [InputRefused(line.removeprefix(f"{what}: "), str(file)) for line in error.lines]
                said.append(f"{len(set(ids)):,} customers {_DONE[what]} on {day}.")
            refuse_all(faults)
            written = write_list(study, customers)
    except Timeout:
        raise RunFailed("another change of this list is at work. Wait until it is done.", frame.file) from None
    return [*said, f"{int(customers.active().sum()):,} customers are on it now.", *map(str, written)]


def _given(file: Path, id: str) -> pd.DataFrame:
    """A file named on the command line; it must hold somebody, by id. A drawn list says `id` to it."""
    try:
        new = read_customers(source_at(Path(), DataParams(file=str(file), id=id)))
    except InputRefused as error:
        raise InputRefused(str(error).replace(" Check data.file.", " Correct the name.")) from None
    if id not in new and {"field_id", "id"} <= set(new):
        new = new.rename(columns={"id": id})
    if id not in new:
        raise InputRefused(f'has no column "{id}", the id of the list; it has {few(new.columns, 12)}. Name it so.',
                           str(file))
    if not len(new):
        raise InputRefused("holds nobody. Give the file with the customers.", str(file))
    return new


def told(study: Study, day: str) -> list[str]:
    """The list in plain words: how many, who rests, how it covers what is known, who may be listed twice."""
    frame, customers = stated(study), read_list(study)
    listed, rests, wanted = drawable(study, customers)
    when = as_of(study)
    out = [f"{frame.file}: {len(listed):,} customers ever listed, {int(customers.active().sum()):,} of them now."]
    if when:
        out.append(f"On {when}: {int(listed.sum()):,} listed, {int(rests.sum()):,} resting, {int(wanted.sum()):,} can "
                   "be drawn.")
    out += _resting(study, customers, day)
    if frame.kind:
        kinds = customers.kinds()
        rows = [["class", "on the list", "can be drawn"]]
        rows += [[name or "(none)", f"{int((listed & (kinds == name)).sum()):,}",
                  f"{int((wanted & (kinds == name)).sum()):,}"] for name in sorted(set(kinds[listed]))]
        out += [f"  {line}" for line in aligned(rows, right={1, 2})]
    for row in customers.coverage(frame.totals, when).to_dict("records"):
        known = f"of {row['total']:,.0f} known, {row['share']:.0%}" if np.isfinite(row["total"]) else "no total known"
        out.append(f"  {row['column']} {row['category'] or '(none)'}: {row['listed']:,} listed, {known}")
    twice = customers.duplicates()
    out += [f"  the same {row['by']}: {few(row['ids'])}. The same customer?" for row in
            twice.head(_SHOWN).to_dict("records")]
    if len(twice) > _SHOWN:
        out.append(f"  and {len(twice) - _SHOWN:,} more groups with the same id, name, phone or e-mail")
    return out


def _resting(study: Study, customers: CustomerList, day: str) -> list[str]:
    """Who rests on a day, and until when."""
    frame = stated(study)
    if not (frame.rest_days or frame.max_per_year):
        return []
    until = customers.resting_until(day, frame.rest_days, frame.max_per_year)
    rests = customers.active(day) & ~np.isnat(until)
    if not rests.any():
        return [f"Nobody rests on {day}."]
    return [f"{int(rests.sum()):,} rest on {day}; the first may be contacted again on {until[rests].min()}, all on "
            f"{until[rests].max()}."]
