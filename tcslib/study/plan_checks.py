"""What must hold between the keys of a plan."""

from __future__ import annotations

from collections.abc import Callable

from tcslib.study.sections.planning import PlanParams

Refuse = Callable[[str, str], None]          # refuse(address, message)


def check_plan(plan: PlanParams, refuse: Refuse) -> None:
    """Everything about the plan that can be told before a number is computed."""
    total = sum(s.size for s in plan.strata.values())
    if total and plan.population is not None and total != plan.population:
        refuse("plan.population", f"{plan.population:,} differs from the strata's total {total:,}. "
                                  "Drop it or correct it.")
    customers = total or plan.population
    for key, count in (("answers", plan.answers), ("drawn", plan.drawn)):
        if customers and count and count > customers:
            refuse(f"plan.{key}", f"{count:,} of {customers:,} customers on the frame. Lower it, or correct the frame.")
    # by values, not by what is given: a plan with every default written out is the same plan
    stated = {key for key, value in plan if value is not None}
    for one, other in (("overlap", "correlation"), ("cluster_size", "rho")):
        if (one in stated) != (other in stated):
            refuse(f"plan.{one if one in stated else other}", f"`{one}` and `{other}` go together. Give both or none.")
    if plan.deff != 1 and stated & {"cluster_size", "weights_deff"}:
        refuse("plan.deff", "is stated, and so are its parts (`cluster_size`, `rho`, `weights_deff`). Keep one of the "
                            "two.")
    if plan.nps and (plan.nps.promoters + plan.nps.detractors > 1 + 1e-9
                     or max(plan.nps.promoters, plan.nps.detractors) in (0, 1)):
        refuse("plan.nps", f"promoters {plan.nps.promoters:g} and detractors {plan.nps.detractors:g} cannot both be: "
                           "above 0, below 1 and no more than 1 together are expected.")
    if plan.rival and plan.rival.correlation is not None and plan.rival.ratio is not None:
        refuse("plan.rival", "with `correlation` the same people rate both, so there is no `ratio`. Drop one of them.")
    if sum(plan.segments.values()) > 1 + 1e-6:
        refuse("plan.segments", f"the shares sum to {sum(plan.segments.values()):.6g}, above 1. Correct them.")
    if plan.segment_margin and not plan.segments:
        refuse("plan.segment_margin", "is stated, and no `segments` are. Add them, or drop it.")
    _check_spread(plan, refuse)


def _check_spread(plan: PlanParams, refuse: Refuse) -> None:
    """Allocation and costs."""
    for key, stated in (("minimum", plan.minimum is not None), ("takes_all", plan.takes_all),
                        ("power_exponent", plan.power_exponent is not None)):
        if stated and not plan.strata:
            refuse(f"plan.{key}", "says how answers are spread over strata, and no `strata` are named. Add them, or "
                                  "drop it.")
    if plan.power_exponent is not None and plan.allocation != "power":
        refuse("plan.power_exponent", f"belongs to `allocation: power`, not to {plan.allocation}. Drop one of them.")
    small = [name for name, s in plan.strata.items() if plan.minimum and s.size < plan.minimum]
    if small:
        refuse("plan.minimum", f'{plan.minimum:,} answers are more than stratum "{small[0]}" holds customers. Lower '
                               "it, or merge strata.")
    unpriced = [name for name, s in plan.strata.items() if s.cost is None and plan.interview_cost is None]
    if plan.allocation == "cost" and plan.strata and unpriced:
        refuse("plan.allocation", f'cost needs the cost of an interview in every stratum, and "{unpriced[0]}" has '
                                  "none. Add plan.strata.<name>.cost or plan.interview_cost.")
    elif plan.budget is not None and (unpriced or not (plan.strata or plan.interview_cost)):
        refuse("plan.budget", "needs the cost of an interview. Add plan.interview_cost, or a cost to every stratum.")
    if plan.budget is not None and plan.fixed_cost >= plan.budget:
        refuse("plan.fixed_cost", f"{plan.fixed_cost:,g} leaves nothing of a budget of {plan.budget:,g}. Correct one.")
    if plan.unit_cost is not None and (plan.interview_cost is None or plan.rho is None):
        refuse("plan.unit_cost", "needs `interview_cost`, `cluster_size` and `rho` beside it. Add them, or drop it.")
