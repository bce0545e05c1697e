"""The demo's market: mobile users of four regions, whose satisfaction follows a model that is known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tcslib.errors import InputRefused


class ItemTruth(NamedTuple):
    """One question: mean and standard deviation before rounding (1-10), loading that sets the block's correlations."""

    mean: float
    sd: float
    loading: float


class Region(NamedTuple):
    """One stratum: users, stores on the frame, stores drawn, and what living there adds (composite SDs)."""

    users: int
    stores: int
    drawn: int
    shock: Mapping[str, float]


class Brand(NamedTuple):
    """One operator: share of users, and what being with it adds (composite SDs)."""

    share: float
    shock: Mapping[str, float]


CONSTRUCTS: dict[str, dict[str, ItemTruth]] = {
    "Image": {"IMAG1": ItemTruth(7.5, 1.8, 0.74), "IMAG2": ItemTruth(8.0, 1.6, 0.66),
              "IMAG3": ItemTruth(6.8, 2.0, 0.55), "IMAG4": ItemTruth(7.1, 1.9, 0.72),
              "IMAG5": ItemTruth(7.7, 1.7, 0.69)},
    "Expectation": {"CUEX1": ItemTruth(7.6, 1.6, 0.72), "CUEX2": ItemTruth(7.4, 1.7, 0.66),
                    "CUEX3": ItemTruth(6.7, 2.0, 0.57)},
    "Quality": {"PERQ1": ItemTruth(7.6, 1.6, 0.82), "PERQ2": ItemTruth(7.0, 2.0, 0.68),
                "PERQ3": ItemTruth(7.3, 1.9, 0.74), "PERQ4": ItemTruth(7.5, 1.7, 0.76),
                "PERQ5": ItemTruth(7.7, 1.6, 0.65), "PERQ6": ItemTruth(7.4, 1.8, 0.78),
                "PERQ7": ItemTruth(7.2, 1.8, 0.71)},
    "Value": {"PERV1": ItemTruth(6.5, 2.0, 0.84), "PERV2": ItemTruth(7.0, 1.9, 0.84)},
    "Satisfaction": {"CUSA1": ItemTruth(7.6, 1.6, 0.85), "CUSA2": ItemTruth(7.1, 1.8, 0.77),
                     "CUSA3": ItemTruth(6.9, 1.9, 0.79)},
    "Complaints": {"CUSCO": ItemTruth(6.8, 2.1, 1.0)},
    "Loyalty": {"CUSL1": ItemTruth(7.5, 2.0, 0.84), "CUSL2": ItemTruth(6.5, 2.3, 0.38),
                "CUSL3": ItemTruth(7.6, 1.9, 0.86)},
}
NAMES = list(CONSTRUCTS)
ITEMS = [item for block in CONSTRUCTS.values() for item in block]
BLOCKS = np.repeat(np.arange(len(NAMES)), [len(block) for block in CONSTRUCTS.values()])      # construct of each item

# Near the published estimates of the mobile-phone data (Tenenhaus et al. 2005, CSDA 48:159-205).
PATHS: dict[tuple[str, str], float] = {
    ("Image", "Expectation"): 0.50, ("Image", "Satisfaction"): 0.18, ("Image", "Loyalty"): 0.20,
    ("Expectation", "Quality"): 0.56, ("Expectation", "Value"): 0.05, ("Expectation", "Satisfaction"): 0.06,
    ("Quality", "Value"): 0.56, ("Quality", "Satisfaction"): 0.51, ("Value", "Satisfaction"): 0.19,
    ("Satisfaction", "Complaints"): 0.53, ("Satisfaction", "Loyalty"): 0.48, ("Complaints", "Loyalty"): 0.07,
}
REGIONS = {
    "North": Region(420_000, 150, 16, {"Image": 0.05, "Quality": 0.12, "Value": -0.10}),
    "East": Region(310_000, 120, 15, {"Quality": 0.02, "Value": 0.05}),
    "South": Region(190_000, 80, 15, {"Quality": -0.15, "Value": 0.10}),
    "West": Region(80_000, 50, 14, {"Image": -0.15, "Quality": -0.35, "Loyalty": -0.05}),
}
BRANDS = {
    "Demo Mobile": Brand(0.46, {}),
    "Rival A": Brand(0.32, {"Image": 0.12, "Quality": 0.06, "Value": -0.08}),
    "Rival B": Brand(0.22, {"Image": -0.15, "Quality": -0.22, "Value": 0.10}),
}
MARGINS = {"gender": {"female": 0.51, "male": 0.49}, "age": {"18-34": 0.34, "35-54": 0.38, "55+": 0.28}}
PERSONAL: dict[str, dict[str, Mapping[str, float]]] = {
    "gender": {"female": {"Satisfaction": 0.05}, "male": {}},
    "age": {"18-34": {"Image": -0.20, "Quality": -0.15, "Satisfaction": -0.15}, "35-54": {},
            "55+": {"Image": 0.15, "Quality": 0.12, "Satisfaction": 0.12}},
}
OWN = "Demo Mobile"
STORE_SHARE = 0.05        # of every composite's variance lies between the stores of a region
NPS_MEAN, NPS_SD, NPS_PULL = 7.9, 1.9, 0.85


def centred(shocks: list[Mapping[str, float]], shares: np.ndarray) -> np.ndarray:
    """Shocks as a (categories, 7) array whose mean over the population is zero."""
    table = np.array([[shock.get(name, 0.0) for name in NAMES] for shock in shocks])
    return table - shares @ table


@dataclass(frozen=True)
class Market:
    r"""A population of users whose composites have exactly the covariances the paths imply.

    The composite model of Dijkstra & Henseler (2011, Quality & Quantity 45:1505-1518; 2015, MIS Quarterly 39:297-316).
    Composites are standardised and recursive, :math:`\xi = B\xi + \zeta` with uncorrelated disturbances of variance
    1 - R². Block k is :math:`x_k = R_{kk} w_k \xi_k + e_k`, :math:`e_k \sim N(0, R_{kk} - R_{kk} w_k w_k' R_{kk})`,
    hence :math:`w_k' x_k = \xi_k` without error. An answer is mean + sd · x, rounded and clipped to 1-10.

    Why PLS mode A returns the truth: the weights it seeks are proportional to the covariances of a block with its
    inner proxy, a sum of other composites. Those are all proportional to :math:`R_{kk} w_k`, whatever the inner
    scheme. As :math:`w_k` is the principal eigenvector of :math:`R_{kk}` scaled to :math:`w_k' R_{kk} w_k = 1`,
    :math:`R_{kk} w_k \propto w_k`: the weights reproduce themselves, so before rounding the population's PLS
    solution is :math:`w_k`, and its paths are ``paths``. ``truth.estimand`` says what rounding does.

    Region, store, age and gender act through the disturbances, with mean zero over the population; the person's own
    part has the covariance that is left, so the disturbances as a whole keep theirs. A brand shifts its users by a
    constant, and no brand, age or gender is commoner in one store than in another: within a brand, the client's
    first, covariances are exact too.

    Parameters
    ----------
    paths
        Standardised path coefficients by (source, target); constructs in causal order.
    frame_seed
        Seed of the frame: sizes and effects of the stores, which are fixed from sample to sample.
    drift
        What a brand's users have more or less of in another wave, by brand and construct (composite SDs).
    """

    paths: Mapping[tuple[str, str], float] = field(default_factory=lambda: dict(PATHS))
    frame_seed: int = 20260601
    drift: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse paths no population can have."""
        where = "simulate.Market"
        for source, target in self.paths:
            if not {source, target} <= set(NAMES) or NAMES.index(source) >= NAMES.index(target):
                raise InputRefused(f"{source} → {target} is no path of this market. Paths run forwards through "
                                   f"{', '.join(NAMES)}.", where)
        if self.r2.max() >= 1 or np.linalg.eigvalsh(self.person_covariance)[0] <= 0:
            raise InputRefused("the paths leave no variance for the persons. Make them smaller.", where)

    @cached_property
    def coefficients(self) -> np.ndarray:
        """B, (7, 7): row = target, column = source."""
        out = np.zeros((len(NAMES), len(NAMES)))
        for (source, target), value in self.paths.items():
            out[NAMES.index(target), NAMES.index(source)] = value
        return out

    @cached_property
    def correlations(self) -> np.ndarray:
        """Correlations of the composites the paths imply, (7, 7)."""
        b, out = self.coefficients, np.eye(len(NAMES))
        for k in range(1, len(NAMES)):
            out[k, :k] = out[:k, k] = b[k, :k] @ out[:k, :k]
        return out

    @cached_property
    def r2(self) -> np.ndarray:
        """Share of each composite's variance its predecessors explain, (7,); 0 for Image."""
        return np.einsum("kj,ji,ki->k", self.coefficients, self.correlations, self.coefficients)

    @cached_property
    def weights(self) -> np.ndarray:
        """W, (24, 7): column k holds the weights of block k on its standardised items."""
        out = np.zeros((len(ITEMS), len(NAMES)))
        for k, block in enumerate(self.block_correlations):
            values, vectors = np.linalg.eigh(block)
            out[k == BLOCKS, k] = np.abs(vectors[:, -1]) / np.sqrt(values[-1])     # all correlations are positive
        return out

    @cached_property
    def block_correlations(self) -> list[np.ndarray]:
        """Correlations of the items within each block, those of one factor with differing loadings."""
        out = []
        for block in CONSTRUCTS.values():
            loadings = np.array([item.loading for item in block.values()])
            out.append(np.outer(loadings, loadings) + np.diag(1 - loadings**2))
        return out

    @cached_property
    def loadings(self) -> np.ndarray:
        """Correlations of items with their composites, (24, 7), zero outside the block."""
        out = np.zeros_like(self.weights)
        for k, block in enumerate(self.block_correlations):
            out[k == BLOCKS, k] = block @ self.weights[k == BLOCKS, k]
        return out

    @cached_property
    def noise_root(self) -> np.ndarray:
        """Symmetric root of the items' covariance given the composites, (24, 24)."""
        out = np.zeros((len(ITEMS), len(ITEMS)))
        for k, block in enumerate(self.block_correlations):
            inside = np.flatnonzero(k == BLOCKS)
            left = self.loadings[inside, k]
            # the symmetric root is unique, so draws do not hang on the signs an eigenvector routine happens to choose
            values, vectors = np.linalg.eigh(block - np.outer(left, left))
            out[np.ix_(inside, inside)] = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
        return out

    @cached_property
    def store_region(self) -> np.ndarray:
        """Position in ``REGIONS`` of each store on the frame, (400,)."""
        return np.repeat(np.arange(len(REGIONS)), [region.stores for region in REGIONS.values()])

    @cached_property
    def store_users(self) -> np.ndarray:
        """Users of each store, (400,); they sum to the region's users."""
        rng, out = np.random.default_rng([self.frame_seed, 0]), []
        for region in REGIONS.values():
            size = np.clip(rng.lognormal(0.0, 0.35, region.stores), 0.5, 2.0)
            edges = np.rint(np.cumsum(size) / size.sum() * region.users).astype(int)
            out.append(np.diff(edges, prepend=0))
        return np.concatenate(out)

    @cached_property
    def place(self) -> np.ndarray:
        """What each store's region and the store itself add to the disturbances, (400, 7)."""
        scores = np.random.default_rng([self.frame_seed, 1]).standard_normal((len(self.store_users), len(NAMES)))
        for r in range(len(REGIONS)):
            here = self.store_region == r
            scores[here] -= np.average(scores[here], axis=0, weights=self.store_users[here])
        root = np.linalg.cholesky(np.cov(scores.T, aweights=self.store_users, ddof=0))
        scores = np.linalg.solve(root, scores.T).T                 # over all users: mean 0, variance 1, uncorrelated
        shares = np.array([region.users for region in REGIONS.values()]) / self.users
        regions = centred([region.shock for region in REGIONS.values()], shares)
        return regions[self.store_region] + scores * np.sqrt(STORE_SHARE * (1 - self.r2))

    @cached_property
    def users(self) -> int:
        """Users in the market."""
        return sum(region.users for region in REGIONS.values())

    def personal(self, trait: str) -> np.ndarray:
        """What each gender, or each age, adds to the disturbances, (categories, 7)."""
        return centred(list(PERSONAL[trait].values()), np.array(list(MARGINS[trait].values())))

    @cached_property
    def person_covariance(self) -> np.ndarray:
        """Covariance of the person's own part of the disturbances, (7, 7): what place, age and gender leave."""
        out = np.diag(1 - self.r2) - np.cov(self.place.T, aweights=self.store_users, ddof=0)
        for trait, shares in MARGINS.items():
            effects = self.personal(trait)
            out = out - (effects.T * list(shares.values())) @ effects
        return out

    def composites(self, store: np.ndarray, gender: np.ndarray, age: np.ndarray, brand: np.ndarray,
                   rng: np.random.Generator) -> np.ndarray:
        """Composites of users, (n, 7), in standard deviations of the client's users.

        Parameters
        ----------
        store, gender, age, brand
            (n,) positions on the frame, in ``MARGINS`` and in ``BRANDS``.
        """
        own = rng.standard_normal((len(store), len(NAMES))) @ np.linalg.cholesky(self.person_covariance).T
        return self._composites(own + self.common(store, gender, age, brand))

    def later(self, composites: np.ndarray, before: Market, people: tuple[np.ndarray, ...], keep: float,
              rng: np.random.Generator) -> np.ndarray:
        """Composites of the same people in this wave, (n, 7), from those they had in another.

        Parameters
        ----------
        composites, before
            What they were, and the market they were drawn from.
        people
            Store, gender, age and brand, as for ``composites``.
        keep
            Correlation of the persons' own part of the disturbances between the waves.
        """
        was = composites @ (np.eye(len(NAMES)) - before.coefficients).T - before.common(*people)
        fresh = rng.standard_normal(was.shape) @ np.linalg.cholesky(self.person_covariance).T
        return self._composites(keep * was + np.sqrt(1 - keep**2) * fresh + self.common(*people))

    def common(self, store: np.ndarray, gender: np.ndarray, age: np.ndarray, brand: np.ndarray) -> np.ndarray:
        """What place, traits, brand and wave add to users' disturbances, (n, 7)."""
        shift = np.array([[b.shock.get(name, 0.0) + self.drift.get(own, {}).get(name, 0.0) for name in NAMES]
                          for own, b in BRANDS.items()])
        return self.place[store] + self.personal("gender")[gender] + self.personal("age")[age] + shift[brand]

    def _composites(self, disturbances: np.ndarray) -> np.ndarray:
        return np.linalg.solve(np.eye(len(NAMES)) - self.coefficients, disturbances.T).T

    def answers(self, composites: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Answers 1-10 of users with these composites, (n, 24) integers, without missing ones."""
        x = composites @ self.loadings.T + rng.standard_normal((len(composites), len(ITEMS))) @ self.noise_root
        stated = np.array([item[:2] for block in CONSTRUCTS.values() for item in block.values()])
        return np.clip(np.rint(stated[:, 0] + stated[:, 1] * x), 1, 10).astype(int)

    def recommendation(self, composites: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Answers 0-10 to the recommendation question, (n,): Loyalty plus what is peculiar to the question."""
        own = rng.standard_normal(len(composites)) * np.sqrt(1 - NPS_PULL**2)
        score = NPS_PULL * composites[:, NAMES.index("Loyalty")] + own
        return np.clip(np.rint(NPS_MEAN + NPS_SD * score), 0, 10).astype(int)
