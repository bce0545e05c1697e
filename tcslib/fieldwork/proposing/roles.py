"""The role of a column that tells it by itself: by what its cells look like, and by its name and label."""

from __future__ import annotations

import numpy as np

from tcslib.fieldwork.proposing.guess import FEW, Guess, Role, because
from tcslib.fieldwork.proposing.profile import MOSTLY, Profile
from tcslib.fieldwork.proposing.words import is_only, role_word, says

LONGEST_RUN = 12          # answers of the longest scale in use, 0 to 10, and a code above it
_UNIQUE = 0.97            # of an id's cells; the rest may be records given twice


def told(p: Profile) -> Guess | None:
    """The role a column tells by itself; None for numbers that may be answers on a scale."""
    for rule in (_nothing, _private, _platform, _time, _id, _weight, _duration):
        if (guess := rule(p)) is not None:
            return _small(p, guess)
    if not p.numeric:
        return _small(p, _words(p))
    if (guess := _measured(p)) is not None:
        return _small(p, guess)
    return None


def _small(p: Profile, guess: Guess) -> Guess:
    """In a handful of records only what the cells look like is sure."""
    by_form = guess.because.key in {"empty", "private_form", "dates", "private_word", "platform", "several"}
    return guess if p.n >= FEW or by_form else guess.ask("few_records", n=p.n)


def _is(p: Profile, role: Role, key: str, **values: object) -> Guess:
    return Guess(p.name, role, because(key, **values))


def short_run(p: Profile) -> bool:
    """Whether the column's numbers, codes far away from them left aside, may be answers on one scale."""
    near = core(p)
    return p.whole and len(near) > (p.n >= 5) and near[-1] - near[0] < LONGEST_RUN


def core(p: Profile) -> list[float]:
    """The column's numbers without those that no scale holds: far above the rest, or below zero beside it."""
    values = sorted(v for v in p.counts if v == round(v))
    usual = [v for v in values if -6 < v < 77]
    values = usual if sum(p.counts[v] for v in usual) > 0.1 * p.filled else values
    # a code stands apart: 99 above 1-10, 9 above 1-5 or 1-7
    while len(values) > 2 and ((values[-1] - values[-2] > 2 and values[-1] >= 7)
                               or (values[-1] == 9 and values[-2] <= 7)):
        values = values[:-1]
    # below zero lie the answers of a scale around zero only: -3 to 3
    if values and values[0] < 0 and not (values[-1] <= 5 and {-1, 0} <= set(values) and values[-1] >= -values[0] - 1
                                         and len([v for v in values if v < 0]) > 1):
        values = [v for v in values if v >= 0]
    return values


def _nothing(p: Profile) -> Guess | None:
    if not p.filled:
        return _is(p, "ignore", "empty")
    if p.different > 1 or p.n < 5:
        return None
    guess = _is(p, "ignore", "constant", value=p.examples(1))
    return guess.ask("constant") if p.filled < FEW else guess


def _private(p: Profile) -> Guess | None:
    word = role_word(p.name, "" if p.numeric else p.label, "private")
    if p.form in {"ip", "email", "phone"} and not is_only(p.name, "roles", "id"):
        guess = _is(p, "ignore", "private_form", form=p.form)
        return guess if word or p.form != "phone" else guess.ask("is_private", form=p.form)
    if not word or short_run(p) or says(p.name, "roles", "text"):
        return None
    guess = _is(p, "ignore", "private_word", word=word)
    unlike = not p.numeric and not is_only(p.name, "roles", "private") and p.different < min(20, p.filled / 2)
    return guess.ask("is_private", form=word) if unlike else guess


def _platform(p: Profile) -> Guess | None:
    return _is(p, "ignore", "platform", word=p.name) if is_only(p.name, "roles", "platform") else None


def _time(p: Profile) -> Guess | None:
    if p.form == "date":
        if word := says(p.name, "roles", "year"):
            return _is(p, "ignore", "birth", word=word)
        return _is(p, "timestamp", "dates", example=p.examples(1))
    return _is(p, "ignore", "clock", example=p.examples(1)).ask("is_clock") if p.form == "clock" else None


def _id(p: Profile) -> Guess | None:
    word = role_word(p.name, p.label, "id")
    if word and p.whole and not p.texts and min(p.counts) >= 1e15:
        return _is(p, "id", "id_word", word=word, n=p.filled).ask("id_rounded")
    if p.filled < p.n or p.different < _UNIQUE * p.n or (p.numeric and not p.whole):
        return None
    if word:
        guess = _is(p, "id", "id_word", word=word, n=p.different)
        return guess if p.different == p.filled or is_only(p.name, "roles", "id") else guess.ask("is_id")
    if p.numeric or p.n < FEW or not any(c.isdigit() for text in list(p.texts)[:5] for c in text):
        return None
    return _is(p, "id", "unique", n=p.different).ask("is_id")


def _weight(p: Profile) -> Guess | None:
    word = role_word(p.name, p.label, "weight")
    if not word or not p.numeric or min(p.counts) < 0 or short_run(p):
        return None
    return _is(p, "weight", "weight_word", word=word, mean=f"{np.nanmean(p.numbers):.3g}").ask("is_weight")


def _duration(p: Profile) -> Guess | None:
    word = role_word(p.name, p.label, "duration") or (p.form if p.form == "duration" else "")
    if not word or not p.numeric or (short_run(p) and p.form != "duration"):
        return None
    median = float(np.nanmedian(p.numbers))
    guess = _is(p, "duration", "duration", word=word, median=f"{median:.0f}")
    return guess if 20 <= median <= 7200 else guess.ask("is_seconds", median=f"{median:.3g}")


def _words(p: Profile) -> Guess:
    """A column of text: answers in words, categories, or open answers."""
    rated = sum(bool(says(t, "ratings")) for t in p.texts)
    if p.form == "answer_code" or (3 <= p.different <= LONGEST_RUN + 2 and rated >= 0.6 * p.different):
        key = "answer_codes" if p.form == "answer_code" else "rating_words"
        return _is(p, "item", key, example=p.examples()).ask("unreadable")
    if p.form == "several" and p.different <= max(60, p.filled / 4):
        return _is(p, "ignore", "several", example=p.examples(1)).ask("is_several")
    word = role_word(p.name, p.label, "text")
    length = sum(len(t) * (1 if t.isascii() else 2) * c for t, c in p.texts.items()) / p.filled
    said = {"different": p.different, "example": p.examples(2), "length": f"{length:.0f}"}
    if word and (length > 12 or p.different > 12):
        return _is(p, "text", "text_word", word=word, **said)
    if p.filled >= 5 * p.different and p.different <= 30:
        return _is(p, "category", "labels", **said)
    if length > 14 or word:
        return _is(p, "text", "long_text", **said).ask("is_text")
    return _is(p, "category", "labels", **said).ask("is_category")


def _measured(p: Profile) -> Guess | None:
    """Numbers that are no answers on a short scale: years, ages, counts, amounts; None for what may be one."""
    low, high, median = min(p.counts), max(p.counts), np.nanmedian(p.numbers)
    span = f"{low:g}–{high:g}"
    if (word := role_word(p.name, p.label, "year")) and 1900 <= median <= 2020:
        return _is(p, "ignore", "birth", word=word)
    if short_run(p):
        return None
    if (word := role_word(p.name, p.label, "age")) and 14 <= median <= 100:
        return _is(p, "ignore", "age", word=word, span=span)
    tens = sum(c for v, c in p.counts.items() if v % 5 == 0) >= MOSTLY * p.filled
    if low >= 0 and 20 < high <= 100 and (tens or role_word(p.name, p.label, "percent")):
        guess = _is(p, "item", "percent", span=span).ask("is_percent")
        guess.scale = "percent"
        return guess
    if word := role_word(p.name, p.label, "category"):
        return _is(p, "category", "many_codes", word=word, different=p.different).ask("is_category")
    return _is(p, "ignore", "number", span=span, different=p.different).ask("is_number")
