"""R survey's designs on the data beside the project, and a walk over its files that counts what was compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tcslib.survey.design import Design, Stage

DESIGNS = ("srs_fpc", "srs_nofpc", "strat_fpc", "strat_nofpc", "clus1_fpc", "clus1_nofpc", "clus2_fpc", "clus2_wr")


def golden(shared: Path, name: str) -> dict[str, Any]:
    """One of R survey's files."""
    found: dict[str, Any] = json.loads((shared / "reference" / "survey" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def data(shared: Path, name: str) -> pd.DataFrame:
    """One of the data files it was made on."""
    return pd.read_csv(shared / "data" / "survey" / f"{name}.csv")


def schools(shared: Path, name: str) -> tuple[pd.DataFrame, Design]:
    """One of the eight designs on the Academic Performance Index."""
    kind, _, rest = name.partition("_")
    api = data(shared, f"api{kind}")
    ids, known = api["snum"].astype(str).to_numpy(), rest == "fpc"
    weights = api["pw"].to_numpy(float)
    if kind == "clus2":
        if not known:
            return api, Design(ids, weights, clusters=api["dnum"].to_numpy())
        # R takes the weights from the frame counts where none are given
        taken = api.groupby("dnum")["snum"].transform("count")
        weights = (api["fpc1"] / api["dnum"].nunique() * api["fpc2"] / taken).to_numpy(float)
        return api, Design(ids, weights, clusters=api["dnum"].to_numpy(), fpc=api["fpc1"].to_numpy(float),
                           stages=(Stage(api["snum"].to_numpy(), fpc=api["fpc2"].to_numpy(float)),))
    return api, Design(ids, weights, api["stype"].to_numpy() if kind == "strat" else None,
                       api["dnum"].to_numpy() if kind == "clus1" else None,
                       fpc=api["fpc"].to_numpy(float) if known else None)


@dataclass
class Walk:
    """Compares every number of a nested record with ours, of the same shape, and counts.

    A standard error, covariance or test is held to 1e-8, relative, an estimate to 1e-9, a saddlepoint's p to 2e-8. What
    R leaves out or says in words is passed over. ``apart`` names ends of paths that may differ, and how far; those that
    do are counted by themselves.
    """

    apart: Mapping[str, float] = field(default_factory=dict)
    count: int = 0
    set_aside: int = 0
    worst: float = 0.0
    faults: list[str] = field(default_factory=list)

    def compare(self, known: Any, ours: Any, path: str = "") -> None:
        """Go down both; a number R gives and we do not is a fault."""
        if isinstance(known, dict):
            for name, value in known.items():
                self.compare(value, ours[name], f"{path}.{name}")
        elif isinstance(known, list):
            if len(known) != len(ours):
                self.faults.append(f"{path}: {len(known)} and {len(ours)} values")
            for number, (value, mine) in enumerate(zip(known, ours, strict=False)):
                self.compare(value, mine, f"{path}.{number}")
        elif isinstance(known, int | float):
            self._number(float(known), float(ours), path)

    def _number(self, known: float, ours: float, path: str) -> None:
        # R's own zeros, of shares whose size is known, are rounding: 1e-16 in it as in ours
        off = abs(ours - known) / (abs(known) if abs(known) > 1e-12 else 1e-4)
        limit = next((far for end, far in self.apart.items() if path.endswith(end)), None)
        if limit is not None and off > 2e-8:
            self.set_aside += 1
        else:
            self.count += 1
            self.worst = max(self.worst, off)
        exact = 2e-8 if path.endswith("saddlepoint.p") else 1e-9 if ".est" in path or ".coef" in path else 1e-8
        if not off <= (limit or exact):
            self.faults.append(f"{path}: {known!r}, ours {ours!r}, off {off:.1e}")


def said(estimates: Any, names: list[str], deff: bool = True) -> dict[str, Any]:
    """Estimates in the form of R's record: est, se, deff, vcov and the normal interval."""
    se, z = estimates.se, 1.959963984540054
    limits = np.column_stack([estimates.estimate - z * se, estimates.estimate + z * se])
    out = {"est": dict(zip(names, estimates.estimate, strict=True)), "se": dict(zip(names, se, strict=True)),
           "vcov": estimates.vcov, "ci95_normal": limits}
    return out | ({"deff": dict(zip(names, estimates.deff_fpc, strict=True))} if deff else {})


def one(estimates: Any) -> dict[str, float]:
    """The first of the estimates, as est and se."""
    return {"est": estimates.estimate[0], "se": estimates.se[0]}
