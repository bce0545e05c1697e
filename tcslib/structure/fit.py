"""The estimated model: estimates with their replicates, and the tidy tables made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, NotEstimable
from tcslib.inference.infer import Arrays, Inference, infer
from tcslib.inference.moments import Missing, Moments
from tcslib.inference.replicates import Replicates, replicate
from tcslib.structure.pls import PlsSettings, PlsSolver, structural
from tcslib.study.models import Model
from tcslib.survey.responses import Responses


@dataclass(frozen=True, eq=False)
class PlsFit:
    """A PLS path model estimated on weighted answers, with replicates of everything it estimates.

    ``inference`` holds, by name: ``weights``, ``loadings``, ``mean``, ``sd`` (p,), ``correlations``, ``total``
    (k, k), ``paths``, ``f2`` (paths,), ``r2`` (k,), ``iterations``. Where the outer weights are equal and the answers
    too few for paths, ``too_few`` says how many there are and how many it takes, and nothing is held of paths.
    """

    model: Model
    settings: PlsSettings
    missing: Missing
    responses: Responses
    replicates: Replicates
    inference: Inference
    too_few: tuple[int, int] | None = None

    def paths(self) -> pd.DataFrame:
        """source, target, estimate, se, low, high …, f2: standardised path coefficients."""
        sources, targets = zip(*self.model.paths, strict=True)
        return self.inference.table("paths", {"source": sources, "target": targets}).assign(
            f2=self.inference.estimate["f2"])

    def r2(self) -> pd.DataFrame:
        """construct, estimate …: share of variance explained, for constructs with predecessors."""
        has = np.flatnonzero(self.model.inner.any(axis=0))
        return self.inference.table("r2", {"construct": [self.model.names[i] for i in has]}, where=has)

    def items(self, name: str) -> pd.DataFrame:
        """construct, item, estimate …: ``weights`` or ``loadings``."""
        of = [c.name for c in self.model.constructs for _ in c.items]
        return self.inference.table(name, {"construct": of, "item": self.model.items})

    def total_effects(self, target: str) -> pd.DataFrame:
        """source, target, estimate …: standardised total effects on one construct, where there are any."""
        to = self.model.names.index(target)
        has = np.flatnonzero(self.inference.estimate["total"][:, to] != 0)
        labels = {"source": [self.model.names[i] for i in has], "target": [target] * len(has)}
        return self.inference.table("total", labels, where=(has, np.full(len(has), to)))


def pls(responses: Responses, model: Model, settings: PlsSettings | None = None, *,
        replicates: Replicates | None = None, missing: Missing = "pairwise") -> PlsFit:
    """Estimate a PLS path model with design-based standard errors.

    Parameters
    ----------
    responses
        Cleaned answers with design and weighting.
    model
        Constructs and paths.
    settings
        Scheme, standardisation, stop rule; every replicate uses them whole.
    replicates
        By default 2,000, as ``replicate`` makes them.
    missing
        How missing answers enter the covariances, see ``MomentSource``.

    Raises
    ------
    NotEstimable
        When an item has no variance, answers are too few, or the loop does not converge on the sample itself.
    """
    settings = settings or PlsSettings()
    replicates = replicates or replicate(responses)
    equal = settings.outer == "equal"
    widths = np.array([responses.questionnaire[item].scale.width for item in model.items])
    solver = PlsSolver(model, settings, 1 / widths if equal else None)
    n, least = check_items(responses, model, few=equal)
    with_paths = n >= least
    if missing == "mean":
        check_never_asked(responses, model)

    def statistic(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
        solution = solver.solve(moments.cov)
        return {"weights": solution.weights, "loadings": solution.loadings, "mean": moments.mean, "sd": moments.sd,
                "correlations": solution.correlations, "iterations": solution.iterations.astype(float),
                **(structural(model, solution.correlations) if with_paths else {})}

    inference = infer(statistic, responses, replicates, model.items, missing=missing)
    if inference.estimate["iterations"] == -1:
        raise NotEstimable(f"the weights did not settle within {settings.max_iterations} rounds at "
                           f"{settings.tolerance:g}. Raise pls.max_iterations, or look for constructs whose items "
                           "hardly correlate.", "PLS")
    if with_paths and not np.isfinite(inference.estimate["paths"]).all():
        raise NotEstimable("two predecessors of a construct carry the same information, so their paths cannot be told "
                           "apart. Merge them.", "PLS")
    return PlsFit(model, settings, missing, responses, replicates, inference, None if with_paths else (n, least))


def check_never_asked(responses: Responses, model: Model) -> None:
    """Refuse to fill in answers to questions that were never put, or about what was never experienced."""
    items = list(dict.fromkeys(model.items))
    kinds = responses.kinds.loc[responses.domain, items].isin(["not_asked", "no_experience"])
    if found := [item for item in items if kinds[item].any()]:
        raise InputRefused(f"`mean` would invent answers to questions never asked or never experienced "
                           f"({', '.join(found[:5])}). Use pairwise.", "pls.missing")


def check_items(responses: Responses, model: Model, few: bool = False) -> tuple[int, int]:
    """Refuse a model whose items cannot carry it: no answers, no variance and, unless ``few`` may be, too few rows.

    Returns
    -------
    Rows there are, and rows that paths need: max(30, 10 × the largest block).
    """
    x = responses.matrix(model.items)[responses.domain & (responses.design.weights > 0)]
    for position, item in enumerate(model.items):
        seen = x[:, position][~np.isnan(x[:, position])]
        if len(seen) < 2:
            raise InputRefused(f'item "{item}" has {len(seen)} answers. Drop it from the model.', "model.constructs")
        if seen.min() == seen.max():
            raise InputRefused(f'item "{item}" has the same answer ({seen[0]:g}) in every interview, so it cannot '
                               "measure anything. Drop it from the model.", "model.constructs")
    least = max(30, 10 * max(len(block) for block in model.blocks))
    if len(x) < least and not few:
        raise InputRefused(
            f"{len(x)} respondents are left; a PLS model with blocks of up to "
            f"{max(len(b) for b in model.blocks)} items needs at least {least}. Collect more answers, or set "
            "pls.outer: equal, which publishes the index as a mean of the questions, without a path model.",
            "model",
        )
    return len(x), least
