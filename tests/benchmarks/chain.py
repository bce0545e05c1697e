"""How long a wave of the demo takes, the first time and again; `tcs check`; how heavy the page is.

    python tests/benchmarks/chain.py [--runs 5] [--json]

Whole processes, medians over the runs; the environment is the one that runs this script. `unchanged_s` is a run with
nothing changed, `bands_s` one in which the bands of satisfaction in chapter 5 are others than the time before.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {"demo_chain_s": 20.0, "unchanged_s": 0.6, "bands_s": 6.0, "check_s": 1.0, "page_mb": 3.0}
# compiled modules are part of how fast things are
QUIET = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPATH": str(ROOT)}


def seconds(*words: str, cwd: Path = ROOT) -> float:
    """Wall-clock seconds of ``python -m tcslib …``."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-X", "utf8", "-m", "tcslib", *words], check=True, cwd=cwd, capture_output=True,
                   env=QUIET)
    return time.perf_counter() - began


def again(runs: int) -> tuple[list[float], list[float]]:
    """Seconds of runs with nothing changed, and with other bands of satisfaction only."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        for part in ("params/demo", "data/raw/demo"):
            shutil.copytree(ROOT / part, root / part)
        wave = root / "params/demo/2026Q3.yaml"
        plain = wave.read_text(encoding="utf-8")
        for name in ("demo/2026Q2", "demo/2026Q3"):
            seconds("run", name, cwd=root)
        unchanged = [seconds("run", "demo/2026Q3", cwd=root) for _ in range(runs)]
        bands = []
        for number in range(runs):
            wave.write_text(f"{plain}\nloyalty:\n  bands: [0, {50 + number}, 70, 85, 100]\n", encoding="utf-8")
            bands.append(seconds("run", "demo/2026Q3", cwd=root))
    return unchanged, bands


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    chain, checks, page = [], [], 0.0
    for _ in range(chosen.runs):
        with tempfile.TemporaryDirectory() as out:
            chain.append(seconds("run", "demo/2026Q2", "--out", out))
            page = next(Path(out).rglob("*.html")).stat().st_size / 1e6
        checks.append(seconds("check", "demo/2026Q3"))
    unchanged, bands = again(chosen.runs)
    found = {"demo_chain_s": statistics.median(chain), "unchanged_s": statistics.median(unchanged),
             "bands_s": statistics.median(bands), "check_s": statistics.median(checks), "page_mb": page}
    if chosen.json:
        print(json.dumps({k: round(v, 3) for k, v in found.items()}))
        return
    for name, value in found.items():
        print(f"{name:14} {value:7.2f}   (aim ≤ {LIMITS[name]:g})")


if __name__ == "__main__":
    main()
