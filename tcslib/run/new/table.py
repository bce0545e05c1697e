"""The proposal as a table: aligned text in a file or a pipe, ruled on a terminal."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence

from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.run.new.sentences import Says

Row = tuple[str, str, str, str, str]


def rows(proposal: Proposal, says: Says) -> list[Row]:
    """One row to a column of the file."""
    out = []
    for name, guess in proposal.columns.items():
        codes = ", ".join(f"{code:g}" for code in sorted(guess.codes))
        detail = " · ".join(part for part in (guess.scale, f"[{codes}]" if codes else "", guess.construct) if part)
        mark = says("sure") if guess.sure else says("confirm")
        out.append((name, says(f"role.{guess.role}"), detail, mark, says.why(guess)))
    return out


def as_text(proposal: Proposal, says: Says) -> str:
    """The table as aligned lines."""
    head = tuple(says(f"table.{key}") for key in ("column", "role", "detail", "sure", "why"))
    found = [head, *rows(proposal, says)]
    wide = [min(max(_width(row[i]) for row in found), 40) for i in range(4)]
    return "\n".join("  ".join([*(_padded(row[i], wide[i]) for i in range(4)), row[4]]).rstrip()
                     for row in found) + "\n"


def show(proposal: Proposal, says: Says) -> None:
    """Print it, ruled where somebody looks at a terminal."""
    if not sys.stdout.isatty():
        print(as_text(proposal, says))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(says(f"table.{key}") for key in ("column", "role", "detail", "sure", "why")))
    for row in rows(proposal, says):
        table.add_row(*(Text(cell) for cell in row))          # a name is text, not markup
    Console().print(table)


def _width(text: str) -> int:
    """Places a text takes: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - _width(text), 0)


def numbered(lines: Sequence[str]) -> str:
    """A list of sentences, each on a line."""
    return "\n".join(f"  {number}. {line}" for number, line in enumerate(lines, 1))
