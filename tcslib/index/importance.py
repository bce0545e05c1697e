"""What would raise the index: importance and performance of the constructs, and the order of priorities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.index.scoring import Index
from tcslib.inference.infer import Arrays, Inference
from tcslib.study.models import Model

RISE = 5.0          # points by which a driver is raised when its gain is stated (the ACSI's impact)
FIRST = 3           # how many priorities count as first


@dataclass(frozen=True, eq=False)
class PriorityMap:
    """Importance–performance map of the constructs that act on the target.

    ``inference`` holds (k,) ``importance``, ``performance``, ``gain`` and ``place`` (among the levers by gain, from 1;
    0 for what is no lever or gains nothing), by construct.
    """

    index: Index
    target: str
    inference: Inference

    def table(self) -> pd.DataFrame:
        """One row per driver, largest gain first.

        construct, lever, performance, importance and gain with intervals, certainty (share of replicates in which the
        driver is among the first three levers by gain, or, where there are no more than three, holds its place), room
        (points up to 100).
        """
        model, found = self.index.fit.model, self.inference
        rows = [i for i, name in enumerate(model.names) if found.estimate["importance"][i] != 0 and name != self.target]
        frame = pd.DataFrame({"construct": [model.names[i] for i in rows],
                              "lever": [model.constructs[i].lever for i in rows]})
        for name in ("performance", "importance", "gain"):
            low, high = found.limits(name)
            frame[name] = found.estimate[name][rows]
            frame[f"{name}_se"] = found.se(name)[rows]
            frame[f"{name}_low"], frame[f"{name}_high"] = low[rows], high[rows]
        gains = found.spread("gain")
        places = _places(gains[np.isfinite(gains).all(axis=1)], _levers(model, self.target))
        frame["certainty"] = (((places >= 1) & (places <= FIRST)) if self.more_than_first
                              else (places == found.estimate["place"]) & (places >= 1)).mean(axis=0)[rows]
        frame["room"] = 100 - frame["performance"]
        return frame.sort_values("gain", ascending=False, kind="stable", ignore_index=True)

    @property
    def more_than_first(self) -> bool:
        """Whether there are more levers than are named as first."""
        return int((self.inference.estimate["place"] > 0).sum()) > FIRST

    def priorities(self) -> pd.DataFrame:
        """The levers in order of their gain, at most three."""
        table = self.table()
        return table[table["lever"] & (table["gain"] > 0)].head(FIRST).reset_index(drop=True)


def priority_map(index: Index, target: str = "") -> PriorityMap:
    """Importance–performance map analysis on the target's 0–100 score (Ringle & Sarstedt 2016).

    Performance is a construct's 0–100 score. Importance is its unstandardised total effect, the standardised one
    times ``sd(target) / sd(driver)`` of the 0–100 scores: points the target moves for one point of the driver. Gain is
    that for a rise of five points, the ACSI's impact. An estimate from a model, no causal promise.
    """
    fit = index.fit
    model = fit.model
    target = target or model.target
    to = model.names.index(target)
    levers = _levers(model, target)

    def gains(arrays: Arrays) -> dict[str, np.ndarray]:
        importance = arrays["total"][:, :, to] * arrays["sd"][:, [to]] / arrays["sd"]
        gain = RISE * importance
        return {"importance": importance, "performance": arrays["score"], "gain": gain, "place": _places(gain, levers)}

    joined = Inference({**index.scores.estimate, "total": fit.inference.estimate["total"]},
                       {**index.scores.draws, "total": fit.inference.draws["total"]}, fit.inference.n,
                       fit.inference.n_eff, fit.inference.df, fit.inference.interval, fit.replicates)
    return PriorityMap(index, target, joined.derive(gains))


def _levers(model: Model, target: str) -> np.ndarray:
    """(k,) which constructs can be acted upon."""
    return np.array([c.lever and c.name != target for c in model.constructs])


def _places(gain: np.ndarray, levers: np.ndarray) -> np.ndarray:
    """(b, k) each lever's place by its gain, from 1; 0 for what is no lever or gains nothing."""
    ranked = np.where(levers, gain, -np.inf)
    ahead = (ranked[:, None, :] > ranked[:, :, None]).sum(axis=2)
    return np.where(levers & (gain > 0), ahead + 1, 0).astype(float)
