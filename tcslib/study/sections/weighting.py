"""What is done to the base weights."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from tcslib.study.sections.base import Section
from tcslib.study.values import Columns, Name, OneOrMore


class NonResponseParams(Section):
    """Those who were drawn and did not answer stay in the file; their weight passes to those who did."""

    status: Name = Field(description="column that tells what came of each row drawn")
    responded: OneOrMore = Field(description="its values that mean an interview")
    cells: Columns = Field([], description="columns that form the weighting classes, known of everyone drawn")
    propensity: Columns = Field([], description="or: columns that explain response in a logistic regression")
    numeric: Columns = Field([], description="those of them that are numbers")
    classes: int | None = Field(None, ge=2, le=50, description="classes of the propensity; without, its inverse")
    collapse: bool = Field(False, description="a cell without respondents joins its neighbour")


class PostStrataParams(Section):
    """Post-strata of one or several crossed columns."""

    by: Columns
    targets: dict[str, Any] = Field(description="counts or shares, nested as the columns are crossed")


class CalibrateParams(Section):
    """Calibration to auxiliary totals."""

    totals: dict[str, dict[str, float]] = Field(
        {}, description="by column: shares or counts of its categories; of a column of numbers {mean: …} or {total: …}")
    method: Literal["linear", "exponential", "logit", "truncated"] = "linear"
    bounds: list[float] | None = Field(None, min_length=2, max_length=2, description="smallest and largest")
    bounds_on: Literal["factor", "weight"] = Field("factor", description="weight after over weight before, or weight")


class TrimParams(Section):
    """Limits on the weights."""

    above: float | None = Field(None, gt=0, description="largest weight")
    below: float | None = Field(None, ge=0, description="smallest weight")
    of: Literal["mean", "median", "absolute"] = Field("mean", description="what the limits are multiples of")
    redistribute: Literal["calibrate", "proportional", "equal"] = Field(
        "calibrate", description="where what is cut off goes: to the totals by calibrating again, or to those not cut")
    strict: bool = Field(False, description="equal or proportional until nobody is beyond a limit, not once")

    @model_validator(mode="before")
    @classmethod
    def short_form(cls, value: Any) -> Any:
        """``trim: 5`` is short for ``trim: {above: 5}``."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value <= 1:
                raise ValueError("a number above 1 is expected.")
            return {"above": float(value)}
        if not isinstance(value, dict | TrimParams):
            raise ValueError("a number, or {above: …, below: …}, is expected.")
        return value


class WeightingParams(Section):
    """What is done to the base weights, in this order, replayed in every replicate."""

    nonresponse: NonResponseParams | None = None
    post_stratify: list[PostStrataParams] = []
    rake: dict[str, dict[str, float]] = Field({}, description="population shares or counts by column")
    calibrate: CalibrateParams | None = None
    trim: TrimParams | None = Field(None, description="largest weight, as a multiple of the mean, or limits")
    empty: Literal["refuse", "drop"] = Field("refuse", description="a category with a target and no respondents")
    missing: Literal["refuse", "keep"] = Field("refuse", description="respondents without a category of a margin")
    gap: float = Field(0.0, ge=0, le=0.1, description="largest miss of a margin, as a share of it, that is accepted")

    @property
    def columns(self) -> dict[str, str]:
        """Every column the steps need, with the key that names it."""
        found: dict[str, str] = {}
        if self.nonresponse:
            found |= {self.nonresponse.status: "nonresponse.status"}
            found |= dict.fromkeys(self.nonresponse.cells, "nonresponse.cells")
            found |= dict.fromkeys(self.nonresponse.propensity, "nonresponse.propensity")
        found |= {column: "post_stratify" for cells in self.post_stratify for column in cells.by}
        found |= {column: f"rake.{column}" for column in self.rake}
        found |= {column: f"calibrate.totals.{column}" for column in (self.calibrate.totals if self.calibrate else ())}
        return {column: f"weighting.{key}" for column, key in found.items()}

    @property
    def numeric(self) -> list[str]:
        """Those of them that are numbers."""
        own = self.nonresponse.numeric if self.nonresponse else []
        known = self.calibrate.totals if self.calibrate else {}
        return list(dict.fromkeys([*own, *(c for c, t in known.items() if set(t) in ({"mean"}, {"total"}))]))
