"""The demo's report in Chromium: what it asks for, how it fits screens and paper, whether it can be read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chrome import Chrome, find_chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WIDTHS = (320, 360, 768, 1280, 1440)

# labels that lie over each other: pairs of texts whose boxes share more than 2 px both ways
CROSSED = """
[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width > 0).flatMap(svg => {
  const figure = svg.closest('figure'), frame = svg.getBoundingClientRect();
  const where = (figure ? figure.id : svg.getAttribute('class'));
  const boxes = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim()).map(t => {
    const r = t.getBoundingClientRect(); return {t: t.textContent, l: r.left, r: r.right, u: r.top, d: r.bottom}; });
  const out = [];
  boxes.forEach((a, i) => {
    if (a.l < frame.left - 2 || a.r > frame.right + 2 || a.u < frame.top - 2 || a.d > frame.bottom + 2)
      out.push(where + ': "' + a.t + '" is cut off');
    boxes.slice(i + 1).forEach(b => {
      const x = Math.min(a.r, b.r) - Math.max(a.l, b.l);
      // a line's box is taller than its letters
      const y = Math.min(a.d, b.d) - Math.max(a.u, b.u) - 0.25 * Math.min(a.d - a.u, b.d - b.u);
      if (x > 2 && y > 2) out.push(where + ': "' + a.t + '" over "' + b.t + '"'); }); });
  return out; })
"""
# the smallest letters drawn, drawings' scale included
SMALLEST = """
Math.min(...[...document.querySelectorAll(
    'svg text, p, td, th, dd, dt, li, span, small, a, summary, code, b, figcaption')]
  .filter(e => e.getClientRects().length && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
  .map(e => parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement ?
    e.ownerSVGElement.getBoundingClientRect().width / e.ownerSVGElement.viewBox.baseVal.width : 1)))
"""
# lowest contrast of text on what lies behind it, by WCAG 2; drawings' letters are checked against paper
CONTRAST = """
(() => {
  const rgb = c => (c.match(/[0-9.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = c => { const [r, g, b] = rgb(c).map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (rgb(c).length < 4 || rgb(c)[3] > 0) return c; } return 'rgb(255,255,255)'; };
  const out = {};
  for (const e of document.querySelectorAll('body *')) {
    if (!e.getClientRects().length || ![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const front = getComputedStyle(e)[e.ownerSVGElement ? 'fill' : 'color'];
    const [a, b] = [light(front), light(behind(e))], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    out[front] = Math.min(out[front] || 99, ratio); }
  return out; })()
"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Chrome]:
    program = find_chromium()
    if program is None:
        if os.environ.get("CI", "").lower() in {"1", "true", "yes", "on"}:
            pytest.fail("needs Chromium")
        pytest.skip("needs Chromium")
    with Chrome(program) as browser:
        yield browser


@pytest.fixture
def at(chrome, demo_report):
    """``at(width)``: the demo's report in a window of that width."""
    return _opener(chrome, demo_report)


@pytest.fixture(params=["demo_report", "chinese_report"], ids=["en", "zh"])
def both(chrome, request):
    """The same for the report in either language."""
    return _opener(chrome, request.getfixturevalue(request.param))


def _opener(chrome, report):
    def open_at(width: int, height: int = 900) -> Chrome:
        chrome.open(report.page.as_uri(), width, height)
        return chrome
    return open_at


def overflow(page: Chrome) -> tuple[int, list[str]]:
    """How far the page scrolls sideways, and what stands out."""
    wide = page.ask("document.documentElement.scrollWidth - innerWidth")
    out = page.ask("""[...document.querySelectorAll('body *')].filter(e =>
        e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.tb, pre, math')).map(
        e => e.tagName + '.' + e.className).slice(0, 9)""")
    return wide, out


def test_it_shows_what_results_hold_and_asks_nobody(at, demo_report) -> None:
    page = at(1280)
    page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    tables = demo_report.results["tables"]
    figures = sum(name.endswith("_figure") for name in tables)
    count = "document.querySelectorAll('%s').length"
    assert page.ask(count % "figure") == page.ask(count % "figcaption") == figures
    assert page.ask(count % "table") == page.ask(count % "caption") == len(tables) - figures
    assert page.ask(count % "figure > svg.w[role=img]") == page.ask(count % "figure > svg.n[role=img]") == figures
    assert page.ask("document.title") == "Demo Mobile customer satisfaction, 2026Q3, v1"
    asked = [e["request"]["url"] for e in page.named("Network.requestWillBeSent")]
    assert asked == [demo_report.page.as_uri()]
    assert page.named("Page.javascriptDialogOpening") == [] and page.named("Runtime.exceptionThrown") == []
    assert page.named("Log.entryAdded") == [] and page.named("Runtime.consoleAPICalled") == []
    assert page.ask(count % "script, iframe, object, embed, link, img, base, form") == 0


def test_the_policy_holds(chrome, demo_report, tmp_path) -> None:
    """Were something to slip through all the same, the browser would stop it."""
    text = demo_report.page.read_text(encoding="utf-8")
    evil = ("<script>document.title='PWNED';alert(1)</script><img src=x onerror=\"document.title='PWNED'\">"
            "<img src='http://127.0.0.1:9/x.png'><iframe src='http://127.0.0.1:9/'></iframe>")
    (tmp_path / "evil.html").write_text(text.replace("<main>", f"<main>{evil}"), encoding="utf-8")
    chrome.open((tmp_path / "evil.html").as_uri())
    assert "PWNED" not in chrome.ask("document.title") and chrome.named("Page.javascriptDialogOpening") == []
    assert "Content Security Policy" in str(chrome.named("Log.entryAdded"))
    assert not [e for e in chrome.named("Network.responseReceived") if "127.0.0.1" in e["response"]["url"]]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_scrolls_sideways(both, width) -> None:
    page = both(width)
    assert overflow(page) == (0, [])
    page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert overflow(page) == (0, [])


def test_tables_that_scroll_say_so(both) -> None:
    page = both(360, 740)
    page.ask("document.querySelectorAll('details.fold').forEach(d => d.open = true)")
    silent = page.ask("""[...document.querySelectorAll('.tb')].filter(t => t.scrollWidth > t.clientWidth + 1 &&
        !t.querySelector('.hint')).map(t => t.id + ' ' + t.scrollWidth)""")
    assert silent == []
    still = page.ask("""[...document.querySelectorAll('.tb table.wide')].map(t => { const box = t.parentElement;
        box.scrollLeft = 200; const first = t.querySelector('tbody th').getBoundingClientRect();
        return Math.abs(first.left - box.getBoundingClientRect().left); })""")
    assert still and max(still) <= 1          # the first column stays


def test_contents_on_the_phone(at) -> None:
    page = at(360, 740)
    bar = "document.querySelector('details.toc')"
    assert page.ask(f"{bar}.querySelector('summary').getBoundingClientRect().height") >= 44
    page.ask("window.scrollTo(0, 6000)")
    assert page.ask(f"{bar}.getBoundingClientRect().top") == 0          # sticks
    page.press(300, 20)
    assert page.ask(f"{bar}.open") is True
    links = page.ask(f"[...{bar}.querySelectorAll('a')].map(a => a.getAttribute('href'))")
    assert len(links) >= 7
    assert page.ask(f"{links}.every(l => document.querySelectorAll('[id=\"' + l.slice(1) + '\"]').length === 1)")
    box = page.ask(f"(r => [r.left + 30, r.top + r.height / 2, r.height])("
                   f"{bar}.querySelectorAll('a')[4].getBoundingClientRect())")
    assert box[2] >= 40          # a finger's width
    page.press(box[0], box[1])
    assert page.ask("location.hash") == links[4]
    top = page.ask(f"document.getElementById({links[4][1:]!r}).getBoundingClientRect().top")
    assert 0 <= top <= 120          # below the bar


def test_contents_on_the_desk(both) -> None:
    page = both(1280)
    assert page.ask("getComputedStyle(document.querySelector('details.toc')).display") == "none"
    assert page.ask("document.querySelectorAll('nav.side a').length") >= 7
    heights = page.ask("[...document.querySelectorAll('.first')].map(e => e.getBoundingClientRect().bottom)")
    page.resize(1440, 900)
    assert page.ask("document.querySelector('.sure').getBoundingClientRect().bottom") <= 900, heights


def test_the_phone_reaches_the_first_action(both) -> None:
    page = both(360, 740)
    assert page.ask("document.querySelector('.do li').getBoundingClientRect().bottom") <= 740


@pytest.mark.parametrize("width", [360, 720, 721, 1440])
def test_letters_are_large_enough(both, width) -> None:
    assert both(width).ask(SMALLEST) >= 9.99


@pytest.mark.parametrize("width", [360, 720, 1440])
def test_no_label_lies_over_another(both, width) -> None:
    assert both(width).ask(CROSSED) == []


def test_chinese_letters_come_from_the_page_where_the_reader_has_none(chrome, chinese_report) -> None:
    """With no font named before it, every kind of letter is drawn with the one that travels with the page."""
    chrome.open(chinese_report.page.as_uri())
    chrome.ask("document.documentElement.style.setProperty('--font', '\"TCS Sans SC\"')")
    chrome.ask("document.fonts.ready.then(() => 1)")
    chrome.call("CSS.enable")
    root = chrome.call("DOM.getDocument")["root"]["nodeId"]
    for selector in ("h1", ".kpi p", ".do small", "caption b", "td.l:not(:empty)", "p.set", "svg.w text", "nav a"):
        node = chrome.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        used = chrome.call("CSS.getPlatformFontsForNode", nodeId=node)["fonts"]
        assert {f["familyName"] for f in used} == {"TCS Sans SC"} and all(f["isCustomFont"] for f in used), selector


def test_contrast(at) -> None:
    page = at(1280)
    page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = page.ask(CONTRAST)
    white = found.pop("rgb(255, 255, 255)", None)          # letters on a filled box, not on paper
    assert len(found) >= 4 and min(found.values()) >= 4.5, (found, white)


def test_keyboard(at) -> None:
    page = at(1280)
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert page.ask("document.activeElement.className") == "skip"
    assert page.ask("document.activeElement.getBoundingClientRect().left") >= 0
    assert page.ask("getComputedStyle(document.activeElement).outlineWidth") == "3px"


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs pdftotext")
def test_print(at, tmp_path, demo_report) -> None:
    at(1280).print(tmp_path / "page.pdf")
    said = subprocess.run(["pdftotext", "-layout", str(tmp_path / "page.pdf"), "-"], capture_output=True, check=True)
    sheets = said.stdout.decode("utf-8").split("\f")[:-1]
    assert 10 <= len(sheets) <= 36
    found = demo_report.results
    assert "How sure are we?" in sheets[0] and f"{found['index']['score']:.1f}" in sheets[0]
    assert "Sampling plan" not in sheets[0] and "1 Sampling plan" in sheets[1]          # the summary stands alone
    for number, sheet in enumerate(sheets, 1):
        foot = sheet.strip().splitlines()[-1]
        assert f"demo 2026Q3 v1 · {found['id']}" in foot and f"{number} / {len(sheets)}" in foot
    text = "\n".join(sheets)
    for name, table in found["tables"].items():
        if "print" in table:          # folds are open, and a table is not parted from its caption
            home = [s for s in sheets if re.search(rf"Table \d+\.\s+{re.escape(table['title'][:25])}", s)]
            assert len(home) == 1, name
            rows = [r[0] for r in zip(*[c[1:] for c in table["print"]], strict=True)]
            if len(rows) <= 24:
                gone = [r for r in rows if " ".join(r.split()[:2]) not in " ".join(home[0].split())]
                assert not gone, (name, gone)
    assert "stage.show" in text and "Contents" not in text and "Swipe sideways" not in text


def test_photographs(both, tmp_path) -> None:
    """Kept in the test's folder for whoever wants to look."""
    for width in (1280, 360):
        both(width).photograph(tmp_path / f"{width}.png", whole=True)
        assert (tmp_path / f"{width}.png").stat().st_size > 50_000


def test_payloads_do_nothing(chrome, tmp_path) -> None:
    """A page whose every text is markup shows it as text."""
    page = _hostile(tmp_path)
    chrome.open(page.as_uri())
    assert chrome.named("Page.javascriptDialogOpening") == [] and chrome.named("Log.entryAdded") == []
    assert len(chrome.named("Network.requestWillBeSent")) == 1
    assert chrome.ask("document.querySelectorAll('script, img, iframe, template, form, base').length") == 0
    assert chrome.ask("document.body.innerText.includes('<img src=x onerror=')")
    assert chrome.ask("document.querySelectorAll('section.ch').length") == 28


def _hostile(folder: Path) -> Path:
    from test_page import PAYLOADS, executed, hostile_records, shown, values, wrapped

    from tcslib.report.page.build import build_page
    from tcslib.report.records import MIME
    from tcslib.report.wording import Words

    books: list[Any] = [executed(folder / f"{k}.ipynb", [shown({MIME: [r.record() for r in hostile_records(p)]})], p)
                        for k, p in enumerate(PAYLOADS)]
    html, _ = build_page(Words("en"), books, values(text=" ".join(map(wrapped, PAYLOADS[:9]))))
    (folder / "page.html").write_text(html, encoding="utf-8")
    return folder / "page.html"
