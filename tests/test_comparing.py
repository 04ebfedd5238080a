"""What an image has of what a notebook needs, before anything is brought."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import bases
import pytest
from fakes import Fake
from in_images import a_podman_manager
from jobs import a_request

from jupyter_hybrid.admission import environment_of
from jupyter_hybrid.comparing import Comparison, compare
from jupyter_hybrid.environment.facts import ImageFacts, ImagePackage
from jupyter_hybrid.environment.needs import Environment, Need
from jupyter_hybrid.spec import JobSpec

IPYKERNEL = ImagePackage("6.29", modules=("ipykernel",))
FACTS = ImageFacts("3.10.12", packages={"numpy": ImagePackage("1.26.4"), "ipykernel": IPYKERNEL})
NEEDS = Environment(
    needs=(
        Need("numpy", "requirements.txt", ("numpy",), specifier=">=2", declared=True),
        Need("einops", "imported", ("einops",), version="0.8.0"),
    )
)


class WithImages(Fake):
    """A place that adds packages to images, and may have looked into one."""

    adds_packages = True
    facts: ImageFacts | None = None

    async def known_facts(self, spec: JobSpec) -> ImageFacts | None:
        return self.facts


def a_spec(image: str | None) -> JobSpec:
    return JobSpec(name="a", target="fake", kind="notebook", image=image)


async def test_each_need_is_the_images_or_added_or_a_conflict() -> None:
    place = WithImages()
    place.facts = FACTS
    found = await compare(place, a_spec("torch"), lambda: NEEDS)
    assert found is not None and found.known
    assert [(row.name, row.kind) for row in found.rows] == [
        ("einops", "layer"),
        ("ipykernel", "keep"),
        ("numpy", "conflict"),
    ]
    assert "asks for numpy>=2 and the image has numpy 1.26.4" in found.rows[2].sentence


async def test_an_image_that_nobody_looked_into_leaves_the_needs() -> None:
    found = await compare(WithImages(), a_spec("torch"), lambda: NEEDS)
    assert isinstance(found, Comparison) and not found.known
    assert [(r.name, r.here) for r in found.rows] == [("einops", "0.8.0"), ("numpy", ">=2")]


async def test_there_is_nothing_to_compare_without_an_image_or_where_nothing_is_added() -> None:
    assert await compare(WithImages(), a_spec(None), lambda: NEEDS) is None
    assert await compare(WithImages(), a_spec("torch"), lambda: None) is None
    assert await compare(Fake(), a_spec("torch"), lambda: NEEDS) is None


@pytest.mark.needs(*bases.NEEDS)
async def test_podmans_images_are_looked_into_and_none_is_brought(
    base_image: Callable[[str], str], tmp_path: Path
) -> None:
    executor = a_podman_manager().executor("local")
    needs = partial(environment_of, a_request(tmp_path, "import numpy, tqdm"))
    found = await compare(executor, a_spec(base_image("ngc")), needs, resolve=True)
    assert found is not None and found.known
    assert "tqdm" in found.added and "numpy" not in found.added
    kinds = {row.name: row.kind for row in found.rows}
    assert (kinds["numpy"], kinds["tqdm"]) == ("keep", "layer")
    away = await compare(executor, a_spec("localhost/there-is-no-such-image:1"), needs)
    assert away is not None and not away.known
