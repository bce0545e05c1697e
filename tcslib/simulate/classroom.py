"""Populations and samples for lessons: the demo's market as a table a student can look at and draw from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tcslib.simulate.market import Market
from tcslib.simulate.sample import answered, draw_population, draw_stores, places
from tcslib.study.questionnaire import Item, Scale
from tcslib.survey.responses import Responses, responses_from_frame


def draw_customers(n: int, rng: np.random.Generator, market: Market | None = None) -> pd.DataFrame:
    """A population for lessons: n of the client's users, each with region, store, the answers to all items and NPS."""
    market = market or Market()
    store, composites = draw_population(n, rng, market)
    return answered(pd.DataFrame(places(market, store)), market, composites, rng)


def draw_from_stores(store: np.ndarray | pd.Series, stores: int, each: int, samples: int,
                     rng: np.random.Generator) -> np.ndarray:
    """Two-stage samples of a population: stores by their size, then as many users in each.

    Parameters
    ----------
    store
        (N,) the store of every user of the population.
    stores, each
        Stores drawn for a sample (see ``draw_stores``), users drawn in each, with replacement.

    Returns
    -------
    (samples, stores · each) positions of the users drawn; every user has the same chance.
    """
    _, unit, size = np.unique(np.asarray(store), return_inverse=True, return_counts=True)
    first, by_store = np.cumsum(size) - size, np.argsort(unit, kind="stable")
    drawn = np.array([draw_stores(size, stores, rng) for _ in range(samples)])[..., None]
    place = first[drawn] + (rng.random((samples, stores, each)) * size[drawn]).astype(int)
    return by_store[place].reshape(samples, -1)


def as_responses(frame: pd.DataFrame, item: str, scale: str = "0-100", clusters: str = "") -> Responses:
    """One column of a sample drawn for a lesson, as answers with their design; rows may repeat a user."""
    rows = frame.reset_index(drop=True)
    return responses_from_frame(rows, {item: Item(item, Scale.parse(scale))}, clusters=clusters)
