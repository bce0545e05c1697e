"""How many, and how they are spread: textbook examples and the order of the steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tcslib.errors import InputRefused
from tcslib.sampling.allocation import allocate, allocation_plan
from tcslib.sampling.size import SampleSize, change_seen, margin_of, size_for_change, size_for_mean

Expected = Callable[[str, str], Any]


def step(size: SampleSize, name: str) -> float:
    return dict(size.steps)[name]


# ---------------------------------------------------------------- size


def test_sizes_of_the_worked_example(expected: Expected) -> None:
    case = expected("sampling", "sampling_size")          # Cochran (1977), by hand
    given, known = case["inputs"], case["expected"]
    mean = size_for_mean(given["e_index"], given["sd"])
    assert step(mean, "simple") == pytest.approx(known["n_mean"], abs=1e-6)
    assert mean.n == known["n_mean_ceil"] == 246          # why the ECSI interviews 250 customers
    share = math.sqrt(given["p"] * (1 - given["p"]))
    plain = size_for_mean(given["e"], share)
    assert (step(plain, "simple"), plain.n) == (pytest.approx(known["n0"], abs=1e-6), known["n0_ceil"])
    # a share as a mean: its standard deviation with divisor N - 1, then n0/(1 + n0/N) is n0/(1 + (n0 - 1)/N)
    population = given["N"]
    finite = size_for_mean(given["e"], share * math.sqrt(population / (population - 1)), population=population)
    assert (step(finite, "fpc"), finite.n) == (pytest.approx(known["n_fpc"], abs=1e-6), known["n_fpc_ceil"])
    assert 1 + (given["m"] - 1) * given["rho"] == pytest.approx(known["deff"])
    # the reference multiplies n rounded up; rounded once at the end it is 2,497
    rounded_twice = math.ceil(known["n0_ceil"] * known["deff"] / given["response"])
    once = size_for_mean(given["e"], share, deff=known["deff"], response=given["response"])
    assert (rounded_twice, once.approach) == (known["gross"], 2497)


def test_a_mean_from_a_small_population(expected: Expected) -> None:
    case = expected("sampling", "worked_examples")["cochran_nursery_beds"]          # Cochran (1977), section 4.6
    given, known = case["inputs"], case["value"]
    level = 2 * stats.norm.cdf(given["t"]) - 1
    size = size_for_mean(given["r"] * given["Ybar"], math.sqrt(given["S2"]), level=level, population=given["N"])
    assert step(size, "simple") == pytest.approx(known["n0"], rel=1e-9)
    assert step(size, "fpc") == pytest.approx(known["n"], rel=1e-9)
    assert size.n == 78          # as printed


def test_an_index_with_design_effect_and_response(expected: Expected) -> None:
    case = expected("sampling", "worked_examples")["mean_index"]
    given, known = case["inputs"], case["value"]
    size = size_for_mean(given["e"], given["S"], deff=given["deff"], response=given["rr"])
    assert step(size, "simple") == pytest.approx(known["n0"], rel=1e-9)
    assert step(size, "deff") == pytest.approx(known["n_deff"], rel=1e-9)
    assert (size.n, size.approach) == (math.ceil(known["n_deff"]), math.ceil(known["issue"]))


def test_a_change_between_waves(expected: Expected) -> None:
    case = expected("sampling", "sampling_power_change")
    given, known = case["inputs"], case["expected"]
    size = size_for_change(given["delta"], given["sd"], power=given["power"])
    assert step(size, "simple") == pytest.approx(known["n_per_wave"], abs=1e-4)
    assert size.n == known["ceil"] == 698
    case = expected("sampling", "worked_examples")["wave_change_index"]
    given, known = case["inputs"], case["value"]
    size = size_for_change(given["delta"], given["S"], power=given["power"], deff=given["deff"])
    assert step(size, "simple") == pytest.approx(known["n_independent"], rel=1e-9)
    assert step(size, "deff") == pytest.approx(known["n_deff"], rel=1e-9)
    # R's power.t.test knows that sd is estimated: one answer more
    assert step(size, "simple") == pytest.approx(known["r_power.t.test"], abs=1.0)


def test_the_order_of_the_steps() -> None:
    """p = .5 ± .05, N = 3,200, deff 1.5, response .4, as a mean with sd .5: 384.15, 576.22, 488.29, 1,221 to approach.

    Correcting for the population before the design effect gives 1,287, rounding after each step 1,223.
    """
    size = size_for_mean(0.05, 0.5, deff=1.5, population=3200, response=0.4)
    assert [name for name, _ in size.steps] == ["simple", "deff", "fpc"]
    n0 = (stats.norm.ppf(0.975) * 0.5 / 0.05) ** 2
    assert [value for _, value in size.steps] == pytest.approx([n0, 1.5 * n0, 1.5 * n0 / (1 + 1.5 * n0 / 3200)])
    assert (size.n, size.approach) == (489, 1221)
    assert math.ceil(n0 / (1 + n0 / 3200) * 1.5 / 0.4) == 1287
    assert math.ceil(size.n / 0.4) == 1223
    assert size.table()["step"].tolist() == ["simple", "deff", "fpc", "n", "approach"]


@pytest.mark.parametrize("population", [None, 900])
def test_the_margin_of_a_size_is_the_margin_asked_for(population: int | None) -> None:
    size = size_for_mean(2.5, 20, deff=1.4, population=population)
    exact = size.steps[-1][1]
    assert margin_of(exact, 20, deff=1.4, population=population) == pytest.approx(2.5, rel=1e-12)
    assert margin_of(size.n, 20, deff=1.4, population=population) <= 2.5
    assert margin_of(size.n - 1, 20, deff=1.4, population=population) > 2.5
    assert margin_of(900, 20, population=900) == 0          # a census


def test_the_change_seen_by_a_size_is_the_change_asked_for() -> None:
    size = size_for_change(3, 20, deff=1.2)
    assert change_seen(step(size, "deff"), 20, deff=1.2) == pytest.approx(3, rel=1e-12)


def test_a_whole_number_is_not_rounded_up() -> None:
    """2 · 10 / 2 = 10, squared 100 answers, which rounding errors must not make 101."""
    level = 2 * stats.norm.cdf(2) - 1
    assert size_for_mean(2, 10, level=level).n == 100


# ---------------------------------------------------------------- allocation


def test_allocations_of_the_worked_examples(expected: Expected) -> None:
    case = expected("sampling", "sampling_size")
    given, known = case["inputs"], case["expected"]
    sizes, n = given["strata_N"], given["n"]
    assert allocate(n, sizes).tolist() == known["proportional"]
    # 88.2, 105.9, 105.9: the remainders .88 are the largest
    assert allocate(n, sizes, "neyman", given["strata_S"]).tolist() == [88, 106, 106]
    assert allocate(n, sizes, "neyman", given["strata_S"]) == pytest.approx(known["neyman"], abs=1)
    case = expected("sampling", "worked_examples")["lohr_caribou_neyman"]          # Lohr, chapter 3
    given, known = case["inputs"], case["value"]
    got = allocate(given["n"], given["N_h"], "neyman", given["S_h"])
    assert got.tolist() == [96, 5, 44, 3, 67, 10]          # as printed
    assert allocate(given["n"], given["N_h"]) == pytest.approx(known["prop"], abs=1)


@pytest.mark.parametrize("rule", ["proportional", "equal", "neyman"])
def test_allocations_sum_to_n_and_miss_no_share_by_one(rule: Any) -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        sizes, sds, n = rng.integers(500, 5000, 7), rng.uniform(5, 30, 7), int(rng.integers(100, 900))
        got = allocate(n, sizes, rule, sds)
        share = {"proportional": sizes, "equal": np.ones(7), "neyman": sizes * sds}[rule]
        assert got.sum() == n
        assert np.abs(got - n * share / share.sum()).max() < 1


def test_neyman_gives_the_smallest_variance() -> None:
    """Cochran (1977), section 5.5: no transfer of ten answers lowers the variance of the stratified mean."""
    sizes, sds = np.array([500.0, 300, 200]), np.array([10.0, 20, 30])

    def variance(n: np.ndarray) -> float:
        return float((sizes ** 2 * sds ** 2 / n).sum())

    best = allocate(300, sizes, "neyman", sds)
    assert variance(best) < variance(allocate(300, sizes))
    for i in range(3):
        for j in range(3):
            other = best.astype(float)
            other[i], other[j] = other[i] + 10, other[j] - 10
            assert i == j or variance(other) > variance(best)


@pytest.mark.parametrize(("n", "sizes", "rule", "sds", "said"), [
    (300, [500, 300], "neyman", None, "needs the standard deviation of every stratum"),
    (300, [1000, 100], "equal", None, "150 answers are planned from a stratum of 100 customers"),
    (1050, [900, 200], "equal", None, "525 answers are planned from a stratum of 200"),
    (1200, [500, 600], "proportional", None, "1,200 answers are planned from 1,100 customers"),
    (20, [5000, 40], "proportional", None, "fewer than 2")])
def test_allocations_that_cannot_be_made_are_refused(n: int, sizes: list[int], rule: Any, sds: Any, said: str) -> None:
    with pytest.raises(InputRefused, match=said):
        allocate(n, sizes, rule, sds)


def test_a_plan_names_its_strata() -> None:
    plan = allocation_plan(300, {"North": 500, "South": 300, "West": 200})
    assert plan["stratum"].tolist() == ["North", "South", "West"]
    assert plan["n"].tolist() == [150, 90, 60]
    assert plan["share"].sum() == pytest.approx(1)
    assert allocation_plan(300, {}).empty
