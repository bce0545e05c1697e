"""Workbooks and SPSS files: what is read, what is repaired and logged, what is refused in one line."""

from __future__ import annotations

import datetime
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from conftest import MakeStudy
from reading_help import SMALL, good, refused, rows

from tcslib.fieldwork.reading import columns_of, read
from tcslib.study.load import load


def one_item(item: str, **data: str) -> dict[str, Any]:
    """A study of one item, which stands for the items the file lacks."""
    return {**SMALL, "data": data, "model": {"constructs": {"A": [item], "B": [item]}, "paths": [["A", "B"]],
                                             "target": "B", "loyalty": None, "item_in_several": True}}


def test_bad_cells_and_a_bad_header_count(shared: Path, make_study: MakeStudy) -> None:
    lines = refused(make_study, shared / "badinputs" / "087_excel_error_and_date_scores.xlsx", one_item("CUSA1"))
    assert 'cell B2: column "CUSA1": "#DIV/0!"' in lines[0]
    assert 'cell B3: column "CUSA1": "1900-01-07"' in lines[1]
    line, = refused(make_study, shared / "badinputs" / "090_corrupt_header_counts.sav", one_item("CUSA1"))
    assert "cannot be read as SAV" in line


# --- XLSX ---------------------------------------------------------------------------------------------------------

def workbook(*records: list[Any], head: int = 3, hidden: bool = True, faults: dict[str, str] | None = None) -> bytes:
    """A workbook with a title above the header and a hidden first sheet; ``faults`` replaces text in its XML."""
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
    if hidden:
        secret = book.add_worksheet("Secret")
        secret.write_row(0, 0, ["id", "A1", "A2", "B1", "B2"])
        secret.hide()
    sheet = book.add_worksheet("Answers")
    sheet.activate()
    sheet.set_first_sheet()
    if head > 1:
        sheet.write(0, 0, "Customer satisfaction 2026")
    for number, record in enumerate([["id", "A1", "A2", "B1", "B2", "城市"], *records], head - 1):
        sheet.write_row(number, 0, record)
    book.close()
    if not faults:
        return out.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            text = old.read(info).decode("utf-8")
            for before, after in faults.items():
                text = text.replace(before, after) if info.filename.endswith("sheet2.xml") else text
            new.writestr(info.filename, text)
    return changed.getvalue()


XLSX = {**SMALL, "data": {"id": "id", "header_row": 3}}


def test_xlsx_with_a_title_and_a_hidden_sheet(make_study: MakeStudy) -> None:
    data = workbook(["R1", 8, "９分", 7, 6.5, "NA"], ["", "", "", "", "", ""], [17, "", 3, "nine", 2, 3.0],
                    *[[f"R{i}", 5, 5, 5, 5, "x"] for i in range(30)])
    study = load(make_study(data, XLSX, name="answers.XLSX"))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns) == ["id", "A1", "A2", "B1", "B2", "城市"]
    assert raw.frame["id"].tolist()[:2] == ["R1", "17"] and raw.frame["城市"].tolist()[:2] == ["NA", "3"]
    assert raw.frame["A1"].iloc[0] == 8 and np.isnan(raw.frame["A1"].iloc[1]) and raw.frame["A2"].iloc[0] == 9
    assert raw.sheets_hidden == ("Secret",) and raw.lines[:2].tolist() == [4, 6]
    assert {(r.rule, r.column, r.rows) for r in raw.repairs} == {
        ("suffix", "A2", (4,)), ("text_missing", "B1", (6,)), ("empty_row", "", (5,)),
        ("hidden_sheet", "Secret", ())}


def test_xlsx_sheet_by_name(make_study: MakeStudy) -> None:
    data = workbook(["R1", 8, 9, 7, 6, "x"])
    line, = refused(make_study, data, {**SMALL, "data": {"sheet": "Answer"}}, name="a.xlsx")
    assert 'no sheet "Answer" (data.sheet); there are Answers. Did you mean Answers?' in line
    raw = good(make_study, data, {**SMALL, "data": {"sheet": "Answers", "header_row": 3}}, name="a.xlsx")
    assert len(raw.frame) == 1
    line, = refused(make_study, data, {**SMALL, "data": {"sheet": "Secret"}}, name="a.xlsx")
    assert "holds 0 respondents" in line
    line, = refused(make_study, data, {**SMALL, "data": {"header_row": 2}}, name="a.xlsx")
    assert "row 2: the column names are expected here" in line


def test_xlsx_cells_refused_by_address(make_study: MakeStudy) -> None:
    data = workbook(["R1", datetime.date(2026, 1, 7), 5, True, 5, "x"], ["R2", 5, "85%", 5, 5, "x"])
    lines = refused(make_study, data, XLSX, name="a.xlsx")
    assert [line.split(": ")[1] for line in lines] == ["cell B4", "cell C5", "cell D4"]
    assert "2026-01-07" in lines[0] and '"85%" is a percentage' in lines[1] and '"TRUE" is a truth value' in lines[2]


def test_xlsx_errors_and_uncalculated_formulas(make_study: MakeStudy) -> None:
    records = [["R1", 71, 5, 5, 5, "x"], ["R2", 5, 72, 5, 5, "x"], ["R3", 73, 5, 5, 5, "x"]]
    data = workbook(*records, faults={'r="B4"><v>71': 'r="B4" t="e"><v>#DIV/0!', 'r="B6"><v>73': 'r="B6" t="e"><v>#N/A',
                                      "<v>72</v>": "<f>1+1</f><v></v>"})
    lines = refused(make_study, data, XLSX, name="a.xlsx")
    assert 'cell B4: column "A1": "#DIV/0!" is an error of the spreadsheet' in lines[0] and "So in cell B6" in lines[0]
    assert 'cell C5: column "A2": the formula was never calculated' in lines[1]


def test_xlsx_long_numeric_ids(make_study: MakeStudy) -> None:
    raw = good(make_study, workbook([123456789012345, 5, 5, 5, 5, ""]), XLSX, name="a.xlsx")
    assert raw.frame["id"].tolist() == ["123456789012345"]
    line, = refused(make_study, workbook([1234567890123456, 5, 5, 5, 5, ""]), XLSX, name="a.xlsx")
    assert "cell A4" in line and "Store ids as text" in line
    raw = good(make_study, workbook(["123456789012345678901", 5, 5, 5, 5, ""]), XLSX, name="a.xlsx")
    assert raw.frame["id"].tolist() == ["123456789012345678901"]


def test_xlsx_damaged(make_study: MakeStudy) -> None:
    data = workbook(["R1", 8, 9, 7, 6, "x"])
    assert "damaged" in refused(make_study, data[:len(data) // 2], XLSX, name="a.xlsx")[0]
    assert "password" in refused(make_study, b"\xd0\xcf\x11\xe0" + b"\0" * 600, XLSX, name="a.xlsx")[0]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("xl/worksheets/sheet2.xml")
    middle = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    broken = data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1:]
    assert "damaged" in refused(make_study, broken, XLSX, name="a.xlsx")[0]
    empty = io.BytesIO()
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    assert "damaged" in refused(make_study, empty.getvalue(), XLSX, name="a.xlsx")[0]
    assert "damaged" in refused(make_study, workbook(["R1", 8, 9, 7, 6, "x"], faults={"</sheetData>": "<"}), XLSX,
                                name="a.xlsx")[0]


# --- SAV ----------------------------------------------------------------------------------------------------------

def sav(tmp_path: Path) -> Path:
    """A file with Chinese labels, user-missing codes, a coded region, text and a date."""
    import pyreadstat

    frame = pd.DataFrame({"id": ["R1", "R2", "R3"], "A1": [8.0, 98.0, np.nan], "A2": [1.0, 2.0, 99.0],
                          "B1": [5.0, 6.0, 7.5], "B2": [1.0, 1.0, -3.0], "region": [1.0, 2.0, np.nan],
                          "城市": ["NA", "", "西部"], "day": pd.to_datetime(["2026-01-05", None, "2026-01-07"])})
    path = tmp_path / "answers.sav"
    pyreadstat.write_sav(frame, str(path), column_labels={"A1": "总体满意度", "region": "地区"},
                         variable_value_labels={"A1": {98: "不知道", 99: "拒答"}, "region": {1: "西部", 2: "东部"}},
                         missing_ranges={"A1": [98, 99], "A2": [99], "B2": [{"lo": -9, "hi": -1}]})
    return path


def test_sav(make_study: MakeStudy, tmp_path: Path) -> None:
    study = load(make_study(sav(tmp_path), {**SMALL, "compare": {"segments": ["region"]}}))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns)
    assert raw.frame["A1"].tolist()[:2] == [8.0, 98.0] and np.isnan(raw.frame["A1"][2])
    assert raw.frame["region"].tolist() == ["1", "2", ""] and raw.frame["城市"].tolist() == ["NA", "", "西部"]
    assert raw.frame["day"].str[:10].tolist() == ["2026-01-05", "", "2026-01-07"]
    assert raw.labels == {"A1": "总体满意度", "region": "地区"}
    assert raw.value_labels == {"A1": {"98": "不知道", "99": "拒答"}, "region": {"1": "西部", "2": "东部"}}
    assert raw.missing == {"A1": ((98.0, 98.0), (99.0, 99.0)), "A2": ((99.0, 99.0),), "B2": ((-9.0, -1.0),)}


def test_sav_with_impossible_counts_or_cut_short(make_study: MakeStudy, tmp_path: Path) -> None:
    data = bytearray(sav(tmp_path).read_bytes())
    assert struct.unpack_from("<i", data, 80) == (3,)
    struct.pack_into("<i", data, 80, 1_000_000_000)
    assert "claims 1,000,000,000 rows" in refused(make_study, bytes(data), SMALL, name="a.sav")[0]
    struct.pack_into("<i", data, 80, 7)
    assert len(refused(make_study, bytes(data), SMALL, name="a.sav")) == 1
    struct.pack_into("<i", data, 80, 3)
    assert len(refused(make_study, bytes(data[:-8]), SMALL, name="a.sav")) == 1
    assert "cannot be read as SAV" in refused(make_study, rows(), SMALL, name="a.sav")[0]


def test_shared_sav_files(shared: Path, make_study: MakeStudy) -> None:
    folder = shared / "data"
    raw = good(make_study, shared / "badinputs" / "088_user_missing.sav", one_item("CUSA1"))
    low, high = raw.missing["CUSA1"]
    missing = raw.frame["CUSA1"].isin([98, 99])
    assert (low, high) == ((98.0, 98.0), (99.0, 99.0)) and missing.sum() == 10
    assert raw.labels["CUSA1"] == "总体满意度" and raw.value_labels["CUSA1"]["99"] == "拒答"
    raw = good(make_study, folder / "pyreadstat_multiresponse.sav", one_item("z", id=""))
    assert raw.missing["z"] == ((-999.0, 0.0), (999.0, 999.0)) and len(raw.frame) == 6
    raw = good(make_study, folder / "haven_umlauts.sav", one_item("var1", id=""))
    assert raw.value_labels["var1"]["2"] == "the ü umlaut"
    raw = good(make_study, folder / "pyreadstat_sample_missing.sav", one_item("mynum", id=""))
    assert raw.missing["mynum"] == ((2000.0, 3000.0), (-1.0, -1.0))
    raw = good(make_study, folder / "haven_labelled_num_na.sav", one_item("VAR00002", id=""))
    assert raw.missing["VAR00002"] == ((9.0, 9.0),)
    good(make_study, folder / "pyreadstat_missing_test.sav", one_item("var1", id=""))


def test_date_in_a_sav_item_is_refused(shared: Path, make_study: MakeStudy) -> None:
    lines = refused(make_study, shared / "data" / "pyreadstat_multiresponse.sav", one_item("y", id=""))
    assert "is a date or a time" in lines[0] and "row 1" in lines[0]
