"""Sheets as people keep them: titles, merged headers, totals, hidden parts; and Stata and Parquet files."""

from __future__ import annotations

import datetime
import decimal
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import MakeStudy
from reading_help import SMALL, good, refused

from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import RawAnswers, columns_of, read
from tcslib.report.wording import phrases
from tcslib.study.load import load

NAMES = ["id", "A1", "A2", "B1", "B2", "region"]
ANSWERS = [[f"R{i}", 1 + i % 10, 7, 8, 1 + i % 9, "West"] for i in range(30)]


def book(*rows: list[Any], merged: tuple[str, ...] = (), hidden_rows: tuple[int, ...] = (), hide: str = "") -> bytes:
    """A sheet with these rows; ranges are merged around the text of their first cell."""
    import xlsxwriter

    out = io.BytesIO()
    made = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = made.add_worksheet("Answers")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    for where in merged:
        column, row = re.match(r"([A-Z])(\d+)", where).groups()          # type: ignore[union-attr]
        sheet.merge_range(where, rows[int(row) - 1][ord(column) - 65])
    for row_number in hidden_rows:
        sheet.set_row(row_number - 1, None, None, {"hidden": True})
    if hide:
        sheet.set_column(hide, None, None, {"hidden": True})
    made.close()
    return out.getvalue()


def told(raw: RawAnswers) -> list[tuple[str, str]]:
    return [(r.rule, r.column) for r in raw.repairs]


TITLE = ["Customer survey 2026Q3"]
GROUPS = ["id", "Image", "", "Quality", "", "region"]


@pytest.mark.parametrize("data", [{}, {"header_row": 3}, {"header_row": 3, "header_rows": 2},
                                  {"header_row": 3, "header_rows": 1}, {"header_rows": 2}])
def test_a_title_and_groups_above_the_names(make_study: MakeStudy, data: dict[str, int]) -> None:
    """By itself, or by the row that holds the names alone: the same names and answers."""
    lower = ["id" if data.get("header_rows") == 1 else "", "A1", "A2", "B1", "B2", ""]
    merged = ("A1:F1", "B2:C2", "D2:E2") + (() if data.get("header_rows") == 1 else ("A2:A3", "F2:F3"))
    content = book(TITLE, GROUPS, lower, *ANSWERS, merged=merged)
    study = load(make_study(content, {**SMALL, "data": {"id": "id", **data}}, name="a.xlsx"))
    raw = read(study)
    names = NAMES if data.get("header_rows") != 1 else NAMES[:-1]
    assert columns_of(study) == list(raw.frame.columns) == names
    assert raw.frame["id"].tolist() == [f"R{i}" for i in range(30)] and raw.line == 4
    expected = [("title_rows", "A1")] if "header_row" not in data else []
    if data.get("header_rows") != 1:
        expected.append(("header_rows", "2–3"))
    assert told(raw) == expected


@pytest.mark.parametrize(("merged", "data"), [(("B1:C1", "D1:E1", "A1:A2", "F1:F2"), {}), ((), {"header_rows": 2}),
                                              (("B1:C1", "D1:E1", "A1:A2", "F1:F2"), {"header_row": 2})])
def test_names_that_repeat_bear_their_group(make_study: MakeStudy, merged: tuple[str, ...],
                                            data: dict[str, int]) -> None:
    content = book(["id", "Service", "", "Price", "", "region"], ["", "level", "trend", "level", "trend", ""], *ANSWERS,
                   merged=merged)
    model = {"constructs": {"A": ["Service - level", "Service - trend"], "B": ["Price - level", "Price - trend"]},
             "paths": [["A", "B"]], "target": "B", "loyalty": None}
    study = load(make_study(content, {**SMALL, "model": model, "data": data}, name="a.xlsx"))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns) == ["id", "Service - level", "Service - trend", "Price - level",
                                                            "Price - trend", "region"]
    assert raw.frame["Price - level"][0] == 8


def test_groups_at_the_right_end(make_study: MakeStudy) -> None:
    """Neither row has a gap between its filled cells."""
    answers = [row[:5] for row in ANSWERS]
    for data in ({}, {"header_row": 2}):
        one = book(["id", "A1", "A2", "B", ""], ["id", "A1", "A2", "B1", "B2"], *answers, merged=("D1:E1",))
        assert good(make_study, one, {**SMALL, "data": data}, name="a.xlsx").line == 3
        two = book(["B", "", "A1", "A2", "id"], ["B1", "B2"], *[[*row[3:], *row[1:3], row[0]] for row in answers],
                   merged=("A1:B1", "C1:C2", "D1:D2", "E1:E2"))
        raw = good(make_study, two, {**SMALL, "data": data}, name="b.xlsx")
        assert list(raw.frame.columns) == ["B1", "B2", "A1", "A2", "id"] and raw.frame["id"][0] == "R0"


def test_a_first_row_of_names_is_no_title(make_study: MakeStudy) -> None:
    assert told(good(make_study, book(NAMES, *ANSWERS), SMALL, name="a.xlsx")) == []
    titles = book(TITLE, [], ["", "", "as of 2026-09-13"], NAMES, *ANSWERS)
    assert told(good(make_study, titles, SMALL, name="a.xlsx")) == [("title_rows", "A1, C3")]
    line = refused(make_study, titles, {**SMALL, "data": {"header_row": 1}}, name="a.xlsx")[0]
    assert 'column "id" (data.id) is missing' in line


def test_a_second_row_below_the_names(make_study: MakeStudy) -> None:
    content = book(NAMES, ["(open)", "(single)", "(single)", "(single)", "(single)", "(single)"], *ANSWERS)
    line, = refused(make_study, content, {**SMALL, "cleaning": {"out_of_scale_limit": 0.5}}, name="a.xlsx")
    assert "row 2: the row below the column names holds words where answers are expected (A1, A2, B1, B2)" in line


@pytest.mark.parametrize(("bottom", "said"), [
    ([["合计", 100, 200, 210, 240, ""]], ["A32 合计"]), ([["", "Mean", 7, 8, 4.5, ""]], ["B32 Mean"]),
    ([["Total:", 1, 1, 1, 1, ""], ["平均分", 5, 7, 8, 4, ""], [], ["Source: own survey"], ["注：单选"]],
     ["A32 Total:", "A33 平均分", "A35 Source: own survey", "A36 注：单选"])])
def test_totals_and_footnotes_below_the_answers(make_study: MakeStudy, bottom: list[list[Any]],
                                                said: list[str]) -> None:
    study = load(make_study(book(NAMES, *ANSWERS, *bottom), SMALL, name="a.xlsx"))
    raw = read(study)
    assert len(raw.frame) == 30 and told(raw) == [("totals_row", one) for one in said]
    book_of = clean(raw, study).ledger
    assert book_of.loc[book_of["rule"] == "totals_row", "detail"].tolist() == said


@pytest.mark.parametrize(("rows", "data", "words"), [
    ([*ANSWERS[:9], ["小计", 50, 60, 70, 80, ""], *ANSWERS[9:]], {}, 'cell A11: "小计" looks like a row of totals'),
    ([*ANSWERS[:9], ["", "Total", 60, 70, 80, ""], *ANSWERS[9:]], {}, 'cell B11: "Total" looks like a row of totals'),
    ([*ANSWERS, ["Total", 5, 6, 7, 8, "West"]], {}, 'cell A32: "Total" looks like a row of totals and holds other'),
    ([*ANSWERS, ["Total", 5, 6, 7, 8, ""]], {"id": ""}, 'cell A32: "Total" looks like a row of totals or a footnote')])
def test_what_may_be_totals_or_a_respondent_is_refused(make_study: MakeStudy, rows: list[list[Any]],
                                                       data: dict[str, Any], words: str) -> None:
    line, = refused(make_study, book(NAMES, *rows), {**SMALL, "data": data}, name="a.xlsx")
    assert words in line


def test_no_respondent_is_taken_for_a_total(make_study: MakeStudy) -> None:
    """The brand Total, an id that only begins so, a last interview without answers."""
    brands = [[*row[:-1], "Total"] for row in ANSWERS]
    for rows, data in ((brands, {}), ([["Total-7", *ANSWERS[0][1:]], ["R99", "", "", "", "", ""]], {}),
                       ([["Total", *row[1:]] for row in ANSWERS], {"id": ""})):
        raw = good(make_study, book(NAMES, *rows), {**SMALL, "data": data}, name="a.xlsx")
        assert len(raw.frame) == len(rows) and not told(raw)
    unlabelled = book(NAMES, *ANSWERS, ["", 5, 6, 7, 8, ""])
    study = load(make_study(unlabelled, SMALL, name="a.xlsx"))
    with pytest.raises(Exception, match=r'id column "id" is empty in 1 records \(row 32\)'):
        clean(read(study), study)


def test_the_sheet_of_the_catalogue(shared: Path, make_study: MakeStudy) -> None:
    """Title, two header rows, totals by a formula nobody calculated, a hidden sheet; its names made unique."""
    changed = io.BytesIO()
    with zipfile.ZipFile(shared / "badinputs" / "080_merged_headers_totals.xlsx") as old, \
            zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            text = old.read(info).decode("utf-8")
            new.writestr(info.filename, text.replace('<t>Q1', '<t>Q2').replace('<t>Q2', '<t>Q1', 1))
    model = {"constructs": {"A": ["Q1"], "B": ["Q2"]}, "paths": [["A", "B"]], "target": "B", "loyalty": None}
    study = {**SMALL, "model": model, "data": {"id": "编号"}}
    line, = refused(make_study, changed.getvalue(), study, name="a.xlsx")
    assert "row 3: the row below the column names holds words" in line
    model["constructs"] = {"A": ["Q1 - 满意度"], "B": ["Q2 - 满意度"]}
    raw = good(make_study, changed.getvalue(), {**study, "data": {"id": "(单选)", "header_rows": 2}}, name="a.xlsx")
    assert raw.frame["(单选)"].tolist() == ["0", "1", "2", "3", "4"] and raw.frame["Q2 - 满意度"].tolist() == [8.0] * 5
    assert told(raw) == [("title_rows", "A1"), ("header_rows", "2–3"), ("totals_row", "A9 合计"),
                         ("hidden_sheet", "Hidden")]


def test_hidden_rows_and_columns_are_read_and_logged(make_study: MakeStudy) -> None:
    raw = good(make_study, book(NAMES, *ANSWERS, hidden_rows=(3, 4, 7), hide="F:F"), SMALL, name="a.xlsx")
    assert len(raw.frame) == 30 and raw.frame["region"][0] == "West"
    assert told(raw) == [("hidden_rows", "3, 4, 7"), ("hidden_columns", "F")]


def test_what_is_logged_has_words() -> None:
    said = phrases("en")
    for name in ("encoding", "delimiter", "decimal_comma", "title_rows", "header_rows", "totals_row", "hidden_sheet",
                 "hidden_rows", "hidden_columns"):
        assert f"rule.{name}" in said


def test_keys_of_other_formats_are_refused(make_study: MakeStudy) -> None:
    for data, name, words in (({"header_rows": 2}, "a.csv", "data.header_rows is for .xlsx files"),
                              ({"delimiter": ";"}, "a.xlsx", "data.delimiter is for .csv files")):
        assert words in refused(make_study, book(NAMES, *ANSWERS), {**SMALL, "data": data}, name=name)[0]


# --- Stata and Parquet --------------------------------------------------------------------------------------------

def test_stata_file_with_tagged_missing_values(make_study: MakeStudy, tmp_path: Path) -> None:
    import pyreadstat

    frame = pd.DataFrame({"id": ["R1", "R2", "R3", "R4"], "A1": [8.0, "a", "b", 5.0], "A2": [1.0, 2.0, np.nan, 4.0],
                          "B1": [5, 6, 7, 8], "B2": [1.0, 1.0, 3.0, 3.0], "region": [1.0, 2.0, 1.0, 2.0],
                          "城市": ["NA", "", "西部", "东部"]})
    path = tmp_path / "answers.dta"
    pyreadstat.write_dta(frame, str(path), column_labels={"A1": "总体满意度"}, missing_user_values={"A1": ["a", "b"]},
                         variable_value_labels={"A1": {"a": "不知道"}, "region": {1: "西部", 2: "东部"}})
    study = load(make_study(path, {**SMALL, "compare": {"segments": ["region"]}, "missing_codes": {".a": "dont_know"},
                                   "cleaning": {"max_missing": 1.0}}))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns)
    assert raw.frame["A1"].tolist()[::3] == [8.0, 5.0] and raw.frame["A1"].isna().sum() == 2
    assert raw.frame["region"].tolist() == ["1", "2", "1", "2"]
    assert raw.frame["城市"].tolist() == ["NA", "", "西部", "东部"]
    assert raw.labels == {"A1": "总体满意度"} and raw.value_labels["region"] == {"1": "西部", "2": "东部"}
    kinds = clean(raw, study).kinds
    assert kinds["A1"].tolist() == ["", "dont_know", "user_missing", ""] and kinds["A2"]["R3"] == "skipped"
    for data in (path.read_bytes()[:300], b"no such thing"):
        line, = refused(make_study, data, SMALL, name="b.dta")
        assert "cannot be read as DTA" in line or "damaged" in line or "cut short" in line


def parquet(frame: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table(frame), out)
    return out.getvalue()


def test_parquet_of_every_type(make_study: MakeStudy) -> None:
    import pyarrow as pa

    day = datetime.date(2026, 1, 5)
    data = parquet({
        "id": pa.array([2**60 + 1, 7, None]), "A1": pa.array([8, None, 5], pa.int8()), "A2": [1.5, None, 3.0],
        "B1": pa.array([decimal.Decimal("4.25")] * 3), "B2": pa.array([1, 2, 3], pa.uint16()),
        "region": pa.array(["West", None, "East"]).dictionary_encode(), "own": pa.array([True, None, False]),
        "day": pa.array([day, None, day]), "at": pa.array([datetime.datetime(2026, 1, 5, 9, 30), None, None]),
        "none": pa.nulls(3), "城市": ["NA", "西部", ""]})
    study = load(make_study(data, {**SMALL, "compare": {"segments": ["region"]}}, name="a.parquet"))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns)
    assert raw.frame["id"].tolist() == ["1152921504606846977", "7", ""]
    assert raw.frame["A1"].tolist()[::2] == [8, 5] and np.isnan(raw.frame["A1"][1]) and raw.frame["B1"][0] == 4.25
    assert raw.frame["region"].tolist() == ["West", "", "East"] and raw.frame["own"].tolist() == ["TRUE", "", "FALSE"]
    assert raw.frame["day"].tolist() == ["2026-01-05", "", "2026-01-05"]
    assert raw.frame["at"][0][:16] == "2026-01-05 09:30"
    assert raw.frame["none"].tolist() == ["", "", ""] and raw.frame["城市"].tolist() == ["NA", "西部", ""]


def test_parquet_that_cannot_be_used(make_study: MakeStudy) -> None:
    sound: dict[str, Any] = {"id": ["R1"], "A1": [5], "A2": [5], "B1": [5], "B2": [5]}
    line, = refused(make_study, parquet({**sound, "all": [[1, 2]], "who": [{"a": 1}]}), SMALL, name="a.parquet")
    assert '"all" (list<' in line and '"who" (struct<' in line
    assert "cannot be read as Parquet" in refused(make_study, parquet(sound)[:-9], SMALL, name="a.parquet")[0]
    assert "truth value" in refused(make_study, parquet({**sound, "A1": [True]}), SMALL, name="a.parquet")[0]
    assert "is a date" in refused(make_study, parquet({**sound, "A1": [datetime.date(2026, 1, 7)]}), SMALL,
                                  name="a.parquet")[0]
