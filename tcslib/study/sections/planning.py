"""What the sample was planned to deliver."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tcslib.study.sections.base import Section
from tcslib.study.values import Name, Share, Words


class PlanStratum(Section):
    """One stratum of the frame."""

    size: int = Field(gt=0, description="customers on the frame")
    sd: float | None = Field(None, gt=0, description="expected standard deviation of the index within it")
    cost: float | None = Field(None, gt=0, description="of one interview there; default interview_cost")


class SharePlan(Section):
    """A share to be known."""

    margin: float = Field(gt=0, lt=1, description="half-width of its 95% interval, such as 0.05")
    expected: float = Field(0.5, gt=0, lt=1, description="the share expected; 0.5 asks for most answers")


class NpsPlan(Section):
    """A net promoter score to be known."""

    margin: float = Field(gt=0, lt=200, description="half-width of its 95% interval, in its points (-100 to 100)")
    promoters: Share = Field(description="share expected")
    detractors: Share = Field(description="share expected")


class RivalPlan(Section):
    """A difference from a rival in the same wave."""

    difference: float = Field(gt=0, description="smallest one worth seeing, in points")
    sd: float | None = Field(None, gt=0, description="of the rival's scores; default plan.sd")
    ratio: float | None = Field(None, gt=0, description="answers about the rival for each about the client; default 1")
    correlation: float | None = Field(None, gt=-1, lt=1, description="of a person's two scores, where the same people "
                                                                     "rate both")


class PlanParams(Section):
    """What the sample was planned to deliver."""

    strata: dict[str, PlanStratum] = Field({}, description="of the frame, by the value design.strata has in the data")
    population: int | None = Field(None, gt=0, description="customers on the frame, where no strata are named")
    frame: Words = Field({}, description="what the sample is drawn from, for the reader")
    margin: float = Field(2.5, gt=0, description="half-width of the 95% interval of the index, in points")
    change: float = Field(5.0, gt=0, description="smallest change between two waves worth seeing, in points")
    overlap: Share | None = Field(None, description="share of the people who answer in both waves; 1 for a full panel")
    correlation: float | None = Field(None, gt=-1, lt=1, description="of a person's scores in the two waves")
    share: SharePlan | None = Field(None, description="a share to be known, such as of satisfied customers")
    nps: NpsPlan | None = Field(None, description="a net promoter score to be known")
    rival: RivalPlan | None = Field(None, description="a difference from a rival to be seen")
    segments: dict[Name, Annotated[float, Field(gt=0, le=1)]] = Field(
        {}, description="segments to be known each by itself, and their shares of the customers")
    segment_margin: float | None = Field(None, gt=0, description="half-width for each of them; default margin")
    smallest_path: float | None = Field(None, gt=0, lt=1, description="smallest standardised path worth finding")
    smallest_f2: float | None = Field(None, gt=0, description="smallest f² of one predictor worth finding, such as .02")
    answers: int | None = Field(None, ge=2, description="answers planned, where their number is given; default as many "
                                                        "as the aims above ask for")
    sd: float = Field(20.0, gt=0, description="expected standard deviation of individual index scores")
    deff: float = Field(1.0, gt=0, description="design effect expected; or its parts cluster_size, rho, weights_deff")
    cluster_size: float | None = Field(None, ge=1, description="answers planned per sampling unit")
    rho: float | None = Field(None, gt=0, lt=1, description="correlation of answers within a sampling unit")
    weights_deff: float | None = Field(None, ge=1, description="design effect of unequal weights")
    response: float = Field(1.0, gt=0, le=1, description="response rate expected")
    eligible: float = Field(1.0, gt=0, le=1, description="share of those approached whom the report is about")
    power: float = Field(0.8, gt=0.5, lt=1, description="with which changes, differences and paths are to be seen")
    allocation: Literal["proportional", "equal", "neyman", "cost", "power"] = Field(
        "proportional", description="how answers are spread over the strata")
    power_exponent: float | None = Field(None, ge=0, le=1, description="of allocation power: 0 serves each stratum "
                                         "alike, 1 the whole; default 0.5")
    minimum: int | None = Field(None, ge=2, description="answers every stratum gets at least")
    takes_all: bool = Field(False, description="interview all customers of a stratum smaller than its allocation, and "
                                               "spread the rest")
    budget: float | None = Field(None, gt=0, description="for the fieldwork; never more answers than it pays for")
    fixed_cost: float = Field(0.0, ge=0, description="part of the budget that no interview is paid from")
    interview_cost: float | None = Field(None, gt=0, description="of one interview")
    unit_cost: float | None = Field(None, gt=0, description="of one sampling unit more")
    drawn: int | None = Field(None, gt=0, description="customers drawn and approached")
