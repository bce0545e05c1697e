"""What is done to the base weights."""

from __future__ import annotations

from pydantic import Field

from tcslib.study.sections.base import Section


class WeightingParams(Section):
    """What is done to the base weights, replayed in every replicate."""

    rake: dict[str, dict[str, float]] = Field({}, description="population shares by column")
    trim: float | None = Field(None, gt=1, description="largest weight, as a multiple of the mean")
