"""A short version of the coverage benchmark: intervals of every design hold the truth about as often as they claim.

Fewer samples than ``tests/benchmarks/coverage.py`` draws, so a wider band; the draws are seeded, so it passes or fails
for good. What ignores the design must be caught: with clusters it covers far too seldom.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parent / "benchmarks"))

import coverage

SAMPLES = 40


@pytest.mark.parametrize("design", coverage.GATED)
def test_intervals_hold_the_truth(design: str) -> None:
    low, high = coverage.band(SAMPLES)
    found = coverage.hits((design, 0, SAMPLES, 100)) / SAMPLES
    assert (found[:, :2] >= low).all() and (found[:, :2] <= high).all(), found
    if design == "cluster":
        assert (found[:, 2] < low).all()


def test_the_band_is_one_that_can_be_left() -> None:
    """At 2,000 samples a true coverage of 90% is caught nearly always, one of 95% hardly ever."""
    low, high = coverage.band(2000)
    assert 0.90 < low < 0.93 < 0.97 < high < 0.99
    rng = np.random.default_rng(1)
    assert (rng.binomial(2000, 0.90, 1000) / 2000 < low).mean() > 0.75
    honest = rng.binomial(2000, 0.95, 1000) / 2000
    assert ((honest < low) | (honest > high)).mean() < 0.001
