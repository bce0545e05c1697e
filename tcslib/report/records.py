"""What a notebook cell shows: a table, a figure or a finding, as data that the page and JupyterLab both render."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

import pandas as pd

MIME = "application/vnd.tcs+json"


@dataclass(frozen=True)
class Column:
    """One column of a shown table: heading, alignment, and the printed cells."""

    head: str
    cells: Sequence[str]
    align: str = "right"


@dataclass(frozen=True)
class Table:
    """A table with its message as title. ``data`` is the frame behind it, unrounded; the first column heads rows."""

    name: str
    title: str
    sub: str
    columns: Sequence[Column]
    settings: str = ""
    folded: bool = False
    data: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def record(self) -> dict[str, Any]:
        """The table as JSON, print only."""
        return {"kind": "table", **asdict_without_data(self),
                "rows": [list(row) for row in zip(*(c.cells for c in self.columns), strict=True)]}

    def html(self) -> str:
        """Plain HTML for JupyterLab."""
        head = "".join(f"<th>{escape(c.head)}</th>" for c in self.columns)
        rows = "".join("<tr>" + "".join(f"<td style='text-align:{c.align}'>{escape(cell)}</td>"
                                        for c, cell in zip(self.columns, row, strict=True)) + "</tr>"
                       for row in zip(*(c.cells for c in self.columns), strict=True))
        return (f"<p><b>{escape(self.title)}</b><br>{escape(self.sub)}</p><table><thead><tr>{head}</tr></thead>"
                f"<tbody>{rows}</tbody></table><p><small>{escape(self.settings)}</small></p>")


@dataclass(frozen=True)
class Figure:
    """A figure drawn twice, for the page's full width and for a phone; ``alt`` tells what it shows, with values."""

    name: str
    title: str
    sub: str
    wide: str
    narrow: str
    alt: str
    settings: str = ""
    data: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False, compare=False)

    def record(self) -> dict[str, Any]:
        """The figure as JSON."""
        return {"kind": "figure", **asdict_without_data(self)}

    def html(self) -> str:
        """Plain HTML for JupyterLab."""
        return (f"<p><b>{escape(self.title)}</b><br>{escape(self.sub)}</p><div>{self.wide}</div>"
                f"<p><small>{escape(self.settings)}</small></p>")


@dataclass(frozen=True)
class Finding:
    """A sentence or two. ``role``: *answer* to the chapter's question, *note*, or *caution*."""

    text: str
    role: str = "note"

    def record(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {"kind": "finding", **asdict(self)}

    def html(self) -> str:
        """Plain HTML for JupyterLab."""
        return f"<p>{escape(self.text)}</p>"


def asdict_without_data(shown: Table | Figure) -> dict[str, Any]:
    """The dataclass as a dict, less the frame behind it."""
    return {k: ([asdict(c) for c in v] if k == "columns" else v) for k, v in vars(shown).items() if k != "data"}


@dataclass(frozen=True)
class View:
    """What one call shows, and the numbers it adds to ``results.json``."""

    shown: Sequence[Table | Figure | Finding]
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {MIME: [s.record() for s in self.shown], "text/html": "".join(s.html() for s in self.shown),
                "text/plain": "\n".join(s.text if isinstance(s, Finding) else s.title for s in self.shown)}
