"""What ``tcs new`` says, in the user's language; every sentence is data in ``phrases/``."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from tcslib.fieldwork.proposing.guess import Because
from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.study.strict_yaml import read_yaml

LANGUAGES = ("en", "zh")


@cache
def phrases(language: str) -> Mapping[str, Mapping[str, str]]:
    """The sentences of a language by section and key."""
    with resources.as_file(resources.files("tcslib.run.new").joinpath("phrases", f"{language}.yaml")) as path:
        return read_yaml(Path(path), f"phrases/{language}.yaml")[0]


class Says:
    """The sentences of one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """``say.read`` with its blanks filled; a role goes by its name in the language."""
        section, _, name = key.partition(".")
        if "role" in values:
            values["role"] = self(f"role.{values['role']}")
        return phrases(self.language)[section][name].format(**values)

    def saw(self, one: Because) -> str:
        """What was seen."""
        return self(f"saw.{one.key}", **one.values)

    def ask(self, one: Because) -> str:
        """What is to be confirmed."""
        return self(f"ask.{one.key}", **one.values)

    def confirm(self, *said: str | Because) -> str:
        """``please confirm: …`` for each of them, "" for none."""
        return " ".join(f"{self('say.confirm')}: {self.ask(one) if isinstance(one, Because) else one}" for one in said)


def numbered(lines: Iterable[str]) -> str:
    """A list of sentences, each on a line."""
    return "\n".join(f"  {number}. {line}" for number, line in enumerate(lines, 1))


def few(names: list[str], most: int = 4) -> str:
    """``a, b, c, d … (9)``."""
    return ", ".join(names[:most]) + (f" … ({len(names)})" if len(names) > most else "")


def as_table(proposal: Proposal, says: Says, width: int = 1000) -> str:
    """A line to each column of the file: what it is taken for, and why."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*(says(f"table.{key}") for key in ("column", "role", "detail", "why")), box=None, pad_edge=False,
                  padding=(0, 2, 0, 0))
    for name, guess in proposal.columns.items():
        codes = ", ".join(f"{code:g}" for code in sorted(guess.codes))
        detail = [guess.scale, f"[{codes}]" if codes else "", guess.construct]
        why = ". ".join(filter(None, (says.saw(guess.because), says.confirm(*guess.asks))))
        table.add_row(name, says(f"role.{guess.role}"), " · ".join(filter(None, detail)), why)
    out = Console(file=io.StringIO(), width=width, color_system=None, markup=False, emoji=False, highlight=False)
    out.print(table)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines()) + "\n"  # type: ignore[attr-defined]
