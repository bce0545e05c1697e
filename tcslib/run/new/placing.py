"""Files put where they belong: all of them or none, and never over another."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from tcslib.errors import InputRefused
from tcslib.fieldwork.source import sha256


def project_root() -> Path:
    """The folder that holds ``params``: the working folder or the nearest one above it, else the library's own."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir():
            return folder
    library = Path(__file__).resolve().parents[3]
    return library if (library / "params").is_dir() else here


def copy_target(file: Path, root: Path, client: str) -> tuple[Path, bool]:
    """Where a client's file goes below the root, and whether it is there already.

    Raises
    ------
    InputRefused
        When a different file of that name is there.
    """
    target = root / "data" / "raw" / client / file.name
    if not target.exists():
        return target, False
    if not target.is_file() or sha256(target) != sha256(file):
        raise InputRefused(f"a different file of that name is in data/raw/{client} already. Rename one of the two.",
                           str(file))
    return target, True


def place(root: Path, copies: Mapping[Path, Path], texts: Mapping[Path, str], check: Callable[[], None]) -> None:
    """Copy files and write texts, each aside and renamed; whatever happens before the end, nothing stays.

    Parameters
    ----------
    copies
        For each new file the one it is a copy of.
    texts
        For each new file its content.
    check
        Called when all are in place; what it raises undoes them.
    """
    aside, made, folders = {}, [], []
    try:
        for target in (*copies, *texts):
            folders += _made(target.parent, root)
            aside[target] = target.with_name(f".{uuid.uuid4().hex[:8]}.part")
        for target, source in copies.items():
            shutil.copyfile(source, aside[target])
        for target, text in texts.items():
            aside[target].write_text(text, encoding="utf-8", newline="\n")
        for target, part in aside.items():
            if target.exists():
                raise InputRefused("is there already. Nothing was written.", target.relative_to(root).as_posix())
            os.rename(part, target)
            made.append(target)
        check()
    except BaseException:
        for path in (*aside.values(), *made):
            path.unlink(missing_ok=True)
        for folder in reversed(folders):
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def _made(folder: Path, root: Path) -> list[Path]:
    """Make a folder and those above it; returns the new ones, the outermost first."""
    new = [f for f in (folder, *folder.parents) if not f.exists() and f.is_relative_to(root)]
    folder.mkdir(parents=True, exist_ok=True)
    return new[::-1]
