"""Cleaned answers with everything a statistic needs to know about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused
from tcslib.study.questionnaire import Questionnaire
from tcslib.survey.design import Design, check_weights
from tcslib.survey.weighting import WeightingPlan as WeightingPlan


@dataclass(frozen=True, eq=False)
class Responses:
    """n respondents by p items, the questionnaire, the design, and what cleaning did.

    Attributes
    ----------
    answers
        (n, p) numbers on the items' own scales, missing as NaN; one row per respondent, indexed by id.
    kinds
        (n, p) why an answer is missing (``dont_know``, ``no_experience``, ``skipped`` …), empty where it is not.
    background
        (n, ·) text columns: what weighting needs (numbers as text), brand, segments.
    domain
        (n,) True for the rows the study is about (the client's customers). Rows outside stay in the design: a
        domain is estimated by weight, never by deletion, so that the design keeps its units.
    ledger
        What each cleaning rule did: rule, detail, rows and cells it touched, rows left after it.
    flags, left_out
        (n, flags) booleans of doubtful interviews that stayed; id and rule of those that did not.
    verbatims
        (n, ·) open answers, masked.
    """

    answers: pd.DataFrame
    kinds: pd.DataFrame
    background: pd.DataFrame
    questionnaire: Questionnaire
    design: Design
    weighting: WeightingPlan
    domain: np.ndarray
    ledger: pd.DataFrame
    flags: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    verbatims: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        """Rows of the whole design."""
        return len(self.answers)

    @property
    def n(self) -> int:
        """Respondents in the domain."""
        return int(self.domain.sum())

    def matrix(self, items: Sequence[str]) -> np.ndarray:
        """(n, p) answers to the named items, as a new array."""
        return self.answers[list(items)].to_numpy(dtype=float, copy=True)

    def where(self, mask: np.ndarray) -> Responses:
        """The same design, read for the domain rows where ``mask`` (n,) is True."""
        return replace(self, domain=self.domain & mask)

    @property
    def responded(self) -> np.ndarray:
        """(n,) True for the rows that answered: all of them, unless the study keeps non-respondents for its weights."""
        plan = self.weighting.nonresponse
        if plan is None:
            return np.ones(len(self), dtype=bool)
        return self.background[plan.status].isin(plan.responded).to_numpy()

    def everyone(self) -> Responses:
        """The same design, read for all rows that answered."""
        return replace(self, domain=self.responded)


def responses_from_frame(frame: pd.DataFrame, items: Questionnaire, *, weights: str = "", strata: str = "",
                         clusters: str = "", rake: Mapping[str, Mapping[str, float]] | None = None) -> Responses:
    """Responses from a clean table in memory, for work without a study file.

    Parameters
    ----------
    frame
        One row per respondent; its index is the id. Item columns are numbers.
    items
        The questionnaire: item name to ``Item``.
    weights, strata, clusters
        Columns of the design; empty for none.
    rake
        Population shares by column.

    Raises
    ------
    InputRefused
        For columns that are not there or not numbers, ids that occur twice, and weights that cannot be used.
    """
    n = len(frame)
    _check_frame(frame, items, [c for c in (weights, strata, clusters, *(rake or {})) if c])
    if weights:
        check_weights(frame[weights].to_numpy(float), weights, range(1, n + 1), "frame")
    design = Design(frame.index.to_numpy().astype(str), frame[weights].to_numpy(float) if weights else np.ones(n),
                    frame[strata].to_numpy().astype(str) if strata else None,
                    frame[clusters].to_numpy().astype(str) if clusters else None)
    answers = frame[list(items)].astype(float)
    kinds = pd.DataFrame("", index=answers.index, columns=answers.columns)
    others = [c for c in frame.columns if c not in items]
    return Responses(answers, kinds, frame[others].astype(str), items, design, WeightingPlan(dict(rake or {})),
                     np.ones(n, dtype=bool), pd.DataFrame())


def _check_frame(frame: pd.DataFrame, items: Questionnaire, design: Sequence[str]) -> None:
    if absent := [c for c in dict.fromkeys([*items, *design]) if c not in frame.columns]:
        raise InputRefused(f"has no column {', '.join(map(str, absent[:5]))}. Name columns it has.", "frame")
    if text := [c for c in items if not pd.api.types.is_numeric_dtype(frame[c])]:
        raise InputRefused(f"column {', '.join(map(str, text[:5]))} is not numeric; items are numbers, missing as NaN. "
                           "Convert it first.", "frame")
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()][0]
        raise InputRefused(f'the index holds the id "{twice}" more than once. Give every row its own id.', "frame")
