"""Keeps what travels within the Python it finds: syntax and standard library, by vermin.

Into containers 3.8, to login nodes 3.6.

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
    *("environment/probe", "executors/kubernetes/receive", "containers/serverfiles"),
)


#: And what is sent to login nodes.
SENT = ("transport/far",)


def main() -> int:
    """0 where everything runs on the Python that it must run on."""
    return check("3.8", TRAVELS) or check("3.6", SENT)


def check(version: str, names: tuple[str, ...]) -> int:
    """vermin's exit status for these modules and packages of ours."""
    package = ROOT / "jupyter_hybrid"
    places = [p for name in names for p in (package / name, package / f"{name}.py") if p.exists()]
    vermin = str(Path(sys.executable).with_name("vermin"))
    command = [vermin, f"--target={version}-", "--no-tips", "--violations", "-q"]
    return subprocess.run([*command, *map(str, places)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
