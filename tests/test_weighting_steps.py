"""Non-response, post-stratification, calibration and trimming: weights and standard errors of other programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tcslib.errors import InputRefused, NotEstimable, TcsError
from tcslib.inference.replicates import replicate
from tcslib.run.store import load_responses, save_responses
from tcslib.survey.responses import Responses
from tcslib.survey.weighting import Calibration, NonResponse, PostStrata, Trimming, WeightingPlan
from tcslib.weighting.weights import Adjustment, adjustment, weigh

Respond = Callable[..., Responses]
Expected = Callable[[str, str], Any]
N = 6194
TYPES, WIDE = {"E": 4421, "H": 755, "M": 1018}, {"No": 1072, "Yes": 5122}
API99 = {"api99": 3914069}


def calibrated(method: Any = "linear", bounds: tuple[float, float] | None = None,
               shares: dict[str, dict[str, float]] | None = None, totals: dict[str, float] | None = None,
               **more: Any) -> WeightingPlan:
    """Calibration of the schools' file to 6,194 schools."""
    known = Calibration(shares or {"stype": TYPES}, {}, API99 if totals is None else totals, method, bounds, **more)
    return WeightingPlan(calibrate=known, population=N)


def trimmed(strict: bool) -> WeightingPlan:
    rule = Trimming(45, 20, "absolute", "equal", strict)
    return WeightingPlan({"stype": TYPES, "sch.wide": WIDE}, rule, population=N)


PLANS = {
    "postStratify_stype": WeightingPlan(post_stratify=(PostStrata(("stype",), TYPES),), population=N),
    "rake_stype_schwide": WeightingPlan({"stype": TYPES, "sch.wide": WIDE}, population=N),
    "calibrate_linear_stype": calibrated(totals={}), "calibrate_linear_stype_api99": calibrated(),
    "calibrate_raking_stype_api99": calibrated("exponential"),
    "calibrate_logit_bounds_0.5_2.5": calibrated("logit", (0.5, 2.5)),
    "calibrate_linear_bounds_0.5_2.5": calibrated("truncated", (0.5, 2.5)),
    "calibrate_raking_stype_schwide_api99": calibrated("exponential", shares={"stype": TYPES, "sch.wide": WIDE}),
    "strat_calibrate_linear_stype_api99": calibrated(),
    "postStratify_stype_x_compimp": WeightingPlan(population=N),          # its cells stand in the reference
    "trimWeights_rake_20_45": trimmed(False), "trimWeights_rake_20_45_strict": trimmed(True)}


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    """R survey 4.1-1; made by shared/reference/survey/01_survey_golden.R."""
    found: dict[str, Any] = json.loads(
        (shared / "reference" / "survey" / "survey_golden.json").read_text(encoding="utf-8"))["calibration"]
    return found


@pytest.fixture(scope="module")
def files(shared: Path) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(shared / "data" / "survey" / f"{name}.csv") for name in ("apiclus1", "apistrat")}


def school_sample(name: str, files: dict[str, pd.DataFrame], golden: dict[str, Any],
                  respond: Respond) -> tuple[Responses, pd.DataFrame]:
    """The sample R weighted: 183 schools of 15 districts, or 200 schools in three strata."""
    stratified = name.startswith("strat_")
    api = files["apistrat" if stratified else "apiclus1"]
    made = respond(api[["api00", "enroll"]].set_axis(api["snum"].astype(str)), weights=api["pw"],
                   background={c: api[c].astype(str) for c in ("stype", "sch.wide", "comp.imp", "api99")},
                   **({"strata": api["stype"]} if stratified else {"clusters": api["dnum"]}))
    plan = PLANS[name]
    if name == "postStratify_stype_x_compimp":
        cells = {f"{c['stype']} × {c['comp.imp']}": c["Freq"] for c in golden[name]["pop"]}
        plan = replace(plan, post_stratify=(PostStrata(("stype", "comp.imp"), cells),))
    return replace(made, weighting=plan), api


def one_stage_se(z: np.ndarray, responses: Responses, api: pd.DataFrame) -> np.ndarray:
    """Standard errors of totals of z (n, k) from units drawn without replacement within strata."""
    design = responses.design
    units = np.array([np.bincount(design.unit, column) for column in z.T])
    variance = np.zeros(z.shape[1])
    for stratum in range(design.strata_count):
        inside = units[:, design.unit_stratum == stratum]
        m = inside.shape[1]
        frame = api["fpc"].to_numpy()[np.isin(design.unit, np.flatnonzero(design.unit_stratum == stratum))][0]
        variance += (1 - m / frame) * m * inside.var(axis=1, ddof=1)
    return np.sqrt(variance)


def test_weights_and_standard_errors_of_the_survey_package(files: dict[str, pd.DataFrame], golden: dict[str, Any],
                                                           respond: Respond) -> None:
    """Every weight of twelve variants, and estimate and SE of a mean and a total of ten: 2,253 numbers.

    Raking's SE too: R projects on the margins in ten sweeps, ours at once; they agree to 4e-12.
    """
    numbers = 0
    for name in PLANS:
        responses, api = school_sample(name, files, golden, respond)
        known, weights = golden[name], pd.Series(weigh(responses).weights, responses.design.ids)
        ids = [str(k) for k in known.get("key", api["snum"])]
        assert weights[ids].to_numpy() == pytest.approx(np.array(known["w"]["weights"]), rel=1e-9), name
        numbers += len(ids)
        if "mean_api00" not in known:
            continue
        y, w = responses.matrix(["api00", "enroll"]), weights.to_numpy()
        y[np.isnan(y)] = 0
        mean = np.average(y[:, 0], weights=w)
        z = adjustment(responses).residuals(np.column_stack([(y[:, 0] - mean) / w.sum(), y[:, 1]]))
        for (item, column), estimate, se in zip((("mean_api00", "api00"), ("total_enroll", "enroll")),
                                                (mean, w @ y[:, 1]), one_stage_se(z, responses, api), strict=True):
            assert estimate == pytest.approx(known[item]["est"][column], rel=1e-10), (name, item)
            assert se == pytest.approx(known[item]["se"][column], rel=1e-9), (name, item)
            numbers += 2
    assert numbers == 11 * 183 + 200 + 10 * 4


def test_calibration_explains_the_total(files: dict[str, pd.DataFrame], golden: dict[str, Any], respond: Respond,
                                        shared: Path) -> None:
    """Total enrolment: SE 932,235 by base weights, 406,293 after post-stratification to the type of school."""
    responses, api = school_sample("postStratify_stype", files, golden, respond)
    y = np.nan_to_num(responses.matrix(["enroll"]))
    before = one_stage_se(adjustment(replace(responses, weighting=WeightingPlan())).residuals(y), responses, api)
    known = json.loads((shared / "reference" / "survey" / "survey_golden.json").read_text(encoding="utf-8"))
    assert before[0] == pytest.approx(known["est"]["clus1_fpc"]["total_enroll_narm"]["se"]["enroll"], rel=1e-9)
    assert round(before[0]) == 932235
    assert round(one_stage_se(adjustment(responses).residuals(y), responses, api)[0]) == 406293


def test_the_bounds_of_the_survey_package(files: dict[str, pd.DataFrame], golden: dict[str, Any],
                                          respond: Respond) -> None:
    """Its smallest and largest factors; and where it stops with an error, what was asked of whom and what is needed."""
    for name, key in (("calibrate_linear_stype_api99", "linear"), ("calibrate_raking_stype_api99", "raking"),
                      ("calibrate_logit_bounds_0.5_2.5", "logit"),
                      ("calibrate_linear_bounds_0.5_2.5", "linear_bounded")):
        responses, _ = school_sample(name, files, golden, respond)
        g = weigh(responses).weights / responses.design.weights
        assert [g.min(), g.max()] == pytest.approx(golden["bounds_used"][key], rel=1e-9), name
    narrow = replace(responses, weighting=calibrated("logit", (0.99, 1.01)))
    for use in (weigh, replicate):
        with pytest.raises(NotEstimable, match=r"no factors from 0\.99 to 1\.01 meet the totals: at best") as refused:
            use(narrow)
    low, high = map(float, re.findall(r"needs g from (\S+) to (\d\.\d+)", str(refused.value))[0])
    # stretched that far the bounds can be met, and a little less far not
    for slack, sound in ((0.01, True), (-0.02, False)):
        wider = calibrated("truncated", (low - slack, high + slack))
        if sound:
            weigh(replace(responses, weighting=wider))
        else:
            with pytest.raises(NotEstimable):
                weigh(replace(responses, weighting=wider))


@pytest.mark.parametrize(("method", "key", "tolerance"), [
    ("linear", "linear", 1e-9), ("exponential", "raking", 1e-8), ("truncated", "truncated", 1e-9),
    ("logit", "logit", 5e-6)])          # R's own logit factors miss its totals by 5e-7, ours by 1e-10
def test_the_sampling_package(method: Any, key: str, tolerance: float, expected: Expected, respond: Respond) -> None:
    case = expected("weighting", "calib_docs")
    x, total = np.array(case["inputs"]["Xs"], dtype=float), case["inputs"]["total"]
    known = Calibration({"group": {"a": total[0], "b": total[1]}}, {}, {"size": total[2]}, method,
                        tuple(case["bounds"]) if method in {"truncated", "logit"} else None)
    responses = replace(respond(pd.DataFrame({"A": np.ones(10)}, [f"{i}" for i in range(10)]),
                                weights=case["inputs"]["d"],
                                background={"group": np.where(x[:, 0] > 0, "a", "b"), "size": x[:, 2]}),
                        weighting=WeightingPlan(calibrate=known, population=sum(total[:2])))
    weights = weigh(responses).weights
    assert weights / 5 == pytest.approx(np.array(case["expected"][key]), rel=tolerance)
    assert weights @ x == pytest.approx(total, rel=1e-9)


# ---------------------------------------------------------------- made-up samples


def people(respond: Respond, plan: WeightingPlan, n: int = 240, seed: int = 3) -> Responses:
    """Two in three responded, the young and the North less often; base weights differ."""
    rng = np.random.default_rng(seed)
    region, age = rng.choice(["N", "S", "W"], n, p=[0.5, 0.3, 0.2]), rng.choice(["old", "young"], n)
    months = rng.integers(1, 60, n).astype(float)
    chance = 1 / (1 + np.exp(-(1.5 - 0.8 * (age == "young") - 0.5 * (region == "N") + 0.01 * months)))
    came = np.where(rng.random(n) < chance, "yes", "no")
    bill = 40 + 10 * (region == "S") + rng.normal(0, 8, n)
    y = bill / 10 + rng.normal(0, 1, n) + (age == "old")
    made = respond(pd.DataFrame({"A": y}, [f"{i:04d}" for i in range(n)]), weights=rng.choice([1.0, 2.0, 3.5], n),
                   background={"region": region, "age": age, "months": months, "status": came,
                               "bill": [repr(float(b)) for b in bill]})
    return replace(made, weighting=plan, domain=came == "yes" if plan.nonresponse else made.domain)


CELLS = NonResponse("status", ("yes",), ("region", "age"))
LOGISTIC = NonResponse("status", ("yes",), ("region", "age", "months"), propensity=True, numeric=("months",))
REGION = {"N": 0.45, "S": 0.35, "W": 0.2}
GREG = Calibration({"region": REGION}, {"bill": 44.0})


def test_weighting_classes_by_hand(respond: Respond) -> None:
    """Cell a: 1 + 1 + 2 drawn, 1 + 2 came; its respondents carry 4/3 of their weight. Cell b: all came."""
    made = respond(pd.DataFrame({"A": [1.0, 2, 3, 4]}, list("pqrs")), weights=[1, 1, 2, 3],
                   background={"cell": list("aaab"), "status": ["yes", "no", "yes", "yes"]})
    found = weigh(replace(made, weighting=WeightingPlan(nonresponse=NonResponse("status", ("yes",), ("cell",)))))
    assert found.weights == pytest.approx([4 / 3, 0, 8 / 3, 3])
    assert found.table()["n"].tolist() == [4, 3] and found.table()["step"].tolist() == ["base", "nonresponse"]
    assert found.table()["changed"].iloc[1] == pytest.approx(2 / 3)


def test_propensities_are_those_of_a_weighted_logistic_regression(respond: Respond) -> None:
    import statsmodels.api as sm

    made = people(respond, WeightingPlan(nonresponse=LOGISTIC))
    b, came = made.background, (made.background["status"] == "yes").to_numpy()
    x = np.column_stack([np.ones(len(b)), b["region"] == "S", b["region"] == "W", b["age"] == "young",
                         b["months"].astype(float)]).astype(float)
    p = sm.GLM(came.astype(float), x, family=sm.families.Binomial(), freq_weights=made.design.weights).fit(
        tol=1e-13).fittedvalues
    weights = weigh(made).weights
    assert (weights[~came] == 0).all()
    assert weights[came] == pytest.approx((made.design.weights / p)[came], rel=1e-8)
    # five classes: the respondents of each carry the weight of all whom it holds
    classes = weigh(replace(made, weighting=WeightingPlan(nonresponse=replace(LOGISTIC, classes=5)))).weights
    assert classes.sum() == pytest.approx(made.design.weights.sum())
    factor = np.unique(np.round(classes[came] / made.design.weights[came], 9))
    assert len(factor) == 5
    for f in factor:
        inside = p[came][np.isclose(classes[came] / made.design.weights[came], f)]
        between = (p > inside.min() - 1e-12) & (p < inside.max() + 1e-12)
        rate = (made.design.weights * came)[between].sum() / made.design.weights[between].sum()
        assert 1 / f == pytest.approx(rate, rel=0.1)          # rows at the edges of a class belong to one of two


STEPS = {
    "cells": WeightingPlan(nonresponse=CELLS), "propensity": WeightingPlan(nonresponse=LOGISTIC),
    "cells, post-strata": WeightingPlan(nonresponse=CELLS, post_stratify=(PostStrata(("age",), {
        "old": 300, "young": 250}),), population=550),
    "propensity, linear": WeightingPlan(nonresponse=LOGISTIC, calibrate=GREG, population=600),
    "linear": WeightingPlan(calibrate=GREG, population=600),
    "post-strata, trimmed": WeightingPlan(post_stratify=(PostStrata(("region",), REGION),), population=600,
                                          trim=Trimming(4.2, None, "absolute"))}


@pytest.mark.parametrize("name", STEPS)
def test_residuals_are_the_slopes_of_the_total(name: str, respond: Respond) -> None:
    """A total moves with the number of times a row is drawn as its residual says: central differences of the replay."""
    made = people(respond, STEPS[name])
    steps, y = adjustment(made), made.matrix(["A"])
    z, n, h = steps.residuals(y)[:, 0], len(made), 1e-5
    of_row = made.design.unit          # each row is a unit
    moved = 1 + h * np.eye(n)[:40]
    totals = [((steps.factors(f)[:, steps.group] * made.design.weights) @ y[:, 0]) for f in (moved, 2 - moved)]
    slopes = np.empty(n)
    slopes[:40] = (totals[0] - totals[1]) / (2 * h)
    assert z[[int(np.flatnonzero(of_row == u)[0]) for u in range(40)]] == pytest.approx(slopes[:40], rel=2e-5, abs=2e-5)


ALL = {**STEPS, "rake": WeightingPlan({"region": REGION, "age": {"old": 1, "young": 1}}, population=600),
       "exponential": WeightingPlan(calibrate=replace(GREG, method="exponential"), population=600),
       "classes": WeightingPlan(nonresponse=replace(LOGISTIC, classes=3)),
       "weights in bounds": WeightingPlan(calibrate=replace(GREG, method="truncated", bounds=(0.5, 5.0),
                                                            bounds_on="weight"), population=600),
       "trimmed to the median": WeightingPlan(trim=Trimming(1.6, 0.6, "median", "proportional", True)),
       "everything": WeightingPlan({"age": {"old": 0.5, "young": 0.5}}, Trimming(2.5), CELLS, (PostStrata(
           ("region",), REGION),), replace(GREG, method="logit", bounds=(0.4, 3.0)), population=600)}


@pytest.mark.parametrize("name", ALL)
def test_a_replicate_is_weighted_as_a_sample_of_its_own(name: str, respond: Respond) -> None:
    """Rows left out and rows drawn twice: as if the sample had come so."""
    made = people(respond, ALL[name])
    times = np.ones(len(made))
    times[[3, 17, 30, 31, 99]], times[[5, 60, 61]] = 0, 2
    steps = adjustment(made)
    of_units = np.ones((1, made.design.units))
    of_units[0, made.design.unit] = times
    got = (steps.factors(of_units)[:, steps.group] * made.design.weights)[0]
    rows = np.repeat(np.arange(len(made)), times.astype(int))
    again = [f"{row}.{k}" for k, row in enumerate(rows)]
    own = respond(made.answers.iloc[rows].set_axis(again), weights=made.design.weights[rows],
                  background={c: made.background[c].to_numpy()[rows] for c in made.background})
    plan = ALL[name] if ALL[name].population or ALL[name].nonresponse else replace(
        ALL[name], population=None)
    known = pd.Series(weigh(replace(own, weighting=plan)).weights).groupby(rows).sum()
    assert got[known.index] == pytest.approx(known.to_numpy(), rel=1e-7)
    assert (got[times == 0] == 0).all()


def test_every_replicate_meets_what_is_known(respond: Respond) -> None:
    made = people(respond, ALL["everything"])
    replicates = replicate(made, 64)
    weights = replicates.weights(0)
    sound = np.isfinite(weights).all(axis=1)
    assert sound.mean() > 0.95
    came = (made.background["status"] == "yes").to_numpy()
    assert (weights[sound][:, ~came] == 0).all()
    weights = weights[sound]
    assert weights.sum(axis=1) == pytest.approx(600, rel=1e-8)
    assert weights @ made.background["bill"].astype(float).to_numpy() == pytest.approx(600 * 44.0, rel=1e-8)


def test_bounds_on_the_weight_hold(respond: Respond) -> None:
    for method in ("truncated", "logit"):
        plan = WeightingPlan(calibrate=replace(GREG, method=method, bounds=(0.9, 4.0), bounds_on="weight"))
        found = weigh(people(respond, plan)).weights
        assert found.min() >= 0.9 - 1e-9 and found.max() <= 4.0 + 1e-9
    free = weigh(people(respond, WeightingPlan(calibrate=GREG))).weights
    assert free.min() < 0.9 or free.max() > 4.0          # and they bite


def test_proportional_trimming_by_hand(respond: Respond) -> None:
    """Weights 1, 2, 9, no more than 5: the 4 cut off go to 1 and 2 as 1 to 2. By equal parts 2 each, which is 4."""
    made = respond(pd.DataFrame({"A": [1.0, 2, 3]}, list("abc")), weights=[1, 2, 9])
    for way, known in (("proportional", [7 / 3, 14 / 3, 5]), ("equal", [3, 4, 5])):
        found = weigh(replace(made, weighting=WeightingPlan(trim=Trimming(5, None, "absolute", way))))  # type: ignore
        assert found.weights == pytest.approx(known)
    # no more than 4.5: once leaves b above it, strict does not
    for strict, known in ((False, [2.5, 5, 4.5]), (True, [3, 4.5, 4.5])):
        rule = Trimming(4.5, None, "absolute", "proportional", strict)
        assert weigh(replace(made, weighting=WeightingPlan(trim=rule))).weights == pytest.approx(known)


# ---------------------------------------------------------------- refusals and options


def eight(respond: Respond, plan: WeightingPlan, **background: list[Any]) -> Responses:
    columns = {"sex": list("ffffmmmm"), "status": ["yes"] * 8, **background}
    made = respond(pd.DataFrame({"A": np.arange(8.0)}, list("abcdefgh")), background=columns)
    return replace(made, weighting=plan)


HALF = {"f": 0.5, "m": 0.5}
REFUSED: dict[str, tuple[WeightingPlan, dict[str, list[Any]], str]] = {
    "contradicting": (WeightingPlan({"sex": HALF, "again": {"f": 0.6, "m": 0.4}}), {"again": list("ffffmmmm")},
                      r"after 500 rounds sex=(f|m) is still 0\.8 \(20\.0%\) (over|short): the margins cannot be met"),
    "nobody": (WeightingPlan({"sex": {"f": 0.5, "m": 0.4, "x": 0.1}}), {},
               r'"x" has a target but no respondents: 10\.0% of the population would stand for nobody'),
    "empty": (WeightingPlan({"sex": HALF}), {"sex": ["f"] * 3 + ["m"] * 3 + ["", ""]},
              r"sex is empty for 2 respondents \(id g, h\)"),
    "crossed": (WeightingPlan(post_stratify=(PostStrata(("sex", "age"), {"f × o": 1, "m × o": 1, "m × y": 1}),)),
                {"age": list("oooyoyoy")}, r'sex × age is "f × y", which has no target, for 1 respondent \(id d\)'),
    "factors": (WeightingPlan(calibrate=Calibration({"sex": {"f": 0.9, "m": 0.1}}, method="truncated",
                                                    bounds=(0.5, 1.5))), {},
                r"no factors from 0\.5 to 1\.5 meet the totals: at best sex=m stays \d+\.\d% off; it needs g from 0\.2 "
                r"to 1\.8\. Widen"),
    "weights": (WeightingPlan(calibrate=Calibration({"sex": {"f": 0.9, "m": 0.1}}, method="truncated",
                                                    bounds=(0.5, 1.5), bounds_on="weight")), {},
                r"no weights from 0\.5 to 1\.5 meet the totals: .* it needs weights from 0\.2 to 1\.8"),
    "means": (WeightingPlan(calibrate=Calibration({}, {"bill": 50.0}, method="exponential")),
              {"bill": list(range(1, 9))},
              r"no positive weights meet the totals: at best bill stays \d+\.\d+ standard deviations off in its mean"),
    "constant": (WeightingPlan(calibrate=Calibration({}, {"bill": 50.0})), {"bill": [7] * 8},
                 "bill is 7 for every respondent, so no weights give it another mean than that, 50 for one"),
    "collinear": (WeightingPlan(calibrate=Calibration({"sex": HALF}, {"bill": 2.5})), {"bill": [1] * 4 + [3] * 4},
                  "bill says no more than the columns before it"),
    "no number": (WeightingPlan(calibrate=Calibration({}, {"bill": 2.5})), {"bill": [1, 2, "", 4, 5, 6, 7, 8]},
                  r"bill is no number for 1 respondent \(id c\)"),
    "cell": (WeightingPlan(nonresponse=NonResponse("status", ("yes",), ("sex", "age"))),
             {"age": list("oyoyoyoy"), "status": ["yes"] * 5 + ["no", "yes", "no"]},
             r'nobody of the 2 drawn in the cell "m × y" responded: 25\.0% of the weight would be lost\. Join it to '
             '"m × o" by'),
    "unknown": (WeightingPlan(nonresponse=NonResponse("status", ("yes",), ("sex",))),
                {"sex": [*"fffmmm", "", ""], "status": ["yes"] * 7 + ["no"]},
                r"sex is empty for 2 rows \(id g, h\) of the 8 drawn"),
    "separates": (WeightingPlan(nonresponse=NonResponse("status", ("yes",), ("sex",), True)),
                  {"status": ["yes"] * 4 + ["no", "no", "yes", "no"]},
                  'sex separates: all of the 4 drawn with sex "f" responded, so its propensity is 1'),
    "separates together": (WeightingPlan(nonresponse=NonResponse("status", ("yes",), ("size",), True, None, ("size",))),
                           {"size": [1, 2, 3, 4, 5, 6, 7, 8], "status": ["yes"] * 4 + ["no"] * 4},
                           "the propensity separates"),
    "nobody came": (WeightingPlan(nonresponse=NonResponse("status", ("done",), ("sex",))), {},
                    "no row with a weight above 0 responded"),
    "limit": (WeightingPlan({"sex": {"f": 0.9, "m": 0.1}}, 1.5), {},
              r"cannot be met together: the margins need weights of at least 1\.80 times the mean"),
    "nobody left": (WeightingPlan(trim=Trimming(0.5, None, "absolute", "equal")), {},
                    "leaves nobody between the limits")}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_met_is_refused_with_the_size_of_the_gap(name: str, respond: Respond) -> None:
    plan, background, said = REFUSED[name]
    for use in (weigh, adjustment):
        with pytest.raises(TcsError, match=said) as refused:
            use(eight(respond, plan, **background))
        assert len(refused.value.lines) == 1 and "weighting" in refused.value.where


def test_what_an_option_lets_pass_is_recorded(respond: Respond) -> None:
    third = {"f": 0.4, "m": 0.4, "x": 0.2}
    found = weigh(eight(respond, WeightingPlan({"sex": third}, empty="drop")))
    assert found.weights == pytest.approx(np.ones(8))
    assert found.allowed.to_dict("records") == [
        {"option": "empty", "column": "sex", "category": "x", "rows": 0, "share": pytest.approx(0.2)}]
    holes = eight(respond, WeightingPlan({"sex": {"f": 0.25, "m": 0.75}}, missing="keep"),
                  sex=["f"] * 3 + ["m"] * 3 + ["", ""])
    found = weigh(holes)          # the two without a sex keep 2 of 8; the others share 6 as 1 to 3
    assert found.weights == pytest.approx([0.5] * 3 + [1.5] * 3 + [1, 1])
    assert found.allowed.iloc[0][["option", "rows", "share"]].tolist() == ["missing", 2, 0.25]
    again = {"again": list("ffffmmmm")}
    plan = WeightingPlan({"sex": HALF, "again": {"f": 0.51, "m": 0.49}}, gap=0.05)
    found = weigh(eight(respond, plan, **again))
    assert set(found.allowed["option"]) == {"gap"} and found.allowed["share"].abs().max() == pytest.approx(0.02)
    with pytest.raises(NotEstimable, match=r"\(2\.0%\)"):
        weigh(eight(respond, replace(plan, gap=0.01), **again))
    background = {"age": list("oyoyoyoy"), "status": ["yes"] * 5 + ["no", "yes", "no"]}
    found = weigh(eight(respond, WeightingPlan(nonresponse=NonResponse(
        "status", ("yes",), ("sex", "age"), collapse=True)), **background))
    assert found.weights == pytest.approx([1, 1, 1, 1, 2, 0, 2, 0])
    assert found.allowed.iloc[0][["option", "category", "rows"]].tolist() == ["collapse", "m × y → m × o", 2]


def test_margins_before_and_after(respond: Respond) -> None:
    made = people(respond, ALL["everything"])
    table = weigh(made).margins.set_index(["column", "category"])
    for key in [("region", "N"), ("age", "old"), ("bill", "")]:          # age: raked before, and moved a little
        assert table["after"][key] == pytest.approx(table["target"][key], rel=0.05 if key[0] == "age" else 1e-6)
    came = made.background["status"] == "yes"
    assert table["before"]["region", "N"] == pytest.approx(
        made.design.weights[came & (made.background["region"] == "N")].sum() / made.design.weights[came].sum())
    assert table["n"].loc["region"].sum() == came.sum()


@pytest.mark.parametrize("name", ALL)
def test_a_plan_is_saved_and_read_again(name: str, respond: Respond, tmp_path: Path) -> None:
    made = people(respond, ALL[name])
    save_responses(tmp_path / "kept", made)
    again = load_responses(tmp_path / "kept")
    assert again.weighting == made.weighting
    assert np.array_equal(weigh(again).weights, weigh(made).weights)
    assert WeightingPlan.restored({"rake": {"a": {"b": 1.0}}, "trim": 5}) == WeightingPlan({"a": {"b": 1.0}}, 5)
    assert WeightingPlan.restored(json.loads(json.dumps(asdict(made.weighting)))) == made.weighting


def test_the_order_of_rows_moves_no_digit(respond: Respond) -> None:
    for name, plan in ALL.items():
        made = people(respond, plan)
        order = np.random.default_rng(1).permutation(len(made))
        other = respond(made.answers.iloc[order], weights=made.design.weights[order],
                        background={c: made.background[c].to_numpy()[order] for c in made.background})
        assert np.array_equal(weigh(replace(other, weighting=plan)).weights, weigh(made).weights[order]), name


def test_steps_are_told_apart_from_none(respond: Respond) -> None:
    assert not adjustment(people(respond, WeightingPlan())).calibrated
    assert all(adjustment(people(respond, plan)).calibrated for plan in ALL.values())
    assert isinstance(adjustment(people(respond, WeightingPlan())), Adjustment)
    with pytest.raises(InputRefused):
        weigh(people(respond, WeightingPlan({"region": {"N": 1.0}})))
