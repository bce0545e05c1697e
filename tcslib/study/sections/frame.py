"""The customer list a sample is drawn from, and how it is drawn."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, create_model

from tcslib.study.sections.base import Section
from tcslib.study.values import Columns, Name, OneOrMore, Words


def _day(value: Any) -> Any:
    """Refuse what is no day."""
    try:
        return date.fromisoformat(value).isoformat() if value else value
    except (TypeError, ValueError):
        raise ValueError("a day is expected: 2026-07-01.") from None


def _counts(value: Any) -> Any:
    """Refuse what is no number of units, nor one for each stratum."""
    for name, n in by_name(value).items():
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError("a whole number of 1 or more is expected, or one for each stratum: {North: 50, South: 30}"
                             + (f'; "{name}" has {n}.' if name else "."))
    return value


def by_name(n: Any) -> dict[str, Any]:
    """Numbers by stratum; one number for all under ""."""
    return n if isinstance(n, dict) else {"": n}


_WHOLE = {"type": "integer", "minimum": 1}
Day = Annotated[str, BeforeValidator(_day)]
Counts = Annotated[int | dict[str, int], BeforeValidator(_counts), WithJsonSchema({"anyOf": [
    _WHOLE, {"type": "object", "additionalProperties": _WHOLE}]})]
Total = Annotated[int, Field(gt=0)]

if TYPE_CHECKING:
    _WithClass = Section
else:          # `class` is a word of the language: a study may use it as a key, a class body may not
    _WithClass = create_model("_WithClass", __base__=Section, **{"class": (str, Field(
        "", description="column with the class of customer: buyer, decider, end_user …"))})


class NamesParams(Section):
    """Columns that show one customer listed twice."""

    name: str = ""
    phone: str = ""
    email: str = ""


class FrameParams(_WithClass):
    """The customer list the sample is drawn from."""

    file: Name = Field(description="the list, below data/raw; kept by `tcs frame`")
    id: Name = Field(description="column that names the customer")
    role: str = Field("", description="column with the customer's role")
    last_contact: OneOrMore = Field([], description="columns with days of earlier contacts, one or several to a cell")
    rest_days: int = Field(0, ge=0, description="days a customer is left alone after a contact")
    max_per_year: int = Field(0, ge=0, description="contacts within any 365 days; 0 for no such rule")
    as_of: Day = Field("", description="the day rest is counted to; default fieldwork.start")
    since: Day = Field("", description="changes of the list after this day are told; default the wave before")
    retired: Name = Field("retired", description="column with the day a customer left the list")
    names: NamesParams = NamesParams()
    contact: Columns = Field([], description="columns printed on the field sheet; default those of `names`")
    classes: dict[str, Words] = Field({}, description="classes of customer there ought to be, as readers see them")
    totals: dict[str, dict[str, Total]] = Field({}, description="known numbers of customers by column and category")
    sheet: str = Field("", description="XLSX: name of the sheet")
    header_row: int | None = Field(None, ge=1, le=100, description="row that holds the column names")
    encoding: Literal["utf-8", "gb18030", "utf-16", "big5", "cp1252"] | None = None
    delimiter: Literal["", ",", ";", "tab", "|"] = ""

    @property
    def kind(self) -> str:
        """The column with the class of customer."""
        return str(getattr(self, "class"))

    def columns(self) -> dict[str, str]:
        """Every column of the list this section names, with its key."""
        named = [(self.id, "id"), (self.kind, "class"), (self.role, "role"),
                 *((c, "last_contact") for c in self.last_contact), *((c, "contact") for c in self.contact),
                 *((getattr(self.names, key), f"names.{key}") for key in ("name", "phone", "email")),
                 *((c, f"totals.{c}") for c in self.totals)]
        return {column: f"frame.{key}" for column, key in reversed(named) if column}


class StageParams(Section):
    """One stage of a draw."""

    method: Literal["simple", "systematic", "pps_systematic", "pps_sampford"] | None = Field(
        None, description="default simple")
    n: Counts = Field({}, description="units to draw; at a later stage from each unit of the stage before")
    clusters: str = Field("", description="column that names the units; without it each customer is one")
    size_measure: str = Field("", description="column with the units' sizes, for the methods by size")
    sort: Columns = Field([], description="order of the list before a systematic method")
    short: Literal["refuse", "all"] | None = Field(
        None, description="later stages: what fewer than n units mean; default refuse")


class StratumDraw(StageParams):
    """How a stratum is drawn: by the keys of one stage, or in several."""

    stages: list[StageParams] = []


class DrawParams(StratumDraw):
    """How the sample is drawn from the list."""

    strata: str = Field("", description="column of the strata")
    seed: int = Field(20260930, ge=0)
    reserve: float = Field(0.0, ge=0, le=10, description="replacements, as a share of the sample of each stratum")
    require: dict[str, OneOrMore] = Field({}, description="who is drawn from: a column and the values that stay")
    by_stratum: dict[str, StratumDraw] = Field({}, description="what differs in a stratum")

    def columns(self) -> dict[str, str]:
        """Every column of the list this section names, with its key."""
        named = [(self.strata, "draw.strata"), *((c, f"draw.require.{c}") for c in self.require)]
        for at, part in (("draw", self), *((f"draw.by_stratum.{name}", p) for name, p in self.by_stratum.items())):
            for key, stage in ((at, part), *((f"{at}.stages.{i}", s) for i, s in enumerate(part.stages, 1))):
                named += [(stage.clusters, f"{key}.clusters"), (stage.size_measure, f"{key}.size_measure"),
                          *((c, f"{key}.sort") for c in stage.sort)]
        return {column: key for column, key in reversed(named) if column}


def day_of(stated: str, start: str) -> str:
    """The day rest is counted to: as stated, else the first of the fieldwork where that is a day; "" without one."""
    try:
        return stated or date.fromisoformat(start).isoformat()
    except ValueError:
        return ""


def frame_faults(frame: FrameParams | None, draw: DrawParams | None, start: str) -> list[tuple[str, str]]:
    """What does not fit together in the two sections, as (address, message); ``start``: of the fieldwork."""
    if frame is None:
        return [] if draw is None else [("draw", "needs the list it draws from. Add `frame`.")]
    out = []
    if (frame.rest_days or frame.max_per_year) and not frame.last_contact:
        out.append(("frame.last_contact", "is missing: which column holds the last contact? Name it, or drop rest_days "
                                          "and max_per_year."))
    if (frame.rest_days or frame.max_per_year) and not day_of(frame.as_of, start):
        out.append(("frame.as_of", "is missing: rest is counted to that day. Give it, or fieldwork.start."))
    if draw is None:
        return out
    if draw.by_stratum and not draw.strata:
        out.append(("draw.strata", "is missing, and by_stratum needs it. Name the column of the strata."))
    for at, part in (("draw", draw), *((f"draw.by_stratum.{name}", p) for name, p in draw.by_stratum.items())):
        twice = {key for key in ("method", "clusters", "size_measure", "sort", "short") if getattr(part, key)}
        if part.stages and twice:
            out.append((at, f"has stages, and {', '.join(sorted(twice))} beside them. Move it into the stages."))
        if part.stages and part.n and part.stages[0].n:
            out.append((f"{at}.n", "stands beside a first stage with its own n. Keep one."))
        if at != "draw" and set(by_name(part.n)) - {""}:
            out.append((f"{at}.n", "is one stratum's: a single number is expected."))
        for key, stage in ((at, part), *((f"{at}.stages.{k}", s) for k, s in enumerate(part.stages, 1))):
            method = stage.method or (draw.method if at != "draw" and not part.stages else None) or "simple"
            if stage.size_measure and not method.startswith("pps") and not (stage is draw and draw.by_stratum):
                out.append((f"{key}.size_measure", f"is of no effect under {method}. Say method: pps_systematic or "
                                                   "pps_sampford, or drop it."))
        for number, stage in enumerate(part.stages, 1):
            if number > 1 and set(by_name(stage.n)) != {""}:
                out.append((f"{at}.stages.{number}.n", "one whole number is expected: how many from each unit."))
            if number < len(part.stages) and not stage.clusters:
                out.append((f"{at}.stages.{number}.clusters", "is missing: only a last stage draws customers."))
    if set(by_name(draw.n)) == {""} and draw.strata and any(p.n for p in draw.by_stratum.values()):
        out.append(("draw.n", "is the sum over all strata, and by_stratum gives some their own. Give n by stratum."))
    return out
