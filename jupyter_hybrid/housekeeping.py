"""What processes that died in the middle of a submit have left in the user's directory."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path

from .bundle.blobs import BlobStore
from .paths import blob_directory

#: Where a submit makes what it will move into the job's directory.
STAGING = "staging"
#: Seconds after which no submit can still be at work on it.
ABANDONED = 86_400.0


def tidy(home: Path) -> int:
    """Remove what was abandoned in the staging directory and among the blobs; says how many."""
    removed = BlobStore(blob_directory(home)).sweep()
    limit = time.time() - ABANDONED
    for directory in (home / STAGING).glob("*"):
        # gone: another submit has just removed it
        with contextlib.suppress(OSError):
            if directory.stat().st_mtime < limit:
                shutil.rmtree(directory)
                removed += 1
    return removed
