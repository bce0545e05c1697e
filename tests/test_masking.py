"""Open answers: what identifies a person is masked, what does not stays."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from tcslib.fieldwork.masking import KINDS, mask

# written without a look at the patterns of the module: what an outsider would search a report for
OUTSIDER = [r"1[3-9]\d{9}", r"\d{17}[\dXx]", r"[\w.]+@[\w.]+\.\w+", r"\+\d[\d ]{7,}", r"(?:\d{4}[ -]?){3,}\d",
            r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", r"zs_\d+", r"\d{11,}", r"https?://"]

MASKED = {
    "call me 13800138000": "call me [phone]", "138-0013-8000 谢谢": "[phone] 谢谢", "１３８００１３８０００": "[phone]",
    "138.0013.8000": "[phone]", "138\u200b0013\u200b8000": "[phone]", "+86 138 0013 8000": "[phone]",
    "0086-13800138000": "[phone]", "+44 20 7946 0958": "[phone]", "+1 (415) 555-2671": "[phone]",
    "415-555-2671": "[phone]", "07700 900123": "[phone]", "电话010-62345678转12": "电话[phone]",
    "(0755)8888 8888": "[phone]", "座机62345678": "座机[phone]", "tel 6234 5678": "[phone]",
    "一三八零零一三八零零零": "[phone]",
    "我的身份证 11010519491231002X": "我的身份证 [id]", "110105194912310021": "[id]", "110105 19491231 002x": "[id]",
    "card 4111 1111 1111 1111": "card [card]", "6222021234567890123": "[card]", "6222 0212 3456 7890 123": "[card]",
    "3782 822463 10005": "[card]", "order 12345678901": "order [card]",
    "mail zhang.san@example.com": "mail [e-mail]", "邮箱zhang@example.com。": "邮箱[e-mail]。",
    "zhang＠example．com": "[e-mail]", "zhang(at)example.com": "[e-mail]", "zhāng@example.com": "[e-mail]",
    "看https://a.example.com/x?u=1谢谢": "看[link]谢谢", "www.example.com.": "[link].", "bit.ly/abc12": "[link]",
    "IP 192.168.1.77": "IP [ip]", "2001:db8::ff00:42:8329": "[ip]",
    "微信号 zs_19880808": "微信号 [account]", "加微信：zhangsan": "加微信：[account]",
    "WeChat: zhang_san": "WeChat: [account]", "wxid_abc123": "[account]", "QQ12345678": "[account]",
    "QQ群：123456789": "[account]", "13800138000, a@b.cn": "[phone], [e-mail]",
}

KEPT = ["I rate it 10/10", "2026Q3", "in 2025 and 2026", "2023 2024 2025 2026", "2026-09-30 2026-10-01",
        "price 1,299.00 and 2,399.00", "5G is slow", "4G/5G", "WeChat is convenient", "WeChat support was slow",
        "微信支付很好", "QQ音乐", "from 12:30:45 to 13:00", "20260930", "10086客服", "call 10086", "价格1299元",
        "手机5G套餐199元每月", "十分满意", "score 8 9 10 7", "v1.2.3", "and/or", "24/7", "100%", "", "fine"]


@pytest.mark.parametrize(("text", "expected"), MASKED.items())
def test_masks(text: str, expected: str) -> None:
    assert mask(pd.Series([text], dtype="str")).texts.tolist() == [expected]


@pytest.mark.parametrize("text", KEPT)
def test_keeps(text: str) -> None:
    masked = mask(pd.Series([text], dtype="str"))
    assert masked.texts.tolist() == [text]
    assert not sum(masked.counts.values())


def test_collected_answers_come_out_clean(shared: Path) -> None:
    with (shared / "badinputs" / "076_pii_verbatims.csv").open(encoding="utf-8", newline="") as file:
        texts = pd.Series([row["verbatim"] for row in csv.DictReader(file)], dtype="str")
    masked = mask(texts)
    for pattern in OUTSIDER:
        assert texts.str.contains(pattern).any() or pattern == r"https?://"          # the search itself works
        assert masked.texts[masked.texts.map(lambda t, p=pattern: bool(re.search(p, t)))].empty, pattern
    assert {kind: count for kind, count in masked.counts.items() if count} == {
        "phone": 10, "id": 5, "e-mail": 5, "card": 5, "ip": 5, "account": 5}


def test_counts_index_name_and_missing_are_kept() -> None:
    texts = pd.Series(["13800138000 or 13900139000", None, "fine"], index=["a", "b", "c"], name="why", dtype="str")
    masked = mask(texts)
    assert masked.counts == {**dict.fromkeys(KINDS, 0), "phone": 2}
    assert masked.texts.name == "why" and list(masked.texts.index) == ["a", "b", "c"]
    assert masked.texts.isna().tolist() == [False, True, False]
    assert texts["a"].startswith("138")          # the answers given are not changed


@pytest.mark.parametrize("text", ["a@" * 5000, "0" * 10_000, "1 " * 5000, "1.1." * 2500, ":" * 10_000, "a." * 5000])
def test_long_answers_made_to_be_slow_are_not(text: str) -> None:
    mask(pd.Series([text] * 3, dtype="str"))          # seconds, were a pattern quadratic in more than its bounds
