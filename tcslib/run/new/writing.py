"""A study as commented YAML in the user's language."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from tcslib.fieldwork.proposing.guess import Because
from tcslib.fieldwork.proposing.layout import Layout
from tcslib.fieldwork.proposing.model import ModelGuess
from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.run.new.answers import Answers
from tcslib.run.new.plan import ItemPlan, StudyPlan
from tcslib.run.new.sentences import Says
from tcslib.run.new.switches import has, refused

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?: [A-Za-z0-9_]+)*\Z")
_RESERVED = {"yes", "no", "on", "off", "y", "n", "true", "false", "null", "none"}
_WIDTH = 34


def scalar(text: str) -> str:
    """A text as YAML reads it back."""
    return text if _PLAIN.match(text) and text.lower() not in _RESERVED else json.dumps(text, ensure_ascii=False)


def _list(names: Iterable[str]) -> str:
    return f"[{', '.join(scalar(name) for name in names)}]"


def _codes(codes: Mapping[float, str]) -> str:
    return "{" + ", ".join(f"{code:g}: {kind}" for code, kind in sorted(codes.items())) + "}"


class Page:
    """Lines of YAML with comments to their right."""

    def __init__(self, says: Says) -> None:
        self.says, self.lines = says, []          # type: ignore[var-annotated]

    def line(self, text: str, comment: str = "") -> None:
        """One line; a comment stands on one line whatever it holds."""
        comment = " ".join("".join(c if c.isprintable() else " " for c in comment).split())
        self.lines.append(f"{text:<{_WIDTH - 1}} # {comment}" if comment else text)

    def remark(self, text: str, indent: str = "") -> None:
        """A line of comment."""
        self.lines.append(f"{indent}# " + " ".join("".join(c if c.isprintable() else " " for c in text).split()))

    def blank(self) -> None:
        """An empty line."""
        self.lines.append("")

    def confirm(self, asks: Sequence[Because]) -> str:
        """The comment that asks."""
        return " ".join(f"{self.says('confirm')}: {self.says.ask(one)}" for one in asks)

    @property
    def text(self) -> str:
        """The file's content."""
        return "\n".join(self.lines) + "\n"


def in_language(text: str, language: str) -> str:
    """A text in the study's language."""
    return f"{{{language}: {json.dumps(text, ensure_ascii=False)}}}"


def study_yaml(client: str, shown: str, proposal: Proposal, plan: StudyPlan, answers: Answers, says: Says) -> str:
    """The file of what stays from wave to wave."""
    page, language = Page(says), says.language
    rows = next((p.n for p in proposal.profiles.values()), 0)
    page.remark(says("file.study_1", file=shown, rows=f"{rows:,}", columns=len(proposal.columns)))
    page.remark(says("file.study_2"))
    page.blank()
    page.line(f"client: {scalar(client)}", says("file.client"))
    confirm = says("confirm")
    page.line(f"title: {in_language(answers['title'], language)}", "" if answers.how["title"] == "given" else confirm)
    if answers["sponsor"]:
        page.line(f"sponsor: {in_language(answers['sponsor'], language)}", says("file.sponsor"))
    reported = language if not refused(language=language) else "en"
    page.line(f"language: {reported}", says("file.language"))
    if answers["population"]:
        page.line(f"population: {in_language(answers['population'], language)}")
    else:
        page.remark(f"population: …     {confirm}: {says('file.population')}")
    asked = "" if answers.how["sample"] == "given" else f"{confirm}: "
    page.line(f"sample: {answers['sample']}", asked + says("file.sample"))
    page.blank()
    page.line(f"scale: {scalar(plan.scale)}", says("file.scale"))
    if plan.codes:
        page.line("missing_codes:", says("file.missing_codes"))
        for code, kind in sorted(plan.codes.items()):
            unsure = code in proposal.codes
            page.line(f"  {code:g}: {kind}", f"{confirm}: " + says("ask.code_kind", value=f"{code:g}", kind=kind)
                      if unsure else "")
    _model(page, plan.model, proposal)
    if plan.nps:
        page.line(f"nps: {scalar(plan.nps)}", says("file.nps") + " " + page.confirm(
            proposal.columns[plan.nps].asks))
    _items(page, plan.items)
    _uses(page, proposal, plan)
    _categories(page, proposal, plan)
    return page.text


def _model(page: Page, model: ModelGuess, proposal: Proposal) -> None:
    page.line("model:" if model.constructs or model.preset else "model: {}", page.says("file.model"))
    page.remark(page.says.saw(model.because) + " " + page.confirm(model.asks), "  ")
    groups = {model.names.get(g.name, g.name): g for g in proposal.groups}
    if model.preset:
        page.line(f"  preset: {model.preset}")
    if model.without:
        page.line(f"  without: {_list(model.without)}")
    if model.constructs:
        page.line("  constructs:")
    for name, items in model.constructs.items():
        group = groups.get(name)
        comment = " ".join([page.says.saw(group.because), page.confirm(group.asks)]) if group else ""
        own = group.label if group and not model.preset else ""
        label = f", label: {in_language(own, page.says.language)}" if own else ""
        page.line(f"    {scalar(name)}: {{items: {_list(items)}{label}}}", comment)
    if model.paths:
        page.line("  paths:")
        for source, target in model.paths:
            page.line(f"    - [{scalar(source)}, {scalar(target)}]")
    if not model.preset:
        if model.target:
            page.line(f"  target: {scalar(model.target)}")
        if model.loyalty:
            page.line(f"  loyalty: {scalar(model.loyalty)}")


def _items(page: Page, items: Mapping[str, ItemPlan]) -> None:
    said = {name: item for name, item in items.items() if item.said}
    written = {name: item for name, item in said.items() if item.text or item.scale or item.codes is not None}
    if written:
        page.blank()
        page.line("items:")
    elif said:
        page.blank()
        page.line("# items:")
    for name, item in said.items():
        parts = ([f"text: {in_language(item.text, page.says.language)}"] if item.text else []) + (
            [f"scale: {scalar(item.scale)}"] if item.scale else []) + (
            [f"missing_codes: {_codes(item.codes)}"] if item.codes is not None else [])
        if name in written:
            page.line(f"  {scalar(name)}: {{{', '.join(parts)}}}", page.confirm(item.notes))
        else:
            page.remark(f"{name}: {page.confirm(item.notes)}" if item.notes else name, "  ")
        if item.backwards:
            page.remark(f"{name}: reversed: true     {page.confirm(item.backwards)}", "  ")


def _uses(page: Page, proposal: Proposal, plan: StudyPlan) -> None:
    """Weights, strata, length, segments and open answers."""
    says = page.says
    if plan.weights or plan.design:
        page.blank()
        page.line("design:" if plan.weights else "# design:", says("file.design"))
        if plan.weights:
            page.line(f"  weights: {scalar(plan.weights)}", page.confirm(proposal.columns[plan.weights].asks))
        for key, name in plan.design.items():
            if key != "brand":
                page.remark(f"  {key}: {scalar(name)}     {page.confirm(proposal.columns[name].asks)}")
    if plan.duration:
        page.blank()
        page.line("cleaning:")
        page.line(f"  duration: {scalar(plan.duration)}", says("file.duration") + " " + page.confirm(
            proposal.columns[plan.duration].asks))
    brand = plan.design.get("brand")
    if plan.segments or brand:
        page.blank()
        page.line("compare:" if plan.segments else "# compare:")
    if plan.segments:
        asks = [a for name in plan.segments for a in proposal.columns[name].asks]
        page.line(f"  segments: {_list(plan.segments)}", says("file.segments") + " " + page.confirm(asks))
    if brand:
        page.remark(f"  brand: {scalar(brand)}     {says('confirm')}: {says('file.brand')}")
    if plan.verbatims:
        page.blank()
        page.line("report:")
        page.line(f"  verbatims: {_list(plan.verbatims)}", says("file.verbatims"))


def _categories(page: Page, proposal: Proposal, plan: StudyPlan) -> None:
    """The names of the categories' values, where the file tells them and a study may hold them."""
    named = {name: proposal.profiles[name].value_labels for name in proposal.of("category")
             if proposal.profiles[name].value_labels and name in plan.segments}
    if not named or not has("categories"):
        return
    page.blank()
    page.line("categories:")
    for name, values in named.items():
        page.line(f"  {scalar(name)}:")
        if label := proposal.profiles[name].label:
            page.line(f"    label: {in_language(label, page.says.language)}")
        page.line("    values:")
        for value, label in sorted(values.items()):
            page.line(f"      {value:g}: {in_language(label, page.says.language)}")


def wave_yaml(wave: str, shown: str, layout: Layout, plan: StudyPlan, answers: Answers, says: Says) -> str:
    """The file of what changes with every wave."""
    page = Page(says)
    page.remark(says("file.wave_1", wave=wave))
    page.line("study: study.yaml")
    page.line(f"wave: {wave}", "" if answers.how["wave"] == "given" else says("confirm"))
    data_lines(page, shown, layout, plan.id)
    field_lines(page, answers)
    return page.text


def data_lines(page: Page, shown: str, layout: Layout, id_column: str) -> None:
    """The section of the file."""
    page.blank()
    page.line("data:")
    page.line(f"  file: {json.dumps(shown, ensure_ascii=False)}", page.says("file.from_root"))
    if id_column:
        page.line(f"  id: {scalar(id_column)}", page.says("file.id"))
    source = layout.source
    if source.header_row != 1:
        page.line(f"  header_row: {source.header_row}", page.says("say.header", row=source.header_row))
    if source.sheet:
        page.line(f"  sheet: {scalar(source.sheet)}")
    if source.encoding:
        page.line(f"  encoding: {source.encoding}")
    if layout.labels_rows:
        page.remark(page.says("say.header_rows", n=layout.labels_rows), "  ")


def field_lines(page: Page, answers: Answers) -> None:
    """The section of the field."""
    first, last = answers.days
    if not (first or answers["mode"]):
        return
    confirm = page.says("confirm")
    page.blank()
    page.line("fieldwork:")
    if first:
        asked = "" if answers.how["field_dates"] == "given" else confirm
        page.line(f"  start: {first}", asked)
        page.line(f"  end: {last}", asked)
    if answers["mode"]:
        page.line(f"  mode: {in_language(answers['mode'], page.says.language)}",
                  "" if answers.how["mode"] == "given" else confirm)
