"""When and how the interviews were made."""

from __future__ import annotations

from tcslib.study.sections.base import Section
from tcslib.study.values import Words


class FieldParams(Section):
    """When and how the interviews were made."""

    start: str = ""
    end: str = ""
    mode: Words = {}
