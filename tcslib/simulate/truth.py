"""What is true of the demo's market: exactly for the composites, by a very large population for the answers."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from tcslib.simulate.market import BRANDS, ITEMS, NAMES, OWN, REGIONS, Market
from tcslib.simulate.sample import draw_population

SEED, BLOCK, BLOCKS_OWN, BLOCKS_RIVAL, MADE = 20261120, 100_000, 30, 10, "2026-11-20"
METHOD = ("Answers of simulated users of the whole market, regions in their population shares, drawn in blocks of "
          f"{BLOCK:,}: {BLOCKS_OWN} blocks of the client's users for every number, {BLOCKS_RIVAL} of each rival's for "
          "its index. Composites are the weighted sums, with the exact weights, of the standardised answers; paths are "
          "ordinary least squares between them. index = 100 * sum(v * (mean - 1) / 9) / sum(v), v = weight / sd, with "
          "the client's v throughout. nps = percent of 9-10 minus percent of 0-6. No PLS code takes part. mc_se is the "
          "Monte-Carlo standard error, standard deviation over blocks / sqrt(blocks). exact is the value unrounded.")


@dataclass(frozen=True)
class Truth:
    """The population before answers are rounded, exactly.

    Attributes
    ----------
    paths
        Standardised path coefficients by (source, target).
    r2
        (7,) by construct, 0 for Image.
    correlations
        (7, 7) of the composites.
    total_effects
        (7, 7): row = target, column = source, zero on the diagonal.
    weights, loadings
        (24,) of each item in its own block, composites standardised.
    """

    paths: dict[tuple[str, str], float]
    r2: np.ndarray
    correlations: np.ndarray
    total_effects: np.ndarray
    weights: np.ndarray
    loadings: np.ndarray


def truth(market: Market | None = None) -> Truth:
    """The exact parameters of the composite model, by construction."""
    market = market or Market()
    total = np.linalg.inv(np.eye(len(NAMES)) - market.coefficients) - np.eye(len(NAMES))
    return Truth(dict(market.paths), market.r2, market.correlations, total, market.weights.sum(axis=1),
                 market.loadings.sum(axis=1))


def regress(correlations: np.ndarray, market: Market) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Paths and R² by ordinary least squares on the correlations of the composites, (7, 7)."""
    paths: dict[tuple[str, str], float] = {}
    r2: dict[str, float] = {}
    for k, target in enumerate(NAMES):
        sources = [NAMES.index(s) for s, t in market.paths if t == target]
        if sources:
            slopes = np.linalg.solve(correlations[np.ix_(sources, sources)], correlations[sources, k])
            paths |= {(NAMES[s], target): float(b) for s, b in zip(sources, slopes, strict=True)}
            r2[target] = float(slopes @ correlations[sources, k])
    return paths, r2


def describe(mean: np.ndarray, cov: np.ndarray, market: Market) -> dict[str, float]:
    """Estimands as functions of the answers' moments.

    Parameters
    ----------
    mean, cov
        Means (24,) and covariances (24, 24) of the answers.

    Returns
    -------
    Numbers by ``section/name``: paths, r2, correlations, loadings, means, sds, index (0-100, every construct).
    """
    sd = np.sqrt(np.diag(cov))
    to_composite = market.weights / sd[:, None]
    to_composite = to_composite / np.sqrt(np.einsum("ik,ij,jk->k", to_composite, cov, to_composite))
    correlations = to_composite.T @ cov @ to_composite
    paths, r2 = regress(correlations, market)
    loadings = (cov @ to_composite / sd[:, None])[market.weights > 0]
    out = _structure(paths, r2, correlations)
    for section, values in {"loadings": loadings, "means": mean, "sds": sd}.items():
        out |= {f"{section}/{item}": float(value) for item, value in zip(ITEMS, values, strict=True)}
    return out | {f"index/{name}": value for name, value in zip(NAMES, indexes(mean, sd, market), strict=True)}


def _structure(paths: dict[tuple[str, str], float], r2: dict[str, float],
               correlations: np.ndarray) -> dict[str, float]:
    out = {f"paths/{s} -> {t}": value for (s, t), value in paths.items()} | {f"r2/{k}": v for k, v in r2.items()}
    return out | {f"correlations/{a} ~ {b}": float(correlations[i, j])
                  for i, a in enumerate(NAMES) for j, b in enumerate(NAMES) if i < j}


def indexes(mean: np.ndarray, sd: np.ndarray, market: Market) -> list[float]:
    """0-100 scores of the constructs, in ``NAMES``' order, from means (24,) and standard deviations (24,)."""
    v = market.weights / sd[:, None]
    return [float(value) for value in 100 * ((mean - 1) / 9) @ v / v.sum(0)]


@dataclass
class _Sums:
    """Moments of answers added up, of one block or of all."""

    n: int
    items: np.ndarray           # (24,)
    products: np.ndarray        # (24, 24)
    region_n: np.ndarray        # (4,)
    region_items: np.ndarray    # (4, 24)
    nps: np.ndarray             # (2,) counts of 9-10 and of 0-6

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def numbers(self, market: Market) -> dict[str, float]:
        """Every estimand of the client's users from these sums."""
        mean = self.items / self.n
        cov = self.products / self.n - np.outer(mean, mean)
        out, sd = describe(mean, cov, market), np.sqrt(np.diag(cov))
        for r, region in enumerate(REGIONS):
            score = indexes(self.region_items[r] / self.region_n[r], sd, market)
            out[f"index_by_region/{region}"] = score[NAMES.index("Satisfaction")]
        promoters, detractors = 100 * self.nps / self.n
        return out | {"nps/nps": promoters - detractors, "nps/promoters": promoters, "nps/detractors": detractors}


def _block(number: int, brand: str, seed: int, market: Market) -> _Sums:
    rng = np.random.default_rng([seed, list(BRANDS).index(brand), number])
    store, composites = draw_population(BLOCK, rng, market, brand)
    answers = market.answers(composites, rng).astype(float)
    nps = market.recommendation(composites, rng)
    lives = (market.store_region[store] == np.arange(len(REGIONS))[:, None]).astype(float)
    return _Sums(BLOCK, answers.sum(0), answers.T @ answers, lives.sum(1), lives @ answers,
                 np.array([np.sum(nps >= 9), np.sum(nps <= 6)]))


def estimand(seed: int = SEED, blocks: int = BLOCKS_OWN, rival_blocks: int = BLOCKS_RIVAL,
             market: Market | None = None) -> dict[str, tuple[float, float]]:
    """What a census of the client's users, answers rounded and clipped, would find.

    Returns
    -------
    ``{"section/name": (value, Monte-Carlo standard error)}``; percent for nps, 0-100 for indexes. The value comes
    from the sums of all blocks, its error from how the blocks differ.
    """
    market = market or Market()
    sums = [_block(b, OWN, seed, market) for b in range(blocks)]
    whole = sum(sums[1:], sums[0])
    each = [block.numbers(market) for block in sums]
    out = {key: (value, float(np.std([e[key] for e in each], ddof=1) / np.sqrt(blocks)))
           for key, value in whole.numbers(market).items()}
    mean = whole.items / whole.n
    sd = np.sqrt(np.diag(whole.products) / whole.n - mean**2)
    satisfaction = NAMES.index("Satisfaction")
    out[f"index_by_brand/{OWN}"] = out["index/Satisfaction"]
    for brand in [b for b in BRANDS if b != OWN]:
        scores = [indexes(_block(b, brand, seed, market).items / BLOCK, sd, market)[satisfaction]
                  for b in range(rival_blocks)]
        out[f"index_by_brand/{brand}"] = (float(np.mean(scores)), float(np.std(scores, ddof=1) / np.sqrt(rival_blocks)))
    return out


def as_json(numbers: dict[str, tuple[float, float]], market: Market) -> str:
    """The truth as text for ``truth.json``: how it was made, then each number with its error and exact value."""
    exact = truth(market)
    before = _structure(exact.paths, dict(zip(NAMES, exact.r2, strict=True)), exact.correlations)
    before |= {f"loadings/{item}": value for item, value in zip(ITEMS, exact.loadings, strict=True)}
    out: dict[str, dict | str] = {
        "made": {"by": "python -m tcslib.simulate", "date": MADE, "seed": SEED, "client_users": BLOCK * BLOCKS_OWN,
                 "rival_users_each": BLOCK * BLOCKS_RIVAL, "numpy_generator": "PCG64", "method": METHOD},
        "domain": f"users of {OWN}, all regions in their population shares",
        "weights": {item: round(float(value), 6) for item, value in zip(ITEMS, exact.weights, strict=True)}}
    sections: dict[str, dict[str, dict[str, float]]] = {}
    for key, (value, error) in numbers.items():
        section, name = key.split("/", 1)
        entry = {"value": round(value, 6), "mc_se": round(error, 6)}
        if key in before:
            entry = {"exact": round(float(before[key]), 6)} | entry
        sections.setdefault(section, {})[name] = entry
    return json.dumps(out | sections, indent=1, ensure_ascii=False) + "\n"
