"""``tcs new CLIENT --wave 2026Q4 --from 2026Q3``: the next wave of a study, and what changed in its questions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tcslib.errors import InputRefused
from tcslib.fieldwork.proposing.dates import span
from tcslib.fieldwork.proposing.layout import Layout, table_at
from tcslib.fieldwork.proposing.propose import Proposal, propose
from tcslib.fieldwork.proposing.waves import Mapped, mapped
from tcslib.fieldwork.source import source_of
from tcslib.run.new.answers import Answers, from_file, settle
from tcslib.run.new.command import check_client, checked_language, finish, read_file
from tcslib.run.new.placing import copy_target, place, project_root
from tcslib.run.new.sentences import Says
from tcslib.run.new.switches import refused
from tcslib.run.new.table import numbered
from tcslib.run.new.writing import Page, data_lines, field_lines, scalar
from tcslib.study.load import Study, load
from tcslib.study.models import read_preset
from tcslib.study.strict_yaml import read_yaml
from tcslib.study.values import WAVE

_OWN = {"study", "wave", "data", "fieldwork", "changes", "model", "items", "compare", "nps"}


def new_wave(client: str, data: Path, previous: str, given: Mapping[str, str | None], answers_file: Path | None,
             language: str, how: Mapping[str, str | int | None]) -> None:
    """Propose the next wave and write its file; the study's own file stays as it is."""
    check_client(client)
    says, root = Says(checked_language(language)), project_root()
    said = from_file(answers_file) | {key: value for key, value in given.items() if value is not None}
    if unused := sorted(set(said) - {"wave", "field_dates", "mode"}):
        raise InputRefused("belongs to the study, not to a wave of it. Change params/"
                           f"{client}/study.yaml instead.", f"--{unused[0].replace('_', '-')}")
    if "wave" not in said:
        raise InputRefused("name the new wave: --wave 2026Q4.", f"tcs new {client} --from {previous}")
    if not WAVE.match(previous):
        raise InputRefused("a period is expected: 2026, 2026H1, 2026Q3 or 2026-09.", f"--from {previous[:20]}")
    old = load(root / "params" / client / f"{previous}.yaml")
    own, _ = read_yaml(root / old.path, old.path)
    if "study" not in own:
        raise InputRefused("holds the whole study. Move what stays the same into study.yaml beside it, and name that: "
                           "study: study.yaml.", old.path)
    target = root / "params" / client / f"{said['wave']}.yaml"
    if target.exists():
        raise InputRefused("is there already. Nothing was written.", target.relative_to(root).as_posix())
    same: dict[str, str | int | None] = {"sheet": old.params.data.sheet, "header_row": old.params.data.header_row,
                                         "encoding": old.params.data.encoding}
    layout = read_file(data, same | {key: value for key, value in how.items() if value not in {None, 1}})
    before, now = propose(table_at(source_of(old)).table), propose(layout.table)
    pairs = mapped(before, now, old.questionnaire)
    answers = settle(_prefilled(old, now, said["wave"]), said)
    copied, there = copy_target(data.resolve(), root, client)
    text = _text(old, own, pairs, now, layout, copied.relative_to(root).as_posix(), answers, says)
    place(root, {} if there else {copied: data.resolve()}, {target: text}, lambda: None)
    _report(old, pairs, answers, says)
    if there:
        print(says("say.there", file=copied.relative_to(root).as_posix()))
    finish(root, target, [target, *([] if there else [copied])], says)


def _prefilled(old: Study, now: Proposal, wave: str) -> Answers:
    """Dates by the new file, else those of the wave before, shifted by as much as the waves lie apart."""
    found = next((s for name in now.of("timestamp") if (s := span(now.profiles[name])) is not None), None)
    field = old.params.fieldwork
    months = _months(wave) - _months(old.params.wave) if WAVE.match(wave) else 0
    first, last = ((found[0].isoformat(), found[1].isoformat()) if found else
                   (_shifted(field.start, months), _shifted(field.end, months)))
    values = {"title": "", "sponsor": "", "population": "", "sample": old.params.sample, "wave": wave, "model": "",
              "field_dates": f"{first}..{last}" if first and last else "", "mode": old.words(field.mode)}
    return Answers(values, dict.fromkeys(values, "assumed"))


def _months(wave: str) -> int:
    """Months from the year 0 to the first month of a wave."""
    year, rest = int(wave[:4]), wave[4:]
    first = {"Q": 3 * (int(rest[1:] or 1) - 1), "H": 6 * (int(rest[1:] or 1) - 1), "-": int(rest[1:] or 1) - 1}
    return 12 * year + (first[rest[0]] if rest else 0)


def _shifted(day: str, months: int) -> str:
    try:
        start = date.fromisoformat(day)
    except ValueError:
        return ""
    at = 12 * start.year + start.month - 1 + months
    for shorter in range(4):          # 31 July is 30 September a quarter on
        try:
            return date(at // 12, at % 12 + 1, start.day - shorter).isoformat()
        except ValueError:
            continue
    return ""


def _text(old: Study, own: dict[str, Any], pairs: list[Mapped], now: Proposal, layout: Layout, shown: str,
          answers: Answers, says: Says) -> str:
    page = Page(says)
    page.remark(says("file.wave_1", wave=answers["wave"]))
    page.line(f"study: {scalar(own['study'])}")
    page.line(f"wave: {answers['wave']}")
    columns = set(now.profiles)
    id_column = old.params.data.id if old.params.data.id in columns else next(iter(now.of("id")), "")
    data_lines(page, shown, layout, id_column)
    field_lines(page, answers)
    for key, value in own.items():
        if key not in _OWN:          # what the wave before said beyond the study holds on
            page.line(f"{key}: {json.dumps(value, ensure_ascii=False)}", says("confirm"))
    _comparison(page, old, own)
    base, _ = read_yaml(old.root / Path(old.path).parent / own["study"], own["study"])
    _overrides(page, old, base, pairs, now)
    _changes(page, old, pairs)
    return page.text


def _comparison(page: Page, old: Study, own: dict[str, Any]) -> None:
    page.blank()
    kept = {k: v for k, v in (own.get("compare") or {}).items() if k != "previous"}
    off = refused(compare={"previous": old.params.wave})
    if not off or kept:
        page.line("compare:")
    for key, value in kept.items():
        page.line(f"  {key}: {json.dumps(value, ensure_ascii=False)}")
    if off:
        page.remark(f"compare: {{previous: {old.params.wave}}}     {page.says('file.previous_off')}")
    else:
        page.line(f"  previous: {old.params.wave}", page.says("file.previous"))


def _overrides(page: Page, old: Study, base: dict[str, Any], pairs: list[Mapped], now: Proposal) -> None:
    """Constructs whose items bear other names, and items that are asked otherwise than the study says."""
    name_now = {p.old: p.new for p in pairs if p.old}
    given = (base.get("model") or {}).get("constructs") or {}
    preset = read_preset(old.model.preset)["constructs"] if old.model.preset else {}
    lines = []
    for construct in old.model.constructs:
        wanted = [name_now[item] for item in construct.items if name_now.get(item)]
        said = given.get(construct.name)
        stated = said.get("items") if isinstance(said, dict) else said
        if wanted and wanted != list(stated or preset.get(construct.name, {}).get("items", [])):
            lines.append(f"    {scalar(construct.name)}: {{items: [{', '.join(map(scalar, wanted))}]}}")
    if lines:
        page.blank()
        page.line("model:")
        page.line("  constructs:")
        page.lines += lines
    if old.params.nps and name_now.get(old.params.nps, old.params.nps) != base.get("nps"):
        page.line(f"nps: {scalar(name_now[old.params.nps]) if name_now.get(old.params.nps) else json.dumps('')}")
    entries = _item_entries(old, base, pairs)
    if entries:
        page.blank()
        page.line("items:")
    for name, entry in entries.items():
        if entry is None:
            page.line(f"  {scalar(name)}:", page.says("file.dropped"))
        else:
            page.line(f"  {scalar(name)}: {json.dumps(entry, ensure_ascii=False)}", page.says("confirm"))


def _item_entries(old: Study, base: dict[str, Any], pairs: list[Mapped]) -> dict[str, dict[str, Any] | None]:
    """What this wave says of items beyond the study's own file; None takes a line of that file back."""
    stated = dict(base.get("items") or {})
    out: dict[str, dict[str, Any] | None] = {}
    for p in pairs:
        if not p.old:
            continue
        had = old.params.items.get(p.old)
        entry = had.model_dump(exclude_defaults=True, exclude_none=True) if had else {}
        if p.old in stated and p.new != p.old:
            out[p.old] = None
        if not p.new:
            continue
        if p.kind == "renamed" and not entry.get("text") and (text := old.questionnaire[p.old].text):
            entry["text"] = dict(text)
        if p.scale:
            entry["scale"] = p.scale
        if p.codes is not None:
            entry["missing_codes"] = {f"{code:g}": kind for code, kind in p.codes.items()}
        if isinstance(entry.get("text"), dict) and set(entry["text"]) == {""}:
            entry["text"] = entry["text"][""]
        if entry and (p.new != p.old or entry != stated.get(p.new)):
            out[p.new] = entry
    return out


def _changes(page: Page, old: Study, pairs: list[Mapped]) -> None:
    says, used = page.says, [p for p in pairs if p.kind == "renamed" or (p.kind == "same" and p.marks)]
    fresh = [p for p in pairs if p.kind == "new"]
    if used:
        page.blank()
        page.line("changes:", says("file.changes", old=old.params.wave))
    for p in used:
        parts = ([f"was: {scalar(p.old)}"] if p.kind == "renamed" else []) + [
            f"{mark}: true" for mark in p.marks]
        page.line(f"  {scalar(p.new)}: {{{', '.join(parts)}}}", _said(p, says))
    for p in fresh:
        page.remark(f"{p.new}: {{new: true}}     {_said(p, says)}", "  ")


def _said(p: Mapped, says: Says) -> str:
    parts = [says(f"wave.{one.key}", **one.values) for one in p.asks]
    if p.kind == "renamed":
        parts[0] = says("wave.renamed", old=p.old, how=parts[0])
    return f"{says('confirm')}: " + "; ".join(parts)


def _report(old: Study, pairs: list[Mapped], answers: Answers, says: Says) -> None:
    print(says("say.mapping", old=old.params.wave, new=answers["wave"]))
    for p in pairs:
        what = _said(p, says) if p.asks else says("wave.same")
        print(f"  {p.new or p.old:<24} {what}")
    asked = [f"{p.new or p.old}: {_said(p, says)}" for p in pairs if p.asks]
    print(says("say.to_confirm", n=len(asked)) + "\n" + numbered(asked) if asked else says("say.all_sure"))
