"""The customer list as a file: how the study says to read it, and whether it has the columns the study names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tcslib.errors import InputRefused
from tcslib.fieldwork.columns import columns_in
from tcslib.fieldwork.source import Source, source_at
from tcslib.study.load import Study
from tcslib.study.params import DataParams
from tcslib.study.sections.frame import FrameParams
from tcslib.study.strict_yaml import meant

_KEYS = ("file", "id", "sheet", "header_row", "encoding", "delimiter")


def list_source(study: Study, frame: FrameParams) -> Source:
    """The file of the study's customer list; refused as answers are, see ``source_of``."""
    try:
        return source_at(study.root, DataParams.model_validate({key: getattr(frame, key) for key in _KEYS}))
    except InputRefused as error:
        raise of_frame(error) from None


def of_frame(error: InputRefused) -> InputRefused:
    """A refusal by the door for answers, in the words of the section ``frame``."""
    return InputRefused(re.sub(rf"\bdata\.({'|'.join(_KEYS)})\b", r"frame.\1", str(error)))


def check_list(study: Study) -> list[InputRefused]:
    """One refusal for every column of the list the study names and its file lacks; none where it names no list."""
    frame = study.params.frame
    if frame is None:
        return []
    try:
        return lacking(study, frame, columns_in(list_source(study, frame)))
    except InputRefused as error:
        return [of_frame(error)]


def lacking(study: Study, frame: FrameParams, columns: Sequence[str]) -> list[InputRefused]:
    """The same, of columns read already."""
    named = frame.columns() | (study.params.draw.columns() if study.params.draw else {})
    there = [name for name in columns if name]
    return [InputRefused(f'column "{column}" ({key}) is missing. ' + meant(
        column, there, f"The list has {', '.join(there[:12])}.", 0.6), frame.file)
        for column, key in named.items() if column not in there]
