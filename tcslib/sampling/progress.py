"""How the fieldwork went: quotas and days, early against late respondents, respondents against all who were drawn."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from tcslib.survey.responses import Responses

_MOST_CATEGORIES = 10          # a column of numbers with more different values than this is compared by its mean


def quota_progress(groups: Mapping[str, np.ndarray], targets: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Interviews made of those planned.

    Parameters
    ----------
    groups
        Column to (n,) categories, one for each interview.
    targets
        Column to category to interviews planned.

    Returns
    -------
    column, category, planned, achieved, open, over, share (achieved of planned; NaN where none was planned). Categories
    without a target follow with 0 planned.
    """
    rows = []
    for column, plan in targets.items():
        made = pd.Series(groups[column]).value_counts()
        for category in [*plan, *sorted(set(map(str, made.index)) - set(plan))]:
            planned, achieved = int(plan.get(category, 0)), int(made.get(category, 0))
            rows.append((column, category, planned, achieved, max(planned - achieved, 0), max(achieved - planned, 0),
                         achieved / planned if planned else np.nan))
    return pd.DataFrame(rows, columns=["column", "category", "planned", "achieved", "open", "over", "share"])


def per_period(days: pd.Series) -> pd.DataFrame:
    """Interviews by day, or by week from Monday where the field took more than three weeks.

    Returns
    -------
    start (the period's first day), interviews, total (made by its end); periods without interviews are there too.
    """
    if not len(days):
        return pd.DataFrame({"start": [], "interviews": [], "total": []})
    weekly = (days.max() - days.min()).days > 21
    starts = days.dt.normalize()
    starts = starts - pd.to_timedelta(starts.dt.day_of_week, unit="D") if weekly else starts
    every = pd.date_range(starts.min(), starts.max(), freq="7D" if weekly else "D")
    made = starts.value_counts().reindex(every, fill_value=0)
    return pd.DataFrame({"start": every, "interviews": made.to_numpy(), "total": made.cumsum().to_numpy()})


@dataclass(frozen=True)
class EarlyLate:
    """Two groups of respondents compared by a mean.

    ``n``, ``mean``, ``sd`` are (2,), early before late; ``difference`` is late less early with its 95% interval, t,
    df and p of Welch's test. Unweighted and as if respondents were drawn one by one.
    """

    n: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    difference: float
    low: float
    high: float
    t: float
    df: float
    p: float

    def table(self) -> pd.DataFrame:
        """group, n, mean, sd."""
        return pd.DataFrame({"group": ["early", "late"], "n": self.n, "mean": self.mean, "sd": self.sd})


def item_scores(answers: Responses, items: Sequence[str]) -> pd.Series:
    """Each respondent's mean of these questions, 0-100 on their scales, by id; those the report is about."""
    scales = [answers.questionnaire[item].scale for item in items]
    low, width = (np.array([getattr(scale, key) for scale in scales]) for key in ("low", "width"))
    scores = (answers.answers[list(items)].astype(float) - low) / width * 100
    return scores.mean(axis=1)[answers.domain]


def early_late(scores: pd.Series, order: pd.Series) -> EarlyLate | None:
    """Late respondents against early ones (Armstrong & Overton 1977, J. Marketing Research 14:396-402).

    Parameters
    ----------
    scores
        A score by id; missing ones are left out.
    order
        When each answered: a day, or the number of attempts. Early is the first third, late the last; whoever answered
        on the day (at the attempt) a third ends at belongs to it.

    Returns
    -------
    None where a third holds fewer than two scores, the thirds meet, or nobody differs.
    """
    both = pd.DataFrame({"score": scores, "order": order.reindex(scores.index)}).dropna()
    if len(both) < 6:
        return None
    ordered, third = both["order"].sort_values(), len(both) // 3
    first, last = ordered.iloc[third - 1], ordered.iloc[-third]
    parts = [both.loc[both["order"] <= first, "score"].to_numpy(float),
             both.loc[both["order"] >= last, "score"].to_numpy(float)]
    if first >= last or min(map(len, parts)) < 2 or not max(part.std() for part in parts) > 0:
        return None
    found = stats.ttest_ind(parts[1], parts[0], equal_var=False)
    low, high = found.confidence_interval(0.95)
    n, mean, sd = (np.array([f(part) for part in parts]) for f in (len, np.mean, lambda x: np.std(x, ddof=1)))
    return EarlyLate(n, mean, sd, float(mean[1] - mean[0]), float(low), float(high), float(found.statistic),
                     float(found.df), float(found.pvalue))


@dataclass(frozen=True, eq=False)
class FrameCheck:
    """Respondents against all who were drawn, by what the frame knows of both.

    Attributes
    ----------
    rows
        variable, category ("" for a mean), drawn, respondents, difference, standardised (difference over the standard
        deviation among those drawn).
    n, drawn
        Respondents and cases drawn.
    indicator
        R = 1 - 2 S(ρ), 1 where everybody was as likely to respond; NaN where the propensities cannot be estimated.
    """

    rows: pd.DataFrame
    n: int
    drawn: int
    indicator: float

    def table(self) -> pd.DataFrame:
        """variable, category, drawn, respondents, difference, standardised."""
        return self.rows


def frame_check(frame: pd.DataFrame, responded: np.ndarray, weights: np.ndarray | None = None) -> FrameCheck | None:
    """Differences in means and shares, and the R-indicator (Schouten, Cobben & Bethlehem 2009, Surv. Meth. 35:101-113).

    Parameters
    ----------
    frame
        (n, k) text: what the frame knows of each case drawn. A column of numbers with more than ten different values
        is compared by its mean, every other by the shares of its categories.
    responded
        (n,) True for respondents.
    weights
        (n,) base weights; all alike by default.

    Returns
    -------
    None without columns. The indicator is not adjusted for its bias, which makes small samples look less even.
    """
    if not len(frame.columns) or not len(frame):
        return None
    w = np.ones(len(frame)) if weights is None else np.asarray(weights, dtype=float)
    rows, columns = [], [np.ones(len(frame))]
    for name in frame.columns:
        for category, values in _variables(frame[name]):
            known = np.isfinite(values)
            drawn, of = (np.average(values[part], weights=w[part]) for part in (known, known & responded))
            spread = np.sqrt(np.average((values[known] - drawn) ** 2, weights=w[known]))
            rows.append((name, category, drawn, of, of - drawn, (of - drawn) / spread if spread else np.nan))
            columns.append(np.where(known, values, drawn))
    table = pd.DataFrame(rows, columns=["variable", "category", "drawn", "respondents", "difference", "standardised"])
    return FrameCheck(table, int(responded.sum()), len(frame),
                      _indicator(np.column_stack(columns), np.asarray(responded, dtype=float), w))


def _variables(column: pd.Series) -> list[tuple[str, np.ndarray]]:
    """A column of numbers as one variable, a column of categories as one of zeros and ones for each."""
    numbers = pd.to_numeric(column.replace("", np.nan), errors="coerce")
    if numbers.nunique() > _MOST_CATEGORIES and (numbers.notna() | (column == "")).all():
        return [("", numbers.to_numpy(float))]
    return [(str(c), (column == c).to_numpy(float)) for c in sorted(column.unique())]


def _indicator(x: np.ndarray, responded: np.ndarray, w: np.ndarray) -> float:
    """R from logistic propensities; NaN where nobody or everybody responded, or no fit is found."""
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    if not 0 < responded.sum() < len(responded):
        return np.nan
    # of each column's categories one is the others' complement; the least squares inside make do with that
    scale = np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")          # a group without a respondent has a propensity of 0, no fault
            rho = np.asarray(GLM(responded, x / scale, Binomial(), freq_weights=w / w.mean()).fit().fittedvalues)
    except (PerfectSeparationError, np.linalg.LinAlgError, ValueError):
        return np.nan
    mean = np.average(rho, weights=w)
    return float(1 - 2 * np.sqrt((w * (rho - mean) ** 2).sum() / (w.sum() - 1)))
