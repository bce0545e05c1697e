"""Text files: the encoding told or refused, never mojibake; the mark between columns; the comma before decimals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import MakeStudy
from reading_help import HEAD, SMALL, good, refused, rows

from tcslib.fieldwork.encoding import looks_chinese
from tcslib.fieldwork.reading import RawAnswers, columns_of, read
from tcslib.study.load import load

SAID = {
    "zh": ["总体满意度很高", "信号不好，经常断线", "价格太贵了", "客服态度很好，希望改善", "北京", "上海", "男", "女"],
    "zh-Hant": ["整體滿意度很高", "訊號不好，經常斷線", "價格太貴了", "客服態度很好", "台北", "高雄", "男", "女"],
    "ko": ["서비스에 매우 만족합니다", "가격이 너무 비싸요", "직원이 친절했습니다", "서울", "부산", "남자", "여자"],
    "ja": ["サービスに大変満足", "料金が高い", "電波が悪い", "東京", "大阪", "男性", "女性", "店員の対応が良かった"],
    "ru": ["Очень доволен", "Цена слишком высокая", "Москва", "Казань", "мужчина", "женщина", "хорошая связь"],
    "fr": ["très satisfait", "prix élevé", "Île-de-France", "créée", "déçu", "à côté", "où", "Orléans"],
    "de": ["größte Auswahl", "zu teuer für mich", "Köln", "Österreich", "männlich", "weiß nicht", "schön"]}


def table(said: list[str], name: str = "why", mark: str = ",") -> str:
    """A file for the small study with an open answer."""
    out = [f"id,A1,A2,B1,B2,{name}"] + [f'R{i},{1 + i % 10},7,8,{1 + i % 9},"{said[i % len(said)]}"' for i in range(30)]
    return "\n".join(out).replace(",", mark) + "\n"


def repairs(raw: RawAnswers) -> list[tuple[str, str]]:
    return [(r.rule, r.column) for r in raw.repairs]


@pytest.mark.parametrize("name", ["why", "意见"])
def test_gb18030_is_detected_and_logged(make_study: MakeStudy, name: str) -> None:
    text = table([*SAID["zh"], "朱镕基", "李喆", "王㛃", "𠮷野家"], name)          # two, two and four bytes a character
    study = load(make_study(text.encode("gb18030"), SMALL))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns) == ["id", "A1", "A2", "B1", "B2", name]
    assert repairs(raw) == [("encoding", "GB18030")]
    pd.testing.assert_frame_equal(raw.frame, good(make_study, text, SMALL).frame)


def test_gb18030_of_the_catalogue(shared: Path, make_study: MakeStudy) -> None:
    raw = good(make_study, shared / "badinputs" / "016_gb18030.csv")
    assert raw.repairs[0].rule == "encoding"
    pd.testing.assert_frame_equal(raw.frame, good(make_study, shared / "badinputs" / "017_utf8_bom.csv").frame)


@pytest.mark.parametrize("name", ["why", "意见"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
def test_unicode_files(make_study: MakeStudy, codec: str, name: str) -> None:
    text = table(SAID["zh"], name)
    mark = "\ufeff" if codec.startswith("utf-16") else ""
    study = load(make_study((mark + text).encode(codec), SMALL))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns)
    assert repairs(raw) == ([("encoding", "UTF-16")] if mark else [])
    pd.testing.assert_frame_equal(raw.frame, good(make_study, text, SMALL).frame)
    if mark:          # without its mark it is not told from binary data
        assert re.search("NUL|binary", refused(make_study, text.encode(codec), SMALL)[0])
    assert "UTF-32" in refused(make_study, text.encode("utf-32"), SMALL)[0]


@pytest.mark.parametrize(("language", "codec"), [
    ("zh-Hant", "big5"), ("ko", "cp949"), ("ja", "euc_jp"), ("ja", "shift_jis"), ("ru", "cp1251"), ("ru", "koi8_r"),
    ("fr", "cp1252"), ("de", "cp1252")])
def test_other_encodings_are_refused_whatever_they_say(make_study: MakeStudy, language: str, codec: str) -> None:
    """All answers, and each of them alone in its file."""
    for said in [SAID[language], *([one] for one in SAID[language])]:
        raw = table(said).encode(codec)
        if not raw.isascii():
            line = refused(make_study, raw, SMALL)[0]
            assert "is not UTF-8" in line, line


def test_random_words_of_other_languages_are_never_taken_for_chinese() -> None:
    """Syllables and kanji drawn at random: what their bytes give in GB18030 lacks the common characters."""
    rng = np.random.default_rng(1)
    korean = "".join(chr(c) for c in rng.integers(0xAC00, 0xD7A4, 20_000)).encode("euc_kr", "ignore")
    kanji = "".join(chr(c) for c in rng.integers(0x4E00, 0x9FA6, 20_000)).encode("euc_jp", "ignore")
    for data in (korean, bytes(b for b in kanji if b != 0x8F)):
        for at in range(0, len(data) - 40, 80):
            for size in (10, 40):
                try:
                    assert not looks_chinese(data[at:at + size].decode("gb18030"))
                except UnicodeDecodeError:
                    continue


@pytest.mark.parametrize("word", SAID["zh"])
def test_one_chinese_word_is_too_little_to_tell(make_study: MakeStudy, word: str) -> None:
    raw = table([word]).encode("gb18030")
    try:
        read(load(make_study(raw, SMALL)))
    except Exception as error:
        said = str(error)
        assert "`data.encoding: gb18030` reads the cell as" in said and word[:5] in said
    else:
        assert good(make_study, raw, SMALL).frame["why"][0] == word


@pytest.mark.parametrize(("word", "wrong"), [("女", "Ů"), ("台湾", ""), ("小", "С"), ("路", "·"), ("茅台", "")])
def test_hanzi_that_are_utf8_too_are_refused(make_study: MakeStudy, word: str, wrong: str) -> None:
    line, = refused(make_study, table([word]).encode("gb18030"), SMALL)
    assert (f'could be UTF-8 or GB18030: `data.encoding: utf-8` reads the cell as "{wrong}"' in line) if wrong else line
    assert f'`data.encoding: gb18030` reads the cell as "{word}"' in line
    for codec in ("gb18030", "utf-8"):
        raw = good(make_study, table([word]).encode(codec), {**SMALL, "data": {"encoding": codec}})
        assert raw.frame["why"][0] == word


@pytest.mark.parametrize("language", [*SAID])
def test_utf8_is_read_whatever_the_language(make_study: MakeStudy, language: str) -> None:
    for said in [SAID[language], *([one] for one in SAID[language])]:
        assert good(make_study, table(said), SMALL).frame["why"][0] == said[0]
    for sign in ("8²", "£5", "é", "±", "20 °C", "naïve"):
        assert good(make_study, table([sign]), SMALL).frame["why"][0] == sign


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_marks_between_columns(make_study: MakeStudy, mark: str) -> None:
    text = table(["fine"], "why", mark)
    study = load(make_study(text, SMALL))
    raw = read(study)
    assert columns_of(study) == list(raw.frame.columns)
    assert repairs(raw) == [("delimiter", "tab" if mark == "\t" else mark)]
    pd.testing.assert_frame_equal(raw.frame, good(make_study, table(["fine"]), SMALL).frame)
    name = "tab" if mark == "\t" else mark
    assert not good(make_study, text, {**SMALL, "data": {"delimiter": name}}).repairs
    line, = refused(make_study, text, {**SMALL, "data": {"delimiter": ","}})
    assert "not by a comma. Correct data.delimiter." in line
    ragged = text.replace(f"R1{mark}", f"R1{mark}{mark}")
    assert "line 3: the row has 7 cells where the header has 6" in refused(make_study, ragged, SMALL)[0]


def test_marks_inside_names(make_study: MakeStudy) -> None:
    head = 'id,A1,A2,B1,B2,"other; which",x;y\n'
    assert good(make_study, head + "1,2,3,4,5,a,b\n", SMALL).frame.shape == (1, 7)
    head = 'id;A1;A2;B1;B2;"Satisfaction, overall"\n'
    raw = good(make_study, head + "1;2;3;4;5;a\n", SMALL)
    assert list(raw.frame.columns)[-1] == "Satisfaction, overall"
    line, = refused(make_study, "a;b,c;d,e\n1;2,3;4,5\n", SMALL)
    assert "3 when parted by a comma, and as many when parted by a semicolon. State data.delimiter." in line


def decimals(*cells: str) -> str:
    return HEAD.replace(",", ";") + "".join(f"R{i};{cell};7;8;5\n" for i, cell in enumerate(cells))


@pytest.mark.parametrize(("cells", "values"), [
    (("4,5", "6", "10"), [4.5, 6, 10]), (("1,234", "4,5"), [1.234, 4.5]), (("0,774", "-1"), [0.774, -1]),
    (("４，５", "6"), [4.5, 6])])
def test_decimal_commas_are_told_and_logged(make_study: MakeStudy, cells: tuple[str, ...], values: list[float]) -> None:
    raw = good(make_study, decimals(*cells), SMALL)
    assert raw.frame["A1"].tolist() == values
    assert ("decimal_comma", "A1", sum("," in c or "，" in c for c in cells)) in [(r.rule, r.column, r.cells)
                                                                                 for r in raw.repairs]


@pytest.mark.parametrize(("cells", "data", "words"), [
    (("1,234", "5"), {}, "has a comma"),                                   # thousands or decimals: nobody knows
    (("4,5", "4.5"), {}, "has a comma"),                                   # both
    (("1.234,5",), {}, "thousands separators"), (("1.234,5",), {"decimal": ","}, "thousands separators"),
    (("4,5", "4.5"), {"decimal": ","}, '"4.5" has a point where decimals have a comma'),
    (("4,5",), {"decimal": "."}, "has a comma"), (("1 234",), {}, "thousands separators")])
def test_commas_that_are_not_plain_are_refused(make_study: MakeStudy, cells: tuple[str, ...], data: dict[str, Any],
                                               words: str) -> None:
    assert words in refused(make_study, decimals(*cells), {**SMALL, "data": data})[0]


def test_a_declared_decimal_comma(make_study: MakeStudy) -> None:
    study = {**SMALL, "data": {"decimal": ","}, "cleaning": {"duration": "secs"}}
    data = "id,A1,A2,B1,B2,secs\nR1,\"1,234\",7,8,5,\"12,5秒\"\nR2,2,7,8,5,9\n"
    raw = good(make_study, data, study)
    assert raw.frame["A1"].tolist() == [1.234, 2] and raw.frame["secs"].tolist() == [12.5, 9]


def test_a_second_row_of_names_is_no_respondent(make_study: MakeStudy) -> None:
    line, = refused(make_study, rows(200, "Respondent,Question one,Question two,,\n"), SMALL)
    assert 'line 2: the row below the column names holds words where answers are expected (A1, A2)' in line
