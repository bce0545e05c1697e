"""The model of satisfaction a study estimates: constructs, the items that measure them, the paths between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tcslib.study.questionnaire import Text

Mode = Literal["A", "B"]


@dataclass(frozen=True)
class Construct:
    """A latent variable: its items, its PLS mode (A reflective, B formative), its words.

    ``lever`` is False for what a company does not set out to raise, such as expectations or the target itself:
    it is shown on the priority map and never ranked as an action. ``action`` says what raising it means.
    """

    name: str
    items: tuple[str, ...]
    mode: Mode = "A"
    label: Text = field(default_factory=dict)
    action: Text = field(default_factory=dict)
    lever: bool = True


@dataclass(frozen=True)
class Model:
    """Constructs in causal order of their declaration, and the directed paths between them.

    ``title``, ``source`` and ``status`` (how sure structure and wording are) come with a preset; ``adapted`` says that
    the study changed the preset's constructs, items or paths.
    """

    constructs: tuple[Construct, ...]
    paths: tuple[tuple[str, str], ...]
    target: str
    loyalty: str = ""
    preset: str = ""
    title: Text = field(default_factory=dict)
    source: Text = field(default_factory=dict)
    status: Text = field(default_factory=dict)
    adapted: bool = False

    @cached_property
    def names(self) -> list[str]:
        """Construct names, k of them, in the model's order."""
        return [c.name for c in self.constructs]

    @cached_property
    def items(self) -> list[str]:
        """Item names, p of them, block after block; an item's position is its column everywhere."""
        return [item for c in self.constructs for item in c.items]

    @cached_property
    def blocks(self) -> list[np.ndarray]:
        """For each construct the positions of its items, as integer arrays."""
        edges = np.cumsum([0] + [len(c.items) for c in self.constructs])
        return [np.arange(a, b) for a, b in pairwise(edges)]

    @cached_property
    def inner(self) -> np.ndarray:
        """(k, k) booleans: ``inner[i, j]`` is True where a path runs from construct i to construct j."""
        out = np.zeros((len(self.names), len(self.names)), dtype=bool)
        for source, target in self.paths:
            out[self.names.index(source), self.names.index(target)] = True
        return out

    def __getitem__(self, name: str) -> Construct:
        """The construct of that name."""
        return self.constructs[self.names.index(name)]


def cycle_in(paths: Sequence[tuple[str, str]]) -> list[str]:
    """The first cycle among the paths as a list of names that ends where it began; empty when there is none."""
    before: dict[str, set[str]] = {}
    for source, target in paths:
        before.setdefault(target, set()).add(source)
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        return list(error.args[1])          # each is a predecessor of the next
    return []


def preset_names() -> list[str]:
    """Names of the models that ship with the library."""
    return sorted(p.name[:-5] for p in resources.files("tcslib.study").joinpath("presets").iterdir()
                  if p.name.endswith(".yaml"))


def read_preset(name: str) -> Mapping[str, Any]:
    """The shipped description of a national index model, as its file holds it."""
    from tcslib.study.strict_yaml import read_yaml

    with resources.as_file(resources.files("tcslib.study").joinpath("presets", f"{name}.yaml")) as path:
        return read_yaml(Path(path), f"presets/{name}.yaml")[0]
