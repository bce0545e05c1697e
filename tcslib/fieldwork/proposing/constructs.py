"""Items gathered into constructs: by their names, by what their labels begin with, else by how they go together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tcslib.fieldwork.proposing.blocks import Block, segments
from tcslib.fieldwork.proposing.guess import FEW, Because, Guess, because
from tcslib.fieldwork.proposing.profile import Profile
from tcslib.fieldwork.proposing.words import concept_of, concept_of_stem, says, tokens

_WEAK = 0.2
_PREFIX = re.compile(r"(.{2,40}?)\s*(?:—|–|:|：| - )\s*\S")


@dataclass
class Group:
    """Items proposed as one construct; ``concept`` is what it is about where words tell, else ""."""

    name: str
    items: list[Profile]
    concept: str
    because: Because
    asks: list[Because] = field(default_factory=list)
    label: str = ""


def grouped(blocks: Sequence[Block], guesses: Mapping[str, Guess], r: pd.DataFrame) -> list[Group]:
    """The constructs; each item's guess learns its own, and what is asked of it."""
    groups: list[Group] = []
    for block in blocks:
        items = [p for p in block.columns if guesses[p.name].role == "item"]
        if items:
            groups += [_by_name(block, items)] if block.named else _unnamed(items, r)
    _name(groups)
    for group in groups:
        _judge(group, groups, r)
        for p in group.items:
            guesses[p.name].construct = group.name
            for one in group.asks:
                guesses[p.name].ask(one.key, **one.values)
    return groups


def _by_name(block: Block, items: list[Profile]) -> Group:
    concept = concept_of_stem(block.stem) or concept_of([p.label for p in items]) or concept_of([p.name for p in items])
    return Group(block.stem, items, concept, because("by_stem", stem=block.stem, n=len(items)))


def _unnamed(items: list[Profile], r: pd.DataFrame) -> list[Group]:
    """Items whose names are numbers only."""
    prefixes = [found.group(1) if (found := _PREFIX.match(p.label)) else "" for p in items]
    if len(set(prefixes)) > 1 and sum(map(bool, prefixes)) > 0.8 * len(items):
        named: dict[str, list[Profile]] = {}
        for p, prefix in zip(items, prefixes, strict=True):
            named.setdefault(prefix, []).append(p)
        return [Group(prefix, members, concept_of_stem(prefix), because("by_prefix", prefix=prefix, n=len(members)))
                for prefix, members in named.items()]
    out = [Group("", [p], concept_of([p.label]), because("by_stem", stem=p.name, n=1)) for p in items
           if p.name not in r.index]
    items = [p for p in items if p.name in r.index]
    names = [p.name for p in items]
    for run in segments(r.loc[names, names].to_numpy()) if items else ():
        near = [items[i] for i in run]
        concept = concept_of([p.label for p in near])
        one = because("by_answers", first=near[0].name, last=near[-1].name, n=len(near))
        out.append(Group("", near, concept, one, [because("by_answers")]))
    return out


def _name(groups: Sequence[Group]) -> None:
    """Names of constructs: what they are about, else their stem, each once."""
    taken: set[str] = set()
    for number, group in enumerate(groups, 1):
        latin = re.sub(r"[^A-Za-z0-9_]+", "", group.name)
        plain = group.concept or (latin if tokens(latin) and latin == group.name else "") or f"Construct{number}"
        plain = plain[:1].upper() + plain[1:]
        if plain in taken:
            group.asks.append(because("twice", concept=plain))
            plain = latin[:1].upper() + latin[1:] if latin and latin not in taken else f"{plain}{number}"
        while plain in taken:
            plain += "x"
        taken.add(plain)
        group.label = group.name if group.name and group.name != plain and not group.name.isascii() else ""
        group.name = plain


def _judge(group: Group, groups: Sequence[Group], r: pd.DataFrame) -> None:
    """Ask about a construct of one item, and about one whose items go together no more than with the rest."""
    names = [p.name for p in group.items if p.name in r.index]
    if len(group.items) == 1:
        group.asks.append(because("single", item=group.items[0].name))
        return
    if len(names) < 2 or group.items[0].n < FEW:
        group.asks.append(because("few_records", n=group.items[0].n))
        return
    inside = np.abs(r.loc[names, names].to_numpy())[np.triu_indices(len(names), 1)]
    others = [p.name for g in groups if g is not group for p in g.items if p.name in r.index]
    across = float(np.abs(r.loc[names, others].to_numpy()).mean()) if others else 0.0
    if inside.mean() < _WEAK or inside.mean() < across:
        group.asks.append(because("loose", stem=group.name, inside=f"{inside.mean():.2f}", across=f"{across:.2f}"))


def find_backwards(groups: Sequence[Group], guesses: Mapping[str, Guess], r: pd.DataFrame,
                   part: Mapping[str, float]) -> None:
    """Ask about items that run against their block, or that word a fault and go along with nothing."""
    for group in groups:
        names = [p.name for p in group.items if p.name in r.index]
        for p in group.items:
            if p.name not in names or p.n < FEW:
                continue
            others = [n for n in names if n != p.name]
            # of two items that run against each other, the one that runs against the questionnaire
            tie = float(r.loc[p.name, others].mean()) if len(others) > 1 else None
            least = -0.05 if len(names) > 1 else -0.1
            against = tie < -2.5 / np.sqrt(p.n) if tie is not None else part[p.name] < least
            word = says(f"{p.name} {p.label}", "roles", "negative")
            if against or (word and tie is not None and abs(tie) < 0.1):
                guesses[p.name].ask("backwards", r=f"{tie if tie is not None else part[p.name]:.2f}", word=word or "–")
