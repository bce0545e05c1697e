"""Weighted moments against pandas, and the rules for missing answers, weights and domains by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tcslib.errors import NotEstimable
from tcslib.inference.infer import Arrays, infer
from tcslib.inference.moments import Moments, MomentSource
from tcslib.inference.replicates import replicate
from tcslib.measurement.reliability import alpha
from tcslib.structure.fit import PlsFit, pls
from tcslib.structure.pls import PlsSettings
from tcslib.study.models import Construct, Model
from tcslib.survey.responses import Responses

Respond = Callable[..., Responses]
ITEMS = [f"Q{j}" for j in range(6)]
MODEL = Model((Construct("One", ("Q0", "Q1", "Q2")), Construct("Two", ("Q3", "Q4", "Q5"))), (("One", "Two"),), "Two")


def answers(holes: float = 0.15, n: int = 120) -> pd.DataFrame:
    """Correlated answers 1-10; some rows are empty throughout."""
    rng = np.random.default_rng(2)
    x = np.clip(np.rint(6 + rng.normal(0, 1.5, (n, 1)) + rng.normal(0, 1.2, (n, 6))), 1, 10)
    x[rng.random(x.shape) < holes] = np.nan
    if holes:
        x[:3] = np.nan
    return pd.DataFrame(x, [f"{i:04d}" for i in range(n)], ITEMS)


def sample(responses: Responses, missing: Any = "pairwise") -> Moments:
    return MomentSource(responses.matrix(ITEMS), replicate(responses, 64), responses.domain, missing).sample()


def pls_of(responses: Responses) -> PlsFit:
    return pls(responses, MODEL, PlsSettings(tolerance=1e-13), replicates=replicate(responses, 64))


# ---------------------------------------------------------------- missing answers


def test_pairwise_moments_are_those_of_pandas(respond: Respond) -> None:
    frame = answers()
    found = sample(respond(frame))
    assert found.mean[0] == pytest.approx(frame.mean().to_numpy(), rel=1e-12)
    assert found.cov[0] == pytest.approx(frame.cov().to_numpy(), rel=1e-12)
    assert found.sd[0] == pytest.approx(frame.std().to_numpy(), rel=1e-12)


def test_complete_moments_are_those_of_pandas_by_every_rule(respond: Respond) -> None:
    frame = answers(0)
    for missing in ("pairwise", "mean", "listwise"):
        found = sample(respond(frame), missing)
        assert found.mean[0] == pytest.approx(frame.mean().to_numpy(), rel=1e-12)
        assert found.cov[0] == pytest.approx(frame.cov().to_numpy(), rel=1e-12)
        assert found.cor[0] == pytest.approx(frame.corr().to_numpy(), rel=1e-12)


def test_listwise_drops_rows_with_a_hole(respond: Respond) -> None:
    frame = answers()
    found, whole = sample(respond(frame), "listwise"), frame.dropna()
    assert 20 < len(whole) < 80
    assert found.mean[0] == pytest.approx(whole.mean().to_numpy(), rel=1e-12)
    assert found.cov[0] == pytest.approx(whole.cov().to_numpy(), rel=1e-12)


def test_mean_replacement_is_imputing_by_hand(respond: Respond) -> None:
    """Rows without any answer say nothing and are left out; the divisor is that of complete data."""
    frame = answers().dropna(how="all")
    found, filled = sample(respond(answers()), "mean"), frame.fillna(frame.mean())
    assert found.mean[0] == pytest.approx(filled.mean().to_numpy(), rel=1e-12)
    assert found.cov[0] == pytest.approx(filled.cov().to_numpy(), rel=1e-12)


def test_mean_replacement_takes_each_replicates_own_mean(respond: Respond) -> None:
    frame = answers()
    responses = respond(frame)
    replicates = replicate(responses, 64)
    found = MomentSource(responses.matrix(ITEMS), replicates, responses.domain, "mean").block(range(1))
    some = frame.notna().any(axis=1).to_numpy()
    for b in (0, 17, 63):
        counts = replicates.weights(0)[b][some]
        drawn = frame[some].loc[frame[some].index.repeat(counts.astype(int))]
        filled = drawn.fillna(drawn.mean())
        assert found.mean[b] == pytest.approx(filled.mean().to_numpy(), rel=1e-12)
        # the divisor is the sample's n - 1 over n, the same for every replicate
        bessel = some.sum() / (some.sum() - 1)
        assert found.cov[b] == pytest.approx(filled.cov(ddof=0).to_numpy() * bessel, rel=1e-11)


def test_pairwise_replicates_are_pandas_on_the_rows_drawn(respond: Respond) -> None:
    frame = answers()
    responses = respond(frame)
    replicates = replicate(responses, 64)
    found = MomentSource(responses.matrix(ITEMS), replicates, responses.domain).block(range(1))
    seen = frame.notna().to_numpy().astype(float)
    pairs = seen.T @ seen
    for b in (0, 63):
        drawn = frame.loc[frame.index.repeat(replicates.weights(0)[b].astype(int))]
        assert found.mean[b] == pytest.approx(drawn.mean().to_numpy(), rel=1e-12)
        there = drawn.notna().to_numpy().astype(float)
        here = there.T @ there          # pandas divides by n - 1 whatever ddof says where answers are missing
        known = drawn.cov().to_numpy() * (here - 1) / here * pairs / (pairs - 1)
        assert found.cov[b] == pytest.approx(known, rel=1e-11)


def test_a_large_mean_costs_no_digits(respond: Respond) -> None:
    frame = answers(0)
    far = sample(respond(frame + 1e7)).cov[0]
    assert far == pytest.approx(frame.cov().to_numpy(), rel=1e-9)


# ---------------------------------------------------------------- weights


def weighted() -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Answers, weights 1 or 2, and the same with rows of weight 2 written twice."""
    frame = answers(0)
    weights = np.random.default_rng(6).integers(1, 3, len(frame))
    twice = frame.loc[frame.index.repeat(weights)]
    return frame, weights, twice.set_axis([f"{i:04d}" for i in range(len(twice))])


def test_a_weight_of_two_is_a_row_written_twice(respond: Respond) -> None:
    """For means, correlations and what is made of them; covariances differ by n/(n-1) of the rows there are."""
    frame, weights, twice = weighted()
    one, other = sample(respond(frame, weights=weights)), sample(respond(twice))
    assert one.mean == pytest.approx(other.mean, rel=1e-12)
    assert one.cor == pytest.approx(other.cor, rel=1e-12)
    assert alpha(one.cov[:, :3, :3], "raw") == pytest.approx(alpha(other.cov[:, :3, :3], "raw"), rel=1e-12)
    n, m = len(frame), len(twice)
    assert one.cov * (n - 1) / n == pytest.approx(other.cov * (m - 1) / m, rel=1e-12)
    a, b = pls_of(respond(frame, weights=weights)), pls_of(respond(twice))
    for name in ("paths", "weights", "loadings"):
        assert a.inference.estimate[name] == pytest.approx(b.inference.estimate[name], rel=1e-10)


def test_weighted_moments_are_numpys(respond: Respond) -> None:
    frame, _, _ = weighted()
    weights = np.random.default_rng(7).lognormal(0, 0.7, len(frame))
    found = sample(respond(frame, weights=weights))
    assert found.mean[0] == pytest.approx(np.average(frame, axis=0, weights=weights), rel=1e-12)
    known = np.cov(frame.to_numpy().T, aweights=weights, ddof=0) * len(frame) / (len(frame) - 1)
    assert found.cov[0] == pytest.approx(known, rel=1e-12)


def test_constant_weights_are_no_weights(respond: Respond) -> None:
    frame = answers()
    one, other = pls_of(respond(frame)), pls_of(respond(frame, weights=np.full(len(frame), 7.3)))
    for name, value in one.inference.estimate.items():
        assert other.inference.estimate[name] == pytest.approx(value, rel=1e-11, nan_ok=True), name
        assert other.inference.draws[name] == pytest.approx(one.inference.draws[name], rel=1e-9, nan_ok=True), name
    assert other.inference.interval == one.inference.interval == "percentile"


def test_a_weight_of_zero_is_no_answer(respond: Respond) -> None:
    frame = answers()
    weights = np.ones(len(frame))
    weights[::4] = 0
    one, other = sample(respond(frame, weights=weights)), sample(respond(frame[weights > 0]))
    assert one.mean == pytest.approx(other.mean, rel=1e-12)
    assert one.cov == pytest.approx(other.cov, rel=1e-12)


# ---------------------------------------------------------------- domains


def test_a_domain_is_its_rows_with_the_design_s_degrees_of_freedom(respond: Respond) -> None:
    frame, rng = answers(n=240), np.random.default_rng(9)
    design = {"strata": np.repeat(["a", "b", "c"], 80), "clusters": np.tile(np.arange(10), 24),
              "weights": rng.uniform(0.5, 2, 240)}
    inside = rng.random(240) < 0.5
    domain = respond(frame, **design, domain=inside)
    filtered = respond(frame[inside], **{key: values[inside] for key, values in design.items()})
    one, other = pls_of(domain).inference, pls_of(filtered).inference
    for name, value in other.estimate.items():
        assert one.estimate[name] == pytest.approx(value, rel=1e-12, nan_ok=True), name
    assert (one.n, other.n) == (other.n, int((inside & frame.notna().any(axis=1)).sum()))
    assert one.df == domain.design.df == 27


def test_a_domain_keeps_empty_units(respond: Respond) -> None:
    """Five of thirty units hold no row of the domain: filtering would lose them and their df."""
    frame = answers(0, 240)
    cluster = np.tile(np.arange(10), 24)
    stratum = np.repeat(["a", "b", "c"], 80)
    inside = ~((stratum == "a") & (cluster < 5))
    design = {"strata": stratum, "clusters": cluster}

    def mean(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
        return {"mean": moments.mean}

    domain, cut = respond(frame, **design, domain=inside), respond(frame[inside], strata=stratum[inside],
                                                                   clusters=cluster[inside])
    assert infer(mean, domain, replicate(domain, 64), ITEMS).df == 27
    assert infer(mean, cut, replicate(cut, 64), ITEMS).df == 22


def test_no_answers_no_estimate(respond: Respond) -> None:
    frame = answers()
    nobody = respond(frame, domain=np.arange(len(frame)) < 1)
    with pytest.raises(NotEstimable, match="0 rows answered"):
        sample(nobody)          # the first rows are empty
