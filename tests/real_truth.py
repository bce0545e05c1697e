"""What the columns of real files are, written down by hand from their questionnaires; the files lie in ../shared."""

from __future__ import annotations

import re
from pathlib import Path

from simulated_studies import Truth

from tcslib.fieldwork.proposing.layout import table_at
from tcslib.fieldwork.source import KINDS, Source
from tcslib.fieldwork.tables import Table

ROOT = Path(__file__).resolve().parent.parent
ECSI = [("IMAG.*", "Image"), ("CUEX.*", "Expectation"), ("PERQ.*", "Quality"), ("PERV.*", "Value"),
        ("CUSA.*", "Satisfaction"), ("CUSCO", "Complaints"), ("CUSL.*", "Loyalty")]


def _item(construct: str, scale: str, *codes: float) -> Truth:
    return Truth(frozenset({"item"}), scale, dict.fromkeys(codes, ""), construct)


def _is(*roles: str) -> Truth:
    return Truth(frozenset(roles))


FREE_CODES = _is("category", "ignore")          # codes of flights and the like: no use is wrong, nor is none
# The airport's survey: 1 unacceptable to 5 outstanding, 6 never used or visited, 0 blank; `Q7ALL` and `Q9ALL` are the
# overall ratings of their questions. SFO Customer Survey 2013-2015, questionnaires of the City of San Francisco.
SFO = [("RESPNUM", _is("id")), ("CCGID", _is("id", "ignore")), ("RUN(ID)?|FLIGHT|GATE|Q17_?ZIP", FREE_CODES),
       ("(ARR|DEP)TIME", _is("timestamp", "ignore")), ("INTDATE", _is("timestamp", "category", "ignore")),
       ("WEIGHT", _is("weight")), ("Location 1|Q2PURP6|Q3GETTO[3-6]|Q12COM3|Q10SAFEC|Q17_CITY|Q17_?COUNTRY",
                                   _is("ignore", "category", "text")),
       ("Q7[A-Z].*", _item("Q7", "1-5", 0, 6)), (r"Q9(?!COM).*", _item("Q9", "1-5", 0, 6)),
       ("Q10SAFE", _item("Q10SAFE", "1-5", 0, 6)),
       ("Q13_?(RATE)?GET(TO|RATE)?.*|Q13_RATEGETTO", _item("Q13", "1-5", 0, 6)),
       (r"Q14.*", _item("Q14", "1-5", 0, 6)), ("Q12PRE.*RATE", _item("Q12", "1-5", 0, 6)),
       (".*", _is("category", "ignore"))]
CORP = [("(csor|attr|perf|qual|like|comp|cusl)_.*", None), ("cusa", _item("cusa", "1-7", -99)),
        ("switch_.*", _item("switch", "1-5")), (".*", _is("category"))]
SOURCES: dict[str, str] = {
    "demo": "", "mobi": "data/mobi.csv", "corp_rep": "data/corp_rep_data.csv", "sfo_2013": "data/sfo_2013.csv",
    "sfo_2014": "data/sfo_2014.csv", "sfo_2015": "data/sfo_2015.csv",
    "000_good_base": "badinputs/000_good_base.csv",
    "092_qualtrics": "badinputs/092_qualtrics_3_header_rows.csv", "qualtrics_sample": "data/qualtrics_sample.csv",
    "qualtrics_legacy": "data/qualtrics_sample_legacy.csv",
    "qualtrics_job": "data/qualtrics_job_survey.csv", "093_wenjuanxing": "badinputs/093_wenjuanxing.csv",
    "094_limesurvey": "badinputs/094_limesurvey.csv", "088_user_missing.sav": "badinputs/088_user_missing.sav",
    "haven_labelled.sav": "data/haven_labelled_num_na.sav", "haven_umlauts.sav": "data/haven_umlauts.sav",
    "sample_missing.sav": "data/pyreadstat_sample_missing.sav",
    "multiresponse.sav": "data/pyreadstat_multiresponse.sav"}
QUALTRICS = {"StartDate": "timestamp", "EndDate": "timestamp ignore", "RecordedDate": "timestamp ignore",
             "ResponseId": "id", "Duration (in seconds)": "duration", "Q2": "text", "Q2 - Topics": "ignore text"}
TRUTH: dict[str, dict[str, Truth]] = {
    "092_qualtrics": {"StartDate": _is("timestamp"), "ResponseId": _is("id"), "Q1": _item("Q1", "1-10|0-10"),
                      "Q2": _is("text")},
    "qualtrics_sample": {n: _is(*r.split()) for n, r in QUALTRICS.items()} | {"Q1": _is("category", "item", "ignore")},
    "qualtrics_legacy": {"V1": _is("id"), "V8": _is("timestamp"), "V9": _is("timestamp", "ignore"),
                         "Q1": _is("category", "item", "ignore"), "Q2": _is("text")},
    # Q1 age of the company in the exercise, Q5 a number of minutes: no answers on a scale
    "qualtrics_job": {"survey_name": _is("ignore"), "Q1": _is("ignore", "category"), "Q2": _is("category"),
                      "Q3": _is("category"), "Q4": _is("item"), "Q5": _is("ignore", "category")},
    "093_wenjuanxing": {"序号": _is("id"), "提交答卷时间": _is("timestamp"), "所用时间": _is("duration"),
                        "1、您的性别：": _is("category"),
                        "2、总体满意度（1-10分）—移动网络": _item("2", "1-10"),
                        "2、总体满意度（1-10分）—客户服务": _item("2", "1-10"),
                        "3、您不满意的原因：【多选】": _is("ignore", "category")},
    "094_limesurvey": {"id": _is("id"), "submitdate": _is("timestamp"), "G1Q1[SQ001]": _is("item"),
                       "G1Q1[SQ002]": _is("item"), "G1Q2": _is("category", "ignore", "text"),
                       "G1Q2[other]": _is("text")},
    "088_user_missing.sav": {"id": _is("id"), "CUSA1": _item("S", "1-10", 98, 99), "CUSA2": _item("S", "1-10"),
                             "CUSA3": _item("S", "1-10")},
    "haven_labelled.sav": {"VAR00002": _is("category", "ignore")},
    "haven_umlauts.sav": {"var1": _is("category")},
    "sample_missing.sav": {"mychar": _is("category", "id", "text", "ignore"), "mynum": _is("ignore"),
                           "mydate": _is("timestamp"), "dtime": _is("timestamp"), "mylabl": _is("category"),
                           "myord": _is("category", "item"), "mytime": _is("ignore", "timestamp")},
    "multiresponse.sav": {"x": _is("category"), "y": _is("timestamp"), "z": _is("ignore"),
                          "str": _is("text", "category"), "date": _is("timestamp", "ignore"),
                          "quarter": _is("ignore", "timestamp")},
}
DEMO = {"resp_id": "id", "region": "category", "store": "category", "region_size": "ignore",
        "stores_in_region": "ignore category", "base_weight": "weight", "brand": "category", "gender": "category",
        "age": "category", "plan": "category", "NPS": "nps", "duration": "duration", "interview_date": "timestamp",
        "COMMENT": "text"}
BASE = {"id": "id", "weight": "weight", "stratum": "category", "psu": "category", "region": "category",
        "gender": "category", "verbatim": "text ignore category"}


def opened(source: str, shared: Path) -> Table | None:
    """The file as a table, a platform's further header rows taken as labels; None where it is absent."""
    path = ROOT / "data" / "raw" / "demo" / "2026Q3.csv" if source == "demo" else shared / SOURCES[source]
    if not path.is_file():
        return None
    return table_at(Source(path, path.name, KINDS[path.suffix]))[0]


def truth_of(source: str, table: Table) -> dict[str, Truth]:
    """The truth of every named column of a file."""
    names = [n for n in table.names if n]
    known = dict(TRUTH.get(source, {}))
    if source in {"demo", "mobi", "000_good_base"}:
        known |= {n: _is(*r.split()) for n, r in (DEMO if source == "demo" else BASE).items() if n in names}
        for n in names:
            found = next((c for pattern, c in ECSI if re.fullmatch(pattern, n)), "")
            codes = [] if source != "demo" else sorted({98.0, 99.0} & {float(v) for v in _numbers(table, n)})
            if found and n not in known:
                known[n] = _item(found, "1-10", *codes)
    rules = SFO if source.startswith("sfo") else CORP if source == "corp_rep" else [(".*", _is("ignore", "category"))]
    for n in names:
        if n not in known:
            found = next(t for pattern, t in rules if re.fullmatch(pattern, n))
            known[n] = found or _item(n.split("_")[0], "1-7", -99)
            seen = {float(v) for v in _numbers(table, n)} if known[n].scale else set()
            known[n] = Truth(known[n].roles, known[n].scale, {c: k for c, k in known[n].codes.items() if c in seen},
                             known[n].construct)
    return {n: known[n] for n in names}


def _numbers(table: Table, name: str) -> set[str]:
    cells = table.columns[table.names.index(name)]
    return {str(v) for v in cells.unique() if re.fullmatch(r"-?\d+(\.0)?", str(v))}
