"""What must hold between the targets of a weighting, as far as it can be told without the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tcslib.study.sections.weighting import PostStrataParams, WeightingParams
from tcslib.study.strict_yaml import clipped

CROSS = " × "          # between the categories of a cell of several columns
SAME = 1e-6            # shares sum to 1, and counts to one population, as exactly as people write them

Refuse = Callable[[str, str], None]          # refuse(address, message)


def flattened(targets: Mapping[str, Any], depth: int) -> dict[str, float]:
    """Nested targets of crossed columns as one mapping; the names of a cell's categories are joined."""
    if depth == 1:
        return dict(targets)
    return {f"{name}{CROSS}{cell}": value for name, inner in targets.items()
            for cell, value in flattened(inner, depth - 1).items()}


def population(params: WeightingParams) -> float | None:
    """What the counts of a weighting sum to, None where all targets are shares."""
    return next((total for _, targets in _margins(params) if abs((total := sum(targets.values())) - 1) > SAME), None)


def check_weighting(params: WeightingParams, refuse: Refuse) -> None:
    """Targets, bounds and options that contradict themselves or one another."""
    for number, cells in enumerate(params.post_stratify, 1):
        if not _nested(cells, f"weighting.post_stratify.{number}", refuse):
            return
    for column, known in (params.calibrate.totals if params.calibrate else {}).items():
        of_numbers = set(known) & {"mean", "total"}
        if known and bool(of_numbers) == (len(known) > 1):
            refuse(f"weighting.calibrate.totals.{column}", f"{' and '.join(map(clipped, known))}: for a column of "
                   "numbers {mean: …} or {total: …} is expected, one of the two; for categories two or more.")
            return
    counted: tuple[str, float] | None = None
    for at, targets in _margins(params):
        for category, value in targets.items():
            if not value > 0:
                refuse(f"{at}.{category}", f"the share {value:g} is not above 0. Merge the category or drop it.")
        total = sum(targets.values())
        if abs(total - 1) <= SAME:
            continue
        if min(targets.values(), default=0) < 1:
            refuse(at, f"the shares sum to {total:.6g}, not to 1. Correct them.")
        elif abs(total - 100) <= 0.5:
            refuse(at, f"the targets sum to {total:g}. Write percentages as shares (52% is 0.52), or give counts.")
        elif counted is None:
            counted = at, total
        elif abs(total - counted[1]) > SAME * counted[1]:
            refuse(at, f"the counts sum to {total:,.6g}, those of {counted[0]} to {counted[1]:,.6g}: "
                       f"{abs(total - counted[1]):,.6g} ({abs(total / counted[1] - 1):.1%}) "
                       f"{'more' if total > counted[1] else 'less'}. Give all margins one population, or shares.")
    _check_same(params, refuse)
    _check_options(params, refuse)


def _check_same(params: WeightingParams, refuse: Refuse) -> None:
    """One column's targets in two steps must be the same: the later step would undo the earlier one."""
    sets = [(f"weighting.post_stratify.{k}.targets", each.by[0], each.targets) for k, each in
            enumerate(params.post_stratify, 1) if len(each.by) == 1]
    sets += [(f"weighting.rake.{column}", column, targets) for column, targets in params.rake.items()]
    sets += [(f"weighting.calibrate.totals.{column}", column, targets) for column, targets in
             (params.calibrate.totals if params.calibrate else {}).items() if not {"mean", "total"} & set(targets)]
    first: dict[str, tuple[str, dict[str, float]]] = {}
    for at, column, targets in sets:
        shares = {name: value / (sum(targets.values()) or 1) for name, value in targets.items()}
        before, known = first.setdefault(column, (at, shares))
        if off := [name for name in shares if abs(shares[name] - known.get(name, 0)) > 1e-4]:
            refuse(at, f'"{clipped(off[0])}" is {shares[off[0]]:.1%} here and {known.get(off[0], 0):.1%} in {before}. '
                       "Give one column one set of targets.")


def _margins(params: WeightingParams) -> Iterator[tuple[str, dict[str, float]]]:
    """Every set of categorical targets, with its address."""
    for number, cells in enumerate(params.post_stratify, 1):
        yield f"weighting.post_stratify.{number}.targets", flattened(cells.targets, len(cells.by))
    for column, targets in params.rake.items():
        yield f"weighting.rake.{column}", targets
    for column, targets in (params.calibrate.totals if params.calibrate else {}).items():
        if set(targets) not in ({"mean"}, {"total"}):
            yield f"weighting.calibrate.totals.{column}", targets


def _nested(cells: PostStrataParams, at: str, refuse: Refuse) -> bool:
    """Whether targets are nested as deep as there are columns, with numbers at the bottom."""
    def sound(targets: Any, depth: int) -> bool:
        if depth == 0:
            return isinstance(targets, int | float) and not isinstance(targets, bool)
        return isinstance(targets, dict) and bool(targets) and all(sound(t, depth - 1) for t in targets.values())

    if not cells.by or len(set(cells.by)) < len(cells.by):
        refuse(f"{at}.by", "the names of different columns are expected: [region, gender].")
    elif not sound(cells.targets, len(cells.by)):
        refuse(f"{at}.targets", f"numbers below {' and '.join(map(clipped, cells.by))} are expected, nested in this "
                                "order: {North: {f: 1200, m: 1300}, …}.")
    else:
        return True
    return False


def _check_options(params: WeightingParams, refuse: Refuse) -> None:
    if (given := params.nonresponse) is not None:
        at = "weighting.nonresponse"
        if bool(given.cells) == bool(given.propensity):
            refuse(at, "`cells` or `propensity` is expected, one of the two.")
        if given.cells and (given.classes or given.numeric):
            refuse(at, "`classes` and `numeric` belong to `propensity`. Drop them, or name the columns there.")
        for column in set(given.numeric) - set(given.propensity or given.numeric):
            refuse(f"{at}.numeric", f'"{clipped(column)}" is not among the columns of `propensity`. Add or drop it.')
    if (aux := params.calibrate) is not None:
        at, bounded = "weighting.calibrate", aux.method in {"logit", "truncated"}
        if not aux.totals:
            refuse(at, "`totals` is expected: the columns to calibrate to, with what is known of them.")
        if bounded != (aux.bounds is not None):
            refuse(at, f"the method {aux.method} {'needs' if bounded else 'knows no'} bounds. "
                       + ("Give bounds: [0.5, 2.5]." if bounded else "Drop them, or take logit or truncated."))
        elif aux.bounds and not aux.bounds[0] < aux.bounds[1]:
            refuse(f"{at}.bounds", "the smallest before the largest is expected: [0.5, 2.5].")
        elif aux.bounds and aux.bounds_on == "factor" and not aux.bounds[0] < 1 < aux.bounds[1]:
            refuse(f"{at}.bounds", "a factor below 1 and one above 1 are expected: [0.5, 2.5].")
    if (trim := params.trim) is not None:
        at = "weighting.trim"
        if trim.above is None and trim.below is None:
            refuse(at, "`above` or `below` is expected.")
        if trim.above is not None and trim.below is not None and trim.below >= trim.above:
            refuse(at, f"`below` {trim.below:g} is not below `above` {trim.above:g}. Correct them.")
        if trim.of != "absolute" and (trim.above or 2) <= 1:
            refuse(f"{at}.above", f"a multiple of the {trim.of} above 1 is expected.")
        if trim.of != "absolute" and (trim.below or 0) >= 1:
            refuse(f"{at}.below", f"a multiple of the {trim.of} below 1 is expected.")
        if trim.strict and trim.redistribute == "calibrate":
            refuse(f"{at}.strict", "calibrating again is strict by itself. Drop the key.")
