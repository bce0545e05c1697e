"""How many columns are proposed right, asked about, and silently wrong: ``python tests/benchmarks/proposals.py``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent.parent.parent)]

from real_truth import SOURCES, opened, truth_of  # noqa: E402
from simulated_studies import Truth, simulated  # noqa: E402

from tcslib.fieldwork.proposing.guess import Guess  # noqa: E402
from tcslib.fieldwork.proposing.propose import propose  # noqa: E402

SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared"


def matched(guesses: Mapping[str, Guess], truth: Mapping[str, Truth]) -> dict[str, str]:
    """The true construct each proposed one stands for: the pairs with most items in common, each used once."""
    pairs = Counter((guesses[n].construct, t.construct) for n, t in truth.items()
                    if guesses[n].construct and t.construct)
    out: dict[str, str] = {}
    for (mine, true), _ in sorted(pairs.items(), key=lambda pair: -pair[1]):
        if mine not in out and true not in out.values():
            out[mine] = true
    return out


def fault(guess: Guess, truth: Truth, names: Mapping[str, str]) -> str:
    """What is wrong with a proposal, "" when it is right."""
    if guess.role not in truth.roles:
        return f"role {guess.role} for {'/'.join(sorted(truth.roles))}"
    if guess.role == "item" and guess.unreadable:
        return ""
    if guess.role == "item" and truth.scale and guess.scale not in truth.scale.split("|"):
        return f"scale {guess.scale} for {truth.scale}"
    if guess.role == "item" and truth.scale and set(guess.codes) != set(truth.codes):
        return f"codes {sorted(guess.codes)} for {sorted(truth.codes)}"
    if guess.role == "item" and truth.construct and names.get(guess.construct) not in truth.construct.split("|"):
        return f"construct {guess.construct} for {truth.construct}"
    if guess.backwards != truth.reversed:
        return "reversed not asked" if truth.reversed else "reversed asked in vain"
    return ""


def judged(table, truth: Mapping[str, Truth]) -> tuple[Counter, list[str]]:
    """Counts of right, asked (wrong, but asked about) and silent (wrong without a word); and a line for each wrong."""
    guesses = propose(table).columns
    names = matched(guesses, truth)
    counts: Counter = Counter()
    lines = []
    for name, true in truth.items():
        guess = guesses[name]
        wrong = fault(guess, true, names)
        how = "right" if not wrong else "silent" if guess.sure else "asked"
        counts[how] += 1
        counts["confirm"] += not guess.sure
        if wrong:
            lines.append(f"{how:6} {name}: {wrong} [{guess.because.key}; {', '.join(a.key for a in guess.asks)}]")
    return counts, lines


def over(seeds: range, held: bool, show: bool = False) -> Counter:
    """The counts over simulated studies."""
    total: Counter = Counter()
    for seed in seeds:
        study = simulated(seed, held)
        counts, lines = judged(study.table(), study.truth)
        total += counts
        if show:
            for line in lines:
                print(f"  {seed:3} {line}")
    return total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", action="store_true", help="every wrong column")
    parser.add_argument("--held", action="store_true", help="the 100 studies set aside, too")
    parser.add_argument("--real-only", action="store_true")
    parser.add_argument("--seeds", type=int, default=100)
    args = parser.parse_args()
    rows = []
    for source in SOURCES:
        table = opened(source, SHARED)
        if table is None:
            continue
        counts, lines = judged(table, truth_of(source, table))
        rows.append((source, counts))
        if args.show:
            print(source, *(f"  {line}" for line in lines), sep="\n")
    if args.seeds and not args.real_only:
        rows.append(("simulated 1–100", over(range(args.seeds), False, args.show)))
    if args.held:
        rows.append(("simulated, set aside", over(range(1000, 1100), True)))
    print(f"{'source':34}{'columns':>8}{'right':>7}{'asked':>7}{'silent':>7}{'right %':>9}{'to confirm':>12}")
    for source, c in rows:
        n = c["right"] + c["asked"] + c["silent"]
        print(f"{source:34}{n:8}{c['right']:7}{c['asked']:7}{c['silent']:7}{100 * c['right'] / n:9.1f}"
              f"{c['confirm']:12}")


if __name__ == "__main__":
    main()
