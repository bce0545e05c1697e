"""What was asked: items, their scales and their codes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Text = Mapping[str, str]


@dataclass(frozen=True)
class Scale:
    """An answer scale from ``low`` to ``high``, in the units the respondent saw."""

    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read ``1-10``, ``0/1``, ``-3-3`` or ``percent``; raises ``ValueError`` for anything else."""
        if text == "percent":
            return cls(0.0, 100.0)
        separator = "/" if "/" in text else "-"
        cut = text.rfind(separator)
        low, high = float(text[:cut]), float(text[cut + 1:])
        if not -math.inf < low < high < math.inf:
            raise ValueError(text)
        return cls(low, high)

    @property
    def width(self) -> float:
        """Distance between the ends."""
        return self.high - self.low

    def turned(self, answers: Any) -> Any:
        """Answers with low and high exchanged."""
        return self.low + self.high - answers

    def __str__(self) -> str:
        """Write the scale as it is read: ``1-10``."""
        return f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True)
class Item:
    """One question with a numeric answer.

    ``reversed`` states that a high answer is a bad one; cleaning turns it round. ``asked_if`` names what decides
    whether the question was put at all: an answer never asked for is missing by structure and never imputed.
    """

    name: str
    scale: Scale
    text: Text = field(default_factory=dict)
    reversed: bool = False
    asked_if: str = ""
    missing_codes: Mapping[float, str] = field(default_factory=dict)


Questionnaire = Mapping[str, Item]
