"""``python handout.py JOBDIR``: what an ended job leaves, as a tar on standard output.

Run by path, in a pod: Python 3.8, standard library only. The exit record comes last, so that who
has it has all of it. Files of the work directory are those that ``changes.json`` names, or all.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any, List

#: Files and directories of the job that its owner wants, besides the work directory.
FILES = ("events.jsonl", "result.ipynb", "changes.json", "runner.log", "outputs", "event-blobs")


def changed(directory: Path) -> List[str]:
    """Paths of the work directory that are new or changed."""
    work = directory / "work"
    try:
        record = json.loads((directory / "changes.json").read_bytes())
        return [str(entry["path"]) for entry in record["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        # the runner died before it could say
        pass
    found = []
    for folder, _, names in os.walk(str(work)):
        found += [str(Path(folder, name).relative_to(work)) for name in names]
    return found


def hand_out(directory: Path, stream: Any) -> None:
    """Write the tar."""
    with tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 20) as tar:
        for name in FILES:
            if (directory / name).exists():
                tar.add(str(directory / name), name)
        for relative in changed(directory):
            path = directory / "work" / relative
            if path.is_file() and not path.is_symlink():
                try:
                    tar.add(str(path), "work/" + relative)
                except PermissionError as error:
                    sys.stderr.write(f"{relative}: {error}\n")
        if (directory / "exit.json").exists():
            tar.add(str(directory / "exit.json"), "exit.json")


if __name__ == "__main__":
    hand_out(Path(sys.argv[1]), sys.stdout.buffer)
