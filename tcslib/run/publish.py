"""Versions of a report: made aside, renamed into place as a whole, never written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tcslib import __version__
from tcslib.errors import RunFailed
from tcslib.report.context import Context
from tcslib.report.office import write_tables
from tcslib.report.page.build import build_page
from tcslib.report.summary import summary
from tcslib.report.wording import DASH
from tcslib.run.cache import RECORD
from tcslib.run.manifest import changed_keys, manifest, run_id, sha256
from tcslib.run.store import aside, free_name, read_json, write_json
from tcslib.run.versions import ASIDE, VERSION, place, point_to_latest, versions
from tcslib.study.load import Study
from tcslib.study.params import StudyParams

# where results.json has what a stage tells under another name
_TOLD_AS = {"construct_scores": ["constructs"], "index": ["index", "trend"]}
_NEEDED = {"n": "2_cleaning", "design": "2_cleaning", "index": "4_structural_model"}


def merge(folder: Path, stages: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The numbers and tables of all stages as one; warnings of all are kept."""
    numbers: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    warnings: list[str] = []
    for stage in stages:
        left = read_json(folder / stage / "numbers.json")
        warnings += left["numbers"].pop("warnings", [])
        numbers |= left["numbers"]
        for name, table in left["tables"].items():
            tables[free_name(name, tables)] = table
    for name, stage in _NEEDED.items():
        if not numbers.get(name):
            raise RunFailed(f'leaves no "{name}" for results.json. Restore what it shows.', f"notebooks/{stage}.ipynb")
    return numbers | {"warnings": warnings}, tables


def told(folder: Path, stages: tuple[str, ...]) -> dict[str, Any]:
    """For each stage what it read and loaded, and which parts of ``results.json`` it told."""
    out: dict[str, Any] = {}
    tables: dict[str, None] = {}
    for stage in stages:
        left, record = read_json(folder / stage / "numbers.json"), folder / stage / RECORD
        said = read_json(record) if record.exists() else {}
        names = [k for key in left["numbers"] for k in _TOLD_AS.get(key, [key]) if k != "warnings"]
        for name in left["tables"]:
            free = free_name(name, tables)
            tables[free] = None
            names.append(f"tables.{free}")
        out[stage] = {"reads": said.get("reads", list(StudyParams.model_fields)), "loads": said.get("loads", {}),
                      "results": names}
    return out


def results(study: Study, identity: str, version: str, numbers: Mapping[str, Any],
            tables: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``results.json``."""
    numbers = dict(numbers)
    scores = {row["name"]: row for row in numbers.pop("construct_scores", [])}
    constructs = [{"name": row["name"]} | scores.get(row["name"], {}) | row for row in numbers.pop("constructs", [])]
    index = numbers["index"]
    wave = {"wave": study.params.wave, **{k: index[k] for k in ("score", "se", "low", "high")}}
    settings = study.params.model_dump(mode="json", include={
        "pls", "measurement", "replicates", "cleaning", "weighting", "design", "sample", "scale", "missing_codes"})
    # what no stage has told is there all the same, empty
    told = {"items": [], "paths": [], "r2": {}, "total_effects": [], "htmt": [], "nps": {}, "loyalty": {},
            "trend": [wave], "segments": [], "cleaning": [], **numbers}
    return {"id": identity, "version": version, "client": study.params.client, "wave": study.params.wave,
            "n": told.pop("n"), **told, "constructs": constructs,
            "settings": {**settings, "interval": Context(study).ci()}, "tables": tables}


def publish(study: Study, work: Path, notebooks: list[Path], made_of: Mapping[str, Any], reports: Path,
            stages: tuple[str, ...], kept: Mapping[str, str], keep: Callable[[str], None]) -> tuple[Path, list[str]]:
    """Make the next version and rename it into place.

    Parameters
    ----------
    kept
        Hashes of what is kept for later waves.
    keep
        Called with the version when all is made and nothing published: puts the stages' data where later runs look
        for them. Killed in between, the next run makes both again.

    Returns
    -------
    The version's folder, and what the page left out of the notebooks' outputs.
    """
    folder = place(reports, study)
    folder.mkdir(parents=True, exist_ok=True)
    before = versions(folder)
    # past every folder there is, also one that is no version of ours
    version = f"v{1 + max((int(m[1]) for p in folder.iterdir() if (m := VERSION.match(p.name))), default=0)}"
    with aside(folder / version, ASIDE) as made:
        made.mkdir()
        numbers, tables = merge(work, stages)
        found = results(study, run_id(made_of), version, numbers, tables)
        page, dropped = _page(study, notebooks, found, made_of, before)
        name = f"{study.params.client}-{study.params.wave}-{version}.html"
        (made / name).write_text(page, encoding="utf-8", newline="\n")
        write_json(made / "results.json", found)
        write_tables(made / "tables.xlsx", {k: t for k, t in tables.items() if not k.endswith("_figure")})
        outputs = {p.name: sha256(p) for p in sorted(made.iterdir())}
        write_json(made / "manifest.json", manifest(study, version, made_of, told(work, stages), outputs, kept))
        keep(version)
    point_to_latest(folder)
    return folder / version, dropped


def _page(study: Study, notebooks: list[Path], found: Mapping[str, Any], made_of: Mapping[str, Any],
          before: list[Path]) -> tuple[str, list[str]]:
    context = Context(study)
    words, software = context.words, made_of["software"]
    comma = words("format.comma")
    provenance = [
        (words("provenance.report"),
         comma.join([f"{study.params.client}-{study.params.wave}-{found['version']}", found["id"]])),
        (words("provenance.data"), words.series(comma.join([file, f"sha256 {data}"])
                                                for file, data in made_of["data"].items())),
        *((words("customers.provenance_draw" if name.endswith("draw.json") else "customers.provenance"),
           comma.join([name, f"sha256 {sha}"]))
          for name, sha in made_of.get("frame", {}).items()),
        *([(words("provenance.waves"), words.series(
            comma.join([f"{study.params.client}-{wave}", run]) for wave, run in made_of["waves"].items()))]
          if made_of["waves"] else []),
        (words("provenance.settings"), words.parted(sorted(
            {study.path, *study.origins.values()}, key=lambda name: (name.startswith("--"), name)))),
        (words("provenance.code"), words("provenance.program", version=software.get("tcslib", __version__),
                                         sha=made_of["library"][:12])),
        (words("provenance.reuse"), words("provenance.software", python=made_of["python"], platform=made_of["platform"],
                                          **{k: software.get(k, DASH) for k in ("numpy", "pandas", "scipy")}))]
    values = {"title": study.title, "client": study.params.client, "wave": words.wave(study.params.wave),
              "version": found["version"], "id": found["id"], "summary": summary(context, found),
              "provenance": provenance, "before": before[-1].name if before else "",
              "changes": changes(context, before[-1], found, made_of) if before else []}
    return build_page(words, notebooks, values)


def changes(context: Context, before: Path, found: Mapping[str, Any], made_of: Mapping[str, Any]) -> list[str]:
    """What differs from the version before, in sentences."""
    words, old = context.words, read_json(before / "manifest.json")["inputs"]
    out = []
    if old["data"] != made_of["data"]:
        out.append(words("provenance.change.data"))
    if old.get("frame") != made_of.get("frame"):
        out.append(words("customers.changed"))
    if keys := changed_keys(old["params"], made_of["params"]):
        out.append(words("provenance.change.params", keys=words.parted(keys)))
    if names := changed_keys(old["notebooks"], made_of["notebooks"]):
        out.append(words("provenance.change.notebooks", names=words.parted(names)))
    if old["library"] != made_of["library"]:
        out.append(words("provenance.change.library"))
    if names := changed_keys({**old["software"], "Python": old["python"]},
                             {**made_of["software"], "Python": made_of["python"]}):
        few = [*names[:8], *(["…"] if len(names) > 8 else [])]
        out.append(words("provenance.change.software", names=words.parted(few)))
    if names := changed_keys(old.get("waves", {}), made_of["waves"]):
        out.append(words("provenance.change.waves", names=words.parted(map(words.wave, names))))
    if old.get("unconfirmed", 0) != made_of["unconfirmed"]:
        out.append(words("provenance.change.unconfirmed", before=words.number(old.get("unconfirmed", 0), 0),
                         after=words.number(made_of["unconfirmed"], 0)))
    if old["platform"] != made_of["platform"]:
        out.append(words("provenance.change.other"))
    was, now = read_json(before / "results.json")["index"]["score"], found["index"]["score"]
    out.append(words("provenance.change.index", before=words.number(was, 1), after=words.number(now, 1)))
    return out
