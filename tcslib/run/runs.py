"""Runs that were published, by their names: ``client/wave`` for its latest version, or ``client/wave/v2``."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tcslib.errors import InputRefused, RunFailed
from tcslib.run.manifest import LIBRARY
from tcslib.run.store import read_json
from tcslib.run.versions import VERSION, versions
from tcslib.study.strict_yaml import clipped, meant


@dataclass(frozen=True)
class Run:
    """A published version: its folder, the project its inputs lie in, its manifest."""

    folder: Path
    root: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """``client/wave/v2``."""
        return f"{self.manifest['client']}/{self.manifest['wave']}/{self.folder.name}"

    def results(self) -> dict[str, Any]:
        """The content of results.json."""
        return _json(self.folder / "results.json")


def _json(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
        if isinstance(found, dict):
            return found
    except (OSError, ValueError):
        pass
    raise RunFailed("cannot be read: not as published. Restore it, or take its folder out of reports.", str(path))


def project() -> Path:
    """The project one works in: the nearest folder with ``params`` in it, else the one this program came with."""
    here = Path.cwd()
    return next((p for p in (here, *here.parents) if (p / "params").is_dir()), LIBRARY.parent)


def _run(version: Path, root: Path) -> Run:
    said = _json(version / "manifest.json")
    if not {"id", "client", "wave", "inputs", "outputs"} <= set(said):
        raise RunFailed("is no manifest of a run. Restore it, or take its folder out of reports.",
                        str(version / "manifest.json"))
    return Run(version, root, said)


def find_run(name: str, out: Path | None = None) -> Run:
    """The run of that name.

    Raises
    ------
    InputRefused
        When there is none.
    RunFailed
        When its manifest cannot be read.
    """
    root = project()
    reports = (out or root) / "reports"
    parts = name.replace("\\", "/").strip("/").removeprefix("reports/").split("/")
    if not 2 <= len(parts) <= 3 or set(parts) & {"", ".", ".."} or (len(parts) == 3 and not VERSION.match(parts[2])):
        raise InputRefused("a run is expected: client/wave, or client/wave/v2.", clipped(name))
    found = versions(reports / parts[0] / parts[1])
    chosen = [v for v in found if len(parts) == 2 or v.name == parts[2]]
    if chosen:
        return _run(chosen[-1], root)
    if found:
        raise InputRefused(f"there is no such version; there are {found[0].name} to {found[-1].name}.", clipped(name))
    there = (f"{wave.parent.name}/{wave.name}" for wave in waves(reports))
    raise InputRefused("there is no such run. " + meant(
        "/".join(parts[:2]), there, "`tcs list` names those there are.", show=clipped), clipped(name))


def waves(reports: Path) -> list[Path]:
    """The folders of all waves with a published version."""
    return [w for w in sorted(reports.glob("*/*")) if w.is_dir() and versions(w)]


def list_runs(client: str = "", out: Path | None = None) -> list[str]:
    """Every wave's latest version, a line each, below a line of headings.

    The date is the manifest's on the disk: files that are delivered hold no times.
    """
    root = project()
    found = waves((out or root) / "reports")
    clients = sorted({w.parent.name for w in found})
    if client and client not in clients:
        raise InputRefused(f"has no runs; there are runs of {', '.join(clients) or 'no client'}.", clipped(client))
    rows = [["run", "published", "n", "index", "95% interval", "id", "language", "title"]]
    for wave in found:
        if client not in {"", wave.parent.name}:
            continue
        newest = versions(wave)[-1]
        try:
            run = _run(newest, root)
            rows.append([run.name, date.fromtimestamp((newest / "manifest.json").stat().st_mtime).isoformat(),
                         *_said(run.results()), run.manifest["id"], *_words(run.manifest["inputs"]["params"])])
        except (RunFailed, KeyError, TypeError):
            rows.append([f"{wave.parent.name}/{wave.name}/{newest.name}", "not as published; see `tcs verify`"])
    return aligned(rows, right={2, 3}) if len(rows) > 1 else ["No runs yet; `tcs run` or `tcs demo` makes one."]


def _said(found: Mapping[str, Any]) -> list[str]:
    """N, index and interval as text."""
    index = found["index"]
    limits = [index.get("low"), index.get("high")]
    return [str(found["n"]), f"{index['score']:.1f}", "–" if None in limits else "{:.1f} to {:.1f}".format(*limits)]


def _words(params: Mapping[str, Any]) -> list[str]:
    """Language and title as readers see it."""
    title, language = params["title"], params["language"]
    return [language, title.get(language) or title.get("") or next(iter(title.values()), params["client"])]


def width(text: str) -> int:
    """Columns a text takes on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def aligned(rows: Sequence[Sequence[str]], right: set[int] | None = None) -> list[str]:
    """Rows of cells as lines with straight columns; ``right`` are those aligned right."""
    most = [max((width(row[k]) for row in rows if k < len(row) - 1), default=0) for k in range(max(map(len, rows)))]

    def cell(k: int, text: str, last: bool) -> str:
        blanks = " " * max(0, most[k] - width(text))
        return text if last else blanks + text if k in (right or ()) else text + blanks

    return ["  ".join(cell(k, text, k == len(row) - 1) for k, text in enumerate(row)).rstrip() for row in rows]
