"""A file's columns looked at, one after the other and together, and what they are taken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tcslib.fieldwork.proposing.blocks import Block, by_stem, correlations, rest_means
from tcslib.fieldwork.proposing.constructs import Group, find_backwards, grouped
from tcslib.fieldwork.proposing.guess import Guess, Role, because
from tcslib.fieldwork.proposing.items import ratings
from tcslib.fieldwork.proposing.profile import Profile, profiles
from tcslib.fieldwork.proposing.roles import told
from tcslib.fieldwork.proposing.scales import USUAL, Scaling, pooled, scaling, shared
from tcslib.fieldwork.proposing.words import is_only, role_word, says
from tcslib.fieldwork.tables import Table

_ONE_OF = ("id", "weight", "duration", "nps")


@dataclass
class Proposal:
    """What a file is taken for.

    Attributes
    ----------
    columns
        A guess for each named column, in the file's order.
    profiles
        What each holds.
    groups
        The constructs.
    strength
        How closely each construct goes along with everything rated.
    codes
        Codes for no answer whose kind the file does not tell, with the kind assumed.
    unreadable
        Items whose answers are no numbers; a study must leave them out.
    """

    columns: dict[str, Guess]
    profiles: dict[str, Profile]
    groups: list[Group]
    strength: dict[str, float] = field(default_factory=dict)
    codes: dict[float, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of records."""
        return next((p.n for p in self.profiles.values()), 0)

    def of(self, role: Role) -> list[str]:
        """The columns of a role."""
        return [name for name, guess in self.columns.items() if guess.role == role]

    @property
    def unreadable(self) -> list[str]:
        """Items no study can read yet."""
        return [name for name, guess in self.columns.items() if guess.unreadable]


def propose(table: Table) -> Proposal:
    """Roles, scales, codes, constructs and design of a file's columns."""
    found = profiles(table)
    guesses: dict[str, Guess] = {}
    short: list[Profile] = []
    for p in found:
        if (guess := told(p)) is None:
            short.append(p)
        else:
            guesses[p.name] = guess
    r = correlations(short) if short else pd.DataFrame()
    rest, part = rest_means(short, r) if short else ({}, {})
    # text answers have stems too, so that they are gathered into the blocks they belong to
    words = [p for p in found if p.name in guesses and guesses[p.name].unreadable]
    blocks = by_stem(sorted([*short, *words], key=lambda p: p.at))
    numeric = [Block(b.stem, [p for p in b.columns if p in short], b.named) for b in blocks]
    guesses |= ratings([b for b in numeric if b.columns], r, rest)
    _one_of_each(guesses, {p.name: p for p in found})
    groups = grouped(blocks, guesses, r)
    unnamed = _scales(groups, guesses, rest, rest_means(short, r, inner=True)[0] if short else {})
    find_backwards(groups, guesses, r, part)
    _design(guesses, {p.name: p for p in found})
    strength = {g.name: float(np.mean([abs(part.get(p.name, 0.0)) for p in g.items])) for g in groups}
    return Proposal({p.name: guesses[p.name] for p in found}, {p.name: p for p in found}, groups, strength, unnamed)


def _scales(groups: Sequence[Group], guesses: Mapping[str, Guess], rest: Mapping[str, np.ndarray],
            inner: Mapping[str, np.ndarray]) -> dict[float, str]:
    """Scale and codes of every construct's items; columns of a block that reach further have a scale of their own."""
    blocks = []
    for group in groups:
        items = [p for p in group.items if not guesses[p.name].unreadable and guesses[p.name].scale != "percent"]
        if items:
            blocks.append(items)
    known: list[tuple[int, int]] = []
    for items in blocks:
        first = scaling(items, rest, inner)
        if not first.asks and (first.low, first.high) in USUAL and (first.low, first.high) not in known:
            known.append((first.low, first.high))
    unnamed: dict[float, str] = {}
    scalings = shared([scaling(items, rest, inner, known) for items in blocks], blocks)
    doubted = {a.values["value"] for found in scalings for a in found.asks if a.key in {"may_be_code", "acts_as_code"}}
    for items, found in zip(blocks, scalings, strict=True):
        # an end of the scale that is doubtful in one block is doubtful in all
        found.asks += [because("may_be_code", value=end) for end in (found.low, found.high) if str(end) in doubted
                       and because("may_be_code", value=end) not in found.asks]
        # so is a number beside the scale that may belong to it
        found.asks += [a for other in scalings if other is not found and other.text == found.text for a in other.asks
                       if a.key == "stray" and a not in found.asks
                       and a.values["value"] in {str(found.low - 1), str(found.high + 1)}]
        # and one block on 0-10 makes another on 1-10, whose ones are rare, doubtful
        counts = pooled(items)
        if any(other.high == found.high and other.low == found.low - 1 for other in scalings) and (
                counts.get(found.low, 0) < 0.03 * sum(counts.values())):
            found.asks.append(because("scale_unusual", low=found.low, high=found.high))
        for p in items:
            _tell(guesses[p.name], p, found)
        unnamed |= {code: found.codes[code] for code in found.unnamed}
    return unnamed


def _tell(guess: Guess, p: Profile, found: Scaling) -> None:
    guess.scale = found.text
    guess.codes = {code: kind for code, kind in found.codes.items() if code in p.counts}
    guess.because = because(found.because.key, column=p.name, **found.because.values) if (
        guess.because.key in {"goes_along", "concept", "rating_labels"}) else guess.because
    for one in found.asks:
        guess.ask(one.key, **one.values)
    inside = [v for v in p.counts if found.holds(v)]
    # a column that uses only the lower half of its block's scale may have one of its own
    if inside and max(inside) <= (found.low + found.high) / 2 and p.n >= 60:
        guess.ask("own_scale", scale=found.text, high=f"{max(inside):g}")


def _one_of_each(guesses: dict[str, Guess], found: Mapping[str, Profile]) -> None:
    """One id, one weight, one length, one recommendation question: the best named stays, all are asked about."""
    for role in _ONE_OF:
        names = [name for name, guess in guesses.items() if guess.role == role]
        if len(names) < 2:
            continue
        best = min(names, key=lambda n: (not is_only(n, "roles", role), bool(guesses[n].asks), found[n].at))
        for name in names:
            if name == best:
                guesses[name].ask("best_of", role=role, others=", ".join(n for n in names if n != best))
            else:
                now: Role = "item" if role == "nps" else "ignore"
                guesses[name] = Guess(name, now, because("second", role=role, best=best)).ask("second", role=role,
                                                                                            best=best)


def _design(guesses: Mapping[str, Guess], found: Mapping[str, Profile]) -> None:
    """Categories that may be strata, sampling units or brands; always asked."""
    for name, guess in guesses.items():
        if guess.role != "category":
            continue
        p = found[name]
        for design in ("strata", "clusters"):
            word = role_word(name, p.label, design)
            if word and p.filled == p.n and 1 < p.different <= p.n / 2:
                guess.design = design
                guess.ask(f"is_{design}", word=word, different=p.different)
                break
        else:
            if says(name, "roles", "brand") and 2 <= p.different <= 12:
                guess.design = "brand"
