"""A study's model and questionnaire from its preset and its own words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tcslib.study.checks import Refuse
from tcslib.study.models import Construct, Model, cycle_in, preset_names, read_preset
from tcslib.study.params import ConstructParams, ItemParams, ModelParams, StudyParams
from tcslib.study.questionnaire import Item, Questionnaire, Scale
from tcslib.study.strict_yaml import clipped, meant


def resolve_model(given: ModelParams, refuse: Refuse) -> Model | None:
    """The model, or None when nothing can be made of what was given; faults go to ``refuse(address, message)``."""
    preset: Mapping[str, Any] = {}
    if given.preset is not None:
        if given.preset not in preset_names():
            refuse("model.preset", f'"{clipped(given.preset)}" is not a preset; there are {", ".join(preset_names())}. '
                   + meant(given.preset.lower(), preset_names(), "Or give constructs and paths."))
            return None
        preset = read_preset(given.preset)
    base = {name: c for name, c in preset.get("constructs", {}).items() if name not in given.without}
    own = {name: c for name, c in given.constructs.items() if name not in given.without}
    for name in given.without:
        if name not in {*preset.get("constructs", {}), *given.constructs}:
            refuse("model.without", f'"{name}" is not a construct of the model. {_nearest(name, [*base, *own])}')
    constructs = [_construct(name, own.get(name, ConstructParams()), base.get(name, {}), refuse)
                  for name in [*base, *(n for n in own if n not in base)]]
    if not constructs:
        refuse("model", f"holds no constructs. Give a preset ({', '.join(preset_names())}), or constructs and paths.")
        return None
    paths = [p for p in (given.paths if given.paths is not None else preset.get("paths", []))
             if not set(p) & set(given.without)]
    names = [c.name for c in constructs]
    if preset and given.paths is None and (extra := [n for n in names if n not in base]):
        refuse(f"model.constructs.{extra[0]}", f"is not a construct of {given.preset}, which has {', '.join(base)}. "
               f"{_nearest(extra[0], base)} Or give all paths of your own model as model.paths.")
        return None
    checked = _paths(paths, names, refuse)
    _items(constructs, given, refuse)
    roles = {role: getattr(given, role) or preset.get(role, "") for role in ("target", "loyalty")}
    for role, name in roles.items():
        if name and name not in names and name in given.without:
            roles[role] = ""
        elif name and name not in names:
            refuse(f"model.{role}", f'"{name}" is not a construct. {_nearest(name, names)}')
    if not roles["target"]:
        refuse("model.target", "is missing: which construct is the index? Name it.")
    title, source, status = ({"": said} if isinstance(said := preset.get(key, {}), str) else said
                             for key in ("name", "source", "status"))
    as_shipped = {name: (tuple(c.get("items", {})), c.get("mode", "A"))
                  for name, c in preset.get("constructs", {}).items()}
    adapted = ({c.name: (c.items, c.mode) for c in constructs}, set(checked)) != (
        as_shipped, {tuple(path) for path in preset.get("paths", [])})
    return Model(tuple(constructs), checked, roles["target"], roles["loyalty"], given.preset or "", title, source,
                 status, bool(preset) and adapted)


def _construct(name: str, own: ConstructParams, base: Mapping[str, Any], refuse: Refuse) -> Construct:
    items = own.items if own.items is not None else list(base.get("items", {}))
    if not items:
        refuse(f"model.constructs.{name}", "has no items. Name the columns that measure it, or drop it.")
    for item, times in Counter(items).items():
        if times > 1:
            refuse(f"model.constructs.{name}", f'lists "{item}" {times} times. Keep one.')
    return Construct(name, tuple(items), own.mode or base.get("mode", "A"),
                     own.label if own.label is not None else base.get("label", {}),
                     own.action if own.action is not None else base.get("action", {}),
                     own.lever if own.lever is not None else base.get("lever", True))


def _paths(paths: list[list[str]], names: list[str], refuse: Refuse) -> tuple[tuple[str, str], ...]:
    out: list[tuple[str, str]] = []
    for number, path in enumerate(paths, 1):
        at = f"model.paths.{number}"
        if len(path) != 2:
            refuse(at, f"a pair [from, to] is expected, not {len(path)} names.")
            continue
        unknown = [n for n in path if n not in names]
        for name in unknown:
            refuse(at, f'"{name}" is not a construct; there are {", ".join(names)}. {_nearest(name, names)}')
        if not unknown and (path[0], path[1]) in out:
            refuse(at, f"{path[0]} → {path[1]} stands twice. Keep one.")
        elif not unknown:
            out.append((path[0], path[1]))
    if not paths:
        refuse("model.paths", "is missing: pairs [from, to] between constructs. Add them.")
    if cycle := cycle_in(out):
        refuse("model.paths", f"run in a circle: {' → '.join(cycle)}. Drop one of them.")
    linked = {n for path in paths for n in path}
    if paths and linked <= set(names) and not cycle:
        for name in names:
            if name not in linked:
                refuse(f"model.constructs.{name}", "has no path to or from it. Link it or drop it.")
    return tuple(out)


def _items(constructs: list[Construct], given: ModelParams, refuse: Refuse) -> None:
    holders: dict[str, list[str]] = {}
    for construct in constructs:
        for item in construct.items:
            holders.setdefault(item, []).append(construct.name)
    for item, names in holders.items():
        if len(set(names)) > 1 and not given.item_in_several:
            refuse("model.constructs", f'item "{item}" is in {" and ".join(names)}. Keep it in one, or set '
                                       "model.item_in_several: true.")


def _nearest(name: str, names: Iterable[str]) -> str:
    return meant(name, names, "Correct the name.")


def asked(params: StudyParams, model: Model) -> list[str]:
    """The model's items, each once, and the recommendation question when there is one that the model does not hold."""
    return list(dict.fromkeys([*model.items, *([params.nps] if params.nps else [])]))


def resolve_questionnaire(params: StudyParams, model: Model, refuse: Refuse) -> Questionnaire:
    """Every item the study reads, with scale, wording and codes from the study, its items section and the preset."""
    known: dict[str, Any] = {}
    if model.preset:
        for construct in read_preset(model.preset)["constructs"].values():
            known |= construct["items"]
    names = asked(params, model)
    for name in params.items:
        if name not in names:
            refuse(f"items.{name}", f"is neither in the model nor the nps question. {_nearest(name, names)}")
    out = {}
    for name in names:
        own = params.items.get(name, ItemParams())
        if name == params.nps and own.scale is None:
            own = own.model_copy(update={"scale": "0-10"})
        if name == params.nps and Scale.parse(own.scale or params.scale) != Scale(0, 10):
            refuse("nps", f'"{name}" is asked on {own.scale or params.scale}; the net promoter score needs 0-10. '
                          "Drop `nps`, or correct the item's scale.")
        base = known.get(name, {})
        scale = own.scale or base.get("scale") or params.scale
        text = own.text or {k: v for k, v in base.items() if k in {"en", "zh"}}
        out[name] = Item(name, Scale.parse(scale), text, own.reversed, own.asked_if or base.get("asked_if", ""),
                         {float(code): word for code, word in params.codes(name).items()
                          if code not in params.tags(name)})
    _check_codes(params, out, refuse)
    return out


def _check_codes(params: StudyParams, questionnaire: Questionnaire, refuse: Refuse) -> None:
    """A code that is also an answer would turn answers into missing ones."""
    said: set[tuple[str, float]] = set()
    for name, item in questionnaire.items():
        own = name in params.items and params.items[name].missing_codes is not None
        at = f"items.{name}.missing_codes" if own else "missing_codes"
        for code in item.missing_codes:
            if item.scale.low <= code <= item.scale.high and (at, code) not in said:
                said.add((at, code))
                refuse(at, f'{code:g} is an answer on the scale {item.scale} of "{clipped(name)}". Correct it, or '
                           f"give that item its own: items.{clipped(name)}.missing_codes: {{}}.")
