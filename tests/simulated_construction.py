"""The customers of a construction enterprise, simulated: who they are, what each of them would answer, who was reached.

A worked study with a known truth. Every customer on the list has answers in both waves, whether asked or not, so what
the report estimates from those who answered can be held against the whole list. Satisfaction and loyalty follow from
four aspects; classes and roles differ in what they think of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

ASPECTS = ("Quality", "Schedule", "Price", "Service")
CONSTRUCTS = (*ASPECTS, "Satisfaction", "Loyalty")
ITEMS = {name: [f"{name[:3].upper()}{k}" for k in (1, 2, 3)] for name in CONSTRUCTS}
START = {"intermediate": 74, "external": 58, "rival": 38}          # on the list in 2025,
JOINED = {"intermediate": 9, "external": 6, "rival": 4}            # added in two steps before 2026,
LEFT = {"intermediate": 3, "external": 4, "rival": 2}              # retired: 80, 60 and 40 are left
ROLES = ["user", "middle", "user", "leader", "user", "middle", "user", "middle", "user", "leader"]

# points on 1-10: of the aspect, by wave, class and role, in the order of ASPECTS
MEAN = {"2025": np.array([7.5, 5.6, 6.0, 6.6]), "2026": np.array([7.6, 6.5, 5.8, 7.0])}
CLASS = {"intermediate": np.array([0.0, 0.2, -0.5, 0.2]), "external": np.array([0.3, -0.2, 0.2, -0.2]),
         "rival": np.array([-0.6, -0.4, 0.5, -0.6])}
ROLE = {"leader": np.array([0.2, -0.2, -1.0, 0.6]), "middle": np.array([0.0, 0.0, -0.2, 0.1]),
        "user": np.array([-0.1, 0.1, 0.5, -0.6])}
MOVES = np.array([0.35, 0.30, 0.20, 0.25])          # what a point of each aspect adds to satisfaction
ANSWERS = {"leader": 0.62, "middle": 0.75, "user": 0.85}          # chance of an interview
DAYS = {"2025": "2025-05-12", "2026": "2026-05-11"}


def customers() -> pd.DataFrame:
    """Everybody ever listed: id, company, tel, class, role; ``joined`` and ``left`` number the step, 0 for neither."""
    rows = []
    for kind, count in START.items():
        for k in range(count + JOINED[kind]):
            rows.append({"class": kind, "role": ROLES[k % 10], "joined": 0 if k < count else 1 + k % 2,
                         "left": int(k % 17 == 5 and k // 17 < LEFT[kind])})
    out = pd.DataFrame(rows)
    out.insert(0, "id", [f"C{k:04d}" for k in range(1, len(out) + 1)])
    out.insert(1, "company", [f"Firm {k:04d}" for k in range(1, len(out) + 1)])
    out.insert(2, "tel", [f"1390000{k:04d}" for k in range(1, len(out) + 1)])
    return out


def listed(wave: str) -> pd.DataFrame:
    """Those of them on the list in a wave."""
    everybody = customers()
    return everybody[everybody["joined"] == 0] if wave == "2025" else everybody[everybody["left"] == 0]


def census(wave: str) -> pd.DataFrame:
    """What each of them would answer: items 1-10, a row for each customer ever listed, by id."""
    people = customers()
    n = len(people)
    always = np.random.default_rng(11).normal(size=(n, 5))          # who is easily pleased stays so
    rng = np.random.default_rng([12, int(wave)])
    common, own = always[:, :1], always[:, 1:]
    spread = 1.6 * (0.6 * common + 0.6 * own + 0.53 * rng.normal(size=(n, 4)))
    aspects = MEAN[wave] + np.array([CLASS[c] + ROLE[r] for c, r in zip(people["class"], people["role"], strict=True)])
    aspects = aspects + spread
    satisfaction = 6.6 + (aspects - MEAN["2025"]) @ MOVES + 0.4 * rng.normal(size=n)
    loyalty = 6.8 + 0.8 * (satisfaction - 6.6) + 0.9 * rng.normal(size=n)
    latent = np.column_stack([aspects, satisfaction, loyalty])
    harder = np.array([0.2, 0.0, -0.2])          # the questions of a construct differ a little
    answers = np.repeat(latent, 3, axis=1) + np.tile(harder, 6) + 0.7 * rng.normal(size=(n, 18))
    return pd.DataFrame(np.clip(np.rint(answers), 1, 10).astype(int), people["id"].to_numpy(),
                        [item for items in ITEMS.values() for item in items])


def truth(wave: str, voice: Mapping[str, np.ndarray] | None = None, keep: np.ndarray | None = None) -> pd.Series:
    """The 0-100 score of each construct among all on the list, every question of a construct counting alike.

    ``voice`` holds policy weights by construct, ``keep`` who is counted: both a value for each of ``listed(wave)``.
    """
    on = listed(wave)
    points = (census(wave).loc[on["id"]] - 1) / 9 * 100
    keep = np.ones(len(on), dtype=bool) if keep is None else keep
    return pd.Series({name: np.average(points[items].mean(axis=1)[keep], weights=voice[name][keep] if voice else None)
                      for name, items in ITEMS.items()})


def write_list(folder: Path) -> None:
    """The list as it stood in 2025, and the files by which customers join and leave it after that."""
    everybody, shown = customers(), ["id", "company", "tel", "class", "role"]
    _write(everybody.loc[everybody["joined"] == 0, shown], folder / "customers.csv")
    for step in (1, 2):
        _write(everybody.loc[everybody["joined"] == step, shown], folder / f"joined-{step}.csv")
    _write(everybody.loc[everybody["left"] == 1, ["id"]], folder / "left.csv")


def field(drawn: pd.DataFrame, wave: str, folder: Path) -> None:
    """The fieldwork of a wave: the log of contacts, the list of those drawn, the answers of those interviewed.

    ``drawn`` is what ``tcs draw`` wrote. A few answers are 98, don't know.
    """
    rng = np.random.default_rng([13, int(wave)])
    people = customers().set_index("id").loc[drawn["id"]]
    start, log, took = pd.Timestamp(DAYS[wave]), [], {}
    for id, role, kind in zip(people.index, people["role"], people["class"], strict=True):
        final = "complete" if rng.random() < ANSWERS[role] - 0.08 * (kind == "rival") else str(
            rng.choice(["refusal", "non_contact"], p=[0.6, 0.4]))
        tries = int(rng.integers(1, 4)) if final != "non_contact" else 4
        days = np.sort(rng.choice(28, tries, replace=False))
        for number, day in enumerate(days, 1):
            said = final if number == tries else "non_contact"
            log.append((id, f"{start + pd.Timedelta(days=int(day)):%Y-%m-%d}", said))
        if final == "complete":
            took[id] = log[-1][1]
    _write(pd.DataFrame(log, columns=["id", "date", "outcome"]), folder / f"{wave}-contacts.csv")
    known = people[["class", "role"]].reset_index()
    _write(known, folder / f"{wave}-drawn.csv")
    came = drawn.set_index("id").loc[list(took), ["stratum", "weight", "list_1"]]
    answers = census(wave).loc[list(took)]
    answers = answers.mask(rng.random(answers.shape) < 0.015, 98)
    out = pd.concat([people.loc[list(took), ["class", "role"]], came, answers], axis=1).rename_axis("id")
    _write(out.assign(day=list(took.values())).reset_index(), folder / f"{wave}.csv")


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")


def margins(wave: str, columns: Iterable[str] = ("class", "role")) -> dict[str, dict[str, int]]:
    """Customers on the list by class and by role."""
    return {column: listed(wave)[column].value_counts().to_dict() for column in columns}
