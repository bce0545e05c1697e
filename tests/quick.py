"""All of the runner but kernels and papermill: notebooks' cells are run where one stands, in milliseconds."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

from tcslib.report.records import View
from tcslib.run import pipeline


class NoKernels:
    """Stands where kernels would: nothing to take, nothing to release."""

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> NoKernels:
        return self

    def __exit__(self, *_: object) -> None: ...

    def take(self, more: bool) -> None: ...

    def release(self) -> None: ...


def execute(study: Any, notebook: Path, kernel: None, stage_in: Path | None, stage_out: Path, logs: Path,
            kept: Path) -> None:
    """A notebook's cells, run in this process; its copy in the log."""
    space = {"params": str(study.root / study.path), "stage_in": str(stage_in or ""), "stage_out": str(stage_out)}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"][1:]:
        if cell["cell_type"] == "code":
            exec(cell["source"], space)
    shutil.copyfile(notebook, logs / notebook.name)


def shown(study: Any, notebook: Path, kernel: None, stage_in: Path | None, stage_out: Path, logs: Path,
          kept: Path) -> None:
    """The project's own notebooks run in this process, with what their cells show in the copy, as the page needs it."""
    space = {"params": str(study.root / study.path), "stage_in": str(stage_in or ""), "stage_out": str(stage_out)}
    book = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        if cell["cell_type"] != "code" or "parameters" in cell["metadata"].get("tags", []):
            continue
        lines = ast.parse("".join(cell["source"])).body
        last = lines.pop() if isinstance(lines[-1], ast.Expr) else None
        exec(compile(ast.Module(lines, []), notebook.name, "exec"), space)
        seen = eval(compile(ast.Expression(last.value), notebook.name, "eval"), space) if last else None
        if isinstance(seen, View):
            data = json.loads(json.dumps(seen._repr_mimebundle_()))
            cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    (logs / notebook.name).write_text(json.dumps(book), encoding="utf-8")


def stand_in(books: Path, set_to: Any = setattr, how: Any = execute) -> None:
    """Let the pipeline run these notebooks in this way; ``set_to`` is ``setattr`` or a monkeypatch's."""
    for name, value in (("NOTEBOOKS", books), ("STAGES", tuple(sorted(p.stem for p in books.glob("*.ipynb")))),
                        ("Kernels", NoKernels), ("_execute", how)):
        set_to(pipeline, name, value)
