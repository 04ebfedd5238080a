"""Process 1 of a job's pod, sent as text (``python3 -c``): Python 3.8, standard library only.

::

    wait BASE [--bundle TAR] [--job DIR] [--blobs DIR] [--code DIR] [--patience S] …
    take BASE          unpack a tar from standard input, whole or not at all

``wait`` goes on as the job's keeper (jupyter_hybrid.runner.pod) once the job's things are there.
"""

from __future__ import annotations

import os
import signal
import sys
import tarfile
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple


def take(stream: Any, base: str, mode: Any) -> None:
    """Unpack below BASE/delivered, whole or not at all; of several at once, one."""
    scratch, delivered = Path(base, f"incoming.{os.getpid()}"), Path(base, "delivered")
    options: Dict[str, Any] = {}
    if hasattr(tarfile, "fully_trusted_filter"):
        options["filter"] = "fully_trusted"
    with tarfile.open(fileobj=stream, mode=mode) as tar:
        tar.extractall(str(scratch), **options)
    try:
        scratch.rename(delivered)
    except OSError:
        if not delivered.is_dir():
            raise


def wait(base: str, options: Dict[str, str]) -> Tuple[str, str, str]:
    """Until something is delivered; directories of the job, of blobs and of our code.

    What is there already (on a volume, in the image) is named by an option.
    """
    delivered = Path(base, "delivered")
    job, blobs, code = (options.get(f"--{n}", str(delivered / n)) for n in ("job", "blobs", "code"))
    if "--job" in options:
        return job, blobs, code
    if "--bundle" in options:
        try:
            with open(options["--bundle"], "rb") as stream:
                take(stream, base, "r|gz")
        except FileNotFoundError:
            sys.exit("another pod of this job has begun it; a job runs once")
    patience = float(options.get("--patience", 900))
    end = time.monotonic() + patience
    while not delivered.is_dir():
        if time.monotonic() > end:
            sys.exit(f"the job's files did not arrive within {patience:.0f} seconds")
        time.sleep(0.02)
    return job, blobs, code


def main(words: List[str]) -> int:
    """The exit status."""
    if words[0] == "take":
        # (a mode that finds out by itself would read beyond the end, for which nobody sends more)
        take(sys.stdin.buffer, words[1], "r|")
        return 0
    # process 1 has no default way to end
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    options = {words[n]: words[n + 1] for n in range(2, len(words) - 1, 2)}
    job, blobs, code = wait(words[1], options)
    sys.path.insert(0, code)
    from jupyter_hybrid.runner.pod import main as keep

    return keep(words[1], job, blobs, options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
