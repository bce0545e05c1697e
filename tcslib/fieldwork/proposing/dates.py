"""When the answers were given, by a column of dates or by the file's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from tcslib.fieldwork.proposing.profile import Profile

_YEAR_FIRST = re.compile(r"([12]\d{3})[-/.年](\d{1,2})[-/.月](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.]([12]\d{3})")
_IN_NAME = ((re.compile(r"(?<!\d)(20\d{2})[ _.-]?[Qq]([1-4])(?!\d)"), "{}Q{}"),
            (re.compile(r"(?<!\d)(20\d{2})[ _.-]?[Hh]([12])(?!\d)"), "{}H{}"),
            (re.compile(r"(?<!\d)(20\d{2})[-_.](0[1-9]|1[0-2])(?!\d)"), "{}-{}"),
            (re.compile(r"(?<!\d)(20\d{2})(?!\d)"), "{}"))


def span(p: Profile) -> tuple[date, date] | None:
    """First and last day in a column of dates; None where days cannot be told from months."""
    days = sorted(_days(p.texts))
    if not days:
        return None
    # a few odd dates are not the field's
    near = [d for d in days if abs((d - days[len(days) // 2]).days) < 400]
    return near[0], near[-1]


def _days(texts: Iterable[str]) -> list[date]:
    texts = list(texts)
    last = [found.groups() for text in texts if (found := _YEAR_LAST.match(text))]
    day_first = any(mark == "." or int(a) > 12 for a, mark, _, _ in last)
    if last and not day_first and not any(int(b) > 12 for _, _, b, _ in last):
        last = []
    parts = [(int(y), int(b), int(a)) if day_first else (int(y), int(a), int(b)) for a, _, b, y in last]
    parts += [(int(y), int(m), int(d)) for text in texts if (found := _YEAR_FIRST.match(text))
              for y, m, d in [found.groups()]]
    out = []
    for year, month, day in parts:
        try:
            # platforms write 1980-01-01 for an answer that was never sent
            out += [date(year, month, day)] if year > 1990 else []
        except ValueError:
            continue
    return out


def wave_of(day: date) -> str:
    """The quarter a day lies in."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def wave_in(name: str) -> str:
    """The wave a file's name speaks of, "" for none."""
    for pattern, form in _IN_NAME:
        if found := pattern.search(name):
            return form.format(*found.groups())
    return ""
