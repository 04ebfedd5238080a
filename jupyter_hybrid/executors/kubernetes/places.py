"""Where a job's things are: here, and in its pod."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import asdict
from pathlib import Path

from ...bundle import Bundle
from ...bundle.blobs import BlobStore
from ...errors import ConfigError
from ...job import Job
from ...paths import blob_directory, blob_path
from ..base import TargetConfig
from ..records import read_record, write_record
from . import delivery
from .manifest import BASE, Inside
from .settings import Settings

#: The file in a job's directory here that says where things are in its image.
INSIDE = "inside.json"


class Places:
    """Directories of one target's jobs."""

    def __init__(self, target: TargetConfig, settings: Settings) -> None:
        self._target, self._settings = target, settings
        #: True where pods see the target's root, by a volume.
        self.shared = settings.delivery == "volume"

    def inside(self, job: Job) -> Inside:
        """Where the job's things are in its pod."""
        python = self._settings.python
        if self.shared:
            return Inside(
                python=python,
                directory=self._there(Path(job.directory)),
                code=self._there(self._code()),
                blobs=self._there(blob_directory(self._target.root)),
                there=("job", "blobs", "code"),
            )
        known = read_record(Path(job.directory) / INSIDE)
        if known is not None:
            return Inside(**known)
        names = {"directory": "job", "code": "code", "blobs": "blobs"}
        return Inside(python=python, **{k: f"{BASE}/delivered/{v}" for k, v in names.items()})

    def note(self, job: Job, inside: Inside) -> None:
        """Remember where the things of a job with an image of its own are."""
        write_record(Path(job.directory) / INSIDE, asdict(inside))

    def share(self, bundle: Bundle) -> None:
        """Lay our code and the bundle's files where pods see them; what is there is left."""
        code = self._code()
        if not code.exists():
            scratch = code.with_name(f".{code.name}.{os.getpid()}")
            delivery.write_code(scratch)
            try:
                scratch.rename(code)
            except OSError:
                shutil.rmtree(scratch)
        mine = blob_directory(self._target.home or self._target.root)
        there = blob_directory(self._target.root)
        if mine == there:
            return
        store = BlobStore(there)
        for entry in bundle.files:
            if not store.has(entry.digest, entry.size):
                store.put_file(blob_path(mine, entry.digest))

    def _code(self) -> Path:
        digest = hashlib.sha256()
        for name, content in delivery.code():
            digest.update(name.encode() + b"\0" + content)
        return self._target.root / "code" / digest.hexdigest()[:16]

    def _there(self, path: Path) -> str:
        volume = self._settings.root_volume
        here = Path(str(volume.get("here") or volume["mount"])).expanduser().absolute()
        try:
            relative = path.relative_to(here)
        except ValueError as error:
            raise ConfigError(
                f"{path} is not below {here}, which the target {self._target.name!r} shares with "
                "pods; set its 'root' to a directory there"
            ) from error
        return str(Path(str(volume["mount"]), relative))
