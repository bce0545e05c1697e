"""What became of a case that was drawn: AAPOR's final dispositions, their codes and the plain words for them."""

from __future__ import annotations

import re
from collections.abc import Mapping

# each with its code and its letters in AAPOR, Standard Definitions (9th edition, 2016), in the order of the codes;
# what the 10th edition tells apart as UR (3.2) stays with UO, which changes no rate as long as there is one e
DISPOSITIONS: Mapping[str, tuple[str, str]] = {
    "complete": ("1.1", "I"), "partial": ("1.2", "P"), "refusal": ("2.1", "R"), "non_contact": ("2.2", "NC"),
    "other": ("2.3", "O"), "unknown_household": ("3.1", "UH"), "unknown_other": ("3.2", "UO"),
    "not_eligible": ("4", "NE")}
INTERVIEWS = ("complete", "partial")
# A log's last line is not always the outcome: an interview stays one; then the last line that tells anything of the
# case; being out is better known than nothing (the chapter on final codes from temporary ones).
PRECEDENCE: Mapping[str, int] = {"complete": 5, "partial": 4, "not_eligible": 3, "refusal": 3, "other": 3,
                                 "non_contact": 2, "unknown_other": 1, "unknown_household": 0}
_WORDS: Mapping[str, str] = {
    "complete": "completed interview complete_interview i 完成 成功 完成访问 完整访问",
    "partial": "partial_interview partially_complete p 部分完成 部分访问",
    "refusal": "refused break_off breakoff refusal_and_break_off soft_refusal hard_refusal r 拒访 拒绝 中途拒访 中断",
    "non_contact": "noncontact no_contact not_at_home no_answer nc 未接触 无人在家 无人应答 未联系上",
    "other": "other_non_response language_barrier unable ill dead o 其他 其他无回答",
    "unknown_household": "not_attempted uh 未尝试 住户未知",
    "unknown_other": "unknown unknown_eligibility uo ur 未知 资格未知 其他未知",
    "not_eligible": "ineligible out_of_sample screened_out quota_full quota_filled ne 不合格 非调查对象 配额已满"}
_KNOWN = {word: name for name, words in _WORDS.items() for word in (name, *words.split())}
_CODE = re.compile(r"[1-4]\.[0-9]{1,3}\Z")          # a bare 1 to 4 may be anybody's own code


def disposition_of(said: str, codes: Mapping[str, str] | None = None) -> str:
    """The disposition a code or word means, "" for one that is not known.

    Parameters
    ----------
    said
        A study's own code, a code of AAPOR's such as 2.11, one of the formulas' letters, or a plain word.
    codes
        The study's own codes with what they mean; they go before everything else.
    """
    said = said.strip()
    if codes and said in codes:
        return disposition_of(codes[said])
    if _CODE.match(said):
        return _of_code(said)
    return _KNOWN.get(re.sub(r"[\s\-/]+", "_", said.casefold()), "")


def _of_code(code: str) -> str:
    """AAPOR's codes are hierarchical: 2.112 is a refusal like 2.1, and every 4 is not eligible."""
    exact = {of: name for name, (of, _) in DISPOSITIONS.items()} | {"1.0": "complete", "2.9": "other"}
    return exact.get(code[:3], "") or {"3": "unknown_other", "4": "not_eligible"}.get(code[0], "")
