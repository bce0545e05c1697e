"""When a stage need not run again: what it was made of is unchanged, and what it left is as it left it.

Every stage leaves a record beside its results: its key, the parts the key is the hash of, and the hashes of its
results. The record is written last and moved into place together with them, so that it never speaks of results that
are not there; and the results are hashed again before they are used.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tcslib.run.manifest import hash_of, sha256
from tcslib.run.store import find_saved, read_json, write_json
from tcslib.study.params import StudyParams

RECORD = "record.json"


def declared(notebook: Path) -> set[str]:
    """The sections of the study a notebook says it reads, in its metadata as ``tcs.reads``."""
    return set(read_json(notebook)["metadata"].get("tcs", {}).get("reads", [])) & set(StudyParams.model_fields)


def parts_of(stage: str, stages: Sequence[str], made_of: Mapping[str, Any], reads: set[str], loads: Sequence[str],
             work: Path) -> dict[str, Any]:
    """What a stage's results depend on; its key is the hash of this.

    Parameters
    ----------
    made_of
        What the run is made of, see ``manifest.inputs``.
    reads
        Sections of the study the stage reads. Who reads ``data`` depends on the file of answers; who reads
        ``frame``, on the customer list; who reads ``compare``, on the runs of earlier waves (``waves`` of ``made_of``)
        the study is compared with.
    loads
        Names of saved results the stage loads from stages before it, which lie in ``work`` by now.
    """
    before = stages[:stages.index(stage)]
    saved = {name: find_saved(name, [work / s for s in [*before[-1:], *before]]) for name in loads}
    return {"notebook": made_of["notebooks"][f"{stage}.ipynb"],
            **{part: made_of[part] for part in ("library", "software", "python", "platform")},
            "params": {name: made_of["params"].get(name) for name in sorted(reads)},
            "data": made_of["data"] if "data" in reads else {},
            "waves": made_of.get("waves", {}) if "compare" in reads else {},
            **({"frame": made_of["frame"]} if "frame" in made_of and "frame" in reads else {}),
            "loads": {name: [at.parent.name, hash_of(_hashes(at))] if at else None for name, at in saved.items()}}


def _hashes(place: Path) -> dict[str, str]:
    """Hashes of a file, or of every file in a folder except the record itself."""
    files = sorted(p for p in place.rglob("*") if p.is_file()) if place.is_dir() else [place]
    return {p.relative_to(place.parent).as_posix(): sha256(p) for p in files if p.name != RECORD}


def _results(stage: str, work: Path) -> dict[str, str]:
    return _hashes(work / stage) | _hashes(work / "log" / f"{stage}.ipynb")


def record(notebook: Path, stages: Sequence[str], made_of: Mapping[str, Any], work: Path) -> None:
    """Write down what a stage that has just run was made of. One that does not say what it read is never kept."""
    stage = notebook.stem
    said = read_json(work / stage / "done.json")
    known = {"reads", "loads"} <= set(said)
    reads = declared(notebook) | set(said["reads"]) if known else set(StudyParams.model_fields)
    parts = parts_of(stage, stages, made_of, reads, said["loads"] if known else [], work)
    write_json(work / stage / RECORD, {"key": hash_of(parts) if known else None, "reads": sorted(reads),
                                       "loads": parts["loads"], "results": _results(stage, work)})


def keep(notebook: Path, stages: Sequence[str], made_of: Mapping[str, Any], processed: Path, work: Path) -> bool:
    """Copy a stage's results of an earlier run to ``work``, if they are what it would leave again.

    A stage reads the same sections as before as long as these hold the same, so what it was seen to read decides
    together with what its notebook declares.
    """
    stage = notebook.stem
    try:
        said = read_json(processed / stage / RECORD)
        parts = parts_of(stage, stages, made_of, declared(notebook) | set(said["reads"]), list(said["loads"]), work)
        if said["key"] != hash_of(parts):
            return False
        shutil.copytree(processed / stage, work / stage)
        shutil.copyfile(processed / "log" / notebook.name, work / "log" / notebook.name)
        if said["results"] == _results(stage, work):
            return True
    except (OSError, ValueError, KeyError, TypeError, AttributeError):          # no record, or not one of ours
        pass
    shutil.rmtree(work / stage, ignore_errors=True)
    (work / "log" / notebook.name).unlink(missing_ok=True)
    return False
