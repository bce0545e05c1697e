"""Every key a study may hold, with its meaning, its type and its default.

The classes mirror the YAML: a mapping there is a class here. Unknown keys are refused, nothing is guessed, and the
field descriptions are what the JSON Schema for editors shows.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tcslib.study.sections.base import Section
from tcslib.study.sections.design import DesignParams, ReplicateParams
from tcslib.study.sections.field import FieldParams
from tcslib.study.sections.frame import DrawParams, FrameParams
from tcslib.study.sections.planning import PlanParams
from tcslib.study.sections.policy import PolicyRule
from tcslib.study.sections.weighting import WeightingParams
from tcslib.study.values import TAG, Codes, Columns, Edges, Name, OneOrMore, Period, ScaleText, Share, Slug, Words


class ItemParams(Section):
    """One question."""

    text: Words = Field({}, description="wording as asked")
    scale: ScaleText | None = Field(None, description="when it differs from the study's")
    reversed: bool = Field(False, description="true when a high answer is a bad one; cleaning turns it round")
    asked_if: str = Field("", description="what decides whether it is asked; never imputed where it was not")
    missing_codes: Codes | None = Field(None, description="when they differ from the study's")


class ConstructParams(Section):
    """One latent variable."""

    items: list[Name] | None = Field(None, description="names of the columns that measure it")
    mode: Literal["A", "B"] | None = Field(None, description="A reflective, B formative")
    label: Words | None = None
    action: Words | None = Field(None, description="what raising it means, as a verb phrase")
    lever: bool | None = Field(None, description="false: shown on the map, never ranked as an action")

    @model_validator(mode="before")
    @classmethod
    def long_form(cls, value: Any) -> Any:
        """``Image: [IMAG1, IMAG2]`` is short for ``Image: {items: [...]}``."""
        return {"items": value} if isinstance(value, list) else value


class ModelParams(Section):
    """The model: a preset, or constructs and paths of one's own."""

    preset: str | None = Field(None, description="acsi, ccsi, ecsi, scsb or tcs")
    constructs: dict[Name, ConstructParams] = {}
    paths: list[list[str]] | None = Field(None, description="pairs [from, to]")
    without: list[str] = Field([], description="constructs this study, or this wave of it, did not measure")
    target: str | None = Field(None, description="the construct whose 0-100 score is the index")
    loyalty: str | None = Field(None, description="the construct read as loyalty")
    item_in_several: bool = Field(False, description="allow an item to measure more than one construct")


class PlsParams(Section):
    """Settings of the PLS estimation; every replicate reuses them whole."""

    outer: Literal["estimated", "equal"] = Field(
        "estimated", description="equal: no PLS; each construct is the mean of its questions on 0-100")
    scheme: Literal["path", "factorial", "centroid"] = "path"
    standardised: bool = Field(True, description="items to unit variance before estimation")
    missing: Literal["pairwise", "mean", "listwise"] = "pairwise"
    tolerance: float = Field(1e-7, gt=0, lt=1e-2, description="stop when the sum of weight changes is below")
    max_iterations: int = Field(300, ge=1, le=10_000)


class MeasurementParams(Section):
    """Which variants of the reliability and validity statistics are printed."""

    alpha: Literal["standardised", "raw"] = "standardised"
    htmt: Literal["absolute", "signed"] = "absolute"


class CleaningParams(Section):
    """Rules of cleaning, each of which leaves a line in the ledger."""

    require: dict[str, OneOrMore] = Field({}, description="screening: a column and the answers that stay")
    same_id: Literal["refuse", "keep_first", "keep_last"] = Field("refuse", description="one id, different answers")
    max_missing: Share = Field(0.5, description="interviews with a larger share of model items missing are left out")
    duration: str = Field("", description="column with the length of the interview, in seconds")
    speed_share: Share = Field(1 / 3, description="flag interviews shorter than this share of the median")
    straight_share: Share = Field(1.0, description="flag interviews with at least this share of equal answers")
    exclude_at_flags: int = Field(2, ge=1, description="leave out interviews with this many flags; identical answers "
                                                       "alone can be honest")
    out_of_scale_limit: Share = Field(0.05, description="refuse the file when more of a column is out of its scale")


class DataParams(Section):
    """The file of answers."""

    file: Name
    id: str = Field("", description="column that names the respondent; without it the row number does")
    sheet: str = Field("", description="XLSX: name of the sheet, default the first visible one")
    header_row: int | None = Field(None, ge=1, le=100, description="line or row that holds the column names, the lower "
                                   "one of two; default the first, below an XLSX sheet's title")
    header_rows: Literal[1, 2] | None = Field(None, description="XLSX: 2 when a row of groups stands above the names")
    encoding: Literal["utf-8", "gb18030", "utf-16", "big5", "cp1252"] | None = None
    delimiter: Literal["", ",", ";", "tab", "|"] = Field("", description="CSV: what stands between the columns")
    decimal: Literal["", ".", ","] = Field("", description="what stands before decimals where numbers are text")


class ChangeParams(Section):
    """What happened to a question since the wave before; without any of it, nothing that matters."""

    was: str = Field("", description="its name in the wave before")
    wording: bool = Field(False, description="it was worded anew: comparisons carry a mark")
    scale: bool = Field(False, description="it was asked on another scale: comparisons carry a mark")
    codes: bool = Field(False, description="codes that are no answers changed: comparisons carry a mark")
    new: bool = Field(False, description="the wave before did not ask it")
    note: Words = Field({}, description="why, for the reader")


class CompareParams(Section):
    """What the results are set against."""

    previous: Period | None = Field(None, description="the wave before, such as 2026Q2")
    base: Period | None = Field(
        None, description="the wave whose outer weights define the index over time; the oldest by default")
    overlap: Literal["none", "units", "respondents"] | None = Field(
        None, description="what equal names in two waves mean: nothing, the same sampling units, the same people; "
        "nothing too where each wave was drawn anew from one list and finite population corrections are made")
    brand: str = Field("", description="column with the brand each respondent rated")
    own: str = Field("", description="the client's value in that column; the report is about these respondents")
    segments: Columns = []


class CategoryParams(Section):
    """A background column as readers see it; results.json keeps the data's own words."""

    label: Words = Field({}, description="what the column tells, such as region")
    values: dict[str, Words] = Field({}, description="its values as readers see them")


class LoyaltyParams(Section):
    """How loyalty is read against satisfaction."""

    bands: Edges = Field([0.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0],
                         description="edges of the bands of satisfaction, from 0 to 100")


class ReportParams(Section):
    """What the page shows."""

    min_cell: int = Field(5, ge=2, description="groups below this are hidden; 10 in employee studies")
    min_base: int = Field(30, ge=5, description="groups below this are shown as few answers")
    verbatims: Columns = Field([], description="open answers; masked before they are stored")


class StudyParams(Section):
    """A study of one client, one wave."""

    client: Slug
    wave: Period
    title: Words = {}
    sponsor: Words = Field({}, description="who pays for the study")
    language: Literal["en", "zh"] = "en"
    population: Words = {}
    sample: Literal["probability", "quota", "opt_in", "census"] = "probability"
    scale: ScaleText = "1-10"
    missing_codes: Codes = {}
    items: dict[str, ItemParams] = {}
    model: ModelParams
    nps: str = Field("", description="column of the 0-10 recommendation question")
    data: DataParams
    design: DesignParams = DesignParams()
    weighting: WeightingParams = WeightingParams()
    policy: list[PolicyRule] = Field([], description="whose voice counts how much; scores stand with and without it")
    cleaning: CleaningParams = CleaningParams()
    pls: PlsParams = PlsParams()
    measurement: MeasurementParams = MeasurementParams()
    replicates: ReplicateParams = ReplicateParams()
    plan: PlanParams = PlanParams()
    frame: FrameParams | None = Field(None, description="the customer list the sample is drawn from")
    draw: DrawParams | None = Field(None, description="how it is drawn: tcs draw")
    fieldwork: FieldParams = FieldParams()
    compare: CompareParams = CompareParams()
    changes: dict[Name, ChangeParams] = Field({}, description="questions that changed since the wave before")
    categories: dict[Name, CategoryParams] = Field({}, description="background columns as readers see them")
    loyalty: LoyaltyParams = LoyaltyParams()
    report: ReportParams = ReportParams()

    def codes(self, item: str) -> dict[str, str]:
        """The missing codes of an item: its own where it states them, else the study's."""
        own = self.items[item].missing_codes if item in self.items else None
        return self.missing_codes if own is None else own

    def tags(self, item: str) -> dict[str, str]:
        """Those of them that are Stata's extended missing values, ``.a`` to ``.z``."""
        return {code: kind for code, kind in self.codes(item).items() if TAG.match(code)}
