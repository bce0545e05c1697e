"""Versions of a report as they lie on the disk: found, checked, pointed to. Nothing here imports pandas."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tcslib.errors import RunFailed
from tcslib.run.manifest import sha256
from tcslib.run.store import read_json, write_text
from tcslib.study.load import Study

VERSION = re.compile(r"v([1-9][0-9]*)\Z")
ASIDE = ".making-"


def versions(folder: Path) -> list[Path]:
    """Published versions of a wave, oldest first."""
    found = [p for p in folder.glob("v*") if VERSION.match(p.name) and (p / "manifest.json").exists()]
    return sorted(found, key=lambda p: int(p.name[1:]))


def page_of(version: Path) -> Path:
    """The page of a version."""
    found = next(version.glob("*.html"), None)
    if found is None:
        raise RunFailed("its page is missing: not as published. Restore it, or take the folder out of reports.",
                        str(version))
    return found


def published(folder: Path, identity: str) -> Path | None:
    """The newest version, if it was made of exactly the same.

    Raises
    ------
    RunFailed
        When it is not as it was published: a version is never written again, so neither is it repaired.
    """
    newest = next(reversed(versions(folder)), None)
    if newest is None:
        return None
    try:
        said = read_json(newest / "manifest.json")
        changed = [name for name, sha in said["outputs"].items()
                   if not (newest / name).is_file() or sha256(newest / name) != sha]
        same = said["id"] == identity
    except (ValueError, KeyError, AttributeError, TypeError):
        changed, same = ["manifest.json"], False
    if changed:
        raise RunFailed(f"{', '.join(changed)}: not as published. Restore it, or take the folder out of reports.",
                        str(newest))
    return newest if same else None


def place(reports: Path, study: Study) -> Path:
    """The folder of a wave's versions, which must lie within ``reports``."""
    folder = reports / study.params.client / study.params.wave
    if reports.resolve() not in folder.resolve().parents:
        raise RunFailed(f"{folder} leads outside {reports}. Remove the link.", "reports")
    return folder


def points_to(folder: Path) -> str:
    """The version ``latest.txt`` names, "" without one."""
    pointer = folder / "latest.txt"
    return pointer.read_text(encoding="utf-8").strip() if pointer.exists() else ""


def point_to_latest(folder: Path) -> None:
    """``latest.txt`` names the newest version; written anew whenever it does not."""
    newest = versions(folder)[-1].name
    if points_to(folder) != newest:
        write_text(folder / "latest.txt", newest + "\n")


def sweep(folder: Path) -> None:
    """Remove what a killed run left half made."""
    for left in folder.glob(f"{ASIDE}*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
