"""What is done to the base weights, as the study declares it: small records that ``weighting`` turns into numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from tcslib.study.margins import flattened, population
from tcslib.study.sections.weighting import WeightingParams

Method = Literal["linear", "exponential", "logit", "truncated"]
Redistribution = Literal["calibrate", "proportional", "equal"]


@dataclass(frozen=True)
class NonResponse:
    """The weight of those who were drawn and did not answer passes to those who did.

    Attributes
    ----------
    status, responded
        Column that tells what came of each row drawn, and its values that mean an interview.
    by
        Columns known of everyone drawn: they form the cells, or explain the propensity to respond.
    propensity
        False: within cells. True: by a logistic regression of response on ``by``.
    classes
        With a propensity: that many classes of it, and its inverse within each (Little 1986); None, the inverse itself.
    numeric
        Those of ``by`` that are numbers.
    collapse
        A cell without respondents joins its neighbour instead of stopping the run.
    """

    status: str
    responded: tuple[str, ...]
    by: tuple[str, ...] = ()
    propensity: bool = False
    classes: int | None = None
    numeric: tuple[str, ...] = ()
    collapse: bool = False


@dataclass(frozen=True)
class PostStrata:
    """Cells of one or several crossed columns with their population counts or shares; names joined by `` × ``."""

    by: tuple[str, ...]
    targets: Mapping[str, float]


@dataclass(frozen=True)
class Calibration:
    """Auxiliary totals the weights are calibrated to, and how far they may go.

    Attributes
    ----------
    shares
        Categorical columns: category → share or count.
    means, totals
        Columns of numbers: the population's mean, or its total.
    method
        *linear* (the generalised regression estimator), *exponential* (raking's distance), *logit* and *truncated*
        (linear, cut) within bounds: Deville & Särndal 1992, cases 1, 2, 6 and 7.
    bounds, bounds_on
        Smallest and largest *factor* (weight after this step over weight before it), or *weight* itself.
    """

    shares: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    means: Mapping[str, float] = field(default_factory=dict)
    totals: Mapping[str, float] = field(default_factory=dict)
    method: Method = "linear"
    bounds: tuple[float, float] | None = None
    bounds_on: Literal["factor", "weight"] = "factor"


@dataclass(frozen=True)
class Trimming:
    """Limits on the weights, and where what is cut off goes.

    Attributes
    ----------
    above, below
        Largest and smallest weight, as a multiple of the *mean* or the *median* weight, or *absolute*.
    redistribute
        *calibrate*: the steps that met known totals are done again, or all weights rescaled where there are none, until
        limits and totals both hold. *equal*, *proportional*: once, to the weights that were not cut.
    strict
        Repeats *equal* and *proportional* until nobody is beyond a limit.
    """

    above: float | None = None
    below: float | None = None
    of: Literal["mean", "median", "absolute"] = "mean"
    redistribute: Redistribution = "calibrate"
    strict: bool = False


@dataclass(frozen=True)
class WeightingPlan:
    """The steps from base weight to final weight; ``weighting`` does them, in every replicate anew.

    In this order: non-response, post-stratification, raking, calibration, trimming. Targets are shares or counts; only
    their proportions count.

    Attributes
    ----------
    rake
        Column → category → share or count.
    trim
        Largest weight as a multiple of the mean, or ``Trimming``.
    population
        What the final weights sum to; None: the sum of the base weights.
    empty
        A category with a target and no respondents: *refuse*, or *drop* its target.
    missing
        Respondents without a category of a margin: *refuse*, or *keep* the share they have.
    gap
        Largest relative miss of a margin that raking may leave when margins contradict each other.
    """

    rake: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    trim: float | Trimming | None = None
    nonresponse: NonResponse | None = None
    post_stratify: tuple[PostStrata, ...] = ()
    calibrate: Calibration | None = None
    population: float | None = None
    empty: Literal["refuse", "drop"] = "refuse"
    missing: Literal["refuse", "keep"] = "refuse"
    gap: float = 0.0

    @property
    def steps(self) -> bool:
        """True when anything is done at all."""
        return bool(self.rake or self.post_stratify or self.calibrate or self.nonresponse) or self.trim is not None

    @property
    def trimming(self) -> Trimming | None:
        """The limits on weights, whichever way they were given."""
        return Trimming(self.trim) if isinstance(self.trim, int | float) else self.trim

    @classmethod
    def restored(cls, said: Mapping[str, Any]) -> WeightingPlan:
        """The plan that ``dataclasses.asdict`` wrote, from JSON."""
        return _restored(cls, dict(said) | {
            "nonresponse": _restored(NonResponse, said.get("nonresponse")),
            "post_stratify": tuple(_restored(PostStrata, each) for each in said.get("post_stratify", ())),
            "calibrate": _restored(Calibration, said.get("calibrate")),
            "trim": _restored(Trimming, said["trim"]) if isinstance(said.get("trim"), Mapping) else said.get("trim")})


def weighting_plan(params: WeightingParams) -> WeightingPlan:
    """The plan of a checked study."""
    given, cells = params.nonresponse, tuple(
        PostStrata(tuple(each.by), flattened(each.targets, len(each.by))) for each in params.post_stratify)
    nonresponse = None if given is None else NonResponse(
        given.status, tuple(given.responded), tuple(given.cells or given.propensity), bool(given.propensity),
        given.classes, tuple(given.numeric), given.collapse)
    calibrate = None
    if (aux := params.calibrate) is not None:
        known = {kind: {c: t[kind] for c, t in aux.totals.items() if set(t) == {kind}} for kind in ("mean", "total")}
        shares = {c: t for c, t in aux.totals.items() if set(t) not in ({"mean"}, {"total"})}
        calibrate = Calibration(shares, known["mean"], known["total"], aux.method,
                                (aux.bounds[0], aux.bounds[1]) if aux.bounds else None, aux.bounds_on)
    trim = None if params.trim is None else Trimming(**params.trim.model_dump())
    return WeightingPlan(params.rake, trim, nonresponse, cells, calibrate, population(params), params.empty,
                         params.missing, params.gap)


def _restored(kind: type, said: Mapping[str, Any] | None) -> Any:
    """A record from JSON, whose lists were tuples."""
    if said is None:
        return None
    known = {f.name for f in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in said.items() if k in known})
