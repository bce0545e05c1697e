"""From executed notebooks and results to the page.

Three ways lead onto the page, and no other: prose of the notebooks (through a sanitiser), our own records (through a
template that escapes), and SVG that was checked. What a cell prints, and any other kind of output, is dropped and named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tcslib.errors import RunFailed
from tcslib.report.records import MIME
from tcslib.report.wording import Words

HERE = Path(__file__).parent
WIDE_TABLE = 6          # columns from which a table scrolls sideways on a phone

_TAGS = {"p", "em", "strong", "code", "sub", "sup", "ul", "ol", "li", "a", "h1", "h2", "h3", "h4", "br", "blockquote"}
_SVG_TAGS = {"svg", "g", "path", "text", "tspan", "line", "rect", "circle", "polygon", "polyline", "ellipse", "defs",
             "use", "clipPath", "marker", "title", "desc", "linearGradient", "stop", "pattern"}
_CSS_ESCAPE = str.maketrans({c: " " for c in '"\\<>{}\n'})


@dataclass
class Chapter:
    """One notebook on the page."""

    anchor: str
    title: str
    html: Markup


@dataclass
class PageBuilder:
    """Numbers tables and figures in the order they appear, and turns cells into markup."""

    words: Words
    dropped: list[str] = field(default_factory=list)
    _count: dict[str, int] = field(default_factory=lambda: {"table": 0, "figure": 0})
    _code: list[str] = field(default_factory=list)
    _behind: list[str] = field(default_factory=list)

    @cached_property
    def templates(self) -> Environment:
        """Templates that escape everything not marked as safe here."""
        env = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        env.globals["words"] = self.words
        return env

    def chapter(self, path: Path) -> Chapter:
        """One executed notebook as markup."""
        import nbformat
        from nbconvert.exporters import HTMLExporter

        notebook = nbformat.read(path, as_version=4)
        tags = {"en", "zh"} - {self.words.language}
        notebook.cells = [c for c in notebook.cells if not tags & set(c.metadata.get("tags", []))]
        self._code, self._behind, name = [], [], path.stem
        exporter = HTMLExporter(extra_template_basedirs=[str(HERE)], template_name="chapter", filters={
            "tcs_prose": lambda cell: self.prose(cell.source), "tcs_output": lambda o: self.output(o, name),
            "tcs_code": self.code})
        body, _ = exporter.from_notebook_node(notebook)
        html = Markup(body)
        heading = re.search(r"<h2>(.*?)</h2>", body, re.S)
        title = Markup(heading.group(1)).striptags() if heading else name
        return Chapter(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), title, html + self._fold())

    def prose(self, source: str) -> Markup:
        """Markdown through the sanitiser, formulas as MathML; headings one level down, below the page's title."""
        from latex2mathml.converter import convert
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

        formulas: list[str] = []

        def set_aside(found: re.Match[str]) -> str:
            block = found[1] is not None
            formulas.append(convert((found[1] or found[2]).strip(), display="block" if block else "inline"))
            return f"FORMULA{len(formulas) - 1}E"

        text = re.sub(r"\$\$(.+?)\$\$|\$([^$\n]+?)\$", set_aside, source, flags=re.S)
        html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)
        html = nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "mailto"}, link_rel=None)
        html = re.sub(r"(</?h)([123])>", lambda m: f"{m[1]}{int(m[2]) + 1}>", html)
        html = re.sub(r"<p>\s*FORMULA(\d+)E\s*</p>", lambda m: formulas[int(m[1])], html)
        return self._fold() + Markup(re.sub(r"FORMULA(\d+)E", lambda m: formulas[int(m[1])], html))

    def output(self, output: Mapping[str, Any], notebook: str) -> Markup:
        """One output of a cell: our records, or nothing."""
        data = output.get("data", {})
        if MIME in data:
            return Markup("").join(self.record(r) for r in data[MIME])
        what = output.get("name") or ", ".join(data) or output.get("output_type", "output")
        if what != "text/plain":          # a bare value at a cell's end is for whoever works in the notebook
            self.dropped.append(f"{notebook}: {what}")
        return Markup("")

    def record(self, record: Mapping[str, Any]) -> Markup:
        """One table, figure or finding."""
        extra: dict[str, Any] = {"number": "", "anchor": "", "wide": "", "narrow": "", "wide_table": False}
        if record["kind"] in self._count:
            self._count[record["kind"]] += 1
            count = self._count[record["kind"]]
            extra["number"] = self.words(f"page.{record['kind']}", number=count)
            extra["anchor"] = f"{record['kind']}-{count}"
            self._behind.append(extra["number"].rstrip(". "))
        if record["kind"] == "figure":
            extra |= {side: svg_for_page(record[side], record["alt"], f"c {side[0]}") for side in ("wide", "narrow")}
        if record["kind"] == "table":
            extra["wide_table"] = len(record["columns"]) >= WIDE_TABLE
        return Markup(self.templates.get_template("record.html.j2").render(r=record, **extra))

    def code(self, cell: Mapping[str, Any]) -> Markup:
        """Keep a cell's code for the fold that follows; the cells that open and close a stage show nothing."""
        if not {"parameters", "injected-parameters", "setup"} & set(cell["metadata"].get("tags", [])):
            self._code.append(cell["source"].strip())
        return Markup("")

    def _fold(self) -> Markup:
        """The code since the last fold, behind one summary line."""
        if not self._code:
            return Markup("")
        code, behind = "\n\n".join(self._code), self.words.listed(self._behind)
        self._code, self._behind = [], []
        head = self.words("page.code", behind=behind) if behind else self.words("page.code_plain")
        return Markup('<details class="fold"><summary>{}</summary><pre tabindex="0" role="region" aria-label="{}"><code>'
                      "{}</code></pre></details>").format(head, head, code)


def svg_for_page(svg: str, alt: str, css_class: str) -> Markup:
    """Checked SVG with its alternative text.

    Raises
    ------
    RunFailed
        When the drawing holds anything but shapes and text: no figure of ours does.
    """
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        tag = element.tag.rsplit("}", 1)[-1]
        links = [v for k, v in element.attrib.items() if k.rsplit("}", 1)[-1] == "href" and not v.startswith("#")]
        handlers = [k for k in element.attrib if k.lower().startswith("on")]
        outside = [v for v in element.attrib.values() if re.search(r"url\((?!\s*['\"]?#)|@import|javascript:", v, re.I)]
        if tag not in _SVG_TAGS or links or handlers or outside:
            raise RunFailed(f"a figure holds <{tag}> with content that has no place on a page. Redraw it.", "report")
    return Markup(svg.replace("<svg ", f'<svg class="{css_class}" role="img" aria-label="{escape(alt)}" ', 1))


def build_page(words: Words, notebooks: Sequence[Path], values: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The page as text, and the outputs that were dropped.

    Parameters
    ----------
    notebooks
        Executed notebooks in order, a chapter each.
    values
        title, client, wave, version, id, summary (see ``report.summary``), provenance, before, changes.
    """
    builder = PageBuilder(words)
    chapters = [builder.chapter(path) for path in notebooks]
    css = Markup((HERE / "style.css").read_text(encoding="utf-8"))
    footer = {k: Markup(str(values[k]).translate(_CSS_ESCAPE)) if k in {"client", "version", "id"} else values[k]
              for k in values}
    html = builder.templates.get_template("page.html.j2").render(
        **{**footer, "s": values["summary"]}, lang={"en": "en", "zh": "zh-Hans"}[words.language], css=css,
        chapters=chapters)
    return html, builder.dropped
