"""Which short runs of whole numbers are answers to rating questions, and which are codes of categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from tcslib.fieldwork.proposing.blocks import Block
from tcslib.fieldwork.proposing.guess import FEW, Guess, Role, because
from tcslib.fieldwork.proposing.profile import Profile
from tcslib.fieldwork.proposing.roles import core
from tcslib.fieldwork.proposing.scales import kind_of
from tcslib.fieldwork.proposing.words import about, concept_of, concept_of_stem, role_word, says

_STRONG = 0.3


def ratings(blocks: Sequence[Block], r: pd.DataFrame, rest: Mapping[str, np.ndarray]) -> dict[str, Guess]:
    """For each column of the blocks: item, recommendation question or category.

    Parameters
    ----------
    r
        (p, p) correlations of all columns of the blocks.
    rest
        For each the mean of the others, in standard deviations.
    """
    return {p.name: _one(p, block, r, rest) for block in blocks for p in block.columns}


def _one(p: Profile, block: Block, r: pd.DataFrame, rest: Mapping[str, np.ndarray]) -> Guess:
    low, high = core(p)[0], core(p)[-1]
    run = f"{low:g}–{high:g}"
    labelled = _by_labels(p)
    strength, firm = _ties(p, block, r, rest)
    battery = _beside(p, block, r)
    siblings = block.named and len(block.columns) > 1
    concept = concept_of_stem(block.stem if block.named else "") or concept_of([p.label]) or concept_of_stem(p.name)
    if (guess := _recommendation(p, low, high, run, battery or siblings)) is not None:
        return guess
    word = about(p.name, p.label)
    if labelled == "category" or (word and not (concept and firm) and not battery and labelled != "item"):
        key = "value_labels" if labelled else "category_word"
        guess = Guess(p.name, "category", because(key, word=word, run=run, example=_examples(p)))
        # a rating would go along with the other ratings
        return guess.ask("is_category") if firm and strength > _STRONG and high - low >= 3 and not labelled else guess
    if labelled == "item":
        return Guess(p.name, "item", because("rating_labels", run=run, example=_examples(p)))
    if p.n < FEW:
        role: Role = "item" if concept or high - low >= 3 else "category"
        return Guess(p.name, role, because("run_few", run=run, n=p.n)).ask("few_records", n=p.n)
    often = sorted(p.counts.values())
    if high - low <= 1 or (high <= 4 and sum(often[-2:]) >= 0.9 * p.filled):
        return _two(p, run, firm, concept)
    if firm and strength > _STRONG and high - low >= 3 + (strength < 0.45 and not concept and not battery):
        guess = Guess(p.name, "item", because("goes_along", run=run, r=f"{strength:.2f}"))
        return guess if (len(block.columns) > 1 or concept) and not word else guess.ask("is_item")
    if battery and high - low >= 2:
        return Guess(p.name, "item", because("goes_along", run=run, r=f"{strength:.2f}")).ask("is_item")
    if concept:
        return Guess(p.name, "item", because("concept", run=run, word=concept)).ask("weak_item", r=f"{strength:.2f}")
    if (firm and high - low >= 4) or (siblings and len(block.columns) > 2 and high - low >= 3):
        return Guess(p.name, "item", because("goes_along", run=run, r=f"{strength:.2f}")).ask("is_item")
    return Guess(p.name, "category", because("alone", run=run, r=f"{strength:.2f}")).ask("is_category")


def _two(p: Profile, run: str, firm: bool, concept: str) -> Guess:
    """Two values: yes and no, which a construct may be measured by, if rarely."""
    guess = Guess(p.name, "category", because("two_values", run=run))
    return guess.ask("is_category") if concept or firm or p.n < FEW else guess


def _ties(p: Profile, block: Block, r: pd.DataFrame, rest: Mapping[str, np.ndarray]) -> tuple[float, bool]:
    """How closely a column goes along with its block or with all ratings, and whether that is no accident."""
    others = rest[p.name]
    known = ~np.isnan(p.numbers) & ~np.isnan(others) & (p.numbers >= core(p)[0]) & (p.numbers <= core(p)[-1])
    overall = 0.0
    if known.sum() > 5 and np.ptp(p.numbers[known]) > 0 and np.ptp(others[known]) > 0:
        overall = abs(float(np.corrcoef(p.numbers[known], others[known])[0, 1]))
    mine = [abs(r.loc[p.name, q.name]) for q in block.columns if q is not p]
    within = float(np.mean(mine)) if mine and block.named else 0.0
    strength = max(overall, within)
    # three and a half standard errors of a correlation of nothing
    return strength, bool(strength > 3.5 / np.sqrt(max(int(known.sum()), 2)))


def _by_labels(p: Profile) -> str:
    """``item`` when the labels of values are those of a rating, ``category`` when they are others, else ""."""
    words = [label for value, label in p.value_labels.items() if not kind_of(label)]
    if not words:
        return ""
    rated = sum(bool(says(w, "ratings")) for w in words)
    if rated >= 0.5 * len(words):
        return "item"
    # labels at the ends alone are those of a scale
    ends = len(words) == 2 and len(core(p)) > 3
    numbers = all(any(c.isdigit() for c in w) and not any(c.isalpha() for c in w) for w in words)
    return "" if ends or numbers else "category"


def _examples(p: Profile) -> str:
    return ", ".join(f"{value:g} = {label}" for value, label in list(p.value_labels.items())[:3])


def _beside(p: Profile, block: Block, r: pd.DataFrame) -> bool:
    """Whether a column goes along closely with the one before or after it in its block."""
    at = block.columns.index(p)
    near = [q for q in block.columns[max(at - 1, 0):at + 2] if q is not p]
    least = max(0.35, 3.5 / np.sqrt(max(p.filled, 2)))
    return p.n >= FEW and any(abs(r.loc[p.name, q.name]) > least for q in near)


def _recommendation(p: Profile, low: float, high: float, run: str, battery: bool) -> Guess | None:
    """The recommendation question: by its name or label, on 0-10; one of several on one scale is asked about."""
    word = role_word(p.name, p.label, "nps")
    said = word or role_word(p.name, p.label, "recommend")
    if not said or high != 10 or low > 5 or (low > 0 and battery and not says(p.name, "roles", "nps")):
        return None
    guess = Guess(p.name, "nps", because("nps", word=said, run=run), scale="0-10",
                  codes={v: "dont_know" for v in p.counts if v in {77, 88, 98, 99, 999} or v < 0})
    if low == 0 and word and not battery:
        return guess
    if battery and not word:
        return Guess(p.name, "item", because("concept", run=run, word=said)).ask("is_nps", run=run)
    return guess.ask("is_nps", run=run)
