"""The demo's population is what it says it is, checked without any of the library's estimators."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tcslib.errors import InputRefused
from tcslib.simulate import BRANDS, ITEMS, MARGINS, NAMES, PATHS, REGIONS, Market, demo, draw_answers, draw_survey
from tcslib.simulate.__main__ import ANSWERS, TRUTH, as_csv
from tcslib.simulate.market import BLOCKS, CONSTRUCTS, OWN
from tcslib.simulate.sample import draw_persons, draw_stores
from tcslib.simulate.soil import COUNTS
from tcslib.simulate.truth import estimand, truth
from tcslib.simulate.verbatims import MARKUP, PRIVATE
from tcslib.study.load import load
from tcslib.study.models import read_preset

ROOT = Path(__file__).parent.parent
LEVEL = 0.001                       # a check that chance can break breaks in one of a thousand seeds


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@pytest.fixture(scope="module")
def written() -> pd.DataFrame:
    return pd.read_csv(ROOT / ANSWERS, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def known() -> dict:
    return json.loads((ROOT / TRUTH).read_text(encoding="utf-8"))


def within(estimates: np.ndarray, target: np.ndarray) -> None:
    """Fail when a mean of simulated estimates, (samples, k), leaves its 99.9% band, Bonferroni over k."""
    n, k = estimates.shape
    error = estimates.std(0, ddof=1) / np.sqrt(n)
    distance = np.abs(estimates.mean(0) - target) / error
    assert np.all(distance < stats.t.ppf(1 - LEVEL / (2 * k), n - 1)), distance.round(1)


def ols(answers: np.ndarray, market: Market) -> tuple[np.ndarray, np.ndarray]:
    """Standardised slopes of all paths, and their textbook SEs, between composites of known weights; own code."""
    z = (answers - answers.mean(0)) / answers.std(0)
    composites = z @ market.weights
    composites = (composites - composites.mean(0)) / composites.std(0)
    slopes, errors = [], []
    for source, target in PATHS:
        sources = [s for s, t in PATHS if t == target]
        x, y = composites[:, [NAMES.index(s) for s in sources]], composites[:, NAMES.index(target)]
        b, rest, *_ = np.linalg.lstsq(x, y, rcond=None)
        at = sources.index(source)
        slopes.append(b[at])
        errors.append(np.sqrt(rest[0] / (len(y) - len(b)) * np.linalg.inv(x.T @ x)[at, at]))
    return np.array(slopes), np.array(errors)


def index(frame: pd.DataFrame, market: Market, known: dict) -> np.ndarray:
    """Satisfaction index of each row, by the definition in truth.json."""
    inside = NAMES.index("Satisfaction") == BLOCKS
    items = np.array(ITEMS)[inside]
    v = market.weights[inside].sum(1) / [known["sds"][i]["value"] for i in items]
    return 100 * ((frame[items].to_numpy() - 1) / 9) @ v / v.sum()


def test_the_model_is_the_presets() -> None:
    preset = read_preset("ecsi")
    assert {name: list(block) for name, block in CONSTRUCTS.items()} == {
        name: list(c["items"]) for name, c in preset["constructs"].items()}
    assert set(PATHS) == {tuple(path) for path in preset["paths"]}


def test_effects_add_up_to_the_disturbances(market: Market) -> None:
    """Place, gender, age and person together have mean zero and exactly the covariance the paths leave."""
    users = market.store_users / market.users
    assert [market.store_users[market.store_region == r].sum() for r in range(4)] == [r.users for r in REGIONS.values()]
    total = market.person_covariance + (market.place.T * users) @ market.place
    np.testing.assert_allclose(users @ market.place, 0, atol=1e-12)
    for trait, shares in MARGINS.items():
        effects, p = market.personal(trait), np.array(list(shares.values()))
        np.testing.assert_allclose(p @ effects, 0, atol=1e-12)
        total = total + (effects.T * p) @ effects
    np.testing.assert_allclose(total, np.diag(1 - market.r2), atol=1e-12)
    reach = np.linalg.inv(np.eye(7) - market.coefficients)
    np.testing.assert_allclose(reach @ total @ reach.T, market.correlations, atol=1e-12)
    np.testing.assert_allclose(np.diag(market.correlations), 1)


@pytest.mark.parametrize("brand", list(BRANDS))
def test_composites_covary_as_the_paths_imply_within_each_brand(market: Market, brand: str) -> None:
    rng, blocks = np.random.default_rng(1), []
    for _ in range(25):
        n = 8_000
        store = rng.choice(len(market.store_users), n, p=market.store_users / market.users)
        xi = market.composites(store, *draw_persons(n, rng), np.full(n, list(BRANDS).index(brand)), rng)
        blocks.append(np.cov(xi.T)[np.tril_indices(7)])
    within(np.array(blocks), market.correlations[np.tril_indices(7)])


def test_blocks_are_composites_whose_weights_reproduce_themselves(market: Market) -> None:
    for k, block in enumerate(market.block_correlations):
        w = market.weights[k == BLOCKS, k]
        assert w @ block @ w == pytest.approx(1)
        np.testing.assert_allclose(block @ w / w, (block @ w / w)[0])          # R w is proportional to w
        noise = market.noise_root[np.ix_(k == BLOCKS, k == BLOCKS)]
        np.testing.assert_allclose(noise @ noise, block - np.outer(block @ w, block @ w), atol=1e-12)
        np.testing.assert_allclose(noise @ w, 0, atol=1e-7)                    # the composite carries no error


def test_paths_that_explain_too_much_are_refused() -> None:
    for size in (0.80, 0.95):                          # too little left for place and person, and less than nothing
        with pytest.raises(InputRefused, match="no variance"):
            Market(PATHS | {("Quality", "Satisfaction"): size})
    with pytest.raises(InputRefused, match="forwards"):
        Market(PATHS | {("Loyalty", "Image"): 0.1})


def test_simple_samples_recover_the_paths_and_a_moved_path_is_noticed(market: Market, known: dict) -> None:
    """30 samples of 400 in the 99.9% band; the same check fails when one path moves by three SEs of one sample."""
    target = np.array([known["paths"][f"{s} -> {t}"]["value"] for s, t in PATHS])
    drawn = [ols(draw_answers(400, np.random.default_rng([2, i]), market), market) for i in range(30)]
    within(np.array([slopes for slopes, _ in drawn]), target)
    path = ("Value", "Satisfaction")
    step = 3 * drawn[0][1][list(PATHS).index(path)]
    other = Market(PATHS | {path: PATHS[path] + step})
    moved = [ols(draw_answers(400, np.random.default_rng([2, i]), other), other)[0] for i in range(30)]
    with pytest.raises(AssertionError):
        within(np.array(moved), target)


def test_nonresponse_biases_the_index_and_the_population_margins_repair_it(market: Market, known: dict) -> None:
    """80 surveys as the demo's: base weights alone miss the index, weights brought to gender and age do not."""
    cells = {(g, a): p * q for g, p in MARGINS["gender"].items() for a, q in MARGINS["age"].items()}
    base, repaired = [], []
    for i in range(80):
        frame = draw_survey(np.random.default_rng([3, i]), market).frame
        assert frame["base_weight"].sum() == pytest.approx(market.users)
        cell = pd.MultiIndex.from_frame(frame[["gender", "age"]])
        wanted = cell.map(cells).to_numpy(float) / frame.groupby(["gender", "age"])["base_weight"].transform("sum")
        own, score = frame["brand"] == OWN, index(frame, market, known)
        base.append(np.average(score[own], weights=frame["base_weight"][own]))
        repaired.append(np.average(score[own], weights=(frame["base_weight"] * wanted)[own]))
    target = np.array([known["index"]["Satisfaction"]["value"]])
    within(np.array(repaired)[:, None], target)
    with pytest.raises(AssertionError):
        within(np.array(base)[:, None], target)
    assert 0.5 < np.mean(base) - target[0] < 2


def test_stores_are_drawn_by_size() -> None:
    sizes, drawn = np.array([10, 20, 30, 15, 5, 20]), np.zeros((4000, 6))
    for i, row in enumerate(drawn):
        chosen = draw_stores(sizes, 3, np.random.default_rng([4, i]))
        assert len(set(chosen)) == 3
        row[chosen] = 1
    within(drawn, 3 * sizes / sizes.sum())


def test_committed_truth_is_what_a_population_of_another_seed_says(market: Market, known: dict) -> None:
    """Fewer users, another seed: within the 99.9% band, Bonferroni over all numbers."""
    again = estimand(seed=5, blocks=6, rival_blocks=4, market=market)
    apart = []
    for key, (value, _) in again.items():
        section, name = key.split("/", 1)
        entry = known[section][name]
        blocks = (10, 4) if name.startswith("Rival") else (30, 6)
        error = entry["mc_se"] * np.sqrt(1 + blocks[0] / blocks[1])           # of the difference between the two
        apart.append(abs(value - entry["value"]) / max(error, 1e-6))
    assert len(apart) > 100
    assert max(apart) < stats.t.ppf(1 - LEVEL / (2 * len(apart)), 9)
    exact = truth(market)
    for (source, target), value in exact.paths.items():
        entry = known["paths"][f"{source} -> {target}"]
        assert entry["exact"] == pytest.approx(value, abs=1e-6)
        assert abs(entry["value"] - value) < 0.02                             # rounding answers costs little


def test_committed_answers_are_the_seeds(written: pd.DataFrame) -> None:
    assert (ROOT / ANSWERS).read_bytes() == as_csv(demo())
    assert not (ROOT / ANSWERS).read_bytes().startswith(b"\xef\xbb\xbf")
    assert 900 <= len(written) <= 970


def test_dirt_is_where_it_was_reported(written: pd.DataFrame) -> None:
    done = demo().done
    rows = written.drop_duplicates().set_index("resp_id")
    counts = {rule: n for rule, n in COUNTS.items() if rule != "straight_and_speed"}
    assert done["rule"].value_counts().to_dict() == counts
    assert len(written) - len(rows) == COUNTS["duplicate"] and rows.index.is_unique
    twice = set(written["resp_id"][written["resp_id"].duplicated()])
    assert twice == set(done["resp_id"][done["rule"] == "duplicate"])
    for cell in done[done["column"] != ""].itertuples():
        assert rows.at[cell.resp_id, cell.column] == cell.now
    items = rows[ITEMS]
    assert set(rows.index[items.eq(items.iloc[:, 0], axis=0).all(axis=1)]) == set(
        done["resp_id"][done["rule"] == "straight"])
    seconds = rows["duration"].astype(int)
    slow = set(done["resp_id"][done["rule"] == "speed"])
    assert set(rows.index[seconds < seconds.median() / 3]) == slow
    assert len(slow & set(done["resp_id"][done["rule"] == "straight"])) == COUNTS["straight_and_speed"]
    assert items.isin(["0", "11", "55"]).sum().sum() == COUNTS["out_of_scale"]
    assert items.isin(["0", "11", "55"]).mean().max() < 0.01
    assert (items == "").sum().sum() == COUNTS["empty"]
    assert items.map(lambda cell: cell.endswith("分")).sum().sum() == COUNTS["unit"]
    assert items.map(lambda cell: cell[:1] in set("０１２３４５６７８９")).sum().sum() == COUNTS["full_width"]
    assert (rows["COMMENT"] == "NA").sum() == COUNTS["literal_na"]
    labels = rows[["region", "brand", "gender", "age", "plan"]]
    assert (labels != labels.map(str.strip)).sum().sum() == COUNTS["blank"]


def test_answers_not_given_and_what_respondents_wrote(written: pd.DataFrame) -> None:
    rows = written.drop_duplicates()
    share = rows[ITEMS].isin(["98", "99"]).mean()
    assert 0.20 < share["CUSCO"] < 0.32
    assert share.drop("CUSCO").between(0.01, 0.05).all()
    assert 0.35 < (rows["COMMENT"] != "").mean() < 0.46
    for text in PRIVATE + MARKUP:
        assert rows["COMMENT"].str.endswith(text).sum() == 1
    ids = rows["resp_id"]
    assert ids.str.fullmatch(r"\d{18}").all()
    assert ids.astype(float).nunique() < 0.1 * len(ids)                       # as floats they would be lost


def test_committed_weights_and_margins(written: pd.DataFrame) -> None:
    """Base weights sum to the population within 1 in a million; the margins they give are not the population's."""
    study = load(ROOT / "params/demo/2026Q3.yaml")
    rows = written.drop_duplicates()
    weight = rows["base_weight"].astype(float)
    assert weight.sum() == pytest.approx(1_000_000, rel=1e-6)
    assert study.params.weighting.rake == MARGINS
    assert {k: s.size for k, s in study.params.plan.strata.items()} == {k: r.users for k, r in REGIONS.items()}
    for trait, shares in MARGINS.items():
        label = rows[trait].str.strip()
        observed = weight.groupby(label).sum() / weight.sum()
        n_eff = weight.sum() ** 2 / (weight**2).sum()
        chi2 = n_eff * sum((observed[c] - p) ** 2 / p for c, p in shares.items())
        assert stats.chi2.sf(chi2, len(shares) - 1) < LEVEL


def test_demo_study_says_what_was_drawn() -> None:
    study = load(ROOT / "params/demo/2026Q3.yaml")
    survey = draw_survey(np.random.default_rng(20260930))
    assert study.params.plan.drawn == survey.approached
    assert study.model.items == ITEMS
    assert {study.params.fieldwork.start, study.params.fieldwork.end} == {"2026-07-06", "2026-09-13"}
