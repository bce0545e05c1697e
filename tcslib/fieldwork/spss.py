"""SAV and DTA files: values, labels and what their author declared missing, by pyreadstat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tcslib.fieldwork.source import Source
from tcslib.fieldwork.tables import Table, texts_of, value_text

_LARGEST = 2.0**53          # beyond it a float no longer tells whole numbers apart
_PACKED = 1_100             # a zlib-packed file holds at most about this many bytes in one


def metadata(source: Source) -> Any:
    """The file's dictionary, read without its rows; refused when it cannot be true."""
    meta = _parsed(source, metadataonly=True)[1]
    if not all(meta.column_names):
        raise source.refused("the names of its columns cannot be read: the file is damaged. Export it again.")
    rows, columns = meta.number_rows or 0, len(meta.column_names)
    with source.path.open("rb") as file:
        size = source.path.stat().st_size * (_PACKED if file.read(4) == b"$FL3" else 1)
    # even a compressed value takes a byte
    if rows * columns > size:
        raise source.refused(f"the header claims {rows:,} rows of {columns:,} columns, more than {size:,} bytes can "
                             "hold: the file is damaged. Export it again.")
    return meta


def read_sav(source: Source) -> Table:
    """The file as it is: codes declared missing stay the codes they are; Stata's .a to .z are empty and tagged."""
    stated = metadata(source).number_rows
    frame, meta = _parsed(source, user_missing=True)
    if stated is not None and 0 <= stated != len(frame):
        raise source.refused(f"holds {len(frame):,} rows where its header states {stated:,}: the file is cut short. "
                             "Export it again.")
    names = list(meta.column_names)
    columns, tagged = [], {}
    for at, name in enumerate(names):
        values = frame.iloc[:, at]
        if name in meta.missing_user_values:
            values, tagged[name] = _untagged(values)
        columns.append(_column(values))
    return Table(
        names, columns, np.arange(1, len(frame) + 1),
        labels={name: label for name, label in meta.column_names_to_labels.items() if label},
        value_labels={name: {value_text(value): str(label) for value, label in labels.items()}
                      for name, labels in meta.variable_value_labels.items()},
        missing={name: tuple((one["lo"], one["hi"]) for one in of) for name, of in meta.missing_ranges.items()},
        tagged=tagged, row_word="row", largest=_LARGEST)


def _untagged(values: pd.Series) -> tuple[pd.Series, dict[str, np.ndarray]]:
    """Numbers without Stata's extended missing values, and the rows of each of these."""
    text = values.map(lambda value: isinstance(value, str)).to_numpy(bool)
    tags = {f".{letter}": np.flatnonzero(values == letter) for letter in sorted(set(values[text]))}
    return values.mask(text).astype(float), tags


def _parsed(source: Source, **how: Any) -> tuple[pd.DataFrame, Any]:
    import pyreadstat

    if source.encoding:
        how["encoding"] = source.encoding.upper()
    try:
        return (pyreadstat.read_dta if source.kind == "dta" else pyreadstat.read_sav)(str(source.path), **how)
    except OSError:
        raise
    except Exception as error:          # the parser names its faults in many ways; all of them are the file's
        raise source.refused(f"cannot be read as {source.kind.upper()} ({' '.join(str(error).split())[:100]}). "
                             "The file is damaged or of another kind: export it again, or save it as CSV.") from None


def _column(values: pd.Series) -> pd.Series:
    """Numbers as float64, dates as ISO text, text as it is."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype(float)
    return texts_of(["" if missing else str(value) for value, missing in zip(values, values.isna(), strict=True)])
