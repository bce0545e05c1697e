"""From the YAML of a study to the study: files merged, keys checked, model resolved, every fault at once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from tcslib.errors import InputRefused, refuse_all
from tcslib.study.checks import check_study
from tcslib.study.models import Model
from tcslib.study.params import StudyParams
from tcslib.study.questionnaire import Questionnaire
from tcslib.study.resolve import asked, resolve_model, resolve_questionnaire
from tcslib.study.sections.base import Section
from tcslib.study.strict_yaml import Address, clipped, dotted, meant, read_yaml, unconfirmed


@dataclass(frozen=True)
class Study:
    """One client's survey in one wave, as its files state it."""

    params: StudyParams
    model: Model
    questionnaire: Questionnaire
    root: Path
    path: str
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)
    lines: Mapping[str, int] = field(default_factory=dict, repr=False)
    unconfirmed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``client/wave``."""
        return f"{self.params.client}/{self.params.wave}"

    def words(self, text: Mapping[str, str], otherwise: str = "") -> str:
        """The text in the study's language, else in the one language it has."""
        return text.get(self.params.language) or text.get("") or next(iter(text.values()), otherwise)

    def label(self, construct: str) -> str:
        """A construct's name as readers see it."""
        return self.words(self.model[construct].label, construct)

    def category(self, column: str, value: str) -> str:
        """A value of a background column as readers see it."""
        known = self.params.categories.get(column)
        return self.words(known.values.get(value, {}), value) if known else value

    @cached_property
    def title(self) -> str:
        """The study's title as readers see it."""
        return self.words(self.params.title, self.params.client)


def find_root(path: str | Path) -> tuple[Path, str]:
    """The project's root and the study's path from it.

    A study lies at ``params/<client>/<wave>.yaml`` below the root. A relative path is looked up from the working
    folder and its parents, so that a notebook opened in ``notebooks/`` finds it too.
    """
    path = Path(path)
    here = Path.cwd()
    tried = [path] if path.is_absolute() else [base / path for base in (here, *here.parents)]
    found = next((p for p in tried if _is_file(p)), None)
    if found is None:
        raise InputRefused("there is no such study. " + _other_study(path, tried), clipped(str(path), 200))
    found = Path(os.path.abspath(found))
    if found.parent.parent.name != "params":
        raise InputRefused("a study lies at params/<client>/<wave>.yaml below the project's root. Move it there.",
                           clipped(str(path), 200))
    if found.stem == "study":
        raise InputRefused("holds what stays the same from wave to wave. " + _other_study(path, [found]),
                           clipped(str(path), 200))
    root = found.parent.parent.parent
    return root, found.relative_to(root).as_posix()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):          # too long, not ours to look into, or no name at all
        return False


def _other_study(path: Path, tried: Sequence[Path]) -> str:
    """Which study may have been meant."""
    folders = dict.fromkeys(parent for p in tried for parent in p.parents if parent.name == "params")
    names = [f"{p.parent.name}/{p.stem}" for f in folders for p in sorted(f.glob("*/*.yaml")) if p.stem != "study"]
    client = path.stem if path.parent.name == "params" else path.parent.name
    waves = [name for name in names if name.split("/")[0] == client]
    meant = waves[-1:] if path.parent.name == "params" or path.stem == "study" else difflib.get_close_matches(
        f"{path.parent.name}/{path.stem}", names, 1)
    if meant:
        return f"Did you mean {clipped(meant[0])}?"
    return "Studies lie at params/<client>/<wave>.yaml below the project's root."


def load(path: str | Path, language: str = "", before_field: bool = False) -> Study:
    """Read and check a study.

    Parameters
    ----------
    path
        The wave's file, ``params/<client>/<wave>.yaml``. Its key ``study`` names the file beside it that holds
        what stays the same from wave to wave; the wave file overrides it, key by key.
    language
        Of the report, instead of the one the files state.
    before_field
        The answers are still to come: neither their file nor those of the fieldwork need be there.

    Raises
    ------
    InputRefused
        With one line for every fault of the files, their keys, values and model.
    """
    root, shown = find_root(path)
    merged, origins, lines = _merge(root, shown)
    if language:
        merged, origins = merged | {"language": language}, dict(origins) | {("language",): f"--language {language}"}
        lines = {address: line for address, line in lines.items() if address != ("language",)}
    if before_field:
        merged.setdefault("data", {"file": "answers.csv"})
    faults: list[InputRefused] = []
    unsound: set[str] = set()
    try:
        params = StudyParams.model_validate(merged)
    except ValidationError as error:
        faults, unsound = _faults(error, origins, lines, shown)
        params = _without_faults(merged, error, faults)
    at = {dotted(address): address for address in lines}

    def refuse(address: str, message: str) -> None:
        if before_field and address in {"data.file", "fieldwork.contacts.file", "fieldwork.drawn.file"}:
            return
        # what follows from a faulty section would be said of its remains
        if address.split(".")[0] not in unsound:
            place = at.get(address, tuple(address.split(".")))
            said = f"{_origin(place, origins, shown)}: {dotted(place)}"
            faults.append(InputRefused(clipped(message, 1000) + _line(place, lines), said))

    model = None if "model" in unsound else resolve_model(params.model, refuse)
    questionnaire = resolve_questionnaire(params, model, refuse) if model else {}
    check_study(params, model, root, shown, refuse)
    refuse_all(faults)
    assert model is not None
    return Study(params, model, questionnaire, root, shown, {dotted(a): f for a, f in origins.items()},
                 {dotted(a): n for a, n in lines.items()},
                 tuple(mark for name in sorted({shown, *origins.values()}) if (root / name).is_file()
                       for mark in unconfirmed(root / name, name)))


_PLACEHOLDERS = {"client": "x", "wave": "2026", "model": {}, "data": {"file": "x"}}


def _without_faults(merged: dict[str, Any], error: ValidationError, faults: list[InputRefused]) -> StudyParams:
    """What is sound in a study with faulty keys, so that the rest of it is checked in the same reading."""
    for _ in range(5):
        for e in error.errors():
            address = e["loc"][:-1] if e["type"] == "missing" and len(e["loc"]) > 1 else e["loc"]
            parent: Any = merged
            for number, part in enumerate(address):
                if not isinstance(parent, dict) or part not in parent:
                    break
                if number == len(address) - 1 or not isinstance(parent[part], dict):
                    del parent[part]
                    break
                parent = parent[part]
        try:
            return StudyParams.model_validate(_PLACEHOLDERS | merged)
        except ValidationError as again:
            error = again
    refuse_all(faults)
    raise error


def _merge(root: Path, shown: str) -> tuple[dict[str, Any], dict[Address, str], dict[Address, int]]:
    wave, lines = read_yaml(root / shown, shown)
    origins = dict.fromkeys(lines, shown)
    base_name = wave.pop("study", None)
    if base_name is None:
        return wave, origins, lines
    if not isinstance(base_name, str) or Path(base_name).name in {"", Path(shown).name} or "/" in base_name:
        raise InputRefused("the name of another file in the same folder is expected, such as study.yaml."
                           + _line(("study",), lines), f"{shown}: study")
    base_shown = (Path(shown).parent / base_name).as_posix()
    if not _is_file(root / base_shown):
        beside = (p.name for p in (root / shown).parent.glob("*.yaml") if p.name != Path(shown).name)
        raise InputRefused(f'there is no "{clipped(base_name)}" beside it. '
                           + meant(base_name, beside, "Correct the name, or drop the line.", 0.6, clipped)
                           + _line(("study",), lines), f"{shown}: study")
    base, base_lines = read_yaml(root / base_shown, base_shown)
    if "study" in base:
        raise InputRefused("is a key of a wave's file only. Remove it." + _line(("study",), base_lines),
                           f"{base_shown}: study")
    merged = _without_dropped(_override(_long_form(base), _long_form(wave)), wave)
    return merged, dict.fromkeys(base_lines, base_shown) | origins, base_lines | lines


def _long_form(given: dict[str, Any]) -> dict[str, Any]:
    """``Image: [a, b]`` written out, so that a wave can override one key of it."""
    model = given.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("constructs"), dict):
        return given
    constructs = {name: {"items": value} if isinstance(value, list) else value
                  for name, value in model["constructs"].items()}
    return given | {"model": model | {"constructs": constructs}}


def _without_dropped(merged: dict[str, Any], wave: dict[str, Any]) -> dict[str, Any]:
    """The study without items a wave's file leaves empty, ``items: {SAT2: null}``: it does not ask them."""
    given = wave.get("items")
    dropped = {name for name, value in given.items() if value is None} if isinstance(given, dict) else set()
    if not dropped:
        return merged
    return merged | {"items": {name: value for name, value in merged["items"].items() if name not in dropped}}


def _override(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _override(base[key], value) if key in base else value for key, value in over.items()}
    return over


def _within(address: Address, known: Container[Address]) -> Address:
    """The address, or that of the section it lies in, as far as it is known."""
    return next((address[:k] for k in range(len(address), 0, -1) if address[:k] in known), ())


def _origin(address: Address, origins: Mapping[Address, str], otherwise: str) -> str:
    return origins[at] if (at := _within(address, origins)) else otherwise


def _line(address: Address, lines: Mapping[Address, int]) -> str:
    return f" (line {lines[at]})" if (at := _within(address, lines)) else ""


_NOT_OFFERED = ("phase", "phases", "two_phase", "second_phase", "frames", "dual_frame")
_SAID = {"missing": "is missing. Add it.", "bool_type": "true or false is expected.",
         "string_type": "text is expected.", "string_too_short": "a name is expected.",
         "int_type": "a whole number is expected.", "int_from_float": "a whole number is expected.",
         "float_type": "a number is expected.", "dict_type": "lines of `key: value` are expected.",
         "model_type": "lines of `key: value` are expected.", "list_type": "a list is expected: [a, b].",
         "greater_than": "a number above {gt:,g} is expected.", "less_than": "a number below {lt:,g} is expected.",
         "greater_than_equal": "a number of {ge:,g} or more is expected.",
         "less_than_equal": "a number of {le:,g} or less is expected."}


def _faults(error: ValidationError, origins: Mapping[Address, str], lines: Mapping[Address, int],
            shown: str) -> tuple[list[InputRefused], set[str]]:
    """One refusal for each faulty key, and the sections they lie in."""
    out: dict[str, InputRefused] = {}
    for e in error.errors():
        address = tuple(str(part + 1) if isinstance(part, int) else part for part in e["loc"])
        where = f"{_origin(address, origins, shown)}: {dotted(address)}"
        out.setdefault(where, InputRefused(clipped(_said(e, address), 1000) + _line(address, lines), where))
    return list(out.values()), {str(e["loc"][0]) for e in error.errors()}


def _said(e: Mapping[str, Any], address: Address) -> str:
    """What is wrong with a value, in a sentence; the value of an unknown key is not repeated, it may be a secret."""
    kind, came = e["type"], e["input"]
    if kind == "missing":
        return _SAID[kind]
    if kind == "extra_forbidden" and address[-1] in _NOT_OFFERED:
        return ("two-phase and dual-frame samples are not offered: their weights and standard errors need what a study "
                "cannot say here. Weight such a sample elsewhere, and give replicate weights with it "
                "(replicates.columns).")
    if kind == "extra_forbidden":
        return "is not a key of a study. " + meant(address[-1], _keys_at(address[:-1]), "Remove it.", 0.6)
    if kind == "value_error":
        said = str(e["ctx"]["error"])
    elif kind == "literal_error":
        words = e["ctx"]["expected"].replace("'", "")
        said = f"{words} is expected. {meant(str(came), words.replace(' or ', ', ').split(', '), '')}".rstrip()
    else:
        said = _SAID.get(kind, e["msg"] + ".").format(**e.get("ctx", {}))
        if kind == "string_type" and isinstance(came, int | float):
            said += " Put it in quotes."
    if came is None:
        return f"is empty: {said}"
    if isinstance(came, bool):
        return f"{str(came).lower()}: {said}"
    return f'"{clipped(str(came))}": {said}' if isinstance(came, str | int | float) else said


def _keys_at(address: Address) -> list[str]:
    """The keys a study may hold below an address, for the nearest name to a typo."""
    section: type[BaseModel] = StudyParams
    for part in address:
        info = section.model_fields.get(part)
        if info is None:
            continue          # a name the study gives itself: a construct, an item, a stratum
        annotation: Any = info.annotation
        parts = [annotation, *get_args(annotation), *(b for a in get_args(annotation) for b in get_args(a))]
        section = next((a for a in parts if isinstance(a, type) and issubclass(a, Section)), section)
    return list(section.model_fields)


def item_names(study: Study) -> list[str]:
    """The model's items, each once, and the recommendation question when there is one that the model does not hold."""
    return asked(study.params, study.model)
