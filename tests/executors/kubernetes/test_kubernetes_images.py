"""Code as layers on the base image, in the registry that the site names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kube
import pytest
from kube_jobs import Place

from jupyter_hybrid.comparing import compare
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.environment.needs import Environment, Need
from jupyter_hybrid.errors import ConfigError
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.kubernetes.settings import read_settings
from jupyter_hybrid.spec import JobSpec

pytestmark = [
    pytest.mark.needs(*kube.NEEDS),
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(kube.FOREIGN), reason="writes to the lab's registry"),
]


SPEC = JobSpec(name="n", target="cloud", kind="notebook")


@pytest.fixture
def place(place: Place) -> Place:
    registry = place.cluster.registry
    place.registries = RegistrySettings(
        registry_mirrors={"nvcr.io": f"http://{registry}"}, insecure_registries=[registry]
    )
    place.options["push"] = f"{registry}/jobs"
    # the image's own Python is found in it
    place.options["python"] = "no-such-python"
    place.executor = place.another()
    return place


async def test_a_job_in_an_image_of_its_own(place: Place) -> None:
    source = "print(open('a.txt').read())\nopen('b.txt', 'w').write('back')"
    job = await place.start(source, files={"a.txt": b"in a layer"})
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "in a layer\n"
    assert (Path(job.directory) / "work" / "b.txt").read_text() == "back"
    first = _image(place.pod(job))
    assert first.partition("@")[0] == place.options["push"]
    # another cell, the same image: nothing is made, sent or pulled again
    job = await place.start("print('other')", files={"a.txt": b"in a layer"})
    assert (await place.ended(job)).state == "COMPLETED"
    assert _image(place.pod(job)) == first
    # other files, another image
    job = await place.start("print(open('a.txt').read())", files={"a.txt": b"another"})
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "another\n" and _image(place.pod(job)) != first
    async with RegistryClient(place.registries or RegistrySettings()) as client:
        image = await client.image(parse_reference(first))
    assert image.labels["org.opencontainers.image.base.name"] == "nvcr.io/base"


async def test_a_package_that_the_image_lacks(place: Place) -> None:
    wanted = Need(name="tinycss2", why="import tinycss2")
    environment = Environment((wanted,))
    prepared = await place.executor.prepare(SPEC, environment)
    assert "tinycss2" in prepared.packages and prepared.digest.startswith("sha256:")
    # what is in the image is known now, and with which versions it would be added
    found = await compare(place.executor, SPEC, lambda: environment, resolve=True)
    assert found is not None and found.known, found
    kinds = {row.name: row.kind for row in found.rows}
    assert kinds["tinycss2"] == "layer" and "webencodings" in found.added
    assert found.added["tinycss2"] == prepared.packages["tinycss2"]
    job = await place.start("import tinycss2\nprint(tinycss2.__name__)", environment=environment)
    assert (await place.ended(job)).state == "COMPLETED"
    assert place.printed(job) == "tinycss2\n"


def _image(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def test_a_registry_and_a_volume_are_one_too_many() -> None:
    volume = {"mount": "/x", "claim": "y"}
    options = {"push": "r.lab/jobs", "delivery": "volume", "root_volume": volume}
    target = TargetConfig(name="c", executor="kubernetes", root=Path("/x"), options=options)
    with pytest.raises(ConfigError, match="both 'push' and a volume"):
        read_settings(target)
