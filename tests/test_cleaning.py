"""From records to responses: every rule on the demo and on small files, with the ledger that tells of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, MakeStudy, make_responses

import tcslib as tcs
from tcslib.errors import InputRefused, NotEstimable
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.quality import same_answers, speeders, straight_lines
from tcslib.fieldwork.reading import RawAnswers, read
from tcslib.run.store import load_responses, save_responses
from tcslib.simulate import Soiled, demo
from tcslib.simulate.verbatims import MARKUP, PRIVATE
from tcslib.study.load import Study, load
from tcslib.study.questionnaire import Item, Scale
from tcslib.survey.responses import Responses, responses_from_frame

FRAMES = ("answers", "kinds", "background", "ledger", "flags", "left_out", "verbatims")
OUT = ["identical_record", "same_id", "screened_out", "too_much_missing", "flags"]
ITEMS = [f"A{i}" for i in range(1, 7)] + [f"B{i}" for i in range(1, 7)]
Clean = Callable[..., Responses]


def assert_equal(one: Responses, other: Responses) -> None:
    """Equal in all they hold."""
    for name in FRAMES:
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    assert one.questionnaire == other.questionnaire and one.weighting == other.weighting
    np.testing.assert_array_equal(one.domain, other.domain)
    assert one.design.sample == other.design.sample
    for name in ("ids", "weights", "strata", "clusters"):
        a, b = getattr(one.design, name), getattr(other.design, name)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)


def line(responses: Responses, rule: str, column: str = "cells", detail: str | None = None) -> int:
    """What the ledger says a rule did."""
    book = responses.ledger[responses.ledger["rule"] == rule]
    return int((book if detail is None else book[book["detail"] == detail])[column].sum())


# --- the demo, against what was done to it ------------------------------------------------------------------------

@pytest.fixture(scope="module")
def soiled() -> Soiled:
    return demo()


@pytest.fixture(scope="module")
def study() -> Study:
    return load(ROOT / "params" / "demo" / "2026Q3.yaml")


@pytest.fixture(scope="module")
def raw(study: Study) -> RawAnswers:
    return read(study)


@pytest.fixture(scope="module")
def answers(raw: RawAnswers, study: Study) -> Responses:
    return clean(raw, study)


def done(soiled: Soiled, rule: str) -> pd.DataFrame:
    return soiled.done[soiled.done["rule"] == rule]


def test_the_ledger_tells_what_was_done_to_the_demo(soiled: Soiled, answers: Responses, study: Study) -> None:
    assert line(answers, "read", "left") == len(soiled.frame)
    assert line(answers, "identical_record", "rows") == len(done(soiled, "duplicate")) == 8
    assert line(answers, "same_id", "rows") == line(answers, "screened_out", "rows") == 0
    for rule, of in [("out_of_scale", "out_of_scale"), ("full_width", "full_width"), ("suffix", "unit"),
                     ("blanks", "blank")]:
        assert line(answers, rule) == len(done(soiled, of)), rule
        for column, cells in done(soiled, of)["column"].value_counts().items():
            assert line(answers, rule, detail=str(column)) == cells, (rule, column)
    assert line(answers, "text_missing") == line(answers, "weight_zero") == 0
    straight, speed = set(done(soiled, "straight")["resp_id"]), set(done(soiled, "speed")["resp_id"])
    assert line(answers, "flag_straight_line") == len(straight)
    assert line(answers, "flag_speeder") == len(speed)
    assert line(answers, "flags", "rows") == len(straight & speed)
    left_out = answers.left_out.groupby("rule")["id"].agg(set)
    assert left_out["flags"] == straight & speed
    assert left_out["identical_record"] == set(done(soiled, "duplicate")["resp_id"])
    stayed = answers.flags[answers.flags.any(axis=1)]
    assert set(stayed.index) == straight ^ speed
    assert set(stayed.index[stayed["straight_line"]]) == straight - speed


def test_codes_and_empty_cells_of_the_demo(soiled: Soiled, answers: Responses) -> None:
    once = soiled.frame.drop_duplicates()
    items = list(answers.questionnaire)
    for code, kind in (("98", "dont_know"), ("99", "no_experience")):
        assert line(answers, "missing_code", detail=kind) == int((once[items] == code).to_numpy().sum())
    kept = once.set_index("resp_id").loc[answers.answers.index, items]
    for code, kind in (("98", "dont_know"), ("99", "no_experience"), ("", "skipped")):
        np.testing.assert_array_equal((answers.kinds == kind).to_numpy(), (kept == code).to_numpy())
    empty = done(soiled, "empty")
    assert all(answers.kinds.at[r, c] == "skipped" for r, c in zip(empty["resp_id"], empty["column"], strict=True))
    outside = done(soiled, "out_of_scale")
    assert all(answers.kinds.at[r, c] == "out_of_scale"
               for r, c in zip(outside["resp_id"], outside["column"], strict=True))
    np.testing.assert_array_equal(answers.answers.isna().to_numpy(), (answers.kinds != "").to_numpy())
    for rule in ("full_width", "unit"):
        for record, column, was in done(soiled, rule)[["resp_id", "column", "was"]].itertuples(index=False):
            assert answers.answers.at[record, column] == float(was)
    for record, column, was in done(soiled, "blank")[["resp_id", "column", "was"]].itertuples(index=False):
        if column in answers.background:
            assert answers.background.at[record, column] == was


def test_rows_in_are_rows_out_and_rows_left_out(raw: RawAnswers, answers: Responses) -> None:
    assert len(raw.frame) == len(answers) + len(answers.left_out)
    book = answers.ledger
    assert book["rows"].sum() == len(answers.left_out) == book.loc[book["rule"].isin(OUT), "rows"].sum()
    assert book["left"].iloc[-1] == len(answers)
    left = book.drop_duplicates("rule", keep="last")
    np.testing.assert_array_equal(left["left"], len(raw.frame) - left["rows"].cumsum())
    assert answers.answers.index.is_unique
    assert all(list(getattr(answers, name).index) == list(answers.design.ids)
               for name in ("answers", "kinds", "background", "flags", "verbatims"))


def test_the_domain_is_the_client(answers: Responses, study: Study) -> None:
    np.testing.assert_array_equal(answers.domain, (answers.background["brand"] == "Demo Mobile").to_numpy())
    assert 0 < answers.n < len(answers) and answers.design.strata_count == 4
    assert len(answers.everyone().matrix(study.model.items)) == len(answers)
    west = answers.where((answers.background["region"] == "West").to_numpy())
    assert west.n < answers.n and len(west) == len(answers)


def test_open_answers_of_the_demo_are_masked(answers: Responses, raw: RawAnswers) -> None:
    kept = "\n".join(answers.verbatims["COMMENT"])
    hidden = [text for text in PRIVATE if text in "\n".join(raw.frame["COMMENT"])]
    assert len(hidden) == len(PRIVATE) and not any(text in kept for text in hidden)
    assert line(answers, "masked") >= len(PRIVATE)
    assert all(text in kept for text in MARKUP)          # markup is text: it is escaped where it is shown
    assert (answers.verbatims["COMMENT"] == "NA").sum() == 2
    assert "COMMENT" not in answers.background


def test_cleaning_twice_and_storing_change_nothing(raw: RawAnswers, answers: Responses, study: Study,
                                                   tmp_path: Path) -> None:
    before, file = raw.frame.copy(), study.root / study.params.data.file
    assert_equal(clean(raw, study), answers)
    pd.testing.assert_frame_equal(raw.frame, before)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == raw.sha256
    save_responses(tmp_path / "answers", answers)
    assert_equal(load_responses(tmp_path / "answers"), answers)


# --- small files --------------------------------------------------------------------------------------------------

def table(n: int = 40, seed: int = 1) -> pd.DataFrame:
    """Twelve items that hang together, an id, weights, strata of clusters, a region."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n)
    second = 0.6 * first + 0.8 * rng.normal(size=n)
    columns = {name: np.clip(np.rint(5.5 + 1.6 * ((first if name[0] == "A" else second) + 0.7 * rng.normal(size=n))),
                             1, 10).astype(int).astype(str) for name in ITEMS}
    return pd.DataFrame({"id": [f"R{i:03d}" for i in range(n)], **columns, "seconds": "300", "weight": "1.5",
                         "stratum": [f"s{i % 2}" for i in range(n)], "psu": [f"p{i % 8}" for i in range(n)],
                         "region": ["West"] * (n // 2) + ["East"] * (n - n // 2), "said": ""}, dtype=object)


SMALL: dict[str, Any] = {
    "model": {"constructs": {"A": ITEMS[:6], "B": ITEMS[6:]}, "paths": [["A", "B"]], "target": "B", "loyalty": "B"},
    "design": {"strata": "", "clusters": "", "weights": ""}, "compare": {"segments": []}, "report": {"verbatims": []}}


@pytest.fixture
def cleaned(make_study: MakeStudy) -> Clean:
    """``cleaned(frame, cleaning=…)``: the responses of a frame of texts under the small study."""
    def make(frame: pd.DataFrame, **over: Any) -> Responses:
        params = {**SMALL, **{key: {**SMALL[key], **value} if isinstance(value, dict) and key in SMALL else value
                              for key, value in over.items()}}
        study = load(make_study(frame.to_csv(index=False), params))
        raw = read(study)
        out = clean(raw, study)
        assert len(raw.frame) == len(out) + len(out.left_out)
        assert hashlib.sha256((study.root / study.params.data.file).read_bytes()).hexdigest() == raw.sha256
        assert_equal(clean(raw, study), out)
        return out
    return make


def fault(cleaned: Clean, frame: pd.DataFrame, **over: Any) -> str:
    with pytest.raises(InputRefused) as caught:
        cleaned(frame, **over)
    said, = caught.value.lines
    assert said.endswith((".", "?", ")")) and "\n" not in said
    return said


def test_a_clean_file_is_left_as_it_is(cleaned: Clean) -> None:
    out = cleaned(table())
    assert len(out) == out.n == 40 and out.left_out.empty and (out.kinds == "").all().all()
    assert out.ledger["rows"].sum() == out.ledger["cells"].sum() == 0
    np.testing.assert_array_equal(out.answers[ITEMS].to_numpy(), table()[ITEMS].to_numpy().astype(float))
    assert out.design.simple and out.design.units == 40


def test_the_same_record_twice(cleaned: Clean) -> None:
    frame = table()
    out = cleaned(pd.concat([frame, frame.iloc[[3, 3, 7]]]))
    assert line(out, "identical_record", "rows") == 3 and len(out) == 40
    assert out.left_out.to_dict("list") == {"id": ["R003", "R003", "R007"], "rule": ["identical_record"] * 3}
    # without an id nobody can say whether it is one person or two
    again = cleaned(pd.concat([frame, frame.iloc[[3, 3, 7]]]), data={"id": ""})
    assert len(again) == 43 and again.design.ids[0] == "row0000002" and len(set(again.design.ids)) == 43


def test_one_id_with_different_answers(cleaned: Clean) -> None:
    frame = table()
    second = frame.iloc[[3]].assign(A1="1", A2="10")
    both = pd.concat([frame, second])
    said = fault(cleaned, both)
    assert 'id column "id" holds 1 ids twice with different answers ("R003"; row 42)' in said
    assert said.startswith("data/raw/acme/answers.csv: ")
    for rule, kept in (("keep_first", frame["A1"][3]), ("keep_last", "1")):
        out = cleaned(both, cleaning={"same_id": rule})
        assert len(out) == 40 and out.answers.at["R003", "A1"] == float(kept)
        assert line(out, "same_id", "rows", rule) == 1
        assert out.left_out.to_dict("list") == {"id": ["R003"], "rule": ["same_id"]}
    # blanks around an id make no other person
    said = fault(cleaned, pd.concat([frame, second.assign(id=" R003 ")]))
    assert '"R003"' in said
    assert line(cleaned(frame.assign(id=[" R000", *frame["id"][1:]])), "blanks", detail="id") == 1


def test_empty_ids(cleaned: Clean) -> None:
    frame = table()
    frame.loc[[4, 9], "id"] = ["", "  "]
    assert 'id column "id" is empty in 2 records (rows 6, 11)' in fault(cleaned, frame)
    assert fault(cleaned, table().assign(id="")).count("rows 2, 3, 4, 5, 6, …") == 1


def test_screening(cleaned: Clean) -> None:
    frame = table()
    out = cleaned(frame, cleaning={"require": {"region": ["West"]}})
    assert len(out) == 20 and line(out, "screened_out", "rows", "region: West") == 20
    assert set(out.left_out["rule"]) == {"screened_out"}
    said = fault(cleaned, frame, cleaning={"require": {"region": ["Wset"]}})
    assert "no respondent is left after cleaning: screened_out (region: Wset) left out 40 of 40" in said


def test_answers_outside_the_scale(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, "A1"], frame.loc[1, "A1"], frame.loc[2, "B6"] = "11", "0", "-3"
    out = cleaned(frame)
    assert line(out, "out_of_scale", detail="A1") == 2 and line(out, "out_of_scale", detail="B6") == 1
    assert out.kinds.at["R000", "A1"] == out.kinds.at["R001", "A1"] == "out_of_scale"
    assert np.isnan(out.answers.at["R000", "A1"])
    frame.loc[3, "A1"] = "55"                      # 3 of 40 are more than 5%
    said = fault(cleaned, frame)
    assert 'column "A1": 8% of the answers lie outside 1-10 (0, 11, 55; rows 2, 3, 5)' in said
    assert line(cleaned(frame, cleaning={"out_of_scale_limit": 0.1}), "out_of_scale", detail="A1") == 3
    fault(cleaned, table().assign(A1=["11", *table()["A1"][1:]]), cleaning={"out_of_scale_limit": 0})
    frame[["B1", "B2"]] = "99"
    with pytest.raises(InputRefused) as caught:
        cleaned(frame)
    assert len(caught.value.lines) == 3            # all columns at once


def test_two_in_forty_is_not_more_than_one_in_twenty(cleaned: Clean) -> None:
    frame = table()
    frame.loc[[0, 1], "A1"] = "11"
    assert line(cleaned(frame), "out_of_scale") == 2


def test_codes_of_missing_answers(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, ["A1", "A2"]], frame.loc[1, "A1"], frame.loc[2, "B1"] = "98", "-1", ""
    out = cleaned(frame, missing_codes={"98": "dont_know", "-1": "refused"},
                  items={"A2": {"missing_codes": {"98": "too_new"}}, "B1": {"asked_if": "had contact"}})
    assert out.kinds.loc["R000", ["A1", "A2"]].tolist() == ["dont_know", "too_new"]
    assert out.kinds.at["R001", "A1"] == "refused" and out.kinds.at["R002", "B1"] == "not_asked"
    assert [line(out, "missing_code", detail=kind) for kind in ("dont_know", "too_new", "refused")] == [1, 1, 1]
    assert out.answers.isna().to_numpy().sum() == 4


def test_text_in_an_item_becomes_missing_and_says_so(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, "A1"] = "about seven"
    out = cleaned(frame)
    assert out.kinds.at["R000", "A1"] == "text_in_item" and line(out, "text_missing", detail="A1") == 1


def test_reversed_questions_are_turned_round(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, "A1"] = ""
    out = cleaned(frame, items={"A1": {"reversed": True}, "B1": {"reversed": True, "scale": "0-10"}})
    given = frame[["A1", "B1"]].replace("", np.nan).astype(float).to_numpy()
    np.testing.assert_array_equal(out.answers[["A1", "B1"]].to_numpy(), [11, 10] - given)
    assert line(out, "reversed", detail="A1") == 39 and line(out, "reversed", detail="B1") == 40


def test_too_many_answers_missing(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, ITEMS[:6]] = ""                   # half is not more than half
    frame.loc[1, ITEMS[:7]] = ""
    frame.loc[2, ITEMS[:7]] = "98"
    frame.loc[3, ITEMS[:9]] = "99"                 # no experience is no sign of a poor interview
    frame.loc[4, ITEMS[:6]], frame.loc[4, ITEMS[6:10]] = "99", "98"          # 4 of the 6 that could be answered
    frame.loc[5, ITEMS] = "99"                     # nothing of the model at all
    codes = {"98": "weary", "99": "no_experience"}
    out = cleaned(frame, missing_codes=codes)
    assert out.left_out.to_dict("list") == {"id": ["R001", "R002", "R004", "R005"], "rule": ["too_much_missing"] * 4}
    assert line(out, "too_much_missing", "rows", "> 50%") == 4
    assert len(cleaned(frame, missing_codes=codes, cleaning={"max_missing": 1.0})) == 40
    never = cleaned(frame, missing_codes=codes, items={name: {"asked_if": "contact"} for name in ITEMS[:7]})
    assert "R001" in never.answers.index and "R002" not in never.answers.index


def test_signs_of_careless_answers(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, ITEMS], frame.loc[1, ITEMS], frame.loc[2, "seconds"] = "7", "9", "60"
    frame.loc[1, "seconds"] = "99.9"
    frame.loc[4, ITEMS] = frame.loc[3, ITEMS]      # same answers, another person
    params: dict[str, Any] = {"duration": "seconds", "speed_share": 1 / 3}
    out = cleaned(frame, cleaning=params)
    assert [line(out, f"flag_{name}") for name in ("straight_line", "same_answers", "speeder")] == [2, 1, 2]
    assert out.left_out.to_dict("list") == {"id": ["R001"], "rule": ["flags"]}
    assert line(out, "flags", "rows", "≥ 2") == 1
    assert out.flags.loc[["R000", "R002", "R004"]].sum(axis=1).tolist() == [1, 1, 1]
    strict = cleaned(frame, cleaning={**params, "exclude_at_flags": 1})
    assert sorted(strict.left_out["id"]) == ["R000", "R001", "R002", "R004"]
    assert len(cleaned(frame, cleaning={**params, "exclude_at_flags": 3})) == 40
    frame["seconds"] = ""
    assert 'column "seconds" (cleaning.duration) holds no lengths' in fault(cleaned, frame, cleaning=params)


def test_a_straight_line_through_reversed_questions_is_one(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, ITEMS] = "8"
    out = cleaned(frame, items={"A1": {"reversed": True}, "B2": {"reversed": True}})
    assert out.flags["straight_line"].tolist() == [True] + [False] * 39
    assert out.answers.at["R000", "A1"] == 3


def test_flags_are_what_a_plain_loop_says() -> None:
    rng = np.random.default_rng(3)
    x = rng.integers(1, 4, (400, 12)).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    x[30] = [1, 2, 3, 3, 2, 1, 1, 1, 2, np.nan, 3, 2]
    x[7], x[8], x[20:24] = np.nan, 3, x[30]
    for share in (1.0, 0.7, 0.55, 0.5):
        slow = []
        for row in x:
            seen = row[~np.isnan(row)]
            most = max((seen == v).sum() for v in (1, 2, 3))
            slow.append(len(seen) >= 10 and most * 100 >= round(share * 100) * len(seen))
        np.testing.assert_array_equal(straight_lines(x, share), slow)
    earlier: list[list[float]] = []
    slow = []
    for row in x:
        telling = (~np.isnan(row)).sum() >= 8 and len(set(row[~np.isnan(row)])) >= 3
        key = np.nan_to_num(row, nan=-1).tolist()
        slow.append(bool(telling and key in earlier))
        earlier += [key] if telling else []
    np.testing.assert_array_equal(same_answers(x), slow)
    assert sum(slow) == 4
    assert speeders(np.array([10, 30, 30, np.nan, 9]), 0.5).tolist() == [False, False, False, False, True]
    assert not speeders(np.full(3, np.nan), 0.5).any()


# --- weights and the design ---------------------------------------------------------------------------------------

DESIGN = {"strata": "stratum", "clusters": "psu", "weights": "weight"}


def estimates(out: Responses, study_model: Any, count: int = 60) -> list[np.ndarray]:
    fit = tcs.pls(out, study_model, replicates=tcs.replicate(out, count))
    table = tcs.index(fit).table()
    return [fit.inference.estimate["paths"], fit.inference.estimate["weights"], fit.inference.estimate["mean"],
            table["estimate"].to_numpy(), table["n_eff"].to_numpy(), table["se"].to_numpy()]


def test_rows_of_weight_zero_stay_and_change_nothing(cleaned: Clean, make_study: MakeStudy) -> None:
    frame = table(120).assign(weight=[f"{1 + i % 5}" for i in range(120)])
    zero = frame.index % 9 == 4
    marked = frame.assign(weight=np.where(zero, "0", frame["weight"]))
    out, without = cleaned(marked, design=DESIGN), cleaned(marked[~zero], design=DESIGN)
    assert line(out, "weight_zero", detail="weight") == zero.sum() and len(out) == 120
    assert out.ledger["rows"].sum() == 0 and out.design.df == without.design.df
    model = load(make_study(frame.to_csv(index=False), {**SMALL, "design": DESIGN})).model
    for a, b in zip(estimates(out, model), estimates(without, model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=0)
    # without clusters each row is a unit of its own, and the design keeps those of weight zero
    design = {"weights": "weight", "strata": "stratum", "clusters": ""}
    out, without = cleaned(marked, design=design), cleaned(marked[~zero], design=design)
    assert out.design.df == 118 and without.design.df == 118 - zero.sum()
    for a, b in zip(estimates(out, model)[:-1], estimates(without, model)[:-1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("values", "said"), [
    ({0: "-1"}, 'weight column "weight" is negative in 1 row (row 2). Give every respondent a weight of 0 or more.'),
    ({0: "", 5: "", 7: "-2"}, 'weight column "weight" is missing or not a number in 2 rows (rows 2, 7).'),
    (dict.fromkeys(range(9), "-0.5"), "is negative in 9 rows (rows 2, 3, 4, 5, 6, …)"),
    (dict.fromkeys(range(40), "0"), 'weight column "weight" is 0 in every row')])
def test_weights_that_cannot_be_used(cleaned: Clean, values: dict[int, str], said: str) -> None:
    frame = table()
    for row, value in values.items():
        frame.loc[row, "weight"] = value
    came = fault(cleaned, frame, design=DESIGN)
    assert said in came and came.startswith("data/raw/acme/answers.csv: ")


def test_a_faulty_weight_of_a_record_left_out_does_no_harm(cleaned: Clean) -> None:
    frame = table()
    frame.loc[0, "weight"], frame.loc[0, "region"] = "-1", "North"
    assert len(cleaned(frame, design=DESIGN, cleaning={"require": {"region": ["West", "East"]}})) == 39


def test_strata_and_clusters(cleaned: Clean) -> None:
    frame = table()
    out = cleaned(frame, design=DESIGN)
    assert (out.design.units, out.design.strata_count, out.design.df) == (8, 2, 6)
    frame.loc[[1, 3], "stratum"] = ["", " "]
    assert 'column "stratum" (design.strata) is empty in 2 records (rows 3, 5)' in fault(cleaned, frame, design=DESIGN)
    frame = table()
    frame.loc[1, "psu"] = ""
    assert 'column "psu" (design.clusters) is empty in 1 records (row 3)' in fault(cleaned, frame, design=DESIGN)
    frame["psu"] = "shop"
    design = {**DESIGN, "strata": ""}
    assert 'column "psu" (design.clusters) holds a single value, "shop"' in fault(cleaned, frame, design=design)
    lonely = cleaned(table().assign(stratum=[f"s{i}" for i in range(40)]), design=DESIGN)
    with pytest.raises(InputRefused, match="40 of 40 strata hold a single sampling unit"):
        tcs.replicate(lonely, 50)


def test_labels_that_hold_odd_characters_are_kept_apart(cleaned: Clean) -> None:
    frame = table()
    frame["stratum"] = ["a\x1fb", "a"] * 20
    frame["psu"] = [f"b\x1f{i % 8}" if i % 2 else f"{i % 8}" for i in range(40)]
    out = cleaned(frame, design=DESIGN)
    assert (out.design.strata_count, out.design.units, out.design.lonely()) == (2, 8, [])


def test_the_domain_and_its_faults(cleaned: Clean) -> None:
    frame = table()
    brand = {"brand": "region", "own": "West", "segments": []}
    out = cleaned(frame, compare=brand, design=DESIGN)
    assert (out.n, len(out)) == (20, 40) and out.background["region"].tolist() == frame["region"].tolist()
    said = fault(cleaned, frame, compare={**brand, "own": "Wset"})
    assert said == ('params/acme/2026Q3.yaml: compare.own: "Wset" is no value of column "region", which holds "East", '
                    '"West". Correct it.')
    frame["weight"] = np.where(frame["region"] == "West", "0", "1")
    said = fault(cleaned, frame, compare=brand, design=DESIGN)
    assert 'weight column "weight" is 0 for everyone with region "West"' in said


def test_raking_to_what_the_answers_hold(cleaned: Clean) -> None:
    frame = table()
    out = cleaned(frame, weighting={"rake": {"region": {"West": 0.3, "East": 0.7}}})
    weights = tcs.weigh(out).weights
    assert weights[:20].sum() / weights.sum() == pytest.approx(0.3, abs=1e-9)
    frame.loc[:2, "region"] = ["", "North", "North"]
    bad = cleaned(frame, weighting={"rake": {"region": {"West": 0.3, "East": 0.5, "Sud": 0.2}}})
    with pytest.raises(InputRefused) as caught:
        tcs.weigh(bad)
    said = ['"Sud" has a target but no respondents', "region is empty for 1 respondent (id R000). Fill it in",
            'region is "North", which has no target, for 2 respondents']
    assert all(word in came for word, came in zip(said, caught.value.lines, strict=True)), caught.value.lines


def test_a_file_without_one_of_the_targets(shared: Path, make_study: MakeStudy) -> None:
    base = pd.read_csv(shared / "badinputs" / "000_good_base.csv", dtype=str)
    shares = {name: 1 / base["region"].nunique() for name in sorted(base["region"].unique())}
    study = load(make_study(shared / "badinputs" / "052_missing_raking_category.csv",
                            {"weighting": {"rake": {"region": shares}}}))
    out = clean(read(study), study)
    with pytest.raises(InputRefused, match=r'weighting\.rake\.region: ".*" has a target but no respondents') as caught:
        tcs.replicate(out, 50)
    assert len(caught.value.lines) == 1


def test_what_the_file_itself_declares_missing(tmp_path: Path, make_study: MakeStudy) -> None:
    import pyreadstat

    frame = table().assign(**{name: table()[name].astype(float) for name in ITEMS}, weight=1.0, seconds=300.0)
    frame.loc[0, "A1"], frame.loc[1, "A2"], frame.loc[2, "seconds"] = 97.0, -9.0, 9.0
    path = tmp_path / "answers.sav"
    ranges = {"A1": [97], "A2": [{"lo": -99, "hi": -1}], "seconds": [9], "weight": [999]}
    pyreadstat.write_sav(frame, path, missing_ranges=ranges)
    study = load(make_study(path, {**SMALL, "design": DESIGN, "cleaning": {"duration": "seconds"}}))
    out = clean(read(study), study)
    assert (out.kinds.at["R000", "A1"], out.kinds.at["R001", "A2"]) == ("user_missing", "user_missing")
    assert line(out, "missing_code", detail="user_missing") == 2 and line(out, "flag_speeder") == 0
    frame.loc[3, "weight"] = 999.0                 # no weight, though the cell holds a number
    pyreadstat.write_sav(frame, path, missing_ranges=ranges)
    study = load(make_study(path, {**SMALL, "design": DESIGN}))
    with pytest.raises(InputRefused, match=r'weight column "weight" is missing or not a number in 1 row \(row '):
        clean(read(study), study)


def test_user_missing_values_of_the_catalogue(shared: Path, make_study: MakeStudy) -> None:
    study = load(make_study(shared / "badinputs" / "088_user_missing.sav", {
        "model": {"constructs": {"A": ["CUSA1"], "B": ["CUSA2", "CUSA3"]}, "paths": [["A", "B"]], "target": "B",
                  "loyalty": "B"}, "design": None, "compare": None, "report": None}))
    raw = read(study)
    out = clean(raw, study)
    assert line(out, "missing_code", detail="user_missing") == 10
    for item in study.model.items:
        plain = raw.frame[item][raw.frame[item] <= 10]
        assert out.answers[item].mean() == pytest.approx(plain.mean(), abs=1e-12)


# --- open answers -------------------------------------------------------------------------------------------------

def test_nothing_private_is_stored(cleaned: Clean, tmp_path: Path) -> None:
    frame = table()
    private = ["call 13812345678", "anna@example.com", "微信: wxid_ab12cd34", "11010519491231002X", "192.168.10.20",
               "4111 1111 1111 1111"]
    frame.loc[:5, "said"] = private
    frame.loc[6, "said"] = "=HYPERLINK(\"x\") <script>alert(1)</script>"
    out = cleaned(frame, report={"verbatims": ["said"]})
    folder = tmp_path / "stored"
    save_responses(folder, out)
    stored = "".join(pd.read_parquet(p).to_csv() for p in sorted(folder.glob("*.parquet")))
    assert not any(secret in stored for secret in ("13812345678", "anna@", "wxid_ab12", "1949", "192.168", "4111"))
    assert line(out, "masked") == len(private)
    assert out.verbatims.at["R006", "said"] == frame.loc[6, "said"]
    assert_equal(load_responses(folder), out)


@pytest.mark.parametrize("name", ["073_xss_verbatims", "075_formula_injection", "076_pii_verbatims"])
def test_verbatims_of_the_catalogue_come_through_as_text(shared: Path, make_study: MakeStudy, name: str) -> None:
    study = load(make_study(shared / "badinputs" / f"{name}.csv"))
    raw = read(study)
    out = clean(raw, study)
    assert len(out) == len(raw.frame) and out.left_out.empty
    unmasked = ~out.verbatims["verbatim"].str.contains(r"\[(?:link|e-mail|account|ip|id|card|phone)\]")
    assert (out.verbatims["verbatim"].to_numpy() == raw.frame["verbatim"].to_numpy())[unmasked].all()
    assert "verbatim" not in out.background


# --- a table without a study --------------------------------------------------------------------------------------

def test_a_frame_in_memory_is_checked_too() -> None:
    frame = table().set_index("id").assign(**{name: table()[name].astype(float).to_numpy() for name in ITEMS},
                                           weight=1.0)
    items = {name: Item(name, Scale(1, 10)) for name in ITEMS}
    out = responses_from_frame(frame, items, weights="weight", strata="stratum", clusters="psu")
    assert len(out) == 40 and out.design.units == 8
    for bad, options, said in [(frame, {"weights": "wieght"}, "has no column wieght"),
                               (frame.drop(columns="A1"), {}, "has no column A1"),
                               (frame.assign(A1="7"), {}, "column A1 is not numeric"),
                               (frame.set_axis(["x"] * 40), {}, 'holds the id "x" more than once'),
                               (frame.assign(weight=-1.0), {"weights": "weight"}, "is negative in 40 rows"),
                               (frame.assign(weight=np.nan), {"weights": "weight"}, "is missing or not a number")]:
        with pytest.raises(InputRefused, match=said):
            responses_from_frame(bad, items, **options)


# --- what cannot be estimated says so -----------------------------------------------------------------------------

def through(study: Study) -> pd.DataFrame:
    out = clean(read(study), study)
    return tcs.index(tcs.pls(out, study.model, replicates=tcs.replicate(out, 50))).table()


@pytest.mark.parametrize(("name", "said"), [
    ("003_one_row", "1 of 1 strata hold a single sampling unit"),
    ("023_codes_98_99_-99_0", "declare the codes under missing_codes"),
    ("027_all_ids_empty", 'id column "id" is empty in 250 records'),
    ("031_constant_item", 'item "IMAG1" has the same answer (7) in every interview'),
    ("032_constant_block", "has the same answer"),
    ("034_reversed_item", 'item "IMAG3" has the outer weight -0.'),
    ("035_item_all_missing", 'item "CUSA1" has 0 answers'),
    ("037_70pct_missing", "respondents are left; a PLS model with blocks of up to 3 items needs at least 30"),
    ("038_fewer_rows_than_items", "10 respondents are left"),
    ("040_weight_negative", 'weight column "weight" is negative in 1 row (row 5)'),
    ("042_weight_all_zero", 'weight column "weight" is 0 in every row'),
    ("044_weight_nan", 'weight column "weight" is missing or not a number in 1 row (row 5)'),
    ("045_weight_inf", '"inf" is not a finite number'), ("047_weight_text", "text where a weight"),
    ("049_stratum_one_psu", "1 of 4 strata hold a single sampling unit (4)"),
    ("050_stratum_per_row", "250 of 250 strata hold a single sampling unit")])
def test_bad_answers_of_the_catalogue(shared: Path, make_study: MakeStudy, name: str, said: str) -> None:
    study = load(make_study(shared / "badinputs" / f"{name}.csv"))
    with pytest.raises((InputRefused, NotEstimable)) as caught:
        through(study)
    assert all(said in came for came in caught.value.lines), caught.value.lines
    assert not (study.root / "reports").exists()


@pytest.mark.parametrize(("name", "rule", "column", "count"), [
    ("000_good_base", "identical_record", "rows", 0), ("013_mixed_eol", "identical_record", "rows", 0),
    ("021_fullwidth_digits", "full_width", "cells", 21), ("022_text_in_numeric", "text_missing", "cells", 4),
    ("025_exact_duplicate_rows", "identical_record", "rows", 25), ("041_weight_zero_some", "weight_zero", "cells", 50),
    ("097_literal_NA_country_code", "text_missing", "cells", 0)])
def test_files_of_the_catalogue_that_pass(shared: Path, make_study: MakeStudy, name: str, rule: str, column: str,
                                          count: int) -> None:
    study = load(make_study(shared / "badinputs" / f"{name}.csv"))
    out = clean(read(study), study)
    assert line(out, rule, column) == count
    found = through(study)
    assert found[["estimate", "se", "low", "high"]].notna().all().all()
    if name not in {"022_text_in_numeric", "041_weight_zero_some"}:
        base = through(load(make_study(shared / "badinputs" / "000_good_base.csv")))
        pd.testing.assert_frame_equal(found, base, rtol=1e-12)


def test_a_reversed_item_that_is_declared_is_no_fault(shared: Path, make_study: MakeStudy) -> None:
    study = load(make_study(shared / "badinputs" / "034_reversed_item.csv", {"items": {"IMAG3": {"reversed": True}}}))
    base = through(load(make_study(shared / "badinputs" / "000_good_base.csv")))
    pd.testing.assert_frame_equal(through(study), base, rtol=1e-9)


def test_everyone_at_the_top_of_the_scale(make_study: MakeStudy) -> None:
    frame = table().assign(**dict.fromkeys(ITEMS, "10"))
    study = load(make_study(frame.to_csv(index=False), SMALL))
    with pytest.raises(InputRefused, match="has the same answer"):
        through(study)


def test_an_item_in_two_constructs_counts_in_both(cleaned: Clean, make_study: MakeStudy) -> None:
    frame = table(120)
    twice = {**SMALL["model"], "constructs": {"A": ITEMS[:3], "B": ["B1", "B2", "A3"]}, "item_in_several": True}
    copied = {**SMALL["model"], "constructs": {"A": ITEMS[:3], "B": ["B1", "B2", "C3"]}}
    one = load(make_study(frame.to_csv(index=False), {**SMALL, "model": twice}, "one.csv"))
    out = clean(read(one), one)
    assert list(out.answers.columns) == ["A1", "A2", "A3", "B1", "B2"]
    two = load(make_study(frame.assign(C3=frame["A3"]).to_csv(index=False), {**SMALL, "model": copied}, "two.csv"))
    other = clean(read(two), two)
    for a, b in zip(estimates(out, one.model), estimates(other, two.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_zero_weights_outside_the_file_too() -> None:
    """Responses made in memory meet the same rule: weight zero keeps a row out of every estimate."""
    x = table(60)[ITEMS].astype(float).set_axis([f"R{i:02d}" for i in range(60)])
    weights = np.where(np.arange(60) % 7 == 0, 0.0, 2.0)
    both = make_responses(x, weights=weights), make_responses(x[weights > 0], weights=weights[weights > 0])
    means = [tcs.infer(lambda m, _: {"mean": m.mean}, r, tcs.replicate(r, 50), ITEMS).estimate["mean"] for r in both]
    np.testing.assert_allclose(means[0], means[1], rtol=1e-12)


def test_a_scale_of_which_only_the_lower_half_is_used_is_refused(make_study: MakeStudy) -> None:
    """Answers of 1-5 read as 1-10 would give an index of 29 where it is 65, and nobody would notice."""
    names = ["A1", "A2", "A3", "B1", "B2"]
    rows = [[str(i), *(str(1 + (i * (j + 2) + j) % 5) for j in range(5))] for i in range(40)]
    data = "\n".join(",".join(row) for row in [["id", *names], *rows]) + "\n"
    model = {"constructs": {"A": names[:3], "B": names[3:]}, "paths": [["A", "B"]], "target": "B", "loyalty": ""}
    plain = {"model": model, "design": None, "compare": None, "report": None}
    study = load(make_study(data, plain))
    with pytest.raises(InputRefused, match=r"no answer to the 5 items on 1-10 is above 5\. .* scale: 1-5"):
        clean(read(study), study)
    study = load(make_study(data, {**plain, "scale": "1-5"}))
    assert len(clean(read(study), study)) == 40
