"""Designs, weights, lists and plans as they come at 11 p.m.: refused in one line, or right against other arithmetic."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, MakeStudy

from tcslib.errors import TcsError
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.index.policy import policy_scores
from tcslib.index.scoring import index
from tcslib.inference.descriptive import mean
from tcslib.inference.infer import infer_rows
from tcslib.inference.linked import link
from tcslib.inference.replicates import Replicates, replicate
from tcslib.measurement.assess import item_statistics
from tcslib.run import keeping
from tcslib.run.drawing import draw_study
from tcslib.structure.fit import pls
from tcslib.study.load import Study, load
from tcslib.study.show import show
from tcslib.survey.design import Stage
from tcslib.survey.responses import Responses
from tcslib.survey.weighting import NonResponse, WeightingPlan
from tcslib.weighting.weights import weigh

MODEL = {"constructs": {"A": ["Q1", "Q2", "Q3"], "B": ["Q4", "Q5", "Q6"]}, "paths": [["A", "B"]], "target": "B",
         "loyalty": None}
RAKE = {"gender": {"f": 0.6, "m": 0.4}, "age": {"young": 0.2, "mid": 0.3, "old": 0.5}}
GIVEN = {"replicates": {"method": "given", "columns": ["rw1-rw8"]}}
PRESTON = {"design": {"fpc": "fpc", "stages": [{"clusters": "id", "fpc": "fpc2"}]}, "replicates": {"method": "preston"}}
Change = Callable[[pd.DataFrame], pd.DataFrame]
Make = Callable[..., Study]


def table(n: int = 240) -> pd.DataFrame:
    """Four regions of six stores each, ten people to a store; eight half-samples of the stores as replicate weights."""
    rng = np.random.default_rng(8)
    region = np.repeat(["North", "East", "South", "West"], n // 4)
    store = np.char.add(region.astype("U1"), np.tile(np.repeat(np.arange(6), n // 24), 4).astype(str))
    latent = rng.normal(6, 1.4, n) + pd.Series(store).map(dict(zip(np.unique(store), rng.normal(0, 0.8, 24),
                                                                   strict=True))).to_numpy()
    frame = pd.DataFrame({
        "id": [f"P{i:04d}" for i in range(n)], "region": region, "store": store, "gender": rng.choice(["f", "m"], n),
        "age": rng.choice(["young", "mid", "old"], n), "weight": rng.choice([10.0, 20.0, 30.0], n),
        "fpc": np.repeat([20, 30, 40, 25], n // 4), "fpc2": 50, "bill": np.round(rng.gamma(4, 12, n), 2),
        "status": "done", "class": rng.choice(["buyer", "user", "decider"], n),
        **{f"Q{k}": np.clip(np.round(latent + rng.normal(0, 1, n)), 1, 10) for k in range(1, 7)}})
    half = pd.DataFrame(rng.choice([0.0, 2.0], (24, 8)), np.unique(store), [f"rw{k}" for k in range(1, 9)])
    return frame.join(half.loc[store].mul(frame["weight"].to_numpy(), axis=0).set_axis(frame.index))


@pytest.fixture
def study(make_study: MakeStudy) -> Make:
    """``study({section: …}, change)``: a study of that table; sections are laid over its own."""
    def make(sections: dict[str, Any] | None = None, change: Change | None = None) -> Study:
        own: dict[str, Any] = {
            "model": MODEL, "design": {"strata": "region", "clusters": "store", "weights": "weight"},
            "compare": {"segments": ["gender"]}, "report": {"verbatims": []}, "cleaning": {"exclude_at_flags": 9},
            "replicates": {"count": 64}}
        for key, value in (sections or {}).items():
            own[key] = own[key] | value if key in own else value
        frame = table() if change is None else change(table())
        return load(make_study(frame.to_csv(index=False), own))
    return make


def estimated(made: Study) -> Responses:
    """As far as the first numbers of a run."""
    answers = clean(read(made), made)
    weigh(answers, made.path)
    r = made.params.replicates
    item_statistics(answers, made.model, replicate(answers, r.count, r.seed, method=r.method, where=made.path))
    return answers


def setting(column: str, value: Any, rows: Any = slice(None)) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        out = frame.astype({column: object})
        out.loc[out.index[rows], column] = value
        return out
    return change


def alone(frame: pd.DataFrame) -> pd.DataFrame:
    """One person to a store in the North."""
    return pd.concat([frame[frame["region"] == "North"].groupby("store").head(1), frame[frame["region"] != "North"]])


def calibrated(totals: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"weighting": {"calibrate": {"totals": totals, **more}}}


REFUSED: list[tuple[dict[str, Any], Change | None, int, str]] = [
    # replicate weights that cannot be
    ({"replicates": {"method": "given", "columns": ["rw8-rw1"]}}, None, 2, 'columns: "rw8-rw1" runs backwards'),
    ({"replicates": {"method": "given", "columns": ["rw1-rw99999999"]}}, None, 2, "or names more than 10,000 columns"),
    ({"replicates": {"method": "given", "columns": ["rw1-rw3", "rw2"]}}, None, 2, '"rw2" is named more than once'),
    (GIVEN, setting("rw3", 0), 2, 'replicate weight "rw3" is 0 in every record'),
    (GIVEN, lambda f: f.assign(**{f"rw{k}": f["weight"] for k in range(1, 9)}), 2, "are equal in every record"),
    (GIVEN, lambda f: f.assign(**{f"rw{k}": f[f"rw{k}"] / f["weight"] for k in range(1, 9)}), 2, "not factors"),
    # stages and strata
    ({**PRESTON, "design": {"fpc": "fpc", "stages": [{"clusters": "store"}]}}, None, 2,
     "design.stages: one column names the units of two stages"),
    (PRESTON, setting("fpc2", 3), 2, "answers.csv: design.stages.1.fpc: 10 units were drawn of 3 on the frame"),
    (PRESTON, setting("fpc2", 60, [0]), 2, "answers.csv: design.stages.1.fpc: one stratum states 50 and 60 units"),
    (PRESTON, alone, 2, "design.stages.1: 6 of 24 groups hold a single unit of this stage"),
    ({"design": {"lonely": "certainty", "clusters": "region"}}, None, 2, "All certain, nothing would vary"),
    # targets
    ({"weighting": {"rake": {"gender": {"f": 52, "m": 38}}}}, None, 2, "targets sum to 90, and 240 responded"),
    (calibrated({"bill": {"average": 50}}), None, 2, r"average: for a column of numbers {mean: …} or {total: …} is"),
    (calibrated({"bill": {"mean": 50, "total": 9}}), None, 2, "mean and total: for a column of numbers"),
    (calibrated({"bill": {"10": 0.5, "45.36": 0.5}}), setting("bill", 10, [0]), 2, "categories without a target"),
    (calibrated({"bill": {"mean": 120}}), None, 1, "the method linear turns 1"),
    ({"weighting": {"rake": {"gender": {"F ": 0.5, "m": 0.5}}}}, None, 2,
     '"F " has a target and no respondents, and "f" respondents and no target'),
    ({"weighting": {"rake": {"gender": {"f": 0.5, "m": 0.5}}, "post_stratify": [
        {"by": ["gender"], "targets": {"f": 300, "m": 700}}]}}, None, 2,
     '"f" is 50.0% here and 30.0% in weighting.post_stratify.1.targets'),
    # met in the sample, and not in every replicate
    ({"weighting": {"rake": {"gender": {"f": 0.52, "m": 0.48}}, "missing": "keep"}}, setting("gender", "", [1, 2]), 1,
     "weighting: it cannot be met in"),
    ({"weighting": {"rake": {"age": {"old": 0.1, "young": 0.9}}}, "replicates": {"method": "jackknife"}},
     lambda f: f.assign(age=np.where(f["store"] == "N1", "old", "young")), 1, "in 1 of 24 replicates"),
    ({"fieldwork": {"start": "2026-09-01", "end": "2026-07-01"}}, None, 2, "end 2026-07-01 lies before start"),
]


@pytest.mark.parametrize(("sections", "change", "code", "said"), REFUSED, ids=[said[:30] for *_, said in REFUSED])
def test_what_cannot_be_is_refused_in_a_line(sections: dict[str, Any], change: Change | None, code: int, said: str,
                                             study: Make) -> None:
    with pytest.raises(TcsError) as caught:
        estimated(study(sections, change))
    lines = [line for line in caught.value.lines if "has a target but no respondents" not in line]
    assert caught.value.exit_code == code and len(lines) == 1, lines
    assert said in lines[0] and len(lines[0]) < 340


@pytest.mark.parametrize(("sections", "change"), [
    # what is beside the refused stays allowed
    ({**PRESTON, "design": PRESTON["design"] | {"lonely": "certainty"}}, alone),
    ({"weighting": {"rake": {"gender": {"f": 0.52, "m": 0.48}}, "missing": "keep"}, "replicates": {
        "method": "positive"}}, setting("gender", "", [1, 2, 3])),
    (calibrated({"bill": {"mean": 52}}), None), ({"fieldwork": {"start": "July", "end": "2026-06-01"}}, None),
    ({"weighting": {"rake": {"gender": {"f": 5200, "m": 4800}}}}, None)])
def test_what_can_be_is_estimated(sections: dict[str, Any], change: Change | None, study: Make) -> None:
    assert len(estimated(study(sections, change)))


# ---------------------------------------------------------------- to the end of the chain


@pytest.mark.parametrize(("sections", "change"), [
    (GIVEN, None), ({"design": {"lonely": "collapse"}}, lambda f: f.assign(store=f["region"]))],
    ids=["given", "collapse"])
def test_every_notebook_runs(sections: dict[str, Any], change: Change | None, study: Make) -> None:
    """Replicates given with the data, and a single sampling unit in every stratum: both stopped the fifth notebook."""
    made, before = study(sections, change), ""
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        space: dict[str, Any] = {"params": str(made.root / made.path), "stage_in": before,
                                 "stage_out": f"data/processed/{notebook.stem}"}
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                exec("".join(cell["source"]), space)
        before = space["stage_out"]
    assert np.isfinite(space["index"].table()["se"]).all()


def test_waves_whose_strata_are_all_lonely_are_linked(study: Make) -> None:
    made = study({"design": {"lonely": "collapse"}}, lambda f: f.assign(store=f["region"]))
    answers = clean(read(made), made)
    apart, same = link([answers, answers], "none", 64), link([answers, answers], "units", 64)
    assert [w.df for w in (*apart, *same)] == [2] * 4          # four units in two joined strata
    assert (same[0].unit_factors(0) == same[1].unit_factors(0)).all()
    assert (apart[0].unit_factors(0) != apart[1].unit_factors(0)).any()
    given = study(GIVEN)
    with pytest.raises(TcsError, match=r"compare\.previous: one of the waves has its replicate weights given"):
        link([answers, clean(read(given), given)], "none", 64)


def test_given_replicates_do_not_hang_on_the_order_of_the_file(study: Make) -> None:
    found = []
    for order in (None, lambda f: f.sample(frac=1, random_state=3)):
        made = study(GIVEN, order)
        answers = clean(read(made), made)
        found.append(infer_rows(mean_of_first, answers, replicate(answers, method="given"), ["Q1"]))
    assert (found[0].draws["mean"] == found[1].draws["mean"]).all()


# ---------------------------------------------------------------- against arithmetic that is not ours


def mean_of_first(rows: np.ndarray, weights: np.ndarray, _: Any) -> dict[str, np.ndarray]:
    return {"mean": weights @ rows[:, 0] / weights.sum(axis=1)}


def raked(weights: np.ndarray, frame: pd.DataFrame, total: float) -> np.ndarray:
    """Sixty rounds of proportional fitting of (b, n) weights, written out."""
    out = weights.astype(float).copy()
    for _ in range(60):
        for column, shares in RAKE.items():
            member = (frame[column].to_numpy()[:, None] == np.array(list(shares))).astype(float)
            out *= (np.array(list(shares.values())) * total / (out @ member)) @ member.T
    return out


def responses_of(frame: pd.DataFrame, respond: Any, plan: WeightingPlan, **more: Any) -> Responses:
    by_id = frame.set_index("id")
    made: Responses = respond(by_id[["Q1"]], weights=by_id["weight"], strata=by_id["region"], clusters=by_id["store"],
                              background={c: by_id[c] for c in ("gender", "age", "region", "status")}, **more)
    return replace(made, weighting=plan)


def test_rao_wu_with_raking_against_a_plain_bootstrap(respond: Any) -> None:
    """m - 1 of the m stores of a region times m / (m - 1), raked anew, 2,000 times; each is known to √(1/4,000)."""
    frame = table()
    y, base, rng = frame["Q1"].to_numpy(), frame["weight"].to_numpy(), np.random.default_rng(99)
    factors = np.zeros((2000, len(frame)))
    for _, stores in frame.groupby("region")["store"].unique().items():
        inside = (frame["store"].to_numpy(str)[:, None] == np.asarray(stores, str)).astype(float)
        for b in range(2000):
            drawn = rng.integers(0, len(stores), len(stores) - 1)
            factors[b] += inside @ np.bincount(drawn, minlength=len(stores)) * len(stores) / (len(stores) - 1)
    known = (raked(factors * base, frame, base.sum()) @ y / base.sum()).std(ddof=1)
    answers = responses_of(frame, respond, WeightingPlan(RAKE))
    found = infer_rows(mean_of_first, answers, replicate(answers, 2000, 7), ["Q1"])
    assert found.estimate["mean"] == pytest.approx((raked(base[None], frame, base.sum()) @ y / base.sum())[0], rel=1e-9)
    assert float(found.se("mean")) == pytest.approx(known, rel=0.07)


def test_taylor_after_non_response_and_raking_against_a_jackknife(respond: Any) -> None:
    """Each store left out in turn, cells and raking done again: the same to a few per cent, and ours exactly."""
    frame, rng = table(), np.random.default_rng(11)
    came = rng.random(len(frame)) < np.where(frame["region"] == "North", 0.5, 0.8)
    frame["status"], base = np.where(came, "done", "refused"), frame["weight"].to_numpy()
    y = np.where(came, frame["Q1"], 0.0)
    frame.loc[~came, "Q1"] = np.nan

    def estimate(weights: np.ndarray) -> float:
        kept = weights * came
        for region in frame["region"].unique():
            inside = (frame["region"] == region).to_numpy()
            kept[inside] *= weights[inside].sum() / kept[inside].sum()
        return float((raked(kept[None], frame, base.sum()) @ y / base.sum())[0])

    variance = 0.0
    for region, stores in frame.groupby("region")["store"].unique().items():
        m = len(stores)
        left = np.array([estimate(base * np.where(frame["region"] == region, m / (m - 1), 1.0)
                                  * (frame["store"] != store).to_numpy()) for store in stores])
        variance += (m - 1) / m * ((left - left.mean()) ** 2).sum()
    cells = NonResponse("status", ("done",), ("region",))
    answers = responses_of(frame, respond, WeightingPlan(RAKE, nonresponse=cells), domain=came)
    taylor = mean(answers, ["Q1"])
    assert float(np.ravel(taylor.estimate)[0]) == pytest.approx(estimate(base), rel=1e-8)
    assert float(np.ravel(taylor.se)[0]) == pytest.approx(np.sqrt(variance), rel=0.04)
    ours = infer_rows(mean_of_first, answers, replicate(answers, method="jackknife"), ["Q1"])
    assert float(ours.se("mean")) == pytest.approx(np.sqrt(variance), rel=0.01)          # about another centre


def test_two_stages_with_large_fractions(respond: Any) -> None:
    """12 of 20 units, 6 of 12 in each: the variance of SSW (1992), result 4.3.1, by both estimators on average."""
    rng = np.random.default_rng(1)
    population = rng.normal(rng.normal(50, 6, 20)[:, None], 8, (20, 12))
    between, within = population.mean(axis=1).var(ddof=1), population.var(axis=1, ddof=1)
    known = (1 - 12 / 20) * between / 12 + (0.5 * within / 6).sum() / (20 * 12)
    taylor, preston, ids = [], [], np.array([f"r{j:03d}" for j in range(72)])
    for k in range(60):
        units = rng.choice(20, 12, replace=False)
        y = np.concatenate([population[i, rng.choice(12, 6, replace=False)] for i in units])
        answers = respond(pd.DataFrame({"Y": y}, ids), clusters=np.repeat([f"u{i:02d}" for i in units], 6),
                          fpc=np.full(72, 20.0), stages=(Stage(ids, None, np.full(72, 12.0)),))
        taylor.append(float(np.ravel(mean(answers, ["Y"]).se)[0]) ** 2)
        draws: Replicates = replicate(answers, 256, k, method="preston")
        preston.append(float(infer_rows(mean_of_first, answers, draws, ["Y"]).se("mean")) ** 2)
    assert np.mean(preston) == pytest.approx(np.mean(taylor), rel=0.05)
    assert np.mean(taylor) == pytest.approx(known, rel=0.15)          # 60 estimates on 11 degrees of freedom: 6%


def test_a_policy_score_by_hand(study: Make) -> None:
    """Means of the questions under weight times voice, times the index's own shares."""
    made = study({"policy": [{"column": "class", "weights": {"buyer": 2, "user": 0.5, "decider": 3}}]})
    answers = clean(read(made), made)
    scored = index(pls(answers, made.model, replicates=replicate(answers, 64)))
    found = policy_scores(scored, made.params.policy).table()
    frame, share = table(), scored.scores.estimate["share"]
    voice = frame["weight"] * frame["class"].map({"buyer": 2, "user": 0.5, "decider": 3})
    for name, weights in (("plain", frame["weight"]), ("policy", voice)):
        points = np.array([((frame[f"Q{k}"] - 1) / 9 * 100 * weights).sum() / weights.sum() for k in range(1, 7)])
        known = [points[:3] @ share[:3], points[3:] @ share[3:]]
        assert found[found["column"] == ""][name].to_numpy() == pytest.approx(known, rel=1e-12)


# ---------------------------------------------------------------- lists and draws


def customers() -> pd.DataFrame:
    return pd.DataFrame({"customer": [f"C{i:03d}" for i in range(60)], "region": ["North", "South"] * 30,
                         "class": "buyer", "turnover": [str(i + 1) for i in range(60)],
                         "site": [f"s{i // 5:02d}" for i in range(60)]})


@pytest.fixture
def listed(study: Make) -> Make:
    """``listed(draw, change, **more)``: a study with that list."""
    def make(draw: dict[str, Any], change: Change | None = None, **more: Any) -> Study:
        first = study()
        place = first.root / "data/raw/acme/customers.csv"
        (customers() if change is None else change(customers())).to_csv(place, index=False)
        said = json.loads((first.root / first.path).read_text(encoding="utf-8"))
        said |= {"frame": {"file": "data/raw/acme/customers.csv", "id": "customer"}, "draw": {"n": 10, **draw}, **more}
        (first.root / first.path).write_text(json.dumps(said), encoding="utf-8")
        return load(first.root / first.path, before_field=True)
    return make


BY_SIZE = {"method": "pps_sampford", "size_measure": "turnover"}


@pytest.mark.parametrize(("draw", "change", "plan", "said"), [
    (BY_SIZE, setting("turnover", "1,5", [3]), {}, '"1,5" is no number. A size is.'),
    ({"size_measure": "turnover"}, None, {}, "draw.size_measure: is of no effect under simple"),
    ({"reserve": 20}, None, {}, "draw.reserve: \"20\": a number of 10 or less is expected"),
    ({"require": {"class": ["Buyer"]}}, None, {}, 'draw.require.class: nobody on the list has "Buyer"'),
    ({"strata": "region"}, setting("region", "", [3]), {}, 'column "region": is empty for 1 of the list'),
    ({"strata": "region"}, setting("region", "north", [2]), {}, 'The smallest on the list is "north", with 1'),
    ({"strata": "region"}, None, {"strata": {"North": {"size": 9}, "West": {"size": 9}}},
     'plan.strata knows nothing of stratum "South"'),
    ({"clusters": "site", "n": 3}, setting("site", "", [3]), {}, 'column "site" is empty for 1 customers'),
])
def test_draws_that_cannot_be(draw: dict[str, Any], change: Change | None, plan: dict[str, Any], said: str,
                              listed: Make) -> None:
    with pytest.raises(TcsError) as caught:
        draw_study(listed(draw, change, plan=plan))
    assert caught.value.exit_code == 2 and len(caught.value.lines) == 1 and said in str(caught.value)


def test_thousands_are_read_as_such(listed: Make) -> None:
    drawn = draw_study(listed({**BY_SIZE, "n": 5}, setting("turnover", "1,200,000", [3])))
    assert "C003" in set(pd.read_csv(drawn.folder / "drawn.csv")["id"])


def test_who_leaves_is_counted_once(listed: Make, tmp_path: Path) -> None:
    made = listed({})
    (tmp_path / "left.csv").write_text("customer\nC001\nC001\n", encoding="utf-8")
    said = keeping.change(made, {"retired": tmp_path / "left.csv"}, "2026-07-02", "Li", "closed", False)
    assert said[0] == "1 customers left the list on 2026-07-02." and said[1].startswith("59 customers")
    with pytest.raises(TcsError, match=r"none\.csv: there is no such regular file\. Correct the name\."):
        keeping.change(made, {"added": tmp_path / "none.csv"}, "2026-07-02", "Li", "new", False)


@pytest.mark.parametrize("plan", [{"margin": 1e-9}, {"change": 1e-9}, {"deff": 1e12}])
def test_a_plan_beyond_all_bounds(plan: dict[str, float]) -> None:
    from tcslib.sampling.size import size_for_change, size_for_mean

    with pytest.raises(TcsError, match=r"^plan: .* answers would be needed\. Ask for less precision"):
        size_for_mean(plan.get("margin", 2), 20, deff=plan.get("deff", 1))
        size_for_change(plan.get("change", 5), 20)


# ---------------------------------------------------------------- what is shown is a study

SECTIONS: dict[str, dict[str, Any]] = {
    "given": GIVEN, "stages": PRESTON,
    "weighting": {"weighting": {
        "nonresponse": {"status": "status", "responded": "done", "propensity": ["region", "bill"], "numeric": ["bill"],
                        "classes": 3}, "rake": {"gender": {"f": 400, "m": 600}},
        "post_stratify": [{"by": ["region"], "targets": dict.fromkeys(("North", "East", "South", "West"), 250)}],
        "calibrate": {"totals": {"bill": {"mean": 50}}, "method": "logit", "bounds": [0.3, 3]},
        "trim": {"above": 4, "below": 0.1, "of": "median"}, "empty": "drop", "missing": "keep", "gap": 0.01}},
    "policy": {"policy": [{"column": "class", "weights": {"buyer": 2}, "aspects": {"A": {"buyer": 1, "user": 0}}}]},
    "field": {"fieldwork": {"start": "2026-07-01", "outcome": {"counts": {"complete": 240, "9": 3},
                                                               "codes": {"9": "refusal"}, "e": 0.5}, "invited": 900}},
    "plan": {"plan": {"strata": {"North": {"size": 1000, "cost": 3}}, "overlap": 0.3, "correlation": 0.5,
                      "nps": {"margin": 5, "promoters": 0.5, "detractors": 0.2}, "segments": {"a": 0.5},
                      "allocation": "power", "power_exponent": 0.3, "interview_cost": 5, "budget": 9000}},
}


@pytest.mark.parametrize("name", SECTIONS)
def test_the_resolved_study_is_a_study(name: str, study: Make) -> None:
    made = study(SECTIONS[name])
    (made.root / made.path).write_text("\n".join(show(made)), encoding="utf-8")
    again, resolved = load(made.root / made.path), {"model", "items"}
    assert again.params.model_dump(exclude=resolved) == made.params.model_dump(exclude=resolved)


def test_the_resolved_draw_is_a_draw(listed: Make) -> None:
    made = listed({"strata": "region", "n": {"North": 4, "South": 4}, "seed": 3, "require": {"class": "buyer"},
                   "by_stratum": {"North": {"stages": [{"clusters": "site"}, {"n": 1}]}}})
    (made.root / made.path).write_text("\n".join(show(made)), encoding="utf-8")
    again = load(made.root / made.path, before_field=True)
    assert (again.params.frame, again.params.draw) == (made.params.frame, made.params.draw)
