"""What importing the package and loading its extension take, each in a new process."""

from __future__ import annotations

from commands import Home
from harness import Bench
from spine import a_home, program

IMPORT = "import time; t = time.perf_counter(); import jupyter_hybrid; print(time.perf_counter()-t)"
EXTENSION = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
t = time.perf_counter()
shell.extension_manager.load_extension("jupyter_hybrid")
print(time.perf_counter() - t)
assert "remote" in shell.magics_manager.magics["cell"]
"""


def rows(bench: Bench) -> None:
    """Measure."""
    with a_home() as home:
        bench.limit("importing jupyter_hybrid", lambda: _said(home, IMPORT), bar=0.03)
        name = "loading the extension, beyond IPython's own"
        bench.limit(name, lambda: _said(home, EXTENSION), bar=0.08)


def _said(home: Home, code: str) -> float:
    return float(program(home, "python", "-c", code))
