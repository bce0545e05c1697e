"""From the declared plan to the steps, coded for this sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tcslib.errors import InputRefused
from tcslib.survey.weighting import Calibration
from tcslib.weighting.coding import Coder, Margin, joint
from tcslib.weighting.nonresponse import Cells, Propensity, dependent, step_of
from tcslib.weighting.state import Step
from tcslib.weighting.steps import Calibrate, PostStratify, Rake, Trim, joined


@dataclass(frozen=True, eq=False)
class Number:
    """A column of numbers of which the population's mean or total is known."""

    column: str
    values: np.ndarray          # (n,)
    mean: float                 # that the weighted sample shall have


@dataclass(frozen=True, eq=False)
class Built:
    """The steps over K patterns, and what the report shows of the margins.

    Attributes
    ----------
    pattern
        (n,) pattern of each row.
    steps, margins, numbers
        In their order; margins and numbers of rows (n,).
    """

    pattern: np.ndarray
    steps: tuple[Step, ...]
    margins: tuple[Margin, ...]
    numbers: tuple[Number, ...]
    population: float


def build(coder: Coder) -> Built:
    """Code the sample for every declared step.

    Raises
    ------
    InputRefused
        For margins, cells and auxiliaries that the sample cannot meet, by name.
    """
    plan, where = coder.responses.weighting, coder.where
    # sums in an order of their own, here and below: no last digit hangs on that of the file
    total = float(np.sort(coder.base).sum() if plan.population is None else plan.population)
    if total < (n := int(coder.responded.sum())) and plan.population is not None:
        raise InputRefused(f"the targets sum to {total:,.6g}, and {n:,} responded. Give counts of the population, or "
                           "shares that sum to 1 (52% is 0.52).", f"{where}: weighting")
    rows: list[Step] = []          # steps whose patterns are still the rows
    codes, margins = [coder.responded.astype(np.int64)], list[Margin]()
    numbers = list[Number]()
    if plan.nonresponse is not None:
        more, adjusting = step_of(plan.nonresponse, coder)
        rows.append(adjusting)
        codes += more
    for number, cells in enumerate(plan.post_stratify, 1):
        margin = coder.margin(cells.by, cells.targets, f"{where}: weighting.post_stratify.{number}")
        rows.append(PostStratify(margin, margin.code, total))
        margins.append(margin)
    if plan.rake:
        raked = tuple(coder.margin([column], targets, f"{where}: weighting.rake.{column}")
                      for column, targets in plan.rake.items())
        cell, first = joint([m.code for m in raked])
        rows.append(Rake(raked, cell, joined(raked, first), total, plan.gap))
        margins += raked
    if plan.calibrate is not None:
        own, numbers, calibrating = _calibration(plan.calibrate, coder, total)
        rows.append(calibrating)
        margins += own
        codes.append(calibrating.cell)
    if plan.trimming is not None:
        rows.append(Trim(plan.trimming, (), total))
    codes += [m.code for m in margins]
    if any(step.own_weights for step in rows):
        codes.append(np.unique(coder.base, return_inverse=True)[1])
    pattern, first = joint(codes)
    steps: list[Step] = []
    for step in rows:
        if isinstance(step, Trim):
            again = tuple(s for s in steps if s.calibrates) if step.rule.redistribute == "calibrate" else ()
            steps.append(replace(step, again=again))
        elif isinstance(step, Cells | Propensity):
            steps.append(replace(step, cell=step.cell[first], responded=step.responded[first]))
        elif isinstance(step, PostStratify | Rake | Calibrate):
            steps.append(replace(step, cell=step.cell[first]))
    return Built(pattern, tuple(steps), tuple(margins), tuple(numbers), total)


def _calibration(plan: Calibration, coder: Coder, total: float) -> tuple[list[Margin], list[Number], Calibrate]:
    """The auxiliaries: a column of ones, categories but the first of each column, numbers centred on what is known."""
    at = f"{coder.where}: weighting.calibrate.totals"
    margins = [coder.margin([column], targets, f"{at}.{column}") for column, targets in plan.shares.items()]
    used = coder.responded & (coder.base > 0)
    numbers, codes = [], [m.code for m in margins]
    for column, known in (dict(plan.means) | {c: t / total for c, t in plan.totals.items()}).items():
        values = np.where(coder.responded, coder.numbers(column, coder.responded, f"{at}.{column}"), 0.0)
        if np.ptp(values[used]) <= 1e-12 * abs(values[used]).max():
            raise InputRefused(f"{column} is {values[used][0]:g} for every respondent, so no weights give it another "
                               f"mean than that, {known:g} for one. Drop it.", f"{at}.{column}")
        numbers.append(Number(column, values, float(known)))
        codes.append(np.unique(values, return_inverse=True)[1])
    cell, first = joint(codes)
    names, parts, target = ["1"], [np.ones((len(first), 1))], [np.array([total])]
    for margin in margins:
        names += [f"{margin.column}={name}" for name in margin.names[1:]]
        parts.append(margin.members[:, 1:][first] if len(margin.code) < 100_000 else
                     (margin.code[first][:, None] == np.arange(1, len(margin.names))).astype(float))
        target.append(margin.shares[1:] * total)
    for number in numbers:
        names.append(number.column)
        spread = np.sort(number.values[used]).std()
        parts.append(((number.values[first] - number.mean) / spread)[:, None])
        target.append(np.zeros(1))
    x, known_totals = np.hstack(parts), np.concatenate(target)
    weights = np.bincount(cell, coder.base * coder.responded, len(first))
    if (twice := dependent(x, weights)) is not None:
        raise InputRefused(f"{names[twice]} says no more than the columns before it (one is a combination of the "
                           "others), so their totals cannot be met apart. Drop one of them.", at)
    scale = np.where(known_totals > 0, known_totals, total)
    return margins, numbers, Calibrate(tuple(names), cell, x, known_totals, scale, plan.method, plan.bounds,
                                       plan.bounds_on == "weight")
