"""The commands that look back at runs: ``tcs list``, ``report``, ``verify``, ``diff``; and ``tcs schema``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
RunName = Annotated[str, typer.Argument(help="<client>/<wave> for its latest version, or <client>/<wave>/v2")]
Out = Annotated[Path | None, typer.Option(help="folder for processed data and reports instead of the project's")]


@app.command(name="list")
def list_(client: Annotated[str, typer.Argument(help="only this client's")] = "", out: Out = None) -> None:
    """List every run with its latest version."""
    from tcslib.run.runs import list_runs

    print(*list_runs(client, out), sep="\n")


@app.command()
def report(run: RunName, pdf: Annotated[bool, typer.Option(
        help="print the page to a PDF beside the versions, with Chromium, Chrome or Edge")] = False,
        data: Annotated[bool, typer.Option(
            "--data", help="cleaned data with weights and scores as SAV, CSV and XLSX, to data/processed")] = False,
        out: Out = None) -> None:
    """Say where a run's report is; make more of it."""
    from tcslib.run.runs import find_run
    from tcslib.run.versions import page_of

    found = find_run(run, out)
    if data:
        from tcslib.run.export import export_run

        print(*export_run(found), sep="\n")
        return
    page = page_of(found.folder)
    if pdf:
        from tcslib.run.browser import print_page

        page = print_page(page, page.parent.parent / f"{page.stem}.pdf")
    print(page)


@app.command()
def verify(run: RunName, rerun: Annotated[bool, typer.Option(
        help="compute it again and compare the numbers")] = False, out: Out = None) -> None:
    """Check that a report is as it was published, and whether what it was made of has changed since."""
    from tcslib.run.runs import find_run
    from tcslib.run.verify import verify as verify_run

    sound, lines = verify_run(find_run(run, out), rerun, lambda line: print(line, file=sys.stderr, flush=True))
    print(*lines, sep="\n")
    raise typer.Exit(0 if sound else 1)


@app.command()
def diff(old: RunName, new: RunName, everything: Annotated[bool, typer.Option(
        "--all", help="list every number that differs, not the first 20")] = False, out: Out = None) -> None:
    """Show which numbers differ between two runs, by how much, and which input can have made them differ."""
    from tcslib.run.diff import diff as diff_runs
    from tcslib.run.runs import find_run

    print(*diff_runs(find_run(old, out), find_run(new, out), everything), sep="\n")


@app.command()
def schema(out: Annotated[Path | None, typer.Option(help="file to write, such as params/schema.json")] = None) -> None:
    """Print the JSON Schema of a study's files, with which editors complete and check them."""
    import json

    from tcslib.run.store import write_text
    from tcslib.study.schema import HINT
    from tcslib.study.schema import schema as study_schema

    text = json.dumps(study_schema(), ensure_ascii=False, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_text(out, text)
        print(f"{out}: written. As a study's first line, an editor with the YAML language server (VS Code, JupyterLab) "
              f"reads:\n{HINT}{out.as_posix() if out.is_absolute() else f'../{out.name}'}")
