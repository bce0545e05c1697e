"""One stage of the chain, as the notebook that is it sees it."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, TcsError
from tcslib.report.context import Context
from tcslib.report.records import Figure, Finding, Table, View
from tcslib.run.manifest import LANGUAGE, STAGES
from tcslib.run.store import find_saved, free_name, load_responses, plain, read_json, save_responses, write_json
from tcslib.run.watch import watched
from tcslib.study.load import Study, load
from tcslib.survey.responses import Responses
from tcslib.weighting.weights import kish

if TYPE_CHECKING:
    from tcslib.compare.waves import Wave
    from tcslib.index.scoring import Index
    from tcslib.measurement.assess import Measurement
    from tcslib.sampling.coverage import FrameState
    from tcslib.structure.fit import PlsFit

_VIEWS = {view: module for module, views in {
    "plan": "population sample_size plan_segments precision", "plan_design": "allocation design_picture",
    "cleaning": "source ledger missing flags", "field": "response progress early_late frame_check",
    "weights": "weights margins achieved deff_split",
    "measurement": "items reliability loadings cross_check",
    "structure": "paths explained index_score scores priorities",
    "loyalty": "loyalty_score recommendation curve", "groups": "segments brands", "trend": "trend",
    "policy": "policy", "frame": "frame",
}.items() for view in views.split()}


class Stage:
    """A stage at work: its study, what the stage before left, what it shows and leaves.

    Made by ``stage``; all paths are from the project's root.
    """

    def __init__(self, study: Study, stage_in: str, stage_out: str) -> None:
        self.study, self._in, self._out = watched(study), stage_in, stage_out
        self._context = Context(self.study)
        self._loads: set[str] = set()
        self._numbers: dict[str, Any] = {}
        self._tables: dict[str, Any] = {}
        folder = study.root / stage_out
        folder.mkdir(parents=True, exist_ok=True)
        for old in ("numbers.json", "done.json"):          # of an earlier run by hand
            (folder / old).unlink(missing_ok=True)

    def show(self, view: str, *results: Any) -> View:
        """Show results as tables, figures and findings; their numbers go to ``results.json``."""
        if view not in _VIEWS:
            raise InputRefused(f'"{view}" is not a view; there are {", ".join(_VIEWS)}.', "stage.show")
        out: View = getattr(import_module(f"tcslib.report.views.{_VIEWS[view]}"), view)(self._context, *results)
        noted = [*self._numbers.get("warnings", []), *out.numbers.get("warnings", [])]
        self._numbers |= {**out.numbers, "warnings": noted}
        for shown in out.shown:
            if isinstance(shown, Table | Figure):
                name = f"{shown.name}_figure" if isinstance(shown, Figure) else shown.name
                self._tables[free_name(name, self._tables)] = {
                    "title": shown.title, "columns": [str(c) for c in shown.data.columns],
                    "rows": shown.data.to_numpy(dtype=object).tolist(),
                    **({"print": [[c.head, *c.cells] for c in shown.columns]} if isinstance(shown, Table) else {})}
            elif isinstance(shown, Finding) and shown.role == "caution":
                noted.append(shown.text)
        return out

    def add_measurement(self, fit: PlsFit, measures: Measurement) -> None:
        """Items and constructs of ``results.json``, as far as the measurement model tells them."""
        moments, weights = fit.inference.estimate, fit.inference.estimate["weights"]
        of = [c.name for c in fit.model.constructs for _ in c.items]
        answered = ~np.isnan(fit.responses.matrix(fit.model.items)) & fit.responses.domain[:, None]
        self._numbers["items"] = []
        for i, (item, construct) in enumerate(zip(fit.model.items, of, strict=True)):
            deff, n_eff = kish(fit.replicates.sample_weights[answered[:, i]])
            self._numbers["items"].append({
                "item": item, "construct": construct, "loading": moments["loadings"][i], "outer_weight": weights[i],
                "mean": moments["mean"][i], "sd": moments["sd"][i], "n": answered[:, i].sum(), "n_eff": n_eff,
                "deff": deff})
        table = measures.table().rename(columns={"construct": "name"})
        self._numbers["constructs"] = table[["name", "alpha", "rho_a", "rho_c", "ave"]].to_dict("records")

    def add_index(self, index: Index) -> None:
        """Construct scores of ``results.json``; they join what the measurement model told."""
        table = index.table().rename(columns={"construct": "name", "estimate": "score"})
        self._numbers["construct_scores"] = table[["name", "score", "se", "se_fixed", "low", "high"]].to_dict("records")
        self.save("definition", {name: dict(zip(parts["item"], parts["share"], strict=True)) for name, parts in
                                 ((c, index.formula(c)) for c in index.fit.model.names)})

    def earlier(self) -> list[Wave]:
        """The waves this one is compared with, oldest first, from their published runs; none where none is named."""
        from tcslib.run.history import as_wave, base_of, earlier_runs

        base = base_of((self.study.root / self._out).resolve(), self.study.root)
        return [as_wave(run) for run in earlier_runs(self.study, base)]

    def customers(self) -> FrameState | None:
        """The study's customer list and the sample drawn from it, in counts; None where it states no list."""
        from tcslib.run.customers import state
        from tcslib.run.history import base_of, earlier_runs

        if (frame := self.study.params.frame) is None:
            return None
        before: Any = {}
        if not frame.since and self.study.params.compare.previous:
            base = base_of((self.study.root / self._out).resolve(), self.study.root)
            before = earlier_runs(self.study, base)[-1].params
        return state(self.study, before)

    def save(self, name: str, value: Any) -> None:
        """Leave something for the stages after this one: responses, a table, or what JSON can hold."""
        folder = self.study.root / self._out
        if isinstance(value, Responses):
            save_responses(folder / name, value)
        elif isinstance(value, pd.DataFrame):
            value.to_parquet(folder / f"{name}.parquet")
        else:
            write_json(folder / f"{name}.json", value)

    def load(self, name: str) -> Any:
        """Take what an earlier stage left under that name."""
        before = self.study.root / self._in
        if not self._in or not (before / "done.json").exists():
            number = STAGES.index(Path(self._out).name) if Path(self._out).name in STAGES else 1
            raise InputRefused(f"the stage before has not been run there. Run notebooks/{STAGES[number - 1]}.ipynb "
                               "first, or the whole chain with `tcs run`.", f"stage_in {self._in or '(empty)'}")
        self._loads.add(name)
        if found := find_saved(name, [before, *(before.parent / s for s in STAGES)]):
            if found.suffix == ".parquet":
                return pd.read_parquet(found)
            return load_responses(found) if found.is_dir() else read_json(found)
        raise InputRefused(f'no earlier stage left "{name}". Run the chain again with `tcs run`.', self._in)

    def close(self) -> str:
        """Write the stage's numbers, and what it read as the mark that it is done; returns where."""
        folder = self.study.root / self._out
        write_json(folder / "numbers.json", {"numbers": plain(self._numbers), "tables": plain(self._tables)})
        write_json(folder / "done.json", {"stage": folder.name, "reads": sorted(self.study.reads),
                                          "loads": sorted(self._loads)})
        return self._out


def stage(params: str, stage_in: str, stage_out: str) -> Stage:
    """Open a stage of a study.

    Parameters
    ----------
    params
        The study, ``params/<client>/<wave>.yaml``; ``?language=zh`` behind it overrides the report's language.
    stage_in
        Folder the stage before wrote, empty for the first.
    stage_out
        Folder this stage writes.
    """
    _show_faults_as_lines()
    path, _, language = params.partition(LANGUAGE)
    return Stage(load(path, language), stage_in, stage_out)


def _show_faults_as_lines() -> None:
    """In a notebook, show a known fault as its lines; a traceback through the library helps nobody there."""
    shell = get_ipython() if (get_ipython := getattr(sys.modules.get("IPython"), "get_ipython", None)) else None
    if shell is None or not hasattr(shell, "_showtraceback"):
        return

    def show(shell: Any, kind: type[TcsError], fault: TcsError, trace: Any, tb_offset: Any = None) -> None:
        shell._showtraceback(kind, fault, fault.lines)

    shell.set_custom_exc((TcsError,), show)
