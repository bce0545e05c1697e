"""Standard errors after calibration: the whole calibration block of R survey 4.1-1, through the steps' residuals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from survey_numbers import Walk, golden, said, schools

from tcslib.inference.descriptive import mean, proportion, total
from tcslib.inference.linearization import Sample, sample_of, variance_of_total
from tcslib.survey.responses import Responses, WeightingPlan

plans = pytest.importorskip("tcslib.survey.weighting", reason="calibration steps are not there yet")

TYPES = {"E": 4421.0, "H": 755.0, "M": 1018.0}
MET = {"No": 1072.0, "Yes": 5122.0}
CALIBRATED = {
    "calibrate_linear_stype": {},
    "calibrate_linear_stype_api99": {"totals": {"api99": 3914069.0}},
    "calibrate_raking_stype_api99": {"totals": {"api99": 3914069.0}, "method": "exponential"},
    "calibrate_logit_bounds_0.5_2.5": {"totals": {"api99": 3914069.0}, "method": "logit", "bounds": (0.5, 2.5)},
    "calibrate_linear_bounds_0.5_2.5": {"totals": {"api99": 3914069.0}, "method": "truncated", "bounds": (0.5, 2.5)},
    "calibrate_raking_stype_schwide_api99": {"totals": {"api99": 3914069.0}, "method": "exponential"},
    "strat_calibrate_linear_stype_api99": {"totals": {"api99": 3914069.0}},
}


def plan_of(name: str, record: dict[str, Any]) -> WeightingPlan:
    """The steps R took, in the words of the study."""
    if name == "postStratify_stype":
        return WeightingPlan(post_stratify=(plans.PostStrata(("stype",), TYPES),), population=6194)
    if name == "postStratify_stype_x_compimp":
        cells = {f"{c['stype']} × {c['comp.imp']}": float(c["Freq"]) for c in record["pop"]}
        return WeightingPlan(post_stratify=(plans.PostStrata(("stype", "comp.imp"), cells),), population=6194)
    if name == "rake_stype_schwide":
        return WeightingPlan(rake={"stype": TYPES, "sch.wide": MET}, population=6194)
    shares = {"stype": TYPES}
    if "schwide" in name:          # R's own counts, from the population file
        pop = record["pop"]
        shares = {"stype": {"E": pop["(Intercept)"] - pop["stypeH"] - pop["stypeM"], "H": pop["stypeH"],
                            "M": pop["stypeM"]},
                  "sch.wide": {"No": pop["(Intercept)"] - pop["sch.wideYes"], "Yes": pop["sch.wideYes"]}}
        options = CALIBRATED[name] | {"totals": {"api99": float(pop["api99"])}}
        return WeightingPlan(calibrate=plans.Calibration(shares, **options), population=pop["(Intercept)"])
    return WeightingPlan(calibrate=plans.Calibration(shares, **CALIBRATED[name]), population=6194)


def sample(shared: Path, respond: Any, name: str, record: dict[str, Any]) -> tuple[pd.DataFrame, Sample]:
    """The design R calibrated, with the same steps."""
    api, design = schools(shared, "strat_fpc" if name.startswith("strat") else "clus1_fpc")
    bare: Responses = respond(api[["api00", "enroll"]].set_axis(api["snum"].astype(str)))
    background = pd.DataFrame({c: api[c].astype(str) for c in ("stype", "sch.wide", "comp.imp", "api99")}).set_axis(
        bare.answers.index)
    return api, sample_of(replace(bare, design=design, background=background, weighting=plan_of(name, record)))


def test_every_standard_error_of_the_calibration_block(shared: Path, respond: Any) -> None:
    known = golden(shared, "survey_golden")["calibration"]
    walk, met = Walk(), 0
    for name, record in known.items():
        if not isinstance(record, dict) or "mean_api00" not in record:
            continue          # what only weights tell, or words
        api, steps = sample(shared, respond, name, record)
        by_id = pd.Series(steps.weights, steps.design.ids[steps.design.order])
        found = {"w": {"weights": by_id[[str(k) for k in record["key"]]].to_numpy()},
                 "mean_api00": said(mean(steps, api["api00"]), ["api00"], deff=False),
                 "total_enroll": said(total(steps, api["enroll"]), ["enroll"], deff=False),
                 "prop_stype": said(proportion(steps, api["stype"]), ["stypeE", "stypeH", "stypeM"], deff=False)}
        record = {k: v for k, v in record.items() if k in found} | {"w": {"weights": record["w"]["weights"]}}
        walk.compare(record, found, name)
        met += 1
    assert not walk.faults, "\n".join(walk.faults)
    assert met == 10 and walk.count == 2157 and walk.worst < 1e-10


def test_calibration_to_known_shares_leaves_them_no_variance(shared: Path, respond: Any) -> None:
    """Closed form: the total of a calibrated count is the count."""
    record = golden(shared, "survey_golden")["calibration"]["postStratify_stype"]
    api, steps = sample(shared, respond, "postStratify_stype", record)
    counts = total(steps, pd.get_dummies(api["stype"]))
    assert counts.estimate == pytest.approx(list(TYPES.values()), rel=1e-9)
    assert counts.se == pytest.approx(np.zeros(3), abs=1e-6)


def test_each_row_keeps_its_own_base_weight(shared: Path, respond: Any) -> None:
    """Rows of one district and one type of school that were drawn with unequal chances, by the closed form.

    Post-stratified, z = g w (y - ȳ of the cell) with w the row's base weight (Holt & Smith 1979).
    """
    api, design = schools(shared, "clus1_nofpc")
    w = pd.Series(np.random.default_rng(1).uniform(1, 9, len(api)))
    bare: Responses = respond(api[["api00"]].set_axis(api["snum"].astype(str)))
    background = pd.DataFrame({"stype": api["stype"].astype(str)}).set_axis(bare.answers.index)
    plan = WeightingPlan(post_stratify=(plans.PostStrata(("stype",), TYPES),), population=6194)
    design = replace(design, weights=w.to_numpy())
    found = total(sample_of(replace(bare, design=design, background=background, weighting=plan)), api["api00"])
    in_cell = w.groupby(api["stype"]).transform("sum")
    g = api["stype"].map(TYPES) / in_cell
    centred = api["api00"] - (api["api00"] * w).groupby(api["stype"]).transform("sum") / in_cell
    assert found.estimate[0] == pytest.approx((g * w * api["api00"]).sum(), rel=1e-12)
    assert found.se[0] ** 2 == pytest.approx(variance_of_total((g * w * centred).to_numpy()[:, None], design)[0, 0],
                                             rel=1e-9)
