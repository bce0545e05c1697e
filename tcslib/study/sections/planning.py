"""What the sample was planned to deliver."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tcslib.study.sections.base import Section
from tcslib.study.values import Words


class PlanStratum(Section):
    """One stratum of the frame."""

    size: int = Field(gt=0, description="customers on the frame")
    sd: float | None = Field(None, gt=0, description="expected standard deviation of the index within it")


class PlanParams(Section):
    """What the sample was planned to deliver."""

    strata: dict[str, PlanStratum] = {}
    population: int | None = Field(None, gt=0)
    frame: Words = {}
    margin: float = Field(2.5, gt=0, description="half-width of the 95% interval of the index, in points")
    change: float = Field(5.0, gt=0, description="smallest change between two waves worth seeing, in points")
    sd: float = Field(20.0, gt=0, description="expected standard deviation of individual index scores")
    deff: float = Field(1.0, gt=0, description="design effect expected")
    response: float = Field(1.0, gt=0, le=1, description="response rate expected")
    eligible: float = Field(1.0, gt=0, le=1, description="share of those approached whom the report is about")
    power: float = Field(0.8, gt=0.5, lt=1)
    allocation: Literal["proportional", "equal", "neyman"] = "proportional"
    drawn: int | None = Field(None, gt=0, description="customers drawn and approached")
