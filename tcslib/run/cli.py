"""The command line: ``tcs demo``, ``new``, ``check``, ``run``, ``lab``, and those of ``commands``."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tcslib.errors import InputRefused, TcsError, refuse_all
from tcslib.run import commands, listing
from tcslib.run.commands import Out

if TYPE_CHECKING:
    from tcslib.study.load import Study

app = typer.Typer(help="Measure customer satisfaction, from the sampling plan to the report.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)
DEMO = ("params/demo/2026Q2.yaml", "params/demo/2026Q3.yaml")
StudyName = Annotated[str, typer.Argument(help="params/<client>/<wave>.yaml, or <client>/<wave>")]
Language = Annotated[str, typer.Option(help="en or zh: the report's language instead of the study's")]
app.add_typer(commands.app)
app.add_typer(listing.app)


def study_path(name: str) -> str:
    """``acme/2026Q3`` is short for ``params/acme/2026Q3.yaml``."""
    name = name.rstrip("/\\")
    return name if name.endswith((".yaml", ".yml")) else f"params/{name.removeprefix('params/')}.yaml"


@app.command()
def demo(out: Out = None, language: Language = "") -> None:
    """Run the sample study's two waves to their reports."""
    from tcslib.run.manifest import LIBRARY

    for wave in DEMO:
        _run(str(LIBRARY.parent / wave), out, language)


@app.command()
def run(study: StudyName, out: Out = None, language: Language = "") -> None:
    """Run a study to its report."""
    _run(study_path(study), out, language)


def _run(path: str, out: Path | None, language: str = "") -> None:
    began = time.monotonic()
    from tcslib.run.pipeline import run as run_study
    from tcslib.run.pipeline import standing
    from tcslib.study.load import load

    study = load(path, language)
    check_out(out, study.root)
    done = standing(study, out)
    if done is None:          # a report that stands was made of columns that were there
        _check_columns(study)
    print(f"{study.title}, {study.params.wave}", file=sys.stderr, flush=True)
    _note_unconfirmed(study)
    done = done or run_study(study, out, lambda line: print(line, file=sys.stderr, flush=True))
    for dropped in done.dropped:
        print(f"  left out of the page: {dropped}", file=sys.stderr)
    if done.new:
        print(f"  done in {time.monotonic() - began:.0f} s. The report:", file=sys.stderr, flush=True)
    else:
        print(f"  nothing has changed since {done.report.parent.name}, which stands. The report:", file=sys.stderr)
    print(done.report, flush=True)


def check_out(out: Path | None, root: Path) -> None:
    """Refuse a folder for the output that cannot be one."""
    if out is None:
        return
    raw = Path(os.path.realpath(root / "data" / "raw"))
    real = Path(os.path.realpath(out))
    there = next(p for p in (real, *real.parents) if p.exists())
    if real == raw or raw in real.parents:
        raise InputRefused("lies in data/raw, where nothing is ever written. Name another folder.", f"--out {out}")
    if not there.is_dir():
        raise InputRefused("is no folder" + ("" if there == real else f", because {there} is a file")
                           + ". Name a folder; it is made if need be.", f"--out {out}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputRefused(f"cannot be written: {there} does not let you. Name another folder.", f"--out {out}")


def _check_columns(study: Study) -> None:
    from tcslib.fieldwork.columns import check_columns, columns_of
    from tcslib.fieldwork.listfile import check_list

    refuse_all([*check_columns(study, columns_of(study)), *check_list(study)])


def check_study(path: str) -> Study:
    """Check a study's parameters and that its data file has the columns they name; returns the study."""
    from tcslib.study.load import load

    study = load(path)
    _check_columns(study)
    return study


@app.command()
def check(study: StudyName, show: Annotated[bool, typer.Option(
        help="print the study with everything filled in, and where each value comes from")] = False) -> None:
    """Check a study's parameters and the columns of its data, without running it."""
    from tcslib.run.history import earlier_runs

    found = check_study(study_path(study))
    if show:
        from tcslib.study.show import show as shown

        print(*shown(found), sep="\n")
    print(f"{found.name}: no faults found.", file=sys.stderr if show else sys.stdout)
    _note_unconfirmed(found)
    try:
        earlier_runs(found, found.root)
    except InputRefused as error:          # no fault of the study, and told before the run would tell it
        print(f"note: {error}", file=sys.stderr)


def _note_unconfirmed(study: Study) -> None:
    if marks := study.unconfirmed:
        from tcslib.fieldwork.source import listed

        print(f"note: assumptions not confirmed yet: {len(marks)} ({listed(list(marks))}). Correct them where need be, "
              'and delete "please confirm" there.', file=sys.stderr)


@app.command()
def new(client: Annotated[str, typer.Argument(help="a short name: a-z, 0-9, _ and -")],
        data: Annotated[Path | None, typer.Option(help="the file of answers; it is copied into data/raw")] = None,
        title: Annotated[str | None, typer.Option(help="of the report")] = None,
        sponsor: Annotated[str | None, typer.Option(help="who pays for the study")] = None,
        wave: Annotated[str | None, typer.Option(help="2026Q3, 2026H1, 2026-09 or 2026")] = None,
        previous: Annotated[str | None, typer.Option("--from", help="the wave before, for its next one")] = None,
        population: Annotated[str | None, typer.Option(help="whom the results speak for")] = None,
        sample: Annotated[str | None, typer.Option(help="probability, quota, opt_in or census")] = None,
        field_dates: Annotated[str | None, typer.Option(help="2026-07-06..2026-09-13")] = None,
        mode: Annotated[str | None, typer.Option(help="how they were asked")] = None,
        model: Annotated[str | None, typer.Option(help="a preset, or own")] = None,
        answers: Annotated[Path | None, typer.Option(help="YAML with these answers as keys")] = None,
        language: Annotated[str, typer.Option(help="en or zh")] = "en",
        sheet: Annotated[str | None, typer.Option(help="XLSX: the sheet")] = None,
        header_row: Annotated[int | None, typer.Option(min=1, max=100, help="row of the column names")] = None,
        encoding: Annotated[str | None, typer.Option(help="of a CSV, where its bytes do not tell")] = None) -> None:
    """Propose a study from a file of answers, or (--wave, --from) the next wave of one."""
    from tcslib.run.new.command import new_study
    from tcslib.run.new.wave import new_wave

    if data is None:
        raise InputRefused("name the file of answers: --data FILE.", f"tcs new {client}")
    how = {key: value for key, value in (("sheet", sheet), ("header_row", header_row), ("encoding", encoding)) if value}
    given = {key: value for key, value in (
        ("title", title), ("sponsor", sponsor), ("wave", wave), ("population", population), ("sample", sample),
        ("field_dates", field_dates), ("mode", mode), ("model", model)) if value is not None}
    if previous is not None:
        new_wave(client, data, previous, given, answers, language, how)
    else:
        new_study(client, data, given, answers, language, how)


@app.command()
def lab() -> None:
    """Open the notebooks in JupyterLab."""
    from tcslib.run.manifest import NOTEBOOKS

    raise SystemExit(subprocess.call([sys.executable, "-m", "jupyterlab", f"--notebook-dir={NOTEBOOKS.parent}"]))


_INTERRUPTED = 130


def main() -> None:
    """Run a command; faults are shown as lines, never as tracebacks."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:          # typer swallows Ctrl-C and gives back its exit code
            _end(1, "stopped; nothing was published.")
        raise SystemExit(code if isinstance(code, int) else 0)
    except TcsError as error:
        _end(error.exit_code, *error.lines)
    except typer.Exit as error:
        raise SystemExit(error.exit_code) from None
    except (KeyboardInterrupt, typer.Abort):
        _end(1, "stopped; nothing was published.")
    except OSError as error:
        _end(1, f"{error.filename or 'tcs'}: {error.strerror or type(error).__name__}. Check the place and its rights.")
    except Exception as error:
        # typer brings its own copy of click or uses the one installed; both know how their errors are said
        if not hasattr(error, "format_message"):
            _end(1, f"tcs: {_first_line(error)} This is a fault of the program; its whole story is in {_story()}.")
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.ctx.get_help())  # type: ignore[attr-defined]
            raise SystemExit(2) from None
        said = " ".join(error.format_message().split())
        _end(2, f"tcs: {said}{'' if said.endswith(('.', '?', ')')) else '.'} See `python3 tcs.py --help`.")


def _end(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    raise SystemExit(code) from None


def _first_line(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {said}." if said else f"{type(error).__name__}."


def _story() -> str:
    """Write the traceback of the error at hand to a file; returns where."""
    handle, path = tempfile.mkstemp(prefix="tcs-error-", suffix=".txt")
    with open(handle, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    return path
