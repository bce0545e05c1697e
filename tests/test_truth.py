"""The whole spine against a known truth: stratified two-stage samples of the demo's market, weighted, raked.

The truth is tests/reference/demo_truth/truth.json: four million simulated users, plain least squares between
composites of known weights, no PLS code. Bands hold for all numbers of a check together with 99.9% (Bonferroni), so
that one seed in a thousand would fail them by chance.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.index.scoring import index
from tcslib.inference.replicates import replicate
from tcslib.loyalty.recommendation import nps
from tcslib.simulate import MARGINS, Market, draw_survey
from tcslib.structure.fit import pls
from tcslib.study.load import load
from tcslib.study.questionnaire import Item, Scale
from tcslib.survey.responses import responses_from_frame

ROOT = Path(__file__).resolve().parent.parent
LEVEL, SAMPLES = 0.001, 40
OUTSIDE = "outside the band"


@pytest.fixture(scope="module")
def known() -> dict:
    return json.loads((ROOT / "tests/reference/demo_truth/truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def study():
    return load(ROOT / "params/demo/2026Q3.yaml")


def true_paths(known: dict, model) -> np.ndarray:
    return np.array([known["paths"][f"{s} -> {t}"]["value"] for s, t in model.paths])


def estimates(study, seed: int, market: Market, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Paths, then satisfaction and loyalty scores, with their SEs, from one clean sample of the market."""
    frame = draw_survey(np.random.default_rng(seed), market).frame.reset_index(drop=True)
    frame.index = [f"{i:05d}" for i in frame.index]
    questions = {item: Item(item, Scale(1, 10)) for item in study.model.items}
    answers = responses_from_frame(
        frame, questions, weights="base_weight", strata="region", clusters="store", rake=MARGINS
    )
    answers = answers.where((frame["brand"] == "Demo Mobile").to_numpy())
    found = index(pls(answers, study.model, replicates=replicate(answers, count, seed)))
    at = [study.model.names.index(name) for name in ("Satisfaction", "Loyalty")]
    return (np.concatenate([found.fit.inference.estimate["paths"], found.scores.estimate["score"][at]]),
            np.concatenate([found.fit.inference.se("paths"), found.scores.se("score")[at]]))


def check(study, truth: np.ndarray, market: Market, seed: int) -> np.ndarray:
    """The mean of the estimates over 40 samples lies within t · sd / √40 of the truth; returns their SDs."""
    drawn = np.array([estimates(study, seed + i, market, 64)[0] for i in range(SAMPLES)])
    k = drawn.shape[1]
    distance = np.abs(drawn.mean(axis=0) - truth) / (drawn.std(axis=0, ddof=1) / np.sqrt(SAMPLES))
    assert (distance < stats.t.ppf(1 - LEVEL / (2 * k), SAMPLES - 1)).all(), f"{OUTSIDE}: {distance.round(1)}"
    return drawn.std(axis=0, ddof=1)


@pytest.fixture(scope="module")
def truth(known, study) -> np.ndarray:
    return np.append(true_paths(known, study.model), [known["index"][c]["value"] for c in ("Satisfaction", "Loyalty")])


@pytest.fixture(scope="module")
def spread(study, truth) -> np.ndarray:
    return check(study, truth, Market(), seed=1000)


def test_estimates_centre_on_the_truth(spread):
    assert (spread > 0).all()


def test_the_check_fails_when_one_path_moves_by_three_standard_errors(study, truth, spread):
    at = study.model.paths.index(("Quality", "Satisfaction"))
    moved = dict(Market().paths) | {
        ("Quality", "Satisfaction"): Market().paths["Quality", "Satisfaction"] - 3 * spread[at]
    }
    with pytest.raises(AssertionError, match=OUTSIDE):
        check(study, truth, Market(paths=moved), seed=1000)


def test_standard_errors_are_those_of_repeated_samples(study, spread):
    """Mean replicate SE over 12 samples against the SD over 40: their ratio within a chi distribution's 99.9% band."""
    errors = np.array([estimates(study, 2000 + i, Market(), 256)[1] for i in range(12)])
    ratio = errors.mean(axis=0) / spread
    k = len(ratio)
    low, high = (
        np.sqrt(stats.chi2.ppf(q, SAMPLES - 1) / (SAMPLES - 1)) for q in (LEVEL / (2 * k), 1 - LEVEL / (2 * k))
    )
    # 12 samples leave the mean SE itself about 5% uncertain
    assert ((1 / ratio > low * 0.95) & (1 / ratio < high * 1.05)).all(), ratio.round(2)


def test_the_demo_as_it_ships(study, known, truth):
    """Each estimate from the committed, dirty file lies within its own t band on the design's df around the truth."""
    answers = clean(read(study), study)
    replicates = replicate(answers, 1000, 1)
    found = index(pls(answers, study.model, replicates=replicates))
    at = [study.model.names.index(name) for name in ("Satisfaction", "Loyalty")]
    score = nps(answers, "NPS", replicates).inference
    estimate = np.concatenate([found.fit.inference.estimate["paths"], found.scores.estimate["score"][at],
                               [score.estimate["nps"]]])
    se = np.concatenate([found.fit.inference.se("paths"), found.scores.se("score")[at], [score.se("nps")]])
    target = np.append(truth, known["nps"]["nps"]["value"])
    distance = pd.Series(np.abs(estimate - target) / se)
    assert (distance < stats.t.ppf(1 - LEVEL / (2 * len(target)), answers.design.df)).all(), distance.round(1).tolist()
    assert distance.max() > 0.5          # a band so wide that nothing comes near it would prove nothing
