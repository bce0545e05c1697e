"""The stand-in for kernels tells the same story as kernels do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Published
from quick import run_here
from test_run import hashes

from tcslib.run import pipeline
from tcslib.run.store import read_json
from tcslib.study.load import load


def shown(notebook: Path) -> list[dict[str, Any]]:
    """What each output of an executed notebook holds, HTML in lines or whole; plain text names folders."""
    outputs = (o for c in read_json(notebook)["cells"] if c["cell_type"] == "code" for o in c["outputs"])
    return [{kind: "".join(held) if kind == "text/html" else held for kind, held in output["data"].items()
             if kind != "text/plain"} for output in outputs]


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
        here, kernel = (shown(folder / wave / "log" / f"{name}.ipynb") for folder in (tmp_path, demo_report.out))
        assert here == kernel and any(here), name
