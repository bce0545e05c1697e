"""What a column holds, before anything is made of it: numbers or text, how many different ones, what they look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tcslib.fieldwork.numerals import decimal_comma, judged
from tcslib.fieldwork.tables import Table, number_text

MOSTLY = 0.9          # of the cells with something in them; the rest is dirt
_FORMS = {
    "ip": re.compile(r"(?:\d{1,3}\.){3}\d{1,3}(?:\s*[(（].*)?\Z"),
    "email": re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}\Z"),
    "phone": re.compile(r"(?:1[3-9]\d{9}|\+\d[\d ()-]{7,}\d|0\d{2,3}-\d{7,8})\Z"),
    "date": re.compile(r"(?:[12]\d{3}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2}))"
                       r"(?:[ T].*)?\Z"),
    "clock": re.compile(r"\d{1,2}:\d{2}(?::\d{2})?(?:\s*[AaPp]\.?[Mm]\.?)?\Z"),
    "duration": re.compile(r"\d+(?:\.\d+)?\s*(?:秒|s|sec|seconds)\Z"),
    "several": re.compile(r".+[┋;|].+"),
    "answer_code": re.compile(r"[A-Z]{1,2}\d{1,2}\Z"),
}
BLANKS = {"n/a", "na", "nan", "null", "none", ".", "-", "(跳过)", "(空)", "跳过", "空", "#n/a"}


@dataclass(frozen=True)
class Profile:
    """One column.

    Attributes
    ----------
    name, label, value_labels, missing
        As the file has them; ``value_labels`` by number for a column of numbers.
    at
        Its place among the columns, from 0.
    n, filled
        Records, and those with something in the cell.
    numbers
        (n,) float64, NaN where the cell is empty or no number; all NaN for a column of text.
    counts
        How often each number occurs, in ascending order of the numbers.
    texts
        How often each text occurs.
    form
        What most cells look like: ``ip``, ``email``, ``date`` …, "" for nothing known.
    """

    name: str
    at: int
    n: int
    filled: int
    numbers: np.ndarray
    counts: Mapping[float, int]
    texts: Mapping[str, int]
    form: str = ""
    label: str = ""
    value_labels: Mapping[float, str] = field(default_factory=dict)
    missing: tuple[tuple[float, float], ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether nearly all that stands in it are numbers."""
        return bool(self.counts)

    @property
    def different(self) -> int:
        """Number of different values."""
        # an id of eighteen digits is more different as text than as a number
        return max(len(self.counts), len(self.texts)) if self.numeric else len(self.texts)

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole ones."""
        odd = sum(count for value, count in self.counts.items() if value != round(value))
        return self.numeric and odd <= 0.01 * self.filled

    def examples(self, most: int = 3) -> str:
        """Its commonest values, for a sentence."""
        found = {number_text(v): c for v, c in self.counts.items()} if self.numeric else dict(self.texts)
        common = sorted(found, key=lambda text: -found[text])[:most]
        return ", ".join(text if len(text) <= 24 else text[:24] + "…" for text in common)


def profiles(table: Table) -> list[Profile]:
    """The columns of a table that have a name, in their order."""
    decimal = "," if table.mark != "," and decimal_comma(table.columns) else "."
    return [_profile(table, at, name, decimal) for at, name in enumerate(table.names) if name]


def _profile(table: Table, at: int, name: str, decimal: str) -> Profile:
    column = table.columns[at]
    if column.dtype == float:
        numbers, texts, form = column.to_numpy(dtype=float), {}, ""
        filled = int((~np.isnan(numbers)).sum())
    else:
        cells = column.str.strip()
        seen = cells[(cells != "").to_numpy()]
        seen = seen[~seen.str.lower().isin(BLANKS).to_numpy()]
        filled = len(seen)
        texts = {str(k): int(v) for k, v in seen.value_counts().items()}
        form = _form(texts, filled)
        numbers = _numbers(cells, texts, filled, form, decimal)
    values, times = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    labels = {}
    for value, label in table.value_labels.get(name, {}).items():
        number = judged(value, "weight")[0]
        if not np.isnan(number):
            labels[float(number)] = " ".join(label.split())
    missing = tuple((float(a), float(b)) for a, b in table.missing.get(name, ())
                    if not isinstance(a, str) and not isinstance(b, str))
    return Profile(name, at, len(column), filled, numbers,
                   {float(v): int(t) for v, t in zip(values, times, strict=True)}, texts, form,
                   " ".join(table.labels.get(name, "").split()), labels, missing)


def _numbers(cells: pd.Series, texts: Mapping[str, int], filled: int, form: str, decimal: str) -> np.ndarray:
    nothing = np.full(len(cells), np.nan)
    if not filled or form in {"ip", "date", "email"}:
        return nothing
    role = "duration" if form == "duration" else "item"
    read = {text: judged(text, role, decimal)[0] for text in texts}
    if sum(texts[text] for text, value in read.items() if not np.isnan(value)) < MOSTLY * filled:
        return nothing
    return cells.map(read).to_numpy(dtype=float)


def _form(texts: Mapping[str, int], filled: int) -> str:
    for form, pattern in _FORMS.items():
        share = MOSTLY if form != "several" else 0.2
        if filled and sum(count for text, count in texts.items() if pattern.match(text)) >= share * filled:
            return form
    return ""
