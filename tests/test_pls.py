"""PLS path modelling against four other programs, on the ECSI mobile-phone data.

The point estimates need means and covariances alone (``twin``); replicates need the rows (``mobi``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tcslib.errors import InputRefused, NotEstimable
from tcslib.inference.infer import Inference
from tcslib.inference.moments import MomentSource
from tcslib.inference.replicates import Replicates, replicate
from tcslib.measurement.assess import measure
from tcslib.structure.fit import PlsFit, pls
from tcslib.structure.pls import PlsSettings, PlsSolver, structural
from tcslib.study.models import Construct, Model
from tcslib.survey.responses import Responses

Respond = Callable[..., Responses]
Expected = Callable[[str, str], Any]
TIGHT = 1e-13          # sum of absolute weight changes at which every program was stopped
CLOSE = 1e-9           # asked of two converged solutions; reached: 3e-14, of estimates and of replicates


def fit_of(responses: Responses, model: Model, tolerance: float = TIGHT, **settings: Any) -> PlsFit:
    """The point estimates; 64 replicates are the fewest there are."""
    return pls(responses, model, PlsSettings(tolerance=tolerance, **settings), replicates=replicate(responses, 64))


def in_mode_b(model: Model, names: list[str]) -> Model:
    return replace(model, constructs=tuple(replace(c, mode="B" if c.name in names else "A") for c in model.constructs))


def by_path(fit: PlsFit, name: str) -> dict[str, float]:
    return dict(zip([f"{s}->{t}" for s, t in fit.model.paths], fit.inference.estimate[name], strict=True))


def by_item(fit: PlsFit, name: str) -> dict[str, float]:
    return dict(zip(fit.model.items, fit.inference.estimate[name], strict=True))


def by_construct(fit: PlsFit, name: str) -> dict[str, float]:
    return {c: v for c, v in zip(fit.model.names, fit.inference.estimate[name], strict=True) if np.isfinite(v)}


# seminr: block of reference/mobi/seminr.json -> settings, constructs in mode B
SEMINR: dict[str, tuple[dict[str, Any], list[str]]] = {
    "ecsi_modeA_path": ({}, []),
    "ecsi_modeA_path_default_tol": ({"tolerance": 1e-7}, []),
    "ecsi_modeA_factorial": ({"scheme": "factorial"}, []),
    "ecsi_modeB_path": ({}, ["Image", "Expectation", "Quality", "Value", "Satisfaction", "Complaints", "Loyalty"]),
    "ecsi_mixed_ImageB_QualityB": ({}, ["Image", "Quality"]),
}


@pytest.mark.parametrize("block", SEMINR)
def test_estimates_are_those_of_seminr(block: str, twin: Responses, ecsi: Model, expected: Expected) -> None:
    seminr = expected("mobi", "seminr")          # R seminr 2.3.4
    known, (settings, mode_b) = seminr[block], SEMINR[block]
    fit = fit_of(twin, in_mode_b(ecsi, mode_b), **settings)
    assert seminr["constructs"] == fit.model.names
    assert by_path(fit, "paths") == pytest.approx(known["paths"], abs=CLOSE)
    assert by_item(fit, "weights") == pytest.approx(known["weights"], abs=CLOSE)
    assert by_item(fit, "loadings") == pytest.approx(known["loadings"], abs=CLOSE)
    assert by_construct(fit, "r2") == pytest.approx(known["r2"], abs=CLOSE)
    assert fit.inference.estimate["correlations"] == pytest.approx(np.array(known["correlations"]), abs=CLOSE)
    assert fit.inference.estimate["total"] == pytest.approx(np.array(known["total_effects"]), abs=CLOSE)
    # the same stop rule: seminr counts its first round as 0
    assert fit.inference.estimate["iterations"] == known["iterations"] + 1


def test_the_data_themselves_give_the_same(mobi: Responses, ecsi: Model, expected: Expected) -> None:
    fit, known = fit_of(mobi, ecsi), expected("mobi", "seminr")["ecsi_modeA_path"]          # R seminr 2.3.4
    assert by_path(fit, "paths") == pytest.approx(known["paths"], abs=1e-13)
    assert by_item(fit, "weights") == pytest.approx(known["weights"], abs=1e-13)
    assert by_item(fit, "loadings") == pytest.approx(known["loadings"], abs=1e-13)
    assert by_construct(fit, "r2") == pytest.approx(known["r2"], abs=1e-13)


def test_seminr_re_estimates_the_model_for_its_f2(twin: Responses, ecsi: Model, expected: Expected) -> None:
    """seminr drops the path and runs PLS again; ours and cSEM's hold the scores (below). Theirs from our estimates."""
    known = expected("mobi", "seminr")["ecsi_modeA_path"]["f2"]          # R seminr 2.3.4
    full = by_construct(fit_of(twin, ecsi), "r2")
    for source, target in ecsi.paths:
        if sum(t == target for _, t in ecsi.paths) == 1:
            continue          # without its only predecessor a construct has no R²
        less = fit_of(twin, replace(ecsi, paths=tuple(p for p in ecsi.paths if p != (source, target))))
        f2 = (full[target] - by_construct(less, "r2")[target]) / (1 - full[target])
        assert f2 == pytest.approx(known[f"{source}->{target}"], abs=CLOSE)


@pytest.mark.parametrize(("block", "settings", "mode_b"), [
    ("ecsi_reflective_no_disattenuation_path", {}, False), ("ecsi_modeA_factorial", {"scheme": "factorial"}, False),
    ("ecsi_modeA_centroid", {"scheme": "centroid"}, False), ("ecsi_composite_modeB_path", {}, True)])
def test_estimates_and_f2_are_those_of_csem(block: str, settings: dict[str, Any], mode_b: bool, twin: Responses,
                                            ecsi: Model, expected: Expected) -> None:
    known = expected("mobi", "csem")[block]          # R cSEM 0.6.1.9000
    fit = fit_of(twin, in_mode_b(ecsi, ecsi.names) if mode_b else ecsi, **settings)
    for name, read in (("paths", by_path), ("f2", by_path), ("weights", by_item), ("loadings", by_item),
                       ("r2", by_construct)):
        assert read(fit, name) == pytest.approx(known[name], abs=CLOSE), name


@pytest.mark.parametrize(("block", "settings", "mode_b"), [
    ("modeA_path", {}, False), ("modeA_factorial", {"scheme": "factorial"}, False),
    ("modeA_centroid", {"scheme": "centroid"}, False), ("modeB_path", {}, True),
    ("modeA_path_unscaled", {"standardised": False}, False)])
def test_estimates_are_those_of_plspm(block: str, settings: dict[str, Any], mode_b: bool, twin: Responses, ecsi: Model,
                                      expected: Expected) -> None:
    known = expected("mobi", "plspm")[block]          # R plspm 0.4.9
    fit = fit_of(twin, in_mode_b(ecsi, ecsi.names) if mode_b else ecsi, **settings)
    assert by_path(fit, "paths") == pytest.approx(known["paths"], abs=CLOSE)
    assert by_item(fit, "loadings") == pytest.approx(known["loadings"], abs=CLOSE)
    # unscaled, plspm's scores have variance 1 with divisor n, ours with n - 1
    factor = np.sqrt(250 / 249) if block.endswith("unscaled") else 1.0
    got = {item: factor * weight for item, weight in by_item(fit, "weights").items()}
    assert got == pytest.approx(known["weights"], abs=CLOSE)


@pytest.mark.parametrize("scheme", ["centroid", "path", "factorial"])
def test_paths_and_r2_are_those_of_an_independent_solver(scheme: str, twin: Responses, ecsi: Model,
                                                         expected: Expected) -> None:
    known = expected("mobi", "oracle")[scheme]          # 8 decimals
    fit = fit_of(twin, ecsi, scheme=scheme)
    assert by_path(fit, "paths") == pytest.approx(known["paths"], abs=1e-8)
    assert by_construct(fit, "r2") == pytest.approx(known["r2"], abs=1e-8)


@pytest.mark.parametrize(("case", "standardised"), [("own_units", False), ("standardised", True)])
def test_both_published_answers_are_reached(case: str, standardised: bool, twin: Responses, ecsi: Model,
                                            expected: Expected) -> None:
    """Items in their own units: Tenenhaus et al. (2005); standardised: Monecke & Leisch (2012). Centroid scheme."""
    known = expected("mobi", "published")[case]
    fit = fit_of(twin, ecsi, scheme="centroid", standardised=standardised)
    printed = known["tolerance"]["published"]          # the papers round to 3 decimals
    assert by_path(fit, "paths") == pytest.approx(known["paths_published"], abs=printed)
    assert by_path(fit, "paths") == pytest.approx(known["paths"], abs=CLOSE)
    assert by_construct(fit, "r2") == pytest.approx(known["r2"], abs=CLOSE)
    assert by_item(fit, "loadings") == pytest.approx(known["loadings"], abs=CLOSE)
    if standardised:
        names = ecsi.names
        total = {key: fit.inference.estimate["total"][names.index(key.split("->")[0]), names.index(key.split("->")[1])]
                 for key in known["total_effects"]}
        assert total == pytest.approx(known["total_effects"], abs=CLOSE)
        assert by_item(fit, "weights") == pytest.approx(known["outer_weights"], abs=CLOSE)
        assert by_item(fit, "weights") == pytest.approx(known["outer_weights_published"], abs=0.006)
    else:
        assert by_construct(fit, "r2") == pytest.approx(known["r2_published"], abs=printed)
        for name, block in zip(ecsi.names, ecsi.blocks, strict=True):
            weights = fit.inference.estimate["weights"][block]
            assert dict(zip(ecsi[name].items, weights / weights.sum(), strict=True)) == pytest.approx(
                known["outer_weights_norm_sum1"][name], abs=CLOSE)


@pytest.mark.parametrize("scheme", ["centroid", "path", "factorial"])
def test_schemes_differ_as_they_should(scheme: str, twin: Responses, ecsi: Model, expected: Expected) -> None:
    known = expected("mobi", "published")["schemes"][scheme]          # centroid is semPLS, the others independent code
    assert by_path(fit_of(twin, ecsi, scheme=scheme), "paths") == pytest.approx(known, abs=CLOSE)


# ---------------------------------------------------------------- replicates, on the very rows another program drew


@pytest.fixture(scope="module")
def seminr_boot(shared: Path) -> dict[str, Any]:
    """R seminr 2.3.4, 2,000 replicates, seed 123, path scheme, default stop of 1e-7."""
    return json.loads((shared / "reference" / "pls" / "seminr_boot2000.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def resampled(shared: Path, mobi: Responses, ecsi: Model, given: Callable[..., Replicates]) -> PlsFit:
    """Our estimates on seminr's resamples."""
    file = shared / "reference" / "pls" / "seminr_boot2000_seed123_indices.csv.gz"
    rows = pd.read_csv(file, header=None).to_numpy() - 1
    assert (mobi.design.unit == np.arange(len(mobi))).all()          # ids are in the order of the rows
    return pls(mobi, ecsi, replicates=given(mobi, [np.bincount(row, minlength=len(mobi)) for row in rows]))


@pytest.fixture(scope="module")
def separation(resampled: PlsFit) -> Inference:
    return measure(resampled.responses, resampled.model, resampled.replicates, resampled.inference).inference


def test_the_first_replicates_equal_seminrs(resampled: PlsFit, seminr_boot: dict[str, Any]) -> None:
    order = [resampled.model.paths.index(tuple(label.split("->"))) for label in seminr_boot["path_labels"]]
    got = resampled.inference.draws["paths"][:20][:, order]          # all that are printed; reached: 3e-15
    assert got == pytest.approx(np.array(seminr_boot["replicates"]), abs=1e-12)


def entry(name: str, source: str, target: str, model: Model) -> Any:
    """Where a statistic from one thing to another stands in our array."""
    if name == "paths":
        return model.paths.index((source, target))
    if name in ("total", "htmt"):
        return model.names.index(source), model.names.index(target)
    return model.items.index(source)


@pytest.mark.parametrize(("key", "name", "count"), [("paths", "paths", 12), ("total_paths", "total", 21),
                                                    ("HTMT", "htmt", 21), ("weights", "weights", 24),
                                                    ("loadings", "loadings", 24)])
def test_means_and_sds_of_all_replicates_equal_seminrs(key: str, name: str, count: int, resampled: PlsFit,
                                                       separation: Inference, seminr_boot: dict[str, Any]) -> None:
    block, model = seminr_boot[f"{key}_descriptives"], resampled.model
    known = pd.DataFrame(block["values"], block["rows"], block["cols"], dtype=float)
    found = separation if name == "htmt" else resampled.inference
    mean, se, seen = found.draws[name].mean(axis=0), found.se(name), 0
    for source in known.index:
        for target in [t for t in model.names if f"{t} Boot SD" in known and t != source]:
            value = known.loc[source, f"{target} Boot Mean"]
            if not np.isfinite(value) or value == 0:          # no such path, another block, the lower triangle
                continue
            at = entry(name, source, target, model)
            assert mean[at] == pytest.approx(value, abs=1e-12)          # reached: 3e-15
            assert se[at] == pytest.approx(known.loc[source, f"{target} Boot SD"], abs=1e-12)
            seen += 1
    assert seen == count


@pytest.mark.parametrize(("key", "name"), [("ci_paths", "paths"), ("ci_total", "total"), ("ci_htmt", "htmt"),
                                           ("ci_weights", "weights"), ("ci_loadings", "loadings")])
def test_percentile_intervals_equal_seminrs(key: str, name: str, resampled: PlsFit, separation: Inference,
                                            seminr_boot: dict[str, Any]) -> None:
    found = separation if name == "htmt" else resampled.inference
    assert found.interval == "percentile"
    low, high = found.limits(name)
    block = seminr_boot[key]
    known = pd.DataFrame(block["values"], block["rows"], block["cols"], dtype=float)
    for label in known.index:
        at = entry(name, *label.split("  ->  "), resampled.model)
        assert low[at] == pytest.approx(known.loc[label, "2.5% CI"], abs=1e-12)          # reached: 5e-15
        assert high[at] == pytest.approx(known.loc[label, "97.5% CI"], abs=1e-12)


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize("scheme", ["path", "centroid", "factorial"])
@pytest.mark.parametrize("mode_b", [False, True])
def test_a_replicate_does_not_depend_on_its_batch(scheme: Any, mode_b: bool, twin: Responses, ecsi: Model) -> None:
    source = MomentSource(twin.matrix(ecsi.items), replicate(twin, 128, seed=5), twin.domain)
    cov = source.block(range(2)).cov[:100]
    model = in_mode_b(ecsi, ["Image", "Quality"]) if mode_b else ecsi
    solver = PlsSolver(model, PlsSettings(scheme=scheme))
    together = solver.solve(cov)
    inner = structural(model, together.correlations)
    for b in range(len(cov)):
        alone = solver.solve(cov[b:b + 1])
        for name in ("weights", "loadings", "cross_loadings", "correlations", "iterations"):
            assert (getattr(alone, name)[0] == getattr(together, name)[b]).all(), name
        for name, value in structural(model, alone.correlations).items():
            assert np.array_equal(value[0], inner[name][b], equal_nan=True), name


def turned(responses: Responses, items: tuple[str, ...]) -> Responses:
    """The same interviews with the scale of these items turned round."""
    return replace(responses, answers=responses.answers.assign(**{i: 11 - responses.answers[i] for i in items}))


def test_a_construct_means_what_most_of_its_items_mean(twin: Responses, ecsi: Model) -> None:
    """All items reversed: same weights, loadings and R², only the paths to and from the construct change sign."""
    plain, other = fit_of(twin, ecsi), fit_of(turned(twin, ecsi["Image"].items), ecsi)
    for name in ("weights", "loadings", "f2"):
        assert other.inference.estimate[name] == pytest.approx(plain.inference.estimate[name], abs=1e-12)
    assert by_construct(other, "r2") == pytest.approx(by_construct(plain, "r2"), abs=1e-12)
    sign = np.array([-1.0 if "Image" in path else 1.0 for path in ecsi.paths])
    assert other.inference.estimate["paths"] == pytest.approx(sign * plain.inference.estimate["paths"], abs=1e-12)


@pytest.mark.parametrize(("items", "construct_turns"), [
    (("CUSA1",), False), (("CUSA1", "CUSA3"), True),          # one of three, two of three
    (("PERV1",), False), (("PERV2",), True)])          # one of two: the larger loading, PERV2's, decides
def test_the_sign_rule_counts_loadings_then_weighs_them(items: tuple[str, ...], construct_turns: bool, twin: Responses,
                                                        ecsi: Model) -> None:
    plain, other = fit_of(twin, ecsi), fit_of(turned(twin, items), ecsi)
    name = next(c.name for c in ecsi.constructs if items[0] in c.items)
    turn = -1.0 if construct_turns else 1.0
    of_item = np.array([turn * (-1 if i in items else 1) if i in ecsi[name].items else 1.0 for i in ecsi.items])
    of_path = np.array([turn if name in path else 1.0 for path in ecsi.paths])
    for array in ("weights", "loadings"):
        assert other.inference.estimate[array] == pytest.approx(of_item * plain.inference.estimate[array], abs=1e-12)
    assert other.inference.estimate["paths"] == pytest.approx(of_path * plain.inference.estimate["paths"], abs=1e-12)


def test_two_weak_items_outvote_a_strong_one(twin: Responses) -> None:
    """Two of three loadings negative, their sum positive: the count decides, and the strong item turns negative."""
    weak = ("CUSL2", "CUEX3")
    model = Model((Construct("Satisfaction", ("CUSA1", "CUSA2", "CUSA3")), Construct("Odd", (*weak, "CUSL3"))),
                  (("Satisfaction", "Odd"),), "Satisfaction")
    plain, other = fit_of(twin, model), fit_of(turned(twin, weak), model)
    before, after = by_item(plain, "loadings"), by_item(other, "loadings")
    assert before["CUSL3"] > before["CUSL2"] + before["CUEX3"] > 0
    assert [after[item] for item in (*weak, "CUSL3")] == pytest.approx(
        [before["CUSL2"], before["CUEX3"], -before["CUSL3"]], abs=1e-12)
    assert by_path(other, "paths")["Satisfaction->Odd"] == pytest.approx(-by_path(plain, "paths")["Satisfaction->Odd"])


def test_no_convergence_is_no_estimate(twin: Responses, ecsi: Model) -> None:
    with pytest.raises(NotEstimable, match="did not settle within 3 rounds"):
        fit_of(twin, ecsi, max_iterations=3)


def test_an_item_without_variance_is_refused_by_name(twin: Responses, ecsi: Model) -> None:
    flat = replace(twin, answers=twin.answers.assign(PERQ4=7.0))
    with pytest.raises(InputRefused, match=r'"PERQ4" has the same answer \(7\)'):
        fit_of(flat, ecsi)


def test_variance_outside_the_rows_that_count_is_none(twin: Responses, ecsi: Model, respond: Respond) -> None:
    weights = np.ones(len(twin))
    weights[:10] = 0
    answers = twin.answers.copy()
    answers.loc[answers.index[10:], "PERQ4"] = 7.0
    with pytest.raises(InputRefused, match='"PERQ4" has the same answer'):
        fit_of(respond(answers, weights=weights), ecsi)


def test_too_few_interviews_are_refused(twin: Responses, ecsi: Model) -> None:
    few = twin.where(np.arange(len(twin)) < 69)          # Quality has 7 items: 70 are needed
    with pytest.raises(InputRefused, match="at least 70"):
        fit_of(few, ecsi)
    assert fit_of(twin.where(np.arange(len(twin)) < 70), ecsi).inference.n == 70


@pytest.mark.parametrize("scheme", ["path", "centroid", "factorial"])
def test_predecessors_that_say_the_same_are_no_estimate(scheme: str, twin: Responses, respond: Respond) -> None:
    answers = twin.answers.assign(COPY1=twin.answers["PERV1"], COPY2=twin.answers["PERV2"])
    model = Model((Construct("Value", ("PERV1", "PERV2")), Construct("Copy", ("COPY1", "COPY2")),
                   Construct("Satisfaction", ("CUSA1", "CUSA2", "CUSA3"))),
                  (("Value", "Satisfaction"), ("Copy", "Satisfaction")), "Satisfaction")
    with pytest.raises(NotEstimable, match="carry the same information"):
        fit_of(respond(answers), model, scheme=scheme)
