"""The far side as it is sent: one text that makes its modules and runs them."""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

#: Modules of ``far``, each behind those that it imports.
MODULES = ("wire", "disk", "blobs", "files", "room", "shelf", "serve")

_LOADER = """
import sys, types
package = types.ModuleType("far")
package.__path__ = []
sys.modules["far"] = package
for name, text in SOURCES:
    module = types.ModuleType("far." + name)
    module.__package__ = "far"
    sys.modules["far." + name] = module
    exec(compile(text, "far/" + name + ".py", "exec"), module.__dict__)
sys.modules["far.serve"].main(MARKER, ROOT)
"""


@cache
def _modules() -> tuple[tuple[str, str], ...]:
    folder = Path(__file__).with_name("far")
    return tuple((name, (folder / f"{name}.py").read_text("utf-8")) for name in MODULES)


def program(marker: bytes, root: str) -> bytes:
    """What the far Python executes, compressed: it writes the marker, then serves ``root``."""
    # repr of str, bytes and tuples of them is their source in any Python 3
    settings = f"SOURCES = {_modules()!r}\nMARKER = {marker!r}\nROOT = {root!r}\n"
    return zlib.compress((settings + _LOADER).encode("utf-8"), 6)


def command(size: int) -> str:
    """Python code, in one line and without quotes but double ones, that reads and runs it."""
    return f"import sys,zlib;exec(zlib.decompress(sys.stdin.buffer.read({size})))"
