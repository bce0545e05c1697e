"""The sampling frame as a customer list that is kept: who joined, who left, who rests, who is missing, who is twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tcslib.errors import InputRefused, refuse_all
from tcslib.sampling.walking import few

LOG = ("date", "who", "what", "id", "why")
_DATE = r"(?P<y>[0-9]{4})[-/.年](?P<m>[0-9]{1,2})[-/.月](?P<d>[0-9]{1,2})"
_YEAR = np.timedelta64(365, "D")
_LEAST = 4          # bytes of a name that is looked for in a text: two Chinese characters, four Latin letters


@dataclass(frozen=True)
class ListColumns:
    """What the columns of a list hold; "" for what it has not.

    ``contacts`` hold days of earlier contacts, one or several to a cell; ``retired`` the day a customer left the list.
    ``same`` names columns by which one customer listed twice shows: ``name``, ``phone``, ``email``.
    """

    id: str
    kind: str = ""
    role: str = ""
    contacts: tuple[str, ...] = ()
    retired: str = "retired"
    same: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class CustomerList:
    """A customer list and the log of its changes; ``add``, ``retire`` and ``contact`` give a new one.

    Attributes
    ----------
    rows
        A row for each customer ever listed, ids as text.
    log
        date, who, what (added, retired or contacted), id, why: a line for each customer and change.
    """

    rows: pd.DataFrame
    columns: ListColumns
    log: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(LOG), dtype="str"))

    @property
    def ids(self) -> pd.Series:
        """Ids as text."""
        return self.rows[self.columns.id].astype("str").rename("id")

    def active(self, day: str = "") -> np.ndarray:
        """Whether each customer is on the list; with a day, whether they were on it when that day began."""
        if self.columns.retired not in self.rows:
            return np.ones(len(self.rows), dtype=bool)
        left = self.rows[self.columns.retired].fillna("").astype("str")
        return ((left == "") | (left >= day if day else False)).to_numpy(bool)

    def add(self, new: pd.DataFrame, day: str, who: str, why: str, allow_same: bool = False) -> CustomerList:
        """The list with new customers; columns they lack are left empty.

        Parameters
        ----------
        allow_same
            Take customers whose name, phone or e-mail is on the list already.

        Raises
        ------
        InputRefused
            When an id is listed already or comes twice, a column is not on the list, or somebody seems to be on it.
        """
        unknown = [c for c in new.columns if c not in self.rows.columns]
        faults = [InputRefused(f"is no column of the list, which has {few(self.rows.columns, 12)}. Rename or drop it.",
                               f'added: column "{c}"') for c in unknown]
        if self.columns.id not in new:
            refuse_all([*faults, InputRefused(f'has no column "{self.columns.id}". Add the ids.', "added")])
        ids = new[self.columns.id].astype("str")
        for bad, said in ((ids == "", "has no id"), (ids.duplicated() & (ids != ""), "comes twice")):
            if bad.any():
                named = few(ids[bad]) if said == "comes twice" else f"row {few(np.flatnonzero(bad) + 1)}"
                faults.append(InputRefused(f"{said}. Correct it.", f"added: {named}"))
        on_list = ids[ids.isin(self.ids)]
        faults += [InputRefused("is on the list already" + (
            "." if now else ", retired. Take the date away there to bring the customer back."), f"added: {one}")
            for one, now in zip(on_list, self._is_active(on_list), strict=True)]
        refuse_all(faults)
        out = replace(self, rows=pd.concat([self.rows, new], ignore_index=True).reindex(columns=self.rows.columns))
        for column in out.rows:
            if not pd.api.types.is_numeric_dtype(out.rows[column]):
                out.rows[column] = out.rows[column].fillna("")
        added = set(ids)
        for row in () if allow_same else out.duplicates().to_dict("records"):
            if came := [one for one in row["ids"] if one in added]:
                others = [one for one in row["ids"] if one not in added] or came[1:]
                faults.append(InputRefused(f"has the {row['by']} of {few(others)}: the same customer? If not, say so "
                                           "with --allow-same.", f"added: {few(came)}"))
        refuse_all(faults)
        return replace(out, log=self._logged(ids, day, who, "added", why))

    def retire(self, ids: Sequence[str], day: str, who: str, why: str) -> CustomerList:
        """The list with these customers marked as gone on that day; their rows stay.

        Raises
        ------
        InputRefused
            When an id is not listed, or gone already.
        """
        wanted = pd.Series(list(dict.fromkeys(ids)), dtype="str")
        known = wanted.isin(self.ids)
        gone = known & ~pd.Series(self._is_active(wanted), index=wanted.index)
        refuse_all([InputRefused("is not on the list. Correct the id.", f"retired: {one}") for one in wanted[~known]]
                   + [InputRefused("has left the list already. Drop it.", f"retired: {one}") for one in wanted[gone]])
        rows, column = self.rows.copy(), self.columns.retired
        dates = rows[column].fillna("").astype("str") if column in rows else pd.Series("", rows.index, dtype="str")
        rows[column] = dates.mask(self.ids.isin(wanted), day)
        return replace(self, rows=rows, log=self._logged(wanted, day, who, "retired", why))

    def contact(self, ids: Sequence[str], day: str, who: str, why: str) -> CustomerList:
        """The list with a contact of these customers on that day, in the first column of contacts.

        Raises
        ------
        InputRefused
            When an id is not listed, or the list has no column of contacts.
        """
        wanted = pd.Series(list(dict.fromkeys(ids)), dtype="str")
        faults = [InputRefused("is not on the list. Correct the id.", f"contacted: {one}")
                  for one in wanted[~wanted.isin(self.ids)]]
        if not self.columns.contacts:
            faults.append(InputRefused("the list has no column of contacts. Name it as frame.last_contact.",
                                       "contacted"))
        refuse_all(faults)
        rows, column = self.rows.copy(), self.columns.contacts[0]
        cells = rows[column].fillna("").astype("str")
        new = self.ids.isin(wanted) & ~cells.str.contains(day, regex=False)
        rows[column] = cells.mask(new, cells.where(cells == "", cells + "; ") + day)
        return replace(self, rows=rows, log=self._logged(wanted, day, who, "contacted", why))

    def _is_active(self, ids: pd.Series) -> list[bool]:
        now = set(self.ids[self.active()])
        return [one in now for one in ids]

    def _logged(self, ids: pd.Series, day: str, who: str, what: str, why: str) -> pd.DataFrame:
        """The log with these lines; a line that is there already, of a change that was cut short, is not repeated."""
        new = pd.DataFrame({"date": day, "who": who, "what": what, "id": ids.to_numpy(), "why": why}, columns=list(LOG))
        return pd.concat([self.log, new], ignore_index=True).astype("str").drop_duplicates(ignore_index=True)

    def duplicates(self) -> pd.DataFrame:
        """Customers that may be one: by (id, name, phone, email), value as compared, ids. Nothing is merged.

        By id among all rows; by name, phone and e-mail among those on the list, with letters' case and width, blanks
        and punctuation left out of account, and of phone numbers all but the last ten digits.
        """
        out, now, rows, ids = [], self.active(), self.rows.reset_index(drop=True), self.ids.to_numpy()
        for by, column in {"id": self.columns.id, **self.columns.same}.items():
            here = rows if by == "id" else rows[now]
            values = here[column].fillna("").astype("str")
            values = values if by == "id" else values.map(_NORMAL[by])
            twice = (values != "") & values.duplicated(keep=False)
            for value, at in values[twice].groupby(values[twice], sort=True).groups.items():
                out.append((by, value, tuple(ids[at])))
        return pd.DataFrame(out, columns=["by", "value", "ids"])

    def resting_until(self, day: str, rest_days: int = 0, most_a_year: int = 0) -> np.ndarray:
        """First day each customer may be contacted again, NaT for who may be on that day.

        Parameters
        ----------
        day
            The day in question, written 2026-07-01; contacts on it and later are left out of account.
        rest_days
            Days from one contact to the next, 0 for no such rule.
        most_a_year
            Contacts within any 365 days, 0 for no such rule.

        Raises
        ------
        InputRefused
            When a cell holds no date.
        """
        now, out = np.datetime64(day, "D"), np.full(len(self.rows), np.datetime64("NaT"), dtype="datetime64[D]")
        dates = self._contacts()
        dates = dates[dates["date"].to_numpy() < now].sort_values(["row", "date"], ascending=[True, False])
        nth = dates.groupby("row").cumcount().to_numpy()
        for rank, wait in ((0, np.timedelta64(rest_days, "D")), (most_a_year - 1, _YEAR)):
            if rank >= 0 and wait > np.timedelta64(0, "D"):
                at = dates["row"].to_numpy()[nth == rank]
                until = dates["date"].to_numpy()[nth == rank].astype("datetime64[D]") + wait
                out[at] = np.fmax(out[at], until)
        out[out <= now] = np.datetime64("NaT")
        return out

    def _contacts(self) -> pd.DataFrame:
        """Row and date of every contact."""
        found = [pd.DataFrame({"row": np.empty(0, dtype=int), "date": np.empty(0, dtype="datetime64[s]")})]
        for column in self.columns.contacts:
            cells = self.rows[column].fillna("").astype("str").reset_index(drop=True)
            cells = cells[cells.str.strip() != ""]
            parts = cells.str.extractall(_DATE)
            dates = pd.to_datetime(parts["y"] + "-" + parts["m"].str.zfill(2) + "-" + parts["d"].str.zfill(2),
                                   format="%Y-%m-%d", errors="coerce")
            rows = parts.index.get_level_values(0)
            bad = [*cells.index.difference(rows), *rows[dates.isna()]]
            if bad:
                raise InputRefused(f'"{cells[bad[0]][:30]}" of customer {few(self.ids.iloc[bad])} is no date. Write '
                                   "2026-07-01, several in a cell parted by a semicolon.", f'frame: column "{column}"')
            found.append(pd.DataFrame({"row": rows, "date": dates.to_numpy().astype("datetime64[s]")}))
        return pd.concat(found, ignore_index=True)

    def coverage(self, totals: Mapping[str, Mapping[str, float]], day: str = "") -> pd.DataFrame:
        """The list against known totals: column, category, total, listed, share, gap.

        ``share`` is listed / total; ``gap`` the customers missing, below 0 where the list has more than there are.
        Categories on the list without a total follow, total and share missing.
        """
        out = []
        for column, known in totals.items():
            counts = self.rows.loc[self.active(day), column].fillna("").astype("str").value_counts()
            for category in [*known, *sorted(set(counts.index) - set(known))]:
                total, listed = known.get(category, np.nan), int(counts.get(category, 0))
                out.append((column, category, total, listed, listed / total, total - listed))
        return pd.DataFrame(out, columns=["column", "category", "total", "listed", "share", "gap"])

    def kinds(self) -> np.ndarray:
        """(n,) class of each customer, "" where the list names none."""
        column = self.columns.kind
        return (self.rows[column].fillna("").astype("str") if column else pd.Series("", self.rows.index)).to_numpy(str)

    def changes(self, since: str) -> pd.DataFrame:
        """Customers added and retired after that day, by class: class, added, retired."""
        log = self._changed(since)
        kind = log["id"].map(pd.Series(self.kinds(), index=self.ids).groupby(level=0).first()).fillna("")
        out = pd.crosstab(kind.to_numpy(), log["what"].to_numpy()).reindex(columns=["added", "retired"], fill_value=0)
        return out.rename_axis(None, axis=1).rename_axis("class").reset_index()

    def entries(self, since: str) -> pd.DataFrame:
        """What the log tells of the days after that one: date, what (added or retired), why, count of customers."""
        told = self._changed(since).groupby(["date", "what", "why"], sort=True).size()
        return told.rename("count").reset_index()

    def _changed(self, since: str) -> pd.DataFrame:
        return self.log[(self.log["date"] > since) & self.log["what"].isin(["added", "retired"])]

    def named_in(self, texts: Sequence[str]) -> np.ndarray:
        """(n,) whether a text names a customer by id, name, phone or e-mail, however it is written."""
        columns = [self.columns.id, *self.columns.same.values()]
        cells = {_letters(cell) for column in columns for cell in self.rows[column].fillna("").astype("str").unique()}
        known = [cell for cell in cells if len(cell.encode()) >= _LEAST]
        return np.array([any(cell in _letters(text) for cell in known) for text in texts], dtype=bool)


def _letters(text: str) -> str:
    """Letters and digits alone, small and of one width."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def _digits(text: str) -> str:
    """The last ten digits: without country codes and the zero before them."""
    digits = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isdigit())
    return digits[-10:] if len(digits) >= 6 else ""


def _address(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


_NORMAL = {"name": _letters, "phone": _digits, "email": _address}
