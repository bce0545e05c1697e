"""Forty client units of a well-logging company in two years, all answers known: the truth a census is held against.

Every unit has a level of its own that lasts, an opinion of each aspect that lasts in part, and a slip with each
question. Who does not answer is drawn by chance within the market, anew in each year.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

ITEMS = {"Timeliness": ("TIME1", "TIME2", "TIME3"), "DataQuality": ("DATA1", "DATA2", "DATA3", "DATA4", "DATA5"),
         "Safety": ("SAFE1", "SAFE2", "SAFE3"), "Crew": ("CREW1", "CREW2", "CREW3"), "Price": ("PRICE1", "PRICE2"),
         "Satisfaction": ("SAT1", "SAT2", "SAT3"), "Loyalty": ("LOY1", "LOY2")}
LEVEL = {"Timeliness": 6.4, "DataQuality": 7.8, "Safety": 8.3, "Crew": 7.9, "Price": 6.0, "Satisfaction": 7.3,
         "Loyalty": 7.4}
MARKETS = {"internal": 24, "external": 16}
ANSWERED = {"2025": {"internal": 21, "external": 13}, "2026": {"internal": 22, "external": 14}}
SHIFT = {"2025": 0.0, "2026": 0.3}
SEED = 4


def population(seed: int = SEED) -> dict[str, pd.DataFrame]:
    """By year: all 40 units, indexed by id, with their market and what each would answer."""
    rng = np.random.default_rng([seed, 1])
    market = np.repeat(list(MARKETS), list(MARKETS.values()))
    n, out = len(market), {}
    level = rng.normal(0, 0.9, n) - 0.5 * (market == "external")
    lasting = {name: rng.normal(0, 0.6, n) for name in ITEMS}
    for year, shift in SHIFT.items():
        columns = {}
        for name, items in ITEMS.items():
            of_year = LEVEL[name] + shift + level + lasting[name] + rng.normal(0, 0.4, n)
            for item in items:
                columns[item] = np.clip(np.rint(of_year + rng.normal(0, 0.7, n)), 1, 10)
        columns["RECOMMEND"] = np.clip(np.rint(7.6 + shift + level + rng.normal(0, 1.2, n)), 0, 10)
        out[year] = pd.DataFrame({"market": market, **columns}, [f"U{k:02d}" for k in range(1, n + 1)])
    return out


def answering(year: str, seed: int = SEED) -> np.ndarray:
    """(40,) True for the units that answer in the year, so many of each market."""
    rng = np.random.default_rng([seed, 2, int(year)])
    market = np.repeat(list(MARKETS), list(MARKETS.values()))
    came = np.zeros(len(market), dtype=bool)
    for name, count in ANSWERED[year].items():
        came[rng.choice(np.flatnonzero(market == name), count, replace=False)] = True
    return came


def true_index(units: pd.DataFrame, construct: str = "Satisfaction") -> float:
    """The mean of the construct's questions on 0-100 over all the units given."""
    return float(units[list(ITEMS[construct])].to_numpy().mean() - 1) / 9 * 100


def write(folder: Path, year: str, everybody: bool = False) -> Path:
    """The year's file: a row for each unit asked, empty where it did not answer."""
    units = population()[year].rename_axis("unit")
    came = answering(year) | everybody
    frame = units.assign(market_units=units["market"].map(MARKETS),
                         outcome=np.where(came, "complete", "refusal"))
    rng = np.random.default_rng([SEED, 3, int(year)])
    frame.loc[~came & (rng.random(len(frame)) < 0.5), "outcome"] = "non_contact"
    questions = [*(item for items in ITEMS.values() for item in items), "RECOMMEND"]
    frame[questions] = frame[questions].astype("Int64")
    frame.loc[~came, questions] = pd.NA
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{year}.csv"
    frame.reset_index().to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
    return path
