"""How the respondents were drawn, and how standard errors are replicated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tcslib.study.sections.base import Section


class DesignParams(Section):
    """How the respondents were drawn."""

    strata: str = ""
    clusters: str = Field("", description="primary sampling units")
    weights: str = Field("", description="base weights: inverse inclusion probabilities")
    fpc: str = Field("", description="sampling units on the stratum's frame, for the finite population correction")


class ReplicateParams(Section):
    """Replicates for the standard errors."""

    method: Literal["bootstrap"] = "bootstrap"
    count: int = Field(2000, ge=50, le=100_000)
    seed: int = Field(20260930, ge=0)
    memory_mb: int = Field(500, ge=50, description="largest amount of memory the replicates may take")
    workers: int = Field(1, ge=1, le=64)
