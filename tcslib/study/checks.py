"""What must hold between the keys of a study, beyond the type of each: files, shares, columns, limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tcslib.study.margins import check_weighting
from tcslib.study.models import Model
from tcslib.study.params import StudyParams
from tcslib.study.plan_checks import check_plan
from tcslib.study.sections.frame import frame_faults
from tcslib.study.strict_yaml import clipped, meant

Refuse = Callable[[str, str], None]          # refuse(address, message)


def check_study(params: StudyParams, model: Model | None, root: Path, shown: str, refuse: Refuse) -> None:
    """Everything that can be told without the data."""
    folder, wave = Path(shown).parent.name, Path(shown).stem
    if params.client != folder:
        refuse("client", f'"{params.client}" lies in the folder params/{clipped(folder)}. Name both alike.')
    if params.wave != wave:
        refuse("wave", f'"{params.wave}" stands in the file {clipped(Path(shown).name)}. Name both alike.')
    files = [("data.file", params.data.file), *params.fieldwork.files]
    files += [("frame.file", params.frame.file)] if params.frame is not None else []
    for at, file in files:
        _check_file(params, at, file, root, refuse)
    for address, message in frame_faults(params.frame, params.draw, params.fieldwork.start):
        refuse(address, message)
    _check_shares(params, refuse)
    check_plan(params.plan, refuse)
    if model is not None:
        _check_columns(params, model, refuse)
        _check_replicates(params, refuse)
        _check_policy(params, model, refuse)
        _check_changes(params, model, refuse)


def _check_file(params: StudyParams, at: str, file: str, root: Path, refuse: Refuse) -> None:
    try:
        inside = Path(os.path.realpath(root / "data" / "raw"))
        where = Path(os.path.realpath(root / file))
        there, regular = where.exists(), where.is_file()
    except (OSError, ValueError):          # too long, or a character no file name may hold
        refuse(at, f'"{clipped(file)}" cannot be the name of a file. Correct it.')
        return
    if Path(file).is_absolute() or inside not in where.parents:
        refuse(at, f'"{clipped(file)}" lies outside data/raw. Copy the file into data/raw/{params.client}/ '
                   "and name it from the project's root.")
    elif not there:
        refuse(at, f'there is no "{clipped(file)}". ' + meant(
            where.name, (p.name for p in where.parent.glob("*")), f"Put the file into data/raw/{params.client}/.", 0.6,
            clipped))
    elif not regular:
        refuse(at, f'"{clipped(file)}" is not a regular file. Give the file itself.')


def _check_shares(params: StudyParams, refuse: Refuse) -> None:
    check_weighting(params.weighting, refuse)
    if bool(params.compare.brand) != bool(params.compare.own):
        refuse("compare", "`brand` and `own` go together: the column, and the client's value in it. Give both or none.")


def _check_columns(params: StudyParams, model: Model, refuse: Refuse) -> None:
    """A column is one thing: a number that is an answer is no category, and an open answer is stored masked only."""
    design, compare = params.design, params.compare
    numbers = [*((item, "an item") for item in dict.fromkeys(model.items)), (design.weights, "the weight"),
               *((column, "a number of units on the frame") for key, column in design.numbers.items() if "fpc" in key),
               *((column, "a replicate weight") for column in params.replicates.given),
               *((c, "a number weighting knows of the population") for c in params.weighting.numeric),
               (params.cleaning.duration, "the length of the interview"),
               ("" if params.nps in model.items else params.nps, "the nps question")]
    labels = [(params.data.id, "data.id"), *((column, f"design.{key}") for key, column in design.labels.items()),
              *((c, key) for c, key in params.weighting.columns.items() if c not in params.weighting.numeric),
              *((rule.column, f"policy.{k}") for k, rule in enumerate(params.policy, 1)),
              *((c, f"cleaning.require.{c}") for c in params.cleaning.require),
              (compare.brand, "compare.brand"), *((c, "compare.segments") for c in compare.segments),
              *params.fieldwork.columns]
    number: dict[str, str] = {}
    for column, what in numbers:
        if column and number.setdefault(column, what) != what:
            refuse("design" if column in {*design.numbers.values(), *params.replicates.given} else
                   params.weighting.columns.get(column, "cleaning.duration"),
                   f'column "{clipped(column)}" is {number[column]} already and cannot be {what} too. Correct one.')
    for column, key in labels:
        if column and column in number:
            refuse(key, f'column "{clipped(column)}" is {number[column]}, a number; a column of categories is '
                        "expected. Name another, or add one to the file.")
    shown = sorted({column for column, key in labels if key != "data.id"} - {""})
    named = f", or name one of {', '.join(map(clipped, shown))}." if shown else "."
    for column in params.categories:
        if column not in shown:
            refuse(f"categories.{column}", f'"{clipped(column)}" is no column of categories this study uses. '
                   + meant(column, shown, f"Drop it{named}", 0.6, clipped))
    for column in params.report.verbatims:
        if column in number or column in {c for c, _ in labels}:
            refuse("report.verbatims", f'column "{clipped(column)}" has another use in this study; open answers are '
                                       "masked and serve no other. Drop one of the two.")
    for key, columns in (("compare.segments", compare.segments), ("report.verbatims", params.report.verbatims)):
        for column in dict.fromkeys(c for c in columns if columns.count(c) > 1):
            refuse(key, f'lists "{clipped(column)}" more than once. Keep one.')


def _check_replicates(params: StudyParams, refuse: Refuse) -> None:
    """Replicates that need what the study does not state."""
    given, weighting, design = params.replicates.method == "given", params.weighting, params.design
    if given and (weighting.columns or weighting.trim is not None):
        refuse("weighting", "replicate weights given with the data hold their weighting already, and steps of their "
                            "own would not be replayed. Drop weighting, or replicates.columns.")
    if given and not design.weights:
        refuse("replicates.columns", "replicate weights belong to final weights, and design.weights names none. Name "
                                     "their column.")
    if given and params.compare.previous:
        refuse("compare.previous", "the change between two waves needs replicates that both share, and given ones are "
                                   "not. Drop it, or state strata and clusters and use bootstrap.")
    if params.replicates.method == "preston" and not design.fpc:
        refuse("replicates.method", "preston needs the number of sampling units on the frame. Name its column in "
                                    "design.fpc, or use bootstrap.")
    units = [design.clusters, *(stage.clusters for stage in design.stages)]
    if design.stages and len(set(units)) < len(units):
        refuse("design.stages", "one column names the units of two stages. Name the units drawn within the others, or "
                                "drop the stage.")
    if design.stages and params.replicates.method != "preston":
        refuse("design.stages", f"later stages add nothing under {params.replicates.method}, where the first one holds "
                                "all of the variance. Use replicates.method preston, or drop stages.")


def _check_policy(params: StudyParams, model: Model, refuse: Refuse) -> None:
    """Policy weights of constructs there are, one rule for a column."""
    columns = [rule.column for rule in params.policy]
    for k, rule in enumerate(params.policy, 1):
        if columns.index(rule.column) < k - 1:
            refuse(f"policy.{k}", f'column "{clipped(rule.column)}" has a rule already. Join the two.')
        if not rule.weights and not rule.aspects:
            refuse(f"policy.{k}", "gives no weights. State weights by category, or drop the rule.")
        for aspect in rule.aspects:
            if aspect not in model.names:
                refuse(f"policy.{k}.aspects.{aspect}", f'"{clipped(aspect)}" is not a construct. '
                       + meant(aspect, model.names, f"There are {', '.join(map(clipped, model.names))}."))


def _check_changes(params: StudyParams, model: Model, refuse: Refuse) -> None:
    """What is said of questions since the wave before must be about questions of this one, and mean one thing."""
    asked, compare = {*model.items, params.nps}, params.compare
    for item, change in params.changes.items():
        if item not in asked:
            refuse(f"changes.{item}", "is not a question of this wave. "
                   + meant(item, sorted(asked), "Name it as this wave's file does, or drop it."))
        if change.new and (change.was or change.wording or change.scale or change.codes):
            refuse(f"changes.{item}", "a new question has no past. Drop `new`, or the rest.")
    old = [(change.was or item) for item, change in params.changes.items() if not change.new]
    for name in dict.fromkeys(n for n in old if old.count(n) > 1):
        refuse("changes", f'two questions claim to have been "{clipped(name)}" in the wave before. Correct one.')
    if compare.previous is None and (compare.base or compare.overlap):
        refuse("compare", "`base` and `overlap` say how waves are compared, and `previous` names none. Add it, or drop "
                          "them.")
    if compare.previous == params.wave:
        refuse("compare.previous", "names this wave itself. Name the one before.")
