"""The field sheet: whom to contact in which order, with room for what came of it, as a workbook for interviewers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tcslib.report.office import sheet_name, workbook, write_cell
from tcslib.report.wording import Words
from tcslib.study.load import Study

# final dispositions of the AAPOR Standard Definitions, 10th edition (2023), as far as named persons need them
OUTCOMES = ("1.1", "1.2", "2.11", "2.12", "2.2", "2.3", "2.31", "2.32", "2.33", "3.1", "3.2", "3.9", "4.1", "4.3",
            "4.7", "4.8", "4.9")
ATTEMPTS = 3
_MOST_SHEETS = 20          # beyond so many strata one sheet with a column of strata is easier to find one's way in
_ROOM = 8                  # columns of sheets for stratum, unit and the like are at least so wide


def write_field_sheet(path: Path, study: Study, drawn: pd.DataFrame, contact: pd.DataFrame) -> None:
    """Write the workbook: a sheet of instructions and codes, then one for each stratum, in the study's language.

    Parameters
    ----------
    drawn
        The drawn list, as ``tcs draw`` writes it: the sample of a stratum before its reserve.
    contact
        Columns of the list that tell interviewers whom to contact, row by row the same customers.
    """
    words = Words(study.params.language)
    with workbook(path) as book:
        styles = {"bold": book.add_format({"bold": True}), "text": book.add_format({}),
                  "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
                  "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1,
                                           "bg_color": "#E8EDF2"}),
                  "blank": book.add_format({"border": 4}),
                  # a code typed in stays the text it is in the list: 2.20 is not 2.2
                  "code": book.add_format({"border": 4, "num_format": "@"}),
                  "reserve": book.add_format({"italic": True, "bg_color": "#F4F4F4"})}
        used = {"history"}
        codes = _codes(book, words, study, used, styles, bool((drawn["part"] == "reserve").any()))
        strata = list(dict.fromkeys(drawn["stratum"]))
        if 1 < len(strata) <= _MOST_SHEETS:
            for stratum in strata:
                here = (drawn["stratum"] == stratum).to_numpy()
                title = study.category(study.params.draw.strata, stratum) if study.params.draw else stratum
                _sheet(book, title, words, drawn[here], contact[here], codes, used, styles, False)
        else:
            _sheet(book, words("sheet.everybody"), words, drawn, contact, codes, used, styles, len(strata) > 1)


def _codes(book: Any, words: Words, study: Study, used: set[str], styles: dict[str, Any], reserve: bool) -> str:
    """The sheet of instructions; returns where its codes stand, for the lists to choose from."""
    name = sheet_name(words("sheet.codes"), used)
    sheet = book.add_worksheet(name)
    sheet.set_column(0, 0, 8)
    sheet.set_column(1, 1, 100)
    write_cell(sheet, 0, 0, words("sheet.title", title=study.title, wave=words.wave(study.params.wave)), styles["bold"])
    row = 2
    for number, key in enumerate(["order", "attempts", "final", *(["reserve"] if reserve else []), "private"], 1):
        write_cell(sheet, row, 0, number)
        write_cell(sheet, row, 1, words(f"sheet.how.{key}", attempts=ATTEMPTS), styles["wrap"])
        row += 1
    write_cell(sheet, row + 1, 0, words("sheet.code"), styles["head"])
    write_cell(sheet, row + 1, 1, words("sheet.meaning"), styles["head"])
    first = row + 3
    for at, code in enumerate(OUTCOMES):
        write_cell(sheet, row + 2 + at, 0, code)
        write_cell(sheet, row + 2 + at, 1, words(f"outcome.{code.replace('.', '_')}"), styles["wrap"])
    write_cell(sheet, first + len(OUTCOMES), 0, words("sheet.source"))
    return f"='{name}'!$A${first}:$A${first + len(OUTCOMES) - 1}"


def _sheet(book: Any, title: str, words: Words, drawn: pd.DataFrame, contact: pd.DataFrame, codes: str,
           used: set[str], styles: dict[str, Any], with_stratum: bool) -> None:
    """One sheet: the sample in the order of contact, below it the reserve in the order of replacement."""
    sheet = book.add_worksheet(sheet_name(title, used))
    columns: list[tuple[str, Sequence[Any]]] = [
        (words("sheet.order"), drawn["order"].tolist()),
        (words("sheet.part"), [words(f"sheet.{part}") for part in drawn["part"]]),
        (words("sheet.field_id"), drawn["field_id"].tolist())]
    if with_stratum:
        columns.append((words("head.stratum"), drawn["stratum"].tolist()))
    columns += [(words("sheet.unit") if number == 1 else words("sheet.unit_of", number=number), list(values))
                for number, values in _units(drawn)]
    columns += [(name, contact[name].tolist()) for name in contact]
    filled = len(columns)
    heads = [name for name, _ in columns]
    for number in range(1, ATTEMPTS + 1):
        heads += [words("sheet.when", number=number), words("sheet.result", number=number)]
    heads += [words("sheet.final"), words("sheet.interviewer"), words("sheet.remarks")]
    for at, head in enumerate(heads):
        write_cell(sheet, 0, at, head, styles["head"])
    parts, coded = drawn["part"].tolist(), [*range(filled + 1, filled + 2 * ATTEMPTS, 2), filled + 2 * ATTEMPTS]
    for row in range(len(drawn)):
        style = styles["reserve"] if parts[row] == "reserve" else styles["text"]
        for at, (_, values) in enumerate(columns):
            write_cell(sheet, row + 1, at, values[row], style)
        for at in range(filled, len(heads)):
            sheet.write_blank(row + 1, at, None, styles["code" if at in coded else "blank"])
    for at in coded:
        sheet.data_validation(1, at, len(drawn), at, {
            "validate": "list", "source": codes, "error_type": "warning", "error_title": words("sheet.code"),
            "error_message": words("sheet.no_code")})
    _laid_out(sheet, columns, heads, filled)


def _units(drawn: pd.DataFrame) -> list[tuple[int, Sequence[Any]]]:
    """Units of the stages before the customer, where there are any."""
    found = [(number, drawn[f"unit_{number}"]) for number in range(1, 10) if f"unit_{number}" in drawn]
    return [(number, values.tolist()) for number, values in found
            if (values != drawn["id"]).any() and (values != "").any()]


def _laid_out(sheet: Any, columns: Sequence[tuple[str, Sequence[Any]]], heads: Sequence[str], filled: int) -> None:
    """Columns wide enough to read, heads that stay in sight and repeat on paper, one page across."""
    for at, (name, values) in enumerate(columns):
        longest = max((_wide(str(v)) for v in values[:500]), default=0)
        sheet.set_column(at, at, min(40, max(_ROOM, longest + 2, _wide(name) / 2 + 2)))
    for at in range(filled, len(heads)):
        dated = at < filled + 2 * ATTEMPTS and (at - filled) % 2 == 0
        sheet.set_column(at, at, 16 if dated else 30 if at == len(heads) - 1 else 11)
    sheet.freeze_panes(1, 3)
    sheet.autofilter(0, 0, len(columns[0][1]), len(heads) - 1)
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&R&P / &N")


def _wide(text: str) -> int:
    return sum(2 if c >= "\u2e80" else 1 for c in text)
