"""A study as YAML with comments to the right of what they explain."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z0-9_]+)*\Z|[12]\d{3}(?:[QH]\d|-\d\d|-\d\d-\d\d)\Z")
_RESERVED = {"yes", "no", "on", "off", "y", "n", "true", "false", "null", "none"}
_WIDTH = 33


@dataclass(frozen=True)
class Line:
    """A value with its comment; ``off`` for one that comes into force when the ``#`` before it is taken away."""

    value: Any
    comment: str = ""
    off: bool = False


@dataclass(frozen=True)
class Section:
    """Lines and sections by key; left out when empty, commented when nothing in it is in force."""

    parts: dict[str, Line | Section]
    comment: str = ""


def flow(value: Any) -> str:
    """A value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.match(value) and value.lower() not in _RESERVED:
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if re.fullmatch(r"-?\d{1,15}", key) else flow(key)


def text_of(parts: dict[str, Line | Section], *remarks: str) -> str:
    """The file's content, below some lines of comment."""
    return "\n".join([*(f"# {_on_one_line(one)}" for one in remarks), *_lines(parts, "")]) + "\n"


def _lines(parts: dict[str, Line | Section], indent: str) -> list[str]:
    out = []
    for key, part in parts.items():
        if isinstance(part, Line):
            # pairs, such as paths, stand below one another
            inside = [f"{indent}  - {flow(pair)}" for pair in part.value] if key == "paths" else []
            off, value = part.off, "" if inside else flow(part.value)
        else:
            inside, value = _lines(part.parts, indent + "  "), ""
            off = all(line.lstrip().startswith("# ") for line in inside)
            out += [""] if inside and not indent else []
        said = f"{indent}{'# ' * off}{_key(key)}: {value}".rstrip()
        if inside or isinstance(part, Line):
            out += [f"{said:<{_WIDTH}} # {_on_one_line(part.comment)}" if part.comment.strip() else said, *inside]
    return out


def _on_one_line(comment: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in comment).split())
