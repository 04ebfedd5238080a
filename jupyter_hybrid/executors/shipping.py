"""A job's directory on another machine: what it needs is brought there, what it made is fetched."""

from __future__ import annotations

import asyncio
import io
import tarfile
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from ..bundle import Bundle, write_job_directory
from ..files import file_digest
from ..job import Job
from ..paths import JobPaths, blob_directory, blob_path, job_directory
from ..transport import Transport
from ..transport.blobs import Blob, send_blobs

#: Bytes of a job that are sent with it at once, whether or not they are there by their content.
SMALL = 16 << 10
#: What a runner is made of: these modules and packages of ours, and nothing else.
TRAVELS = ("__init__.py", "_version.py", "errors.py", "events.py", "paths.py", "spec.py")
PACKAGES = ("runner", "values")
#: Beside them, what starts it without a PYTHONPATH that the user's kernel would see.
_RUN = (
    b"import sys\nfrom jupyter_hybrid.runner.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
)


@dataclass(frozen=True)
class Shipped:
    """Where things are over there: absolute paths."""

    root: str
    directory: str
    runner: str


def relative_directory(job: Job) -> str:
    """The job's directory below our directory over there."""
    return f"jobs/{job.id}"


def runner_directory(root: str, digest: str) -> str:
    """Where the runner with this digest is over there, for all jobs that it runs."""
    return f"{root}/runners/{digest[:16]}"


@cache
def runner_archive() -> tuple[str, bytes]:
    """The runner as a tar archive, the same bytes for the same sources; and its digest."""
    out = io.BytesIO()
    package = Path(__file__).resolve().parent.parent
    files = [package / name for name in TRAVELS]
    for name in PACKAGES:
        files += sorted((package / name).rglob("*.py"))
    contents = {f"jupyter_hybrid/{p.relative_to(package)}": p.read_bytes() for p in files}
    contents["run.py"] = _RUN
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in contents.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            archive.addfile(info, io.BytesIO(data))
    # gzip notes the time in its header
    packed = out.getvalue()
    packed = packed[:4] + bytes(4) + packed[8:]
    return sha256(packed).hexdigest(), packed


async def ship(
    transport: Transport, job: Job, bundle: Bundle, home: Path, patience: float
) -> Shipped:
    """Lay the job out over there: what is there by content is not sent.

    What travels is kept in the job's directory here as well, for a rerun. Raises ``BundleError``
    and ``PlaceError``.
    """
    local = JobPaths(job_directory(home, job.id))
    await asyncio.to_thread(write_job_directory, local.directory, job.spec, bundle)
    root = await transport.root(patience)
    blobs = blob_directory(home)
    files = [Blob(f.digest, f.size, blob_path(blobs, f.digest)) for f in bundle.files]
    large, small = await asyncio.to_thread(_laid_out, local, bool(files))
    if files:
        known = large[local.files.name].digest
        # the manifest comes last: where it is, somebody has brought its files
        await send_blobs(transport, files, known=known, patience=patience)
    relative = relative_directory(job)
    directory = f"{root}/{relative}"
    if large:
        await send_blobs(transport, list(large.values()), patience=patience)
        placed = [[f"{directory}/{name}", blob.digest, 0o444] for name, blob in large.items()]
        await transport.ask("place", files=placed, patience=patience)
    runner = runner_directory(root, runner_archive()[0])
    if not await _lay(transport, relative, small, runner, patience):
        await _send_runner(transport, runner, patience)
        await _lay(transport, relative, small, runner, patience)
    return Shipped(root, directory, runner)


async def _lay(
    transport: Transport, directory: str, small: dict[str, bytes], runner: str, patience: float
) -> bool:
    """Write these files, in this order, where the runner is there; whether it is."""
    header, _ = await transport.ask(
        "lay", b"".join(small.values()), patience=patience, wanted=[runner],
        files=[[f"{directory}/{name}", len(data), 0o600] for name, data in small.items()],
        # a network file system takes a minute to see a file where it has seen none
        begun=[f"{directory}/{JobPaths(Path()).events}"],
    )  # fmt: skip
    return bool(header["there"])


async def _send_runner(transport: Transport, directory: str, patience: float) -> None:
    digest, archive = runner_archive()
    await send_blobs(transport, [Blob(digest, len(archive), archive)], patience=patience)
    await transport.ask("unpack", digest=digest, into=directory, patience=patience)


def _laid_out(local: JobPaths, manifest: bool) -> tuple[dict[str, Blob], dict[str, bytes]]:
    """What travels by its content, and what is small or the job's own, ``spec.json`` last.

    ``manifest``: that of its files is named by its content, so that they are known by it.
    """
    named = [local.files, local.notebook]
    if local.inputs.is_dir():
        named += sorted(path for path in local.inputs.rglob("*") if path.is_file())
    large, small, left = dict[str, Blob](), dict[str, bytes](), SMALL
    for path in named:
        name, size = path.relative_to(local.directory).as_posix(), path.stat().st_size
        if size <= left and not (manifest and path == local.files):
            small[name] = path.read_bytes()
            left -= size
        else:
            large[name] = Blob(file_digest(path), size, path)
    # it marks the directory as finished
    small |= {path.name: path.read_bytes() for path in (local.key, local.spec)}
    return large, small
