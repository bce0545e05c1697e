"""Sections of a notebook that had nothing to show for this study: their headings and prose stay off the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tcslib.report.records import MIME

_HEADING = re.compile(r"(?m)^(#{1,6}) ")


def shown_cells(cells: Sequence[Any]) -> list[Any]:
    """The cells without those of sections whose views all came back empty, and of headings with such sections alone.

    What shows nothing because it asks for nothing, such as prose and cells that compute, stays.
    """
    sections: list[tuple[int, list[Any]]] = [(0, [])]
    for cell in cells:
        found = _HEADING.search(cell["source"]) if cell["cell_type"] == "markdown" else None
        if found:
            sections.append((len(found[1]), []))
        sections[-1][1].append(cell)
    out: list[Any] = []
    for at, (level, own) in enumerate(sections):
        deeper = []
        for other, inside in sections[at + 1:]:
            if other <= level:
                break
            deeper.append(inside)
        said = [_said(section) for section in (own, *deeper)]
        # a heading above empty sections goes with them; level 1 is the chapter's title
        if level < 2 or any(said) or all(section is None for section in said):
            out += own
    return out


def _said(section: Sequence[Any]) -> bool | None:
    """Whether a section's views show anything; None where there is no view."""
    views = [output["data"][MIME] for cell in section if cell["cell_type"] == "code" for output in cell["outputs"]
             if MIME in output.get("data", {})]
    return any(map(bool, views)) if views else None
