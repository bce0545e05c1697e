"""A model for the constructs found: a shipped one where they fit it, else drivers → satisfaction → loyalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tcslib.fieldwork.proposing.constructs import Group
from tcslib.fieldwork.proposing.guess import Because, because
from tcslib.fieldwork.proposing.words import concept_of_stem, same_concept
from tcslib.study.models import preset_names, read_preset

LEAST = 4          # constructs of a shipped model that must be there before it is proposed


@dataclass
class ModelGuess:
    """A model as a study holds it, ``said``; its items, and the group of items behind each of its constructs."""

    said: dict[str, Any]
    items: list[str]
    groups: dict[str, Group]
    because: Because
    asks: list[Because] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the preset, else ``own``."""
        return self.said.get("preset", "own")


def model_for(groups: Sequence[Group], strength: Mapping[str, float], wanted: str = "", nps: str = "") -> ModelGuess:
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
    fits = [_fit(name, groups) for name in preset_names() if wanted in {"", name}]
    usable = [f for f in fits if f is not None and (wanted or len(f.groups) >= LEAST)]
    if usable:
        # a preset takes only what it knows: one that would leave constructs of the file out is worse than own paths
        best = max(usable, key=lambda f: (len(f.groups), "constructs" not in f.said, -len(f.said.get("without", []))))
        if wanted or len(best.groups) == len(groups):
            return best
    return _own(groups, strength, nps)


def _fit(name: str, groups: Sequence[Group]) -> ModelGuess | None:
    preset = read_preset(name)
    found: dict[str, Group] = {}
    own: dict[str, list[str]] = {}
    for construct, said in preset["constructs"].items():
        about = same_concept(construct) or concept_of_stem(construct)
        taken = {g.name for g in found.values()}
        group = next((g for g in groups if {p.name for p in g.items} & set(said["items"])), None) or next(
            (g for g in groups if g.concept and g.concept == about and g.name not in taken), None)
        if group is not None:
            found[construct] = group
            if {p.name for p in group.items} != set(said["items"]):
                own[construct] = [p.name for p in group.items]
    without = [c for c in preset["constructs"] if c not in found]
    linked = {c for path in preset["paths"] if not set(path) & set(without) for c in path}
    if preset["target"] in without or not set(found) <= linked:
        return None
    said = {"preset": name} | ({"without": without} if without else {}) | ({"constructs": own} if own else {})
    asks = [because("preset", preset=name, names=", ".join(f"{g.name} = {c}" for c, g in found.items()))]
    return ModelGuess(said, [p.name for g in found.values() for p in g.items], found, because(
        "preset", preset=name, n=len(found), total=len(preset["constructs"])), asks if own or without else [])


def _own(groups: Sequence[Group], strength: Mapping[str, float], nps: str) -> ModelGuess:
    """Every other construct → satisfaction → loyalty, complaints between the two."""
    # a lone column of which it is not even sure that it rates anything is no construct to build on
    firm = [g for g in groups if len(g.items) > 1 or g.concept]
    groups = firm if len(firm) > 1 else groups
    constructs = {g.name: [p.name for p in g.items] for g in groups}
    if len(groups) == 1:          # the smallest model that can be estimated: with the recommendation, or the last item
        name, items = next(iter(constructs.items()))
        if nps:
            constructs["Recommendation"] = [nps]
        elif len(items) > 1:
            constructs = {name: items[:-1], "Overall" if name != "Overall" else "Result": items[-1:]}
    out = ModelGuess({"constructs": constructs} if constructs else {}, list(chain(*constructs.values())),
                     {g.name: g for g in groups}, because("no_model"), [because("no_model")])
    if len(constructs) < 2:
        return out
    about = {g.name: g.concept for g in groups}
    satisfaction = [n for n in constructs if about.get(n) == "Satisfaction"]
    target = satisfaction[0] if satisfaction else max((n for n in constructs if about.get(n) != "Loyalty"),
                                                      key=lambda n: strength.get(n, 0.0))
    loyalty = next((n for n in constructs if about.get(n) == "Loyalty" and n != target), "")
    after = [n for n in constructs if about.get(n) == "Complaints" and loyalty]
    out.said["paths"] = [[n, target] for n in constructs if n not in {target, loyalty, *after}]
    out.said["paths"] += [[target, n] for n in after] + [[n, loyalty] for n in (target, *after) if loyalty]
    out.said |= {"target": target} | ({"loyalty": loyalty} if loyalty else {})
    out.because = because("own_paths" if loyalty else "own_target", target=target, loyalty=loyalty)
    out.asks = [out.because, *([] if satisfaction else [because("target_guessed", target=target)])]
    return out
