"""Weighting as a study declares it: what the YAML may hold, non-respondents through cleaning, what the report shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tcslib.errors import InputRefused
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.report.context import Context
from tcslib.report.records import Figure, Finding, Table, View
from tcslib.report.views import cleaning as cleaning_views
from tcslib.report.views import weights as views
from tcslib.study.load import Study, load
from tcslib.survey.responses import Responses
from tcslib.survey.weighting import PostStrata, Trimming, weighting_plan
from tcslib.weighting.weights import weigh

MakeStudy = Callable[..., Path]
N = 160


def table() -> pd.DataFrame:
    """160 drawn, 100 interviews: North and the young answer less often; the others' cells are empty."""
    rng = np.random.default_rng(8)
    region, age = np.repeat(["North", "South"], N // 2), np.tile(["old", "young"], N // 2)
    came = np.zeros(N, dtype=bool)
    for number, (r, a) in enumerate([("North", "old"), ("North", "young"), ("South", "old"), ("South", "young")]):
        came[np.flatnonzero((region == r) & (age == a))[:(25, 15, 35, 25)[number]]] = True
    latent = rng.normal(5.5, 1.6, N)
    items = {f"Q{k}": np.clip(np.round(latent + rng.normal(0, 1, N)), 1, 10) for k in range(1, 7)}
    frame = pd.DataFrame({"id": [f"P{i:03d}" for i in range(N)], "region": region, "age": age,
                          "status": np.where(came, "completed", np.tile(["refused", "no contact"], N // 2)),
                          "bill": np.round(rng.gamma(4, 12, N), 2), "weight": rng.choice([10.0, 20.0], N), **items})
    frame.loc[~came, [*items, "bill"]] = np.nan
    return frame


@pytest.fixture
def study(make_study: MakeStudy) -> Callable[..., Study]:
    """``study(weighting, frame=…)``: a study of that table."""
    def make(weighting: dict[str, Any], frame: pd.DataFrame | None = None, **more: Any) -> Study:
        model = {"constructs": {"A": ["Q1", "Q2", "Q3"], "B": ["Q4", "Q5", "Q6"]}, "paths": [["A", "B"]], "target": "B",
                 "loyalty": None}
        design = {"weights": "weight", "strata": "", "clusters": ""}
        return load(make_study((table() if frame is None else frame).to_csv(index=False), {
            "model": model, "design": design, "compare": {"segments": ["region"]}, "report": {"verbatims": []},
            "weighting": weighting, **more}))
    return make


CELLS = {"status": "status", "responded": ["completed"], "cells": ["region", "age"]}


def cleaned(study: Study) -> Responses:
    return clean(read(study), study)


def test_non_respondents_stay_in_the_design(study: Callable[..., Study]) -> None:
    """They answer nothing, are asked nothing, and their weight is carried by the respondents of their cell."""
    answers, frame = cleaned(study({"nonresponse": CELLS})), table()
    came = frame["status"] == "completed"
    assert len(answers) == N and answers.n == came.sum() == 100 and answers.design.units == N
    assert set(answers.design.ids[~answers.responded]) == set(frame["id"][~came])
    assert np.isnan(answers.matrix(["Q1"])[~answers.responded]).all()
    assert not answers.domain[~answers.responded].any() and not answers.flags[~answers.responded].any().any()
    line, = answers.ledger[answers.ledger["rule"] == "nonresponse"].to_dict("records")
    assert (line["rows"], line["left"]) == (60, 100) and not len(answers.left_out)
    assert answers.ledger["left"].iloc[-1] == 100
    assert answers.ledger["rows"].sum() == 60          # no rule for interviews touched them
    weights = pd.Series(weigh(answers).weights, answers.design.ids)[frame["id"]].to_numpy()
    assert (weights[~came] == 0).all()
    for region in ("North", "South"):
        for age in ("old", "young"):
            cell = ((frame["region"] == region) & (frame["age"] == age)).to_numpy()
            assert weights[cell].sum() == pytest.approx(frame["weight"][cell].sum())
            ratio = (weights / frame["weight"])[cell & came.to_numpy()]
            assert ratio.max() == pytest.approx(ratio.min())
    assert (answers.everyone().domain == answers.responded).all()


def test_without_the_key_nothing_changes(study: Callable[..., Study]) -> None:
    """The same file without the key: who answered nothing is left out, as before."""
    answers = cleaned(study({}))
    assert len(answers) == 100 and answers.responded.all() and "nonresponse" not in set(answers.ledger["rule"])
    assert (answers.left_out["rule"] == "too_much_missing").sum() == 60


def test_auxiliaries_of_non_respondents_must_be_known(study: Callable[..., Study]) -> None:
    frame = table()
    frame.loc[[2, 3, 70], "age"] = ""
    with pytest.raises(InputRefused, match=r"age is empty for 3 rows \(id .*\) of the 160 drawn"):
        weigh(cleaned(study({"nonresponse": CELLS}, frame)))
    with pytest.raises(InputRefused, match='no record has "done" in column "status", which holds "completed"'):
        cleaned(study({"nonresponse": CELLS | {"responded": ["done"]}}))


def test_the_whole_chain_of_steps_from_the_yaml(study: Callable[..., Study]) -> None:
    made = study({
        "nonresponse": {"status": "status", "responded": "completed", "propensity": ["region", "age"], "classes": 3},
        "post_stratify": [{"by": ["region", "age"], "targets": {"North": {"old": 700, "young": 500},
                                                                "South": {"old": 800, "young": 500}}}],
        "rake": {"age": {"old": 0.6, "young": 0.4}},
        "calibrate": {"method": "logit", "bounds": [0.3, 3], "totals": {"region": {"North": 1200, "South": 1300},
                                                                        "bill": {"mean": 50}}},
        "trim": {"above": 4, "below": 0.1}})
    plan = weighting_plan(made.params.weighting)
    assert plan.population == 2500 and plan.trim == Trimming(4, 0.1)
    assert plan.post_stratify[0] == PostStrata(("region", "age"), {
        "North × old": 700, "North × young": 500, "South × old": 800, "South × young": 500})
    answers = cleaned(made)
    found = weigh(answers)
    assert found.table()["step"].tolist() == ["base", "nonresponse", "post_stratified", "raked", "calibrated",
                                              "trimmed"]
    assert found.weights.sum() == pytest.approx(2500)
    bills = answers.background["bill"].replace("", "0").astype(float).to_numpy()
    assert np.average(bills, weights=found.weights) == pytest.approx(50)
    assert found.table()["n"].tolist() == [160] + [100] * 5


def test_short_forms(study: Callable[..., Study]) -> None:
    assert weighting_plan(study({"trim": 5}).params.weighting).trim == Trimming(5.0)
    counts = study({"rake": {"age": {"old": 30, "young": 40}, "region": {"North": 0.5, "South": 0.5}}})
    assert weighting_plan(counts.params.weighting).population == 70
    assert weighting_plan(study({"rake": {"age": {"old": 0.5, "young": 0.5}}}).params.weighting).population is None


HALF = {"old": 0.5, "young": 0.5}


@pytest.mark.parametrize(("weighting", "said"), [
    ({"rake": {"age": {"old": 30, "young": 40}, "region": {"North": 35, "South": 36}}},
     r"weighting\.rake\.region: the counts sum to 71, those of weighting\.rake\.age to 70: 1 \(1\.4%\) more"),
    ({"rake": {"age": {"old": 52, "young": 48}}}, r"the targets sum to 100\. Write percentages as shares"),
    ({"rake": {"age": {"old": 0.5, "young": 0.4}}}, r"the shares sum to 0\.9, not to 1"),
    ({"post_stratify": [{"by": ["region", "age"], "targets": {"North": 0.5, "South": 0.5}}]},
     "numbers below region and age are expected, nested in this order"),
    ({"post_stratify": [{"by": ["age", "age"], "targets": HALF}]}, "the names of different columns are expected"),
    ({"nonresponse": {"status": "status", "responded": ["completed"]}}, "`cells` or `propensity` is expected"),
    ({"nonresponse": CELLS | {"classes": 5}}, "`classes` and `numeric` belong to `propensity`"),
    ({"nonresponse": {**CELLS, "cells": [], "propensity": ["age"], "numeric": ["bill"]}},
     '"bill" is not among the columns of `propensity`'),
    ({"calibrate": {"totals": {"age": HALF}, "method": "logit"}}, "the method logit needs bounds"),
    ({"calibrate": {"totals": {"age": HALF}, "bounds": [0.5, 2]}}, "the method linear knows no bounds"),
    ({"calibrate": {"totals": {"age": HALF}, "method": "truncated", "bounds": [2, 0.5]}}, "the smallest before the"),
    ({"calibrate": {"totals": {"age": HALF}, "method": "truncated", "bounds": [1.1, 2]}}, "a factor below 1 and one"),
    ({"calibrate": {"totals": {}}}, "`totals` is expected"),
    ({"calibrate": {"totals": {"Q1": {"mean": 5}}}}, r'"Q1" is an item already'),
    ({"trim": {"above": 0.9}}, "a multiple of the mean above 1 is expected"),
    ({"trim": {"below": 0.5, "above": 0.4, "of": "absolute"}}, r"`below` 0\.5 is not below `above` 0\.4"),
    ({"trim": {"of": "median"}}, "`above` or `below` is expected"),
    ({"trim": {"above": 3, "strict": True}}, "calibrating again is strict by itself"),
    ({"trim": "much"}, r"a number, or \{above: …, below: …\}, is expected"),
    ({"trim": {"over": 3}}, r"weighting\.trim\.over: is not a key of a study"),
    ({"gap": 0.5}, r"weighting\.gap: .* a number of 0\.1 or less is expected")])
def test_what_contradicts_itself_is_refused_before_the_data(weighting: dict[str, Any], said: str,
                                                            study: Callable[..., Study]) -> None:
    with pytest.raises(InputRefused, match=said) as refused:
        study(weighting)
    assert len(refused.value.lines) == 1, refused.value.lines


# ---------------------------------------------------------------- what is shown


def shown(view: View, kind: type) -> list[Any]:
    return [s for s in view.shown if isinstance(s, kind)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_margins_are_drawn_before_and_after(language: str, study: Callable[..., Study]) -> None:
    made = study({"nonresponse": CELLS, "rake": {"age": {"old": 0.4, "young": 0.6}},
                  "post_stratify": [{"by": ["region", "age"], "targets": {
                      "North": {"old": 0.3, "young": 0.2}, "South": {"old": 0.25, "young": 0.25}}}],
                  "calibrate": {"totals": {"age": {"old": 0.4, "young": 0.6}, "bill": {"mean": 50}}}},
                 language=language)
    answers, context = cleaned(made), Context(made)
    weighed = weigh(answers)
    view = views.margins(context, answers, weighed)
    figure, = shown(view, Figure)
    folded, = shown(view, Table)
    assert folded.folded and len(folded.columns[0].cells) == 4 + 2 + 1 and folded.columns[-1].cells[-1] == "50.00"
    for text in ("30%", "60%"):
        assert text in figure.alt
    for drawing in (figure.wide, figure.narrow):
        assert drawing.startswith("<svg") and "bill" not in drawing.lower()
    assert figure.alt.count(";" if language == "en" else "；") == 5
    ledger = views.weights(context, answers, weighed)
    settings = shown(ledger, Table)[0].settings
    assert ("cells of region and age" if language == "en" else "无回答调整") in settings
    assert ("generalised regression" if language == "en" else "广义回归") in settings
    assert {row["step"] for row in ledger.numbers["weighting"]["steps"]} == set(weighed.table()["step"])
    said = [f.text for f in shown(cleaning_views.ledger(context, answers), Finding)]
    assert any("60" in text and ("did not respond" in text or "未回答" in text) for text in said)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_the_study_let_pass_is_a_caution(language: str, study: Callable[..., Study]) -> None:
    frame = table()
    frame.loc[frame.index[:2], "age"] = ""
    made = study({"rake": {"age": {"old": 0.4, "young": 0.3, "child": 0.3}}, "empty": "drop", "missing": "keep"}, frame,
                 language=language)
    answers = cleaned(made)
    cautions = [f.text for f in shown(views.weights(Context(made), answers, weigh(answers)), Finding)
                if f.role == "caution"]
    assert len(cautions) == 2 and "child" in cautions[0] and "30%" in cautions[0] and "2" in cautions[1]


def test_small_categories_are_hidden(study: Callable[..., Study]) -> None:
    frame = table()
    frame.loc[frame.index[:3], "age"] = "child"
    made = study({"rake": {"age": {"old": 0.4, "young": 0.58, "child": 0.02}}}, frame)
    answers = cleaned(made)
    view = views.margins(Context(made), answers, weigh(answers))
    assert "child" not in shown(view, Figure)[0].alt
    row = shown(view, Table)[0].columns[0].cells.index("Age: child")
    # and the next smallest, or subtraction would tell it
    for at in (row, shown(view, Table)[0].columns[0].cells.index("Age: young")):
        assert [c.cells[at] for c in shown(view, Table)[0].columns[2:]] == [Context(made).words("format.hidden")] * 2
    margins = views.weights(Context(made), answers, weigh(answers)).numbers["weighting"]["margins"]
    assert [np.isnan(m["before"]) for m in margins] == [True, False, True]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_design_effect_is_shown_as_a_product(language: str, study: Callable[..., Study]) -> None:
    context = Context(study({}, language=language))
    found = pd.DataFrame({"construct": ["A", "B"], "n": [90, 96], "n_eff": [50.0, 40.0], "deff": [1.8, 2.4],
                          "weighting": [1.2, 1.25], "clustering": [1.5, 1.92]})
    view = views.deff_split(context, found)
    made, = shown(view, Table)
    assert "B" in made.title and "2.40" in made.title and "1.92" in made.title
    assert [c.cells[0] for c in made.columns] == ["A", "90", "1.20", "1.50", "1.80", "50"]
    assert view.numbers["deff_split"][1]["clustering"] == 1.92
    assert not views.deff_split(context, found[:0]).shown and not views.margins(
        context, cleaned(context.study), weigh(cleaned(context.study))).shown
