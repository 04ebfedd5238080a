"""Servers that nobody uses are ended by jupyterhub-idle-culler, and those that work are not."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import kube
import pytest
from commands import notebook
from hubs import Hub
from jobs import until

# (the first time, the image with the server is made)
pytestmark = [pytest.mark.needs(*hubs.NEEDS), pytest.mark.timeout(600)]

#: Seconds after which a server of which nothing is heard is ended. Those that work say so every
#: second, and on a machine full of other tests some ten times later.
IDLE = 20
#: What stands for a GPU's program in a server: it says what stands in the file beside it.
PROGRAM = '#!/bin/sh\nread used </usr/local/bin/used\necho "Tesla V100-SXM2-16GB, 900, $used"\n'
#: jupyter-hybrid in a terminal of a server.
COMMAND = (
    f"cd $HOME && PYTHONPATH=/opt/jupyter-hybrid/server/py3.11 {kube.PYTHON} -m jupyter_hybrid.cli"
)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> kube.Kubernetes:
    found: kube.Kubernetes = request.getfixturevalue("_kubernetes")
    if found.shared is None:
        pytest.skip("the hub's tests need the cluster of tests/services")
    return found


@pytest.fixture(scope="module")
def gpus(cluster: kube.Kubernetes) -> Iterator[dict[str, Path]]:
    """Two GPUs, each a folder that servers may have: its program, and how much it is used."""
    assert cluster.shared is not None
    folders = {name: cluster.shared / f"{name}-{os.getpid()}" for name in ("one", "two")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "nvidia-smi").write_text(PROGRAM)
        (folder / "nvidia-smi").chmod(0o755)
        use(folder, 87)
    yield folders
    for folder in folders.values():
        shutil.rmtree(folder)


def use(gpu: Path, percent: int) -> None:
    """Let the GPU be used so much."""
    (gpu / "new").write_text(f"{percent}\n")
    (gpu / "new").replace(gpu / "used")


@pytest.fixture
def hub(
    cluster: kube.Kubernetes, kubernetes: kube.Kubernetes, gpus: dict[str, Path], tmp_path: Path
) -> Iterator[Hub]:
    folders = {
        name: {"mount": "/usr/local/bin", "volume": {"hostPath": {"path": str(path)}}}
        for name, path in gpus.items()
    }
    site: dict[str, Any] = {
        "images": [kube.IMAGE], "image_python": kube.PYTHON, "folders": folders,
        "home": {}, "sizes": {},
    }  # fmt: skip
    site |= hubs.allow_jobs(cluster)
    cull = (f"--timeout={IDLE}", "--cull-every=1")
    with hubs.running(cluster, tmp_path, cull=cull, **site) as found:
        yield found
    # (an ended one stays for an hour, as the site's targets say)
    cluster.kubectl("delete", "jobs", "-l", "jupyter-hybrid/job")


async def pod_of(hub: Hub, user: str, **wish: Any) -> str:
    """Start the user's server; the name of its pod."""
    async with hub.browser(user):
        # who they are on the storage is known once they have logged in
        pass
    events = await hub.start(user, **wish)
    assert events[-1].get("ready"), (events, hub.log.read_text())
    return next(
        str(pod["metadata"]["name"])
        for pod in hub.pods()
        if pod["metadata"]["annotations"]["hub.jupyter.org/username"] == user
    )


def alive(hub: Hub) -> set[str]:
    """Users whose servers have pods."""
    return {p["metadata"]["annotations"]["hub.jupyter.org/username"] for p in hub.pods()}


async def test_what_works_is_not_idle(hub: Hub, gpus: dict[str, Path]) -> None:
    _, pod = await asyncio.gather(
        pod_of(hub, "gia", folders=["one"]), pod_of(hub, "job", folders=["two"])
    )
    source = json.dumps(json.dumps(notebook("import time; time.sleep(3600)")))
    write = f'{kube.PYTHON} -c \'open("n.ipynb", "w").write({source})\''
    run = f"cd $HOME && {write} && {COMMAND} run n.ipynb --detach"
    said = await asyncio.to_thread(hub.run, pod, "sh", "-c", run)
    assert said.strip() in str(hub.cluster.left()), said
    # from here on, its job alone keeps that server
    use(gpus["two"], 0)
    await pod_of(hub, "ida")
    await until(lambda: "ida" not in alive(hub), 120.0)
    assert alive(hub) == {"gia", "job"}
    # and these two go as soon as they have nothing more to do
    cancel = f"{COMMAND} cancel last --force"
    # (on a full machine the API server may once take longer than a command waits for it)
    await asyncio.to_thread(hub.run, pod, "sh", "-c", f"{cancel} || ({cancel})")
    use(gpus["one"], 0)
    await until(lambda: not alive(hub), 120.0)
    log = hub.log.read_text()
    assert all(f"Culling server {user}" in log for user in ("ida", "gia", "job"))
