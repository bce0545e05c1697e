"""The stand-in for kernels tells the same story as kernels do."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import ROOT, Published
from quick import run_here
from test_run import hashes

from tcslib.run import pipeline
from tcslib.run.store import read_json
from tcslib.study.load import load


@pytest.mark.slow
def test_without_kernels_the_report_is_the_same_to_the_byte(demo_report: Published, tmp_path: Path) -> None:
    """Page, results, tables and manifest of the demo; what other tests run in this way is what a kernel would run."""
    wave = "data/processed/demo/2026Q2"
    done = run_here(load(ROOT / "params/demo/2026Q2.yaml"), tmp_path)
    assert done.new and not done.dropped
    assert hashes(done.report.parent) == hashes(demo_report.out / "reports/demo/2026Q2/v1")
    for name in pipeline.STAGES:
        stages = (folder / wave / name / "numbers.json" for folder in (tmp_path, demo_report.out))
        assert len({path.read_bytes() for path in stages}) == 1, name
        here, kernel = (read_json(folder / wave / "log" / f"{name}.ipynb")["cells"] for folder in
                        (tmp_path, demo_report.out))
        shown = [[o["data"] for c in cells if c["cell_type"] == "code" for o in c["outputs"]]
                 for cells in (here, [c for c in kernel if "injected-parameters" not in c["metadata"].get("tags", [])])]
        assert shown[0] == shown[1]
