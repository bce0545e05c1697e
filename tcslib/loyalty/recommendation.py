"""The net promoter score under the sampling design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.inference.infer import Arrays, Inference, infer_rows
from tcslib.inference.replicates import Replicates
from tcslib.survey.responses import Responses


@dataclass(frozen=True, eq=False)
class Nps:
    """Net promoter score, -100 to 100, with the shares it is made of.

    ``inference`` holds ``nps`` (points), ``promoters``, ``passives``, ``detractors`` (shares 0–1), scalars.
    """

    item: str
    inference: Inference

    def table(self) -> pd.DataFrame:
        """statistic, estimate, se, low, high …: the score and the three shares."""
        shares = [self.inference.table(name, {"statistic": [name]}, bounds="proportion")
                  for name in ("promoters", "passives", "detractors")]
        return pd.concat([self.inference.table("nps", {"statistic": ["nps"]}), *shares], ignore_index=True)


def nps(responses: Responses, item: str, replicates: Replicates) -> Nps:
    """Net promoter score of a 0–10 recommendation question (Reichheld 2003).

    ``100 (p - d)`` with p the weighted share of 9 and 10, d of 0 to 6, among those who answered.
    """
    answered = responses.where(~np.isnan(responses.matrix([item])[:, 0]))

    def statistic(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
        x = rows[:, 0]
        total = weights.sum(axis=1)
        promoters, detractors = (weights[:, x >= 9].sum(axis=1) / total, weights[:, x <= 6].sum(axis=1) / total)
        return {"nps": 100 * (promoters - detractors), "promoters": promoters, "detractors": detractors,
                "passives": 1 - promoters - detractors}

    return Nps(item, infer_rows(statistic, answered, replicates, [item]))
