"""Planning a sample: every number of the reference examples, oracles, limits, and what a plan shows.

Numbers checked against something not ours: 86. worked_examples and sampling_stratified_mean (R and textbooks) 67,
Kock & Hadaya's constants and Hair's table 18, R's pwr 1. What statsmodels, simulation and test_sampling say is on top.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special
from statsmodels.stats.power import FTestPower, NormalIndPower, TTestIndPower

from tcslib.errors import InputRefused
from tcslib.sampling import allocation as spread
from tcslib.sampling.pls_size import path_seen, regression_power, size_for_path, size_for_regression
from tcslib.sampling.size import (
    SampleSize,
    best_cluster_size,
    change_seen,
    design_effect,
    margin_of,
    nps_sd,
    size_for_change,
    size_for_difference,
    size_for_mean,
    size_for_nps,
    size_for_share,
    sizes_for_segments,
    to_approach,
    together,
)
from tcslib.study.load import load
from tcslib.weighting.weights import kish

Expected = Callable[[str, str], Any]


def last(size: SampleSize, step: str = "") -> float:
    return dict(size.steps)[step] if step else size.steps[-1][1]


def level_of(z: float) -> float:
    return float(special.ndtr(z) - special.ndtr(-z))


@pytest.fixture
def example(expected: Expected) -> Callable[[str], tuple[Any, Any]]:
    """Inputs and values of a worked example."""
    cases = expected("sampling", "worked_examples")
    return lambda name: (cases[name]["inputs"], cases[name]["value"])


# ---------------------------------------------------------------- one aim


def test_the_order_of_the_steps_of_a_share() -> None:
    """p = .5 ± .05, N = 3,200, deff 1.5, response .4: 1,221 to approach, by n0/(1 + n0/N); by (n0 - 1)/N 1,222."""
    given = {"deff": 1.5, "population": 3200, "response": 0.4}
    size = size_for_share(0.05, 0.5, **given)
    assert (size.n, size.approach) == (489, 1221)
    exact = size_for_share(0.05, 0.5, correction="(n0-1)/N", **given)
    assert (exact.n, exact.approach) == (489, 1222)
    assert 0 < last(exact) - last(size) < 1
    # eligibility belongs to those who answer, so it only raises the number to approach
    half = size_for_share(0.05, 0.5, eligible=0.5, **given)
    assert (half.n, half.approach) == (489, math.ceil(last(size) / 0.2))


def test_shares_of_the_worked_examples(example: Any) -> None:
    given, known = example("cochran_blood_group")          # Cochran (1977), sections 4.2-4.4; as printed 400, 356
    for correction in ("n0/N", "(n0-1)/N"):
        size = size_for_share(given["d"], given["p"], level=level_of(given["t"]), population=given["N"],
                              correction=correction)
        assert last(size, "simple") == pytest.approx(known["n0"], rel=1e-9)
        assert size.n == 356
    assert last(size) == pytest.approx(known["n"], rel=1e-9)
    given, known = example("prop_1.96_p.5_e.03")          # Lohr: 1,067 and, by n0/N, 793
    size = size_for_share(given["e"], given["p"], level=level_of(given["z"]), population=given["N"])
    assert last(size, "simple") == pytest.approx(known["n0"], rel=1e-9)
    assert (last(size), size.n) == (pytest.approx(known["n_fpc_n0overN"], rel=1e-9), 793)
    given, known = example("prop_table")
    for i, e in enumerate(given["e"]):
        for j, population in enumerate(given["N"]):
            size = size_for_share(e, given["p"], population=population, correction="(n0-1)/N")
            assert last(size, "simple") == pytest.approx(known["n0"][i], rel=1e-9)
            assert last(size) == pytest.approx(known["fpc"][i][j], rel=1e-9)


def test_a_net_promoter_score_is_a_mean_of_three_values() -> None:
    answers = np.repeat([100.0, 0.0, -100.0], [45, 35, 20])
    assert nps_sd(0.45, 0.20) == pytest.approx(answers.std(), rel=1e-12)
    size = size_for_nps(5, 0.45, 0.20, deff=1.3, population=8000, response=0.3)
    assert size.steps == size_for_mean(5, answers.std(), deff=1.3, population=8000, response=0.3).steps
    assert nps_sd(0.5, 0.5) == 100          # the most that is possible


# ---------------------------------------------------------------- changes and differences


def test_a_change_with_the_same_people(example: Any) -> None:
    given, known = example("wave_change_index")
    with_z = {"power": given["power"], "deff": given["deff"]}
    # the reference gives the two with common people before the design effect
    for overlap, step, key in ((0.0, "deff", "n_deff"), (1.0, "simple", "n_panel_rho.6_overlap1"),
                               (0.5, "simple", "n_overlap.5_rho.6")):
        size = size_for_change(given["delta"], given["S"], overlap=overlap, correlation=0.6, **with_z)
        assert last(size, step) == pytest.approx(known[key], rel=1e-9)
        assert last(size, "deff") == pytest.approx(last(size, "simple") * given["deff"], rel=1e-12)
        assert change_seen(last(size), given["S"], overlap=overlap, correlation=0.6, **with_z) == pytest.approx(
            given["delta"], rel=1e-12)


def test_a_change_of_a_share_as_r_sees_it(example: Any) -> None:
    """R's power.prop.test takes p̄q̄ under no change, a planned sd the mean variance: 1,251 against 1,248."""
    _, known = example("wave_change_index")
    sd = math.sqrt((0.70 * 0.30 + 0.75 * 0.25) / 2)
    assert last(size_for_change(0.05, sd)) == pytest.approx(known["r_power.prop.test_.70_.75"], rel=0.003)


@pytest.mark.parametrize(("overlap", "correlation"), [(0.0, 0.0), (0.4, 0.5), (1.0, 0.7)])
def test_the_change_of_a_finite_population_is_that_of_its_samples(overlap: float, correlation: float) -> None:
    """Draws from a population of 400 with both waves known: the variance of the change is the one planned with."""
    rng = np.random.default_rng(7)
    N, n = 400, 120
    pair = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], N)
    pair = (pair - pair.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(pair.T))).T
    pair = pair @ np.linalg.cholesky(np.array([[1, correlation], [correlation, 1]])).T
    again, changes = round(overlap * n), []
    for _ in range(20_000):
        order = rng.permutation(N)
        second = order[n - again:2 * n - again] if overlap else rng.permutation(N)[:n]
        changes.append(pair[second, 1].mean() - pair[order[:n], 0].mean())
    z = special.ndtri(0.975) + special.ndtri(0.8)
    planned = (change_seen(n, 1.0, overlap=overlap, correlation=correlation, population=N) / z) ** 2
    # the variance of 20,000 draws has a relative standard error of 1%: the 99.9% band is 3.3%
    assert np.var(changes) == pytest.approx(planned, rel=0.033)
    size = size_for_change(planned ** 0.5 * z, 1.0, overlap=overlap, correlation=correlation, population=N)
    assert last(size) == pytest.approx(n, rel=1e-9)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_a_difference_as_statsmodels_sees_it(ratio: float) -> None:
    size = size_for_difference(4, 18, ratio=ratio)
    z_test = NormalIndPower().solve_power(4 / 18, None, 0.05, 0.8, ratio)
    assert last(size) == pytest.approx(z_test, rel=1e-4)          # which counts the far tail too
    t_test = TTestIndPower().solve_power(4 / 18, None, 0.05, 0.8, ratio)
    assert 0 < t_test - last(size) < 2          # its sd is estimated
    wide = size_for_difference(4, 18, 18, ratio=ratio, population=500)
    other = (last(wide) * ratio)
    assert 18 ** 2 * (1 / last(wide) - 1 / 500) + 18 ** 2 / other == pytest.approx(
        (4 / (special.ndtri(0.975) + special.ndtri(0.8))) ** 2, rel=1e-9)


def test_two_brands_rated_by_the_same_people() -> None:
    """The sd of a person's difference is all that counts; without correlation it is two groups of the same size."""
    sd = math.sqrt(18 ** 2 + 15 ** 2 - 2 * 0.4 * 18 * 15)
    size = size_for_difference(4, 18, 15, correlation=0.4)
    assert last(size) == pytest.approx((sd * 2.8015852 / 4) ** 2, rel=1e-6)
    assert last(size_for_difference(4, 18, 15, correlation=0.0)) == last(size_for_difference(4, 18, 15))


def test_what_a_quarter_of_250_sees() -> None:
    """At a standard deviation of 20: ±2.5 points, and a change of 5 between quarters drawn apart."""
    assert margin_of(250, 20) == pytest.approx(2.48, abs=0.005)
    assert change_seen(250, 20) == pytest.approx(5.01, abs=0.005)
    assert change_seen(250, 20, overlap=1.0, correlation=0.6) == pytest.approx(5.01 * math.sqrt(0.4), abs=0.005)


def test_segments_each_with_the_precision() -> None:
    found = sizes_for_segments(4, 20, {"small": 0.1, "large": 0.9}, deff=1.2, population=5000, response=0.5)
    for row in found.itertuples():
        alone = size_for_mean(4, 20, deff=1.2, population=5000 * row.share, response=0.5)
        assert (row.n, row.approach, row.in_all) == (alone.n, alone.approach, math.ceil(alone.n / row.share))
    whole = together(found)
    assert (whole.n, whole.approach) == (found["n"].sum(), found["approach"].sum())
    aims = {"a": size_for_mean(2, 20, response=0.4), "segments": whole}
    assert to_approach(aims["a"].n, aims, 0.4) == aims["a"].approach
    assert to_approach(200, aims, 0.4) == 500


# ---------------------------------------------------------------- path models


def test_the_inverse_square_root_method(expected: Expected) -> None:
    known = expected("sampling", "power")
    for alpha, constant in known["kock_hadaya"]["constants"].items():
        size = size_for_path(0.5, level=1 - float(alpha))
        assert 0.5 * math.sqrt(last(size)) == pytest.approx(constant, abs=0.0006)
        assert [size_for_path(b, level=1 - float(alpha)).n for b in known["hair"]["paths"]] == known["hair"][alpha]
    assert size_for_path(-0.2).n == 155
    assert path_seen(155) == pytest.approx(0.2, abs=0.001) and path_seen(155, deff=4) == 2 * path_seen(155)


def test_the_power_of_a_regression(expected: Expected) -> None:
    case = expected("sampling", "power")["pwr"]
    n = case["u"] + case["v"] + 1
    assert regression_power(n, case["f2"], case["u"]) == pytest.approx(case["power"], abs=5e-8)
    for n, f2, predictors, tested in ((100, 0.15, 5, 5), (250, 0.02, 4, 1), (60, 0.35, 3, 2)):
        # statsmodels names the numerator's degrees of freedom df_denom, and its ncc of 1 makes λ = f² (u + v + 1)
        known = FTestPower().power(math.sqrt(f2), n - predictors - 1, tested, 0.05, ncc=1)
        assert regression_power(n, f2, predictors, tested) == pytest.approx(known, rel=1e-9)


@pytest.mark.parametrize(("f2", "predictors", "tested"), [(0.15, 5, None), (0.02, 4, 1), (5.0, 3, 1)])
def test_the_size_of_a_regression_is_the_smallest(f2: float, predictors: int, tested: int | None) -> None:
    n = size_for_regression(f2, predictors, tested).n
    assert regression_power(n, f2, predictors, tested) >= 0.8
    assert regression_power(n - 1, f2, predictors, tested) < 0.8
    assert regression_power(predictors + 1, f2, predictors, tested) == 0          # no degree of freedom is left


# ---------------------------------------------------------------- allocation and cost


def test_allocation_by_cost(example: Any) -> None:
    given, known = example("cost_optimal")          # Cochran (1977), eq. 5.23-5.24
    shares = spread.shares_of(given["W_h"], "cost", given["S_h"], given["c_h"])
    assert shares * known["n"] == pytest.approx(known["n_h"], rel=1e-12)
    assert spread.affordable(given["C"], shares, given["c_h"], given["c0"]) == math.floor(known["n"])
    sizes = {"a": given["W_h"][0] * given["N"], "b": given["W_h"][1] * given["N"]}
    sds, costs = (dict(zip(sizes, given[key], strict=True)) for key in ("S_h", "c_h"))
    n = spread.within_budget(10 ** 6, given["C"] - given["c0"], sizes, "cost", sds, costs)
    cost = [plan["n"] @ given["c_h"] for plan in (spread.allocation_plan(k, sizes, "cost", sds, costs)
                                                  for k in (n, n + 1))]
    assert cost[0] <= 1500 < cost[1] and n == 204
    given, known = example("cost_optimal_fixed_V")          # eq. 5.25, without finite population
    shares = spread.shares_of(given["W"], "cost", given["S"], given["c"])
    n = spread.size_for_variance(given["V"], given["W"], given["S"], shares, finite=False)
    assert n == pytest.approx(known["n"], rel=1e-12)
    assert (n * shares).tolist() == pytest.approx(known["n_h"], rel=1e-12)
    assert n * shares @ given["c"] == pytest.approx(known["cost"], rel=1e-12)


def test_power_allocation(example: Any) -> None:
    given, known = example("power_allocation_bankier")
    for a, answers in zip(given["a"], known, strict=True):
        shares = spread.shares_of(given["X"], "power", given["CV"], exponent=a)
        assert given["n"] * shares == pytest.approx(answers, rel=1e-9)
    assert spread.shares_of(given["X"], "power") == pytest.approx(np.array(known[2]) / 1000, rel=1e-9)


def test_largest_remainders(example: Any) -> None:
    given, known = example("largest_remainder")
    sizes = np.array(given["raw"]) * 100
    assert spread.allocate(sum(known), sizes, minimum=2).tolist() == known


def test_the_stratified_mean(expected: Expected, example: Any) -> None:
    given, known = example("lohr_caribou_neyman")
    shares = spread.shares_of(given["N_h"], "neyman", given["S_h"])
    se = spread.stratified_se(given["N_h"], given["n"] * shares, given["S_h"])
    assert se ** 2 == pytest.approx(known["var_neyman"], rel=1e-9)
    assert spread.size_for_variance(se ** 2, given["N_h"], given["S_h"], shares) == pytest.approx(given["n"], rel=1e-9)
    case = expected("sampling", "sampling_stratified_mean")
    given, known = case["inputs"], case["expected"]
    assert np.average(given["mean"], weights=given["N"]) == pytest.approx(known["mean"], abs=1e-9)
    assert spread.stratified_se(given["N"], given["n"], given["sd"]) == pytest.approx(known["se"], abs=1e-9)
    plan = spread.allocation_plan(300, dict(zip("abc", given["N"], strict=True)))
    half = spread.margin_by_strata(plan, given["sd"])
    assert half == pytest.approx(1.959964 * known["se"], rel=1e-6)
    assert spread.size_by_strata(half * (1 + 1e-12), plan, given["sd"]) == 300          # there and back


def test_design_effects_and_cluster_sizes(example: Any) -> None:
    given, known = example("kish_deff")
    weights, n_eff = kish(np.array(given["w"], dtype=float))
    assert (weights, n_eff) == (pytest.approx(known["deff_w"]), pytest.approx(known["n_eff"]))
    assert design_effect(given["b"], given["rho"]) == pytest.approx(known["deff_cluster"])
    assert design_effect(given["b"], given["rho"], weights) == pytest.approx(known["combined"])
    given, known = example("opt_cluster_size")
    best = best_cluster_size(given["c1"], given["c2"], given["rho"])
    assert best == pytest.approx(known, rel=1e-9)

    def variance(b: float) -> float:          # of a mean for one unit of money
        return design_effect(b, given["rho"]) / b * (given["c1"] + given["c2"] * b)

    assert variance(best) < min(variance(best * 1.05), variance(best / 1.05))


@pytest.mark.parametrize("rule", ["proportional", "equal", "neyman", "cost", "power"])
def test_limits_are_kept_and_the_rest_follows_the_rule(rule: Any) -> None:
    """Within the limits, allocated anew until nothing changes: the loop of the textbooks gives the same numbers."""
    rng = np.random.default_rng(3)
    for _ in range(100):
        sizes, sds, costs = rng.integers(40, 3000, 6), rng.uniform(5, 30, 6), rng.uniform(1, 9, 6)
        n, least = int(rng.integers(200, min(600, sizes.sum()))), int(rng.integers(2, 30))
        got = spread.allocate(n, sizes, rule, sds, costs=costs, minimum=least, takes_all=True)
        assert got.sum() == n and (got >= least).all() and (got <= sizes).all()
        share = spread.shares_of(sizes, rule, sds, costs)
        exact, fixed = n * share, np.full(6, np.nan)
        for _ in range(20):
            free = np.isnan(fixed)
            exact = np.where(free, share * (n - np.nansum(fixed)) / share[free].sum(), fixed)
            over, under = exact - sizes, least - exact
            # whichever limits bind harder in sum are fixed first, as in any water-filling
            much = over.clip(0)[free].sum() >= under.clip(0)[free].sum()
            broken = free & ((over > 1e-9) if much else (under > 1e-9))
            if not broken.any():
                break
            fixed[broken] = sizes[broken] if much else least
        assert np.abs(got - exact).max() < 1


def test_a_stratum_taken_whole_gives_the_smallest_variance() -> None:
    """With a cut-off stratum interviewed in full, no exchange of answers between the others helps."""
    sizes, sds = np.array([900, 500, 40]), np.array([10.0, 14, 90])
    got = spread.allocate(300, sizes, "neyman", sds, takes_all=True)
    assert got[2] == 40 and got.sum() == 300
    best = spread.stratified_se(sizes, got, sds)
    assert all(spread.stratified_se(sizes, got + np.array([k, -k, 0]), sds) > best for k in (-5, 5))
    with pytest.raises(InputRefused, match="from a stratum of 40 customers"):
        spread.allocate(300, sizes, "neyman", sds)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(("call", "said"), [
    (lambda: size_for_mean(0, 20), "plan.margin: 0: a number above 0"),
    (lambda: size_for_mean(2, math.nan), "plan.sd: nan"),
    (lambda: size_for_mean(2, 20, response=0), "plan.response: 0 is no rate"),
    (lambda: size_for_mean(2, 20, eligible=1.2), "plan.eligible: 1.2 is no rate"),
    (lambda: size_for_mean(2, 20, deff=0), "plan.deff: 0"),
    (lambda: size_for_mean(2, 20, population=0), "plan.population: 0"),
    (lambda: size_for_share(0.05, 1), "plan.share.expected: 1 is no share"),
    (lambda: size_for_share(0.05, correction="n/N"), '"n/N" is no finite population correction'),
    (lambda: size_for_nps(5, 0.8, 0.4), "plan.nps: 0.8 and 0.4 are no shares"),
    (lambda: size_for_nps(5, 1, 0), "plan.nps: 1 and 0 are no shares"),
    (lambda: size_for_change(3, 20, power=1), "plan.power: confidence 0.95 and power 1"),
    (lambda: size_for_change(3, 20, overlap=1.5, correlation=0.5), "plan.overlap: 1.5 is no share"),
    (lambda: size_for_change(3, 20, overlap=1, correlation=1), "plan.correlation: 1: a number between"),
    (lambda: size_for_difference(0, 20), "plan.rival.difference: 0"),
    (lambda: sizes_for_segments(3, 20, {"a": 0}), "plan.segments.a: 0 is no share"),
    (lambda: size_for_path(0), "plan.smallest_path: 0 is no standardised path"),
    (lambda: regression_power(100, 0.0, 3), "plan.smallest_f2: effect size 0 with 3 of 3"),
    (lambda: size_for_regression(1e-12, 3), "plan.smallest_f2: an effect of f² = 1e-12 asks for more than"),
    (lambda: margin_of(0, 20), "plan.answers: 0"),
    (lambda: path_seen(0), "plan.answers: 0"),
    (lambda: best_cluster_size(10, 1, 0), "plan.rho: 0"),
    (lambda: spread.allocate(100, [60, 30]), "plan.strata: 100 answers are planned from 90 customers"),
    (lambda: spread.allocate(50, [600, 300], minimum=30), "plan.minimum: 30 answers in each of 2 strata are 60"),
    (lambda: spread.allocate(50, [600, 15], minimum=20), "plan.minimum: 20 answers are more than a stratum of 15"),
    (lambda: spread.allocate(50, [600, 300], "cost", [1, 1]), "plan.allocation: Cost-optimal allocation needs"),
    (lambda: spread.allocate(50, [600, 0]), "plan.strata: sizes, standard deviations and costs above 0"),
    (lambda: spread.affordable(100, [1.0], [50], 80), "plan.budget: 100 less fixed costs of 80 pays for no interview"),
    (lambda: spread.size_for_variance(0, [1], [1], [1]), "plan.margin: 0")])
def test_what_cannot_be_planned_is_refused_in_a_line(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(InputRefused) as caught:
        call()
    assert said in str(caught.value) and "\n" not in str(caught.value)


STRATA = {"N": {"size": 900}, "S": {"size": 60}}


@pytest.mark.parametrize(("plan", "said"), [
    ({"overlap": 0.4}, "plan.overlap: `overlap` and `correlation` go together"),
    ({"cluster_size": 7.0}, "plan.cluster_size: `cluster_size` and `rho` go together"),
    ({"deff": 1.7, "cluster_size": 7.0, "rho": 0.05}, "plan.deff: is stated, and so are its parts"),
    ({"nps": {"margin": 5, "promoters": 0.8, "detractors": 0.4}}, "plan.nps: promoters 0.8 and detractors 0.4"),
    ({"nps": {"margin": 5, "promoters": 1.0, "detractors": 0.0}}, "plan.nps: promoters 1 and detractors 0"),
    ({"rival": {"difference": 4, "ratio": 1.0, "correlation": 0.4}}, "plan.rival: with `correlation`"),
    ({"segments": {"a": 0.7, "b": 0.6}}, "plan.segments: the shares sum to 1.3, above 1"),
    ({"segments": {"a": 0}}, 'plan.segments.a: "0": a number above 0 is expected'),
    ({"segment_margin": 3}, "plan.segment_margin: is stated, and no `segments` are"),
    ({"population": 500, "answers": 600}, "plan.answers: 600 of 500 customers on the frame"),
    ({"population": 500, "drawn": 600}, "plan.drawn: 600 of 500 customers on the frame"),
    ({"response": 0}, 'plan.response: "0": a number above 0 is expected'),
    ({"minimum": 20}, "plan.minimum: says how answers are spread over strata"),
    ({"strata": STRATA, "minimum": 80}, 'plan.minimum: 80 answers are more than stratum "S" holds'),
    ({"strata": STRATA, "power_exponent": 0.3}, "plan.power_exponent: belongs to `allocation: power`"),
    ({"strata": STRATA, "allocation": "cost"}, 'plan.allocation: cost needs the cost of an interview in every stratum'),
    ({"strata": STRATA, "budget": 900}, "plan.budget: needs the cost of an interview"),
    ({"budget": 900, "fixed_cost": 900.0, "interview_cost": 3}, "plan.fixed_cost: 900 leaves nothing of a budget"),
    ({"unit_cost": 50}, "plan.unit_cost: needs `interview_cost`, `cluster_size` and `rho`"),
    ({"allocation": "best"}, "plan.allocation"), ({"clusters": 3}, "plan.clusters: is not a key of a study")])
def test_plans_that_contradict_themselves(make_study: Any, plan: dict[str, Any], said: str) -> None:
    with pytest.raises(InputRefused) as caught:
        load(make_study("id\n1\n", {"plan": plan}))
    assert said in str(caught.value) and len(caught.value.lines) == 1


def test_every_key_of_a_plan_says_what_it_means() -> None:
    from tcslib.study.sections import planning

    for section in (planning.PlanParams, planning.RivalPlan, planning.NpsPlan, planning.SharePlan,
                    planning.PlanStratum):
        said = {name: field.description for name, field in section.model_fields.items()}
        assert not {name for name, text in said.items() if not text}, section
