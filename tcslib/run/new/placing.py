"""Files put where they belong: all of them or none, and never over another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tcslib.errors import InputRefused
from tcslib.fieldwork.source import sha256


def copy_target(file: Path, root: Path, client: str) -> Path:
    """Where a client's file goes below the root; refused when a different file of that name is there."""
    target = root / "data" / "raw" / client / file.name
    if target.exists() and (not target.is_file() or sha256(target) != sha256(file)):
        raise InputRefused(f"a different file of that name is in data/raw/{client} already. Rename one of the two.",
                           str(file))
    return target


def place(root: Path, source: Path, copy: Path, texts: Mapping[Path, str]) -> list[Path]:
    """Copy a file, unless it is there, and write texts; whatever happens before the end, nothing stays.

    Returns
    -------
    The files that are new.
    """
    made: list[Path] = []
    with TemporaryDirectory(prefix=".new-", dir=root) as folder:
        aside = {target: Path(folder, str(number)) for number, target in enumerate(texts)}
        for target, text in texts.items():
            aside[target].write_text(text, encoding="utf-8", newline="\n")
        if not copy.exists():
            shutil.copyfile(source, aside.setdefault(copy, Path(folder, "copy")))
        try:
            for target, part in aside.items():
                if target.exists():
                    raise InputRefused("is there already. Nothing was written.", target.relative_to(root).as_posix())
                target.parent.mkdir(parents=True, exist_ok=True)
                made.append(target)
                os.rename(part, target)
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
                for parent in path.parents:
                    if parent == root or any(parent.iterdir()):
                        break
                    parent.rmdir()
            raise
    return made
