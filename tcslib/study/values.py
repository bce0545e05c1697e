"""Kinds of values a study's keys may hold, and why one is refused."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from tcslib.study.questionnaire import Scale

TAG = re.compile(r"\.[a-z]\Z")          # Stata's extended missing values
NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?\Z")
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
WAVE = re.compile(r"[12][0-9]{3}(?:Q[1-4]|H[12]|-(?:0[1-9]|1[0-2]))?\Z")
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def _slug(value: str) -> str:
    """Refuse what is no short name for folders and files."""
    if not SLUG.match(value) or value in RESERVED:
        raise ValueError("a short name of a-z, 0-9, _ and - is expected, such as acme. Readers see `title`.")
    return value


def _period(value: Any) -> Any:
    """Refuse what is no period."""
    value = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(value, str) and not WAVE.match(value):
        raise ValueError("a period is expected: 2026, 2026H1, 2026Q3 or 2026-09.")
    return value


def _text(value: Any) -> Any:
    """Text, or text by language, as text by language."""
    if isinstance(value, str):
        return {"": value}
    if not isinstance(value, dict) or set(value) - {"en", "zh"} or not value:
        raise ValueError("text, or {en: …, zh: …}, is expected.")
    return value


def _scale(value: Any) -> Any:
    """Refuse what is no scale."""
    try:
        Scale.parse(value)
    except (AttributeError, TypeError, ValueError):
        raise ValueError("a scale is expected, low before high: 1-10, 0-10, 1-5, 0/1 or percent.") from None
    return value


def _as_list(value: Any) -> Any:
    """One name as a list of one."""
    return [value] if isinstance(value, str) else value


def _number_key(value: Any) -> Any:
    """Refuse codes that are no numbers, and two that are the same."""
    if isinstance(value, dict):
        seen: dict[float, str] = {}
        for key in value:
            if TAG.match(str(key)):
                continue
            if not NUMBER.match(str(key)):
                raise ValueError(f'"{key}" is not a number. Missing codes are numbers with a word: {{98: dont_know}}.')
            if seen.setdefault(float(key), key) != key:
                raise ValueError(f'"{seen[float(key)]}" and "{key}" are the same number. Keep one.')
    return value


def _rising(edges: list[float]) -> list[float]:
    """Refuse edges that do not rise from 0 to 100."""
    if not 2 <= len(edges) <= 21 or edges[0] != 0 or edges[-1] != 100 or any(a >= b for a, b in pairwise(edges)):
        raise ValueError("at most 21 edges that rise from 0 to 100 are expected, such as [0, 50, 70, 85, 100].")
    return edges


_TEXT = {"type": "string"}          # as the schema for editors says it, here and below
Words = Annotated[dict[str, str], BeforeValidator(_text), WithJsonSchema({"anyOf": [_TEXT, {
    "type": "object", "properties": {"en": _TEXT, "zh": _TEXT}, "additionalProperties": False, "minProperties": 1}]})]
ScaleText = Annotated[str, BeforeValidator(_scale)]
Name = Annotated[str, Field(min_length=1)]
Codes = Annotated[dict[str, str], BeforeValidator(_number_key), WithJsonSchema({
    "type": "object", "additionalProperties": _TEXT, "propertyNames": {
        "pattern": rf"{NUMBER.pattern}|{TAG.pattern}".replace(r"\Z", "$")}})]
_ONE_OR_MORE = WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]})
Columns = Annotated[list[Name], BeforeValidator(_as_list), _ONE_OR_MORE]
Share = Annotated[float, Field(ge=0, le=1)]
OneOrMore = Annotated[list[str], BeforeValidator(_as_list), _ONE_OR_MORE]
Slug = Annotated[str, AfterValidator(_slug)]
Period = Annotated[str, BeforeValidator(_period), WithJsonSchema({"type": ["string", "integer"]})]
Edges = Annotated[list[float], AfterValidator(_rising)]
