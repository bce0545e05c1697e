"""Figures in a lesson: the student draws with seaborn, in the report's style, and sees them in the notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from itertools import count
from typing import Any

from tcslib.report.plots import ACCENT, ALERT, TINT, TINT_O, WIDE, as_svg, plt, style

__all__ = ["ACCENT", "ALERT", "TINT", "TINT_O", "figure"]
_DPI, _number = 72, count(1)


@contextmanager
def figure(title: str, x: str = "", y: str = "", height: int = 240) -> Iterator[Any]:
    """Axes to draw on; at the end of the ``with`` block the figure is shown as SVG.

    Parameters
    ----------
    title
        What the figure shows; stands above it and is what a screen reader says.
    x, y
        Labels of the axes. They are text in the SVG, so the reader's own fonts show Chinese.
    height
        Pixels; the width is that of the report's figures.
    """
    from IPython.display import HTML, display

    with style("zh"):          # whose font holds the letters of both languages
        drawing, axes = plt.subplots(figsize=(WIDE / _DPI, height / _DPI), dpi=_DPI)
        try:
            yield axes
            axes.set(xlabel=x, ylabel=y)
            svg = as_svg(drawing, f"lesson-{next(_number)}-", WIDE, height)
        finally:
            plt.close(drawing)
    display(HTML(f'<figure role="img" aria-label="{escape(title)}" style="max-width:{WIDE}px;margin:0;background:#fff">'
                 f"<p><b>{escape(title)}</b></p>{svg}</figure>"))
