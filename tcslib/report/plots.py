"""Figures: one style, drawn at two widths, as SVG that the page can hold inline."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("svg")

import matplotlib.pyplot as plt
import seaborn as sns

from tcslib.report.fonts import register

INK, INK2, INK3 = "#1a1f26", "#454e59", "#5c6672"
ACCENT, ALERT, TINT, TINT_O = "#0b4f8a", "#9a3b00", "#bcd6ec", "#f6d3b5"
RULE, HAIR, BAND = "#aab2bb", "#dfe3e8", "#f3f5f7"
WIDE, NARROW = 720, 328          # pixels, drawn one to one
_DPI = 72

_STYLE: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "tcs", "font.size": 12, "axes.titlesize": 12, "axes.labelsize": 12,
    "xtick.labelsize": 12, "ytick.labelsize": 12, "text.color": INK, "axes.labelcolor": INK3, "axes.edgecolor": RULE,
    "xtick.color": INK3, "ytick.color": INK3, "axes.grid": False, "axes.spines.top": False,
    "axes.spines.right": False, "axes.spines.left": False, "axes.linewidth": 1, "xtick.major.size": 0,
    "ytick.major.size": 0, "lines.linewidth": 2.2, "figure.constrained_layout.use": True, "axes.axisbelow": True,
    "text.parse_math": False, "legend.frameon": False, "path.simplify": True, "axes.unicode_minus": True,
}

Draw = Callable[[Any, bool], None]


@contextmanager
def style(language: str = "en") -> Iterator[None]:
    """The report's figure style; leaves the caller's matplotlib as it was."""
    fonts = ["DejaVu Sans", register()]          # the one helps out with what the other lacks
    with (plt.rc_context(matplotlib.rcParamsDefault), sns.axes_style("white"), plt.rc_context(_STYLE),
          plt.rc_context({"font.family": fonts[::-1] if language == "zh" else fonts}), warnings.catch_warnings()):
        # a rare character neither has is drawn by the reader's own font; here only its width is guessed
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def draw(name: str, paint: Draw, height: float | tuple[float, float], language: str = "en") -> tuple[str, str]:
    """Paint a figure at both widths.

    Parameters
    ----------
    name
        Prefix of the ids inside the SVG, so that several figures can stand on one page.
    paint
        ``paint(axes, narrow)`` draws on matplotlib axes.
    height
        Pixels, the same for both or (wide, narrow).
    language
        Decides which font letters are measured by; the page's reader sees them in a font of their own.

    Returns
    -------
    Two SVG elements as text, without size attributes or page-wide styles.
    """
    heights = height if isinstance(height, tuple) else (height, height)
    out = []
    for width, tall, narrow in ((WIDE, heights[0], False), (NARROW, heights[1], True)):
        with style(language):
            figure, axes = plt.subplots(figsize=(width / _DPI, tall / _DPI), dpi=_DPI)
            paint(axes, narrow)
            out.append(as_svg(figure, f"{name}-{'n' if narrow else 'w'}-", width, tall))
    return out[0], out[1]


def as_svg(figure: Any, prefix: str, width: float, height: float) -> str:
    """A drawn figure as SVG, which closes it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    plt.close(figure)
    return clean_svg(buffer.getvalue(), prefix, width, height)


def clean_svg(svg: str, prefix: str, width: float, height: float) -> str:
    """Make matplotlib's SVG fit to stand in a page: no prolog, no style rules, no metadata, ids of its own."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>", "", svg, flags=re.S)
    # `*{stroke-linejoin:round;stroke-linecap:butt}` was page-wide; it belongs on this figure alone
    svg = re.sub(r"<svg[^>]*>", f'<svg viewBox="0 0 {width:g} {height:g}" xmlns="http://www.w3.org/2000/svg" '
                 'xmlns:xlink="http://www.w3.org/1999/xlink" stroke-linejoin="round" stroke-linecap="butt">', svg,
                 count=1)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\1{prefix}", svg)
    # the page chooses the font, as for its own text; sizes and weights stay
    svg = re.sub(r"font: ((?:bold |700 )?)([0-9.]+)px [^;\"]*", r"font-size:\2px;font-weight:\1", svg)
    svg = svg.replace("font-weight:;", "").replace('font-weight:"', '"').replace("font-weight:bold ", "font-weight:700")
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def name_y(axes: Any, text: str, language: str) -> None:
    """Name the vertical axis: along it, or above it where letters are not to lie on their side."""
    if language == "zh":
        axes.set_title(text, loc="left", color=INK3)
    axes.set_ylabel("" if language == "zh" else text)


def reach(x: Any, low: Any, high: Any) -> list[np.ndarray]:
    """How far intervals reach to either side; missing, so that no caps are drawn, where they have no width."""
    x, low, high = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (x, low, high))
    none = high - low <= 1e-9 * np.maximum(1, np.abs(low))
    return [np.where(none, np.nan, side.clip(min=0)) for side in (x - low, high - x)]


def intervals(axes: Any, frame: pd.DataFrame, y: Any, color: str = ACCENT) -> None:
    """Estimates as dots with capped 95% intervals, one per row, at heights ``y``."""
    x, low, high = (frame[name].to_numpy(float) for name in ("estimate", "low", "high"))
    axes.errorbar(x, y, xerr=reach(x, low, high), fmt="none", ecolor=color, elinewidth=1.8, capsize=4, capthick=1.8,
                  zorder=2)
    sns.scatterplot(x=x, y=y, ax=axes, color=color, marker="o", s=49, zorder=3, legend=False, edgecolor="white",
                    linewidth=0.6)
    axes.set(xlabel="", ylabel="")


def beside(axes: Any, x: Sequence[float], y: Sequence[float], texts: Sequence[str]) -> list[dict[str, Any]]:
    """Where the labels of marks may stand so that none lies over another: keywords of ``annotate``, one set per mark.

    Limits and axis labels must be set. Hitting a label or the frame costs much, a mark little, then the order counts.
    """
    axes.figure.draw_without_rendering()
    at, frame = axes.transData.transform(np.column_stack([x, y])), axes.get_window_extent().extents
    sides = [(1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1)]
    boxes = np.empty((len(texts), len(sides), 4))
    for i, text in enumerate(texts):
        wide, tall = 12 * sum(1.0 if ord(c) >= 0x2E80 else 0.58 for c in text), 14.0
        for k, (h, v) in enumerate(sides):
            left = at[i, 0] + (8 * h if h >= 0 else -8 - wide) - (wide / 2 if h == 0 else 0)
            low = at[i, 1] + v * (6 if h else 12) - (tall if v < 0 else 0)
            boxes[i, k] = left, low, left + wide, low + tall
    inside = (boxes[..., :2] >= frame[:2]).all(-1) & (boxes[..., 2:] <= frame[2:]).all(-1)
    marks = ((at >= boxes[:, :, None, :2] - 5) & (at <= boxes[:, :, None, 2:] + 5)).all(-1).sum(-1)
    cost = 1000 * ~inside + 40 * marks + np.arange(len(sides))
    chosen = cost.argmin(1)
    for _ in range(3):
        for i in range(len(texts)):
            others = np.delete(boxes[np.arange(len(texts)), chosen], i, axis=0)
            hit = (boxes[i, :, None, :2] < others[:, 2:] + 3) & (boxes[i, :, None, 2:] > others[:, :2] - 3)
            chosen[i] = (cost[i] + 1000 * hit.all(-1).sum(-1)).argmin()
    words = {-1: "right", 0: "center", 1: "left"}
    return [{"xytext": (8 * h, v * (6 if h else 12)), "textcoords": "offset points", "ha": words[h],
             "va": "bottom" if v > 0 else "top"} for h, v in (sides[k] for k in chosen)]
