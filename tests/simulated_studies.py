"""Studies made at random, each with the truth of its columns, to try proposals for new studies on.

Written before the code that proposes, and not changed for it since (but for one slip in the truth: codes that a cell
lost again to a missing answer counted as seen). Every pool of names is cut in two: the first part
is drawn from in all studies, the second only in those set aside (``held=True``), so that the studies set aside hold
names nobody looked at while the proposals were made.
"""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tcslib.fieldwork.tables import Table, number_text, texts_of


@dataclass(frozen=True)
class Truth:
    """What a column is: the roles that are right, and for an item its scale, codes, construct and direction."""

    roles: frozenset[str]
    scale: str = ""
    codes: dict[float, str] = field(default_factory=dict)
    construct: str = ""
    reversed: bool = False


@dataclass(frozen=True)
class Simulated:
    """A file's content as text, what an SPSS file would say of it, and the truth by column."""

    seed: int
    frame: pd.DataFrame
    labels: dict[str, str]
    value_labels: dict[str, dict[str, str]]
    truth: dict[str, Truth]
    typed: bool

    def table(self) -> Table:
        """As a reader would hand it over: text from CSV, numbers from SPSS."""
        columns = []
        for name in self.frame:
            numbers = pd.to_numeric(self.frame[name].replace("", np.nan), errors="coerce")
            whole = self.typed and numbers.notna().sum() == (self.frame[name] != "").sum() and numbers.notna().any()
            columns.append(numbers.astype(float) if whole else texts_of(self.frame[name].tolist()))
        return Table(list(self.frame), columns, np.arange(2, len(self.frame) + 2), self.labels, self.value_labels)


# construct: stems, words of its labels in English, in Chinese
CONSTRUCTS: dict[str, tuple[list[str], list[str], list[str]]] = {
    "Image": (["IMAG", "image", "img", "BrandImage", "reputation"],
              ["Is a brand you can trust", "Has a good reputation", "Is innovative", "Cares about its customers"],
              ["品牌形象好", "值得信赖", "有社会责任感", "在业内有口碑"]),
    "Expectation": (["CUEX", "expect", "EXP", "expectation", "exptn"],
                    ["Expected overall quality", "Expected reliability", "Expectations before the first purchase"],
                    ["购买前的总体期望", "对可靠性的预期", "对满足个人需求的期望"]),
    "Quality": (["PERQ", "quality", "qual", "QUA", "prodqual"],
                ["Overall quality of the product", "Reliability of the product", "Quality of the advice given",
                 "Product quality compared with others", "Quality of the installation"],
                ["产品总体质量", "产品可靠性", "产品质量稳定", "安装质量", "感知质量"]),
    "Service": (["serv", "service", "SVC", "staff", "serviceq"],
                ["Friendliness of the staff", "Speed of service", "Staff know what they talk about",
                 "Opening hours", "Service on the telephone"],
                ["服务态度", "服务效率", "工作人员专业", "营业时间合适", "电话客服"]),
    "Value": (["PERV", "value", "val", "VALU", "price"],
              ["Value for money", "Price given the quality", "Quality given the price"],
              ["性价比", "给定质量下的价格", "价格合理"]),
    "Satisfaction": (["CUSA", "sat", "SATIS", "satisfaction", "custsat"],
                     ["Overall satisfaction", "Meets expectations", "Close to the ideal", "Satisfied with my choice"],
                     ["总体满意度", "与期望相比的满意程度", "与理想相比的满意程度"]),
    "Complaint": (["CUSCO", "complaint", "comp", "COMPL", "cmplnt"],
                  ["Complaints are handled well", "Complaint handling is fast", "Complaints are taken seriously"],
                  ["投诉处理满意", "投诉处理及时", "抱怨得到重视"]),
    "Loyalty": (["CUSL", "loyal", "LOY", "loyalty", "retention"],
                ["Would buy again", "Would recommend to friends", "First choice next time"],
                ["会再次购买", "会推荐给亲友", "下次首选"]),
    "Trust": (["trust", "TRU", "TRUST", "confid"],
              ["Keeps its promises", "Is honest with me", "I have confidence in it"],
              ["信守承诺", "对我诚实", "让我放心"]),
    "Rooms": (["room", "facil", "ROOM", "premises"],
              ["Cleanliness of the room", "Comfort of the bed", "Quiet at night", "Size of the room"],
              ["房间整洁", "床铺舒适", "夜间安静", "房间大小"]),
    "Delivery": (["deliv", "DEL", "logistics", "ship"],
                 ["Delivered on time", "Parcel undamaged", "Tracking was clear"],
                 ["配送准时", "包裹完好", "物流信息清楚"]),
    "Web": (["web", "site", "APP", "online"],
            ["Easy to find things", "Pages load fast", "The app is clear"],
            ["网站易用", "加载速度快", "界面清晰"]),
}
REVERSED_EN = ["It is hard to reach anybody", "I often have trouble with it", "I would rather not come back"]
REVERSED_ZH = ["很难联系到人", "经常出现问题", "不愿意再来"]
SCALES = [(1, 10)] * 5 + [(1, 5)] * 6 + [(1, 7)] * 4 + [(0, 10)] * 3 + [(-3, 3)] * 1 + [(1, 4), (1, 6), (0, 4), (1, 9)]
# codes of answers that are none: number, kind, words
CODES: list[list[tuple[int, str]]] = [
    [], [], [], [], [(98, "dont_know"), (99, "no_experience")], [(98, "dont_know"), (99, "refused")],
    [(99, "dont_know")], [(88, "dont_know"), (99, "refused")], [(-1, "dont_know")], [(-8, "dont_know"),
    (-9, "refused")], [(999, "skipped")], [(-99, "skipped")], [(9, "no_experience")], [(77, "no_experience"),
    (88, "dont_know"), (99, "refused")], [(0, "no_experience")], ["above"]]          # type: ignore[list-item]
WORDS = {"dont_know": ["Don't know", "DK", "不知道", "说不清", "Can't say"],
         "no_experience": ["Not applicable", "No experience", "没用过", "不适用", "N/A - have not used"],
         "refused": ["Refused", "拒答", "Prefer not to answer", "拒绝回答", "No answer"],
         "skipped": ["Skipped", "跳过", "Missing", "Not answered"]}
ENDS = {"en": [("Very dissatisfied", "Very satisfied"), ("Strongly disagree", "Strongly agree"),
               ("Very poor", "Excellent"), ("Not at all", "Completely")],
        "zh": [("非常不满意", "非常满意"), ("非常不同意", "非常同意"), ("很差", "很好")]}
# columns that are no items: names in the two parts of their pool, label, how they are filled, right roles
POOLS: dict[str, tuple[list[str], list[str], str, str]] = {
    "id": (["id", "resp_id", "ID", "RESPNUM", "ResponseId", "序号", "caseid", "uuid"],
           ["respondent", "编号", "IDNO", "serial", "答卷编号", "Record"], "Respondent number", "id"),
    "weight": (["weight", "WEIGHT", "base_weight", "wt", "权重", "pweight", "final_wt"],
               ["w_final", "加权系数", "WGT", "hhweight", "wtvar"], "Survey weight", "weight"),
    "duration": (["duration", "Duration (in seconds)", "所用时间", "interviewtime", "duration_sec"],
                 ["答题时长", "LOI", "elapsed", "time_taken", "用时"], "Length of interview in seconds", "duration"),
    "timestamp": (["StartDate", "date", "submitdate", "interview_date", "提交时间", "EndDate"],
                  ["recorded_at", "完成时间", "INTDATE", "timestamp", "created"], "Date of interview", "timestamp"),
    "gender": (["gender", "sex", "性别", "Q_SEX", "您的性别"], ["SD1_gender", "geschlecht", "被访者性别", "mf"],
               "Gender", "category"),
    "age_group": (["age_group", "agegrp", "年龄段", "AGE", "age"], ["D2", "ageband", "您的年龄", "age_cat"],
                  "Age group", "category"),
    "region": (["region", "地区", "REGION", "province", "city"], ["区域", "area", "bundesland", "所在城市", "D3"],
               "Region", "category"),
    "education": (["education", "学历", "EDU", "educ", "education_level"], ["schooling", "文化程度", "degree"],
                  "Highest level of education", "category"),
    "income": (["income", "收入", "INCOME", "income_band"], ["hhinc", "家庭月收入", "salary_band"],
               "Monthly income", "category"),
    "segment": (["segment", "plan", "customer_type", "客户类型", "channel"], ["tier", "套餐", "usertype", "会员等级"],
                "Type of customer", "category"),
    "brand": (["brand", "provider", "品牌", "operator"], ["carrier", "运营商", "supplier"], "Brand used", "category"),
    "store": (["store", "branch", "门店", "psu", "cluster"], ["outlet", "网点", "site_no", "EA"], "Store", "category"),
    "stratum": (["stratum", "strata", "STRATA"], ["层", "stratum_no", "h"], "Sampling stratum", "category"),
    "comment": (["comment", "COMMENT", "Q99_text", "建议", "why", "open_end"],
                ["verbatim", "意见反馈", "reason_text", "free_text", "remarks"], "Anything else?", "text"),
    "other": (["Q5_other", "other_text", "其他请注明"], ["oth_specify", "G1Q2[other]", "其他_文本"],
              "Other, please specify", "text"),
    "email": (["email", "RecipientEmail", "邮箱"], ["e_mail", "contact_mail"], "E-mail address", "ignore"),
    "phone": (["phone", "手机号", "mobile_no"], ["telephone", "联系电话", "tel"], "Telephone", "ignore"),
    "ip": (["IPAddress", "ip", "来自IP"], ["ip_address", "client_ip"], "IP address", "ignore"),
    "lat": (["LocationLatitude", "lat"], ["latitude", "纬度"], "Latitude", "ignore"),
    "constant": (["survey_name", "country", "version"], ["batch", "项目名称", "source_file"], "Survey", "ignore"),
    "empty": (["ExternalReference", "notes2", "V_empty"], ["reserved", "备用"], "", "ignore"),
    "status": (["Status", "Finished", "Progress"], ["completion", "状态"], "Status", "ignore category"),
    "age_years": (["age_years", "AGE_Y", "周岁"], ["alter", "实际年龄"], "Age in years", "ignore category"),
    "visits": (["visits", "n_purchases", "购买次数"], ["trips", "orders12m", "次数"], "Visits in the last 12 months",
               "ignore category"),
    "spend": (["spend", "arpu", "消费金额"], ["revenue", "月消费"], "Spending in the last month", "ignore"),
    "multi": (["Q8_", "used_", "渠道_"], ["chan_", "V80_"], "Channels used", "category ignore"),
    "birth": (["birth_year", "出生年份"], ["yob", "born"], "Year of birth", "ignore category"),
}
COMMENTS = ["Nothing to add", "The staff were very kind and solved my problem at once", "Too expensive for what it is",
            "Please open on Sundays", "I waited for forty minutes, nobody came", "服务很好，下次还来",
            "价格偏高，希望多一些优惠",
            "网络有时候不稳定", "Great", "没有", "The app crashes whenever I want to pay", "一般般吧，没什么特别的"]


class _Maker:
    """One study in the making."""

    def __init__(self, seed: int, held: bool) -> None:
        self.rng, self.seed, self.held = np.random.default_rng([20261120, seed]), seed, held
        self.n = int(self.rng.choice([60, 120, 250, 400, 800, 1500]))
        self.zh = bool(self.rng.random() < 0.35)
        self.labelled = bool(self.rng.random() < 0.5)
        self.columns: dict[str, list[str]] = {}
        self.labels: dict[str, str] = {}
        self.value_labels: dict[str, dict[str, str]] = {}
        self.truth: dict[str, Truth] = {}
        self.general = self.rng.normal(size=self.n)

    def one(self, options: Any) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def add(self, name: str, cells: list[str], truth: Truth, label: str = "",
            words: dict[str, str] | None = None) -> str:
        while name in self.columns:
            name += "x"
        self.columns[name], self.truth[name] = cells, truth
        if self.labelled and label:
            self.labels[name] = label
        if self.labelled and words:
            self.value_labels[name] = words
        return name


def _drawn_constructs(make: _Maker) -> list[tuple[str, int]]:
    core = ["Satisfaction"] if make.rng.random() < 0.95 else []
    core += ["Loyalty"] if make.rng.random() < 0.8 else []
    others = [c for c in CONSTRUCTS if c not in {"Satisfaction", "Loyalty"}]
    count = int(make.rng.integers(1, 7))
    chosen = [*make.rng.choice(others, count, replace=False), *core]
    return [(c, int(make.rng.choice([1, 2, 3, 3, 3, 4, 5, 6], p=[.06, .14, .2, .2, .1, .15, .1, .05]))) for c in chosen]


def _item_names(make: _Maker, constructs: list[tuple[str, int]]) -> list[list[str]]:
    """Names of the items, construct by construct, in one of nine styles."""
    style = str(make.rng.choice(["stem", "stem_", "grid", "running", "v", "stem0", "chinese", "lime", "words"],
                                p=[.22, .17, .17, .1, .06, .08, .1, .04, .06]))
    start, out, running = int(make.rng.integers(1, 9)), [], 0
    letter = str(make.one(["Q", "q", "F", "A"]))
    taken: set[str] = set()
    for at, (construct, count) in enumerate(constructs):
        stems, english, chinese = CONSTRUCTS[construct]
        stem = make.one(stems if make.held else stems[:3])
        names = []
        for i in range(count):
            running += 1
            words = "".join(w.capitalize() for w in english[i % len(english)].split()[-2:])
            name = {"stem": f"{stem}{i + 1}", "stem_": f"{stem}_{i + 1}", "grid": f"{letter}{start + at}_{i + 1}",
                    "running": f"{letter}{running}", "v": f"V{100 + running}", "stem0": f"{stem}{i + 1:02d}",
                    "chinese": f"{start + at}、{chinese[0]}—{chinese[i % len(chinese)]}{i // len(chinese) or ''}",
                    "lime": f"G{at + 1}Q{start + at:02d}[SQ{i + 1:03d}]",
                    "words": f"{stem}_{words}"}[style]
            while name in taken:
                name += string.ascii_lowercase[i]
            taken.add(name)
            names.append(name)
        out.append(names)
    return out


def _answers(make: _Maker, factor: np.ndarray, scale: tuple[int, int], loading: float, skew: float) -> np.ndarray:
    z = loading * factor + np.sqrt(1 - loading**2) * make.rng.normal(size=make.n) + skew
    low, high = scale
    return np.clip(np.rint((low + high) / 2 + z * (high - low) / 4.2), low, high)


def _cells(values: np.ndarray) -> list[str]:
    return [number_text(float(v)) for v in values]


def _items(make: _Maker) -> None:
    constructs = _drawn_constructs(make)
    main = make.one(SCALES)
    codes = make.one(CODES)
    if codes == ["above"]:
        codes = [(main[1] + 1, "no_experience")]
    codes = [(c, k) for c, k in codes if not main[0] <= c <= main[1]]
    low_label, high_label = make.one(ENDS["zh" if make.zh else "en"])
    own = int(make.rng.integers(len(constructs))) if make.rng.random() < 0.25 else -1
    turned = int(make.rng.integers(len(constructs))) if make.rng.random() < 0.3 else -1
    loading, missing = make.rng.uniform(0.65, 0.9), make.rng.choice([0, 0.01, 0.04])
    share, prefix = make.rng.uniform(0.01, 0.06), make.rng.random() < 0.3
    for at, ((construct, count), names) in enumerate(zip(constructs, _item_names(make, constructs), strict=True)):
        scale = main if at != own else make.one([s for s in SCALES if s != main])
        factor = 0.7 * make.general + np.sqrt(1 - 0.49) * make.rng.normal(size=make.n)
        skew = make.rng.uniform(-0.2, 0.9)
        for i, name in enumerate(names):
            # asked the other way round: only in blocks of three or more, where anybody could tell
            backwards = at == turned and count >= 3 and i == count - 1
            values = _answers(make, -factor if backwards else factor, scale, loading, -skew if backwards else skew)
            mine = [(c, k) for c, k in codes if not scale[0] <= c <= scale[1]]
            for code, _ in mine:
                values = np.where(make.rng.random(make.n) < share, code, values)
            cells = ["" if make.rng.random() < missing else cell for cell in _cells(values)]
            # a code that no cell holds is nothing a file can tell
            seen = {float(c): k for c, k in mine if str(c) in cells}
            pool = CONSTRUCTS[construct][2 if make.zh else 1]
            said = (REVERSED_ZH if make.zh else REVERSED_EN)[i % 3] if backwards else pool[i % len(pool)]
            label = f"{construct}: {said}" if prefix and not make.zh else said
            ends = {str(scale[0]): low_label, str(scale[1]): high_label}
            ends |= {str(c): make.one(WORDS[k]) for c, k in mine}
            make.add(name, cells, Truth(frozenset({"item"}), f"{scale[0]}-{scale[1]}", seen, construct, backwards),
                     label, ends)


def _nps(make: _Maker) -> None:
    name = make.one(["NPS", "nps", "Q_NPS", "recommend", "推荐意愿"]
                    + ["likely_recommend", "nps_score", "推荐分"] * make.held)
    values = np.clip(np.rint(7.2 + 1.6 * make.general + 1.8 * make.rng.normal(size=make.n)), 0, 10)
    label = "您有多大可能向亲友推荐我们？" if make.zh else "How likely are you to recommend us to a friend? (0-10)"
    make.add(name, _cells(values), Truth(frozenset({"nps"}), "0-10"), label)


def _categories(make: _Maker, kind: str, name: str, label: str) -> None:
    texts = {"gender": [["male", "female"], ["男", "女"], ["M", "F"]],
             "age_group": [["18-34", "35-54", "55+"], ["18-24", "25-34", "35-44", "45-54", "55-64", "65+"],
                           ["青年", "中年", "老年"]],
             "region": [["North", "East", "South", "West"], ["华东", "华南", "华北", "西部"],
                        ["Berlin", "Hamburg", "Köln"]],
             "education": [["primary", "secondary", "tertiary"], ["高中", "本科", "研究生"]],
             "income": [["low", "middle", "high"], ["<3000", "3000-8000", ">8000"]],
             "segment": [["prepaid", "contract"], ["new", "regular", "gold"], ["个人", "企业"]],
             "brand": [["Alpha", "Beta", "Gamma"], ["甲", "乙", "丙"]]}[kind]
    values = make.one(texts)
    count = len(values) if make.rng.random() < 0.6 else int(make.rng.integers(2, 7))
    at = make.rng.choice(count, make.n, p=make.rng.dirichlet(np.full(count, 5.0)))
    at[:count] = np.arange(count)
    coded = make.rng.random() < 0.55 or count > len(values)
    cells = [str(i + 1) for i in at] if coded else [values[i] for i in at]
    words = {str(i + 1): values[i % len(values)] + ("" if i < len(values) else str(i)) for i in range(count)}
    make.add(name, cells, Truth(frozenset({"category"})), label, words if coded else None)


def _filled(make: _Maker, kind: str, name: str, label: str) -> None:
    """A column that is no item, filled as its kind wants."""
    rng, n = make.rng, make.n
    truth = Truth(frozenset(POOLS[kind][3].split()))
    if kind in {"gender", "age_group", "region", "education", "income", "segment", "brand"}:
        return _categories(make, kind, name, label)
    if kind == "multi":
        for i in range(int(rng.integers(3, 7))):
            make.add(f"{name}{i + 1}", [str(int(x)) for x in rng.random(n) < rng.uniform(0.1, 0.6)], truth, label)
        return None
    days = pd.Timestamp("2026-07-01") + pd.to_timedelta(rng.integers(0, 60 * 86400, n), unit="s")
    style = make.one(["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%d.%m.%Y %H:%M"])
    cells: dict[str, Any] = {
        "id": lambda: make.one([[str(i + 1) for i in range(n)], [f"R_{i * 7919 + 104729:07x}" for i in range(n)],
                                [str(620260300000000000 + 13 * i) for i in range(n)]]),
        "weight": lambda: [f"{w:.4f}" for w in np.exp(rng.normal(0, 0.4, n)) * make.one([1.0, 1.0, 240.0])],
        "duration": lambda: [str(int(s)) for s in np.exp(rng.normal(6.2, 0.4, n))],
        "timestamp": lambda: [d.strftime(style) for d in days],
        "store": lambda: [f"S{s:03d}" for s in np.sort(rng.integers(0, max(n // 12, 4), n))],
        "stratum": lambda: [str(s) for s in rng.integers(1, 6, n)],
        "comment": lambda: [make.one(COMMENTS) + str(int(rng.integers(90))) if rng.random() < 0.5 else ""
                            for _ in range(n)],
        "other": lambda: [make.one(COMMENTS) if rng.random() < 0.08 else "" for _ in range(n)],
        "email": lambda: [f"user{i}@example.com" for i in range(n)],
        "phone": lambda: [f"13{rng.integers(10**8, 10**9)}" for _ in range(n)],
        "ip": lambda: [f"203.0.{rng.integers(255)}.{rng.integers(255)}" for _ in range(n)],
        "lat": lambda: [f"{x:.6f}" for x in rng.uniform(31, 40, n)],
        "constant": lambda: ["2026 wave 3"] * n, "empty": lambda: [""] * n,
        "status": lambda: [make.one(["0", "0", "0", "1"]) for _ in range(n)],
        "age_years": lambda: [str(a) for a in rng.integers(18, 80, n)],
        "visits": lambda: [str(a) for a in rng.poisson(4, n)],
        "spend": lambda: [f"{a:.2f}" for a in np.exp(rng.normal(4, 0.7, n))],
        "birth": lambda: [str(a) for a in rng.integers(1945, 2008, n)]}
    make.add(name, cells[kind](), truth, label)
    return None


def simulated(seed: int, held: bool = False) -> Simulated:
    """The study of a seed: the same seed, the same study."""
    make = _Maker(seed, held)
    chance = {"id": .85, "weight": .4, "duration": .4, "timestamp": .45, "gender": .7, "age_group": .5, "region": .5,
              "comment": .5, "store": .25, "stratum": .2, "constant": .25, "empty": .2}
    drawn = [kind for kind in POOLS if make.rng.random() < chance.get(kind, 0.15)]
    names = {k: make.one(POOLS[k][0] + (POOLS[k][1] if held else [])) for k in drawn}
    front = [k for k in drawn if k in {"id", "timestamp", "duration", "ip", "status", "lat", "email"}]
    for kind in front:
        _filled(make, kind, names[kind], POOLS[kind][2])
    early = [k for k in drawn if k not in front and make.rng.random() < 0.3]
    for kind in early:
        _filled(make, kind, names[kind], POOLS[kind][2])
    _items(make)
    if make.rng.random() < 0.4:
        _nps(make)
    for kind in drawn:
        if kind not in front and kind not in early:
            _filled(make, kind, names[kind], POOLS[kind][2])
    frame = pd.DataFrame(make.columns)
    # columns with labels come from SPSS, which has numbers; without labels half of the files are plain CSV
    return Simulated(seed, frame, make.labels, make.value_labels, make.truth, make.labelled)
