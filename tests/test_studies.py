"""Whole studies, from the survey file to the published report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tcslib.run.pipeline import run
from tcslib.study.load import load

STUDIES = Path(__file__).resolve().parent / "studies"


@pytest.fixture(scope="module")
def mobi(shared, tmp_path_factory) -> tuple[dict, str]:
    """results.json and the page of the ECSI study on real interviews, run end to end."""
    root = tmp_path_factory.mktemp("mobi study")
    shutil.copytree(STUDIES / "mobi", root / "params" / "mobi")
    (root / "data" / "raw" / "mobi").mkdir(parents=True)
    shutil.copy(shared / "data" / "mobi.csv", root / "data" / "raw" / "mobi" / "mobi.csv")
    done = run(load(root / "params" / "mobi" / "2005.yaml"), say=lambda line: None)
    assert done.new and not done.dropped
    return (json.loads((done.report.parent / "results.json").read_text(encoding="utf-8")),
            done.report.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def seminr(shared) -> dict:
    """SEMinR 2.3.4, mode A, path scheme, stop 1e-13 (reference/pls/seminr_ecsi.json)."""
    return json.loads((shared / "reference/pls/seminr_ecsi.json").read_text(encoding="utf-8"))["ecsi_modeA_path"]


def cell(matrix: dict, row: str, column: str) -> float:
    return matrix["values"][matrix["rows"].index(row)][matrix["cols"].index(column)]


@pytest.mark.shared
def test_mobi_published_what_seminr_finds(mobi, seminr):
    found, _ = mobi
    for path in found["paths"]:
        assert path["estimate"] == pytest.approx(cell(seminr["paths"], path["source"], path["target"]), abs=1e-6)
    for item in found["items"]:
        assert item["loading"] == pytest.approx(cell(seminr["loadings"], item["item"], item["construct"]), abs=1e-6)
        assert item["outer_weight"] == pytest.approx(cell(seminr["weights"], item["item"], item["construct"]), abs=1e-6)
        assert item["mean"] == pytest.approx(seminr["indicator_mean"][item["item"]], abs=1e-9)
        assert item["sd"] == pytest.approx(seminr["indicator_sd"][item["item"]], abs=1e-9)
    for construct, r2 in found["r2"].items():
        assert r2 == pytest.approx(cell(seminr["rsq"], "Rsq", construct), abs=1e-6)
    for row in found["constructs"]:
        for ours, theirs in (("alpha", "alpha"), ("rho_c", "rhoC"), ("rho_a", "rhoA"), ("ave", "AVE")):
            if row["name"] != "Complaints":          # a single item: SEMinR prints 1, here it is not defined
                assert row[ours] == pytest.approx(cell(seminr["reliability"], row["name"], theirs), abs=1e-6)
            else:
                assert row[ours] is None


@pytest.mark.shared
def test_mobi_index(mobi):
    """72.454118: an independent solver, path scheme (reference/pls/own_oracle_mobi.json)."""
    assert mobi[0]["index"]["score"] == pytest.approx(72.454118, abs=1e-6)


@pytest.mark.shared
def test_no_sentence_is_false_on_mobi(mobi):
    """What the demo has and this study has not is said to be absent, not described."""
    found, page = mobi
    assert found["nps"] == {} and found["segments"] == [] and found["brands"] == []
    assert "The recommendation question on 0–10 was not asked" in page
    assert "Respondents rated one company only" in page
    assert "treated as if drawn one by one" in page
    assert "no margin of error is claimed" in page and "95% CI" not in page
    assert "No record was left out" in page and "No answer to a model question is missing" in page
    assert "Demo Mobile" not in page and "Rao–Wu" not in page
