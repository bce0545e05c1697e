"""What the spine costs: 10,000 replicates of an ECSI model, and importing the library.

    python tests/benchmarks/spine.py [--json] [--runs 5] [--count 10000]

Each run is a fresh process, its time that of ``pls``, ``measure`` and ``index`` with standard errors and intervals of
paths, loadings, weights, R², reliabilities, HTMT and index; its memory the peak of the whole process. Data: the 250
mobile-phone interviews beside the project, or a simulated sample of the same shape.
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
MOBI = ROOT.parent / "shared" / "data" / "mobi.csv"


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        pass
    try:
        import resource
    except ImportError:          # Windows
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def once(count: int) -> dict[str, float | str]:
    """One run in this process: seconds, MB, the index and the data it was made from."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import numpy as np
    import pandas as pd
    from conftest import make_responses

    from tcslib.index.scoring import index
    from tcslib.inference.replicates import replicate
    from tcslib.measurement.assess import measure
    from tcslib.simulate import ITEMS, draw_answers
    from tcslib.structure.fit import pls
    from tcslib.study.params import ModelParams
    from tcslib.study.resolve import resolve_model

    model = resolve_model(ModelParams(preset="ecsi"), lambda where, said: sys.exit(f"{where} {said}"))
    if model is None:
        sys.exit("the ECSI preset cannot be read")
    answers = (pd.read_csv(MOBI)[model.items] if MOBI.exists()
               else pd.DataFrame(draw_answers(250, np.random.default_rng(1)), columns=ITEMS)[model.items])
    responses = make_responses(answers.set_axis([f"{row:03d}" for row in range(len(answers))]))

    start = perf_counter()
    replicates = replicate(responses, count)
    fit = pls(responses, model, replicates=replicates)
    quality = measure(responses, model, replicates, fit.inference)
    score = index(fit)
    computed = perf_counter() - start
    fit.paths(), fit.items("loadings"), fit.items("weights"), fit.r2(), quality.table(), quality.htmt_table()
    table = score.table()
    return {"seconds": computed, "seconds_with_tables": perf_counter() - start, "peak_mb": peak_mb(),
            "index": float(table.set_index("construct").loc[model.target, "estimate"]),
            "data": "mobi.csv" if MOBI.exists() else "simulated"}


def child(*words: str) -> str:
    """Output of a fresh interpreter in the project's root."""
    return subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True, encoding="utf-8",
                          cwd=ROOT).stdout


def import_seconds(names: str) -> float:
    """Time one import statement takes in a fresh interpreter, without the interpreter's own start."""
    code = f"import time; t = time.perf_counter(); import {names}; print(time.perf_counter() - t)"
    return float(child("-c", code))


def main() -> None:
    """Run each measurement in turn, so that a noisy minute meets all alike, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--count", type=int, default=10_000, help="replicates")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        print(json.dumps(once(asked.count)))
        return
    runs, library, first_use, needed = [], [], [], []
    for _ in range(asked.runs):
        runs.append(json.loads(child(__file__, "--once", "--count", str(asked.count))))
        library.append(import_seconds("tcslib"))
        first_use.append(import_seconds("tcslib; tcslib.pls; tcslib.index"))          # names come when they are used
        needed.append(import_seconds("numpy, pandas"))
    out: dict[str, float | str] = {name: statistics.median(run[name] for run in runs)
                                   for name in ("seconds", "seconds_with_tables", "peak_mb")}
    out |= {"replicates": asked.count, "runs": asked.runs, "data": runs[0]["data"], "index": runs[0]["index"],
            "import_tcslib": statistics.median(library), "import_numpy_pandas": statistics.median(needed),
            "import_ratio": statistics.median(library) / statistics.median(needed),
            "first_use": statistics.median(first_use)}
    if asked.json:
        print(json.dumps(out))
        return
    for name, value in out.items():
        print(f"{name:22}{value:.3f}" if isinstance(value, float) else f"{name:22}{value}")


if __name__ == "__main__":
    main()
