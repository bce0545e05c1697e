"""Fixtures every test file may use.

``shared``      the folder of reference data and bad inputs beside the project; its absence skips, in CI it fails.
``make_study``  writes a small project below ``tmp_path`` and returns its study file.
``respond``     makes Responses of a frame of answers; ``expected`` reads tests/reference.
``given``       makes replicates of resampling factors drawn elsewhere.
``ecsi``        the preset model; ``mobi`` the real interviews, ``twin`` made-up ones with the same moments.
``demo_report`` the demo's report, run once for all tests and all workers; ``chinese_report`` the same in Chinese.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tcslib.inference.replicates import CHUNK, Replicates, replicate
from tcslib.study.models import Model
from tcslib.study.params import ModelParams
from tcslib.study.questionnaire import Item, Scale
from tcslib.study.resolve import resolve_model
from tcslib.survey.design import Design
from tcslib.survey.responses import Responses, WeightingPlan

ROOT = Path(__file__).resolve().parent.parent
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)          # hundreds of processes are started, none need compile anew

# the questionnaire of the files in ../shared/badinputs: 250 respondents, 17 items of 1-10, a weight and a design
BASE_STUDY: Mapping[str, Any] = {
    "client": "acme", "wave": "2026Q3", "scale": "1-10",
    "model": {"constructs": {"Image": ["IMAG1", "IMAG2", "IMAG3"], "Expectation": ["CUEX1", "CUEX2", "CUEX3"],
                             "Quality": ["PERQ1", "PERQ2", "PERQ3"], "Value": ["PERV1", "PERV2"],
                             "Satisfaction": ["CUSA1", "CUSA2", "CUSA3"], "Loyalty": ["CUSL1", "CUSL2", "CUSL3"]},
              "paths": [["Image", "Expectation"], ["Image", "Satisfaction"], ["Image", "Loyalty"],
                        ["Expectation", "Quality"], ["Expectation", "Value"], ["Expectation", "Satisfaction"],
                        ["Quality", "Value"], ["Quality", "Satisfaction"], ["Value", "Satisfaction"],
                        ["Satisfaction", "Loyalty"]],
              "target": "Satisfaction", "loyalty": "Loyalty"},
    "data": {"id": "id"},
    "design": {"strata": "stratum", "clusters": "psu", "weights": "weight"},
    "compare": {"segments": ["region", "gender"]},
    "report": {"verbatims": ["verbatim"]},
}

MakeStudy = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that reads ``shared``, by itself or through another fixture."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder ``shared`` beside the project; not part of it, because some data may not be redistributed."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        if os.environ.get("CI", "").lower() in {"1", "true", "yes", "on"}:
            pytest.fail("needs ../shared")
        pytest.skip("needs ../shared")
    return folder


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """``make_study(data, params, name=…)``: see :func:`write_study`, here below ``tmp_path``."""
    def make(data: Path | bytes | str, params: Mapping[str, Any] | str | None = None, name: str = "") -> Path:
        return write_study(tmp_path, data, params, name)
    return make


def write_study(root: Path, data: Path | bytes | str, params: Mapping[str, Any] | str | None = None,
                name: str = "") -> Path:
    """Write a small project and return the path of its study.

    Parameters
    ----------
    root
        Folder that becomes the project's root.
    data
        The file of answers: a file to copy, or its content.
    params
        Keys laid over :data:`BASE_STUDY`, section by section; a key set to None is dropped. A text is written as
        it is, as the whole YAML file.
    name
        The data file's name; by default that of the file copied, else ``answers.csv``.
    """
    merged = json.loads(json.dumps(BASE_STUDY))
    for key, value in ({} if isinstance(params, str) else params or {}).items():
        merged[key] = {**merged[key], **value} if isinstance(value, dict) and key in merged else value
    client = merged["client"]
    name = name or (data.name if isinstance(data, Path) else "answers.csv")
    target = root / "data" / "raw" / client / name
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, Path):
        shutil.copyfile(data, target)
    else:
        target.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    merged["data"].setdefault("file", target.relative_to(root).as_posix())
    study = root / "params" / client / f"{merged['wave']}.yaml"
    study.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML: every value stays what it is
    text = params if isinstance(params, str) else json.dumps(
        {k: v for k, v in merged.items() if v is not None}, ensure_ascii=False, indent=1)
    study.write_text(text, encoding="utf-8")
    return study


def make_responses(answers: pd.DataFrame, *, scale: tuple[float, float] = (1, 10), weights: Any = None,
                   strata: Any = None, clusters: Any = None, domain: Any = None,
                   background: Mapping[str, Any] | None = None, rake: Mapping[str, Mapping[str, float]] | None = None,
                   trim: float | None = None, **design_of: Any) -> Responses:
    """Responses around a frame of answers whose index holds the ids; the rest is optional, more keys the design's."""
    def column(values: Any, kind: Any) -> np.ndarray | None:
        return None if values is None else np.asarray(values, dtype=kind)

    n, ids = len(answers), answers.index.astype(str)
    design = Design(np.asarray(ids, dtype=str), np.ones(n) if weights is None else np.asarray(weights, dtype=float),
                    column(strata, str), column(clusters, str), **design_of)
    return Responses(
        answers.astype(float).set_axis(ids), pd.DataFrame("", ids, answers.columns),
        pd.DataFrame({name: np.asarray(values, dtype=str) for name, values in (background or {}).items()}, index=ids),
        {item: Item(item, Scale(*scale)) for item in answers.columns}, design, WeightingPlan(rake or {}, trim),
        np.ones(n, dtype=bool) if domain is None else np.asarray(domain, dtype=bool), pd.DataFrame())


@pytest.fixture(scope="session")
def respond() -> Callable[..., Responses]:
    """``respond(answers, weights=…, strata=…, …)``: see :func:`make_responses`."""
    return make_responses


@dataclass(frozen=True, eq=False)
class Given(Replicates):
    """Replicates whose resampling factors, (B, units), were drawn elsewhere."""

    drawn: np.ndarray = field(kw_only=True)

    def unit_factors(self, chunk: int) -> np.ndarray:
        """One chunk of them, filled up with ones."""
        part = self.drawn[chunk * CHUNK:(chunk + 1) * CHUNK]
        return np.vstack([part, np.ones((CHUNK - len(part), self.drawn.shape[1]))])


@pytest.fixture(scope="session")
def given() -> Callable[[Responses, np.ndarray], Given]:
    """``given(responses, factors)``: replicates with these factors of the resampling units, weighting replayed."""
    def make(responses: Responses, factors: np.ndarray) -> Given:
        own = replicate(responses, len(factors))
        return Given(own.design, own.steps, own.kind, own.count, own.seed, drawn=np.asarray(factors, dtype=float))
    return make


@pytest.fixture(scope="session")
def ecsi() -> Model:
    """The ECSI preset."""
    model = resolve_model(ModelParams(preset="ecsi"), lambda where, said: pytest.fail(f"{where} {said}"))
    assert model is not None
    return model


@pytest.fixture(scope="session")
def mobi(shared: Path, ecsi: Model) -> Responses:
    """The 250 interviews of the mobile-phone data, read beside the project."""
    frame = pd.read_csv(shared / "data" / "mobi.csv")[ecsi.items]
    return make_responses(frame.set_axis([f"{row:03d}" for row in range(len(frame))]))


@pytest.fixture(scope="session")
def twin(ecsi: Model) -> Responses:
    """250 made-up interviews whose means and covariances are those of the mobile-phone data.

    What is a function of the moments comes out as on the data; what needs the rows (replicates, shares) does not.
    """
    moments = reference("mobi", "moments")
    z = np.random.default_rng(1).normal(size=(moments["n"], len(moments["items"])))
    z -= z.mean(axis=0)
    z = np.linalg.solve(np.linalg.cholesky(z.T @ z / (len(z) - 1)), z.T).T
    x = moments["mean"] + z @ np.linalg.cholesky(np.array(moments["covariance"])).T
    return make_responses(pd.DataFrame(x, [f"{row:03d}" for row in range(len(x))], moments["items"])[ecsi.items])


def reference(case: str, name: str) -> Any:
    """The numbers in ``tests/reference/<case>/<name>.json``."""
    return json.loads((ROOT / "tests" / "reference" / case / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def expected() -> Callable[[str, str], Any]:
    """``expected(case, name)``: see :func:`reference`."""
    return reference


@dataclass(frozen=True)
class Published:
    """A published version and what the command that made it said."""

    folder: Path
    out: Path
    printed: str
    said: str

    @property
    def page(self) -> Path:
        """The HTML file."""
        return next(self.folder.glob("*.html"))

    @property
    def results(self) -> dict[str, Any]:
        """The content of results.json."""
        found: dict[str, Any] = json.loads((self.folder / "results.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="session")
def demo_report(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """``tcs demo`` into a folder all workers share; whoever comes first runs it, the others wait."""
    return _demo(tmp_path_factory, "demo report")


@pytest.fixture(scope="session")
def chinese_report(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """``tcs demo --language zh``, shared in the same way, without kernels (see quick.py)."""
    return _demo(tmp_path_factory, "demo report zh", [str(ROOT / "tests" / "quick.py")], "--language", "zh")


def _demo(tmp_path_factory: pytest.TempPathFactory, name: str, program: Sequence[str] = ("-m", "tcslib"),
          *options: str) -> Published:
    from filelock import FileLock

    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    out, kept = base / name, base / f"{name}.json"
    # the tests' switch for encoding warnings would show those of other libraries too
    quiet = {k: v for k, v in os.environ.items() if k != "PYTHONWARNDEFAULTENCODING"} | {"PYTHONPATH": str(ROOT)}
    with FileLock(base / f"{name}.lock"):
        if not kept.exists():
            done = subprocess.run([sys.executable, *program, "demo", "--out", str(out), *options], cwd=ROOT,
                                  timeout=600, capture_output=True, encoding="utf-8", env=quiet)
            assert done.returncode == 0, done.stderr
            kept.write_text(json.dumps([done.stdout, done.stderr]), encoding="utf-8")
    printed, said = json.loads(kept.read_text(encoding="utf-8"))
    return Published(Path(printed.splitlines()[-1]).parent, out, printed, said)
