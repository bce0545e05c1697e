"""Policy weights: what they change, what they leave alone, and the faults of stating them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tcslib.errors import InputRefused
from tcslib.index.policy import PolicyScores, policy_scores, voices
from tcslib.index.scoring import index
from tcslib.inference.replicates import replicate
from tcslib.report.context import Context
from tcslib.report.records import Table, View
from tcslib.report.views.policy import policy
from tcslib.structure.fit import pls
from tcslib.structure.pls import PlsSettings
from tcslib.study.load import load
from tcslib.study.models import Construct, Model
from tcslib.study.sections.policy import PolicyRule
from tcslib.survey.responses import Responses

Respond = Callable[..., Responses]
MODEL = Model((Construct("Price", ("P1", "P2")), Construct("Service", ("S1", "S2"))), (("Price", "Service"),),
              "Service")
ROLES = ["buyer", "user", "user", "user"]


def answered(respond: Respond, n: int = 200) -> Responses:
    """Buyers a point and a half below users on price; unequal sampling weights."""
    rng = np.random.default_rng(4)
    role = np.array(ROLES)[np.arange(n) % 4]
    common = rng.normal(0, 1, n)
    x = np.clip(np.rint(6.5 + common[:, None] + rng.normal(0, 1, (n, 4))), 1, 10)
    x[:, :2] -= np.where(role == "buyer", 1.5, 0)[:, None]
    return respond(pd.DataFrame(np.clip(x, 1, 10), [f"{i:03d}" for i in range(n)], ["P1", "P2", "S1", "S2"]),
                   weights=rng.uniform(0.5, 2, n), background={"role": role})


def scored(responses: Responses, *rules: PolicyRule, outer: str = "equal", count: int = 300) -> PolicyScores:
    fit = pls(responses, MODEL, PlsSettings(outer=outer), replicates=replicate(responses, count))
    return policy_scores(index(fit), rules)


def by_hand(responses: Responses, items: list[str], weight: np.ndarray) -> float:
    """Mean of weighted item means on 0–100, as a reader would."""
    return float(np.mean([(np.average(responses.answers[i], weights=weight) - 1) / 9 * 100 for i in items]))


def test_a_policy_score_is_the_mean_it_says(respond: Respond) -> None:
    """Price by role, service by one weight for all aspects: products of sampling and policy weight, by hand."""
    responses = answered(respond)
    rule = PolicyRule(column="role", weights={"buyer": 1.0, "user": 2.0},
                      aspects={"Price": {"buyer": 3.0, "user": 1.0}})
    table = scored(responses, rule).table()
    total = table[table["column"] == ""].set_index("construct")
    w, buyer = responses.design.weights, (responses.background["role"] == "buyer").to_numpy()
    for name, items, heavy in (("Price", ["P1", "P2"], (3.0, 1.0)), ("Service", ["S1", "S2"], (1.0, 2.0))):
        assert total.loc[name, "plain"] == pytest.approx(by_hand(responses, items, w), rel=1e-12)
        assert total.loc[name, "policy"] == pytest.approx(
            by_hand(responses, items, w * np.where(buyer, *heavy)), rel=1e-12)
    assert total.loc["Price", "policy"] < total.loc["Price", "plain"] - 3          # buyers are the ones displeased
    assert (total["difference"] == total["policy"] - total["plain"]).all()
    # within a class everybody counts alike, so nothing changes there
    inside = table[table["column"] == "role"]
    assert inside["difference"].abs().max() < 1e-12
    assert inside["n"].tolist() == [50, 50, 150, 150]


def test_the_plain_score_is_the_index(respond: Respond) -> None:
    """Without a policy the score is that of the index, estimated outer weights or equal ones, and its SE too."""
    responses = answered(respond)
    rule = PolicyRule(column="role", weights={"buyer": 5.0, "user": 1.0})
    for outer in ("equal", "estimated"):
        found = scored(responses, rule, outer=outer)
        plain = found.table().iloc[:2]
        known = found.index.table()
        assert plain["plain"].to_numpy() == pytest.approx(known["estimate"].to_numpy(), rel=1e-10)
        assert plain["plain_se"].to_numpy() == pytest.approx(known["se"].to_numpy(), rel=1e-8)


def test_equal_policy_weights_change_nothing_and_scale_does_not_matter(respond: Respond) -> None:
    responses = answered(respond)
    same = scored(responses, PolicyRule(column="role", weights={"buyer": 7.0, "user": 7.0})).table()
    assert same["difference"].abs().max() < 1e-10 and same["difference_se"].max() < 1e-10
    one = scored(responses, PolicyRule(column="role", weights={"buyer": 2.0, "user": 1.0})).table()
    ten = scored(responses, PolicyRule(column="role", weights={"buyer": 20.0, "user": 10.0})).table()
    assert ten["policy"].to_numpy() == pytest.approx(one["policy"].to_numpy(), rel=1e-12)


def test_the_standard_error_of_a_policy_score_is_that_of_a_weighted_mean(respond: Respond) -> None:
    """Linearised ratio mean with weights w v (Woodruff 1971): within 12%, the Monte Carlo error of 2,000 replicates."""
    responses = answered(respond, 400)
    found = scored(responses, PolicyRule(column="role", weights={"buyer": 3.0, "user": 1.0}), count=2000).table()
    w = responses.design.weights * np.where(responses.background["role"] == "buyer", 3.0, 1.0)
    y = ((responses.answers[["S1", "S2"]] - 1) / 9 * 100).mean(axis=1).to_numpy()
    e = w * (y - np.average(y, weights=w)) / w.sum()
    exact = np.sqrt(len(e) / (len(e) - 1) * (e ** 2).sum())
    assert found.set_index("construct").iloc[1]["policy_se"] == pytest.approx(exact, rel=0.12)


def test_rules_multiply_and_faults_are_named() -> None:
    background = pd.DataFrame({"class": ["a", "a", "b", "b"], "role": ["x", "y", "x", "y"]})
    rules = [PolicyRule(column="class", weights={"a": 2, "b": 1}),
             PolicyRule(column="role", aspects={"Price": {"x": 3, "y": 1}})]
    assert voices(rules, background, ["Price", "Service"]).tolist() == [[6, 2], [2, 2], [3, 1], [1, 1]]
    with pytest.raises(InputRefused, match=r'policy\.1: class is "b" for 2 respondents, and the policy'):
        voices([PolicyRule(column="class", weights={"a": 1})], background, ["Price"])
    with pytest.raises(InputRefused, match='there is no column "branch"'):
        voices([PolicyRule(column="branch", weights={"a": 1})], background, ["Price"])
    with pytest.raises(InputRefused, match='the policy weight 0 on "Price"'):
        voices([PolicyRule(column="class", weights={"a": 0, "b": 0})], background, ["Price"])


# ---------------------------------------------------------------- how they are shown


def shown(make_study: Callable[..., Path], found: PolicyScores) -> View:
    study = load(make_study("x", json.dumps({
        "client": "acme", "wave": "2026Q3", "data": {"file": "data/raw/acme/answers.csv"}, "model": {
            "constructs": {"Price": ["P1", "P2"], "Service": ["S1", "S2"]}, "paths": [["Price", "Service"]],
            "target": "Service"}, "compare": {"segments": ["role"]}, "categories": {
        "role": {"label": "Role", "values": {"buyer": "Buyers", "user": "Users"}}}})))
    return policy(Context(study), found)


def matrix(view: View) -> Table:
    return next(t for t in view.shown if isinstance(t, Table) and t.name == "policy_role")


def test_the_matrix_says_where_the_policy_changes_nothing(respond: Respond, make_study: Callable[..., Path]) -> None:
    """One rule, by role: within a role all voices are alike, so a cell holds one number; among all there are two."""
    rule = PolicyRule(column="role", weights={"user": 2.0, "buyer": 1.0})
    found = scored(answered(respond), rule, count=50)
    table, of = matrix(shown(make_study, found)), found.table().set_index(["group", "construct"])
    assert table.title == "Role: within a group the policy weights change nothing"
    assert [c.head for c in table.columns] == ["Construct", "All", "Users", "Buyers"]          # as the rule has them
    assert [c.cells[0] for c in table.columns] == ["Answers", "200", "150", "50"]
    assert table.columns[2].cells[1] == f"{of.loc[('user', 'Price'), 'plain']:.1f}"
    assert table.columns[1].cells[1] == " / ".join(f"{of.loc[('', 'Price'), k]:.1f}" for k in ("plain", "policy"))


def test_small_classes_are_hidden_in_the_matrix_too(respond: Respond, make_study: Callable[..., Path]) -> None:
    """Three in a class of the two there are: neither is shown, nor do results tell them."""
    responses = answered(respond)
    responses.background["role"] = ["buyer"] * 3 + ["user"] * 197
    rule = PolicyRule(column="role", weights={"buyer": 3.0, "user": 1.0})
    view = shown(make_study, scored(responses, rule, count=50))
    table = matrix(view)
    assert all(cell == "hidden" for column in table.columns[2:] for cell in column.cells)
    assert table.data.filter(regex="buyer|user").isna().all(axis=None) and "Groups under 5" in table.settings
    assert all(np.isnan(row["plain"]) for row in view.numbers["policy"]["groups"])
    assert all(np.isfinite(row["plain"]) for row in view.numbers["policy"]["constructs"])


def test_groups_of_one_name_bear_their_column(respond: Respond, make_study: Callable[..., Path]) -> None:
    responses = answered(respond)
    responses.background["site"] = ["Users", "other"] * 100
    rules = [PolicyRule(column="role", weights={"buyer": 3.0, "user": 1.0}),
             PolicyRule(column="site", weights={"Users": 1.0, "other": 2.0})]
    view = shown(make_study, scored(responses, *rules, count=50))
    stated = next(t for t in view.shown if isinstance(t, Table) and t.name == "policy_weights")
    assert stated.columns[0].cells == ["Role: Buyers", "Role: Users", "Site: Users", "Site: other"]
    assert stated.title == "Policy weights from 1.00 to 3.00"
