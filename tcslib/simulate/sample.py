"""Samples of the demo's market: simple ones for simulation tests, and the stratified two-stage one of the demo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tcslib.simulate.market import BRANDS, ITEMS, MARGINS, NAMES, OWN, REGIONS, Market
from tcslib.simulate.verbatims import MARKUP, PRIVATE, STOCK

# The rate of response is a product of two, so raking on the two margins repairs the whole of the bias.
RESPONSE = {"gender": {"female": 1.0, "male": 0.70}, "age": {"18-34": 0.30, "35-54": 0.46, "55+": 0.56}}
INTERVIEWS = (10, 20)                                   # fewest and most interviews in a store
FIELD = ("2026-07-06", "2026-09-13")
FIRST_ID = 620_260_300_000_000_000                      # beyond 2**53: read as floats, neighbours become one


@dataclass(frozen=True)
class Survey:
    """One drawn sample, complete and clean.

    Attributes
    ----------
    frame
        n rows: region, store, region_size, stores_in_region, base_weight, brand, gender, age, plan, the 24 items, NPS.
    composites
        (n, 7) the respondents' true composites, in standard deviations of the client's users.
    approached
        Users who were asked for an interview until all were made.
    """

    frame: pd.DataFrame
    composites: np.ndarray
    approached: int


def draw_persons(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Gender and age of n users of the population, each an (n,) array of positions in ``MARGINS``."""
    gender, age = (rng.choice(len(shares), n, p=list(shares.values())) for shares in MARGINS.values())
    return gender, age


def draw_population(n: int, rng: np.random.Generator, market: Market,
                    brand: str = OWN) -> tuple[np.ndarray, np.ndarray]:
    """A simple random sample of one brand's users in the whole market.

    Returns
    -------
    The stores, (n,) positions on the frame, and the composites, (n, 7).
    """
    store = rng.choice(len(market.store_users), n, p=market.store_users / market.users)
    gender, age = draw_persons(n, rng)
    return store, market.composites(store, gender, age, np.full(n, list(BRANDS).index(brand)), rng)


def draw_answers(n: int, rng: np.random.Generator, market: Market | None = None) -> np.ndarray:
    """Complete answers of a simple random sample of the client's users, (n, 24), columns as in ``ITEMS``.

    A path is moved by ``Market(PATHS | {("Quality", "Satisfaction"): 0.6})``.
    """
    market = market or Market()
    return market.answers(draw_population(n, rng, market)[1], rng)


def draw_stores(sizes: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of n stores drawn without replacement with probabilities n · size / total.

    Systematic selection from the frame in random order (Madow 1949, Ann. Math. Stat. 20:333-354).
    """
    order = rng.permutation(len(sizes))
    edges = np.cumsum(sizes[order])
    return order[np.searchsorted(edges, (rng.random() + np.arange(n)) * edges[-1] / n, side="right")]


def draw_survey(rng: np.random.Generator, market: Market | None = None) -> Survey:
    """The demo's sample: stores by size within regions, then users at random until the store's interviews are made.

    A region's share of the stores is not its share of the users, and interviews per store differ. The base weight is
    the inverse of the inclusion probability, users of the region / (stores drawn · interviews in the store): the size
    of the store cancels. It knows nothing of who refuses; younger users and men do so more often.
    """
    market = market or Market()
    frame = [np.flatnonzero(market.store_region == r) for r in range(len(REGIONS))]
    drawn = np.concatenate([here[draw_stores(market.store_users[here], region.drawn, rng)]
                            for here, region in zip(frame, REGIONS.values(), strict=True)])
    made = rng.integers(INTERVIEWS[0], INTERVIEWS[1], len(drawn), endpoint=True)
    at, gender, age, approached = interviews(made, rng)
    brand = rng.choice(len(BRANDS), len(at), p=[b.share for b in BRANDS.values()])
    composites = market.composites(drawn[at], gender, age, brand, rng)
    traits = {"brand": brand, "gender": gender, "age": age}
    return Survey(frame_of(market, drawn[at], made[at], traits, composites, rng), composites, approached)


def interviews(made: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Users asked at random until each store's interviews are made: store's position, gender, age; how many asked."""
    asked = np.repeat(np.arange(len(made)), 12 * made)                   # more than are ever needed
    gender, age = draw_persons(len(asked), rng)
    rates = [np.array(list(RESPONSE[trait].values())) for trait in ("gender", "age")]
    answers = rng.random(len(asked)) < rates[0][gender] * rates[1][age]
    turn = pd.Series(answers).groupby(asked).cumsum().to_numpy()         # how many interviews the store has by then
    taken = answers & (turn <= made[asked])
    return asked[taken], gender[taken], age[taken], int(np.sum(turn < made[asked]) + len(made))


def frame_of(market: Market, store: np.ndarray, made: np.ndarray, traits: dict[str, np.ndarray],
             composites: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of a survey: place, base weight, traits, contract, answers.

    ``store`` and ``made`` are each row's store on the frame and the interviews made there.
    """
    users, stores, drawn = (np.array([getattr(r, key) for r in REGIONS.values()])[market.store_region[store]]
                            for key in ("users", "stores", "drawn"))
    # the plan follows from loyalty and age and leads to nothing, so segments differ and the structure stays as it is
    contract = 1 / (1 + np.exp(-(0.1 + 0.45 * composites[:, NAMES.index("Loyalty")] + 0.35 * (traits["age"] - 1))))
    frame = pd.DataFrame({
        **places(market, store), "region_size": users, "stores_in_region": stores,
        "base_weight": users / (drawn * made),
        "brand": np.array(list(BRANDS))[traits["brand"]],
        **{trait: np.array(list(MARGINS[trait]))[traits[trait]] for trait in MARGINS},
        "plan": np.where(rng.random(len(store)) < contract, "contract", "prepaid"),
    })
    return answered(frame, market, composites, rng)


def places(market: Market, store: np.ndarray) -> dict[str, np.ndarray]:
    """Region and store by their names, from positions on the frame."""
    region = np.array(list(REGIONS))[market.store_region[store]]
    return {"region": region, "store": np.char.add(region.astype("U1"), np.char.zfill(store.astype(str), 3))}


def answered(frame: pd.DataFrame, market: Market, composites: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The frame with the answers of its users to all items and to the recommendation question."""
    answers = pd.DataFrame(market.answers(composites, rng), columns=ITEMS)
    return pd.concat([frame, answers], axis=1).assign(NPS=market.recommendation(composites, rng))


def dress(survey: Survey, rng: np.random.Generator, field: tuple[str, str] = FIELD) -> Survey:
    """The sample as an institute's file has it: ids, dates, lengths, comments, and codes for answers not given.

    98 (do not know) and 99 (no experience) fall on answers at random, so they cost precision and bring no bias.
    Rows are in the order of the interviews; an id the frame brings is kept.
    """
    frame, n = survey.frame.copy(), len(survey.frame)
    days = pd.date_range(*field)
    frame["duration"] = np.rint(540 * np.clip(np.exp(rng.normal(0, 0.3, n)), 0.45, 4)).astype(int)
    frame["interview_date"] = days[rng.integers(0, len(days), n)].strftime("%Y-%m-%d")
    for item in ITEMS:
        chance = rng.random(n)
        no_experience = 0.25 if item == "CUSCO" else 0.012
        frame.loc[chance < no_experience, item] = 99
        frame.loc[chance > 1 - rng.uniform(0.01, 0.025), item] = 98
    frame.loc[rng.random(n) < 0.01, "NPS"] = 98
    frame["COMMENT"] = write_comments(survey.composites[:, NAMES.index("Satisfaction")], rng)
    order = np.argsort(frame["interview_date"].to_numpy(), kind="stable")
    frame = frame.iloc[order].reset_index(drop=True)
    if "resp_id" not in frame:
        ids = FIRST_ID + np.cumsum(rng.integers(1, 10, n))
        frame.insert(0, "resp_id", ids.astype(str))
    return replace(survey, frame=frame, composites=survey.composites[order])


def write_comments(satisfaction: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Open answers, (n,) texts, empty for some 60%; their tone follows satisfaction, given in standard deviations."""
    mood = satisfaction + rng.normal(0, 0.5, len(satisfaction))
    tones = np.array(list(STOCK))[np.digitize(mood, [-0.5, 0.5])]
    out: np.ndarray = np.full(len(mood), "", dtype=object)
    answered = np.flatnonzero(rng.random(len(mood)) < 0.40)
    for i in answered:
        language = "zh" if rng.random() < 0.45 else "en"
        stock = STOCK[tones[i]][language]
        parts = rng.choice(len(stock), 1 + (rng.random() < 0.35), replace=False)
        out[i] = ("" if language == "zh" else " ").join(stock[p] for p in parts)
    left: dict[bool, list[int]] = {False: [], True: []}     # comments by whether they are ASCII, that is, English
    for i in rng.permutation(answered):
        left[out[i].isascii()].append(i)
    for text in PRIVATE + MARKUP:
        at = left[text.isascii()].pop()
        if text.startswith("="):
            out[at] = text                                  # a formula is one only at the beginning of a cell
        else:
            out[at] += f" {text}" if text.isascii() else text
    return out
