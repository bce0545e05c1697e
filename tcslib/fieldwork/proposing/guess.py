"""What is proposed for a column, why, and what of it the user is asked to confirm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["id", "item", "nps", "category", "weight", "text", "duration", "timestamp", "ignore"]
FEW = 30          # records below which the numbers of a column prove nothing


@dataclass(frozen=True)
class Because:
    """A sentence by its key among the phrases, and what fills its blanks."""

    key: str
    values: Mapping[str, str] = field(default_factory=dict)


def because(key: str, **values: object) -> Because:
    """A sentence with its blanks filled."""
    return Because(key, {name: str(value) for name, value in values.items()})


@dataclass
class Guess:
    """The proposal for one column.

    Attributes
    ----------
    because
        What was seen.
    asks
        What the user is asked to confirm; nothing when the proposal is sure.
    scale, codes, construct
        Of an item: its scale as a study writes it, its codes for no answer with their kinds, its construct.
    design
        ``strata``, ``clusters`` or ``brand`` for a category that may be one.
    """

    name: str
    role: Role
    because: Because
    asks: list[Because] = field(default_factory=list)
    scale: str = ""
    codes: dict[float, str] = field(default_factory=dict)
    construct: str = ""
    design: str = ""

    @property
    def sure(self) -> bool:
        """Whether nothing needs to be confirmed."""
        return not self.asks

    @property
    def backwards(self) -> bool:
        """Whether a high answer seems to be a bad one; asked, never acted upon."""
        return any(one.key == "backwards" for one in self.asks)

    @property
    def unreadable(self) -> bool:
        """Whether the answers are words or letters, which no study can read yet."""
        return any(one.key == "unreadable" for one in self.asks)

    def ask(self, key: str, **values: object) -> Guess:
        """Add a question; each is asked once."""
        if (one := because(key, **values)) not in self.asks:
            self.asks.append(one)
        return self
