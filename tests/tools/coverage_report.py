"""Puts the coverage data of all processes together, for ``make coverage``: a table and pages."""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """0 where there is a report; the pages are in ``build/coverage/html``."""
    coverage = [sys.executable, "-m", "coverage"]
    combined = subprocess.run([*coverage, "combine", "--quiet"], check=False)
    if combined.returncode != 0:
        return combined.returncode
    subprocess.run([*coverage, "html", "--quiet", "--directory=build/coverage/html"], check=False)
    return subprocess.run([*coverage, "report"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
