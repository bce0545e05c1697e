"""Earlier waves of a client: what a published version keeps for them, and how a later run finds it, by period.

Delivered files hold no respondent's row, so what a comparison needs lies with the processed data, beside the stages:
``data/processed/<client>/<wave>/kept/v<N>/``. The version's manifest holds its hashes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tcslib.errors import InputRefused
from tcslib.run.manifest import sha256
from tcslib.run.store import aside, load_responses, read_json
from tcslib.run.versions import versions
from tcslib.study.load import Study
from tcslib.study.params import ChangeParams

if TYPE_CHECKING:
    from tcslib.compare.waves import Wave

KEPT = {"answers": "2_cleaning", "definition.json": "4_structural_model"}          # what, and the stage that leaves it


def kept_hashes(stages: Path) -> dict[str, str]:
    """sha256 of every file a later wave will need, by its path in the kept folder."""
    files = [p for name, stage in KEPT.items() for p in ((stages / stage / name), *(stages / stage / name).rglob("*"))]
    return {Path(*p.relative_to(stages).parts[1:]).as_posix(): sha256(p) for p in sorted(files) if p.is_file()}


def keep(stages: Path, processed: Path, version: str) -> None:
    """Put what later waves need of a version where they look for it: made aside, renamed as a whole."""
    target = processed / "kept" / version
    with aside(target) as made:
        made.mkdir(parents=True)
        for name, stage in KEPT.items():
            source = stages / stage / name
            if source.exists():          # notebooks of one's own may leave neither; a later wave is then told
                (shutil.copytree if source.is_dir() else shutil.copy)(source, made / name)
        shutil.rmtree(target, ignore_errors=True)          # of a run that was killed before its report was in place


@dataclass(frozen=True)
class Earlier:
    """A published run of an earlier wave."""

    period: str
    version: str
    identity: str
    kept: Path
    params: Mapping[str, Any]


def earlier_runs(study: Study, base: Path) -> list[Earlier]:
    """The runs a study is compared with, oldest first: ``compare.previous``, and what that run was compared with.

    Parameters
    ----------
    base
        Folder that holds ``reports`` and ``data/processed``; runs it lacks are looked for in the project's root.

    Raises
    ------
    InputRefused
        When a wave has no published run, or what it kept is not as it was when it was published.
    """
    out: list[Earlier] = []
    period, client = study.params.compare.previous, study.params.client
    while period:
        if period == study.params.wave or period in {e.period for e in out}:
            raise InputRefused(f"leads back to {period}. Name the wave before.", f"{study.path}: compare.previous")
        out.append(_published(client, period, [base, study.root], study.path))
        period = out[-1].params.get("compare", {}).get("previous")
    return out[::-1]


def identities(study: Study, base: Path) -> dict[str, str]:
    """Period → id of the runs a study is compared with, oldest first."""
    return {run.period: run.identity for run in earlier_runs(study, base)}


def _published(client: str, period: str, bases: list[Path], where: str) -> Earlier:
    for base in bases:
        if found := versions(base / "reports" / client / period):
            said, version = read_json(found[-1] / "manifest.json"), found[-1].name
            hashes: Mapping[str, str] = said.get("kept", {})
            places = [b / "data" / "processed" / client / period / "kept" / version for b in bases]
            kept = next((p for p in places if hashes and all(
                (p / name).is_file() and sha256(p / name) == sha for name, sha in hashes.items())), None)
            if kept is None:
                raise InputRefused(f"what {client}/{period}/{version} kept for later waves is not there as it was "
                                   f"published. Restore {places[0]}, or publish {period} anew.",
                                   f"{where}: compare.previous")
            return Earlier(period, version, said["id"], kept, said["inputs"]["params"])
    raise InputRefused(f"{period} has no published run to compare with. Run it first: tcs run {client}/{period}. Or "
                       "drop the line.", f"{where}: compare.previous")


def bring(reports: Path, root: Path, client: str, waves: Mapping[str, str]) -> None:
    """Copy what a later wave needs of the runs with these ids, by period, from one project's folders to another's."""
    for period, identity in waves.items():
        found = [v for v in versions(reports / client / period) if read_json(v / "manifest.json")["id"] == identity]
        if not found:
            raise InputRefused(f"its run {identity}, which the report was compared with, is no longer there. Restore "
                               "it, and verify again.", f"{client}/{period}")
        there = root / "reports" / client / period / found[0].name
        there.mkdir(parents=True)
        shutil.copyfile(found[0] / "manifest.json", there / "manifest.json")
        kept = Path("data", "processed", client, period, "kept", found[0].name)
        if (reports.parent / kept).is_dir():
            shutil.copytree(reports.parent / kept, root / kept)


def as_wave(run: Earlier) -> Wave:
    """An earlier run's answers and definition of the index, read back."""
    from tcslib.compare.waves import Wave

    changes = {name: ChangeParams.model_validate({k: v for k, v in change.items() if v != {}})
               for name, change in run.params.get("changes", {}).items()}
    return Wave(run.period, load_responses(run.kept / "answers"), read_json(run.kept / "definition.json"), changes)


def base_of(stage_out: Path, root: Path) -> Path:
    """The folder above the ``data/processed`` a stage writes to, else the project's root."""
    parts = stage_out.parents
    return next((p.parent.parent for p in parts if p.name == "processed" and p.parent.name == "data"), root)
