"""The document is true: what is served is in it, and nobody gets in whom it keeps out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError
from traitlets.config import Config

from jupyter_hybrid.job import State
from jupyter_hybrid.server import app
from jupyter_hybrid.server.contract import DOCUMENT, document
from jupyter_hybrid.server.news import JOB, PROGRESS, TARGET
from jupyter_hybrid.server.routes import HANDLERS

if TYPE_CHECKING:
    from .conftest import Api

METHODS = ("get", "post", "put", "delete", "patch")


def operations() -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in item
        if method in METHODS
    ]


def filled(path: str) -> str:
    return path.replace("{id}", "0" * 26).replace("{file}", "a/b.csv")


def test_what_is_served_is_documented_and_the_other_way_round() -> None:
    served = {(h.path, method) for h in HANDLERS for method in METHODS if method in vars(h)}
    assert served == {(path, method.lower()) for method, path in operations()}


def test_every_schema_is_one_and_every_reference_leads_somewhere() -> None:
    for schema in document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in references(document()):
        if reference.startswith("#/"):
            target: Any = document()
            for part in reference[2:].split("/"):
                target = target[part]
        else:
            assert (DOCUMENT.parent / reference).is_file()


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_words_are_those_of_the_package() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["State"]["enum"] == [state.value for state in State]
    ids = [yaml.safe_load(path.read_text())["$id"] for path in sorted(app.EVENTS.glob("*.yaml"))]
    assert ids == [JOB, PROGRESS, TARGET]


async def test_the_document_is_served(api: Api) -> None:
    response = await api.ask("GET", "/openapi.yaml")
    assert yaml.safe_load(response.body)["info"]["title"] == "jupyter-hybrid"
    about = await api.get("/about")
    assert about["contents"] == {"files": True}


async def code_of(fetch: Callable[..., Any], method: str, path: str, **options: Any) -> int:
    if method in ("POST", "PUT"):
        options.setdefault("body", json.dumps({"path": "a.ipynb", "preferences": {}}))
    try:
        response = await fetch("jupyter-hybrid/api" + filled(path), method=method, **options)
    except HTTPClientError as error:
        return int(error.code)
    return int(response.code)


@pytest.mark.parametrize(("method", "path"), operations())
async def test_no_stranger_gets_in(
    jp_fetch: Callable[..., Any], jp_serverapp: Any, method: str, path: str
) -> None:
    refused = await code_of(jp_fetch, method, path, headers={"Authorization": "token wrong"})
    assert refused == 403


class ReadsOnly(Authorizer):
    """Lets people look, and notes what was asked."""

    asked: list[tuple[str, str]]
    allowed: set[tuple[str, str]]

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        type(self).asked.append((action, resource))
        return (action, resource) in type(self).allowed


class TestAuthorization:
    """Every path asks what it should, and stops at a no."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> Config:
        ReadsOnly.asked, ReadsOnly.allowed = [], set()
        config = Config(jp_server_config)
        config.ServerApp.authorizer_class = ReadsOnly
        return config

    @pytest.mark.parametrize(("method", "path"), operations())
    async def test_who_may_nothing_is_refused_everywhere(
        self, jp_fetch: Callable[..., Any], method: str, path: str
    ) -> None:
        assert await code_of(jp_fetch, method, path) == 403
        assert [resource for _, resource in ReadsOnly.asked] == ["jupyter-hybrid"]

    async def test_who_may_look_can_change_nothing(
        self, jp_fetch: Callable[..., Any], jp_root_dir: Path
    ) -> None:
        ReadsOnly.allowed = {("read", "jupyter-hybrid"), ("read", "contents")}
        looked = {
            (method, path)
            for method, path in operations()
            if await code_of(jp_fetch, method, path) != 403
        }
        gets = {(method, path) for method, path in operations() if method == "GET"}
        assert looked == gets | {("POST", "/inspect")}

    async def test_who_may_not_see_contents_cannot_read_or_write_them_this_way(
        self, jp_fetch: Callable[..., Any]
    ) -> None:
        ReadsOnly.allowed = {(a, "jupyter-hybrid") for a in ("read", "write", "execute")}
        refused = {
            path for method, path in operations() if await code_of(jp_fetch, method, path) == 403
        }
        assert refused == {*("/inspect", "/environment", "/preview", "/jobs", "/jobs/{id}/fetch")}


async def test_a_page_of_another_site_can_change_nothing(
    jp_fetch: Callable[..., Any], jp_serverapp: Any, jp_base_url: str
) -> None:
    """With the user's cookie, and without the token that only Jupyter's own pages know."""
    token = jp_serverapp.identity_provider.token
    with pytest.raises(HTTPClientError, match="302") as signed_in:
        await jp_fetch("login", params={"token": token}, follow_redirects=False)
    assert signed_in.value.response is not None
    set_cookies = signed_in.value.response.headers.get_list("Set-Cookie")
    cookies = dict(c.split(";")[0].split("=", 1) for c in set_cookies)
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    for method, path in operations():
        headers = {"Cookie": header, "Authorization": ""}
        code = await code_of(jp_fetch, method, path, headers=headers)
        if method == "GET":
            assert code in (200, 404, 400)
        else:
            assert code == 403, (method, path)
    page = await jp_fetch("login", headers={"Authorization": ""})
    (xsrf,) = [c for c in page.headers.get_list("Set-Cookie") if c.startswith("_xsrf=")]
    value = xsrf.split(";")[0].removeprefix("_xsrf=")
    both = f"{header}; _xsrf={value}"
    headers = {"Cookie": both, "Authorization": "", "X-XSRFToken": value}
    assert await code_of(jp_fetch, "PUT", "/preferences", headers=headers) == 200
