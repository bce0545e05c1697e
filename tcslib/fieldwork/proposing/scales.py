"""The scale of a block of items, and its codes for no answer: what lies outside the run of values, or acts so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tcslib.fieldwork.proposing.guess import FEW, Because, because
from tcslib.fieldwork.proposing.profile import Profile
from tcslib.fieldwork.proposing.roles import core
from tcslib.fieldwork.proposing.words import says

KINDS = ("no_experience", "refused", "skipped", "dont_know")
USUAL = ((1, 5), (1, 7), (1, 10), (0, 10), (-3, 3))
OTHER = ((0, 1), (1, 2), (1, 3), (1, 4), (1, 6), (0, 4), (1, 9), (-2, 2), (0, 6), (0, 5), (1, 8), (1, 11), (-5, 5))
# what institutes mean by a code more often than not; always to be confirmed
_CUSTOM = {"7": "no_experience", "8": "dont_know", "9": "refused"}


@dataclass
class Scaling:
    """A block's scale and codes, what was seen, what is to be confirmed, codes whose kind nothing tells."""

    low: int
    high: int
    codes: dict[float, str] = field(default_factory=dict)
    because: Because = field(default_factory=lambda: because("scale_none"))
    asks: list[Because] = field(default_factory=list)
    unnamed: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As a study writes it."""
        return f"{self.low}-{self.high}"

    def holds(self, value: float) -> bool:
        """Whether a number is an answer."""
        return self.low <= value <= self.high


def kind_of(words: str) -> str:
    """The kind of missing answer that a value's label names, "" for an answer."""
    return next((kind for kind in KINDS if says(words, "missing", kind)), "")


def pooled(block: Sequence[Profile]) -> dict[float, int]:
    """How often each number occurs in a block."""
    out: dict[float, int] = {}
    for p in block:
        for value, count in p.counts.items():
            out[value] = out.get(value, 0) + count
    return dict(sorted(out.items()))


def scaling(block: Sequence[Profile], rest: Mapping[str, np.ndarray], inner: Mapping[str, np.ndarray],
            known: Sequence[tuple[int, int]] = ()) -> Scaling:
    """The scale of a block.

    Parameters
    ----------
    block
        Its columns.
    rest, inner
        For each column the (n,) mean of what else the respondents rated, by which the ends of the scale are tried;
        in ``inner`` without answers at the ends of their run.
    known
        Scales that other blocks of the file have for sure.
    """
    counts = pooled(block)
    labelled, codes = _labelled(block)
    seen = sorted({v for p in block for v in core(p)} - set(codes))
    if not seen:
        return Scaling(1, 10, codes, asks=[because("scale_unseen")])
    low, high = int(seen[0]), int(seen[-1])
    if labelled and labelled[0] <= low and high <= labelled[1]:
        return _with_codes(Scaling(*labelled, because=because("scale_labels", low=labelled[0], high=labelled[1])),
                           counts, codes)
    if (low, high) not in known:
        low, high = _without_slips(counts, low, high)
    low, high, doubts, extra = _ends(block, rest, inner, low, high)
    found = _fitted(counts, low, high, known)
    found.asks += [d for d in doubts if d not in found.asks]
    return _with_codes(found, counts, codes | extra)


def _labelled(block: Sequence[Profile]) -> tuple[tuple[int, int] | None, dict[float, str]]:
    """The ends of the scale and the codes by the labels of values."""
    answers: set[float] = set()
    codes: dict[float, str] = {}
    for p in block:
        for value, words in p.value_labels.items():
            if kind := kind_of(words):
                codes[value] = kind
            elif value == round(value) and abs(value) <= 11 and not any(
                    low <= value <= high for low, high in p.missing):
                answers.add(value)
    if len(answers) < 2:
        return None, codes
    ends = int(min(answers)), int(max(answers))
    return (ends if ends in USUAL + OTHER else None), codes


def _without_slips(counts: Mapping[float, int], low: int, high: int) -> tuple[int, int]:
    """The run without ends that a handful of cells in a thousand hold, where a scale in use is left."""
    few = 0.002 * sum(counts.values())
    for start, end in ((low + 1, high - 1), (low, high - 1), (low + 1, high)):
        cut = [v for v in (*range(low, start), *range(end + 1, high + 1)) if v not in {1, 10}]
        if cut and all(counts.get(v, 0) <= few for v in cut) and (start, end) in USUAL:
            return start, end
    return low, high


def _ends(block: Sequence[Profile], rest: Mapping[str, np.ndarray], inner: Mapping[str, np.ndarray], low: int,
          high: int) -> tuple[int, int, list[Because], dict[float, str]]:
    """The run without values at its ends that act like no answers: 6 on a scale of 1-5, 0 on one of 1-10."""
    verdicts = {}
    for end in {high} | ({low} & {0, -1}):
        verdict = _acts(block, inner, end, low, high)
        # a usual scale is doubted only when both ways of looking at the rest speak against its end
        if (low, high) in USUAL and verdict == "code" and _acts(block, rest, end, low, high) != "code":
            verdict = "answer"
        verdicts[end] = verdict
    for cut in ({low, high}, {high}, {low}):
        run = low + (low in cut), high - (high in cut)
        said = [verdicts.get(end, "answer") for end in cut]
        if run in USUAL and "code" in said and "answer" not in said:
            return *run, [because("acts_as_code", value=end, low=run[0], high=run[1]) for end in sorted(cut)], {
                float(end): "no_experience" for end in cut}
    doubted = "code" if (low, high) in USUAL else "unclear"
    return low, high, [because("may_be_code", value=end) for end, v in verdicts.items() if v in {"code", doubted}], {}


def _acts(block: Sequence[Profile], rest: Mapping[str, np.ndarray], end: int, low: int, high: int) -> str:
    """Whether those who chose the end of a run rate the rest as its place among the values foretells.

    The mean of the rest, by value, is carried on linearly to the end; a code for "no experience" brings the overall
    mean instead. ``answer``, ``code`` or ``unclear``.
    """
    values = np.concatenate([p.numbers for p in block])
    others = np.concatenate([_aligned(p, rest.get(p.name), low, high) for p in block])
    known = ~np.isnan(values) & ~np.isnan(others) & (values >= low) & (values <= high)
    at_end, inside = known & (values == end), known & (values != end)
    if at_end.sum() < 5 or inside.sum() < FEW or len(np.unique(values[inside])) < 3:
        return "unclear"
    slope, start = np.polyfit(values[inside], others[inside], 1)
    foretold, overall = start + slope * end, float(others[inside].mean())
    came, noise = float(others[at_end].mean()), float(others[inside].std()) / np.sqrt(at_end.sum())
    if abs(foretold - overall) < 3 * noise:
        return "unclear"
    nearer = abs(came - overall) < abs(came - foretold)
    return "code" if nearer else "answer" if abs(came - foretold) < 0.5 * abs(foretold - overall) else "unclear"


def _aligned(p: Profile, others: np.ndarray | None, low: int, high: int) -> np.ndarray:
    """The rest, turned for a question asked the other way round."""
    if others is None:
        return np.full(p.n, np.nan)
    known = ~np.isnan(p.numbers) & ~np.isnan(others) & (p.numbers > low) & (p.numbers < high)
    if known.sum() < 3:
        return others
    with np.errstate(invalid="ignore", divide="ignore"):
        return -others if np.corrcoef(p.numbers[known], others[known])[0, 1] < 0 else others


def _fitted(counts: Mapping[float, int], low: int, high: int, known: Sequence[tuple[int, int]]) -> Scaling:
    """The scale in use that holds a run of values."""
    seen = because("scale_run", low=low, high=high)
    if (low, high) in USUAL and (
            (low, high) in known or min(counts.get(low, 0), counts.get(high, 0)) >= 3):
        return Scaling(low, high, because=seen)
    own = (low, high) in USUAL + OTHER
    if (low, high) in USUAL or (own and counts.get(high, 0) >= 0.04 * sum(counts.values())):
        return Scaling(low, high, because=seen, asks=[because("scale_unusual", low=low, high=high)])
    for s in (*known, *USUAL):
        wide = (high - low) > (s[1] - s[0]) / 2 or high - low < 3
        if wide and s[0] <= low and high <= s[1] and (high == s[1] or s in known or not own):
            # nobody chose the lowest answers: common where most are satisfied
            sure = s in known and high == s[1] and low - s[0] <= (s[1] - s[0]) / 3
            return Scaling(*s, because=seen, asks=[] if sure else [because("scale_wider", low=s[0], high=s[1])])
    return Scaling(low, high, because=seen, asks=[because("scale_unusual", low=low, high=high)])


def shared(scalings: Sequence[Scaling], blocks: Sequence[Sequence[Profile]]) -> list[Scaling]:
    """The scalings; where one is doubtful and the answers fit the scale that most questions have, it is that one.

    A questionnaire has one scale more often than not. What lies up to two above its end, or is a number in use for
    codes, is a code then, and all of it is asked.
    """
    firm: dict[tuple[int, int], int] = {}
    for found, block in zip(scalings, blocks, strict=True):
        if not found.asks or any(a.key == "acts_as_code" for a in found.asks):
            firm[found.low, found.high] = firm.get((found.low, found.high), 0) + len(block)
    if not firm:
        return list(scalings)
    low, high = max(firm, key=lambda ends: firm[ends])
    codes = {v: kind for s in scalings if (s.low, s.high) == (low, high) for v, kind in s.codes.items()}
    out = []
    for found, block in zip(scalings, blocks, strict=True):
        counts = pooled(block)
        beyond = [v for v in counts if not low <= v <= high]
        fits = beyond and counts.get(high) and all(high < v <= high + 2 or v in _CONVENTIONAL for v in beyond)
        if found.asks and (found.low, found.high) != (low, high) and fits and (
                sum(counts[v] for v in beyond) <= 0.4 * sum(counts.values())):
            found = _with_codes(Scaling(low, high, because=found.because, asks=[
                because("same_scale", low=low, high=high)]), counts, codes)
        out.append(found)
    return out


_CONVENTIONAL = {-1, -2, -7, -8, -9, -77, -88, -97, -98, -99, 9, 77, 88, 97, 98, 99, 888, 997, 998, 999, 9999, -999}


def _with_codes(found: Scaling, counts: Mapping[float, int], codes: Mapping[float, str]) -> Scaling:
    """Add the codes: those with words, numbers in use for codes, and others outside the scale when there are many.

    A few cells outside the scale are slips, which cleaning counts.
    """
    total = sum(counts.values())
    for value, count in counts.items():
        if value in codes:
            found.codes[value] = codes[value]
        elif found.holds(value):
            continue
        elif value in _CONVENTIONAL or (count >= 3 and count >= 0.003 * total):
            found.codes[value] = _CUSTOM.get(str(abs(int(value)))[-1], "skipped")
            found.unnamed.append(value)
            if value not in _CONVENTIONAL:
                found.asks.append(because("odd_code", value=f"{value:g}", count=count))
        elif count >= 0.001 * total:
            found.asks.append(because("stray", value=f"{value:g}", count=count))
    return found
