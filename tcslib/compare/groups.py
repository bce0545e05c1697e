"""A construct's 0–100 score by group, on one definition of the index, with differences formed inside replicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.index.scoring import Index, ends
from tcslib.inference.infer import Arrays, Inference, infer_rows


@dataclass(frozen=True, eq=False)
class GroupScores:
    """Scores of g groups, and their differences from a reference group.

    ``inference`` holds ``score`` (g,) and ``difference`` (g,), NaN for the reference itself. ``n`` (g,) counts
    respondents who answered any of the construct's items. Outer weights are those of the index handed in,
    re-estimated in every replicate, the same for all groups: scores differ by answers, never by weights.
    """

    column: str
    construct: str
    groups: list[str]
    reference: str
    n: np.ndarray
    inference: Inference

    def table(self) -> pd.DataFrame:
        """group, n, estimate, se, low, high, then difference, difference_low, difference_high."""
        table = self.inference.table("score", {"group": self.groups})
        low, high = self.inference.limits("difference")
        return table.assign(n=self.n, difference=self.inference.estimate["difference"],
                            difference_se=self.inference.se("difference"), difference_low=low,
                            difference_high=high).drop(columns=["n_eff"])


def group_scores(index: Index, column: str, construct: str = "", reference: str = "") -> GroupScores:
    """Score a construct in every group of a background column.

    Parameters
    ----------
    index
        The index whose outer weights define the measure: the study's own for segments, one fitted to all brands
        (``answers.everyone()``) for brands.
    column
        Background column that names the groups.
    construct
        The target by default.
    reference
        Group the others are compared with; by default the rest of the respondents, group by group.
    """
    fit = index.fit
    construct = construct or fit.model.target
    block = fit.model.blocks[fit.model.names.index(construct)]
    low, width = (part[block] for part in ends(fit.responses.questionnaire, fit.model))
    items = [fit.model.items[i] for i in block]
    responses = fit.responses
    used = np.flatnonzero(responses.domain & (responses.design.weights > 0))
    used = used[np.argsort(responses.design.ids[used], kind="stable")]          # the order infer_rows gives rows in
    of = responses.background[column].to_numpy().astype(str)
    groups = sorted(set(of[used]))
    member = (of[used][:, None] == np.array(groups)).astype(float)

    def statistic(rows: np.ndarray, weights: np.ndarray, fitted: Arrays) -> dict[str, np.ndarray]:
        points = (rows - low) / width * 100
        seen = (~np.isnan(points)).astype(float)
        share = fitted["share"][:, block]

        def score(inside: np.ndarray) -> np.ndarray:
            """(b, g) scores from (m, g) memberships: the index formula on the group's item means."""
            total = np.zeros((len(weights), inside.shape[1]))
            with np.errstate(invalid="ignore", divide="ignore"):
                for j in range(len(block)):
                    w = weights * seen[:, j]
                    total += share[:, [j]] * ((w * np.nan_to_num(points[:, j])) @ inside) / (w @ inside)
            return total

        scores = score(member)
        if reference:
            difference = scores - scores[:, [groups.index(reference)]]
            difference[:, groups.index(reference)] = np.nan
        else:
            difference = scores - score(1 - member)
        return {"score": scores, "difference": difference}

    answered = (~np.isnan(responses.matrix(items)[used])).any(axis=1)
    found = infer_rows(statistic, responses, fit.replicates, items, fitted=index.scores)
    return GroupScores(column, construct, groups, reference, (member * answered[:, None]).sum(axis=0).astype(int),
                       found)
