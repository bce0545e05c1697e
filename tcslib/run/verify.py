"""Is a published report as it was published, is what it was made of unchanged, and does it come out again?"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tcslib.errors import InputRefused, TcsError
from tcslib.run import history
from tcslib.run.diff import SHOWN, Changes, compare, dotted, inputs_changed, printed
from tcslib.run.manifest import NOTEBOOKS, STAGES, inputs, run_id, sha256
from tcslib.run.runs import Run
from tcslib.run.store import read_json, write_json


def altered(run: Run) -> list[str]:
    """What is not as published: files missing, changed or added, a manifest that does not fit itself.

    The manifest's commit is no part of the id: the same run from another checkout may say another.
    """
    outputs = run.manifest["outputs"]
    there = {p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*") if p.is_file()} - {"manifest.json"}
    out = [f"{name}: missing" for name in sorted({*outputs} - there)]
    out += [f"{name}: changed" for name in sorted({*outputs} & there) if sha256(run.folder / name) != outputs[name]]
    out += [f"{name}: not part of it" for name in sorted(there - {*outputs})]
    if run_id(run.manifest["inputs"]) != run.manifest["id"]:
        out.append("manifest.json: its id is not that of its inputs")
    return out


def changed_since(run: Run) -> list[str]:
    """What a report was made of and what of it is different now, in this project and this installation."""
    from tcslib.study.load import load

    before: dict[str, Any] = dict(run.manifest["inputs"])
    files = before["data"] | before.get("frame", {})
    data = {name: sha256(run.root / name) if (run.root / name).is_file() else None for name in files}
    out = [f"{name}: {'changed' if data[name] else 'missing'}" for name in data if data[name] != files[name]]
    try:
        study = load(run.root / "params" / run.manifest["client"] / f"{run.manifest['wave']}.yaml")
        waves = history.identities(study, run.folder.parents[3])
        now = inputs(study, [NOTEBOOKS / f"{stage}.ipynb" for stage in STAGES], waves)
    except (TcsError, OSError) as error:
        return [*out, f"the study cannot be read any more: {str(error).splitlines()[0]}"]
    hashed: dict[str, Any] = {"data": {}, "frame": {}}
    return out + inputs_changed(before | hashed, now | hashed)


def rerun(run: Run, say: Callable[[str], None]) -> tuple[bool, Changes]:
    """Compute a run again, from its own parameters and today's program, in a folder that goes afterwards.

    Returns
    -------
    Whether results.json came out with the same bytes, and how the numbers compare.

    Raises
    ------
    InputRefused
        When the file of answers, or an earlier wave's run, is not the one the run was made of.
    """
    from tcslib.run.pipeline import run as run_study
    from tcslib.study.load import load

    said = run.manifest
    with tempfile.TemporaryDirectory(prefix="tcs-verify-") as made:
        root = Path(made).resolve()
        for name, sha in (said["inputs"]["data"] | said["inputs"].get("frame", {})).items():
            if not (run.root / name).is_file() or sha256(run.root / name) != sha:
                raise InputRefused("is not the file the report was made of. Restore it, and verify again.", name)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run.root / name, root / name)
        history.bring(run.folder.parents[2], root, said["client"], said["inputs"].get("waves", {}))
        study = root / "params" / said["client"] / f"{said['wave']}.yaml"
        study.parent.mkdir(parents=True)
        # JSON is YAML; the values are the run's own, whatever the study's files say by now
        study.write_text(json.dumps(as_given(said["inputs"]["params"]), ensure_ascii=False), encoding="utf-8")
        again = run_study(load(study), say=say).report.parent / "results.json"
        found = read_json(again) | {"id": said["id"], "version": run.folder.name}
        write_json(again, found)
        return sha256(again) == sha256(run.folder / "results.json"), compare(run.results(), found)


def as_given(params: Any) -> Any:
    """Resolved parameters as a study's file may hold them: nothing empty, text in no stated language as plain text."""
    if not isinstance(params, dict):
        return params
    if set(params) == {""}:
        return params[""]
    # an item without missing codes of its own is not one that has none
    return {k: as_given(v) for k, v in params.items() if v is not None and (v != {} or k == "missing_codes")}


def verify(run: Run, again: bool, say: Callable[[str], None]) -> tuple[bool, list[str]]:
    """Whether all is as published, and what there is to say about it."""
    faults, since = altered(run), changed_since(run)
    if faults:
        out = [f"{run.name} is not as published:", *(f"  {fault}" for fault in faults)]
    else:
        out = [f"{run.name} is as published: {len(run.manifest['outputs'])} files and the manifest, "
               f"id {run.manifest['id']}."]
    if since:
        out += ["What it was made of has changed since:", *(f"  {name}" for name in since[:SHOWN])]
        out += [f"  and {len(since) - SHOWN:,} more"] if len(since) > SHOWN else []
    else:
        out.append("What it was made of is unchanged.")
    if not again or faults:
        return not faults, out
    same, found = rerun(run, say)
    total = found.same + found.noise + len(found.changed) + len(found.only_old)
    if same:
        return True, [*out, f"Computed again, results.json is the same to the byte: {total:,} results."]
    if not found.changed and not found.only_old and not found.only_new:
        return True, [*out, f"Computed again, all {total:,} results are equal to 6 significant digits."]
    out.append(f"Computed again, {len(found.changed) + len(found.only_old):,} of {total:,} results differ:")
    out += [f"  {dotted(c.address)}: {printed(c.old)} published, {printed(c.new)} now" for c in found.changed[:SHOWN]]
    only = [f"  {dotted(address)}: published only" for address in found.only_old]
    return False, out + (only + [f"  {dotted(address)}: now only" for address in found.only_new])[:SHOWN]
