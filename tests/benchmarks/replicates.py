"""What replicates cost: 1,000 of them for 20 means of 100,000 rows, by sampling unit and by row, raked or not.

    python tests/benchmarks/replicates.py [--json] [--runs 5] [--workers 1]

Each run is a fresh process; its time is that of making the replicates, the means in each and their standard errors,
its memory the peak of the whole process less what the interpreter and the data take.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS, ITEMS, UNITS, COUNT = 100_000, 20, 500, 1000
RAKE = {"gender": {"f": 0.52, "m": 0.48}, "age": {"1": 0.3, "2": 0.4, "3": 0.3},
        "region": {"a": 0.2, "b": 0.3, "c": 0.25, "d": 0.25}}
CASES = {"units": (True, False), "rows": (False, False), "units_raked": (True, True), "rows_raked": (False, True)}


def once(case: str, workers: int) -> dict[str, float]:
    """One run in this process."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    import numpy as np
    import pandas as pd
    from conftest import make_responses
    from spine import peak_mb

    from tcslib.inference.infer import infer, means
    from tcslib.inference.replicates import replicate

    clustered, raked = CASES[case]
    rng = np.random.default_rng(1)
    answers = pd.DataFrame(rng.integers(1, 11, (ROWS, ITEMS)).astype(float), np.char.zfill(
        np.arange(ROWS).astype(str), 6), [f"Q{i}" for i in range(ITEMS)])
    background = {name: rng.choice(list(of), ROWS) for name, of in RAKE.items()} if raked else None
    responses = make_responses(answers, weights=rng.lognormal(0, 0.4, ROWS), background=background,
                               rake=RAKE if raked else None,
                               clusters=rng.integers(0, UNITS, ROWS) if clustered else None)
    before, start = peak_mb(), perf_counter()
    found = infer(means, responses, replicate(responses, COUNT, workers=workers), list(answers.columns), products=False)
    se = found.se("mean")
    return {"seconds": perf_counter() - start, "extra_mb": peak_mb() - before, "peak_mb": peak_mb(), "se": float(se[0])}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--once", choices=CASES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        print(json.dumps(once(args.once, args.workers)))
        return
    out = {}
    for case in CASES:
        command = [sys.executable, __file__, "--once", case, "--workers", str(args.workers)]
        runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8",
                                          cwd=ROOT).stdout) for _ in range(args.runs)]
        for key in ("seconds", "extra_mb", "peak_mb"):
            out[f"{case}_{key}"] = round(statistics.median(r[key] for r in runs), 3)
    print(json.dumps(out, indent=1) if args.json else "\n".join(f"{k:24} {v}" for k, v in out.items()))


if __name__ == "__main__":
    main()
