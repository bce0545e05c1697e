"""All of the runner but kernels and papermill: notebooks' cells are run where one stands, in milliseconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

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


def stand_in(books: Path, set_to: Any = setattr) -> None:
    """Let the pipeline run these notebooks in this way; ``set_to`` is ``setattr`` or a monkeypatch's."""
    for name, value in (("NOTEBOOKS", books), ("STAGES", tuple(sorted(p.stem for p in books.glob("*.ipynb")))),
                        ("Kernels", NoKernels), ("_execute", execute)):
        set_to(pipeline, name, value)
