"""A census of 40 client units in two years: known truth, finite population corrections, and how the report words it."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, make_responses
from quick import shown, stand_in
from scipy import stats

from tcslib.errors import InputRefused
from tcslib.fieldwork.cleaning import clean
from tcslib.fieldwork.reading import read
from tcslib.inference.infer import infer
from tcslib.inference.linked import link
from tcslib.inference.replicates import replicate
from tcslib.report.context import Context
from tcslib.report.views.design import design_numbers, drawn
from tcslib.run.pipeline import run
from tcslib.study.load import Study, load

STUDY = ROOT / "tests" / "studies" / "logging"
_spec = importlib.util.spec_from_file_location("logging_population", STUDY / "population.py")
assert _spec is not None and _spec.loader is not None
units = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(units)
COUNT = 2000
NEAR = 3.3 / np.sqrt(2 * COUNT)          # a standard error from B replicates has itself one of about se / sqrt(2 B)


def place(root: Path, *changes: tuple[str, str], complete: tuple[str, ...] = ()) -> Path:
    """The study and both years' data below a root, some words of its YAML changed."""
    shutil.copytree(STUDY, root / "params" / "logging", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    path = root / "params" / "logging" / "study.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    for year in units.SHIFT:
        units.write(root / "data" / "raw" / "logging", year, year in complete)
    return root


def wave(root: Path, year: str) -> Study:
    return load(root / "params" / "logging" / f"{year}.yaml")


def published(root: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """By year: results.json, and the page as text with what drawings say of themselves."""
    out = {}
    with pytest.MonkeyPatch.context() as patch:
        stand_in(ROOT / "notebooks", patch.setattr, shown)
        for year in units.SHIFT:
            done = run(wave(root, year), say=lambda line: None)
            assert done.new and not done.dropped
            page = re.sub(r"<style.*?</style>|<pre.*?</pre>", "", done.report.read_text(encoding="utf-8"), flags=re.S)
            said = " ".join(re.findall(r'aria-label="([^"]*)"', page))
            text = html.unescape(" ".join([re.sub(r"<[^>]+>", " ", page), said]))
            results = json.loads((done.report.parent / "results.json").read_text(encoding="utf-8"))
            out[year] = results, re.sub(r"\s+", " ", text)
    return out


@pytest.fixture(scope="module")
def census(tmp_path_factory) -> dict[str, tuple[dict[str, Any], str]]:
    """34 and 36 of the 40 answer."""
    return published(place(tmp_path_factory.mktemp("logging")))


@pytest.fixture(scope="module")
def everybody(tmp_path_factory) -> dict[str, tuple[dict[str, Any], str]]:
    """All 40 answer in both years."""
    return published(place(tmp_path_factory.mktemp("logging complete"), complete=("2025", "2026")))


@pytest.fixture(scope="module")
def chinese(tmp_path_factory) -> dict[str, tuple[dict[str, Any], str]]:
    """In Chinese; 34 answer in the first year, all in the second."""
    return published(place(tmp_path_factory.mktemp("logging zh"), ("language: en", "language: zh"),
                           complete=("2026",)))


# -- known truth ----------------------------------------------------------------------------------------------------

def closed_form(year: str, construct: str = "Satisfaction") -> tuple[dict[str, float], float]:
    """sqrt((1 - f) s² / n) of each market, and of both together by their shares of the 40 (Cochran 1977, 5.3)."""
    frame, came = units.population()[year], units.answering(year)
    score = (frame[list(units.ITEMS[construct])].mean(axis=1) - 1) / 9 * 100
    out = {}
    for market, size in units.MARKETS.items():
        x = score[came & (frame["market"] == market).to_numpy()]
        out[market] = float(np.sqrt((1 - len(x) / size) * x.var(ddof=1) / len(x)))
    return out, float(np.sqrt(sum((size / 40 * out[m]) ** 2 for m, size in units.MARKETS.items())))


@pytest.mark.parametrize("year", list(units.SHIFT))
def test_the_truth_lies_in_the_band(census, year) -> None:
    """Every construct of all 40 units, and the index of each market, within 99.9% intervals."""
    results, frame = census[year][0], units.population()[year]
    reach = stats.t.ppf(0.9995, results["index"]["df"])
    for row in results["scores"]:
        assert abs(row["estimate"] - units.true_index(frame, row["construct"])) <= reach * row["se"]
    assert {row["group"] for row in results["segments"]} == set(units.MARKETS)
    for row in results["segments"]:
        truth = units.true_index(frame[frame["market"] == row["group"]])
        assert abs(row["estimate"] - truth) <= reach * row["se"]


@pytest.mark.parametrize("year", list(units.SHIFT))
def test_standard_errors_carry_the_finite_population_correction(census, year) -> None:
    """The closed forms; that silent units are resampled too takes up to half a percent away."""
    results, (markets, both) = census[year][0], closed_form(year)
    for row in results["segments"]:
        assert row["se"] == pytest.approx(markets[row["group"]], rel=NEAR + 0.01)
    assert results["index"]["se"] == pytest.approx(both, rel=NEAR + 0.01)
    answered = sum(units.ANSWERED[year].values())
    assert results["design"] | {"units": 40, "frame": 40, "heard": answered, "df": answered - 2} == results["design"]
    assert results["index"]["n"] == answered and results["index"]["df"] == answered - 2


def responses_of(year: str, came: np.ndarray, frame: pd.DataFrame, size: dict[str, int]) -> Any:
    """Those who came, weighted up to their market."""
    part = frame[came]
    frame_size = part["market"].map(size).to_numpy(float)
    return make_responses(part[list(units.ITEMS["Satisfaction"])], strata=part["market"], fpc=frame_size,
                          weights=frame_size / part.groupby("market")["SAT1"].transform("size"), sample="census")


def index_of(moments: Any, _: Any) -> dict[str, np.ndarray]:
    return {"index": (moments.mean.mean(axis=-1) - 1) / 9 * 100}


def test_intervals_cover_the_census_value() -> None:
    """200 sets of silent units: 95% intervals miss in so many as a binomial's 99.9% band allows."""
    frame, draws, hits = units.population()["2026"], 200, 0
    rng, market, truth = np.random.default_rng(7), frame["market"].to_numpy(), units.true_index(frame)
    for seed in range(draws):
        came = np.zeros(40, dtype=bool)
        for name, count in units.ANSWERED["2026"].items():
            came[rng.choice(np.flatnonzero(market == name), count, replace=False)] = True
        answers = responses_of("2026", came, frame, units.MARKETS)
        found = infer(index_of, answers, replicate(answers, 128, seed, method="preston"), units.ITEMS["Satisfaction"])
        low, high = found.limits("index")
        hits += bool(low <= truth <= high)
    assert stats.binom.ppf(0.0005, draws, 0.95) <= hits <= stats.binom.ppf(0.9995, draws, 0.95), hits / draws


def change_se(first: Any, second: Any, seed: int = 1, count: int = COUNT) -> float:
    linked = link([first, second], "respondents", count, seed, method="preston")
    a, b = (infer(index_of, w, r, units.ITEMS["Satisfaction"]).draws["index"]
            for w, r in zip((first, second), linked, strict=True))
    return float((b - a).std(ddof=1))


@pytest.mark.parametrize("n", [(34, 36), (20, 30), (8, 8)])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_change_has_the_covariance_of_overlapping_samples(n, share) -> None:
    """(m / (n n') - 1 / N) S12, m units in both of n and n' from N (Tam 1984), from hardly any overlap to the most."""
    size = {"internal": 40}
    before, after = (frame.assign(market="internal") for frame in units.population().values())
    least, most = max(0, sum(n) - 40) + (sum(n) < 41), min(n)
    m = round(least + share * (most - least))
    rng = np.random.default_rng(3)
    order = rng.permutation(40)
    came = np.isin(np.arange(40), order[:n[0]]), np.isin(np.arange(40), order[n[0] - m:n[0] - m + n[1]])
    assert (came[0] & came[1]).sum() == m
    scores = [(f[list(units.ITEMS["Satisfaction"])].mean(axis=1) - 1).to_numpy() / 9 * 100 for f in (before, after)]
    # deviations from each wave's own mean, as replicates form them
    own = [np.where(c, s - s[c].mean(), 0.0) for c, s in zip(came, scores, strict=True)]
    variance = [(1 - k / 40) / k * (o ** 2).sum() / (k - 1) for k, o in zip(n, own, strict=True)]
    r = (1 - n[0] * n[1] / (40 * m)) / np.sqrt((1 - n[0] / 40) * (1 - n[1] / 40))
    r = float(np.clip(r, -1, 1))
    shared = (own[0] * own[1]).sum() / (n[0] * n[1]) * m / max(m - 1, 1)
    covariance = r * np.sqrt((1 - n[0] / 40) * (1 - n[1] / 40)) * shared
    expected = np.sqrt(sum(variance) - 2 * covariance)
    found = change_se(*(responses_of("", c, f, size) for c, f in zip(came, (before, after), strict=True)))
    assert found == pytest.approx(expected, rel=NEAR + 0.05)


def test_a_change_between_two_censuses_as_the_draws_of_the_silent_have_it(census) -> None:
    """Mean of squared standard errors over 24 pairs of silent sets against the variance over 20,000 of them."""
    frames, rng = units.population(), np.random.default_rng(5)
    market = frames["2025"]["market"].to_numpy()
    scores = {y: (f[list(units.ITEMS["Satisfaction"])].mean(axis=1).to_numpy() - 1) / 9 * 100
              for y, f in frames.items()}

    def silence(year: str) -> np.ndarray:
        came = np.zeros(40, dtype=bool)
        for name, count in units.ANSWERED[year].items():
            came[rng.choice(np.flatnonzero(market == name), count, replace=False)] = True
        return came

    def mean(year: str, came: np.ndarray) -> float:
        return sum(size / 40 * scores[year][came & (market == m)].mean() for m, size in units.MARKETS.items())

    true = np.var([mean("2026", silence("2026")) - mean("2025", silence("2025")) for _ in range(20_000)])
    squares = [change_se(*(responses_of(y, silence(y), frames[y], units.MARKETS) for y in frames), seed, 512) ** 2
               for seed in range(24)]
    assert np.mean(squares) == pytest.approx(true, rel=0.03 + 3.3 * stats.variation(squares) / np.sqrt(24))
    now = census["2026"][0]["trend"][-1]
    truth = units.true_index(frames["2026"]) - units.true_index(frames["2025"])
    assert abs(now["change"] - truth) <= stats.t.ppf(0.9995, now["df"]) * now["change_se"]
    assert now["change_se"] == pytest.approx(np.sqrt(true), rel=0.35)


# -- what the report says -------------------------------------------------------------------------------------------

def test_no_model_without_equal_weights(tmp_path) -> None:
    """One line: how many there are, how many it takes, and the way out; nothing is published."""
    root = place(tmp_path, ("pls: {outer: equal}", "pls: {outer: estimated}"))
    with pytest.raises(InputRefused) as refused, pytest.MonkeyPatch.context() as patch:
        stand_in(ROOT / "notebooks", patch.setattr, shown)
        run(wave(root, "2025"), say=lambda line: None)
    assert str(refused.value).count("\n") == 0
    assert "34 respondents are left; a PLS model with blocks of up to 5 items needs at least 50" in str(refused.value)
    assert "set pls.outer: equal, which publishes the index as a mean of the questions" in str(refused.value)
    assert not (root / "reports" / "logging" / "2025" / "v1").exists()


def test_the_report_of_a_census(census) -> None:
    results, text = census["2026"]
    for said in ("all 40 are asked, so no number of answers has to be planned",
                 "internal market 24, external market 16",
                 "36 of 40 answered", "36 of the 40 asked answered (90%), 4 did not",
                 "how far the 4 that did not answer could move a figure if silence came by chance",
                 "All 40 units were asked, in 2 strata; 36 answered, which leaves intervals 34 degrees of freedom.",
                 "Standard errors carry the finite population correction: 90% of the units are known",
                 "No path model is estimated: 36 answers are too few.", "Where most room is left",
                 "Preston bootstrap (with finite population corrections)", "(Tam 1984)"):
        assert said in text, said
    for unsaid in ("were drawn", "cases drawn", "Drawn", "few answers", "leave out the finite", "margin of error",
                   "How many answers", "How they are spread", "are planned", "Where effort would bring most",
                   "What to do first", "Outer weights of", "ρA –", "exact"):
        assert unsaid not in text, unsaid
    assert (results["priorities"] == [] and "paths" not in results) or not results["paths"]
    lowest = sorted((row["estimate"], row["construct"]) for row in results["scores"])[:2]
    assert [name for _, name in lowest] == ["Price", "Timeliness"]
    assert text.index("Price: ") < text.index("Timeliness: ")
    assert {row["n"] for row in results["segments"]} == {22, 14}
    assert [(row["asked"], row["answered"]) for row in results["asked"]] == [(16, 14), (24, 22)]


def zero_width(value: Any) -> Any:
    """Every part of the results that holds an interval."""
    if isinstance(value, dict):
        if {"low", "high"} <= set(value):
            yield value
        for part in value.values():
            yield from zero_width(part)
    elif isinstance(value, list):
        for part in value:
            yield from zero_width(part)


def test_when_everybody_answered_nothing_has_an_interval(everybody) -> None:
    """se 0 and low = high in results.json; on the page no interval, no verdict on one, no whisker's words."""
    results, text = everybody["2026"]
    truth = units.true_index(units.population()["2026"])
    index = results["index"]
    assert index["score"] == pytest.approx(truth, abs=1e-9)
    assert index["se"] == 0 and index["low"] == index["high"] == index["score"]
    held = [row for row in zero_width(results) if row["low"] is not None]
    assert len(held) > 10 and all(row["low"] == pytest.approx(row["high"], abs=1e-9) for row in held)
    change = results["trend"][-1]
    assert change["change_se"] == 0 and change["change_low"] == change["change_high"] == change["change"]
    for said in ("Census complete: no sampling error", "40 of 40 answered", "All 40 asked answered.",
                 "Everybody answered in both waves, so this is the change itself", "standard errors are 0 by design"):
        assert said in text, said
    for unsaid in ("95%", "clearly", "not clear", "clear of", "clear rise", "exact", "too small to be sure",
                   "four times in five", "Smallest change seen", "(–)",
                   "degrees of freedom", "replicates, seed", "whisker", "nan", "RR1 from"):
        assert unsaid not in text, unsaid
    first = everybody["2025"][1]
    assert "A change to the next wave shows" not in first and "Census complete: no sampling error" in first


def test_in_chinese_one_year_complete(chinese) -> None:
    """The wave everybody answered has no interval, the change from the other one has."""
    results, text = chinese["2026"]
    assert results["index"]["se"] == 0 and results["trend"][-1]["change_se"] > 0
    for said in ("普查完整，无抽样误差", "40个单位中40个应答", "40个单位全部应答",
                 "不抽样：40个单位全部调查，因此无须规划样本量",
                 "精确值：该期全部应答", "未估计路径模型：40份答卷太少", "提升余地最大的方面"):
        assert said in text, said
    assert re.search(r"与2025年相比\+[0-9.]+（ ?\+[0-9.]+～\+[0-9.]+ ?）", text)
    _, before = chinese["2025"]
    for said in ("40个单位中34个应答", "6个未应答单位可能使结果变动的范围", "标准误已作有限总体校正：85%的单位情况已知",
                 "34个应答，区间的自由度为32"):
        assert said in before, said
    for unsaid in ("抽样框", "被抽中", "样本少", "允许的误差", "优先行动"):
        assert unsaid not in before and unsaid not in text, unsaid


# -- the design's sentence ------------------------------------------------------------------------------------------

def told(root: Path, year: str = "2026") -> tuple[str, dict[str, Any]]:
    study = wave(root, year)
    answers, context = clean(read(study), study), Context(study)
    return drawn(context, answers), design_numbers(context, answers)


PROBABILITY = ("sample: census", "sample: probability")


@pytest.mark.parametrize(("changes", "said"), [
    ([PROBABILITY], "carry the finite population correction of the first stage, of whose units on the frame 90% are"),
    ([PROBABILITY, ("method: preston", "method: jackknife")], "carry the finite population correction of the first"),
    ([PROBABILITY, ("method: preston", "method: bootstrap")], "leave out the finite population correction, which errs"),
    ([PROBABILITY, ("method: preston", "method: positive")], "leave out the finite population correction, which errs"),
    ([("method: preston", "method: bootstrap")], "as if these units were a sample of very many"),
    ([(", fpc: market_units", ""), ("method: preston", "method: bootstrap")], "The study does not count the units")])
def test_whose_correction_counts(tmp_path, changes, said) -> None:
    assert said in told(place(tmp_path, *changes))[0]


@pytest.mark.parametrize(("rule", "language", "said"), [
    ("collapse", "en", "Strata with a single sampling unit: west. One unit tells no variance, so for standard errors "
                       "they were joined with their neighbours: south + west."),
    ("certainty", "en", "Strata with a single sampling unit: west. These units are taken as drawn for certain"),
    ("collapse", "zh", "以下各层只有一个抽样单元：west。"
                       "单个单元无法估计方差，计算标准误时已与相邻层合并：south＋west。"),
    ("certainty", "zh", "以下各层只有一个抽样单元：west。这些单元按必然入样处理，对标准误没有贡献。")])
def test_lonely_strata_are_named(make_study, rule, language, said) -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"id": [f"p{k:02d}" for k in range(41)], "region": ["north"] * 20 + ["south"] * 20 + ["west"],
                          **{f"Q{k}": rng.integers(1, 11, 41) for k in range(1, 5)}})
    study = load(make_study(frame.to_csv(index=False), {
        "model": {"constructs": {"A": ["Q1", "Q2"], "B": ["Q3", "Q4"]}, "paths": [["A", "B"]], "target": "B",
                  "loyalty": None}, "language": language, "report": {"verbatims": []}, "compare": {"segments": []},
        "design": {"strata": "region", "clusters": "", "weights": "", "lonely": rule}}))
    answers = clean(read(study), study)
    assert said in drawn(Context(study), answers)
    assert design_numbers(Context(study), answers)["lonely"] == {"rule": rule, "strata": ["west"]}
    few = answers.where(answers.design.strata != "west")          # nothing is said where none was met
    alone = replace(few, design=replace(few.design, strata=np.where(few.design.strata == "west", "south",
                                                                    few.design.strata)))
    assert "west" not in drawn(Context(study), alone)
