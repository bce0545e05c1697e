"""All of the runner but kernels and papermill: notebooks' cells are run where one stands.

A kernel takes more than a second to import what a notebook needs and milliseconds to run it. What is true only of
kernels of their own (what dies, hangs, leaks, differs by environment) is proven with them: by the demo's report, in
test_run.py, test_memory.py, test_papermill.py and test_bad_input.py. test_quick.py proves that this stand-in leaves the
same stages, numbers and page.

    python tests/quick.py demo --out DIR          any command of tcs, run in this way
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tcslib.run import pipeline
from tcslib.run.pipeline import Done
from tcslib.study.load import Study


class NoKernels:
    """Stands where kernels would: nothing to take, nothing to release."""

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> NoKernels:
        return self

    def __exit__(self, *_: object) -> None: ...

    def take(self, more: int) -> None: ...

    def release(self) -> None: ...


def execute(study: Any, notebook: Path, kernel: None, stage_in: Path | None, stage_out: Path, logs: Path,
            kept: Path) -> None:
    """A notebook's cells, run in this process; what they show goes with the copy in the log."""
    asked = study.origins.get("language", "").startswith("--")
    params = str(study.root / study.path) + (pipeline.LANGUAGE + study.params.language if asked else "")
    space = {"params": params, "stage_in": str(stage_in or ""), "stage_out": str(stage_out)}
    content = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
            cell["outputs"] = shown("".join(cell["source"]), space)
    (logs / notebook.name).write_text(json.dumps(content), encoding="utf-8")


def shown(source: str, space: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell as a kernel does; the output made of its last line, where that is an expression with a value."""
    body = ast.parse(source).body
    last = ast.Expression(body.pop().value) if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), space)
    value = eval(compile(last, "<cell>", "eval"), space) if last else None
    if value is None:
        return []
    bundle = getattr(value, "_repr_mimebundle_", lambda: {"text/plain": repr(value)})()
    return [{"output_type": "execute_result", "data": bundle, "metadata": {}, "execution_count": None}]


def stand_in(books: Path | None = None, set_to: Any = setattr) -> None:
    """Let the pipeline run in this way, these notebooks or its own; ``set_to`` is ``setattr`` or a monkeypatch's."""
    own = {} if books is None else {"NOTEBOOKS": books, "STAGES": tuple(sorted(p.stem for p in books.glob("*.ipynb")))}
    for name, value in {**own, "Kernels": NoKernels, "_execute": execute}.items():
        set_to(pipeline, name, value)


def run_here(study: Study, out: Path | None = None, say: pipeline.Say = lambda line: None) -> Done:
    """``pipeline.run`` in this way."""
    with pytest.MonkeyPatch.context() as patch:
        stand_in(set_to=patch.setattr)
        return pipeline.run(study, out, say)


if __name__ == "__main__":
    from tcslib.run.cli import main

    stand_in()
    main()
