"""When the answers were given, by a column of dates or by the file's name."""

from __future__ import annotations

import re
from datetime import date

import pandas as pd

from tcslib.fieldwork.proposing.profile import Profile

_IN_NAME = re.compile(r"(?<!\d)(20\d{2})(?:[ _.-]?([QqHh][1-4])|[-_.](0[1-9]|1[0-2]))?(?!\d)")


def span(p: Profile) -> tuple[date, date] | None:
    """First and last day in a column of dates; None where days cannot be told from months."""
    parts = pd.Series(list(p.texts), dtype="str").str.extract(r"(\d{1,4})([-/.年])(\d{1,2})[-/.月](\d{1,4})").dropna()
    a, b, c = (parts[i].astype(int) for i in (0, 2, 3))
    year_first, year_last = a > 1000, c > 1000
    day_first = bool((parts[1][year_last] == ".").any() or (a[year_last] > 12).any())
    month_first = not day_first and bool((b[year_last] > 12).any())
    known = year_first | (year_last & (day_first or month_first))
    days = pd.to_datetime({"year": a.where(year_first, c), "month": b.where(year_first | day_first, a),
                           "day": c.where(year_first, a if day_first else b)}, errors="coerce")[known]
    # platforms write 1980-01-01 for an answer that was never sent; a few odd dates are not the field's
    days = days[days.dt.year > 1990].sort_values()
    near = days[(days - days.iloc[len(days) // 2]).dt.days.abs() < 400] if len(days) else days
    return (near.iloc[0].date(), near.iloc[-1].date()) if len(near) else None


def wave_of(day: date) -> str:
    """The quarter a day lies in."""
    return f"{day.year}Q{(day.month + 2) // 3}"


def wave_in(name: str) -> str:
    """The wave a file's name speaks of most exactly, "" for none."""
    found = max(_IN_NAME.finditer(name), key=lambda m: len(m[0]), default=None)
    if found is None:
        return ""
    year, part, month = found.groups()
    return year + (part.upper() if part else f"-{month}" if month else "")
