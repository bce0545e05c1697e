"""What a weighting step sees, and what every step can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from tcslib.weighting.calibration import information
from tcslib.weighting.coding import summed


@dataclass
class State:
    """b weightings of a sample on their way through the steps, over its K patterns.

    A pattern is what the rows share whom every step treats alike.

    Attributes
    ----------
    drawn
        (b, K) resampling factor times base weight, summed over the rows of a pattern.
    base
        (K,) base weight of a pattern's rows; their mean where no step needs each row's own.
    adjusted
        (b, K) product of the steps' factors so far; NaN rows cannot be met.
    count
        Makes ``times``, which few steps need.
    """

    drawn: np.ndarray
    base: np.ndarray
    adjusted: np.ndarray
    count: Callable[[], np.ndarray]

    @property
    def totals(self) -> np.ndarray:
        """(b, K) weight of each pattern."""
        return self.drawn * self.adjusted

    @property
    def weights(self) -> np.ndarray:
        """(b, K) weight of one row of each pattern, each time it was drawn."""
        return self.base * self.adjusted

    @cached_property
    def times(self) -> np.ndarray:
        """(b, K) resampling factors summed over the rows: how often each pattern was drawn."""
        return self.count()


    def times_factors(self, factors: np.ndarray) -> State:
        """The weightings after these factors (b, K) or (b, 1)."""
        known = self.__dict__.get("times")          # passed on by itself, so that no state before is kept alive
        return State(self.drawn, self.base, self.adjusted * factors, self.count if known is None else lambda: known)

    def take(self, rows: np.ndarray) -> State:
        """Some of the weightings."""
        times = self.times[rows]
        return State(self.drawn[rows], self.base, self.adjusted[rows], lambda: times)


class Step(Protocol):
    """One step, ready to be replayed.

    ``name`` is that of the ledger; ``calibrates`` says whether it meets known totals; ``own_weights`` whether it needs
    each row's own base weight.
    """

    @property
    def name(self) -> str: ...          # noqa: D102
    @property
    def calibrates(self) -> bool: ...          # noqa: D102
    @property
    def own_weights(self) -> bool: ...          # noqa: D102

    def factors(self, state: State) -> np.ndarray:
        """(b, K) weight after the step over weight before it; NaN rows where the step cannot be done."""

    def residuals(self, values: np.ndarray, before: np.ndarray, pattern: np.ndarray,
                  free: np.ndarray | None = None) -> np.ndarray:
        """(n, k) values for the weights ``before`` (n,) the step, from values for the weights after it.

        ``pattern`` (n,) is each row's; ``free`` (n,) leaves out rows whose weights a later limit holds fixed.
        """


def explained(values: np.ndarray, before: np.ndarray, code: np.ndarray, x: np.ndarray) -> np.ndarray:
    """(n, k) what the regression of the values on the auxiliaries explains, by weights (n,).

    x
        (C, p) auxiliaries of the cells, of any rank; ``code`` (n,) says which is a row's.
    """
    cells = len(x)
    sums = summed((values * before[:, None]).T, code, cells)
    matrix = information(summed(before[None], code, cells), x)[0]
    size = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1))
    slopes = np.linalg.lstsq(matrix / np.outer(size, size), (sums @ x / size).T, rcond=1e-11)[0]
    return ((x / size) @ slopes)[code]
