"""The page and the workbook: what may stand on them, and that nothing else gets there."""

from __future__ import annotations

import ast
import json
import re
import string
import zipfile
from collections import Counter
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pandas as pd
import pytest
from conftest import ROOT, write_study

from tcslib.errors import RunFailed
from tcslib.inference.replicates import Kind
from tcslib.report.context import Context
from tcslib.report.office import write_tables
from tcslib.report.page.build import PageBuilder, build_page, formula, svg_for_page
from tcslib.report.records import MIME, Column, Figure, Finding, Table, View
from tcslib.report.summary import mini_interval, shortened, summary
from tcslib.report.wording import Words, phrases
from tcslib.run.fieldsheet import OUTCOMES
from tcslib.sampling.outcome import RATES
from tcslib.study.dispositions import DISPOSITIONS
from tcslib.study.load import load
from tcslib.study.params import CleaningParams, MeasurementParams, PlsParams, StudyParams
from tcslib.study.sections.planning import PlanParams
from tcslib.study.sections.weighting import CalibrateParams, TrimParams

LANGUAGES = ("en", "zh")
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
VOID = {"meta", "br"}
HTML = {"html", "head", "meta", "title", "style", "body", "a", "div", "nav", "main", "header", "section", "footer",
        "span", "b", "u", "small", "p", "h1", "h2", "h3", "h4", "ol", "ul", "li", "dl", "dt", "dd", "details",
        "summary", "pre", "code", "figure", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td", "br",
        "sub", "sup", "em", "strong", "blockquote"}
SVG = {"svg", "g", "path", "text", "tspan", "line", "rect", "circle", "polygon", "polyline", "ellipse", "defs", "use",
       "clippath", "marker"}
MATH = {"math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mfrac", "msqrt", "msub", "msup", "msubsup", "mover",
        "munder", "munderover", "mtable", "mtr", "mtd", "mstyle"}
# attributes of HTML; those of drawings and formulas are checked by what they must not be
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "aria-label", "aria-hidden",
              "role", "tabindex", "scope"}


class Dom(HTMLParser):
    """Tags, attributes and text of a page, as a browser's parser would meet them in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.within: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        self.within.append((tuple(self.open), data))

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data[:40]}")

    def all(self, tag: str) -> list[dict[str, str]]:
        return [a for t, a in self.tags if t == tag]

    def text(self) -> str:
        return "".join(text for path, text in self.within if "style" not in path)

    def texts_in(self, tag: str) -> list[str]:
        """Text of every element of a kind, markup inside it left out; elements of the kind do not nest."""
        out, inside = [], False
        for path, text in self.within:
            if tag in path:
                out = [*out[:-1], out[-1] + text] if inside else [*out, text]
            inside = tag in path
        return out


def assert_own(html: str) -> Dom:
    """The page holds nothing but the project's own kinds of markup, and asks nothing of anybody."""
    dom = Dom(html)
    assert not dom.faults and not dom.open
    assert {t for t, _ in dom.tags} <= HTML | SVG | MATH, {t for t, _ in dom.tags} - HTML - SVG - MATH
    for tag, attributes in dom.tags:
        for name, value in attributes.items():
            assert not name.startswith("on") and name not in {"src", "srcset", "srcdoc", "action", "background", "ping"}
            assert tag not in HTML or name in ATTRIBUTES, (tag, name)
            if "href" in name:
                assert value.startswith(("#", "https://", "mailto:")), value
            if tag not in {"meta"} and name not in {"aria-label"}:
                assert not re.search(r"url\((?!['\"]?#)|javascript:|@import|expression\(", value, re.I), (name, value)
    assert dom.all("meta")[1] == {"http-equiv": "Content-Security-Policy", "content": POLICY}
    style = "".join(text for path, text in dom.within if "style" in path)
    # the one address a style sheet may hold: a font that travels with the page
    reaching = re.sub(r'src:url\(data:font/woff;base64,[A-Za-z0-9+/=]+\) format\("woff"\)', "", style)
    assert not re.search(r"url\(|@import|https?:|expression\(|</", reaching) and style.count("{") == style.count("}")
    ids = Counter(a["id"] for _, a in dom.tags if "id" in a)
    assert not [i for i, times in ids.items() if times > 1]
    assert {a["href"][1:] for a in dom.all("a") if a.get("href", "").startswith("#")} <= set(ids)
    assert {v[5:-1] for _, a in dom.tags for v in a.values() if v.startswith("url(#")} <= set(ids)
    return dom


# -- the demo's page -------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def page(demo_report) -> str:
    return demo_report.page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_holds_our_markup_only(page) -> None:
    dom = assert_own(page)
    assert "script" not in page.lower() and len(page.encode()) < 300_000
    assert not [a for a in dom.all("a") if not a["href"].startswith("#")]
    assert not set(re.findall(r"https?://[^\s\"'<)]+", page)) - {"http://www.w3.org/1998/Math/MathML"}
    assert dom.all("html") == [{"lang": "en"}] and dom.all("meta")[0] == {"charset": "utf-8"}


@pytest.mark.slow
def test_the_page_follows_results(page, demo_report) -> None:
    dom, tables = Dom(page), demo_report.results["tables"]
    figures = [t for name, t in tables.items() if name.endswith("_figure")]
    shown = [t for name, t in tables.items() if not name.endswith("_figure")]
    assert len(dom.all("figure")) == len(figures) > 5 and len(dom.all("table")) == len(shown) > 15
    for kind, tag, named in (("Figure", "figcaption", figures), ("Table", "caption", shown)):
        captions = dom.texts_in(tag)
        assert [c.split(". ")[0] for c in captions] == [f"{kind} {k + 1}" for k in range(len(named))]
        for caption, table in zip(captions, named, strict=True):
            assert caption.split(". ", 1)[1].startswith(table["title"])
    bodies = re.findall(r"<thead>(.*?)</thead>\s*<tbody>(.*?)</tbody>", page, re.S)
    for (head, body), table in zip(bodies, shown, strict=True):
        cells = [Dom(f"<div>{row}</div>").within for row in (head, *re.findall(r"<tr>(.*?)</tr>", body, re.S))]
        printed = [[c for c in row if c] for row in zip(*table["print"], strict=True)]
        assert [["".join(c) for c in zip(*[[t for _, t in row]], strict=True)] for row in cells] == printed


@pytest.mark.slow
def test_figures_and_tables_can_be_read_aloud(page) -> None:
    dom = Dom(page)
    for figure in re.findall(r"<figure .*?</figure>", page, re.S):
        drawings = Dom(figure).all("svg")
        assert [d["class"] for d in drawings] == ["c w", "c n"] and {d["role"] for d in drawings} == {"img"}
        for drawing in drawings:
            assert re.search(r"\d", drawing["aria-label"]) and len(drawing["aria-label"]) > 30
        assert '<p class="set">' in figure
    for svg in dom.all("svg"):
        assert (svg.get("role") == "img" and svg.get("aria-label")) or svg.get("aria-hidden") == "true"
    assert {a.get("scope") for a in dom.all("th")} == {"col", "row"}
    for table in re.findall(r"<table.*?</table>", page, re.S):
        assert all(row.count("<th ") == 1 for row in re.findall(r"<tr>(.*?)</tr>", table.split("<tbody>")[1], re.S))
        assert "<caption>" in table
    assert len(re.findall(r'</table></div><p class="set">[^<]', page)) == len(dom.all("table"))
    assert not re.findall(r'class="set">[^<]*\.\.[^<]*</p>', page)


@pytest.mark.slow
def test_headings_are_in_order(page) -> None:
    dom = Dom(page)
    levels = [int(t[1]) for t, _ in dom.tags if re.fullmatch("h[1-6]", t)]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    for tag in ("details", "nav", "main"):
        assert dom.all(tag)
    assert all(a.get("aria-label") for a in dom.all("nav")) and dom.all("a")[0]["class"] == "skip"
    assert len(dom.all("summary")) == len(dom.all("details"))


def test_rules_for_paper_and_phone_are_there() -> None:
    css = (ROOT / "tcslib/report/page/style.css").read_text(encoding="utf-8")
    assert css.count("{") == css.count("}") and "url(" not in css and "@import" not in css
    paper = css[css.index("@media print"):]
    for rule in ("break-inside:avoid", "break-after:avoid", "display:table-header-group", "details-content",
                 "print-color-adjust:exact", "break-before:page"):
        assert rule in paper, rule
    assert "size:A4" in css and "counter(page)" in css and "@media screen and (max-width:720px)" in css
    assert ":focus-visible" in css and "overflow-x:auto" in css


# -- what gets onto a page -------------------------------------------------------------------------------------------

PAYLOADS = [
    "<img src=x onerror=alert(1)>", "</style><script>alert(1)</script>", "</svg><script>alert(1)</script>", '"]',
    "{{7*7}}", "{% raw %}", "\\", "\\';alert(1)//", "</title><script>alert(1)</script>", "<!--", "-->", "]]>",
    "<svg/onload=alert(1)>", '" onmouseover="alert(1)', "' onfocus='alert(1)", "&lt;script&gt;", "&#60;script&#62;",
    "javascript:alert(1)", "{0.__class__}", "%s %(x)s", "\u202eevil\u202c", "a\u2028b", "</b></th></tr></table>",
    "<math><mtext><style><img src=x onerror=alert(1)>", "=cmd|'/C calc'!A0", "${7*7}",
    "<template><script>alert(1)</script></template>", "</details></section></main>"]
DRAWING = '<svg viewBox="0 0 10 10" xmlns="http://www.w3.org/2000/svg"><text x="1" y="2">{}</text></svg>'


def wrapped(payload: str) -> str:
    return f"Q{payload}Z"


def hostile_records(payload: str) -> list[Any]:
    """A table, a figure and findings in which every text is hostile."""
    p = wrapped(payload)
    table = Table("t", p, p, [Column(p, [p, p], "left"), Column(p, [p, "1"])], p, folded=len(payload) % 2 == 0)
    figure = Figure("f", p, p, DRAWING.format(escape(p)), DRAWING.format(escape(p)), p, p)
    return [table, figure, *(Finding(p, role) for role in ("answer", "note", "caution"))]


def executed(path: Path, outputs: list[dict[str, Any]], source: str = "1", prose: str = "# 1 Title") -> Path:
    path.write_text(json.dumps({"cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": prose},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": source, "outputs": outputs, "execution_count": 1}],
        "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), encoding="utf-8")
    return path


def shown(data: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "metadata": {}, "data": data}


def values(**more: Any) -> dict[str, Any]:
    """What a page needs besides notebooks, each text the same."""
    text = more.pop("text", "text")
    first: dict[str, Any] = dict.fromkeys(
        ("headline", "score", "ci_name", "interval", "seen", "counts", "field", "actions_head", "axis"), text)
    action = dict.fromkeys(("action", "certainty", "now", "gain", "interval", "reruns"), text)
    first |= {"strip": "", "also": [text], "sure": [(text, text)],
              "actions": [action | {"mini": mini_interval(1, 0.5, 1.5, 2)}]}
    return {"title": text, "client": text, "wave": text, "version": text, "id": text, "provenance": [(text, text)],
            "before": text, "changes": [text], "summary": first, **more}


@pytest.fixture(scope="module")
def words() -> Words:
    return Words("en")


def test_markup_in_any_text_stays_text(words, tmp_path) -> None:
    for number, payload in enumerate(PAYLOADS):
        outputs = [shown({MIME: [r.record() for r in hostile_records(payload)]})]
        path = executed(tmp_path / f"{number}.ipynb", outputs, source=wrapped(payload))
        html, dropped = build_page(words, [path], values(text=wrapped(payload)))
        dom = assert_own(html)
        expected = wrapped(payload)
        assert dom.text().count(expected) >= 30, payload
        assert dom.texts_in("title") == [f"{expected}, {expected}, {expected}"] and not dropped
        assert {d["aria-label"] for d in dom.all("svg") if d.get("class") in {"c w", "c n"}} == {expected}
        plain = View(hostile_records(payload))._repr_mimebundle_()["text/html"]
        tags = {t for t, _ in Dom(plain.replace("<br>", "")).tags}
        assert tags <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td", "small", "div", "svg", "text"}, tags


@pytest.mark.shared
def test_the_payloads_of_the_bad_inputs_stay_text(words, tmp_path, shared) -> None:
    frame = pd.read_csv(shared / "badinputs" / "073_xss_verbatims.csv", dtype=str, keep_default_na=False)
    payloads = list(dict.fromkeys(frame["verbatim"]))
    assert len(payloads) == 25
    cells = [wrapped(p) for p in payloads]
    table = Table("t", "T", "S", [Column("H", cells, "left"), Column("n", ["1"] * len(cells))], "set")
    findings = [Finding(c) for c in cells]
    path = executed(tmp_path / "x.ipynb", [shown({MIME: [r.record() for r in [table, *findings]]})])
    dom = assert_own(build_page(words, [path], values())[0])
    for cell in cells:
        kept = "".join(c for c in cell if c >= " ")
        assert "".join(c for c in dom.text() if c >= " ").count(kept) >= 2, cell


def test_ids_cannot_leave_the_style_sheet(words) -> None:
    for evil in ('"}</style><script>alert(1)</script>', 'x";}body{display:none}/*', "a\\", "a\nb", "url(http://evil)"):
        html, _ = build_page(words, [], values(client=evil, wave=evil, version=evil, id=evil))
        dom = assert_own(html)
        foot = re.search(r'@bottom-left\{content:"([^"]*)"\}\}$', "".join(t for p, t in dom.within if "style" in p))
        assert foot and not set(foot[1]) & set("\"\\<>{}()/;'\n"), evil


def test_only_our_kind_of_output_gets_through(words, tmp_path) -> None:
    finding = Finding("Ours.").record()
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "PRINTED"},
        {"output_type": "stream", "name": "stderr", "text": "PRINTED"},
        shown({"text/html": "<b>BOLD</b><script>alert(1)</script>", "text/plain": "PLAIN"}),
        shown({"image/png": "AAAA"}),
        shown({"image/svg+xml": "<svg onload=alert(1)/>"}), shown({"application/javascript": "alert(1)"}),
        shown({"text/latex": "$x$"}), shown({"text/markdown": "**MARK**"}), shown({"text/plain": "PLAIN"}),
        {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "PLAIN"}},
        {"output_type": "error", "ename": "E", "evalue": "EVALUE", "traceback": ["TRACE"]},
        shown({MIME: [finding, {"kind": "script", "text": "EVIL"}, {"kind": "table"}, "text", None],
               "text/html": "<i>HTML</i>"}),
        shown({MIME: {"kind": "finding"}})]
    html, dropped = build_page(words, [executed(tmp_path / "n.ipynb", outputs)], values())
    dom = assert_own(html)
    assert "Ours." in dom.text() and not re.search("PRINTED|BOLD|PLAIN|MARK|EVALUE|TRACE|EVIL|HTML", dom.text())
    assert [d.removeprefix("n: ") for d in dropped] == [
        "stdout", "stderr", "text/html, text/plain", "image/png", "image/svg+xml", "application/javascript",
        "text/latex", "text/markdown", "error", *["a record that is no table, figure or finding"] * 5]


def test_prose_is_cleaned(words, tmp_path) -> None:
    prose = ("# 1 Title <script>alert(1)</script>\n\nText <img src=x onerror=alert(1)> [x](javascript:alert(1)) "
             "[y](https://example.org) ![z](https://evil/x.png) <iframe srcdoc=x></iframe> "
             "<a href='data:text/html,x'>w</a> "
             "`<script>` costs $5 and $6 each, $\\alpha_1$ and $\\href{javascript:alert(1)}{q}$ "
             "$\\text{<img src=x onerror=alert(1)>}$ $\\style{background:url(http://evil)}{x}$ \ue0007\ue001\n\n"
             "$$ \\text{</math><script>alert(1)</script>} $$\n\n## Part\n\n### Below\n")
    dom = assert_own(build_page(words, [executed(tmp_path / "n.ipynb", [], prose=prose)], values())[0])
    assert [a["href"] for a in dom.all("a") if not a.get("href", "#").startswith("#")] == ["https://example.org"]
    assert "costs $5 and $6 each" in dom.text() and "α" in dom.text() and "<script>" in dom.texts_in("code")
    assert len(dom.all("math")) == 5
    assert [t for t, _ in dom.tags if t in {"h2", "h3", "h4"}][-5:-2] == ["h2", "h3", "h4"]
    assert formula(r"\frac{", block=True) and "math" in formula(r"\bar x_j", block=False)


@pytest.mark.parametrize("inside", [
    "<script>alert(1)</script>", "<foreignObject><p>x</p></foreignObject>", '<text onload="alert(1)">x</text>',
    '<use href="http://evil/x.svg#a"/>', '<use xlink:href="data:image/svg+xml;base64,AAAA"/>', '<a href="#x"/>',
    '<rect style="fill:url(http://evil/x)"/>', '<rect style="fill:u\\72l(http://evil/x)"/>',
    '<rect fill="url( \'//evil\')"/>', '<rect style="background:image-set(\'//evil\' 1x)"/>',
    "<style>*{display:none}</style>", '<image href="x.png"/>', '<set attributeName="onload" to="x"/>',
    '<animate attributeName="href" to="javascript:alert(1)"/>', "<!--><script>x</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>", "<?xml-stylesheet href='http://evil'?>", '<handler xmlns="x">y</handler>',
    '<p xmlns="http://www.w3.org/1999/xhtml">x</p>', '<rect style="width:expression(alert(1))"/>', "<unclosed>"])
def test_hostile_drawings_are_refused(inside) -> None:
    svg = ('<svg viewBox="0 0 10 10" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
           f"{inside}</svg>")
    with pytest.raises(RunFailed, match="figure"):
        svg_for_page(svg, "alt", "c w")


@pytest.mark.parametrize("svg", [
    "", "no drawing", "<p>x</p>", '<svg xmlns="http://www.w3.org/1999/xhtml"><g/></svg>', '<svg onload="alert(1)"/>',
    '<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"><text>&a;</text></svg>'])
def test_what_is_no_drawing_is_refused(svg) -> None:
    with pytest.raises(RunFailed, match="figure"):
        svg_for_page(svg, "alt", "c w")


def test_a_drawing_is_tidied_and_stays_the_same() -> None:
    svg = ('<svg width="9pt" viewBox="0 0 10 10" xmlns="http://www.w3.org/2000/svg" '
           'xmlns:xlink="http://www.w3.org/1999/xlink"><defs><path id="m" d="M 0.123456 -0.04 L 2.96 3"/>'
           '<clipPath id="c"><rect x="0.55" width="1" height="2"/></clipPath></defs><g id="unused">'
           '<g clip-path="url(#c)"><use xlink:href="#m" x="1.25" style="font-family: Evil; fill: #fff"/>'
           '</g><g/></g><text transform="rotate(-0 1 2)" x="1">a &lt;b&gt; &amp; <tspan>c</tspan> d</text>'
           '<g transform="translate(1.234 2) scale(0.0156)"><path d="M0 0"/></g></svg>')
    made = str(svg_for_page(svg, 'x "y" <z>', "c w", "figure-1w-"))
    root = ElementTree.fromstring(made)
    assert root.attrib["aria-label"] == 'x "y" <z>' and root.attrib["role"] == "img" and root.attrib["class"] == "c w"
    assert re.findall(r' id="([^"]*)"', made) == ["figure-1w-m", "figure-1w-c"]
    assert 'href="#figure-1w-m"' in made and 'clip-path="url(#figure-1w-c)"' in made and "Evil" not in made
    assert 'd="M0.1 -0L3 3"' in made and "scale(0.0156)" in made and "rotate" not in made
    assert "".join(root.find("text").itertext()) == "a <b> & c d" and made.count("<g") == 2


def test_the_same_figure_twice_has_ids_of_its_own(words, tmp_path) -> None:
    svg = ('<svg viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg"><defs><path id="m" d="M0 0"/></defs>'
           '<use href="#m"/></svg>')
    record = Figure("f", "T", "S", svg, svg, "alt").record()
    html, _ = build_page(words, [executed(tmp_path / "n.ipynb", [shown({MIME: [record, record]})])], values())
    assert len([1 for a in assert_own(html).all("path") if "-m" in a.get("id", "")]) == 4


def test_wide_tables_say_so_on_a_phone(words) -> None:
    def table(heads: list[str], cell: str) -> str:
        columns = [Column("Group", ["a"], "left"), *(Column(h, [cell]) for h in heads)]
        return str(PageBuilder(words).record(Table("t", "T", "S", columns, "set").record()))

    assert 'class="hint"' not in table(["n", "Score"], "1.0")
    assert 'class="wide"' in table(list("abcde"), "1.0") and 'class="hint"' in table(list("abcde"), "1.0")
    assert 'class="wide snug"' in table(["n", "Score", "x", "y"], "1,234.5 to 2,345.6")
    assert 'class="wide snug"' in table(["国内用户", "满意度得分"], "一二三四五六七八九十一二")


def test_settings_end_in_one_full_stop(words) -> None:
    for given, printed in (("n = 3", "n = 3."), ("Clear of 0.", "Clear of 0."), ("真？", "真？"), ("", None)):
        made = Dom(str(PageBuilder(words).record(Table("t", "T", "S", [Column("a", ["b"])], given).record())))
        assert made.texts_in("p") == ([printed] if printed else [])


# -- the first screen ------------------------------------------------------------------------------------------------

@pytest.fixture
def context(tmp_path) -> Context:
    label = wrapped("<img src=x onerror=alert(1)>" * 3)
    return Context(load(write_study(tmp_path, "id,a,b,c,d\n1,5,6,7,7\n", json.dumps({
        "client": "acme", "wave": "2026Q3", "title": {"en": label},
        "data": {"file": "data/raw/acme/answers.csv", "id": "id"},
        "model": {"constructs": {"Image": {"items": ["a", "b"], "label": {"en": label}},
                                 "Satisfaction": {"items": ["c", "d"]}},
                  "paths": [["Image", "Satisfaction"]], "target": "Satisfaction"}}))))


def found(**index: Any) -> dict[str, Any]:
    score = {"construct": "Satisfaction", "score": 70.0, "se": 1.0, "low": 68.0, "high": 72.0, "n": 5, "n_eff": 4.0,
             "df": 4}
    action = {"construct": "Image", "label": "<i>Image</i>", "action": "<i>Raise</i>", "performance": 70.0, "gain": 1.0,
              "low": index.get("low", 0.5), "high": index.get("high", 1.5), "certainty": 0.97, "among_first": False}
    return {"index": score | index, "design": {"rows": 5, "units": 5, "strata": 1, "df": 4}, "warnings": ["<b>w</b>"],
            "trend": [{"wave": "2026Q3", "score": 70.0}],
            "scores": [{"construct": c, "estimate": 70.0, "low": 68.0, "high": index.get("high", 72.0)} for c in
                       ("Image", "Satisfaction")], "priorities": [action]}


def test_the_first_screen_escapes_names_and_cuts_long_ones(context, words) -> None:
    dom = assert_own(build_page(words, [], values(summary=summary(context, found())))[0])
    assert "…" in dom.text() and "<i>Raise</i>" in dom.text() and "<b>w</b>" in dom.text()
    assert any("<img src=x" in d.get("aria-label", "") for d in dom.all("svg"))
    assert shortened("short", 100, 12) == "short" and shortened("客户满意度", 40, 12) == "客户…"


def test_the_first_screen_without_intervals(context, words) -> None:
    """An index whose replicates failed has no standard error; the page says a dash, never NaN or None."""
    told = summary(context, found(se=None, low=None, high=None))
    assert told["seen"] == "" and told["interval"] == "–"
    text = assert_own(build_page(words, [], values(summary=told))[0]).text()
    assert "nan" not in text.lower() and "None" not in text


def test_the_first_screen_without_priorities(context, words) -> None:
    told = summary(context, found() | {"priorities": []})
    text = assert_own(build_page(words, [], values(summary=told))[0]).text()
    assert words("page.no_actions") in text and words("summary.lead_none") in text


# -- tables.xlsx -----------------------------------------------------------------------------------------------------

def parts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as book:
        return {name: book.read(name).decode("utf-8") for name in book.namelist()}


STARTS = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "=cmd|'/C calc'!A0", "=HYPERLINK(\"http://evil\")",
          "http://evil.example", "mailto:a@b.c", "internal:Sheet1!A1", "'=1", "1e5", "<b>&</b>", "x" * 40_000]


def test_no_cell_is_a_formula_or_a_link(tmp_path) -> None:
    tables = {start[:20]: {"title": start, "columns": [start, start], "rows": [[start, 1.5], [True, None]],
                           "print": [[start, start], [start, "1.5"]]} for start in STARTS}
    write_tables(tmp_path / "t.xlsx", tables)
    found = parts(tmp_path / "t.xlsx")
    assert not [n for n in found if "hyperlink" in found[n].lower() and "schemas" not in n and "<hyperlink" in found[n]]
    for name in (n for n in found if n.startswith("xl/worksheets/sheet")):
        assert "<f>" not in found[name] and "<f " not in found[name] and "<hyperlink" not in found[name]
        kinds = set(re.findall(r'<c r="[A-Z]+[0-9]+"(?: s="[0-9]+")? t="([a-z]+)"', found[name]))
        assert kinds == {"s"}
    assert len(re.findall("<sheet ", found["xl/workbook.xml"])) == len(tables)
    assert "=1+1" in found["xl/sharedStrings.xml"] and not [n for n in found if "external" in n.lower()]


def test_a_workbook_of_odd_tables(tmp_path) -> None:
    table = {"title": "T", "columns": ["a"], "rows": [[float("inf")], [float("nan")], [3]]}
    names = ["history", "[x]:*?/\\", "'quoted'", "n" * 40, "N" * 40, ""]
    write_tables(tmp_path / "t.xlsx", dict.fromkeys(names, table))
    sheets = re.findall(r'<sheet name="([^"]*)"', parts(tmp_path / "t.xlsx")["xl/workbook.xml"])
    assert len({s.lower() for s in sheets}) == len(names) and all(0 < len(s) <= 31 for s in sheets)
    assert "history" not in {s.lower() for s in sheets}
    write_tables(tmp_path / "none.xlsx", {})
    assert parts(tmp_path / "none.xlsx")


def test_equal_tables_are_equal_bytes(tmp_path) -> None:
    tables = {"t": {"title": "T", "columns": ["a", "b"], "rows": [["x", 1.0]], "print": [["A", "x"], ["B", "1.0"]]}}
    for name in ("a", "b"):
        write_tables(tmp_path / f"{name}.xlsx", tables)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


@pytest.mark.slow
def test_every_shown_table_has_a_sheet(demo_report) -> None:
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_path(str(demo_report.folder / "tables.xlsx"))
    tables = {n: t for n, t in demo_report.results["tables"].items() if not n.endswith("_figure")}
    assert len(book.sheet_names) == len(tables) == len(Dom(demo_report.page.read_text(encoding="utf-8")).all("table"))
    for sheet, table in zip(book.sheet_names, tables.values(), strict=True):
        rows = [[c for c in row if c != ""] for row in book.get_sheet_by_name(sheet).to_python()]
        assert rows[0] == [table["title"]] and [c[0] for c in table["print"]] in rows and table["columns"] in rows
        numbers = [float(x) for row in table["rows"] for x in row
                   if isinstance(x, int | float) and not isinstance(x, bool)]
        assert [x for row in rows for x in row if isinstance(x, float)] == pytest.approx(numbers, rel=1e-14)


# -- phrases ---------------------------------------------------------------------------------------------------------

def literal(field: Any) -> list[str]:
    return list(get_args(field.annotation))


# keys made while the program runs, and what they are made of
COMPUTED = {
    "figure.curve.title_{}": ["up", "down", "straight"], "loyalty.curve_{}": ["up", "down", "straight"],
    "figure.loadings.{}": ["title", "title_all"], "figure.precision.{}": ["margin", "change"],
    "figure.diagram.{}": ["title", "title_one", "title_all", "title_none", "title_two"],
    "figure.scores.{}": ["title", "title_plain"], "table.scores.{}": ["title", "title_plain"],
    "figure.priorities.{}": ["title", "title_two"], "summary.effective_{}": ["clustered", "plain"],
    "interval.name.{}": literal(StudyParams.model_fields["sample"]),
    "sample.{}": literal(StudyParams.model_fields["sample"]), "measurement.check_{}": ["agree", "differ"],
    "nps.{}": ["nps", "promoters", "passives", "detractors"], "page.{}": ["table", "figure"],
    "reading.{}": ["strong", "moderate", "unclear"], "same_id.{}": literal(CleaningParams.model_fields["same_id"]),
    "settings.allocation.{}": literal(PlanParams.model_fields["allocation"]),
    "settings.alpha.{}": literal(MeasurementParams.model_fields["alpha"]),
    "settings.htmt.{}": literal(MeasurementParams.model_fields["htmt"]),
    "settings.interval.{}": ["t", "percentile", "listed"],
    "settings.kind.{}": list(get_args(Kind)), "summary.actions_{}": ["1", "2", "3"],
    "summary.certainty.{}": ["high", "fair", "low"], "weight_step.{}": [
        "base", "nonresponse", "post_stratified", "raked", "calibrated", "trimmed"],
    "weighting.{}": ["empty", "missing", "collapse", "gap"], "figure.margins.{}": ["before", "after", "target"],
    "settings.bounds.{}": literal(CalibrateParams.model_fields["bounds_on"]),
    "settings.calibration.{}": literal(CalibrateParams.model_fields["method"]),
    "settings.trim_of.{}": literal(TrimParams.model_fields["of"]), "settings.trim_{}": ["above", "below"],
    "settings.redistribute.{}": literal(TrimParams.model_fields["redistribute"]),
    "settings.scheme.{}": literal(PlsParams.model_fields["scheme"]), "settings.scaling.{}": ["standardised", "raw"],
    "settings.missing.{}": literal(PlsParams.model_fields["missing"]), "summary.model_based.{}": ["quota", "opt_in"],
    "wave.{}": ["H1", "H2", "Q1", "Q2", "Q3", "Q4"],
    "head.{}": ["brands", "response", "contact", "cooperation", "drawn", "respondents"],
    "table.{}.sub": ["segments", "brands"],
    "table.{}.{}": ["segments.title", "segments.title_none", "brands.title", "brands.title_none"],
    "settings.{}": ["segments", "brands", "weeks", "days"], "settings.overlap.{}": ["none", "units", "respondents"],
    **{key: ["up", "down", "unclear", "marked"] for key in ("summary.change.{}", "summary.since.{}", "trend.answer_{}",
                                                             "trend.title_{}")},
    "trend.how.{}": ["wording", "scale", "codes"],
    "rule.flag_{}": ["straight_line", "same_answers", "speeder"],
    "disposition.{}": list(DISPOSITIONS), "aapor.{}": list(RATES),
    "flow.{}": ["drawn", "eligible", "contacted", "interviewed", "not_eligible", "unknown_out", "unknown_in",
                "non_contact", "refusal", "other"],
    "field.{}": ["early", "late"], "field.order_{}": ["day", "attempt"],
    **{form: ["weeks", "days"] for form in ("figure.{}.title", "figure.{}.sub", "figure.{}.alt")},
    "customers.{}": ["added", "retired"], "policy.title_{}": ["most", "none", "same"],
    "customers.unheard.{}": ["listed", "drawable", "drawn"], "customers.twice_by.{}": ["id", "name", "phone", "email"],
    "sheet.{}": ["main", "reserve"], "sheet.how.{}": ["order", "attempts", "final", "reserve", "private"],
    "outcome.{}": [code.replace(".", "_") for code in OUTCOMES]}
# values come from the data or from the code that calls: whatever is there must be a phrase of that group
SPARE: set[str] = set()          # written, not asked for
CALLED = {"context.column": ["head.{}"], "self.column": ["head.{}"],
          "context.figure": ["figure.{}.title", "figure.{}.sub", "figure.{}.alt"],
          "context.table": ["table.{}.title", "table.{}.sub"]}
MANNERS = ("census.", "complete.", "equal.")
OPEN = {"class.{}", "kind.{}", "rule.{}", "mask.{}", "table.{}.title", "figure.{}.title", "figure.{}.sub",
        "figure.{}.alt"}


def strings(node: ast.expr) -> Iterator[str]:
    """The texts an expression can be; {} stands for what is computed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    elif isinstance(node, ast.IfExp):
        yield from (*strings(node.body), *strings(node.orelse))


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call that asks for a phrase, with the keys it can ask for."""
    for path in sorted((ROOT / "tcslib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func)
                own = path.name == "wording.py" and name == "self"
                if own or name.split(".")[-1] == "words" or name.endswith("words.has"):
                    for key in strings(node.args[0]):
                        yield key, node, f"{path.name}:{node.lineno}"
                if name.endswith("words.known"):
                    yield from ((f"{section}.{{}}", node, f"{path.name}:{node.lineno}")
                                for section in strings(node.args[0]))


def used_keys() -> set[str]:
    keys = {key for key, _, _ in calls()}
    for path in (ROOT / "tcslib").rglob("*.j2"):
        keys |= set(re.findall(r"words\([\"']([^\"']+)[\"']", path.read_text(encoding="utf-8")))
    for path in (ROOT / "tcslib/report/context.py", *(ROOT / "tcslib/report/views").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                for form in CALLED.get(ast.unparse(node.func), ()):
                    keys |= {form.replace("{}", name) for name in strings(node.args[0])}
                if ast.unparse(node.func) == "context.columns":
                    keys |= {f"head.{name}" for arg in node.args[2:] for name in strings(arg)}
                    keys |= {f"head.{keyword.arg}" for keyword in node.keywords}
    return keys


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_asked_for_exists(language) -> None:
    there, asked = set(phrases(language)), used_keys()
    # a view may bring its own title
    titled = {k for k in asked if re.fullmatch(r"(table|figure)\..+\.title", k)}
    assert not {k for k in asked - titled if "{}" not in k} - there
    computed = {k for k in asked if "{}" in k and set(k) - set("{}.")}
    assert computed <= set(COMPUTED) | OPEN, f"enumerate {computed - set(COMPUTED) - OPEN}"
    for form, fills in COMPUTED.items():
        if form in computed:
            made = {form.replace("{}.{}", "{}").replace("{}", fill) for fill in fills}
            assert made <= there, made - there
    for form in OPEN & computed:
        assert [k for k in there if re.fullmatch(re.escape(form).replace(r"\{\}", "[^.]+"), k)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_is_asked_for(language) -> None:
    asked = used_keys()
    asked |= {form.replace("{}.{}", "{}").replace("{}", fill) for form, fills in COMPUTED.items() for fill in fills}
    made_up = ("class.{}", "kind.{}", "rule.{}", "mask.{}")
    loose = re.compile("|".join(re.escape(f).replace(r"\{\}", "[^.]+") for f in made_up))
    said = set(phrases(language))
    manners = {k for k in said if k.startswith(MANNERS)}          # other words for a phrase that is asked for
    assert {k for k in said - manners - asked if not loose.fullmatch(k)} <= SPARE
    assert not {k for k in manners if k.partition(".")[2] not in said & asked}


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_words_ask_for_no_more(language) -> None:
    """What is said otherwise of a census is filled by the call that asks for the plain phrase."""
    said = phrases(language)
    given: dict[str, set[str]] = {}
    for key, call, _ in calls():
        given.setdefault(key, set()).update(k.arg or "**" for k in call.keywords)
    for key in (k for k in said if k.startswith(MANNERS)):
        plain = key.partition(".")[2]
        known = given.get(plain, {"**"})          # computed keys: no call to look at
        assert "**" in known or blanks_of(said[key]) <= known | blanks_of(said[plain]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_fill_every_blank(language) -> None:
    said = phrases(language)
    for key, call, where in calls():
        spread = any(k.arg is None for k in call.keywords) or ast.unparse(call.func).endswith(".has")
        if key in said and not spread:
            blanks = blanks_of(said[key])
            assert blanks <= {k.arg for k in call.keywords}, (where, key, blanks)


def blanks_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_all_languages_hold_the_same_keys_and_blanks() -> None:
    assert {p.stem for p in (ROOT / "tcslib/report/phrases").glob("*.yaml")} == set(LANGUAGES)
    english = phrases("en")
    for other in map(phrases, LANGUAGES):
        assert set(other) == set(english)
        for key, text in other.items():
            assert blanks_of(text) == blanks_of(english[key]) and all(b.isidentifier() for b in blanks_of(text)), key


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_demo_cleaned_has_words(demo_report, language) -> None:
    said = phrases(language)
    assert not [row["rule"] for row in demo_report.results["cleaning"] if f"rule.{row['rule']}" not in said]
