"""Whose voice counts how much: weights by customer class or role, set by policy and not by sampling."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tcslib.study.sections.base import Section
from tcslib.study.values import Name

Voice = Annotated[float, Field(ge=0)]


class PolicyRule(Section):
    """Weights by the categories of one column; several rules multiply."""

    column: Name = Field(description="column of customer classes or roles")
    weights: dict[Name, Voice] = Field({}, description="weight of each category, for every construct not named below")
    aspects: dict[Name, dict[Name, Voice]] = Field({}, description="by construct, where categories count otherwise")

    @property
    def categories(self) -> list[str]:
        """Every category a weight is stated for, in the order of the study."""
        return list(dict.fromkeys([*self.weights, *(name for of in self.aspects.values() for name in of)]))
