"""The study file's JSON Schema, so that an editor completes and checks it while it is written.

`python -m researchkit.schema` renews `study.schema.json`; a study file names it in its first line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from researchkit.study import Study

FILE = Path(__file__).with_name("study.schema.json")


def json_schema() -> dict[str, Any]:
    """JSON Schema of the study file, for editors: the models, and the short forms that they accept."""
    schema = Study.model_json_schema(by_alias=True)
    parts = schema["$defs"]
    for part in ("File", "Exposure"):
        parts[part] = {"anyOf": [{"type": "string"}, parts[part]], "title": part}
    schema["properties"] |= {
        name: parts["Table"]["properties"][name]
        for name in ("files", "people", "clusters", "rows", "aggregates", "keep", "against", "accept")
    }
    schema["required"] = [name for name in schema["required"] if name != "tables"]
    schema["anyOf"] = [{"required": ["files"]}, {"required": ["tables"]}]
    return one_or_many(schema)


def one_or_many(schema: Any) -> Any:
    """A list of words may be written as one word."""
    if isinstance(schema, list):
        return [one_or_many(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: one_or_many(item) for key, item in schema.items()}
    if isinstance(words := inner.get("description"), str):
        inner["description"] = words.partition("\n\n>>>")[0]  # an example in Python tells nothing of a study file
    lists = schema.get("items") in ({"type": "string"}, {"$ref": "#/$defs/File"})
    if schema.get("type") == "array" and lists:
        meta = {key: inner.pop(key) for key in ("title", "default", "description") if key in inner}
        return {**meta, "anyOf": [inner, {"type": ["string", "number"]}]}
    return inner


if __name__ == "__main__":
    FILE.write_text(json.dumps(json_schema(), indent=1) + "\n", encoding="utf-8")
