"""Waves compared: one draw over what they share, one definition of the index, changed questions marked or refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import write_study

from tcslib.compare.questions import same_questions
from tcslib.compare.waves import Trend, Wave, detectable, trend
from tcslib.errors import InputRefused, Refusals
from tcslib.index.scoring import index
from tcslib.inference.infer import infer
from tcslib.inference.intervals import standard_error
from tcslib.inference.linked import link
from tcslib.inference.replicates import replicate
from tcslib.report.context import Context
from tcslib.report.records import Table
from tcslib.report.views.structure import is_ahead
from tcslib.report.views.trend import trend as view
from tcslib.structure.fit import pls
from tcslib.study.load import load
from tcslib.study.models import Construct, Model
from tcslib.study.params import ChangeParams
from tcslib.study.questionnaire import Item, Scale

MODEL = Model((Construct("Service", ("S1", "S2", "S3")), Construct("Satisfaction", ("A1", "A2"))),
              (("Service", "Satisfaction"),), "Satisfaction")
ITEMS = MODEL.items
COUNT = 4000


def draw(n: int, seed: int, shift: float = 0.0, ids: str = "p") -> pd.DataFrame:
    """Answers 1-10 that hang together by one factor."""
    rng = np.random.default_rng(seed)
    x = 7 + shift + 1.2 * rng.normal(size=(n, 1)) + rng.normal(size=(n, len(ITEMS)))
    return pd.DataFrame(np.clip(np.rint(x), 1, 10), [f"{ids}{i:04d}" for i in range(n)], ITEMS)


def mean_of(responses, replicates) -> np.ndarray:
    """(B,) replicates of the mean of A1."""
    return infer(lambda m, _: {"mean": m.mean[:, 0]}, responses, replicates, ["A1"]).draws["mean"]


def se_of_change(waves, **how) -> float:
    linked = link(waves, count=COUNT, **how)
    a, b = (mean_of(w, each) for w, each in zip(waves, linked, strict=True))
    return float(standard_error(b - a))


# a standard error from B replicates has itself a standard error of about se / sqrt(2 B): 1.1% here; 3.3 of these
NEAR = 3.3 / np.sqrt(2 * COUNT)


def test_the_same_people_twice_have_the_paired_standard_error(respond):
    """sd(d) / sqrt(n), d the differences within persons: the closed form of the paired t test."""
    before = draw(200, 1)
    after = (before + np.random.default_rng(2).integers(-1, 2, before.shape)).clip(1, 10)
    expected = (after["A1"] - before["A1"]).std(ddof=1) / np.sqrt(200)
    assert se_of_change([respond(before), respond(after)], overlap="respondents") == pytest.approx(expected, rel=NEAR)


def test_samples_drawn_apart_add_their_variances(respond):
    """sqrt(s1²/n1 + s2²/n2): Welch's standard error. Equal ids mean nothing when it is said so."""
    a, b = draw(200, 1), draw(150, 3, 0.4)
    expected = np.sqrt(a["A1"].var() / 200 + b["A1"].var() / 150)
    assert se_of_change([respond(a), respond(b)], overlap="none") == pytest.approx(expected, rel=NEAR)


def test_a_panel_in_part(respond):
    """Half of 200 persons come again: Var = v1/n + v2/n - 2 · 100 · cov / n² with cov over those in both waves.

    The linearised variance of a difference of means over the union of persons: each contributes
    (x2 - m2)/n2 - (x1 - m1)/n1, 0 for the wave it was not in (Korn & Graubard 1999, section 5.7, domains).
    """
    before = draw(200, 5)
    stayed = (before.iloc[:100] + np.random.default_rng(6).integers(-1, 2, (100, len(ITEMS)))).clip(1, 10)
    after = pd.concat([stayed, draw(100, 7, ids="q")])
    union = before.index.union(after.index)
    z = (after["A1"] - after["A1"].mean()).reindex(union).fillna(0) / 200 \
        - (before["A1"] - before["A1"].mean()).reindex(union).fillna(0) / 200
    m = len(union)
    expected = np.sqrt(m / (m - 1) * ((z - z.mean()) ** 2).sum())
    found = se_of_change([respond(before), respond(after)], overlap="respondents")
    assert found == pytest.approx(expected, rel=NEAR)
    apart = np.sqrt(before["A1"].var() / 200 + after["A1"].var() / 200)
    assert found < 0.85 * apart


def clustered(n: int, seed: int, effects: np.ndarray, respond, **how):
    """Answers in clusters whose effects are those given, four clusters to a stratum."""
    rng = np.random.default_rng(seed)
    frame = draw(n, seed, ids=how.pop("ids", "p"))
    of = np.arange(n) % len(effects)
    frame = frame + effects[of][:, None] + 0.01 * rng.normal(size=(n, 1))
    return respond(frame, clusters=[f"c{c:02d}" for c in of], strata=[f"s{c // 4}" for c in of], **how), of


def test_stores_visited_twice_are_drawn_once(respond):
    """Linearisation over the stores of both waves, by hand, against the common Rao–Wu draw."""
    effects = np.random.default_rng(9).normal(0, 1.5, 24)
    a, of_a = clustered(240, 11, effects, respond)
    b, of_b = clustered(300, 12, effects, respond, ids="q")
    total = np.zeros(24)
    for wave, of, sign in ((b, of_b, 1), (a, of_a, -1)):
        x = wave.answers["A1"].to_numpy()
        total += sign * np.bincount(of, (x - x.mean()) / len(x), 24)
    strata = total.reshape(6, 4)
    expected = np.sqrt((4 / 3 * ((strata - strata.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)).sum())
    together = se_of_change([a, b], overlap="units")
    assert together == pytest.approx(expected, rel=0.06)          # a ratio of means, 4 stores to a stratum: not exact
    assert together < 0.6 * se_of_change([a, b], overlap="none")          # the stores' effects cancel


def test_one_wave_alone_has_the_standard_errors_of_its_own_design(respond):
    """The union changes the draw, not the variance: each wave's SE is that of its own replicates."""
    effects = np.random.default_rng(9).normal(0, 1.5, 24)
    a, _ = clustered(240, 11, effects, respond)
    b, _ = clustered(300, 12, effects, respond, ids="q")
    for overlap in ("none", "units"):
        for wave, each in zip((a, b), link([a, b], overlap, COUNT), strict=True):
            own = standard_error(mean_of(wave, replicate(wave, COUNT)))
            assert standard_error(mean_of(wave, each)) == pytest.approx(own, rel=1.5 * NEAR)


def test_weighting_is_replayed_in_every_wave(respond):
    """Raked margins hold in each wave's replicates, so the mean of a raked indicator never moves."""
    waves = []
    for seed in (1, 2):
        frame = draw(120, seed, ids=f"w{seed}")
        gender = np.where(np.random.default_rng(seed).random(120) < 0.3, "f", "m")
        frame["A1"] = np.where(gender == "f", 10, 1)
        waves.append(respond(frame, background={"gender": gender}, rake={"gender": {"f": 0.5, "m": 0.5}}))
    a, b = (mean_of(w, each) for w, each in zip(waves, link(waves, "none", 200), strict=True))
    assert np.allclose(a, 5.5) and np.allclose(b - a, 0)


def test_overlap_must_be_stated_when_ids_come_again(respond):
    a, b = draw(50, 1), draw(60, 2)
    with pytest.raises(InputRefused, match=r"50 of 60 ids also stand in the wave before. State compare.overlap"):
        link([respond(a), respond(b)])
    link([respond(a), respond(draw(60, 2, ids="q"))], count=64)
    with pytest.raises(InputRefused, match="no sampling units are stated"):
        link([respond(a), respond(b)], "units")
    stores = respond(draw(60, 2, ids="q"), clusters=["a", "b"] * 30)
    with pytest.raises(InputRefused, match="some of the waves state sampling units"):
        link([respond(a), stores], "respondents")


# -- the index -------------------------------------------------------------------------------------------------------

def definition(fit) -> dict:
    found = index(fit)
    return {name: found.formula(name).set_index("item")["share"].to_dict() for name in MODEL.names}


def compare(respond, before: pd.DataFrame, after: pd.DataFrame, changes=None, **how) -> tuple[Trend, dict, object]:
    a, b = respond(before), respond(after)
    base = definition(pls(a, MODEL, replicates=replicate(a, 64))) if set(ITEMS) <= set(before) else how.pop("base")
    now = index(pls(b, MODEL, replicates=replicate(b, 64)))
    earlier = [Wave("2026Q2", a, base, {})]
    linked = link([a, b], "none", 500)
    return trend(now, earlier, linked, changes or {}, period="2026Q3", **how), base, now


def test_scores_rest_on_the_base_waves_weights(respond):
    """By hand: the shares of the first wave times the second wave's means on 0-100."""
    before, after = draw(200, 1), draw(200, 2, 0.5, "q")
    found, base, now = compare(respond, before, after)
    table = found.scores()
    for row, frame in zip(table.to_dict("records"), (before, after), strict=True):
        by_hand = sum(share * (frame[item].mean() - 1) / 9 * 100 for item, share in base["Satisfaction"].items())
        assert row["estimate"] == pytest.approx(by_hand, abs=1e-9)
    assert table["change"].iloc[1] == pytest.approx(table["estimate"].diff().iloc[1], abs=1e-12)
    assert np.isnan(table["change"].iloc[0])
    assert found.base == "2026Q2" and table["estimate"].iloc[1] != now.of("Satisfaction")["estimate"]
    with pytest.raises(InputRefused, match=r"compare.base: 2025Q1 is none of the waves compared \(2026Q2, 2026Q3\)"):
        compare(respond, before, after, base="2025Q1")
    # the present wave as base: its own index, exactly
    own = compare(respond, before, after, base="2026Q3")[0].scores()["estimate"].iloc[1]
    assert own == pytest.approx(now.of("Satisfaction")["estimate"], abs=1e-9)


def test_weights_held_fixed_add_nothing_to_the_standard_error(respond):
    """The SE is that of a fixed weighted sum of item means (closed form for a simple sample)."""
    before, after = draw(200, 1), draw(200, 2, 0.5, "q")
    found, base, _ = compare(respond, before, after)
    points = sum(share * (after[item] - 1) / 9 * 100 for item, share in base["Satisfaction"].items())
    assert found.scores()["se"].iloc[1] == pytest.approx(points.std(ddof=1) / np.sqrt(200), rel=3.3 / np.sqrt(1000))


def test_the_detectable_change(respond):
    """(1.959964 + 0.841621) · se = 2.801585 · se with many degrees of freedom; found four times in five."""
    assert detectable(1.0, 10**9) == pytest.approx(2.801585, abs=1e-6)
    z = np.random.default_rng(1).normal(detectable(1.0, 10**9), 1, 100_000)
    assert np.mean(z > 1.959964) == pytest.approx(0.8, abs=0.005)
    found, _, _ = compare(respond, draw(200, 1), draw(200, 2, 0.5, "q"))
    row = found.scores().iloc[1]
    assert row["detectable"] == pytest.approx(detectable(row["change_se"], 398), rel=1e-12)          # 200 + 200 - 2


def test_a_renamed_question_is_followed(respond):
    before = draw(200, 1)
    after = draw(200, 2, 0.5, "q")
    plain, _, _ = compare(respond, before, after)
    old = before.rename(columns={"A2": "B7"})
    a = respond(before)
    base = definition(pls(a, MODEL, replicates=replicate(a, 64)))
    base["Satisfaction"] = {"A1": base["Satisfaction"]["A1"], "B7": base["Satisfaction"]["A2"]}
    renamed = trend_of(respond, old, after, base, {"A2": ChangeParams(was="B7")})
    pd.testing.assert_frame_equal(plain.scores(), renamed.scores())
    with pytest.raises(InputRefused, match=r"changes.A2: 2026Q2 did not ask it. State what it was called then"):
        trend_of(respond, old, after, base, {})


def trend_of(respond, before, after, base, changes) -> Trend:
    a, b = respond(before), respond(after)
    now = index(pls(b, MODEL, replicates=replicate(b, 64)))
    return trend(now, [Wave("2026Q2", a, base, {})], link([a, b], "none", 500), changes, period="2026Q3")


def test_a_new_question_stays_out_of_the_comparison(respond):
    """The shares of the questions both waves asked are raised to sum to 1."""
    before, after = draw(200, 1).drop(columns="A2"), draw(200, 2, 0.5, "q")
    base = {"Service": {"S1": 0.3, "S2": 0.3, "S3": 0.4}, "Satisfaction": {"A1": 1.0}}
    found = trend_of(respond, before, after, base, {"A2": ChangeParams(new=True)})
    assert found.scores()["estimate"].iloc[1] == pytest.approx((after["A1"].mean() - 1) / 9 * 100, abs=1e-9)
    assert found.passed_over("Satisfaction") == ["A2"] and found.marks("Satisfaction", 1) == []
    assert list(found.latest_items()["item"]) == ["S1", "S2", "S3", "A1"]


def test_a_dropped_question_stays_out_as_well(respond):
    before = draw(200, 1).assign(A3=5.0)
    base = {"Service": {"S1": 0.3, "S2": 0.3, "S3": 0.4}, "Satisfaction": {"A1": 0.3, "A2": 0.3, "A3": 0.4}}
    found = trend_of(respond, before, draw(200, 2, 0.5, "q"), base, {})
    by_hand = 0.5 * ((before["A1"].mean() - 1) / 9 * 100 + (before["A2"].mean() - 1) / 9 * 100)
    assert found.scores()["estimate"].iloc[0] == pytest.approx(by_hand, abs=1e-9)
    assert found.passed_over("Satisfaction") == ["A3"]


def test_nothing_in_common_gives_no_score(respond):
    before = draw(200, 1).rename(columns={"A1": "X1", "A2": "X2"})
    base = {"Service": {"S1": 0.3, "S2": 0.3, "S3": 0.4}, "Satisfaction": {"X1": 0.5, "X2": 0.5}}
    found = trend_of(respond, before, draw(200, 2, 0.5, "q"), base,
                      {"A1": ChangeParams(new=True), "A2": ChangeParams(new=True)})
    assert found.scores()["estimate"].isna().all() and found.scores("Service")["estimate"].notna().all()


def test_what_moved_with_its_question_is_no_clear_change(respond, tmp_path):
    """Both constructs fall by far more than chance; the one whose question was rescaled is marked, not counted."""
    before, after = draw(200, 1), draw(200, 2, -2.0, "q")
    a = respond(before)
    base = definition(pls(a, MODEL, replicates=replicate(a, 64)))
    found = trend_of(respond, before, after, base, {"A1": ChangeParams(scale=True)})
    path = write_study(tmp_path, "id,S1,S2,S3,A1,A2\n1,1,2,3,4,5\n", {
        "design": None, "report": None, "compare": None, "model": {
            "constructs": {"Service": ["S1", "S2", "S3"], "Satisfaction": ["A1", "A2"]},
            "paths": [["Service", "Satisfaction"]], "target": "Satisfaction", "loyalty": ""}})
    shown = view(Context(load(path)), found).shown
    tables = {s.name: s for s in shown if isinstance(s, Table)}
    assert tables["changes"].title == "1 of 2 scores changed clearly since 2026Q2"
    assert list(tables["changes"].columns[0].cells) == ["Service", "▲ Satisfaction"]
    cells = dict(zip(tables["item_changes"].columns[0].cells, tables["item_changes"].columns[4].cells, strict=True))
    assert cells["▲ A1"] == "–" and cells["A2"].startswith("−")          # points of two scales have no difference
    assert any(getattr(s, "role", "") == "caution" and "A1 (another scale)" in s.text for s in shown)


@pytest.mark.parametrize(("share", "said"), [(0.85, True), (0.75, False)])
def test_a_title_names_an_order_only_when_it_is_fairly_sure(share, said):
    draws = np.zeros((1000, 2))
    draws[:int(1000 * share), 0] = 1.0
    draws[int(1000 * share):, 1] = 1.0
    assert is_ahead(draws, 0, 1) is said


# -- questions -------------------------------------------------------------------------------------------------------

def asked(**items) -> dict[str, Item]:
    return {name: Item(name, Scale(*scale), {"en": text}) for name, (text, scale) in items.items()}


def follow(before, now, changes):
    return same_questions([before, now], [{}, changes], ["2025", "2026"], dict.fromkeys(now, "Sat"), 0,
                          {"Sat": dict.fromkeys(before, 0.5)}, "params/x/2026.yaml")


OLD = asked(A=("All in all?", (1, 10)), B=("Compared with the ideal?", (1, 10)))


def test_a_changed_scale_or_wording_is_refused_until_it_is_stated():
    """A trend is never drawn through a changed question without a mark."""
    same = ("Compared with the ideal?", (1, 10))
    reworded = asked(A=("Overall, how?", (1, 10)), B=same)
    for now, change in ((asked(A=("All in all?", (1, 5)), B=same), "scale"), (reworded, "wording")):
        with pytest.raises(InputRefused, match=f"its {change}"):
            follow(OLD, now, {})
        found = follow(OLD, now, {"A": ChangeParams(**{change: True})})
        assert [q.marks for q in found] == [((), (change,)), ((), ())]
    # an entry without a mark says that it means the same
    assert [q.marks for q in follow(OLD, reworded, {"A": ChangeParams()})] == [((), ()), ((), ())]


def test_a_question_outside_the_model_is_watched_too():
    """The recommendation question: reworded without a word, its trend is refused as any other's."""
    before, now = (OLD | asked(NPS=(text, (0, 10))) for text in ("Would you recommend us?", "How likely, to a friend?"))
    for changes, faults in (({}, 1), ({"NPS": ChangeParams(wording=True)}, 0)):
        try:
            same_questions([before, now], [{}, changes], ["2025", "2026"], dict.fromkeys(OLD, "Sat"), 0,
                           {"Sat": dict.fromkeys(OLD, 0.5)}, "params/x/2026.yaml")
            assert not faults
        except InputRefused as refused:
            assert faults and "params/x/2026.yaml: items.NPS: its wording differs from 2025" in refused.lines[0]


def test_all_undeclared_changes_come_at_once():
    now = asked(C=("All in all?", (1, 10)), B=("Compared with the ideal?", (1, 5)))
    with pytest.raises(Refusals) as refused:
        follow(OLD, now, {})
    assert len(refused.value.lines) == 2
    assert refused.value.lines[0].startswith("params/x/2026.yaml: changes.C: 2025 did not ask it.")
    assert "its scale is 1-5, and was 1-10 in 2025" in refused.value.lines[1]


def test_names_are_followed_through_several_waves():
    waves = [asked(A=("x", (1, 5))), asked(B=("x", (1, 5))), asked(C=("x", (1, 5)))]
    changes = [{}, {"B": ChangeParams(was="A", wording=True)}, {"C": ChangeParams(was="B")}]
    found, = same_questions(waves, changes, ["1", "2", "3"], {"C": "Sat"}, 0, {"Sat": {"A": 1.0}}, "x")
    assert found.names == ("A", "B", "C") and found.marks == ((), ("wording",), ()) and found.share == 1.0


# -- known truth -----------------------------------------------------------------------------------------------------

@pytest.mark.slow
def test_the_change_of_the_demo_market_is_covered():
    """60 pairs of waves of the demo's market, 40% of the people in both: the interval of the change of the mean of
    CUSA1 covers the truth in 95%; fails only outside the 99.9% binomial band of 60 trials (50 to 60)."""
    from conftest import make_responses

    from tcslib.simulate import MARGINS, Market, draw_survey
    from tcslib.simulate.before import market_before, survey_before

    now, then = Market(), market_before()
    rng = np.random.default_rng(99)
    truth = mean_of_cusa1(now, rng) - mean_of_cusa1(then, rng)
    covered, lengths = 0, []
    for seed in range(60):
        rng = np.random.default_rng([4, seed])
        later = draw_survey(rng, now)
        later.frame.insert(0, "resp_id", [f"{6 * 10**8 + i}" for i in range(len(later.frame))])
        waves = []
        for survey in (survey_before(later, rng), later):
            frame = survey.frame.set_index("resp_id")
            waves.append(make_responses(
                frame[["CUSA1"]], weights=frame["base_weight"], strata=frame["region"], clusters=frame["store"],
                domain=frame["brand"] == "Demo Mobile", background={t: frame[t] for t in MARGINS}, rake=MARGINS))
        linked = link(waves, "respondents", 256, seed)
        found = [infer(lambda m, _: {"mean": m.mean[:, 0]}, w, each, ["CUSA1"])
                 for w, each in zip(waves, linked, strict=True)]
        change = found[1].estimate["mean"] - found[0].estimate["mean"]
        se = float(standard_error(found[1].draws["mean"] - found[0].draws["mean"]))
        lengths.append(se)
        covered += abs(change - truth) <= 2.0032 * se          # t on 60 - 4 = 56 degrees of freedom
    assert 50 <= covered <= 60, covered
    assert 0.05 < np.mean(lengths) < 0.25


def mean_of_cusa1(market, rng) -> float:
    from tcslib.simulate import ITEMS as ALL
    from tcslib.simulate import draw_answers

    return float(np.mean([draw_answers(100_000, rng, market)[:, ALL.index("CUSA1")].mean() for _ in range(4)]))
