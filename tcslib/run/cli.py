"""The command line: ``tcs demo``, ``tcs check``, ``tcs run``, ``tcs lab``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from tcslib.errors import TcsError

app = typer.Typer(help="Measure customer satisfaction, from the sampling plan to the report.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)
DEMO = "params/demo/2026Q3.yaml"
StudyName = Annotated[str, typer.Argument(help="params/<client>/<wave>.yaml, or <client>/<wave>")]
Out = Annotated[Path | None, typer.Option(help="folder for processed data and reports instead of the project's")]


def study_path(name: str) -> str:
    """``acme/2026Q3`` is short for ``params/acme/2026Q3.yaml``."""
    return name if name.endswith((".yaml", ".yml")) else f"params/{name.removeprefix('params/')}.yaml"


@app.command()
def demo(out: Out = None) -> None:
    """Run the sample study to its report."""
    from tcslib.run.manifest import LIBRARY

    _run(str(LIBRARY.parent / DEMO), out)


@app.command()
def run(study: StudyName, out: Out = None) -> None:
    """Run a study to its report."""
    _run(study_path(study), out)


def _run(path: str, out: Path | None) -> None:
    began = time.monotonic()
    check_study(path)
    from tcslib.run.pipeline import run as run_study
    from tcslib.study.load import load

    study = load(path)
    print(f"{study.title}, {study.params.wave}", file=sys.stderr, flush=True)
    done = run_study(study, out, lambda line: print(line, file=sys.stderr, flush=True))
    for dropped in done.dropped:
        print(f"  left out of the page: {dropped}", file=sys.stderr)
    if done.new:
        print(f"  done in {time.monotonic() - began:.0f} s. The report:", file=sys.stderr, flush=True)
    else:
        print(f"  nothing has changed since {done.report.parent.name}, which stands. The report:", file=sys.stderr)
    print(done.report, flush=True)


def check_study(path: str) -> str:
    """Check a study's parameters and that its data file has the columns they name; returns the study's name."""
    from tcslib.errors import refuse_all
    from tcslib.fieldwork.columns import check_columns, columns_of
    from tcslib.study.load import load

    study = load(path)
    refuse_all(check_columns(study, columns_of(study)))
    return study.name


@app.command()
def check(study: StudyName) -> None:
    """Check a study's parameters and the columns of its data, without running it."""
    print(f"{check_study(study_path(study))}: no faults found.")


@app.command()
def lab() -> None:
    """Open the notebooks in JupyterLab."""
    from tcslib.run.manifest import NOTEBOOKS

    raise SystemExit(subprocess.call([sys.executable, "-m", "jupyterlab", f"--notebook-dir={NOTEBOOKS.parent}"]))


def main() -> None:
    """Run a command; faults are shown as lines, never as tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        app(standalone_mode=False)
    except TcsError as error:
        for line in error.lines:
            print(line, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except typer.Exit as error:
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, typer.Abort):
        print("stopped; nothing was published.", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        import click

        if not isinstance(error, click.ClickException):
            raise
        print(f"tcs: {error.format_message()} See `tcs --help`.", file=sys.stderr)
        raise SystemExit(2) from None
