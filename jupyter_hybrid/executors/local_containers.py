"""Jobs of this machine in containers: how one is started, and how it is ended for good."""

from __future__ import annotations

import asyncio
import os
import time
from getpass import getuser
from pathlib import Path

from ..containers.engines import Apptainer, Command, Docker, engine_named
from ..errors import ConfigError, PlaceError
from ..job import Job
from ..paths import JobPaths
from . import hardware, local_gpus
from .images.commands import complaint, run
from .images.preparing import Ready
from .images.settings import ImageSettings
from .images.starting import Start, container, proxies
from .local_directory import CONTAINER, MARK
from .locks import unwritable
from .records import write_record

#: Seconds within which a daemon makes the container that a dead client had asked for.
LATE = 5.0


def container_command(
    job: Job, paths: JobPaths, blobs: Path, ready: Ready, settings: ImageSettings
) -> Command:
    """The command that runs the job in its image; what it will be called is noted first."""
    blobs.mkdir(mode=0o700, parents=True, exist_ok=True)
    resources = job.spec.resources
    env = proxies(os.environ) if settings.network else {}
    if resources.cpus is not None:
        env.update(dict.fromkeys(hardware.THREADS, str(resources.cpus)))
    start = Start(
        name=container_name(job.id),
        directory=paths.directory,
        blobs=blobs,
        resources=resources,
        gpus=local_gpus.chosen(paths.directory, resources),
        user=(os.getuid(), os.getgid()),
        user_name=_user_name(),
        env={**env, MARK: job.id},
    )
    if not isinstance(ready.engine, Apptainer):
        # (Apptainer's processes are processes of this machine, like those of no container)
        try:
            write_record(paths.directory / CONTAINER, {"engine": ready.engine.name})
        except OSError as error:
            raise unwritable(paths.directory, error) from error
    return ready.engine.run(container(ready.interior, start, settings))


def container_name(job_id: str) -> str:
    """What the job's container is called: there cannot be two of one name."""
    return f"jupyter-hybrid-{job_id}"


async def remove_container(engine: str, job_id: str) -> bool:
    """End the job's container and all that runs in it; False where it is not there.

    Raises ``PlaceError`` where the engine cannot do it now.
    """
    name = container_name(job_id)
    try:
        command = engine_named(engine).remove(name)
    except ConfigError:
        return False  # the job has written over its own record: its processes are killed anyway
    done = await run(command) if command is not None else None
    if done is None:
        return False
    if done.returncode != 0 and "no such container" not in done.stderr.lower():
        raise PlaceError(f"{engine} cannot remove {name}: {complaint(done)}", transient=True)
    # (what they have removed they name)
    return bool(done.stdout.strip())


async def remove_late_container(engine: str, job_id: str, *, expected: bool) -> None:
    """The same for one whose client was killed, which may have been about to make it.

    Docker's daemon goes on with what a dead client had asked for: where the container is
    ``expected``, that is waited for.
    """
    start, waits = time.monotonic(), expected and engine == Docker.name
    while True:
        late = time.monotonic() - start > LATE
        try:
            if await remove_container(engine, job_id) or late or not waits:
                return
        except PlaceError:
            # what was half made, or half removed, may take a second attempt
            if late:
                raise
        await asyncio.sleep(0.2)


def _user_name() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        # a user id without a name; libraries that ask for one get something
        return f"user{os.getuid()}"
