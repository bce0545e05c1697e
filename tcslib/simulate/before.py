"""The demo's wave before: the same stores, part of the later wave's people, a market a little less satisfied."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from tcslib.simulate.market import BRANDS, CONSTRUCTS, MARGINS, NAMES, Market
from tcslib.simulate.sample import FIRST_ID, INTERVIEWS, Survey, draw_survey, dress, frame_of, interviews
from tcslib.simulate.soil import DEMO_SEED, Soiled, soil

SEED = 20260615
FIELD = ("2026-04-06", "2026-06-14")
STAYED = 0.40          # of the later wave's respondents, those who were interviewed in this one too
KEEP = 0.60            # correlation of a person's own part of the disturbances between the waves
RETURN = 0.75          # of the panel asked again, those who answered
# what the client's users had less of; the rivals stood as they stand now
DRIFT = {"Demo Mobile": {"Quality": -0.14, "Value": -0.04, "Satisfaction": -0.05}}


def market_before() -> Market:
    """The market in the wave before."""
    return Market(drift=DRIFT)


def survey_before(now: Survey, rng: np.random.Generator) -> Survey:
    """The wave before of a survey: its stores visited, part of its respondents interviewed, the rest drawn afresh.

    Parameters
    ----------
    now
        The later wave, with ``resp_id``, by which those who were in both are known.
    """
    market, present = market_before(), Market()
    stores, of_row = np.unique(now.frame["store"].to_numpy().astype(str), return_inverse=True)
    position = np.array([int(store[1:]) for store in stores])
    stayed = np.sort(rng.permutation(len(now.frame))[:round(STAYED * len(now.frame))])
    there = np.bincount(of_row[stayed], minlength=len(stores))
    made = np.maximum(rng.integers(INTERVIEWS[0], INTERVIEWS[1], len(stores), endpoint=True), there + 1)
    at, gender, age, approached = interviews(made - there, rng)
    fresh = (position[at], gender, age, rng.choice(len(BRANDS), len(at), p=[b.share for b in BRANDS.values()]))
    panel = _people(now.frame.iloc[stayed], position[of_row[stayed]])
    composites = np.concatenate([market.later(now.composites[stayed], present, panel, KEEP, rng),
                                 market.composites(*fresh, rng)])
    store, gender, age, brand = (np.concatenate(pair) for pair in zip(panel, fresh, strict=True))
    count = np.concatenate([made[of_row[stayed]], made[at]])
    frame = frame_of(market, store, count, {"brand": brand, "gender": gender, "age": age}, composites, rng)
    frame.loc[:len(stayed) - 1, "plan"] = now.frame["plan"].to_numpy()[stayed]
    taken = set(now.frame["resp_id"].astype(int))
    free = np.array([i for i in range(FIRST_ID, FIRST_ID + 8 * len(frame)) if i not in taken])
    ids = np.concatenate([now.frame["resp_id"].to_numpy().astype(np.int64)[stayed],
                          np.sort(rng.choice(free, len(at), replace=False))])
    frame.insert(0, "resp_id", ids.astype(str))
    return Survey(frame, composites, approached + round(len(stayed) / RETURN))


def _people(frame: pd.DataFrame, store: np.ndarray) -> tuple[np.ndarray, ...]:
    """Store, gender, age and brand of respondents as positions, the way a market asks for them."""
    names = {"gender": list(MARGINS["gender"]), "age": list(MARGINS["age"]), "brand": list(BRANDS)}
    return (store, *(frame[column].map(of.index).to_numpy(int) for column, of in names.items()))


def demo_before() -> Soiled:
    """The answers of the demo's earlier wave, made from the seeds of both."""
    rng = np.random.default_rng(DEMO_SEED)
    now = dress(draw_survey(rng, Market()), rng)
    rng = np.random.default_rng(SEED)
    return soil(dress(survey_before(now, rng), rng, FIELD).frame, rng)


def as_workbook(soiled: Soiled) -> bytes:
    """The file as an agency sends it: a row of headings merged over their questions, the names in row 2.

    Whole numbers are numbers, everything else is text; ids too, which have more digits than a spreadsheet keeps.
    """
    import xlsxwriter

    buffer, frame = io.BytesIO(), soiled.frame
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": pd.Timestamp("2026-06-15").to_pydatetime()})
    sheet, head = book.add_worksheet("Answers"), book.add_format({"bold": True, "align": "center", "bottom": 1})
    columns = list(frame.columns)
    for name, block in {name: list(CONSTRUCTS[name]) for name in NAMES}.items():
        first, last = columns.index(block[0]), columns.index(block[-1])
        if first == last:
            sheet.write_string(0, first, name, head)
        else:
            sheet.merge_range(0, first, 0, last, name, head)
    sheet.merge_range(0, 0, 0, columns.index(next(iter(CONSTRUCTS["Image"]))) - 1, "Sample", head)
    for at, column in enumerate(columns):
        sheet.write_string(1, at, column, head)
        for row, text in enumerate(frame[column], 2):
            if text.isascii() and text.isdigit() and len(text) < 10 and column != "store":
                sheet.write_number(row, at, int(text))
            elif text:
                sheet.write_string(row, at, text)
    sheet.freeze_panes(2, 1)
    book.close()
    return buffer.getvalue()

