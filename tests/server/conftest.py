"""A real Jupyter Server in the test's own process, and a client that believes no answer.

pytest-jupyter's fixtures without its hooks, which would run all coroutines in its own way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import notebook
from contract import checked
from pytest_jupyter.jupyter_core import (  # noqa: F401
    echo_kernel_spec,
    jp_config_dir,
    jp_data_dir,
    jp_env_config_path,
    jp_env_jupyter_path,
    jp_environ,
    jp_home_dir,
    jp_kernel_dir,
    jp_runtime_dir,
    jp_system_config_path,
    jp_system_jupyter_path,
)
from pytest_jupyter.jupyter_server import (  # noqa: F401
    jp_argv,
    jp_auth_header,
    jp_base_url,
    jp_configurable_serverapp,
    jp_fetch,
    jp_http_port,
    jp_logging_stream,
    jp_nbconvert_templates,
    jp_root_dir,
    jp_server_cleanup,
    jp_serverapp,
    jp_web_app,
    jp_ws_fetch,
)
from pytest_jupyter.pytest_tornasync import (  # noqa: F401
    http_server,
    http_server_client,
    http_server_port,
)
from tornado.httpclient import HTTPClientError


@pytest.fixture
async def jp_asyncio_loop() -> asyncio.AbstractEventLoop:
    """The loop that the test runs in."""
    return asyncio.get_running_loop()


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """Nothing but this extension."""
    extensions = {"jupyter_hybrid": True, "jupyter_server_terminals": False}
    return {"ServerApp": {"jpserver_extensions": extensions}}


class Api:
    """Requests to the extension; what comes back is compared with the OpenAPI document."""

    def __init__(self, fetch: Callable[..., Any], root: Path) -> None:
        self._fetch = fetch
        self.root = root

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The response, whatever its status."""
        status = options.pop("status", None)
        if body is not None:
            options["body"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
        elif method in ("POST", "PUT"):
            options["body"] = ""
        try:
            response = await self._fetch("jupyter-hybrid/api" + path, method=method, **options)
        except HTTPClientError as error:
            if error.response is None:
                raise
            response = error.response
        checked(method, path, response.code, response.headers, response.body)
        if status is not None:
            assert response.code == status, response.body
        return response

    async def get(self, path: str, /, status: int = 200, **params: Any) -> Any:
        """The JSON that GET answers with."""
        response = await self.ask("GET", path, params=params, status=status)
        return json.loads(response.body)

    async def post(self, path: str, body: Any = None, status: int = 200, **options: Any) -> Any:
        """The JSON that POST answers with."""
        response = await self.ask("POST", path, body, status=status, **options)
        return json.loads(response.body)

    async def put(self, path: str, body: Any, status: int = 200) -> Any:
        """The JSON that PUT answers with."""
        return json.loads((await self.ask("PUT", path, body, status=status)).body)

    def write(self, name: str, *sources: str, parameters: str | None = None) -> dict[str, Any]:
        """A notebook below the server's root."""
        content = notebook(*sources, parameters=parameters)
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        return content

    async def submit(self, *sources: str, name: str = "work.ipynb", **body: Any) -> Any:
        """A job of a notebook with these cells."""
        self.write(name, *sources)
        return await self.post("/jobs", {"path": name, **body}, status=201)

    async def ended(self, job_id: str) -> Any:
        """The job once it has ended, without asking its place: the server looks after it."""
        for _ in range(3000):
            job = await self.get(f"/jobs/{job_id}")
            if job["final"]:
                return job
            await asyncio.sleep(0.02)
        raise AssertionError(f"still {job['state']}: {job['reason']}")


@pytest.fixture
def api(jp_fetch: Callable[..., Any], jp_root_dir: Path, environment: Path) -> Api:  # noqa: F811
    return Api(jp_fetch, jp_root_dir)
