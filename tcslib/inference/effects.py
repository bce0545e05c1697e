"""What the design costs: design effects of construct scores, split into weighting and everything else."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tcslib.errors import TcsError
from tcslib.inference.descriptive import mean
from tcslib.inference.linearization import sample_of
from tcslib.study.models import Model
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import kish


def design_effects(responses: Responses, model: Model) -> pd.DataFrame:
    """One row per construct: construct, n, n_eff, deff, weighting, clustering.

    ``deff`` is the linearised variance of the mean score (items on 0–100, equal weights, over those answered) over that
    of a simple random sample of as many drawn with replacement (R survey's ``deff = "replace"``); ``weighting`` is
    Kish's ``n Σw² / (Σw)²`` among those who answered; ``clustering`` the ratio of the two: what clusters add, and
    strata, calibration and the finite population take away. ``n_eff`` is n / deff. Empty where the design does not tell
    variances (replicate weights given without strata and clusters, too few sampling units) or there are none.
    """
    columns = ["construct", "n", "n_eff", "deff", "weighting", "clustering"]
    design = responses.design
    told = design.strata is not None or design.clusters is not None or design.given is None
    if not told or design.df < 1:
        return pd.DataFrame(columns=columns)
    low, width = (np.array([getattr(responses.questionnaire[i].scale, part) for i in model.items])
                  for part in ("low", "width"))
    points = (responses.matrix(model.items) - low) / width * 100
    seen = ~np.isnan(points)
    with np.errstate(invalid="ignore"):          # nobody's answers have no mean
        score = [np.nan_to_num(points[:, block]).sum(axis=1) / seen[:, block].sum(axis=1) for block in model.blocks]
    frame = pd.DataFrame(np.column_stack(score), responses.answers.index, model.names)
    try:
        sample = sample_of(responses)
        found = mean(sample, frame)
    except TcsError:          # what a linearised variance cannot be made of, the replicates may
        return pd.DataFrame(columns=columns)
    back = np.argsort(design.order)
    weights = sample.weights[back]
    used = responses.domain[:, None] & ~frame.isna().to_numpy()
    weighting = np.array([kish(weights[rows])[0] for rows in used.T])
    if not (found.deff > 0).all():          # everybody answered, nothing varies
        return pd.DataFrame(columns=columns)
    return pd.DataFrame({"construct": model.names, "n": found.n, "n_eff": found.n / found.deff, "deff": found.deff,
                         "weighting": weighting, "clustering": found.deff / weighting})
