"""A model for the constructs found: a shipped one where they fit it, else drivers → satisfaction → loyalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tcslib.fieldwork.proposing.constructs import Group
from tcslib.fieldwork.proposing.guess import Because, because
from tcslib.fieldwork.proposing.words import concept_of_stem, same_concept
from tcslib.study.models import preset_names, read_preset

LEAST = 4          # constructs of a shipped model that must be there before it is proposed


@dataclass
class ModelGuess:
    """A model as a study holds it: ``constructs`` only where the preset's own items are not the file's."""

    preset: str = ""
    constructs: dict[str, list[str]] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    paths: list[tuple[str, str]] = field(default_factory=list)
    target: str = ""
    loyalty: str = ""
    because: Because = field(default_factory=lambda: because("no_model"))
    asks: list[Because] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def model_for(groups: Sequence[Group], strength: Mapping[str, float], wanted: str = "",
              nps: str = "") -> ModelGuess:
    """The model proposed.

    Parameters
    ----------
    groups
        The constructs found, with items a study can read.
    strength
        How closely each construct goes along with the rest, to choose a target where none is about satisfaction.
    wanted
        A preset asked for by name; ``own`` for constructs and paths.
    nps
        The recommendation question, which stands in where there is but one construct.
    """
    names = [n for n in preset_names() if wanted in {"", n}] if wanted != "own" else []
    fits = [_fit(name, groups) for name in names]
    usable = [f for f in fits if f is not None and (wanted or len(f.names) >= LEAST)]
    if usable:
        # a preset takes only what it knows: one that would leave constructs of the file out is worse than own paths
        best = max(usable, key=lambda f: (len(f.names), not f.constructs, -len(f.without)))
        if wanted or len(best.names) == len(groups):
            return best
    return _own(groups, strength, nps)


def _fit(name: str, groups: Sequence[Group]) -> ModelGuess | None:
    preset = read_preset(name)
    out = ModelGuess(preset=name, target=preset["target"], loyalty=preset.get("loyalty", ""))
    for construct, said in preset["constructs"].items():
        known = list(said["items"])
        group = next((g for g in groups if {p.name for p in g.items} & set(known)), None)
        if group is None:
            about = same_concept(construct) or concept_of_stem(construct)
            group = next((g for g in groups if g.concept and g.concept == about and g.name not in out.names), None)
        if group is None:
            out.without.append(construct)
            continue
        out.names[group.name] = construct
        items = [p.name for p in group.items]
        if sorted(items) != sorted(known):
            out.constructs[construct] = items
    left = [p for p in preset["paths"] if not set(p) & set(out.without)]
    linked = {c for p in left for c in p}
    if out.target in out.without or not set(out.names.values()) <= linked:
        return None
    out.loyalty = "" if out.loyalty in out.without else out.loyalty
    out.because = because("preset", preset=name, n=len(out.names), total=len(preset["constructs"]))
    exact = not out.constructs and not out.without
    out.asks = [] if exact else [because("preset", preset=name, names=", ".join(
        f"{g} = {c}" for g, c in out.names.items()))]
    return out


def _own(groups: Sequence[Group], strength: Mapping[str, float], nps: str) -> ModelGuess:
    """Every other construct → satisfaction → loyalty, complaints between the two."""
    # a lone column of which it is not even sure that it rates anything is no construct to build on
    firm = [g for g in groups if len(g.items) > 1 or g.concept]
    groups = firm if len(firm) > 1 else groups
    out = ModelGuess(constructs={g.name: [p.name for p in g.items] for g in groups})
    if len(groups) == 1:
        _split(groups[0], out, nps)
    names = list(out.constructs)
    if len(names) < 2:
        out.asks = [because("no_model")]
        return out
    about = {g.name: g.concept for g in groups}
    out.target = next((n for n in names if about.get(n) == "Satisfaction"), "") or max(
        (n for n in names if about.get(n) != "Loyalty"), key=lambda n: strength.get(n, 0.0))
    found = next((n for n in names if about.get(n) == "Loyalty" and n != out.target), "")
    out.loyalty = found
    after = [n for n in names if about.get(n) == "Complaints"] if found else []
    drivers = [n for n in names if n not in {out.target, found, *after}]
    out.paths = [(d, out.target) for d in drivers]
    out.paths += [(out.target, a) for a in after]
    out.paths += [(out.target, found), *((a, found) for a in after)] if found else []
    out.because = because("own_paths", target=out.target, loyalty=found) if found else because(
        "own_target", target=out.target)
    out.asks = [out.because]
    if not any(about.get(n) == "Satisfaction" for n in names):
        out.asks.append(because("target_guessed", target=out.target))
    return out


def _split(group: Group, out: ModelGuess, nps: str) -> None:
    """The smallest model that can be estimated: one construct and the recommendation, or its last item."""
    items: list[Any] = [p.name for p in group.items]
    if nps:
        out.constructs["Recommendation"] = [nps]
    elif len(items) > 1:
        out.constructs = {group.name: items[:-1], "Overall" if group.name != "Overall" else "Result": items[-1:]}
