"""Which sections of its study a stage reads: noted while it reads them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tcslib.study.load import Study
from tcslib.study.params import StudyParams

# what a study has made of its sections
_MADE_OF = {"model": {"model"}, "questionnaire": {"items", "scale", "missing_codes", "nps", "model"}}


class WatchedParams:
    """The parameters of a study; each section that is asked for is noted in ``reads``."""

    def __init__(self, params: StudyParams, reads: set[str]) -> None:
        self._params, self._reads = params, reads

    def __getattr__(self, name: str) -> Any:
        # what is no section (`model_dump` and the like) shows them all
        self._reads |= {name} if name in StudyParams.model_fields else set(StudyParams.model_fields)
        return getattr(self._params, name)


class WatchedStudy(Study):
    """A study that notes in ``reads`` which of its sections were asked for."""

    reads: set[str]

    def __getattribute__(self, name: str) -> Any:
        if name in _MADE_OF:
            object.__getattribute__(self, "reads").update(_MADE_OF[name])
        return object.__getattribute__(self, name)


def watched(study: Study) -> WatchedStudy:
    """The same study, watched."""
    reads: set[str] = set()
    params: Any = WatchedParams(study.params, reads)
    out = WatchedStudy(**{f.name: getattr(study, f.name) for f in fields(Study)} | {"params": params})
    object.__setattr__(out, "reads", reads)
    return out
