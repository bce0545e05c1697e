"""Two waves' files side by side: which question is which, and what was changed about it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tcslib.fieldwork.proposing.guess import FEW, Because, because
from tcslib.fieldwork.proposing.profile import Profile
from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.fieldwork.proposing.scales import USUAL
from tcslib.study.questionnaire import Item, Scale

_MOVED = 0.75          # of a standard deviation: more than satisfaction moves from one wave to the next
_ALIKE = 0.95          # correlation of the shares of two columns' values


@dataclass
class Mapped:
    """One question in two waves; ``old`` or ``new`` is "" where it was not asked.

    ``scale`` and ``codes`` are those of the new wave where they differ; ``marks`` (wording, scale, codes) says what a
    comparison must show as changed. Where that is only suspected, the mark stands too until somebody takes it away.
    """

    old: str
    new: str
    scale: str = ""
    codes: dict[float, str] | None = None
    marks: list[str] = field(default_factory=list)
    asks: list[Because] = field(default_factory=list)

    def mark(self, what: str, key: str, **values: object) -> None:
        """Say that something was changed, and why that is thought."""
        self.marks += [what] if what not in self.marks else []
        self.asks.append(because(key, **values))


def mapped(old: Proposal, new: Proposal, items: Mapping[str, Item]) -> list[Mapped]:
    """The mapping of a study's questions to a new file, and the ratings that are new there.

    Parameters
    ----------
    old, new
        The two files as proposed.
    items
        The study's questions in the old wave, by column.
    """
    gone = [name for name in items if name not in new.profiles]
    free = [name for name, guess in new.columns.items() if name not in old.profiles
            and guess.role in {"item", "nps"} and not guess.unreadable]
    renamed = _renamed(old, new, gone, free, items)
    out = []
    for name in items:
        found, asks = renamed.get(name, ("", [because("dropped")])) if name in gone else (name, [])
        out.append(one := Mapped(name, found, asks=asks))
        if found and name in old.profiles:
            _compare(one, old.profiles[name], new.profiles[found], new, items[name])
    taken = {one.new for one in out}
    return [*out, *(Mapped("", name, asks=[because("new")]) for name in free if name not in taken)]


def _renamed(old: Proposal, new: Proposal, gone: Sequence[str], free: Sequence[str],
             items: Mapping[str, Item]) -> dict[str, tuple[str, list[Because]]]:
    """The new name of what is gone, the surest first; each name is used once, and what fits two equally fits none."""
    before, after = _neighbours(old), _neighbours(new)
    scored = []
    for name in gone:
        for other in free if name in old.profiles else ():
            place = sum(map(str.__eq__, before[name], after[other])) / 2
            if found := _alike(old.profiles[name], new.profiles[other], place, items[name]):
                scored.append((*found, name, other))
    out: dict[str, tuple[str, list[Because]]] = {}
    for score, how, name, other in sorted(scored, key=lambda s: -s[0]):
        left = [s for s in scored if s[2] not in out and s[3] not in {found for found, _ in out.values()}]
        rivals = [s for s in left if (s[2] == name or s[3] == other) and abs(s[0] - score) < 1e-9]
        if len(rivals) == 1:
            out[name] = other, [how]
    return out


def _neighbours(proposal: Proposal) -> dict[str, tuple[str, str]]:
    names = list(proposal.profiles)
    return dict(zip(names, zip(["", *names], [*names[1:], ""], strict=False), strict=True))


def _alike(a: Profile, b: Profile, place: float, item: Item) -> tuple[float, Because] | None:
    """How surely two columns are one question, and by what; ``place`` is 1 where both neighbours are the same."""
    if not any(item.scale.low <= v <= item.scale.high for v in b.counts):
        return None
    if a.label and a.label.casefold() == b.label.casefold():
        return 3.0 + place, because("by_label")
    if a.label and b.label and _near(a.label, b.label) < 0.5:
        return None
    shares = pd.DataFrame({"a": a.counts, "b": b.counts}).reindex(np.arange(item.scale.low, item.scale.high + 1))
    r = shares.fillna(0).corr().loc["a", "b"] if 2 < len(shares) < 20 else 0.0
    if place == 1.0 and r > _ALIKE:
        return 2.0 + r, because("by_answers", r=f"{r:.2f}")
    near = _near(a.name, b.name)
    if near >= 0.75 and r > 0.8 and re.findall(r"\d+", a.name) == re.findall(r"\d+", b.name):
        return 1.0 + near, because("by_name")
    return None


def _near(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a.casefold(), b.casefold()).ratio()


def _compare(one: Mapped, a: Profile, b: Profile, new: Proposal, item: Item) -> None:
    """What was changed about a question: its scale, its codes, its wording; and answers quite unlike those before."""
    guess, known = new.columns[b.name], item.missing_codes
    outside = sum(c for v, c in b.counts.items() if not _holds(item.scale, v) and v not in known)
    unsure = any(q.key in {"scale_wider", "scale_unusual", "few_records"} for q in guess.asks)
    if guess.role in {"item", "nps"} and Scale.parse(guess.scale) != item.scale and (
            outside > 0.005 * b.filled or not unsure):
        one.scale = guess.scale
    else:
        one.scale = _shortened(a, b, item)
    scale = Scale.parse(one.scale) if one.scale else item.scale
    if one.scale:
        one.mark("scale", "scale", old=item.scale, new=one.scale)
    # a code that stood for one thing may stand for another now: what both waves hold keeps its meaning
    codes = {v: known.get(v, kind) for v, kind in guess.codes.items() if not _holds(scale, v)}
    kept = codes if set(codes) - set(known) else {v: kind for v, kind in known.items() if not _holds(scale, v)}
    had = {v: a.counts[v] for v in known if v in a.counts}
    gone = not any(v in b.counts for v in had) and sum(had.values()) > 0.01 * a.filled and b.filled > 200
    if kept != known or gone:
        one.codes = kept if kept != known else None
        one.mark("codes", "codes", old=_listed(had), new=_listed(() if gone and not codes else kept))
    if a.label and b.label and _plain(a.label) != _plain(b.label):
        one.mark("wording", "wording", old=a.label, new=b.label)
    x, y = (p.numbers[(p.numbers >= item.scale.low) & (p.numbers <= item.scale.high)] for p in (a, b))
    if not one.scale and min(len(x), len(y)) >= FEW and (
            abs(x.mean() - y.mean()) > _MOVED * np.sqrt((x.var() + y.var()) / 2)):
        one.mark("wording", "shifted", old=f"{x.mean():.2f}", new=f"{y.mean():.2f}")


def _shortened(a: Profile, b: Profile, item: Item) -> str:
    """A shorter scale in use, where answers that were common before are not given any more by anybody."""
    inside = sorted(v for v in b.counts if _holds(item.scale, v))
    if len(inside) < 2 or b.filled < 60 or (inside[0], inside[-1]) not in USUAL:
        return ""
    lost = sum(c for v, c in a.counts.items() if _holds(item.scale, v) and not inside[0] <= v <= inside[-1])
    # so many answers do not vanish by chance
    return f"{inside[0]:g}-{inside[-1]:g}" if lost > 0.05 * a.filled and lost * b.filled / a.filled > 8 else ""


def _holds(scale: Scale, value: float) -> bool:
    return scale.low <= value <= scale.high


def _listed(values: Iterable[float]) -> str:
    return ", ".join(f"{v:g}" for v in sorted(values)) or "–"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" .?？。:：")
