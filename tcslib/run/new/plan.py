"""From a proposal to what the study will hold: items with their scale and codes, the model, the columns in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tcslib.fieldwork.proposing.guess import Because
from tcslib.fieldwork.proposing.model import ModelGuess, model_for
from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.study.models import read_preset

# asked at the construct, at the question on recommendation, or on a line of its own
_ELSEWHERE = {"single", "by_answers", "loose", "twice", "is_nps", "best_of", "backwards"}
MOST_SEGMENTS, LEAST_IN_SEGMENT, MOST_GROUPS = 3, 30, 8


@dataclass
class ItemPlan:
    """What a study says of one item where it differs from the rest."""

    text: str = ""
    scale: str = ""
    codes: dict[float, str] | None = None
    notes: list[Because] = field(default_factory=list)
    backwards: list[Because] = field(default_factory=list)

    @property
    def said(self) -> bool:
        """Whether anything has to be written."""
        return bool(self.text or self.scale or self.codes is not None or self.notes or self.backwards)


@dataclass
class StudyPlan:
    """Everything a study's files say, before it is text."""

    model: ModelGuess
    scale: str = "1-10"
    codes: dict[float, str] = field(default_factory=dict)
    items: dict[str, ItemPlan] = field(default_factory=dict)
    nps: str = ""
    id: str = ""
    weights: str = ""
    duration: str = ""
    design: dict[str, str] = field(default_factory=dict)
    segments: list[str] = field(default_factory=list)
    verbatims: list[str] = field(default_factory=list)


def study_plan(proposal: Proposal, model: str) -> StudyPlan:
    """What the study holds; ``model`` is a preset's name, ``own``, or "" for what fits."""
    nps = next(iter(proposal.of("nps")), "")
    readable = [group for group in proposal.groups
                if not any(proposal.columns[p.name].unreadable for p in group.items)]
    plan = StudyPlan(model_for(readable, proposal.strength, model, nps), nps=nps)
    used = _items_of(plan.model)
    guesses = {name: proposal.columns[name] for name in dict.fromkeys([*used, *([nps] if nps else [])])
               if name in proposal.columns}
    scales = Counter(g.scale for name, g in guesses.items() if name != nps)
    plan.scale = scales.most_common(1)[0][0] if scales else "1-10"
    ends = [_ends(g.scale) for g in guesses.values()]
    for guess in guesses.values():
        for code, kind in guess.codes.items():
            if not any(low <= code <= high for low, high in ends):
                plan.codes.setdefault(code, kind)
    preset = _preset_scales(plan.model)
    for name, guess in guesses.items():
        own = {code: kind for code, kind in guess.codes.items() if plan.codes.get(code) != kind}
        default = "0-10" if name == nps else preset.get(name, plan.scale)
        plan.items[name] = ItemPlan(
            proposal.profiles[name].label if name not in preset else "",
            guess.scale if guess.scale != default else "",
            {**{c: k for c, k in plan.codes.items() if c not in guess.codes}, **guess.codes} if own else None,
            [a for a in guess.asks if a.key not in _ELSEWHERE], [a for a in guess.asks if a.key == "backwards"])
    _columns(plan, proposal, set(guesses))
    return plan


def _items_of(model: ModelGuess) -> list[str]:
    out = []
    if model.preset:
        for name, construct in read_preset(model.preset)["constructs"].items():
            if name not in model.without:
                out += model.constructs.get(name, list(construct["items"]))
    else:
        out = [item for items in model.constructs.values() for item in items]
    return out


def _preset_scales(model: ModelGuess) -> Mapping[str, str]:
    """The preset's own items, with the scale the preset gives them, "" where it gives none."""
    if not model.preset:
        return {}
    items: dict[str, Mapping[str, str]] = {}
    for construct in read_preset(model.preset)["constructs"].values():
        items |= construct["items"]
    return {name: said["scale"] for name, said in items.items() if "scale" in said}


def _ends(scale: str) -> tuple[float, float]:
    from tcslib.study.questionnaire import Scale

    found = Scale.parse(scale or "1-10")
    return found.low, found.high


def _columns(plan: StudyPlan, proposal: Proposal, items: set[str]) -> None:
    """Columns that serve something else than being an item."""
    sure_id = [n for n in proposal.of("id") if not any(a.key == "id_rounded" for a in proposal.columns[n].asks)]
    plan.id = next(iter(sure_id), "")
    weights = next(iter(proposal.of("weight")), "")
    if weights:
        p = proposal.profiles[weights]
        # a weight that is missing or nought would stop the run
        plan.weights = weights if p.filled == p.n and min(p.counts) > 0 else ""
    plan.duration = next(iter(proposal.of("duration")), "")
    for name, guess in proposal.columns.items():
        if guess.design and guess.design not in plan.design and name not in items:
            plan.design[guess.design] = name
    plan.verbatims = proposal.of("text")
    plan.segments = _segments(plan, proposal)


def _segments(plan: StudyPlan, proposal: Proposal) -> list[str]:
    """Up to three categories with a few groups large enough to be told apart; the surer ones first."""
    taken = {plan.design.get("clusters"), plan.design.get("brand")}
    fit = []
    for name in proposal.of("category"):
        p = proposal.profiles[name]
        counts = list(p.counts.values()) if p.numeric else list(p.texts.values())
        large = [c for c in counts if c >= min(LEAST_IN_SEGMENT, 0.05 * p.n)]
        if name not in taken and 2 <= len(counts) <= MOST_GROUPS and len(large) >= 2 and p.filled >= 0.98 * p.n:
            fit.append((len(proposal.columns[name].asks), p.at, name))
    return [name for _, _, name in sorted(fit)[:MOST_SEGMENTS]]
