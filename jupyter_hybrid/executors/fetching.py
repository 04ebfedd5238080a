"""What a job made on another machine, brought into its directory here: whole, or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ..errors import PlaceError, ResultError
from ..files import file_digest, replacing
from ..paths import JobPaths
from ..runner.changes import IGNORED
from ..transport import Transport
from .locks import fetching, made, unwritable

#: Names below the job's directory that stay there.
STAYS = ("work", "runtime", "inputs", "ranks")
#: Here it is noted that everything has come, with the exit record that it came with.
FETCHED = ".fetched"
#: The same for jobs that left none: a killed one, or one whose node is gone.
NO_EXIT = b"-"
#: Pieces of a large file that are under way at once: the network's delay counts once.
AHEAD = 8
PIECE = 1 << 20


async def fetch_results(transport: Transport, remote: str, local: Path, patience: float) -> None:
    """Bring the results of the job in ``remote``, below the transport's directory, to ``local``.

    Nothing is brought twice, and a large file goes on where it broke off. What is here stays good
    where the place has removed its own, or is out of reach. Raises ``ResultError``.
    """
    made(local)
    # whoever has all of it waits for nobody
    if (local / FETCHED).exists() and await _is_new(transport, remote, local, patience) is None:
        return
    async with fetching(local):
        exits = await _is_new(transport, remote, local, patience)
        if exits is not None:
            try:
                await _fetch(transport, remote, local, patience)
                (local / FETCHED).write_bytes(exits or NO_EXIT)
            except OSError as error:
                raise ResultError(str(unwritable(local, error))) from error


async def _is_new(transport: Transport, remote: str, local: Path, patience: float) -> bytes | None:
    """The exit record over there, b"" for none, where it is not what came here; else None.

    Raises ``PlaceError``, unless something came.
    """
    marker = local / FETCHED
    have = marker.read_bytes() if marker.exists() else b""
    try:
        name = f"{remote}/{JobPaths(local).exit.name}"
        exits = await transport.read(name, patience=0.0 if have else patience)
    except PlaceError:
        if have:
            return None
        raise
    return None if have and exits in (b"", have) else exits


async def _fetch(transport: Transport, remote: str, local: Path, patience: float) -> None:
    paths = JobPaths(local)
    entries = await transport.walk(remote, without=STAYS)
    names = [(name, size, mode) for name, size, mode, _ in entries]
    if not any(name == paths.spec.name for name, _, _ in names):
        raise ResultError(
            f"{remote} on {transport.host} is gone, and the job's results with it; submit it again"
        )
    wanted = [(n, s, m) for n, s, m in names if "/." not in f"/{n}" and n != paths.key.name]
    wanted += await _changed(transport, remote)
    await _bring(transport, remote, local, wanted, patience)


async def _changed(transport: Transport, remote: str) -> list[tuple[str, int, int]]:
    """Files of the work directory that are results."""
    names = JobPaths(Path())
    changes = await _whole(transport, f"{remote}/{names.changes.name}")
    if changes:
        with suppress(ValueError, KeyError, TypeError):
            listed = json.loads(changes)["files"]
            found = [(f"work/{e['path']}", int(e["size"]), 0o644) for e in listed]
            return [entry for entry in found if _inside(entry[0])]
    # the runner died before it could say: whatever differs from what was sent is a result
    manifest = json.loads(await _whole(transport, f"{remote}/{names.files.name}") or b"{}")
    sent = {entry["path"]: entry["digest"] for entry in manifest.get("files", ())}
    there = await transport.walk(f"{remote}/work", without=IGNORED, hashed=True)
    return [(f"work/{n}", size, mode) for n, size, mode, digest in there if sent.get(n) != digest]


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


async def _whole(transport: Transport, path: str) -> bytes:
    content = b""
    while piece := await transport.read(path, len(content)):
        content += piece
    return content


async def _bring(
    transport: Transport,
    remote: str,
    local: Path,
    wanted: Sequence[tuple[str, int, int]],
    patience: float,
) -> None:
    """Bring these files: name, size and permission bits of each."""
    modes = {name: mode for name, _, mode in wanted}
    left = [name for name, size, _ in wanted if not _here(local / name, name, size)]
    while left:
        asked = [f"{remote}/{name}" for name in left[:1000]]
        header, data = await transport.ask("pack", paths=asked, patience=patience)
        taken, left = left[: len(header["sizes"])], left[len(header["sizes"]) :]
        for name, (size, length, _) in zip(taken, header["sizes"], strict=True):
            if size < 0:
                # it was removed meanwhile, or is no file that we may read: what there is comes
                continue
            if length == size:
                await asyncio.to_thread(_write, local / name, data[:length], modes[name])
                data = data[length:]
            else:
                await _large(transport, f"{remote}/{name}", local / name, size, patience)


def _here(path: Path, name: str, size: int) -> bool:
    """Whether the file is what travelled, and so is here already."""
    names = JobPaths(Path())
    same = name in (names.spec.name, names.files.name, names.notebook.name)
    return same and path.is_file() and path.stat().st_size == size


def _write(path: Path, data: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(path, mode & 0o755 | 0o600) as file:
        file.write(data)


async def _large(transport: Transport, remote: str, path: Path, size: int, patience: float) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:200]}.part")
    with part.open("ab") as file:
        offset = file.tell() if file.tell() <= size else 0
        file.truncate(offset)
        while offset < size:
            starts = range(offset, min(size, offset + AHEAD * PIECE), PIECE)
            pieces = await asyncio.gather(
                *(transport.read(remote, start, patience=patience) for start in starts)
            )
            for piece in pieces:
                file.write(piece)
                offset += len(piece)
            if not all(pieces):
                break
    header, _ = await transport.ask("digest", path=remote, patience=patience)
    if await asyncio.to_thread(file_digest, part) != header["sha256"]:
        part.unlink()
        raise PlaceError(f"{remote} changed while it was fetched; fetch it again", transient=True)
    part.replace(path)
