"""A pytest plugin: a JupyterHub on the cluster of ``tests/services/kubernetes``.

::

    pytestmark = pytest.mark.needs(*hubs.NEEDS)

    async def test_…(hub: Hub) -> None:

It runs in the cluster's network, as a hub in a pod would, with the configuration that is shipped as
an example; what is the lab's own is in ``services/hub/lab_config.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import kube
import yaml
from prebuilt import node_program, npm_command
from tree import ROOT, files

SERVICE = Path(__file__).resolve().parent / "services" / "hub"
EXAMPLE = ROOT / "spawner" / "deploy" / "jupyterhub_config.py"
NEEDS = (*kube.NEEDS, "module:jupyterhub")
#: Name of the image with the single-user server.
SERVER = "hub-server:1"
PATIENCE = 60.0
#: Seconds after which a layer of that image is removed that nobody has asked for.
UNUSED = 3 * 86_400.0


@dataclass(frozen=True)
class Hub:
    """A running hub, and its cluster."""

    url: str
    token: str
    cluster: kube.Kubernetes
    log: Path

    def client(self) -> httpx.AsyncClient:
        """Speaks with its API, as a service that may do everything."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=PATIENCE)

    @asynccontextmanager
    async def browser(self, user: str) -> AsyncIterator[httpx.AsyncClient]:
        """The user's browser, logged in."""
        async with httpx.AsyncClient(
            base_url=self.url, timeout=PATIENCE, follow_redirects=True
        ) as client:
            page = await client.get("/hub/login")
            (xsrf,) = re.findall(r'name="_xsrf" value="([^"]+)"', page.text)[:1]
            form = {"username": user, "password": "any", "_xsrf": xsrf}
            answer = await client.post("/hub/login", data=form)
            # the hub's page, or the user's server where it runs
            assert answer.status_code == 200 and "login" not in answer.url.path, answer.text
            yield client

    async def start(self, user: str, **wish: Any) -> list[dict[str, Any]]:
        """Start the user's server by REST; the events until it is ready or has failed."""
        async with self.client() as client:
            # where they have never been
            await client.post(f"/hub/api/users/{user}")
            answer = await client.post(f"/hub/api/users/{user}/server", json=wish)
            if answer.status_code == 201:
                return [{"ready": True}]
            assert answer.status_code == 202, answer.text
            return await self.progress(user)

    async def progress(self, user: str) -> list[dict[str, Any]]:
        """The events of a server that starts."""
        events: list[dict[str, Any]] = []
        async with self.client() as client:
            path = f"/hub/api/users/{user}/server/progress"
            async with client.stream("GET", path) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data:"):
                        events.append(json.loads(line.removeprefix("data:")))
        return events

    async def stop(self, user: str) -> None:
        """Stop the user's server, and wait until nothing of it is left."""
        async with self.client() as client:
            await client.delete(f"/hub/api/users/{user}/server")
            deadline = time.monotonic() + PATIENCE
            while (await client.get(f"/hub/api/users/{user}")).json().get("servers"):
                assert time.monotonic() < deadline, "the server did not stop"
                await asyncio.sleep(0.1)

    def pods(self) -> list[dict[str, Any]]:
        """Pods of servers in the namespace."""
        found: list[dict[str, Any]] = self.cluster.get("pods", "-l", "component=singleuser-server")[
            "items"
        ]
        return found

    def wait_for_pods(self) -> list[dict[str, Any]]:
        """Pods of servers, as soon as there is one."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.pods()):
            assert time.monotonic() < deadline, "no pod came"
            time.sleep(0.1)
        return found

    async def drop(self, user: str) -> None:
        """Stop a server that has done its part, perhaps in the middle of its start."""
        stopping = asyncio.ensure_future(self.stop(user))
        mine = f"hub.jupyter.org/username={user}"
        while not stopping.done():
            # (whoever stops it with care waits for the container as well)
            self.cluster.kubectl("delete", "pods", "-l", mine, "--force", "--grace-period=0")
            await asyncio.wait({stopping}, timeout=0.5)
        await stopping

    def drop_now(self, user: str) -> None:
        """``drop`` for tests without a loop."""
        asyncio.run(self.drop(user))

    def run(self, pod: str, *command: str) -> str:
        """What a command says in a server's container."""
        return self.cluster.kubectl("exec", pod, "-c", "notebook", "--", *command)


def proxy() -> list[str]:
    """The command of a configurable-http-proxy, installed once for each version."""
    lock = hashlib.sha256((SERVICE / "package-lock.json").read_bytes()).hexdigest()[:12]
    node = node_program()
    assert node is not None
    with kube.lock("proxy", fcntl.LOCK_EX) as file:
        place = Path(file.name).parent / f"hub-proxy-{lock}"
        if not (place / "complete").exists():
            place.mkdir(exist_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SERVICE / name, place)
            npm = npm_command(node)
            assert npm is not None
            words = [*npm, "ci", "--ignore-scripts", "--no-audit"]
            subprocess.run(words, cwd=place, check=True, capture_output=True)
            (place / "complete").touch()
    script = place / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    return [str(node), str(script)]


def server_image(cluster: kube.Kubernetes) -> str:
    """The image with the single-user server for the lab's Python; made once."""
    target = f"{cluster.registry}/{SERVER}"
    with kube.lock("server", fcntl.LOCK_EX) as file:
        command = [sys.executable, "-m", "jupyter_hybrid_spawner.server_image", target]
        command += ["--base", f"{cluster.registry}/base:1", "--insecure", cluster.registry]
        wheel = _wheel(Path(file.name).parent / "hub-wheel")
        command += ["--python", "3.11", "--with", f"jupyter-hybrid[kubernetes] @ {wheel.as_uri()}"]
        own = Path(file.name).parent / "hub-layers"
        packages = os.environ.get("UV_CACHE_DIR") or str(Path(file.name).parents[1] / "uv")
        env = {**os.environ, "XDG_CACHE_HOME": str(own), "UV_CACHE_DIR": packages}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        # the small layer is another one for each state of the checkout
        for path in (own / "jupyter-hybrid" / "servers").glob("*.json"):
            if path.stat().st_mtime < time.time() - UNUSED:
                path.with_suffix(".tar").unlink(missing_ok=True)
                path.unlink()
    # with its digest: nodes may have another of that name
    return done.stdout.split("'")[1]


#: Another model of GPU than the lab's nodes begin with.
P100 = "Tesla-P100-PCIE-16GB"
#: The site's targets, as a ConfigMap has them.
TARGETS = """
c.Hybrid.default_target = "cluster"
c.Hybrid.targets = {{
    "cluster": {{
        "executor": "kubernetes", "namespace": {namespace!r}, "image": {image!r},
        "python": {python!r}, "gpu_models": {{"p100": {p100!r}}},
    }}
}}
"""


def allow_jobs(cluster: kube.Kubernetes) -> dict[str, str]:
    """Let servers run jobs in the namespace, by the role that is shipped; the traits for it."""
    here = cluster.namespace
    objects = list(yaml.safe_load_all((EXAMPLE.parent / "jobs-role.yaml").read_text()))
    for found in (found for found in objects if found["kind"] != "Namespace"):
        for place in (found["metadata"], *found.get("subjects", ())):
            place["namespace"] = here
        cluster.apply(found)
    text = TARGETS.format(namespace=here, image=kube.IMAGE, python=kube.PYTHON, p100=P100)
    name = {"name": "hybrid-targets"}
    data = {"jupyter_hybrid_config.py": text}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": data})
    return {"jobs_service_account": "hybrid-jobs", "hybrid_config": "hybrid-targets"}


def _wheel(directory: Path) -> Path:
    """A wheel of this checkout without its JupyterLab extension: made anew where that changed."""
    state = hashlib.sha256()
    for source in files():
        state.update(f"{source.relative_to(ROOT)}\0".encode() + source.read_bytes())
    known = directory / "state"
    if known.exists() and known.read_text() == state.hexdigest():
        (found,) = directory.glob("*.whl")
        return found
    shutil.rmtree(directory, ignore_errors=True)
    tree = directory / "tree"
    for source in files():
        target = tree / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    env = {**os.environ, "JUPYTER_HYBRID_LABEXTENSION": "skip", "SOURCE_DATE_EPOCH": "315532800"}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    command += [str(directory), str(tree)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = directory.glob("*.whl")
    known.write_text(state.hexdigest())
    return found


@contextmanager
def running(
    cluster: kube.Kubernetes, directory: Path, *, cull: Sequence[str] = (), **traits: Any
) -> Iterator[Hub]:
    """A hub in the cluster's network, whose spawner has these traits and its culler these words."""
    # below the ports that systems choose from, one block for each process of the tests
    port, token = 20000 + (os.getpid() % 3000) * 4, secrets.token_hex(16)
    host = cluster.registry.partition(":")[0]
    log = directory / "hub.log"
    with kube.turn(fcntl.LOCK_SH):  # nobody breaks the cluster meanwhile
        process = _begun(cluster, directory, traits, port, token, cull)
        try:
            _await(f"http://{host}:{port}/hub/health", process, log)
        except BaseException:
            _end(process, directory)
            raise
    try:
        yield Hub(f"http://{host}:{port}", token, cluster, log)
    finally:
        _end(process, directory)
        selector = ("pods,pvc,services,secrets", "-l", "app.kubernetes.io/managed-by=kubespawner")
        cluster.kubectl("delete", *selector, "--force", "--grace-period=0", check=False)


def _end(process: subprocess.Popen[bytes], directory: Path) -> None:
    """End the hub, with all that it started here."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    # its services are in its group; the proxy, where it had no time to end it, is not
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((directory / "proxy.pid").read_text(encoding="utf-8")), signal.SIGKILL)


def _begun(
    cluster: kube.Kubernetes,
    directory: Path,
    traits: dict[str, Any],
    port: int,
    token: str,
    cull: Sequence[str],
) -> subprocess.Popen[bytes]:
    """A hub's process."""
    host = cluster.registry.partition(":")[0]
    site = {"server_image": server_image(cluster), **traits}
    lab = {"example": str(EXAMPLE), "directory": str(directory), "host": host, "port": port}
    lab |= {"token": token, "namespace": cluster.namespace, "traits": site, "proxy": proxy()}
    lab["cull"] = [*cull]
    env = {**os.environ, "JUPYTERHUB_LAB": json.dumps(lab), "KUBECONFIG": str(cluster.kubeconfig)}
    env |= {"JUPYTERHUB_CRYPT_KEY": secrets.token_hex(32), "PYTHONPATH": str(ROOT)}
    network = f"/run/netns/{os.environ.get('KUBE_NAME', 'kube')}"
    # its culler is asked to end by SIGINT, which what a shell has in the background ignores
    words = ["env", "--default-signal=INT", "nsenter", f"--net={network}"]
    words += [sys.executable, "-m", "jupyterhub"]
    with (directory / "hub.log").open("w") as file:
        return subprocess.Popen(
            [*words, "-f", str(SERVICE / "lab_config.py")],
            cwd=directory, env=env, stdout=file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
