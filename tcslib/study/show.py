"""A study with everything it leaves unsaid filled in, and where each value comes from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tcslib.study.load import Study
from tcslib.study.models import read_preset
from tcslib.study.strict_yaml import Address, dotted

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ /.-][A-Za-z0-9_]+)*\Z|[0-9]+\Z")
_WORDS = re.compile(r"(?:null|true|false|yes|no|on|off|y|n)\Z", re.IGNORECASE)


def show(study: Study) -> list[str]:
    """The resolved study as YAML, each value's origin behind it; the lines load as the same study again."""
    return list(_Shown(study).lines(_resolved(study), ()))


def _resolved(study: Study) -> dict[str, Any]:
    """The parameters with their defaults, the model and the questions written out."""
    given = study.params.model_dump(mode="json", exclude={"model", "items"})
    if not study.params.plan.model_fields_set:
        del given["plan"]
    model = study.model
    given["model"] = {
        **({"preset": model.preset, "without": study.params.model.without} if model.preset else {}),
        "constructs": {c.name: {"items": list(c.items), "mode": c.mode, "label": dict(c.label),
                                "action": dict(c.action), "lever": c.lever} for c in model.constructs},
        "paths": [list(path) for path in model.paths], "target": model.target, "loyalty": model.loyalty,
        "item_in_several": study.params.model.item_in_several}
    own = {name: item.missing_codes for name, item in study.params.items.items()}
    given["items"] = {item.name: {"text": dict(item.text), "scale": str(item.scale), "reversed": item.reversed,
                                  "asked_if": item.asked_if, "missing_codes": own.get(item.name)}
                      for item in study.questionnaire.values()}
    return {k: given[k] for k in type(study.params).model_fields if k in given}


@dataclass
class _Shown:
    """Values as lines of YAML."""

    study: Study

    @cached_property
    def preset(self) -> Mapping[str, Any]:
        """The preset as its file holds it, empty for a model of one's own."""
        return read_preset(self.study.model.preset) if self.study.model.preset else {}

    def lines(self, value: dict[str, Any], address: Address) -> Iterator[str]:
        for key, part in value.items():
            here, pad = (*address, key), "  " * len(address)
            if isinstance(part, dict) and set(part) == {""}:          # text in no stated language
                part = part[""]
            if part is None or (part in ({}, "") and key != "missing_codes"):
                continue                                              # nothing given, and nothing by default
            if isinstance(part, dict) and part:
                inner = list(self.lines(part, here))
                yield from [f"{pad}{_scalar(key)}:", *inner] if inner else []
            elif isinstance(part, list) and part and isinstance(part[0], list):
                yield f"{pad}{_scalar(key)}:"
                yield from (f"{pad}  - {_scalar(row)}  # {self.origin((*here, str(number)))}"
                            for number, row in enumerate(part, 1))
            else:
                yield f"{pad}{_scalar(key)}: {_scalar(part)}  # {self.origin(here)}"

    def origin(self, address: Address) -> str:
        """The file and line a value stands in, the preset, or that it is the default."""
        study = self.study
        said = dotted(address)
        if said in study.lines:
            return f"{study.origins[said]}:{study.lines[said]}"
        own = study.params.model.constructs.get(address[2]) if address[:2] == ("model", "constructs") else None
        if own and own.items is not None and address[3] == "items":          # written short: Image: [a, b]
            return self.origin(address[:3])
        if address[0] == "items" and address[2] == "scale" and not self._in_preset(address):
            return self.origin(("scale",)) if address[1] != study.params.nps else "default"
        return f"preset {study.model.preset}" if self._in_preset(address) else "default"

    def _in_preset(self, address: Address) -> bool:
        preset = self.preset
        if not preset:
            return False
        if address[0] == "items":
            asked = [c["items"] for c in preset["constructs"].values() if address[1] in c["items"]]
            wording = asked[0][address[1]] if asked else {}
            return (address[3] if address[2] == "text" else address[2]) in wording
        if address[:2] == ("model", "constructs"):
            base = preset["constructs"].get(address[2], {})
            return address[3] in base
        return address[0] == "model" and address[1] in {"paths", "target", "loyalty"} and address[1] in preset


def _scalar(value: Any) -> str:
    """A value on one line; text in quotes wherever it could be read as anything else."""
    if isinstance(value, list):
        return f"[{', '.join(_scalar(v) for v in value)}]"
    if isinstance(value, str) and _PLAIN.match(value) and not _WORDS.match(value) and not value.isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)
