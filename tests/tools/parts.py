"""Makes what takes long and is made once: the clusters' programs and file systems, images' roots.

Before the tests begin, so that none of them waits for it: their time limits are those of a test.
What cannot be made here is left to the tests that need it, which say what is missing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

import bases  # noqa: E402
import collaboration  # noqa: E402
import hpc  # noqa: E402
import kube  # noqa: E402
import large_bases  # noqa: E402, F401  (it adds to the roots)
import musl_base  # noqa: E402
import requirements  # noqa: E402


def possible(needs: tuple[str, ...]) -> bool:
    """Whether this machine has what is needed."""
    return not any(requirements.unmet(need) for need in needs)


def main() -> int:
    """Exit status 1 where something that could be made was not."""
    services = {"hpc": hpc.NEEDS, "kubernetes": () if kube.FOREIGN else kube.NEEDS}
    status = 0
    for name, needs in services.items():
        if needs and possible(needs):
            cluster = TESTS / "services" / name / "cluster"
            # (the system's own Python may have no pip)
            environment = {**os.environ, "PYTHON": sys.executable}
            command = [str(cluster), "build"]
            status |= subprocess.run(command, check=False, env=environment).returncode
    if possible(bases.NEEDS):
        left = {
            "musl": not possible(musl_base.NEEDS),
            "python3.8": not bases.PYTHON38,
        }
        for name in bases.ROOTS:
            if not left.get(name):
                bases.tar_of(name)
    if possible(("apt:chromium",)):
        collaboration.prefix()
    return min(status, 1)


if __name__ == "__main__":
    sys.exit(main())
