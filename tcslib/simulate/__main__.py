"""``python -m tcslib.simulate`` from the project's root: the demo's two waves and their truth, written anew."""

from __future__ import annotations

from pathlib import Path

from tcslib.errors import InputRefused
from tcslib.simulate.before import as_workbook, demo_before, market_before
from tcslib.simulate.market import Market
from tcslib.simulate.soil import Soiled, demo
from tcslib.simulate.truth import as_json, estimand

ANSWERS, BEFORE = Path("data/raw/demo/2026Q3.csv"), Path("data/raw/demo/2026Q2.xlsx")
TRUTH, TRUTH_BEFORE = (Path(f"tests/reference/demo_truth/truth{wave}.json") for wave in ("", "_2026Q2"))


def as_csv(soiled: Soiled) -> bytes:
    """The file's bytes: UTF-8, commas, names in line 1, lines ended by a line feed on every system."""
    return soiled.frame.to_csv(index=False, lineterminator="\n").encode("utf-8")


def main() -> None:
    """Write the files of both waves below the folder the command is given in."""
    if not Path("params/demo").is_dir():
        raise InputRefused("there is no params/demo here. Call this from the project's root.", str(Path.cwd()))
    then = market_before()
    for path, content in {ANSWERS: as_csv(demo()), BEFORE: as_workbook(demo_before()),
                          TRUTH: as_json(estimand(), Market()).encode("utf-8"),
                          TRUTH_BEFORE: as_json(estimand(market=then), then).encode("utf-8")}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{path.as_posix()}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
