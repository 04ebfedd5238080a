"""Which parts of an answer are sentences: the OpenAPI document says so (``x-sentence``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ..contract import document

#: Where sentences are: True is one, a name leads to a property, ``[]`` to the items of an array.
Fields = Mapping[str, Any]
ITEMS = "[]"


@lru_cache(maxsize=256)
def sentences_of(path: str, method: str, status: int) -> Fields | None:
    """Where the sentences of an answer are; None where it has none."""
    responses = document()["paths"].get(path, {}).get(method, {}).get("responses", {})
    response = responses.get(str(status)) or document()["components"]["responses"]["Problem"]
    content = response.get("content", {}).get("application/json", {})
    found = _fields(content.get("schema", {}))
    return found if isinstance(found, dict) else None


def _fields(schema: Mapping[str, Any]) -> Any:
    if schema.get("x-sentence"):
        return True
    if "$ref" in schema:
        return _fields(_referred(schema["$ref"]))
    found: dict[str, Any] = {}
    for part in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
        found.update(_fields(part) or {})
    for name, below in schema.get("properties", {}).items():
        found[name] = _fields(below)
    if "items" in schema:
        found[ITEMS] = _fields(schema["items"])
    return {name: below for name, below in found.items() if below} or None


def _referred(reference: str) -> Mapping[str, Any]:
    schema: Any = document()
    for part in reference.removeprefix("#/").split("/"):
        schema = schema[part]
    return schema  # type: ignore[no-any-return]


def worded(value: Any, fields: Any, word: Callable[[str], str]) -> Any:
    """The answer with its sentences as ``word`` says them; what was given stays as it was."""
    if fields is True:
        return word(value) if isinstance(value, str) else value
    if isinstance(value, dict):
        changed = {
            name: worded(value[name], below, word)
            for name, below in fields.items()
            if name in value
        }
        return {**value, **changed}
    if isinstance(value, (list, tuple)) and ITEMS in fields:
        return [worded(item, fields[ITEMS], word) for item in value]
    return value
