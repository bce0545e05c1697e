"""The JSON Schema of a study's files, for editors that complete and check YAML while one types."""

from __future__ import annotations

from typing import Any

from tcslib.study.params import StudyParams

HINT = "# yaml-language-server: $schema="


def schema() -> dict[str, Any]:
    """The schema, draft 2020-12.

    A study is its wave's file laid over ``study.yaml``, so neither needs to hold all keys: none is required here.
    """
    out = StudyParams.model_json_schema()
    for section in (out, *out["$defs"].values()):
        section.pop("required", None)
    out["properties"] |= {"study": {"type": "string", "description": "in a wave's file: the file beside it that holds "
                                                                     "what stays from wave to wave"}}
    construct = out["$defs"]["ConstructParams"]
    out["$defs"]["ConstructParams"] = {"anyOf": [construct, {
        "type": "array", "items": {"type": "string"}, "description": "short for {items: [...]}"}]}
    out["$defs"]["TrimParams"] = {"anyOf": [out["$defs"]["TrimParams"], {
        "type": "number", "exclusiveMinimum": 1, "description": "short for {above: …}"}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A study for tcs"} | {
        k: v for k, v in out.items() if k != "title"}
