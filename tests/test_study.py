"""What a study may say: strict YAML, keys that are known and fit together, models, one line for each fault."""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeStudy

from tcslib.errors import InputRefused
from tcslib.fieldwork.columns import check_columns, columns_of
from tcslib.study.load import find_root, item_names, load
from tcslib.study.models import cycle_in
from tcslib.study.questionnaire import Scale
from tcslib.study.strict_yaml import MAX_FAULTS, read_yaml

DATA = "id,A1,A2,B1,B2,weight,region,gender,verbatim\n" + "".join(
    f"R{i},{1 + i % 10},7,8,{1 + i % 9},1,West,f,\n" for i in range(40))
MODEL: dict[str, Any] = {"constructs": {"A": ["A1", "A2"], "B": ["B1", "B2"]}, "paths": [["A", "B"]], "target": "B"}
# a study with little in it; what a test is about is laid over it
PLAIN: dict[str, Any] = {"model": {**MODEL, "loyalty": None},
                         "design": {"strata": "", "clusters": "", "weights": "weight"},
                         "compare": {"segments": ["region"]}, "report": {"verbatims": ["verbatim"]}}
YAML = """\
client: acme
wave: 2026Q3
data: {file: data/raw/acme/answers.csv, id: id}
model:
  constructs:
    A: [A1, A2]
    B: {items: [B1, B2], mode: A, label: B}
  paths: [[A, B]]
  target: B
"""


def refused(path: Path) -> list[str]:
    """The lines of the refusal, each of them plain and with the file it is about."""
    with pytest.raises(InputRefused) as caught:
        load(path)
    lines = caught.value.lines
    assert caught.value.exit_code == 2
    for line in lines:
        assert line.startswith("params/"), line
        assert line.isprintable() and line.endswith((".", "?", ")")) and len(line) < 700, line
    assert len(lines) == len(set(lines))
    return lines


def laid(**over: Any) -> dict[str, Any]:
    """The plain study with sections laid over it."""
    return {**PLAIN, **{key: {**PLAIN[key], **value} if isinstance(value, dict) and key in PLAIN else value
                        for key, value in over.items()}}


@pytest.fixture
def faults(make_study: MakeStudy) -> Any:
    """``faults(model=…, text=…)``: what is said of the plain study with that laid over it, or of a YAML text."""
    return lambda text="", **over: refused(make_study(DATA, text or laid(**over)))


# --- YAML read strictly -------------------------------------------------------------------------------------------

BROKEN = {
    "seed: !!int 3": ["params/acme/2026Q3.yaml: seed: the tag", "(line 10)"],
    "seed: !!python/object/apply:os.system ['touch x']": ["the tag", "(line 10)"],
    "seed: ! 3": ["the tag"],
    "nps: &here A1": ["nps: the anchor &here is not allowed"],
    "nps: *there": ["there"],
    "wave: 2026Q4": ["wave: stands twice (first in line 2). Keep one. (line 10)"],
    "plan: {sd: .nan}": ["plan.sd: .nan is not a finite number"],
    "plan: {sd: -.INF}": ["plan.sd: -.INF is not a finite number"],
    "plan: {sd: 1e400}": ["1e400 is not a finite number"],
    "nps: 010": ['nps: 010 can be read in two ways. Put it in quotes ("010")'],
    "nps: +010": ["can be read in two ways"],
    "nps: 0x1F": ["can be read in two ways"],
    "nps: 0o17": ["can be read in two ways"],
    "nps: 0b11": ["can be read in two ways"],
    "nps: 1:30": ["can be read in two ways"],
    "nps: 12:30:45": ["can be read in two ways"],
    "nps: NO": ["can be read in two ways"],
    "nps: off": ["can be read in two ways"],
    "nps: Y": ["can be read in two ways"],
    "plan:\n\tsd: 3": ["line 11 holds a tab", "Use spaces."],
    "plan: {sd: 3": ["is not valid YAML"],
    "plan: [a: b: c]": ["is not valid YAML"],
    "plan:\n   sd: 3\n  margin: 3": ["line 12 is not valid YAML"],
    "nps: @A1": ["line 10 is not valid YAML"],
    "nps: a\x00b": ["line 10 holds a character that is no text"],
    "nps: a\x1b[31mb": ["line 10 holds a character that is no text"],
    "---\nclient: other": ["a second document begins here"],
    "? [a, b]\n: 3": ["a key is a list, a mapping or an alias"],
    "? {a: b}\n: 3": ["a key is a list, a mapping or an alias"],
    "!!str nps: A1": ["a key carries an anchor or a tag"],
    "<<: {nps: A1}": ["<<: is not a key of a study"],
    ": 3": ["a key is empty"],
    '"": 3': ["a key is empty"],
    f"plan: {{population: {'9' * 5000}}}": ["a number of 5000 digits"],
    "x: " + "[" * 40 + "]" * 40: ["nested more than 30 deep"],
    "x: [" + "1," * 10_001 + "]": ["more than 10,000 entries"],
    "x: " + "y" * 1_000_001: ["bytes of parameters"],
}


@pytest.mark.parametrize(("added", "words"), BROKEN.items(), ids=lambda value: str(value)[:30])
def test_what_yaml_lets_through_is_refused(make_study: MakeStudy, added: str, words: list[str]) -> None:
    line, = refused(make_study(DATA, YAML + added + "\n"))
    assert all(word in line for word in words), line


def test_yaml_that_is_not_utf8(make_study: MakeStudy) -> None:
    path = make_study(DATA, YAML)
    for encoding in ("utf-16", "gb18030"):
        path.write_bytes((YAML + "nps: 形象\n").encode(encoding))
        line, = refused(path)
        assert "is not UTF-8. Save the file as UTF-8." in line
    path.write_bytes(b"\xef\xbb\xbf" + YAML.encode())          # a byte order mark is no fault
    assert load(path).name == "acme/2026Q3"


def test_empty_list_and_value_instead_of_keys(make_study: MakeStudy) -> None:
    for text in ("# nothing\n", "", "---\n"):
        assert {line.split(": ")[1] for line in refused(make_study(DATA, text or "\n"))} == {
            "client", "wave", "data", "model"}
    for text in ("- a\n- b\n", "just words\n", "3\n"):
        assert "holds a list or a single value" in refused(make_study(DATA, text))[0]


def test_bad_yaml_files(shared: Path, make_study: MakeStudy) -> None:
    said = {"064_yaml_nan_inf": ["weights.North: .nan is", "weights.South: .inf is", "seed: .nan is"],
            "067_yaml_duplicate_keys": ["seed: stands twice (first in line 1). Keep one. (line 2)"],
            "068_yaml_norway": ["client: NO can be", "code: 010 can be", "time: 1:30 can be"],
            "070_yaml_tabs": ["line 1 holds a tab"],
            "071_yaml_self_alias": ["a: the anchor &a", "a.1: the alias *a"]}
    for name, words in said.items():
        lines = refused(make_study(DATA, (shared / "badinputs" / f"{name}.yaml").read_text(encoding="utf-8")))
        assert len(lines) == len(words), lines
        assert all(word in line for word, line in zip(words, lines, strict=True)), lines
    bomb = (shared / "badinputs" / "065_yaml_billion_laughs.yaml").read_text(encoding="utf-8")
    lines = refused(make_study(DATA, bomb))
    assert len(lines) == MAX_FAULTS + 1
    assert "holds 61 more faults" in lines[-1]


def test_all_faults_of_one_file_at_once(make_study: MakeStudy) -> None:
    lines = refused(make_study(DATA, YAML + "nps: 010\nplan: {sd: .nan}\nfieldwork: &f {start: *g}\nwave: 2026Q4\n"))
    assert [line.rsplit("(line ")[1] for line in lines] == ["10)", "11)", "12)", "12)", "13)"]


def test_text_stays_text(make_study: MakeStudy) -> None:
    study = load(make_study(DATA, YAML + """\
title: <b>Acme</b> & "friends" {{7*7}} $x
fieldwork: {start: 2026-07-06, end: 2026-09-13T10:00:00Z}
missing_codes: {98: dont_know, 99.0: "no_experience", -1: refused}
weighting: {rake: {gender: {f: 0.5, no: 0.25, 010: 0.125, 1:30: 0.125}}}
cleaning: {require: {region: [West, "010", "yes"], gender: f}}
compare: {segments: region}
plan: {strata: {2026-01: {size: 1}}, population: 1}
"""))
    params = study.params
    assert study.title == '<b>Acme</b> & "friends" {{7*7}} $x'
    assert (params.fieldwork.start, params.fieldwork.end) == ("2026-07-06", "2026-09-13T10:00:00Z")
    assert params.missing_codes == {"98": "dont_know", "99.0": "no_experience", "-1": "refused"}
    assert study.questionnaire["A1"].missing_codes == {98: "dont_know", 99: "no_experience", -1: "refused"}
    assert params.weighting.rake == {"gender": {"f": 0.5, "no": 0.25, "010": 0.125, "1:30": 0.125}}
    assert params.cleaning.require == {"region": ["West", "010", "yes"], "gender": ["f"]}
    assert params.compare.segments == ["region"]
    assert list(params.plan.strata) == ["2026-01"]
    assert params.wave == "2026Q3"


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1), ("-7", -7), ("0", 0), ("0.5", 0.5), (".5", 0.5), ("1e3", 1000.0), ("true", True), ("FALSE", False),
    ("null", None), ("~", None), ("", None), ("'1'", "1"), ('"true"', "true"), ("2026-07-06", "2026-07-06"),
    ("2026Q3", "2026Q3"), ("1-10", "1-10"), ("0/1", "0/1"), ("1_000", "1_000"), ("12.34.56", "12.34.56"),
    ("形象", "形象"), ("=cmd", "=cmd"), ("'yes'", "yes"), ('"\\u202e"', "\u202e"), ("|\n  a\n  b", "a\nb\n")])
def test_a_value_is_what_the_line_shows(tmp_path: Path, text: str, value: Any) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"key: {text}\n", encoding="utf-8")
    read, lines = read_yaml(path, "a.yaml")
    assert read == {"key": value} and type(read["key"]) is type(value)
    assert lines[("key",)] == 1


# --- keys ---------------------------------------------------------------------------------------------------------

def test_typos_get_the_nearest_name(faults: Any) -> None:
    for over, said in [
            ({"replicats": {"count": 100}}, "replicats: is not a key of a study. Did you mean replicates?"),
            ({"replicates": {"cuont": 100}}, "replicates.cuont: is not a key of a study. Did you mean count?"),
            ({"items": {"A1": {"revesed": True}}}, "items.A1.revesed: is not a key of a study. Did you mean reversed?"),
            ({"model": {"constructs": {"A": {"itms": ["A1"], "mode": "A"}, "B": ["B1"]}}},
             "model.constructs.A.itms: is not a key of a study. Did you mean items?"),
            ({"plan": {"strata": {"West": {"sze": 3, "size": 3}}}},
             "plan.strata.West.sze: is not a key of a study. Did you mean size?"),
            ({"design": {"stratum": "region"}}, "design.stratum: is not a key of a study. Did you mean strata?"),
            ({"sample": "probabilty"}, '"probabilty": probability, quota, opt_in or census is expected. '
                                       "Did you mean probability?"),
            ({"model": {"preset": "ECSI"}}, '"ECSI" is not a preset; there are acsi, ccsi, ecsi, scsb, tcs. '
                                            "Did you mean ecsi?"),
            ({"model": {"constructs": {"A": {"items": ["A1"], "mode": "C"}, "B": ["B1"]}}}, '"C": A or B is expected'),
            ({"cleaning": {"same_id": "keep first"}}, "Did you mean keep_first?"),
            ({"items": {"A11": {"reversed": True}}},
             "items.A11: is neither in the model nor the nps question. Did you mean A1?")]:
        line, = faults(**over)
        assert said in line, line


def test_a_secret_is_not_repeated(shared: Path, make_study: MakeStudy) -> None:
    lines = refused(make_study(DATA, (shared / "badinputs" / "079_secret_params.yaml").read_text(encoding="utf-8")))
    assert {line.split(": ")[1] for line in lines} == {"period", "api_key", "db_url", "wave", "data", "model"}
    lines += refused(make_study(DATA, laid(data={"password": "SECRET-7f3a"}, api_key="SECRET-7f3a",
                                           report={"db_url": "postgres://u:hunter2@h/db"})))
    assert not any(word in line for word in ("SECRET", "hunter2", "postgres") for line in lines), lines
    assert sum("is not a key of a study" in line for line in lines) == 6


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"replicates": {"count": "many"}}, '"many": a whole number is expected.'),
    ({"replicates": {"count": 100.5}}, '"100.5": a whole number is expected.'),
    ({"replicates": {"count": True}}, "true: a whole number is expected."),
    ({"replicates": {"count": 1}}, '"1": a number of 50 or more is expected.'),
    ({"replicates": {"count": None}}, "replicates.count: is empty: a whole number is expected."),
    ({"replicates": 500}, "replicates: \"500\": lines of `key: value` are expected."),
    ({"replicates": [1]}, "replicates: lines of `key: value` are expected."),
    ({"plan": {"sd": "wide"}}, '"wide": a number is expected.'),
    ({"plan": {"sd": 0}}, '"0": a number above 0 is expected.'),
    ({"plan": {"power": 1}}, '"1": a number below 1 is expected.'),
    ({"cleaning": {"max_missing": 50}}, '"50": a number of 1 or less is expected.'),
    ({"cleaning": {"max_missing": "50%"}}, '"50%": a number is expected.'),
    ({"items": ["A1"]}, "items: lines of `key: value` are expected."),
    ({"items": {"A1": "asked"}}, 'items.A1: "asked": lines of `key: value` are expected.'),
    ({"items": {"A1": {"reversed": 1}}}, '"1": true or false is expected.'),
    ({"items": {"A1": {"text": 5}}}, '"5": text, or {en: …, zh: …}, is expected.'),
    ({"title": {"fr": "Acme"}}, "title: text, or {en: …, zh: …}, is expected."),
    ({"title": {"en": 7}}, 'title.en: "7": text is expected. Put it in quotes.'),
    ({"title": ["Acme"]}, "title: text, or {en: …, zh: …}, is expected."),
    ({"compare": {"segments": {"region": 1}}}, "compare.segments: a list is expected: [a, b]."),
    ({"compare": {"segments": ["region", 7]}}, 'compare.segments.2: "7": text is expected. Put it in quotes.'),
    ({"compare": {"segments": [""]}}, "compare.segments.1: \"\": a name is expected."),
    ({"data": {"id": 5}}, 'data.id: "5": text is expected. Put it in quotes.'),
    ({"data": {"file": ["a"]}}, "data.file: text is expected."),
    ({"data": {"encoding": "latin-1"}}, "utf-8, gb18030, utf-16, big5 or cp1252 is expected."),
    ({"data": {"header_row": 0}}, '"0": a number of 1 or more is expected.'),
    ({"weighting": {"rake": ["gender"]}}, "weighting.rake: lines of `key: value` are expected."),
    ({"weighting": {"rake": {"gender": 0.5}}}, 'weighting.rake.gender: "0.5": lines of `key: value` are expected.'),
    ({"weighting": {"rake": {"gender": {"f": "half", "m": 0.5}}}}, 'weighting.rake.gender.f: "half": a number'),
    ({"weighting": {"trim": 1}}, 'weighting.trim: "1": a number above 1 is expected.'),
    ({"missing_codes": [98]}, "missing_codes: lines of `key: value` are expected."),
    ({"missing_codes": {"dk": "dont_know"}}, '"dk" is not a number. Missing codes are numbers with a word'),
    ({"missing_codes": {"nan": "dont_know"}}, '"nan" is not a number'),
    ({"missing_codes": {"inf": "dont_know"}}, '"inf" is not a number'),
    ({"missing_codes": {"98": 1}}, 'missing_codes.98: "1": text is expected'),
    ({"missing_codes": {"98": "a", "98.0": "b"}}, '"98" and "98.0" are the same number. Keep one.'),
    ({"missing_codes": {"10": "refused"}}, '10 is an answer on the scale 1-10 of "A1"'),
    ({"scale": 5}, "\"5\": a scale is expected"), ({"scale": "10-1"}, "a scale is expected, low before high"),
    ({"scale": "1-inf"}, "a scale is expected"), ({"scale": "nan-3"}, "a scale is expected"),
    ({"scale": "five"}, "a scale is expected"), ({"scale": True}, "true: a scale is expected"),
    ({"items": {"A1": {"scale": "1–10"}}}, "items.A1.scale: \"1–10\": a scale is expected"),
    ({"language": "de"}, '"de": en or zh is expected.'), ({"pls": {"scheme": None}}, "pls.scheme: is empty: path, "),
    ({"model": {"paths": "A -> B"}}, 'model.paths: "A -> B": a list is expected: [a, b].'),
    ({"model": {"paths": ["A", "B"]}}, 'model.paths.1: "A": a list is expected'),
    ({"model": {"paths": [["A", 1]]}}, 'model.paths.1.2: "1": text is expected'),
    ({"model": {"constructs": ["A"]}}, "model.constructs: lines of `key: value` are expected."),
    ({"model": {"constructs": {"A": 5, "B": ["B1"]}}}, 'model.constructs.A: "5": lines of `key: value`'),
    ({"model": {"constructs": {"A": [1], "B": ["B1"]}}}, 'model.constructs.A.items.1: "1": text is expected'),
    ({"model": {"constructs": {"A": ["A1", ""], "B": ["B1"]}}}, "model.constructs.A.items.2: \"\": a name is expected"),
    ({"compare": {"brand": "region"}}, "`brand` and `own` go together"),
    ({"plan": {"strata": {"W": {"size": 5}}, "population": 6}}, "6 differs from the strata's total 5"),
]


@pytest.mark.parametrize(("over", "said"), WRONG, ids=lambda value: str(value)[:40])
def test_wrong_types_and_values(faults: Any, over: dict[str, Any], said: str) -> None:
    lines = faults(**over)
    assert said in lines[0], lines
    assert all(line.endswith(")") and "(line " in line for line in lines), lines


def test_every_fault_at_once_with_its_line(make_study: MakeStudy) -> None:
    path = make_study(DATA, """\
client: ../acme
wave: third
scal: 1-10
nps: 5
language: de
data: {file: data/raw/acme/answrs.csv, id: id}
model:
  constructs: {A: [A1, A2], B: [B1, B2], C: []}
  paths: [[A, B], [B, A], [A, D]]
  target: D
weighting:
  rake:
    gender: {f: 0.5, m: 0.6}
compare: {base: 2026Q2}
replicates: {count: few}
""")
    lines = refused(path)
    said = [("client", 1), ("wave", 2), ("scal", 3), ("nps", 4), ("replicates.count", 15),
            ("model.constructs.C", 8), ("model.paths.3", 9), ("model.paths", 9), ("model.target", 10),
            ("data.file", 6), ("weighting.rake.gender", 13), ("language", 5), ("compare", 14)]
    assert {(line.split(": ")[1], int(line.rsplit("(line ")[1][:-1])) for line in lines} == set(said), lines
    assert len(lines) == len(said)


def test_what_follows_from_a_fault_is_not_said_of_its_remains(faults: Any) -> None:
    assert len(faults(model={"constructs": {"A": {"itms": ["A1"]}, "B": ["B1"]}})) == 1
    assert len(faults(model={"target": 5})) == 1
    assert len(faults(weighting={"rake": {"gender": {"f": "half", "m": 0.5}}})) == 1
    assert len(faults(data={"file": 5})) == 1


# --- two files ----------------------------------------------------------------------------------------------------

def two_files(make_study: MakeStudy, base: str, wave: str) -> Path:
    path = make_study(DATA, wave)
    (path.parent / "study.yaml").write_text(base, encoding="utf-8")
    return path


BASE = YAML.replace("wave: 2026Q3\n", "") + "replicates: {count: 500, seed: 3}\ncleaning:\n  max_missing: 0.4\n"


def test_the_wave_overrides_the_study_key_by_key(make_study: MakeStudy) -> None:
    study = load(two_files(make_study, BASE, """\
study: study.yaml
wave: 2026Q3
replicates: {count: 100}
cleaning: {same_id: keep_last}
model: {constructs: {A: {label: First}, B: [B2]}}
"""))
    params = study.params
    assert (params.replicates.count, params.replicates.seed) == (100, 3)
    assert (params.cleaning.max_missing, params.cleaning.same_id) == (0.4, "keep_last")
    assert study.model["A"].items == ("A1", "A2") and study.label("A") == "First"
    assert study.model["B"].items == ("B2",) and study.label("B") == "B"
    assert study.origins["replicates.count"] == study.origins["wave"] == "params/acme/2026Q3.yaml"
    assert study.origins["replicates.seed"] == study.origins["client"] == "params/acme/study.yaml"


def test_faults_name_the_file_they_are_in(make_study: MakeStudy) -> None:
    lines = refused(two_files(make_study, BASE + "scal: 1-10\nplan: {power: 2}\n",
                              "study: study.yaml\nwave: 2026Q3\nreplicates: {count: few}\nnsp: A1\nplan: {sd: 0}\n"))
    assert sorted(line.split(": ")[0] + line.split(": ")[1] + line[-9:] for line in lines) == [
        "params/acme/2026Q3.yamlnsp (line 4)", "params/acme/2026Q3.yamlplan.sd (line 5)",
        "params/acme/2026Q3.yamlreplicates.count (line 3)", "params/acme/study.yamlplan.power(line 13)",
        "params/acme/study.yamlscal(line 12)"]
    line, = refused(two_files(make_study, BASE + "nps: &a A1\n", "study: study.yaml\nwave: 2026Q3\n"))
    assert line.startswith("params/acme/study.yaml: nps: the anchor")


@pytest.mark.parametrize(("name", "said"), [
    ("studdy.yaml", "Did you mean study.yaml?"), ("nothing.yaml", "Correct the name, or drop the line."),
    ("../other/study.yaml", "another file in the same folder is expected"), ("/etc/passwd", "in the same folder"),
    ("2026Q3.yaml", "another file in the same folder"), ("..", 'there is no ".."'), ("x" * 300, "there is no"),
    ('"a\\0b"', "there is no"), ("[a]", "in the same folder"), ("''", "in the same folder")])
def test_the_study_a_wave_names(make_study: MakeStudy, name: str, said: str) -> None:
    line, = refused(two_files(make_study, BASE, f"wave: 2026Q3\nstudy: {name}\n"))
    assert line.startswith("params/acme/2026Q3.yaml: study: ") and said in line and line.endswith("(line 2)"), line


def test_a_study_names_no_other(make_study: MakeStudy) -> None:
    line, = refused(two_files(make_study, "study: more.yaml\n" + BASE, "study: study.yaml\nwave: 2026Q3\n"))
    assert line == "params/acme/study.yaml: study: is a key of a wave's file only. Remove it. (line 1)"


# --- which study --------------------------------------------------------------------------------------------------

def test_a_study_that_is_not_there(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_study(DATA, PLAIN)
    root = path.parent.parent.parent
    monkeypatch.chdir(root)
    for name, said in [("params/acme/2026Q4.yaml", "Did you mean acme/2026Q3?"),
                       ("params/akme/2026Q3.yaml", "Did you mean acme/2026Q3?"),
                       ("params/acme.yaml", "Did you mean acme/2026Q3?"), ("params/acme", "Did you mean acme/2026Q3?"),
                       ("params/zzz/other.yaml", "Studies lie at params/<client>/<wave>.yaml"),
                       (f"params/{'a' * 300}.yaml", "Studies lie at"), ("params/a\0b/c.yaml", "Studies lie at"),
                       ("params/acme/a\nb\x1b[31m.yaml", "there is no such study")]:
        for asked in (name, root / name):
            with pytest.raises(InputRefused, match="there is no such study") as caught:
                load(asked)
            assert said in str(caught.value) and str(caught.value).isprintable()
    (root / "params" / "acme" / "study.yaml").write_text("client: acme\n", encoding="utf-8")
    with pytest.raises(InputRefused, match=r"holds what stays the same from wave to wave\. Did you mean acme/2026Q3\?"):
        load("params/acme/study.yaml")
    (root / "elsewhere.yaml").write_text(YAML, encoding="utf-8")
    with pytest.raises(InputRefused, match="Move it there"):
        load("elsewhere.yaml")
    (root / "notebooks").mkdir()
    monkeypatch.chdir(root / "notebooks")
    assert find_root("params/acme/2026Q3.yaml") == (root, "params/acme/2026Q3.yaml")


def test_client_and_wave_fit_folder_and_file(faults: Any, make_study: MakeStudy) -> None:
    path = make_study(DATA, PLAIN)
    other = path.parent.parent / "other" / "2026Q4.yaml"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    lines = refused(other)
    assert 'client: "acme" lies in the folder params/other. Name both alike.' in lines[0]
    assert 'wave: "2026Q3" stands in the file 2026Q4.yaml. Name both alike.' in lines[1]


def test_client_names(shared: Path, make_study: MakeStudy) -> None:
    names = [*json.loads((shared / "badinputs" / "072_client_names.json").read_text(encoding="utf-8")),
             "", " ", "a" * 65, "_a", "-a", "acme.", "acme/", "ac me", "com1", "nul", "aux", "\u0430cme", "acme\u200b"]
    path = make_study(DATA, PLAIN)
    root = path.parent.parent.parent
    before = sorted(root.rglob("*"))
    for name in names:
        path.write_text(YAML.replace("client: acme", f"client: {json.dumps(name)}"), encoding="utf-8")
        line, = refused(path)
        assert ": client: " in line and "a short name of a-z, 0-9, _ and - is expected" in line, line
        assert len(line) < 250
    assert sorted(root.rglob("*")) == before
    assert not Path("/tmp/PWNED_SH").exists()
    for client in ("acme", "a", "0", "a-b_c", "a" * 64):
        folder = root / "params" / client
        folder.mkdir(exist_ok=True)
        (folder / "2026Q3.yaml").write_text(YAML.replace("client: acme", f'client: "{client}"'), encoding="utf-8")
        assert load(folder / "2026Q3.yaml").params.client == client
    for client in (0, 7, True):
        path.write_text(YAML.replace("client: acme", f"client: {json.dumps(client)}"), encoding="utf-8")
        assert "text is expected" in refused(path)[0]


def test_wave_names(make_study: MakeStudy) -> None:
    path = make_study(DATA, YAML)
    for wave in ("2026Q0", "2026Q5", "26Q1", "2026Q1/", "2026-13", "2026-00", "2026-1", "../2026Q1", "latest", "20261",
                 "2026q3", "'2026Q3 '", "0", "-2026", "2026.5", "true", "[2026Q3]", "{a: b}", '"2026Q3\\n"', "''"):
        path.write_text(YAML.replace("2026Q3", wave), encoding="utf-8")
        line, = refused(path)
        assert ": wave: " in line and ("a period is expected" in line or "text is expected" in line), line
    for wave in ("2026", "2026H1", "2026H2", "2026Q1", "2026-09", "'2026-12'"):
        file = path.parent / f"{wave.strip(chr(39))}.yaml"
        file.write_text(YAML.replace("2026Q3", wave), encoding="utf-8")
        assert load(file).params.wave == file.stem


# --- the file of answers ------------------------------------------------------------------------------------------

@pytest.mark.skipif(sys.platform == "win32", reason="links need rights, pipes are not files")
def test_where_the_data_may_lie(make_study: MakeStudy) -> None:
    path = make_study(DATA, YAML)
    root = path.parent.parent.parent
    raw = root / "data" / "raw"
    (root / "outside.csv").write_text(DATA, encoding="utf-8")
    (raw / "acme" / "folder.csv").mkdir()
    (raw / "acme" / "leaves.csv").symlink_to("/etc/passwd")
    (raw / "acme" / "away").symlink_to(root)
    (raw / "acme" / "loop.csv").symlink_to(raw / "acme" / "loop.csv")
    os.mkfifo(raw / "acme" / "pipe.csv")
    outside = ["outside.csv", "data/raw/../../outside.csv", "/etc/passwd", f"{raw}/acme/answers.csv", "data/raw", ".",
               "data/raw/acme/leaves.csv", "data/raw/acme/away/outside.csv", "'~/x.csv'"]
    for file, said in [*((file, "lies outside data/raw") for file in outside),
                       ("data/raw/acme/folder.csv", "is not a regular file"),
                       ("data/raw/acme", "is not a regular file"), ("data/raw/acme/pipe.csv", "is not a regular file"),
                       ("data/raw/acme/answer.csv", "Did you mean answers.csv?"),
                       ("data/raw/akme/answers.csv", "Put the file into data/raw/acme/."),
                       ("data/raw/acme/loop.csv", "there is no"), (f"data/raw/{'a' * 300}.csv", "data/raw"),
                       ('"data/raw/a\\0b.csv"', "cannot be the name of a file")]:
        path.write_text(YAML.replace("data/raw/acme/answers.csv", file), encoding="utf-8")
        line, = refused(path)
        assert line.startswith("params/acme/2026Q3.yaml: data.file: ") and said in line and "(line 3)" in line, line
    (raw / "acme" / "within.csv").symlink_to("answers.csv")          # a link that stays inside is no fault
    path.write_text(YAML.replace("answers.csv", "within.csv"), encoding="utf-8")
    assert load(path).params.data.file == "data/raw/acme/within.csv"


def test_a_column_has_one_use(faults: Any) -> None:
    for over, said in [
            ({"compare": {"segments": ["A1"]}}, 'compare.segments: column "A1" is an item, a number'),
            ({"weighting": {"rake": {"A1": {"1": 1.0}}}}, 'weighting.rake.A1: column "A1" is an item, a number'),
            ({"cleaning": {"require": {"weight": ["1"]}}}, 'cleaning.require.weight: column "weight" is the weight'),
            ({"data": {"id": "A1"}}, 'data.id: column "A1" is an item'),
            ({"design": {"strata": "weight"}}, 'design.strata: column "weight" is the weight, a number'),
            ({"design": {"weights": "A1"}}, 'design: column "A1" is an item already and cannot be the weight too'),
            ({"design": {"fpc": "weight"}},
             '"weight" is the weight already and cannot be a number of units on the frame too'),
            ({"cleaning": {"duration": "B2"}}, 'cleaning.duration: column "B2" is an item already'),
            ({"nps": "weight", "items": {"weight": {"scale": "0-10"}}}, "is the weight already"),
            ({"report": {"verbatims": ["region"]}}, 'report.verbatims: column "region" has another use in this study'),
            ({"report": {"verbatims": ["id"]}}, 'report.verbatims: column "id" has another use'),
            ({"report": {"verbatims": ["A1"]}}, 'report.verbatims: column "A1" has another use'),
            ({"report": {"verbatims": ["verbatim", "verbatim"]}}, 'lists "verbatim" more than once'),
            ({"compare": {"segments": ["region", "region"]}}, 'compare.segments: lists "region" more than once')]:
        line, = faults(**over)
        assert said in line, line


def test_what_is_said_of_earlier_waves_must_fit(faults: Any) -> None:
    for over, said in [
            ({"compare": {"base": "2026Q2"}}, "compare: `base` and `overlap` say how waves are compared, and"),
            ({"compare": {"previous": "2026Q3"}}, "compare.previous: names this wave itself. Name the one before."),
            ({"compare": {"previous": "last"}}, 'compare.previous: "last": a period is expected: 2026, 2026H1, 2026Q3'),
            ({"changes": {"A9": {"was": "X"}}}, "changes.A9: is not a question of this wave. Did you mean A"),
            ({"changes": {"A1": {"was": "X", "new": True}}}, "changes.A1: a new question has no past."),
            ({"changes": {"A1": {"was": "X"}, "A2": {"was": "X"}}}, 'changes: two questions claim to have been "X"')]:
        line, = faults(**over)
        assert said in line, line


def test_shares(faults: Any, make_study: MakeStudy) -> None:
    lines = faults(weighting={"rake": {"gender": {"f": 0.7, "m": 0.5}, "region": {"West": 1.2, "18.5-25": -0.2},
                                       "age": {"young": 0, "old": 1}, "none": {}}})
    assert len(lines) == 4, lines
    assert "weighting.rake.gender: the shares sum to 1.2, not to 1." in lines[0]
    assert "weighting.rake.region.18.5-25: the share -0.2 is not above 0." in lines[1]
    assert "weighting.rake.age.young: the share 0 is not above 0." in lines[2]
    assert "weighting.rake.none: the shares sum to 0, not to 1." in lines[3]
    rake = {"gender": {"a": 0.3333333, "b": 0.3333333, "c": 0.3333334}}
    assert load(make_study(DATA, laid(weighting={"rake": rake}))).params.weighting.rake == rake


# --- models -------------------------------------------------------------------------------------------------------

@pytest.fixture
def plain_study(tmp_path: Path) -> Any:
    """``plain_study({…})``: the study of a model written as JSON, without the base of the other tests."""
    def make(model: dict[str, Any], **more: Any) -> Path:
        path = tmp_path / "params" / "acme" / "2026Q3.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "raw" / "acme").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "raw" / "acme" / "answers.csv").write_text(DATA, encoding="utf-8")
        path.write_text(json.dumps({"client": "acme", "wave": "2026Q3", "model": model,
                                    "data": {"file": "data/raw/acme/answers.csv"}, **more}, ensure_ascii=False),
                        encoding="utf-8")
        return path
    return make


# Tenenhaus et al. 2005, figure 1 and table 1; Fornell et al. 1996, figure 1. All presets: tests/test_presets.py
@pytest.mark.parametrize(("name", "items", "paths", "target"), [
    ("ecsi", [5, 3, 7, 2, 3, 1, 3], 12, "Satisfaction"), ("acsi", [3, 3, 2, 3, 1, 2], 9, "Satisfaction")])
def test_presets(plain_study: Any, name: str, items: list[int], paths: int, target: str) -> None:
    study = load(plain_study({"preset": name}))
    model = study.model
    assert [len(c.items) for c in model.constructs] == items
    assert len(model.paths) == len(set(model.paths)) == paths
    assert (model.target, model.loyalty, model.preset) == (target, "Loyalty", name)
    assert len(model.items) == len(set(model.items)) == sum(items) == sum(len(b) for b in model.blocks)
    assert all(set(c.label) == {"en", "zh"} for c in model.constructs)
    assert all(set(item.text) == {"en", "zh"} and all(item.text.values()) for item in study.questionnaire.values())
    assert any("\u4e00" <= c <= "\u9fff" for c in study.questionnaire[model.items[0]].text["zh"])
    assert study.label(target) == model[target].label["en"]
    own = {"COM1": Scale(0, 1), "LOY2": Scale(0, 100)} if name == "acsi" else {}
    assert all(item.scale == own.get(item.name, Scale(1, 10)) for item in study.questionnaire.values())
    assert cycle_in(model.paths) == []


def test_a_preset_with_words_and_items_of_ones_own(plain_study: Any) -> None:
    study = load(plain_study({"preset": "ecsi", "without": ["Complaints"],
                              "constructs": {"Image": ["Q1", "Q2"], "Quality": {"mode": "B", "label": "Service"}}},
                             items={"Q1": {"text": {"en": "Trust", "zh": "信任"}, "scale": "0-10", "reversed": True},
                                    "CUSA1": {"scale": "percent", "missing_codes": {"-1": "refused"}}},
                             missing_codes={"98": "dont_know"}, nps="Q9"))
    model = study.model
    assert "Complaints" not in model.names and all("Complaints" not in path for path in model.paths)
    assert len(model.paths) == 9 + 1 and model["Image"].items == ("Q1", "Q2")
    assert (model["Quality"].mode, study.label("Quality"), len(model["Quality"].items)) == ("B", "Service", 7)
    assert study.questionnaire["Q1"].reversed and study.questionnaire["Q1"].scale == Scale(0, 10)
    assert study.questionnaire["CUSA1"].scale == Scale(0, 100)
    assert study.questionnaire["CUSA1"].missing_codes == {-1.0: "refused"}
    assert study.questionnaire["Q9"].scale == Scale(0, 10)
    assert item_names(study) == [*model.items, "Q9"]


def test_own_constructs_and_paths(plain_study: Any) -> None:
    study = load(plain_study({"constructs": {"<b>Image</b>": ["A1", "A2"],
                                             "满意": {"items": ["B1"], "label": "满意 & 更多"}},
                              "paths": [["<b>Image</b>", "满意"]], "target": "满意"}))
    assert study.model.names == ["<b>Image</b>", "满意"]
    assert study.model.inner.tolist() == [[False, True], [False, False]]
    assert (study.label("<b>Image</b>"), study.label("满意")) == ("<b>Image</b>", "满意 & 更多")
    assert check_columns(study, columns_of(study)) == []


BAD_MODELS: list[tuple[dict[str, Any], list[str]]] = [
    ({"paths": [["A", "Bb"]]}, ['model.paths.1: "Bb" is not a construct; there are A, B. Did you mean B?']),
    ({"paths": [["A", "Quality"]]}, ["Correct the name."]),
    ({"paths": [["A", "B"], ["A", "B"]]}, ["model.paths.2: A → B stands twice. Keep one."]),
    ({"paths": [["A", "B", "A"]]}, ["model.paths.1: a pair [from, to] is expected, not 3 names."]),
    ({"paths": []}, ["model.paths: is missing: pairs [from, to]"]),
    ({"paths": [["A", "A"], ["A", "B"]]}, ["model.paths: run in a circle: A → A. Drop one"]),
    ({"paths": [["A", "B"], ["B", "A"]]}, ["model.paths: run in a circle: "]),
    ({"constructs": {"A": ["A1", "A2"], "B": ["A2", "B1"]}}, ['item "A2" is in A and B. Keep it in one']),
    ({"constructs": {"A": ["A1", "A1"], "B": ["B1"]}}, ['model.constructs.A: lists "A1" 2 times. Keep one.']),
    ({"constructs": {"A": [], "B": ["B1"]}}, ["model.constructs.A: has no items."]),
    ({"constructs": {"A": {"mode": "B"}, "B": ["B1"]}}, ["model.constructs.A: has no items."]),
    ({"constructs": {"A": ["A1"], "B": ["B1"], "C": ["A2"]}}, ["model.constructs.C: has no path to or from it."]),
    ({"constructs": {}}, ["model: holds no constructs. Give a preset (acsi, ccsi, ecsi, scsb, tcs)"]),
    ({"target": "Satisfction"}, ['model.target: "Satisfction" is not a construct.']),
    ({"target": None}, ["model.target: is missing: which construct is the index?"]),
    ({"loyalty": "Aa"}, ['model.loyalty: "Aa" is not a construct. Did you mean A?']),
    ({"without": ["Z"]}, ['model.without: "Z" is not a construct of the model.']),
]


@pytest.mark.parametrize(("over", "said"), BAD_MODELS, ids=lambda value: str(value)[:45])
def test_models_that_cannot_be(plain_study: Any, over: dict[str, Any], said: list[str]) -> None:
    lines = refused(plain_study({**MODEL, **over}))
    assert len(lines) == len(said) and all(word in line for word, line in zip(said, lines, strict=True)), lines
    assert all("(line 1)" in line for line in lines)


def test_a_circle_is_printed_the_way_its_paths_run(plain_study: Any) -> None:
    constructs = {name: [f"{name}1"] for name in "ABCD"}
    paths = [["A", "B"], ["B", "C"], ["C", "A"], ["C", "D"]]
    line, = refused(plain_study({"constructs": constructs, "paths": paths, "target": "D"}))
    circle = line.split("circle: ")[1].split(". ")[0].split(" → ")
    assert circle[0] == circle[-1] and len(circle) == 4
    assert all([a, b] in paths for a, b in pairwise(circle))


def test_bad_models_of_the_catalogue(shared: Path, make_study: MakeStudy) -> None:
    said = {"055_path_unknown_construct": '"QUALITEE" is not a construct; there are IMAG, CUEX, CUSA',
            "056_cyclic": "run in a circle: ", "058_item_in_two_constructs": 'item "IMAG2" is in A and B',
            "061_empty_block": "model.constructs.A: has no items"}
    for name, words in said.items():
        text = (shared / "badinputs" / f"{name}.yaml").read_text(encoding="utf-8")
        body = "".join(f"  {line}\n" for line in text.splitlines())
        target = "B" if "\n  B:" in text else "CUSA"
        lines = refused(make_study(DATA, "client: acme\nwave: 2026Q3\ndata: {file: data/raw/acme/answers.csv}\nmodel:\n"
                                         f"{body}  target: {target}\n"))
        assert any(words in line for line in lines), lines
    text = (shared / "badinputs" / "059_unknown_item.yaml").read_text(encoding="utf-8")
    path = make_study(shared / "badinputs" / "000_good_base.csv", {
        "model": {"constructs": {"A": ["IMAG1", "IMAG99"], "B": ["CUSA1"]}, "paths": [["A", "B"]], "target": "B",
                  "loyalty": None}})
    assert "IMAG99" in text
    study = load(path)
    fault, = check_columns(study, columns_of(study))
    assert 'column "IMAG99" (model.constructs.A) is missing. Did you mean IMAG' in str(fault)


def test_a_preset_that_lost_what_it_needs(plain_study: Any) -> None:
    for model, said in [({"preset": "ecsi", "without": ["Satisfaction"]}, "model.target: is missing"),
                        ({"preset": "ecsi", "without": ["Imag"]}, '"Imag" is not a construct of the model. Did you'),
                        ({"preset": "ecsi", "constructs": {"Imagge": ["A1"]}},
                         "model.constructs.Imagge: is not a construct of ecsi, which has"),
                        ({"preset": "csi"}, "is not a preset; there are acsi, ccsi, ecsi, scsb, tcs."),
                        ({"preset": "../../x"}, "is not a preset")]:
        lines = refused(plain_study(model))
        assert any(said in line for line in lines), lines


def test_an_item_may_serve_two_constructs_when_the_study_says_so(plain_study: Any) -> None:
    study = load(plain_study({**MODEL, "constructs": {"A": ["A1", "A2"], "B": ["A2", "B1"]}, "item_in_several": True}))
    assert study.model.items == ["A1", "A2", "A2", "B1"]
    assert item_names(study) == list(study.questionnaire) == ["A1", "A2", "B1"]


def test_the_recommendation_question(faults: Any, make_study: MakeStudy) -> None:
    assert load(make_study(DATA, laid(nps="B2", model={"constructs": {"A": ["A1"], "B": ["B1"]}}))).questionnaire[
        "B2"].scale == Scale(0, 10)
    line, = faults(nps="B2", model={"constructs": {"A": ["A1"], "B": ["B1"]}}, items={"B2": {"scale": "1-10"}})
    assert 'nps: "B2" is asked on 1-10; the net promoter score needs 0-10.' in line
    assert load(make_study(DATA, laid(nps="B2", model={"constructs": {"A": ["A1"], "B": ["B1"]}},
                                      items={"B2": {"scale": "0/10"}}))).params.nps == "B2"


def test_a_code_that_is_an_answer(faults: Any, make_study: MakeStudy) -> None:
    line, = faults(items={"A1": {"scale": "percent"}}, missing_codes={"98": "dont_know"})
    assert 'missing_codes: 98 is an answer on the scale 0-100 of "A1". Correct it, or give that item its own' in line
    line, = faults(items={"A1": {"missing_codes": {"0": "none", "3": "refused"}}})
    assert "items.A1.missing_codes: 3 is an answer on the scale 1-10" in line
    study = load(make_study(DATA, laid(items={"A1": {"scale": "percent", "missing_codes": {}}},
                                       missing_codes={"98": "dont_know"})))
    assert study.questionnaire["A1"].missing_codes == {}
    assert study.questionnaire["A2"].missing_codes == {98: "dont_know"}


@pytest.mark.parametrize(("text", "scale"), [("1-10", (1, 10)), ("0/1", (0, 1)), ("-3-3", (-3, 3)), ("-3--1", None),
                                             ("percent", (0, 100)), ("0-10", (0, 10)), ("1.5-2.5", (1.5, 2.5))])
def test_scales(text: str, scale: tuple[float, float] | None) -> None:
    if scale is None:
        with pytest.raises(ValueError):
            Scale.parse(text)
    else:
        found = Scale.parse(text)
        assert (found.low, found.high, found.width) == (*scale, scale[1] - scale[0])


def test_a_wave_leaves_a_construct_of_its_own_model_out(make_study: MakeStudy) -> None:
    """With its paths: what a wave did not ask is no reason to write the whole model anew."""
    path = make_study("id,A1,A2,B1,B2,C1,C2\n1,1,2,3,4,5,6\n", """
client: acme
wave: 2026Q3
data: {file: data/raw/acme/answers.csv, id: id}
model:
  constructs: {A: [A1, A2], B: [B1, B2], C: [C1, C2]}
  paths: [[A, C], [B, C]]
  target: C
  without: [B]
""")
    study = load(path)
    assert study.model.names == ["A", "C"] and study.model.paths == (("A", "C"),)
