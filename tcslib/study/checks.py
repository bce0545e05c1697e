"""What must hold between the keys of a study, beyond the type of each: files, shares, columns, limits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tcslib.study.margins import check_weighting
from tcslib.study.models import Model
from tcslib.study.params import StudyParams
from tcslib.study.strict_yaml import clipped, meant

Refuse = Callable[[str, str], None]          # refuse(address, message)


def check_study(params: StudyParams, model: Model | None, root: Path, shown: str, refuse: Refuse) -> None:
    """Everything that can be told without the data."""
    folder, wave = Path(shown).parent.name, Path(shown).stem
    if params.client != folder:
        refuse("client", f'"{params.client}" lies in the folder params/{clipped(folder)}. Name both alike.')
    if params.wave != wave:
        refuse("wave", f'"{params.wave}" stands in the file {clipped(Path(shown).name)}. Name both alike.')
    _check_file(params, root, refuse)
    _check_shares(params, refuse)
    if model is not None:
        _check_columns(params, model, refuse)
        _check_changes(params, model, refuse)


def _check_file(params: StudyParams, root: Path, refuse: Refuse) -> None:
    file = params.data.file
    try:
        inside = Path(os.path.realpath(root / "data" / "raw"))
        where = Path(os.path.realpath(root / file))
        there, regular = where.exists(), where.is_file()
    except (OSError, ValueError):          # too long, or a character no file name may hold
        refuse("data.file", f'"{clipped(file)}" cannot be the name of a file. Correct it.')
        return
    if Path(file).is_absolute() or inside not in where.parents:
        refuse("data.file", f'"{clipped(file)}" lies outside data/raw. Copy the file into data/raw/{params.client}/ '
                            "and name it from the project's root.")
    elif not there:
        refuse("data.file", f'there is no "{clipped(file)}". ' + meant(
            where.name, (p.name for p in where.parent.glob("*")), f"Put the file into data/raw/{params.client}/.", 0.6,
            clipped))
    elif not regular:
        refuse("data.file", f'"{clipped(file)}" is not a regular file. Give the file that holds the answers.')


def _check_shares(params: StudyParams, refuse: Refuse) -> None:
    check_weighting(params.weighting, refuse)
    if bool(params.compare.brand) != bool(params.compare.own):
        refuse("compare", "`brand` and `own` go together: the column, and the client's value in it. Give both or none.")
    if params.plan.strata and params.plan.population is not None:
        total = sum(s.size for s in params.plan.strata.values())
        if total != params.plan.population:
            refuse("plan.population", f"{params.plan.population:,} differs from the strata's total {total:,}. "
                                      "Drop it or correct it.")


def _check_columns(params: StudyParams, model: Model, refuse: Refuse) -> None:
    """A column is one thing: a number that is an answer is no category, and an open answer is stored masked only."""
    design, compare = params.design, params.compare
    numbers = [*((item, "an item") for item in dict.fromkeys(model.items)), (design.weights, "the weight"),
               (design.fpc, "a population size"),
               *((c, "a number weighting knows of the population") for c in params.weighting.numeric),
               (params.cleaning.duration, "the length of the interview"),
               ("" if params.nps in model.items else params.nps, "the nps question")]
    labels = [(params.data.id, "data.id"), (design.strata, "design.strata"), (design.clusters, "design.clusters"),
              *((c, key) for c, key in params.weighting.columns.items() if c not in params.weighting.numeric),
              *((c, f"cleaning.require.{c}") for c in params.cleaning.require),
              (compare.brand, "compare.brand"), *((c, "compare.segments") for c in compare.segments)]
    number: dict[str, str] = {}
    for column, what in numbers:
        if column and number.setdefault(column, what) != what:
            refuse("design" if column in {design.weights, design.fpc} else params.weighting.columns.get(
                column, "cleaning.duration"),
                   f'column "{clipped(column)}" is {number[column]} already and cannot be {what} too. Correct one.')
    for column, key in labels:
        if column and column in number:
            refuse(key, f'column "{clipped(column)}" is {number[column]}, a number; a column of categories is '
                        "expected. Name another, or add one to the file.")
    shown = sorted({column for column, key in labels if key not in {"data.id", "design.clusters"}} - {""})
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
