"""What the tests of reading share: a small study, and what comes of reading a file with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from conftest import MakeStudy

from tcslib.errors import InputRefused
from tcslib.fieldwork.reading import RawAnswers, read
from tcslib.study.load import load

# four items and an id, for files written in a test
SMALL: Mapping[str, Any] = {
    "model": {"constructs": {"A": ["A1", "A2"], "B": ["B1", "B2"]}, "paths": [["A", "B"]], "target": "B",
              "loyalty": None},
    "design": None, "compare": None, "report": None}
HEAD = "id,A1,A2,B1,B2\n"


def rows(count: int = 30, first: str = "") -> str:
    """A file for the small study: the header, perhaps a special first row, and rows of plain answers."""
    return HEAD + first + "".join(f"R{i},{1 + i % 10},7,8,{1 + i % 9}\n" for i in range(count))


def good(make_study: MakeStudy, *args: Any, **kwargs: Any) -> RawAnswers:
    """The answers as read."""
    return read(load(make_study(*args, **kwargs)))


def refused(make_study: MakeStudy, *args: Any, **kwargs: Any) -> list[str]:
    """The lines of the refusal: each names the file, which stays as it was."""
    study = load(make_study(*args, **kwargs))
    path = study.root / study.params.data.file
    before = path.read_bytes()
    with pytest.raises(InputRefused) as caught:
        read(study)
    assert path.read_bytes() == before
    for line in caught.value.lines:
        assert line.startswith(f"{study.params.data.file}: "), line
        assert line.endswith((".", "?", ")")) and "\n" not in line and "Traceback" not in line, line
    return caught.value.lines
