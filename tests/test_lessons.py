"""Lessons: their two languages are one lesson, they run, and what they tell is true whatever the seed."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from scipy.stats import binom, norm

from tcslib.simulate import Market, as_responses, draw_customers, draw_from_stores

LESSONS = sorted({p.stem[:-3] for p in (ROOT / "notebooks" / "teaching").glob("*.ipynb")})
Z = norm.ppf(0.9995)          # statistical tests fail only outside the 99.9% band


def cells_of(lesson: str, language: str) -> list[dict[str, Any]]:
    path = ROOT / "notebooks" / "teaching" / f"{lesson}.{language}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell | {"source": "".join(cell["source"]), "tags": cell["metadata"].get("tags", [])} for cell in cells]


class Wordless(ast.NodeTransformer):
    """The code with its texts taken out into ``words``; of texts with blanks stays what fills them, in any order."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        self.words.append(node.value)
        return ast.Constant("")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant(" ".join(sorted(ast.unparse(v) for v in node.values if isinstance(v, ast.FormattedValue))))


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


@pytest.mark.parametrize("lesson", LESSONS)
def test_both_languages_are_one_lesson(lesson: str) -> None:
    en, zh = cells_of(lesson, "en"), cells_of(lesson, "zh")
    assert [(c["cell_type"], c["id"]) for c in en] == [(c["cell_type"], c["id"]) for c in zh]
    for a, b in zip(en, zh, strict=True):
        if a["cell_type"] == "code":
            assert a["tags"] == b["tags"]
            one, two = Wordless(), Wordless()
            shapes = [ast.dump(w.visit(ast.parse(c["source"]))) for w, c in ((one, a), (two, b))]
            assert shapes[0] == shapes[1], a["source"]
            for said, again in zip(one.words, two.words, strict=True):
                assert said == again or (is_chinese(again) and not is_chinese(said)), (said, again)
        else:
            for sign in ("#", "$$", "<details>", "\n* ", "`"):
                assert a["source"].count(sign) == b["source"].count(sign), (sign, a["source"][:60])
            assert is_chinese(b["source"]) and not is_chinese(a["source"])


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_prediction_comes_before_every_answer(lesson: str) -> None:
    """A question, a cell of two lines to predict in, the answer that repeats the prediction, the reason folded."""
    cells = cells_of(lesson, "en")
    asked = [i for i, c in enumerate(cells) if "prediction" in c["tags"]]
    assert len(asked) >= 3
    for i in asked:
        comment, line = cells[i]["source"].splitlines()
        assert comment.startswith("# ") and cells[i - 1]["cell_type"] == "markdown"
        assert "answer" in cells[i + 1]["tags"] and line.split(" = ")[0] in cells[i + 1]["source"]
        assert cells[i + 2]["source"].startswith("<details><summary>")


# -- what the first lesson tells -------------------------------------------------------------------------------------

TOLD = ("n", "samples", "miss", "says", "truth", "reach", "se", "ratio", "claim", "se_large", "deff", "bias")


def run_cells(lesson: str, language: str, **given: Any) -> dict[str, Any]:
    """The names a lesson leaves behind, its code run in this process."""
    names: dict[str, Any] = {}
    for cell in cells_of(lesson, language):
        if cell["cell_type"] == "code":
            exec(compile(cell["source"], lesson, "exec"), names)
            if "parameters" in cell["tags"]:
                names.update(given)
    return names


def check_sampling_error(told: dict[str, Any]) -> None:
    n, samples, scores, truth = told["n"], told["samples"], told["scores"], told["truth"]
    assert truth == pytest.approx(scores.mean(), abs=1e-12) and told["miss"] == abs(told["says"] - truth)
    # the standard deviation of a normal sample of m has a relative error of 1/sqrt(2 m)
    exact = scores.std() / math.sqrt(n)
    assert told["se"] == pytest.approx(exact, rel=Z / math.sqrt(2 * samples))
    assert told["ratio"] == pytest.approx(0.5, rel=Z / math.sqrt(samples))
    assert told["reach"] == pytest.approx(1.96 * exact, rel=0.12)          # a 95% quantile of 1,000, Z · 3.6%
    # one sample of 4n: the relative error of its own standard deviation, and of as many replicates
    kurtosis = ((scores - truth) ** 4).mean() / scores.var() ** 2
    own = math.sqrt((kurtosis - 1) / (16 * n) + 1 / (2 * told["replicates"]))
    assert told["claim"] == pytest.approx(exact / 2, rel=Z * own)
    # deff = 1 + (b - 1) rho, rho the share of the scores' variance between stores
    stores = told["people"].groupby("store")["score"].agg(["mean", "size"])
    size = stores["size"].sum()
    between = (stores["size"] * (stores["mean"] - truth) ** 2).sum() / size - (
        scores.var() - (stores["size"] * (stores["mean"] - truth) ** 2).sum() / size) * len(stores) / size
    deff = 1 + (4 * n // 10 - 1) * between / scores.var()
    assert deff > 1.5 and told["deff"] == pytest.approx(deff, rel=2 * Z / math.sqrt(samples))
    assert told["spread"] in {"wider", "更大"}
    assert told["outside"].sum() in range(*binomial_band(0.05))
    assert told["missed"]["store"] in range(*binomial_band(0.05))
    assert told["missed"][""] in range(*binomial_band(2 * norm.sf(1.96 / math.sqrt(deff))))
    # what the loyal add is the mean under the chances of answering, less the truth
    expected = np.average(scores, weights=told["chance"]) - truth
    last = told["biased"].iloc[-1]
    assert expected > 2 and told["bias"] == pytest.approx(expected, abs=Z * last["se"])
    assert last["mean"] - 1.96 * last["se"] > truth


def binomial_band(p: float) -> tuple[int, int]:
    low, high = binom.ppf([0.0005, 0.9995], 100, p)
    return int(low), int(high) + 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_what_the_lesson_tells_is_true_whatever_the_seed(seed: int) -> None:
    check_sampling_error(run_cells("1_sampling_error", "en", seed=seed))


@pytest.mark.slow
def test_the_lesson_runs_under_papermill_in_both_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class's own parameters; the two languages tell the same numbers; nothing on stderr, no figure left out."""
    import nbformat
    import papermill

    monkeypatch.delenv("PYTHONWARNDEFAULTENCODING", raising=False)          # other libraries' warnings are theirs
    numbers = {}
    for language in ("en", "zh"):
        source = nbformat.read(ROOT / "notebooks" / "teaching" / f"1_sampling_error.{language}.ipynb", 4)
        source.cells.append(nbformat.v4.new_code_cell(
            f"import json; print(json.dumps({{k: float(globals()[k]) for k in {TOLD!r}}}))"))
        copy, done = tmp_path / f"{language}.ipynb", tmp_path / f"{language}.done.ipynb"
        nbformat.write(source, copy)
        papermill.execute_notebook(str(copy), str(done), {"samples": 400, "replicates": 100, "customers": 50_000},
                                   kernel_name="python3", progress_bar=False, cwd=str(ROOT))
        cells = nbformat.read(done, 4).cells
        outputs = [o for c in cells for o in c.get("outputs", [])]
        assert {o.get("name") for o in outputs if o.output_type == "stream"} == {"stdout"}
        assert sum("<svg" in o.get("data", {}).get("text/html", "") for o in outputs) == 6
        numbers[language] = json.loads(cells[-1].outputs[0].text)
    assert numbers["en"] == numbers["zh"] and numbers["en"]["samples"] == 400


def test_the_population_of_a_lesson_has_the_markets_stores() -> None:
    market, rng = Market(), np.random.default_rng(5)
    people = draw_customers(40_000, rng, market)
    assert people.columns[:2].tolist() == ["region", "store"] and people["store"].str.len().eq(4).all()
    assert (people["store"].str[0] == people["region"].str[0]).all()
    assert people["store"].nunique() == len(market.store_users)
    rows = draw_from_stores(people["store"], 10, 7, 300, rng)
    assert rows.shape == (300, 70)
    drawn = people["store"].to_numpy()[rows]
    assert all(len(set(one)) == 10 for one in drawn)
    assert all((np.unique(one, return_counts=True)[1] == 7).all() for one in drawn)
    # every user has the same chance: regions come in the shares they have
    share, truth = (drawn[..., None] >= "W").mean(), people["region"].eq("West").mean()
    assert share == pytest.approx(truth, abs=Z * math.sqrt(truth * (1 - truth) / 3000))
    answers = as_responses(people.iloc[rows[0]], "CUSA1", "1-10", "store")
    assert answers.n == 70 and answers.design.units == 10 and answers.questionnaire["CUSA1"].scale.width == 9
