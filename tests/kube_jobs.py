"""Jobs on the cluster of the tests, by the executor alone: start, follow, remove."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jobs import a_job
from kube import Kubernetes

from jupyter_hybrid.bundle import FileEntry
from jupyter_hybrid.bundle.blobs import BlobStore
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.environment.needs import Environment
from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.events import Kind, parse_events
from jupyter_hybrid.executors.base import JobStatus, TargetConfig
from jupyter_hybrid.executors.kubernetes.executor import KubernetesExecutor
from jupyter_hybrid.job import Job
from jupyter_hybrid.paths import JobPaths, blob_directory
from jupyter_hybrid.spec import ExitRecord

#: Seconds for what takes one or two on an idle machine.
PATIENCE = 90.0


def ticking(count: int, pause: float = 0.1) -> str:
    """A cell that prints ``tick 0``, ``tick 1``, …"""
    return (
        f"import time\nfor n in range({count}):\n"
        f"    print('tick', n, flush=True)\n    time.sleep({pause})"
    )


def ticks(count: int) -> str:
    """What it prints."""
    return "".join(f"tick {n}\n" for n in range(count))


def streams(cluster: Kubernetes) -> tuple[int, int]:
    """What is open at the API server: watches of a namespace's pods, and logs that are followed."""
    watches = logs = 0
    for line in cluster.kubectl("get", "--raw", "/metrics").splitlines():
        if not line.startswith("apiserver_longrunning_gauge{") or 'resource="pods"' not in line:
            continue
        labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
        count = int(line.rpartition(" ")[2])
        if labels["subresource"] == "log":
            logs += count
        elif labels["verb"] == "WATCH" and labels["scope"] == "namespace":
            watches += count
    return watches, logs


def configure(folder: Path, cluster: Kubernetes, **more: Any) -> None:
    """The target ``cloud``, as a user's configuration has it."""
    folder.mkdir(exist_ok=True)
    models = {"v100": "Tesla-V100-SXM2-16GB"}
    target = {"executor": "kubernetes", **cluster.target(gpu_models=models, **more)}
    settings = {"Hybrid": {"targets": {"cloud": target}, "default_target": "cloud"}}
    (folder / "jupyter_hybrid_config.json").write_text(json.dumps(settings))


@dataclass
class Place:
    """One target on the cluster, and the jobs that a test has there."""

    cluster: Kubernetes
    root: Path
    options: dict[str, Any] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    registries: RegistrySettings | None = None
    #: What ``poll`` complained of, while somebody waited.
    complaints: list[str] = field(default_factory=list)
    #: Reasons that ``poll`` gave, each once.
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.executor = self.another()

    def another(self, **options: Any) -> KubernetesExecutor:
        """What another process would have."""
        known = {**self.cluster.target(), **self.options, **options}
        target = TargetConfig(
            name="cloud",
            executor="kubernetes",
            root=self.root,
            options=known,
            registries=self.registries,
        )
        return KubernetesExecutor(target)

    async def start(
        self, *sources: str, env: dict[str, str] | None = None, image: str | None = None,
        files: dict[str, bytes] | None = None, environment: Environment | None = None,
        **resources: Any,
    ) -> Job:  # fmt: skip
        """Submit a job of these cells."""
        job, bundle = a_job(self.root, *sources, **resources)
        job = replace(job, spec=replace(job.spec, target="cloud", env=env or {}, image=image))
        entries = tuple(self._stored(name, data) for name, data in (files or {}).items())
        bundle = replace(bundle, files=entries, environment=environment)
        self.jobs[job.id] = job
        async for handle in self.executor.submit(job, bundle):
            job = self.jobs[job.id] = replace(job, handle=handle)
        return job

    def _stored(self, name: str, data: bytes) -> FileEntry:
        path = self.root / "sent"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return FileEntry(name, BlobStore(blob_directory(self.root)).put_file(path), len(data))

    async def look(self, job: Job) -> JobStatus | None:
        """What is known of the job; None also where the server does not answer."""
        try:
            status = (await self.executor.poll([job])).get(job.id)
        except PlaceError as error:
            self.complaints.append(str(error))
            return None
        if status is not None and status.reason and status.reason not in self.reasons:
            self.reasons.append(status.reason)
        return status

    async def ended(self, job: Job) -> ExitRecord:
        """How it ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status = await self.look(job)
            if status is not None and status.state.final:
                assert status.exit is not None
                return status.exit
            assert time.monotonic() < deadline, (status, self.complaints[-3:])
            await asyncio.sleep(0.1)

    async def says(self, job: Job, words: str) -> JobStatus:
        """Wait for a reason with these words."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status = await self.look(job)
            if status is not None and words in status.reason:
                return status
            assert time.monotonic() < deadline, (status, self.reasons, self.complaints[-3:])
            await asyncio.sleep(0.1)

    async def prints(self, job: Job, words: str) -> None:
        """Wait until the job has printed these words."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.printed(job):
            status = await self.look(job)
            assert time.monotonic() < deadline, (status, self.printed(job)[-200:])
            await asyncio.sleep(0.1)

    def printed(self, job: Job) -> str:
        """All that has come of its output; fails where an event came twice or is missing."""
        path = JobPaths(Path(job.directory)).events
        found, _ = parse_events(path.read_bytes() if path.exists() else b"")
        numbers = [event.seq for event in found]
        assert numbers == list(range(1, len(numbers) + 1)), numbers
        assert sum(event.kind == Kind.STARTED for event in found) <= 1
        # (large ones are in files of their own)
        outputs = [e.data.get("output", {}) for e in found if e.kind == Kind.OUTPUT]
        return "".join(str(output.get("text", "")) for output in outputs)

    def result(self, job: Job) -> str:
        """The executed notebook."""
        return JobPaths(Path(job.directory)).result.read_text()

    def pod(self, job: Job) -> dict[str, Any]:
        """The job's pod, as the server has it."""
        (pod,) = self.cluster.get("pods", "-l", f"jupyter-hybrid/job={job.id}")["items"]
        return dict(pod)

    async def clean(self) -> None:
        """Remove all of the jobs; the fixture ``kubernetes`` looks for what stays."""
        for job in self.jobs.values():
            await self.executor.cancel(job, force=True)
            await self.executor.cleanup(job)
