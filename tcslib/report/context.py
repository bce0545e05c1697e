"""What every view needs: the study, its words, and the ways numbers become print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from tcslib.inference.infer import Inference
from tcslib.inference.replicates import DRAWN
from tcslib.report.records import Column, Figure, Table
from tcslib.report.wording import DASH, Words
from tcslib.structure.fit import PlsFit
from tcslib.study.load import Study

_DECIMALS = {"count": 0, "score": 1, "coef": 2, "exact": 4}


def marked(texts: Iterable[str], flags: Iterable[bool]) -> list[str]:
    """The texts, with a mark before those that are flagged."""
    return [("▲ " if flag else "") + text for text, flag in zip(texts, flags, strict=True)]


@dataclass(frozen=True)
class Context:
    """A study seen through its language."""

    study: Study
    complete: bool = False          # a census, and everybody answered: nothing has an interval
    equal: bool = False             # questions weigh the same by definition

    @cached_property
    def words(self) -> Words:
        """Phrases and number formats."""
        manners = {"complete": self.complete, "census": self.census, "equal": self.equal}
        return Words(self.study.params.language, [name for name, so in manners.items() if so])

    @property
    def census(self) -> bool:
        """Whether everybody was asked."""
        return self.study.params.sample == "census"

    def seen(self, *found: Inference) -> Context:
        """The context in which these figures are told: whether everybody has answered, and what weighs them."""
        return replace(self, complete=self.census and all(each.replicates.complete for each in found),
                       equal=self.study.params.pls.outer == "equal")

    @property
    def min_cell(self) -> int:
        """Groups with fewer respondents are hidden."""
        return self.study.params.report.min_cell

    @property
    def planned(self) -> bool:
        """Whether the study states a plan; otherwise chapter 1 shows what usual values would ask for."""
        return bool(self.study.params.plan.model_fields_set)

    def label(self, construct: str) -> str:
        """A construct's name as readers see it."""
        return self.study.label(construct)

    def wording(self, item: str) -> str:
        """An item's wording, or its name where the study gives none; of a reversed one that it was turned round."""
        asked = self.study.questionnaire[item]
        said = self.study.words(asked.text, item)
        return self.words("format.turned", text=said) if asked.reversed else said

    def heading(self, column: str) -> str:
        """A column of the data as a heading: what the study calls it, else its name with blanks and a capital."""
        known = self.study.params.categories.get(column)
        said = column.replace("_", " ")
        return self.study.words(known.label if known else {}, said[:1].upper() + said[1:])

    def named(self, column: str) -> str:
        """The same within a sentence."""
        return self.heading(column).lower()

    def categories(self, column: str, values: Iterable[Any]) -> list[str]:
        """Values of a background column as readers see them."""
        return [self.study.category(column, str(value)) for value in values]

    @property
    def own(self) -> str:
        """The client's brand as readers see it."""
        compare = self.study.params.compare
        return self.study.category(compare.brand, compare.own)

    def ci(self) -> str:
        """What an interval is called for this kind of sample."""
        return self.words(f"interval.name.{self.study.params.sample}")

    def column(self, head: str, values: Iterable[Any], form: str = "text") -> Column:
        """A printed column, headed by the phrase ``head.<head>``; for the forms see ``cell``."""
        align = "left" if form == "text" else "right"
        return Column(self.words(f"head.{head}"), [self.cell(v, form) for v in values], align)

    def columns(self, frame: pd.DataFrame, form: str, *same: str, **other: str) -> list[Column]:
        """Printed columns of a frame: headed by their own names, or given as heading=column."""
        return [self.column(head, frame[name], form) for head, name in [*zip(same, same, strict=True), *other.items()]]

    def cell(self, value: Any, form: str) -> str:
        """One printed cell. ``form``: text, share, or a number: count, score, coef, exact."""
        if form == "text":
            return str(value)
        return self.words.share(value) if form == "share" else self.words.number(value, _DECIMALS[form])

    def labels(self, constructs: Iterable[str]) -> list[str]:
        """Constructs' names as readers see them."""
        return [self.label(c) for c in constructs]

    def constructs(self, names: Iterable[str]) -> Column:
        """The column that names constructs."""
        return self.column("construct", self.labels(names))

    def strata(self, values: Iterable[Any]) -> Column:
        """The column that names strata."""
        return self.column("stratum", self.categories(self.study.params.design.strata, values))

    def questions(self, items: Sequence[str]) -> list[Column]:
        """The columns that name items and give their wording."""
        return [self.column("item", items), self.column("wording", map(self.wording, items))]

    def hidden(self, column: Column, small: Iterable[bool]) -> Column:
        """The column without the cells of groups too small to show."""
        return Column(column.head, [self.words("format.hidden") if hide else cell
                                    for cell, hide in zip(column.cells, small, strict=True)])

    def interval_column(self, frame: pd.DataFrame, decimals: int = 2, of: str = "", signed: bool = False) -> Column:
        """Intervals from ``<of>_low`` to ``<of>_high``, headed by what they are for this kind of sample."""
        limits = (frame[f"{of}_{end}" if of else end] for end in ("low", "high"))
        return Column(self.ci(), [self.words.interval(a, b, decimals, signed) for a, b in zip(*limits, strict=True)])

    def values(self, names: Iterable[str], frame: pd.DataFrame) -> str:
        """Estimates with their intervals in a sentence, for who cannot see them drawn."""
        words, limits = self.words, (frame[key] for key in ("estimate", "low", "high"))
        return words.series(words("summary.strip", name=name, value=words.number(value, 1),
                                  interval=words.interval(low, high, 1))
                            for name, value, low, high in zip(names, *limits, strict=True))

    def table(self, name: str, data: pd.DataFrame, columns: Sequence[Column], settings: str = "",
              blanks: Mapping[str, str] | None = None, title: str = "", folded: bool = False) -> Table:
        """A table whose title and sub-line are the phrases ``table.<name>.title`` and ``.sub``."""
        blanks = blanks or {}
        if self.census:          # columns that hold nothing but the lack of an error
            exact, no = self.words("format.exact"), {self.words("format.exact"), DASH, self.words("format.hidden")}
            none = {self.words(f"head.{name}") for name in ("se", "se_fixed", "detectable")} if self.complete else set()
            columns = [c for c in columns if c.head not in none and not (exact in c.cells and no.issuperset(c.cells))]
        return Table(name, title or self.words(f"table.{name}.title", **blanks),
                     self.words(f"table.{name}.sub", **blanks), columns, settings, folded, data)

    def figure(self, name: str, data: pd.DataFrame, paint: Callable[[Any, bool], None], height: Any, settings: str,
               blanks: Mapping[str, str], title: str = "") -> Figure:
        """A figure whose title, sub-line and text for who cannot see it are phrases of ``figure.<name>``."""
        from tcslib.report.plots import draw

        wide, narrow = draw(name, paint, height, self.words.language)
        return Figure(name, title or self.words(f"figure.{name}.title", **blanks),
                      self.words(f"figure.{name}.sub", **blanks), wide, narrow,
                      self.words(f"figure.{name}.alt", **blanks), settings, data)

    def settings(self, found: Inference | None = None, *parts: str) -> str:
        """The line under a table that lets a reader make it again."""
        out = [p for p in parts if p]
        if found is not None:
            out.append(self.words("settings.n", n=self.words.number(found.n, 0),
                                  n_eff=self.words.number(found.n_eff, 0)))
            rule = found.interval if found.replicates.kind in DRAWN else "listed"
            out.append(self.words(f"settings.interval.{rule}", kind=self.words(
                f"settings.kind.{found.replicates.kind}"), count=self.words.number(found.replicates.count, 0),
                seed=found.replicates.seed, df=found.df))
            corrected = found.replicates.kind in ("preston", "jackknife")
            if self.census and corrected and not self.complete and not found.replicates.design.open_share.all():
                out.append(self.words("settings.exact"))
        return self.words.clauses(out)

    def estimation(self, fit: PlsFit) -> str:
        """How the path model was estimated."""
        missing = self.words(f"settings.missing.{fit.missing}")
        if fit.settings.outer == "equal":
            return self.words("settings.equal", missing=missing)
        items = "standardised" if fit.settings.standardised else "raw"
        return self.words("settings.pls", scheme=self.words(f"settings.scheme.{fit.settings.scheme}"),
                          items=self.words(f"settings.scaling.{items}"), tolerance=f"{fit.settings.tolerance:g}",
                          missing=missing)
