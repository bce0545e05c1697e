"""The models that ship: complete in both languages, and estimable on answers made from them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tcslib as tcs
from tcslib.report.context import Context
from tcslib.report.views.structure import paths as paths_view
from tcslib.study.load import Study, load
from tcslib.study.models import cycle_in, preset_names, read_preset

NAMES = ("acsi", "ccsi", "ecsi", "scsb", "tcs")
# our names for the constructs of ../shared/reference/method/models.json
CASES = {"scsb": ("SCSB_1989", {"PerceivedPerformance": "Performance"}),
         "acsi": ("ACSI_1994", {"ACSI": "Satisfaction"}),
         "ecsi": ("ECSI_mobile", {}),
         "ccsi": ("CCSI", {"BrandImage": "Image", "ExpectedQuality": "Expectations", "PerceivedQuality": "Quality",
                           "PerceivedValue": "Value"})}
# where complaints are counted (and not how well they are handled), satisfaction lowers them, and whether those who
# complained stay is left open by the publications
COUNTED = {"scsb", "acsi"}
LOADING = 0.8


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def study_of(name: str, folder: Path, frame: pd.DataFrame | None = None, **more: Any) -> Study:
    """A study of the preset whose file holds ``frame``."""
    answers = folder / "data" / "raw" / "acme" / "answers.csv"
    answers.parent.mkdir(parents=True, exist_ok=True)
    answers.write_text("id\n1\n" if frame is None else frame.to_csv(index=False), encoding="utf-8")
    path = folder / "params" / "acme" / "2026Q3.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"client": "acme", "wave": "2026Q3", "model": {"preset": name},
             "data": {"file": "data/raw/acme/answers.csv", "id": "id"}, **more}
    path.write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    return load(path)


def sign(name: str, source: str, target: str) -> str:
    """The sign a path should have: +, - or +/-."""
    if name in COUNTED and target == "Complaints":
        return "-"
    return "+/-" if name in COUNTED and source == "Complaints" else "+"


def answers_of(study: Study, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Answers from the model as a factor model: every loading .8; predecessors explain some half of a construct."""
    model, questionnaire, out = study.model, study.questionnaire, {}
    latent: dict[str, np.ndarray] = {}
    for construct in model.constructs:
        before = [s for s, t in model.paths if t == construct.name]
        signs = {s: 1 if sign(model.preset, s, construct.name) == "+" else -1 for s in before}
        pull = sum((signs[s] * latent[s] for s in before), np.zeros(n))
        if before:
            pull = math.sqrt(0.5) * pull / pull.std() + math.sqrt(0.5) * rng.standard_normal(n)
        else:
            pull = rng.standard_normal(n)
        latent[construct.name] = pull
        for item in construct.items:
            x = LOADING * pull + math.sqrt(1 - LOADING ** 2) * rng.standard_normal(n)
            low, high = questionnaire[item].scale.low, questionnaire[item].scale.high
            if (low, high) == (0, 1):
                out[item] = (x > 0.8).astype(int)                                  # one in five complains
            elif high == 100:
                out[item] = np.clip(np.rint(15 + 8 * x), 0, 100).astype(int)
            else:
                out[item] = np.clip(np.rint(7 + 1.7 * x), low, high).astype(int)
    return pd.DataFrame(out).astype(object)


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_said_in_both_languages(name: str) -> None:
    given = read_preset(name)
    texts = [given["name"], given["status"], *(c[key] for c in given["constructs"].values() for key in
                                               ("label", "action"))]
    texts += [{k: v for k, v in item.items() if k in {"en", "zh"}} for c in given["constructs"].values()
              for item in c["items"].values()]
    for text in texts:
        assert set(text) == {"en", "zh"} and all(text.values())
        assert is_chinese(text["zh"]) and not is_chinese(text["en"])
    said = [item["zh"] for c in given["constructs"].values() for item in c["items"].values()]
    assert len(set(said)) >= len(said) - 1          # a question has words of its own
    assert given["source"]


def test_these_are_all() -> None:
    assert preset_names() == list(NAMES)
    from tcslib.study.params import ModelParams

    assert all(name in str(ModelParams.model_fields["preset"].description) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_resolves(name: str, tmp_path: Path) -> None:
    model = study_of(name, tmp_path).model
    assert cycle_in(model.paths) == [] and len(model.paths) == len(set(model.paths))
    assert not model.adapted and model.title and model.source and model.status
    order = model.names.index
    assert all(order(source) < order(target) for source, target in model.paths)          # causes first


@pytest.mark.parametrize("name", CASES)
def test_structure_and_scales_are_those_of_the_reference(name: str, shared: Path, tmp_path: Path) -> None:
    """../shared/reference/method/models.json: constructs, numbers of items, scales, paths and their signs."""
    key, ours = CASES[name]
    case = json.loads((shared / "reference" / "method" / "models.json").read_text(encoding="utf-8"))[key]
    study = study_of(name, tmp_path)
    model = study.model
    assert [ours.get(lv, lv) for lv in case["lvs"]] == model.names
    assert [len(items) for items in case["lvs"].values()] == [len(c.items) for c in model.constructs]
    assert [(ours.get(s, s), ours.get(t, t)) for s, t, _ in case["paths"]] == list(model.paths)
    for source, target, expected in case["paths"]:
        pair = (ours.get(source, source), ours.get(target, target))
        assert sign(name, *pair) == expected
    if name != "ecsi":          # whose list holds no scales
        ends = {"1-10": (1, 10), "0/1": (0, 1), "pct": (0, 100)}
        wanted = [ends[item[3]] for items in case["lvs"].values() for item in items]
        assert [(study.questionnaire[i].scale.low, study.questionnaire[i].scale.high) for i in model.items] == wanted


@pytest.mark.parametrize("name", NAMES)
def test_answers_made_from_a_preset_are_estimated_with_the_expected_signs(name: str, tmp_path: Path) -> None:
    """600 answers, each construct half explained by its predecessors in equal parts: every sign must be clear."""
    rng = np.random.default_rng([20261005, NAMES.index(name)])
    frame = answers_of(study_of(name, tmp_path), 600, rng)
    seldom = [i for i in frame.columns if i.startswith(("ENQ", "REP"))]
    frame.loc[rng.random(600) < 0.4, [i for i in seldom if i.startswith("ENQ")]] = ""
    frame.loc[rng.random(600) < 0.6, [i for i in seldom if i.startswith("REP")]] = ""
    frame.insert(0, "id", [f"r{row:03d}" for row in range(600)])
    study = study_of(name, tmp_path, frame)
    answers = tcs.clean(tcs.read(study), study)
    assert answers.n == 600
    for item in seldom:
        assert set(answers.kinds[item]) == {"", "not_asked"}
    fit = tcs.pls(answers, study.model, replicates=tcs.replicate(answers, 200, 1))
    for row in fit.paths().itertuples():
        expected = sign(name, row.source, row.target)
        assert expected == "+/-" or (row.high < 0 if expected == "-" else row.low > 0), (row.source, row.target)
    index = tcs.index(fit)
    assert index.of("Satisfaction")["estimate"] == pytest.approx(100 * (7 - 1) / 9, abs=3)
    if name in COUNTED:
        assert index.of("Complaints")["estimate"] == pytest.approx(21, abs=5)          # P(x > .8) = .212


def settings_of(study: Study, answers: Any) -> str:
    fit = tcs.pls(answers, study.model, replicates=tcs.replicate(answers, 64, 1))
    shown = {getattr(s, "name", ""): s for s in paths_view(Context(study), fit).shown}
    return str(shown["paths"].settings)


def test_the_page_says_where_the_model_comes_from_and_how_sure_it_is(tmp_path: Path) -> None:
    first = study_of("ccsi", tmp_path)
    frame = answers_of(first, 300, np.random.default_rng(3))
    frame.insert(0, "id", [f"r{row:03d}" for row in range(300)])
    study = study_of("ccsi", tmp_path, frame)
    answers = tcs.clean(tcs.read(study), study)
    said = settings_of(study, answers)
    assert "China Customer Satisfaction Index (CCSI)" in said and "which eleven is not openly published" in said
    assert "Source: 质量专业理论与实务." in said and "changed by this study" not in said

    paths = [*map(list, study.model.paths), ["Expectations", "Satisfaction"]]          # the usual twelfth
    changed = study_of("ccsi", tmp_path, frame, model={"preset": "ccsi", "paths": paths})
    assert changed.model.adapted and "changed by this study" in settings_of(changed, answers)

    own = study_of("ccsi", tmp_path, frame, model={
        "constructs": {"A": ["IMG1", "IMG2"], "B": ["SAT1", "SAT2"]}, "paths": [["A", "B"]], "target": "B"})
    assert "the study's own constructs and paths" in settings_of(own, tcs.clean(tcs.read(own), own))


@pytest.mark.parametrize("model", [{"preset": "ecsi", "without": ["Complaints"]},
                                   {"preset": "ecsi", "constructs": {"Image": ["A1", "A2"]}},
                                   {"preset": "ecsi", "constructs": {"Image": {"mode": "B"}}}])
def test_a_changed_preset_is_told_apart(model: dict[str, Any], tmp_path: Path) -> None:
    assert study_of("ecsi", tmp_path, model=model).model.adapted
    worded = {"preset": "ecsi", "constructs": {"Image": {"label": "Reputation", "action": "Polish it"}}}
    assert not study_of("ecsi", tmp_path, model=worded).model.adapted
