"""What became of those drawn: AAPOR's rates, logs of contacts, quotas, early and late respondents, the frame check."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from quick import run_here
from scipy import stats

from tcslib.errors import InputRefused
from tcslib.fieldwork.contacts import cases, interview_days, quotas, shown_by
from tcslib.fieldwork.reading import read
from tcslib.report.context import Context
from tcslib.report.page.sections import shown_cells
from tcslib.report.records import MIME, Table
from tcslib.report.views import field as views
from tcslib.run.manifest import inputs
from tcslib.sampling.outcome import RATES, outcome, participation, response
from tcslib.sampling.progress import early_late, frame_check, item_scores, per_period, quota_progress
from tcslib.study.dispositions import DISPOSITIONS, disposition_of
from tcslib.study.load import load

Expected = Callable[[str, str], Any]
MakeStudy = Callable[..., Path]
ITEMS = ["IMAG1", "IMAG2", "IMAG3", "CUEX1", "CUEX2", "CUEX3", "PERQ1", "PERQ2", "PERQ3", "PERV1", "PERV2",
         "CUSA1", "CUSA2", "CUSA3", "CUSL1", "CUSL2", "CUSL3"]
PLAIN: dict[str, Any] = {"design": None, "compare": None, "report": None}


def answers(n: int, more: dict[str, list[str]] | None = None, interviews: int | None = None) -> str:
    """A file of n cases as CSV, of whom the first ``interviews`` answered."""
    rng = np.random.default_rng(7)
    rated = rng.normal(7, 1.5, (n, 1)) + rng.normal(0, 1, (n, len(ITEMS)))
    frame = pd.DataFrame(np.rint(rated).clip(1, 10).astype(int), columns=ITEMS).astype(str)
    frame.iloc[n if interviews is None else interviews:] = ""
    frame.insert(0, "id", [f"R{k:03d}" for k in range(n)])
    return frame.assign(**(more or {})).to_csv(index=False)


def put(study: Path, name: str, text: str) -> str:
    """A second file beside the data; its name from the root."""
    folder = study.parents[2] / "data" / "raw" / "acme"
    (folder / name).write_text(text, encoding="utf-8")
    return f"data/raw/acme/{name}"


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(InputRefused) as told:
        call()
    assert len(told.value.lines) == 1 and "\n" not in told.value.lines[0]
    return told.value.lines[0]


# -- rates -----------------------------------------------------------------------------------------------------------

def test_rates_of_the_r_package(expected: Expected) -> None:
    """All sixteen, e by proportional allocation: outcomerate 1.0.1 on 1,691 cases (1447 + 71 known, 173 unknown)."""
    case = expected("fieldwork", "outcomerate")["middleearth"]
    found = outcome(case["counts"])
    assert found.e == pytest.approx(1447 / 1518, rel=1e-12) and found.e_from == "known_cases"
    assert found.rates == pytest.approx(case["rates"], abs=5e-9)


def test_response_rates_with_e_stated() -> None:
    """I 300, P 50, R 200, NC 400, O 50, U 500, e .6: over 1,500, over 1,000 + .6 · 500, over 1,000."""
    counts = {"complete": 300, "partial": 50, "refusal": 200, "non_contact": 400, "other": 50}
    for unknown in ({"unknown_household": 500}, {"unknown_household": 180, "unknown_other": 320}):
        found = outcome(counts | unknown, 0.6)
        assert [round(found.rates[f"rr{k}"], 4) for k in range(1, 7)] == [0.2, 0.2333, 0.2308, 0.2692, 0.3, 0.35]
        assert found.e_from == "stated"


def test_every_rate_by_hand() -> None:
    """Standard Definitions, 9th edition, "Response rates" to "Contact rates", each division written out.

    I 320, P 30, R 150, NC 200, O 50: 750 eligible; UH 120, UO 80, NE 250, so e = 750 / 1000.
    """
    found = outcome({"complete": 320, "partial": 30, "refusal": 150, "non_contact": 200, "other": 50,
                     "unknown_household": 120, "unknown_other": 80, "not_eligible": 250})
    assert (found.drawn, found.interviews, found.eligible, found.unknown, found.e) == (1200, 350, 750, 200, 0.75)
    assert found.rates == pytest.approx({
        "rr1": 320 / 950, "rr2": 350 / 950, "rr3": 320 / 900, "rr4": 350 / 900, "rr5": 320 / 750, "rr6": 350 / 750,
        "coop1": 320 / 550, "coop2": 350 / 550, "coop3": 320 / 500, "coop4": 350 / 500,
        "ref1": 150 / 950, "ref2": 150 / 900, "ref3": 150 / 750,
        "con1": 550 / 950, "con2": 550 / 900, "con3": 550 / 750}, rel=1e-14)
    table = found.table()
    assert table["rate"].tolist() == list(RATES)
    assert table["estimate"].tolist() == pytest.approx(table["numerator"] / table["denominator"])


def test_weighted_rates_of_the_r_package(expected: Expected) -> None:
    case = expected("fieldwork", "outcomerate")["weighted"]
    frame = pd.DataFrame({"outcome": [disposition_of(d) for d in case["dispositions"]], "count": 1.0,
                          "weight": case["weights"]})
    found = response(frame)
    assert found is not None and found.weighted is not None
    assert (round(found.rates["rr2"], 2), round(found.rates["con1"], 2)) == (case["rr2"], case["con1"])
    weighted = found.weighted.rates
    assert (round(weighted["rr2"], 2), round(weighted["con1"], 2)) == (case["rr2w"], case["con1w"])
    assert response(frame.assign(weight=np.nan)).weighted is None          # type: ignore[union-attr]
    assert response(frame.iloc[:0]) is None


def test_what_e_rests_on() -> None:
    assert outcome({"complete": 5, "refusal": 5}).e_from == "no_unknown"
    assert len({round(outcome({"complete": 5, "refusal": 5}).rates[r], 12) for r in ("rr1", "rr3", "rr5")}) == 1
    # nobody recorded as not eligible: all of the unknown count, RR3 is RR1
    found = outcome({"complete": 5, "refusal": 5, "unknown_other": 10})
    assert found.e == 1 and found.rates["rr3"] == found.rates["rr1"] == 0.25
    assert np.isnan(outcome({"not_eligible": 3}).rates["rr1"])


def test_counts_that_cannot_be() -> None:
    assert "refusal: -1 cases" in refused(lambda: outcome({"complete": 3, "refusal": -1}))
    assert "e is 1.2" in refused(lambda: outcome({"complete": 3}, 1.2))
    assert "every outcome has 0 cases" in refused(lambda: outcome({"complete": 0}))
    assert '"done" is no disposition' in refused(lambda: outcome({"done": 3}))
    assert "State fieldwork.outcome.e" in refused(lambda: outcome({"unknown_other": 3}))
    assert participation(829, 8290) == pytest.approx(0.1)
    assert "30 interviews of 20 invitations" in refused(lambda: participation(30, 20))


@pytest.mark.parametrize(("said", "name"), [
    ("1.1", "complete"), ("1.10", "complete"), ("1.2", "partial"), ("2.10", "refusal"), ("2.112", "refusal"),
    ("2.12", "refusal"), ("2.21", "non_contact"), ("2.36", "other"), ("2.9", "other"), ("3.11", "unknown_household"),
    ("3.2", "unknown_other"), ("3.90", "unknown_other"), ("4.10", "not_eligible"), ("4.7", "not_eligible"),
    ("Break-off", "refusal"), ("no answer", "non_contact"), (" Complete ", "complete"), ("NC", "non_contact"),
    ("拒访", "refusal"), ("完成", "complete"), ("2", ""), ("1", ""), ("9", ""), ("2.0", ""), ("", ""), ("5.1", "")])
def test_codes_and_words(said: str, name: str) -> None:
    """AAPOR's numeric codes by their hierarchy; a bare 1 or 2 may be anybody's and means nothing unless mapped."""
    assert disposition_of(said) == name


def test_own_codes_go_first() -> None:
    codes = {"1": "complete", "2": "2.1", "R": "not_eligible"}
    assert [disposition_of(c, codes) for c in ("1", "2", "R", "2.2")] == ["complete", "refusal", "not_eligible",
                                                                          "non_contact"]
    assert set(DISPOSITIONS) == {disposition_of(letter) for _, letter in DISPOSITIONS.values()}


# -- where outcomes come from ------------------------------------------------------------------------------------------

def test_counts_in_the_study(make_study: MakeStudy) -> None:
    outcomes = {"counts": {"complete": 38, "7": 2, "2.1": 30, "unknown": 10, "4.1": 20}, "codes": {"7": "partial"}}
    study = load(make_study(answers(40), PLAIN | {"fieldwork": {"outcome": outcomes}}))
    found = cases(read(study), study)
    assert found.records == 40
    assert response(found.outcomes).counts == {                            # type: ignore[union-attr]
        **dict.fromkeys(DISPOSITIONS, 0.0), "complete": 38, "partial": 2, "refusal": 30, "unknown_other": 10,
        "not_eligible": 20}


@pytest.mark.parametrize(("field", "line"), [
    ({"outcome": {"counts": {"complete": -3}}}, "fieldwork.outcome.counts.complete: \"-3\": a number of 0 or more"),
    ({"outcome": {"counts": {"complete": 0, "refusal": 0}}}, "fieldwork.outcome: counts: all of them are 0"),
    ({"outcome": {"counts": {"complete": 40}, "e": 1.4}}, "fieldwork.outcome.e: \"1.4\": a number of 1 or less"),
    ({"outcome": {"counts": {"complete": 40, "gone": 3}}}, "counts: \"gone\" is no outcome known"),
    ({"outcome": {"counts": {"complete": 40}, "codes": {"9": "away"}}}, "codes: \"away\" is no outcome known"),
    ({"outcome": {"counts": {"complete": 40}, "column": "status"}}, "both tell the outcomes. Keep one"),
    ({"outcome": {"counts": {"complete": 40}, "by": "region"}}, "outcome.by needs outcomes case by case"),
    ({"frame": "region"}, "frame needs non-respondents"), ({"outcome": {"e": 0.5}}, "outcome.e belongs to outcomes"),
    ({"contacts": {"file": "data/raw/acme/no.csv", "id": "id", "outcome": "o"}}, 'there is no "data/raw/acme/no.csv"'),
    ({"outcome": {"counts": {"complete": 30, "refusal": 9}}}, "tells of 30 interviews, complete and partial, and "
                                                              "data/raw/acme/answers.csv holds 40 respondents"),
    ({"outcome": {"column": "status"}}, 'column "status" (fieldwork.outcome.column) is missing'),
    ({"quota": {"region": {"West": 3}}}, 'column "region" (fieldwork.quota.region) is missing'),
    ({"invited": 12}, "12 invitations for 40 interviews")])
def test_what_cannot_be_is_refused_in_one_line(make_study: MakeStudy, field: dict[str, Any], line: str) -> None:
    def run() -> None:
        study = load(make_study(answers(40), PLAIN | {"fieldwork": field}))
        cases(read(study), study)

    assert line in refused(run)


def test_counts_must_add_up_to_the_sample_drawn(make_study: MakeStudy) -> None:
    study = load(make_study(answers(40), PLAIN | {"plan": {"drawn": 100}, "fieldwork": {
        "outcome": {"counts": {"complete": 40, "refusal": 59}}}}))
    assert "add up to 99 cases, and plan.drawn says 100" in refused(lambda: cases(read(study), study))


def sample() -> dict[str, list[str]]:
    """50 cases: 40 interviews in two regions, 6 refusals and 4 not reached in one of them."""
    return {"status": ["1"] * 40 + ["2"] * 6 + ["2.2"] * 4, "region": ["North"] * 25 + ["South"] * 25,
            "weight": ["2"] * 25 + ["1"] * 25, "age": [str(20 + k) for k in range(50)],
            "day": ["2026-07-06"] * 20 + ["2026-08-03"] * 20 + [""] * 10}


def test_outcomes_in_a_column_of_the_data(make_study: MakeStudy) -> None:
    """North 25 of 25, South 15 of 25; weights 2 and 1 give (50 + 15) / (50 + 25)."""
    params = PLAIN | {"design": {"weights": "weight", "strata": "", "clusters": ""}, "fieldwork": {
        "frame": ["region", "age"], "date": "day", "outcome": {
            "column": "status", "codes": {"1": "complete", "2": "refusal"}, "by": "region"}}}
    study = load(make_study(answers(50, sample(), 40), params))
    raw = read(study)
    found = cases(raw, study)
    rates = response(found.outcomes, by=shown_by(found, study))
    assert rates is not None and rates.weighted is not None
    assert rates.rates["rr1"] == pytest.approx(0.8) and rates.weighted.rates["rr1"] == pytest.approx(65 / 75)
    assert {name: each.rates["rr1"] for name, each in rates.groups["region"].items()} == {"North": 1.0, "South": 0.6}
    assert found.responded.sum() == found.records == 40 and list(found.frame) == ["region", "age"]
    assert found.weights.sum() == 75 and interview_days(raw, study).nunique() == 2
    shown = views.response(Context(study), rates, found)
    assert [s.name for s in shown.shown if isinstance(s, Table)] == ["outcomes", "rates", "response_by_region"]
    assert shown.numbers["response"]["weighted"]["rr1"] == pytest.approx(65 / 75)


def test_an_unknown_code_is_refused_with_its_count(make_study: MakeStudy) -> None:
    study = load(make_study(answers(50, sample(), 40), PLAIN | {"fieldwork": {"outcome": {"column": "status"}}}))
    told = refused(lambda: cases(read(study), study))
    assert 'column "status": holds outcomes that are not known: "1" 40 times, "2" 6 times' in told
    more = sample() | {"status": ["complete"] * 40 + [""] * 10}
    study = load(make_study(answers(50, more, 40), PLAIN | {"fieldwork": {"outcome": {"column": "status"}}}))
    assert "10 empty cells" in refused(lambda: cases(read(study), study))


LOG = """case,day,result,how,area
R000,2026-07-01,no answer,phone,North
R000,2026-07-04,complete,web,North
R000,2026-07-05,no answer,phone,North
R001,2026-07-01,complete,phone,South
X1,2026-07-02,refusal,phone,North
X1,2026-07-09,no answer,phone,North
X2,2026-07-08,refusal,phone,South
X2,2026-07-03,language barrier,phone,South
X3,2026-07-01,not attempted,phone,South
X3,2026-07-02,unknown,phone,South
X4,2026-07-01,refusal,phone,South
X4,2026-07-02,4.3,phone,South
"""


def with_log(make_study: MakeStudy, log: str = LOG, **more: Any) -> Path:
    path = make_study(answers(2), PLAIN)
    file = put(path, "log.csv", log)
    return make_study(answers(2), PLAIN | {"fieldwork": {
        "contacts": {"file": file, "id": "case", "outcome": "result", "date": "day", "mode": "how"}, **more}})


def test_a_log_of_contacts(make_study: MakeStudy) -> None:
    """An interview stays one, of contacts the last by its day counts, and a refusal outlives later silence."""
    study = load(with_log(make_study, outcome={"by": "area"}))
    found = cases(read(study), study)
    assert found.outcomes["outcome"].to_dict() == {"R000": "complete", "R001": "complete", "X1": "refusal",
                                                   "X2": "refusal", "X3": "unknown_other", "X4": "not_eligible"}
    assert found.attempts.to_dict() == {"R000": 3, "R001": 1, "X1": 2, "X2": 2, "X3": 2, "X4": 2}
    assert found.modes.to_dict("records") == [{"mode": "phone", "attempts": 11, "interviews": 1},
                                              {"mode": "web", "attempts": 1, "interviews": 1}]
    rates = response(found.outcomes, by=shown_by(found, study))
    assert rates is not None and rates.rates["rr3"] == pytest.approx(2 / (4 + 0.8))          # e = 4 / 5
    assert rates.groups["area"]["North"].counts["complete"] == 1
    # the log decides what a run shows, so it is among what the run is made of
    assert list(inputs(study, [])["data"]) == ["data/raw/acme/answers.csv", "data/raw/acme/log.csv"]


def test_a_log_that_cannot_be_right(make_study: MakeStudy) -> None:
    for log, line in ((LOG.replace("R001", "R009"), 'log.csv: lacks 1 of the 2 respondents ("R001")'),
                      (LOG.replace("X3,2026-07-01,not attempted", "X3,2026-07-01,gone"), '"gone" 1 times'),
                      (LOG.replace("2026-07-09", "9/7/26"), 'column "day": 1 cells are no day ("9/7/26")'),
                      (LOG.replace("X4,2026-07-02", ",2026-07-02"), 'column "case" is empty in 1 rows'),
                      (LOG.replace("how", "via"), 'column "how" (fieldwork.contacts.mode) is missing')):
        study = load(with_log(make_study, log))
        assert line in refused(lambda study=study: cases(read(study), study))


def test_a_list_of_those_drawn(make_study: MakeStudy) -> None:
    """Who is on no list was not drawn; who is on the list and in no log was not tried."""
    path = make_study(answers(2), PLAIN)
    drawn = put(path, "drawn.csv", "case,area\nR000,North\nR001,South\nX1,North\nX9,South\n")
    study = load(with_log(make_study, drawn={"file": drawn, "id": "case"}, frame=["area"]))
    found = cases(read(study), study)
    assert found.outcomes["outcome"].to_dict() == {"R000": "complete", "R001": "complete", "X1": "refusal",
                                                   "X9": "unknown_household"}
    assert found.responded.tolist() == [True, True, False, False]
    study = load(make_study(answers(3), PLAIN | {"fieldwork": {"drawn": {"file": drawn, "id": "case"},
                                                               "frame": "area"}}))
    assert 'lacks 1 of the 3 respondents ("R002")' in refused(lambda: cases(read(study), study))
    study = load(make_study(answers(2), PLAIN | {"fieldwork": {"drawn": {"file": drawn, "id": "case"},
                                                               "frame": "area"}}))
    found = cases(read(study), study)
    assert response(found.outcomes) is None and found.responded.sum() == 2 and len(found.frame) == 4


# -- progress ----------------------------------------------------------------------------------------------------------

def test_quotas(make_study: MakeStudy) -> None:
    found = quota_progress({"region": np.array(["W"] * 5 + ["N"] * 2 + ["E"])}, {"region": {"W": 4, "N": 6, "S": 0}})
    assert found.drop(columns="share").to_numpy().tolist() == [
        ["region", "W", 4, 5, 0, 1], ["region", "N", 6, 2, 4, 0], ["region", "S", 0, 0, 0, 0],
        ["region", "E", 0, 1, 0, 1]]
    assert found["share"].tolist()[:2] == pytest.approx([1.25, 1 / 3]) and found["share"].isna().sum() == 2
    # a quota sample's plan allocates the answers; those who did not answer are no interviews
    params = PLAIN | {"sample": "quota", "design": {"strata": "region", "clusters": "", "weights": ""}, "fieldwork": {
        "outcome": {"column": "status", "codes": {"1": "complete", "2": "refusal"}}}}
    study = load(make_study(answers(50, sample(), 40), params))
    groups, targets = quotas(read(study), study, {"allocation": [{"stratum": "North", "n": 30},
                                                                 {"stratum": "South", "n": 10}]})
    made = quota_progress(groups, targets)
    assert made[["achieved", "open", "over"]].to_numpy().tolist() == [[25, 5, 0], [15, 0, 5]]
    shown = views.progress(Context(study), made, per_period(pd.Series(dtype="datetime64[ns]")))
    assert [t.title for t in shown.shown] == ["1 of 2 quotas are open, 5 interviews in all"]


def test_interviews_by_day_and_week() -> None:
    days = pd.Series(pd.to_datetime(["2026-07-06", "2026-07-08", "2026-07-08"]))
    assert per_period(days)["interviews"].tolist() == [1, 0, 2]
    weeks = per_period(pd.Series(pd.to_datetime(["2026-07-08", "2026-07-12", "2026-07-13", "2026-08-02"])))
    assert [str(day.date()) for day in weeks["start"]] == ["2026-07-06", "2026-07-13", "2026-07-20", "2026-07-27"]
    assert weeks["interviews"].tolist() == [2, 1, 0, 1] and weeks["total"].tolist() == [2, 3, 3, 4]


def test_early_and_late_respondents_against_scipy() -> None:
    rng = np.random.default_rng(3)
    scores = pd.Series(rng.normal(70, 12, 90), [f"R{k}" for k in range(90)])
    scores.iloc[60:] += 8
    found = early_late(scores, pd.Series(np.arange(90.0), scores.index))
    assert found is not None
    early, late = scores.iloc[:30], scores.iloc[60:]
    known = stats.ttest_ind(late, early, equal_var=False)
    limits = known.confidence_interval(0.95)
    assert (found.t, found.df, found.p) == pytest.approx((known.statistic, known.df, known.pvalue))
    assert (found.difference, found.low, found.high) == pytest.approx((late.mean() - early.mean(), limits.low,
                                                                       limits.high))
    assert found.table()["n"].tolist() == [30, 30]
    # Welch's formula by hand
    se = np.sqrt(early.var() / 30 + late.var() / 30)
    assert found.t == pytest.approx((late.mean() - early.mean()) / se)


def test_early_and_late_cannot_always_be_told() -> None:
    scores = pd.Series(np.arange(30.0), [str(k) for k in range(30)])
    assert early_late(scores, pd.Series(dtype=float)) is None
    assert early_late(scores, pd.Series(1.0, scores.index)) is None          # one attempt for everybody
    assert early_late(scores * 0, pd.Series(scores.to_numpy(), scores.index)) is None
    days = early_late(scores, pd.Series(pd.Timestamp("2026-07-01") + pd.to_timedelta(range(30), "D"), scores.index))
    assert days is not None and days.difference == pytest.approx(20)
    # who answered on the day a third ends at belongs to it: four at first attempt, one at third
    by_attempt = early_late(scores.iloc[:7], pd.Series([1, 1, 1, 1, 2, 3, 3], scores.index[:7]))
    assert by_attempt is not None and by_attempt.n.tolist() == [4, 2]


def test_scores_of_the_items(respond: Callable[..., Any]) -> None:
    """Answers 1 and 10 of 1-10 are 0 and 100; a missing one counts for nothing; others' customers are left out."""
    frame = pd.DataFrame({"a": [1, 10, 5.5], "b": [10, np.nan, 1]}, ["x", "y", "z"])
    assert item_scores(respond(frame, domain=[True, True, False]), ["a", "b"]).to_dict() == {"x": 50.0, "y": 100.0}


def test_the_r_indicator_of_groups_is_that_of_their_rates() -> None:
    """With one column of categories the propensities are the groups' rates: S² by hand, 60 · .2² + 40 · .3² over 99."""
    groups = np.array(["a"] * 60 + ["b"] * 40)
    responded = np.array([True] * 42 + [False] * 18 + [True] * 8 + [False] * 32)          # .7 and .2, in all .5
    found = frame_check(pd.DataFrame({"g": groups}), responded)
    assert found is not None
    assert found.indicator == pytest.approx(1 - 2 * np.sqrt((60 * 0.2**2 + 40 * 0.3**2) / 99), abs=1e-9)
    rows = found.table().set_index("category")
    assert rows.loc["a", ["drawn", "respondents", "difference"]].tolist() == pytest.approx([0.6, 0.84, 0.24])
    assert rows.loc["a", "standardised"] == pytest.approx(0.24 / np.sqrt(0.6 * 0.4))
    even = frame_check(pd.DataFrame({"g": groups}), np.arange(100) % 2 == 0)
    assert even is not None and even.indicator == pytest.approx(1, abs=1e-9)


def test_the_r_indicator_against_statsmodels() -> None:
    rng = np.random.default_rng(5)
    age, region = rng.normal(45, 12, 400).round(1), rng.choice(["n", "s", "w"], 400)
    responded = rng.random(400) < 1 / (1 + np.exp(-(age - 45) / 10 - (region == "s")))
    weights = rng.uniform(1, 3, 400)
    frame = pd.DataFrame({"age": age.astype(str), "region": region})
    found = frame_check(frame, responded)
    x = sm.add_constant(np.column_stack([age, region == "n", region == "s"]).astype(float))
    rho = sm.Logit(responded.astype(float), x).fit(disp=0).predict()
    assert found is not None and found.indicator == pytest.approx(1 - 2 * np.std(rho, ddof=1), abs=1e-6)
    assert found.table().loc[0, "drawn"] == pytest.approx(age.mean())
    assert found.table().loc[0, "difference"] == pytest.approx(age[responded].mean() - age.mean())
    weighted = frame_check(frame, responded, weights)
    assert weighted is not None
    assert weighted.table().loc[0, "respondents"] == pytest.approx(
        np.average(age[responded], weights=weights[responded]))
    assert weighted.indicator != pytest.approx(found.indicator, abs=1e-6)


def test_where_there_is_no_r_indicator() -> None:
    frame = pd.DataFrame({"g": ["a", "b"] * 10})
    found = frame_check(frame, np.ones(20, dtype=bool))
    assert found is not None and np.isnan(found.indicator)
    assert frame_check(frame[[]], np.ones(20, dtype=bool)) is None
    # a group without a respondent has a propensity of 0: .5 ± .5
    gone = frame_check(frame, (frame["g"] == "a").to_numpy())
    assert gone is not None and gone.indicator == pytest.approx(1 - 2 * np.sqrt(20 * 0.25 / 19), abs=1e-4)


# -- the page ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_panel_has_a_participation_rate_and_no_response_rate(make_study: MakeStudy, language: str) -> None:
    params = PLAIN | {"sample": "opt_in", "language": language, "fieldwork": {
        "invited": 400, "outcome": {"counts": {"complete": 40, "refusal": 60, "unknown": 300}}}}
    study = load(make_study(answers(40), params))
    found = cases(read(study), study)
    shown = views.response(Context(study), response(found.outcomes), found)
    assert set(shown.numbers["response"]) == {"participation", "invited", "usable", "counts"}
    assert shown.numbers["response"]["participation"] == pytest.approx(0.1)
    text = json.dumps(shown._repr_mimebundle_()[MIME], ensure_ascii=False)
    assert "10.0%" in text and "RR" not in text and "±" not in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_quota_sample_says_that_no_margin_of_error_follows(make_study: MakeStudy, language: str) -> None:
    params = PLAIN | {"sample": "quota", "language": language, "fieldwork": {
        "outcome": {"counts": {"complete": 40, "refusal": 60}}}}
    study = load(make_study(answers(40), params))
    context, found = Context(study), cases(read(study), study)
    text = json.dumps(views.response(context, response(found.outcomes), found)._repr_mimebundle_()[MIME],
                      ensure_ascii=False)
    assert "RR1" in text and "40.0%" in text and context.words("field.quota") in text
    bare = load(make_study(answers(40), PLAIN | {"sample": "quota"}))
    none = cases(read(bare), bare)
    assert views.response(context, response(none.outcomes), none).shown == []


def test_small_groups_have_no_rates(make_study: MakeStudy) -> None:
    more = sample() | {"region": ["North"] * 25 + ["South"] * 22 + ["West"] * 3}
    study = load(make_study(answers(50, more, 40), PLAIN | {"fieldwork": {"outcome": {
        "column": "status", "codes": {"1": "complete", "2": "refusal"}, "by": "region"}}}))
    found = cases(read(study), study)
    shown = views.response(Context(study), response(found.outcomes, by=["region"]), found)
    table = next(s for s in shown.shown if isinstance(s, Table) and s.name == "response_by_region")
    # the smallest group and, so that it cannot be worked out, the next
    assert [cells[1:].count("hidden") for cells in zip(*(c.cells for c in table.columns), strict=True)] == [0, 5, 5]
    assert [g["group"] for g in shown.numbers["response"]["groups"]] == ["North"]


def test_sections_without_anything_to_show_leave_the_page() -> None:
    def prose(text: str) -> dict[str, Any]:
        return {"cell_type": "markdown", "source": text}

    def code(*records: Any, asked: bool = True) -> dict[str, Any]:
        return {"cell_type": "code", "source": "", "outputs": [{"data": {MIME: list(records)}}] if asked else []}

    cells = [prose("# 2 Title"), code(1), prose("## A"), prose("### B"), code(), prose("### C"), code(asked=False),
             prose("## D"), prose("### E"), code(), prose("### F\ntext"), code(), code(2), prose("## G"),
             code(asked=False), prose("## H"), code(), prose("more")]
    kept = [c["source"].split("\n")[0] for c in shown_cells(cells) if c["cell_type"] == "markdown"]
    assert kept == ["# 2 Title", "### C", "## D", "### F", "## G"]


@pytest.mark.slow
def test_a_study_that_states_nothing_gains_nothing(make_study: MakeStudy) -> None:
    """Neither on its page nor in its numbers; the same study with outcomes gains both."""
    def run(**more: Any) -> tuple[dict[str, Any], str]:
        path = make_study(answers(60), PLAIN | {"replicates": {"count": 50}, **more})
        done = run_here(load(path))
        assert not done.dropped
        return (json.loads((done.report.parent / "results.json").read_text(encoding="utf-8")),
                done.report.read_text(encoding="utf-8"))

    results, page = run()
    assert not {"response", "quota", "field", "early_late", "frame_check"} & set(results)
    assert "From sample to interviews" not in page and "Early and late" not in page and "What each rule did" in page
    results, page = run(fieldwork={"outcome": {"counts": {"complete": 60, "refusal": 40, "4.1": 5}}})
    assert results["response"]["rr1"] == pytest.approx(0.6) and results["response"]["counts"]["not_eligible"] == 5
    assert "60.0% of the eligible gave a complete interview (RR1)" in page and "Early and late" not in page


@pytest.mark.slow
def test_a_file_with_its_non_respondents_end_to_end(make_study: MakeStudy) -> None:
    """90 cases, 60 of them interviews: they alone are cleaned, measured and scored; all are in the chapter."""
    rng = np.random.default_rng(1)
    more = {"status": ["1.1"] * 55 + ["1.2"] * 5 + ["2.1"] * 12 + ["2.2"] * 10 + ["3.1"] * 5 + ["4.1"] * 3,
            "region": rng.choice(["North", "South"], 90).tolist(), "age": rng.integers(18, 80, 90).astype(str).tolist(),
            "tries": rng.integers(1, 5, 90).astype(str).tolist()}
    path = make_study(answers(90, more, 60), PLAIN | {"replicates": {"count": 50}, "language": "zh", "fieldwork": {
        "attempts": "tries", "frame": ["region", "age"], "outcome": {"column": "status", "by": "region"},
        "quota": {"region": {"North": 40, "South": 20}}}})
    done = run_here(load(path))
    results = json.loads((done.report.parent / "results.json").read_text(encoding="utf-8"))
    page = done.report.read_text(encoding="utf-8")
    assert results["n"] == 60 and not done.dropped
    # e = 82 / 85 of the five unknown: 55 / (82 + 4.8235)
    assert results["response"]["rr3"] == pytest.approx(55 / (82 + 5 * 82 / 85)) and results["quota"][0]["planned"] == 40
    assert results["early_late"]["groups"][0]["n"] >= 20 and 0 < results["frame_check"]["r_indicator"] < 1
    for heading in ("从样本到问卷", "各个案的接触结果", "现场执行进度", "较早与较晚的应答者", "调查对象与应答者"):
        assert heading in page
    assert f"RR3，e={82 / 85:.2f}" in page
