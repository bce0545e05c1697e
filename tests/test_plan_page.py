"""Chapter 1 as it is shown: what the study states and nothing else, in words that fit the kind of sample."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from conftest import ROOT

from tcslib.report.page.build import svg_for_page
from tcslib.report.records import Figure, Finding, Table

SMALL = {"N": {"size": 5000, "sd": 18.0, "cost": 10.0}, "S": {"size": 3000, "sd": 22.0, "cost": 30.0},
         "W": {"size": 60, "sd": 30.0, "cost": 20.0}}
NOTEBOOK = json.loads((ROOT / "notebooks/1_sampling_plan.ipynb").read_text(encoding="utf-8"))


class Shown:
    """All that a run of notebook 1 shows, and the numbers it leaves."""

    def __init__(self, scope: dict[str, Any], folder: Path) -> None:
        self.stage, self.folder = scope["stage"], folder
        self.all: list[Any] = scope["seen"]
        self.numbers = json.loads((folder / "numbers.json").read_text(encoding="utf-8"))["numbers"]
        self.kept = json.loads((folder / "plan.json").read_text(encoding="utf-8"))

    def table(self, name: str) -> Table | None:
        return next((s for s in self.all if isinstance(s, Table) and s.name == name), None)

    def figure(self, name: str) -> Figure | None:
        return next((s for s in self.all if isinstance(s, Figure) and s.name == name), None)

    def cells(self, name: str, column: int) -> list[str]:
        return list(self.table(name).columns[column].cells)

    @property
    def text(self) -> str:
        """Every word of it, drawings too."""
        parts = []
        for s in self.all:
            parts += [s.text] if isinstance(s, Finding) else [s.title, s.sub, s.settings]
            parts += [c for column in s.columns for c in (column.head, *column.cells)] if isinstance(s, Table) else []
            parts += [s.alt, *ElementTree.fromstring(s.wide).itertext()] if isinstance(s, Figure) else []
        return "\n".join(p.strip() for p in parts)


@pytest.fixture
def shown(make_study: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shown]:
    """``shown(plan, **other sections)``: run the cells of notebook 1 for such a study."""
    def run(plan: dict[str, Any] | None, **sections: Any) -> Shown:
        study = make_study("id\n1\n", {"plan": plan, **sections})
        root = study.parent.parent.parent
        monkeypatch.chdir(root)
        seen: list[Any] = []
        scope: dict[str, Any] = {"seen": seen, "keep": lambda view: seen.extend(view.shown)}
        for cell in NOTEBOOK["cells"]:
            if cell["cell_type"] == "code":
                exec(re.sub(r"(?m)^stage\.show\((.*)\)$", r"keep(stage.show(\1))", "".join(cell["source"])), scope)
                if "parameters" in cell["metadata"].get("tags", []):
                    scope |= {"params": study.relative_to(root).as_posix(), "stage_in": "", "stage_out": "out"}
        return Shown(scope, root / "out")
    return run


FULL = {"strata": SMALL, "margin": 2.0, "change": 4.0, "sd": 20.0, "response": 0.4, "eligible": 0.8,
        "cluster_size": 8.0, "rho": 0.05, "weights_deff": 1.2, "overlap": 0.5, "correlation": 0.6,
        "share": {"margin": 0.05}, "nps": {"margin": 8, "promoters": 0.45, "detractors": 0.2},
        "rival": {"difference": 5, "sd": 18.0, "ratio": 0.5}, "segments": {"new": 0.3, "old": 0.7},
        "segment_margin": 3.0, "smallest_path": 0.2, "smallest_f2": 0.05, "allocation": "cost", "minimum": 20,
        "unit_cost": 100.0, "interview_cost": 4.0}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("sample", ["probability", "quota", "opt_in"])
def test_a_plan_with_everything(shown: Any, language: str, sample: str) -> None:
    page = shown(FULL, language=language, sample=sample)
    plan = page.numbers["plan"]
    assert list(plan["aims"]) == ["margin", "change", "share", "nps", "rival", "segments", "path", "effect"]
    assert plan["n"] == max(plan["aims"].values()) == sum(r["n"] for r in page.kept["allocation"]) == page.kept["n"]
    assert plan["deff"] == pytest.approx(1.2 * 1.35)
    assert page.cells("sample_size", 2) == [f"{n:,}" for n in plan["aims"].values()]
    # the working ends with the number that is rounded up
    for cell, n, aim in zip(page.cells("sample_size", 1), plan["aims"].values(), plan["aims"], strict=True):
        final = float(re.findall(r"[\d,]+\.\d", cell)[-1].replace(",", "")) if aim != "segments" else n
        assert final - 0.05 <= n < final + 1.05, cell
    assert min(r["n"] for r in page.kept["allocation"]) == 20
    assert "nan" not in page.text.lower() and "None" not in page.text and "{" not in page.text
    # 21.8: Kish's best number of answers per unit
    assert "21.8" in page.text


@pytest.mark.parametrize(("language", "claim"), [("en", "margin of error"), ("zh", "抽样误差")])
def test_no_margin_is_claimed_for_who_was_not_drawn_by_chance(shown: Any, language: str, claim: str) -> None:
    for sample in ("quota", "opt_in"):
        page = shown(FULL, language=language, sample=sample)
        assert "±" not in page.text
        said = [s for s in re.split(r"[.。，,;；\n]", page.text) if claim in s]
        assert said and all(re.search(r"(?i)\bno\b|\bnot\b|不", s) for s in said)
    assert "±" in shown(FULL, language=language).text


@pytest.mark.parametrize("plan", [None, {}])
def test_a_study_without_a_plan(shown: Any, plan: Any) -> None:
    page = shown(plan)
    assert not [s for s in page.all if not isinstance(s, Finding)]
    assert "no plan" in page.text and "±" not in page.text


def test_what_is_not_stated_is_not_shown(shown: Any) -> None:
    page = shown({"margin": 2.5, "change": 5.0})
    assert page.cells("sample_size", 2) == ["246", "252"]
    assert page.figure("design") is None and page.table("plan_segments") is None and page.table("allocation") is None
    for word in ("Design effect ", "population n", "Response", "rival", "segment", "path", "budget", "fpc"):
        assert word not in page.text, word
    assert page.numbers["plan"] == {"n": 252, "n_margin": 246, "n_change": 252, "margin": 2.5, "change": 5.0,
                                    "approach": 252, "deff": 1.0, "aims": {"margin": 246, "change": 252}}


def test_a_quarter_of_250(shown: Any) -> None:
    page = shown({"margin": 2.5, "change": 3.0, "sd": 20.0, "answers": 250})
    assert page.numbers["plan"]["n"] == 250 and page.numbers["plan"]["n_change"] == 698
    assert "250 answers are planned, fewer than the 698 the aims ask for" in page.text
    assert "With 250 answers a wave, a change of 5.0 points between two waves drawn apart is seen" in page.text
    assert "The change of 3.0 points" in page.text
    assert page.numbers["plan_precision"]["change"] == pytest.approx(5.01, abs=0.005)


def test_a_budget_limits_the_answers(shown: Any) -> None:
    plan = {k: v for k, v in FULL.items() if k != "minimum"} | {"budget": 9000.0, "fixed_cost": 1000.0}
    page = shown(plan)
    spent = 1000 + sum(r["n"] * (SMALL[r["stratum"]]["cost"] + 100 / 8) for r in page.kept["allocation"])
    assert 9000 - 45 < spent <= 9000
    assert f"Fixed costs and interviews come to {spent:,.0f} of a budget of 9,000." in page.text
    assert "fewer than the" in page.text
    alone = shown({"margin": 1.0, "interview_cost": 10.0, "budget": 2500.0})
    assert alone.numbers["plan"]["n"] == 250


def test_a_plan_that_approaches_more_than_there_are(shown: Any) -> None:
    page = shown({"population": 500, "margin": 2.5, "response": 0.2})
    assert [s.role for s in page.all if isinstance(s, Finding)].count("caution") == 1
    assert "more than the 500 on the frame" in page.text and page.numbers["warnings"]


def test_a_small_stratum_is_interviewed_whole(shown: Any) -> None:
    plan = {"strata": {"A": {"size": 4000}, "B": {"size": 30}}, "allocation": "equal", "takes_all": True}
    page = shown(plan)
    assert page.kept["allocation"][1]["n"] == 30 and "All customers of B" in page.text
    assert page.cells("allocation", 4)[1] == "0.0"          # nothing left to chance there


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("plan", [
    FULL, {"population": 8000, "response": 0.3}, {"cluster_size": 10.0, "rho": 0.02},
    {"strata": {f"Province {i}": {"size": 10_000 + i} for i in range(31)}, "sd": 15.0, "response": 0.5},
    {"strata": SMALL | {"A stratum with a very long name indeed, of forty": {"size": 900}}, "minimum": 10},
    {"strata": {"North": {"size": 90_000}, "South": {"size": 5}}, "cluster_size": 2.0, "rho": 0.1, "minimum": 3}])
def test_the_picture_of_a_design(shown: Any, language: str, plan: dict[str, Any]) -> None:
    page = shown(plan, language=language)
    figure = page.figure("design")
    assert f"{page.kept['n']:,}" in figure.alt
    for svg, width in ((figure.wide, 720), (figure.narrow, 328)):
        root = ElementTree.fromstring(str(svg_for_page(svg, figure.alt, "c")))
        left, _, right, bottom = map(float, root.get("viewBox").split())
        assert (left, right) == (0, width)
        for text in root.iter("text"):
            assert 0 <= float(text.get("x")) <= width and 8 <= float(text.get("y")) <= bottom
        boxes = [list(map(float, m)) for path in root.iter("path")
                 for m in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z", path.get("d"))]
        drawn = len(page.kept["allocation"])
        assert len(boxes) >= 2 * (drawn if drawn <= 12 else 1)
        for x, y, wide, tall in boxes:
            assert x >= 0 and x + wide <= width + 0.1 and y >= 0 and y + tall <= bottom
        words = [(float(t.get("x")), float(t.get("y")), t.get("text-anchor"), t.text) for t in root.iter("text")]
        boxes = [(x - w * (a == "end") - w / 2 * (a == "middle"), y, w) for x, y, a, s in words
                 for w in [sum(11.5 if ord(c) > 0x2E80 else 6.2 for c in s)]]
        for i, (x, y, w) in enumerate(boxes):          # no word lies on another, none leaves the picture
            assert x > -1 and x + w < width + 6, words[i]
            assert not [b for b in boxes[i + 1:] if abs(b[1] - y) < 9 and b[0] < x + w and x < b[0] + b[2]], words[i]
    if len(plan.get("strata", {})) > 12:
        assert "31" in figure.alt
