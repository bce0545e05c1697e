"""The dirt real files have, put in on purpose and written down, so that cleaning can be tried against it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tcslib.simulate.market import ITEMS, Market
from tcslib.simulate.sample import draw_survey, dress

DEMO_SEED = 20260930
COUNTS = {"straight": 10, "speed": 12, "straight_and_speed": 6, "out_of_scale": 9, "full_width": 5, "unit": 4,
          "blank": 12, "empty": 15, "literal_na": 2, "duplicate": 8}
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
LABELS = ("region", "brand", "gender", "age", "plan")


@dataclass(frozen=True)
class Soiled:
    """A file's content with dirt in it.

    Attributes
    ----------
    frame
        Every cell as text, as the file has it; an empty cell is "".
    done
        One row for each thing done: rule, resp_id, column (empty where the whole row is meant), was, now.
    """

    frame: pd.DataFrame
    done: pd.DataFrame


def soil(frame: pd.DataFrame, rng: np.random.Generator) -> Soiled:
    """Put dirt into a clean file; ``COUNTS`` says how much of each kind.

    Rules: straight (all items alike), speed (shorter than a third of the median length; ``straight_and_speed`` of the
    straight ones are among them), out_of_scale (0, 11, 55), full_width (８), unit (8分), blank (blanks around a
    label), empty (item without an answer), literal_na (a comment that reads NA), duplicate (a row given twice).
    No row gets two kinds, straight and speed apart, so that each rule of cleaning can be counted by itself.
    """
    text, done = _as_text(frame), []

    def put(rule: str, row: int, column: str, now: str) -> None:
        done.append((rule, text.at[row, "resp_id"], column, text.at[row, column], now))
        text.at[row, column] = now

    free = list(rng.permutation(len(text)))
    median = float(frame["duration"].median())
    liners = _take(free, COUNTS["straight"])
    for row in liners:
        answer = str(rng.choice([5, 7, 8, 8, 9, 10]))
        done.append(("straight", text.at[row, "resp_id"], "", "", answer))
        text.loc[row, [*ITEMS, "NPS"]] = answer
    both = COUNTS["straight_and_speed"]
    for row in liners[:both] + _take(free, COUNTS["speed"] - both):
        put("speed", row, "duration", str(int(median * rng.uniform(0.12, 0.28))))
    for rule, columns in {"out_of_scale": ITEMS, "full_width": ITEMS, "unit": ITEMS, "empty": ITEMS, "blank": LABELS,
                          "literal_na": ("COMMENT",)}.items():
        for i, row in enumerate(_take(free, COUNTS[rule])):
            column = str(rng.choice(columns))
            while text.at[row, column] in {"98", "99"}:
                column = str(rng.choice(columns))
            put(rule, row, column, _dirty(rule, text.at[row, column], i))
    twice = _take(free, COUNTS["duplicate"])
    done += [("duplicate", text.at[row, "resp_id"], "", "", "") for row in twice]
    # a copy lies somewhere below its original, as when two exports were put together
    keys = [rng.uniform(row, len(text)) for row in twice]
    source = np.concatenate([np.arange(len(text)), twice])[np.argsort([*range(len(text)), *keys], kind="stable")]
    return Soiled(text.iloc[source].reset_index(drop=True),
                  pd.DataFrame(done, columns=["rule", "resp_id", "column", "was", "now"]))


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    text = frame.assign(base_weight=[f"{weight:.4f}" for weight in frame["base_weight"]])
    return text.astype(str).astype(object)


def _take(free: list[int], count: int) -> list[int]:
    """The next rows no dirt has touched; they are taken off the list."""
    taken = [int(row) for row in free[:count]]
    del free[:count]
    return taken


def _dirty(rule: str, was: str, turn: int) -> str:
    """What a cell becomes; kinds take turns, so each occurs."""
    if rule == "blank":
        return (f" {was}", f"{was} ", f"  {was} ", f"{was}\u3000")[turn % 4]
    return {"out_of_scale": ("0", "11", "55")[turn % 3], "full_width": was.translate(FULL_WIDTH), "unit": f"{was}分",
            "empty": "", "literal_na": "NA"}[rule]


def demo(seed: int = DEMO_SEED) -> Soiled:
    """The demo's file of answers, made from its seed."""
    rng = np.random.default_rng(seed)
    return soil(dress(draw_survey(rng, Market()), rng).frame, rng)
