"""What a plan asks for in all: the answers its aims need together, and the customers to approach for them.

The first notebook goes the same way step by step, in sight of its reader; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tcslib.sampling.allocation import within_budget
from tcslib.sampling.pls_size import size_for_path, size_for_regression
from tcslib.sampling.size import (
    SampleSize,
    design_effect,
    size_for_change,
    size_for_difference,
    size_for_mean,
    size_for_nps,
    size_for_share,
    sizes_for_segments,
    to_approach,
    together,
)
from tcslib.study.models import Model
from tcslib.study.sections.planning import PlanParams


def approached(plan: PlanParams, model: Model, customers: float | None) -> int:
    """Customers a plan approaches: as stated, else for the aim that asks for most, within the budget.

    ``customers`` is the number there are, None where nobody knows it.
    """
    if plan.drawn:
        return plan.drawn
    aims = _aims(plan, model, customers)
    n = plan.answers or max(aim.n for aim in aims.values())
    if plan.budget:
        sizes = {name: float(stratum.size) for name, stratum in plan.strata.items()}
        sds = {name: stratum.sd or plan.sd for name, stratum in plan.strata.items()}
        n = within_budget(n, plan.budget - plan.fixed_cost, sizes, plan.allocation, sds,
                          costs(plan) or {"": (plan.interview_cost or 0) + _unit(plan)}, **limits(plan))
    return to_approach(n, aims, plan.response, plan.eligible)


def costs(plan: PlanParams) -> dict[str, float]:
    """What an answer costs in each stratum, its part in its sampling unit included."""
    return {name: (stratum.cost or plan.interview_cost or 1) + _unit(plan) for name, stratum in plan.strata.items()}


def limits(plan: PlanParams) -> Mapping[str, Any]:
    """What bounds an allocation of the plan's answers."""
    return {"exponent": plan.power_exponent, "minimum": plan.minimum, "takes_all": plan.takes_all}


def _unit(plan: PlanParams) -> float:
    return (plan.unit_cost or 0) / (plan.cluster_size or 1)


def _aims(plan: PlanParams, model: Model, customers: float | None) -> dict[str, SampleSize]:
    shared: dict[str, Any] = {
        "deff": plan.deff * design_effect(plan.cluster_size or 1, plan.rho or 0, plan.weights_deff or 1),
        "population": customers * plan.eligible if customers else None, "response": plan.response,
        "eligible": plan.eligible}
    aims = {"margin": size_for_mean(plan.margin, plan.sd, **shared),
            "change": size_for_change(plan.change, plan.sd, power=plan.power, overlap=plan.overlap or 0,
                                      correlation=plan.correlation or 0, **shared)}
    if plan.share:
        aims["share"] = size_for_share(plan.share.margin, plan.share.expected, **shared)
    if plan.nps:
        aims["nps"] = size_for_nps(plan.nps.margin, plan.nps.promoters, plan.nps.detractors, **shared)
    if rival := plan.rival:
        aims["rival"] = size_for_difference(rival.difference, plan.sd, rival.sd, ratio=rival.ratio or 1,
                                            correlation=rival.correlation, power=plan.power, **shared)
    if plan.segments:
        aims["segments"] = together(sizes_for_segments(plan.segment_margin or plan.margin, plan.sd, plan.segments,
                                                       **shared))
    arrows = [target for _, target in model.paths]
    if plan.smallest_path:
        aims["path"] = size_for_path(plan.smallest_path, power=plan.power, **shared)
    if plan.smallest_f2:
        aims["effect"] = size_for_regression(plan.smallest_f2, max(map(arrows.count, arrows), default=1), 1,
                                             power=plan.power, **shared)
    return aims
