"""A whole study with a known truth: a construction enterprise, its kept list, two waves, whose voice counts how much.

The list, what everybody on it would answer and who was reached are simulated (simulated_construction.py); list and
sample are then made by the product, and the reports are held against the whole list. Bands are of 99.9%: estimate ±
t(0.9995, df) times its standard error.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import simulated_construction as sim
from scipy import stats

from tcslib.run.drawing import draw_study
from tcslib.run.keeping import change
from tcslib.run.pipeline import run
from tcslib.study.load import Study, load

pytestmark = pytest.mark.slow
WHY = ("contracts signed in autumn", "yearly review of the list")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both waves, as an enterprise would go about them; that of 2025 is reported in Chinese."""
    root = tmp_path_factory.mktemp("construction study")
    shutil.copytree(Path(__file__).parent / "studies" / "construction", root / "params" / "construction")
    raw = root / "data" / "raw" / "construction"
    sim.write_list(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        wave("2025", raw, "zh")
        early = load("params/construction/2025.yaml")
        change(early, {"added": raw / "joined-1.csv"}, "2025-11-03", "Li", WHY[0], False)
        change(early, {"added": raw / "joined-2.csv", "retired": raw / "left.csv"}, "2026-03-16", "Li", WHY[1], False)
        wave("2026", raw, "en")
    return root


def wave(name: str, raw: Path, language: str) -> None:
    """Draw from the list as it stands, go into the field, report."""
    drawn = draw_study(load(f"params/construction/{name}.yaml", before_field=True)).folder / "drawn.csv"
    sim.field(pd.read_csv(drawn, encoding="utf-8-sig"), name, raw)
    done = run(load(f"params/construction/{name}.yaml", language), say=lambda line: None)
    assert done.new and not done.dropped


def results(root: Path, wave: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / f"reports/construction/{wave}/v1/results.json").read_text("utf-8"))
    return found


def page(root: Path, wave: str) -> str:
    return (root / f"reports/construction/{wave}/v1/construction-{wave}-v1.html").read_text("utf-8")


@pytest.fixture(scope="module")
def found(root: Path) -> dict[str, Any]:
    return results(root, "2026")


@pytest.fixture(scope="module")
def study(root: Path) -> Study:
    return load(root / "params" / "construction" / "2026.yaml")


def rows(page: str, title: str) -> list[list[str]]:
    """The cells of the table whose title holds these words, heading first."""
    def bare(markup: str) -> str:
        return re.sub("<[^>]+>", "", markup).replace("&#39;", "'")

    table = next(t for t in re.findall(r"<table.*?</table>", page, re.S) if title in bare(t.split("</caption>")[0]))
    return [[bare(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]


def within(estimate: float, se: float, df: float, truth: float) -> bool:
    return bool(abs(estimate - truth) <= stats.t.ppf(0.9995, df) * se)


# -- the list --------------------------------------------------------------------------------------------------------

def test_the_list_covers_what_it_was_made_to_cover(root: Path, found: dict[str, Any], study: Study) -> None:
    on, told = sim.listed("2026")["class"].value_counts(), found["frame"]
    assert on.to_dict() == {"intermediate": 80, "external": 60, "rival": 40}
    assert {row["class"]: row["listed"] for row in told["classes"]} == on.to_dict() | {"potential": 0}
    totals = study.params.frame.totals["class"]
    assert {row["category"]: row["share"] for row in told["coverage"]} == {
        name: pytest.approx(on.get(name, 0) / total) for name, total in totals.items()}
    shown = rows(page(root, "2026"), "Potential customers: 0% of the customers known of are on the list")
    assert shown[1:] == [["Intermediate customers", "80", "92", "87%", "12"],
                         ["External customers", "60", "66", "91%", "6"],
                         ["Rivals' customers", "40", "75", "53%", "35"], ["Potential customers", "0", "30", "0%", "30"]]
    assert "Nobody on the list is of the class: Potential customers. Nothing in this report is said by them." in (
        found["warnings"])
    assert "180 of 263 customers, 68%" in page(root, "2026") and "Resting" not in page(root, "2026")


def test_the_change_log_of_the_list_is_told(root: Path, found: dict[str, Any]) -> None:
    people, shown = sim.customers(), page(root, "2026")
    assert {row["class"]: (row["added"], row["retired"]) for row in found["frame"]["changes"]} == {
        name: (sim.JOINED[name], sim.LEFT[name]) for name in sim.START}
    joined = people["joined"].value_counts()
    log = [["2025-11-03", "Joined", str(joined[1]), WHY[0]], ["2026-03-16", "Joined", str(joined[2]), WHY[1]],
           ["2026-03-16", "Left", str(people["left"].sum()), WHY[1]]]
    assert rows(shown, "change log after 2025-05-05")[1:] == log
    assert [[str(v) for v in row.values()] for row in found["frame"]["log"]] == [
        [day, what, why, n] for (day, _, n, why), what in zip(log, ["added", "added", "retired"], strict=True)]
    kept = pd.read_csv(root / "data/raw/construction/customers-log.csv")
    assert len(kept) == sum(sim.JOINED.values()) + sum(sim.LEFT.values())
    assert not [v for column in ("id", "company", "tel") for v in people[column] if v in shown]


# -- sub-indexes -----------------------------------------------------------------------------------------------------

def voices(study: Study, on: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the study's policy gives each customer on each construct, by hand."""
    return {name: np.prod([[rule.aspects.get(name, rule.weights).get(value, 1.0) for value in on[rule.column]]
                           for rule in study.params.policy], axis=0) for name in sim.CONSTRUCTS}


def test_sub_indexes_hold_the_truth_without_and_with_policy_weights(found: dict[str, Any], study: Study) -> None:
    """Of everybody, and in each class and role: 90 bands of 99.9%, on the degrees of freedom of each."""
    on, df = sim.listed("2026"), found["index"]["df"]
    voice = voices(study, on)
    plain, policy = sim.truth("2026"), sim.truth("2026", voice)
    assert policy["Price"] < plain["Price"] - 2          # who counts more on price is less content with it
    everybody = {row["construct"]: row for row in found["policy"]["constructs"]}
    assert set(everybody) == set(sim.CONSTRUCTS)
    for name, row in everybody.items():
        assert within(row["plain"], row["plain_se"], df, plain[name]), name
        assert within(row["policy"], row["policy_se"], df, policy[name]), name
        assert within(row["difference"], row["difference_se"], df, policy[name] - plain[name]), name
    assert found["index"]["score"] == pytest.approx(everybody["Satisfaction"]["plain"], abs=1e-9)
    groups = found["policy"]["groups"]
    assert len(groups) == 6 * 6 and all(row["n"] >= 10 for row in groups)
    for row in groups:
        keep, name = (on[row["column"]] == row["group"]).to_numpy(), row["construct"]
        # a role is found in three strata, a class in one
        own = row["n"] - (1 if row["column"] == "class" else 3)
        assert within(row["plain"], row["plain_se"], own, sim.truth("2026", None, keep)[name]), row
        assert within(row["policy"], row["policy_se"], own, sim.truth("2026", voice, keep)[name]), row


def test_sub_indexes_are_shown_by_aspect_and_class(root: Path, found: dict[str, Any]) -> None:
    shown = rows(page(root, "2026"), "Class: ")
    assert shown[0] == ["Construct", "All", "Intermediate customers", "External customers (few answers)",
                        "Rivals' customers (few answers)"]
    assert [row[0] for row in shown[1:]] == ["Answers", "Quality", "Schedule", "Price", "Site service", "Satisfaction",
                                             "Loyalty"]
    price = next(row for row in shown if row[0] == "Price")
    of = {row["group"]: row for row in found["policy"]["groups"] if row["construct"] == "Price"}
    assert price[2:] == [f"{of[name]['plain']:.1f} / {of[name]['policy']:.1f}" for name in sim.START]
    whole = rows(page(root, "2026"), "With policy weights Satisfaction is")
    assert [row[0] for row in whole[1:]] == [row[0] for row in shown[2:]] and whole[0][2] == "95% CI"
    assert len(rows(page(root, "2026"), "The same with every interval")) == 1 + 36
    weights = rows(page(root, "2026"), "Policy weights from 0.50 to 3.00")
    assert weights[4] == ["Leaders", "1.50", "1.50", "3.00", "0.50", "1.50"]


# -- reliability -----------------------------------------------------------------------------------------------------

def test_alpha_is_shown_with_its_interval_and_what_it_is(root: Path, found: dict[str, Any]) -> None:
    """Against α of the whole list, k r / (1 + (k - 1) r), r the mean correlation: the 95% band made one of 99.9%."""
    answers, df = sim.census("2026").loc[sim.listed("2026")["id"]], found["index"]["df"]
    for row in found["reliability"]:
        r = answers[sim.ITEMS[row["construct"]]].corr().to_numpy()[np.triu_indices(3, 1)].mean()
        wider = stats.t.ppf(0.9995, df) / stats.t.ppf(0.975, df)
        assert row["alpha_low"] < row["alpha"] < row["alpha_high"]
        assert abs(row["alpha"] - 3 * r / (1 + 2 * r)) <= wider * (row["alpha_high"] - row["alpha"]), row
    shown = page(root, "2026")
    table = rows(shown, "All 6 scales are reliable")
    first = found["reliability"][0]
    assert table[0][:4] == ["Construct", "Items", "α", "95% CI"] and table[1][:4] == [
        "Quality", "3", f"{first['alpha']:.2f}", f"{first['alpha_low']:.2f} to {first['alpha_high']:.2f}"]
    said = shown.split("All 6 scales are reliable", 1)[1].split("</table>", 1)[1].split("</p>", 1)[0]
    assert "Cronbach&#39;s α from correlations (standardised)" in said and "t intervals on 71 df" in said
    assert "1,000 Preston bootstrap (with finite population corrections) replicates" in said


# -- since last year -------------------------------------------------------------------------------------------------

def test_the_change_since_last_year_holds_the_truth(root: Path, found: dict[str, Any]) -> None:
    before, now = found["trend"]
    assert (before["wave"], now["wave"], found["trend_base"]) == ("2025", "2026", "2025")
    assert before["score"] == pytest.approx(results(root, "2025")["index"]["score"], abs=1e-9)          # as published
    truth = sim.truth("2026") - sim.truth("2025")
    assert truth["Schedule"] > 8
    for row in found["trend_constructs"]:
        assert within(row["change"], row["change_se"], now["df"], truth[row["construct"]]), row
    assert within(now["change"], now["change_se"], now["df"], truth["Satisfaction"])
    assert found["settings"]["replicates"]["method"] == "preston"
    assert "The waves are samples drawn apart" in page(root, "2026")


# -- in Chinese ------------------------------------------------------------------------------------------------------

def test_nothing_stands_in_the_wrong_language(root: Path) -> None:
    def read(wave: str) -> list[str]:
        skip = r"<(style|pre|math|svg).*?</\1>|<[^>]+>|[\w./-]+\.(?:csv|yaml)"
        bare = re.sub(skip, "\n", page(root, wave), flags=re.S)
        return [line.strip() for line in bare.splitlines() if line.strip()]

    assert not [line for line in read("2026") if re.search("[一-鿿]", line)]
    left = [line for line in read("2025") if re.search(r"(?:[A-Za-z]{2,}[ ,.;:]+){3}[A-Za-z]{2,}", line)
            or re.search(r"\b(?:the|of|and|with|customers|Price|Leaders|rival|external)\b", line)]
    assert not left
    for part in ("潜在顾客：已知顾客中有0%列入名册", "中间顾客", "竞争对手的顾客", "意见权重", "全部区间见其后的折叠表",
                 "由相关系数计算的Cronbach α系数（标准化）", "没有以下类别的顾客：潜在顾客。本报告未反映他们的意见。"):
        assert part in "\n".join(read("2025")), part
