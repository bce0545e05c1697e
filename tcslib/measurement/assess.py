"""The measurement model of a fitted study: reliabilities, separation of constructs, item statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.inference.infer import Arrays, Inference, check_weighted, infer
from tcslib.inference.moments import Missing, Moments
from tcslib.inference.replicates import Replicates
from tcslib.measurement.reliability import AlphaKind, HtmtKind, alpha, ave, htmt, rho_a, rho_c
from tcslib.study.models import Model
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import kish


@dataclass(frozen=True, eq=False)
class Measurement:
    """Reliability and validity with design-based intervals.

    ``inference`` holds ``alpha``, ``rho_a``, ``rho_c``, ``ave`` (k,) and ``htmt`` (k, k). Coefficients that are not
    defined (single items; rho and AVE of formative blocks) are NaN.
    """

    model: Model
    alpha_kind: AlphaKind
    htmt_kind: HtmtKind
    inference: Inference

    def table(self) -> pd.DataFrame:
        """construct, items, alpha, alpha_low, alpha_high, rho_a, rho_c, ave, and the highest HTMT with its interval."""
        e = self.inference.estimate
        frame = pd.DataFrame({"construct": self.model.names, "items": [len(c.items) for c in self.model.constructs]})
        for name in ("alpha", "rho_a", "rho_c", "ave"):
            frame[name] = e[name]
        low, high = self.inference.limits("alpha")
        frame.insert(3, "alpha_low", low)
        frame.insert(4, "alpha_high", high)
        ratios = np.where(np.isnan(e["htmt"]), -np.inf, e["htmt"])
        most, row = ratios.argmax(axis=1), np.arange(len(ratios))
        low, high = self.inference.limits("htmt")
        return frame.assign(htmt=e["htmt"][row, most], htmt_with=[self.model.names[i] for i in most],
                            htmt_low=low[row, most], htmt_high=high[row, most])

    def intervals(self) -> pd.DataFrame:
        """construct, coefficient, estimate, se, low, high …: one row for each that is defined."""
        found = [self.inference.table(name, {"construct": self.model.names}).assign(coefficient=name)
                 for name in ("alpha", "rho_a", "rho_c", "ave")]
        order = np.arange(4 * len(self.model.names)).reshape(4, -1).T.ravel()          # construct by construct
        table = pd.concat(found, ignore_index=True).iloc[order]
        return table[table["estimate"].notna()].reset_index(drop=True)

    def htmt_table(self) -> pd.DataFrame:
        """first, second, estimate, se, low, high …: one row per pair of constructs."""
        i, j = np.triu_indices(len(self.model.names), 1)
        names = np.array(self.model.names)
        return self.inference.table("htmt", {"first": names[i], "second": names[j]}, where=(i, j))


def measure(responses: Responses, model: Model, replicates: Replicates, outer: Inference, *, standardised: bool = True,
            alpha_kind: AlphaKind = "standardised", htmt_kind: HtmtKind = "absolute",
            missing: Missing = "pairwise", estimated: bool = True) -> Measurement:
    """Reliability and validity of a model's constructs.

    Parameters
    ----------
    outer
        The fitted outer model under the same replicates: ``weights`` and ``loadings`` (p,) with their draws.
    standardised
        Whether the outer weights belong to standardised items.
    estimated
        Whether they were estimated; rho_A is not defined for weights that were not.
    """
    reflective = [c.mode == "A" for c in model.constructs]

    def statistic(moments: Moments, fitted: Arrays) -> dict[str, np.ndarray]:
        cov, cor = moments.cov, moments.cor
        weights = fitted["weights"] if standardised else fitted["weights"] * moments.sd
        nothing = np.full(len(cov), np.nan)
        out: dict[str, list[np.ndarray]] = {"alpha": [], "rho_a": [], "rho_c": [], "ave": []}
        for block, is_a in zip(model.blocks, reflective, strict=True):
            inside = (slice(None), block[:, None], block)
            out["alpha"].append(alpha(cov[inside], alpha_kind) if is_a else nothing)
            out["rho_a"].append(rho_a(cor[inside], weights[:, block]) if is_a and estimated else nothing)
            out["rho_c"].append(rho_c(fitted["loadings"][:, block]) if is_a else nothing)
            out["ave"].append(ave(fitted["loadings"][:, block]) if is_a else nothing)
        stacked = {name: np.stack(values, axis=1) for name, values in out.items()}
        return stacked | {"htmt": htmt(cor, model.blocks, htmt_kind)}

    inference = infer(statistic, responses, replicates, model.items, missing=missing, fitted=outer)
    return Measurement(model, alpha_kind, htmt_kind, inference)


def item_statistics(responses: Responses, model: Model, replicates: Replicates, *,
                    alpha_kind: AlphaKind = "standardised", missing: Missing = "pairwise") -> pd.DataFrame:
    """One row per item: n, n_eff, missing, mean with interval, sd, ends, item–rest r, alpha without it.

    ``item_rest`` is the correlation of the item with the sum of the block's other items (standardised when alpha is);
    ``alpha_without`` is the block's alpha when the item is dropped. Both are undefined in blocks too small for them.
    ``floor`` and ``ceiling`` are weighted shares of answers at the scale's ends.
    """
    def statistic(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
        rest, without = np.full_like(moments.mean, np.nan), np.full_like(moments.mean, np.nan)
        metric = moments.cor if alpha_kind == "standardised" else moments.cov
        for block in model.blocks:
            for item in block if len(block) > 1 else []:
                others = block[block != item]
                among = metric[:, others[:, None], others]
                spread = np.sqrt(among.sum(axis=(1, 2)) * metric[:, item, item])
                rest[:, item] = metric[:, item, others].sum(axis=1) / spread
                without[:, item] = alpha(among, alpha_kind)
        return {"mean": moments.mean, "sd": moments.sd, "item_rest": rest, "alpha_without": without}

    found = infer(statistic, responses, replicates, model.items, missing=missing)
    check_weighted(found)          # the plainest statistic of all: without it no other has a standard error either
    used = responses.domain & (responses.design.weights > 0)
    x = responses.matrix(model.items)[used]
    weights = replicates.sample_weights[used][:, None] * ~np.isnan(x)
    scales = [responses.questionnaire[item].scale for item in model.items]
    share = {name: (weights * (x == [getattr(s, end) for s in scales])).sum(axis=0) / weights.sum(axis=0)
             for name, end in (("floor", "low"), ("ceiling", "high"))}
    table = found.table("mean", {"construct": [c.name for c in model.constructs for _ in c.items], "item": model.items})
    return table.rename(columns={"estimate": "mean"}).assign(
        n=(~np.isnan(x)).sum(axis=0), n_eff=[kish(w)[1] for w in weights.T], missing=np.isnan(x).sum(axis=0),
        sd=found.estimate["sd"], **share, item_rest=found.estimate["item_rest"],
        alpha_without=found.estimate["alpha_without"])
