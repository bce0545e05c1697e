"""Design effects of construct scores, split into what weights cost and the rest."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from tcslib.inference.effects import design_effects
from tcslib.study.models import Construct, Model
from tcslib.survey.design import GivenReplicates
from tcslib.survey.responses import Responses

MODEL = Model((Construct("A", ("A1", "A2")), Construct("B", ("B1",))), (("A", "B"),), "B")


def answered(respond: Callable[..., Responses], **how: object) -> Responses:
    rng = np.random.default_rng(2)
    n = 600
    unit = np.arange(n) % 40
    x = 5.5 + 0.8 * rng.normal(size=40)[unit][:, None] + rng.normal(size=(n, 3))
    frame = pd.DataFrame(np.clip(x, 1, 10), [f"{i:03d}" for i in range(n)], ["A1", "A2", "B1"])
    frame.iloc[:30, 2] = np.nan
    return respond(frame, clusters=unit, **how)


def test_equal_weights_leave_the_cost_of_clusters(respond: Callable[..., Responses]) -> None:
    """1 + (b - 1) rho with rho by the analysis of variance, for equal clusters (Kish 1965, section 5.4): within 2%."""
    responses = answered(respond)
    found = design_effects(responses, MODEL).set_index("construct")
    assert found["weighting"].tolist() == pytest.approx([1, 1])
    assert found["n"].tolist() == [600, 570]
    score = responses.answers[["A1", "A2"]].mean(axis=1).to_numpy()
    between = score.reshape(15, 40).mean(axis=0).var(ddof=1) * 15
    within = score.reshape(15, 40).var(axis=0, ddof=1).mean()
    rho = (between - within) / (between + 14 * within)
    assert found.loc["A", "deff"] == pytest.approx(1 + 14 * rho, rel=0.02)
    assert found["n_eff"].to_numpy() == pytest.approx((found["n"] / found["deff"]).to_numpy())


def test_the_parts_multiply_to_the_whole(respond: Callable[..., Responses]) -> None:
    weights = np.random.default_rng(3).lognormal(0, 0.6, 600)
    found = design_effects(answered(respond, weights=weights), MODEL)
    kish = 600 * (weights ** 2).sum() / weights.sum() ** 2
    assert found.loc[0, "weighting"] == pytest.approx(kish, rel=1e-12)
    assert (found["weighting"] * found["clustering"]).to_numpy() == pytest.approx(found["deff"].to_numpy())


def test_what_cannot_be_told_is_not_shown(respond: Callable[..., Responses]) -> None:
    one = respond(pd.DataFrame({"A1": [1.0, 2.0], "A2": [2.0, 3.0], "B1": [1.0, 5.0]}, ["a", "b"]), strata=["s", "t"])
    assert not len(design_effects(one, MODEL))
    given = GivenReplicates(np.ones((2, 3)), np.ones(3), "mean", 2)
    told = respond(pd.DataFrame({"A1": [1.0, 2.0], "A2": [2.0, 3.0], "B1": [1.0, 5.0]}, ["a", "b"]), given=given)
    assert not len(design_effects(told, MODEL))
