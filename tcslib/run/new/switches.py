"""What this version takes, asked of the version itself: a proposal never writes what the check would refuse."""

from __future__ import annotations

from tcslib.study import checks
from tcslib.study.params import StudyParams


def has(key: str) -> bool:
    """Whether a study may hold a key."""
    return key in StudyParams.model_fields


def refused(**keys: object) -> bool:
    """Whether keys that a study may hold are refused because nothing reads them yet."""
    check = getattr(checks, "_check_version", None)
    if check is None:
        return False
    params = StudyParams.model_validate({"client": "x", "wave": "2026", "model": {}, "data": {"file": "x"}} | keys)
    said: list[str] = []
    check(params, lambda address, message: said.append(address))
    return any(address.split(".")[0] in keys for address in said)
