"""How the respondents were drawn, and how standard errors are replicated."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from tcslib.study.sections.base import Section
from tcslib.study.values import Columns, Name

_RANGE = re.compile(r"(.*?)([0-9]{1,9})-\1([0-9]{1,9})\Z")
_MOST = 10_000          # columns of replicate weights


class StageParams(Section):
    """A later stage of sampling: units drawn within each unit of the stage before."""

    clusters: Name = Field(description="column of the units drawn at this stage")
    strata: str = Field("", description="column of the strata they were drawn in")
    fpc: str = Field("", description="column of the number of such units on the frame")


class DesignParams(Section):
    """How the respondents were drawn."""

    strata: str = ""
    clusters: str = Field("", description="primary sampling units")
    weights: str = Field("", description="base weights: inverse inclusion probabilities")
    fpc: str = Field("", description="sampling units on the stratum's frame, for the finite population correction")
    stages: list[StageParams] = Field([], description="the second and later stages; used by replicates.method preston")
    lonely: Literal["refuse", "collapse", "certainty"] = Field(
        "refuse", description="a stratum with one sampling unit: collapse joins it to its neighbour, certainty takes "
        "the unit as drawn for certain")

    @property
    def labels(self) -> dict[str, str]:
        """The columns of labels this section names, by its key."""
        named = {"strata": self.strata, "clusters": self.clusters}
        for k, stage in enumerate(self.stages, 1):
            named |= {f"stages.{k}.clusters": stage.clusters, f"stages.{k}.strata": stage.strata}
        return {key: column for key, column in named.items() if column}

    @property
    def numbers(self) -> dict[str, str]:
        """The columns of numbers this section names, by its key."""
        named = {"weights": self.weights, "fpc": self.fpc}
        named |= {f"stages.{k}.fpc": stage.fpc for k, stage in enumerate(self.stages, 1)}
        return {key: column for key, column in named.items() if column}

    @model_validator(mode="after")
    def stages_follow(self) -> DesignParams:
        """Refuse later stages of units that were not drawn in a first one."""
        if self.stages and not (self.clusters and self.fpc):
            raise ValueError("`stages` follow a first stage that states `clusters` and `fpc`. Name both, or drop "
                             "stages: without a count of the first stage's units the later ones add nothing.")
        return self


class ReplicateParams(Section):
    """Replicates for the standard errors."""

    method: Literal["bootstrap", "preston", "positive", "jackknife", "brr", "fay", "given"] = Field(
        "bootstrap", description="bootstrap: Rao-Wu, or simple; preston: bootstrap with finite population corrections; "
        "positive: bootstrap that loses no category; given: weights delivered as columns")
    count: int = Field(2000, ge=50, le=100_000, description="of a bootstrap; the other methods know their own")
    seed: int = Field(20260930, ge=0)
    fay: float = Field(0.3, ge=0, lt=1, description="Fay's coefficient, for methods fay and given")
    columns: Columns = Field([], description="given: the replicate weights' columns; rw1-rw80 stands for all eighty")
    kind: Literal["bootstrap", "jackknife", "brr", "fay"] = Field(
        "bootstrap", description="given: what they are, which decides their scale")
    scale: float | None = Field(None, gt=0, description="given: multiplier of squared deviations, where it is another")
    about: Literal["mean", "estimate"] = Field("mean", description="given: what deviations are taken from")
    df: int | None = Field(None, ge=1, description="given: degrees of freedom, where strata and clusters do not tell")
    memory_mb: int = Field(500, ge=50, description="largest amount of memory the replicates may take")
    workers: int = Field(1, ge=1, le=64)

    @property
    def given(self) -> list[str]:
        """The names of the columns, ranges written out."""
        out: list[str] = []
        for name in self.columns:
            if found := _RANGE.match(name):
                first, last, width = int(found[2]), int(found[3]), len(found[2]) if found[2][0] == "0" else 0
                out += [f"{found[1]}{str(k).zfill(width)}" for k in range(first, last + 1)]
            else:
                out.append(name)
        return out

    def scale_of(self, count: int) -> float:
        """The multiplier of so many squared deviations: 1/(R-1), (R-1)/R, 1/R or 1/(R(1-fay)²)."""
        return self.scale or {"bootstrap": 1 / (count - 1), "jackknife": (count - 1) / count, "brr": 1 / count,
                              "fay": 1 / (count * (1 - self.fay) ** 2)}[self.kind]

    @model_validator(mode="after")
    def columns_are_given(self) -> ReplicateParams:
        """Refuse columns without the method that reads them, and the reverse."""
        if (self.method == "given") != bool(self.columns):
            raise ValueError("`method: given` and `columns` go together. State both, or neither.")
        for name in self.columns:
            if (found := _RANGE.match(name)) and not 0 <= int(found[3]) - int(found[2]) < _MOST:
                raise ValueError(f'columns: "{name}" runs backwards, or names more than {_MOST:,} columns. Write the '
                                 "first and the last, such as rw1-rw80.")
        if twice := [name for name in dict.fromkeys(self.given) if self.given.count(name) > 1]:
            raise ValueError(f'columns: "{twice[0]}" is named more than once. Keep one.')
        if self.columns and len(self.given) < 2:
            raise ValueError("at least two replicate weights are expected. Name all their columns.")
        return self
