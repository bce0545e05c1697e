"""``tcs new CLIENT --data FILE``: look, ask, write all files or none, say what was assumed."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tcslib.errors import InputRefused, TcsError
from tcslib.fieldwork.proposing.layout import table_at
from tcslib.fieldwork.proposing.model import ModelGuess, model_for
from tcslib.fieldwork.proposing.propose import Proposal, propose
from tcslib.fieldwork.source import source_at
from tcslib.fieldwork.tables import Table
from tcslib.run.new.answers import from_file, interview, prefilled
from tcslib.run.new.placing import copy_target, place
from tcslib.run.new.sentences import LANGUAGES, Says, as_table, few, numbered
from tcslib.run.new.study import study_yaml, wave_yaml
from tcslib.run.runs import project
from tcslib.study.params import DataParams
from tcslib.study.values import RESERVED, SLUG


def new_study(client: str, data: Path, given: Mapping[str, str], answers_file: Path | None, language: str,
              how: Mapping[str, Any]) -> None:
    """Propose a study and write it.

    Parameters
    ----------
    given
        Answers from flags, by question.
    how
        Keys of a study's section ``data``, as far as the user stated them.
    """
    says, root = begun(client, language)
    folder = root / "params" / client
    if (folder / "study.yaml").exists():
        raise InputRefused("is there already. Take another client name, or start its next wave: tcs new "
                           f"{client} --wave … --from …", f"params/{client}/study.yaml")
    table, header_rows = read_file(data, how)
    target = copy_target(data.resolve(), root, client)
    shown = target.relative_to(root).as_posix()
    proposal = propose(table)
    print(as_table(proposal, says), says("say.read", file=data.name, rows=f"{proposal.rows:,}",
                                        columns=len(proposal.columns)), sep="\n")
    answers = prefilled(proposal, data, client, says).give({**from_file(answers_file), **given})
    model = proposed_model(proposal, answers["model"])
    answers.values["model"] = answers["model"] or model.name
    if sys.stdin.isatty():
        import typer

        answers = interview(answers, says, lambda question, default: str(typer.prompt(question, default=default)),
                            lambda said: print(said, file=sys.stderr))
        model = proposed_model(proposal, answers["model"])
    for name in proposal.of("item"):
        if name not in model.items and not proposal.columns[name].unreadable:
            proposal.columns[name].ask("left_out")
    wave = folder / f"{answers['wave']}.yaml"
    # ids stored as rounded numbers would be refused
    ids = [n for n in proposal.of("id") if all(one.key != "id_rounded" for one in proposal.columns[n].asks)]
    files = place(root, data.resolve(), target, {
        folder / "study.yaml": study_yaml(client, shown, proposal, model, answers, says),
        folder / "proposal.txt": as_table(proposal, says),
        wave: wave_yaml(shown, how, next(iter(ids), ""), answers, says, {})})
    if header_rows:
        print(says("say.header_rows", n=header_rows))
    if proposal.unreadable:
        print(says("say.unreadable", n=len(proposal.unreadable), names=few(proposal.unreadable)))
    if assumed := answers.assumed(says):
        print(says("say.assumed"), numbered(assumed), sep="\n")
    finish(root, wave, files, to_confirm(proposal, model, says), says)


def begun(client: str, language: str) -> tuple[Says, Path]:
    """The sentences and the project's root; refused when the client's or the language's name will not do."""
    if not SLUG.match(client) or client in RESERVED:
        raise InputRefused("a short name of a-z, 0-9, _ and - is expected, such as acme. Readers see the title.",
                           f'client "{client[:60]}"')
    if language not in LANGUAGES:
        raise InputRefused(f"{' or '.join(LANGUAGES)} is expected.", f"--language {language[:20]}")
    return Says(language), project()


def read_file(data: Path, how: Mapping[str, Any]) -> tuple[Table, int]:
    """The file as a table, and how many platform's header rows it had; refused when it is none, or holds nobody."""
    try:
        source = source_at(Path(), DataParams.model_validate({"file": str(data), **how}))
        table, header_rows = table_at(source)
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputRefused(f"{fault['msg']}.", f"data.{fault['loc'][0]} {str(fault['input'])[:40]}") from None
    except InputRefused as error:          # a study's keys have flags here: there is no study yet
        raise InputRefused(re.sub(r"data\.(file|sheet|header_row|encoding)\b", lambda key: "--" + key[1].replace(
            "_", "-").replace("file", "data"), str(error))) from None
    if not len(table.lines) or not any(table.names):
        raise InputRefused("holds 0 respondents: there is nothing below the column names. Export it again.", str(data))
    return table, header_rows


def proposed_model(proposal: Proposal, wanted: str) -> ModelGuess:
    """The model of what a study can read; ``wanted`` is a preset's name, ``own``, or "" for what fits."""
    readable = [g for g in proposal.groups if not any(proposal.columns[p.name].unreadable for p in g.items)]
    return model_for(readable, proposal.strength, wanted, next(iter(proposal.of("nps")), ""))


def to_confirm(proposal: Proposal, model: ModelGuess, says: Says) -> list[str]:
    """Every question left open: one for each code and construct, one for each thing asked of columns."""
    asked: dict[str, list[str]] = {}
    for name, guess in proposal.columns.items():
        for one in guess.asks:
            asked.setdefault(says.ask(one), []).append(name)
    return [*(f"{few(names)}: {said}" for said, names in asked.items()),
            *(says("ask.code_kind", value=f"{code:g}", kind=kind) for code, kind in sorted(proposal.codes.items())),
            *(says.ask(one) for one in model.asks)]


def gaps(path: Path) -> list[str]:
    """What the check says of a study just written."""
    from tcslib.run.cli import check_study

    try:
        check_study(str(path))
    except TcsError as error:
        return error.lines
    return []


def finish(root: Path, wave: Path, files: list[Path], open_: list[str], says: Says) -> None:
    """Say what is to be confirmed, which files were written, what the check misses in them, and what to do next."""
    print(says("say.to_confirm", n=len(open_)) + "\n" + numbered(open_) if open_ else says("say.all_sure"))
    print(says("say.wrote"), *(f"  {path.relative_to(root).as_posix()}" for path in files), sep="\n")
    if missing := gaps(wave):
        print(says("say.gaps"), numbered(missing), sep="\n")
    name = f"{wave.parent.name}/{wave.stem}"
    print(says("say.next"), f"  tcs check {name}", f"  tcs run {name}", sep="\n")
