"""How long a stratified draw by size from a frame of five million customers takes.

    python tests/benchmarks/selection.py [--runs 5] [--rows 5000000] [--json]

Medians over the runs, in one process; the frame lies in memory. `sorted_s` has its rows in the order of their ids,
`mixed_s` does not; `text_s` has mixed rows and ids of text.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import pandas as pd

from tcslib.sampling.selection import Step, draw

LIMIT, STRATA, EACH = 4.0, 500, 40


def frames(rows: int) -> dict[str, pd.DataFrame]:
    """Customers in 500 regions with sizes spread as turnovers are."""
    rng = np.random.default_rng(1)
    names = np.array([f"Region {number:03d}" for number in range(STRATA)], dtype=object)
    region = pd.Series(names[rng.integers(0, STRATA, rows)], dtype="str")
    ordered = pd.DataFrame({"id": np.arange(rows), "region": region,
                            "turnover": rng.lognormal(3, 1, rows)})
    mixed = ordered.take(rng.permutation(rows)).reset_index(drop=True)
    return {"sorted_s": ordered, "mixed_s": mixed, "text_s": mixed.assign(id="C" + mixed["id"].astype("str"))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = {}
    for name, frame in frames(chosen.rows).items():
        took = []
        for run in range(chosen.runs):
            began = time.perf_counter()
            sample = draw(frame, [Step(EACH, "pps_systematic", size="turnover")], id="id", strata="region", seed=run)
            took.append(time.perf_counter() - began)
            assert len(sample.rows) == STRATA * EACH
        found[name] = statistics.median(took)
    if chosen.json:
        print(json.dumps({k: round(v, 3) for k, v in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:10} {value:6.2f}   (aim ≤ {LIMIT:g})")


if __name__ == "__main__":
    main()
