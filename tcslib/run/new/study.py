"""From a proposal to the two files of a study: what stays from wave to wave, and what changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tcslib.fieldwork.proposing.constructs import Group
from tcslib.fieldwork.proposing.guess import Guess, because
from tcslib.fieldwork.proposing.model import ModelGuess
from tcslib.fieldwork.proposing.profile import Profile
from tcslib.fieldwork.proposing.propose import Proposal
from tcslib.fieldwork.tables import number_text
from tcslib.run.new.answers import Answers
from tcslib.run.new.page import Line, Section, text_of
from tcslib.run.new.sentences import Says
from tcslib.study.models import read_preset
from tcslib.study.questionnaire import Scale

# asked at the construct
_ELSEWHERE = {"single", "by_answers", "loose", "twice"}
MOST_SEGMENTS, LEAST_IN_SEGMENT, MOST_GROUPS = 3, 30, 8
Parts = dict[str, Line | Section]


def study_yaml(client: str, shown: str, proposal: Proposal, model: ModelGuess, answers: Answers, says: Says) -> str:
    """The file of what stays from wave to wave."""
    def words(text: str) -> dict[str, str]:
        return {says.language: text}

    nps = next(iter(proposal.of("nps")), "")
    used = {name: proposal.columns[name] for name in dict.fromkeys([*model.items, *filter(None, [nps])])}
    scale = Counter(g.scale for name, g in used.items() if name != nps).most_common(1)
    codes = _codes(list(used.values()))
    common = scale[0][0] if scale else "1-10"
    confirm = says("say.confirm")
    parts: Parts = {
        "client": Line(client, says("file.client")),
        "title": Line(words(answers["title"]), confirm if "title" in answers.why else ""),
        "sponsor": Line(words(answers["sponsor"]), says("file.sponsor"), off=not answers["sponsor"]),
        "language": Line(says.language, says("file.language")),
        "population": Line(words(answers["population"] or "…"), says("file.population"), off=not answers["population"]),
        "sample": Line(answers["sample"], says.confirm(says("file.sample")) if "sample" in answers.why else says(
            "file.sample")),
        "scale": Line(common, says("file.scale")),
        "missing_codes": Section({f"{code:g}": Line(kind, says.confirm(says(
            "ask.code_kind", value=f"{code:g}", kind=kind)) if code in proposal.codes else "")
            for code, kind in codes.items()}, says("file.missing_codes")),
        "model": _model(model, [g for g in proposal.groups if not {p.name for p in g.items} & set(used)
                                and not any(proposal.columns[p.name].unreadable for p in g.items)], says)}
    if nps:
        parts["nps"] = Line(nps, f"{says('file.nps')} {says.confirm(*used[nps].asks)}")
    stated = _preset_scales(model)
    items: Parts = {}
    for name, guess in used.items():
        said: dict[str, Any] = {}
        if label := proposal.profiles[name].label:
            said["text"] = words(label)
        if guess.scale != ("0-10" if name == nps else stated.get(name, common)):
            said["scale"] = guess.scale
        if any(codes.get(code) != kind for code, kind in guess.codes.items()):
            said["missing_codes"] = {f"{code:g}": kind for code, kind in sorted({**codes, **guess.codes}.items())}
        asks = [] if name == nps else [one for one in guess.asks if one.key not in _ELSEWHERE]
        if said or asks:
            items[name] = Line(said, says.confirm(*asks), off=not said)
    parts["items"] = Section(items)
    return text_of(parts | _uses(proposal, set(used), says), says(
        "file.study_1", file=shown, rows=f"{proposal.rows:,}", columns=len(proposal.columns)), says("file.study_2"))


def _codes(guesses: list[Guess]) -> dict[float, str]:
    """The codes that hold for all questions: those that are an answer to none of them."""
    scales = [Scale.parse(guess.scale or "1-10") for guess in guesses]
    found = {code: kind for guess in reversed(guesses) for code, kind in guess.codes.items()
             if not any(scale.low <= code <= scale.high for scale in scales)}
    return dict(sorted(found.items()))


def _preset_scales(model: ModelGuess) -> Mapping[str, str]:
    constructs = read_preset(model.said["preset"])["constructs"] if "preset" in model.said else {}
    return {name: item["scale"] for construct in constructs.values() for name, item in construct["items"].items()
            if "scale" in item}


def _model(model: ModelGuess, left: list[Group], says: Says) -> Section:
    parts: Parts = {key: Line(value) for key, value in model.said.items()}
    constructs: Parts = {}
    for name, items in model.said.get("constructs", {}).items():
        group = model.groups.get(name)
        label = group.label if group and "preset" not in model.said else ""
        constructs[name] = Line({"items": items, **({"label": {says.language: label}} if label else {})}, (
            f"{says.saw(group.because)} {says.confirm(*group.asks)}" if group else ""))
    for group in left:
        constructs[group.name] = Line({"items": [p.name for p in group.items]}, says.confirm(because("left_out")), True)
    if constructs:
        parts["constructs"] = Section(constructs)
    return Section(parts, f"{says.saw(model.because)} {says.confirm(*model.asks)}")


def _uses(proposal: Proposal, items: set[str], says: Says) -> Parts:
    """Weights, strata, length, segments and open answers."""
    def line(name: str, note: str = "", off: bool = False) -> Line:
        return Line(name, f"{note} {says.confirm(*proposal.columns[name].asks)}", off)

    design: Parts = {}
    for name in proposal.of("weight"):
        p = proposal.profiles[name]
        # a weight that is missing or nought would stop the run
        design["weights"] = line(name, off=p.filled < p.n or min(p.counts) <= 0)
    compare: Parts = {}
    for name, guess in proposal.columns.items():
        if guess.design == "brand":
            compare.setdefault("brand", Line(name, says.confirm(says("file.brand")), off=True))
        elif guess.design and name not in items:
            design.setdefault(guess.design, line(name, off=True))
    segments = _segments(proposal)
    if segments:
        asks = [one for name in segments for one in proposal.columns[name].asks]
        compare["segments"] = Line(segments, f"{says('file.segments')} {says.confirm(*asks)}")
    texts, durations = proposal.of("text"), proposal.of("duration")[:1]
    return {"design": Section(design, says("file.design")),
            "cleaning": Section({"duration": line(durations[0], says("file.duration"))} if durations else {}),
            "compare": Section(compare),
            "categories": Section({name: _category(proposal.profiles[name], says.language) for name in segments},
                                  says("file.categories")),
            "report": Section({"verbatims": Line(texts, says("file.verbatims"))} if texts else {})}


def _category(p: Profile, language: str) -> Section:
    """A column and its values as readers see them: by their labels, else as the file has them."""
    values = {number_text(v): p.value_labels.get(v, number_text(v)) for v in p.counts} if p.numeric else {
        text: text for text in sorted(p.texts)}
    return Section({"label": Line({language: p.label or p.name}),
                    "values": Section({value: Line({language: label}) for value, label in values.items()})})


def _segments(proposal: Proposal) -> list[str]:
    """Up to three categories with a few groups large enough to be told apart; the surer ones first."""
    fit = []
    for name in proposal.of("category"):
        p, guess = proposal.profiles[name], proposal.columns[name]
        counts = list((p.counts if p.numeric else p.texts).values())
        large = [c for c in counts if c >= min(LEAST_IN_SEGMENT, 0.05 * p.n)]
        if (guess.design not in {"clusters", "brand"} and 2 <= len(counts) <= MOST_GROUPS and len(large) >= 2
                and p.filled >= 0.98 * p.n):
            fit.append((len(guess.asks), p.at, name))
    return [name for _, _, name in sorted(fit)[:MOST_SEGMENTS]]


def wave_yaml(shown: str, how: Mapping[str, Any], id_column: str, answers: Answers, says: Says, further: Parts,
              study: str = "study.yaml") -> str:
    """The file of what changes with every wave.

    Parameters
    ----------
    how
        How the file is to be read, as far as it was stated.
    further
        Sections below those on the file and the field.
    """
    first, _, last = answers["field_dates"].partition("..")
    asked = {key: says("say.confirm") if key in answers.why else "" for key in answers.values}
    field: Parts = {"start": Line(first, asked["field_dates"]), "end": Line(last or first, asked["field_dates"])} if (
        first) else {}
    if answers["mode"]:
        field["mode"] = Line({says.language: answers["mode"]}, asked["mode"])
    return text_of({
        "study": Line(study), "wave": Line(answers["wave"], asked["wave"]),
        "data": Section({"file": Line(shown, says("file.from_root")),
                         **({"id": Line(id_column, says("file.id"))} if id_column else {}),
                         **{key: Line(value) for key, value in how.items()}}),
        "fieldwork": Section(field), **further}, says("file.wave_1", wave=answers["wave"]))
