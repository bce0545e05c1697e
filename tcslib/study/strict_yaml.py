"""YAML 1.2 read strictly: what a line says is what it means, or the line is refused.

ruamel.yaml parses; this module builds the values itself from the parser's events, because the usual loaders let
through what a study must not hold: the last of two equal keys wins, an alias copies text the reader does not see,
a tag makes an object, an unquoted date turns into a datetime, ``.nan`` into a number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tcslib.errors import InputRefused, refuse_all

Address = tuple[str, ...]
MAX_BYTES, MAX_NODES, MAX_DEPTH, MAX_DIGITS, MAX_FAULTS = 1_000_000, 10_000, 30, 18, 20

_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_AMBIGUOUS = re.compile(r"(?:yes|no|on|off|y|n)\Z|"
                        r"[-+]?(?:0[0-9_]+|[0-9]+(?::[0-9]{1,2})+|0[xob][0-9a-f_]+)(?:\.[0-9]*)?\Z", re.IGNORECASE)


def dotted(address: Address) -> str:
    """``weighting.rake.region`` from its parts, fit to stand in a message."""
    return ".".join(clipped(part) for part in address)


def clipped(text: str, most: int = 60) -> str:
    """A text somebody wrote, as a message shows it: on one line, printable, shortened."""
    text = "".join(c if c.isprintable() else " " for c in text[:most + 1])
    return text if len(text) <= most else text[:most] + "…"


def meant(came: str, known: Iterable[str], otherwise: str, cutoff: float = 0.5,
          show: Callable[[str], str] = str) -> str:
    """Ask after the name that is nearest to what came, or say what to do where none is near."""
    near = difflib.get_close_matches(came, list(known), 1, cutoff)
    return f"Did you mean {show(near[0])}?" if near else otherwise


def read_yaml(path: Path, shown: str) -> tuple[dict[str, Any], dict[Address, int]]:
    """Read one file of parameters.

    Parameters
    ----------
    path
        The file.
    shown
        Its name in messages.

    Returns
    -------
    The mapping, and the line (from 1) at which each address of it begins.

    Raises
    ------
    InputRefused
        For everything the file must not hold, all faults of one reading at once.
    """
    try:
        if not path.is_file():
            raise InputRefused("there is no such file. Check the name, or make a study with the demo's as a pattern.",
                               shown)
        raw = path.read_bytes()
    except OSError as error:
        raise InputRefused(f"cannot be opened ({error.strerror or type(error).__name__}). Check that you may read it.",
                           shown) from None
    if len(raw) > MAX_BYTES:
        raise InputRefused(f"{len(raw):,} bytes of parameters; at most {MAX_BYTES:,} are read. Shorten it.", shown)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputRefused(f"line {line} is not UTF-8. Save the file as UTF-8.", shown) from None
    builder = _Builder(_events(text, shown), shown)
    value = builder.document()
    refuse_all(_at_most(builder.faults, shown))
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise InputRefused("holds a list or a single value. Write it as lines of `key: value`.", shown)
    return value, builder.lines


_UNCONFIRMED = re.compile(r"#.*?(?<![\"“])(?:please confirm|请确认)")


def unconfirmed(path: Path, shown: str) -> list[str]:
    """Places of comments that ask for a confirmation nobody has given yet: a proposal leaves such marks."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [f"{shown}:{number}" for number, line in enumerate(lines, 1) if _UNCONFIRMED.search(line)]


def _at_most(faults: list[InputRefused], shown: str) -> list[InputRefused]:
    """The first faults; how many more there are, when they are too many to read."""
    if len(faults) <= MAX_FAULTS:
        return faults
    more = InputRefused(f"holds {len(faults) - MAX_FAULTS} more faults of this kind. Correct those above first.", shown)
    return [*faults[:MAX_FAULTS], more]


def _events(text: str, shown: str) -> list[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    events: list[Any] = []
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            events.append(event)
            if len(events) > MAX_NODES:
                raise InputRefused(f"more than {MAX_NODES:,} entries. A study needs far fewer: shorten it.", shown)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = (error.problem or "cannot be read").strip()
        if "\t" in (text.splitlines() or [""])[min(line, len(text.splitlines())) - 1]:
            raise InputRefused(f"line {line} holds a tab where YAML allows none. Use spaces.", shown) from None
        raise InputRefused(f"line {line} is not valid YAML ({problem}). Indent with spaces, and quote text that holds "
                           "any of : # [ ] { }.", shown) from None
    except YAMLError as error:
        # a character YAML does not allow; the reader counts characters, people count lines
        line = text[:getattr(error, "position", 0) or 0].count("\n") + 1
        raise InputRefused(f"line {line} holds a character that is no text. Delete it, or save the file as UTF-8 "
                           "again.", shown) from None
    return events


class _Builder:
    """Values and line numbers from a list of events, with every fault met on the way."""

    def __init__(self, events: list[Any], shown: str) -> None:
        self.events = [e for e in events if type(e).__name__ not in
                       {"StreamStartEvent", "StreamEndEvent", "DocumentEndEvent", "CommentEvent"}]
        self.shown, self.position = shown, 0
        self.faults: list[InputRefused] = []
        self.lines: dict[Address, int] = {}

    def document(self) -> Any:
        starts = [e for e in self.events if type(e).__name__ == "DocumentStartEvent"]
        if len(starts) > 1:
            self._fault(starts[1], (), "a second document begins here (`---`). Keep one study to a file.")
            return {}
        self.events = [e for e in self.events if type(e).__name__ != "DocumentStartEvent"]
        return self._value(()) if self.events else None

    def _fault(self, event: Any, address: Address, message: str) -> None:
        where = f"{self.shown}: {dotted(address)}" if address else self.shown
        self.faults.append(InputRefused(f"{message} (line {event.start_mark.line + 1})", where))

    def _value(self, address: Address) -> Any:
        event = self.events[self.position]
        self.position += 1
        self.lines.setdefault(address, event.start_mark.line + 1)
        kind = type(event).__name__
        if kind == "AliasEvent":
            self._fault(event, address, f"the alias *{clipped(event.anchor)} is not allowed. Write the value out.")
            return None
        if getattr(event, "anchor", None):
            self._fault(event, address, f"the anchor &{clipped(event.anchor)} is not allowed. Write the value out.")
        if getattr(event, "tag", None) or getattr(event, "ctag", None):
            self._fault(event, address, f"the tag {clipped(str(event.tag))} is not allowed. Write a plain value.")
        if len(address) > MAX_DEPTH:
            raise InputRefused(f"nested more than {MAX_DEPTH} deep. Flatten it.", self.shown)
        if kind == "ScalarEvent":
            return self._scalar(event, address)
        return self._mapping(address) if kind == "MappingStartEvent" else self._sequence(address)

    def _sequence(self, address: Address) -> list[Any]:
        out: list[Any] = []
        while type(self.events[self.position]).__name__ != "SequenceEndEvent":
            out.append(self._value((*address, str(len(out) + 1))))
        self.position += 1
        return out

    def _mapping(self, address: Address) -> dict[Any, Any]:
        out: dict[Any, Any] = {}
        while type(self.events[self.position]).__name__ != "MappingEndEvent":
            event = self.events[self.position]
            if type(event).__name__ != "ScalarEvent":
                self._fault(event, address, "a key is a list, a mapping or an alias. Use a plain word as key.")
                self._value((*address, "?"))
                self._value((*address, "?"))
                continue
            # keys keep their text: the codes 98 and "98", the categories yes and no, mean what the file shows
            self.position += 1
            if event.anchor or event.tag:
                self._fault(event, (*address, event.value), "a key carries an anchor or a tag. Use a plain word.")
            key = event.value
            if not key.strip():
                self._fault(event, address, "a key is empty. Give it a name.")
            self.lines.setdefault((*address, key), event.start_mark.line + 1)
            if key in out:
                first = self.lines[(*address, key)]
                self._fault(event, (*address, key), f"stands twice (first in line {first}). Keep one.")
            out[key] = self._value((*address, key))
        self.position += 1
        return out

    def _scalar(self, event: Any, address: Address) -> Any:
        text = event.value
        if event.style in {"'", '"', "|", ">"}:
            return text
        if _NULL.match(text):
            return None
        if _BOOL.match(text):
            return text.lower() == "true"
        if _INT.match(text):
            if len(text) <= MAX_DIGITS:
                return int(text)
            self._fault(event, address, f"a number of {len(text)} digits. Put it in quotes if it is text.")
            return None
        if _NOT_FINITE.match(text) or (_FLOAT.match(text) and abs(float(text)) == float("inf")):
            self._fault(event, address, f"{clipped(text)} is not a finite number. Give a number, or drop the line.")
            return None
        if _AMBIGUOUS.match(text):
            said = clipped(text)
            self._fault(event, address, f'{said} can be read in two ways. Put it in quotes ("{said}") if it is text; '
                                        "write true or false, or a plain number, if it is not.")
            return None
        # a date stays the text it is; whoever needs a date reads it as one
        return float(text) if _FLOAT.match(text) else text
