"""The notebooks under papermill's own command line, for teams with a scheduler of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_study
from quick import run_here

from tcslib.run.stages import STAGES
from tcslib.simulate import ITEMS, draw_answers
from tcslib.study.load import load

WAVE = "data/processed/acme/2026Q3"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def papermill(root: Path, name: str, *given: str) -> subprocess.CompletedProcess[str]:
    """``papermill notebooks/<name>.ipynb log/<name>.ipynb -p … …`` in the study's root."""
    (root / "log").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "papermill", str(ROOT / "notebooks" / f"{name}.ipynb"), f"log/{name}.ipynb",
               "--no-progress-bar", *given]
    return subprocess.run(command, cwd=root, env=ENVIRONMENT, capture_output=True, encoding="utf-8", timeout=300)


def parameters(stage_in: str, stage_out: str) -> list[str]:
    return [text for pair in (("params", "params/acme/2026Q3.yaml"), ("stage_in", stage_in), ("stage_out", stage_out))
            for text in ("-p", *pair)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 simulated customers of two segments, the preset model, few replicates."""
    root = tmp_path_factory.mktemp("a scheduler's")
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(draw_answers(300, rng), columns=list(ITEMS)).astype(int)
    frame.insert(0, "resp_id", [f"P{k:04d}" for k in range(300)])
    frame["store"], frame["sex"] = rng.integers(0, 30, 300).astype(str), rng.choice(["f", "m"], 300)
    write_study(root, frame.to_csv(index=False), json.dumps({
        "client": "acme", "wave": "2026Q3", "model": {"preset": "ecsi"},
        "data": {"file": "data/raw/acme/answers.csv", "id": "resp_id"}, "design": {"clusters": "store"},
        "replicates": {"count": 64}, "compare": {"segments": ["sex"]}}))
    return root


def numbers_of(folder: Path) -> dict[str, Any]:
    return {name: json.loads((folder / name / "numbers.json").read_text(encoding="utf-8")) for name in STAGES}


@pytest.mark.slow
def test_five_calls_of_papermill_end_with_the_numbers_of_a_run(root: Path, tmp_path: Path) -> None:
    before = ""
    for name in STAGES:
        done = papermill(root, name, *parameters(before, f"{WAVE}/{name}"))
        assert done.returncode == 0, done.stderr
        before = f"{WAVE}/{name}"
    alone = numbers_of(root / WAVE)
    assert all((root / WAVE / name / "done.json").is_file() for name in STAGES)
    assert not (root / "reports").exists()          # the page is the runner's

    assert run_here(load(root / "params" / "acme" / "2026Q3.yaml"), tmp_path).new
    assert alone == numbers_of(tmp_path / WAVE)
    report = tmp_path / "reports" / "acme" / "2026Q3" / "v1" / "results.json"
    results = json.loads(report.read_text(encoding="utf-8"))
    own = {key: value for name in STAGES for key, value in alone[name]["numbers"].items()}
    for key in ("index", "paths", "r2", "total_effects", "loyalty", "segments"):
        assert own[key] == results[key], key


@pytest.mark.slow
def test_a_stage_before_the_one_it_needs_says_so_in_one_line(root: Path) -> None:
    done = papermill(root, STAGES[3], *parameters(f"nowhere/{STAGES[2]}", f"elsewhere/{STAGES[3]}"))
    assert done.returncode != 0
    told = "the stage before has not been run there. Run notebooks/3_measurement_model.ipynb first"
    executed = json.loads((root / "log" / f"{STAGES[3]}.ipynb").read_text(encoding="utf-8"))
    faults = [o for c in executed["cells"] for o in c.get("outputs", []) if o["output_type"] == "error"]
    assert len(faults) == 1 and told in faults[0]["evalue"] and len(faults[0]["traceback"]) == 1
    assert told in done.stderr
    assert not (root / "elsewhere" / STAGES[3] / "done.json").exists()


@pytest.mark.slow
def test_a_folder_of_another_name_is_not_searched_for_what_stage_2_left(root: Path) -> None:
    """What an earlier stage left is looked for beside ``stage_in`` under the notebooks' names, as README says."""
    before = root / "own" / "measured"
    before.mkdir(parents=True)
    (before / "done.json").write_text("{}", encoding="utf-8")
    done = papermill(root, STAGES[3], *parameters("own/measured", f"own/{STAGES[3]}"))
    assert done.returncode != 0 and 'own/measured: no earlier stage left "answers"' in done.stderr
