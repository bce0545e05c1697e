"""What a run was made of: the id that changes when any of it does, and what differs between two runs."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import tcslib
from tcslib.run.store import plain
from tcslib.study.load import Study

LIBRARY = Path(tcslib.__file__).parent
NOTEBOOKS = LIBRARY.parent / "notebooks"
_SOURCES = {".py", ".yaml", ".j2", ".css", ".json", ".ttf"}


def sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@cache
def library_hash() -> str:
    """Hash of the library with its templates and phrases."""
    files = sorted(p for p in LIBRARY.rglob("*") if p.suffix in _SOURCES and "__pycache__" not in p.parts)
    return _hash([(p.relative_to(LIBRARY).as_posix(), sha256(p)) for p in files])


@cache
def installed() -> Mapping[str, str]:
    """Every installed distribution with its version."""
    return dict(sorted({d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()
                        if d.metadata["Name"]}.items()))


def _commit() -> str | None:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=LIBRARY.parent, capture_output=True, text=True,
                               encoding="utf-8", timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def inputs(study: Study, notebooks: Sequence[Path], waves: Mapping[str, str]) -> dict[str, Any]:
    """All that determines a run's content, ids of the earlier waves' runs among it; its hash is the run's id."""
    return {"data": {study.params.data.file: sha256(study.root / study.params.data.file)},
            "params": json.loads(study.params.model_dump_json()), "waves": dict(waves),
            "notebooks": {p.name: sha256(p) for p in notebooks}, "library": library_hash(),
            "software": dict(installed()), "python": ".".join(platform.python_version_tuple()[:2]),
            "platform": f"{platform.system()} {platform.machine()}"}


def run_id(made_of: Mapping[str, Any]) -> str:
    """The id: twelve hexadecimal digits."""
    return _hash(made_of)[:12]


def manifest(study: Study, version: str, made_of: Mapping[str, Any], outputs: Mapping[str, str],
             kept: Mapping[str, str]) -> dict[str, Any]:
    """The record delivered beside a report."""
    return {"id": run_id(made_of), "client": study.params.client, "wave": study.params.wave, "version": version,
            "seed": study.params.replicates.seed, "commit": _commit(), "inputs": made_of, "outputs": outputs,
            "kept": kept}


def changed_keys(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Dotted addresses at which two nested mappings differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [k for key in sorted({*before, *after})
                for k in changed_keys(before.get(key), after.get(key), f"{prefix}{key}.")]
    return [] if before == after else [prefix.rstrip(".")]
