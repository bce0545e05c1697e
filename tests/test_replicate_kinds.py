"""Jackknife, half-samples, Preston's and the always-positive bootstrap, and replicate weights given with the data.

Numbers of R survey 4.1-1: shared/reference/survey/survey_golden.json, made by 01_survey_golden.R beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tcslib.errors import InputRefused
from tcslib.inference.bootstrap import CHUNK
from tcslib.inference.halving import half_samples
from tcslib.inference.infer import Arrays, Inference, infer_rows
from tcslib.inference.replicates import Method, replicate
from tcslib.survey.design import Design, GivenReplicates, Stage
from tcslib.survey.responses import Responses

Respond = Callable[..., Responses]
Z = stats.norm.ppf(0.9995)          # two-sided 99.9%
ITEMS = ["api00", "api99", "enroll", "api.stu"]


def band(draws: np.ndarray) -> float:
    """99.9% band of the relative Monte Carlo error of a standard deviation over these draws."""
    kurtosis = ((draws - draws.mean()) ** 4).mean() / draws.var() ** 2
    return Z * np.sqrt((kurtosis - 1) / (4 * len(draws)))


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "reference" / "survey" / "survey_golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def api(shared: Path, respond: Respond) -> Callable[[str], Responses]:
    """``api("clus1_fpc")``: the school data as R's svydesign of that name holds them."""
    def read(name: str) -> Responses:
        of, corrected = name.split("_")
        frame = pd.read_csv(shared / "data" / "survey" / f"api{of}.csv")
        how: dict[str, Any] = {"strat": {"strata": frame["stype"]}, "clus1": {"clusters": frame["dnum"]},
                               "clus2": {"clusters": frame["dnum"]}, "srs": {}}[of]
        if corrected == "fpc":
            how["fpc"] = frame["fpc1" if of == "clus2" else "fpc"].to_numpy(float)
            if of == "clus2":
                how["stages"] = (Stage(frame["snum"].to_numpy().astype(str), fpc=frame["fpc2"].to_numpy(float)),)
        return respond(frame[ITEMS].set_axis(frame["snum"].astype(str)), weights=frame["pw"],
                       background={"stype": frame["stype"], "sch.wide": frame["sch.wide"]}, **how)
    return read


def three(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
    """The statistics of the reference's replicate block."""
    x, seen = np.nan_to_num(rows), (~np.isnan(rows)).astype(float)
    return {"mean_api00": weights @ x[:, 0] / weights.sum(axis=1), "total_enroll": weights @ x[:, 2],
            "ratio_apistu_enroll": weights @ (x[:, 3] * seen[:, 2]) / (weights @ x[:, 2])}


def number(found: dict[str, Any], what: str) -> float:
    return float(next(iter(found[what].values()))) if isinstance(found[what], dict) else float(found[what])


def estimated(responses: Responses, method: Method, count: int = 2000, items: list[str] = ITEMS, **how: Any
              ) -> Inference:
    return infer_rows(three, responses, replicate(responses, count, method=method, **how), items)


@pytest.mark.parametrize(("design", "key"), [("clus1_fpc", "jk1_clus1_fpc"), ("clus1_nofpc", "jk1_clus1_nofpc"),
                                             ("strat_fpc", "jkn_strat_fpc"), ("strat_nofpc", "jkn_strat_nofpc")])
def test_the_jackknife_is_r_s(design: str, key: str, api: Callable[[str], Responses], golden: dict[str, Any]) -> None:
    """6 estimates and SEs of each of four designs, and their number of replicates."""
    found, known = estimated(api(design), "jackknife"), golden["replicate"][key]
    for name in ("mean_api00", "total_enroll", "ratio_apistu_enroll"):
        assert found.estimate[name] == pytest.approx(number(known[name], "est"), rel=1e-12), name
        assert found.se(name) == pytest.approx(number(known[name], "se"), rel=1e-10), name
    assert found.replicates.count == known["nrep"]
    assert found.interval == "t"


def test_without_replay_the_jackknife_is_that_of_the_raked_weights(api: Callable[[str], Responses],
                                                                   golden: dict[str, Any]) -> None:
    """R jackknifes the raked weights as they are (total enrolment: SE 1,000,326); with replay it falls by half.

    Under replay the margins hold in every replicate, as they do in the population (linearised: 406,293 for linear
    calibration to school type alone).
    """
    responses = api("clus1_fpc")
    margins = {"stype": {"E": 4421, "H": 755, "M": 1018}, "sch.wide": {"No": 1072, "Yes": 5122}}
    raked = replace(responses, weighting=type(responses.weighting)(
        {name: {k: v / 6194 for k, v in of.items()} for name, of in margins.items()}))
    # R's targets are counts; shares keep the base weights' sum, which is 6,194 here to seven digits
    final = replicate(raked, 64).sample_weights * 6194 / responses.design.weights.sum()
    frozen = replace(responses, design=replace(responses.design, weights=final))
    found, known = estimated(frozen, "jackknife"), golden["replicate"]["jk1_calibrated_raked"]
    for name in ("mean_api00", "total_enroll", "ratio_apistu_enroll"):
        assert found.estimate[name] == pytest.approx(number(known[name], "est"), rel=1e-8), name
        assert found.se(name) == pytest.approx(number(known[name], "se"), rel=1e-8), name
    replayed = estimated(raked, "jackknife")
    assert replayed.se("total_enroll") < 0.5 * found.se("total_enroll")


@pytest.fixture(scope="module")
def ambulances(shared: Path, respond: Respond) -> Responses:
    """R's scd data: two ambulances in each of three areas, equal weights."""
    frame = pd.read_csv(shared / "data" / "survey" / "scd_brr.csv")
    return respond(frame[["arrests", "alive"]].set_axis([f"{i}" for i in range(6)]), strata=frame["ESA"],
                   clusters=frame["ambulance"], weights=np.ones(6))


def survival(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
    return {"ratio": weights @ rows[:, 1] / (weights @ rows[:, 0])}


@pytest.mark.parametrize(("method", "key", "fay"), [("brr", "BRR", 0), ("fay", "Fay0.3", 0.3), ("jackknife", "JKn", 0)])
def test_half_samples_are_r_s(method: Method, key: str, fay: float, ambulances: Responses,
                              golden: dict[str, Any]) -> None:
    """The ratio of six and its SE by BRR, Fay and JKn, and the 24 half-sample weights of each of BRR and Fay."""
    known = golden["replicate"]["scd_ratio_alive_arrests"]
    replicates = replicate(ambulances, method=method, fay=fay)
    found = infer_rows(survival, ambulances, replicates, ["arrests", "alive"])
    assert found.estimate["ratio"] == pytest.approx(known[key]["est"], rel=1e-12)
    assert found.se("ratio") == pytest.approx(known[key]["se"], rel=1e-12)
    if method != "jackknife":
        theirs = np.array(known[f"{method}_weights"]).T
        ours = replicates.weights(0)[:4]
        assert sorted(map(tuple, ours.round(9).tolist())) == sorted(map(tuple, theirs.round(9).tolist()))


@pytest.mark.parametrize("strata", [1, 3, 4, 7, 8, 20, 64])
def test_half_samples_are_balanced(strata: int) -> None:
    """Orthogonal columns that sum to nothing: a linear statistic has the textbook variance (McCarthy 1969)."""
    signs = half_samples(strata)
    assert (signs.sum(axis=0) == 0).all()
    assert (signs.T @ signs == len(signs) * np.eye(strata)).all()


def test_half_samples_need_two_units_a_stratum(api: Callable[[str], Responses]) -> None:
    with pytest.raises(InputRefused, match=r"exactly two sampling units in every stratum; 3 of 3 strata"):
        replicate(api("strat_nofpc"), method="brr")


def test_preston_is_the_linearised_variance_of_two_stages(api: Callable[[str], Responses],
                                                          golden: dict[str, Any]) -> None:
    """A total is linear, so its variance is Taylor's with both finite population corrections (Preston 2009, sec. 3)."""
    found = estimated(api("clus2_fpc"), "preston", 20_000)
    exact = number(golden["est"]["clus2_fpc"]["total_enroll_narm"], "se")
    assert found.se("total_enroll") == pytest.approx(exact, rel=band(found.draws["total_enroll"]))
    theirs = golden["replicate"]["preston_mrb_bootstrap_clus2_fpc_2000"]
    for name in ("mean_api00", "total_enroll", "ratio_apistu_enroll"):
        allowed = band(found.draws[name]) * np.sqrt(1 + 10)
        assert found.se(name) == pytest.approx(number(theirs[name], "se"), rel=allowed), name
    assert found.draws["total_enroll"].min() > 0


@pytest.mark.parametrize("design", ["strat_fpc", "clus1_fpc", "srs_fpc"])
def test_preston_corrects_one_stage_for_the_population(design: str, api: Callable[[str], Responses],
                                                       golden: dict[str, Any]) -> None:
    found = estimated(api(design), "preston", 10_000)
    exact = number(golden["est"][design]["total_enroll_narm"], "se")
    assert found.se("total_enroll") == pytest.approx(exact, rel=band(found.draws["total_enroll"]))


def test_a_census_has_no_sampling_error(respond: Respond) -> None:
    """All 40 client units asked: Preston's factors are one, whatever is estimated."""
    responses = respond(pd.DataFrame({"A": np.arange(40.0), "B": 1.0, "enroll": 1.0, "D": 2.0},
                                     [f"{i:02d}" for i in range(40)]), clusters=np.arange(40), fpc=np.full(40, 40.0))
    assert (replicate(responses, 64, method="preston").unit_factors(0) == 1).all()


@pytest.mark.parametrize("design", ["strat_nofpc", "clus1_nofpc"])
def test_the_positive_bootstrap_has_rao_wu_s_variance(design: str, api: Callable[[str], Responses],
                                                      golden: dict[str, Any]) -> None:
    responses = api(design)
    found = estimated(responses, "positive", 10_000)
    exact = number(golden["est"][design]["total_enroll_narm"], "se")
    assert found.se("total_enroll") == pytest.approx(exact, rel=band(found.draws["total_enroll"]))
    assert found.replicates.unit_factors(0).min() >= 0.5
    # how often one statistic is ahead of another is read from draws as wide as the sampling distribution
    assert found.spread("total_enroll").std() == pytest.approx(found.se("total_enroll"), rel=0.1)


def test_the_positive_bootstrap_loses_no_category(respond: Respond) -> None:
    """One cluster of fifteen holds the rare answer: Rao–Wu loses it in (14/15)^14 = 38% of the draws, this never."""
    rng = np.random.default_rng(8)
    n = 600
    cluster = np.arange(n) % 15
    rare = np.where((cluster < 1) & (rng.random(n) < 0.8), "yes", "no")
    responses = respond(pd.DataFrame(rng.integers(1, 11, (n, 4)), [f"{i:03d}" for i in range(n)], ITEMS),
                        clusters=cluster, background={"rare": rare}, rake={"rare": {"yes": 0.1, "no": 0.9}})
    assert estimated(responses, "bootstrap", 640).undefined("mean_api00") > 0.3
    found = estimated(responses, "positive", 640)
    assert found.undefined("mean_api00") == 0
    assert np.isfinite(found.se("mean_api00"))


def test_one_undefined_replicate_ends_a_jackknife(respond: Respond) -> None:
    """The cluster that alone holds a raking category cannot be left out; a bootstrap may miss some, this may not."""
    n = 60
    cluster = np.arange(n) % 6
    rare = np.where(cluster == 0, "yes", "no")
    responses = respond(pd.DataFrame(np.arange(4.0 * n).reshape(n, 4), [f"{i:02d}" for i in range(n)], ITEMS),
                        clusters=cluster, background={"rare": rare}, rake={"rare": {"yes": 0.2, "no": 0.8}})
    found = estimated(responses, "jackknife")
    assert np.isfinite(found.draws["mean_api00"]).sum() == 5
    assert np.isnan(found.se("mean_api00"))


def test_replicates_given_with_the_data(api: Callable[[str], Responses], golden: dict[str, Any]) -> None:
    """R's JK1 weights, delivered as columns, give its standard errors; about the estimate they are a little larger."""
    responses = api("clus1_fpc")
    own = replicate(responses, method="jackknife")
    columns = own.weights(0)[:15].T
    known = golden["replicate"]["jk1_clus1_fpc"]
    for about in ("mean", "estimate"):
        given = GivenReplicates(columns, np.full(15, known["scale"]), about, 14)
        told = replace(responses, design=replace(responses.design, given=given, clusters=None))
        found = estimated(told, "given")
        known_se = number(known["total_enroll"], "se")
        assert found.se("total_enroll") == pytest.approx(known_se, rel=1e-12), about          # linear: the mean is it
        assert (found.se("ratio_apistu_enroll") > number(known["ratio_apistu_enroll"], "se") * (1 + 1e-9)) == (
            about == "estimate")
        assert found.df == 14


def test_lonely_strata_by_their_rule(shared: Path, respond: Respond, golden: dict[str, Any]) -> None:
    """One school alone in stratum H: certainty is R's `certainty`, collapse puts it with the next stratum, M."""
    frame = pd.read_csv(shared / "data" / "survey" / "api_lonely_psu.csv")
    responses = respond(frame[ITEMS].set_axis(frame["snum"].astype(str)), weights=frame["pw"], strata=frame["stype"])

    def under(rule: str) -> Responses:
        return replace(responses, design=replace(responses.design, lonely_psu=rule))

    known = golden["lonely_psu"]["certainty"]
    found = estimated(under("certainty"), "jackknife")
    assert found.se("total_enroll") == pytest.approx(known["total_enroll"]["se"], rel=1e-10)
    assert found.df == 31 - 3
    bootstrap = estimated(under("certainty"), "bootstrap", 10_000)
    assert bootstrap.se("total_enroll") == pytest.approx(known["total_enroll"]["se"],
                                                         rel=band(bootstrap.draws["total_enroll"]))
    joined = estimated(under("collapse"), "jackknife")
    by_hand = replace(responses, design=replace(responses.design, strata=np.where(
        responses.design.strata == "H", "M", responses.design.strata)))
    assert joined.se("total_enroll") == pytest.approx(estimated(by_hand, "jackknife").se("total_enroll"), rel=1e-12)
    assert joined.df == 31 - 2
    for rule in ("refuse", "average"):
        with pytest.raises(InputRefused, match="single sampling unit"):
            replicate(under(rule))


@pytest.mark.parametrize(("sizes", "groups"), [
    ((1, 3, 3), [0, 0, 1]), ((3, 1, 3), [0, 1, 1]), ((3, 3, 1), [0, 1, 1]), ((1, 1, 1), [0, 0, 0]),
    ((1, 1, 3), [0, 0, 1]), ((3, 1, 1, 3), [0, 1, 1, 2]), ((2, 1), [0, 0]), ((2, 2), [0, 1])])
def test_a_lonely_stratum_joins_its_neighbour(sizes: tuple[int, ...], groups: list[int]) -> None:
    strata = np.repeat([f"s{h}" for h in range(len(sizes))], sizes)
    design = Design(np.arange(len(strata)).astype(str), np.ones(len(strata)), strata, fpc=np.full(len(strata), 10.0))
    joined = design.collapsed()
    assert joined.lonely() == []
    assert joined.units == design.units
    expected = np.repeat(groups, sizes)
    assert (np.unique(joined.strata.astype(str), return_inverse=True)[1] == expected).all()
    counts = [10.0 * groups.count(g) for g in expected]
    assert joined.fpc.tolist() == counts


def test_factors_are_one_on_average(api: Callable[[str], Responses]) -> None:
    """Every bootstrap is unbiased: mean factor 1 in each unit, within its 99.9% band over 2,048 draws."""
    for name, method in (("strat_fpc", "preston"), ("clus2_fpc", "preston"), ("strat_nofpc", "positive")):
        replicates = replicate(api(name), method=method)
        factors = np.vstack([replicates.unit_factors(k) for k in range(2048 // CHUNK)])
        spread = factors.std(axis=0) / np.sqrt(len(factors))
        level = stats.norm.ppf(1 - 0.0005 / factors.shape[1])
        assert (np.abs(factors.mean(axis=0) - 1) <= level * spread + 1e-12).all(), name


# ---------------------------------------------------------------- any function of the data


def parts(rows: np.ndarray) -> np.ndarray:
    """The three parts of the reference's composite index: two scores on 200–1000, a share turned round."""
    return np.column_stack([(rows[:, 0] - 200) / 8, (rows[:, 1] - 200) / 8, 100 - rows[:, 2]])


def fixed_index(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
    return {"index": weights @ parts(rows) @ np.array([0.5, 0.3, 0.2]) / weights.sum(axis=1)}


def estimated_index(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
    """Index weights are standardised regression coefficients on ``col.grad``, estimated under each weighting anew."""
    x, y = parts(rows), rows[:, 3]
    out = []
    for w in weights:
        mean = w @ x / w.sum()
        spread = np.sqrt(w @ (x - mean) ** 2 / w.sum())
        design = np.column_stack([np.ones(len(x)), x])
        b = np.abs(np.linalg.solve(design.T * w @ design, design.T @ (w * y))[1:] * spread)
        out.append(b / b.sum() @ mean)
    return {"index": np.array(out)}


@pytest.mark.parametrize("design", ["strat", "clus1"])
def test_any_function_has_its_standard_error(design: str, shared: Path, respond: Respond) -> None:
    """index_golden.json (05_index_golden.R): estimate and JK SE of a fixed and a re-estimated index, four numbers each.

    Re-estimated weights add to the error: 2.69 against 1.89 with weights held fixed in the stratified sample.
    """
    frame = pd.read_csv(shared / "data" / "survey" / f"api{design}.csv")
    known = json.loads((shared / "reference" / "survey" / "index_golden.json").read_text(encoding="utf-8"))["index"]
    how = {"strata": frame["stype"]} if design == "strat" else {"clusters": frame["dnum"]}
    items = ["api00", "api99", "meals", "col.grad"]
    responses = respond(frame[items].set_axis(frame["snum"].astype(str)), weights=frame["pw"],
                        fpc=frame["fpc"].to_numpy(float), **how)
    replicates = replicate(responses, method="jackknife")
    plain = infer_rows(fixed_index, responses, replicates, items)
    again = infer_rows(estimated_index, responses, replicates, items)
    for found, reference in ((plain, known[design]["jackknife"]),
                             (again, known[design]["estimated_weights"]["replicate_reestimated"])):
        assert found.estimate["index"] == pytest.approx(reference["est"], rel=1e-10)
        assert found.se("index") == pytest.approx(reference["se"], rel=1e-8)
    assert again.se("index") > known[design]["estimated_weights"]["fixed_w"]["se"]
