"""What one stage leaves for the next: typed tables as Parquet, the rest as JSON."""

from __future__ import annotations

import json
import math
import os
import shutil
import uuid
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:          # whoever only reads JSON does without pandas
    from tcslib.survey.responses import Responses

_TABLES = ("answers", "kinds", "background", "flags", "verbatims", "ledger", "left_out")
_FILES = (".parquet", ".json")          # what a saved table, and a saved value, end in


def plain(value: Any) -> Any:
    """A value as JSON holds it: NaN and infinities as null, numpy and pandas as Python."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):          # numpy's arrays and numbers
        return plain(value.tolist())
    return None if type(value).__name__ == "NAType" else str(value)


@contextmanager
def aside(target: Path, prefix: str = ".making-") -> Iterator[Path]:
    """Where to make a file or folder: beside its place, into which it is renamed at the end; gone if that fails."""
    made = target.with_name(f"{prefix}{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield made
        os.replace(made, target)
    finally:
        made.unlink(missing_ok=True) if made.is_file() else shutil.rmtree(made, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Text in UTF-8, made aside; the folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with aside(path) as made:
        made.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """JSON in UTF-8, keys in the order given."""
    path.write_text(json.dumps(plain(value), ensure_ascii=False, indent=1) + "\n", encoding="utf-8", newline="\n")


def read_json(path: Path) -> Any:
    """What ``write_json`` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or with a number where it is taken: two tables never become one."""
    part, figure = name.removesuffix("_figure"), name.endswith("_figure")
    number, free = 2, name
    while free in taken:
        free, number = f"{part}_{number}{'_figure' * figure}", number + 1
    return free


def find_saved(name: str, folders: Iterable[Path]) -> Path | None:
    """Where a stage saved something under that name: the first of the folders that holds it."""
    return next((p for folder in folders for p in (folder / name, *(folder / f"{name}{end}" for end in _FILES))
                 if p.is_dir() or (p.suffix in _FILES and p.exists())), None)


def save_responses(folder: Path, responses: Responses) -> None:
    """Write responses as a folder of tables and one JSON."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    for name in _TABLES:
        getattr(responses, name).to_parquet(folder / f"{name}.parquet")
    design, given = responses.design, responses.design.given
    columns = {"weight": design.weights, "domain": responses.domain, "stratum": design.strata,
               "cluster": design.clusters, "fpc": design.fpc, "silent": design.silent}
    for k, stage in enumerate(design.stages, 1):
        columns |= {f"{name}_{k}": getattr(stage, name) for name in ("clusters", "strata", "fpc")}
    columns |= {f"replicate_{r}": given.weights[:, r] for r in range(given.weights.shape[1])} if given else {}
    pd.DataFrame({"id": design.ids} | {name: c for name, c in columns.items() if c is not None}).to_parquet(
        folder / "design.parquet")
    write_json(folder / "questionnaire.json", {
        "sample": design.sample, "lonely": design.lonely_psu, "stages": len(design.stages),
        "given": given and {"scales": given.scales, "about": given.about, "df": given.df},
        "weighting": asdict(responses.weighting),
        "items": [asdict(item) for item in responses.questionnaire.values()]})


def load_responses(folder: Path) -> Responses:
    """What ``save_responses`` wrote."""
    import numpy as np
    import pandas as pd

    from tcslib.study.questionnaire import Item, Scale
    from tcslib.survey.design import Design, GivenReplicates, Stage
    from tcslib.survey.responses import Responses, WeightingPlan

    said, drawn = read_json(folder / "questionnaire.json"), pd.read_parquet(folder / "design.parquet")
    items = {d["name"]: Item(**{**d, "scale": Scale(**d["scale"]),
                                "missing_codes": {float(k): v for k, v in d["missing_codes"].items()}})
             for d in said["items"]}

    def column(name: str, kind: type = str) -> Any:
        return drawn[name].to_numpy().astype(kind) if name in drawn else None

    # a run of earlier says less: `rake` and `trim` alone, one stage, no rule for lonely strata
    plan = WeightingPlan.restored(said.get("weighting", said))
    stages = tuple(Stage(column(f"clusters_{k}"), column(f"strata_{k}"), column(f"fpc_{k}", float))
                   for k in range(1, said.get("stages", 0) + 1))
    given = said.get("given") and GivenReplicates(
        drawn.filter(regex=r"^replicate_[0-9]+$").to_numpy(float), np.array(said["given"]["scales"]),
        said["given"]["about"], said["given"]["df"])
    design = Design(column("id"), column("weight", float), column("stratum"), column("cluster"), said["sample"],
                    column("fpc", float), stages, said.get("lonely", "refuse"), given, column("silent", bool))
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in _TABLES}
    return Responses(**tables, questionnaire=items, design=design, weighting=plan,
                     domain=drawn["domain"].to_numpy(bool))
