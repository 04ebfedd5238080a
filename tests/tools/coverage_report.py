"""Puts the coverage data of all processes together and holds it against the bar in setup.cfg."""

from __future__ import annotations

import subprocess
import sys


def main() -> int:
    """0 where the bar of ``[coverage:report] fail_under`` is met; 2, with the table, where not."""
    coverage = [sys.executable, "-m", "coverage"]
    combined = subprocess.run([*coverage, "combine", "--quiet"], check=False)
    if combined.returncode != 0:
        return combined.returncode
    subprocess.run([*coverage, "html", "--quiet", "--directory=build/coverage/html"], check=False)
    return subprocess.run([*coverage, "report"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
