"""Compares an answer of the server with the OpenAPI document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from jupyter_hybrid.server.contract import document, validator
from jupyter_hybrid.server.routes import pattern
from jupyter_hybrid.server.wording import sentences_of


def documented(path: str) -> str | None:
    """The path of the document that a request's path is an instance of."""
    known = sorted(document()["paths"], key=len, reverse=True)
    return next((p for p in known if re.fullmatch(pattern(p), path)), None)


def checked(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Fail where the document knows no such path, method, status, or body of that form."""
    name = documented(path)
    assert name is not None, f"the document has no {path}"
    responses = document()["paths"][name][method.lower()]["responses"]
    response = responses.get(str(status))
    if response is None:
        assert status >= 400, f"{method} {name} answers {status}, which the document does not say"
        response = document()["components"]["responses"]["Problem"]
    told = sentences_of(name, method.lower(), status) is not None
    assert ("Content-Language" in headers) == (told and len(body) > 0), f"{method} {path} {status}"
    content = response.get("content", {})
    if not content:
        assert not body
        return
    ((kind, described),) = content.items()
    assert headers["Content-Type"].split(";")[0] == kind
    if kind == "application/json":
        errors = list(validator(described["schema"]).iter_errors(json.loads(body)))
        assert not errors, f"{method} {path}: {errors[0].message} at {errors[0].json_path}"
