"""What must hold of any Taylor estimate: closed forms, exhaustive draws, weights, domains, order of rows, refusals."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from tcslib.errors import InputRefused, NotEstimable
from tcslib.inference import pps
from tcslib.inference.chisq import independence, lincom_tail, saddlepoint_tail
from tcslib.inference.descriptive import covariance, linearize, mean, proportion, ratio, total, variance
from tcslib.inference.estimates import Estimates
from tcslib.inference.linearization import gradient, sample_of, variance_of_total
from tcslib.inference.quantiles import quantile, quantiles_of
from tcslib.inference.regression import rank_test, regress, t_test
from tcslib.survey.design import Design, Stage
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import weigh

Respond = Callable[..., Responses]


def drawn(n: int, seed: int = 3, **options: Any) -> tuple[Design, pd.DataFrame]:
    """A made-up sample: strata of clusters, unequal weights, answers that depend on the cluster, some missing."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 24, n)
    y = np.round(5 + np.sin(cluster) + rng.normal(size=n))
    answers = pd.DataFrame({"y": y, "x": np.round(rng.normal(3, 1, n) + y / 4, 1)})
    answers.loc[rng.random(n) < 0.1, "y"] = np.nan
    answers["g"] = rng.choice(["a", "b", "c"], n)
    answers["h"] = np.where(rng.random(n) < 0.3 + 0.05 * (answers["g"] == "b"), "yes", "no")
    ids, weights = rng.permutation(n).astype(str), rng.uniform(0.5, 3, n)
    design = Design(ids, weights, (cluster % 4).astype(str), cluster, **options)
    return design, answers


EVERY: dict[str, Callable[[Design, pd.DataFrame], Any]] = {
    "mean": lambda d, a: mean(d, a[["y", "x"]], by=a["g"]),
    "ratio": lambda d, a: ratio(d, a["y"], a["x"], by=a["g"]),
    "proportion": lambda d, a: proportion(d, a["g"], where=a["x"] > 3),
    "variance": lambda d, a: variance(d, a["y"]),
    "covariance": lambda d, a: covariance(d, a[["y", "x"]]),
    "quantile": lambda d, a: quantile(d, a["y"], rule="hf7", by=a["g"]),
    "regress": lambda d, a: regress(d, a["y"], a[["x"]]),
    "logistic": lambda d, a: regress(d, (a["h"] == "yes").astype(float), a[["x"]], family="logistic"),
    "rank": lambda d, a: rank_test(d, a["y"], a["g"]),
    "F": lambda d, a: independence(d, a["g"], a["h"]),
    "adjWald": lambda d, a: independence(d, a["g"], a["h"], method="adjWald"),
    "alpha": lambda d, a: alpha_of(d, a)}


# ---------------------------------------------------------------- the variance of a total


def test_every_two_stage_sample_of_a_population() -> None:
    """Over all samples of 2 of 3 units and 2 of their 3 or 4 members, estimates average to the variance itself.

    That is what an unbiased estimator does (SSW 1992, result 4.3.1); no simulation, no other program.
    """
    population = [np.array([1.0, 4.0, 9.0]), np.array([2.0, 2.0, 7.0, 11.0]), np.array([5.0, 6.0, 13.0])]
    totals, variances, chances = [], [], []
    for units in itertools.combinations(range(3), 2):
        pairs = [list(itertools.combinations(range(len(population[u])), 2)) for u in units]
        for members in itertools.product(*pairs):
            y = np.concatenate([population[u][list(m)] for u, m in zip(units, members, strict=True)])
            size = np.repeat([len(population[u]) for u in units], 2).astype(float)
            design = Design(np.array(list("abcd")), 3 / 2 * size / 2, clusters=np.repeat(units, 2).astype(str),
                            fpc=np.full(4, 3.0), stages=(Stage(np.array([0, 1, 0, 1]), fpc=size),))
            found = total(design, y)
            totals.append(found.estimate[0])
            variances.append(found.vcov[0, 0])
            chances.append(1 / 3 / np.prod([len(p) for p in pairs]))
    truth = sum(map(np.sum, population))
    assert np.dot(chances, totals) == pytest.approx(truth, rel=1e-12)
    assert np.dot(chances, variances) == pytest.approx(np.dot(chances, (np.array(totals) - truth) ** 2), rel=1e-12)


def test_every_sample_with_unequal_chances() -> None:
    """Horvitz–Thompson's and Yates–Grundy's estimates average to the variance, over all samples of 2 of 4."""
    y, size = np.array([3.0, 8.0, 5.0, 20.0]), np.array([1.0, 2.0, 2.0, 4.0])
    samples = list(itertools.combinations(range(4), 2))
    chance = np.array([size[i] * size[j] for i, j in samples])
    chance = chance / chance.sum()
    both = np.zeros((4, 4))
    for (i, j), p in zip(samples, chance, strict=True):
        both[i, j] = both[j, i] = p
    pi = both.sum(axis=1)
    np.fill_diagonal(both, pi)
    z = [y[list(s)] / pi[list(s)] for s in samples]
    truth = np.dot(chance, (np.array([v.sum() for v in z]) - y.sum()) ** 2)
    for yates_grundy in (False, True):
        found = [pps.joint(both[np.ix_(s, s)], pi[list(s)], yates_grundy)(v[:, None])[0, 0]
                 for s, v in zip(samples, z, strict=True)]
        assert np.dot(chance, found) == pytest.approx(truth, rel=1e-12)


def by_recursion(z: np.ndarray, stages: list[dict[str, np.ndarray]], share: float = 1.0) -> float:
    """The same variance unit by unit, as the textbook has it."""
    if not stages:
        return 0.0
    (now, *later), out = stages, 0.0
    for stratum in np.unique(now["strata"]):
        rows = now["strata"] == stratum
        units, frame = np.unique(now["clusters"][rows]), now["fpc"][rows][0]
        sums = np.array([z[rows & (now["clusters"] == u)].sum() for u in units])
        m, f = len(units), len(units) / frame
        if m > 1:
            out += share * (1 - f) * m / (m - 1) * ((sums - sums.mean()) ** 2).sum()
        for u in units:
            inside = rows & (now["clusters"] == u)
            out += by_recursion(z[inside], [{k: v[inside] for k, v in s.items()} for s in later], share * f)
    return out


def test_three_stages_with_strata_in_the_second() -> None:
    rng = np.random.default_rng(5)
    # stratum, unit, stratum, unit, person
    grid = np.array(list(itertools.product("AB", "uvw", "st", "12", "xyz")))
    frames = [{"A": 8.0, "B": 3.0}, {"s": 5.0, "t": 2.0}]
    columns = [{"strata": grid[:, 0], "clusters": grid[:, 1], "fpc": np.array([frames[0][a] for a in grid[:, 0]])},
               {"strata": grid[:, 2], "clusters": grid[:, 3], "fpc": np.array([frames[1][a] for a in grid[:, 2]])},
               {"strata": np.zeros(len(grid)), "clusters": grid[:, 4], "fpc": np.full(len(grid), 30.0)}]
    first, *later = columns
    design = Design(np.arange(len(grid)).astype(str), np.ones(len(grid)), first["strata"], first["clusters"],
                    fpc=first["fpc"], stages=tuple(Stage(s["clusters"], s["strata"], s["fpc"]) for s in later))
    z = rng.normal(size=(len(grid), 2))
    found = variance_of_total(z, design)
    for column in (0, 1):
        assert found[column, column] == pytest.approx(by_recursion(z[:, column], columns), rel=1e-12)
    without = replace(design, stages=(replace(design.stages[0], fpc=None), design.stages[1]))
    columns[1]["fpc"] = np.full(len(grid), np.inf)          # a stage without counts is the last that adds
    assert variance_of_total(z, without)[0, 0] == pytest.approx(by_recursion(z[:, 0], columns), rel=1e-12)


def test_a_census_has_no_sampling_error() -> None:
    design = Design(np.arange(6).astype(str), np.ones(6), clusters=np.repeat([0, 1, 2], 2), fpc=np.full(6, 3.0),
                    stages=(Stage(np.arange(6), fpc=np.full(6, 2.0)),))
    assert mean(design, np.arange(6.0)).se[0] == 0


def test_a_lonely_unit_of_a_later_stage() -> None:
    """Refused by the name of the unit above it, unless it is all there is."""
    design = Design(np.arange(5).astype(str), np.ones(5), clusters=np.array(["p", "p", "q", "q", "r"]),
                    fpc=np.full(5, 9.0), stages=(Stage(np.arange(5), fpc=np.array([4.0, 4, 4, 4, 3])),))
    with pytest.raises(InputRefused, match=r"1 of 3 groups of stage 2 hold a single sampling unit \(r\)"):
        mean(design, np.arange(5.0))
    alone = replace(design, stages=(Stage(np.arange(5), fpc=np.array([4.0, 4, 4, 4, 1])),))
    kept = mean(replace(design, lonely_psu="remove"), np.arange(5.0)).se
    assert mean(alone, np.arange(5.0)).se == pytest.approx(kept, rel=1e-12)


@pytest.mark.parametrize(("fpc", "said"), [
    ([10.0, 10, 12, 10], "one stratum states 10 and 12 units on the frame"),
    ([0.5] * 4, "4 units were drawn of 0.5 on the frame. Give the number of units on the frame, not their share")])
def test_frame_counts_that_cannot_be(fpc: list[float], said: str) -> None:
    design = Design(np.arange(4).astype(str), np.ones(4), fpc=np.array(fpc))
    with pytest.raises(InputRefused, match=re.escape(said)):
        mean(design, np.arange(4.0))


def test_only_lonely_strata() -> None:
    design = Design(np.arange(3).astype(str), np.ones(3), np.arange(3).astype(str), lonely_psu="average")
    with pytest.raises(NotEstimable, match="every stratum holds a single sampling unit"):
        mean(design, np.arange(3.0))


# ---------------------------------------------------------------- weights, rows, domains


def test_a_weight_of_two_is_a_row_twice_within_its_unit() -> None:
    design, answers = drawn(200)
    twice = replace(design, weights=np.ones(200))
    rows = np.append(np.arange(200), np.arange(50))
    copied = twice.take(rows)
    copied = replace(copied, ids=np.arange(250).astype(str))
    doubled = replace(twice, weights=np.where(np.arange(200) < 50, 2.0, 1.0))
    one, other = mean(doubled, answers["x"]), mean(copied, answers["x"].iloc[rows])
    assert one.estimate == pytest.approx(other.estimate, rel=1e-13)
    assert one.se == pytest.approx(other.se, rel=1e-12)
    by_row = [mean(replace(d, clusters=None, strata=None), a) for d, a in
              ((doubled, answers["x"]), (copied, answers["x"].iloc[rows]))]
    assert by_row[0].se[0] > 1.001 * by_row[1].se[0]          # as rows, copies would pass for new people


def test_constant_weights_are_none() -> None:
    design, answers = drawn(300)
    alike, none = replace(design, weights=np.full(300, 7.25)), replace(design, weights=np.ones(300))
    for make in EVERY.values():
        assert same(make(alike, answers), make(none, answers), 1e-9)


def test_the_scale_of_weights_is_irrelevant() -> None:
    design, answers = drawn(300)
    for name, make in EVERY.items():
        assert same(make(replace(design, weights=design.weights * 1e4), answers), make(design, answers), 1e-9), name


def test_the_order_of_rows_is_irrelevant_to_the_last_digit() -> None:
    for options in ({}, {"fpc": np.full(400, 40.0), "stages": (Stage(np.arange(400), fpc=np.full(400, 300.0)),)}):
        design, answers = drawn(400, **options)
        order = np.random.default_rng(1).permutation(400)
        for name, make in EVERY.items():
            assert same(make(design.take(order), answers.iloc[order]), make(design, answers), 0.0), name


def same(one: Any, other: Any, rel: float) -> bool:
    if isinstance(one, Estimates):
        parts = [(getattr(one, k), getattr(other, k)) for k in ("estimate", "vcov", "low", "high", "n_eff", "deff")]
    else:
        parts = [(np.array([one.statistic, one.ddf, one.p]), np.array([other.statistic, other.ddf, other.p]))]
    return all(np.allclose(a, b, rtol=rel, atol=rel * 1e-3, equal_nan=True) for a, b in parts)


def test_a_domain_is_not_a_filter() -> None:
    """The sample's design stays: units without rows of the domain count as zeros (Cochran 1977, section 2.12)."""
    rng = np.random.default_rng(2)
    y, inside = rng.normal(10, 2, 60), np.arange(60) % 12 < 4
    design = Design(np.arange(60).astype(str), np.ones(60), clusters=np.arange(60) // 6)
    kept, cut = total(design, y, where=inside), total(design.take(inside), y[inside])
    assert kept.estimate[0] == pytest.approx(cut.estimate[0])
    sums = np.bincount(np.arange(60) // 6, np.where(inside, y, 0), 10)
    assert kept.se[0] == pytest.approx(np.sqrt(10 * sums.var(ddof=1)), rel=1e-12)
    assert kept.se[0] > 2 * cut.se[0] and kept.df.tolist() == cut.df.tolist() == [4]
    strata = replace(design, strata=(np.arange(60) // 30).astype(str))
    # 5 units less the 1 stratum they are in
    assert mean(strata, y, where=np.arange(60) < 30).df.tolist() == [4]


def test_an_answer_that_is_missing_lies_outside() -> None:
    design, answers = drawn(300)
    there = answers["y"].notna()
    one, other = mean(design, answers["y"]), mean(design, answers["y"].fillna(1e9), where=there)
    assert same(one, other, 0.0) and one.n[0] == there.sum() < 300
    assert ratio(design, answers["x"], answers["y"]).n[0] == there.sum()
    zero = replace(design, weights=np.where(there, design.weights, 0))
    assert same(mean(zero, answers["y"].fillna(1e9)), one, 1e-12)          # so does a weight of 0


def test_groups_carry_their_covariance() -> None:
    """Groups share units, so their difference is not as uncertain as two samples'; the t test says the same."""
    design, answers = drawn(600)
    groups = mean(design, answers["x"], by=answers["g"])
    difference = groups.contrast({"b - a": [-1, 1, 0], "c - a": [-1, 0, 1]})
    apart = np.sqrt(np.diag(groups.vcov)[1:] + groups.vcov[0, 0])
    assert (np.abs(difference.se / apart - 1) > 0.01).all()
    by_test = t_test(design, answers["x"], answers["g"])
    assert by_test.estimate[1:] == pytest.approx(difference.estimate, rel=1e-10)
    assert by_test.se[1:] == pytest.approx(difference.se, rel=1e-10)
    assert difference.df.tolist() == [20, 20] and by_test.df.tolist() == [18, 18, 18]
    joint = by_test.jointly([1, 2]).iloc[0]
    v = difference.vcov
    assert joint["statistic"] == pytest.approx(difference.estimate @ np.linalg.solve(v, difference.estimate) / 2)
    assert joint["p"] == pytest.approx(stats.f.sf(joint["statistic"], 2, 18))
    with pytest.raises(NotEstimable, match="determine each other"):
        proportion(design, answers["g"]).jointly()


def test_without_degrees_of_freedom_no_interval() -> None:
    """Never one of width zero."""
    design = Design(np.arange(4).astype(str), np.ones(4), np.array(["a", "a", "b", "c"]), lonely_psu="remove")
    whole = mean(design, np.arange(4.0), by=np.array(["1", "1", "2", "2"]))
    assert whole.df.tolist() == [1, 0]
    assert np.isfinite(whole.low).tolist() == np.isfinite(whole.high).tolist() == [True, False]
    assert np.isnan(whole.tests()["p"][1])
    for method in ("logit", "beta", "asin", "mean"):
        share = proportion(design, np.array(["y", "n", "y", "n"]), where=np.arange(4) > 1, method=method)
        assert np.isnan(share.low).all() and np.isnan(share.high).all()
    assert np.isnan(quantile(design, np.arange(4.0), where=np.arange(4) > 1).se).all()


def test_an_empty_group_is_not_defined() -> None:
    design, answers = drawn(100)
    none = mean(design, answers["x"].where(answers["g"] != "b"), by=answers["g"])
    table = none.table().set_index("group")
    assert table.loc["b", ["estimate", "se", "low", "deff"]].isna().all() and table.loc["b", "n"] == 0
    assert table.loc["a", ["estimate", "se", "low"]].notna().all()
    assert np.isnan(none.contrast([1, -1, 0]).se[0]) and np.isfinite(none.contrast([1, 0, -1]).se[0])


def test_shares_of_none_and_all() -> None:
    """Korn & Graubard's interval is that of Clopper & Pearson under simple sampling; the logit has none."""
    design = Design(np.arange(40).astype(str), np.ones(40))
    everyone = proportion(design, np.repeat("yes", 40), ["yes", "no"], method="beta")
    exact = stats.beta.ppf(0.025, 40, 1)
    assert everyone.low[0] == pytest.approx(exact) and everyone.high[0] == 1
    assert (everyone.low[1], everyone.high[1]) == (0, pytest.approx(1 - exact))
    assert np.isnan(proportion(design, np.repeat("yes", 40)).low[0])


# ---------------------------------------------------------------- functions of totals


def test_any_function_of_totals() -> None:
    """A ratio, and a mean of products, by their gradient: the same as the estimator made for it."""
    design, answers = drawn(300)
    known = answers["y"].notna()
    y, x = answers["y"].fillna(0), answers["x"].where(known, 0)
    by_hand, made = ratio(design, answers["y"], answers["x"]), linearize(lambda t: t[0] / t[1], design,
                                                                         np.column_stack([y, x]))
    assert made.estimate == pytest.approx(by_hand.estimate, rel=1e-12)
    assert made.se == pytest.approx(by_hand.se, rel=1e-9)
    moments = np.column_stack([known, y, x, y * y, x * x, x * y]).astype(float)

    def correlation(t: np.ndarray) -> Any:
        n, a, b, aa, bb, ab = t
        return (ab - a * b / n) / ((aa - a * a / n) * (bb - b * b / n)) ** 0.5

    one, cov = linearize(correlation, design, moments), covariance(design, answers[["y", "x"]])
    other = cov.transform(lambda v: v[1] / (v[0] * v[2]) ** 0.5)
    assert one.estimate == pytest.approx(other.estimate, rel=1e-10) and one.se == pytest.approx(other.se, rel=1e-7)


def alpha_of(design: Design, answers: pd.DataFrame) -> Estimates:
    """Weighted alpha of two items."""
    return covariance(design, answers[["y", "x"]]).transform(lambda v: 2 - 2 * (v[0] + v[2]) / (v[0] + 2 * v[1] + v[2]))


@pytest.mark.parametrize("make", [
    alpha_of, lambda d, a: variance(d, a["y"]), lambda d, a: ratio(d, a["y"], a["x"]),
    lambda d, a: proportion(d, a["g"], ["b"]), lambda d, a: regress(d, a["y"], a["x"]),
    lambda d, a: regress(d, (a["h"] == "yes").astype(float), a["x"], family="logistic")],
    ids=["alpha", "variance", "ratio", "share", "regression", "logistic"])
def test_linearised_values_are_the_slopes_on_the_weights(make: Callable[[Design, pd.DataFrame], Estimates]) -> None:
    """Demnati & Rao (2004): z is w times the derivative of the estimate by each row's weight, taken by brute force."""
    design, answers = drawn(60)
    w, last = design.weights, make(design, answers).estimate.shape[0] - 1
    step = 1e-4 * w

    def shifted(row: int, by: float) -> float:
        moved = np.where(np.arange(60) == row, w + by, w)
        return float(make(replace(design, weights=moved), answers).estimate[last])

    z = np.array([w[i] * (shifted(i, s) - shifted(i, -s)) / (2 * s) for i, s in enumerate(step)])
    known = np.sqrt(variance_of_total(z[:, None], design)[0, 0])
    assert make(design, answers).se[last] == pytest.approx(known, rel=1e-6)


def test_a_function_that_drops_the_complex_part() -> None:
    at = np.array([2.0, -3.0, 0.0])
    assert gradient(lambda v: np.array([v[0] ** 3 * v[1], np.exp(v[2])]), at) == pytest.approx(
        np.array([[-36, 8, 0], [0, 0, 1]]), rel=1e-14)
    assert gradient(lambda v: np.abs(v[:2]).sum(), at)[0] == pytest.approx([1, -1, 0], abs=1e-9)
    assert gradient(lambda v: float(np.real(v[0])) * 2, at)[0] == pytest.approx([2, 0, 0], abs=1e-9)


def test_quantiles_by_hand() -> None:
    x, ones = np.array([4.0, 1, 3, 2]), np.ones(4)
    assert quantiles_of(x, ones, [0.5, 0.51, 0, 1], "math").tolist() == [2, 3, 1, 4]
    assert quantiles_of(x, ones, [0.5, 0.51], "school").tolist() == [2.5, 3]
    assert quantiles_of(x, ones, [0.5, 0.25], "hf7") == pytest.approx(np.quantile(x, [0.5, 0.25]))
    assert np.isnan(quantiles_of(x, ones, [-0.1, 1.1, np.nan])).all()
    median = quantile(Design(np.arange(99).astype(str), np.ones(99)), np.arange(99.0), [0.5])
    assert median.estimate[0] == 49 and median.low[0] < 49 < median.high[0]


# ---------------------------------------------------------------- tests


def imhof(x: float, scales: np.ndarray) -> float:
    """Imhof (1961, eq. 3.2), by quadrature."""
    def inside(u: float) -> float:
        return float(np.sin(0.5 * np.arctan(scales * u).sum() - 0.5 * x * u) / (
            u * np.prod((1 + (scales * u) ** 2) ** 0.25)))
    return 0.5 + integrate.quad(inside, 0, 200, limit=5000, epsabs=1e-11)[0] / np.pi


def test_sums_of_weighted_chi_squares() -> None:
    scales = np.array([0.4, 0.9, 1.7, 2.0, 3.1, 0.6])
    for x in (1.0, 8.0, 20.0):
        assert lincom_tail(x, scales) == pytest.approx(imhof(x, scales), abs=2e-5)
        assert saddlepoint_tail(x, scales) == pytest.approx(lincom_tail(x, scales), rel=0.05)
    # equal scales: a plain χ² or F, to the digit far out; pairs of them: a sum of exponentials
    assert lincom_tail(120.0, np.full(3, 1.5)) == pytest.approx(stats.chi2.sf(80, 3), rel=1e-12)
    assert lincom_tail(90.0, np.full(3, 1.5), 17.3) == pytest.approx(stats.f.sf(20, 3, 17.3), rel=1e-12)
    a, b, x = 1.0, 3.0, 7.0
    known = (b * np.exp(-x / 2 / b) - a * np.exp(-x / 2 / a)) / (b - a)
    assert lincom_tail(x, np.array([a, a, b, b])) == pytest.approx(known, rel=1e-11)
    centre = float(scales.sum())          # at the mean the saddlepoint's formula is 0/0
    assert saddlepoint_tail(centre, scales) == pytest.approx(saddlepoint_tail(centre * (1 + 1e-6), scales), rel=1e-4)


def test_independence_under_simple_sampling_is_pearsons() -> None:
    """Without a design, equal weights: generalised design effects near 1, X² the textbook's."""
    _, answers = drawn(2000)
    design = Design(np.arange(2000).astype(str), np.ones(2000))
    test = independence(design, answers["g"], answers["h"], method="Chisq")
    known = stats.chi2_contingency(pd.crosstab(answers["g"], answers["h"]).to_numpy(), correction=False)
    assert test.statistic == pytest.approx(known.statistic, rel=1e-10)
    assert test.p == pytest.approx(known.pvalue, rel=0.1)
    assert test.deffs == pytest.approx(np.ones(2), abs=0.05)
    with pytest.raises(NotEstimable, match="a single answer"):
        independence(design, answers["g"], np.repeat("all", 2000))


def test_ranks_under_simple_sampling_are_wilcoxons() -> None:
    """Both answers missing, unequal group sizes; with equal weights the mid-ranks are scipy's."""
    _, answers = drawn(1500)
    design = Design(np.arange(1500).astype(str), np.ones(1500))
    two = answers["g"].where(answers["g"] != "c", None)
    test = rank_test(design, answers["y"], two).tests().iloc[1]
    parts = [answers.loc[(two == g) & answers["y"].notna(), "y"] for g in "ab"]
    u = stats.mannwhitneyu(parts[1], parts[0]).statistic / len(parts[0]) / len(parts[1])
    assert test["estimate"] == pytest.approx(u - 0.5, abs=1e-12)
    assert test["p"] == pytest.approx(stats.mannwhitneyu(*parts, use_continuity=False).pvalue, rel=0.05)
    three = rank_test(design, answers["y"], answers["g"]).jointly([1, 2])["p"][0]
    known = stats.kruskal(*[answers.loc[answers["g"] == g, "y"].dropna() for g in "abc"]).pvalue
    assert three == pytest.approx(known, rel=0.05)


def test_a_regression_that_cannot_be_told_apart() -> None:
    design, answers = drawn(200)
    with pytest.raises(NotEstimable, match="repeat each other"):
        regress(design, answers["y"], np.column_stack([answers["x"], 2 * answers["x"]]))
    with pytest.raises(NotEstimable, match="separates the answers"):
        regress(design, (answers["x"] > 4).astype(float), answers["x"], family="logistic")
    with pytest.raises(NotEstimable, match="is 0 or 1"):
        regress(design, answers["y"], answers["x"], family="logistic")
    with pytest.raises(NotEstimable, match="one group only"):
        t_test(design, answers["y"], np.repeat("all", 200))


# ---------------------------------------------------------------- Responses


def test_responses_by_name_with_their_weighting(respond: Respond) -> None:
    _, answers = drawn(120)
    shops = np.arange(120) // 6
    given = respond(answers[["y", "x"]].set_axis([f"r{i:03}" for i in range(120)]), weights=np.arange(120) % 7 + 1.0,
                    clusters=shops, domain=np.arange(120) < 100, background={"g": answers["g"]}, trim=1.3)
    found, final = mean(given, ["y", "x"], by="g"), weigh(given).weights
    assert found.labels["item"].tolist() == ["y"] * 3 + ["x"] * 3 and found.labels["group"].tolist() == list("abc") * 2
    rows = (answers["g"] == "b").to_numpy() & (np.arange(120) < 100)
    assert found.estimate[4] == pytest.approx(np.average(answers["x"][rows], weights=final[rows]), rel=1e-12)
    assert found.n[4] == rows.sum()
    assert sample_of(given).weights == pytest.approx(final, rel=1e-12)
    assert list(found.table()) == ["item", "group", "estimate", "se", "low", "high", "n", "n_eff", "df", "deff",
                                   "method"]
    assert proportion(given, "g").labels["category"].tolist() == list("abc")


@pytest.mark.parametrize(("call", "said"), [
    (lambda g: mean(g, "z"), "items: no item z."), (lambda g: mean(g, "x", by="z"), 'by: no column "z" to group by.'),
    (lambda g: mean(g, np.ones(5)), "values: 5 values for 60 rows of the design."),
    (lambda g: mean(g, "x").contrast([1, 2]), "contrast: 2 numbers for 1 estimates."),
    (lambda g: pps.brewer(np.array([0.5, 1.5])), "inclusion probabilities must lie above 0"),
    (lambda g: pps.joint(np.zeros((2, 2)), np.array([0.5, 0.5])), "joint probabilities must be 2 by 2 and above 0")])
def test_refusals_are_one_line(call: Callable[[Responses], Any], said: str, respond: Respond) -> None:
    _, answers = drawn(60)
    given = respond(answers[["x"]].set_axis([f"r{i:03}" for i in range(60)]))
    with pytest.raises(InputRefused, match=re.escape(said)) as caught:
        call(given)
    assert len(caught.value.lines) == 1
