"""Cleaned data out: what other programs read from the files is what the report was computed from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from conftest import ROOT, MakeStudy, Published
from test_bad_input import QUIET

import tcslib as tcs
from tcslib.errors import InputRefused
from tcslib.fieldwork.reading import read
from tcslib.run.export import export_data, spss_names
from tcslib.study.load import Study, load


def mean(values: pd.Series, weights: pd.Series) -> float:
    """Weighted mean of what is not missing."""
    there = values.notna()
    return float(np.average(values[there], weights=weights[there]))


def processed(path: Path) -> tuple[Study, Path, Any]:
    """What the notebooks leave of a study's run that an export needs, and the index."""
    study = load(path)
    folder = study.root / "data" / "processed" / study.params.client / study.params.wave
    second = tcs.stage(str(path), "", str((folder / "2_cleaning").relative_to(study.root)))
    raw = tcs.read(study)
    answers = tcs.clean(raw, study)
    second.save("answers", answers)
    second.save("weights", tcs.weigh(answers).weights)
    second.save("labels", {"columns": raw.labels, "values": raw.value_labels})
    second.close()
    fourth = tcs.stage(str(path), "", str((folder / "4_structural_model").relative_to(study.root)))
    index = tcs.index(tcs.pls(answers, study.model, replicates=tcs.replicate(answers, 50, 1)))
    fourth.save("scores", tcs.respondent_scores(index))
    fourth.close()
    return study, folder, index


def test_weights_and_scores_alone_give_the_index(shared: Path, make_study: MakeStudy) -> None:
    """No answer is missing here, so that the weighted mean of the respondents' scores is the index."""
    path = make_study(shared / "badinputs" / "000_good_base.csv",
                      {"weighting": {"rake": {"gender": {"F": 0.6, "M": 0.4}}, "trim": 3.0}})
    study, folder, index = processed(path)
    sav, csv, codebook, xlsx = export_data(study, folder)
    assert [p.name for p in (sav, csv, codebook, xlsx)] == [f"acme-2026Q3{end}" for end in (
        ".sav", ".csv", "-codebook.csv", ".xlsx")] and sav.parent == folder / "export"
    frames = [pyreadstat.read_sav(str(sav))[0], pd.read_csv(csv, encoding="utf-8-sig"),
              pd.read_excel(xlsx, engine="calamine")]
    estimates = index.table().set_index("construct")["estimate"]
    for frame in frames:
        assert len(frame) == 250 and list(frame.columns) == list(frames[0].columns)
        assert "verbatim" not in frame.columns
        for name in study.model.names:
            assert mean(frame[f"score_{name}"], frame["weight_final"]) == pytest.approx(estimates[name], rel=1e-12)
        for item, expected in zip(study.model.items, index.fit.inference.estimate["mean"], strict=True):
            assert mean(frame[item], frame["weight_final"]) == pytest.approx(expected, rel=1e-12)
        assert frame.groupby("gender")["weight_final"].sum()["F"] / frame["weight_final"].sum() == pytest.approx(0.6)
    names = pd.read_csv(codebook, encoding="utf-8-sig")["Variable"].tolist()
    assert names == list(frames[0].columns)
    before = [p.read_bytes() for p in (sav, csv, codebook, xlsx)]
    assert [p.read_bytes() for p in export_data(study, folder)] == before
    assert not list(folder.glob(".export-*"))


def coded(tmp_path: Path) -> Path:
    """A SAV of 60 interviews with coded, labelled regions, a reversed item, a percentage, texts like formulas."""
    rng = np.random.default_rng(3)
    level = rng.normal(6, 2, 60)
    items = {name: np.clip(np.round(level + rng.normal(0, 1, 60)), 1, 10) for name in ("A1", "A2", "B1", "B2")}
    frame = pd.DataFrame({"编号": [f"R{i}" for i in range(60)], **items, "region": rng.integers(1, 3, 60).astype(float),
                          "plan": ["=1+1", "-x", "Basic"] * 20, "why": ["because"] * 60})
    frame["A2"] = 11 - frame["A2"]
    frame["B2"] = frame["B2"] * 10
    frame.loc[0, "A1"], frame.loc[1, "A1"], frame.loc[2, "A2"], frame.loc[3, "B1"] = 999, 998, np.nan, 77
    path = tmp_path / "answers.sav"
    pyreadstat.write_sav(frame, str(path), column_labels={"A1": "质量", "region": "地区", "B2": "Share"},
                         variable_value_labels={"region": {1: "西部", 2: "东部"}}, missing_ranges={"B1": [77]})
    return path


CODED: dict[str, Any] = {
    "model": {"constructs": {"A": ["A1", "A2"], "B": ["B1", "B2"]}, "paths": [["A", "B"]], "target": "B",
              "loyalty": None},
    "items": {"A2": {"text": "Trouble", "reversed": True}, "B2": {"scale": "percent"}},
    "missing_codes": {"999": "no_experience", "998": "dont_know"}, "design": None, "data": {"id": "编号"},
    "compare": {"segments": ["region", "plan"]}, "report": {"verbatims": ["why"]}}


def test_labels_and_kinds_of_missing(make_study: MakeStudy, tmp_path: Path) -> None:
    study, folder, _ = processed(make_study(coded(tmp_path), CODED))
    sav, csv, codebook, xlsx = export_data(study, folder)
    frame, meta = pyreadstat.read_sav(str(sav), user_missing=True)
    labels = meta.column_names_to_labels
    assert list(frame.columns)[:5] == ["编号", "A1", "A2", "B1", "B2"] and "why" not in frame.columns
    assert labels["A1"] == "质量" and labels["region"] == "地区" and labels["score_A"] == "A, score from 0 to 100"
    assert labels["A2"] == "Trouble (turned round on 1-10: a high value is a good one)"
    # the study's own codes; the others below them; all above 100, the highest answer there is
    assert frame["A1"].tolist()[:2] == [999, 998] and frame["A2"][2] == 997
    kinds = meta.variable_value_labels["B1"]
    assert kinds[frame["B1"][3]] == "declared missing in the file" and kinds[999.0] == "no experience"
    assert meta.missing_ranges["A1"] == [{"lo": min(kinds), "hi": max(kinds)}] and min(kinds) > 100
    assert meta.variable_value_labels["region"] == {1.0: "西部", 2.0: "东部"}
    assert meta.variable_measure["A1"] == "scale" and meta.variable_measure["region"] == "nominal"
    # as SPSS takes it, user-missing out: the answers as cleaned
    plain, _ = pyreadstat.read_sav(str(sav))
    answers = tcs.clean(read(study), study).answers
    np.testing.assert_array_equal(plain[["A1", "A2", "B1", "B2"]].to_numpy(), answers.to_numpy())
    # no code and no formula in what a spreadsheet opens
    table = pd.read_csv(csv, encoding="utf-8-sig", keep_default_na=False)
    assert table["A1"].tolist()[:2] == ["", ""] and set(table["plan"]) == {"'=1+1", "'-x", "Basic"}
    assert csv.read_bytes().startswith(b"\xef\xbb\xbf") and table["A1"].isin(["", *map(str, range(1, 11))]).all()
    sheets = pd.read_excel(xlsx, sheet_name=None, engine="calamine")
    assert list(sheets) == ["data", "codebook"] and set(sheets["data"]["plan"]) == {"=1+1", "-x", "Basic"}
    row = sheets["codebook"].set_index("Variable").loc["A1"]
    assert row["Label"] == "质量" and "999 = no experience" in row["Missing"]
    table = pd.read_csv(codebook, encoding="utf-8-sig").set_index("Variable")
    assert table.loc["region", "Values"] == "1 = 西部; 2 = 东部"


def test_our_own_reader_takes_the_export_back(make_study: MakeStudy, tmp_path: Path) -> None:
    study, folder, _ = processed(make_study(coded(tmp_path), CODED))
    sav, csv, _, xlsx = export_data(study, folder)
    items = {"A2": {"text": "Trouble"}, "B2": {"scale": "percent"}}
    before = tcs.clean(read(study), study)
    design = {"weights": "weight_final", "strata": "", "clusters": ""}
    for number, path in enumerate((sav, csv, xlsx), 1):
        params = {**CODED, "client": f"again{number}", "items": items, "design": design, "report": None}
        other = make_study(path, params, path.name)
        again = load(other)
        after = tcs.clean(read(again), again)
        np.testing.assert_array_equal(after.answers.to_numpy(), before.answers.to_numpy())
        np.testing.assert_allclose(after.design.weights, tcs.weigh(before).weights, rtol=1e-15)
        if path == sav:
            assert read(again).labels["A1"] == "质量" and read(again).value_labels["region"]["1"] == "西部"


def test_spss_names() -> None:
    long = "质量" * 40
    names = spss_names(["Q 1", "q_1", "Q-1", "1st", "with", "", "_x_", "a.b.", "满意度", long, long, "é!"])
    assert names == ["Q_1", "q_1_2", "Q_1_3", "v_1st", "v_with", "v", "x", "a.b", "满意度", names[9], names[10], "é"]
    assert names[9] == "质量" * 10 + "质" and names[10] == "质量" * 10 + "_2"
    assert all(len(name.encode("utf-8")) <= 64 for name in names) and len({n.casefold() for n in names}) == len(names)


def test_nothing_to_export(make_study: MakeStudy, tmp_path: Path) -> None:
    path = make_study(coded(tmp_path), CODED)
    study = load(path)
    folder = study.root / "data" / "processed" / "acme" / "2026Q3"
    with pytest.raises(InputRefused, match=r"^acme/2026Q3: no finished run of it has left its data\. Run `tcs run"):
        export_data(study, folder)
    assert not folder.exists()
    study, folder, _ = processed(path)
    scores = pd.read_parquet(folder / "4_structural_model" / "scores.parquet")
    scores.iloc[1:].to_parquet(folder / "4_structural_model" / "scores.parquet")
    with pytest.raises(InputRefused, match="its stages are of different runs"):
        export_data(study, folder)
    assert not (folder / "export").exists()
    for words, said in ((["report", "acme/2026Q4", "--data"], "there is no such run."),):
        done = subprocess.run([sys.executable, "-m", "tcslib", *words], cwd=tmp_path, capture_output=True, env=QUIET,
                              encoding="utf-8")
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_demo_exported(demo_report: Published) -> None:
    done = subprocess.run([sys.executable, "-m", "tcslib", "report", "demo/2026Q3", "--data", "--out",
                           str(demo_report.out)], cwd=ROOT, capture_output=True, env=QUIET, encoding="utf-8")
    assert done.returncode == 0 and not done.stderr, done.stderr
    sav, *others = map(Path, done.stdout.splitlines())
    assert all(path.is_file() and "reports" not in path.relative_to(demo_report.out).parts for path in (sav, *others))
    found = demo_report.results
    frame, meta = pyreadstat.read_sav(str(sav))
    own = frame[frame["in_domain"] == 1]
    assert len(own) == found["n"] and "COMMENT" not in frame
    for item in found["items"]:
        assert mean(own[item["item"]], own["weight_final"]) == pytest.approx(item["mean"], rel=1e-12)
    # the index by its formula, from the exported answers and weights and the published shares
    shares = found["index"]["outer_weights"]
    index = sum(share * (mean(own[item], own["weight_final"]) - 1) / 9 * 100 for item, share in shares.items())
    assert index == pytest.approx(found["index"]["score"], rel=1e-12)
    # respondents' scores spread a missing answer's share over the others, the moments leave it out: close, not equal
    for construct in found["constructs"]:
        of_rows = mean(own[f"score_{construct['name']}"], own["weight_final"])
        assert of_rows == pytest.approx(construct["score"], abs=0.3)
    assert frame["resp_id"].str.len().eq(18).all() and meta.variable_value_labels["CUSA1"][99.0] == "no experience"
    assert json.dumps(found).find(frame["resp_id"][0]) < 0
