"""Words and numbers as print, in the report's language. Every sentence of the report is data in ``phrases/``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tcslib.study.strict_yaml import read_yaml

MINUS, DASH = "−", "–"


@cache
def phrases(language: str) -> Mapping[str, str]:
    """All phrases of a language by dotted key."""
    with resources.as_file(resources.files("tcslib.report").joinpath("phrases", f"{language}.yaml")) as path:
        nested, _ = read_yaml(Path(path), f"phrases/{language}.yaml")
    out: dict[str, str] = {}

    def flatten(part: Mapping[str, Any], prefix: str) -> None:
        for key, value in part.items():
            if isinstance(value, Mapping):
                flatten(value, f"{prefix}{key}.")
            else:
                out[prefix + key] = "" if value is None else str(value)

    flatten(nested, "")
    return out


class Words:
    """Phrases and number formats of one language.

    ``manners`` name sections of the phrases that say some of them otherwise, first come first: *complete*
    (a census everybody answered), *census*, *equal* (outer weights).
    """

    def __init__(self, language: str, manners: Sequence[str] = ()) -> None:
        self.language, self.manners = language, tuple(manners)
        self._phrases = phrases(self.language)

    def __call__(self, key: str, **values: Any) -> str:
        """The phrase with its blanks filled; numbers among the values must be formatted already."""
        said = next((name for m in self.manners if (name := f"{m}.{key}") in self._phrases), key)
        return self._phrases[said].format(**values)

    def has(self, key: str) -> bool:
        """Whether there is such a phrase."""
        return key in self._phrases

    def known(self, section: str, name: str) -> str:
        """The phrase ``<section>.<name>``, or the name where a study has made it up."""
        return self._phrases.get(f"{section}.{name}", name)

    def number(self, x: float | None, decimals: int = 1, signed: bool = False) -> str:
        """A number with a true minus, grouped thousands, and a dash where it is not defined."""
        if x is None or not math.isfinite(x):
            return DASH
        rounded = round(float(x), decimals) + 0.0          # + 0.0 turns -0.0 into 0.0
        text = f"{abs(rounded):,.{decimals}f}"
        sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
        return sign + text

    def share(self, x: float | None) -> str:
        """A share of 0–1 as whole percent; a share that rounds to 0 or 100 without being it says so."""
        if x is None or not math.isfinite(x):
            return DASH
        if 0 < x < 0.005:
            return "<1%"
        if 0.995 < x < 1:
            return ">99%"
        return f"{self.number(x * 100, 0)}%"

    def interval(self, low: float, high: float, decimals: int = 1, signed: bool = False) -> str:
        """``71.0 to 74.0``, or what stands for it, see ``no_interval``."""
        return self.no_interval(low, high) or self("format.interval", low=self.number(low, decimals, signed),
                                                   high=self.number(high, decimals, signed))

    def share_interval(self, low: float, high: float) -> str:
        """The same of two shares."""
        return self.no_interval(low, high) or self("format.interval", low=self.share(low), high=self.share(high))

    def no_interval(self, low: float | None, high: float | None) -> str:
        """A dash where there is no interval or none of any width; of a census, that the figure is exact; else empty."""
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            return DASH
        if high - low > 1e-9 * max(1.0, abs(low)):
            return ""
        return self("format.exact") if "census" in self.manners else DASH

    def listed(self, names: list[str]) -> str:
        """``a, b and c``."""
        if len(names) < 2:
            return "".join(names)
        return self("format.list_end", most=self.parted(names[:-1]), last=names[-1])

    def parted(self, names: Iterable[str]) -> str:
        """``a, b, c``."""
        return self("format.list_join").join(names)

    def series(self, parts: Iterable[str]) -> str:
        """``a; b; c``."""
        return self("format.series_join").join(parts)

    def sentences(self, *parts: str) -> str:
        """Whole sentences after one another: a blank between them in English, nothing in Chinese."""
        return self("format.gap").join(p for p in parts if p)

    def clauses(self, parts: Iterable[str]) -> str:
        """Parts of a line of settings, each a sentence without its full stop; the last gets it on the page."""
        return self("format.gap").join(self.ended(p) for p in parts if p)

    def ended(self, text: str) -> str:
        """The text with a full stop at its end, unless it ends as a sentence does."""
        return text if not text or text[-1] in ".!?。！？…" else text + self("format.stop")

    def dates(self, start: str, end: str) -> str:
        """From one day to another, written ``2026-07-06``; what is written otherwise stays so."""
        try:
            one, two = date.fromisoformat(start), date.fromisoformat(end)
        except ValueError:
            return self("format.interval", low=start, high=end)
        return self("format.dates_one_year" if one.year == two.year else "format.dates", year=one.year, month=one.month,
                    day=one.day, to_year=two.year, to_month=two.month, to_day=two.day)

    def wave(self, wave: str) -> str:
        """A period, 2026, 2026H1, 2026Q3 or 2026-09, as readers write it."""
        year, part = wave[:4], wave[4:].removeprefix("-")
        if not part:
            return self("wave.year", year=year)
        if part.isdigit():
            return self("wave.month", year=year, month=int(part))
        return self(f"wave.{part}", year=year)
