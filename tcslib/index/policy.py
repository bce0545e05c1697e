"""Scores with and without policy weights: whose voice counts how much, by customer class or role and by aspect.

A policy weight says that a decision maker's opinion of prices shall count more than a user's. It corrects nothing: it
changes what is estimated, from the mean of all customers to a mean by agreement. It is therefore never multiplied into
the sampling weights; scores stand side by side, without it and with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.index.scoring import Index, ends
from tcslib.inference.infer import Arrays, Inference, infer_rows
from tcslib.study.sections.policy import PolicyRule


@dataclass(frozen=True, eq=False)
class PolicyScores:
    """0–100 scores of k constructs among everybody and in each of g groups, without and with policy weights.

    ``inference`` holds (1 + g, k) ``plain``, ``policy`` and ``difference``, everybody first. ``groups`` are pairs of a
    column and a category of it, in the order of the rules; ``n`` (1 + g, k) respondents who answered any of the
    construct's items.
    """

    index: Index
    rules: Sequence[PolicyRule]
    groups: list[tuple[str, str]]
    n: np.ndarray
    inference: Inference

    def table(self) -> pd.DataFrame:
        """column, group, construct, n; plain, policy and difference, each with se, low and high. Everybody first."""
        names = self.index.fit.model.names
        of = [(column, group, name) for column, group in [("", ""), *self.groups] for name in names]
        frame = pd.DataFrame(of, columns=["column", "group", "construct"]).assign(n=self.n.ravel())
        for name in ("plain", "policy", "difference"):
            low, high = self.inference.limits(name)
            frame[name] = self.inference.estimate[name].ravel()
            frame[f"{name}_se"] = self.inference.se(name).ravel()
            frame[f"{name}_low"], frame[f"{name}_high"] = low.ravel(), high.ravel()
        return frame


def voices(rules: Sequence[PolicyRule], background: pd.DataFrame, constructs: Sequence[str],
           where: str = "study") -> np.ndarray:
    """(n, k) policy weights of each respondent on each construct: the product of what the rules say.

    Raises
    ------
    InputRefused
        With a line for every category that has respondents and no weight, and every construct that no one counts on.
    """
    out, faults = np.ones((len(background), len(constructs))), []
    for number, rule in enumerate(rules, 1):
        if rule.column not in background:
            raise InputRefused(f'there is no column "{rule.column}" in the background. Name one there is.',
                               f"{where}: policy.{number}")
        values, missing = background[rule.column].astype(str), set()
        for k, construct in enumerate(constructs):
            if not (stated := rule.aspects.get(construct, rule.weights)):
                continue          # the rule leaves this construct alone
            missing |= set(values.unique()) - set(stated)
            out[:, k] *= values.map(dict(stated)).fillna(1.0).to_numpy(float)
        for category in sorted(missing):
            said = f'{rule.column} is "{category}"' if category else f"{rule.column} is empty"
            faults.append(InputRefused(f"{said} for {int((values == category).sum())} respondents, and the policy "
                                       "gives no weight for it. State one, for every construct it shall count on.",
                                       f"{where}: policy.{number}"))
    refuse_all(faults)
    for k, construct in enumerate(constructs):
        if not out[:, k].any():
            raise InputRefused(f'all respondents have the policy weight 0 on "{construct}". Give one class a weight.',
                               f"{where}: policy")
    return out


def policy_scores(index: Index, rules: Sequence[PolicyRule], where: str = "study") -> PolicyScores:
    """Scores of every construct without and with policy weights, among everybody and in each category of the rules.

    With sampling weight w, policy weight v and outer-weight share s of item j, the score is ``Σ_j s_j Σ_i w v x_ij /
    Σ_i w v`` on 0–100; shares are those of the index, re-estimated in each replicate by the sampling weights alone, so
    the two scores differ by whose answers count, never by how questions are weighed.
    """
    fit = index.fit
    model, responses = fit.model, fit.responses
    low, width = ends(responses.questionnaire, model)
    used = np.flatnonzero(responses.domain & (responses.design.weights > 0))
    used = used[np.argsort(fit.replicates.design.ids[used], kind="stable")]          # as infer_rows orders its rows
    background = responses.background.iloc[used]
    voice = voices(rules, background, model.names, where)
    groups = [(rule.column, value) for rule in rules for value in rule.categories
              if (background[rule.column] == value).any()]
    everybody = np.ones(len(used), dtype=bool)
    inside = np.vstack([everybody, *(background[c].to_numpy().astype(str) == v for c, v in groups)])
    construct_of = np.repeat(np.arange(len(model.blocks)), [len(block) for block in model.blocks])
    answered = ~np.isnan(responses.matrix(model.items)[used])
    n = np.stack([[(answered[:, block].any(axis=1) & rows).sum() for block in model.blocks] for rows in inside])

    def statistic(rows: np.ndarray, weights: np.ndarray, fitted: Arrays) -> dict[str, np.ndarray]:
        points, seen = np.nan_to_num((rows - low) / width * 100), ~np.isnan(rows)
        out = {}
        for name, factor in (("plain", np.ones_like(voice)), ("policy", voice)):
            each = factor[:, construct_of]
            score = np.empty((len(weights), len(inside), len(model.names)))
            for g, mine in enumerate(inside):
                total = weights[:, mine] @ (each * points)[mine]
                base = weights[:, mine] @ (each * seen)[mine]
                mean = fitted["share"] * total / np.where(base > 0, base, np.nan)
                score[:, g] = np.stack([mean[:, block].sum(axis=1) for block in model.blocks], axis=1)
            out[name] = score
        return out | {"difference": out["policy"] - out["plain"]}

    found = infer_rows(statistic, responses, fit.replicates, model.items, fitted=index.scores)
    return PolicyScores(index, rules, groups, n, found)
