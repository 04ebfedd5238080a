"""Images of Apptainer on this machine: files, each named by its digest in the registry."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from ...containers.endpoints import RegistrySettings
from ...containers.engines import Apptainer, Engine
from ...containers.pull import passing, pull
from ...containers.references import parse_reference
from ...containers.registry import Image, RegistryClient
from ...containers.room import check_room
from ...errors import ImageError, PlaceError
from ...telling import Bytes, tell
from ..records import read_record, write_record
from .commands import complaint, run
from .presence import PULL, Presence, Present


class Files(Presence):
    """Looks for SIFs, and makes them once."""

    def __init__(
        self, engine: Apptainer, directory: Path, registries: RegistrySettings | None
    ) -> None:
        super().__init__(engine, directory, registries)
        self._maker, self._files = engine, directory / "sif"

    async def find(self, name: str) -> Present | None:
        """A file of that path, or what was made of the image in the registry."""
        path = Path(name.removeprefix("file://")).expanduser()
        if path.is_absolute():
            return await asyncio.to_thread(_file, path)
        record = read_record(self._known(name))
        file = self._files / f"{record['digest']}.sif" if record else None
        if record is None or file is None or not file.is_file():
            return None
        digest = str(record["digest"])
        # by that it is seen to be in use
        os.utime(file)
        return Present(digest, str(file), (f"{name}@sha256:{digest}",))

    async def remove(self, name: str) -> None:
        """Forget the name, and remove the file where no other name means it."""
        found = await self.find(name)
        if found is None or not Path(found.run).is_relative_to(self._files):
            return  # somebody else's file
        self._known(name).unlink(missing_ok=True)
        others = (read_record(path) or {} for path in self._files.glob("*.json"))
        if all(record.get("digest") != found.id for record in others):
            Path(found.run).unlink(missing_ok=True)

    async def _bring(self, name: str) -> None:
        reference = parse_reference(name)
        async with self._client() as client:
            image = await client.image(reference)
            digest = image.manifest.digest.rpartition(":")[2]
            file = self._files / f"{digest}.sif"
            await make_sif(self._maker, client, image, file, self._directory)
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_record(self._known(name), {"image": name, "digest": digest})

    def _known(self, name: str) -> Path:
        return self._files / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


async def make_sif(
    engine: Apptainer, client: RegistryClient, image: Image, file: Path, directory: Path
) -> None:
    """Make the file of the image, unless it is there; ``directory`` is for what is on its way.

    Raises ``ImageError`` with numbers where there is no room, ``PlaceError`` in Apptainer's words.
    """
    if file.is_file():
        return
    # the SIF is about as large as the layers are, and for a while both are there
    check_room(file.parent, 2 * image.manifest.size, str(image.reference))
    async with passing(directory, image) as layout:
        if file.is_file():
            return
        await pull(client, image, layout, Bytes(f"pulling {image.reference}", image.manifest.size))
        tell(f"{engine.name} makes a SIF of {image.reference}")
        done = await run(engine.make(f"oci:{layout}", file), timeout=PULL)
        if done.returncode != 0:
            what = f"a SIF of {image.reference}"
            raise PlaceError(f"{engine.name} cannot make {what}: {complaint(done)}")


def presence_of(engine: Engine, directory: Path, registries: RegistrySettings | None) -> Presence:
    """Where the engine's images are looked for."""
    if isinstance(engine, Apptainer):
        return Files(engine, directory, registries)
    return Presence(engine, directory, registries)


def _file(path: Path) -> Present:
    """A SIF or sandbox that somebody made; raises ``ImageError`` where there is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise ImageError(f"there is no image {path}: {error.strerror}; look at its name") from error
    # read in full it would take a minute: another file of this name is of another time
    seen = f"{path} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    return Present(hashlib.sha256(seen.encode()).hexdigest(), str(path))
