"""The eight questions: what flags, a file or a person answer, else what the file of answers lets assume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
_KINDS: tuple[str, ...] = get_args(StudyParams.model_fields["sample"].annotation)


@dataclass
class Answers:
    """An answer to each question; for those nobody gave, the key of the sentence that says what they rest on."""

    values: dict[str, str]
    why: dict[str, str]

    def __getitem__(self, key: str) -> str:
        """The answer to a question."""
        return self.values[key]

    def give(self, given: Mapping[str, str]) -> Answers:
        """Put given answers over assumed ones; refused together when they cannot be."""
        given = {key: value.strip() for key, value in given.items()}
        refuse_all([InputRefused(said, f"--{key.replace('_', '-')} {clipped(value)}")
                    for key, value in given.items() if (said := fault(key, value))])
        self.values |= given
        self.why = {key: said for key, said in self.why.items() if key not in given}
        return self

    def assumed(self, says: Says) -> list[str]:
        """A sentence for each answer nobody gave."""
        return [says(f"assumed.{said}", value=self[key] or says("assumed.nothing")) for key, said in self.why.items()]


def field_dates(proposal: Proposal) -> str:
    """First and last day by the first column of dates that tells them, "" for none."""
    found = next((days for name in proposal.of("timestamp") if (days := span(proposal.profiles[name]))), None)
    return f"{found[0]}..{found[1]}" if found else ""


def prefilled(proposal: Proposal, file: Path, client: str, says: Says) -> Answers:
    """What the file lets assume."""
    days, named = field_dates(proposal), wave_in(file.stem)
    last = date.fromisoformat(days.rpartition("..")[2]) if days else date.today()
    platform = any(g.because.key in {"platform", "private_form"} for g in proposal.columns.values())
    drawn = {g.design for g in proposal.columns.values()} & {"strata", "clusters"} and proposal.of("weight")
    sample = "probability" if drawn else "opt_in"
    values = dict.fromkeys(QUESTIONS, "") | {
        "title": client, "wave": wave_of(last) if days or not named else named, "sample": sample, "field_dates": days,
        "mode": says("assumed.online") if platform else ""}
    why = {key: key for key in QUESTIONS} | {
        "wave": "wave_dates" if days else "wave_name" if named else "wave_today", "sample": f"sample_{sample}"}
    return Answers(values, why)


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


def fault(key: str, value: str) -> str:
    """What is wrong with an answer, "" when nothing is."""
    if key == "wave" and not WAVE.match(value):
        return "a period is expected: 2026, 2026H1, 2026Q3 or 2026-09."
    if key == "sample" and value not in _KINDS:
        return f"{', '.join(_KINDS)} is expected."
    if key == "model" and value and value not in (*preset_names(), "own"):
        return f"{', '.join(preset_names())} or own is expected."
    try:
        if key == "field_dates" and value:
            for day in value.split(".."):
                date.fromisoformat(day.strip())
    except ValueError:
        return "first and last day are expected: 2026-07-06..2026-09-13."
    return ""


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
        while key in answers.why:
            value = ask(says(f"question.{key}", choices=", ".join(preset_names())), answers[key]).strip()
            if said := fault(key, value):
                show(said)
            else:
                answers.give({key: value})
    return answers
