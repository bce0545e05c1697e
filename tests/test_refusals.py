"""What a user can get wrong: one line, the right exit code, nothing under reports, raw data untouched."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BASE_STUDY, ROOT

from tcslib.errors import InputRefused
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.index.scoring import index
from tcslib.inference.replicates import replicate
from tcslib.run import pipeline
from tcslib.structure.fit import pls
from tcslib.study.load import load

COLUMNS = [c for items in BASE_STUDY["model"]["constructs"].values() for c in items]


def good(rows: int = 60) -> str:
    """A small sound file: ids, items that vary, weights, two strata of ten units each."""
    lines = [",".join(["id", *COLUMNS, "weight", "stratum", "psu", "region", "gender", "verbatim"])]
    for i in range(rows):
        answers = [str(1 + (7 * i * (j + 3) + i * i + j) % 10) for j in range(len(COLUMNS))]
        lines.append(
            ",".join([f"R{i:03d}", *answers, "1.5", str(i % 2), str(i % 20), "NESW"[i % 4], "FM"[i // 2 % 2], "fine"])
        )
    return "\n".join(lines) + "\n"


def with_cell(text: str, column: str, value: str, rows: range = range(1, 2)) -> str:
    lines = [line.split(",") for line in text.splitlines()]
    for row in rows:
        lines[row][lines[0].index(column)] = value
    return "\n".join(map(",".join, lines)) + "\n"


def tcs(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONWARNDEFAULTENCODING"} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-X", "utf8", "-m", "tcslib", *words], cwd=cwd, env=env, timeout=300,
                          capture_output=True, encoding="utf-8")


def untouched(study: Path, before: dict[str, str]) -> bool:
    root = study.parents[2]
    return not (root / "reports").exists() and hashes(root) == before


def hashes(root: Path) -> dict[str, str]:
    return {
        str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in (root / "data" / "raw").rglob("*") if p.is_file()
    }


HEADER = good().splitlines()[0]
AT_THE_DOOR = {  # found by `tcs check`, before anything is read: data, changes of the study, words of the line
    "missing column": (good().replace("IMAG1", "IMAGE1", 1), {}, "IMAGE1"),
    "unknown construct": (good(), {"model": {"paths": [["Image", "Qualitee"]]}}, "Did you mean Quality"),
    "cycle": (
        good(),
        {
            "model": {
                "paths": [
                    ["Image", "Value"],
                    ["Value", "Satisfaction"],
                    ["Satisfaction", "Image"],
                    ["Expectation", "Quality"],
                    ["Quality", "Loyalty"],
                ]
            }
        },
        "run in a circle",
    ),
    "item twice": (
        good(),
        {"model": {"constructs": {**BASE_STUDY["model"]["constructs"], "Value": ["PERV1", "IMAG1"]}}},
        'item "IMAG1" is in Image and Value',
    ),
    "typo": (good(), {"desing": {"strata": "stratum"}}, "Did you mean design"),
    "shares": (good(), {"weighting": {"rake": {"gender": {"F": 0.5, "M": 0.4}}}}, "sum to 0.9"),
}
YAML = {
    "tag": ("client: !!python/object acme\n", "the tag"), "alias": ("client: &a acme\nwave: *a\n", "alias"),
    "duplicate key": ("client: acme\nclient: acme\n", "stands twice"), "tab": ("client:\tacme\n\tx: 1\n", "tab"),
    "client outside": ("client: ../x\nwave: 2026Q3\nmodel: {preset: ecsi}\ndata: {file: data/raw/acme/answers.csv}\n",
                       "a short name"),
}
IN_THE_FILE = {  # found on reading or cleaning: data, words of the line
    "empty": ("", "is empty"),
    "header only": (HEADER + "\n", "0 respondents"),
    "undecodable": (good().replace("fine", "\xe9t\xe9").encode("latin-1"), "UTF-8"),
    "duplicate columns": (good().replace("IMAG2", "IMAG1", 1), "IMAG1"),
    "extra fields": (good().replace("fine\n", "fine,1,2\n", 1), "line 2"),
    "out of scale": (with_cell(good(), "PERQ1", "55", range(1, 8)), "outside 1-10"),
    "negative weight": (with_cell(good(), "weight", "-1"), "negative"),
    "missing weight": (with_cell(good(), "weight", ""), "missing"),
    "no weight": (with_cell(good(), "weight", "0", range(1, 61)), "0 in every row"),
    "empty id": (with_cell(good(), "id", ""), "empty in 1 records"),
    "same id": (with_cell(good(), "id", "R005"), "twice"),
    "empty stratum": (with_cell(good(), "stratum", ""), "stratum"),
}
IN_THE_MODEL = {          # found when the model is estimated
    "constant item": (with_cell(good(), "CUSA1", "7", range(1, 61)), "same answer (7)"),
    "no answers": (with_cell(good(), "CUSA1", "", range(1, 61)), "0 answers"),
    "too few": (good(20), "needs at least 30"),
    "lonely unit": (with_cell(good(), "stratum", "9"), "single sampling unit"),
}


@pytest.mark.parametrize("case", AT_THE_DOOR)
def test_refused_by_check(make_study, case):
    data, params, words = AT_THE_DOOR[case]
    study = make_study(data, params)
    before = hashes(study.parents[2])
    done = tcs("check", str(study))
    assert done.returncode == 2 and not done.stdout
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr and "Traceback" not in done.stderr
    assert untouched(study, before)


@pytest.mark.parametrize("case", YAML)
def test_yaml_that_is_refused(make_study, case):
    text, words = YAML[case]
    study = make_study(good(), text)
    done = tcs("check", str(study))
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and lines and words in done.stderr and "Traceback" not in done.stderr
    assert all(line.startswith("params/acme/2026Q3.yaml") for line in lines)


@pytest.mark.parametrize("case", IN_THE_FILE)
def test_refused_on_reading_or_cleaning(make_study, case):
    data, words = IN_THE_FILE[case]
    path = make_study(data)
    before = hashes(path.parents[2])
    with pytest.raises(InputRefused) as caught:
        study = load(path)
        clean(read(study), study)
    assert len(caught.value.lines) == 1 and words in str(caught.value) and caught.value.exit_code == 2
    assert untouched(path, before)


@pytest.mark.parametrize("case", IN_THE_MODEL)
def test_refused_by_the_model(make_study, case):
    data, words = IN_THE_MODEL[case]
    study = load(make_study(data))
    with pytest.raises(InputRefused, match=words.replace("(", r"\(").replace(")", r"\)")):
        answers = clean(read(study), study)
        pls(answers, study.model, replicates=replicate(answers, 64))


def test_a_reversed_item_is_named_not_flipped(make_study, shared):
    """034 of the bad inputs: its outer weight is negative, so there is no index until the study says what it is."""
    study = load(make_study(shared / "badinputs" / "034_reversed_item.csv"))
    answers = clean(read(study), study)
    with pytest.raises(InputRefused, match="outer weight -"):
        index(pls(answers, study.model, replicates=replicate(answers, 64)))


def test_a_run_refuses_as_check_does(make_study):
    """A fault found inside a kernel comes out as one line and exit 2, after the stages that went before."""
    study = make_study(IN_THE_FILE["negative weight"][0], {"replicates": {"count": 64}})
    before = hashes(study.parents[2])
    done = tcs("run", str(study))
    assert done.returncode == 2 and "Traceback" not in done.stderr and "negative" in done.stderr.splitlines()[-1]
    assert [line.split()[0] for line in done.stderr.splitlines()[1:-1]] == ["1/5"]
    assert untouched(study, before)


@pytest.mark.parametrize(("change", "words"), [("x = 1", "none"), ('params = ""\nstage_in = ""', "params, stage_in"),
                                               ('params = ""\nstage_in = ""\nstage_out = ""\nn = 1', "stage_out, n")])
def test_a_notebook_must_declare_its_three_parameters(tmp_path, change, words):
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"] if "params" in change else []}, "source": [change]}
    ]
    (tmp_path / "1_x.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    with pytest.raises(InputRefused, match=words):
        pipeline.check_parameters(tmp_path / "1_x.ipynb")


@pytest.mark.parametrize(("words", "said"), [(["check", "demo/2026Q4"], "Did you mean demo/2026Q3?"),
                                             (["rnu", "demo/2026Q3"], "rnu"), (["run"], "study")])
def test_words_that_are_no_command_or_study(words, said):
    done = tcs(*words)
    assert done.returncode == 2 and said.lower() in done.stderr.lower() and "Traceback" not in done.stderr
