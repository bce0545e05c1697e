"""The road from satisfaction to loyalty, which need not be straight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tcslib.index.scoring import Index, respondent_scores
from tcslib.inference.infer import Arrays, Inference, infer_rows
from tcslib.structure.pls import solve_spd
from tcslib.survey.responses import Responses

BANDS = (0.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0)


@dataclass(frozen=True, eq=False)
class LoyaltyCurve:
    """Mean loyalty by level of satisfaction, and a quadratic through all respondents.

    ``inference`` holds ``mean`` (bands,) of the 0–100 loyalty score in each band of satisfaction, ``curve`` (grid,)
    and ``coefficients`` (3,): constant, slope at the mean of satisfaction, bend, per 10 points of satisfaction.
    ``n`` counts respondents by band.
    """

    inference: Inference
    edges: Sequence[float]
    grid: np.ndarray
    n: np.ndarray

    def table(self) -> pd.DataFrame:
        """low_edge, high_edge, n, estimate, se, low, high: mean loyalty by band of satisfaction."""
        table = self.inference.table("mean", {"low_edge": self.edges[:-1], "high_edge": self.edges[1:]})
        return table.assign(n=self.n).drop(columns="n_eff")

    def terms(self) -> pd.DataFrame:
        """term, estimate, se, low, high …: constant, slope and bend."""
        return self.inference.table("coefficients", {"term": ["constant", "slope", "bend"]})


def loyalty_curve(index: Index, satisfaction: str, loyalty: str, edges: Sequence[float] = BANDS) -> LoyaltyCurve:
    """Loyalty as a function of satisfaction, both 0–100 scores of respondents with the sample's outer weights.

    The bend is the coefficient of the squared, centred score in a weighted quadratic regression (Mittal & Kamakura
    2001 discuss the form): above zero, loyalty rises faster the more satisfied customers are.
    """
    scores = respondent_scores(index)[[satisfaction, loyalty]]
    fit = index.fit
    known = fit.responses.domain & scores.notna().all(axis=1).to_numpy() & (fit.responses.design.weights > 0)
    responses: Responses = replace(fit.responses, answers=scores, domain=known)
    rows = np.flatnonzero(known)[np.argsort(fit.responses.design.ids[known], kind="stable")]
    level, inside = scores[satisfaction].to_numpy()[rows], fit.replicates.sample_weights[rows]
    centre = float((inside * level).sum() / inside.sum())
    grid = np.linspace(float(np.quantile(level, 0.02)), float(np.quantile(level, 0.98)), 41)

    def bands(x: np.ndarray) -> np.ndarray:
        return np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)

    def basis(x: np.ndarray) -> np.ndarray:
        z = (x - centre) / 10
        return np.column_stack([np.ones_like(z), z, z ** 2])

    def statistic(rows: np.ndarray, weights: np.ndarray, _: Arrays) -> dict[str, np.ndarray]:
        x, y = rows.T
        member = (bands(x)[:, None] == np.arange(len(edges) - 1)).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (weights @ (member * y[:, None])) / (weights @ member)
        a = basis(x)
        share = weights / weights.sum(axis=1, keepdims=True)
        gram = (share @ (a[:, :, None] * a[:, None, :]).reshape(len(a), -1)).reshape(-1, 3, 3)
        # NaN where a replicate holds fewer than three levels of satisfaction
        beta = solve_spd(np.ascontiguousarray(np.moveaxis(gram, 0, -1)), (share @ (a * y[:, None])).T[:, None])[:, 0].T
        return {"mean": mean, "coefficients": beta, "curve": beta @ basis(grid).T}

    counts = np.bincount(bands(level), minlength=len(edges) - 1)
    found = infer_rows(statistic, responses, fit.replicates, [satisfaction, loyalty])
    return LoyaltyCurve(found, tuple(edges), grid, counts)
