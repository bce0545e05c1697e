"""The report in Chinese: the same numbers, no English left, no letter without a glyph."""

from __future__ import annotations

import base64
import io
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_study
from fontTools.ttLib import TTFont
from test_page import Dom, assert_own, executed, shown, values

from tcslib.compare.groups import group_scores
from tcslib.errors import InputRefused
from tcslib.fieldwork.columns import check_columns, columns_of
from tcslib.index.scoring import index
from tcslib.inference.replicates import replicate
from tcslib.report.context import Context
from tcslib.report.fonts import FAMILY, FILE, embedded
from tcslib.report.page.build import brief, build_page, least_width
from tcslib.report.plots import draw, style
from tcslib.report.records import MIME, Figure, Finding
from tcslib.report.views.groups import brands, segments
from tcslib.report.wording import Words, phrases
from tcslib.run.cli import main
from tcslib.run.manifest import _SOURCES
from tcslib.structure.fit import pls
from tcslib.study.load import load
from tcslib.study.models import preset_names, read_preset

FACE = re.compile(r"src:url\(data:font/woff;base64,([A-Za-z0-9+/=]+)\)")
RARE = "㼆𠮷"          # a character GB 2312 lacks, and one beyond the first plane
WORDS = Words("zh")


def cmap(font: Path | bytes) -> set[str]:
    """The characters a font has."""
    return {chr(c) for c in TTFont(io.BytesIO(font) if isinstance(font, bytes) else font).getBestCmap()}


def face_of(page: str) -> bytes:
    """The font a page carries."""
    (face,) = FACE.findall(page)
    return base64.b64decode(face)


@pytest.fixture(scope="module")
def shipped() -> set[str]:
    return cmap(FILE)


@pytest.fixture(scope="module")
def page(chinese_report) -> str:
    return chinese_report.page.read_text(encoding="utf-8")


# -- the demo in both languages --------------------------------------------------------------------------------------

def numbers(value: Any) -> Any:
    """What is numeric in results.json, in its place; texts are only there or not."""
    if isinstance(value, dict):
        return {k: numbers(v) for k, v in value.items() if k != "print"}
    if isinstance(value, list):
        return [numbers(v) for v in value]
    return "text" if isinstance(value, str) else value


@pytest.mark.slow
def test_the_numbers_are_those_of_the_english_report(demo_report, chinese_report) -> None:
    english, chinese = demo_report.results, chinese_report.results
    assert numbers(english) == numbers(chinese)
    assert english["segments"][0]["group"] == chinese["segments"][0]["group"] == "East"          # the data's own words
    for name, table in english["tables"].items():
        other = chinese["tables"][name]
        assert table["columns"] == other["columns"] and table["rows"] == other["rows"], name
        for column, twin in zip(table.get("print", []), other.get("print", []), strict=True):
            for cell, same in zip(column[1:], twin[1:], strict=True):
                if re.fullmatch(r"[−+\d.,% to–▲]+", cell):
                    assert same == cell.replace(" to ", "～"), (name, cell, same)


@pytest.mark.slow
def test_as_much_is_shown_and_nothing_dropped(demo_report, chinese_report, page) -> None:
    english, chinese = Dom(demo_report.page.read_text(encoding="utf-8")), assert_own(page)
    for tag in ("figure", "table", "p", "h2", "h3", "details", "math", "svg", "li", "pre"):
        assert len(english.all(tag)) == len(chinese.all(tag)), tag
    assert chinese.all("html") == [{"lang": "zh-Hans"}]
    said = chinese_report.said.lower()
    assert "left out" not in said and "warning" not in said and "done in" in said
    for notebook in sorted((chinese_report.out / "data/processed/demo/2026Q3/log").glob("*.ipynb")):
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            assert not [o for o in cell.get("outputs", []) if o["output_type"] in {"stream", "error"}], notebook.name
    inputs = json.loads((chinese_report.folder / "manifest.json").read_text(encoding="utf-8"))["inputs"]
    assert inputs["params"]["language"] == "zh" and "--language zh" in page


@pytest.mark.slow
def test_no_english_is_left(page) -> None:
    """Four Latin words in a row are a sentence that was forgotten; ids, names and a citation are shorter."""
    dom = Dom(page)
    texts = [text for path, text in dom.within if not {"pre", "style", "math"} & set(path)]
    texts += [a["aria-label"] for _, a in dom.tags if "aria-label" in a]
    left = [t for t in texts if re.search(r"(?:[A-Za-z]{2,}[ ,.;:]+){3}[A-Za-z]{2,}", t)]
    assert not left
    for text in texts:
        bare = re.sub(r"\[[^]]*]|Fornell et al\. 1996|sha256 \w+|Linux \w+|[\w./-]+\.(?:csv|yaml)", "", text)
        assert not re.search(r"\b(?:the|of|and|with|by|to|from|is|are|in|for|North|female|prepaid|Rival)\b", bare), text


@pytest.mark.slow
def test_chinese_print(page) -> None:
    dom = Dom(page)
    text = "\n".join(text for path, text in dom.within if not {"pre", "style", "math"} & set(path))
    assert re.search(r"95%置信区间\d\d\.\d～\d\d\.\d", text) and "2026年7月6日至9月13日" in text and "420,000" in text
    captions = dom.texts_in("figcaption") + dom.texts_in("caption")
    assert all(re.match("[图表][0-9]+\u3000[^\u3000 ]", c) for c in captions)
    # no blanks between scripts, no half-width punctuation and no straight quotes beside Chinese
    han = "[\u4e00-\u9fff]"
    assert not [t for t in text.splitlines() if re.search(f"{han} [A-Za-z0-9]|[A-Za-z0-9] {han}", t)
                and not re.match(r"\d ", t.strip()) and "·" not in t]
    assert not re.findall(f'.{{5}}(?:{han}[,;:?!()"\']|[,;:?!("\']{han}).{{5}}', text)


@pytest.mark.slow
def test_every_letter_of_the_page_has_a_glyph_in_it(page, shipped) -> None:
    face = face_of(page)
    text = {c for path, t in Dom(page).within if not {"math", "style"} & set(path) for c in t if c >= " "}
    assert text <= cmap(face) <= shipped and len(face) < 200_000 and len(page.encode()) < 500_000
    css = re.findall('content:"([^"]*)"', (ROOT / "tcslib/report/page/style.css").read_text(encoding="utf-8"))
    assert {c for content in css for c in content} - shipped <= set("▾▴")          # those of the English page
    drawn = {c for path, t in Dom(page).within if "svg" in path for c in t if c >= " "}
    assert len(drawn & text) > 60 and drawn <= shipped


# -- the font --------------------------------------------------------------------------------------------------------

def test_the_shipped_font_has_all_that_is_written(shipped) -> None:
    written = "".join(phrases("zh").values())
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        written += "".join("".join(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"]
                           if c["metadata"].get("tags") == ["zh"])
    written += "".join(json.dumps(read_preset(name), ensure_ascii=False) for name in preset_names())
    written += (ROOT / "params/demo/study.yaml").read_text(encoding="utf-8")
    assert {c for c in written if c >= " "} <= shipped
    assert len([c for c in shipped if "\u4e00" <= c <= "\u9fff"]) == 6763          # GB 2312, levels 1 and 2


def test_the_font_may_be_passed_on() -> None:
    said = {r.nameID: str(r) for r in TTFont(FILE)["name"].names}
    assert said[1] == FAMILY and "Adobe" in said[0] and "Open Font License" in said[13]
    assert "SIL OPEN FONT LICENSE Version 1.1" in (FILE.parent / "OFL.txt").read_text(encoding="utf-8")
    assert FILE.suffix in _SOURCES and FILE.stat().st_size < 2_500_000          # a run's id knows of it


def test_figures_are_measured_with_it(caplog) -> None:
    """Warnings are errors here, and matplotlib says of no glyph and no weight that it is missing."""
    from matplotlib import pyplot

    with style("zh"):
        warnings.simplefilter("error")          # also what `style` overlooks
        figure = pyplot.figure(dpi=72)
        texts = [figure.text(0, 0, "满意度指数", fontsize=12, fontweight=weight) for weight in ("normal", "bold")]
        figure.text(0, 0.5, "".join(sorted(set("".join(phrases("zh").values())))))
        figure.savefig(io.BytesIO(), format="svg")
        widths = [text.get_window_extent().width for text in texts]
        pyplot.close(figure)
    assert widths == pytest.approx([60, 60], abs=1.5)          # five characters of 12 px
    assert not caplog.records


def test_a_rare_character_is_left_to_the_reader(tmp_path) -> None:
    """It stays what it is, in figures and text, nothing is said of it, and the reader's fonts come before ours."""
    name = f"{RARE}通信"

    def paint(axes: Any, narrow: bool) -> None:
        axes.text(0.5, 0.5, name)

    for language in ("en", "zh"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wide, narrow = draw("f", paint, 100, language)
        assert name in wide and name in narrow
        record = Figure("f", name, name, wide, narrow, name).record()
        path = executed(tmp_path / "n.ipynb", [shown({MIME: [record, Finding(name).record()]})])
        html, dropped = build_page(Words(language), [path], values(text=name))
        assert assert_own(html).text().count(name) > 10 and not dropped
        glyphs = cmap(face_of(html))
        assert not glyphs & set(RARE) and {"通", "信", "1", "z"} <= glyphs
        stack = re.findall(r"--font:([^;}]*)", html)
        assert len(stack) == 2 and all(FAMILY in s and not s.startswith(f'"{FAMILY}"') for s in stack)


def test_only_used_glyphs_travel_and_always_the_same_bytes(tmp_path) -> None:
    html, _ = build_page(Words("en"), [], values(text="text"))
    assert "@font-face" not in html and embedded("Straße – −1") == ""
    rule = embedded("满意度")
    assert rule == embedded("度意满满") and rule != embedded("满意")
    glyphs = cmap(base64.b64decode(FACE.findall(rule)[0]))
    assert {c for c in glyphs if c > "~"} == set("满意度") and len(rule) < 25_000


# -- words and numbers -----------------------------------------------------------------------------------------------

def test_chinese_formats() -> None:
    assert WORDS.interval(71, 74) == "71.0～74.0" and WORDS.interval(-0.3, 4.1, signed=True) == "−0.3～+4.1"
    assert WORDS.number(6480, 0) == "6,480" and WORDS.share(0.36) == "36%"
    assert [WORDS.listed(list("甲乙丙丁")[:k]) for k in range(4)] == ["", "甲", "甲和乙", "甲、乙和丙"]
    assert WORDS.sentences("一。", "", "二。") == "一。二。" and WORDS.clauses(["一", "", "二。"]) == "一。二。"
    assert WORDS.series("甲乙") == "甲；乙" and WORDS.ended("完") == "完。" and WORDS.ended("真？") == "真？"
    assert [WORDS.wave(w) for w in ("2026", "2026H2", "2026Q3", "2026-09")] == [
        "2026年", "2026年下半年", "2026年第三季度", "2026年9月"]
    assert WORDS.dates("2026-07-06", "2026-09-13") == "2026年7月6日至9月13日"
    assert WORDS.dates("2025-12-06", "2026-01-03") == "2025年12月6日至2026年1月3日"
    assert WORDS.dates("夏天", "秋天") == "夏天～秋天"
    english = Words("en")
    assert [english.wave(w) for w in ("2026", "2026H2", "2026Q3", "2026-09")] == ["2026", "2026H2", "2026Q3", "2026-09"]
    assert english.dates("2026-07-06", "2026-09-13") == "2026-07-06 to 2026-09-13"
    assert english.clauses(["a", "b."]) == "a. b." and english.sentences("A.", "B.") == "A. B."


def test_where_chinese_tables_break() -> None:
    assert brief("95%置信区间") and brief("不明确") and not brief("与理想运营商的接近程度") and not brief("unclear")

    def table(cell: str) -> dict[str, Any]:
        return {"columns": [{"head": h, "align": "left"} for h in ("题项", "题目")], "rows": [["A", cell]]}

    assert least_width(table("与理想运营商的接近程度以及更多内容")) < least_width(table("与理想运营商的接")) < 328


# -- categories ------------------------------------------------------------------------------------------------------

DATA = "id,a,b,c,d,region,sex\n1,5,6,7,7,N,f\n"
CATEGORIES = {"sex": {"label": {"zh": "性别"}}, "region": {
    "label": {"en": "Area", "zh": "片区"}, "values": {"N": {"en": "North", "zh": "北片"}, "S": "Süd"}}}


def study_of(root: Path, **over: Any) -> Path:
    return write_study(root, DATA, json.dumps({
        "client": "acme", "wave": "2026Q3", "data": {"file": "data/raw/acme/answers.csv", "id": "id"},
        "model": {"constructs": {"Image": ["a", "b"], "Satisfaction": ["c", "d"]},
                  "paths": [["Image", "Satisfaction"]], "target": "Satisfaction"},
        "compare": {"segments": ["region", "sex"]}, "categories": CATEGORIES, **over}, ensure_ascii=False))


def test_categories_are_shown_in_the_readers_language(tmp_path) -> None:
    path = study_of(tmp_path)
    for language, head, names in (("zh", "片区", ["北片", "Süd", "X"]), ("en", "Area", ["North", "Süd", "X"])):
        context = Context(load(path, language))
        assert context.heading("region") == head and context.categories("region", ["N", "S", "X"]) == names
        assert context.heading("sex") == "性别" and context.heading("some_column") == "Some column"
        assert context.categories("other", ["N"]) == ["N"]


def test_group_tables_and_results(tmp_path, respond) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.integers(1, 11, (80, 4)), columns=list("abcd"), index=[f"{i:03d}" for i in range(80)])
    frame["b"], frame["d"] = frame["a"].clip(2, 9), frame["c"].clip(2, 9)
    answers = respond(frame, background={"region": ["N", "S"] * 40, "sex": ["f", "m", "m", "f"] * 20})
    study = load(study_of(tmp_path, compare={"segments": ["region"], "brand": "region", "own": "N"}, categories={
        "region": CATEGORIES["region"]}), "zh")
    context, found = Context(study), index(pls(answers, study.model, replicates=replicate(answers, 64)))
    view = brands(context, group_scores(found, "region", reference="N"))
    assert list(view.shown[1].columns[0].cells) == ["北片", "Süd"] and "北片" in view.shown[1].columns[4].head
    assert view.shown[1].columns[0].head == "品牌" and "北片" in view.shown[0].text
    assert [row["group"] for row in view.numbers["brands"]] == ["N", "S"]
    view = segments(context, [group_scores(found, "region")])
    assert view.shown[0].columns[0].head == "片区" and "片区" in view.shown[0].title
    assert list(view.shown[0].data["group"]) == ["N", "S"]


@pytest.mark.parametrize(("over", "said"), [
    ({"categories": {"regoin": {}}}, 'categories.regoin: "regoin" is no column of categories this study uses. Did you '
                                     "mean region?"),
    ({"categories": {"zzz": {}}}, "Drop it, or name one of region, sex."),
    ({"categories": {"zzz": {}}, "compare": {}}, "Drop it."),
    ({"categories": {"region": {"value": {}}}}, "region.value: is not a key of a study. Did you mean values?"),
    ({"categories": {"region": {"values": {"N": 5}}}}, "text, or {en: …, zh: …}, is expected."),
    ({"language": "de"}, 'language: "de": en or zh is expected.')])
def test_faults_of_categories_are_one_line(tmp_path, over, said) -> None:
    with pytest.raises(InputRefused) as refused:
        load(study_of(tmp_path, **over))
    assert len(refused.value.lines) == 1 and said in refused.value.lines[0], refused.value.lines


def test_a_column_the_file_lacks_names_its_categories(tmp_path) -> None:
    path = study_of(tmp_path)
    (tmp_path / "data/raw/acme/answers.csv").write_text("id,a,b,c,d,sex\n1,5,6,7,7,f\n", encoding="utf-8")
    fault, = check_columns(load(path), columns_of(load(path)))
    assert 'column "region" (compare.segments, categories.region) is missing' in str(fault)


# -- --language ------------------------------------------------------------------------------------------------------

def test_the_language_asked_for_overrides_the_studys(tmp_path) -> None:
    path = study_of(tmp_path)
    assert load(path).params.language == "en" and load(path, "zh").params.language == "zh"
    assert load(path, "zh").origins["language"] == "--language zh"
    with pytest.raises(InputRefused, match="en or zh is expected") as refused:
        load(path, "de")
    assert refused.value.lines[0].startswith('--language de: language: "de"')


def test_an_unknown_language_is_refused_in_one_line(tmp_path, monkeypatch, capsys) -> None:
    study_of(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tcs", "run", "acme/2026Q3", "--language", "de"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 2 and len(said) == 1 and "en or zh is expected" in said[0]
