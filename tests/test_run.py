"""The runner: what a run leaves, when it makes a version, and that nothing which stops it leaves half a one."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from conftest import ROOT, write_study
from filelock import FileLock

from tcslib.errors import InputRefused, RunFailed
from tcslib.run import kernels, pipeline, publish
from tcslib.run.publish import merge, results
from tcslib.run.store import free_name, plain, read_json, write_json
from tcslib.run.versions import point_to_latest, published, versions
from tcslib.simulate import ITEMS, draw_answers
from tcslib.study.load import Study, load

FILES = {"results.json", "tables.xlsx", "manifest.json"}
KEYS = {
    "index": {"score", "se", "se_fixed", "low", "high", "n", "n_eff", "df", "outer_weights"},
    "constructs": {"name", "score", "se", "low", "high", "alpha", "rho_a", "rho_c", "ave"},
    "items": {"item", "construct", "loading", "outer_weight", "mean", "sd"},
    "paths": {"source", "target", "estimate", "se", "low", "high", "f2"},
    "total_effects": {"source", "target", "estimate", "se", "low", "high"},
    "htmt": {"first", "second", "estimate", "low", "high"},
    "nps": {"item", "score", "se", "low", "high"}, "loyalty": {"construct", "score", "se", "low", "high"},
    "trend": {"wave", "score", "se", "low", "high"}, "segments": {"column", "group", "estimate", "low", "high", "n"},
    "cleaning": {"rule", "rows", "cells"},
    "settings": {"pls", "measurement", "replicates", "cleaning", "weighting", "design", "sample", "scale", "interval"}}


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    return {p.name: sha(p) for p in sorted(folder.iterdir())}


def delivered(reports: Path) -> dict[str, str]:
    """The text of every file below ``reports``, a workbook's parts included."""
    out = {}
    for path in (p for p in reports.rglob("*") if p.is_file()):
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as book:
                out |= {f"{path.name}/{n}": book.read(n).decode("utf-8", "replace") for n in book.namelist()}
        else:
            out[path.relative_to(reports).as_posix()] = path.read_text(encoding="utf-8")
    return out


TCS, QUICK = ("-m", "tcslib"), (str(ROOT / "tests" / "quick.py"),)          # the second without kernels


def command(*words: str, cwd: Path = ROOT, program: Sequence[str] = TCS,
            **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *program, *words], cwd=cwd, capture_output=True, encoding="utf-8",
                          timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT), **environment})


# -- the demo's report -----------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_a_run_leaves_what_the_layout_says(demo_report) -> None:
    wave = demo_report.out / "reports" / "demo" / "2026Q3"
    assert {p.name for p in wave.iterdir()} == {"v1", "latest.txt"}
    assert (wave / "latest.txt").read_text(encoding="utf-8") == "v1\n"
    assert {p.name for p in demo_report.folder.iterdir()} == FILES | {"demo-2026Q3-v1.html"}
    processed = demo_report.out / "data" / "processed" / "demo" / "2026Q3"
    for stage in pipeline.STAGES:
        assert (processed / stage / "done.json").is_file() and (processed / "log" / f"{stage}.ipynb").is_file()
    # nothing half made; the export is another test's
    assert {p.name for p in processed.iterdir()} <= {*pipeline.STAGES, "log", "kept", "export", ".lock"}
    assert not [p for p in (demo_report.out / "reports").rglob("*") if p.suffix == ".ipynb" or "log" in p.name]
    assert {p.name for p in demo_report.out.iterdir()} == {"data", "reports"}


@pytest.mark.slow
def test_the_command_says_where_the_report_is(demo_report) -> None:
    before = demo_report.out / "reports" / "demo" / "2026Q2" / "v1" / "demo-2026Q2-v1.html"
    assert demo_report.printed.splitlines() == [str(before), str(demo_report.page)]
    lines = demo_report.said.splitlines()
    lines = lines[lines.index("Demo Mobile customer satisfaction, 2026Q3"):]
    assert lines[0] == "Demo Mobile customer satisfaction, 2026Q3" and "left out" not in demo_report.said
    assert [line.split()[0] for line in lines[1:6]] == [f"{k}/5" for k in range(1, 6)]


@pytest.mark.slow
def test_results_hold_every_key_of_the_contract(demo_report) -> None:
    found = demo_report.results
    assert set(found) >= {"id", "version", "client", "wave", "n", "r2", "warnings", "tables", *KEYS}
    for key, fields in KEYS.items():
        value = found[key]
        assert value, f"{key} is empty"
        for row in value if isinstance(value, list) else [value]:
            assert fields <= set(row), (key, fields - set(row))
    assert (found["client"], found["wave"], found["version"]) == ("demo", "2026Q3", "v1")
    assert isinstance(found["warnings"], list) and found["n"] == found["index"]["n"]
    assert {row["column"] for row in found["segments"]} == {"region", "plan"}
    assert found["settings"]["interval"] == "95% CI" and len(found["trend"]) == 2
    before = read_json(demo_report.out / "reports/demo/2026Q2/v1/results.json")          # the base of the comparison
    assert found["trend"][0]["score"] == pytest.approx(before["index"]["score"], abs=1e-9)
    assert before["trend"] == [{"wave": "2026Q2", **{k: before["index"][k] for k in ("score", "se", "low", "high")}}]
    assert "NaN" not in (demo_report.folder / "results.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_manifest_fits_the_files(demo_report) -> None:
    said = read_json(demo_report.folder / "manifest.json")
    assert said["outputs"] == {k: v for k, v in hashes(demo_report.folder).items() if k != "manifest.json"}
    assert said["inputs"]["data"] == {"data/raw/demo/2026Q3.csv": sha(ROOT / "data/raw/demo/2026Q3.csv")}
    assert said["inputs"]["notebooks"] == {f"{stage}.ipynb": sha(ROOT / "notebooks" / f"{stage}.ipynb")
                                           for stage in pipeline.STAGES}
    assert said["seed"] == 20260930 and said["id"] == demo_report.results["id"] and said["version"] == "v1"
    assert said["inputs"]["params"]["replicates"]["count"] == 2000 and said["inputs"]["software"]["numpy"]


@pytest.mark.slow
def test_every_number_of_a_table_is_in_results(demo_report) -> None:
    """The numbers behind a table are there unrounded; what is counted together on the page stands one by one."""
    counted_together = {"ledger", "flags"}
    for name, table in demo_report.results["tables"].items():
        if "print" not in table or name in counted_together:
            continue
        behind = np.array([x for row in table["rows"] for x in row if isinstance(x, int | float)], dtype=float)
        for head, *cells in table["print"]:
            for text in (t for c in cells for t in re.findall(r"[−+]?\d[\d,]*(?:\.\d+)?(?=[%\s)]|$)", c)):
                if name != "missing" and not re.search(r"[A-Za-z].*\d", " ".join(cells)):
                    value = float(text.replace("−", "-").replace(",", ""))
                    half = 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-9
                    near = np.abs(np.concatenate([behind, 100 * behind]) - value).min()
                    assert near <= half, (name, head, text)


@pytest.mark.slow
def test_no_respondent_is_in_what_is_delivered(demo_report) -> None:
    raw = pd.read_csv(ROOT / "data/raw/demo/2026Q3.csv", dtype=str, keep_default_na=False)
    texts = delivered(demo_report.out / "reports")
    everything = "\n".join(texts.values())
    ids = {i.strip() for i in raw["resp_id"]} - {""}
    found = set(re.findall(r"\d{18}", everything)) & ids
    assert len(ids) > 900 and not found
    sentences = {s.strip() for c in raw["COMMENT"] for s in re.split(r"[.!?\n]", c) if len(s.strip()) > 14}
    assert len(sentences) > 10 and not [s for s in sentences if s in everything]
    stores = set(raw["store"]) - {""}
    assert not [s for s in stores if re.search(rf"\b{re.escape(s)}\b", everything)] or min(map(len, stores)) < 4
    answers = {tuple(r) for r in raw[list(ITEMS)].to_numpy()}
    lists: list[list[Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, list):
            lists.append(value)
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(part)

    walk(demo_report.results)
    assert max(map(len, lists)) < 100          # no list as long as the sample
    assert not [x for x in lists if tuple(map(str, x)) in answers]


@pytest.mark.slow
def test_nothing_changed_is_said_quickly(demo_report) -> None:
    before, began = hashes(demo_report.folder), time.monotonic()
    again = command("demo", "--out", str(demo_report.out))
    assert again.returncode == 0 and again.stdout == demo_report.printed, again.stderr
    assert "nothing has changed since v1" in again.stderr and "1/5" not in again.stderr
    assert time.monotonic() - began < 15 and hashes(demo_report.folder) == before
    assert [p.name for p in versions(demo_report.folder.parent)] == ["v1"]


# -- equal runs, equal bytes -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """300 simulated customers, the preset model, no design; the raw file may only be read."""
    root = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(draw_answers(300, rng), columns=list(ITEMS)).astype(int)
    frame.insert(0, "resp_id", [f"P{k:04d}" for k in range(300)])
    frame["sex"], frame["why"] = rng.choice(["f", "m"], 300), "Nothing more to say, thank you very much"
    study = write_study(root, frame.to_csv(index=False), json.dumps({
        "client": "acme", "wave": "2026Q3", "model": {"preset": "ecsi"}, "sample": "quota",
        "data": {"file": "data/raw/acme/answers.csv", "id": "resp_id"}, "replicates": {"count": 64},
        "compare": {"segments": ["sex"]}, "report": {"verbatims": ["why"]}}))
    (root / "data/raw/acme/answers.csv").chmod(0o444)
    (root / "data/raw/acme").chmod(0o555)
    return study


@pytest.mark.slow
def test_same_id_same_bytes(small, tmp_path) -> None:
    raw = small.parents[2] / "data/raw/acme/answers.csv"
    before = sha(raw), raw.stat().st_mtime_ns
    settings: list[tuple[Path, dict[str, str]]] = [
        (ROOT, {"PYTHONHASHSEED": "1", "TZ": "Asia/Shanghai", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}),
        (tmp_path, {"PYTHONHASHSEED": "4242", "TZ": "America/Lima", "LANG": "de_DE.UTF-8", "LC_ALL": "C",
                    "OMP_NUM_THREADS": "2", "COLUMNS": "40"})]
    running = [subprocess.Popen([sys.executable, "-m", "tcslib", "run", str(small), "--out", str(tmp_path / f"out{k}")],
                                cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **extra}, encoding="utf-8",
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
               for k, (cwd, extra) in enumerate(settings)]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    one, two = (tmp_path / f"out{k}" / "reports/acme/2026Q3/v1" for k in (0, 1))
    assert set(hashes(one)) == FILES | {"acme-2026Q3-v1.html"}
    assert hashes(one) == hashes(two)
    assert (sha(raw), raw.stat().st_mtime_ns) == before and [p.name for p in raw.parent.iterdir()] == [raw.name]
    everything = "\n".join(delivered(tmp_path / "out0" / "reports").values())
    assert "P0007" not in everything and "thank you very much" not in everything
    found = read_json(one / "results.json")
    assert found["settings"]["interval"] == "Model-based 95% interval" and "95% CI" not in everything


# -- notebooks that only write numbers: all of the runner, none of the statistics ------------------------------------

HEAD = 'params = ""\nstage_in = ""\nstage_out = ""'
WRITE = """
import json, os, pathlib, time
out = pathlib.Path(stage_out)
out.mkdir(parents=True, exist_ok=True)
if os.environ.get("WAIT") == out.name:
    pathlib.Path(os.environ["MARK"]).touch()
    time.sleep(60)
def write(name, value):
    (out / f"{name}.json").write_text(json.dumps(value))
"""
NUMBERS = {"n": 5, "design": {"rows": 5, "units": 5, "strata": 1, "df": 4}, "index": {
    "construct": "Satisfaction", "score": 70.0, "se": 1.0, "se_fixed": 1.0, "low": 68.0, "high": 72.0, "n": 5,
    "n_eff": 5.0, "df": 4, "outer_weights": {}}}
# stands in for `python -m tcslib`: other notebooks, kernels that import nothing, and whatever a test adds
CHILD = """
import os, pathlib, sys, time, types
from tcslib.run import kernels, pipeline, publish, store
folder, study, out = sys.argv[1:]
pipeline.NOTEBOOKS = pathlib.Path(folder)
pipeline.STAGES = tuple(sorted(p.stem for p in pathlib.Path(folder).glob("*.ipynb")))
kernels._WARM = "0"
if os.environ.get("QUICK"):
    from quick import stand_in
    stand_in(pathlib.Path(folder))
def stop_here(name):
    if os.environ.get("WAIT") == name:
        pathlib.Path(os.environ["MARK"]).touch()
        time.sleep(60)
write_json, write_tables = publish.write_json, publish.write_tables
def slow_json(path, value):
    write_json(path, value)
    stop_here(path.name)
def slow_tables(path, tables):
    stop_here("tables.xlsx")
    write_tables(path, tables)
def slow_replace(a, b):
    version = "reports" in b.parts and b.name != "latest.txt"
    stop_here(version and "before the rename")
    os.replace(a, b)
    stop_here(version and "after the rename")
publish.write_json, publish.write_tables = slow_json, slow_tables
store.os = types.SimpleNamespace(replace=slow_replace)
from tcslib.run.cli import main
sys.argv = ["tcs", "run", study, "--out", out]
main()
"""


def notebook(path: Path, *cells: str) -> None:
    """A notebook of code cells; a cell that begins with # and a blank is a heading."""
    made: list[dict[str, Any]] = [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": HEAD}]
    made += [{"cell_type": "markdown" if c.startswith("# ") else "code", "metadata": {}, "source": textwrap.dedent(c)}
             for c in cells]
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    path.write_text(json.dumps({"cells": made, "metadata": {"kernelspec": {
        "name": "python3", "language": "python", "display_name": "Python 3"}, "language_info": {"name": "python"}},
        "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")


class Bench:
    """A study with two notebooks that only write numbers, and ways to run it in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root, self.out, self.books = root, root / "out", root / "books"
        self.books.mkdir()
        self.study = write_study(root, "id,a,b,c,d\n1,5,6,7,7\n2,4,5,6,7\n3,9,8,9,9\n", json.dumps({
            "client": "acme", "wave": "2026Q3", "data": {"file": "data/raw/acme/answers.csv", "id": "id"}, "model": {
                "constructs": {"Image": ["a", "b"], "Satisfaction": ["c", "d"]}, "paths": [["Image", "Satisfaction"]],
                "target": "Satisfaction"}}))
        notebook(self.books / "1_first.ipynb", "# 1 First", WRITE,
                 'write("numbers", {"numbers": {}, "tables": {}})\nwrite("done", {})')
        notebook(self.books / "2_second.ipynb", "# 2 Second", WRITE, f"numbers = {NUMBERS!r}",
                 'write("numbers", {"numbers": numbers, "tables": {}})\nwrite("done", {})')

    @property
    def wave(self) -> Path:
        return self.out / "reports/acme/2026Q3"

    @property
    def processed(self) -> Path:
        return self.out / "data/processed/acme/2026Q3"

    def start(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", CHILD, str(self.books), str(self.study), str(self.out)],
                                cwd=self.root, encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", **environment})

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(**environment)
        printed, said = process.communicate(timeout=120)
        return subprocess.CompletedProcess([], process.returncode, printed, said)

    def kill(self, process: subprocess.Popen[str], how: int = signal.SIGKILL) -> None:
        """End the runner at once; then none of the kernels it had may live for long."""
        runner = psutil.Process(process.pid)
        if how == signal.SIGKILL:
            runner.suspend()
        born = runner.children(recursive=True)
        process.send_signal(how)
        process.communicate(timeout=30)
        _, alive = psutil.wait_procs(born, timeout=10)
        assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]

    def published(self) -> list[str]:
        return sorted(p.name for p in self.wave.glob("*") if not p.name.startswith("."))

    def clean(self) -> bool:
        return not [*self.wave.glob(".making-*"), *self.processed.glob(".run-*")]


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


def wait_for(mark: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 90
    while not mark.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_changed_study_makes_a_version_and_leaves_the_old_one(bench) -> None:
    first = bench.run(QUICK="1")
    assert first.returncode == 0, first.stderr
    one, before = bench.wave / "v1", hashes(bench.wave / "v1")
    assert first.stdout.strip() == str(one / "acme-2026Q3-v1.html") and "First version of this wave" in delivered(
        bench.wave)["v1/acme-2026Q3-v1.html"]
    said = json.loads(bench.study.read_text(encoding="utf-8"))
    bench.study.write_text(json.dumps({**said, "replicates": {"seed": 5}}), encoding="utf-8")
    second = bench.run(QUICK="1")
    assert second.returncode == 0, second.stderr
    assert bench.published() == ["latest.txt", "v1", "v2"] and bench.clean() and hashes(one) == before
    assert (bench.wave / "latest.txt").read_text(encoding="utf-8") == "v2\n"
    page = (bench.wave / "v2" / "acme-2026Q3-v2.html").read_text(encoding="utf-8")
    assert "What changed since v1" in page and "parameters changed: replicates.seed." in page
    assert "The program changed" not in page and "70.0 → 70.0" in page
    assert read_json(bench.wave / "v2/results.json")["version"] == "v2"


STOPS = ["1_first", "2_second", "results.json", "tables.xlsx", "manifest.json", "before the rename", "after the rename"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_killed_at_any_stage_nothing_is_published_and_the_next_run_works(bench, tmp_path) -> None:
    seen: set[Path] = set()
    for stop in STOPS:
        mark = tmp_path / f"mark {stop}"
        # when the results are published there are no kernels any more
        process = bench.start(WAIT=stop, MARK=str(mark), QUICK="" if stop in STOPS[:2] else "1")
        wait_for(mark, process)
        bench.kill(process)
        left = [*bench.wave.glob(".making-*"), *bench.processed.glob(".run-*")]
        assert left, stop                                         # it was killed with work in hand
        seen |= {Path(tempfile.gettempdir()) / f"tcs{p.name}" for p in bench.processed.glob(".run-*")}
        if stop != "after the rename":
            assert bench.published() == [], stop
    assert bench.published() == ["v1"]                            # whole, only the pointer is missing
    assert set(hashes(bench.wave / "v1")) == FILES | {"acme-2026Q3-v1.html"}
    before, again = hashes(bench.wave / "v1"), bench.run()
    assert again.returncode == 0 and "nothing has changed since v1" in again.stderr, again.stderr
    assert bench.clean() and bench.published() == ["latest.txt", "v1"] and hashes(bench.wave / "v1") == before
    assert (bench.processed / "2_second" / "done.json").is_file()          # the data behind it are in their place
    assert len(seen) == len(STOPS) and not [p for p in seen if p.exists()]          # kernels' sockets went too


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_killed_at_random_moments(bench) -> None:
    for seconds in (random.uniform(0.5, 2.0), random.uniform(1.5, 5.0)):
        process = bench.start()
        time.sleep(seconds)
        if process.poll() is None:
            bench.kill(process)
        assert bench.published() in ([], ["v1"], ["latest.txt", "v1"]), seconds
        for version in versions(bench.wave):
            assert set(hashes(version)) == FILES | {"acme-2026Q3-v1.html"}
    done = bench.run()
    assert done.returncode == 0 and bench.clean() and bench.published() == ["latest.txt", "v1"], done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_the_demo_killed_leaves_no_kernel(bench, tmp_path) -> None:
    process = subprocess.Popen([sys.executable, "-m", "tcslib", "run", "demo/2026Q2", "--out", str(tmp_path / "demo")],
                               cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, encoding="utf-8",
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(random.uniform(1.5, 4))
    assert process.poll() is None
    bench.kill(process)
    assert not [*(tmp_path / "demo").glob("reports/*/*/v*")]
    for left in (tmp_path / "demo").glob("data/processed/*/*/.run-*"):          # what the next run would sweep
        shutil.rmtree(Path(tempfile.gettempdir()) / f"tcs{left.name}", ignore_errors=True)


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts as POSIX does")
def test_interrupted_it_clears_up_and_says_so(bench, tmp_path) -> None:
    process = bench.start(WAIT="2_second", MARK=str(tmp_path / "mark"))
    wait_for(tmp_path / "mark", process)
    born = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    _, alive = psutil.wait_procs(born, timeout=10)
    assert born and not alive and bench.clean() and bench.published() == []
    assert process.returncode == 1 and said.splitlines()[-1] == "stopped; nothing was published."


def test_another_run_at_work_is_one_line(bench) -> None:
    bench.processed.mkdir(parents=True)
    holder = subprocess.Popen([sys.executable, "-c", (
        "import sys\nfrom filelock import FileLock\nwith FileLock(sys.argv[1]):\n print('held', flush=True)\n"
        " sys.stdin.read()"), str(bench.processed / ".lock")], encoding="utf-8", stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    began = time.monotonic()
    try:
        other = bench.run()
    finally:
        holder.communicate("")
    assert other.returncode == 1 and other.stdout == "" and time.monotonic() - began < 15
    *head, line = other.stderr.splitlines()
    assert line.startswith("acme/2026Q3: another run of this wave is at work") and len(head) == 1
    with FileLock(bench.processed / ".lock", timeout=1):          # a dead holder holds nothing
        pass


def test_a_broken_cell_is_named(bench) -> None:
    notebook(bench.books / "2_second.ipynb", "# 2 Second", WRITE, "# Where it **breaks**", "1 / 0", "# Never reached")
    done = bench.run()
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
    assert line.startswith("notebooks/2_second.ipynb: under “Where it **breaks**”: ZeroDivisionError: division by")
    log = Path(re.search(r"The whole story is in (.*)\.$", line)[1])
    log = log if log.is_absolute() else bench.root / log
    assert log.is_file() and "ZeroDivisionError" in log.read_text(encoding="utf-8")
    assert log.is_relative_to(bench.processed) and bench.published() == [] and bench.clean()


def test_a_kernel_that_dies_is_one_line(bench) -> None:
    notebook(bench.books / "1_first.ipynb", "# 1 First", "import os", "# Too much", "os._exit(3)", "# Never reached")
    process = bench.start()
    runner, born = psutil.Process(process.pid), {}
    while process.poll() is None:
        try:
            born |= {p.pid: p for p in runner.children(recursive=True)}
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    _, said = process.communicate(timeout=30)
    line = said.splitlines()[-1]
    assert process.returncode == 1 and "Traceback" not in said
    assert line.startswith("notebooks/1_first.ipynb: under “Too much”: the kernel died. ") and "The whole story" in line
    assert (bench.processed / "log" / "failed-1_first.ipynb").is_file() and bench.published() == [] and bench.clean()
    assert born and not psutil.wait_procs(list(born.values()), timeout=10)[1]


def test_what_a_notebook_refuses_is_refused_line_by_line(bench) -> None:
    notebook(bench.books / "1_first.ipynb", "# 1 First", """
        from tcslib.errors import InputRefused, Refusals
        raise Refusals([InputRefused("no such column.", "a.csv"), InputRefused("no such file.", "b.csv")])""")
    done = bench.run()
    assert done.returncode == 2 and done.stderr.splitlines()[-2:] == ["a.csv: no such column.", "b.csv: no such file."]
    assert bench.published() == []


def test_a_stage_that_is_not_closed(bench) -> None:
    notebook(bench.books / "1_first.ipynb", "# 1 First", "x = 1")
    done = bench.run()
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == (
        "notebooks/1_first.ipynb: does not end with `stage.close()`. Restore its last cell.")


def test_notebooks_are_refused_before_a_kernel_starts(tmp_path) -> None:
    with pytest.raises(InputRefused, match="missing"):
        pipeline.check_parameters(tmp_path / "no.ipynb")
    (tmp_path / "text.ipynb").write_text("no notebook", encoding="utf-8")
    with pytest.raises(InputRefused, match="is not a notebook"):
        pipeline.check_parameters(tmp_path / "text.ipynb")
    notebook(tmp_path / "more.ipynb", "x = 1")
    pipeline.check_parameters(tmp_path / "more.ipynb")
    text = (tmp_path / "more.ipynb").read_text(encoding="utf-8")
    for faulty in ('params = ""\nstage_in = ""', 'params = ""\nstage_out = ""\nseed = 1\nstage_in = ""'):
        (tmp_path / "faulty.ipynb").write_text(text.replace(json.dumps(HEAD), json.dumps(faulty)), encoding="utf-8")
        with pytest.raises(InputRefused, match="declares the parameters params, stage_"):
            pipeline.check_parameters(tmp_path / "faulty.ipynb")


# -- publishing, piece by piece --------------------------------------------------------------------------------------

@pytest.fixture
def made(bench) -> Iterator[tuple[Study, Callable[[], Any]]]:
    """The study, and a way to publish numbers as they are, without a notebook."""
    study, work = load(bench.study), bench.root / "work"
    (work / "s").mkdir(parents=True)
    write_json(work / "s" / "numbers.json", {"numbers": NUMBERS, "tables": {}})
    made_of = pipeline.inputs(study, [])

    def go(**changes: Any) -> Any:
        return publish.publish(study, work, [], {**made_of, **changes}, bench.out / "reports", ("s",), {},
                               lambda version: None)

    yield study, go


def test_a_version_number_is_never_used_twice(bench, made) -> None:
    (bench.wave / "v4").mkdir(parents=True)                       # empty: a rename would take its place unasked
    (bench.wave / "v07").mkdir()
    assert made[1]()[0].name == "v5" and [*(bench.wave / "v4").iterdir()] == []
    assert made[1](python="4.0")[0].name == "v6"
    assert (bench.wave / "latest.txt").read_text(encoding="utf-8") == "v6\n"
    assert "Python" in (bench.wave / "v6/acme-2026Q3-v6.html").read_text(encoding="utf-8")
    (bench.wave / "latest.txt").unlink()
    point_to_latest(bench.wave)
    assert (bench.wave / "latest.txt").read_text(encoding="utf-8") == "v6\n"


def test_only_the_newest_version_can_stand(bench, made) -> None:
    """Back to an older study: a new version again, so that the newest is always what the study says."""
    folder, _ = made[1]()
    old = read_json(folder / "manifest.json")["id"]
    assert published(bench.wave, old) == folder
    made[1](python="4.0")
    assert published(bench.wave, old) is None


@pytest.mark.parametrize("spoil", ["alter", "remove", "manifest"])
def test_a_version_that_was_altered_is_named_not_repaired(bench, made, spoil) -> None:
    folder, _ = made[1]()
    name = "manifest.json" if spoil == "manifest" else "results.json"
    identity = read_json(folder / "manifest.json")["id"]
    if spoil == "remove":
        (folder / name).unlink()
    else:
        (folder / name).write_text("{}", encoding="utf-8")
    with pytest.raises(RunFailed, match=f"{name}: not as published"):
        published(bench.wave, identity)


@pytest.mark.parametrize("broken", ["write_tables", "build_page", "manifest"])
def test_a_full_disk_while_publishing_leaves_the_old_report(bench, made, monkeypatch, broken) -> None:
    folder, _ = made[1]()
    before = hashes(folder)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publish, broken, full)
    with pytest.raises(OSError, match="No space"):
        made[1](python="4.0")
    assert bench.published() == ["latest.txt", "v1"] and bench.clean() and hashes(folder) == before


def test_a_disk_error_is_one_line(bench, monkeypatch) -> None:
    monkeypatch.setattr(pipeline, "NOTEBOOKS", bench.books)
    monkeypatch.setattr(pipeline, "STAGES", ("1_first",))
    monkeypatch.setattr(pipeline, "inputs", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(RunFailed, match=r"No space left on device\. Nothing was published\."):
        pipeline.run(load(bench.study), bench.out)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_out_of_reports_is_refused(bench) -> None:
    elsewhere = bench.root / "elsewhere"
    (elsewhere / "2026Q3" / ".making-x").mkdir(parents=True)
    (bench.out / "reports").mkdir(parents=True)
    (bench.out / "reports" / "acme").symlink_to(elsewhere)
    done = bench.run()
    assert done.returncode == 1 and "leads outside" in done.stderr.splitlines()[-1]
    assert [p.name for p in (elsewhere / "2026Q3").iterdir()] == [".making-x"]          # nothing swept there either


def test_tables_of_one_name_stay_two(tmp_path) -> None:
    for stage, extra in (("a", NUMBERS), ("b", {"warnings": ["w2"]})):
        (tmp_path / stage).mkdir()
        write_json(tmp_path / stage / "numbers.json", {"numbers": {**extra}, "tables": {
            "t": {"title": stage}, "t_figure": {"title": stage}}})
    numbers, tables = merge(tmp_path, ("a", "b"))
    assert list(tables) == ["t", "t_figure", "t_2", "t_2_figure"] and numbers["warnings"] == ["w2"]
    assert free_name("t", {"t", "t_2"}) == "t_3" and free_name("new", {"t"}) == "new"


def test_numbers_that_are_missing_are_named(tmp_path, bench) -> None:
    (tmp_path / "a").mkdir()
    write_json(tmp_path / "a" / "numbers.json", {"numbers": {"n": 3}, "tables": {}})
    with pytest.raises(RunFailed, match=r'leaves no "design"'):
        merge(tmp_path, ("a",))
    found = results(load(bench.study), "id", "v1", {**NUMBERS, "segments": [{"column": "x"}]}, {})
    assert found["segments"] == [{"column": "x"}] and found["nps"] == {} and found["paths"] == []
    assert [row["wave"] for row in found["trend"]] == ["2026Q3"]


def test_what_json_cannot_hold_becomes_what_it_can() -> None:
    odd = {"a": float("nan"), "b": np.float64("inf"), "c": np.int64(3), "d": pd.NA, "e": (1, [np.bool_(True)]),
           "f": np.array([[1.5, np.nan]]), "g": pd.Timestamp("2026-07-06"), 8: Path("x"), "h": None}
    assert plain(odd) == {"a": None, "b": None, "c": 3, "d": None, "e": [1, [True]], "f": [[1.5, None]],
                          "g": "2026-07-06 00:00:00", "8": "x", "h": None}
    json.loads(json.dumps(plain(odd), allow_nan=False))


@pytest.mark.skipif(sys.platform == "win32", reason="parents differ there")
def test_a_kernel_without_its_parent_ends_itself() -> None:
    """The runner may be killed while a kernel starts, before the kernel has begun to watch it."""
    line = kernels._ALONE.format(parent=1 << 30)
    ast.parse(line)
    assert subprocess.run([sys.executable, "-c", line], timeout=30).returncode == 1
    alive = kernels._ALONE.format(parent=os.getpid())
    assert subprocess.run([sys.executable, "-c", alive], timeout=30).returncode == 0
