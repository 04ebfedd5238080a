"""Start JupyterHub's single-user server from this directory, by the Python of whatever image.

What it imports lies beside this file, one directory for each Python, and comes first in this
process. Kernels run in processes of their own, by ``kernel.py``.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Sequence

HERE = Path(__file__).resolve().parent
PYTHON = "{}.{}".format(*sys.version_info)


def main() -> None:
    """Become the server; ends with a sentence where it is not made for this Python."""
    tree = HERE / f"py{PYTHON}"
    if not tree.is_dir():
        made = sorted(path.name[2:] for path in HERE.glob("py*"))
        sys.exit(
            f"The image has Python {PYTHON}, and the hub's server is made for {', '.join(made)}: "
            f"ask the hub's administrator to add it (server_image --python {PYTHON})"
        )
    sys.path[0] = str(tree)
    share = tree / "share" / "jupyter"
    _around("JUPYTER_PATH", [kernels(), share])
    _around("JUPYTER_CONFIG_PATH", [], [tree / "etc" / "jupyter"])
    os.environ.setdefault("JUPYTERLAB_DIR", str(share / "lab"))
    sys.argv[0] = "jupyterhub-singleuser"

    from jupyterhub.singleuser import main as serve

    serve()


def kernels() -> Path:
    """A directory of data with the image's Python as a kernel."""
    own = Path(tempfile.mkdtemp(prefix="jupyter-hybrid-"))
    folder = own / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, str(HERE / "kernel.py"), "-f", "{connection_file}"],
        "display_name": "Python 3 (of the image)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    return own


def _around(name: str, first: Sequence[Path], last: Sequence[Path] = ()) -> None:
    """Put directories around what a variable has."""
    there = [part for part in os.environ.get(name, "").split(os.pathsep) if part]
    os.environ[name] = os.pathsep.join([*map(str, first), *there, *map(str, last)])


if __name__ == "__main__":
    main()
