"""What a user gets for a mistake: one plain line, the right exit code, no traceback, no report, raw data untouched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import BASE_STUDY, ROOT, MakeStudy, write_study

from tcslib.errors import InputRefused
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.run import cli, pipeline
from tcslib.run.manifest import NOTEBOOKS
from tcslib.run.pipeline import PARAMETERS, check_parameters
from tcslib.study.load import load

# the tests' switch for encoding warnings would show those of other libraries too
QUIET = {k: v for k, v in os.environ.items() if k != "PYTHONWARNDEFAULTENCODING"} | {"PYTHONPATH": str(ROOT)}
PROGRESS = re.compile(r"  [1-5]/5  [a-z ]+ +[0-9.]+ s$|acme, 2026Q3$")
MODEL = BASE_STUDY["model"]
HEAD = ("id,IMAG1,IMAG2,IMAG3,CUEX1,CUEX2,CUEX3,PERQ1,PERQ2,PERQ3,PERV1,PERV2,CUSA1,CUSA2,CUSA3,CUSL1,CUSL2,CUSL3,"
        "weight,stratum,psu,region,gender,verbatim")


def answers(n: int = 60) -> list[str]:
    """Lines of a sound file for the base study."""
    rows = [f"R{i:03d}," + ",".join(str(1 + (i * (j + 3) + i // 7) % 10) for j in range(17))
            + f",1.5,{i % 2},{i % 10},West,f," for i in range(n)]
    return [HEAD, *rows]


SOUND = "\n".join(answers()) + "\n"


def fingerprint(root: Path) -> dict[str, str]:
    """Every file below data/raw and params, by its hash."""
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
            for folder in ("data/raw", "params") for p in sorted((root / folder).rglob("*")) if p.is_file()}


def tcs(root: Path, *words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a child process, in a project's root; ``code`` is run before it."""
    start = ["-m", "tcslib"] if not code else ["-c", f"{code}\nfrom tcslib.run.cli import main\nmain()"]
    return subprocess.run([sys.executable, "-X", "utf8", *start, *words], cwd=root, capture_output=True,
                          encoding="utf-8", timeout=240, env=QUIET)


def refused(root: Path, *words: str, exit_code: int = 2, lines: int = 1, code: str = "") -> str:
    """What the command says of a fault, once all that must hold for every fault is known to hold."""
    before = fingerprint(root)
    done = tcs(root, *words, code=code)
    said = [line for line in done.stderr.splitlines() if not PROGRESS.match(line)]
    assert done.returncode == exit_code, done.stderr
    assert len(said) == lines and not done.stdout, done.stderr + done.stdout
    assert "Traceback" not in done.stderr and 'File "' not in done.stderr
    assert all(line.isprintable() and line.rstrip().endswith((".", "?", ")")) for line in said), said
    assert not (root / "reports").exists()
    assert fingerprint(root) == before
    return "\n".join(said)


# --- the study, by `tcs check` ------------------------------------------------------------------------------------

def changed(**model: Any) -> dict[str, Any]:
    return {"model": model}


STUDIES: dict[str, tuple[dict[str, Any] | str, str]] = {
    "unknown construct in a path": (changed(paths=[*MODEL["paths"], ["Image", "Loyalti"]]),
                                    r'model\.paths\.11: "Loyalti" is not a construct.*Did you mean Loyalty\?'),
    "a cycle": (changed(paths=[*MODEL["paths"], ["Loyalty", "Image"]]),
                r"model\.paths: run in a circle: (\w+ → )+\w+\. Drop one"),
    "item in two constructs": (changed(constructs={**MODEL["constructs"], "Value": ["PERV1", "IMAG1"]}),
                               r'item "IMAG1" is in Image and Value\. Keep it in one'),
    "unknown item": (changed(constructs={**MODEL["constructs"], "Value": ["PERV1", "PERV9"]}),
                     r'answers\.csv: column "PERV9" \(model\.constructs\.Value\) is missing\. Did you mean PERV'),
    "typo": ({"replicats": {"count": 100}}, r"replicats: is not a key of a study\. Did you mean replicates\?"),
    "client": ({"client": "../x"}, r'client: "\.\./x": a short name of a-z, 0-9, _ and - is expected'),
    "secret": ({"api_key": "SECRET-7f3a"}, r"api_key: is not a key of a study\. Remove it\. \(line \d+\)$"),
    "shares": ({"weighting": {"rake": {"gender": {"f": 0.7, "m": 0.5}}}}, r"the shares sum to 1\.2, not to 1"),
    "data elsewhere": ({"data": {"file": "/etc/passwd"}}, r'data\.file: "/etc/passwd" lies outside data/raw'),
    "tag": ("client: !!python/name:os.system acme\n", r"client: the tag .* is not allowed"),
    "alias": ("client: acme\nwave: &w [*w]\n", ""),
    "duplicate key": ("client: acme\nclient: acme\n",
                      r"client: stands twice \(first in line 1\)\. Keep one\. \(line 2\)"),
    "tab": ("client: acme\ndata:\n\tfile: a\n", r"2026Q3\.yaml: line 3 holds a tab"),
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_with_a_fault(tmp_path: Path, name: str) -> None:
    params, said = STUDIES[name]
    path = write_study(tmp_path, SOUND, params if isinstance(params, str) else {})
    if not isinstance(params, str):          # what is laid over may be the client itself, so it is written here
        study = json.loads(path.read_text(encoding="utf-8"))
        for key, value in params.items():
            study[key] = {**study.get(key, {}), **value} if isinstance(value, dict) else value
        path.write_text(json.dumps(study, indent=1), encoding="utf-8")
    came = refused(tmp_path, "check", "acme/2026Q3", lines=2 if name == "alias" else 1)
    assert came.startswith(("params/acme/2026Q3.yaml: ", "data/raw/acme/answers.csv: ")), came
    assert re.search(said, came) and "SECRET" not in came, came


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n  \n", "holds blank lines only"),
    "not text": (bytes(range(256)) * 20, "binary|not UTF-8|NUL"),
    "two columns of one name": (SOUND.replace("IMAG2", "IMAG1", 1).encode(),
                                r'more than once: "IMAG1" \(columns 2, 3\)'),
    "semicolons, said to be tabs": (SOUND.replace(",", ";").encode(), r"separated by a semicolon, not by a tab"),
    "a missing column": (SOUND.replace("CUSA1", "CUSA_1", 1).encode(),
                         r'column "CUSA1" .* is missing\. Did you mean CUSA_1\?'),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_whose_header_cannot_be_used(tmp_path: Path, name: str) -> None:
    content, said = FILES[name]
    write_study(tmp_path, content, {"data": {"delimiter": "tab"}} if "tabs" in name else None)
    came = refused(tmp_path, "check", "acme/2026Q3")
    assert came.startswith("data/raw/acme/answers.csv: ") and re.search(said, came), came


def test_all_faults_of_a_study_in_one_reading(tmp_path: Path) -> None:
    write_study(tmp_path, SOUND, {"language": "de", "compare": {"segments": ["region"], "base": "2026Q2"},
                                  "replicates": {"cuont": 5}, "model": {**MODEL, "target": "Satisfactoin"}})
    came = refused(tmp_path, "check", "acme/2026Q3", lines=4)
    assert [line.split(": ")[1] for line in came.splitlines()] == ["language", "replicates.cuont", "model.target",
                                                                   "compare"]


def test_a_sound_study_passes_and_leaves_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, SOUND)
    before = sorted(tmp_path.rglob("*"))
    for name in ("acme/2026Q3", "params/acme/2026Q3.yaml"):
        done = tcs(tmp_path, "check", name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "acme/2026Q3: no faults found.\n", "")
    assert sorted(tmp_path.rglob("*")) == before


# --- the file, by reading and cleaning ----------------------------------------------------------------------------

def cells(column: str, values: dict[int, str]) -> bytes:
    """The sound file with some cells of a column replaced."""
    frame = pd.DataFrame([row.split(",") for row in answers()[1:]], columns=HEAD.split(","))
    for row, value in values.items():
        frame.loc[row, column] = value
    return frame.to_csv(index=False).encode()


ROWS: dict[str, tuple[bytes, str]] = {
    "header only": (HEAD.encode() + b"\n", "holds 0 respondents"),
    "extra fields": (SOUND.replace("R003,", "R003,7,7,", 1).encode(),
                     "line 5: the row has 26 cells where the header has 24"),
    "short row": ("\n".join([*answers()[:5], "R9,1,2", *answers()[5:]]).encode(), "line 6: the row has 3 cells"),
    "cut short": (SOUND.encode()[:-12], "the last row has|seems to be cut short"),
    "out of scale": (cells("CUSA1", {0: "0", 1: "11", 2: "99", 3: "12"}),
                     r'column "CUSA1": 7% of the answers lie outside 1-10 \(0, 11, 12, 99; rows 2, 3, 4, 5\)'),
    "words": (cells("IMAG2", dict.fromkeys(range(9), "good")), r"9 of 60 answers \(15%\) are no numbers"),
    "negative weight": (cells("weight", {7: "-1"}), r'weight column "weight" is negative in 1 row \(row 9\)'),
    "missing weight": (cells("weight", {7: "", 8: ""}), r"is missing or not a number in 2 rows \(rows 9, 10\)"),
    "infinite weight": (cells("weight", {7: "inf"}), r'line 9: column "weight": "inf" is not a finite number'),
    "text as weight": (cells("weight", {7: "heavy"}), r'line 9: column "weight": "heavy" is text'),
    "empty stratum": (cells("stratum", {7: ""}),
                      r'column "stratum" \(design\.strata\) is empty in 1 records \(row 9\)'),
    "empty id": (cells("id", {7: ""}), r'id column "id" is empty in 1 records \(row 9\)'),
    "one id twice": (cells("id", {7: "R001"}), r'holds 1 ids twice with different answers \("R001"; row 9\)'),
    "truth values": (cells("IMAG1", {7: "TRUE"}), r'line 9: column "IMAG1": "TRUE" is a truth value'),
    "a percentage": (cells("IMAG1", {7: "85%"}), r'"85%" is a percentage'),
    "too large": (cells("IMAG1", {7: "1e400"}), r'"1e400" is too large'),
    "a date": (cells("IMAG1", {7: "2026-01-07"}), r"is a date or a time where a number is expected"),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    content, said = ROWS[name]
    study = load(write_study(tmp_path, content))
    before = fingerprint(tmp_path)
    with pytest.raises(InputRefused) as caught:
        clean(read(study), study)
    came, = caught.value.lines
    assert came.startswith("data/raw/acme/answers.csv: ") and re.search(said, came), came
    assert came.isprintable() and fingerprint(tmp_path) == before and not (tmp_path / "reports").exists()


# --- the command line ---------------------------------------------------------------------------------------------

WORDS: dict[str, tuple[list[str], str]] = {
    "no such study": (
        ["check", "acme/2026Q4"],
        r"params/acme/2026Q4\.yaml: there is no such study\. "
        r"Did you mean acme/2026Q3\?",
    ),
    "no such client": (["run", "akme/2026Q3"], r"Did you mean acme/2026Q3\?"),
    "a folder": (["check", "params/acme"], r"there is no such study\. Did you mean acme/2026Q3\?"),
    "a folder with a slash": (["check", "params/acme/"], r"Did you mean acme/2026Q3\?"),
    "another place": (["check", "../../etc/passwd"], r"there is no such study"),
    "a long name": (["check", "a" * 400], r"there is no such study"),
    "the data instead": (["check", "data/raw/acme/answers.csv"], r"there is no such study"),
    "unknown command": (["chekc"], r"tcs: No such command 'chekc'"),
    "unknown option": (
        ["run", "acme/2026Q3", "--uot", "x"],
        r"tcs: No such option: --uot .*See `python3 tcs.py --help`\.$",
    ),
    "no study": (["check"], r"tcs: Missing .*study.*See `python3 tcs.py --help`\.$"),
    "one word too many": (["check", "acme/2026Q3", "x"], r"tcs: Got unexpected extra argument"),
    "no folder": (["run", "acme/2026Q3", "--out"], r"tcs: Option '--out' requires an argument"),
    "out is a file": (["run", "acme/2026Q3", "--out", "a file"], r"--out a file: is no folder\. Name a folder"),
    "out below a file": (
        ["run", "acme/2026Q3", "--out", "a file/x/y"],
        r"--out a file/x/y: is no folder, because .* is a file\.",
    ),
    "out is raw": (["run", "acme/2026Q3", "--out", "data/raw/acme/new"], r"lies in data/raw, where nothing is ever"),
}


@pytest.mark.parametrize("name", WORDS)
def test_words_the_command_does_not_know(tmp_path: Path, name: str) -> None:
    write_study(tmp_path, SOUND)
    (tmp_path / "a file").write_text("x", encoding="utf-8")
    words, said = WORDS[name]
    assert re.search(said, came := refused(tmp_path, *words)), came
    assert not (tmp_path / "data" / "processed").exists()


def test_the_command_alone_shows_its_help(tmp_path: Path) -> None:
    done = tcs(tmp_path)
    assert done.returncode == 2 and "Usage" in done.stdout and "check" in done.stdout and not done.stderr
    assert tcs(tmp_path, "--help").returncode == 0


def test_an_error_nobody_foresaw_is_one_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["tcs", "check", "acme/2026Q3"])
    for error, said in [(ZeroDivisionError("a\nb"), r"tcs: ZeroDivisionError: a b\. This is a fault of the program; "
                                                    r"its whole story is in .*tcs-error-.*\.txt\.$"),
                        (KeyError(), r"tcs: KeyError\. This is a fault"),
                        (PermissionError(13, "Permission denied", "/x/y"), r"^/x/y: Permission denied\. Check"),
                        (OSError(28, "No space left on device"), r"^tcs: No space left on device\. Check"),
                        (MemoryError(), r"tcs: MemoryError"), (KeyboardInterrupt(), "stopped; nothing was published")]:
        def broken(_: str, error: BaseException = error) -> None:
            raise error
        monkeypatch.setattr(cli, "check_study", broken)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        assert ended.value.code == 1 and not printed.out
        assert re.search(said, printed.err.strip()) and printed.err.count("\n") == 1, printed.err
    stories = sorted(tmp_path.glob("tcs-error-*.txt"))
    assert len(stories) == 3 and all("Traceback" in p.read_text(encoding="utf-8") for p in stories)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights")
def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.os, "access", lambda *_: False)          # root may write everywhere
    with pytest.raises(InputRefused, match="cannot be written"):
        cli.check_out(tmp_path / "new" / "folder", tmp_path)
    cli.check_out(None, tmp_path)
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data" / "raw")
    with pytest.raises(InputRefused, match="lies in data/raw"):
        cli.check_out(tmp_path / "link" / "x", tmp_path)


# --- notebooks ----------------------------------------------------------------------------------------------------

def notebook_with(folder: Path, change: Any, name: str = "1_sampling_plan") -> Path:
    """The shipped notebooks in another folder, one of them changed."""
    shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    path = folder / f"{name}.ipynb"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def parameters(content: dict[str, Any]) -> dict[str, Any]:
    return next(c for c in content["cells"] if "parameters" in c["metadata"].get("tags", []))


def untag(content: dict[str, Any]) -> None:
    parameters(content)["metadata"]["tags"] = []


def rename(content: dict[str, Any]) -> None:
    cell = parameters(content)
    cell["source"] = "".join(cell["source"]).replace("stage_in", "stage_inn")


def add_one(content: dict[str, Any]) -> None:
    cell = parameters(content)
    cell["source"] = "".join(cell["source"]) + "\nmore = 1"


def drop_all(content: dict[str, Any]) -> None:
    content["cells"] = []


@pytest.mark.parametrize(("change", "said"), [
    (untag, "declares the parameters none"), (rename, "declares the parameters params, stage_inn, stage_out"),
    (add_one, "declares the parameters params, stage_in, stage_out, more"), (drop_all, "declares the parameters none"),
    (lambda content: content.pop("cells"), "is not a notebook")])
def test_a_notebook_without_its_parameters_is_refused_before_a_kernel_starts(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, said: str) -> None:
    folder = notebook_with(tmp_path / "notebooks", change, "4_structural_model").parent
    study = load(write_study(tmp_path, SOUND))
    monkeypatch.setattr(pipeline, "NOTEBOOKS", folder)
    monkeypatch.setattr(pipeline, "Kernels", lambda *_: pytest.fail("a kernel was started"))
    with pytest.raises(InputRefused, match=said) as caught:
        pipeline.run(study, None, print)
    came, = caught.value.lines
    assert came.startswith("notebooks/4_structural_model.ipynb: ") and not (tmp_path / "reports").exists()


def test_a_notebook_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    with pytest.raises(InputRefused, match="the notebook is missing"):
        check_parameters(path)
    for content in (b"", b"not json", b"\xff\xfe\x00", b"{}"):
        path.write_bytes(content)
        with pytest.raises(InputRefused, match="is not a notebook"):
            check_parameters(path)
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        check_parameters(path)
    assert PARAMETERS == ("params", "stage_in", "stage_out")


@pytest.mark.slow
def test_a_cell_that_raises(tmp_path: Path) -> None:
    def broken(content: dict[str, Any]) -> None:
        at = content["cells"].index(parameters(content))
        content["cells"][at + 1:] = [
            {"cell_type": "markdown", "metadata": {"tags": ["en"]}, "source": "## How large", "id": "a"},
            {"cell_type": "code", "metadata": {}, "source": "print(1 / 0)", "outputs": [], "execution_count": None,
             "id": "b"}]

    folder = notebook_with(tmp_path / "notebooks", broken).parent
    write_study(tmp_path, SOUND)
    there = f"from pathlib import Path\nimport tcslib.run.pipeline as p\np.NOTEBOOKS = Path({str(folder)!r})"
    came = refused(tmp_path, "run", "acme/2026Q3", exit_code=1, code=there)
    assert came.startswith("notebooks/1_sampling_plan.ipynb: under “How large”: ZeroDivisionError: division by zero.")
    log = re.search(r"The whole story is in (\S+)\.$", came)
    assert log and (tmp_path / log[1]).is_file()
    assert "Traceback" in (tmp_path / log[1]).read_text(encoding="utf-8")
    assert not list((tmp_path / "data" / "processed").rglob(".run-*"))


# --- faults a run meets -------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_a_fault_found_while_running_is_the_same_lines(tmp_path: Path) -> None:
    frame = pd.DataFrame([row.split(",") for row in answers()[1:]], columns=HEAD.split(","))
    frame.loc[:9, ["CUSA1", "IMAG1"]] = "99"
    write_study(tmp_path, frame.to_csv(index=False), {"replicates": {"count": 50}})
    came = refused(tmp_path, "run", "acme/2026Q3", lines=2)
    for line, item in zip(came.splitlines(), ("IMAG1", "CUSA1"), strict=True):
        assert line.startswith(f'data/raw/acme/answers.csv: column "{item}": ') and "lie outside 1-10" in line, line


@pytest.mark.slow
def test_a_model_the_answers_cannot_carry(shared: Path, make_study: MakeStudy) -> None:
    path = make_study(shared / "badinputs" / "034_reversed_item.csv", {"replicates": {"count": 50}})
    here = f"import sys\nsys.path.append({str(Path(__file__).parent)!r})\nfrom quick import stand_in\nstand_in()"
    came = refused(path.parent.parent.parent, "run", "acme/2026Q3", code=here)
    assert 'model.constructs: item "IMAG3" has the outer weight -0.' in came
