"""Two waves' files side by side: which question is which, and what was changed about it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tcslib.fieldwork.proposing.blocks import stem_of
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

    ``scale`` and ``codes`` are those of the new wave where they differ; ``marks`` says what a comparison must show as
    changed. Where that is only suspected, the mark stands too until somebody takes it away.
    """

    old: str
    new: str
    kind: Literal["same", "renamed", "new", "dropped"]
    because: Because
    scale: str = ""
    codes: dict[float, str] | None = None
    marks: list[Literal["wording", "scale", "codes"]] = field(default_factory=list)
    asks: list[Because] = field(default_factory=list)


def mapped(old: Proposal, new: Proposal, items: Mapping[str, Item]) -> list[Mapped]:
    """The mapping of a study's questions to a new file, and the ratings that are new there.

    Parameters
    ----------
    old, new
        The two files as proposed.
    items
        The study's questions in the old wave, by column.
    """
    out: dict[str, Mapped] = {name: Mapped(name, name, "same", because("same")) for name in items
                              if name in new.profiles}
    gone = [name for name in items if name not in new.profiles]
    free = [name for name, guess in new.columns.items() if name not in old.profiles
            and guess.role in {"item", "nps"} and not guess.unreadable]
    for name, found, how in _renamed(old, new, gone, free, items):
        out[name] = Mapped(name, found, "renamed", how, asks=[how])
        free.remove(found)
    for name in gone:
        out.setdefault(name, Mapped(name, "", "dropped", because("dropped"), asks=[because("dropped")]))
    for one in out.values():
        if one.new and one.old in old.profiles:
            _compare(one, old.profiles[one.old], new.profiles[one.new], new, items[one.old])
    fresh = [Mapped("", name, "new", because("new"), asks=[because("new")]) for name in free]
    return [*(out[name] for name in items), *fresh]


def _renamed(old: Proposal, new: Proposal, gone: Sequence[str], free: Sequence[str],
             items: Mapping[str, Item]) -> list[tuple[str, str, Because]]:
    """Pairs of a name that is gone and one that is new, the surest first; each name is used once."""
    scored = []
    for name in gone:
        for other in free:
            if name not in old.profiles:
                continue
            if found := _alike(old.profiles[name], new.profiles[other], old, new, items[name]):
                scored.append((*found, name, other))
    out, used = [], set()
    for score, how, name, other in sorted(scored, key=lambda s: -s[0]):
        # what fits two columns equally well fits none
        rivals = [s for s in scored if (s[2] == name) != (s[3] == other) and abs(s[0] - score) < 1e-9
                  and s[2] not in used and s[3] not in used]
        if name in used or other in used or rivals:
            continue
        used |= {name, other}
        out.append((name, other, how))
    return out


def _alike(a: Profile, b: Profile, old: Proposal, new: Proposal, item: Item) -> tuple[float, Because] | None:
    """How surely two columns are one question, and by what."""
    inside = [v for v in b.counts if item.scale.low <= v <= item.scale.high]
    if not inside:
        return None
    if a.label and a.label.casefold() == b.label.casefold():
        return 3.0 + _place(a, b, old, new), because("by_label")
    if a.label and b.label and difflib.SequenceMatcher(None, a.label.casefold(), b.label.casefold()).ratio() < 0.5:
        return None
    r = _shares(a, b, item)
    place = _place(a, b, old, new)
    if place == 1.0 and r > _ALIKE:
        return 2.0 + r, because("by_answers", r=f"{r:.2f}")
    near = difflib.SequenceMatcher(None, a.name.casefold(), b.name.casefold()).ratio()
    same_number = a.name[len(stem_of(a.name)):].strip("_. 0") == b.name[len(stem_of(b.name)):].strip("_. 0")
    if (near >= 0.75 or a.name.casefold() == b.name.casefold()) and same_number and r > 0.8:
        return 1.0 + near, because("by_name")
    return None


def _place(a: Profile, b: Profile, old: Proposal, new: Proposal) -> float:
    """1 where both neighbours in the file bear the same names, 0.5 where one does."""
    before, after = list(old.profiles), list(new.profiles)
    i, j = before.index(a.name), after.index(b.name)
    return sum(_at(before, i + step) == _at(after, j + step) for step in (-1, 1)) / 2


def _at(names: Sequence[str], at: int) -> str:
    return names[at] if 0 <= at < len(names) else ""


def _shares(a: Profile, b: Profile, item: Item) -> float:
    """Correlation of the shares of the scale's values in two columns."""
    values = np.arange(item.scale.low, item.scale.high + 1)
    if not 2 < len(values) < 20:
        return 0.0
    x, y = (np.array([p.counts.get(float(v), 0) for v in values], dtype=float) for p in (a, b))
    if x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _compare(one: Mapped, a: Profile, b: Profile, new: Proposal, item: Item) -> None:
    """What was changed about a question: its scale, its codes, its wording; and answers quite unlike those before."""
    guess = new.columns[b.name]
    known = dict(item.missing_codes)
    outside = sum(c for v, c in b.counts.items() if not item.scale.low <= v <= item.scale.high and v not in known)
    scale = guess.scale if guess.role in {"item", "nps"} else ""
    was, now = str(item.scale), scale.replace("/", "-").replace("percent", "0-100")
    unsure = any(q.key in {"scale_wider", "scale_unusual", "few_records"} for q in guess.asks)
    if now and now != was and (outside > 0.005 * b.filled or not unsure):
        one.scale = scale
    elif shorter := _shortened(a, b, item):
        one.scale = shorter
    if one.scale:
        one.marks.append("scale")
        one.asks.append(because("scale", old=was, new=one.scale))
    codes = {v: k for v, k in guess.codes.items() if not (one.scale == "" and item.scale.low <= v <= item.scale.high)}
    came = {v: k for v, k in codes.items() if v not in known}
    unused = [v for v in known if v in a.counts and v not in b.counts]
    if came or (one.scale and any(_inside(v, one.scale) for v in known)) or _codes_gone(a, b, unused, known):
        one.marks.append("codes")
    if came:
        # a code that stood for one thing may stand for another now: what both waves hold keeps its meaning
        one.codes = {**{v: known[v] for v in codes if v in known}, **came}
        one.asks.append(because("codes", old=_listed([v for v in known if v in a.counts]), new=_listed(list(codes))))
    elif one.scale and any(_inside(v, one.scale) for v in known):
        one.codes = {v: k for v, k in known.items() if not _inside(v, one.scale)}
        one.asks.append(because("codes", old=_listed(list(known)), new=_listed(list(one.codes))))
    elif "codes" in one.marks:
        one.asks.append(because("codes", old=_listed(unused), new="–"))
    if a.label and b.label and _plain(a.label) != _plain(b.label):
        one.marks.append("wording")
        one.asks.append(because("wording", old=a.label, new=b.label))
    if not one.scale and a.filled >= FEW and b.filled >= FEW:
        _shifted(one, a, b, item)


def _codes_gone(a: Profile, b: Profile, unused: Sequence[float], known: Mapping[float, str]) -> bool:
    """Whether all codes that a question had in use are gone from a file large enough to show them."""
    had = sum(a.counts.get(v, 0) for v in known)
    return bool(unused) and had == sum(a.counts[v] for v in unused) and had > 0.01 * a.filled and b.filled > 200


def _shortened(a: Profile, b: Profile, item: Item) -> str:
    """A shorter scale in use, where answers that were common before are not given any more by anybody."""
    inside = sorted(v for v in b.counts if item.scale.low <= v <= item.scale.high)
    if len(inside) < 2 or b.filled < 60 or (inside[0], inside[-1]) not in USUAL:
        return ""
    lost = sum(c for v, c in a.counts.items() if item.scale.low <= v <= item.scale.high
               and not inside[0] <= v <= inside[-1])
    # so many answers do not vanish by chance
    return f"{inside[0]:g}-{inside[-1]:g}" if lost > 0.05 * a.filled and lost * b.filled / a.filled > 8 else ""


def _shifted(one: Mapped, a: Profile, b: Profile, item: Item) -> None:
    x, y = (p.numbers[(p.numbers >= item.scale.low) & (p.numbers <= item.scale.high)] for p in (a, b))
    if min(len(x), len(y)) >= FEW and abs(x.mean() - y.mean()) > _MOVED * np.sqrt((x.var() + y.var()) / 2):
        one.marks += ["wording"] if "wording" not in one.marks else []
        one.asks.append(because("shifted", old=f"{x.mean():.2f}", new=f"{y.mean():.2f}"))


def _inside(value: float, scale: str) -> bool:
    found = Scale.parse(scale)
    return found.low <= value <= found.high


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{v:g}" for v in sorted(values)) or "–"


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" .?？。:：")
