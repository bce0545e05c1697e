"""Construct scores from 0 to 100 by the formula of the national indexes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.inference.infer import Arrays, Inference, infer_rows
from tcslib.inference.quantiles import weighted_quantile
from tcslib.structure.fit import PlsFit
from tcslib.study.models import Model
from tcslib.study.questionnaire import Questionnaire


def ends(questionnaire: Questionnaire, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """(p,) low ends and widths of the items' scales."""
    scales = [questionnaire[item].scale for item in model.items]
    return np.array([s.low for s in scales]), np.array([s.width for s in scales])


def shares(model: Model, weights: np.ndarray, sd: np.ndarray, width: np.ndarray,
           standardised: bool) -> tuple[np.ndarray, np.ndarray]:
    """Outer weights as shares of the index, and the standard deviation of the index they give.

    The unstandardised outer weight of an item rescaled to 0–100 is ``w_j / s_j`` with ``s_j`` its standard deviation
    there; shares are these over their sum in the block.

    Returns
    -------
    (b, p) shares, summing to 1 in each block, and (b, k) standard deviations of the constructs' 0–100 scores.
    """
    per_unit = weights / ((sd if standardised else 1.0) * 100 / width)
    total = np.stack([per_unit[:, block].sum(axis=1) for block in model.blocks], axis=1)
    out = np.empty_like(per_unit)
    for k, block in enumerate(model.blocks):
        out[:, block] = per_unit[:, block] / total[:, [k]]
    return out, 1 / total


@dataclass(frozen=True, eq=False)
class Index:
    """0–100 scores of all constructs.

    ``scores`` holds estimates and replicates of ``score``, ``sd`` (k,) and ``share`` (p,), outer weights re-estimated
    in each replicate; ``fixed`` the same with the sample's weights held fixed.
    """

    fit: PlsFit
    scores: Inference
    fixed: Inference

    def table(self) -> pd.DataFrame:
        """construct, estimate, se (re-estimated), se_fixed, low, high …"""
        table = self.scores.table("score", {"construct": self.fit.model.names})
        table.insert(3, "se_fixed", self.fixed.se("score"))
        return table

    def of(self, construct: str) -> pd.Series:
        """One construct's row of the table."""
        return self.table().set_index("construct").loc[construct]

    def formula(self, construct: str) -> pd.DataFrame:
        """item, share, mean, low, high, score: enough to compute the index by hand."""
        model, items = self.fit.model, self.fit.model[construct].items
        at = model.blocks[model.names.index(construct)]
        low, width = ends(self.fit.responses.questionnaire, model)
        mean = self.fit.inference.estimate["mean"][at]
        return pd.DataFrame({"item": items, "share": self.scores.estimate["share"][at], "mean": mean, "low": low[at],
                             "high": low[at] + width[at], "score": (mean - low[at]) / width[at] * 100})


def index(fit: PlsFit) -> Index:
    """The 0–100 scores of a fitted model.

    ``score = Σ w̃_j (x̄_j - low_j) / (high_j - low_j) · 100 / Σ w̃_j`` with w̃ the unstandardised outer weights
    (Fornell et al. 1996, appendix). Both standard errors are given: with the weights re-estimated in every replicate,
    and with the sample's weights held fixed as if they were known.

    Raises
    ------
    InputRefused
        When an outer weight is not above zero in the sample, naming the item. Replicates with such a weight are kept.
    """
    model = fit.model
    low, width = ends(fit.responses.questionnaire, model)
    standardised = fit.settings.standardised
    for item, weight in zip(model.items, fit.inference.estimate["weights"], strict=True):
        if not weight > 0:
            raise InputRefused(
                f'item "{item}" has the outer weight {weight:.3f}; an index needs weights above 0. State '
                "items.<name>.reversed if a high answer is a bad one, or drop the item.",
                "model.constructs",
            )

    def score(mean: np.ndarray, share: np.ndarray) -> np.ndarray:
        points = share * (mean - low) / width * 100
        return np.stack([points[:, block].sum(axis=1) for block in model.blocks], axis=1)

    def reestimated(arrays: Arrays) -> dict[str, np.ndarray]:
        share, sd = shares(model, arrays["weights"], arrays["sd"], width, standardised)
        return {"score": score(arrays["mean"], share), "sd": sd, "share": share}

    scores = fit.inference.derive(reestimated)
    known = scores.estimate["share"][None]
    return Index(fit, scores, fit.inference.derive(lambda arrays: {"score": score(arrays["mean"], known)}))


def respondent_scores(index: Index) -> pd.DataFrame:
    """(n, k) 0–100 scores of each respondent, with the sample's outer weights.

    A missing answer leaves its share to the items that were answered (the LVPLS rule, Lohmöller 1989); a respondent
    who answered none of a block has no score there.
    """
    fit, share = index.fit, index.scores.estimate["share"]
    low, width = ends(fit.responses.questionnaire, fit.model)
    points = (fit.responses.matrix(fit.model.items) - low) / width * 100
    out = {}
    for name, block in zip(fit.model.names, fit.model.blocks, strict=True):
        weight = np.where(np.isnan(points[:, block]), 0.0, share[block])
        with np.errstate(invalid="ignore"):
            out[name] = (weight * np.nan_to_num(points[:, block])).sum(axis=1) / np.where(
                weight.sum(axis=1) > 0, weight.sum(axis=1), np.nan)
    return pd.DataFrame(out, index=fit.responses.answers.index)


def score_quantile(index: Index, construct: str, q: float = 0.5) -> Inference:
    """Weighted quantile of the respondents' scores on a construct, as ``median`` when q is one half.

    A function of rows, not of moments: in each replicate the scores are formed anew with that replicate's outer
    weights, then ordered under its respondent weights.
    """
    fit = index.fit
    block = fit.model.blocks[fit.model.names.index(construct)]
    low, width = ends(fit.responses.questionnaire, fit.model)

    def statistic(rows: np.ndarray, weights: np.ndarray, fitted: Arrays) -> dict[str, np.ndarray]:
        points = (rows - low[block]) / width[block] * 100
        seen = ~np.isnan(points)
        share = fitted["share"][:, block]
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = (share @ np.nan_to_num(points).T) / (share @ seen.T)
        return {"median" if q == 0.5 else "quantile": weighted_quantile(scores, weights, q)}

    return infer_rows(statistic, fit.responses, fit.replicates, [fit.model.items[i] for i in block],
                      fitted=index.scores)
