"""Results by way of an object store: each step on a server that speaks S3, and whole jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import kube
import pytest
from jobs import until
from kube import Kubernetes
from kube_jobs import Place
from object_stores import LOGIN, ObjectStore, s3

from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.errors import ConfigError, PlaceError
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.kubernetes.collecting import ARRIVED
from jupyter_hybrid.executors.kubernetes.depot import Depot
from jupyter_hybrid.executors.kubernetes.settings import (
    Settings,
    clients,
    read_settings,
    results_place,
)
from jupyter_hybrid.job import Job
from jupyter_hybrid.runner.depot import deposit
from jupyter_hybrid.spec import JobSpec

pytestmark = pytest.mark.timeout(300)

JOB = Job(
    id="01m89w43ce0c4evwa9v7wy2sck",
    spec=JobSpec(name="n", target="c", kind="notebook"),
    directory="",
    created_at=0.0,
)


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with s3() as found:
        yield found


@pytest.fixture
def settings(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    return Settings(results=store.url, results_options=store.options)


def left(directory: Path, size: int = 1 << 20) -> Path:
    """What an ended job leaves in its pod."""
    (directory / "work").mkdir(parents=True)
    (directory / "work" / "large").write_bytes(b"x" * size)
    (directory / "events.jsonl").write_text('{"seq": 1}\n')
    (directory / "exit.json").write_text('{"state": "COMPLETED"}')
    return directory


async def test_results_are_put_brought_and_removed(
    settings: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    # (more than one part)
    there, here = left(tmp_path / "there", 40 << 20), tmp_path / "here"
    here.mkdir()
    assert deposit(there, results_place(settings, JOB.id)) == ""
    assert store.names() == [f"results/jh-{JOB.id}.tar"]
    depot = Depot(settings)
    assert await depot.bring(replace(JOB, directory=str(here)))
    assert (here / "work" / "large").stat().st_size == 40 << 20
    assert json.loads((here / ARRIVED).read_text()) == {"state": "COMPLETED"}
    await depot.remove(JOB)
    await depot.remove(JOB)
    assert store.names() == [] and not list(here.glob(".arriving*"))


async def test_where_nothing_lies_and_what_is_not_whole(
    settings: Settings, store: ObjectStore, tmp_path: Path
) -> None:
    depot, job = Depot(settings), replace(JOB, directory=str(tmp_path / "here"))
    Path(job.directory).mkdir()
    assert not await depot.bring(job)
    there = left(tmp_path / "there")
    (there / "exit.json").unlink()
    assert deposit(there, results_place(settings, job.id)) == ""
    with pytest.raises(PlaceError, match="without their end"):
        await depot.bring(job)
    assert list(Path(job.directory).iterdir()) == []
    await depot.remove(job)


async def test_a_store_that_does_not_answer(settings: Settings, tmp_path: Path) -> None:
    nowhere = {"endpoint_url": "http://127.0.0.1:9", "region_name": "x"}
    once = {"retries": {"total_max_attempts": 1}}
    options = {"client_kwargs": nowhere, "config_kwargs": once}
    broken = replace(settings, results_options=options)
    words = r"store of results at s3://jobs/results: .*127\.0\.0\.1:9"
    with pytest.raises(PlaceError, match=words):
        await Depot(broken).bring(replace(JOB, directory=str(tmp_path)))
    assert "127.0.0.1:9" in deposit(left(tmp_path / "there"), results_place(broken, JOB.id))
    unknown = replace(settings, results="s3://no-such-bucket/x")
    assert "bucket does not exist" in deposit(tmp_path / "there", results_place(unknown, JOB.id))


async def test_any_file_system_of_fsspecs(tmp_path: Path) -> None:
    settings = Settings(results=f"file://{tmp_path}/store")
    (tmp_path / "store").mkdir()
    assert deposit(left(tmp_path / "there"), results_place(settings, JOB.id)) == ""
    here = tmp_path / "here"
    here.mkdir()
    assert await Depot(settings).bring(replace(JOB, directory=str(here)))
    assert (here / "work" / "large").exists()


def test_what_is_missing_or_wrong_is_said_before_a_job_starts(tmp_path: Path) -> None:
    assert clients("s3://b/x") == ("fsspec", "s3fs") and clients("file:///x") == ("fsspec",)
    with pytest.raises(ConfigError, match="without adlfs; pip install adlfs"):
        Depot(Settings(results="abfs://c/x")).check()
    volume = {"delivery": "volume", "root_volume": {"mount": "/", "claim": "c"}}
    for options, words in (
        ({"results": "bucket/x"}, "write a URL as s3://"),
        ({"results": "s3://b", "results_options": {"secret": "s"}}, "'secret_env'"),
        ({"results": "s3://b", **volume}, "both 'results' and a volume"),
    ):
        target = TargetConfig(name="c", executor="kubernetes", root=tmp_path, options=options)
        with pytest.raises(ConfigError, match=words):
            read_settings(target)


@pytest.fixture
async def through_s3(
    place: Place, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Place, ObjectStore]]:
    """A target whose jobs leave their results in a store that both sides reach."""
    if kube.FOREIGN:
        pytest.skip("the store is in the lab's network")
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    kubernetes.kubectl(
        *("create", "secret", "generic", "store"),
        *(f"--from-literal={name}={value}" for name, value in LOGIN.items()),
    )
    with s3(kubernetes) as store:
        place.options |= {
            "results": store.url,
            "results_options": store.options,
            "secret_env": {name: f"store/{name}" for name in LOGIN},
        }
        yield place, store
        await place.clean()
        place.jobs.clear()
    kubernetes.kubectl("delete", "secret", "store")


@pytest.mark.needs(*kube.NEEDS)
async def test_a_jobs_results_go_through_the_store(
    through_s3: tuple[Place, ObjectStore],
) -> None:
    place, store = through_s3
    registry = place.cluster.registry
    place.registries = RegistrySettings(
        registry_mirrors={"nvcr.io": f"http://{registry}"}, insecure_registries=[registry]
    )
    # the client of the store is a layer on the image, which lacks it
    place.options["push"] = f"{registry}/jobs"
    place.executor = place.another()
    job = await place.start("open('b.txt', 'w').write('x' * 20_000_000)\nprint('left')")
    record = await place.ended(job)
    assert record.state == "COMPLETED", record
    assert (Path(job.directory) / "work" / "b.txt").stat().st_size == 20_000_000
    assert place.printed(job) == "left\n"
    # its pod waits for nobody, and the store keeps nothing
    await until(lambda: place.pod(job)["status"]["phase"] == "Succeeded")
    await until(lambda: store.names() == [])
    # whoever comes when the cluster has forgotten the job finds its results all the same
    job = await place.start("open('c.txt', 'w').write('late')\nprint('later')")
    await place.prints(job, "later")
    place.executor = place.another()
    await until(lambda: place.pod(job)["status"]["phase"] == "Succeeded")
    place.cluster.kubectl("delete", "job", f"jh-{job.id}", "--cascade=foreground")
    assert (await place.ended(job)).state == "COMPLETED"
    assert (Path(job.directory) / "work" / "c.txt").read_text() == "late"


@pytest.mark.needs(*kube.NEEDS)
async def test_an_image_without_the_stores_client_hands_out_its_results(
    through_s3: tuple[Place, ObjectStore],
) -> None:
    place, store = through_s3
    place.executor = place.another()
    job = await place.start("open('b.txt', 'w').write('back')")
    assert (await place.ended(job)).state == "COMPLETED"
    assert (Path(job.directory) / "work" / "b.txt").read_text() == "back"
    assert store.names() == []


def test_the_program_says_what_is_wrong(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "jupyter_hybrid.runner.depot", "get", '{"url": "nosuch://x"}']
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "nosuch" in done.stderr.splitlines()[-1]
