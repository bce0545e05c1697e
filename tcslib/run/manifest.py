"""What a run was made of: the id that changes when any of it does, and what differs between two runs."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import tcslib
from tcslib.fieldwork.source import sha256
from tcslib.run.store import plain
from tcslib.study.load import Study
from tcslib.study.params import StudyParams

LIBRARY = Path(tcslib.__file__).parent
NOTEBOOKS = LIBRARY.parent / "notebooks"
LANGUAGE = "?language="          # between a study's path and the language that overrides its own
STAGES = ("1_sampling_plan", "2_cleaning", "3_measurement_model", "4_structural_model", "5_loyalty_analysis")
_SOURCES = {".py", ".yaml", ".j2", ".css", ".json", ".ttf"}


def hash_of(value: Any) -> str:
    """Hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@cache
def library_hash() -> str:
    """Hash of the library with its templates and phrases."""
    files = sorted(p for p in LIBRARY.rglob("*") if p.suffix in _SOURCES and "__pycache__" not in p.parts)
    return hash_of([(p.relative_to(LIBRARY).as_posix(), sha256(p)) for p in files])


# numpy-2.3.1.dist-info; conda's older packages say foo-1.0-py3.11.egg-info
_INSTALLED = re.compile(r"(.+?)-([^-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info\Z")


@cache
def installed() -> Mapping[str, str]:
    """Every installed distribution with its version, as the names of their folders say it.

    The packaging standards fix those names (https://packaging.python.org/specifications/recording-installed-packages);
    to open 150 files of metadata instead would take longer than all else a run without changes does.
    """
    found: dict[str, str] = {}
    for place in sys.path:
        names = os.listdir(place or ".") if os.path.isdir(place or ".") else []
        for said in filter(None, map(_INSTALLED.match, sorted(names))):
            found.setdefault(re.sub(r"[-_.]+", "-", said[1]).lower(), said[2])
    return dict(sorted(found.items()))


def _commit() -> str | None:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=LIBRARY.parent, capture_output=True, text=True,
                               encoding="utf-8", timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def resolved(params: StudyParams) -> dict[str, Any]:
    """The parameters with every default. A plan that is not stated is left out, because the report says so."""
    out: dict[str, Any] = json.loads(params.model_dump_json())
    return out if params.plan.model_fields_set else {k: v for k, v in out.items() if k != "plan"}


def log_of(list_file: Path) -> Path:
    """Where the log of a customer list's changes lies: beside it."""
    return list_file.with_name(f"{list_file.stem}-log.csv")


def draws(study: Study) -> list[Path]:
    """Folders of the samples drawn for a study, oldest first."""
    folder = study.root / "data" / "processed" / study.params.client / study.params.wave / "draw"
    found = [p for p in folder.glob("v*") if re.fullmatch(r"v[1-9][0-9]*", p.name) and (p / "draw.json").is_file()]
    return sorted(found, key=lambda p: int(p.name[1:]))


def _list(study: Study) -> dict[str, dict[str, str]]:
    """Hashes of what a report tells of the customer list: its file, its log, the record of the newest draw."""
    if study.params.frame is None:
        return {}
    path = study.root / study.params.frame.file
    files = [path, log_of(path), *(folder / "draw.json" for folder in draws(study)[-1:])]
    return {"frame": {p.relative_to(study.root).as_posix(): sha256(p) for p in files if p.is_file()}}


def inputs(study: Study, notebooks: Sequence[Path], waves: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All that determines a run's content, ids of the earlier waves' runs among it; its hash is the run's id."""
    files = [study.params.data.file, *(file for _, file in study.params.fieldwork.files)]
    return {"data": {file: sha256(study.root / file) for file in files}, **_list(study),
            "params": resolved(study.params), "waves": dict(waves or {}), "unconfirmed": len(study.unconfirmed),
            "notebooks": {p.name: sha256(p) for p in notebooks}, "library": library_hash(),
            "software": dict(installed()), "python": ".".join(platform.python_version_tuple()[:2]),
            "platform": f"{platform.system()} {platform.machine()}"}


def run_id(made_of: Mapping[str, Any]) -> str:
    """The id: twelve hexadecimal digits."""
    return hash_of(made_of)[:12]


def manifest(study: Study, version: str, made_of: Mapping[str, Any], stages: Mapping[str, Any],
             outputs: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, Any]:
    """The record delivered beside a report. The commit is told, and no part of the id."""
    return {"id": run_id(made_of), "client": study.params.client, "wave": study.params.wave, "version": version,
            "seed": study.params.replicates.seed, "commit": _commit(), "inputs": made_of, "stages": stages,
            "outputs": outputs, "kept": kept}


def changed_keys(before: Any, after: Any, prefix: str = "") -> list[str]:
    """Dotted addresses at which two nested mappings differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [k for key in sorted({*before, *after})
                for k in changed_keys(before.get(key), after.get(key), f"{prefix}{key}.")]
    return [] if before == after else [prefix.rstrip(".")]
