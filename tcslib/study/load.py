"""From the YAML of a study to the study: files merged, keys checked, model resolved, every fault at once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from tcslib.errors import InputRefused, refuse_all
from tcslib.study.models import Model
from tcslib.study.params import Section, StudyParams
from tcslib.study.questionnaire import Item, Questionnaire
from tcslib.study.resolve import resolve_model, resolve_questionnaire
from tcslib.study.strict_yaml import Address, dotted, read_yaml


@dataclass(frozen=True)
class Study:
    """One client's survey in one wave, as its files state it."""

    params: StudyParams
    model: Model
    questionnaire: Questionnaire
    root: Path
    path: str
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)

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
    found = next((p for p in tried if p.is_file()), None)
    if found is None:
        folder = next((p.parent for p in tried if p.parent.is_dir()), None)
        near = difflib.get_close_matches(path.name, [p.name for p in folder.glob("*.yaml")] if folder else [], 1)
        raise InputRefused("there is no such study. " + (f"Did you mean {near[0]}?" if near else
                           "Studies lie at params/<client>/<wave>.yaml below the project's root."), str(path))
    found = Path(os.path.abspath(found))
    if found.parent.parent.name != "params":
        raise InputRefused("a study lies at params/<client>/<wave>.yaml below the project's root. Move it there.",
                           str(path))
    root = found.parent.parent.parent
    return root, found.relative_to(root).as_posix()


def load(path: str | Path) -> Study:
    """Read and check a study.

    Parameters
    ----------
    path
        The wave's file, ``params/<client>/<wave>.yaml``. Its key ``study`` names the file beside it that holds
        what stays the same from wave to wave; the wave file overrides it, key by key.

    Raises
    ------
    InputRefused
        With one line for every fault of the files, their keys, values and model.
    """
    root, shown = find_root(path)
    merged, origins, lines = _merge(root, shown)
    faults: list[InputRefused] = []
    try:
        params = StudyParams.model_validate(merged)
    except ValidationError as error:
        faults += _faults(error, origins, lines, shown)
        params = _without_faults(merged, error, faults)

    def refuse(address: str, message: str) -> None:
        at = tuple(address.split("."))
        faults.append(InputRefused(message + _line(at, lines), f"{_origin(at, origins, shown)}: {address}"))

    if params.client != Path(shown).parent.name:
        refuse("client", f'"{params.client}" lies in the folder params/{Path(shown).parent.name}. Name both alike.')
    model = resolve_model(params.model, refuse)
    questionnaire = resolve_questionnaire(params, model, refuse) if model else {}
    _check_files(params, root, refuse)
    _check_shares(params, refuse)
    _check_version(params, refuse)
    refuse_all(faults)
    assert model is not None
    return Study(params, model, questionnaire, root, shown, {dotted(a): f for a, f in origins.items()})


def _without_faults(merged: dict[str, Any], error: ValidationError, faults: list[InputRefused]) -> StudyParams:
    """What is sound in a study with faulty keys, so that its model and shares are checked in the same reading."""
    for e in error.errors():
        parent: Any = merged
        for part in e["loc"][:-1]:
            parent = parent.get(part, {}) if isinstance(parent, dict) else {}
        if isinstance(parent, dict):
            parent.pop(e["loc"][-1], None)
    try:
        return StudyParams.model_validate(merged)
    except ValidationError:
        refuse_all(faults)
        raise


def _merge(root: Path, shown: str) -> tuple[dict[str, Any], dict[Address, str], dict[Address, int]]:
    wave, lines = read_yaml(root / shown, shown)
    origins = dict.fromkeys(lines, shown)
    base_name = wave.pop("study", None)
    if base_name is None:
        return wave, origins, lines
    if not isinstance(base_name, str) or Path(base_name).name != base_name:
        raise InputRefused("the name of a file in the same folder is expected, such as study.yaml.", f"{shown}: study")
    base_shown = (Path(shown).parent / base_name).as_posix()
    base, base_lines = read_yaml(root / base_shown, base_shown)
    return (_override(base, wave), dict.fromkeys(base_lines, base_shown) | origins, base_lines | lines)


def _override(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _override(base[key], value) if key in base else value for key, value in over.items()}
    return over


def _origin(address: Address, origins: Mapping[Address, str], otherwise: str) -> str:
    while address and address not in origins:
        address = address[:-1]
    return origins.get(address, otherwise) if address else otherwise


def _line(address: Address, lines: Mapping[Address, int]) -> str:
    return f" (line {lines[address]})" if address in lines else ""


_SAID = {"missing": "is missing. Add it.", "bool_type": "true or false is expected.",
         "string_type": "text is expected. Put it in quotes.", "int_type": "a whole number is expected.",
         "float_type": "a number is expected.", "dict_type": "lines of `key: value` are expected.",
         "model_type": "lines of `key: value` are expected.", "list_type": "a list is expected: [a, b]."}


_BRANCHES = {"ConstructParams", "list[str]"}          # pydantic names the branch of a union in its location


def _faults(error: ValidationError, origins: Mapping[Address, str], lines: Mapping[Address, int],
            shown: str) -> list[InputRefused]:
    out: dict[str, InputRefused] = {}
    for e in error.errors():
        address = tuple(str(part + 1) if isinstance(part, int) else part for part in e["loc"]
                        if part not in _BRANCHES)
        kind, came = e["type"], e["input"]
        if kind == "extra_forbidden":
            near = difflib.get_close_matches(address[-1], _keys_at(address[:-1]), 1, 0.6)
            said = "is not a key of a study. " + (f"Did you mean {near[0]}?" if near else "Remove it.")
        elif kind == "value_error":
            said = str(e["ctx"]["error"])
        elif kind == "literal_error":
            near = difflib.get_close_matches(str(came), [w.strip("' ") for w in e["ctx"]["expected"].replace(
                " or ", ",").split(",")], 1, 0.5)
            said = f'"{came}" is not one of {e["ctx"]["expected"]}.' + (f" Did you mean {near[0]}?" if near else "")
        else:
            said = _SAID.get(kind, e["msg"] + ".")
        if kind != "missing" and isinstance(came, str | int | float) and not said.startswith(('"', "is not")):
            said = f'"{came}": {said}'
        where = f"{_origin(address, origins, shown)}: {dotted(address)}"
        out.setdefault(where, InputRefused(said + _line(address, lines), where))
    return list(out.values())


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


def _check_files(params: StudyParams, root: Path, refuse: Any) -> None:
    file = params.data.file
    inside = Path(os.path.realpath(root / "data" / "raw"))
    where = Path(os.path.realpath(root / file))
    if Path(file).is_absolute() or inside not in where.parents:
        refuse("data.file", f'"{file}" lies outside data/raw. Copy the file into data/raw/{params.client}/ and name '
                            "it from the project's root.")
    elif not where.exists():
        near = difflib.get_close_matches(where.name, [p.name for p in where.parent.glob("*")], 1)
        refuse("data.file", f'there is no "{file}". ' + (f"Did you mean {near[0]}?" if near else
                                                        f"Put the file into data/raw/{params.client}/."))
    elif not where.is_file():
        refuse("data.file", f'"{file}" is not a regular file. Give the file that holds the answers.')


def _check_shares(params: StudyParams, refuse: Any) -> None:
    for column, shares in params.weighting.rake.items():
        at = f"weighting.rake.{column}"
        for category, share in shares.items():
            if not share > 0:
                refuse(f"{at}.{category}", f"the share {share:g} is not above 0. Merge the category or drop it.")
        if abs(sum(shares.values()) - 1) > 1e-6:
            refuse(at, f"the shares sum to {sum(shares.values()):.6g}, not to 1. Correct them.")
    if bool(params.compare.brand) != bool(params.compare.own):
        refuse("compare", "`brand` and `own` go together: the column, and the client's value in it. Give both or none.")
    if params.plan.strata and params.plan.population is not None:
        total = sum(s.size for s in params.plan.strata.values())
        if total != params.plan.population:
            refuse("plan.population", f"{params.plan.population:,} differs from the strata's total {total:,}. "
                                      "Drop it or correct it.")


def _check_version(params: StudyParams, refuse: Any) -> None:
    """Refuse what has a key but no code behind it yet: a setting passed over in silence would be a wrong report."""
    if params.language != "en":
        refuse("language", "reports in Chinese are not available in this version. Write en.")
    if params.compare.previous is not None:
        refuse("compare.previous", "comparing waves is not available in this version. Drop the line.")


def item_names(study: Study) -> list[str]:
    """The model's items, and the recommendation question when there is one that the model does not hold."""
    extra = [study.params.nps] if study.params.nps and study.params.nps not in study.model.items else []
    return study.model.items + extra


__all__ = ["Item", "Study", "find_root", "item_names", "load"]
