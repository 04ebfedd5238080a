"""Where a kernel and its libraries keep what is theirs: the real directories, or ones of the job.

A home may be read-only (Apptainer's images), another user's (``sudo`` leaves such folders) or not
there at all. Standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, Mapping, Optional

#: Variables that name directories to write into, with where they are without the variable,
#: relative to the home, and where the job has its own. Parents come before what is in them.
DIRECTORIES = {
    "HOME": ("", "home"),
    "XDG_CACHE_HOME": (".cache", "cache"),
    "XDG_CONFIG_HOME": (".config", "config"),
    "XDG_DATA_HOME": (".local/share", "data"),
    "XDG_STATE_HOME": (".local/state", "state"),
    "IPYTHONDIR": (".ipython", "ipython"),
    "JUPYTER_CONFIG_DIR": (".jupyter", "jupyter/config"),
    "JUPYTER_DATA_DIR": (".local/share/jupyter", "jupyter/data"),
    "JUPYTER_RUNTIME_DIR": (".local/share/jupyter/runtime", "jupyter/runtime"),
    "MPLCONFIGDIR": (".config/matplotlib", "matplotlib"),
}
#: The same for what has no place without its variable.
ONLY_WHERE_SET = {"XDG_RUNTIME_DIR": "run"}
#: What is read besides, for what was replaced: it can be read still.
READ_AS_WELL = {"JUPYTER_DATA_DIR": "JUPYTER_PATH", "JUPYTER_CONFIG_DIR": "JUPYTER_CONFIG_PATH"}
#: Where what is below another directory is, when that one has been named.
BELOW = {
    "JUPYTER_DATA_DIR": ("XDG_DATA_HOME", "jupyter"),
    "JUPYTER_RUNTIME_DIR": ("JUPYTER_DATA_DIR", "runtime"),
    "MPLCONFIGDIR": ("XDG_CONFIG_HOME", "matplotlib"),
}


def writable_homes(env: Mapping[str, str], runtime: Path) -> Dict[str, str]:
    """Variables to set, so that each of these directories can be written; made below ``runtime``.

    Empty where all can be. What is installed and configured in a home that can only be read is
    found all the same.
    """
    changed: Dict[str, str] = {}
    home = env.get("HOME", "")
    for name, (usual, own) in DIRECTORIES.items():
        place = _place(name, env, usual)
        if place is None or not _is_writable(place):
            changed[name] = _make(runtime / own)
            if name in READ_AS_WELL and os.path.isdir(str(place)):  # noqa: PTH112
                also = READ_AS_WELL[name]
                changed[also] = os.pathsep.join(filter(None, [str(place), env.get(also)]))
        elif not env.get(name) and changed.keys() & {"HOME", BELOW.get(name, ("HOME", ""))[0]}:
            # it would move with what it is below
            changed[name] = str(place)
    for name, own in ONLY_WHERE_SET.items():
        if env.get(name) and not _is_writable(Path(env[name])):
            changed[name] = _make(runtime / own)
    if "HOME" in changed and home and "PYTHONUSERBASE" not in env:
        # what is installed there for the user
        changed["PYTHONUSERBASE"] = str(Path(home, ".local"))
    return changed


def _place(name: str, env: Mapping[str, str], usual: str) -> Optional[Path]:
    """Where the directory is, named or not; None where there is no home."""
    if env.get(name):
        return Path(env[name])
    parent, folder = BELOW.get(name, ("HOME", usual))
    if not env.get(parent):
        parent, folder = "HOME", usual
    return Path(env[parent], folder) if env.get(parent) else None


def _is_writable(path: Path) -> bool:
    """Whether it can be written into, or made."""
    # (pathlib's own questions raise an error where a parent may not be looked into)
    places = (str(place) for place in (path, *path.parents))
    found = next((place for place in places if os.path.lexists(place)), "")
    return os.path.isdir(found) and os.access(found, os.W_OK | os.X_OK)  # noqa: PTH112


def _make(directory: Path) -> str:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(directory)
