"""An image that was ready over there, asked for again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pytest

from jupyter_hybrid.containers.engines import Mount
from jupyter_hybrid.executors.base import Prepared, TargetConfig
from jupyter_hybrid.executors.images.starting import Interior, Layered
from jupyter_hybrid.executors.slurm import images
from jupyter_hybrid.executors.slurm.images import ClusterImages, Sif
from jupyter_hybrid.executors.slurm.options import SlurmOptions
from jupyter_hybrid.spec import JobSpec
from jupyter_hybrid.transport import LocalTransport

SPEC = JobSpec("x", "dgx", "notebook")
#: Files that a job in an image needs.
NEEDED = ("images/a.sif", "layers/one.compiled", "layers/two.compiled", "layers/start-1.compiled")


class Layers:
    """What would be added to the image."""

    def prepared(self, image: str, digest: str) -> Prepared:
        return Prepared(image=image, digest=digest)


class Made(ClusterImages):
    """Makes images ready in no time, and counts that."""

    def __init__(self, transport: LocalTransport, root: Path) -> None:
        target = TargetConfig(name="dgx", executor="slurm", root=root)
        super().__init__(target, SlurmOptions(engine="apptainer"), transport)
        self.root, self.made = root, 0

    async def _sif(self, engine: Any, image: str) -> Sif:
        if image.startswith("/"):
            return await self._file(image)
        return Sif(str(self.root / NEEDED[0]), "a")

    async def _facts(self, engine: Any, sif: Sif, image: str) -> Any:
        return None

    async def _interior(self, engine: Any, sif: Sif, layers: Any) -> Interior:
        self.made += 1
        for name in NEEDED:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        one, two, start = (self.root / name.removesuffix(".compiled") for name in NEEDED[1:])
        runner, packages = (Layered(cast(Any, None), place) for place in (one, two))
        kept = Mount(start, PurePosixPath("/s"))
        return Interior(sif.path, "python3", runner, packages, kept)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    async def layers(*args: Any) -> Layers:
        return Layers()

    monkeypatch.setattr(images, "make_layers", layers)
    monkeypatch.setattr(images, "LOOKED", 0.0)
    transport = LocalTransport(str(tmp_path / "there"))
    yield Made(transport, tmp_path / "there")
    transport.close()


@pytest.mark.parametrize("name", NEEDED)
async def test_what_was_removed_meanwhile_is_made_anew(made: Made, name: str) -> None:
    for _ in range(3):
        await made.ready("lab/base:1", SPEC, None)
    assert made.made == 1
    (made.root / name).unlink()
    await made.ready("lab/base:1", SPEC, None)
    assert made.made == 2 and (made.root / name).exists()


async def test_an_image_in_use_is_wanted_every_day(made: Made) -> None:
    await made.ready("lab/base:1", SPEC, None)
    for name in NEEDED:
        os.utime(made.root / name, (1000.0, 1000.0))
    await made.ready("lab/base:1", SPEC, None)
    assert all((made.root / name).stat().st_mtime > 1000.0 for name in NEEDED) and made.made == 1


async def test_a_file_of_the_users_is_looked_into_once_more_where_it_is_another(
    made: Made, tmp_path: Path
) -> None:
    sif = tmp_path / "own.sif"
    sif.touch()
    os.utime(sif, (1000.0, 1000.0))
    for _ in range(2):
        await made.ready(str(sif), SPEC, None)
    assert made.made == 1 and sif.stat().st_mtime == 1000.0
    sif.write_text("another")
    await made.ready(str(sif), SPEC, None)
    assert made.made == 2
