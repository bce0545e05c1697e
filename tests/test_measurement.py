"""Reliability and validity against psych, seminr, cSEM and the survey package."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pingouin
import pytest

from tcslib.inference.moments import MomentSource
from tcslib.inference.replicates import replicate
from tcslib.measurement.assess import Measurement, item_statistics, measure
from tcslib.measurement.reliability import AlphaKind, HtmtKind, alpha
from tcslib.structure.fit import pls
from tcslib.structure.pls import PlsSettings
from tcslib.study.models import Construct, Model
from tcslib.survey.responses import Responses

Respond = Callable[..., Responses]
Expected = Callable[[str, str], Any]
CLOSE = 1e-9          # reached: 1e-14


def measured(responses: Responses, model: Model, alpha_kind: AlphaKind = "standardised",
             htmt_kind: HtmtKind = "absolute", standardised: bool = True) -> Measurement:
    replicates = replicate(responses, 64)
    fit = pls(responses, model, PlsSettings(tolerance=1e-13, standardised=standardised), replicates=replicates)
    return measure(responses, model, replicates, fit.inference, alpha_kind=alpha_kind, htmt_kind=htmt_kind,
                   standardised=standardised)


def htmt_pairs(found: Measurement, known: dict[str, Any]) -> dict[str, float]:
    """Our HTMT of the pairs that are known, by their key."""
    names = found.model.names
    return {key: found.inference.estimate["htmt"][names.index(key.split("|")[0]), names.index(key.split("|")[1])]
            for key in known}


def test_reliabilities_are_those_of_seminr_and_csem(twin: Responses, ecsi: Model, expected: Expected) -> None:
    seminr = expected("mobi", "seminr")["ecsi_modeA_path"]["reliability"]          # R seminr 2.3.4
    csem = expected("mobi", "csem")["reliability"]          # R cSEM 0.6.1.9000; rho_A from its PLSc block
    found = measured(twin, ecsi).inference.estimate
    for k, name in enumerate(ecsi.names):
        for ours, theirs in (("alpha", "alpha"), ("rho_a", "rhoA"), ("rho_c", "rhoC"), ("ave", "AVE")):
            if name == "Complaints":          # one item: seminr prints 1, cSEM NA or 1; ours is not defined
                assert np.isnan(found[ours][k])
            else:
                assert found[ours][k] == pytest.approx(seminr[name][theirs], abs=CLOSE)
                assert found[ours][k] == pytest.approx(csem[theirs][name], abs=CLOSE)


def test_rho_a_in_own_units_uses_the_weights_of_standardised_items(twin: Responses, ecsi: Model) -> None:
    """Dijkstra & Henseler (2015, eq. 3) by loops, on weights rescaled to give a score of variance 1."""
    found = measured(twin, ecsi, standardised=False).inference.estimate["rho_a"]
    fit = pls(twin, ecsi, PlsSettings(tolerance=1e-13, standardised=False), replicates=replicate(twin, 64))
    z = (twin.answers - twin.answers.mean()) / twin.answers.std()
    for k, construct in enumerate(ecsi.constructs):
        if len(construct.items) < 2:
            continue
        w = fit.inference.estimate["weights"][ecsi.blocks[k]] * twin.answers[list(construct.items)].std().to_numpy()
        r = np.corrcoef(z[list(construct.items)].to_numpy().T)
        assert w @ r @ w == pytest.approx(1, abs=1e-10)
        pairs = [(i, j) for i in range(len(w)) for j in range(len(w)) if i != j]
        rho = (w @ w) ** 2 * sum(w[i] * r[i, j] * w[j] for i, j in pairs) / sum(w[i] ** 2 * w[j] ** 2 for i, j in pairs)
        assert found[k] == pytest.approx(rho, abs=1e-10)


def test_formative_blocks_have_no_reliability(twin: Responses, ecsi: Model) -> None:
    mixed = replace(ecsi, constructs=tuple(replace(c, mode="B") if c.name == "Image" else c for c in ecsi.constructs))
    found = measured(twin, mixed).inference.estimate
    assert all(np.isnan(found[name][0]) for name in ("alpha", "rho_a", "rho_c", "ave"))
    assert np.isfinite(found["alpha"][1])


def test_htmt_is_absolute_as_in_seminr_or_signed_as_in_csem(twin: Responses, ecsi: Model, expected: Expected) -> None:
    absolute = expected("mobi", "seminr")["ecsi_modeA_path"]["htmt"]          # R seminr 2.3.4
    signed = expected("mobi", "csem")["htmt"]          # R cSEM 0.6.1.9000
    assert htmt_pairs(measured(twin, ecsi), absolute) == pytest.approx(absolute, abs=CLOSE)
    assert htmt_pairs(measured(twin, ecsi, htmt_kind="signed"), signed) == pytest.approx(signed, abs=CLOSE)
    # the pair the two conventions part over
    assert (round(absolute["Loyalty|Quality"], 4), round(signed["Loyalty|Quality"], 4)) == (0.7593, 0.7235)


def test_signed_htmt_is_that_of_psych_correlations(twin: Responses, ecsi: Model, expected: Expected) -> None:
    known = expected("mobi", "psych")["htmt_signed"]          # from R cor(); psych 2.2.9's script
    whole = {"CUEX": "Expectation", "CUSA": "Satisfaction", "CUSL": "Loyalty", "IMAG": "Image", "PERQ": "Quality",
             "PERV": "Value"}
    at = [ecsi.names.index(whole[name]) for name in known["names"]]
    got = measured(twin, ecsi, htmt_kind="signed").inference.estimate["htmt"][np.ix_(at, at)]
    off = ~np.eye(len(at), dtype=bool)
    assert got[off] == pytest.approx(np.array(known["m"])[off], abs=CLOSE)


def test_four_constructs(twin: Responses, expected: Expected) -> None:
    known = expected("mobi", "four_constructs")          # seminr's own fixture V_3_6_0, five decimals, and recomputed
    model = Model(tuple(Construct(name, tuple(items)) for name, items in known["blocks"].items()),
                  tuple(tuple(path) for path in known["paths"]), "Satisfaction")
    found = measured(twin, model)
    e = found.inference.estimate
    for k, name in enumerate(model.names):
        for ours, theirs in (("alpha", "alpha"), ("rho_c", "rhoC"), ("ave", "AVE"), ("rho_a", "rhoA")):
            assert e[ours][k] == pytest.approx(known["reliability"][name][theirs], abs=2e-9)
    htmt = {key.replace("-", "|"): value for key, value in known["htmt"].items()}
    assert htmt_pairs(found, htmt) == pytest.approx(htmt, abs=CLOSE)


# ---------------------------------------------------------------- alpha and items


@pytest.mark.parametrize("kind", ["standardised", "raw"])
def test_alpha_and_item_statistics_are_those_of_psych(kind: AlphaKind, twin: Responses, ecsi: Model,
                                                      expected: Expected) -> None:
    known = expected("mobi", "psych")["alpha"]          # R psych 2.2.9
    reliabilities = measured(twin, ecsi, kind).inference.estimate["alpha"]
    table = item_statistics(twin, ecsi, replicate(twin, 64), alpha_kind=kind).set_index("item")
    prefix = {"standardised": "std_alpha", "raw": "raw_alpha"}[kind]
    for name, block in known.items():
        assert reliabilities[ecsi.names.index(name)] == pytest.approx(block[prefix], abs=CLOSE)
        for item, values in block["items"].items():
            assert table.loc[item, "mean"] == pytest.approx(values["mean"], abs=CLOSE)
            assert table.loc[item, "sd"] == pytest.approx(values["sd"], abs=CLOSE)
            if kind == "raw":
                assert table.loc[item, "item_rest"] == pytest.approx(values["r_drop"], abs=CLOSE)
            if len(block["items"]) > 2:
                assert table.loc[item, "alpha_without"] == pytest.approx(values[f"{prefix}_without"], abs=CLOSE)
            else:
                assert np.isnan(table.loc[item, "alpha_without"])          # one item left: no alpha
    assert np.isnan(table.loc["CUSCO", ["item_rest", "alpha_without"]].to_numpy(dtype=float)).all()


def test_standardised_item_rest_is_the_correlation_with_the_rest(twin: Responses, ecsi: Model) -> None:
    table = item_statistics(twin, ecsi, replicate(twin, 64)).set_index("item")
    z = (twin.answers - twin.answers.mean()) / twin.answers.std()
    for construct in ecsi.constructs:
        for item in construct.items if len(construct.items) > 1 else ():
            rest = z[[other for other in construct.items if other != item]].sum(axis=1)
            assert table.loc[item, "item_rest"] == pytest.approx(np.corrcoef(z[item], rest)[0, 1], abs=1e-12)


def test_raw_alpha_is_that_of_pingouin(mobi: Responses, ecsi: Model) -> None:
    found = measured(mobi, ecsi, "raw").inference.estimate["alpha"]
    for k, construct in enumerate(ecsi.constructs):
        if len(construct.items) > 1:
            known, _ = pingouin.cronbach_alpha(mobi.answers[list(construct.items)])          # pingouin 0.7.0
            assert found[k] == pytest.approx(known, abs=1e-12)


def test_floor_and_ceiling_are_weighted_shares(respond: Respond) -> None:
    x = np.array([[1, 10], [1, 9], [10, 10], [5, np.nan], [1, 2], [10, 10]])
    weights = np.array([1, 2, 3, 4, 0, 5])
    responses = respond(pd.DataFrame(x, [f"{i}" for i in range(6)], ["A", "B"]), weights=weights)
    model = Model((Construct("Both", ("A", "B")),), (), "Both")
    table = item_statistics(responses, model, replicate(responses, 64)).set_index("item")
    assert table["floor"].to_dict() == pytest.approx({"A": 3 / 15, "B": 0})
    assert table["ceiling"].to_dict() == pytest.approx({"A": 8 / 15, "B": 9 / 11})
    assert table["missing"].to_dict() == {"A": 0, "B": 1}
    assert table["n"].to_dict() == {"A": 5, "B": 4}          # a weight of zero is no answer


# ---------------------------------------------------------------- missing answers and weights


@pytest.fixture(scope="module")
def bfi(shared: Path) -> pd.DataFrame:
    frame = pd.read_csv(shared / "data" / "survey" / "bfi.csv")[["N1", "N2", "N3", "N4", "N5"]]
    return frame.set_axis([f"{row:04d}" for row in range(len(frame))])


@pytest.mark.parametrize(("case", "missing"), [("bfi_N_pairwise", "pairwise"), ("bfi_N_complete", "listwise")])
def test_alpha_with_missing_answers_is_that_of_psych(case: str, missing: Any, bfi: pd.DataFrame, shared: Path,
                                                     respond: Respond) -> None:
    file = shared / "reference" / "survey" / "psych_golden.json"
    golden = json.loads(file.read_text(encoding="utf-8"))["alpha"][case]
    responses = respond(bfi, scale=(1, 6))
    cov = MomentSource(responses.matrix(list(bfi)), replicate(responses, 64), responses.domain, missing).sample().cov
    assert alpha(cov, "raw")[0] == pytest.approx(golden["total"]["raw_alpha"], abs=1e-12)          # R psych 2.2.9
    assert alpha(cov, "standardised")[0] == pytest.approx(golden["total"]["std.alpha"], abs=1e-12)
    model = Model((Construct("N", tuple(bfi)),), (), "N")
    table = item_statistics(responses, model, replicate(responses, 64), alpha_kind="raw", missing=missing)
    for row, known in zip(table.itertuples(), golden["alpha_drop"], strict=True):
        assert row.alpha_without == pytest.approx(known["raw_alpha"], abs=1e-12)


@pytest.mark.parametrize(("design", "file"), [("strat", "apistrat"), ("clus1", "apiclus1")])
def test_weighted_alpha_is_that_of_the_survey_package(design: str, file: str, shared: Path, respond: Respond) -> None:
    golden = json.loads((shared / "reference" / "survey" / "index_golden.json").read_text(encoding="utf-8"))
    golden = golden["index"][design]["alpha"]
    api = pd.read_csv(shared / "data" / "survey" / f"{file}.csv")
    items = pd.DataFrame({"i1": (api["api00"] - 200) / 8, "i2": (api["api99"] - 200) / 8, "i3": 100 - api["meals"]})
    responses = respond(items.set_axis(api["snum"].astype(str)), scale=(0, 100), weights=api["pw"])
    cov = MomentSource(responses.matrix(list(items)), replicate(responses, 64), responses.domain).sample().cov
    assert cov[0] == pytest.approx(np.array(golden["svyvar"]), rel=1e-12)          # R survey 4.1-1, svyvar
    assert alpha(cov, "raw")[0] == pytest.approx(golden["raw_svycralpha"], abs=1e-12)          # and svycralpha
    if design == "strat":
        assert abs(golden["raw_svycralpha"] - golden["unweighted"]) > 0.01          # the weights matter
