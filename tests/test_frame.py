"""The frame as a kept customer list, and the commands that draw from it."""

from __future__ import annotations

import importlib
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from quick import run_here

from tcslib.errors import InputRefused
from tcslib.run.fieldsheet import OUTCOMES
from tcslib.sampling.coverage import by_class, unheard
from tcslib.sampling.frame import CustomerList, ListColumns

COLUMNS = ListColumns("id", "class", contacts=("last", "before"),
                      same={"name": "name", "phone": "tel", "email": "mail"})
ROWS = pd.DataFrame({
    "id": ["C1", "C2", "C3", "C4", "C5", "C6"],
    "class": ["buyer", "buyer", "decider", "end_user", "end_user", "potential"],
    "region": ["North", "North", "South", "South", "North", "South"],
    "name": ["Acme Ltd.", "ACME  LTD", "Beta", "甲公司", "Ｂｅｔａ 2", "Gamma"],
    "tel": ["+86 138 0013 8000", "13800138000", "020 7946 0958", "", "+44 20 7946 0958", "12"],
    "mail": ["a@x.cn", "b@x.cn", "A@X.CN ", "", "", ""],
    "last": ["2026-06-20", "2026/5/1", "2026年6月1日", "", "2025-09-01; 2025-12-01", "2026-07-05"],
    "before": ["2026-01-10", "", "", "", "2026-03-01 00:00:00", ""]})


@pytest.fixture
def listed() -> CustomerList:
    return CustomerList(ROWS.copy(), COLUMNS)


def lines_of(caught: Any) -> list[str]:
    assert all("\n" not in line for line in caught.value.lines)
    return list(caught.value.lines)


# ---------------------------------------------------------------- who is on the list


def test_customers_join_and_leave_and_the_log_says_so(listed: CustomerList) -> None:
    new = pd.DataFrame({"id": ["C7", "C8"], "class": ["oem", "buyer"], "name": ["Delta", "Epsilon"]})
    later = listed.add(new, "2026-07-02", "Li", "new contracts").retire(["C2", "C7"], "2026-07-09", "Wu", "closed")
    assert later.rows["id"].tolist() == [f"C{k}" for k in range(1, 9)]
    assert later.rows["retired"].tolist() == ["", "2026-07-09", "", "", "", "", "2026-07-09", ""]
    assert later.active().tolist() == [True, False, True, True, True, True, False, True]
    assert later.active("2026-07-09").all() and later.active("2026-07-10").sum() == 6
    assert later.log.to_numpy().tolist() == [
        ["2026-07-02", "Li", "added", "C7", "new contracts"], ["2026-07-02", "Li", "added", "C8", "new contracts"],
        ["2026-07-09", "Wu", "retired", "C2", "closed"], ["2026-07-09", "Wu", "retired", "C7", "closed"]]
    assert later.rows.loc[6:, "tel"].tolist() == ["", ""]
    assert later.changes("2026-07-01").to_dict("list") == {"class": ["buyer", "oem"], "added": [1, 1],
                                                           "retired": [1, 1]}
    assert later.changes("2026-07-05")["added"].sum() == 0
    pd.testing.assert_frame_equal(listed.rows, ROWS)          # what was given is as it was
    assert listed.log.empty


def test_who_cannot_join_is_named(listed: CustomerList) -> None:
    gone = listed.retire(["C6"], "2026-07-01", "Li", "")
    with pytest.raises(InputRefused) as caught:
        gone.add(pd.DataFrame({"id": ["C1", "C6", "C9", "C9", ""], "fax": ""}), "2026-07-02", "Li", "")
    said = "\n".join(lines_of(caught))
    for part in ('column "fax": is no column of the list', "added: C9: comes twice", "added: row 5: has no id",
                 "added: C1: is on the list already.", "added: C6: is on the list already, retired."):
        assert part in said
    with pytest.raises(InputRefused, match="added: C9: has the phone of C1, C2: the same customer"):
        listed.add(pd.DataFrame({"id": ["C9"], "tel": ["0086-13800138000"]}), "2026-07-02", "Li", "")
    with pytest.raises(InputRefused, match="added: C8, C9: has the name of C9: the same"):
        listed.add(pd.DataFrame({"id": ["C8", "C9"], "name": ["Zeta", "zeta."]}), "2026-07-02", "Li", "")
    both = listed.add(pd.DataFrame({"id": ["C9"], "tel": ["13800138000"]}), "2026-07-02", "Li", "", allow_same=True)
    assert len(both.rows) == 7
    with pytest.raises(InputRefused, match='has no column "id"'):
        listed.add(pd.DataFrame({"name": ["x"]}), "2026-07-02", "Li", "")


def test_who_cannot_leave_is_named(listed: CustomerList) -> None:
    gone = listed.retire(["C6"], "2026-07-01", "Li", "")
    with pytest.raises(InputRefused) as caught:
        gone.retire(["C6", "X1", "C1"], "2026-07-02", "Li", "")
    assert lines_of(caught) == ["retired: X1: is not on the list. Correct the id.",
                                "retired: C6: has left the list already. Drop it."]


def test_contacts_are_noted_and_make_customers_rest(listed: CustomerList) -> None:
    later = listed.contact(["C4", "C1"], "2026-07-10", "Li", "wave").contact(["C1"], "2026-07-10", "Li", "wave")
    assert later.rows["last"].tolist()[:4] == ["2026-06-20; 2026-07-10", *ROWS["last"][1:3], "2026-07-10"]
    assert later.log["what"].tolist() == ["contacted"] * 2 and later.changes("2026-01-01").empty
    assert str(later.resting_until("2026-08-01", 60)[3]) == "2026-09-08"
    with pytest.raises(InputRefused, match="contacted: X: is not on the list"):
        listed.contact(["X"], "2026-07-10", "Li", "")
    with pytest.raises(InputRefused, match="no column of contacts"):
        CustomerList(ROWS, ListColumns("id")).contact(["C1"], "2026-07-10", "Li", "")


def test_a_change_cut_short_is_not_logged_twice(listed: CustomerList) -> None:
    """The log is in place and the list is not: the same command again brings both to the same end."""
    half = CustomerList(ROWS, COLUMNS, listed.retire(["C1"], "2026-07-01", "Li", "x").log)
    assert len(half.retire(["C1"], "2026-07-01", "Li", "x").log) == 1


def test_one_customer_listed_twice_is_reported_and_not_merged(listed: CustomerList) -> None:
    found = listed.duplicates()
    assert found.to_dict("records") == [
        {"by": "name", "value": "acmeltd", "ids": ("C1", "C2")},
        {"by": "phone", "value": "2079460958", "ids": ("C3", "C5")},
        {"by": "phone", "value": "3800138000", "ids": ("C1", "C2")},
        {"by": "email", "value": "a@x.cn", "ids": ("C1", "C3")}]
    assert listed.retire(["C1"], "2026-07-01", "Li", "").duplicates()["by"].tolist() == ["phone"]
    twice = CustomerList(pd.concat([ROWS, ROWS.iloc[:1]]), COLUMNS).duplicates()
    assert twice.iloc[0].tolist() == ["id", "C1", ("C1", "C1")]


# ---------------------------------------------------------------- who rests


def until(listed: CustomerList, *rule: Any) -> list[str | None]:
    return [None if np.isnat(day) else str(day) for day in listed.resting_until(*rule)]


def test_who_was_asked_lately_rests(listed: CustomerList) -> None:
    """60 days after the last contact before 1 July; C6 is asked after it only. By hand."""
    assert until(listed, "2026-07-01", 60) == ["2026-08-19", None, "2026-07-31", None, None, None]
    assert until(listed, "2026-06-30", 60) == ["2026-08-19", None, "2026-07-31", None, None, None]
    assert until(listed, "2026-06-29", 60)[1] == "2026-06-30"          # 1 May and 60 days
    assert until(listed, "2026-07-01") == [None] * 6


def test_who_was_asked_often_rests(listed: CustomerList) -> None:
    """At most three within 365 days: C5 was asked on 1 September, 1 December and 1 March."""
    assert until(listed, "2026-07-01", 0, 3) == [None] * 4 + ["2026-09-01", None]
    assert until(listed, "2026-07-01", 0, 2) == ["2027-01-10", None, None, None, "2026-12-01", None]
    assert until(listed, "2026-07-01", 0, 4) == [None] * 6
    assert until(listed, "2026-07-01", 250, 2)[0] == "2027-02-25"          # the later of the two rules: 20 June + 250


def test_a_cell_that_is_no_date_is_refused(listed: CustomerList) -> None:
    for cell in ("soon", "2026-13-01"):
        odd = CustomerList(ROWS.assign(last=[cell, *ROWS["last"][1:]]), COLUMNS)
        with pytest.raises(InputRefused, match=f'frame: column "last": "{cell}" of customer C1 is no date'):
            odd.resting_until("2026-07-01", 60)


# ---------------------------------------------------------------- who is missing


def test_the_list_is_held_against_known_totals(listed: CustomerList) -> None:
    got = listed.retire(["C6"], "2026-06-01", "", "").coverage({"region": {"North": 4, "West": 10}})
    assert got.drop(columns=["share", "gap"]).fillna(-1).to_numpy().tolist() == [
        ["region", "North", 4, 3], ["region", "West", 10, 0], ["region", "South", -1, 2]]
    assert got["share"].tolist()[:2] == [0.75, 0] and got["gap"].tolist()[:2] == [1, 10]


def test_classes_nobody_will_hear_from_are_named(listed: CustomerList) -> None:
    kinds = listed.kinds()
    rests = np.isin(kinds, ["decider"])
    drawn = kinds == "buyer"
    table = by_class(kinds, listed.active(), rests, ~rests, drawn, ["buyer", "oem", "decider", "end_user"])
    assert table.to_numpy().tolist() == [["buyer", 2, 0, 2, 2], ["oem", 0, 0, 0, 0], ["decider", 1, 1, 0, 0],
                                         ["end_user", 2, 0, 2, 0], ["potential", 1, 0, 1, 0]]
    assert unheard(table) == {"listed": ["oem"], "drawable": ["decider"], "drawn": ["end_user", "potential"]}


# ---------------------------------------------------------------- the commands

DRAW = {"strata": "region", "n": {"North": 12, "South": 8}, "seed": 3, "reserve": 0.25}
FRAME = {"file": "data/raw/acme/customers.csv", "id": "customer", "class": "class", "role": "role",
         "last_contact": "last", "rest_days": 90, "names": {"name": "company", "phone": "tel"},
         "totals": {"region": {"North": 100, "South": 60, "West": 20}}}


def customers(count: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame({
        "customer": [f"{20260000000000000 + i}" for i in range(count)],
        "company": [f"Firm {i:03d}" for i in range(count)], "tel": [f"1391234{i:04d}" for i in range(count)],
        "class": np.array(["buyer", "decider", "end_user"])[
            rng.integers(0, 3, count)], "role": "quality", "region": np.where(np.arange(count) % 2, "North", "South"),
        "store": [f"S{i % 8}" for i in range(count)], "turnover": [f"{v:.1f}" for v in rng.lognormal(3, 1, count)],
        "last": np.where(np.arange(count) < 20, "2026-06-15", "")})


@pytest.fixture
def project(make_study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study about to go into the field, its customer list in place and its answers still to come."""
    make_study("x", {"frame": FRAME, "draw": DRAW, "fieldwork": {"start": "2026-07-01"}})
    (tmp_path / "data/raw/acme/answers.csv").unlink()
    customers().to_csv(tmp_path / "data/raw/acme/customers.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tcs(*words: str) -> tuple[int, str, str]:
    """A command in this process: exit code, stdout, stderr."""
    import contextlib
    import io
    import sys

    from tcslib.run.cli import main

    class Stream(io.StringIO):
        def reconfigure(self, **kind: Any) -> None:
            pass

    out, err, before = Stream(), Stream(), sys.argv
    sys.argv = ["tcs", *words]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    finally:
        sys.argv = before
    raise AssertionError("a command ends with an exit code")


def restate(root: Path, **sections: Any) -> None:
    """Change sections of the study."""
    path = root / "params/acme/2026Q3.yaml"
    said = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({k: v for k, v in (said | sections).items() if v is not None}), encoding="utf-8")


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_sample_is_drawn_from_who_may_be_asked(project: Path) -> None:
    code, said, err = tcs("draw", "acme/2026Q3")
    assert (code, err) == (0, "")
    assert "120 customers on the list, of whom 20 rest on 2026-07-01; 100 can be drawn." in said
    assert "Drawn: 20, and 5 to replace them in the order given; seed 3." in said
    assert "{strata: stratum, weights: weight, fpc: list_1}" in said
    folder = project / "data/processed/acme/2026Q3/draw/v1"
    drawn = pd.read_csv(folder / "drawn.csv", dtype={"id": "str"}, encoding="utf-8-sig")
    frame = customers().set_index("customer")
    assert (frame.loc[drawn["id"], "last"] == "").all() and drawn["field_id"].is_unique
    assert (frame.loc[drawn["id"], "region"].to_numpy() == drawn["stratum"].to_numpy()).all()
    sample = drawn[drawn["part"] == "main"]
    assert sample.groupby("stratum").size().to_dict() == DRAW["n"]
    assert sample["weight"].sum() == pytest.approx(100) and drawn["list_1"].eq(50).all()
    # the record tells counts and holds nobody
    record = (folder / "draw.json").read_text(encoding="utf-8")
    assert not [i for i in frame.index if i in record] and "Firm" not in record


def test_the_same_list_and_seed_are_the_same_bytes_and_no_draw_is_overwritten(project: Path) -> None:
    tcs("draw", "acme/2026Q3")
    place = project / "data/processed/acme/2026Q3/draw"
    first = content(place / "v1")
    code, said, _ = tcs("draw", "acme/2026Q3")
    assert code == 0 and "Nothing has changed since v1, which stands." in said and content(place / "v1") == first
    # the rows of the list in another order: another file, the same people; the record says it is another file
    customers().sample(frac=1, random_state=1).to_csv(project / "data/raw/acme/customers.csv", index=False)
    code, _, err = tcs("draw", "acme/2026Q3")
    assert code == 2 and err.count("\n") == 1
    assert "data/processed/acme/2026Q3/draw/v1: was drawn from another list" in err
    assert "tcs draw acme/2026Q3 --again" in err
    code, _, _ = tcs("draw", "acme/2026Q3", "--again")
    again = content(place / "v2")
    assert code == 0 and content(place / "v1") == first
    assert again["drawn.csv"] == first["drawn.csv"] and again["field-sheet.xlsx"] == first["field-sheet.xlsx"]
    restate(project, plan={"margin": 4})          # with numbers by stratum the plan has no say
    assert "v2, which stands" in tcs("draw", "acme/2026Q3")[1]
    restate(project, draw={**DRAW, "seed": 4})
    assert "(params.draw.seed)" in tcs("draw", "acme/2026Q3")[2]
    assert {p.name for p in place.iterdir()} == {"v1", "v2", ".lock"}


def test_a_field_sheet_an_interviewer_can_read(project: Path) -> None:
    from python_calamine import CalamineWorkbook

    restate(project, title={"en": "Acme", "zh": "安美"}, draw={
        **DRAW, "n": {"North": 12}, "by_stratum": {"South": {"n": 3, "stages": [
            {"clusters": "store", "method": "pps_systematic"}, {"n": 4}]}}})
    tcs("draw", "acme/2026Q3")
    folder = project / "data/processed/acme/2026Q3/draw"
    with CalamineWorkbook.from_path(folder / "v1/field-sheet.xlsx") as book:
        assert book.sheet_names == ["Instructions", "North", "South"]
        legend = book.get_sheet_by_name("Instructions").to_python()
        north, south = (book.get_sheet_by_name(name).to_python() for name in ("North", "South"))
    assert legend[0][0] == "Field sheet: Acme, 2026Q3"
    assert ["2.11", "Refused, by the customer or somebody else"] in legend
    assert sum(r[0] in OUTCOMES for r in legend) == 17
    assert north[0][:6] == ["No.", "Part", "Field id", "company", "tel", "role"] and north[0][-3] == "Final code"
    assert [r[0] for r in north[1:]] == list(range(1, 16)) and [r[1] for r in north[1:]] == ["sample"] * 12 + [
        "replacement"] * 3
    assert south[0][3] == "Unit" and len({r[3] for r in south[1:]}) == 3 and len(south) == 1 + 12 + 3
    assert all(isinstance(r[5], str) and len(r[5]) == 11 for r in south[1:])          # telephone numbers stay text
    assert not any("".join(map(str, r[6:])) for r in north[1:])              # room to write in
    ids = set(customers()["customer"])
    assert not ids & {str(cell) for r in [*north, *south] for cell in r}
    restate(project, language="zh")
    tcs("draw", "acme/2026Q3", "--again")
    with CalamineWorkbook.from_path(folder / "v2/field-sheet.xlsx") as book:
        assert book.sheet_names == ["填写说明", "North", "South"]
        assert book.get_sheet_by_name("North").to_python()[0][:3] == ["序号", "类型", "访问编号"]


def test_many_strata_share_a_sheet(project: Path) -> None:
    from python_calamine import CalamineWorkbook

    customers().assign(region=[f"R{i % 25:02d}" for i in range(120)]).to_csv(
        project / "data/raw/acme/customers.csv", index=False)
    restate(project, frame={**FRAME, "rest_days": 0}, draw={
        "strata": "region", "n": {f"R{k:02d}": 2 for k in range(25)}})
    assert tcs("draw", "acme/2026Q3")[0] == 0
    with CalamineWorkbook.from_path(project / "data/processed/acme/2026Q3/draw/v1/field-sheet.xlsx") as book:
        assert book.sheet_names == ["Instructions", "Sample"]
        rows = book.get_sheet_by_name("Sample").to_python()
    assert rows[0][3] == "Stratum" and len(rows) == 51


@pytest.mark.parametrize(("draw", "plan", "counts"), [
    # 20 in proportion to who can be drawn: 50 and 50
    ({"strata": "region", "n": 20}, None, {"North": 10, "South": 10}),
    # the plan's frame has three times as many in the North
    ({"strata": "region", "n": 20}, {"strata": {"North": {"size": 300}, "South": {"size": 100}}},
     {"North": 15, "South": 5}),
    ({"strata": "region"}, {"drawn": 30, "strata": {"North": {"size": 300}, "South": {"size": 300}}},
     {"North": 15, "South": 15}),
    # (1.96 · 10 / 5)² = 15.37, for a change of 8: 2 (1.96 + .8416)² 10² / 8² = 24.5; at a response of .5 49.1 of
    # 10,000: 24.5 / (1 + 24.5 / 10000) / .5 = 48.93
    ({}, {"margin": 5, "change": 8, "sd": 10, "response": 0.5, "population": 10000}, {"": 49}),
    # the answers planned, whatever the aims: 30 at a response of .5
    ({}, {"answers": 30, "response": 0.5}, {"": 60}),
    # ((1.645 + .8416) / .35)² = 50.47 for the smallest path is the aim that asks for most
    ({}, {"margin": 9, "change": 20, "sd": 10, "smallest_path": 0.35, "population": 10 ** 9}, {"": 51}),
    # at least 8 answers, so 16 approached, of a stratum the rule would give 10 of 40
    ({"strata": "region"}, {"answers": 20, "response": 0.5, "minimum": 8, "strata": {
        "North": {"size": 300}, "South": {"size": 100}}}, {"North": 24, "South": 16}),
    # by the power 0 of the sizes both get the same
    ({"strata": "region"}, {"answers": 20, "allocation": "power", "power_exponent": 0, "strata": {
        "North": {"size": 300}, "South": {"size": 100}}}, {"North": 10, "South": 10})])
def test_how_many_comes_from_the_draw_or_from_the_plan(project: Path, draw: Any, plan: Any, counts: Any) -> None:
    restate(project, draw={**draw, "require": {"class": ["buyer", "decider", "end_user"]}}, plan=plan)
    code, _, err = tcs("draw", "acme/2026Q3")
    assert (code, err) == (0, "")
    record = json.loads((project / "data/processed/acme/2026Q3/draw/v1/draw.json").read_text(encoding="utf-8"))
    assert {s["stratum"]: s["drawn"] for s in record["strata"]} == counts


@pytest.mark.parametrize("plan", [
    {"margin": 4, "change": 9}, {"cluster_size": 5, "weights_deff": 1.2, "rho": 0.1, "response": 0.6, "eligible": 0.8},
    {"margin": 9, "change": 20, "share": {"margin": 0.08}, "nps": {"margin": 12, "promoters": 0.4, "detractors": 0.2}},
    {"margin": 9, "change": 20, "rival": {"difference": 6, "ratio": 0.5}, "segments": {"a": 0.5, "b": 0.5}},
    {"margin": 9, "change": 20, "smallest_path": 0.2, "smallest_f2": 0.05, "population": 900},
    {"overlap": 0.5, "correlation": 0.6, "answers": 120, "strata": {"North": {"size": 900}, "South": {"size": 300}}},
    {"budget": 900, "fixed_cost": 100, "interview_cost": 10, "unit_cost": 5, "cluster_size": 4, "rho": 0.05}])
def test_the_page_and_the_draw_ask_for_the_same(project: Path, plan: Any) -> None:
    """The first notebook reckons in sight of the reader, ``tcs draw`` by itself."""
    from types import SimpleNamespace

    from tcslib.sampling.aims import approached
    from tcslib.study.load import load

    restate(project, plan=plan, draw=None)
    study = load("params/acme/2026Q3.yaml", before_field=True)
    cells = json.loads((ROOT / "notebooks/1_sampling_plan.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code" and not c["metadata"].get("tags")]
    names: dict[str, Any] = {"tcs": importlib.import_module("tcslib"), "study": study, "plan": study.params.plan,
                             "stage": SimpleNamespace(show=lambda *given: None, customers=lambda: None)}
    exec("from tcslib.sampling import allocation, pls_size, size\n" + "\n".join(code), names)
    assert approached(study.params.plan, study.model, names["customers"]) == names["approach"]


@pytest.mark.parametrize(("sections", "said"), [
    ({"draw": None}, "says nothing of how to draw"),
    ({"frame": None}, "draw: needs the list it draws from"),
    ({"draw": {**DRAW, "n": 2.5}}, 'draw.n: "2.5": a whole number of 1 or more is expected'),
    ({"draw": {**DRAW, "n": {"North": 0}}}, 'draw.n: a whole number of 1 or more is expected, or one for each stratum'),
    ({"draw": {**DRAW, "n": {"North": 99, "South": 1}}}, 'stratum "North": 99 to draw from 50 customers'),
    ({"draw": {**DRAW, "n": {"Nord": 9, "North": 9, "South": 1}}}, 'there is no stratum "Nord" on the list'),
    ({"draw": {"strata": "region"}}, "draw.n: is missing, and there is no plan to take it from"),
    ({"draw": {**DRAW, "strata": "regoin"}}, 'column "regoin" (draw.strata) is missing. Did you mean region?'),
    ({"draw": {**DRAW, "method": "pps_sampford", "size_measure": "company"}}, '"Firm 020" is no number. A size is.'),
    ({"draw": {**DRAW, "stages": [{"n": 1}], "method": "simple"}}, "has stages, and method beside them"),
    ({"draw": {**DRAW, "stages": [{"n": 3}, {"n": 1}]}}, "only a last stage draws customers"),
    ({"draw": {**DRAW, "by_stratum": {"West": {"method": "systematic"}}}}, 'there is no stratum "West" that can be'),
    ({"frame": {**FRAME, "last_contact": []}}, "frame.last_contact: is missing"),
    ({"fieldwork": None}, "frame.as_of: is missing: rest is counted to that day"),
    ({"frame": {**FRAME, "as_of": "July"}}, "frame.as_of: \"July\": a day is expected: 2026-07-01."),
    ({"frame": {**FRAME, "file": "data/raw/acme/custmers.csv"}}, "Did you mean customers.csv?"),
    ({"frame": {**FRAME, "file": "elsewhere.csv"}}, "lies outside data/raw")])
def test_draws_that_cannot_be_made_are_refused(project: Path, sections: dict[str, Any], said: str) -> None:
    restate(project, **sections)
    code, out, err = tcs("draw", "acme/2026Q3")
    assert code == 2 and not out and said in err and err.count("\n") <= 2 and "Traceback" not in err
    assert not list(project.glob("data/processed/**/v*"))


@pytest.mark.parametrize(("suffix", "encoding"), [(".csv", None), (".csv", "gb18030"), (".xlsx", None),
                                                  (".parquet", None)])
def test_a_list_is_kept_in_its_own_format(project: Path, suffix: str, encoding: str | None) -> None:
    from tcslib.run.customers import read_list
    from tcslib.study.load import load

    raw = project / "data/raw/acme"
    (raw / "customers.csv").unlink()
    start = customers(6).assign(company=["甲公司", "B", "C", "D", "E", "F"])
    if suffix == ".csv":
        start.to_csv(raw / "list.csv", index=False, encoding=encoding or "utf-8")
    elif suffix == ".xlsx":
        start.assign(turnover=start["turnover"].astype(float)).to_excel(raw / "list.xlsx", index=False,
                                                                        engine="xlsxwriter")
    else:
        start.to_parquet(raw / "list.parquet")
    stated = {"file": f"data/raw/acme/list{suffix}", **({"encoding": encoding} if encoding else {})}
    restate(project, frame={**FRAME, **stated})
    pd.DataFrame({"customer": ["N1"], "company": ["乙公司"], "class": ["oem"]}).to_csv(project / "new.csv", index=False)
    pd.DataFrame({"customer": ["20260000000000001"]}).to_csv(project / "left.csv", index=False)
    code, said, err = tcs("frame", "acme", "--add", "new.csv", "--retire", "left.csv", "--why", "spring  review",
                          "--on", "2026-07-02", "--by", "Li")
    assert (code, err) == (0, "")
    assert "1 customers joined the list on 2026-07-02" in said and "6 customers are on it" in said
    kept = read_list(load("params/acme/2026Q3.yaml", before_field=True))
    assert kept.rows["company"].tolist() == ["甲公司", "B", "C", "D", "E", "F", "乙公司"]
    assert kept.rows["retired"].tolist() == ["", "2026-07-02", *[""] * 5]
    assert kept.rows.loc[:5, "turnover"].astype(float).tolist() == start["turnover"].astype(float).tolist()
    assert (raw / "list-log.csv").read_text(encoding="utf-8").splitlines() == [
        "date,who,what,id,why", "2026-07-02,Li,added,N1,spring review",
        "2026-07-02,Li,retired,20260000000000001,spring review"]
    assert not list(raw.glob(".making-*"))


def test_a_change_that_is_refused_changes_nothing(project: Path) -> None:
    before = content(project / "data/raw")
    (project / "new.csv").write_text("customer,company,fax\n20260000000000003,Firm 050,1\nN1,FIRM 050.,2\n",
                                     encoding="utf-8")
    (project / "left.csv").write_text("customer\nX1\n", encoding="utf-8")
    for words, said in (
            (["--add", "new.csv"], ["tcs frame acme: say why"]),
            (["--add", "new.csv", "--retire", "left.csv", "--why", "x"], [
                'new.csv: column "fax": is no column of the list', "new.csv: 20260000000000003: is on the list already",
                "left.csv: X1: is not on the list"]),
            (["--add", "none.csv", "--why", "x"], ["none.csv: there is no such regular file"]),
            (["--add", "left.csv", "--why", "x", "--on", "yesterday"], ["--on yesterday: a day is expected"])):
        code, out, err = tcs("frame", "acme", *words)
        assert code == 2 and not out and all(part in err for part in said), err
        assert content(project / "data/raw") == before
    (project / "new.csv").write_text("customer,company\nN1,FIRM 050.\n", encoding="utf-8")
    _, _, err = tcs("frame", "acme", "--add", "new.csv", "--why", "x")
    assert "N1: has the name of 20260000000000050: the same customer?" in err
    assert tcs("frame", "acme", "--add", "new.csv", "--why", "x", "--allow-same")[0] == 0
    code, _, err = tcs("frame", "nobody")
    assert code == 2 and 'client "nobody": has no study' in err


def test_the_list_is_told_in_plain_words(project: Path) -> None:
    code, said, _ = tcs("frame", "acme", "--on", "2026-07-01")
    assert code == 0
    for part in ("120 customers ever listed, 120 of them now.", "120 listed, 20 resting, 100 can be drawn.",
                 "20 rest on 2026-07-01; the first may be contacted again on 2026-09-13, all on 2026-09-13.",
                 "region North: 60 listed, of 100 known, 60%", "region West: 0 listed, of 20 known, 0%"):
        assert part in said


def test_who_was_drawn_rests_in_the_next_wave(project: Path) -> None:
    tcs("draw", "acme/2026Q3")
    drawn = "data/processed/acme/2026Q3/draw/v1/drawn.csv"
    code, said, err = tcs("frame", "acme", "--contacted", drawn, "--why", "2026Q3", "--on", "2026-07-15")
    assert (code, err) == (0, "") and "25 customers were contacted on 2026-07-15." in said
    restate(project, frame={**FRAME, "as_of": "2026-09-20"})
    assert "of whom 25 rest on 2026-09-20" in tcs("draw", "acme/2026Q3", "--again")[1]
    first, second = (pd.read_csv(project / f"data/processed/acme/2026Q3/draw/{v}/drawn.csv", encoding="utf-8-sig")
                     for v in ("v1", "v2"))
    assert not set(first["id"]) & set(second["id"])


def test_a_workbook_with_more_sheets_is_not_overwritten(project: Path) -> None:
    path = project / "data/raw/acme/two.xlsx"
    with pd.ExcelWriter(path, engine="xlsxwriter") as book:
        customers(3).to_excel(book, sheet_name="list", index=False)
        customers(3).to_excel(book, sheet_name="notes", index=False)
    restate(project, frame={**FRAME, "file": "data/raw/acme/two.xlsx"})
    (project / "left.csv").write_text("customer\n20260000000000001\n", encoding="utf-8")
    code, _, err = tcs("frame", "acme", "--retire", "left.csv", "--why", "x")
    assert code == 2 and "has more than one sheet" in err


# ---------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def reported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a list, drawn and run; its root."""
    from conftest import write_study

    from tcslib.run.drawing import draw_study
    from tcslib.study.load import load

    root = tmp_path_factory.mktemp("listed")
    path = write_study(root, shared / "badinputs/000_good_base.csv", {
        "frame": {**FRAME, "since": "2026-05-01"}, "draw": {**DRAW, "require": {"class": ["buyer", "decider"]}},
        "fieldwork": {"start": "2026-07-01"}, "replicates": {"count": 50}})
    rows = customers()
    rows.loc[3, "tel"] = rows.loc[5, "tel"]
    rows.to_csv(root / "data/raw/acme/customers.csv", index=False)
    (root / "data/raw/acme/customers-log.csv").write_text(
        f"date,who,what,id,why\n2026-04-01,Li,added,{rows['customer'][0]},x\n"
        f"2026-06-01,Li,added,{rows['customer'][1]},x\n", encoding="utf-8")
    draw_study(load(path))
    assert run_here(load(path)).new
    return root


@pytest.mark.slow
def test_the_report_tells_of_the_list_and_names_nobody(reported: Path) -> None:
    folder = reported / "reports/acme/2026Q3/v1"
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    told, rows = found["frame"], customers()
    by_name = {row["class"]: row for row in told["classes"]}
    assert {name: row["listed"] for name, row in by_name.items() if row["listed"]} == rows[
        "class"].value_counts().to_dict()
    assert sum(row["drawn"] for row in told["classes"]) == 20 and by_name["end_user"]["drawn"] == 0
    assert sum(row["resting"] for row in told["classes"]) == 20
    assert [(c["category"], c["listed"], c["share"]) for c in told["coverage"]] == [
        ("North", 60, 0.6), ("South", 60, 1.0), ("West", 0, 0.0)]
    assert told["changes"] == [{"class": rows["class"][1], "added": 1, "retired": 0}]
    assert told["duplicates"] == {"phone": 1}
    said = " ".join(found["warnings"])
    for part in ("Nobody on the list is of the class: Intermediaries", "but nobody could be drawn: End users",
                 "Nobody on the list: West", "same particulars: 1 by telephone number"):
        assert part in said
    page = (folder / "acme-2026Q3-v1.html").read_text(encoding="utf-8")
    assert "The customer list" in page and "20 customers of 2 classes were drawn" in page
    everything = b"".join(content(folder).values()) + _unzipped(folder / "tables.xlsx")
    assert not [v for column in ("customer", "company", "tel") for v in rows[column] if v.encode() in everything]


def _unzipped(path: Path) -> bytes:
    with zipfile.ZipFile(path) as book:
        return b"".join(book.read(name) for name in book.namelist())


@pytest.mark.slow
def test_the_list_is_among_what_a_report_is_made_of(reported: Path) -> None:
    from tcslib.run.pipeline import standing
    from tcslib.run.runs import find_run
    from tcslib.run.verify import changed_since
    from tcslib.study.load import load

    study = load(reported / "params/acme/2026Q3.yaml")
    made_of = json.loads((reported / "reports/acme/2026Q3/v1/manifest.json").read_text(encoding="utf-8"))["inputs"]
    assert set(made_of["frame"]) == {"data/raw/acme/customers.csv", "data/raw/acme/customers-log.csv",
                                     "data/processed/acme/2026Q3/draw/v1/draw.json"}
    assert standing(study) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(reported)
        assert tcs("frame", "acme", "--retire", str(_one(reported)), "--why", "closed", "--on", "2026-07-20")[0] == 0
        assert standing(study) is None
        since = changed_since(find_run("acme/2026Q3"))
    assert since == ["data/raw/acme/customers.csv: changed", "data/raw/acme/customers-log.csv: changed"]
    lines: list[str] = []
    assert run_here(study, say=lines.append).new
    assert ["kept" in line for line in lines[:5]] == [False, True, True, True, True]
    page = (reported / "reports/acme/2026Q3/v2/acme-2026Q3-v2.html").read_text(encoding="utf-8")
    assert "The customer list, or the draw from it, changed." in page and "the list has changed since" in page


def _one(root: Path) -> Path:
    path = root / "left.csv"
    path.write_text(f"customer\n{customers()['customer'][50]}\n", encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_study_without_a_list_has_no_such_section(demo_report: Any) -> None:
    assert "customer list" not in demo_report.page.read_text(encoding="utf-8").lower()


def test_check_names_the_columns_the_list_lacks(project: Path, shared: Path) -> None:
    shutil.copy(shared / "badinputs/000_good_base.csv", project / "data/raw/acme/answers.csv")
    assert tcs("check", "acme/2026Q3")[:2] == (0, "acme/2026Q3: no faults found.\n")
    restate(project, frame={**FRAME, "class": "klass", "totals": {"regoin": {"North": 1}}})
    code, _, err = tcs("check", "acme/2026Q3")
    assert code == 2 and err.splitlines() == [
        'data/raw/acme/customers.csv: column "regoin" (frame.totals.regoin) is missing. Did you mean region?',
        'data/raw/acme/customers.csv: column "klass" (frame.class) is missing. Did you mean class?']


def test_changes_are_counted_from_the_wave_before(project: Path) -> None:
    """From its frame.as_of, else the first day of its fieldwork; without either there is nothing to tell."""
    from tcslib.run.customers import state
    from tcslib.study.load import load

    (project / "data/raw/acme/customers-log.csv").write_text(
        "date,who,what,id,why\n2026-04-10,Li,added,20260000000000001,x\n2026-05-10,Li,added,20260000000000002,x\n",
        encoding="utf-8")
    study = load("params/acme/2026Q3.yaml", before_field=True)
    for earlier, since, joined in (({"fieldwork": {"start": "2026-04-01"}, "frame": None}, "2026-04-01", 2),
                                   ({"fieldwork": {"start": "2026-04-01"}, "frame": {"as_of": "2026-05-01"}},
                                    "2026-05-01", 1)):
        found = state(study, earlier)
        assert found.changes is not None and (found.since, found.changes["added"].sum()) == (since, joined)
    assert state(study, {}).changes is None and state(study, {"fieldwork": {"start": "spring"}}).changes is None


def test_the_log_is_told_without_naming_anybody(project: Path) -> None:
    """Entries of one day and reason are one; a reason with a customer's name or id in it is left out."""
    from tcslib.run.customers import state
    from tcslib.study.load import load

    ids = customers()["customer"]
    (project / "data/raw/acme/customers-log.csv").write_text(
        "date,who,what,id,why\n" + "".join(f"{day},Li,{what},{ids[k]},{why}\n" for k, (day, what, why) in enumerate([
            ("2026-04-01", "added", "too early"), ("2026-05-02", "added", "spring"), ("2026-05-02", "added", "spring"),
            ("2026-05-02", "contacted", "wave"), ("2026-06-01", "retired", "FIRM-017 closed"),
            ("2026-06-02", "retired", f"same as {ids[9]}"), ("2026-06-03", "retired", "ask li@acme.cn")])),
        encoding="utf-8")
    study = load("params/acme/2026Q3.yaml", before_field=True)
    log = state(study, {"fieldwork": {"start": "2026-05-01"}}).log
    assert log.to_numpy().tolist() == [
        ["2026-05-02", "added", "spring", 2], ["2026-06-01", "retired", "", 1], ["2026-06-02", "retired", "", 1],
        ["2026-06-03", "retired", "ask [e-mail]", 1]]
    assert state(study, {}).log.empty


def test_show_and_schema_know_the_sections(project: Path) -> None:
    from tcslib.study.load import load
    from tcslib.study.schema import schema
    from tcslib.study.show import show

    restate(project, draw={**DRAW, "n": {"North": 2}, "by_stratum": {"South": {"stages": [
        {"n": 2, "clusters": "store"}, {"n": 3}]}}})
    study = load("params/acme/2026Q3.yaml", before_field=True)
    (project / "params/acme/2026Q3.yaml").write_text("\n".join(show(study)), encoding="utf-8")
    again = load("params/acme/2026Q3.yaml", before_field=True).params
    assert (again.frame, again.draw) == (study.params.frame, study.params.draw)
    assert "class" in schema()["$defs"]["FrameParams"]["properties"]
