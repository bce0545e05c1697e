"""The frame as a kept customer list, and the commands that draw from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tcslib.errors import InputRefused
from tcslib.sampling.frame import CustomerList, ListColumns, by_class, unheard

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
