"""Results in an object store, between a job's pod and whoever asked for the job: one tar each.

::

    put JOBDIR PLACE   what an ended job leaves, into the store
    get PLACE          the same on standard output; exit status 3 where there is none
    remove PLACE       take it away; none there is none

A program of its own: what a store's client does to a process, and what it needs of memory, ends
with it. PLACE is JSON: ``url`` as fsspec reads it, and its ``options``. Python 3.8; fsspec, and the
client that it wants for the URL, are the image's or a layer's.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Tuple

from .handout import hand_out

#: Exit status where nothing lies there.
NONE = 3
#: Bytes of one part. (S3 takes ten thousand.)
PART = 16 << 20


def _opened(place: str) -> Tuple[Any, str]:
    import fsspec.core

    core: Any = fsspec.core
    said = json.loads(place)
    system, path = core.url_to_fs(said["url"], **said.get("options", {}))
    return system, path


def put(directory: Path, place: str) -> None:
    """Write the tar while it is made; its last member tells that it is whole."""
    system, path = _opened(place)
    with system.open(path, "wb", block_size=PART) as stream:
        hand_out(directory, stream)


def get(place: str, stream: Any) -> None:
    """Copy the tar; raises ``FileNotFoundError`` where there is none."""
    system, path = _opened(place)
    with system.open(path, "rb", block_size=PART) as source:
        shutil.copyfileobj(source, stream, PART)
    stream.flush()


def remove(place: str) -> None:
    """Take it away; raises ``FileNotFoundError`` where there is none."""
    system, path = _opened(place)
    system.rm_file(path)


def main(words: List[str]) -> int:
    """The exit status; whatever else went wrong is on standard error, its last line says it."""
    try:
        if words[0] == "put":
            put(Path(words[1]), words[2])
        elif words[0] == "get":
            get(words[1], sys.stdout.buffer)
        else:
            remove(words[1])
    except FileNotFoundError:
        if words[0] == "put":
            raise
        return NONE
    return 0


def command(*words: str) -> List[str]:
    """The program, for whoever runs it by ``environment``."""
    return [sys.executable, "-m", __name__, *words]


def environment(client: str = "") -> Dict[str, str]:
    """Variables with which Python finds this package where it is now, and the store's client."""
    own = str(Path(__file__).resolve().parents[2])
    places = [own, client, os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


def deposit(directory: Path, place: str, client: str = "") -> str:
    """Put a job's results there; empty, or why that was not possible."""
    done = subprocess.run(
        command("put", str(directory), place),
        env=environment(client),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    return "" if done.returncode == 0 else last_words(done.stderr, done.returncode)


def last_words(complaints: bytes, status: int) -> str:
    """What a program that failed says last."""
    lines = complaints.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:500] if lines else f"it ended with status {status}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
