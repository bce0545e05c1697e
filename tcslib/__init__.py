"""A workbench for measuring customer satisfaction, from the sampling plan to the report.

The names below are what an analyst types; everything else is reached by its room, such as ``tcslib.sampling.size``.
They are imported when first used: ``import tcslib`` by itself costs numpy and pandas.
"""

from __future__ import annotations

from typing import Any

_ROOMS = {
    "load": "study.load", "read": "fieldwork.reading", "clean": "fieldwork.cleaning",
    "size_for_mean": "sampling.size", "size_for_change": "sampling.size", "change_seen": "sampling.size",
    "allocation_plan": "sampling.allocation", "weigh": "weighting.weights", "kish": "weighting.weights",
    "replicate": "inference.replicates", "infer": "inference.infer", "infer_rows": "inference.infer",
    "weighted_quantile": "inference.quantiles", "alpha": "measurement.reliability",
    "measure": "measurement.assess", "item_statistics": "measurement.assess", "PlsSettings": "structure.pls",
    "pls": "structure.fit", "index": "index.scoring", "score_quantile": "index.scoring",
    "respondent_scores": "index.scoring", "priority_map": "index.importance", "nps": "loyalty.recommendation",
    "loyalty_curve": "loyalty.link", "group_scores": "compare.groups", "link": "inference.linked",
    "trend": "compare.waves", "stage": "run.stages",
}
__all__ = sorted(_ROOMS)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        from importlib import import_module

        return getattr(import_module(f"tcslib.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'tcslib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
