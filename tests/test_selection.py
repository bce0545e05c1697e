"""Samples from a frame: R's sampling package 2.9 (R 4.2.2), exact distributions, and who is refused by name."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tcslib.errors import InputRefused
from tcslib.sampling.picking import pick, pps_systematic, sampford, systematic
from tcslib.sampling.probabilities import inclusion, joint_sampford, joint_simple, joint_systematic
from tcslib.sampling.selection import Draw, Step, draw


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, Any]:
    """The R package sampling 2.9 by Tillé & Matei: reference/survey/sampling_golden.json."""
    return json.loads((shared / "reference/survey/sampling_golden.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def belgium(shared: Path) -> pd.DataFrame:
    """589 Belgian municipalities of the same package."""
    return pd.read_csv(shared / "data/survey/belgianmunicipalities.csv")


def uniform_of_r(seed: int) -> float:
    """R's first ``runif(1)`` after ``set.seed(seed)``: its own scrambling of the seed, then the Mersenne Twister."""
    state = seed
    for _ in range(50):
        state = (69069 * state + 1) % 2**32
    key = []
    for _ in range(625):
        state = (69069 * state + 1) % 2**32
        key.append(state)
    twister = np.random.MT19937()
    twister.state = {"bit_generator": "MT19937", "state": {"key": np.array(key[1:], dtype=np.uint32), "pos": 624}}
    return float(twister.random_raw()) * 2.3283064365386963e-10


# ---------------------------------------------------------------- chances


def test_inclusion_probabilities_are_those_of_r(golden: dict[str, Any], belgium: pd.DataFrame) -> None:
    """1,204 numbers of ``inclusionprobabilities``, 33 units certain."""
    known = golden["inclusionprobabilities"]
    for n in (50, 200):
        case = known[f"belgian_Tot04_n{n}"]
        got = inclusion(belgium["Tot04"].to_numpy(), n)
        assert got == pytest.approx(case["pik"], abs=1e-9) and len(got) == 589
        assert (np.flatnonzero(got == 1) + 1).tolist() == case["certainty_units"]
        assert got.sum() == pytest.approx(case["sum"], abs=1e-9)
    assert inclusion(np.array([1, 1, 2, 4, 10, 50]), 3) == pytest.approx(known["toy_1_1_2_4_10_50_n3"], abs=1e-12)
    assert inclusion(np.arange(1, 21), 5) == pytest.approx(known["toy_1_to_20_n5"], abs=1e-12)


def test_joint_probabilities_are_those_of_r(golden: dict[str, Any]) -> None:
    """72 numbers: ``UPsystematicpi2`` and ``UPsampfordpi2``."""
    p = np.array(golden["docs_pik"])
    got = {"UPsystematicpi2": joint_systematic(p, np.cumsum(p) - p), "UPsampfordpi2": joint_sampford(p, np.arange(6))}
    for name, matrix in got.items():
        assert matrix == pytest.approx(np.array(golden["joint"][name]["joint"]), abs=1e-12), name
        assert matrix.sum(axis=1) - p == pytest.approx(golden["joint"][name]["rowsum_minus_diag"], abs=1e-12)


def test_joint_probabilities_of_longer_lists_add_up() -> None:
    """The sum over all other units is (n - 1) times a unit's own chance, for every design of fixed size."""
    p = inclusion(np.random.default_rng(1).gamma(0.5, 1, 60), 9)
    p = p[p < 1]
    n = round(p.sum())
    for joint in (joint_sampford(p, np.arange(len(p))), joint_systematic(p, np.cumsum(p) - p)):
        assert joint.sum(axis=1) - p == pytest.approx((n - 1) * p, abs=1e-9)
        assert joint == pytest.approx(joint.T) and (joint >= 0).all()
    assert joint_simple(4, 10, 4).sum(axis=1) == pytest.approx(4 / 10 + 3 * 4 * 3 / 90)


def test_sampford_is_the_design_it_says_sample_by_sample() -> None:
    """Against the definition, Sampford (1967): the chance of s is proportional to Σ_s (1 - p) Π_s p / (1 - p)."""
    p = np.array([0.2, 0.7, 0.8, 0.5, 0.4, 0.4])
    every = list(itertools.combinations(range(6), 3))
    chance = np.array([sum(1 - p[list(s)]) * math.prod(p[i] / (1 - p[i]) for i in s) for s in every])
    drawn = sampford(p, 3, np.random.default_rng(3), 200_000)
    assert (drawn.sum(axis=1) == 3).all()
    counts = np.array([drawn[:, s].all(axis=1).sum() for s in map(list, every)])
    # a chi-square with 19 df, beyond its 99.9% point one time in a thousand; the seed is fixed
    assert stats.chisquare(counts, 200_000 * chance / chance.sum()).pvalue > 0.001


def test_sampford_draws_belgium_with_its_chances(golden: dict[str, Any], belgium: pd.DataFrame) -> None:
    """Inclusion frequencies in 20,000 samples within the 99.9% binomial band, for the share of units that may leave it.

    With 587 units about 0.6 leave the band by chance; more than 5 would in two of 10,000 seeds.
    """
    p = np.array(golden["inclusionprobabilities"]["belgian_Tot04_n50"]["pik"])
    p = p[p < 1]
    drawn = sampford(p, 48, np.random.default_rng(11), 20_000)
    assert (drawn.sum(axis=1) == 48).all()
    low, high = stats.binom.interval(0.999, 20_000, p)
    counts = drawn.sum(axis=0)
    assert ((counts < low) | (counts > high)).sum() <= 5


# ---------------------------------------------------------------- systematic draws


def test_systematic_draws_are_those_of_r(golden: dict[str, Any], belgium: pd.DataFrame) -> None:
    """Five explicit starts, the average over 1,000 starts, and R's seeded draws by its own random start."""
    p = np.array(golden["docs_pik"])

    def hit(u: float) -> np.ndarray:
        return np.bincount(pps_systematic(p, 3, u), minlength=6)

    for case in golden["systematic_explicit_start"]:
        assert hit(case["u"]).tolist() == case["sample"]
    average = np.mean([hit((k + 0.5) / 1000) for k in range(1000)], axis=0)
    assert average == pytest.approx(golden["systematic_grid_inclusion"]["avg"], abs=1e-12)
    assert hit(uniform_of_r(1)).tolist() == golden["seeded_docs_pik"]["UPsystematic"]
    case = golden["seeded_belgian_n200"]
    p = inclusion(belgium["Tot04"].to_numpy(), 200)
    rest = np.flatnonzero(p < 1)
    got = np.sort(np.concatenate([np.flatnonzero(p == 1),
                                  rest[pps_systematic(p[rest], 169, uniform_of_r(case["seed"]))]]))
    assert (got + 1).tolist() == case["UPsystematic"]
    total = (belgium["Tot03"].to_numpy()[got] / p[got]).sum()
    assert total == pytest.approx(case["UPsystematic_HT_Tot03"], abs=1e-6)
    assert belgium["Tot03"].sum() == case["true_Tot03"]


def test_fractional_intervals_are_those_of_r(golden: dict[str, Any]) -> None:
    for case in golden["systematic_equal_fractional"]:
        got = systematic(case["N"], case["n"], case["u_fraction_of_interval"])
        assert (got + 1).tolist() == case["idx1"]


@pytest.mark.parametrize("size", [77, 154, 10, 11, 19, 100_003])
def test_a_fractional_interval_gives_exactly_n(size: int) -> None:
    """With 77 and a whole interval of 7, or 8, there would be 11 or 9 or 10, as it falls."""
    for start in [0.0, 0.5, np.nextafter(1, 0), *np.random.default_rng(1).random(50)]:
        got = systematic(size, 10, start)
        assert len(set(got.tolist())) == 10 and got.min() >= 0 and got.max() < size


def test_every_unit_has_the_same_chance_at_a_fractional_interval() -> None:
    counts = np.bincount(np.concatenate([systematic(77, 10, (k + 0.5) / 7700) for k in range(7700)]), minlength=77)
    assert set(counts) == {1000}


# ---------------------------------------------------------------- whole draws

METHODS = ("simple", "systematic", "pps_systematic", "pps_sampford")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """2,000 customers in three regions and 100 stores, each store in one region and with a size of its own."""
    rng = np.random.default_rng(5)
    store = rng.integers(0, 100, 2000)
    return pd.DataFrame({
        "id": [f"C{i:05d}" for i in rng.permutation(2000)], "region": np.array(["North", "South", "West"])[store % 3],
        "store": [f"S{s:02d}" for s in store], "turnover": rng.gamma(1.5, 100, 2000) + 1,
        "floor": rng.gamma(2, 50, 100)[store], "age": rng.integers(18, 90, 2000).astype(float)})


def plan_of(method: Any) -> list[Step]:
    return [Step(20, method, size="turnover" if method.startswith("pps") else "", sort=("age",))]


def hash_of(frame: pd.DataFrame) -> int:
    return int(pd.util.hash_pandas_object(frame).sum())


@pytest.mark.parametrize("method", METHODS)
def test_a_draw_does_not_depend_on_the_order_of_rows_and_changes_no_frame(frame: pd.DataFrame, method: Any) -> None:
    mixed = frame.sample(frac=1, random_state=2)
    before = hash_of(mixed), list(mixed.columns), mixed.index.copy()
    one, two = (draw(f, plan_of(method), id="id", strata="region", seed=4, reserve=0.5) for f in (frame, mixed))
    pd.testing.assert_frame_equal(one.table().drop(columns="row"), two.table().drop(columns="row"))
    assert frame["id"].iloc[one.rows].tolist() == mixed["id"].iloc[two.rows].tolist() == one.ids.tolist()
    assert before[:2] == (hash_of(mixed), list(mixed.columns)) and before[2].equals(mixed.index)
    other = draw(frame, plan_of(method), id="id", strata="region", seed=5)
    assert set(other.ids) != set(one.ids[one.main])


@pytest.mark.parametrize("method", METHODS)
def test_a_stratum_does_not_depend_on_the_others(frame: pd.DataFrame, method: Any) -> None:
    whole = draw(frame, plan_of(method), id="id", strata="region", seed=4)
    north = draw(frame[frame["region"] == "North"], plan_of(method), id="id", strata="region", seed=4)
    assert whole.ids[whole.strata == "North"].tolist() == north.ids.tolist()


def test_strata_are_drawn_by_methods_and_sizes_of_their_own(frame: pd.DataFrame) -> None:
    got = draw(frame, {"North": [Step(12)], "South": [Step(30, "pps_systematic", size="turnover")],
                       "West": [Step(4, "pps_systematic", "store"), Step(5, "systematic", sort=("age",))]},
               id="id", strata="region", seed=1, reserve=0.25)
    table = got.table()
    sample = table[table["part"] == "main"]
    assert sample.groupby("stratum").size().to_dict() == {"North": 12, "South": 30, "West": 20}
    assert table[table["part"] == "reserve"].groupby("stratum").size().to_dict() == {"North": 3, "South": 8, "West": 8}
    sizes = frame.groupby("region").size()
    north = sample[sample["stratum"] == "North"]
    assert north["probability"].to_numpy() == pytest.approx(12 / sizes["North"])
    assert north["weight"].sum() == pytest.approx(sizes["North"])
    assert (north[["list_1", "drawn_1"]] == [sizes["North"], 12]).all(axis=None)
    # chances in proportion to the stores' customers, the same number from each: the same chance for everybody
    west = sample[sample["stratum"] == "West"]
    stores = frame[frame["region"] == "West"].groupby("store").size()
    assert west["unit_1"].nunique() == 4 and west["list_1"].eq(len(stores)).all()
    assert west["chance_1"].to_numpy() == pytest.approx(4 * stores[west["unit_1"]].to_numpy() / stores.sum())
    assert west["probability"].to_numpy() == pytest.approx(20 / stores.sum())
    assert west["list_2"].tolist() == stores[west["unit_1"]].tolist() and west["drawn_2"].eq(5).all()
    # a replacement comes from the store it replaces
    reserve = table[(table["stratum"] == "West") & (table["part"] == "reserve")]
    assert set(reserve["unit_1"]) == set(west["unit_1"]) and not set(reserve["id"]) & set(sample["id"])
    for _, rows in table.groupby("stratum"):
        assert rows["order"].tolist() == list(range(1, len(rows) + 1))
        assert rows["part"].tolist() == sorted(rows["part"])


def test_the_whole_of_a_drawn_cluster_is_drawn(frame: pd.DataFrame) -> None:
    got = draw(frame, [Step(6, "simple", "store")], id="id", seed=2, reserve=0.5)
    table = got.table()
    for part, count in (("main", 6), ("reserve", 3)):
        rows = table[table["part"] == part]
        assert rows["unit_1"].nunique() == count
        assert sorted(rows["id"]) == sorted(frame.loc[frame["store"].isin(rows["unit_1"]), "id"])
    assert table["probability"].to_numpy() == pytest.approx(6 / 100)
    design = got.design()
    assert design.units == 6 and design.df == 5 and (design.fpc == 100).all()


def test_a_draw_is_ready_as_a_design(frame: pd.DataFrame) -> None:
    got = draw(frame, [Step(8, "simple", "store"), Step(3)], id="id", strata="region", seed=2, reserve=1)
    design = got.design()
    assert design.units == 24 and design.strata_count == 3 and len(design.ids) == 72
    stores = frame.groupby("region")["store"].nunique()
    assert (design.fpc == stores[design.strata].to_numpy()).all()
    assert len(design.stages) == 1 and (design.stages[0].fpc == frame.groupby("store").size()[
        design.clusters].to_numpy()).all()
    assert design.weights.sum() == pytest.approx((1 / got.probability[got.main]).sum())
    assert draw(frame, plan_of("pps_sampford"), id="id").design().fpc is None


@pytest.mark.parametrize("method", METHODS)
def test_chances_are_how_often_a_unit_is_drawn(method: Any) -> None:
    """4,000 seeded draws of 4 of 12: every frequency, single and joint, within its 99.9% band (Bonferroni over all)."""
    sizes = np.array([1, 1, 2, 3, 5, 8, 40, 2, 3, 4, 6, 1.0])
    times, rng = 4000, np.random.default_rng(8)
    count, pairs = np.zeros(12), np.zeros((12, 12))
    chances, joint = np.zeros(12), np.full((12, 12), np.nan)
    for _ in range(times):
        got = pick(method, 4, 12, sizes, rng)
        count[got.units] += 1
        pairs[np.ix_(got.units, got.units)] += 1
        chances[got.units], joint[np.ix_(got.units, got.units)] = got.chances, got.joint()
    low, high = stats.binom.interval(1 - 0.001 / 78, times, np.nan_to_num(joint))
    seen = ~np.isnan(joint)
    assert ((low <= pairs) & (pairs <= high))[seen].all() and (pairs[~seen] == 0).all()
    assert chances.sum() == pytest.approx(4) and (np.diag(joint) == pytest.approx(chances))


def test_joint_probabilities_through_two_stages(frame: pd.DataFrame) -> None:
    """By hand: same store, other store, other stratum."""
    got = draw(frame, [Step(3, "simple", "store"), Step(2)], id="id", strata="region", seed=9)
    table, joint = got.table(), got.joint()
    assert np.diag(joint) == pytest.approx(table["probability"].to_numpy())
    rows = table[table["stratum"] == "South"].index
    a, n = table.loc[rows[0]], table.loc[rows[0], "list_1"]
    mates = [r for r in rows[1:] if table.loc[r, "unit_1"] == a["unit_1"]]
    others = [r for r in rows if table.loc[r, "unit_1"] != a["unit_1"]]
    size = a["list_2"]
    assert [joint[rows[0], r] for r in mates] == pytest.approx([3 / n * 2 / (size * (size - 1))])
    for r in others:
        assert joint[rows[0], r] == pytest.approx(3 * 2 / (n * (n - 1)) * (2 / size) * (2 / table.loc[r, "list_2"]))
    far = table[table["stratum"] == "West"].index[0]
    assert joint[rows[0], far] == pytest.approx(a["probability"] * table.loc[far, "probability"])


def test_sorting_spreads_a_systematic_sample(frame: pd.DataFrame) -> None:
    """Sorted by age, each tenth of the list by age gives one of ten."""
    got = draw(frame, [Step(10, "systematic", sort=("age",))], id="id", seed=3)
    ranks = frame.sort_values(["age", "id"]).reset_index()["index"].to_numpy()
    place = np.flatnonzero(np.isin(ranks, got.rows))
    assert (place // 200).tolist() == list(range(10))


def test_an_explicit_start_needs_no_seed(frame: pd.DataFrame) -> None:
    a, b = (draw(frame, [Step(10, "systematic", start=0.25)], id="id", seed=s) for s in (1, 2))
    assert set(a.ids) == set(b.ids)


@pytest.mark.parametrize("reserve", [0.0, 0.3, 50])
def test_a_reserve_holds_nobody_of_the_sample(frame: pd.DataFrame, reserve: float) -> None:
    for method in METHODS:
        got: Draw = draw(frame, plan_of(method), id="id", strata="region", seed=1, reserve=reserve)
        sizes = frame.groupby("region").size()
        assert len(set(got.ids)) == len(got.ids)
        assert (~got.main).sum() == sum(min(math.ceil(20 * reserve), size - 20) for size in sizes)


# ---------------------------------------------------------------- who is refused

SMALL = pd.DataFrame({"id": list("abcdef"), "region": ["N", "N", "N", "S", "S", "S"], "store": list("xxyzzz"),
                      "size": [1.0, 2, 3, 4, 5, 6]})


@pytest.mark.parametrize(("steps", "changes", "said"), [
    ([Step(4)], {}, 'draw: stratum "N": 4 to draw from 3 customers. Draw at most 3.'),
    ([Step(2.5)], {}, 'draw: stratum "N": 2.5 to draw; a whole number of 1 or more is expected'),  # type: ignore
    ({"N": [Step(0)], "S": [Step(1)]}, {}, 'draw: stratum "N": 0 to draw; a whole number'),
    ({"N": [Step(1)]}, {}, 'draw: region: stratum "S" (3 on the list) has no number to draw'),
    ({"N": [Step(1)], "S": [Step(1)], "Nord": [Step(1)]}, {}, 'no stratum "Nord" on the list; there are N, S'),
    ([Step(1, "pps_systematic", size="size")], {"size": [1, -2, 3, 4, 5, 6]}, 'size "size" is negative: b.'),
    ([Step(1, "pps_sampford", size="size")], {"size": [1, 2, np.nan, 4, 5, 6]}, 'is missing: c.'),
    ([Step(1, "pps_systematic", size="size")], {"size": [0, 0, 3, 4, 5, 6]}, 'is zero: a, b.'),
    ([Step(1, "pps_systematic")], {}, "needs a size of each customer"),
    ([Step(1)], {"id": list("abbdef")}, 'frame: column "id": b stands on the list more than once'),
    ([Step(1)], {"id": ["a", "", "c", "d", "e", "f"]}, 'column "id": is empty in 1 of the rows: 2.'),
    ([Step(1)], {"region": ["N", "", "N", "S", "S", "S"]}, 'column "region": is empty for 1 of the list'),
    ([Step(1, "pps_systematic", "store", "size")], {}, 'column "size" has different values within "x"'),
    ([Step(1, "simple", "store"), Step(3)], {}, "3 to draw from"),
    ([Step(1, "systematic", start=1.0)], {}, "the start 1 is not in 0 to 1")])
def test_what_cannot_be_drawn_is_refused_by_name(steps: Any, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputRefused) as caught:
        draw(SMALL.assign(**changes), steps, id="id", strata="region")
    assert said in caught.value.lines[0] and all("\n" not in line for line in caught.value.lines)


def test_every_stratum_at_fault_has_its_line() -> None:
    with pytest.raises(InputRefused) as caught:
        draw(SMALL, [Step(7)], id="id", strata="region")
    assert [line.split(":")[1].strip() for line in caught.value.lines] == ['stratum "N"', 'stratum "S"']
    got = draw(SMALL, [Step(1, "simple", "store"), Step(3, short="all")], id="id", strata="region")
    assert got.main.all() and (got.chances[1] == 1).all()
