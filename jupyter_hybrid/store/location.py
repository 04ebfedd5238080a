"""Where this user's jobs, blobs and store are kept."""

from __future__ import annotations

import functools
import logging
import os
import stat
import tempfile
from pathlib import Path

from ..errors import StoreError

log = logging.getLogger(__name__)

#: Names the directory outright, for sites whose homes are small or read-only.
VARIABLE = "JUPYTER_HYBRID_DIR"


def default_directory() -> Path:
    """``$JUPYTER_HYBRID_DIR``, or ``jupyter-hybrid`` in Jupyter's data directory, made if need be.

    Where that cannot be written, a private directory under the temporary one, with a warning.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return _made(Path(named).expanduser().absolute())
    from jupyter_core.paths import jupyter_data_dir

    wanted = Path(jupyter_data_dir()) / "jupyter-hybrid"
    try:
        return _made(wanted)
    except StoreError as error:
        fallback = Path(tempfile.gettempdir()) / f"jupyter-hybrid-{os.getuid()}"
        _say(f"{error}. Jobs are kept in {fallback} until then, which may not outlive a reboot")
        return _made(fallback, shared=True)


@functools.cache
def _say(sentence: str) -> None:
    """Log the sentence, once in a process: a warning would show the line of ours that it is in."""
    log.warning("%s", sentence)


def _made(directory: Path, *, shared: bool = False) -> Path:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise StoreError(
            f"{directory} cannot be made ({error.strerror}); set {VARIABLE} to a directory of yours"
        ) from error
    if stat.S_ISLNK(status.st_mode) and shared:
        raise StoreError(f"{directory} is a link, which somebody else may have made; remove it")
    if not directory.is_dir():
        raise StoreError(f"{directory} is not a directory; set {VARIABLE} to one of yours")
    # in a directory that others can write, somebody may have been here first
    if directory.stat().st_uid != os.getuid():
        raise StoreError(f"{directory} belongs to somebody else; set {VARIABLE} to one of yours")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StoreError(f"{directory} cannot be written; set {VARIABLE} to a directory of yours")
    return directory
