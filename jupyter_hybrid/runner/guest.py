"""What the runner brings along for the kernel: a directory with two packages and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from ..paths import JobPaths
from .journal import RING, Journal
from .layout import safe_path

#: Seconds after which printed text leaves a Python kernel.
FLUSH_INTERVAL = 0.02


def guest_directory(paths: JobPaths) -> Path:
    """A directory from which the kernel imports jupyter_hybrid and cloudpickle if it lacks them.

    Links instead of the runner's own site-packages, which would bring all its packages along.
    """
    guest = paths.runtime / "guest"
    guest.mkdir(parents=True, exist_ok=True)
    packages = {"jupyter_hybrid": Path(__file__).resolve().parent.parent}
    spec = importlib.util.find_spec("cloudpickle")
    if spec is not None and spec.origin:
        packages["cloudpickle"] = Path(spec.origin).resolve().parent
    for name, target in packages.items():
        link = guest / name
        if not link.is_symlink():
            link.symlink_to(target)
    return guest


def _own_modules(work: Path, import_paths: Sequence[str]) -> List[str]:
    return [str(work if path == "." else work / safe_path(path)) for path in import_paths]


def bootstrap_code(paths: JobPaths, import_paths: Sequence[str], journal: Optional[Journal]) -> str:
    """The code that prepares a Python kernel, as one expression without a trace.

    ``import_paths`` are the directories of the user's own modules, relative to the work directory;
    raises ``BundleError`` for one that is not below it.
    """
    settings: Dict[str, Any] = {
        "paths": [*_own_modules(paths.work, import_paths), str(guest_directory(paths))],
        "flush_interval": FLUSH_INTERVAL,
        "journal": [journal.descriptor, RING] if journal is not None else None,
    }
    file = Path(__file__).with_name("bootstrap.py")
    scope = {"__name__": "jupyter_hybrid_bootstrap", "SETTINGS": settings}
    # literals of str, int, float, list and None: repr is their source in any Python
    source = f"compile(open({str(file)!r}, encoding='utf-8').read(), {str(file)!r}, 'exec')"
    return f"exec({source}, {scope!r})"
