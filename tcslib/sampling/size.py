"""How many answers a stated precision, change or difference needs, and what a given number of them delivers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from scipy import special

from tcslib.errors import InputRefused

Correction = Literal["n0/N", "(n0-1)/N"]
MOST = 1e10          # answers; more than there are people


@dataclass(frozen=True)
class SampleSize:
    """A sample size with the steps that led to it.

    ``steps`` are (step, value) in order: answers under simple random sampling, after the design effect, after the
    finite population correction. ``n`` answers are needed, ``approach`` customers to be approached at the response
    rate and the share of eligible expected; both are rounded up once, from the last step.
    """

    purpose: str
    steps: tuple[tuple[str, float], ...]
    n: int
    approach: int

    def table(self) -> pd.DataFrame:
        """step, value."""
        return pd.DataFrame([*self.steps, ("n", self.n), ("approach", self.approach)], columns=["step", "value"])


def ceiling(value: float) -> int:
    """The next whole number; what is one but for rounding errors stays it."""
    return math.ceil(round(value, 9))


def finish(purpose: str, simple: float, deff: float = 1.0, population: float | None = None, response: float = 1.0,
           eligible: float = 1.0, less: float = 0.0) -> SampleSize:
    """From answers under simple random sampling to customers to approach.

    ``n0`` times the design effect, then ``n0 / (1 + (n0 - less) / N)``, then over response times eligible.

    Raises
    ------
    InputRefused
        When a design effect or population is not above 0, or a rate not above 0 and at most 1.
    """
    _above_0(deff=deff, population=1.0 if population is None else population)
    for key, rate in (("response", response), ("eligible", eligible)):
        if not 0 < rate <= 1:
            raise InputRefused(f"{rate:g} is no rate: a number above 0 and at most 1 is expected.", f"plan.{key}")
    inflated = simple * deff
    corrected = inflated if population is None else inflated / (1 + (inflated - less) / population)
    if not corrected / (response * eligible) < MOST:
        raise InputRefused(f"{corrected:.3g} answers would be needed. Ask for less precision, or correct the standard "
                           "deviation, the design effect and the rates expected.", "plan")
    steps = [("simple", simple), ("deff", inflated)]
    if population is not None:
        steps.append(("fpc", corrected))
    return SampleSize(purpose, tuple(steps), ceiling(corrected), ceiling(corrected / (response * eligible)))


def _above_0(**values: float) -> None:
    for key, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise InputRefused(f"{value:g}: a number above 0 is expected.", f"plan.{key}")


def normal(level: float, power: float | None = None) -> float:
    """``z_{α/2}`` of a two-sided interval at that level, plus ``z_β`` where a power is asked for."""
    if not 0 < level < 1 or not (power is None or 0 < power < 1):
        raise InputRefused(f"confidence {level:g} and power {power or 0.8:g} must lie between 0 and 1.", "plan.power")
    return float(special.ndtri((1 + level) / 2) + (0.0 if power is None else special.ndtri(power)))


def size_for_mean(margin: float, sd: float, *, level: float = 0.95, deff: float = 1.0, population: float | None = None,
                  response: float = 1.0, eligible: float = 1.0) -> SampleSize:
    """Answers for a mean, such as the index, to be known within ``± margin`` (Cochran 1977, eq. 4.4–4.5).

    ``n0 = (z sd / margin)²``, then the design effect, then ``n0 / (1 + n0 / N)``, then the response rate. Margin and sd
    (divisor N - 1, for which this correction is exact) in the same units, for the index points.
    """
    _above_0(margin=margin, sd=sd)
    return finish("margin", (normal(level) * sd / margin) ** 2, deff, population, response, eligible)


def size_for_share(margin: float, share: float = 0.5, *, level: float = 0.95, deff: float = 1.0,
                   population: float | None = None, response: float = 1.0, eligible: float = 1.0,
                   correction: Correction = "n0/N") -> SampleSize:
    """Answers for a share to be known within ``± margin`` (Cochran 1977, eq. 4.1–4.3); both between 0 and 1.

    ``n0 = z² p q / margin²``. The finite population correction is by default that of a mean, ``n0 / (1 + n0 / N)``: p q
    stands for the variance. With divisor N - 1 the variance is ``p q N / (N - 1)``, which gives
    ``n0 / (1 + (n0 - 1) / N)``, exact for a share (*(n0-1)/N*) and larger by less than one answer: p = .5 ± .05,
    N = 3,200, design effect 1.5 need 488.3 answers by the one, 488.4 by the other; at 40% response 1,221 and 1,222.
    """
    _above_0(**{"share.margin": margin})
    if not 0 < share < 1:
        raise InputRefused(f"{share:g} is no share: a number between 0 and 1 is expected.", "plan.share.expected")
    if correction not in ("n0/N", "(n0-1)/N"):
        raise InputRefused(f'"{correction}" is no finite population correction: n0/N or (n0-1)/N is expected.',
                           "correction")
    return finish("share", normal(level) ** 2 * share * (1 - share) / margin ** 2, deff, population, response, eligible,
                  float(correction == "(n0-1)/N"))


def nps_sd(promoters: float, detractors: float) -> float:
    """Standard deviation of the answers behind a net promoter score, in its points: ``100 √(p + d - (p - d)²)``."""
    if min(promoters, detractors) < 0 or not 0 < promoters + detractors <= 1 or abs(promoters - detractors) == 1:
        raise InputRefused(f"{promoters:g} and {detractors:g} are no shares of promoters and detractors that leave "
                           "anything to estimate: both below 1, their sum at most 1.", "plan.nps")
    return 100 * math.sqrt(promoters + detractors - (promoters - detractors) ** 2)


def size_for_nps(margin: float, promoters: float, detractors: float, *, level: float = 0.95, deff: float = 1.0,
                 population: float | None = None, response: float = 1.0, eligible: float = 1.0) -> SampleSize:
    """Answers for the net promoter score to be known within ``± margin`` of its points (-100 to 100).

    It is the mean of 100, 0 and -100, so ``n0 = (z nps_sd / margin)²`` from the shares expected.
    """
    _above_0(**{"nps.margin": margin})
    simple = (normal(level) * nps_sd(promoters, detractors) / margin) ** 2
    return finish("nps", simple, deff, population, response, eligible)


def _dependence(overlap: float, correlation: float) -> float:
    """``1 - P ρ``: what asking the same people again leaves of the variance of a change (Kish 1965, section 12.4)."""
    if not 0 <= overlap <= 1:
        raise InputRefused(f"{overlap:g} is no share: a number from 0 to 1 is expected.", "plan.overlap")
    if not -1 < correlation < 1:
        raise InputRefused(f"{correlation:g}: a number between -1 and 1 is expected.", "plan.correlation")
    return 1 - overlap * correlation


def _both_waves(population: float | None, overlap: float, correlation: float) -> float | None:
    """The population that the correction of a change counts.

    Means of two waves with common answers have covariance ρ S² (P / n - 1 / N), so the variance of their difference is
    2 S² ((1 - Pρ) / n - (1 - ρ) / N); independent draws have none, and theirs is 2 S² (1 / n - 1 / N).
    """
    if population is None or not overlap:
        return population
    return population * _dependence(overlap, correlation) / (1 - correlation)


def size_for_change(change: float, sd: float, *, level: float = 0.95, power: float = 0.8, deff: float = 1.0,
                    population: float | None = None, response: float = 1.0, eligible: float = 1.0,
                    overlap: float = 0.0, correlation: float = 0.0) -> SampleSize:
    """Answers in each of two waves for a change of that size to be seen (Cohen 1988, section 2.4; Kish 1965, ch. 12).

    ``n = 2 sd² (1 - P ρ) (z_{α/2} + z_β)² / change²`` per wave, where the share P of the people (``overlap``) answers
    in both waves and ρ is the correlation of a person's two answers: 0 independent waves, 1 a full panel.
    """
    _above_0(change=change, sd=sd)
    simple = 2 * _dependence(overlap, correlation) * (sd * normal(level, power) / change) ** 2
    return finish("change", simple, deff, _both_waves(population, overlap, correlation), response, eligible)


def size_for_difference(difference: float, sd: float, other_sd: float | None = None, *, ratio: float = 1.0,
                        level: float = 0.95, power: float = 0.8, deff: float = 1.0, population: float | None = None,
                        response: float = 1.0, eligible: float = 1.0, correlation: float | None = None) -> SampleSize:
    """Answers of one's own customers for a difference from a rival in the same wave to be seen.

    Parameters
    ----------
    difference, sd, other_sd
        Smallest difference worth seeing and the standard deviations of the two groups, in points.
    ratio
        Answers about the rival for each answer about oneself; the rival needs ``ratio * n``.
    population
        One's own customers; the rival's are taken to be without end.
    correlation
        When the same people rate both, that of their two scores; ``ratio`` does not count then.

    ``n = (sd² + other² / ratio) (z_{α/2} + z_β)² / difference²`` (Cohen 1988, section 2.3), and for pairs
    ``(sd² + other² - 2 ρ sd other) (…)²``.
    """
    other = sd if other_sd is None else other_sd
    _above_0(**{"rival.difference": difference, "sd": sd, "rival.sd": other, "rival.ratio": ratio})
    if correlation is None:
        variance = sd ** 2 + other ** 2 / ratio
        population = population and population * variance / sd ** 2          # only the part sd² / n ends with it
    else:
        _dependence(1, correlation)
        variance = sd ** 2 + other ** 2 - 2 * correlation * sd * other
    simple = variance * (normal(level, power) / difference) ** 2
    return finish("rival", simple, deff, population, response, eligible)


def sizes_for_segments(margin: float, sd: float, shares: Mapping[str, float], *, level: float = 0.95, deff: float = 1.0,
                       population: float | None = None, response: float = 1.0, eligible: float = 1.0) -> pd.DataFrame:
    """Answers for the mean of every segment to be known within ``± margin``: segment, share, n, in_all, approach.

    ``n`` when the segment can be sampled by itself; ``in_all`` is the whole sample, over all segments, in which chance
    alone brings n answers of the segment, ``n / share``.
    """
    rows = []
    for name, share in shares.items():
        if not 0 < share <= 1:
            raise InputRefused(f"{share:g} is no share: a number above 0 and at most 1 is expected.",
                               f"plan.segments.{name}")
        of = size_for_mean(margin, sd, level=level, deff=deff, response=response, eligible=eligible,
                           population=None if population is None else population * share)
        rows.append((name, share, of.n, ceiling(of.n / share), of.approach))
    return pd.DataFrame(rows, columns=["segment", "share", "n", "in_all", "approach"])


def together(segments: pd.DataFrame) -> SampleSize:
    """The segments of :func:`sizes_for_segments`, each sampled by itself, as one sample."""
    return SampleSize("segments", tuple(zip(segments["segment"], segments["n"].astype(float), strict=True)),
                      int(segments["n"].sum()), int(segments["approach"].sum()))


def to_approach(n: int, aims: Mapping[str, SampleSize], response: float = 1.0, eligible: float = 1.0) -> int:
    """Customers to approach for n answers; where an aim asks for just n, from its number before rounding."""
    return max((size.approach for size in aims.values() if size.n == n), default=ceiling(n / (response * eligible)))


def margin_of(n: float, sd: float, *, level: float = 0.95, deff: float = 1.0, population: float | None = None) -> float:
    """Half-width of the interval of a mean from n answers, in the units of sd."""
    _above_0(answers=n)
    fpc = 1.0 if population is None else max(0.0, 1 - n / population)
    return float(normal(level) * sd * math.sqrt(deff * fpc / n))


def change_seen(n: float, sd: float, *, level: float = 0.95, power: float = 0.8, deff: float = 1.0,
                overlap: float = 0.0, correlation: float = 0.0, population: float | None = None) -> float:
    """Smallest change between two waves of n answers that is seen with that power, in the units of sd."""
    _above_0(answers=n)
    counted = _both_waves(population, overlap, correlation)
    fpc = 1.0 if counted is None else max(0.0, 1 - n / counted)
    return float(normal(level, power) * sd * math.sqrt(2 * _dependence(overlap, correlation) * deff * fpc / n))


def design_effect(cluster_size: float = 1.0, rho: float = 0.0, weights: float = 1.0) -> float:
    """Design effect expected: ``weights (1 + (b - 1) ρ)`` (Kish 1965, section 5.4; 1992 for the two together).

    ``cluster_size`` b answers per sampling unit, ``rho`` the correlation of answers within one, ``weights`` what
    unequal weights cost, ``n Σ w² / (Σ w)²``.
    """
    _above_0(cluster_size=cluster_size, weights_deff=weights)
    return weights * (1 + (cluster_size - 1) * rho)


def best_cluster_size(unit_cost: float, interview_cost: float, rho: float) -> float:
    """Answers per sampling unit that make a given budget go furthest: ``√(c1 / c2 · (1 - ρ) / ρ)`` (Kish 1965, 8.3).

    ``unit_cost`` of one sampling unit more, ``interview_cost`` of one interview more within a unit.
    """
    _above_0(unit_cost=unit_cost, interview_cost=interview_cost)
    if not 0 < rho < 1:
        raise InputRefused(f"{rho:g}: a number between 0 and 1 is expected.", "plan.rho")
    return math.sqrt(unit_cost / interview_cost * (1 - rho) / rho)
