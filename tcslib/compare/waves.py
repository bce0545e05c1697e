"""An index over waves: one definition for all of them, changes formed inside replicates, changed questions marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from tcslib.compare.questions import Question, same_questions
from tcslib.errors import InputRefused
from tcslib.index.scoring import Index
from tcslib.inference.infer import Arrays, Inference, infer
from tcslib.inference.intervals import t_limits
from tcslib.inference.linked import Linked
from tcslib.inference.moments import Moments
from tcslib.study.params import ChangeParams
from tcslib.survey.responses import Responses

POWER = 0.8
Definition = Mapping[str, Mapping[str, float]]          # construct → item → share of its outer weight


@dataclass(frozen=True, eq=False)
class Wave:
    """A wave as a later one needs it: its answers, the index as it was defined then, what changed since before it."""

    period: str
    answers: Responses
    definition: Definition
    changes: Mapping[str, ChangeParams]


@dataclass(frozen=True, eq=False)
class Trend:
    """Scores of k constructs in every wave by the base wave's outer weights, with the changes between waves.

    Attributes
    ----------
    periods
        The waves, oldest first; the last is the present one.
    base
        The wave whose outer weights define the index in all of them.
    own
        The target's score in the present wave by that wave's own outer weights.
    found
        For each wave ``score`` (k,), ``mean`` (p,) of the questions, and whatever else was handed in; drawn together.
    questions
        The p questions of the present wave, with what they were called before and what changed in them.
    """

    constructs: list[str]
    target: str
    periods: list[str]
    base: str
    overlap: str
    own: float
    found: Sequence[Inference]
    questions: Sequence[Question]
    definition: Definition

    def scores(self, construct: str = "") -> pd.DataFrame:
        """One row per wave: wave, n, n_eff, estimate, se, low, high, df and the change from the wave before."""
        return self.over_time("score", self.constructs.index(construct or self.target))

    def over_time(self, name: str, at: int | tuple[()] = ()) -> pd.DataFrame:
        """One statistic in every wave, as ``scores`` gives it: change_… are missing for the first wave."""
        rows = []
        for number, found in enumerate(self.found):
            estimate, draws = found.estimate[name][at], found.draws[name][:, at] if at != () else found.draws[name]
            se = np.sqrt(found.replicates.variance(draws, estimate))
            low, high = t_limits(estimate, se, found.df)
            row = {"wave": self.periods[number], "n": found.n, "n_eff": found.n_eff, "estimate": float(estimate),
                   "se": float(se), "low": float(low), "high": float(high), "df": found.df}
            rows.append(row | (self._change(name, at, number - 1, number) if number else {}))
        return pd.DataFrame(rows)

    def latest(self) -> pd.DataFrame:
        """One row per construct: construct, before, now and the latest change."""
        return pd.DataFrame([{"construct": name, **self._latest("score", k)} for k, name in enumerate(self.constructs)])

    def latest_items(self) -> pd.DataFrame:
        """One row per question asked in both of the last two waves: item, before, now and the change of its mean."""
        rows = [{"item": q.names[-1], **self._latest("mean", k)} for k, q in enumerate(self.questions) if q.names[-2]]
        return pd.DataFrame(rows, columns=["item", "before", "now", *CHANGE])

    def _latest(self, name: str, at: int) -> dict[str, float]:
        now = len(self.found) - 1
        return {"before": self.found[now - 1].estimate[name][at], "now": self.found[now].estimate[name][at],
                **self._change(name, at, now - 1, now)}

    def since_first(self) -> Mapping[str, float]:
        """The change of the target from the first wave to the present one."""
        return self._change("score", self.constructs.index(self.target), 0, len(self.found) - 1)

    def marks(self, construct: str, number: int) -> list[tuple[str, str]]:
        """Questions compared in the construct that were changed between wave ``number`` - 1 and it, and how."""
        return [(q.names[number], how) for q in self.compared(construct) for how in q.marks[number]]

    def compared(self, construct: str) -> list[Question]:
        """The questions the construct's scores rest on: those the base wave and every wave since hold."""
        return [q for q in self.questions if q.construct == construct and q.share > 0]

    def passed_over(self, construct: str) -> list[str]:
        """Questions of the base wave or of the present one that the comparison leaves out, by their latest name."""
        mine = [q for q in self.questions if q.construct == construct]
        known = {q.names[self.periods.index(self.base)] for q in mine}
        return [q.names[-1] for q in mine if not q.share > 0] + [
            name for name in self.definition.get(construct, {}) if name not in known]

    def _change(self, name: str, at: int | tuple[()], before: int, now: int) -> dict[str, float]:
        a, b = self.found[before], self.found[now]
        draws = b.draws[name] - a.draws[name]
        draws = draws if at == () else draws[:, at]
        estimate, df = b.estimate[name][at] - a.estimate[name][at], change_df(a, b)
        se = float(np.sqrt(b.replicates.variance(draws, estimate)))
        low, high = t_limits(estimate, np.asarray(se), df)
        values = (float(estimate), se, float(low), float(high), detectable(se, df))
        return dict(zip(CHANGE, values, strict=True))


CHANGE = ("change", "change_se", "change_low", "change_high", "detectable")


def detectable(se: float, df: float, power: float = POWER) -> float:
    """Smallest true change that a difference with this standard error finds with that power at the 5% level.

    ``(t_{.975, df} + z_power) · se`` (Bloom 1995, Evaluation Review 19:547-556, with the normal for the power).
    """
    return float((special.stdtrit(max(df, 1), 0.975) + special.ndtri(power)) * se)


def change_df(before: Inference, now: Inference) -> int:
    """Degrees of freedom of a change: units less strata in the part of the stacked design the two waves lie in."""
    a, b = before.replicates, now.replicates
    if not isinstance(a, Linked) or not isinstance(b, Linked):
        return min(before.df, now.df)
    units = np.union1d(a.at[a.design.answered], b.at[b.design.answered])
    return int(len(units) - len(np.unique(a.union.unit_stratum[units])))


def trend(index: Index, earlier: Sequence[Wave], linked: Sequence[Linked], changes: Mapping[str, ChangeParams], *,
          period: str, base: str = "", others: Mapping[str, Sequence[Inference]] | None = None,
          where: str = "study") -> Trend:
    """Compare the present wave with earlier ones on one definition of the index.

    Every construct's score is ``Σ s_j (x̄_j - low_j) / (high_j - low_j) · 100`` with s_j the base wave's shares of outer
    weight, held fixed: they are part of what is compared, not estimated anew (Fornell et al. 1996 re-estimate; here a
    wave's own weights serve its own index). Questions that a wave did not ask drop out of all, and the shares of the
    others are raised to sum to 1.

    Parameters
    ----------
    index
        The present wave's index.
    earlier
        The waves before it, oldest first.
    linked
        Replicates of all waves, the present one's last, as ``link`` makes them.
    changes
        What the study says of its questions since the wave before.
    period, base
        The present wave; the wave whose weights define the index, by default the oldest.
    others
        Statistics of one number by name, an inference for each wave under the same replicates, such as the net
        promoter score.

    Raises
    ------
    InputRefused
        When a question differs from the wave before and the study does not say so.
    """
    model, share = index.fit.model, index.scores.estimate["share"]
    own: Definition = {c.name: dict(zip(c.items, share[block].tolist(), strict=True))
                       for c, block in zip(model.constructs, model.blocks, strict=True)}
    now = Wave(period, index.fit.responses, own, changes)
    waves = [*earlier, now]
    periods = [w.period for w in waves]
    if base and base not in periods:
        raise InputRefused(f"{base} is none of the waves compared ({', '.join(periods)}). Name one, or drop it.",
                           f"{where}: compare.base")
    at_base = periods.index(base) if base else 0
    questions = same_questions([w.answers.questionnaire for w in waves], [w.changes for w in waves], periods,
                               {name: of for of, items in own.items() for name in items}, at_base,
                               waves[at_base].definition, where)
    found = [_one_wave(wave.answers, replicates, questions, number, model.names, {
        name: each[number] for name, each in (others or {}).items()})
        for number, (wave, replicates) in enumerate(zip(waves, linked, strict=True))]
    return Trend(model.names, model.target, periods, periods[at_base], linked[-1].overlap,
                 float(index.scores.estimate["score"][model.names.index(model.target)]), found, questions,
                 waves[at_base].definition)


def _one_wave(answers: Responses, replicates: Linked, questions: Sequence[Question], number: int,
              constructs: Sequence[str], others: Mapping[str, Inference]) -> Inference:
    """Means of the questions and scores of the constructs in one wave, in the sample and in every replicate."""
    asked = [k for k, q in enumerate(questions) if q.names[number]]
    items = [questions[k].names[number] for k in asked]
    scales = [answers.questionnaire[item].scale for item in items]
    low, width = np.array([s.low for s in scales]), np.array([s.width for s in scales])
    share = np.array([[questions[k].share * (questions[k].construct == name) for k in asked] for name in constructs])

    def statistic(moments: Moments, _: Arrays) -> dict[str, np.ndarray]:
        mean = np.full((len(moments.mean), len(questions)), np.nan)
        mean[:, asked] = moments.mean
        points = (moments.mean - low) / width * 100
        known = share.sum(axis=1) > 0
        return {"mean": mean, "score": np.where(known, points @ share.T, np.nan)}

    found = infer(statistic, answers, replicates, items, products=False)
    return Inference({**found.estimate, **{n: o.estimate[n] for n, o in others.items()}},
                     {**found.draws, **{n: o.draws[n] for n, o in others.items()}}, found.n, found.n_eff,
                     replicates.df, "t", replicates)
