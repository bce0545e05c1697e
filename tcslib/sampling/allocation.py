"""How a sample is spread over the strata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused

Rule = Literal["proportional", "equal", "neyman"]


def allocate(n: int, sizes: Sequence[float] | np.ndarray, rule: Rule = "proportional",
             sds: Sequence[float] | None = None) -> np.ndarray:
    """Answers for each stratum, whole numbers that sum to n (largest remainders).

    Parameters
    ----------
    n
        Answers in all.
    sizes
        (h,) customers in each stratum.
    rule
        *proportional* to size; *equal*; *neyman*, proportional to size times standard deviation (Neyman 1934).
    sds
        (h,) standard deviations within strata, for Neyman's rule.

    Raises
    ------
    InputRefused
        When n exceeds a stratum's or the population's size, or leaves a stratum with fewer than 2 answers.
    """
    size = np.asarray(sizes, dtype=float)
    if rule == "neyman" and sds is None:
        raise InputRefused(
            "Neyman allocation needs the standard deviation of every stratum. Add plan.strata.<name>.sd.",
            "plan.allocation",
        )
    share = {"proportional": size, "equal": np.ones_like(size),
             "neyman": size * np.asarray(sds if sds is not None else 1.0, dtype=float)}[rule]
    exact = n * share / share.sum()
    out = np.floor(exact).astype(int)
    # ties go to the earlier stratum, so that equal input gives equal plans
    out[np.argsort(-(exact - out), kind="stable")[: n - out.sum()]] += 1
    if (out > size).any():
        at = (out - size).argmax()
        raise InputRefused(f"{out[at]} answers are planned from a stratum of {size[at]:,.0f} customers. "
                           "Plan fewer, or interview all of them.", "plan.strata")
    if (out < 2).any():
        raise InputRefused(f"{n} answers leave a stratum with fewer than 2. Plan more, or merge strata.", "plan.strata")
    return out


def allocation_plan(n: int, sizes: Mapping[str, float], rule: Rule = "proportional",
                    sds: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The allocation by name: stratum, size, share, n. Empty without strata."""
    if not sizes:
        return pd.DataFrame({"stratum": [], "size": [], "share": [], "n": []})
    names = list(sizes)
    size = np.array([sizes[name] for name in names], dtype=float)
    answers = allocate(n, size, rule, [sds[name] for name in names] if sds else None)
    return pd.DataFrame({"stratum": names, "size": size, "share": size / size.sum(), "n": answers})
