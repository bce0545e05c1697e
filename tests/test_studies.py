"""Whole studies, from the survey file to the published report."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from quick import run_here

from tcslib.study.load import load

STUDIES = Path(__file__).resolve().parent / "studies"


@pytest.fixture(scope="module")
def mobi(shared, tmp_path_factory) -> tuple[dict, str]:
    """results.json and the page of the ECSI study on real interviews, run end to end."""
    root = tmp_path_factory.mktemp("mobi study")
    shutil.copytree(STUDIES / "mobi", root / "params" / "mobi")
    (root / "data" / "raw" / "mobi").mkdir(parents=True)
    shutil.copy(shared / "data" / "mobi.csv", root / "data" / "raw" / "mobi" / "mobi.csv")
    done = run_here(load(root / "params" / "mobi" / "2005.yaml"))
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


# -- San Francisco Airport, three waves -----------------------------------------------------------------------------

SFO = {2013: ("Q7O_WHOLE", 3.984471, 1.230608), 2014: ("Q7ALL", 4.006966, 1.371840),
       2015: ("Q7ALL", 4.044173, 1.409488)}


def sfo_root(shared: Path, root: Path) -> Path:
    shutil.copytree(STUDIES / "sfo", root / "params" / "sfo")
    (root / "data" / "raw" / "sfo").mkdir(parents=True)
    for year in SFO:
        shutil.copy(shared / "data" / f"sfo_{year}.csv", root / "data" / "raw" / "sfo")
    return root


@pytest.fixture(scope="module")
def airport(shared, tmp_path_factory) -> Path:
    """The passengers' survey, its root."""
    return sfo_root(shared, tmp_path_factory.mktemp("sfo study"))


@pytest.fixture(scope="module")
def sfo(airport) -> dict[int, dict]:
    """results.json of 2013, 2014 and 2015, run one after another."""
    root, out = airport, {}
    for year in SFO:
        done = run_here(load(root / "params" / "sfo" / f"{year}.yaml"))
        assert done.new and not done.dropped
        out[year] = json.loads((done.report.parent / "results.json").read_text(encoding="utf-8"))
    return out


@pytest.mark.shared
@pytest.mark.slow
def test_sfo_means_and_design_effects(sfo):
    """The weighted mean of the ratings 1-5 of the airport as a whole, and Kish's deff of the weights of those who gave
    one: computed apart by Σwx/Σw and nΣw²/(Σw)² on the published files, to 1e-6."""
    for year, (column, mean, deff) in SFO.items():
        item = next(i for i in sfo[year]["items"] if i["construct"] == "Overall")
        assert item["item"] == column
        assert item["mean"] == pytest.approx(mean, abs=1e-6) and item["deff"] == pytest.approx(deff, abs=1e-6)


@pytest.mark.shared
@pytest.mark.slow
def test_sfo_trend_over_three_waves(sfo):
    """One question, so the score is its mean on 0-100 in every wave, whatever it was called."""
    trend = sfo[2015]["trend"]
    assert [row["wave"] for row in trend] == ["2013", "2014", "2015"]
    for row, (_, mean, _) in zip(trend, SFO.values(), strict=True):
        assert row["score"] == pytest.approx((mean - 1) / 4 * 100, abs=1e-4)
    for before, row in pairwise(trend):
        assert row["change"] == pytest.approx(row["score"] - before["score"], abs=1e-9)
        # drawn apart: the variances add
        assert row["change_se"] == pytest.approx((before["se"] ** 2 + row["se"] ** 2) ** 0.5, rel=0.08)
        assert row["detectable"] == pytest.approx(2.8 * row["change_se"], rel=0.02) and row["marks"] == []
    assert sfo[2014]["trend"] == [
        {**row, **{k: pytest.approx(row[k], rel=0.1) for k in ("se", "change_se", "low", "high", "change_low",
                                                                "change_high", "detectable") if row[k] is not None}}
        for row in trend[:2]]


@pytest.mark.shared
@pytest.mark.parametrize(("year", "old", "new", "said"), [
    (2013, "missing_codes: {0: skipped, 6: no_experience}", "missing_codes: {0: skipped}",
     r'sfo_2013.csv: column "Q7A_ART": .*lie outside 1-5 \(6; .*declare the codes under missing_codes'),
    (2014, "  Q7ALL: {was: Q7O_WHOLE}\n", "", "changes.Q7ALL: 2013 did not ask it"),
    (2013, "Overall: [Q7O_WHOLE]", "Overall: [Q7ALL]", 'column "Q7ALL" .* is missing')])
def test_sfo_refuses_what_is_not_declared(airport, sfo, tmp_path, year, old, new, said):
    """An undeclared code, a renamed item that nobody declared, a column of another year."""
    from tcslib.errors import InputRefused

    root = tmp_path / "project"
    shutil.copytree(airport, root)
    for folder in (root / "reports" / "sfo", root / "data" / "processed" / "sfo"):          # the years from this one on
        for later in (folder / str(y) for y in SFO if y >= year):
            shutil.rmtree(later)
    for path in (root / "params" / "sfo").glob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputRefused, match=said):
        run_here(load(root / "params" / "sfo" / f"{year}.yaml"))
    assert not (root / "reports" / "sfo" / str(year) / "v1").exists()
