"""Runs that remember: which stages run again, and what can be asked of the runs there have been."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, write_study
from quick import run_here, stand_in
from test_run import NUMBERS, QUICK, Bench, command, hashes, notebook, sha

from tcslib.errors import InputRefused, RunFailed
from tcslib.loyalty.link import BANDS
from tcslib.run import browser, cache, diff, pipeline, verify
from tcslib.run.manifest import STAGES, installed, resolved
from tcslib.run.runs import Run, aligned, find_run, list_runs, width
from tcslib.run.store import read_json, write_json
from tcslib.run.watch import watched
from tcslib.study.load import Study, load
from tcslib.study.params import LoyaltyParams, StudyParams
from tcslib.study.schema import schema
from tcslib.study.show import show

# -- three notebooks that say what they read: the first saves what the second loads, the third stands alone ----------

READ = """
import json, pathlib
from tcslib.study.load import load
study, out = load(params), pathlib.Path(stage_out)
margin, bands = study.params.plan.margin, study.params.loyalty.bands
out.mkdir(parents=True, exist_ok=True)
def write(name, value):
    (out / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
"""
FIRST = ('write("plan", {"margin": margin})',
         'write("numbers", {"numbers": {"plan": {"margin": margin}}, "tables": {}})',
         'write("done", {"reads": ["plan"], "loads": []})')
SECOND = ('margin = json.loads((out.parent / "1_first" / "plan.json").read_text(encoding="utf-8"))["margin"]',
          'length = len((study.root / study.params.data.file).read_text(encoding="utf-8"))',
          f'numbers = {NUMBERS!r} | {{"rows": [{{"name": "a", "estimate": margin}}, '
          '{"name": "b", "estimate": length / 7}]}',
          'write("numbers", {"numbers": numbers, "tables": {"t": {"title": "T", "columns": ["item", "estimate"],'
          ' "rows": [["x", margin]]}}})',
          'write("done", {"reads": ["data"], "loads": ["plan"]})')
THIRD = ('curve = [{"low_edge": a, "high_edge": b, "estimate": a + b} for a, b in zip(bands, bands[1:])]',
         'write("numbers", {"numbers": {"loyalty_curve": curve}, "tables": {}})',
         'write("done", {"reads": ["loyalty"], "loads": []})')


class Memory(Bench):
    """The bench with three notebooks that say what they read, and a study that can be changed key by key."""

    def __init__(self, root: Path, set_to: Callable[..., None]) -> None:
        super().__init__(root)
        (self.books / "2_second.ipynb").unlink()
        self.write("1_first", FIRST)
        self.write("2_second", SECOND, reads=["data"])
        self.write("3_third", THIRD)
        self.data = root / "data/raw/acme/answers.csv"
        stand_in(self.books, set_to)

    def write(self, name: str, cells: tuple[str, ...], reads: list[str] | None = None) -> None:
        notebook(self.books / f"{name}.ipynb", f"# {name}", READ, *cells)
        said = json.loads((self.books / f"{name}.ipynb").read_text(encoding="utf-8"))
        said["metadata"]["tcs"] = {"reads": reads or []}
        (self.books / f"{name}.ipynb").write_text(json.dumps(said), encoding="utf-8")

    def change(self, **keys: Any) -> None:
        said = json.loads(self.study.read_text(encoding="utf-8"))
        self.study.write_text(json.dumps({**said, **keys}), encoding="utf-8")

    def ran(self) -> list[str]:
        """Run it; the first letters of the stages that were not kept."""
        said: list[str] = []
        pipeline.run(load(self.study), self.out, said.append)
        lines = [line.split() for line in said if "/3" in line]
        return [words[0][0] for words in lines if words[-1] != "kept"]

    def latest(self) -> Path:
        return self.wave / (self.wave / "latest.txt").read_text(encoding="utf-8").strip()


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Memory:
    return Memory(tmp_path, monkeypatch.setattr)


def test_only_what_a_change_reaches_runs_again(memory: Memory) -> None:
    assert memory.ran() == ["1", "2", "3"]
    memory.study.write_text("# a comment says nothing new\n" + memory.study.read_text(encoding="utf-8"),
                            encoding="utf-8")
    assert memory.ran() == [] and memory.published() == ["latest.txt", "v1"]          # no version either
    memory.study.write_text(memory.study.read_text(encoding="utf-8").split("\n", 1)[1], encoding="utf-8")
    memory.change(loyalty={"bands": [0, 60, 100]})
    assert memory.ran() == ["3"]
    memory.change(plan={"margin": 2})
    assert memory.ran() == ["1", "2"]                      # the second loads what the first left
    memory.change(plan={"margin": 2, "power": 0.9})
    assert memory.ran() == ["1"]                           # it left the same as before
    memory.change(title="Another title")
    assert memory.ran() == []                              # only the page is made again
    memory.data.write_text(memory.data.read_text(encoding="utf-8") + "4,5,5,5,5\n", encoding="utf-8")
    assert memory.ran() == ["2"]
    memory.write("3_third", ("more = 1", *THIRD))
    assert memory.ran() == ["3"]
    memory.change(plan={"margin": 3}, loyalty={"bands": [0, 100]})
    assert memory.ran() == ["1", "2", "3"]
    assert [p.name for p in sorted(memory.wave.glob("v*"))] == [f"v{k}" for k in range(1, 9)] and memory.clean()


def test_kept_stages_give_the_bytes_of_a_full_run(memory: Memory) -> None:
    memory.ran()
    memory.change(loyalty={"bands": [0, 60, 100]})
    other = memory.root / "other"
    shutil.copytree(memory.out, other)
    assert memory.ran() == ["3"]
    memory.out = other
    shutil.rmtree(memory.processed)
    assert memory.ran() == ["1", "2", "3"]
    kept = memory.root / "out/reports/acme/2026Q3/v2"
    assert hashes(kept) == hashes(memory.wave / "v2") and len(hashes(kept)) == 4


def spoil_output(memory: Memory) -> None:
    (memory.processed / "1_first" / "plan.json").write_text('{"margin": 99}', encoding="utf-8")


def spoil_log(memory: Memory) -> None:
    log = memory.processed / "log" / "1_first.ipynb"
    log.write_text(log.read_text(encoding="utf-8").replace("1_first", "altered"), encoding="utf-8")


def add_file(memory: Memory) -> None:
    (memory.processed / "1_first" / "more.json").write_text("{}", encoding="utf-8")


def drop_record(memory: Memory) -> None:
    (memory.processed / "1_first" / cache.RECORD).unlink()


def garble_record(memory: Memory) -> None:
    (memory.processed / "1_first" / cache.RECORD).write_text('["key"]', encoding="utf-8")


def silence(memory: Memory) -> None:
    """The notebook does not say what it read: it is never kept."""
    memory.write("1_first", (*FIRST[:2], 'write("done", {})'))
    assert memory.ran() == ["1"]


@pytest.mark.parametrize("spoil", [spoil_output, spoil_log, add_file, drop_record, garble_record, silence])
def test_results_that_were_touched_are_not_used(memory: Memory, spoil: Callable[[Memory], None]) -> None:
    memory.ran()
    spoil(memory)
    memory.change(loyalty={"bands": [0, 60, 100]})
    assert memory.ran() == ["1", "3"]                      # the second loads the same from the first as before
    assert read_json(memory.latest() / "results.json")["rows"][0]["estimate"] == 2.5


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_killed_while_results_are_moved_the_cache_does_not_lie(memory: Memory) -> None:
    """Four renames put three stages and the log in place; the runner dies after each of them in turn."""
    memory.ran()
    memory.change(plan={"margin": 2}, loyalty={"bands": [0, 70, 100]})
    child = """
import os, pathlib, signal, sys, types
from quick import stand_in
from tcslib.run import pipeline, publish
from tcslib.study.load import load
books, study, out = map(pathlib.Path, sys.argv[1:])
stand_in(books)
done = []
def rename(a, b):
    os.rename(a, b)
    done.append(b)
    if len(done) == dies_after:
        os.kill(os.getpid(), signal.SIGKILL)
pipeline.os = types.SimpleNamespace(rename=rename)
for dies_after in (1, 2, 3, 4):
    if (child := os.fork()) == 0:
        pipeline.run(load(study), out, lambda line: None)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, *sorted(p.name for p in (out / "reports/acme/2026Q3").glob("[!.]*")))
"""
    done = subprocess.run([sys.executable, "-c", child, str(memory.books), str(memory.study), str(memory.out)],
                          cwd=memory.root, capture_output=True, timeout=120, encoding="utf-8",
                          env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])})
    assert done.stdout.splitlines() == [f"{-signal.SIGKILL} latest.txt v1"] * 4, done.stderr
    assert memory.ran() == [] and memory.clean()           # at the last death all was in place but the version
    other = memory.root / "fresh"
    kept, memory.out = memory.latest(), other
    memory.ran()
    folders = kept, other / "reports/acme/2026Q3/v1"
    results = [read_json(folder / "results.json") | {"version": ""} for folder in folders]
    assert results[0] == results[1] and results[0]["rows"][0]["estimate"] == 2


def test_a_key_changes_with_each_of_its_parts(memory: Memory) -> None:
    """And with nothing else: a stage that does not read the data or compare waves does not depend on them."""
    made_of = {"data": {"f": "1"}, "params": {"plan": {"margin": 1}, "pls": {}}, "notebooks": {"a.ipynb": "1"},
               "library": "1", "software": {"numpy": "1"}, "python": "3.11", "platform": "x", "waves": {"2026Q2": "1"}}

    def key(reads: set[str], **changed: Any) -> str:
        return cache.hash_of(cache.parts_of("a", ("a",), {**made_of, **changed}, reads, [], memory.root))

    reading = {"plan", "data", "compare"}
    for part, value in (("data", {"f": "2"}), ("params", {"plan": {"margin": 2}}), ("notebooks", {"a.ipynb": "2"}),
                        ("library", "2"), ("software", {"numpy": "2"}), ("python", "3.12"), ("platform", "y"),
                        ("waves", {"2026Q2": "2"})):
        assert key(reading, **{part: value}) != key(reading), part
    for part, value in (("data", {"f": "2"}), ("waves", {}), ("params", {"plan": {"margin": 1}, "pls": {"x": 1}})):
        assert key({"plan"}, **{part: value}) == key({"plan"}), part


# -- the five notebooks ----------------------------------------------------------------------------------------------

def test_a_watched_study_notes_what_is_asked_of_it() -> None:
    study = load(ROOT / "params/demo/2026Q3.yaml")

    def reads(ask: Callable[[Study], Any]) -> set[str]:
        seen = watched(study)
        assert ask(seen) == ask(study)
        return seen.reads

    assert reads(lambda s: s.params.plan.margin) == {"plan"} and reads(lambda s: s.root) == set()
    assert reads(lambda s: s.model.target) == {"model"}
    assert reads(lambda s: s.label("Image")) == {"model", "language"}
    assert reads(lambda s: s.questionnaire["NPS"].scale) == {"items", "scale", "missing_codes", "nps", "model"}
    assert reads(lambda s: s.title) == {"title", "language", "client"} and reads(lambda s: s.name) == {"client", "wave"}
    assert reads(lambda s: s.params.model_dump()) == set(StudyParams.model_fields)


@pytest.mark.slow
def test_no_notebook_reads_what_it_does_not_declare(demo_report) -> None:
    """As seen while they ran on the demo, which uses every part of them."""
    for stage in STAGES:
        seen = read_json(demo_report.out / "data/processed/demo/2026Q3" / stage / "done.json")
        declared = cache.declared(ROOT / "notebooks" / f"{stage}.ipynb")
        written = json.loads((ROOT / "notebooks" / f"{stage}.ipynb").read_text(encoding="utf-8"))["metadata"]
        assert seen["reads"] and set(seen["reads"]) == declared == set(written["tcs"]["reads"]), stage
    said = read_json(demo_report.folder / "manifest.json")["stages"]
    assert [s for s in STAGES if "loyalty" in said[s]["reads"]] == ["5_loyalty_analysis"]
    told = [name for stage in STAGES for name in said[stage]["results"]]
    found = demo_report.results
    unsaid = {"id", "version", "client", "wave", "settings", "tables", "warnings"}
    assert set(found) - unsaid <= set(told) and {f"tables.{name}" for name in found["tables"]} <= set(told)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, demo_report) -> Path:
    """A project of its own with the demo's study, data, report and stages."""
    root = tmp_path_factory.mktemp("project")
    for part in ("params", "data/raw"):
        shutil.copytree(ROOT / part / "demo", root / part / "demo")
    for part in ("reports", "data/processed"):
        shutil.copytree(demo_report.out / part, root / part)
    return root


@pytest.mark.slow
def test_other_bands_of_loyalty_run_the_last_notebook_only(project: Path) -> None:
    wave = project / "params/demo/2026Q3.yaml"
    with wave.open("a", encoding="utf-8") as file:
        file.write("\nloyalty:\n  bands: [0, 50, 70, 85, 100]\n")
    other = project / "other"
    shutil.copytree(project / "reports", other / "reports")          # the same history, and no stages to keep
    one, full = command("run", "demo/2026Q3", cwd=project), list[str]()
    run_here(load(wave), other, full.append)
    assert one.returncode == 0, one.stderr
    assert one.stderr.count("kept") == 4 and len(full) > 4 and "kept" not in "".join(full)
    found = project / "reports/demo/2026Q3/v2"
    assert hashes(found) == hashes(other / "reports/demo/2026Q3/v2")
    bands = read_json(found / "results.json")["loyalty_curve"]["bands"]
    assert [b["low_edge"] for b in bands] == [0, 50, 70, 85]
    again = command("run", "demo/2026Q3", cwd=project)
    assert again.stdout == one.stdout and "nothing has changed since v2" in again.stderr
    lines = command("diff", "demo/2026Q3/v1", "demo/2026Q3", cwd=project).stdout.splitlines()
    assert lines[0] == "demo/2026Q3/v1 → demo/2026Q3/v2" and lines[3].split()[0] == "params.loyalty.bands"
    assert "  loyalty_curve.bands[70, 85]" in lines and not [x for x in lines if "index" in x or "paths" in x]


@pytest.mark.slow
def test_a_report_comes_out_again_to_the_byte(demo_report) -> None:
    done = command("verify", "demo/2026Q3/v1", "--rerun", "--out", str(demo_report.out), program=QUICK)
    assert done.returncode == 0, done.stderr
    assert "is as published" in done.stdout and "the same to the byte" in done.stdout


def test_bands_are_checked(make_study) -> None:
    assert tuple(LoyaltyParams().bands) == BANDS
    for bands in ([0, 50, 50, 100], [10, 100], [0, 90], [], [100], [0, 60, 40, 100], [0, *range(1, 22), 100]):
        with pytest.raises(InputRefused, match=r"loyalty\.bands: at most 21 edges that rise from 0 to 100"):
            load(make_study("id\n1\n", {"loyalty": {"bands": bands}}))
    assert load(make_study("id\n1\n", {"loyalty": {"bands": [0, 100]}})).params.loyalty.bands == [0, 100]


# -- list, report ----------------------------------------------------------------------------------------------------

def made_up(root: Path, client: str, version: str = "v1", title: Any = None, language: str = "en") -> Path:
    """A version that fits itself, without a run."""
    folder = root / "reports" / client / "2026Q3" / version
    folder.mkdir(parents=True)
    (root / "params").mkdir(exist_ok=True)
    inputs = {"data": {f"data/raw/{client}/a.csv": "0"}, "notebooks": {}, "library": "0", "software": {}, "python": "3",
              "platform": "x", "params": {"title": title or {}, "language": language, "client": client}}
    (folder / f"{client}-2026Q3-{version}.html").write_text("<p>", encoding="utf-8")
    write_json(folder / "results.json", {"id": "", "n": 1234, "index": {"score": 71.26, "low": 69.0, "high": None}})
    write_json(folder / "manifest.json", {
        "id": cache.hash_of(inputs)[:12], "client": client, "wave": "2026Q3", "commit": None, "inputs": inputs,
        "outputs": {p.name: sha(p) for p in folder.iterdir()}})
    return folder


def test_the_list_is_straight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params").mkdir()
    assert list_runs() == ["No runs yet; `tcs run` or `tcs demo` makes one."]
    made_up(tmp_path, "acme", title={"en": "Acme", "zh": "安美"})
    made_up(tmp_path, "acme", "v10", title={"en": "Acme", "zh": "安美"}, language="zh")
    made_up(tmp_path, "longer-name", title={"": "Plain"})
    (made_up(tmp_path, "broken") / "manifest.json").write_text("{", encoding="utf-8")
    (tmp_path / "reports" / "empty").mkdir()
    head, acme, broken, longer = list_runs()
    assert head.split()[:4] == ["run", "published", "n", "index"]
    assert acme.split()[0] == "acme/2026Q3/v10" and acme.endswith("zh        安美") and " 1234   71.3  – " in acme
    assert longer.endswith("en        Plain") and longer.index("71.3") == acme.index("71.3")
    assert broken == "broken/2026Q3/v1       not as published; see `tcs verify`"
    assert [line.split()[0] for line in list_runs("longer-name")] == ["run", "longer-name/2026Q3/v1"]
    with pytest.raises(InputRefused, match="acm: has no runs; there are runs of acme, broken, longer-name"):
        list_runs("acm")
    assert width("安美a") == 5 and aligned([["安美", "x"], ["abcde", "y"]]) == ["安美   x", "abcde  y"]
    assert aligned([["1", "x"], ["22", "y"]], right={0}) == [" 1  x", "22  y"]


def test_runs_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("v2", "v10"):
        made_up(tmp_path, "acme", version)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")          # from within the project, too
    assert find_run("acme/2026Q3").name == "acme/2026Q3/v10" and find_run("acme/2026Q3/v2").folder.name == "v2"
    assert find_run("reports/acme/2026Q3/v2/").folder.name == "v2" and find_run("acme\\2026Q3").folder.name == "v10"
    for name, said in (("acme", "a run is expected"), ("acme/2026Q3/3", "a run is expected"), ("../x", "a run is"),
                       ("acme/2026Q3/v3", "no such version; there are v2 to v10"),
                       ("acme/2026Q4", r"no such run. Did you mean acme/2026Q3\?"), ("x/y", "`tcs list` names")):
        with pytest.raises(InputRefused, match=said):
            find_run(name)
    write_json(tmp_path / "reports/acme/2026Q3/v2/manifest.json", {"id": 1})
    with pytest.raises(RunFailed, match="is no manifest of a run"):
        find_run("acme/2026Q3/v2")


def test_a_report_is_printed_beside_its_versions(tmp_path: Path) -> None:
    """By whatever stands for a browser; a version itself is never written to."""
    folder = made_up(tmp_path, "acme")
    page, before = folder / "acme-2026Q3-v1.html", hashes(folder)
    assert command("report", "acme/2026Q3", cwd=tmp_path).stdout == f"{page}\n"
    none = command("report", "acme/2026Q3", "--pdf", cwd=tmp_path, TCS_BROWSER=str(tmp_path / "no browser"))
    assert none.returncode == 1 and none.stdout == "" and len(none.stderr.splitlines()) == 1
    assert "no Chromium, Chrome or Edge was found" in none.stderr and "any browser" in none.stderr
    if sys.platform != "win32":
        for line, ends in (('printf "%%PDF-1.4" > "${p#--print-to-pdf=}"', 0), ("exit 3", 1), ("exit 0", 1)):
            fake = tmp_path / "browser"
            fake.write_text(f'#!/bin/sh\nfor p in "$@"; do case "$p" in --print-to-pdf=*) break;; esac; done\n{line}\n',
                            encoding="utf-8")
            fake.chmod(0o755)
            done = command("report", "acme/2026Q3/v1", "--pdf", cwd=tmp_path, TCS_BROWSER=str(fake))
            assert done.returncode == ends and len(done.stderr.splitlines()) == ends, done.stderr
            if not ends:
                assert done.stdout == f"{folder.parent / 'acme-2026Q3-v1.pdf'}\n"
    assert hashes(folder) == before and not list(folder.parent.glob(".making-*"))


@pytest.mark.slow
@pytest.mark.browser
def test_the_demo_on_paper(project: Path) -> None:
    if browser.find_browser() is None:
        pytest.skip("no browser here")
    done = command("report", "demo/2026Q3/v1", "--pdf", cwd=project)
    pdf = Path(done.stdout.strip())
    assert done.returncode == 0 and pdf == project / "reports/demo/2026Q3/demo-2026Q3-v1.pdf", done.stderr
    assert pdf.read_bytes().startswith(b"%PDF") and pdf.stat().st_size > 100_000


# -- verify ----------------------------------------------------------------------------------------------------------

def test_a_version_that_was_touched_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = made_up(tmp_path, "acme")
    run = find_run("acme/2026Q3")
    assert verify.altered(run) == []
    said = dict(run.manifest)
    write_json(folder / "manifest.json", {**said, "commit": "0123456789"})          # of the same run, elsewhere
    assert verify.altered(find_run("acme/2026Q3")) == []
    (folder / "notes.txt").write_text("", encoding="utf-8")
    (folder / "results.json").write_text("{}", encoding="utf-8")
    next(folder.glob("*.html")).unlink()
    assert verify.altered(find_run("acme/2026Q3")) == [
        "acme-2026Q3-v1.html: missing", "results.json: changed", "notes.txt: not part of it"]
    write_json(folder / "manifest.json", {**said, "inputs": {**said["inputs"], "library": "1"}})
    assert verify.altered(find_run("acme/2026Q3"))[-1] == "manifest.json: its id is not that of its inputs"
    done = command("verify", "acme/2026Q3", cwd=tmp_path)
    assert done.returncode == 1 and done.stdout.startswith("acme/2026Q3/v1 is not as published:\n  acme-2026Q3-v1")


@pytest.mark.slow
def test_as_published_and_changed_since_are_two_things(project: Path) -> None:
    now = command("verify", "demo/2026Q3/v1", "--out", ".", cwd=project)
    assert now.returncode == 0 and "demo/2026Q3/v1 is as published: 3 files and the manifest, id" in now.stdout
    data, kept = project / "data/raw/demo/2026Q3.csv", (project / "data/raw/demo/2026Q3.csv").read_bytes()
    try:
        data.write_bytes(kept + b"\n")
        since = command("verify", "demo/2026Q3/v1", cwd=project)
        assert since.returncode == 0 and "  data/raw/demo/2026Q3.csv: changed" in since.stdout.splitlines()
        again = command("verify", "demo/2026Q3/v1", "--rerun", cwd=project)
        assert again.returncode == 2 and again.stderr.splitlines() == [
            "data/raw/demo/2026Q3.csv: is not the file the report was made of. Restore it, and verify again."]
    finally:
        data.write_bytes(kept)


@pytest.fixture
def here(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Memory:
    """A run below the project itself, to be verified."""
    monkeypatch.chdir(memory.root)
    memory.out = memory.root
    memory.change(missing_codes={"98": "dont_know"}, title="Plain", items={"a": {"missing_codes": {}}})
    pipeline.run(load(memory.study), say=lambda _: None)
    return memory


def test_a_rerun_compares_number_by_number(here: Memory) -> None:
    """It takes the parameters from the manifest: what the study's file says by now is no matter."""
    folder = here.latest()
    here.change(plan={"margin": 50})
    sound, lines = verify.verify(find_run("acme/2026Q3"), True, lambda _: None)
    assert sound and "same to the byte" in lines[-1] and "  params.plan" in lines
    manifest, found = read_json(folder / "manifest.json"), read_json(folder / "results.json")

    def publish(results: dict[str, Any]) -> tuple[bool, list[str]]:
        write_json(folder / "results.json", results)
        outputs = {**manifest["outputs"], "results.json": sha(folder / "results.json")}
        write_json(folder / "manifest.json", {**manifest, "outputs": outputs})
        return verify.verify(find_run("acme/2026Q3"), True, lambda _: None)

    sound, lines = publish({**found, "index": {**found["index"], "score": 70.0000001}})
    assert sound and "are equal to 6 significant digits" in lines[-1]
    sound, lines = publish({**found, "index": {**found["index"], "score": 70.001}, "extra": 1})
    assert not sound and lines[-2:] == ["  index.score: 70.001 published, 70 now", "  extra: published only"]


# -- diff ------------------------------------------------------------------------------------------------------------

def test_rows_go_by_their_names() -> None:
    old = {"paths": [{"source": "A", "target": "B", "estimate": 0.5}, {"source": "B", "target": "C", "estimate": 0.1}],
           "index": {"score": 70.0, "se": 1.0}, "warnings": ["one", "two"], "segments": [
               {"column": "sex", "group": "f", "n": 5}], "zero": 0.0, "flag": True, "settings": {"a": 1},
           "tables": {"t": {"title": "T", "columns": ["item", "mean"], "rows": [["x", 1.0], ["y", 2.0]]},
                      "t_figure": {"columns": ["item"], "rows": [["x"]]}}}
    new = json.loads(json.dumps(old))
    new["paths"].reverse()
    new["tables"]["t"]["rows"].reverse()
    assert diff.compare(old, new) == diff.Changes([], [], [], 0, len(diff.leaves(old)))
    new["paths"][0]["estimate"], new["index"]["score"], new["tables"]["t"]["rows"][0][1] = 0.2, 70 * (1 + 1e-8), 2.5
    new["warnings"], new["flag"], new["zero"], new["settings"] = ["two", "three"], None, 1e-15, {}
    new["segments"][0]["group"] = "m"
    found = diff.compare(old, new)
    assert [(diff.dotted(c.address), c.old, c.new) for c in found.changed] == [
        ("paths[B → C].estimate", 0.1, 0.2), ("flag", True, None), ("tables.t[y].mean", 2.0, 2.5)]
    assert found.noise == 2          # the score by 1e-8 of itself, a zero by 1e-15
    assert [diff.dotted(a) for a in found.only_old] == ["warnings[one]", "segments[sex, f]"]
    assert [diff.dotted(a) for a in found.only_new] == ["warnings[three]", "segments[sex, m]"]


def test_what_the_report_leads_with_comes_first() -> None:
    names = ("items", "nps", "constructs", "paths", "index")
    old = {"tables": {}, **{name: {"se": 1.0, "estimate": 1.0} for name in names}}
    new = {"tables": {}, **{name: {"se": 2.0, "estimate": 2.0} for name in names}}
    found = [diff.dotted(c.address) for c in diff.compare(old, new).changed]
    assert found[:5] == [f"{name}.estimate" for name in ("index", "constructs", "paths", "nps", "items")]
    assert found[5:] == [f"{name}.se" for name in ("index", "constructs", "paths", "nps", "items")]


def test_each_number_names_the_inputs_that_reach_it(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.ran()
    memory.change(plan={"margin": 2}, loyalty={"bands": [0, 70, 100]}, pls={"scheme": "centroid"})
    memory.data.write_text(memory.data.read_text(encoding="utf-8") + "4,5,5,5,5\n", encoding="utf-8")
    memory.ran()
    monkeypatch.chdir(memory.root)
    old, new = find_run("acme/2026Q3/v1", memory.out), find_run("acme/2026Q3", memory.out)
    inputs = diff.inputs_changed(old.manifest["inputs"], new.manifest["inputs"])
    assert inputs == ["data", "params.loyalty.bands", "params.plan", "params.pls.scheme"]

    def cause(*address: str) -> list[str]:
        return list(diff.made_by(address, old, new, inputs))

    assert cause("plan", "margin") == ["params.plan"] and cause("loyalty_curve", "x") == ["params.loyalty.bands"]
    assert cause("rows", "[a]", "estimate") == ["data", "params.plan"] == cause("tables", "t", "[x]", "estimate")
    assert cause("something nobody told") == inputs
    lines = diff.diff(old, new)
    assert 'params.pls.scheme     "path" → "centroid"' in [line.strip() for line in lines]
    assert [x.split() for x in lines if x.startswith("  rows[a]")] == [
        ["rows[a].estimate", "2.5", "2", "-0.5", "data,", "params.plan"]]
    assert "  loyalty_curve[0, 40]" in lines and "  loyalty_curve[70, 100]" in lines
    assert diff.diff(new, new)[2:] == ["They were made of the same.", "", f"0 of {len(diff.leaves(new.results()))} "
                                       "results differ."]


def test_a_long_difference_is_cut_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [made_up(tmp_path, "acme", version) for version in ("v1", "v2")]
    for k, folder in enumerate(folders):
        write_json(folder / "results.json", {"tables": {}, "r2": {f"x{i}": float(i * (k + 1)) for i in range(1, 31)}})
    old, new = find_run("acme/2026Q3/v1"), find_run("acme/2026Q3/v2")
    few, all_ = diff.diff(old, new), diff.diff(old, new, everything=True)
    assert "30 of 30 results differ:" in few and few[-1] == "  and 10 more; --all lists them."
    assert len([line for line in few if line.startswith("  r2.")]) == 20
    assert len([line for line in all_ if line.startswith("  r2.")]) == 30 and "--all" not in all_[-1]
    broken = Run(new.folder, new.root, new.manifest)
    (new.folder / "results.json").write_text("[]", encoding="utf-8")
    with pytest.raises(RunFailed, match=r"results\.json: cannot be read"):
        diff.diff(old, broken)


# -- check --show, schema --------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {
    "scale": "0/1", "title": "yes", "missing_codes": {"98": "no: #1"}, "plan": {"margin": 3},
    "items": {"IMAG1": {"text": "Is it\n“good”, # or: not?", "scale": "percent", "missing_codes": {}},
              "IMAG2": {"reversed": True, "scale": "-3-3"}, "CUSA1": {"missing_codes": {"97": "y"}}},
    "compare": {"segments": "region"}, "cleaning": {"require": {"gender": "m"}}}


def shown_again(study: Study, root: Path) -> Study:
    """What `tcs check --show` prints, written to a file and loaded."""
    file = root / study.path
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(show(study)), encoding="utf-8")
    shutil.copytree(study.root / "data/raw", root / "data/raw")
    return load(file)


@pytest.mark.parametrize("name", ["demo", "own", "plain"])
def test_the_study_that_is_shown_is_the_study(name: str, make_study, tmp_path: Path) -> None:
    path = ROOT / "params/demo/2026Q3.yaml" if name == "demo" else make_study("id\n1\n", OWN if name == "own" else {})
    study = load(path)
    again = shown_again(study, tmp_path / "again")
    assert again.model == study.model and again.questionnaire == study.questionnaire
    apart = {"model", "items"}          # written out; compared above
    assert again.params.model_dump(exclude=apart) == study.params.model_dump(exclude=apart)
    assert bool(again.params.plan.model_fields_set) == bool(study.params.plan.model_fields_set)
    assert [line.split("  # ")[0] for line in show(again)] == [line.split("  # ")[0] for line in show(study)]


def test_every_value_says_where_it_comes_from(make_study) -> None:
    lines = show(load(ROOT / "params/demo/2026Q3.yaml"))
    said = (ROOT / "params/demo/study.yaml").read_text(encoding="utf-8").splitlines()
    at = next(k for k, line in enumerate(said, 1) if line.startswith("nps:"))
    assert f"nps: NPS  # params/demo/study.yaml:{at}" in lines
    assert [line for line in lines if line.strip().startswith("target:")] == ["  target: Satisfaction  # preset ecsi"]
    assert "  scheme: path  # default" in lines and "    - [Image, Expectation]  # preset ecsi" in lines
    assert not [line for line in lines if not line.rstrip().endswith(":") and "  # " not in line]
    own = show(load(make_study("id\n1\n")))
    items = [line for line in own if line.strip().startswith("items: [IMAG1")]
    assert len(items) == 1 and items[0].split("  # ")[1].startswith("params/acme/2026Q3.yaml:")


def test_the_command_shows_the_study_and_says_the_rest_aside() -> None:
    done = command("check", "demo/2026Q3", "--show")
    assert done.returncode == 0 and done.stderr.startswith("demo/2026Q3: no faults found.\n")
    assert done.stdout.startswith("client: demo  # params/demo/study.yaml:")


def test_the_schema_takes_the_studies_and_no_typo() -> None:
    from jsonschema import Draft202012Validator

    from tcslib.study.strict_yaml import read_yaml

    told = schema()
    Draft202012Validator.check_schema(told)
    judge = Draft202012Validator(told)
    files = [p for pattern in ("params/demo/*.yaml", "tests/studies/*/*.yaml") for p in sorted(ROOT.glob(pattern))]
    assert len(files) >= 4
    for path in files:
        assert list(judge.iter_errors(read_yaml(path, path.name)[0])) == [], path
    for good in ({"title": "text"}, {"title": {"zh": "文"}}, {"model": {"constructs": {"A": ["a"]}}}, {"wave": 2026},
                 {"compare": {"segments": "region"}}, {"cleaning": {"require": {"sex": "m", "age": ["1", "2"]}}}, OWN,
                 {"weighting": {"trim": None}}, {"data": {"id": "x"}}, {"missing_codes": {"-1": "x", "98.5": "y"}}):
        assert judge.is_valid(good), good
    for bad in ({"titel": "x"}, {"title": {"fr": "x"}}, {"title": {}}, {"model": {"construct": {}}}, {"scale": 10},
                {"model": {"constructs": {"A": {"itmes": []}}}}, {"language": "de"}, {"replicates": {"count": 3}},
                {"missing_codes": {"x": "y"}}, {"loyalty": {"bands": ["low"]}}, {"compare": {"segments": 3}}):
        assert not judge.is_valid(bad), bad


def test_the_schema_goes_where_it_is_told_to(tmp_path: Path) -> None:
    printed = command("schema")
    assert json.loads(printed.stdout) == schema() and printed.stderr == ""
    written = command("schema", "--out", "params/schema.json", cwd=tmp_path)
    assert (tmp_path / "params/schema.json").read_text(encoding="utf-8") == printed.stdout
    assert written.stdout.splitlines()[-1] == "# yaml-language-server: $schema=../schema.json"


# -- what a run is made of -------------------------------------------------------------------------------------------

def test_installed_versions_are_those_the_distributions_state() -> None:
    """Read from folder names; the standard library reads them from each distribution's own metadata."""
    from importlib import metadata

    for name in ("numpy", "pandas", "ruamel-yaml", "typing-extensions", "jupyter-client"):
        assert installed()[name] == metadata.version(name)
    assert len(installed()) >= len({d.metadata["Name"] for d in metadata.distributions()}) - 2


def test_a_study_without_a_plan_is_not_one_with_the_usual_plan(make_study) -> None:
    """The report says different things of them, so their ids must differ, and a rerun must know."""
    without, usual = (resolved(load(make_study("id\n1\n", p)).params) for p in ({}, {"plan": {"margin": 2.5}}))
    assert "plan" not in without and usual["plan"]["margin"] == 2.5
    assert not StudyParams.model_validate(verify.as_given(without)).plan.model_fields_set
    assert resolved(StudyParams.model_validate(verify.as_given(usual))) == usual


@pytest.mark.parametrize("params", [{}, OWN])
def test_parameters_of_a_manifest_load_as_they_were(make_study, tmp_path: Path, params: dict[str, Any]) -> None:
    study = load(make_study("id\n1\n", params))
    given = verify.as_given(json.loads(json.dumps(resolved(study.params))))
    again = load(write_study(tmp_path / "again", "id\n1\n", json.dumps(given)))
    assert resolved(again.params) == resolved(study.params) and again.model == study.model
    assert again.questionnaire == study.questionnaire
