"""What ``tcs new`` says, in the user's language; every sentence is data in ``phrases/``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

from tcslib.fieldwork.proposing.guess import Because, Guess
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
        self._phrases = phrases(language)

    def __call__(self, key: str, **values: object) -> str:
        """``say.read`` with its blanks filled."""
        section, _, name = key.partition(".")
        text = self._phrases[section][name] if name else str(self._phrases[section])
        return text.format(**values) if values else text

    def saw(self, one: Because) -> str:
        """What was seen."""
        return self(f"saw.{one.key}", **one.values)

    def ask(self, one: Because) -> str:
        """What is to be confirmed."""
        values = dict(one.values)
        if "role" in values:
            values["role"] = self(f"role.{values['role']}")
        return self(f"ask.{one.key}", **values)

    def why(self, guess: Guess) -> str:
        """What was seen of a column, and what is asked of it."""
        values = dict(guess.because.values)
        if guess.because.key == "second":
            values["role"] = self(f"role.{values['role']}")
        said = self(f"saw.{guess.because.key}", **values)
        asked = " ".join(f"{self('confirm')}: {self.ask(one)}" for one in guess.asks)
        return f"{said}. {asked}" if asked else said
