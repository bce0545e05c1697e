"""Cleaned data out: what a finished run left of the respondents, as SAV with labels, CSV and XLSX with a codebook."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.report.office import write_sheets
from tcslib.report.wording import Words
from tcslib.run.manifest import resolved
from tcslib.run.runs import Run
from tcslib.run.store import aside, load_responses, read_json
from tcslib.run.versions import versions
from tcslib.study.load import Study, load
from tcslib.survey.responses import Responses

_RESERVED = frozenset(["ALL", "AND", "BY", "EQ", "GE", "GT", "LE", "LT", "NE", "NOT", "OR", "TO", "WITH"])
_MOST_BYTES, _MOST_ROWS = 64, 1_048_575          # of an SPSS name; of a sheet
_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?\Z")
_STAMP = (92, b"01 Jan 0000:00:00")          # where a SAV header holds date and time, and what stands there instead


@dataclass(frozen=True)
class Variable:
    """One column of the exported data.

    ``values`` are numbers, NaN where missing, or text; ``labels`` names some of them. ``kinds`` says for each row why
    a number is missing, "" where it is not.
    """

    column: str
    label: str
    values: np.ndarray
    measure: str = "nominal"
    labels: Mapping[float, str] = field(default_factory=dict)
    kinds: np.ndarray | None = None


def export_run(run: Run) -> list[Path]:
    """``export_data`` for a published run, while its stages and its parameters are still those of its report."""
    said = run.manifest
    study = load(run.root / "params" / said["client"] / f"{said['wave']}.yaml", said["inputs"]["params"]["language"])
    if versions(run.folder.parent)[-1] != run.folder:
        raise InputRefused("only the latest version's data are kept. Name no version.", run.name)
    if resolved(study.params) != said["inputs"]["params"]:
        raise InputRefused(f"the study's parameters have changed since. Run `tcs run {study.name}` first.", run.name)
    return export_data(study, run.folder.parents[3] / "data" / "processed" / said["client"] / said["wave"])


def export_data(study: Study, processed: Path) -> list[Path]:
    """Write the respondents of a finished run to ``export`` among its processed data.

    One row for each respondent of the design; answers as cleaned, reversed items turned round, no open answers. In
    the SAV a missing answer is a user-missing code that says why; in CSV and XLSX it is an empty cell, so that no code
    is averaged by accident.

    Parameters
    ----------
    study
        Gives the labels, in its language.
    processed
        The run's folder, ``data/processed/<client>/<wave>``.

    Returns
    -------
    Paths of the SAV, the CSV, its codebook and the workbook; no workbook beyond the rows a sheet holds.

    Raises
    ------
    InputRefused
        When there is no finished run.
    """
    from filelock import FileLock, Timeout

    try:
        (processed / "4_structural_model" / "done.json").stat()
        with FileLock(processed / ".lock", timeout=3):
            variables, codes = _variables(study, processed)
            names = spss_names([v.column for v in variables])
            target = processed / "export"
            for left in processed.glob(".export-*"):
                shutil.rmtree(left, ignore_errors=True)
            with aside(target, ".export-") as made:
                made.mkdir()
                written = _write(made, f"{study.params.client}-{study.params.wave}", names, variables, codes, study)
                if target.exists():
                    shutil.rmtree(target)
    except (FileNotFoundError, NotADirectoryError):
        raise InputRefused(f"no finished run of it has left its data. Run `tcs run {study.name}` first.",
                           study.name) from None
    except Timeout:
        raise InputRefused("a run of this wave is at work. Wait until it is done.", study.name) from None
    return [target / path.name for path in written]


def _variables(study: Study, processed: Path) -> tuple[list[Variable], dict[str, float]]:
    """The columns in their order, and the SPSS code of each kind of missing."""
    left = processed / "2_cleaning"
    answers, said = load_responses(left / "answers"), read_json(left / "labels.json")
    weights = np.array(read_json(left / "weights.json"), dtype=float)
    scores = pd.read_parquet(processed / "4_structural_model" / "scores.parquet")
    if list(scores.index) != list(answers.answers.index) or len(weights) != len(answers):
        raise InputRefused(f"its stages are of different runs. Run `tcs run {study.name}` again.", study.name)
    words, design = Words(study.params.language), answers.design
    out = [Variable(study.params.data.id or "id", words("export.id"), design.ids.astype(object))]
    out += [_item(study, words, answers, name, said["columns"]) for name in answers.answers]
    out += [Variable("weight_base", words("export.base_weight"), design.weights, "scale"),
            Variable("weight_final", words("export.weight"), weights, "scale")]
    yes_no = {0.0: words("export.no"), 1.0: words("export.yes")}
    if not answers.domain.all():
        out.append(Variable("in_domain", words("export.domain"), answers.domain.astype(float), labels=yes_no))
    texts: dict[str, tuple[str, Any]] = {}
    for key, values in (("stratum", design.strata), ("cluster", design.clusters)):
        if values is not None:
            column = getattr(study.params.design, "strata" if key == "stratum" else "clusters") or key
            label = said["columns"].get(column, column)
            texts[column] = (words("export.stratum", label=label) if key == "stratum" else
                             words("export.cluster", label=label), values)
    for column in answers.background:
        texts.setdefault(column, (said["columns"].get(column, column), answers.background[column].to_numpy()))
    out += [_category(column, label, values, said["values"].get(column, {}))
            for column, (label, values) in texts.items()]
    out += [Variable(f"score_{name}", words("export.score", construct=study.label(name) if name in study.model.names
                                            else name), scores[name].to_numpy(float), "scale") for name in scores]
    for name, sign in ((name, f"flag_{name}") for name in answers.flags):
        out.append(Variable(sign, words("export.flag", sign=words(f"rule.{sign}")),
                            answers.flags[name].to_numpy(float), labels=yes_no))
    return out, _codes(study, answers)


def _item(study: Study, words: Words, answers: Responses, name: str, labels: Mapping[str, str]) -> Variable:
    item = answers.questionnaire[name]
    text = study.words(item.text) or labels.get(name, name)
    if item.reversed:
        text = words("export.reversed", text=text, scale=str(item.scale))
    return Variable(name, text, answers.answers[name].to_numpy(float), "scale", kinds=answers.kinds[name].to_numpy(str))


def _category(column: str, label: str, values: Any, labels: Mapping[str, str]) -> Variable:
    """A column of categories: numbers where the file has codes with labels, else text."""
    texts = np.asarray(values, dtype=str)
    if labels and all(_NUMBER.match(text) for text in {*texts, *labels} - {""}):
        numbers = np.array([float(text or "nan") for text in texts])
        return Variable(column, label, numbers, labels={float(code): word for code, word in labels.items()})
    return Variable(column, label, texts.astype(object))


def _codes(study: Study, answers: Responses) -> dict[str, float]:
    """A number for each kind of missing: the study's own code where it has one, all of them above every scale."""
    top = max(item.scale.high for item in answers.questionnaire.values())
    kinds = [str(kind) for kind in pd.unique(answers.kinds.to_numpy().ravel()) if kind]
    out: dict[str, float] = {}
    for item in answers.questionnaire.values():
        for code, kind in sorted(item.missing_codes.items(), reverse=True):
            if kind in kinds and code > top and code not in out.values():
                out.setdefault(kind, code)
    free = 99.0
    while free - 20 < top:
        free = free * 10 + 9
    for kind in sorted(set(kinds) - set(out)):
        while free in out.values():
            free -= 1
        out[kind] = free
    return out


def spss_names(columns: Iterable[str]) -> list[str]:
    """Names as SPSS allows them: letters, digits and ``_ . $ # @`` after a letter, 64 bytes, unique in any case."""
    out: list[str] = []
    taken: set[str] = set()
    for column in columns:
        name = re.sub(r"[^\w.$#@]", "_", column).strip("_.")
        if not name or not name[0].isalpha() or name.upper() in _RESERVED:
            name = f"v_{name}".rstrip("_.")
        base, number = name, 1
        while (name := _cut(base, f"_{number}" if number > 1 else "")).casefold() in taken:
            number += 1
        taken.add(name.casefold())
        out.append(name)
    return out


def _cut(name: str, end: str) -> str:
    room = _MOST_BYTES - len(end)
    return name.encode("utf-8")[:room].decode("utf-8", "ignore").rstrip("_.") + end


def _write(folder: Path, name: str, names: list[str], variables: list[Variable], codes: Mapping[str, float],
           study: Study) -> list[Path]:
    words = Words(study.params.language)
    kinds = {code: words.known("kind", kind) for kind, code in codes.items()}
    frame = pd.DataFrame({n: v.values for n, v in zip(names, variables, strict=True)})
    book = pd.DataFrame([{
        words("export.variable"): n, words("export.column"): v.column, words("export.label"): v.label,
        words("export.values"): "; ".join(f"{code:g} = {word}" for code, word in v.labels.items()),
        words("export.missing"): "; ".join(f"{c:g} = {kinds[c]}" for c in sorted(kinds) if v.kinds is not None)}
        for n, v in zip(names, variables, strict=True)])
    sav, csv, codebook, xlsx = (folder / f"{name}{end}" for end in (".sav", ".csv", "-codebook.csv", ".xlsx"))
    _write_sav(sav, study.title, names, variables, frame, codes, kinds)
    for path, table in ((csv, frame), (codebook, book)):
        # Excel takes a CSV for UTF-8 by its byte order mark alone
        table.apply(_as_print).to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")
    if len(frame) <= _MOST_ROWS:
        write_sheets(xlsx, {"data": frame, "codebook": book})
    return [path for path in (sav, csv, codebook, xlsx) if path.exists()]


def _as_print(column: pd.Series) -> pd.Series:
    """Whole numbers without a point; text that a spreadsheet would run begins with an apostrophe."""
    if column.dtype == float:
        return column.astype("Int64") if (column.dropna() % 1 == 0).all() else column
    return column.map(lambda text: f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text)


def _write_sav(path: Path, title: str, names: list[str], variables: list[Variable], frame: pd.DataFrame,
               codes: Mapping[str, float], kinds: Mapping[float, str]) -> None:
    import pyreadstat

    frame, labels, missing, formats = frame.copy(), {}, {}, {}
    for name, variable in zip(names, variables, strict=True):
        if variable.kinds is not None and codes:
            coded = pd.Series(variable.kinds).map(codes).to_numpy(float)
            frame[name] = np.where(np.isnan(variable.values), coded, variable.values)
            labels[name] = dict(sorted(kinds.items()))
            # at most three single values are allowed, but one range; above the scale nothing else lies in it
            missing[name] = [{"lo": min(kinds), "hi": max(kinds)}]
        elif variable.labels:
            labels[name] = dict(variable.labels)
        if frame[name].dtype == float:
            whole = (frame[name].dropna() % 1 == 0).all()
            formats[name] = "F8.0" if whole and not variable.column.startswith(("weight_", "score_")) else "F12.4"
    pyreadstat.write_sav(frame, str(path), file_label=title.encode("utf-8")[:64].decode("utf-8", "ignore"),
                         column_labels=[v.label.encode("utf-8")[:255].decode("utf-8", "ignore") for v in variables],
                         variable_value_labels=labels, missing_ranges=missing, variable_format=formats,
                         variable_measure={n: v.measure for n, v in zip(names, variables, strict=True)},
                         row_compress=True)
    with path.open("r+b") as file:          # the same data give the same bytes
        file.seek(_STAMP[0])
        file.write(_STAMP[1])
