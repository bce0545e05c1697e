"""``tcs new``: what a file is taken for, what is written of it, and the next wave."""

from __future__ import annotations

import io
import os
import re
import string
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

sys.path.insert(0, str(Path(__file__).resolve().parent / "benchmarks"))

from proposals import judged, over
from quick import stand_in
from real_truth import opened, truth_of
from simulated_studies import simulated

from tcslib.errors import InputRefused, Refusals
from tcslib.fieldwork.proposing.blocks import segments, stem_of
from tcslib.fieldwork.proposing.dates import span, wave_in, wave_of
from tcslib.fieldwork.proposing.layout import table_at
from tcslib.fieldwork.proposing.profile import profiles
from tcslib.fieldwork.proposing.propose import propose
from tcslib.fieldwork.proposing.waves import mapped
from tcslib.fieldwork.proposing.words import concept_of_stem, says
from tcslib.fieldwork.source import Source
from tcslib.fieldwork.tables import Table, texts_of
from tcslib.run import cli
from tcslib.run.new.answers import Answers, interview
from tcslib.run.new.command import gaps
from tcslib.run.new.placing import place
from tcslib.run.new.sentences import LANGUAGES, Says, as_table, phrases
from tcslib.study.load import load
from tcslib.study.questionnaire import Item, Scale


def table_of(columns: dict[str, list], labels: dict[str, str] | None = None) -> Table:
    texts = [texts_of(["" if v is None else str(v) for v in values]) for values in columns.values()]
    n = len(next(iter(columns.values())))
    return Table(list(columns), texts, np.arange(2, n + 2), labels or {})


def ratings(n: int = 300, items: int = 3, low: int = 1, high: int = 5, seed: int = 1) -> dict[str, list]:
    """``items`` questions about one thing, answered from ``low`` to ``high``."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=n)
    z = 0.8 * factor[:, None] + 0.6 * rng.normal(size=(n, items))
    answers = np.clip(np.rint((low + high) / 2 + z * (high - low) / 4.2), low, high).astype(int)
    return {f"SAT{i + 1}": answers[:, i].tolist() for i in range(items)}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project's root as working folder, and no terminal."""
    (tmp_path / "params").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    return tmp_path


def tcs(*words: str) -> None:
    """A command as from the command line; refusals come through."""
    cli.app(list(words), standalone_mode=False)


def files(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


# ---- what a file is taken for -------------------------------------------------------------------------------------


def test_words_are_whole_ones():
    assert not says("gender", "roles", "timestamp") and says("EndDate", "roles", "timestamp")
    assert says("gender", "roles", "category") == "gender"
    assert not says("valid", "roles", "id") and says("resp_id", "roles", "id")
    assert not says("weightlifting", "roles", "weight") and says("base_weight", "roles", "weight") == "weight"
    assert not concept_of_stem("saturday") and concept_of_stem("sat") == "Satisfaction"
    assert concept_of_stem("CUEX") == "Expectation"          # by the items of a shipped model
    assert concept_of_stem("满意度") == "Satisfaction"


@pytest.mark.parametrize("name, stem", [("IMAG5", "IMAG"), ("sat_01", "sat"), ("Q7_1", "Q7"), ("Q7B_FOOD", "Q7"),
                                        ("G1Q1[SQ002]", "G1Q1"), ("2、总体满意度—客户服务", "2、总体满意度"),
                                        ("cusa", "cusa")])
def test_stems(name, stem):
    assert stem_of(name) == stem


def test_neighbours_that_go_together_are_found():
    r = np.full((7, 7), 0.2)
    r[:3, :3] = r[3:5, 3:5] = r[5:, 5:] = 0.7
    assert segments(r) == [[0, 1, 2], [3, 4], [5, 6]]
    r[2, :2] = r[:2, 2] = -0.7          # one of them asked the other way round
    assert segments(r)[0] == [0, 1, 2]


def test_simulated_studies_are_proposed_right_and_never_silently_wrong():
    """Thirty of the hundred; tests/benchmarks/proposals.py counts all, and those set aside."""
    counts = over(range(30), held=False)
    columns = counts["right"] + counts["asked"] + counts["silent"]
    assert columns > 700
    assert counts["silent"] == 0
    assert counts["right"] >= 0.95 * columns
    assert counts["confirm"] < 0.4 * columns          # to ask about everything would be no proposal


@pytest.mark.parametrize("source, least", [("demo", .95), ("mobi", 1), ("corp_rep", 1), ("sfo_2015", .9),
                                           ("092_qualtrics", 1), ("093_wenjuanxing", 1), ("094_limesurvey", 1),
                                           ("088_user_missing.sav", 1), ("000_good_base", 1)])
def test_real_files(shared, source, least):
    table = opened(source, shared)
    counts, lines = judged(table, truth_of(source, table))
    assert counts["silent"] == 0, lines
    assert counts["right"] >= least * sum(counts[k] for k in ("right", "asked", "silent")), lines


def test_a_code_next_to_the_scale_is_told_by_who_chose_it():
    """A six for "never used" falls on anybody: those who chose it rate the rest like everybody, not like fives."""
    data, rng = ratings(items=4), np.random.default_rng(2)
    for name in data:
        data[name] = [6 if rng.random() < 0.15 else v for v in data[name]]
    coded = propose(table_of(data)).columns["SAT1"]
    assert (coded.scale, set(coded.codes)) == ("1-5", {6.0}) and not coded.sure
    honest = propose(table_of(ratings(items=4, high=6))).columns["SAT1"]
    assert (honest.scale, honest.codes) == ("1-6", {}) and not honest.sure


def test_questions_that_bear_numbers_only_are_gathered_by_their_answers():
    """Without names, the blocks are found by correlation, and always asked about."""
    data = {f"v0{i + 1}_x": v for i, v in enumerate(ratings(items=3, seed=1).values())}
    data |= {f"v0{i + 4}_x": v for i, v in enumerate(ratings(items=2, seed=2).values())}
    found = propose(table_of(data))
    assert [[p.name for p in g.items] for g in found.groups] == [["v01_x", "v02_x", "v03_x"], ["v04_x", "v05_x"]]
    assert not any(guess.sure for guess in found.columns.values())


def test_codes_outside_the_run():
    data, rng = ratings(items=3, high=10), np.random.default_rng(3)
    for name in data:
        data[name] = [int(rng.choice([98, 99])) if rng.random() < 0.05 else v for v in data[name]]
    found = propose(table_of(data))
    assert {(g.scale, tuple(sorted(g.codes)), g.sure) for g in found.columns.values()} == {("1-10", (98.0, 99.0), True)}
    assert set(found.codes) == {98.0, 99.0}          # what they mean is asked once


def test_reversed_and_single_questions_are_asked_about():
    data = ratings(items=4)
    data["SAT4"] = [6 - v for v in data["SAT4"]]
    data |= {"LOY1": ratings(seed=1)["SAT1"]}
    found = propose(table_of(data)).columns
    assert found["SAT4"].backwards and not found["SAT4"].sure and not found["SAT1"].backwards
    assert [a.key for a in found["LOY1"].asks] == ["single"]


def test_categories_numbered_like_ratings_are_no_ratings():
    rng = np.random.default_rng(5)
    data = ratings(items=3) | {"D2": rng.integers(1, 6, 300).tolist(), "sex": rng.integers(1, 3, 300).tolist()}
    found = propose(table_of(data)).columns
    assert found["D2"].role == found["sex"].role == "category"
    assert not found["D2"].sure and found["sex"].sure


def test_value_labels_tell_codes_and_kinds():
    data = ratings(items=3, high=10)
    data["SAT1"][:20] = [98] * 10 + [99] * 10
    table = table_of(data)
    table = Table(table.names, [c.astype(float) for c in table.columns], table.lines, {"SAT1": "总体满意度"},
                  {"SAT1": {"1": "非常不满意", "10": "非常满意", "98": "不知道", "99": "拒答"}})
    found = propose(table)
    assert found.columns["SAT1"].codes == {98.0: "dont_know", 99.0: "refused"} and not found.codes


def test_dates_tell_the_wave():
    p = profiles(table_of({"when": ["2026/7/6 10:00", "2026/9/13 9:00", "1980-01-01 00:00:00"]}))[0]
    assert [d.isoformat() for d in span(p)] == ["2026-07-06", "2026-09-13"]
    assert wave_of(span(p)[1]) == "2026Q3"
    assert span(profiles(table_of({"when": ["03/04/2026", "05/06/2026"]}))[0]) is None          # days or months?
    assert [wave_in(n) for n in ("acme_2026Q3", "acme-2026-09", "acme2026h1 final", "export 99")] == [
        "2026Q3", "2026-09", "2026H1", ""]


# ---- what is written ----------------------------------------------------------------------------------------------


def test_a_study_is_written_and_checks(project, shared, capsys):
    tcs("new", "acme", "--data", str(shared / "data" / "mobi.csv"), "--wave", "2026Q3", "--title", "A: “title” #1",
        "--sponsor", "The ministry", "--sample", "quota", "--field-dates", "2026-07-06..2026-09-13")
    said = capsys.readouterr().out
    assert "\x1b" not in said and "Please confirm (" in said
    study = load("params/acme/2026Q3.yaml")
    assert study.model.preset == "ecsi" and len(study.model.items) == 24
    assert study.title == "A: “title” #1" and study.params.sponsor == {"en": "The ministry"}
    assert (study.params.sample, study.params.fieldwork.start) == ("quota", "2026-07-06")
    assert gaps(project / study.path) == []
    assert files(project) == {"params/acme/study.yaml", "params/acme/2026Q3.yaml", "params/acme/proposal.txt",
                              "data/raw/acme/mobi.csv"}
    assert "please confirm" in (project / "params/acme/proposal.txt").read_text(encoding="utf-8")
    tcs("check", "acme/2026Q3")


@pytest.mark.parametrize("seed, language", [(0, "en"), (1, "zh"), (3, "en"), (6, "zh"), (31, "en"), (40, "en"),
                                            (63, "zh")])
def test_very_different_studies_check(project, seed, language):
    """Grids, Chinese questions, bare numbers; scales of −3 to 3 and of 0 to 10 with a code at 11."""
    simulated(seed).frame.to_csv("answers.csv", index=False, encoding="utf-8")
    tcs("new", f"s{seed}", "--data", "answers.csv", "--wave", "2026Q3", "--language", language)
    assert gaps(project / f"params/s{seed}/2026Q3.yaml") == []


def agency(path: Path) -> None:
    """A hotel's survey as an agency sends it: a title, ratings 1-7 with 8 and 9 for no answer, totals, a footnote."""
    import xlsxwriter

    rng = np.random.default_rng(7)
    n, names = 300, ["Room_clean", "Room_quiet", "Staff_friendly", "Staff_competent", "Food_choice", "Food_quality",
                     "Overall_sat", "Ideal", "Problems_often"]
    factor = rng.normal(size=n)
    x = np.clip(np.rint(5 + 1.1 * factor[:, None] * np.where([name == "Problems_often" for name in names], -1, 1)
                        + 0.9 * rng.normal(size=(n, len(names)))), 1, 7)
    x[:, 2:4] = np.maximum(x[:, 2:4], 2)          # nobody ticked the lowest answer
    x[rng.random(x.shape) < 0.04] = 8
    x[:, 4:6][rng.random((n, 2)) < 0.15] = 9
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "Guest survey 2025")
        for at, name in enumerate(["Interview no.", *names]):
            sheet.write(2, at, name)
        for row in range(n):
            for at, value in enumerate([f"H{row:04d}", *x[row]]):
                sheet.write(3 + row, at, value)
        sheet.write(3 + n, 0, "Total")
        for at in range(len(names)):
            sheet.write(3 + n, at + 1, float(x[:, at].mean()))
        sheet.write(4 + n, 0, f"n = {n}")


def test_a_questionnaire_has_one_scale_unless_the_answers_speak_against_it(project, tmp_path, capsys):
    """Nine ratings on 1-7, of which some blocks show 2-8 and 1-9: codes are codes everywhere, and all is asked."""
    agency(tmp_path / "survey.xlsx")
    tcs("new", "hotel", "--data", str(tmp_path / "survey.xlsx"), "--wave", "2025H2")
    said = capsys.readouterr().out
    assert "300 records" in said          # title, totals and footnote are nobody
    proposal = propose(table_at(Source(tmp_path / "survey.xlsx", "survey.xlsx", "xlsx"))[0])
    items = {name: proposal.columns[name] for name in proposal.of("item")}
    assert len(items) == 9 and {guess.scale for guess in items.values()} == {"1-7"}
    assert all(guess.asks for guess in items.values())
    assert set(items["Food_choice"].codes) == {8.0, 9.0} and set(items["Staff_friendly"].codes) == {8.0}
    assert items["Problems_often"].backwards
    # what no construct holds stands in the study all the same, and is counted as unconfirmed
    study = load(project / "params/hotel/2025H2.yaml")
    written = (project / "params/hotel/study.yaml").read_text(encoding="utf-8")
    assert all(name in written for name in items) and len(study.unconfirmed) >= 9
    tcs("check", "hotel/2025H2")
    noted = capsys.readouterr()
    assert noted.out == "hotel/2025H2: no faults found.\n"
    assert f"note: assumptions not confirmed yet: {len(study.unconfirmed)} (params/hotel/study.yaml:" in noted.err

@pytest.mark.slow
def test_a_proposed_study_runs(project, monkeypatch):
    stand_in(set_to=monkeypatch.setattr)
    simulated(4).frame.to_csv("answers.csv", index=False, encoding="utf-8")
    tcs("new", "acme", "--data", "answers.csv", "--wave", "2026Q3")
    with (project / "params/acme/2026Q3.yaml").open("a", encoding="utf-8") as wave:
        wave.write("replicates: {count: 100}\n")
    tcs("run", "acme/2026Q3")
    assert list(project.glob("reports/acme/2026Q3/v1/*.html"))


@pytest.mark.parametrize("kind", ["semicolon.csv", "gb18030.csv", "utf-16.csv", "answers.dta", "answers.parquet"])
def test_files_of_every_kind_are_proposed_alike(project, kind):
    """The readers tell marks, decimals and encodings; a study states none of them, and the check agrees."""
    import pyreadstat

    data = pd.DataFrame(ratings(items=3))
    data = data.assign(base_weight=np.linspace(0.5, 1.5, len(data)).round(3), region=["East", "West"] * 150)
    if kind == "semicolon.csv":
        data.to_csv(kind, index=False, sep=";", decimal=",")
    elif kind.endswith(".csv"):
        data.assign(region=data["region"].map({"East": "华东地区", "West": "西部地区"})).to_csv(
            kind, index=False, encoding=kind[:-4])
    elif kind.endswith(".dta"):
        pyreadstat.write_dta(data, kind)
    else:
        data.to_parquet(kind)
    tcs("new", "acme", "--data", kind, "--wave", "2026Q3")
    study = load("params/acme/2026Q3.yaml")
    assert gaps(project / study.path) == []
    assert study.params.design.weights == "base_weight" and study.params.compare.segments == ["region"]
    assert (study.params.data.encoding, study.params.data.delimiter) == (None, "")
    assert {str(item.scale) for item in study.questionnaire.values()} == {"1-5"}


def test_merged_headers_and_totals_are_the_readers_matter(project, shared):
    """Title rows are passed over and groups told; two columns of one name that no group tells apart are refused."""
    with pytest.raises(InputRefused, match="stands more than once"):
        tcs("new", "acme", "--data", str(shared / "badinputs" / "080_merged_headers_totals.xlsx"), "--wave", "2026Q3")
    with pd.ExcelWriter("titled.xlsx", engine="xlsxwriter") as book:
        frame = pd.DataFrame(ratings(items=3))
        frame.to_excel(book, index=False, startrow=2)
        book.sheets["Sheet1"].write("A1", "Results of the third quarter")
        book.sheets["Sheet1"].merge_range("A2:C2", "Satisfaction")
    tcs("new", "acme", "--data", "titled.xlsx", "--wave", "2026Q3")
    assert load("params/acme/2026Q3.yaml").params.data.header_row is None
    assert gaps(project / "params/acme/2026Q3.yaml") == []


def test_a_chinese_file_like_ccsi_is_proposed_as_ccsi(project):
    stems = {"品牌形象": 2, "预期": 3, "感知质量": 4, "性价比": 3, "满意度": 4, "忠诚": 3}
    rng = np.random.default_rng(4)
    general, frame = rng.normal(size=(300, 1)), {}
    for stem, n in stems.items():
        z = 0.6 * general + 0.5 * rng.normal(size=(300, 1)) + 0.6 * rng.normal(size=(300, n))
        frame |= {f"{stem}{i + 1}": np.clip(np.rint(6 + 2 * z[:, i]), 1, 10).astype(int) for i in range(n)}
    pd.DataFrame(frame).to_csv("a.csv", index=False, encoding="gb18030")
    tcs("new", "acme", "--data", "a.csv", "--wave", "2026Q3", "--language", "zh")
    study = load("params/acme/2026Q3.yaml")
    assert study.model.preset == "ccsi" and study.params.language == "zh" and len(study.model.items) == 19


def test_answers_come_from_a_file_and_flags_win(project, shared):
    (project / "a.yaml").write_text("title: From the file\nwave: 2026Q2\nmodel: own\n", encoding="utf-8")
    tcs("new", "acme", "--data", str(shared / "data" / "mobi.csv"), "--answers", "a.yaml", "--wave", "2026Q3")
    study = load("params/acme/2026Q3.yaml")
    assert study.title == "From the file" and study.model.preset == ""
    assert ("Satisfaction", "Loyalty") in study.model.paths and study.model.target == "Satisfaction"


def test_nothing_is_written_when_anything_is_refused(project, shared):
    mobi = str(shared / "data" / "mobi.csv")
    (project / "bad.yaml").write_text("titel: x\n", encoding="utf-8")
    cases = [(["--data", mobi, "--wave", "26Q3"], "a period is expected"),
             (["--data", mobi, "--sample", "random"], "probability, quota"),
             (["--data", mobi, "--field-dates", "2026-02-30..2026-03-01"], "first and last day"),
             (["--data", mobi, "--answers", "bad.yaml"], "none of the questions"),
             (["--data", "nowhere.csv"], "no such regular file"), ([], "--data FILE"),
             (["--data", str(shared / "badinputs" / "001_empty.csv")], "empty"),
             (["--data", str(shared / "badinputs" / "014_binary_named_csv.csv")], "line"),
             (["--data", mobi, "--language", "de"], "en or zh")]
    before = files(project)
    for words, said in cases:
        with pytest.raises(InputRefused) as refused:
            tcs("new", "acme", *words)
        assert said in str(refused.value) and len(refused.value.lines) == 1
    with pytest.raises(InputRefused):
        tcs("new", "../acme", "--data", mobi)
    assert files(project) == before


def test_nothing_is_written_over(project, shared):
    mobi = str(shared / "data" / "mobi.csv")
    raw = project / "data" / "raw" / "acme"
    raw.mkdir(parents=True)
    (raw / "mobi.csv").write_text("another file", encoding="utf-8")
    with pytest.raises(InputRefused, match="a different file of that name"):
        tcs("new", "acme", "--data", mobi)
    assert (raw / "mobi.csv").read_text(encoding="utf-8") == "another file" and not (project / "params/acme").exists()
    (raw / "mobi.csv").unlink()
    tcs("new", "acme", "--data", mobi, "--wave", "2026Q3")
    study = (project / "params/acme/study.yaml").read_bytes()
    with pytest.raises(InputRefused, match="is there already"):
        tcs("new", "acme", "--data", mobi, "--wave", "2026Q4")
    assert (project / "params/acme/study.yaml").read_bytes() == study


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    source = tmp_path / "source.csv"
    source.write_text("a\n1\n", encoding="utf-8")
    rename = os.rename

    def interrupted(part, target) -> None:
        if target.suffix == ".csv":
            raise KeyboardInterrupt
        rename(part, target)

    monkeypatch.setattr("os.rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        place(tmp_path, source, tmp_path / "data/raw/x/a.csv", {tmp_path / "params/x/study.yaml": "x"})
    assert files(tmp_path) == {"source.csv"} and not (tmp_path / "data").exists()


def test_the_questions_are_eight_and_asked_again_when_misread():
    replies = iter(["T", "", "26Q3", "2026Q3", "", "opt_in", "", "", "ecsi"])
    asked: list[str] = []

    def ask(question: str, default: str) -> str:
        asked.append(question)
        return next(replies)

    keys = ("title", "sponsor", "wave", "population", "sample", "field_dates", "mode", "model")
    shown: list[str] = []
    found = interview(Answers(dict.fromkeys(keys, ""), dict.fromkeys(keys, "assumed")), Says("zh"), ask, shown.append)
    assert len(set(asked)) == 8 and len(shown) == 1
    assert found["wave"] == "2026Q3" and found["model"] == "ecsi"


def test_the_two_languages_say_the_same_and_every_sentence_is_used():
    def blanks(language: str) -> dict[str, list[str]]:
        return {f"{section}.{key}": sorted(field for _, field, _, _ in string.Formatter().parse(text) if field)
                for section, said in phrases(language).items() if isinstance(said, dict)
                for key, text in said.items()}

    assert blanks("en").keys() == blanks("zh").keys()
    for key, fields in blanks("en").items():
        # a clock may go by another name in one language, a number may not
        assert set(blanks("zh")[key]) == set(fields), key
    library = ROOT / "tcslib"
    code = "\n".join(p.read_text(encoding="utf-8") for folder in ("fieldwork/proposing", "run/new")
                     for p in (library / folder).rglob("*.py"))
    built = ("role.", "table.", "question.", "assumed.")
    unused = [key for key in blanks("en") if not key.startswith(built)
              and not re.search(rf"[\"']({re.escape(key)}|{re.escape(key.split('.', 1)[1])})[\"']", code)
              and not re.search(r"is_(strata|clusters)\Z", key)]
    assert not unused
    used = set(re.findall(r"because\(\s*\"(\w+)\"", code)) | set(re.findall(r"\.ask\(\"(\w+)\"", code))
    known = {key.split(".", 1)[1] for key in blanks("en")}
    assert used <= known, used - known
    assert set(LANGUAGES) == {"en", "zh"}


def test_every_sentence_of_a_proposal_can_be_said():
    """Blanks and values fit each other, whatever is proposed."""
    for seed in range(0, 100, 7):
        found = propose(simulated(seed).table())
        for language in LANGUAGES:
            says_it = Says(language)
            assert "{" not in as_table(found, says_it)


# ---- the next wave ------------------------------------------------------------------------------------------------


def waves(n: int = 400) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two waves of one questionnaire, drawn by different people."""
    def one(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        general = rng.normal(size=n)
        out = {"id": [f"R{seed}{i:04d}" for i in range(n)]}
        for at, (stem, mean) in enumerate({"IMAG": 6.0, "SAT": 7.0, "LOY": 5.0}.items()):
            factor = 0.7 * general + 0.7 * rng.normal(size=n)
            for i in range(4):
                z = 0.8 * factor + 0.6 * rng.normal(size=n)
                values = np.clip(np.rint(mean + 0.6 * i + (1.5 + 0.3 * at) * z), 1, 10).astype(int)
                out[f"{stem}{i + 1}"] = np.where(rng.random(n) < 0.03, 98, values)
        return pd.DataFrame(out)
    return one(1), one(2)


def next_wave(project: Path, old: pd.DataFrame, new: pd.DataFrame) -> str:
    for name, frame in (("q3.csv", old), ("q4.csv", new)):
        frame.to_csv(project / name, index=False, encoding="utf-8")
    tcs("new", "acme", "--data", "q3.csv", "--wave", "2026Q3", "--field-dates", "2026-07-31..2026-09-13")
    kept = (project / "params/acme/study.yaml").read_bytes()
    tcs("new", "acme", "--data", "q4.csv", "--wave", "2026Q4", "--from", "2026Q3")
    assert (project / "params/acme/study.yaml").read_bytes() == kept
    return (project / "params/acme/2026Q4.yaml").read_text(encoding="utf-8")


def test_the_same_questionnaire_has_no_changes(project):
    text = next_wave(project, *waves())
    study = load("params/acme/2026Q4.yaml")
    assert not study.params.changes and "please confirm: was" not in text
    assert study.params.fieldwork.start == ""          # nothing in the file tells, so nothing is invented


def test_changes_between_two_waves_are_found_and_marked(project):
    old, new = waves()
    new = new.rename(columns={"SAT2": "SATIS2"}).drop(columns="IMAG4")
    new["LOY2"] = new["LOY2"].where(new["LOY2"] > 90, np.clip(np.ceil(new["LOY2"] / 2), 1, 5)).astype(int)
    new["LOY3"] = new["LOY3"].replace(98, 99)
    new["IMAG1"] = np.where(new["IMAG1"] < 90, np.clip(new["IMAG1"] - 2, 1, 10), new["IMAG1"])
    new["LOY5"] = new["LOY1"].sample(frac=1, random_state=1).to_numpy()
    text = next_wave(project, old, new)
    study = load("params/acme/2026Q4.yaml")
    assert gaps(project / study.path) == []
    changes = {name: change.model_dump(exclude_defaults=True) for name, change in study.params.changes.items()}
    assert changes == {"SATIS2": {"was": "SAT2"}, "LOY2": {"scale": True}, "LOY3": {"codes": True},
                       "IMAG1": {"wording": True}}
    assert study.model["Satisfaction"].items == ("SAT1", "SATIS2", "SAT3", "SAT4")
    assert study.model["Image"].items == ("IMAG1", "IMAG2", "IMAG3")
    assert str(study.questionnaire["LOY2"].scale) == "1-5" and set(study.questionnaire["LOY3"].missing_codes) == {99.0}
    assert "# LOY5: {new: true}" in text
    assert "2026Q3" in text.split("compare", 1)[1].splitlines()[0] + text.split("compare", 1)[1].splitlines()[1]


def test_names_that_come_again_are_shown_and_left_to_decide(project):
    """The same ids in both files may be the same people: said, never assumed."""
    old, new = waves()
    text = next_wave(project, old, new.assign(id=[*old["id"][:120], *new["id"][120:]]))
    assert load("params/acme/2026Q4.yaml").params.compare.overlap is None
    assert re.search(r"# overlap: respondents .*120", text)


def test_two_names_that_fit_equally_are_not_guessed():
    old, new = waves()
    twice = new.rename(columns={"SAT2": "A"}).assign(B=new["SAT2"])
    items = {n: Item(n, Scale(1, 10)) for n in old if n != "id"}
    found = {m.old: m for m in mapped(propose(table_of(old.to_dict("list"))), propose(table_of(
        twice[["id", "B", "A"]].to_dict("list"))), items)}
    assert found["SAT2"].new == ""


def test_a_question_not_asked_any_more_leaves_its_wording_behind(project):
    """The study's file words SAT2; a wave that renames it takes that line back and keeps the wording."""
    old, new = waves()
    for name, frame in (("q3.csv", old), ("q4.csv", new.rename(columns={"SAT2": "SATIS2"}))):
        frame.to_csv(name, index=False, encoding="utf-8")
    tcs("new", "acme", "--data", "q3.csv", "--wave", "2026Q3")
    study = project / "params/acme/study.yaml"
    study.write_text(study.read_text(encoding="utf-8") + "\nitems:\n  SAT2: {text: How satisfied are you?}\n",
                     encoding="utf-8")
    tcs("new", "acme", "--data", "q4.csv", "--wave", "2026Q4", "--from", "2026Q3")
    found = load("params/acme/2026Q4.yaml")
    assert found.questionnaire["SATIS2"].text[""] == "How satisfied are you?" and "SAT2" not in found.params.items


def test_changes_are_told_of_items_only(project):
    old, _ = waves()
    old.to_csv("q3.csv", index=False)
    tcs("new", "acme", "--data", "q3.csv", "--wave", "2026Q3")
    wave = project / "params/acme/2026Q3.yaml"
    wave.write_text(wave.read_text(encoding="utf-8") + "changes: {SAT9: {was: SAT2}, SAT1: {was: X, new: true}, "
                    "SAT2: {was: X}, SAT3: {was: X}}\n", encoding="utf-8")
    with pytest.raises(Refusals) as refused:
        load("params/acme/2026Q3.yaml")
    assert [re.search(r"changes(?:\.\w+)?: (.{14})", line).group(1) for line in refused.value.lines] == [
        "is not a quest", "a new question", "two questions "]


def test_a_wave_needs_a_study_a_name_and_a_free_place(project):
    old, _ = waves()
    old.to_csv("q3.csv", index=False)
    tcs("new", "acme", "--data", "q3.csv", "--wave", "2026Q3")
    before = files(project)
    for words, said in ((["--from", "2026Q3"], "name the new wave"),
                        (["--wave", "2026Q3", "--from", "2026Q3"], "already"),
                        (["--wave", "2026Q4", "--from", "2025Q1"], "no such study"),
                        (["--wave", "2026Q4", "--from", "2026Q3", "--title", "x"], "belongs to the study"),
                        (["--wave", "Q4", "--from", "2026Q3"], "a period is expected")):
        with pytest.raises(InputRefused, match=said):
            tcs("new", "acme", "--data", "q3.csv", *words)
    assert files(project) == before
    assert Counter(p.split("/")[0] for p in before) == {"q3.csv": 1, "params": 3, "data": 1}
