"""What weighting costs: a million respondents raked to three margins, and calibrated to them.

    python tests/benchmarks/weighting.py [--json] [--rows 1000000] [--runs 3]

`coding_s` turns the columns of text into cells, `rake_s` and `exponential_s` are what follows, `weigh_s` is the whole
of `tcs.weigh` with its ledger; each measured in a fresh process, medians over the runs. `data_mb` is the peak before
weighting begins, `peak_mb` that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]

from spine import peak_mb  # noqa: E402

LIMITS = {"rake_s": 1.0, "peak_mb": 2000.0}
MARGINS = {"gender": {"f": 0.51, "m": 0.49}, "age": {"18-34": 0.34, "35-54": 0.38, "55+": 0.28},
           "region": {f"r{i:02d}": 0.05 for i in range(20)}}


def once(rows: int, method: str) -> dict[str, float]:
    """One run in this process."""
    import numpy as np
    import pandas as pd

    from tcslib.survey.design import Design
    from tcslib.survey.responses import Responses
    from tcslib.survey.weighting import Calibration, WeightingPlan
    from tcslib.weighting.building import build
    from tcslib.weighting.coding import Coder
    from tcslib.weighting.weights import weigh

    rng = np.random.default_rng(1)
    background = pd.DataFrame({name: rng.choice(list(targets), rows, p=rng.dirichlet(np.full(len(targets), 30.0)))
                               for name, targets in MARGINS.items()}, dtype="str")
    ids = np.char.zfill(np.arange(rows).astype(str), 8)
    plan = WeightingPlan(MARGINS) if method == "rake" else WeightingPlan(calibrate=Calibration(MARGINS, method=method))
    empty = pd.DataFrame(index=range(rows))
    responses = Responses(empty, empty, background, {}, Design(ids, rng.lognormal(0, 0.5, rows)), plan,
                          np.ones(rows, dtype=bool), pd.DataFrame())
    before, began = peak_mb(), perf_counter()
    build(Coder(responses, "benchmark"))
    coded = perf_counter()
    found = weigh(responses)
    done = perf_counter()
    off = (found.margins["after"] / found.margins["target"] - 1).abs().max()
    return {"coding_s": coded - began, "weigh_s": done - coded, "step_s": done - coded - (coded - began),
            "data_mb": before, "peak_mb": peak_mb(), "off": float(off)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--once", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        print(json.dumps(once(asked.rows, asked.once)))
        return
    out: dict[str, float] = {"rows": asked.rows}
    for method in ("rake", "exponential"):
        runs = [json.loads(subprocess.run(
            [sys.executable, __file__, "--once", method, "--rows", str(asked.rows)], check=True, capture_output=True,
            text=True, encoding="utf-8").stdout) for _ in range(asked.runs)]
        medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        suffix = "" if method == "rake" else f"_{method}"
        out |= {f"{method}_s": medians["step_s"], f"coding_s{suffix}": medians["coding_s"],
                f"weigh_s{suffix}": medians["weigh_s"], f"data_mb{suffix}": medians["data_mb"],
                f"peak_mb{suffix}": medians["peak_mb"], f"largest_miss{suffix}": medians["off"]}
    if asked.json:
        print(json.dumps(out))
        return
    for name, value in out.items():
        print(f"{name:26}{value:12.4g}" + (f"   (aim ≤ {LIMITS[name]:g})" if name in LIMITS else ""))


if __name__ == "__main__":
    main()
