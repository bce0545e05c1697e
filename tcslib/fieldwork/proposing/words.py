"""Names and labels as words: whole ones in English, anywhere in Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from tcslib.study.models import preset_names, read_preset
from tcslib.study.strict_yaml import read_yaml

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zäöüßéè']+|[0-9]+|[\u3400-\u9fff]+")


@cache
def _lists() -> Mapping[str, Any]:
    with resources.as_file(resources.files("tcslib.fieldwork.proposing").joinpath("words.yaml")) as path:
        return read_yaml(Path(path), "proposing/words.yaml")[0]


@cache
def _prepared(section: str, key: str) -> tuple[frozenset[tuple[str, ...]], tuple[str, ...]]:
    """The words of a list: English ones as tuples of words, Chinese ones as they are."""
    found = _lists()[section]
    found = found[key] if key else found
    latin = frozenset(tokens(word) for word in found if word.isascii() or "ß" in word)
    return latin, tuple(word for word in found if not (word.isascii() or "ß" in word))


@cache
def tokens(text: str) -> tuple[str, ...]:
    """``CUEX1``, ``base_weight`` and ``LocationLatitude`` as their words in lower case, without numbers."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'")
    return tuple(part.lower() for part in _PART.findall(plain) if not part.isdigit() and part.isalpha() | ("'" in part))


@cache
def says(text: str, section: str, key: str = "") -> str:
    """The first word of a list that a text holds, "" when it holds none."""
    latin, chinese = _prepared(section, key)
    parts = tokens(text)
    for size in (4, 3, 2, 1):
        for at in range(len(parts) - size + 1):
            if parts[at:at + size] in latin:
                return " ".join(parts[at:at + size])
    # IPAddress and startdate are also written as one word
    if ("".join(parts),) in latin:
        return "".join(parts)
    return next((word for word in chinese if word in text), "")


def about(name: str, label: str) -> str:
    """The word of a category in a name or label; a Chinese word must be a good part of what is said."""
    for text in (name, label):
        word = says(text, "roles", "category")
        chinese = sum("\u3400" <= c <= "\u9fff" for c in text)
        if word and (word.isascii() or 3 * len(word) >= chinese):
            return word
    return ""


def is_only(text: str, section: str, key: str) -> bool:
    """Whether a text is nothing but words of a list: ``weight``, ``Duration``."""
    latin, chinese = _prepared(section, key)
    return tokens(text) in latin or text.strip() in chinese


def role_word(name: str, label: str, role: str) -> str:
    """The word of a role in a column's name, else in its label."""
    return says(name, "roles", role) or says(label, "roles", role)


@cache
def _preset_stems() -> Mapping[str, str]:
    """Stems of the items of shipped models, in lower case, with the construct each measures."""
    out: dict[str, str] = {}
    for preset in preset_names():
        for name, construct in read_preset(preset)["constructs"].items():
            for item in construct["items"]:
                out.setdefault(re.sub(r"[0-9]+\Z", "", item).lower().strip("_"), name)
    return out


@cache
def same_concept(text: str) -> str:
    """The concept a text names, ``Expectation`` for ``Expectations``; "" for none or several."""
    named = [concept for concept in _lists()["concepts"] if says(text, "concepts", concept)]
    return named[0] if len(named) == 1 else ""


def concept_of(texts: Sequence[str]) -> str:
    """What a block is about by the words of its texts, "" when they name nothing or two things equally often."""
    counts = Counter(concept for text in texts if (concept := same_concept(text))).most_common(2)
    clear = counts and counts[0][1] * 2 >= len(texts) and (len(counts) < 2 or counts[0][1] > counts[1][1])
    return counts[0][0] if clear else ""


def concept_of_stem(stem: str) -> str:
    """What a block is about by its items' common name."""
    known = _preset_stems().get("".join(tokens(stem)), "")
    return same_concept(stem) or same_concept(known) or known


def is_generic(stem: str) -> bool:
    """Whether a stem only numbers questions: ``q``, ``V``, ``Var``."""
    return not any(c.isdigit() for c in stem) and "".join(tokens(stem)) in {"", *_lists()["generic"]}
