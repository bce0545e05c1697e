"""How a sample is spread over the strata, and what it costs and tells then."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.sampling.size import ceiling, normal

Rule = Literal["proportional", "equal", "neyman", "cost", "power"]
Numbers = Sequence[float] | np.ndarray


def shares_of(sizes: Numbers, rule: Rule = "proportional", sds: Numbers | None = None, costs: Numbers | None = None,
              exponent: float | None = None) -> np.ndarray:
    """The share of the answers each stratum is to get, (h,), summing to 1.

    Parameters
    ----------
    sizes
        (h,) customers in each stratum.
    rule
        *proportional* to size; *equal*; *neyman*, to size times standard deviation (Neyman 1934); *cost*, to size times
        standard deviation over the root of an interview's cost (Cochran 1977, eq. 5.23); *power*, to size raised to
        ``exponent`` (default 0.5) times the coefficient of variation (Bankier 1988): 0 serves the parts, 1 the whole.
    sds
        (h,) standard deviations within strata, or for *power* coefficients of variation; where means are about alike,
        as those of an index, the one does for the other.
    costs
        (h,) cost of one interview.

    Raises
    ------
    InputRefused
        When the rule needs standard deviations or costs that are not given.
    """
    size = np.asarray(sizes, dtype=float)
    if rule in {"neyman", "cost"} and sds is None:
        name = {"neyman": "Neyman", "cost": "Cost-optimal"}[rule]
        raise InputRefused(f"{name} allocation needs the standard deviation of every stratum. Add "
                           "plan.strata.<name>.sd.", "plan.allocation")
    if rule == "cost" and costs is None:
        raise InputRefused("Cost-optimal allocation needs the cost of an interview in every stratum. Add "
                           "plan.strata.<name>.cost.", "plan.allocation")
    sd = np.ones_like(size) if sds is None else np.asarray(sds, dtype=float)
    cost = np.ones_like(size) if costs is None else np.asarray(costs, dtype=float)
    if not all((x > 0).all() and np.isfinite(x).all() for x in (size, sd, cost)):
        raise InputRefused("sizes, standard deviations and costs above 0 are expected.", "plan.strata")
    share = {"proportional": size, "equal": np.ones_like(size), "neyman": size * sd,
             "cost": size * sd / np.sqrt(cost), "power": size ** (0.5 if exponent is None else exponent) * sd}[rule]
    out: np.ndarray = share / share.sum()
    return out


def allocate(n: int, sizes: Numbers, rule: Rule = "proportional", sds: Numbers | None = None, *,
             costs: Numbers | None = None, exponent: float | None = None, minimum: int | None = None,
             takes_all: bool = False) -> np.ndarray:
    """Answers for each stratum, (h,) whole numbers that sum to n (largest remainders).

    Parameters
    ----------
    n
        Answers in all.
    sizes, rule, sds, costs, exponent
        See :func:`shares_of`.
    minimum
        Answers every stratum gets at least; those the rule gives fewer get it, and the rest is allocated anew.
    takes_all
        Interview all customers of a stratum the rule wants more from than it has, and allocate the rest anew.

    Raises
    ------
    InputRefused
        When n exceeds a stratum's or the population's size, when minima exceed n or a stratum, or when a stratum is
        left with fewer than 2 answers.
    """
    size, share = np.asarray(sizes, dtype=float), shares_of(sizes, rule, sds, costs, exponent)
    least = 0 if minimum is None else minimum
    if n > size.sum():
        raise InputRefused(f"{n:,} answers are planned from {size.sum():,.0f} customers. Plan fewer, or a census.",
                           "plan.strata")
    if least * len(size) > n:
        raise InputRefused(f"{least:,} answers in each of {len(size)} strata are {least * len(size):,}, more than the "
                           f"{n:,} planned. Lower it, or plan more answers.", "plan.minimum")
    if least > size.min():
        raise InputRefused(f"{least:,} answers are more than a stratum of {size.min():,.0f} customers holds. Lower it, "
                           "or merge strata.", "plan.minimum")
    exact = _within(n, share, least, size if takes_all else np.full_like(size, np.inf))
    out = np.floor(exact).astype(int)
    # ties go to the earlier stratum, so that equal input gives equal plans
    out[np.argsort(-(exact - out), kind="stable")[: n - out.sum()]] += 1
    if (out > size).any():
        at = (out - size).argmax()
        raise InputRefused(f"{out[at]} answers are planned from a stratum of {size[at]:,.0f} customers. "
                           "Plan fewer, or interview all of them (plan.takes_all).", "plan.strata")
    if (out < 2).any():
        raise InputRefused(f"{n} answers leave a stratum with fewer than 2. Plan more, set plan.minimum, or merge "
                           "strata.", "plan.strata")
    return out


def _within(n: int, share: np.ndarray, least: float, most: np.ndarray) -> np.ndarray:
    """Answers proportional to the shares but between the limits: ``clip(λ share)`` with the λ that makes them sum to n.

    Fixing strata at their limits and allocating the rest anew, until nothing changes, ends at the same numbers. The sum
    is piecewise linear in λ, with corners where a stratum leaves its minimum or meets its size.
    """
    most = np.minimum(most, n)
    corners = np.unique(np.concatenate([[0.0], least / share, most / share]))
    sums = np.clip(corners[:, None] * share, least, most).sum(axis=1)
    scale = np.interp(n, sums, corners)
    return np.round(np.clip(scale * share, least, most), 9)


def affordable(budget: float, shares: Numbers, costs: Numbers, fixed: float = 0.0) -> int:
    """Answers a budget pays for when they are spread by these shares: ``(C - c0) / Σ share c``, rounded down.

    With the shares of *cost* it is Cochran (1977), eq. 5.24: ``(C - c0) Σ(N S / √c) / Σ(N S √c)``.
    """
    each = float(np.asarray(shares, dtype=float) @ np.asarray(costs, dtype=float))
    if not each > 0 or budget - fixed < each:
        raise InputRefused(f"{budget:,g} less fixed costs of {fixed:,g} pays for no interview at {each:,.2f}. Correct "
                           "one of them.", "plan.budget")
    return math.floor(round((budget - fixed) / each, 9))


def size_for_variance(variance: float, sizes: Numbers, sds: Numbers, shares: Numbers, finite: bool = True) -> float:
    """Answers, not rounded, for the stratified mean to have that variance when they are spread by these shares.

    ``n = Σ(W² S² / share) / (V + Σ(W S²) / N)`` (Cochran 1977, section 5.9; with the shares of *cost* it is eq. 5.25).
    ``sizes`` (h,) customers; ``finite=False`` leaves the finite population out, and shares of customers will do.
    """
    if not variance > 0:
        raise InputRefused(f"{variance:g}: a variance above 0 is expected.", "plan.margin")
    size, s2 = np.asarray(sizes, dtype=float), np.asarray(sds, dtype=float) ** 2
    w = size / size.sum()
    return float((w ** 2 * s2 / np.asarray(shares, dtype=float)).sum()
                 / (variance + (finite and (w * s2).sum() / size.sum())))


def stratified_se(sizes: Numbers, n: Numbers, sds: Numbers) -> float:
    """Standard error of the stratified mean: ``√ Σ W² S² (1 - n/N) / n`` (Cochran 1977, eq. 5.6), in units of sds."""
    size, answers = np.asarray(sizes, dtype=float), np.asarray(n, dtype=float)
    w, s = size / size.sum(), np.asarray(sds, dtype=float)
    return float(np.sqrt((w ** 2 * s ** 2 * (1 - answers / size) / answers).sum()))


def margin_by_strata(plan: pd.DataFrame, sds: Numbers, *, level: float = 0.95, deff: float = 1.0) -> float:
    """Half-width of the interval of the mean by an :func:`allocation_plan`; ``deff`` is that of clustering alone."""
    return normal(level) * math.sqrt(deff) * stratified_se(plan["size"], plan["n"], sds)


def size_by_strata(margin: float, plan: pd.DataFrame, sds: Numbers, *, level: float = 0.95, deff: float = 1.0) -> int:
    """Answers that an :func:`allocation_plan`'s shares need for the mean to be within ``± margin``, rounded up."""
    variance = (margin / normal(level)) ** 2 / deff
    return ceiling(size_for_variance(variance, plan["size"], sds, plan["n"] / plan["n"].sum()))


def allocation_plan(n: int, sizes: Mapping[str, float], rule: Rule = "proportional",
                    sds: Mapping[str, float] | None = None, costs: Mapping[str, float] | None = None,
                    **limits: Any) -> pd.DataFrame:
    """The allocation by name: stratum, size, share, n. Empty without strata; ``limits`` as those of ``allocate``."""
    if not sizes:
        return pd.DataFrame({"stratum": [], "size": [], "share": [], "n": []})
    names = list(sizes)
    size = np.array([sizes[name] for name in names], dtype=float)
    of_sds, of_costs = ([given[name] for name in names] if given else None for given in (sds, costs))
    answers = allocate(n, size, rule, of_sds, costs=of_costs, **limits)
    return pd.DataFrame({"stratum": names, "size": size, "share": size / size.sum(), "n": answers})


def within_budget(n: int, budget: float, sizes: Mapping[str, float], rule: Rule, sds: Mapping[str, float] | None,
                  costs: Mapping[str, float], **limits: Any) -> int:
    """As many of n answers as the budget, less fixed costs, pays for when they are spread as the plan says.

    Without strata ``costs`` holds the one cost of an interview. :func:`affordable` is where the search starts; whole
    numbers, minima and strata taken whole can make an allocation dearer than its shares.
    """
    cost = np.array(list(costs.values()), dtype=float)
    if not sizes:
        return min(n, affordable(budget, [1.0], cost[:1]))
    size, sd = list(sizes.values()), list(sds.values()) if sds else None
    n = min(n, affordable(budget, shares_of(size, rule, sd, cost, limits.get("exponent")), cost))
    while allocate(n, size, rule, sd, costs=cost, **limits) @ cost > budget:
        n -= 1
    return n
