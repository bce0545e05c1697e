"""``tcs new CLIENT --data FILE``: look, ask, write all files or none, say what was assumed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from tcslib.errors import InputRefused, TcsError
from tcslib.fieldwork.proposing.layout import Layout, table_at
from tcslib.fieldwork.proposing.propose import Proposal, propose
from tcslib.fieldwork.source import KINDS, Source
from tcslib.run.new.answers import Answers, assumed, from_file, interview, prefilled, settle
from tcslib.run.new.placing import copy_target, place, project_root
from tcslib.run.new.plan import StudyPlan, study_plan
from tcslib.run.new.sentences import LANGUAGES, Says
from tcslib.run.new.switches import refused
from tcslib.run.new.table import as_text, numbered, show
from tcslib.run.new.writing import study_yaml, wave_yaml
from tcslib.study.params import DataParams
from tcslib.study.values import RESERVED, SLUG

_ENCODINGS = tuple(e for one in get_args(DataParams.model_fields["encoding"].annotation)
                   for e in (get_args(one) or (None,)))
# a study's keys have flags here: there is no study yet
_FLAGS = {"data.encoding": "--encoding NAME", "data.header_row": "--header-row N", "data.sheet": "--sheet NAME"}


def new_study(client: str, data: Path, given: Mapping[str, str | None], answers_file: Path | None, language: str,
              how: Mapping[str, str | int | None]) -> None:
    """Propose a study and write it.

    Parameters
    ----------
    given
        Answers from flags, by question; None where there was none.
    how
        ``sheet``, ``header_row`` and ``encoding`` of the file.
    """
    check_client(client)
    says, root = Says(checked_language(language)), project_root()
    folder = root / "params" / client
    if (folder / "study.yaml").exists():
        raise InputRefused("is there already. Take another client name, or start its next wave: tcs new "
                           f"{client} --wave … --from …", f"params/{client}/study.yaml")
    layout = read_file(data, how)
    target, there = copy_target(data.resolve(), root, client)
    proposal = propose(layout.table)
    show(proposal, says)
    print(says("say.read", file=data.name, rows=f"{len(layout.table.lines):,}", columns=len(proposal.columns)))
    answers = settle(prefilled(proposal, data, client, says), from_file(answers_file) | {
        key: value for key, value in given.items() if value is not None})
    proposed = study_plan(proposal, answers["model"])
    if not answers["model"]:
        answers.values["model"] = proposed.model.preset or "own"
    if sys.stdin.isatty():
        answers = _asked(answers, says)
    plan = study_plan(proposal, answers["model"])
    shown = target.relative_to(root).as_posix()
    wave = folder / f"{answers['wave']}.yaml"
    texts = {folder / "study.yaml": study_yaml(client, shown, proposal, plan, answers, says),
             folder / "proposal.txt": as_text(proposal, says),
             wave: wave_yaml(answers["wave"], shown, layout, plan, answers, says)}
    place(root, {} if there else {target: data.resolve()}, texts, lambda: None)
    if there:
        print(says("say.there", file=shown))
    _report(root, wave, [*texts, *([] if there else [target])], proposal, plan, layout, answers, says)


def check_client(client: str) -> None:
    """Refuse a name that cannot be a folder's."""
    if not SLUG.match(client) or client in RESERVED:
        raise InputRefused("a short name of a-z, 0-9, _ and - is expected, such as acme. Readers see the title.",
                           f'client "{client[:60]}"')


def checked_language(language: str) -> str:
    """Refuse a language there is none of."""
    if language not in LANGUAGES:
        raise InputRefused(f"{' or '.join(LANGUAGES)} is expected.", f"--language {language[:20]}")
    return language


def read_file(data: Path, how: Mapping[str, str | int | None]) -> Layout:
    """The file as a table; refused when it is none, or holds nobody."""
    if not data.is_file():
        raise InputRefused("there is no such regular file. Correct the path.", f"--data {data}")
    if data.stat().st_size == 0:
        raise InputRefused("the file is empty. Export it again.", str(data))
    kind = KINDS.get(data.suffix.lower())
    if kind is None:
        raise InputRefused(f'the kind of file "{data.suffix}" is not known. Save it as {", ".join(sorted(KINDS))}.',
                           str(data))
    encoding = str(how["encoding"]) if how.get("encoding") else None
    if encoding not in _ENCODINGS:
        raise InputRefused(f"{', '.join(str(e) for e in _ENCODINGS if e)} is expected.", f"--encoding {encoding}"[:80])
    try:
        layout = table_at(Source(data.resolve(), data.name, kind, str(how.get("sheet") or ""),
                                 int(how.get("header_row") or 1), encoding))
    except InputRefused as error:
        flags = [flag for key, flag in _FLAGS.items() if key in str(error)]
        if not flags:
            raise
        raise InputRefused(f"{error} (Here: {', '.join(flags)}.)") from None
    if not len(layout.table.lines) or not any(layout.table.names):
        raise InputRefused("holds 0 respondents: there is nothing below the column names. Export it again.", str(data))
    return layout


def _asked(answers: Answers, says: Says) -> Answers:
    import typer

    def ask(question: str, default: str) -> str:
        return str(typer.prompt(question, default=default))

    return interview(answers, says, ask, lambda said: print(said, file=sys.stderr))


def gaps(path: Path) -> list[str]:
    """What the check says of a study just written."""
    from tcslib.fieldwork.columns import check_columns, columns_of
    from tcslib.study.load import load

    try:
        study = load(path)
        return [str(one) for one in check_columns(study, columns_of(study))]
    except TcsError as error:
        return error.lines


def to_confirm(proposal: Proposal, plan: StudyPlan, answers: Answers, says: Says) -> list[str]:
    """Every question left open: one for each code and construct, one for each thing asked of columns."""
    asked: dict[str, list[str]] = {}
    for name, guess in proposal.columns.items():
        for one in guess.asks:
            asked.setdefault(says.ask(one), []).append(name)
    out = [f"{_few(names)}: {said}" for said, names in asked.items()]
    out += [says("ask.code_kind", value=f"{code:g}", kind=kind) for code, kind in sorted(plan.codes.items())
            if code in proposal.codes]
    return [*out, *(says.ask(one) for one in plan.model.asks)]


def _few(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" … ({len(names)})" if len(names) > most else "")


def _report(root: Path, wave: Path, files: list[Path], proposal: Proposal, plan: StudyPlan, layout: Layout,
            answers: Answers, says: Says) -> None:
    if layout.source.header_row > 1:
        print(says("say.header", row=layout.source.header_row))
    if layout.labels_rows:
        print(says("say.header_rows", n=layout.labels_rows))
    if proposal.unreadable:
        print(says("say.unreadable", n=len(proposal.unreadable), names=_few(proposal.unreadable)))
    if refused(language=says.language):
        print(says("say.language", language="en"))
    if lines := assumed(answers, says):
        print(says("say.assumed"), numbered(lines), sep="\n")
    open_ = to_confirm(proposal, plan, answers, says)
    print(says("say.to_confirm", n=len(open_)) + "\n" + numbered(open_) if open_ else says("say.all_sure"))
    finish(root, wave, files, says)


def finish(root: Path, wave: Path, files: list[Path], says: Says) -> None:
    """Say which files were written, what the check misses in them, and what to do next."""
    print(says("say.wrote"))
    for path in files:
        print(f"  {path.relative_to(root).as_posix()}")
    if missing := gaps(wave):
        print(says("say.gaps"), numbered(missing), sep="\n")
    name = f"{wave.parent.name}/{wave.stem}"
    print(says("say.next"), f"  tcs check {name}", f"  tcs run {name}", sep="\n")
