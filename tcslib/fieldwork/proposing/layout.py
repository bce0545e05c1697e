"""The rows of question texts and import ids that survey platforms put below the column names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcslib.fieldwork.columns import columns_in, unopened
from tcslib.fieldwork.proposing.words import says
from tcslib.fieldwork.reading import READERS
from tcslib.fieldwork.source import Source
from tcslib.fieldwork.tables import Table

_LEGACY = {"ResponseID", "IPAddress", "StartDate", "EndDate", "Finished"}


def table_at(source: Source) -> tuple[Table, int]:
    """The file as a table; a platform's further header rows become labels. Also how many of them there are."""
    if source.kind == "xlsx" and not source.id:          # a row of totals is known by the id's column
        source = replace(source, id=next((n for n in columns_in(source) if says(n, "roles", "id")), ""))
    try:
        table = READERS[source.kind](source)
    except OSError as error:
        raise unopened(source, error) from None
    rows = _platform_rows(table)
    if not rows:
        return table, 0
    labels = {name: str(column.iloc[0]) for name, column in zip(table.names, table.columns, strict=True) if name}
    columns = [column.iloc[rows:].reset_index(drop=True) for column in table.columns]
    return replace(table, columns=columns, lines=np.asarray(table.lines[rows:]), labels=labels), rows


def _platform_rows(table: Table) -> int:
    """Qualtrics writes question texts and ``ImportId``; it used to write V1, V2 … with names and texts below."""
    if len(table.lines) < 2:
        return 0
    texts = [column for column in table.columns if column.dtype != float]
    for row in (1, 0):
        if sum('"ImportId"' in str(column.iloc[row]) for column in texts) > 0.5 * len(texts):
            return row + 1
    return int(len(_LEGACY & {str(column.iloc[0]) for column in texts}) >= 3)
