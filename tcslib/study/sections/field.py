"""When and how the interviews were made, and what became of those who were drawn."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, model_validator

from tcslib.study.dispositions import DISPOSITIONS, disposition_of
from tcslib.study.sections.base import Section
from tcslib.study.values import Columns, Name, Share, Words

Count = Annotated[int, Field(ge=0)]
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


class OutcomeParams(Section):
    """The final disposition of every case drawn: counted here, or in a column of the data file."""

    counts: dict[Name, Count] = Field({}, description="cases by outcome, such as complete: 300 or 2.1: 200")
    column: str = Field("", description="column of the data file, which then holds the non-respondents too")
    codes: dict[Name, Name] = Field({}, description="own codes and what they mean: {9: refusal}")
    e: Share | None = Field(None, description="share of the cases of unknown eligibility taken for eligible; default "
                                              "that among the cases known")
    by: Columns = Field([], description="columns by which rates are shown too; default the strata")

    @model_validator(mode="after")
    def known(self) -> OutcomeParams:
        """Every outcome named must be one."""
        for key, names in (("codes", self.codes.values()), ("counts", self.counts)):
            for name in names:
                if not disposition_of(name, self.codes if key == "counts" else None):
                    raise ValueError(f'{key}: "{name}" is no outcome known. Use a code of AAPOR\'s, such as 2.1, '
                                     f"or one of {', '.join(DISPOSITIONS)}.")
        if self.counts and not any(self.counts.values()):
            raise ValueError("counts: all of them are 0. Give the cases drawn, or drop them.")
        return self


class CasesParams(Section):
    """A file with a row for every case drawn."""

    file: Name
    id: Name = Field(description="column that names the case, as data.id does")


class ContactParams(CasesParams):
    """A file with a row for every attempt at a case."""

    outcome: Name = Field(description="column with what came of the attempt")
    date: str = Field("", description="column with the day of the attempt; otherwise the rows are in order")
    mode: str = Field("", description="column with how it was made")


class FieldParams(Section):
    """When and how the interviews were made, and what became of those who were drawn."""

    start: str = ""
    end: str = ""
    mode: Words = {}
    outcome: OutcomeParams = OutcomeParams()
    contacts: ContactParams | None = Field(None, description="the log of contacts")
    drawn: CasesParams | None = Field(None, description="the list of those drawn, with what the frame knows of them")
    invited: int | None = Field(None, gt=0, description="panels: personal invitations sent")
    quota: dict[Name, dict[Name, Count]] = Field({}, description="interviews planned, by column and category")
    date: str = Field("", description="column with the day of the interview")
    attempts: str = Field("", description="column with the attempts the interview took")
    frame: Columns = Field([], description="columns known of respondents and non-respondents, to compare them by")

    @model_validator(mode="after")
    def one_source(self) -> FieldParams:
        """Outcomes come from one place, and from one that can tell what is asked of it."""
        given = [name for name, there in (("outcome.counts", self.outcome.counts), ("outcome.column",
                 self.outcome.column), ("contacts", self.contacts)) if there]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} both tell the outcomes. Keep one.")
        case_by_case = self.outcome.column or self.contacts
        if self.outcome.by and not case_by_case:
            raise ValueError("outcome.by needs outcomes case by case: outcome.column, or contacts. Add one or drop it.")
        if self.frame and not (case_by_case or self.drawn):
            raise ValueError("frame needs non-respondents: outcome.column, contacts or drawn. Add one or drop it.")
        if self.outcome.e is not None and not given:
            raise ValueError("outcome.e belongs to outcomes, and none are stated. Add them or drop it.")
        if _DAY.match(self.start) and _DAY.match(self.end) and self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}. Correct one.")
        return self

    @property
    def columns(self) -> list[tuple[str, str]]:
        """Columns of categories the data file must hold, each with the key that names it."""
        own = [*((c, "outcome.by") for c in self.outcome.by), *((c, "frame") for c in self.frame)]
        return [(self.outcome.column, "fieldwork.outcome.column"), (self.date, "fieldwork.date"),
                (self.attempts, "fieldwork.attempts"), *((c, f"fieldwork.quota.{c}") for c in self.quota),
                *((c, f"fieldwork.{key}") for c, key in own if self.outcome.column)]

    @property
    def files(self) -> list[tuple[str, str]]:
        """Files besides that of the answers, each behind the key that names it."""
        return [(f"fieldwork.{key}.file", part.file) for key, part in (("contacts", self.contacts),
                                                                       ("drawn", self.drawn)) if part]
