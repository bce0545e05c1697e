"""Designs as a study states them: from the parameters and the file to standard errors, and refused in a line.

The school data of R's survey package (shared/data/survey) and its numbers (survey_golden.json, R survey 4.1-1).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import MakeStudy

from tcslib.errors import InputRefused
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.inference.infer import infer_rows
from tcslib.inference.replicates import Replicates, replicate
from tcslib.run.store import load_responses, save_responses
from tcslib.study.load import load
from tcslib.survey.responses import Responses

MODEL = {"constructs": {"Now": ["api00"], "Before": ["api99"]}, "paths": [["Before", "Now"]], "target": "Now",
         "loyalty": None}
Change = Callable[[pd.DataFrame], pd.DataFrame]
Prepared = Callable[..., tuple[Responses, Replicates]]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "reference" / "survey" / "survey_golden.json").read_text(encoding="utf-8"))


@pytest.fixture
def schools(shared: Path, make_study: MakeStudy, tmp_path: Path) -> Prepared:
    """``schools("apiclus2", design, replicates)``: a study of that file, cleaned, stored, loaded and replicated."""
    def prepare(file: str, design: dict[str, Any], replicates: dict[str, Any],
                change: Change | None = None, **more: Any) -> tuple[Responses, Replicates]:
        frame = pd.read_csv(shared / "data" / "survey" / f"{file}.csv", dtype=str, keep_default_na=False)
        frame = frame if change is None else change(frame)
        path = make_study(frame.to_csv(index=False), {
            "scale": "200-1000", "model": MODEL, "data": {"id": "snum"},
            "design": {"strata": "", "clusters": "", "weights": "pw"} | design, "replicates": replicates,
            "compare": None, "report": None, "cleaning": {"exclude_at_flags": 9}} | more)
        study = load(path)
        save_responses(tmp_path / "kept", clean(read(study), study))
        kept, r = load_responses(tmp_path / "kept"), study.params.replicates
        return kept, replicate(kept, r.count, r.seed, method=r.method, fay=r.fay, where="study")
    return prepare


def se_of_mean(responses: Responses, replicates: Replicates) -> float:
    found = infer_rows(lambda rows, w, _: {"mean": w @ rows[:, 0] / w.sum(axis=1)}, responses, replicates, ["api00"])
    return float(found.se("mean"))


@pytest.mark.parametrize(("file", "design", "method", "known"), [
    ("apiclus1", {"clusters": "dnum", "fpc": "fpc"}, "jackknife", "jk1_clus1_fpc"),
    ("apistrat", {"strata": "stype", "fpc": "fpc"}, "jackknife", "jkn_strat_fpc"),
    ("apistrat", {"strata": "stype"}, "jackknife", "jkn_strat_nofpc")])
def test_a_stated_design_has_r_s_standard_error(file: str, design: dict[str, str], method: str, known: str,
                                                schools: Prepared, golden: dict[str, Any]) -> None:
    found = se_of_mean(*schools(file, design, {"method": method}))
    assert found == pytest.approx(golden["replicate"][known]["mean_api00"]["se"]["api00"], rel=1e-10)


def test_two_stages_with_their_frame_counts(schools: Prepared, golden: dict[str, Any]) -> None:
    """Schools within districts, both without replacement: nearer to R's own draws than 15% (2,000 of each)."""
    design = {"clusters": "dnum", "fpc": "fpc1", "stages": [{"clusters": "snum", "fpc": "fpc2"}]}
    responses, replicates = schools("apiclus2", design, {"method": "preston"})
    known = golden["replicate"]["preston_mrb_bootstrap_clus2_fpc_2000"]["mean_api00"]["se"]["api00"]
    assert se_of_mean(responses, replicates) == pytest.approx(known, rel=0.15)
    assert replicates.unit_factors(0).shape[1] == len(responses)          # schools receive factors of their own
    assert replicates.df == 40 - 1


def test_replicate_weights_of_the_file(schools: Prepared, golden: dict[str, Any]) -> None:
    """JK1 columns rw01 to rw15, written out from the design, with R's scale including its finite correction."""
    known = golden["replicate"]["jk1_clus1_fpc"]

    def with_columns(frame: pd.DataFrame) -> pd.DataFrame:
        weight = frame["pw"].astype(float)
        kept = {f"rw{k:02d}": weight * np.where(frame["dnum"] == district, 0.0, 15 / 14)
                for k, district in enumerate(frame["dnum"].unique(), 1)}
        return frame.assign(**{name: values.map(repr) for name, values in kept.items()})

    given = {"method": "given", "columns": ["rw01-rw15"], "kind": "jackknife", "scale": known["scale"]}
    responses, replicates = schools("apiclus1", {}, given, with_columns)
    assert se_of_mean(responses, replicates) == pytest.approx(known["mean_api00"]["se"]["api00"], rel=1e-9)
    assert (replicates.count, replicates.df) == (15, 14)          # df is the rank of the columns less one, as in R
    _, told = schools("apiclus1", {}, given | {"df": 9}, with_columns)
    assert told.df == 9


def test_a_lonely_stratum_by_its_rule(schools: Prepared, golden: dict[str, Any]) -> None:
    design = {"strata": "stype", "lonely": "certainty"}
    found = se_of_mean(*schools("api_lonely_psu", design, {"method": "jackknife"}))
    known = golden["lonely_psu"]["certainty"]["se"]
    assert found == pytest.approx(next(iter(known.values())) if isinstance(known, dict) else known, rel=0.01)
    _, joined = schools("api_lonely_psu", {"strata": "stype", "lonely": "collapse"}, {})
    assert joined.design.strata_count == 2
    with pytest.raises(InputRefused, match=r"hold a single sampling unit \(H\).*set design.lonely"):
        schools("api_lonely_psu", {"strata": "stype"}, {})


def test_counts_on_the_frame_must_agree(schools: Prepared) -> None:
    def with_fpc(*values: tuple[int, str]) -> Change:
        return lambda frame: frame.assign(fpc=[dict(values).get(i, v) for i, v in enumerate(frame["fpc"])])

    def fault(design: dict[str, Any], change: Any = None, **replicates: Any) -> str:
        with pytest.raises(InputRefused) as caught:
            schools("apiclus1", design, replicates, change)
        return str(caught.value)

    counts = {"clusters": "dnum", "fpc": "fpc"}
    assert 'column "fpc" (design.fpc) holds 700, 757; one count is expected' in fault(counts, with_fpc((3, "700")))
    share = fault(counts, with_fpc((3, "0.1")))
    assert 'column "fpc" (design.fpc) is 0.1 in 1 record (row 5); the number of units on the frame' in share
    few = fault(counts, lambda frame: frame.assign(fpc="12"))
    assert "15 sampling units came, and column \"fpc\" (design.fpc) says that the frame holds 12" in few


@pytest.mark.parametrize(("design", "replicates", "more", "said"), [
    ({}, {"method": "preston"}, {}, "replicates.method: preston needs the number of sampling units on the frame"),
    ({"clusters": "dnum", "fpc": "fpc", "stages": [{"clusters": "snum"}]}, {}, {},
     "design.stages: later stages add nothing"),
    ({"stages": [{"clusters": "snum"}]}, {}, {}, "design: `stages` follow a first stage"),
    ({}, {"method": "given"}, {}, "replicates: `method: given` and `columns` go together"),
    ({}, {"columns": ["a", "b"]}, {}, "replicates: `method: given` and `columns` go together"),
    ({}, {"method": "given", "columns": ["a", "b"]}, {"weighting": {"trim": 5}}, "weighting: replicate weights given"),
    ({"weights": ""}, {"method": "given", "columns": ["a", "b"]}, {}, "replicates.columns: replicate weights belong"),
    ({}, {"method": "given", "columns": ["a"]}, {}, "replicates: at least two replicate weights"),
    ({"dual_frame": "yes"}, {}, {}, "design.dual_frame: two-phase and dual-frame samples are not offered"),
    ({"clusters": "dnum"}, {"method": "fay"}, {}, "half-samples need exactly two sampling units in every stratum"),
])
def test_designs_that_cannot_be_are_refused_in_a_line(design: dict[str, Any], replicates: dict[str, Any],
                                                      more: dict[str, Any], said: str, schools: Prepared) -> None:
    with pytest.raises(InputRefused) as caught:
        schools("apiclus1", design, replicates, **more)
    assert said in str(caught.value) and "\n" not in str(caught.value)
