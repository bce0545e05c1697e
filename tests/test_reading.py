"""The door for answers: what is read, what is repaired and logged, what is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import MakeStudy
from reading_help import HEAD, SMALL, good, refused, rows

from tcslib.errors import InputRefused
from tcslib.fieldwork import reading
from tcslib.fieldwork.reading import check_columns, columns_of, read, sha256
from tcslib.study.load import load

BAD = {
    "001_empty.csv": "file is empty", "002_header_only.csv": "holds 0 respondents",
    "004_blank_lines.csv": "blank lines only",
    "005_bom_only.csv": "byte order mark", "007_unterminated_quote.csv": "line 2: the quotation mark",
    "008_ragged_long.csv": "line 11: the row has 25 cells", "010_ragged_short.csv": "line 21: the row has 6 cells",
    "011_truncated_mid_row.csv": "line 167: the last row has 22 cells where the header has 24: the file seems",
    "014_binary_named_csv.csv": "binary",
    "019_big5.csv": '`data.encoding: big5` reads the cell as "西部"',
    "028_duplicate_column_names.csv": '"IMAG1" (columns 2, 3)',
    "030_empty_header.csv": 'column "PERV1" (model.constructs.Value) is missing',
    "045_weight_inf.csv": 'line 5: column "weight": "inf"', "047_weight_text.csv": 'line 5: column "weight": "n/a"',
    "080_merged_headers_totals.xlsx": 'row 2: the same column name stands more than once: "Q1" (columns B, C)',
    "081_zip_bomb.xlsx": "unpacks from",
    "083_truncated.xlsx": "damaged or cut short", "084_csv_named_xlsx.xlsx": "the content is not XLSX",
    "086_zip_slip.xlsx": "outside the workbook", "092_qualtrics_3_header_rows.csv": "is missing",
}


@pytest.mark.parametrize(("name", "words"), BAD.items())
def test_bad_file_is_refused(shared: Path, make_study: MakeStudy, name: str, words: str) -> None:
    lines = refused(make_study, shared / "badinputs" / name)
    assert any(words in line for line in lines), lines
    if "is missing" not in lines[0]:
        assert len(lines) == 1


def test_enormous_cell(shared: Path, make_study: MakeStudy) -> None:
    line, = refused(make_study, shared / "badinputs" / "101_one_huge_cell.csv", SMALL)
    assert "line 2: a cell of more than" in line


GOOD = {"000_good_base.csv": 250, "003_one_row.csv": 1, "013_mixed_eol.csv": 250, "017_utf8_bom.csv": 250,
        "021_fullwidth_digits.csv": 250, "022_text_in_numeric.csv": 250, "023_codes_98_99_-99_0.csv": 250,
        "025_exact_duplicate_rows.csv": 275, "027_all_ids_empty.csv": 250, "035_item_all_missing.csv": 250,
        "037_70pct_missing.csv": 250, "040_weight_negative.csv": 250, "044_weight_nan.csv": 250,
        "073_xss_verbatims.csv": 60, "075_formula_injection.csv": 60, "097_literal_NA_country_code.csv": 250,
        "099_index_col_from_1.csv": 250}


@pytest.mark.parametrize(("name", "count"), GOOD.items())
def test_file_is_read_whole_and_left_alone(shared: Path, make_study: MakeStudy, name: str, count: int) -> None:
    study = load(make_study(shared / "badinputs" / name))
    raw = read(study)
    assert len(raw.frame) == len(raw.lines) == count
    assert list(raw.frame.columns) == [c for c in columns_of(study) if c]
    assert all(raw.frame[c].dtype.kind == "f" for c in [*study.model.items, "weight"])
    assert not any(raw.frame[c].isna().any() for c in ("id", "region", "verbatim", "psu"))
    assert raw.sha256 == sha256(shared / "badinputs" / name)
    assert not study.root.joinpath("reports").exists()


def test_line_ends_and_a_byte_order_mark_change_nothing(shared: Path, make_study: MakeStudy) -> None:
    folder = shared / "badinputs"
    base = good(make_study, folder / "000_good_base.csv").frame
    pd.testing.assert_frame_equal(good(make_study, folder / "013_mixed_eol.csv").frame, base)
    crlf = (folder / "000_good_base.csv").read_bytes().replace(b"\n", b"\r\n")
    for other in (crlf, crlf.replace(b"\n", b""), b"\xef\xbb\xbf" + crlf):
        pd.testing.assert_frame_equal(good(make_study, other).frame, base)


def test_declared_encodings_equal_their_utf8_twin(shared: Path, make_study: MakeStudy) -> None:
    folder = shared / "badinputs"
    twin = good(make_study, folder / "017_utf8_bom.csv").frame
    text = (folder / "017_utf8_bom.csv").read_text(encoding="utf-8-sig")
    for encoding, data in (("gb18030", folder / "016_gb18030.csv"), ("big5", folder / "019_big5.csv"),
                           ("utf-16", text.encode("utf-16"))):
        raw = good(make_study, data, {"data": {"encoding": encoding}})
        expected = twin.replace({"华": "華", "东": "東"}, regex=True) if encoding == "big5" else twin
        pd.testing.assert_frame_equal(raw.frame, expected)
    assert "is UTF-8, not gb18030" in refused(make_study, folder / "017_utf8_bom.csv",
                                              {"data": {"encoding": "gb18030"}})[0]
    assert "which data.encoding states" in refused(make_study, (HEAD + "R1,é,1,1,1\n").encode("latin-1"),
                                                   {**SMALL, "data": {"encoding": "gb18030"}})[0]
    assert "data.encoding: utf-16" in refused(make_study, text.encode("utf-16"), {"data": {"encoding": "utf-8"}})[0]


def test_repairs_are_logged_with_rule_column_count_and_lines(shared: Path, make_study: MakeStudy) -> None:
    raw = good(make_study, shared / "badinputs" / "022_text_in_numeric.csv")
    assert [(r.rule, r.column, r.cells) for r in raw.repairs] == [
        ("blanks", "CUSA1", 1), ("suffix", "CUSA1", 1), ("text_missing", "CUSA1", 4)]
    assert raw.repairs[-1].rows == (3, 4, 5, 6)
    assert raw.frame["CUSA1"][0] == 8.0 and np.isnan(raw.frame["CUSA1"][1])
    assert {name: at.tolist() for name, at in raw.text_cells.items()} == {"CUSA1": [1, 2, 3, 4]}
    base = good(make_study, shared / "badinputs" / "000_good_base.csv").frame
    full = good(make_study, shared / "badinputs" / "021_fullwidth_digits.csv")
    pd.testing.assert_frame_equal(full.frame, base)
    assert [(r.rule, r.cells) for r in full.repairs] == [("full_width", 21)]


@pytest.mark.parametrize(("cell", "value", "rule"), [
    ("８分", 8, "suffix"), ("9点", 9, "suffix"), ("\u30008 ", 8, "blanks"), (" 8", 8, "blanks"),
    ("  ", np.nan, "blanks"),
    ("－3", -3, "full_width"), ("1e5", 1e5, ""), ("8.50", 8.5, ""), (".5", 0.5, ""), ("007", 7, ""), ("+7", 7, ""),
    ("12345678901234567890123", 1.2345678901234568e22, ""), ("", np.nan, ""), ("8²", np.nan, "text_missing"),
    ("NA", np.nan, "text_missing"), ("nan", np.nan, "text_missing"), ("1_000", np.nan, "text_missing"),
    ("0x10", np.nan, "text_missing"), ("约7", np.nan, "text_missing"), ("7-8", np.nan, "text_missing")])
def test_item_cell(make_study: MakeStudy, cell: str, value: float, rule: str) -> None:
    raw = good(make_study, rows(first=f"X,{cell},5,5,5\n"), SMALL)
    assert raw.frame["A1"][0] == value or (np.isnan(value) and np.isnan(raw.frame["A1"][0]))
    assert [(r.rule, r.column, r.cells, r.rows) for r in raw.repairs] == ([(rule, "A1", 1, (2,))] if rule else [])


@pytest.mark.parametrize(("cell", "words"), [
    ("inf", "not a finite number"), ("-Infinity", "not a finite number"), ("1e400", "too large"),
    ("TRUE", "truth value"), ("false", "truth value"), ("85%", "percentage"), ("８５％", "percentage"),
    ('"1,234"', "comma"), ('"7,5"', "comma"),
    ("2026-01-07", "date"), ("12:30", "date or a time"), ("#DIV/0!", "error of the spreadsheet")])
def test_item_cell_is_refused_with_its_line(make_study: MakeStudy, cell: str, words: str) -> None:
    lines = refused(make_study, rows(first=f"X,{cell},5,5,5\nY,{cell},5,5,5\n"), SMALL)
    assert len(lines) == 1 and 'line 2: column "A1": ' in lines[0] and words in lines[0] and "line 3" in lines[0]


def test_much_text_in_an_item_is_refused_with_examples(make_study: MakeStudy) -> None:
    data = rows(first="X,good,5,5,5\nY,bad,5,5,5\n")
    line, = refused(make_study, data, SMALL)
    assert '2 of 32 answers (6%) are no numbers: line 2 "good", line 3 "bad"' in line
    raw = good(make_study, data, {**SMALL, "cleaning": {"out_of_scale_limit": 0.1}})
    assert [(r.rule, r.cells) for r in raw.repairs] == [("text_missing", 2)]


def test_every_fault_is_told_in_one_reading(make_study: MakeStudy) -> None:
    lines = refused(make_study, rows(first="X,85%,TRUE,5,inf\n"), SMALL)
    assert len(lines) == 3


@pytest.mark.parametrize(("data", "words"), [
    ("id,A1 , A1,B1,B2\n1,2,3,4,5\n", '"A1" (columns 2, 3)'),
    ("id\tA1\tA2\tB1\tB2\n", "holds 0 respondents"),
    ("\nid,A1,A2,B1,B2\n1,2,3,4,5\n", "line 1: the column names are expected here"),
    (HEAD + 'R1,"a"b,5,5,5\n', "line 2: a quotation mark is not closed, or one inside"),
    (HEAD + "R1,1,1,1,1\nR2,1,1\nR3,1,1,1,1,1\nR4,1\n", "line 3: the row has 3 cells where the header has 5; so do "
                                                         "lines 4 (6), 5 (2)"),
    (b"id,A1,A2,B1,B2\n" + b"\0" * 400, "line 2: holds NUL bytes"),
    (b"id,A1,A2,B1,B2\nR\0,1,2,3,4\n", 'line 2: column "id": the cell holds a NUL byte'),
    ("id,A1,A2,B1,B2\n".encode("utf-16-le"), "holds NUL bytes"),
    (b"PK\x03\x04\xff\xfe", "is a workbook, not CSV"),
    (HEAD + "R1,1,1,1,1\nR2,\xe9,1,1,1\n", "no numbers"),
    ((HEAD + "R1,1,1,1,1\nR2,é,1,1,1\n").encode("latin-1"), "line 3: the byte 0xE9 is not UTF-8"),
    (HEAD + "R1,1,1,1,1\nR2," + "9" * 10_001 + ",1,1,1\n", 'line 3: column "A1": a cell of 10,001 characters'),
])
def test_faulty_csv(make_study: MakeStudy, data: str | bytes, words: str) -> None:
    assert words in refused(make_study, data, SMALL)[0]


def test_csv_text_is_kept_as_it_is(make_study: MakeStudy) -> None:
    head = "id,A1,A2,B1,B2,城市 ,注\u00a0释,why,\n"
    data = head + ('00012345678901234567890,1,2,3,4,NA,null,"two\r\nlines, ""quoted""",x\n'
                   ',5,6,7,8,None,n/a, blank ,\n\n,,,,,,,,\n"R,3",1,1,1,1,西部,,,\n')
    raw = good(make_study, data, SMALL)
    assert raw.frame["id"].tolist() == ["00012345678901234567890", "", "R,3"]
    assert raw.frame["城市"].tolist() == ["NA", "None", "西部"] and raw.frame["注 释"].tolist() == ["null", "n/a", ""]
    assert raw.frame["why"].tolist() == ['two\nlines, "quoted"', " blank ", ""]
    assert raw.lines.tolist() == [2, 4, 7] and raw.line == 2
    assert [(r.rule, r.cells, r.rows) for r in raw.repairs] == [("empty_row", 1, (6,))]
    assert raw.notes == ("data/raw/acme/answers.csv: column 9 has no name and is left out.",)


def test_blanks_around_categories_go_and_are_logged(make_study: MakeStudy) -> None:
    data = HEAD.strip() + ",region\n" + "R1,1,2,3,4,West\nR2,1,2,3,4, West \n"
    raw = good(make_study, data, {**SMALL, "compare": {"segments": ["region"]}})
    assert raw.frame["region"].tolist() == ["West", "West"]
    assert [(r.rule, r.column, r.rows) for r in raw.repairs] == [("blanks", "region", (3,))]


def test_weights_and_duration(make_study: MakeStudy) -> None:
    data = HEAD.strip() + ",w,secs\n" + "R1,1,2,3,4,0.1,125秒\nR2,1,2,3,4,,9s\n"
    raw = good(make_study, data, {**SMALL, "design": {"weights": "w", "strata": "", "clusters": ""},
                                  "cleaning": {"duration": "secs"}})
    assert raw.frame["secs"].tolist() == [125.0, 9.0] and raw.frame["w"][0] == 0.1 and np.isnan(raw.frame["w"][1])


def test_missing_columns_are_named_with_key_and_nearest_name(make_study: MakeStudy) -> None:
    params = {**SMALL, "nps": "recommend", "data": {"id": "resp"}, "design": {"weights": "w"},
              "weighting": {"rake": {"gender": {"f": 0.5, "m": 0.5}}},
              "compare": {"brand": "brand", "own": "us", "segments": []},
              "cleaning": {"require": {"S1": ["1"]}, "duration": "secs"}, "report": {"verbatims": ["why"]}}
    study = load(make_study("ID,A1,a2,B1,B22,Recommend\n1,2,3,4,5,6\n", params))
    lines = [str(fault) for fault in check_columns(study, columns_of(study))]
    start = 'data/raw/acme/answers.csv: column '
    assert f'{start}"A2" (model.constructs.A) is missing. Did you mean a2?' in lines
    assert f'{start}"B2" (model.constructs.B) is missing. Did you mean B22?' in lines
    assert f'{start}"recommend" (nps) is missing. Did you mean Recommend?' in lines
    for key in ("data.id", "design.weights", "weighting.rake.gender", "compare.brand", "cleaning.require.S1",
                "cleaning.duration", "report.verbatims"):
        assert sum(f"({key}) is missing." in line for line in lines) == 1, key
    assert len(lines) == 12          # strata, clusters of the base study too


def test_names_are_read_without_pandas(make_study: MakeStudy) -> None:
    path = make_study(rows(), SMALL)
    code = ("import sys; from tcslib.study.load import load; from tcslib.fieldwork.columns import columns_of; "
            f"assert columns_of(load({str(path)!r})) == ['id', 'A1', 'A2', 'B1', 'B2']; "
            "assert 'pandas' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(reading.__file__).parents[2])


def test_file_that_changes_while_read_is_refused(make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load(make_study(rows(), SMALL))
    path = study.root / study.params.data.file

    def slow(source: Any) -> Any:
        table = reading.read_csv(source)
        with path.open("a", encoding="utf-8") as file:
            file.write("late,1,1,1,1\n")
        return table

    monkeypatch.setitem(reading.READERS, "csv", slow)
    with pytest.raises(InputRefused, match="changed while it was read"):
        read(study)


def test_unknown_kind_of_file(make_study: MakeStudy) -> None:
    assert 'kind of file ".xls" is not known' in refused(make_study, rows(), SMALL, name="answers.xls")[0]
