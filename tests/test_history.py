"""Earlier waves, found by period from their published runs, on the page and in results.json."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_study
from quick import run_here

from tcslib.errors import InputRefused
from tcslib.report.context import Context
from tcslib.report.summary import summary
from tcslib.report.views.trend import trend as view
from tcslib.run.history import earlier_runs
from tcslib.run.manifest import inputs, run_id
from tcslib.run.pipeline import Done
from tcslib.study.load import load

MODEL = {"constructs": {"Service": ["S1", "S2", "S3"], "Satisfaction": ["A1", "A2"]},
         "paths": [["Service", "Satisfaction"]], "target": "Satisfaction", "loyalty": ""}


def answers(seed: int, names: dict[str, str] | None = None, shift: float = 0.0) -> str:
    rng = np.random.default_rng(seed)
    x = np.clip(np.rint(7 + shift + rng.normal(size=(80, 1)) + rng.normal(size=(80, 5))), 1, 10).astype(int)
    frame = pd.DataFrame(x, columns=["S1", "S2", "S3", "A1", "A2"]).rename(columns=names or {})
    return frame.assign(id=[f"{seed}-{i}" for i in range(80)]).to_csv(index=False, lineterminator="\n")


def study(root: Path, wave: str, data: str, **over: Any) -> Path:
    return write_study(root, data, {"wave": wave, "model": MODEL, "replicates": {"count": 64}, "design": None,
                                    "compare": None, "report": None, "items": {"A1": {"text": "All in all?"}}, **over},
                       name=f"{wave}.csv")


def published(path: Path) -> tuple[Done, dict[str, Any]]:
    done = run_here(load(path))
    return done, json.loads((done.report.parent / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def waves(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    """A project in which 2026Q2 is published."""
    root = tmp_path_factory.mktemp("waves")
    return root, published(study(root, "2026Q2", answers(1)))[1]


def refused(path: Path) -> str:
    with pytest.raises(InputRefused) as fault:
        run_here(load(path))
    assert len(fault.value.lines) == 1
    return fault.value.lines[0]


@pytest.mark.slow
def test_a_wave_is_found_by_its_period(waves) -> None:
    root, before = waves
    path = study(root, "2026Q3", answers(2, shift=1.0), compare={"previous": "2026Q2", "segments": []})
    done, now = published(path)
    first, last = now["trend"]
    # the earlier wave's own index is its row of the trend: it is the base
    assert first["score"] == pytest.approx(before["index"]["score"], abs=1e-9)
    assert last["change"] == pytest.approx(last["score"] - first["score"], abs=1e-9) and last["detectable"] > 0
    page = done.report.read_text(encoding="utf-8")
    assert "since 2026Q2" in page and "acme-2026Q2, " in page
    # found again, and again the same
    assert not run_here(load(path)).new
    # published anew, the earlier wave makes a new version of the later one, which says why
    study(root, "2026Q2", answers(1), compare=None, report={"min_base": 25, "verbatims": []})
    assert published(root / "params/acme/2026Q2.yaml")[0].report.parent.name == "v2"
    again, _ = published(path)
    assert again.report.parent.name == "v2"
    assert "An earlier wave was published anew: 2026Q2." in again.report.read_text(encoding="utf-8")
    # what it kept must be as it was published
    kept = root / "data/processed/acme/2026Q2/kept/v2/definition.json"
    content = kept.read_bytes()
    kept.write_bytes(content.replace(b"0.", b"1.", 1))
    assert "what acme/2026Q2/v2 kept for later waves is not there as it was published. Restore" in refused(path)
    kept.write_bytes(content)
    # a third wave finds both
    third = study(root, "2026Q4", answers(3), compare={"previous": "2026Q3", "segments": []})
    assert [(e.period, e.version) for e in earlier_runs(load(third), root)] == [("2026Q2", "v2"), ("2026Q3", "v2")]


@pytest.mark.slow
def test_a_changed_question_is_refused_until_stated_and_then_marked(waves) -> None:
    root, _ = waves
    renamed = {"A1": "OVERALL"}
    model = {**MODEL, "constructs": {**MODEL["constructs"], "Satisfaction": ["OVERALL", "A2"]}}
    over = {"model": model, "compare": {"previous": "2026Q2", "segments": []},
            "items": {"OVERALL": {"text": "How satisfied, overall?"}}}
    path = study(root, "2027Q1", answers(2, renamed), **over)
    assert refused(path).startswith("params/acme/2027Q1.yaml: changes.OVERALL: 2026Q2 did not ask it. State what it")
    assert not (root / "reports/acme/2027Q1/v1").exists()
    done, now = published(study(root, "2027Q1", answers(2, renamed), **over,
                                changes={"OVERALL": {"was": "A1", "wording": True}}))
    assert now["trend"][-1]["marks"] == ["OVERALL: wording"]
    page = done.report.read_text(encoding="utf-8")
    assert "Satisfaction since 2026Q2: a question was changed" in page
    assert "Changed in 2027Q1: OVERALL (new wording)." in page and ">question changed<" in page
    assert "cannot be told: a question was changed" in page          # the headline does not call it a rise
    assert "▲ 2027Q1" in page and "▲ Satisfaction" in page


def test_a_wave_that_was_never_published(tmp_path) -> None:
    path = study(tmp_path, "2026Q3", answers(2), compare={"previous": "2026Q2", "segments": []})
    said = ("params/acme/2026Q3.yaml: compare.previous: 2026Q2 has no published run to compare with. Run it first: tcs "
            "run acme/2026Q2. Or drop the line.")
    assert refused(path) == said
    checked = subprocess.run([sys.executable, "-m", "tcslib", "check", str(path)], capture_output=True, cwd=ROOT,
                             encoding="utf-8")
    assert checked.returncode == 0 and checked.stdout == "acme/2026Q3: no faults found.\n"
    assert checked.stderr.splitlines()[-1] == f"note: {said}"


def test_the_first_screen_says_what_is_sure(demo_report) -> None:
    """The headline and the line beside the index follow the interval of the change, not its size."""
    context, found = Context(load(ROOT / "params/demo/2026Q3.yaml")), demo_report.results
    for low, high, marks, headline in ((0.1, 5.0, [], "has risen since 2026Q2"), (-5.0, -0.1, [], "has fallen since"),
                                       (-0.1, 5.0, [], "too small to be sure of"), (0.1, 5.0, ["x"], "cannot be told"),
                                       (None, None, [], "too small to be sure of")):
        now = found["trend"][-1] | {"change_low": low, "change_high": high, "marks": marks}
        told = summary(context, found | {"trend": [found["trend"][0], now]})
        assert headline in told["headline"] and "Since 2026Q2" in told["seen"]
    alone = summary(context, found | {"trend": found["trend"][-1:]})
    assert "A change to the next wave shows" in alone["seen"] and "since" not in alone["headline"]
    assert view(context, None).shown[0].text == "The study names no earlier wave to compare with."


def test_the_demos_change_is_near_the_truth(demo_report, expected) -> None:
    """Truth: simulated populations of both waves (reference/demo_truth); within 3.3 standard errors."""
    before, now = (expected("demo_truth", name)["index"]["Satisfaction"]["value"] for name in ("truth_2026Q2", "truth"))
    row = demo_report.results["trend"][-1]
    assert abs(row["change"] - (now - before)) < 3.3 * row["change_se"]
    assert row["change_low"] < now - before < row["change_high"]
    assert demo_report.results["trend_nps"][-1]["change"] is not None


def test_what_nobody_confirmed_stands_among_the_caveats(tmp_path, demo_report) -> None:
    """Marks of a proposal count until they are deleted; the words in quotes, which explain them, do not."""
    for part in ("params/demo", "data/raw/demo"):
        shutil.copytree(ROOT / part, tmp_path / part)
    path = tmp_path / "params/demo/2026Q3.yaml"
    plain, lines = load(path), len(path.read_text(encoding="utf-8").splitlines())
    assert plain.unconfirmed == ()
    with path.open("a", encoding="utf-8") as file:
        file.write('# What was assumed is marked "please confirm".\n# 1-10? please confirm\n# 请确认\n')
    found = load(path)
    assert found.unconfirmed == tuple(f"params/demo/2026Q3.yaml:{lines + k}" for k in (2, 3))
    assert run_id(inputs(found, [])) != run_id(inputs(plain, []))          # confirming makes a version of its own
    for loaded, said in ((found, True), (plain, False)):
        told = summary(Context(loaded), demo_report.results)
        assert ("nobody has confirmed yet: 2" in told["sure"][-1][1]) is said
