"""How often 95% intervals hold the truth: samples drawn, weighted and estimated as a study is, again and again.

    python tests/benchmarks/coverage.py [--json] [--samples 2000] [--replicates 400] [--workers 2]

A population of 20,000 customers of 400 stores in five regions is sampled by six designs; mean, total, ratio and a
composite index are estimated by linearisation and by the bootstrap. Each line: design, statistic, method, coverage,
samples, gated (whether the coverage must lie inside the 99.9% binomial band around 93–97%; with few sampling units or
a skewed variable it is reported only), and naive: the coverage where the same weighted answers are taken for a
simple random sample.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

STATISTICS = ("mean", "total", "ratio", "index")
SHARES = np.array([0.5, 0.3, 0.2])          # of three questions in the composite index
RAKE = ("gender", "age")
GATED = ("srs", "stratified", "cluster", "two_stage_pps", "raked")
REPORTED = ("few_units", "skewed")
LOW, HIGH = 0.93, 0.97


@dataclass(frozen=True)
class Population:
    """The frame with everybody's answers, and the truth of the four statistics."""

    frame: pd.DataFrame
    truth: dict[str, float]
    margins: dict[str, dict[str, float]]


@cache
def population(skewed: bool = False) -> Population:
    """Made once; regions and stores differ, young people and men are less content and answer less often."""
    rng = np.random.default_rng(20261)
    store_size = np.rint(rng.gamma(6, 50 / 6, 400)).astype(int) + 10
    store = np.repeat(np.arange(400), store_size)
    region = (np.arange(400) // 80)[store]
    n = len(store)
    gender, age = rng.choice(["f", "m"], n, p=[0.52, 0.48]), rng.choice(["18-34", "35-54", "55+"], n, p=[0.3, 0.4, 0.3])
    feeling = (np.array([0.6, 0.2, 0, -0.2, -0.5])[region] + 0.35 * rng.normal(size=400)[store] + rng.normal(size=n)
               + 0.3 * (gender == "f") + 0.4 * (age == "55+"))
    items = np.clip(np.rint(6.5 + 1.3 * feeling[:, None] + 1.2 * rng.normal(size=(n, 3))), 1, 10)
    spend = rng.gamma(4, 12, n) * (1 + 0.1 * region)
    score = np.exp(1.5 * rng.normal(size=n)) if skewed else (items - 1).mean(axis=1) / 9 * 100
    frame = pd.DataFrame({
        "id": [f"{i:06d}" for i in range(n)], "region": [f"r{r}" for r in region],
        "store": [f"s{s:03d}" for s in store], "users": store_size[store], "gender": gender, "age": age,
        "score": score, "spend": spend,
        **{f"Q{k}": items[:, k] for k in range(3)}, "answers": rng.random(n) < 0.35 + 0.2 * (age != "18-34")
        + 0.1 * (gender == "f")})
    points = (items - 1) / 9 * 100
    truth = {"mean": score.mean(), "total": score.sum(), "ratio": (score * spend).sum() / spend.sum(),
             "index": float(points.mean(axis=0) @ SHARES)}
    margins = {column: frame[column].value_counts().astype(float).to_dict() for column in RAKE}
    return Population(frame, truth, margins)


def sample(design: str, seed: int) -> tuple[Any, pd.DataFrame]:
    """The design and the rows of one sample."""
    from tcslib.sampling.selection import draw
    from tcslib.sampling.walking import Step

    frame = population(design == "skewed").frame
    steps, strata = {
        "srs": ([Step(400)], ""), "skewed": ([Step(400)], ""), "raked": ([Step(800)], ""),
        "stratified": ([Step(80)], "region"), "cluster": ([Step(45, clusters="store")], ""),
        "few_units": ([Step(8, clusters="store")], ""),
        "two_stage_pps": ([Step(10, "pps_systematic", clusters="store", size="users"), Step(8)], "region")}[design]
    drawn = draw(frame, steps, id="id", strata=strata, seed=seed)
    return drawn.design(), frame.iloc[drawn.rows[drawn.main]].reset_index(drop=True)


def responses_of(design: Any, rows: pd.DataFrame, margins: dict[str, dict[str, float]] | None) -> Any:
    """What a study would hold: answers, design, weighting to the population's margins where people do not answer."""
    from conftest import make_responses

    from tcslib.survey.responses import WeightingPlan

    if margins:
        kept = rows["answers"].to_numpy()
        design, rows = design.take(kept), rows[kept].reset_index(drop=True)
    answers = rows[["score", "spend", "Q0", "Q1", "Q2"]].assign(both=rows["score"] * rows["spend"])
    made = make_responses(answers.set_axis(design.ids), background={c: rows[c].to_numpy() for c in RAKE})
    plan = WeightingPlan(rake=margins or {}, population=sum(margins[RAKE[0]].values()) if margins else None)
    return type(made)(**{**made.__dict__, "design": design, "weighting": plan})


def linearised(of: Any) -> dict[str, tuple[float, float]]:
    """Limits of the four statistics by Taylor linearisation."""
    from tcslib.inference import descriptive as d
    from tcslib.inference.linearization import sample_of

    one = sample_of(of)
    index = d.mean(one, ["Q0", "Q1", "Q2"]).contrast(SHARES)
    found = {"mean": d.mean(one, "score"), "total": d.total(one, "score"), "ratio": d.ratio(one, "both", "spend")}
    out = {name: (float(e.low[0]), float(e.high[0])) for name, e in found.items()}
    return out | {"index": tuple((float(v) - 1) / 9 * 100 for v in (index.low[0], index.high[0]))}


def bootstrapped(of: Any, count: int, seed: int) -> dict[str, tuple[float, float]]:
    """Limits of the four statistics by the bootstrap that a study would use."""
    from tcslib.inference.infer import infer_rows
    from tcslib.inference.replicates import replicate

    def statistic(x: np.ndarray, w: np.ndarray, _: Any) -> dict[str, np.ndarray]:
        sums, total = w @ x, w.sum(axis=1)
        index = (sums[:, 2:5] / total[:, None] - 1) / 9 * 100 @ SHARES
        return {"mean": sums[:, 0] / total, "total": sums[:, 0], "ratio": sums[:, 5] / sums[:, 1], "index": index}

    found = infer_rows(statistic, of, replicate(of, count, seed), list(of.answers.columns))
    return {name: tuple(float(v) for v in found.limits(name)) for name in STATISTICS}


def hits(task: tuple[str, int, int, int]) -> np.ndarray:
    """(statistics, 3) how often so many samples' intervals held the truth: linearised, bootstrap, naive."""
    from threadpoolctl import threadpool_limits

    from tcslib.survey.design import Design

    design, first, last, count = task
    people = population(design == "skewed")
    out = np.zeros((len(STATISTICS), 3))
    with threadpool_limits(1):
        for seed in range(first, last):
            of = responses_of(*sample(design, seed), people.margins if design == "raked" else None)
            final = of.design.weights
            if design == "raked":
                from tcslib.weighting.weights import weigh

                final = weigh(of).weights
            plain = type(of)(**{**of.__dict__, "design": Design(of.design.ids, final),
                                "weighting": type(of.weighting)()})
            for at, limits in enumerate((linearised(of), bootstrapped(of, count, seed), linearised(plain))):
                for s, name in enumerate(STATISTICS):
                    low, high = limits[name]
                    out[s, at] += low <= people.truth[name] <= high
    return out


def coverage(samples: int, count: int, workers: int = 2) -> list[dict[str, Any]]:
    """One line for each design, statistic and method."""
    lines: list[dict[str, Any]] = []
    with ProcessPoolExecutor(workers) as pool:
        for design in (*GATED, *REPORTED):
            cuts = np.linspace(0, samples, 4 * workers + 1).astype(int)
            found = sum(pool.map(hits, [(design, a, b, count) for a, b in itertools.pairwise(cuts)]))
            for s, name in enumerate(STATISTICS):
                gated = design in GATED
                for at, method in enumerate(("linearised", "bootstrap")):
                    lines.append({"design": design, "statistic": name, "method": method,
                                  "coverage": found[s, at] / samples, "samples": samples, "gated": gated,
                                  "naive": found[s, 2] / samples})
    return lines


def band(samples: int) -> tuple[float, ...]:
    """Coverages that are no evidence against a true one of 93–97%, at 99.9%."""
    return tuple(float(stats.binom.ppf(p, samples, c)) / samples for p, c in ((0.0005, LOW), (0.9995, HIGH)))


def main() -> int:
    """Run and print; 1 when a gated coverage lies outside the band."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--replicates", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    lines = coverage(asked.samples, asked.replicates, asked.workers)
    low, high = band(asked.samples)
    if asked.json:
        print(json.dumps(lines))
    else:
        print(pd.DataFrame(lines).to_string(index=False), f"\nband {low:.4f} to {high:.4f}")
    return int(any(line["gated"] and not low <= line["coverage"] <= high for line in lines))


if __name__ == "__main__":
    sys.exit(main())
