"""How many answers a stated precision needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
from scipy import special


@dataclass(frozen=True)
class SampleSize:
    """A sample size with the steps that led to it.

    ``steps`` are (step, value) in order: answers under simple random sampling, after the design effect, after the
    finite population correction, customers to approach at the response rate expected. Rounded up once, at the end.
    """

    purpose: str
    steps: tuple[tuple[str, float], ...]
    n: int
    approach: int

    def table(self) -> pd.DataFrame:
        """step, value."""
        return pd.DataFrame([*self.steps, ("n", self.n), ("approach", self.approach)], columns=["step", "value"])


def _finish(purpose: str, simple: float, deff: float, population: float | None, response: float) -> SampleSize:
    inflated = simple * deff
    corrected = inflated if population is None else inflated / (1 + inflated / population)
    steps = [("simple", simple), ("deff", inflated)]
    if population is not None:
        steps.append(("fpc", corrected))
    return SampleSize(purpose, tuple(steps), math.ceil(round(corrected, 9)), math.ceil(round(corrected / response, 9)))


def size_for_mean(margin: float, sd: float, *, level: float = 0.95, deff: float = 1.0, population: float | None = None,
                  response: float = 1.0) -> SampleSize:
    """Answers for a mean, such as the index, to be known within ``± margin`` (Cochran 1977, eq. 4.4–4.5).

    ``n0 = (z sd / margin)²``, then the design effect, then ``n0 / (1 + n0 / N)``, then the response rate. Margin and sd
    (divisor N - 1) in the same units, for the index points.
    """
    z = special.ndtri((1 + level) / 2)
    return _finish("margin", (z * sd / margin) ** 2, deff, population, response)


def size_for_change(change: float, sd: float, *, level: float = 0.95, power: float = 0.8, deff: float = 1.0,
                    population: float | None = None, response: float = 1.0) -> SampleSize:
    """Answers in each of two independent waves for a change of that size to be seen (Cohen 1988, section 2.4).

    ``n = 2 sd² (z_{α/2} + z_β)² / change²`` per wave.
    """
    z = special.ndtri((1 + level) / 2) + special.ndtri(power)
    return _finish("change", 2 * (sd * z / change) ** 2, deff, population, response)


def margin_of(n: float, sd: float, *, level: float = 0.95, deff: float = 1.0, population: float | None = None) -> float:
    """Half-width of the interval of a mean from n answers, in the units of sd."""
    fpc = 1.0 if population is None else max(0.0, 1 - n / population)
    return float(special.ndtri((1 + level) / 2) * sd * math.sqrt(deff * fpc / n))


def change_seen(n: float, sd: float, *, level: float = 0.95, power: float = 0.8, deff: float = 1.0) -> float:
    """Smallest change between two independent waves of n answers that is seen with that power, in the units of sd."""
    z = special.ndtri((1 + level) / 2) + special.ndtri(power)
    return float(z * sd * math.sqrt(2 * deff / n))
