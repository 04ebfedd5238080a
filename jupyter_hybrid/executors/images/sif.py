"""Images of Apptainer on this machine: files, each named by its digest in the registry."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

from ...containers.endpoints import RegistrySettings
from ...containers.engines import Apptainer, Engine
from ...containers.pull import pull
from ...containers.references import parse_reference
from ...containers.registry import RegistryClient
from ...containers.room import check_room
from ...errors import ImageError, PlaceError
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
        return Present(digest, str(file), (f"{name}@sha256:{digest}",))

    async def _bring(self, name: str) -> None:
        reference = parse_reference(name)
        cache = self._directory / "configurations"
        async with RegistryClient(self._registries, cache=cache) as client:
            image = await client.image(reference)
            digest = image.manifest.digest.rpartition(":")[2]
            file = self._files / f"{digest}.sif"
            if not file.is_file():
                layout = self._directory / "pulls" / digest
                # the SIF is about as large as the layers are, and for a while both are there
                check_room(self._files, 2 * image.manifest.size, name)
                await pull(client, image, layout)
                done = await run(self._maker.make(f"oci:{layout}", file), timeout=PULL)
                if done.returncode != 0:
                    raise PlaceError(
                        f"{self._engine.name} cannot make a SIF of {name}: {complaint(done)}"
                    )
                shutil.rmtree(layout, ignore_errors=True)
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_record(self._known(name), {"image": name, "digest": digest})

    def _known(self, name: str) -> Path:
        return self._files / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


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
