"""How many answers a path model needs for its paths to be found: by power, not by ten times the arrows."""

from __future__ import annotations

import math

from scipy import special, stats

from tcslib.errors import InputRefused
from tcslib.sampling.size import SampleSize, finish


def size_for_path(path: float, *, level: float = 0.95, power: float = 0.8, deff: float = 1.0,
                  population: float | None = None, response: float = 1.0, eligible: float = 1.0) -> SampleSize:
    """Answers for a standardised path of that size to be found: the inverse square root method (Kock & Hadaya 2018).

    ``n > ((z_{1-α} + z_{power}) / |path|)²``, which takes the standard error of a path for no more than ``1 / √n``. The
    test is one-sided, as theirs: at 5% and 80% power the sum is 2.486, at 1% 3.168, at 10% 2.123.
    """
    if not 0 < abs(path) < 1:
        raise InputRefused(f"{path:g} is no standardised path: a number between -1 and 1 other than 0 is expected.",
                           "plan.smallest_path")
    z = float(special.ndtri(level) + special.ndtri(power))
    return finish("path", (z / path) ** 2, deff, population, response, eligible)


def regression_power(n: int, f2: float, predictors: int, tested: int | None = None, *, level: float = 0.95) -> float:
    """Power of the F test of a regression with n answers (Cohen 1988, section 9.3).

    Parameters
    ----------
    f2
        Effect size: ``R² / (1 - R²)``, or what the tested predictors add over ``1 - R²`` of all.
    predictors, tested
        Predictors of the construct, and how many of them the test is about; all by default, 1 for a single path.

    With u tested and ``v = n - predictors - 1`` the noncentrality is Cohen's ``f² (u + v + 1)``.
    """
    u = predictors if tested is None else tested
    v = n - predictors - 1
    if not (f2 > 0 and math.isfinite(f2)) or not 1 <= u <= predictors:
        raise InputRefused(f"effect size {f2:g} with {u} of {predictors} predictors tested: an f² above 0, and from 1 "
                           "to all predictors are expected.", "plan.smallest_f2")
    if v < 1:
        return 0.0
    return float(stats.ncf.sf(stats.f.isf(1 - level, u, v), u, v, f2 * (u + v + 1)))


def size_for_regression(f2: float, predictors: int, tested: int | None = None, *, level: float = 0.95,
                        power: float = 0.8, deff: float = 1.0, population: float | None = None, response: float = 1.0,
                        eligible: float = 1.0) -> SampleSize:
    """The smallest number of answers at which :func:`regression_power` reaches ``power``."""
    low, high = predictors + 1, predictors + 2
    while regression_power(high, f2, predictors, tested, level=level) < power:
        low, high = high, 2 * high
        if high > 10 ** 9:
            raise InputRefused(f"an effect of f² = {f2:g} asks for more than {10 ** 9:,} answers. Take a larger one.",
                               "plan.smallest_f2")
    while high - low > 1:
        middle = (low + high) // 2
        found = regression_power(middle, f2, predictors, tested, level=level) >= power
        low, high = (low, middle) if found else (middle, high)
    return finish("effect", float(high), deff, population, response, eligible)


def path_seen(n: float, *, level: float = 0.95, power: float = 0.8, deff: float = 1.0) -> float:
    """Smallest standardised path that n answers find, by the inverse square root method."""
    if not n > 0:
        raise InputRefused(f"{n:g}: a number above 0 is expected.", "plan.answers")
    return float((special.ndtri(level) + special.ndtri(power)) * math.sqrt(deff / n))

