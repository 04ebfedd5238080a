"""A server that speaks S3, for tests of what goes through an object store (moto, of PyPI).

::

    with s3() as store:            # on this machine
    with s3(kubernetes) as store:  # in the cluster's network
        store.url, store.options
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import kube

BUCKET = "jobs"
#: What a client wants to know, and the server does not ask.
LOGIN = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "of the tests"}
PATIENCE = 60.0


@dataclass(frozen=True)
class ObjectStore:
    """A running server with one bucket."""

    endpoint: str

    @property
    def url(self) -> str:
        """A place below the bucket, as fsspec reads it."""
        return f"s3://{BUCKET}/results"

    @property
    def options(self) -> dict[str, Any]:
        """What fsspec's client has to know besides."""
        return {"client_kwargs": {"endpoint_url": self.endpoint, "region_name": "us-east-1"}}

    def names(self) -> list[str]:
        """What lies in the bucket."""
        found = ET.fromstring(httpx.get(f"{self.endpoint}/{BUCKET}").content)
        return [str(key.text) for key in found.iter() if key.tag.endswith("}Key")]


@contextmanager
def s3(cluster: kube.Kubernetes | None = None) -> Iterator[ObjectStore]:
    """A server that forgets everything at its end."""
    host, before = "127.0.0.1", ["setpriv", "--pdeathsig", "TERM"]
    if cluster is not None:
        host = cluster.registry.partition(":")[0]
        before = [str(kube.SERVICE / "cluster"), "run", *before]
    # (below the ports that systems choose from; in the cluster's network nobody else has them)
    port = _free() if cluster is None else 18000 + os.getpid() % 1000
    words = [*before, sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]

    silent = subprocess.DEVNULL
    with subprocess.Popen(words, stdin=silent, stdout=silent, stderr=silent) as process:
        try:
            store = ObjectStore(f"http://{host}:{port}")
            _wait(store, process)
            yield store
        finally:
            process.terminate()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found: int = server.getsockname()[1]
        return found


def _wait(store: ObjectStore, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            assert httpx.put(f"{store.endpoint}/{BUCKET}").status_code == 200
            return
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < deadline, "no store came up"
            time.sleep(0.05)
