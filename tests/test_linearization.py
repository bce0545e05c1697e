"""Every Taylor number of R survey 4.1-1 in ../shared/reference/survey, met and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from survey_numbers import DESIGNS, Walk, data, golden, one, said, schools

from tcslib.errors import InputRefused
from tcslib.inference import pps
from tcslib.inference.chisq import independence
from tcslib.inference.descriptive import covariance, mean, proportion, ratio, total, variance
from tcslib.inference.estimates import Estimates
from tcslib.inference.linearization import sample_of
from tcslib.inference.quantiles import quantile, quantiles_of
from tcslib.inference.regression import rank_test, regress, t_test
from tcslib.survey.design import Design

TERMS = ["(Intercept)", "ell", "meals", "mobility"]


def by_type(found: Estimates, name: str, deff: bool = False) -> list[dict[str, Any]]:
    table = found.table()
    return [{"stype": row["group"], name: row["estimate"], "se": row["se"]}
            | ({"DEff.api00": found.deff_fpc[i]} if deff else {}) for i, row in table.iterrows()]


def ours(api: pd.DataFrame, design: Design) -> dict[str, Any]:
    """The record of one design, made by the library."""
    met = api["sch.wide"]
    means = mean(design, api["api00"])
    table = independence(design, met, api["stype"])
    chi = {"table": table.counts.to_numpy()}
    for kind in ("F", "Chisq", "Wald", "adjWald", "lincom", "saddlepoint"):
        test = independence(design, met, api["stype"], method=kind)
        parameter = {"Chisq": test.df, "lincom": [], "saddlepoint": []}.get(kind, [test.df, test.ddf])
        chi[kind] = {"statistic": test.statistic, "parameter": parameter, "p": test.p}
    linear = regress(design, api["api00"], api[TERMS[1:]])
    logit = regress(design, (met == "Yes").astype(float), api[TERMS[1:]], family="logistic", tolerance=1e-8)
    test = t_test(design, api["api00"], api["comp.imp"]).tests().iloc[1]
    shares = {m: proportion(design, met, ["Yes"], method=m) for m in ("logit", "beta", "xlogit", "asin", "mean")}
    return {
        "n": means.n[0], "sum_weights": design.weights.sum(), "degf": means.df[0],
        "mean_api00": said(means, ["api00"]), "mean_api00_deff_replace": means.deff[0],
        "mean_enroll_narm": said(mean(design, api["enroll"]), ["enroll"]),
        "total_enroll_narm": said(total(design, api["enroll"]), ["enroll"]),
        "mean_joint_api99_api00": said(mean(design, api[["api99", "api00"]]), ["api99", "api00"]),
        "prop_stype": said(proportion(design, api["stype"]), ["stypeE", "stypeH", "stypeM"]),
        "total_stype": said(total(design, pd.get_dummies(api["stype"])), ["stypeE", "stypeH", "stypeM"]),
        "prop_schwide": said(proportion(design, met), ["sch.wideNo", "sch.wideYes"]),
        "ratio_api00_api99": one(ratio(design, api["api00"], api["api99"])),
        "ratio_apistu_enroll": one(ratio(design, api["api.stu"], api["enroll"])),
        "by_stype_mean_api00": by_type(mean(design, api["api00"], by=api["stype"]), "api00", True),
        "by_stype_total_enroll": by_type(total(design, api["enroll"], by=api["stype"]), "enroll"),
        "domain_comp_imp_yes": said(mean(design, api["api00"], where=api["comp.imp"] == "Yes"), ["api00"]),
        "var_api00": one(variance(design, api["api00"])),
        "contrast_api00_minus_api99": one(mean(design, api[["api99", "api00"]]).contrast([-1, 1])),
        "quantile_api00": [{"q": q.labels["q"], "est": q.estimate, "lo": q.low, "hi": q.high, "se": q.se,
                            "qrule": rule, "interval.type": ""} for rule in ("math", "school", "hf7")
                           for q in [quantile(design, api["api00"], rule=rule)]],
        "glm_linear": {"coef": dict(zip(TERMS, linear.estimate, strict=True)), "formula": "",
                       "se": dict(zip(TERMS, linear.se, strict=True)), "df_resid": linear.df[0]},
        "glm_logit": {"coef": dict(zip(TERMS, logit.estimate, strict=True)), "formula": "",
                      "se": dict(zip(TERMS, logit.se, strict=True))},
        "ciprop_schwide": [{"method": m, "est": s.estimate[0], "ci": [s.low[0], s.high[0]]} for m, s in shares.items()],
        "chisq_schwide_stype": chi | {"rows": ["", ""], "cols": [""] * 3},
        "ttest_api00_by_comp": {"t": test["t"], "df": test["df"], "p": test["p"], "est": test["estimate"]},
    }


def test_every_statistic_of_the_eight_designs(shared: Path) -> None:
    """1,828 numbers are met, 12 differ for a known reason.

    lincom (8): this R had no package for the exact distribution and printed the saddlepoint value there too; ours is
    exact. hf7 (4, the median's lower limit and standard error under the stratified designs): among equal answers of
    unequal weight R goes by the order of the file, ours by weight; in R's order the rule gives R's numbers, see below.
    """
    known = golden(shared, "survey_golden")["est"]
    walk = Walk({".lincom.p": 0.18, "quantile_api00.2.lo.1": 1e-3, "quantile_api00.2.se.1": 2e-2})
    for name in DESIGNS:
        walk.compare(known[name], ours(*schools(shared, name)), name)
    assert not walk.faults, "\n".join(walk.faults)
    assert (walk.count, walk.set_aside) == (1828, 12)
    assert walk.worst < 1.3e-8          # a saddlepoint's p: R's root is found less closely; without it 1e-9


def test_quantiles_in_the_order_of_rs_file(shared: Path) -> None:
    """All 24 times 9 estimates and limits, hf7 among them, when equal answers stand as R had them."""
    known, met = golden(shared, "survey_golden")["est"], 0
    for name in DESIGNS:
        api, design = schools(shared, name)
        x = api["api00"].to_numpy(float)
        for record in known[name]["quantile_api00"]:
            def quantiles(at: Any, rule: str = record["qrule"], x: Any = x, w: Any = design.weights) -> np.ndarray:
                return quantiles_of(x, w, np.atleast_1d(at), rule)

            found = quantiles(record["q"])
            shares = mean(design, np.column_stack([x <= value for value in found]).astype(float))
            for key, values in (("est", found), ("lo", quantiles(shares.low)), ("hi", quantiles(shares.high))):
                assert values == pytest.approx(np.array(record[key]), rel=1e-9)
                met += len(values)
    assert met == 8 * 3 * 9


def test_a_stratum_with_a_single_unit(shared: Path) -> None:
    """R's four answers, and its refusal, which names the stratum."""
    api, known = data(shared, "api_lonely_psu"), golden(shared, "survey_golden")["lonely_psu"]
    design = Design(api["snum"].astype(str).to_numpy(), api["pw"].to_numpy(float), api["stype"].to_numpy())
    walk = Walk()
    for rule in ("remove", "certainty", "average", "adjust"):
        stated = replace(design, lonely_psu=rule)
        found = one(mean(stated, api["api00"])) | {"total_enroll": one(total(stated, api["enroll"]))}
        walk.compare(known[rule], found, rule)
    walk.compare(known["strata_counts"], api["stype"].value_counts().to_dict(), "strata_counts")
    assert not walk.faults and walk.count == 19 and walk.worst < 1e-13
    assert "(H)" in known["fail"]["error"]
    with pytest.raises(InputRefused, match=r"1 of 3 strata hold a single sampling unit \(H\)"):
        mean(design, api["api00"])


def test_sampling_with_probability_proportional_to_size(shared: Path) -> None:
    """Votes in 40 counties drawn with probabilities from 0.0003 to 0.9."""
    drawn, population = data(shared, "election_pps"), data(shared, "election_pop")
    known, votes = golden(shared, "survey_golden")["pps_election"], drawn[["Bush", "Kerry", "Nader"]]
    pi, pairs = drawn["p"].to_numpy(), data(shared, "election_jointprob").to_numpy()
    ids = np.arange(len(pi)).astype(str)
    design = Design(ids, 1 / pi)
    assert drawn["wt"].to_numpy() == pytest.approx(1 / pi, rel=1e-12)
    ways = {"HH_withreplacement_approx": None, "brewer": pps.brewer(pi), "overton": pps.overton(pi),
            "HR_sample": pps.hartley_rao(pi), "HR_pop": pps.hartley_rao(pi, float((population["p"] ** 2).sum() / 40)),
            "HT_joint": pps.joint(pairs, pi), "YG_joint": pps.joint(pairs, pi, yates_grundy=True)}
    found: dict[str, Any] = {name: said(total(sample_of(design, variance=way), votes), list(votes), deff=False)
                             for name, way in ways.items()}
    found["true_totals"] = population[list(votes)].sum().to_dict()
    walk = Walk()
    walk.compare(known, found)
    assert not walk.faults, "\n".join(walk.faults)
    assert walk.count == 7 * (3 + 3 + 9 + 6) + 3 and walk.worst < 2e-12


def test_a_ratio_over_ambulances(expected: Any) -> None:
    """Levy & Lemeshow's emergency services: three strata of two units, without weights."""
    case = expected("survey", "scd_ratio")
    scd = pd.DataFrame(case["inputs"])
    design = Design(np.arange(6).astype(str), np.ones(6), scd["area"].to_numpy(), scd["ambulance"].to_numpy())
    walk, found = Walk(), ratio(design, scd["alive"], scd["arrests"])
    walk.compare(case["expected"], one(found))
    assert not walk.faults and walk.count == 2 and found.df[0] == 3


def composite(api: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"i1": (api["api00"] - 200) / 8, "i2": (api["api99"] - 200) / 8, "i3": 100 - api["meals"]})


def index_record(api: pd.DataFrame, design: Design) -> dict[str, Any]:
    parts = composite(api)
    idx = pd.Series(parts.to_numpy() @ [0.5, 0.3, 0.2], name="idx")
    means, direct = mean(design, parts), mean(design, idx)
    fit = regress(design, api["col.grad"], parts).estimate[1:]
    spread = np.sqrt([np.average((parts[p] - m) ** 2, weights=design.weights)
                      for p, m in zip(parts, means.estimate, strict=True)])
    w = np.abs(fit * spread) / np.abs(fit * spread).sum()
    c = covariance(design, parts)
    square = np.zeros((3, 3))
    square[np.triu_indices(3)] = square.T[np.triu_indices(3)] = c.estimate
    box = proportion(design, idx >= 70, [True])
    ranks = rank_test(design, idx, api["comp.imp"]).tests().iloc[1]
    flat = parts.to_numpy() - parts.to_numpy().mean(axis=0)
    plain = flat.T @ flat / (len(flat) - 1)
    normal = direct.se[0] * 1.959963984540054
    naive = np.sqrt(((idx - direct.estimate[0]) ** 2).sum() / (len(idx) - 1) / len(idx))
    return {
        "def": "", "means": dict(zip(parts, means.estimate, strict=True)), "vcov": means.vcov,
        "contrast": one(means.contrast([0.5, 0.3, 0.2])),
        "direct": one(direct) | {"df": direct.df[0], "ci_t": [direct.low[0], direct.high[0]],
                                 "ci_normal": [direct.estimate[0] - normal, direct.estimate[0] + normal]},
        "naive_srs_weighted_se": naive,
        "domain": {str(i + 1): {"stype": "", "est": row["estimate"], "se": row["se"]}
                   for i, row in mean(design, idx, by=api["stype"]).table().iterrows()},
        "estimated_weights": {"target": "", "w": w, "fixed_w": one(means.contrast(w))},
        "top_box": {"def": "", "r": {"est": box.estimate[0], "ci": [box.low[0], box.high[0]]}},
        "nps_like": {"def": ""} | one(mean(design, 100.0 * ((idx >= 75).astype(float) - (idx < 50)))),
        "alpha": {"raw_svycralpha": alpha(c).estimate[0], "svyvar": square,
                  "unweighted": 1.5 * (1 - np.trace(plain) / plain.sum())},
        "ranktest": {"statistic": ranks["t"], "df": ranks["df"], "p": ranks["p"]}}


def alpha(c: Estimates) -> Estimates:
    """Weighted alpha of three items from their covariances, with its standard error."""
    return c.transform(lambda v: 1.5 * (1 - (v[0] + v[3] + v[5]) / (v.sum() + v[1] + v[2] + v[4])), ["alpha"])


def test_the_composite_index(shared: Path) -> None:
    """Replicate-weight entries belong to tests of replicates; all else is compared.

    The rank test under the stratified design is set aside: some schools share their index and not their weight,
    and R ranks them by the order of rounding errors. With its ranks the test is R's, see below.
    """
    known, walk = golden(shared, "index_golden"), Walk({"strat.ranktest.statistic": 1e-3, "strat.ranktest.p": 1e-3})
    for name in ("strat", "clus1"):
        record = {k: v for k, v in known["index"][name].items() if k != "jackknife"}
        record["estimated_weights"] = {k: v for k, v in record["estimated_weights"].items() if k[:9] != "replicate"}
        walk.compare(record, index_record(*schools(shared, f"{name}_fpc")), name)
    assert not walk.faults, "\n".join(walk.faults)
    assert (walk.count, walk.set_aside) == (102, 2)


def test_the_rank_test_with_rs_ranks(shared: Path) -> None:
    api, design = schools(shared, "strat_fpc")
    parts, w = composite(api), design.weights
    idx = (0.5 * parts["i1"] + 0.3 * parts["i2"] + 0.2 * parts["i3"]).to_numpy()
    order = np.argsort(idx, kind="stable")
    at = np.empty(len(w))
    at[order] = np.cumsum(w[order]) - w[order] / 2
    ranks = pd.Series(at).groupby(np.round(idx, 12)).transform("mean") / w.sum()
    known = golden(shared, "index_golden")["index"]["strat"]["ranktest"]
    test = t_test(design, ranks, api["comp.imp"]).tests().iloc[1]
    assert [test["t"], test["df"], test["p"]] == pytest.approx([known["statistic"], known["df"], known["p"]], rel=1e-9)


def test_a_change_between_two_independent_waves(shared: Path) -> None:
    """The waves are strata of one stacked design, and its domains."""
    (one_wave, first), (two, second) = schools(shared, "srs_fpc"), schools(shared, "strat_fpc")
    stacked = Design(np.array([f"1:{i}" for i in first.ids] + [f"2:{i}" for i in second.ids]),
                     np.append(first.weights, second.weights),
                     np.array(["1"] * len(first.ids) + [f"2:{s}" for s in second.strata]),
                     fpc=np.append(first.fpc, second.fpc))
    idx = np.append((one_wave["api99"] - 200) / 8, (two["api00"] - 200) / 8)
    waves = mean(stacked, idx, by=np.repeat(["1", "2"], [len(one_wave), len(two)]))
    change, walk = waves.contrast([-1, 1]), Walk()
    walk.compare(golden(shared, "index_golden")["wave_change"],
                 one(change) | {"def": "", "z": change.estimate[0] / change.se[0]})
    assert not walk.faults and walk.count == 3
    assert waves.df.tolist() == [199, 197] and change.df[0] == 396


def test_the_textbook(shared: Path) -> None:
    """Lohr (2022), examples of chapters 2 to 5, as R survey computes them and as the book prints them."""
    known, found = golden(shared, "lohr_golden"), {}

    def told(e: Estimates) -> dict[str, Any]:
        return one(e) | {"ci_t": [e.low[0], e.high[0]]}

    farms = data(shared, "lohr_agsrs")
    ids = np.arange(300).astype(str)
    srs = Design(ids, np.full(300, 3078 / 300), fpc=np.full(300, 3078.0))
    small = (farms["acres92"] < 200_000).astype(float)
    found["agsrs"] = {"mean_acres92": told(mean(srs, farms["acres92"])), "total": told(total(srs, farms["acres92"])),
                      "ratio_92_87": one(ratio(srs, farms["acres92"], farms["acres87"])),
                      "prop_lt200k": told(mean(srs, small)), "published": "", "cite": ""}
    farms = data(shared, "lohr_agstrat")
    frame = data(shared, "lohr_agpop")["region"].value_counts()
    on_frame = farms["region"].map(frame).to_numpy(float)
    drawn = farms.groupby("region")["acres92"].transform("size").to_numpy()
    stratified = Design(ids, on_frame / drawn, farms["region"].to_numpy(), fpc=on_frame)
    acres = mean(stratified, farms["acres92"])
    found["agstrat"] = {"Nh": frame.to_dict(), "mean_acres92": told(acres), "deff": acres.deff_fpc[0],
                        "total": told(total(stratified, farms["acres92"])), "degf": acres.df[0], "published": "",
                        "cite": ""}
    pupils = data(shared, "lohr_algebra")
    n = len(pupils)
    classes = Design(np.arange(n).astype(str), np.full(n, 187 / 12), clusters=pupils["class"].to_numpy(),
                     fpc=np.full(n, 187.0))
    score = mean(classes, pupils["score"])
    found["algebra"] = {"mean_score": told(score), "deff": score.deff_fpc[0],
                        "total": told(total(classes, pupils["score"])), "published": "", "cite": ""}
    eggs = data(shared, "lohr_coots")
    clutches = Design(np.arange(len(eggs)).astype(str), eggs["csize"].to_numpy(float) / 2,
                      clusters=eggs["clutch"].to_numpy())
    volume = mean(clutches, eggs["volume"])
    found["coots"] = {"mean_volume": told(volume), "deff": volume.deff_fpc[0], "published": "", "cite": ""}
    walk = Walk()
    walk.compare({k: v for k, v in known.items() if k != "meta"}, found)
    assert not walk.faults, "\n".join(walk.faults)
    assert walk.count == 42 and walk.worst < 1e-13
    assert [round(v.se[0], d) for v, d in ((score, 2), (volume, 3))] == [1.49, 0.061]
