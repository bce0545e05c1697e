"""The score from 0 to 100, and what would raise it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcslib.index.scoring import Index
    from tcslib.structure.fit import PlsFit


class _Room(ModuleType):
    """A room that can be called: analysts type ``tcs.index(fit)``, and importing a room binds its name to itself."""

    def __call__(self, fit: PlsFit) -> Index:
        from tcslib.index.scoring import index

        return index(fit)


sys.modules[__name__].__class__ = _Room
