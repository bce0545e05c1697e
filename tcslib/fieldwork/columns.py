"""Which columns the file has and which the study names, without reading a single answer.

Nothing here imports pandas, so that a check of a study costs milliseconds.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tcslib.errors import InputRefused
from tcslib.fieldwork import delimited, workbook
from tcslib.fieldwork.encoding import header_encoding
from tcslib.fieldwork.header import names_in
from tcslib.fieldwork.sheethead import head_of
from tcslib.fieldwork.source import Source, listed, source_of
from tcslib.study.load import Study


def columns_of(study: Study) -> list[str]:
    """Names of the columns of the study's file, as ``columns_in`` gives them."""
    return columns_in(source_of(study))


def columns_in(source: Source) -> list[str]:
    """A file's column names in their order, "" for a column without one; reads the header only."""
    try:
        if source.kind == "csv":
            encoding = header_encoding(source)
            record, below = delimited.header(source, encoding, delimited.mark_of(source, encoding))
            below.close()
            return names_in(record.cells, source, f"line {record.line}")
        if source.kind == "xlsx":
            with workbook.opened(source) as archive:
                sheet = workbook.chosen(source, workbook.sheets(archive))
                head = head_of(source, archive, sheet)
                return names_in(head.names, source, f"row {head.row}")
        if source.kind == "parquet":
            from tcslib.fieldwork import parquet

            return parquet.columns(source)
        from tcslib.fieldwork.spss import metadata

        return names_in(metadata(source).column_names, source, "")
    except OSError as error:
        raise unopened(source, error) from None


def unopened(source: Source, error: OSError) -> InputRefused:
    """The refusal of a file the system does not hand over."""
    return source.refused(f"cannot be opened ({error.strerror or type(error).__name__}). Close it in other programs "
                          "and check that you may read it.")


def named_columns(study: Study) -> dict[str, list[str]]:
    """Every column the study names, with the keys it stands in."""
    params = study.params
    named = [(params.data.id, "data.id"),
             *((item, f"model.constructs.{c.name}") for c in study.model.constructs for item in c.items),
             (params.nps, "nps"),
             *((column, f"design.{key}") for key, column in (params.design.labels | params.design.numbers).items()),
             *((column, "replicates.columns") for column in params.replicates.given),
             *params.weighting.columns.items(),
             *((rule.column, f"policy.{k}") for k, rule in enumerate(params.policy, 1)),
             *((column, f"cleaning.require.{column}") for column in params.cleaning.require),
             (params.cleaning.duration, "cleaning.duration"), (params.compare.brand, "compare.brand"),
             *((column, "compare.segments") for column in params.compare.segments),
             *((column, "report.verbatims") for column in params.report.verbatims),
             *params.fieldwork.columns,
             *((column, f"categories.{column}") for column in params.categories)]
    out: dict[str, dict[str, None]] = {}
    for column, key in named:
        out.setdefault(column, {})[key] = None
    return {column: list(keys) for column, keys in out.items() if column}


def check_columns(study: Study, columns: Sequence[str]) -> list[InputRefused]:
    """One refusal for every column the study names and the file lacks."""
    present = [name for name in columns if name]
    unnamed = [str(number) for number, name in enumerate(columns, 1) if not name]
    named = named_columns(study)
    hint = f" (The file's column {listed(unnamed)} has no name.)" if unnamed else ""
    if not set(named) & set(present):
        hint += " No name fits: is data.header_row right?"
    return [InputRefused(f'column "{column}" ({", ".join(keys)}) is missing. {_instead(column, present)}{hint}',
                         study.params.data.file) for column, keys in named.items() if column not in present]


def _instead(column: str, present: list[str]) -> str:
    near = [name for name in present if name.casefold() == column.casefold()]
    near = near or difflib.get_close_matches(column, present, 1, 0.6)
    return f"Did you mean {near[0]}?" if near else f"The file has {listed(present)}."
