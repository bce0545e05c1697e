"""The commands that keep the customer list and draw from it: ``tcs frame`` and ``tcs draw``."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from tcslib.errors import InputRefused

app = typer.Typer()


@app.command()
def draw(study: Annotated[str, typer.Argument(help="params/<client>/<wave>.yaml, or <client>/<wave>")],
         again: Annotated[bool, typer.Option(
             help="draw anew, beside the draw that stands, where the list or the parameters have changed")] = False,
         ) -> None:
    """Draw the sample from the customer list; write the drawn list and the field sheet."""
    from tcslib.run.cli import study_path
    from tcslib.run.drawing import draw_study
    from tcslib.study.load import load

    found = load(study_path(study), before_field=True)
    done = draw_study(found, again)
    print(*done.said, sep="\n")
    if not done.new:
        print(f"Nothing has changed since {done.folder.name}, which stands.")
    print(*(path for path in (done.folder / "drawn.csv", done.folder / "field-sheet.xlsx") if path.exists()), sep="\n")


@app.command()
def frame(client: Annotated[str, typer.Argument(help="the client, or <client>/<wave>; its newest wave by default")],
          add: Annotated[Path | None, typer.Option(help="a file of customers who join the list")] = None,
          retire: Annotated[Path | None, typer.Option(
              help="a file with the ids of customers who leave it; their rows stay, with the day")] = None,
          contacted: Annotated[Path | None, typer.Option(
              help="a file with the ids of customers contacted on that day; a drawn list will do")] = None,
          why: Annotated[str, typer.Option(help="the reason, for the log")] = "",
          on: Annotated[str, typer.Option(help="the day it holds from, 2026-07-01; today by default")] = "",
          by: Annotated[str, typer.Option(help="who says so, for the log; your user name by default")] = "",
          allow_same: Annotated[bool, typer.Option(
              "--allow-same", help="take customers whose name, phone or e-mail is on the list already")] = False,
          ) -> None:
    """Tell what the customer list holds, or let customers join and leave it; every change is logged."""
    from tcslib.run.keeping import change, told
    from tcslib.study.load import load

    try:
        day = date.fromisoformat(on).isoformat() if on else date.today().isoformat()
    except ValueError:
        raise InputRefused("a day is expected: 2026-07-01.", f"--on {on[:20]}") from None
    study = load(_newest(client), before_field=True)
    files = {"added": add, "retired": retire, "contacted": contacted}
    if not any(files.values()):
        print(*told(study, day), sep="\n")
        return
    if not why.strip():
        raise InputRefused("say why, for the log: --why TEXT.", f"tcs frame {client}")
    who = by or os.environ.get("USERNAME") or os.environ.get("USER") or "unknown"
    print(*change(study, files, day, who, " ".join(why.split()), allow_same), sep="\n")


def _newest(client: str) -> str:
    """The study of a client's newest wave."""
    from tcslib.run.cli import study_path
    from tcslib.run.runs import project
    from tcslib.study.strict_yaml import clipped

    if "/" in client or "\\" in client or client.endswith(".yaml"):
        return study_path(client)
    waves = sorted(p for p in (project() / "params" / client).glob("*.yaml") if p.stem != "study")
    if not waves:
        raise InputRefused("has no study. Studies lie at params/<client>/<wave>.yaml.", f'client "{clipped(client)}"')
    return str(waves[-1])
