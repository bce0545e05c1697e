"""From executed notebooks and results to the page.

Three ways lead onto the page, and no other: prose and formulas of the notebooks (through a sanitiser), our own records
(through a template that escapes), and SVG that was checked. What a cell prints, and any other kind of output, is
dropped and named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tcslib.errors import RunFailed
from tcslib.report.fonts import embedded
from tcslib.report.page.sections import shown_cells
from tcslib.report.page.slim import share_styles
from tcslib.report.records import MIME
from tcslib.report.wording import Words

HERE = Path(__file__).parent
_DAY = re.compile(r"\d{4}(?:-\d\d-\d\d|年\d{1,2}月\d{1,2}日)")
WIDE_TABLE, PHONE = 6, 328          # a table of so many columns, or of more pixels, scrolls sideways on a phone

_KINDS = {"table": {"title", "sub", "columns", "rows", "settings", "folded"},
          "figure": {"title", "sub", "wide", "narrow", "alt", "settings"}, "finding": {"text", "role"}}
_TAGS = {"p", "em", "strong", "code", "sub", "sup", "ul", "ol", "li", "a", "h1", "h2", "h3", "h4", "br", "blockquote"}
_MATH_TAGS = {"math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
              "mover", "munder", "munderover", "mtable", "mtr", "mtd", "mstyle", "menclose", "mphantom", "mpadded"}
_MATH_ATTRIBUTES = {"display", "displaystyle", "stretchy", "fence", "form", "width", "linethickness", "accent",
                    "mathvariant", "columnalign", "lspace", "rspace"}
_SVG = "{http://www.w3.org/2000/svg}"
_SVG_TAGS = {"svg", "g", "path", "text", "tspan", "line", "rect", "circle", "polygon", "polyline", "ellipse", "defs",
             "use", "clipPath", "marker", "title", "desc", "linearGradient", "stop", "pattern"}
# what reaches out of a drawing, or hides that it does; `url(#…)` stays within
_OUTSIDE = re.compile(r"url\(\s*(?!['\"]?#)|@import|image-set|(?:java|vb)script:|expression\(|\\", re.I)
_LENGTHS = {"d", "points", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"}
_FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(?=\S)([^$\n]+?)(?<=\S)\$(?!\d)", re.S)
_MARK = re.compile("\ue000([0-9]+)\ue001")


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
        env.globals["words"], env.tests["brief"] = self.words, brief
        return env

    def chapter(self, path: Path) -> Chapter:
        """One executed notebook as markup."""
        import nbformat
        from nbconvert.exporters import TemplateExporter

        notebook = nbformat.read(path, as_version=4)
        tags = {"en", "zh"} - {self.words.language}
        notebook.cells = shown_cells([c for c in notebook.cells if not tags & set(c.metadata.get("tags", []))])
        self._code, self._behind, name = [], [], path.stem
        exporter = TemplateExporter(
            extra_template_basedirs=[str(HERE)], template_name="chapter", template_extension=".html.j2", filters={
                "tcs_prose": lambda cell: self.prose(cell.source), "tcs_output": lambda o: self.output(o, name),
                "tcs_code": self.code})
        body, _ = exporter.from_notebook_node(notebook)
        html = Markup(body)
        heading = re.search(r"<h2>(.*?)</h2>", body, re.S)
        title = Markup(heading.group(1)).striptags() if heading else name
        return Chapter(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), title, html + self._fold())

    def prose(self, source: str) -> Markup:
        """Markdown through the sanitiser, formulas as MathML; headings one level down, below the page's title."""
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

        formulas: list[Markup] = []

        def set_aside(found: re.Match[str]) -> str:
            formulas.append(formula(found[1] or found[2], block=found[1] is not None))
            return f"\ue000{len(formulas) - 1}\ue001"

        text = _FORMULA.sub(set_aside, _MARK.sub("", source))
        html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(text)
        html = nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "mailto"}, link_rel=None)
        html = re.sub(r"(</?h)([123])>", lambda m: f"{m[1]}{int(m[2]) + 1}>", html)
        html = re.sub(rf"<p>\s*{_MARK.pattern}\s*</p>", lambda m: formulas[int(m[1])], html)
        return self._fold() + Markup(_MARK.sub(lambda m: formulas[int(m[1])], html))

    def output(self, output: Mapping[str, Any], notebook: str) -> Markup:
        """One output of a cell: our records, or nothing."""
        data = output.get("data", {})
        if MIME in data:
            return Markup("").join(self.record(r, notebook) for r in data[MIME])
        what = output.get("name") or ", ".join(data) or output.get("output_type", "output")
        if what != "text/plain":          # a bare value at a cell's end is for whoever works in the notebook
            self.dropped.append(f"{notebook}: {what}")
        return Markup("")

    def record(self, record: Mapping[str, Any], notebook: str = "") -> Markup:
        """One table, figure or finding; anything else is dropped and named."""
        kind = record.get("kind") if isinstance(record, Mapping) else None
        if kind not in _KINDS or not _KINDS[kind] <= set(record):
            self.dropped.append(f"{notebook}: a record that is no table, figure or finding")
            return Markup("")
        extra: dict[str, Any] = {"number": "", "anchor": "", "wide": "", "narrow": "", "many": False, "snug": False,
                                 "settings": self.words.ended(record.get("settings", ""))}
        if kind in self._count:
            self._count[kind] += 1
            extra["number"] = self.words(f"page.{kind}", number=self._count[kind])
            extra["anchor"] = f"{kind}-{self._count[kind]}"
            self._behind.append(extra["number"].rstrip(". "))
        if kind == "figure":
            extra |= {side: svg_for_page(record[side], record["alt"], f"c {side[0]}", f"{extra['anchor']}{side[0]}-")
                      for side in ("wide", "narrow")}
        if kind == "table":
            extra["many"] = len(record["columns"]) >= WIDE_TABLE
            extra["snug"] = not extra["many"] and least_width(record) >= PHONE
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
        return Markup('<details class="fold"><summary>{}</summary><pre tabindex="0" role="region" aria-label="{}">'
                      "<code>{}</code></pre></details>").format(head, head, code)


def formula(latex: str, block: bool) -> Markup:
    """LaTeX as MathML. The converter passes on what it does not know, markup too, so its answer is cleaned as well."""
    from latex2mathml.converter import convert

    try:
        made = convert(latex.strip(), display="block" if block else "inline")
    except Exception:          # the converter has no error class of its own
        return Markup("<code>{}</code>").format(latex.strip())
    return Markup(nh3.clean(made, tags=_MATH_TAGS, attributes={"*": _MATH_ATTRIBUTES}))


def brief(cell: str) -> bool:
    """Whether it is a day, or Chinese and too short to be parted; elsewhere lines break between words anyway."""
    return bool(_DAY.fullmatch(cell)) or (len(cell) <= 8 and max(cell, default="") >= "\u4e00")


def least_width(table: Mapping[str, Any]) -> float:
    """Pixels a table needs at least: columns of numbers are not broken, text and headings between words only.

    Chinese breaks between any two characters, in headings after punctuation only, and where it is short not at all.
    """
    def wide(text: str) -> float:
        return sum(14.0 if ord(c) >= 0x2E80 else 7.5 for c in text)

    def pieces(text: str, heading: bool) -> list[str]:
        parts = re.split(r"\s|(?=（)|(?<=[，、；：。）])", text)
        return [p if heading or brief(p) or p.isascii() else p[:4] for p in parts]

    total = 0.0
    for at, column in enumerate(table["columns"]):
        cells = [row[at] for row in table["rows"]]
        parts = [p for c in cells for p in pieces(c, not at)] if column["align"] == "left" or not at else cells
        total += 8 + max(map(wide, [*pieces(column["head"], True), *parts]), default=0)
    return total


def svg_for_page(svg: str, alt: str, css_class: str, prefix: str = "") -> Markup:
    """Checked SVG with its alternative text, written anew from its parsed elements: what was checked is what is shown.

    Ids nobody refers to go, the others are prefixed; coordinates keep a tenth of a pixel; the page chooses the font.

    Raises
    ------
    RunFailed
        When the drawing holds anything but shapes and text: no figure of ours does.
    """
    refused = RunFailed("a figure is no drawing of shapes and text alone. Redraw it.", "report")
    try:
        root = ElementTree.fromstring(svg)
    except ElementTree.ParseError:
        raise refused from None
    if "<!" in svg or "<?" in svg or root.tag not in {f"{_SVG}svg", "svg"}:
        raise refused
    uses = set(re.findall(r"""(?:href="|url\(['"]?)#([^"')]+)""", svg))
    for element in root.iter():
        tag = element.tag.removeprefix(_SVG)
        attributes = {k.rsplit("}", 1)[-1]: v for k, v in element.attrib.items()}
        if tag not in _SVG_TAGS or any(_leads_out(k, v) for k, v in attributes.items()):
            raise RunFailed(f"a figure holds <{tag}> with content that has no place on a page. Redraw it.", "report")
        element.tag, element.tail = tag, element.tail if (element.tail or "").strip() else None
        if tag not in {"text", "tspan", "title", "desc"}:
            element.text = None
        element.attrib.clear()
        tidy = {k: _tidy(k, v, prefix) for k, v in attributes.items() if k != "id" or v in uses}
        element.attrib.update({k: v for k, v in tidy.items() if v})
    _thin(root)
    root.attrib = {"class": css_class, "role": "img", "aria-label": alt, **root.attrib}
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _thin(element: ElementTree.Element) -> None:
    """Take away groups that hold or say nothing."""
    kept: list[ElementTree.Element] = []
    for child in element:
        _thin(child)
        if child.tag == "g" and not child.attrib:
            kept += child
        elif len(child) or child.tag not in {"g", "defs"}:
            kept.append(child)
    element[:] = kept


def _leads_out(name: str, value: str) -> bool:
    return (name.lower().startswith("on") or bool(_OUTSIDE.search(value))
            or (name == "href" and not value.startswith("#")))


def _tidy(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name == "href":
        return f"#{prefix}{value[1:]}"
    value = " ".join(value.split())
    if name == "style":
        value = re.sub(r"\s*([:;])\s*", r"\1", re.sub(r"font-family:[^;]*(;\s*|$)", "", value))
    if name == "transform":
        value = re.sub(r"rotate\(-?0(\.0*)? [^)]*\)", "", value)
    if name in _LENGTHS or (name == "transform" and "scale" not in value and "matrix" not in value):
        value = re.sub(r"-?[0-9]+\.[0-9]+", lambda m: f"{float(m[0]):.1f}".removesuffix(".0"), value)
    if name == "d":
        value = re.sub(r" ?([A-Za-z]) ?", r"\1", value)
    return re.sub(r"url\((['\"]?)#", rf"url(\1#{prefix}", value)


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
    # in the style sheet, where nothing is escaped, at the foot of every printed page
    foot = re.sub(r"[^\w .·-]", " ", "{client} {wave} {version} · {id}".format(**values))
    html = builder.templates.get_template("page.html.j2").render(
        **values, s=values["summary"], lang={"en": "en", "zh": "zh-Hans"}[words.language], css=css, foot=Markup(foot),
        chapters=chapters)
    html = share_styles(html)
    # what the page shows decides which glyphs it carries, so they come last
    return html.replace("</style>", f"{embedded(html)}</style>", 1), builder.dropped
