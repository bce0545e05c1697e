"""The eight questions: what flags, a file or a person answer, else what the file of answers lets assume."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import get_args

from tcslib.errors import InputRefused, refuse_all
from tcslib.fieldwork.proposing.dates import span, wave_in, wave_of
from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.run.new.sentences import Says
from tcslib.study.models import preset_names
from tcslib.study.params import StudyParams
from tcslib.study.strict_yaml import clipped, read_yaml
from tcslib.study.values import WAVE

QUESTIONS = ("title", "sponsor", "wave", "population", "sample", "field_dates", "mode", "model")
KINDS: tuple[str, ...] = get_args(StudyParams.model_fields["sample"].annotation)
_DAY = re.compile(r"([12]\d{3})-(\d{2})-(\d{2})\Z")


@dataclass
class Answers:
    """An answer to each question, and where it came from: ``given`` or ``assumed``."""

    values: dict[str, str]
    how: dict[str, str] = field(default_factory=dict)
    wave_by: str = "today"

    def __getitem__(self, key: str) -> str:
        """The answer to a question."""
        return self.values[key]

    @property
    def days(self) -> tuple[str, str]:
        """First and last day of the field, "" when unknown."""
        first, _, last = self["field_dates"].partition("..")
        return first, last or first


def prefilled(proposal: Proposal, file: Path, client: str, says: Says) -> Answers:
    """What the file lets assume."""
    found = next((s for name in proposal.of("timestamp") if (s := span(proposal.profiles[name])) is not None), None)
    by, wave = ("dates", wave_of(found[1])) if found else ("name", wave_in(file.stem))
    if not wave:
        by, wave = "today", wave_of(date.today())
    platform = any(g.because.key in {"platform", "private_form"} for g in proposal.columns.values())
    drawn = {g.design for g in proposal.columns.values()} & {"strata", "clusters"} and proposal.of("weight")
    values = {"title": client, "sponsor": "", "wave": wave, "population": "",
              "sample": "probability" if drawn else "opt_in",
              "field_dates": f"{found[0]}..{found[1]}" if found else "",
              "mode": says("assumed.online") if platform else "", "model": ""}
    return Answers(values, dict.fromkeys(values, "assumed"), by)


def from_file(path: Path | None) -> dict[str, str]:
    """The answers of a YAML file with the questions as keys; refused with all its faults."""
    if path is None:
        return {}
    found, lines = read_yaml(path, str(path))
    faults = []
    for key, value in found.items():
        at = f"{path}: {clipped(key)}"
        if key not in QUESTIONS:
            faults.append(InputRefused(f"is none of the questions, which are {', '.join(QUESTIONS)}. Remove it. "
                                       f"(line {lines[(key,)]})", at))
        elif not isinstance(value, str | int) or isinstance(value, bool):
            faults.append(InputRefused(f"a text is expected. (line {lines[(key,)]})", at))
    refuse_all(faults)
    return {key: str(value) for key, value in found.items()}


def settle(answers: Answers, given: Mapping[str, str | None], shown: str = "") -> Answers:
    """Put given answers over assumed ones; refused together when they cannot be."""
    for key, value in given.items():
        if value is not None:
            answers.values[key], answers.how[key] = value.strip(), "given"
    faults = [InputRefused(said, f"{shown or '--' + key.replace('_', '-')} {answers[key]}".strip())
              for key in QUESTIONS if (said := fault(key, answers[key]))]
    refuse_all(faults)
    return answers


def fault(key: str, value: str) -> str:
    """What is wrong with an answer, "" when nothing is."""
    if key == "wave" and not WAVE.match(value):
        return "a period is expected: 2026, 2026H1, 2026Q3 or 2026-09."
    if key == "sample" and value not in KINDS:
        return f"{', '.join(KINDS)} is expected."
    if key == "model" and value and value not in (*preset_names(), "own"):
        return f"{', '.join(preset_names())} or own is expected."
    if key == "field_dates" and value and not all(_is_day(part) for part in value.split("..")):
        return "first and last day are expected: 2026-07-06..2026-09-13."
    return ""


def _is_day(text: str) -> bool:
    if not (found := _DAY.match(text.strip())):
        return False
    try:
        date(*(int(part) for part in found.groups()))
    except ValueError:
        return False
    return True


def interview(answers: Answers, says: Says, ask: Callable[[str, str], str], show: Callable[[str], None]) -> Answers:
    """Ask what was not given; an empty answer keeps what stands in brackets.

    Parameters
    ----------
    ask
        Puts a question with its prefilled answer and returns the answer.
    show
        Shows why an answer will not do.
    """
    for key in QUESTIONS:
        if answers.how.get(key) == "given":
            continue
        question = says(f"question.{key}", choices=", ".join(preset_names())) if key == "model" else says(
            f"question.{key}")
        while True:
            value = ask(question, answers[key]).strip()
            if not (said := fault(key, value)):
                break
            show(said)
        answers.values[key], answers.how[key] = value, "given"
    return answers


def assumed(answers: Answers, says: Says) -> list[str]:
    """A sentence for each answer nobody gave."""
    out = []
    for key in QUESTIONS:
        if answers.how.get(key) == "assumed" and key != "model":
            how = says(f"assumed.wave_{answers.wave_by}")
            said = f"sample_{answers[key]}" if key == "sample" else key
            out.append(says(f"assumed.{said}", value=answers[key] or says("assumed.nothing"), how=how))
    return out
