"""The five notebooks in a row, each in a kernel of its own, and their report."""

from __future__ import annotations

import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcslib.errors import InputRefused, RunFailed
from tcslib.run.kernels import Kernels
from tcslib.run.manifest import NOTEBOOKS, inputs, run_id
from tcslib.run.publish import point_to_latest, publish, published, sweep
from tcslib.run.stages import STAGES
from tcslib.study.load import Study

if TYPE_CHECKING:
    from jupyter_client.manager import KernelManager

PARAMETERS = ("params", "stage_in", "stage_out")
_RUN, _SECONDS = ".run-", 1800          # a cell that takes longer is taken for hung

Say = Callable[[str], None]


@dataclass(frozen=True)
class Done:
    """A finished run: its report, whether it is new, what the page left out."""

    report: Path
    new: bool
    dropped: tuple[str, ...] = ()


def run(study: Study, out: Path | None = None, say: Say = print) -> Done:
    """Run a study from its file to its report.

    Parameters
    ----------
    out
        Folder for ``data/processed`` and ``reports``; the project's root by default.
    say
        Receives a line whenever a stage ends.

    Raises
    ------
    InputRefused
        When the study, its data or a notebook cannot be used.
    RunFailed
        When a notebook broke, or another run of this wave is at work.
    """
    from filelock import FileLock, Timeout

    base = (out or study.root).resolve()
    processed = base / "data" / "processed" / study.params.client / study.params.wave
    reports = base / "reports"
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in STAGES]
    for notebook in notebooks:
        check_parameters(notebook)
    processed.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(processed / ".lock", timeout=3):
            for left in processed.glob(f"{_RUN}*"):
                shutil.rmtree(left, ignore_errors=True)
            folder = reports / study.params.client / study.params.wave
            sweep(folder)
            made_of = inputs(study, notebooks)
            if same := published(folder, run_id(made_of)):
                point_to_latest(folder)
                return Done(_html(same), new=False)
            return _run(study, processed, reports, notebooks, made_of, say)
    except Timeout:
        raise RunFailed("another run of this wave is at work. Wait until it is done.", study.name) from None


def _html(version: Path) -> Path:
    return next(version.glob("*.html"))


def _run(study: Study, processed: Path, reports: Path, notebooks: list[Path], made_of: Mapping[str, Any], say: Say) -> Done:
    work = processed / f"{_RUN}{uuid.uuid4().hex[:8]}"
    log = processed / "log"
    executed = []
    try:
        (work / "log").mkdir(parents=True)
        with Kernels(len(notebooks), study.root) as kernels:
            for number, notebook in enumerate(notebooks):
                began = time.monotonic()
                stage_in = work / STAGES[number - 1] if number else None
                executed.append(_execute(study, notebook, kernels.take(), stage_in, work / STAGES[number], work / "log",
                                         log))
                say(f"  {number + 1}/{len(notebooks)}  {notebook.stem[2:].replace('_', ' '):<20} "
                    f"{time.monotonic() - began:5.1f} s")
        began = time.monotonic()
        version, dropped = publish(study, work, executed, made_of, reports, STAGES)
        for stage in (*STAGES, "log"):
            shutil.rmtree(processed / stage, ignore_errors=True)
            os.rename(work / stage, processed / stage)
        say(f"  report {'':<19} {time.monotonic() - began:5.1f} s")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return Done(_html(version), True, tuple(dropped))


def check_parameters(notebook: Path) -> None:
    """Refuse a notebook that does not declare exactly the three parameters, before a kernel starts."""
    import json

    if not notebook.is_file():
        raise InputRefused("the notebook is missing. Restore it.", f"notebooks/{notebook.name}")
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError):
        raise InputRefused("is not a notebook. Restore it.", f"notebooks/{notebook.name}") from None
    tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    declared = tuple(line.split("=")[0].strip() for c in tagged for line in "".join(c["source"]).splitlines()
                     if "=" in line and not line.lstrip().startswith("#"))
    if declared != PARAMETERS:
        raise InputRefused(f"declares the parameters {', '.join(declared) or 'none'}; {', '.join(PARAMETERS)} are "
                           "expected in one cell tagged `parameters`. Restore the cell.", f"notebooks/{notebook.name}")


def _execute(study: Study, notebook: Path, kernel: KernelManager, stage_in: Path | None, stage_out: Path, logs: Path,
             kept: Path) -> Path:
    """One notebook through papermill; a failing cell becomes one line that names its heading and the log."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # a second of grammars nobody here needs
    import papermill
    from papermill.exceptions import PapermillExecutionError

    target = logs / notebook.name
    settings = {"params": str(study.root / study.path), "stage_in": str(stage_in or ""), "stage_out": str(stage_out)}
    try:
        papermill.execute_notebook(str(notebook), str(target), settings, kernel_name="python3", cwd=str(study.root),
                                   progress_bar=False, execution_timeout=_SECONDS, start_timeout=120,
                                   request_save_on_cell_execute=False, km=kernel)
    except PapermillExecutionError as error:
        log = _keep(target, kept)
        shown = os.path.relpath(log, study.root) if log.is_relative_to(study.root) else str(log)
        if error.ename in {"InputRefused", "Refusals"}:
            raise InputRefused(error.evalue) from None
        raise RunFailed(f"under “{_heading(target, error.exec_count)}”: {_said(error)} The whole story is in {shown}.",
                        f"notebooks/{notebook.name}") from None
    except Exception as error:          # a dead or hung kernel
        log = _keep(target, kept) if target.exists() else kept
        raise RunFailed(f"stopped: {' '.join(str(error).split())[:200]} See {log}.", f"notebooks/{notebook.name}") from None
    return target


def _said(error: Any) -> str:
    text = " ".join(error.evalue.split())[:300]
    own = {"NotEstimable", "RunFailed"}
    return text if error.ename in own else f"{error.ename}: {text}" + ("" if text.endswith(".") else ".")


def _heading(executed: Path, count: int) -> str:
    """The last heading above the cell that failed."""
    import json

    heading, last = executed.stem, "?"
    for cell in json.loads(executed.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown" and (lines := [t for t in "".join(cell["source"]).splitlines() if t[:1] == "#"]):
            heading = lines[0].lstrip("# ")
        if cell["cell_type"] == "code" and cell.get("execution_count") == count:
            last = heading
    return heading if last == "?" else last


def _keep(executed: Path, kept: Path) -> Path:
    kept.mkdir(parents=True, exist_ok=True)
    shutil.copy(executed, kept / f"failed-{executed.name}")
    return kept / f"failed-{executed.name}"
