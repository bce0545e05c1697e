"""Parquet files: numbers, text and dates by pyarrow; what holds more than one value in a cell is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tcslib.fieldwork.header import names_in
from tcslib.fieldwork.source import Source, listed, quoted
from tcslib.fieldwork.tables import Table, texts_of

_EXACT = 2**53          # beyond it a float no longer tells whole numbers apart
_MOST = 1_000_000_000          # cells; a column of one value packs to nothing, so that a file's size tells little


def columns(source: Source) -> list[str]:
    """The column names, read without the rows."""
    return names_in(_opened(source).schema_arrow.names, source, "")


def read_parquet(source: Source) -> Table:
    """The file as it is: dictionaries as their words, dates as ISO text, whole numbers beyond 2^53 as text."""
    import pyarrow as pa

    names = columns(source)
    file = _opened(source)
    if file.metadata.num_rows * len(names) > _MOST:
        raise source.refused(f"holds {file.metadata.num_rows:,} rows of {len(names):,} columns; at most {_MOST:,} "
                             "cells are read. Give the rows and columns of this study only.")
    try:
        table = file.read()
        read = [_column(table.column(at)) for at in range(table.num_columns)]
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, error) from None
    return Table(names, read, np.arange(1, table.num_rows + 1), row_word="row", largest=float(_EXACT))


def _opened(source: Source) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source.path)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(source, error) from None
    nested = [f"{quoted(f.name)} ({f.type})" for f in file.schema_arrow
              if pa.types.is_nested(f.type) or pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)]
    if nested:
        raise source.refused(f"holds columns whose cells are no single number, text or date: {listed(nested)}. Write "
                             "one column for each value, or leave them out.")
    return file


def _damaged(source: Source, error: Exception) -> Exception:
    return source.refused(f"cannot be read as Parquet ({' '.join(str(error).split())[:100]}). Write it again, or save "
                          "it as CSV.")


def _column(values: Any) -> pd.Series:
    """Float64 for numbers that a float holds exactly, else text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_null(kind):
        return texts_of([""] * len(values))
    if pa.types.is_integer(kind):
        least, most = pc.min_max(values).values() if len(values) > values.null_count else (pa.scalar(0), pa.scalar(0))
        if max(abs(least.as_py()), abs(most.as_py())) < _EXACT:
            return values.cast(pa.float64()).to_pandas().astype(float)
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return values.cast(pa.float64()).to_pandas().astype(float)
    if pa.types.is_boolean(kind):
        values = pc.if_else(values, "TRUE", "FALSE")
    return texts_of(values.cast(pa.string()).fill_null("").to_pylist())
