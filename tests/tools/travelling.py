"""Keeps what travels into containers within Python 3.8: syntax and standard library, by vermin.

(That it imports nothing else of ours is import-linter's matter; see setup.cfg.)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tree import ROOT

#: Modules and packages that are copied beside a job.
TRAVELS = (
    *("__init__", "_version", "errors", "events", "paths", "spec", "values", "runner"),
    "environment/probe",
)


def main() -> int:
    """vermin's exit status: 0 where everything runs on 3.8."""
    package = ROOT / "jupyter_hybrid"
    places = [p for name in TRAVELS for p in (package / name, package / f"{name}.py") if p.exists()]
    command = [
        str(Path(sys.executable).with_name("vermin")),
        "--target=3.8-",
        "--no-tips",
        "--violations",
        "-q",
    ]
    return subprocess.run([*command, *map(str, places)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
