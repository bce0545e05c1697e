"""Raking, trimming and their replay in every replicate, against the survey package and closed forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tcslib.errors import InputRefused, NotEstimable
from tcslib.inference.infer import Arrays, infer, infer_rows
from tcslib.inference.moments import Moments
from tcslib.inference.replicates import Replicates, replicate
from tcslib.survey.responses import Responses
from tcslib.weighting.calibration import rake_cells
from tcslib.weighting.weights import kish, weigh

Respond = Callable[..., Responses]
Expected = Callable[[str, str], Any]
SCHOOLS = {"stype": {"E": 4421, "H": 755, "M": 1018}, "sch.wide": {"No": 1072, "Yes": 5122}}


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    """R survey 4.1-1."""
    return json.loads((shared / "reference" / "survey" / "survey_golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schools(shared: Path, respond: Respond) -> Responses:
    """183 schools in 15 districts, raked to type of school and whether it met its target."""
    api = pd.read_csv(shared / "data" / "survey" / "apiclus1.csv")
    return respond(api[["api00", "enroll"]].set_axis(api["snum"].astype(str)), weights=api["pw"], clusters=api["dnum"],
                   background={name: api[name] for name in SCHOOLS}, rake=SCHOOLS)


def test_raked_weights_are_those_of_the_survey_package(schools: Responses, golden: dict[str, Any]) -> None:
    known = golden["calibration"]["rake_stype_schwide"]          # epsilon 1e-12
    weights = pd.Series(weigh(schools).weights, schools.design.ids)
    # its margins sum to 6,194, the base weights that ours keep to 6,194.0003: 5e-8
    assert weights[[str(key) for key in known["key"]]].to_numpy() == pytest.approx(
        np.array(known["w"]["weights"]), rel=1e-7)
    scaled = weights * 6194 / weights.sum()
    assert scaled[[str(key) for key in known["key"]]].to_numpy() == pytest.approx(
        np.array(known["w"]["weights"]), rel=1e-9)
    mean = np.average(schools.answers["api00"], weights=weights)
    assert mean == pytest.approx(known["mean_api00"]["est"]["api00"], rel=1e-9)
    for name, targets in SCHOOLS.items():
        shares = weights.groupby(schools.background[name].to_numpy()).sum() / weights.sum()
        assert shares.to_dict() == pytest.approx({k: v / 6194 for k, v in targets.items()}, rel=1e-9)


def test_a_two_by_two_table(expected: Expected) -> None:
    """Deming & Stephan (1940): margins met, odds ratio kept."""
    case = expected("weighting", "weighting_raking")
    table = np.array(case["inputs"]["table"])
    rows, columns = np.repeat([[1.0, 0], [0, 1]], 2, axis=0), np.tile([[1.0, 0], [0, 1]], (2, 1))
    shares = [np.array(case["inputs"][key]) / 100 for key in ("row_targets", "col_targets")]
    factors = rake_cells(table.reshape(1, 4), [rows, columns], shares, 100)[0]
    known = case["expected"]
    assert factors == pytest.approx(np.ravel(known["cell_weights"]), abs=1e-9)
    fitted = factors * table.ravel()
    assert fitted == pytest.approx(np.ravel(known["fitted"]), abs=1e-8)
    assert fitted[0] * fitted[3] / (fitted[1] * fitted[2]) == pytest.approx(known["odds_ratio"], abs=1e-9)
    deff, n_eff = kish(np.repeat(factors, table.ravel().astype(int)))
    assert deff == pytest.approx(known["kish_deff"], abs=1e-9)
    assert n_eff == pytest.approx(known["n_eff"], abs=1e-7)


def test_kish() -> None:
    assert kish(np.array([1, 1, 2, 2, 4])) == pytest.approx((5 * 26 / 100, 100 / 26))          # Kish (1965), by hand
    assert kish(np.array([3.0, 3, 3, 0])) == pytest.approx((1, 3))          # a weight of zero is no respondent


# ---------------------------------------------------------------- refusals


def small(respond: Respond, sexes: list[str], **options: Any) -> Responses:
    answers = pd.DataFrame({"A": np.arange(1.0, len(sexes) + 1)}, [f"{i:03d}" for i in range(len(sexes))])
    return respond(answers, background={"sex": sexes}, **options)


@pytest.mark.parametrize(("sexes", "targets", "said"), [
    (["f", "m", "f", "m"], {"f": 0.5, "m": 0.4, "x": 0.1}, '"x" has a target but no respondents'),
    (["f", "m", "f", "x"], {"f": 0.5, "m": 0.5}, r'sex is "x", which has no target, for 1 respondent'),
    (["f", "m", "", ""], {"f": 0.5, "m": 0.5}, "sex is empty for 2 respondents")])
def test_margins_that_cannot_be_met_are_refused_by_name(sexes: list[str], targets: dict[str, float], said: str,
                                                        respond: Respond) -> None:
    responses = small(respond, sexes, rake={"sex": targets})
    for use in (weigh, replicate):
        with pytest.raises(InputRefused, match=said) as refused:
            use(responses)
        assert "weighting.rake.sex" in refused.value.where


def test_a_category_of_weight_zero_is_refused_by_name(respond: Respond) -> None:
    responses = small(respond, ["f", "m", "f", "m"], weights=[1, 0, 1, 0], rake={"sex": {"f": 0.5, "m": 0.5}})
    with pytest.raises(InputRefused, match='"m" has a target and its respondents have the weight 0'):
        weigh(responses)


def test_contradicting_margins_are_no_estimate(respond: Respond) -> None:
    """Two columns that say the same cannot have different margins."""
    answers = pd.DataFrame({"A": np.arange(1.0, 9)}, [f"{i}" for i in range(8)])
    sexes = ["f", "m"] * 4
    responses = respond(answers, background={"sex": sexes, "again": sexes},
                        rake={"sex": {"f": 0.5, "m": 0.5}, "again": {"f": 0.6, "m": 0.4}})
    for use in (weigh, replicate):
        with pytest.raises(NotEstimable, match="cannot be met together"):
            use(responses)


# ---------------------------------------------------------------- trimming


def test_trimming_keeps_the_cap_and_the_margins(respond: Respond) -> None:
    rng = np.random.default_rng(4)
    sexes = rng.choice(["f", "m"], 300, p=[0.7, 0.3])
    targets = {"f": 0.5, "m": 0.5}
    base = rng.lognormal(0, 1.0, 300)
    raked = weigh(small(respond, sexes.tolist(), weights=base, rake={"sex": targets}))
    both = weigh(small(respond, sexes.tolist(), weights=base, rake={"sex": targets}, trim=3.0))
    cap = 3 * both.weights.mean()
    assert raked.weights.max() > 1.5 * cap          # there is something to cut
    assert both.weights.max() <= cap * (1 + 1e-6)
    assert both.weights.sum() == pytest.approx(base.sum(), rel=1e-9)
    shares = pd.Series(both.weights).groupby(sexes).sum() / both.weights.sum()
    assert shares.to_dict() == pytest.approx(targets, abs=1e-6)
    # below the cap, weights of a sex keep their ratios to the base weights
    free = both.weights < cap * (1 - 1e-3)
    for sex in targets:
        ratio = (both.weights / base)[free & (sexes == sex)]
        assert ratio == pytest.approx(ratio[0], rel=1e-9)
    assert both.table()["step"].tolist() == ["base", "raked", "trimmed"]
    assert both.table()["deff"].iloc[-1] < both.table()["deff"].iloc[-2]


def test_trimming_alone_by_hand(respond: Respond) -> None:
    """Weights 1, 1, 1, 9, mean 3, cap 4.5: the 4.5 cut off go to the others, which share 7.5."""
    found = weigh(small(respond, ["f"] * 4, weights=[1, 1, 1, 9], trim=1.5))
    assert found.weights == pytest.approx([2.5, 2.5, 2.5, 4.5], rel=1e-7)


def test_a_cap_that_contradicts_the_margins_is_no_estimate(respond: Respond) -> None:
    """One woman in ten must stand for half: she needs five times the mean weight, the cap allows two."""
    responses = small(respond, ["f", *["m"] * 9], rake={"sex": {"f": 0.5, "m": 0.5}}, trim=2.0)
    for use in (weigh, replicate):
        with pytest.raises(NotEstimable, match="cannot be met together"):
            use(responses)


# ---------------------------------------------------------------- replay

B = 2000
# the SD of B draws, kurtosis 3, has a relative standard error of 1 / sqrt(2B); 99.9% band
BAND = stats.norm.ppf(0.9995) / np.sqrt(2 * B)


def mean_of(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
    return {"mean": moments.mean}


def as_if_fixed(responses: Responses, respond: Respond) -> Responses:
    """The raked weights delivered as if they were base weights."""
    return respond(responses.answers, weights=weigh(responses).weights, clusters=responses.design.clusters)


def test_replaying_removes_the_variance_the_margin_explains(respond: Respond) -> None:
    """A mean raked to the one margin that explains it is post-stratified.

    Its variance is that within the categories (Cochran 1977, eq. 5A.42); with the weights treated as fixed it seems to
    be that of a plain mean. Tolerance: the 99.9% Monte Carlo band of the SE, and 1 part in n for the factor 1 - 1/n.
    """
    n = 400
    rng = np.random.default_rng(11)
    plan = np.repeat(["a", "b"], n // 2)
    y = np.where(plan == "a", 3.0, 8.0) + rng.normal(0, 1, n)
    answers = pd.DataFrame({"A": y}, [f"{i:04d}" for i in range(n)])
    responses = respond(answers, background={"plan": plan}, rake={"plan": {"a": 0.5, "b": 0.5}})
    replayed = infer(mean_of, responses, replicate(responses, B), ["A"])
    fixed = as_if_fixed(responses, respond)
    ignored = infer(mean_of, fixed, replicate(fixed, B), ["A"])
    within = np.sqrt(np.mean([y[plan == p].var() for p in "ab"]) / n)
    assert replayed.se("mean")[0] == pytest.approx(within, rel=BAND + 2 / n)
    assert ignored.se("mean")[0] == pytest.approx(y.std() / np.sqrt(n), rel=BAND + 1 / n)
    assert replayed.se("mean")[0] < 0.5 * ignored.se("mean")[0]          # .050 against .135
    assert replayed.interval == "t"


def test_replayed_raking_meets_the_linearised_variance(schools: Responses, golden: dict[str, Any],
                                                       respond: Respond) -> None:
    """The total of enrolment: R survey 4.1-1 linearises raking to 400,603, against 1,000,326 when weights are fixed.

    R's numbers carry the first-stage correction 1 - 15/757. With 15 districts the bootstrap agrees to the first order;
    allowed are 6% beyond the Monte Carlo band.
    """
    calibrated, fixed_known = (golden["calibration"]["rake_stype_schwide"], golden["replicate"]["jk1_calibrated_raked"])
    fpc = np.sqrt(1 - 15 / 757)

    def total(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
        return {"total": weights @ rows[:, 0]}

    replayed = infer_rows(total, schools, replicate(schools, B), ["enroll"])
    fixed = as_if_fixed(schools, respond)
    ignored = infer_rows(total, fixed, replicate(fixed, B), ["enroll"])
    assert replayed.estimate["total"] == pytest.approx(calibrated["total_enroll"]["est"]["enroll"], rel=1e-7)
    assert ignored.estimate["total"] == pytest.approx(replayed.estimate["total"], rel=1e-12)
    assert replayed.se("total") == pytest.approx(calibrated["total_enroll"]["se"]["enroll"] / fpc, rel=BAND + 0.06)
    assert ignored.se("total") == pytest.approx(fixed_known["total_enroll"]["se"]["enroll"] / fpc, rel=BAND + 0.06)
    assert replayed.se("total") < 0.55 * ignored.se("total")


def test_every_replicate_meets_the_margins(schools: Responses) -> None:
    replicates = replicate(schools, 128)
    weights = np.vstack([replicates.weights(chunk) for chunk in replicates.chunks()])
    weights = weights[np.isfinite(weights).all(axis=1)]
    assert len(weights) > 100
    for name, targets in SCHOOLS.items():
        for category, share in targets.items():
            got = weights @ (schools.background[name].to_numpy() == category) / weights.sum(axis=1)
            assert got == pytest.approx(share / 6194, rel=1e-8)


def test_replicates_are_raked_by_the_same_steps(schools: Responses, given: Callable[..., Replicates],
                                                respond: Respond) -> None:
    """Leaving one district out: the replicate's weights are those of raking the 14 others with base weights raised."""
    unit = schools.design.unit
    factors = np.where(np.eye(15, dtype=bool), 0.0, 15 / 14)
    replicates = given(schools, factors)
    for left_out in (0, 7, 14):
        kept = unit != left_out
        others = respond(schools.answers[kept], weights=schools.design.weights[kept] * 15 / 14,
                         background={name: schools.background[name][kept] for name in SCHOOLS}, rake=SCHOOLS)
        known = weigh(others).weights / others.design.weights.sum() * schools.design.weights.sum()
        got = replicates.weights(0)[left_out]
        assert (got[~kept] == 0).all()
        assert got[kept] == pytest.approx(known, rel=1e-8)


def test_trimming_is_replayed(respond: Respond) -> None:
    """No replicate weight of a row drawn once or not at all exceeds the cap of its replicate."""
    rng = np.random.default_rng(4)
    sexes = rng.choice(["f", "m"], 200, p=[0.7, 0.3]).tolist()
    responses = small(respond, sexes, weights=rng.lognormal(0, 0.8, 200), rake={"sex": {"f": 0.5, "m": 0.5}}, trim=3.0)
    replicates = replicate(responses, 64)
    drawn = replicates.unit_factors(0)[:, responses.design.unit]
    weights = replicates.weights(0)
    sound = np.isfinite(weights).all(axis=1)
    assert sound.mean() > 0.9
    weights, drawn = weights[sound], drawn[sound]
    one = np.where(drawn > 0, weights / np.where(drawn > 0, drawn, 1), 0)          # of each time a row was drawn
    mean = weights.sum(axis=1) / drawn.sum(axis=1)
    assert (one.max(axis=1) <= 3 * mean * (1 + 1e-6)).all()
    assert (one.max(axis=1) > 2.9 * mean).all()          # and it bites
