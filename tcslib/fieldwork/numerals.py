"""Cells that should be numbers: read as such, repaired by a named rule, made missing, or refused with their place.

Every distinct text is judged once, however often it occurs, so that the judging may be as careful as it likes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.fieldwork.source import Source, also, quoted
from tcslib.fieldwork.tables import Repair, repaired

Role = Literal["item", "duration", "weight"]
SUFFIXES = {"item": ("分", "点"), "duration": ("秒", "s"), "weight": ()}

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_COMMA = re.compile(r"[-+]?(?:[0-9]+,[0-9]+|,[0-9]+)\Z")
# a comma that cannot part thousands: after a 0 or four digits and more, or before other than three digits
_DECIMAL = re.compile(r"[-+]?(?:0?,[0-9]+|[0-9]+,(?:[0-9]{1,2}|[0-9]{4,})|[0-9]{4,},[0-9]+)\Z")
_POINT = re.compile(r"[-+]?[0-9]*\.[0-9]+\Z")
_REFUSED = {
    re.compile(r"[-+]?(?:inf|infinity)\Z", re.I): "is not a finite number. Correct it, or leave the cell empty.",
    re.compile(r"(?:true|false)\Z", re.I): "is a truth value where a number is expected. Export codes, not labels.",
    re.compile(r"[-+]?[0-9.,]+ ?%\Z"): "is a percentage where a number is expected. Write it without the sign.",
    re.compile(r"[-+]?[0-9]{1,3}(?:(?P<mark>[., '])[0-9]{3})(?:(?P=mark)[0-9]{3})*[.,][0-9]+\Z"
               r"|[-+]?[0-9]{1,3}(?:(?:[ '][0-9]{3})+|(?:\.[0-9]{3}){2,}|(?:,[0-9]{3}){2,})\Z"):
        "has thousands separators. Write numbers without them.",
    re.compile(r"[-+]?[0-9]*,[0-9]+\Z"):
        "has a comma. Write decimals with a point and no thousands separators, or, where the comma stands before "
        "decimals, state data.decimal.",
    re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}(?:[ T].*)?\Z|[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?\Z"):
        "is a date or a time where a number is expected; spreadsheets make dates of some scores. Enter it again in a "
        "column formatted as number.",
    re.compile(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!|SPILL!|CALC!)\Z"):
        "is an error of the spreadsheet. Correct the formula, or leave the cell empty.",
}


@dataclass(frozen=True)
class Numbers:
    """A column as float64, NaN for what is empty or became missing; what was changed, and what cannot stay.

    ``text_rows`` are the positions of the records whose text became missing.
    """

    values: np.ndarray
    repairs: list[Repair]
    faults: list[InputRefused]
    text_rows: np.ndarray


def decimal_comma(columns: Sequence[pd.Series]) -> bool:
    """Whether columns of numbers plainly have a comma before their decimals: ``4,5`` somewhere, ``4.5`` nowhere."""
    texts = {text for column in columns if column.dtype != float for text in pd.unique(column)}
    plain = {unicodedata.normalize("NFKC", text).strip() for text in texts if any(mark in text for mark in ",，.")}
    return any(map(_DECIMAL.match, plain)) and not any(map(_POINT.match, plain))


@lru_cache(maxsize=10_000)          # a hundred items share a handful of texts
def judged(text: str, role: Role, decimal: str = ".") -> tuple[float, str, str]:
    """One text as a number, with a point or a comma before decimals.

    Returns
    -------
    The number or NaN; the rule that changed the text ("" when none did); why it must be refused ("" when it need not).
    """
    if decimal == "," and _POINT.match(text.strip()):
        return np.nan, "", "has a point where decimals have a comma. Correct it, or data.decimal."
    if _NUMBER.match(text):
        return _finite(float(text), "")
    plain = text.strip().strip("\ufeff\u200b")
    rule = "blanks"
    if not plain.isascii() and not _raised(plain):
        plain, rule = unicodedata.normalize("NFKC", plain).strip(), "full_width"
    if text and not plain:
        return np.nan, "blanks", ""
    if not text or _NUMBER.match(plain):
        return _finite(float(plain), rule) if text else (np.nan, "", "")
    for number in [plain, *(plain.removesuffix(s).rstrip() for s in SUFFIXES[role] if plain.endswith(s))]:
        if decimal == "," and _COMMA.match(number):
            return _finite(float(number.replace(",", ".")), "decimal_comma")
        if _NUMBER.match(number) and not (decimal == "," and _POINT.match(number)):
            return _finite(float(number), "suffix")
    for pattern, why in _REFUSED.items():
        if pattern.match(plain):
            return np.nan, "", why
    if role == "weight":
        return np.nan, "", "is text where a weight or a population size is expected. Correct it."
    return np.nan, "text_missing", ""


def _finite(value: float, rule: str) -> tuple[float, str, str]:
    if np.isfinite(value):
        return value, rule, ""
    return np.nan, "", "is too large to be a number. Correct it, or leave the cell empty."


def _raised(text: str) -> bool:
    """Whether compatibility forms would turn 8² into 82."""
    return any(unicodedata.decomposition(c).startswith(("<super>", "<sub>", "<fraction>")) for c in text)


def numbers_of(column: pd.Series, name: str, role: Role, source: Source, place: Callable[[int, str], str],
               lines: np.ndarray, limit: float, decimal: str = ".") -> Numbers:
    """A column of the file as numbers.

    Parameters
    ----------
    column
        Float64 as the file has it, or text.
    name, role
        The column's name, and what its numbers are: answers, seconds or weights.
    source, place, lines
        The file, where a cell of it is, and the records' lines.
    limit
        Largest share of answers that may become missing because they are no numbers.
    decimal
        What stands before decimals.
    """
    if column.dtype == float:
        values = column.to_numpy()
        texts, codes = np.array(["inf"]), np.where(np.isinf(values), 0, -1)
        verdicts = [judged("inf", role)]
    else:
        codes, distinct = pd.factorize(column)
        texts = np.asarray(distinct, dtype=object)
        verdicts = [judged(text, role, decimal) for text in texts]
        values = np.array([v[0] for v in verdicts], dtype=float)[codes] if len(texts) else np.empty(0)
    repairs, faults, text_rows = [], [], np.empty(0, dtype=int)
    for rule in ("blanks", "full_width", "decimal_comma", "suffix", "text_missing"):
        rows = _rows_where(codes, [v[1] == rule for v in verdicts])
        repairs += repaired(rule, name, lines[rows])
        if rule == "text_missing" and len(rows):
            text_rows = rows
            answered = int((column != "").sum())
            if len(rows) > limit * answered:
                examples = [f"{place(row, name)} {quoted(texts[codes[row]])}" for row in rows[:4]]
                faults.append(source.refused(
                    f"{len(rows)} of {answered} answers ({len(rows) / answered:.0%}) are no numbers: "
                    f"{', '.join(examples)}. Export codes instead of labels; up to {limit:.0%} would become missing "
                    "(cleaning.out_of_scale_limit).", f'column "{name}"'))
    for why in dict.fromkeys(v[2] for v in verdicts if v[2]):
        rows = _rows_where(codes, [v[2] == why for v in verdicts])
        if len(rows):
            others = also([place(row, name) for row in rows[1:]])
            faults.append(source.refused(f'column "{name}": {quoted(texts[codes[rows[0]]])} {why}{others}',
                                         place(rows[0], name)))
    return Numbers(values, repairs, faults, text_rows)


def _rows_where(codes: np.ndarray, chosen: list[bool]) -> np.ndarray:
    """Positions of the records whose text is among the chosen ones; a code of -1 is none of them."""
    if not any(chosen):
        return np.empty(0, dtype=int)
    return np.flatnonzero(np.append(chosen, False)[codes])
