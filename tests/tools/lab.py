"""Starts JupyterLab with the extension and the server of this checkout, in ``binder/``.

    python tests/tools/lab.py [arguments for jupyter lab]

The extension is built first, where its sources changed since.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tree import ROOT

sys.path.insert(0, str(ROOT / "build_backend"))

from prebuilt import OUTPUT, BuildError, ensure_built

#: What this checkout puts beside the package, as an installed one does.
PREFIX = ROOT / "build" / "prefix"
JUPYTER = Path(sys.executable).parent / "jupyter"


def main() -> None:
    """Become JupyterLab; exit status 1 where the extension cannot be built."""
    try:
        ensure_built()
    except BuildError as error:
        sys.exit(f"lab: {error}")
    environment = {**os.environ, **environment_of(PREFIX)}
    command = [str(JUPYTER), "lab", str(ROOT / "binder"), *sys.argv[1:]]
    os.execve(command[0], command, environment)


def environment_of(prefix: Path) -> dict[str, str]:
    """What makes Jupyter find this checkout's extension and server, with links below a folder."""
    links = {
        prefix / "share/jupyter/labextensions/jupyter-hybrid": OUTPUT,
        prefix / "etc/jupyter/jupyter_server_config.d": ROOT / "jupyter-config",
    }
    for link, what in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(what)
    return {
        "JUPYTER_PATH": os.pathsep.join(_listed("JUPYTER_PATH", prefix / "share/jupyter")),
        "JUPYTER_CONFIG_PATH": os.pathsep.join(
            _listed("JUPYTER_CONFIG_PATH", prefix / "etc/jupyter")
        ),
    }


def _listed(variable: str, first: Path) -> list[str]:
    before = os.environ.get(variable)
    return [str(first), *([before] if before else [])]


if __name__ == "__main__":
    main()
