"""The five notebooks in a row, each in a kernel of its own, and their report."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcslib.errors import InputRefused, RunFailed, refuse_all
from tcslib.run import cache, history
from tcslib.run.kernels import Kernels
from tcslib.run.manifest import LANGUAGE, NOTEBOOKS, STAGES, inputs, run_id
from tcslib.run.store import read_json
from tcslib.run.versions import ASIDE, page_of, place, point_to_latest, points_to, published, sweep
from tcslib.study.load import Study

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager

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

    base, processed, reports, notebooks = _places(study, out)
    try:
        folder = place(reports, study)
        processed.mkdir(parents=True, exist_ok=True)
        with FileLock(processed / ".lock", timeout=3):
            for left in processed.glob(f"{_RUN}*"):
                shutil.rmtree(left, ignore_errors=True)
                shutil.rmtree(_kernels_of(left), ignore_errors=True)
            sweep(folder)
            made_of = inputs(study, notebooks, history.identities(study, base))
            if same := published(folder, run_id(made_of)):
                point_to_latest(folder)
                return Done(page_of(same), new=False)
            return _run(study, processed, reports, notebooks, made_of, say)
    except Timeout:
        raise RunFailed("another run of this wave is at work. Wait until it is done.", study.name) from None
    except OSError as error:
        raise RunFailed(f"{error.strerror or error}. Nothing was published.", str(error.filename or base)) from None


def standing(study: Study, out: Path | None = None) -> Done | None:
    """The report that stands, when nothing has changed since and no run left anything to clear up.

    Cheap, for the most frequent question of all: it opens the study, hashes files and imports nothing that computes.
    """
    base, processed, reports, notebooks = _places(study, out)
    try:
        folder = place(reports, study)
        same = published(folder, run_id(inputs(study, notebooks, history.identities(study, base))))
        left = [*folder.glob(f"{ASIDE}*"), *processed.glob(f"{_RUN}*")]
        return Done(page_of(same), new=False) if same and points_to(folder) == same.name and not left else None
    except OSError as error:
        raise RunFailed(f"{error.strerror or error}. Nothing was published.", str(error.filename or reports)) from None


def _places(study: Study, out: Path | None) -> tuple[Path, Path, Path, list[Path]]:
    """Where a run writes, and the notebooks it runs, which must be fit for it."""
    base = (out or study.root).resolve()
    notebooks = [NOTEBOOKS / f"{name}.ipynb" for name in STAGES]
    for notebook in notebooks:
        check_parameters(notebook)
    return base, base / "data" / "processed" / study.params.client / study.params.wave, base / "reports", notebooks


def _run(study: Study, processed: Path, reports: Path, notebooks: list[Path], made_of: Mapping[str, Any],
         say: Say) -> Done:
    work = processed / f"{_RUN}{uuid.uuid4().hex[:8]}"
    executed = [work / "log" / notebook.name for notebook in notebooks]
    try:
        (work / "log").mkdir(parents=True)
        with Kernels(study.root, _kernels_of(work)) as kernels:
            from tcslib.run.publish import publish  # a third of a second, while the first kernel starts

            for number, notebook in enumerate(notebooks):
                began, stage = time.monotonic(), STAGES[number]
                stage_in = work / STAGES[number - 1] if number else None
                if kept := cache.keep(notebook, STAGES, made_of, processed, work):
                    kernels.release()
                else:
                    _execute(study, notebook, kernels.take(more=len(notebooks) - number - 1), stage_in, work / stage,
                             work / "log", processed / "log")
                    if not (work / stage / "done.json").exists():
                        raise RunFailed("does not end with `stage.close()`. Restore its last cell.",
                                        f"notebooks/{notebook.name}")
                    cache.record(notebook, STAGES, made_of, work)
                say(f"  {number + 1}/{len(notebooks)}  {stage[2:].replace('_', ' '):<20} "
                    + ("   kept" if kept else f"{time.monotonic() - began:5.1f} s"))
        began = time.monotonic()
        version, dropped = publish(study, work, executed, made_of, reports, STAGES, history.kept_hashes(work),
                                   lambda version: _keep_stages(work, processed, version))
        say(f"  report {'':<19} {time.monotonic() - began:5.1f} s")
    finally:
        shutil.rmtree(_kernels_of(work), ignore_errors=True)
        shutil.rmtree(work, ignore_errors=True)
    return Done(page_of(version), True, tuple(dropped))


def _kernels_of(work: Path) -> Path:
    """Where a run's kernels keep what they need: sockets want a short name."""
    return Path(tempfile.gettempdir()) / f"tcs{work.name}"


def _keep_stages(work: Path, processed: Path, version: str) -> None:
    history.keep(work, processed, version)
    for stage in (*STAGES, "log"):
        if (processed / stage).exists():
            shutil.rmtree(processed / stage)
        os.rename(work / stage, processed / stage)


def check_parameters(notebook: Path) -> None:
    """Refuse a notebook that does not declare exactly the three parameters, before a kernel starts."""
    if not notebook.is_file():
        raise InputRefused("the notebook is missing. Restore it.", f"notebooks/{notebook.name}")
    try:
        cells = read_json(notebook)["cells"]
    except (ValueError, KeyError):
        raise InputRefused("is not a notebook. Restore it.", f"notebooks/{notebook.name}") from None
    tagged = [c for c in cells if "parameters" in c.get("metadata", {}).get("tags", [])]
    declared = tuple(line.split("=")[0].strip() for c in tagged for line in "".join(c["source"]).splitlines()
                     if "=" in line and not line.lstrip().startswith("#"))
    if declared != PARAMETERS:
        raise InputRefused(f"declares the parameters {', '.join(declared) or 'none'}; {', '.join(PARAMETERS)} are "
                           "expected in one cell tagged `parameters`. Restore the cell.", f"notebooks/{notebook.name}")


def _execute(study: Study, notebook: Path, kernel: AsyncKernelManager, stage_in: Path | None, stage_out: Path,
             logs: Path, kept: Path) -> None:
    """One notebook through papermill; a failing cell becomes one line that names its heading and the log."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # a second of grammars nobody here needs
    import papermill
    from papermill.exceptions import PapermillExecutionError

    target, where = logs / notebook.name, f"notebooks/{notebook.name}"
    asked = study.origins.get("language", "").startswith("--")
    params = str(study.root / study.path) + (LANGUAGE + study.params.language if asked else "")
    settings = {"params": params, "stage_in": str(stage_in or ""), "stage_out": str(stage_out)}
    try:
        papermill.execute_notebook(str(notebook), str(target), settings, kernel_name="python3", cwd=str(study.root),
                                   progress_bar=False, execution_timeout=_SECONDS, start_timeout=120, km=kernel)
    except PapermillExecutionError as error:
        if error.ename in {"InputRefused", "Refusals"}:
            refuse_all([InputRefused(line) for line in error.evalue.splitlines()])
        said = _said(error)
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, TimeoutError):          # a full disk, say
            raise
        what = {"DeadKernelError": "the kernel died. Memory may have run out.",
                "CellTimeoutError": f"a cell ran for more than {_SECONDS // 60} minutes and was stopped."}
        said = what.get(type(error).__name__, " ".join(f"{type(error).__name__}: {error}".split())[:300] + ".")
    else:
        return
    if not target.exists():
        raise RunFailed(f"did not start: {said}", where)
    raise RunFailed(f"under “{_heading(target)}”: {said} {_log(study, target, kept)}", where)


def _said(error: Any) -> str:
    text = " ".join(error.evalue.split())[:300]
    own = {"NotEstimable", "RunFailed"}
    return text if error.ename in own else f"{error.ename}: {text}" + ("" if text.endswith(".") else ".")


def _heading(executed: Path) -> str:
    """The heading above the cell at which the notebook stopped: the one that failed, else the last that was begun."""
    heading = last = executed.stem
    for cell in read_json(executed)["cells"]:
        if cell["cell_type"] == "markdown" and "zh" not in cell["metadata"].get("tags", []):
            heading = next((t.lstrip("# ") for t in "".join(cell["source"]).splitlines() if t[:1] == "#"), heading)
        status = cell["metadata"].get("papermill", {}).get("status")
        if cell["cell_type"] == "code" and status in {"running", "completed", "failed"}:
            last = heading
        if status == "failed":
            break
    return last


def _log(study: Study, executed: Path, kept: Path) -> str:
    """Keep the notebook as far as it came, and say where."""
    kept.mkdir(parents=True, exist_ok=True)
    log = kept / f"failed-{executed.name}"
    shutil.copy(executed, log)
    return f"The whole story is in {os.path.relpath(log, study.root) if log.is_relative_to(study.root) else log}."
