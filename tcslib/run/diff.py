"""What differs between two runs: their inputs, their numbers, and which input can have made which number differ."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tcslib.fieldwork.source import listed
from tcslib.run.manifest import changed_keys
from tcslib.run.runs import Run, aligned
from tcslib.study.strict_yaml import clipped

# what names a row of a list; of these the first set that the row has
_NAMES = (("name",), ("item",), ("source", "target"), ("first", "second"), ("column", "group"), ("group",), ("wave",),
          ("stratum",), ("rule", "detail"), ("step",), ("term",), ("statistic",), ("construct",),
          ("low_edge", "high_edge"))
_FIRST = ("index", "constructs", "paths", "nps", "loyalty", "n", "r2", "total_effects", "segments", "brands", "items")
_POINTS = {"score", "estimate"}
_NO_RESULT = {"id", "version", "client", "wave", "settings", "data"}          # inputs, told as such
_EVERYWHERE = {"library", "software", "python", "platform"}
SHOWN = 20

Address = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """A number, or a word, that differs; ``old`` and ``new`` as results.json holds them."""

    address: Address
    old: Any
    new: Any
    made_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """Two results compared: what differs, rows only one of them has, how much is equal or differs as noise does."""

    changed: list[Change]
    only_old: list[Address]
    only_new: list[Address]
    noise: int
    same: int


def leaves(found: Mapping[str, Any]) -> dict[Address, Any]:
    """Every number and word of results.json by its address; rows of lists go by their names, not their places."""
    tables = {name: [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
              for name, table in found.get("tables", {}).items()
              if name.removesuffix("_figure") == name or name.removesuffix("_figure") not in found["tables"]}
    kept = {k: v for k, v in found.items() if k not in _NO_RESULT | {"tables"}} | {"tables": tables}
    return dict(_leaves(kept, ()))


def _leaves(value: Any, address: Address) -> Iterator[tuple[Address, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, (*address, str(key)))
    elif isinstance(value, list):
        seen: dict[str, int] = {}
        for number, part in enumerate(value, 1):
            name = _name(part, number)
            seen[name] = seen.get(name, 0) + 1
            yield from _leaves(part, (*address, f"[{name}]" if seen[name] == 1 else f"[{name} #{seen[name]}]"))
    else:
        yield address, value


def _name(row: Any, number: int) -> str:
    if isinstance(row, str):
        return row
    if not isinstance(row, Mapping):
        return str(number)
    keys: Sequence[str] = next((k for k in _NAMES if set(k) <= set(row)), [k for k in row if isinstance(row[k], str)])
    parts = [f"{row[k]:g}" if isinstance(row[k], float) else str(row[k]) for k in keys if row[k] not in {None, ""}]
    return (" → " if tuple(keys) == ("source", "target") else ", ").join(parts) or str(number)


def equal(old: Any, new: Any) -> bool:
    """Equal to six significant digits; what is not a number, altogether."""
    if _number(old) and _number(new):
        return math.isclose(old, new, rel_tol=1e-6, abs_tol=1e-9)
    return bool(old == new)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    """Two contents of results.json, address by address."""
    a, b = leaves(old), leaves(new)
    both = [address for address in b if address in a]
    changed = sorted((Change(k, a[k], b[k]) for k in both if not equal(a[k], b[k])), key=_relevance)
    same = sum(a[k] == b[k] for k in both)
    return Changes(changed, _only(a, b), _only(b, a), len(both) - same - len(changed), same)


def _only(these: Mapping[Address, Any], those: Mapping[Address, Any]) -> list[Address]:
    """Rows, tables or values those do not have, each by the shortest address they lack."""
    there = {address[:k] for address in those for k in range(1, len(address) + 1)}
    return list(dict.fromkeys(next(address[:k] for k in range(1, len(address) + 1) if address[:k] not in there)
                              for address in these if address not in those))


def _relevance(change: Change) -> tuple[bool, bool, int]:
    """Tables last, they repeat much; estimates before what is said of them; then by what the report leads with."""
    top = change.address[0]
    return (top == "tables", change.address[-1] not in _POINTS, _FIRST.index(top) if top in _FIRST else len(_FIRST))


def dotted(address: Address) -> str:
    """``paths[Image → Loyalty].estimate``."""
    return ".".join(address).replace(".[", "[")


def made_by(address: Address, old: Run, new: Run, inputs: Sequence[str]) -> tuple[str, ...]:
    """Of the inputs that changed, those that can reach a number through the stages that told it."""
    told = old.manifest.get("stages", {}), new.manifest.get("stages", {})
    place = ".".join(address[:2]) if address[0] == "tables" else address[0]
    stages = {name for half in told for name, said in half.items() if place in said["results"]}
    if not stages:
        return tuple(inputs)
    reached = set().union(*(_reach(stage, *told, inputs) for stage in stages))
    return tuple(i for i in inputs if i in reached)


def _reach(stage: str, old: Mapping[str, Any], new: Mapping[str, Any], inputs: Sequence[str]) -> set[str]:
    a, b = old.get(stage, {}), new.get(stage, {})
    reads = {*a.get("reads", ()), *b.get("reads", ())}
    out = set()
    for name in inputs:
        part, _, rest = name.partition(".")
        if (part in _EVERYWHERE or rest == f"{stage}.ipynb" or (part == "data" and "data" in reads)
                or (part == "waves" and "compare" in reads) or (part == "frame" and "frame" in reads)
                or (part == "params" and rest.split(".")[0] in reads)):
            out.add(name)
    before = a.get("loads", {}), b.get("loads", {})
    for name in {*before[0], *before[1]}:
        if before[0].get(name) != before[1].get(name):          # what it loaded differs: so may all that made it
            for came in filter(None, (half.get(name) for half in before)):
                out |= _reach(came[0], old, new, inputs)
    return out


def inputs_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Addresses of the inputs that differ; a data file by another name or content is one, ``data``."""
    keys = changed_keys(dict(old), dict(new))
    return list(dict.fromkeys("data" if k.startswith("data.") else k for k in keys))


def diff(old: Run, new: Run, everything: bool = False) -> list[str]:
    """The difference between two runs as lines to print."""
    inputs = inputs_changed(old.manifest["inputs"], new.manifest["inputs"])
    found = compare(old.results(), new.results())
    out = [f"{old.name} → {new.name}", "", "What they were made of:" if inputs else "They were made of the same."]
    out += [f"  {line}" for line in aligned([[name, _change(old, new, name)] for name in inputs])] if inputs else []
    total = found.same + found.noise + len(found.changed)
    out += ["", f"{len(found.changed):,} of {total:,} results differ" + (":" if found.changed else ".")]
    shown = found.changed if everything else found.changed[:SHOWN]
    rows = [["", old.folder.name, new.folder.name, "difference", "can come of"]] if shown else []
    rows += [[dotted(c.address), printed(c.old), printed(c.new),
              f"{c.new - c.old:+.6g}" if _number(c.old) and _number(c.new) else "",
              listed([*made_by(c.address, old, new, inputs)], 3) or "none of the inputs"] for c in shown]
    out += [f"  {line}" for line in aligned(rows, right={1, 2, 3})] if rows else []
    if len(shown) < len(found.changed):
        out.append(f"  and {len(found.changed) - len(shown):,} more; --all lists them.")
    for run, only in ((old, found.only_old), (new, found.only_new)):
        if only:
            most = only if everything else only[:SHOWN]
            out += ["", f"Only in {run.name}: {len(only):,}", *(f"  {dotted(address)}" for address in most)]
            out += [f"  and {len(only) - len(most):,} more; --all lists them."] if len(most) < len(only) else []
    if found.noise:
        out += ["", f"{found.noise:,} more differ by less than six significant digits show."]
    return out


def printed(value: Any) -> str:
    """A result as a line shows it."""
    if _number(value):
        return f"{value:.6g}"
    return "–" if value is None else clipped(str(value), 40)


def _change(old: Run, new: Run, name: str) -> str:
    """Old and new value of an input; of a file, its name, for its hash tells nobody anything."""
    before, after = old.manifest["inputs"], new.manifest["inputs"]
    if name == "data":
        return " → ".join(dict.fromkeys([*before["data"], *after["data"]]))
    if name.split(".")[0] in {"library", "notebooks"}:
        return "changed"
    for part in _steps(name, before, after):
        before, after = ((half or {}).get(part) for half in (before, after))
    return " → ".join(clipped(json.dumps(half, ensure_ascii=False), 50) for half in (before, after))


def _steps(name: str, before: Any, after: Any) -> Iterator[str]:
    """The keys of a dotted address, of which some hold dots themselves."""
    while name:
        keys = {*(before if isinstance(before, dict) else ()), *(after if isinstance(after, dict) else ())}
        step = max((k for k in keys if name == k or name.startswith(f"{k}.")), key=len, default=name)
        yield step
        before, after = ((half or {}).get(step) for half in (before, after))
        name = name[len(step) + 1:]
