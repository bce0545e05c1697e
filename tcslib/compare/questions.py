"""Which question of one wave is which of another, and where they differ more than in name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tcslib.errors import InputRefused, refuse_all
from tcslib.study.params import ChangeParams
from tcslib.study.questionnaire import Item, Questionnaire

_NOTHING = ChangeParams()


@dataclass(frozen=True)
class Question:
    """One question through all waves.

    Attributes
    ----------
    construct
        The construct it measures in the present wave.
    names
        Its name in each wave, oldest first; "" where it was not asked, and in all waves before that.
    marks
        For each wave what changed since the wave before: *wording*, *scale*, *codes*.
    share
        Its share of the construct's score in the comparison, 0 when it takes no part.
    """

    construct: str
    names: tuple[str, ...]
    marks: tuple[tuple[str, ...], ...]
    share: float


def same_questions(asked: Sequence[Questionnaire], changes: Sequence[Mapping[str, ChangeParams]],
                   periods: Sequence[str], constructs: Mapping[str, str], base: int,
                   definition: Mapping[str, Mapping[str, float]], where: str) -> list[Question]:
    """Follow the present wave's questions back through the earlier ones.

    Parameters
    ----------
    asked, changes, periods
        Questionnaire, stated changes and period of each wave, oldest first.
    constructs
        Construct of each question of the present wave.
    base, definition
        Position of the base wave, and the shares of its items by construct.

    Raises
    ------
    InputRefused
        One line for each question of the present wave that differs from the wave before without being stated. What
        earlier waves state was checked in their time.
    """
    faults: list[InputRefused] = []
    found: list[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]] = []
    last = len(asked) - 1
    for item, construct in constructs.items():
        names: list[str] = [item]
        marks: list[tuple[str, ...]] = []
        for at in range(last, 0, -1):
            name = names[0]
            if not name:
                names.insert(0, "")
                marks.insert(0, ())
                continue
            stated = changes[at].get(name, _NOTHING)
            before = "" if stated.new else stated.was or name
            if before and before not in asked[at - 1]:
                faults += [_absent(name, before, periods[at - 1], where)] if at == last else []
                before = ""
            if at == last and before and name not in changes[at]:
                faults += _undeclared(asked[at][name], asked[at - 1][before], periods[at - 1], where)
            names.insert(0, before)
            marks.insert(0, tuple(h for h in ("wording", "scale", "codes") if getattr(stated, h)) if before else ())
        found.append((construct, tuple(names), ((), *marks)))
    # the recommendation question measures no construct, and has its trend all the same
    for item in sorted({*asked[last]} & {*asked[last - 1]} - {*constructs, *changes[last]}):
        faults += _undeclared(asked[last][item], asked[last - 1][item], periods[last - 1], where)
    refuse_all(faults)
    out = []
    for construct, called, marked in found:
        share = definition.get(construct, {}).get(called[base], 0.0) if all(called) else 0.0
        out.append(Question(construct, called, marked, share))
    total: dict[str, float] = {}
    for question in out:
        total[question.construct] = total.get(question.construct, 0.0) + question.share
    return [Question(q.construct, q.names, q.marks, q.share / total[q.construct] if total[q.construct] else 0.0)
            for q in out]


def _absent(name: str, before: str, period: str, where: str) -> InputRefused:
    other = f" under the name {before}" if before != name else ""
    return InputRefused(f"{period} did not ask it{other}. State what it was called then (changes: {{{name}: {{was: …}}"
                        f"}}), or that it is new ({{{name}: {{new: true}}}}).", f"{where}: changes.{name}")


def _undeclared(now: Item, before: Item, period: str, where: str) -> list[InputRefused]:
    """What differs between two questions that the study takes for one."""
    if (now.scale, now.reversed) != (before.scale, before.reversed):
        was = f"{before.scale}{' reversed' * before.reversed}"
        return [InputRefused(f"its scale is {now.scale}{' reversed' * now.reversed}, and was {was} in {period}. State "
                             f"changes: {{{now.name}: {{scale: true}}}}, or correct it.", f"{where}: items.{now.name}")]
    both = set(now.text) & set(before.text)
    if any(now.text[language] != before.text[language] for language in both):
        return [InputRefused(f"its wording differs from {period}'s. State changes: {{{now.name}: {{wording: true}}}}, "
                             f"or {{{now.name}: {{}}}} if it means the same.", f"{where}: items.{now.name}")]
    return []
