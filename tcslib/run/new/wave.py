"""``tcs new CLIENT --wave 2026Q4 --from 2026Q3``: the next wave of a study, and what changed in its questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcslib.errors import InputRefused
from tcslib.fieldwork.proposing.layout import table_at
from tcslib.fieldwork.proposing.propose import propose
from tcslib.fieldwork.proposing.waves import Mapped, mapped
from tcslib.fieldwork.source import source_of
from tcslib.fieldwork.tables import Table
from tcslib.run.new.answers import Answers, field_dates, from_file
from tcslib.run.new.command import begun, finish, read_file
from tcslib.run.new.page import Line, Section
from tcslib.run.new.placing import copy_target, place
from tcslib.run.new.sentences import Says
from tcslib.run.new.study import Parts, wave_yaml
from tcslib.study.load import Study, load
from tcslib.study.strict_yaml import read_yaml
from tcslib.study.values import WAVE

_HOW = ("sheet", "header_row", "header_rows", "encoding", "delimiter", "decimal")


def new_wave(client: str, data: Path, previous: str, given: Mapping[str, str], answers_file: Path | None,
             language: str, how: Mapping[str, Any]) -> None:
    """Propose the next wave and write its file; the study's own file stays as it is."""
    says, root = begun(client, language)
    said = {**from_file(answers_file), **given}
    if unused := sorted(set(said) - {"wave", "field_dates", "mode"}):
        raise InputRefused(f"belongs to the study, not to a wave of it. Change params/{client}/study.yaml instead.",
                           f"--{unused[0].replace('_', '-')}")
    if "wave" not in said:
        raise InputRefused("name the new wave: --wave 2026Q4.", f"tcs new {client} --from {previous}")
    if not WAVE.match(previous):
        raise InputRefused("a period is expected: 2026, 2026H1, 2026Q3 or 2026-09.", f"--from {previous[:20]}")
    answers = Answers({"field_dates": "", "mode": ""}, {"field_dates": "", "mode": ""}).give(said)
    old = load(root / "params" / client / f"{previous}.yaml")
    own, _ = read_yaml(root / old.path, old.path)
    if "study" not in own:
        raise InputRefused("holds the whole study. Move what stays the same into study.yaml beside it, and name that: "
                           "study: study.yaml.", old.path)
    if data.suffix == Path(old.params.data.file).suffix:
        how = {key: value for key in _HOW if (value := getattr(old.params.data, key))} | dict(how)
    table, _ = read_file(data, how)
    before, _ = table_at(source_of(old))
    now = propose(table)
    pairs = mapped(propose(before), now, old.questionnaire)
    if "field_dates" in answers.why:
        answers.values["field_dates"] = field_dates(now)
    if "mode" in answers.why:
        answers.values["mode"] = old.words(old.params.fieldwork.mode)
    wave, copy = root / "params" / client / f"{answers['wave']}.yaml", copy_target(data.resolve(), root, client)
    id_column = old.params.data.id if old.params.data.id in table.names else next(iter(now.of("id")), "")
    further = _carried(old, own, pairs, says)
    further["compare"] = _comparison(further.get("compare"), old, before, table, id_column, says)
    further["changes"] = Section({p.new: Line(_changes(p), _said(p, says), off=not p.old) for p in pairs
                                  if p.new and _changes(p)}, says("file.changes", old=previous))
    text = wave_yaml(copy.relative_to(root).as_posix(), how, id_column, answers, says, further, own["study"])
    files = place(root, data.resolve(), copy, {wave: text})
    print(says("say.mapping", old=previous, new=answers["wave"]))
    print(*(f"  {p.new or p.old:<24} {_said(p, says) or says('wave.same')}" for p in pairs), sep="\n")
    finish(root, wave, files, [f"{p.new or p.old}: {_said(p, says)}" for p in pairs if p.asks], says)


def _carried(old: Study, own: Mapping[str, Any], pairs: list[Mapped], says: Says) -> Parts:
    """What the wave before said beyond the study holds on, under the names that the questions bear now."""
    kept = {key: value for key, value in own.items() if key not in {"study", "wave", "data", "fieldwork", "changes"}}
    name_now = {p.old: p.new for p in pairs}
    constructs = dict((kept.get("model") or {}).get("constructs") or {})
    gone: list[str] = []
    for construct in old.model.constructs:
        asked = [name_now[item] for item in construct.items if name_now.get(item)]
        if not asked:
            gone.append(construct.name)
        elif asked != list(construct.items):
            constructs[construct.name] = {"items": asked}
    if constructs or gone:
        kept["model"] = {**(kept.get("model") or {}), **({"constructs": constructs} if constructs else {}),
                         **({"without": gone} if gone else {})}
    if old.params.nps and name_now[old.params.nps] != old.params.nps:
        kept["nps"] = name_now[old.params.nps]
    out: Parts = {key: _laid(value, says("say.confirm")) for key, value in kept.items() if key != "items"}
    questions: Parts = {name: Line(value, says("say.confirm")) for name, value in (kept.get("items") or {}).items()}
    for p in pairs:
        had = old.params.items.get(p.old)
        if had and p.new != p.old:
            questions[p.old] = Line(None, says("file.dropped"))          # takes a line of the study's file back
        if p.new and p.old and (p.scale or p.codes is not None or p.new != p.old):
            entry = had.model_dump(exclude_defaults=True, exclude_none=True) if had else {}
            text = entry.get("text") or dict(old.questionnaire[p.old].text)
            entry |= {"text": text.get("", text)} if text else {}
            entry |= {"scale": p.scale} if p.scale else {}
            entry |= {} if p.codes is None else {"missing_codes": {f"{code:g}": kind for code, kind in p.codes.items()}}
            questions[p.new] = Line(entry, says("say.confirm"))
    return out | {"items": Section(questions)}


def _laid(value: Any, comment: str) -> Line | Section:
    """A section as lines, as deep as sections stand in it."""
    if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
        return Section({key: _laid(one, comment) for key, one in value.items()})
    return Line(value, comment)


def _comparison(kept: Line | Section | None, old: Study, before: Table, now: Table, id_column: str,
                says: Says) -> Section:
    """The wave before, and what equal ids and sampling units in the two files may mean: never decided here."""
    units = old.params.design.clusters
    people, places = _again(before, old.params.data.id, now, id_column), _again(before, units, now, units)
    shown = "respondents" if people else "units" if places else "none"
    stated = kept.value if isinstance(kept, Line) else {}
    parts: Parts = {key: Line(value, says("say.confirm")) for key, value in stated.items()}
    parts["previous"] = Line(old.params.wave, says("file.previous"))
    parts["overlap"] = Line(shown, says.confirm(says("file.overlap", people=people, places=places)), off=True)
    return Section(parts)


def _again(before: Table, column: str, now: Table, other: str) -> int:
    """How many names of a column come again; none where they only number the rows."""
    if column not in before.names or other not in now.names or not column:
        return 0
    old, new = (set(table.columns[table.names.index(name)].astype(str)) - {"", "nan"}
                for table, name in ((before, column), (now, other)))
    rows = {f"{n}{end}" for n in range(1, len(now.lines) + 1) for end in ("", ".0")}
    return 0 if new <= rows else len(old & new)


def _changes(p: Mapped) -> dict[str, Any]:
    if not p.old:
        return {"new": True}
    return ({"was": p.old} if p.old != p.new else {}) | dict.fromkeys(p.marks, True)


def _said(p: Mapped, says: Says) -> str:
    parts = [says(f"wave.{one.key}", **one.values) for one in p.asks]
    if p.old and p.new and p.old != p.new:
        parts[0] = says("wave.renamed", old=p.old, how=parts[0])
    return says.confirm("; ".join(parts)) if parts else ""
