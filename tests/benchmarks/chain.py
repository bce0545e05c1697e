"""How long the demo takes from its file to its report, `tcs check`, and how heavy the page is.

    python tests/benchmarks/chain.py [--runs 5] [--json]

Whole processes, medians over the runs; the environment is the one that runs this script.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"demo_chain_s": 20.0, "check_s": 1.0, "page_mb": 3.0}


def seconds(*words: str) -> float:
    """Wall-clock seconds of ``python -m tcslib …``."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-X", "utf8", "-m", "tcslib", *words], check=True, cwd=ROOT, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(ROOT)})
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    chain, checks, page = [], [], 0.0
    for _ in range(chosen.runs):
        with tempfile.TemporaryDirectory() as out:
            chain.append(seconds("demo", "--out", out))
            page = next(Path(out).rglob("*.html")).stat().st_size / 1e6
        checks.append(seconds("check", "demo/2026Q3"))
    found = {"demo_chain_s": statistics.median(chain), "check_s": statistics.median(checks), "page_mb": page}
    if chosen.json:
        print(json.dumps({k: round(v, 3) for k, v in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:14} {value:7.2f}   (aim ≤ {LIMITS[name]:g})")


if __name__ == "__main__":
    main()
