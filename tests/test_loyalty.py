"""Recommendation, and the road from satisfaction to loyalty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tcslib.index.scoring import Index, index, respondent_scores
from tcslib.inference.replicates import replicate
from tcslib.loyalty.link import BANDS, LoyaltyCurve, loyalty_curve
from tcslib.loyalty.recommendation import nps
from tcslib.structure.fit import pls
from tcslib.study.models import Construct, Model
from tcslib.survey.responses import Responses

Respond = Callable[..., Responses]
Expected = Callable[[str, str], Any]
B = 10_000
Z = stats.norm.ppf(0.9995)          # two-sided 99.9%


def asked(answers: list[float], respond: Respond, **options: Any) -> Responses:
    return respond(pd.DataFrame({"NPS": answers}, [f"{i:04d}" for i in range(len(answers))]), scale=(0, 10), **options)


# ---------------------------------------------------------------- net promoter score


def test_nps_and_its_standard_error(expected: Expected, respond: Respond) -> None:
    """1,000 answers, formula of R's NPS::nps.var: 100 sqrt((p + d - (p - d)²) / n), which n of n draws meet exactly."""
    case = expected("loyalty", "nps_ci")
    given, known = case["inputs"], case["expected"]
    answers = [9.0] * 125 + [10.0] * 125 + [8.0] * given["passives"] + [0.0] * 5 + [6.0] * 70
    assert len(answers) == given["n"]
    responses = asked(answers, respond)
    found = nps(responses, "NPS", replicate(responses, B))
    row = found.table().set_index("statistic").loc["nps"]
    assert row["estimate"] == pytest.approx(known["nps"], abs=1e-9)
    assert row["se"] == pytest.approx(known["se"], rel=Z / np.sqrt(2 * B))          # kurtosis 3
    # ends of the percentile interval: Monte Carlo error sqrt(.025 · .975 / B) / density, and steps of 0.1 points
    error = np.sqrt(0.025 * 0.975 / B) / (stats.norm.pdf(1.96) / known["se"])
    assert [row["low"], row["high"]] == pytest.approx(known["ci95"], abs=Z * error + 0.1)
    shares = found.table().set_index("statistic")["estimate"]
    assert shares[["promoters", "passives", "detractors"]].tolist() == pytest.approx([0.25, 0.675, 0.075])


def test_nps_by_hand_with_weights_and_missing_answers(respond: Respond) -> None:
    answers = [10, 9, 8, 7, 6, 0, np.nan, 10]
    weights = [1, 2, 3, 4, 5, 6, 7, 0]
    responses = asked(answers, respond, weights=weights)
    found = nps(responses, "NPS", replicate(responses, 64)).inference
    # promoters 1 + 2, detractors 5 + 6, of 21 who answered and count
    assert found.estimate["nps"] == pytest.approx(100 * (3 - 11) / 21)
    assert found.estimate["passives"] == pytest.approx(7 / 21)
    assert found.n == 6


def test_shares_stay_between_0_and_1(respond: Respond) -> None:
    """Nineteen of twenty clusters hold promoters alone: the t interval is made on the logit."""
    responses = asked(([10.0] * 10) * 19 + [5.0] * 5 + [10.0] * 5, respond, clusters=np.repeat(np.arange(20), 10))
    table = nps(responses, "NPS", replicate(responses, 500)).table().set_index("statistic")
    promoters = table.loc["promoters"]
    assert promoters["method"] == "t, rao_wu"
    assert 0 < promoters["low"] < promoters["estimate"] < promoters["high"] < 1
    assert promoters["estimate"] + stats.t.ppf(0.975, 19) * promoters["se"] > 1          # untransformed it would not


# ---------------------------------------------------------------- the curve


def straight(frame: pd.DataFrame, respond: Respond, count: int = 64, **options: Any) -> Index:
    """Satisfaction and loyalty of one item each, so that scores are the answers on 0-100."""
    model = Model((Construct("Satisfaction", ("S",)), Construct("Loyalty", ("L",))), (("Satisfaction", "Loyalty"),),
                  "Satisfaction", "Loyalty")
    responses = respond(frame.set_axis([f"{i:04d}" for i in range(len(frame))]), scale=(0, 10), **options)
    return index(pls(responses, model, replicates=replicate(responses, count)))


def test_the_quadratic_of_the_worked_example(expected: Expected, respond: Respond) -> None:
    """Nine points, each four times; quadratic in raw scores in the reference, centred at 6 and times 10 here."""
    case = expected("loyalty", "satisfaction_loyalty_nonlinear")
    frame = pd.DataFrame({"S": case["inputs"]["satisfaction"], "L": case["inputs"]["loyalty"]})
    found = loyalty_curve(straight(pd.concat([frame] * 4), respond), "Satisfaction", "Loyalty")
    c, b, a = case["expected"]["quad"]
    known = [10 * (c + 6 * b + 36 * a), 10 * (b + 12 * a), 10 * a]
    assert found.terms()["estimate"].tolist() == pytest.approx(known, abs=1e-9)
    assert (found.terms()["estimate"].iloc[2] > 0) == case["expected"]["turning_convex"]


def mobile(mobi: Responses, ecsi: Model, **changes: Any) -> Index:
    responses = replace(mobi, **changes)
    return index(pls(responses, ecsi, replicates=replicate(responses, 200)))


def known_rows(found: Index) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = respondent_scores(found)
    return scores["Satisfaction"].to_numpy(), scores["Loyalty"].to_numpy(), found.fit.replicates.sample_weights


def test_curve_and_bands_with_weights(mobi: Responses, ecsi: Model) -> None:
    weights = np.random.default_rng(1).lognormal(0, 0.6, len(mobi))
    weights[:5] = 0
    fitted = mobile(mobi, ecsi, design=replace(mobi.design, weights=weights))
    x, y, w = known_rows(fitted)
    found = loyalty_curve(fitted, "Satisfaction", "Loyalty")
    centre = np.average(x, weights=w)
    known = np.polyfit((x - centre) / 10, y, 2, w=np.sqrt(w))          # numpy, by least squares on the rows
    assert found.terms()["estimate"].tolist() == pytest.approx(known[::-1].tolist(), rel=1e-9)
    assert found.inference.estimate["curve"] == pytest.approx(np.polyval(known, (found.grid - centre) / 10), rel=1e-9)
    table, used = found.table(), w > 0
    assert table["n"].sum() == used.sum() == 245
    for band, row in enumerate(table.itertuples()):
        inside = used & (x >= row.low_edge) & ((x < row.high_edge) | (band == len(BANDS) - 2))
        assert row.n == inside.sum()
        assert row.estimate == pytest.approx(np.average(y[inside], weights=w[inside]), rel=1e-12)


def test_each_replicate_is_the_curve_of_its_weights(mobi: Responses, ecsi: Model) -> None:
    fitted = mobile(mobi, ecsi)
    x, y, w = known_rows(fitted)
    found = loyalty_curve(fitted, "Satisfaction", "Loyalty")
    centre = np.average(x, weights=w)
    for b, weights in enumerate(fitted.fit.replicates.weights(0)[:20]):
        known = np.polyfit((x - centre) / 10, y, 2, w=np.sqrt(weights))[::-1]
        assert found.inference.draws["coefficients"][b] == pytest.approx(known, rel=1e-8)


def test_the_order_of_rows_does_not_matter(mobi: Responses, ecsi: Model) -> None:
    weights = np.random.default_rng(2).lognormal(0, 0.6, len(mobi))
    order = np.random.default_rng(3).permutation(len(mobi))
    design = replace(mobi.design, weights=weights)
    one = loyalty_curve(mobile(mobi, ecsi, design=design), "Satisfaction", "Loyalty")
    other = loyalty_curve(mobile(mobi, ecsi, design=design.take(order), answers=mobi.answers.iloc[order]),
                          "Satisfaction", "Loyalty")
    for name, draws in one.inference.draws.items():
        assert np.array_equal(draws, other.inference.draws[name], equal_nan=True), name
    assert (one.grid == other.grid).all()


def few_levels(respond: Respond) -> LoyaltyCurve:
    """Forty customers, three of them with a third level of satisfaction: 4.5% of resamples hold none of the three."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"S": [5.0] * 18 + [8.0] * 19 + [10.0] * 3, "L": rng.integers(1, 11, 40).astype(float)})
    return loyalty_curve(straight(frame, respond, 2000), "Satisfaction", "Loyalty")


def test_too_few_levels_in_a_replicate_are_counted(respond: Respond) -> None:
    found = few_levels(respond)
    chance = (1 - 3 / 40) ** 40
    undefined = found.inference.undefined("coefficients")
    assert undefined == pytest.approx(np.full(3, chance), abs=Z * np.sqrt(chance * (1 - chance) / 2000))
    assert np.isfinite(found.terms()["estimate"]).all()
