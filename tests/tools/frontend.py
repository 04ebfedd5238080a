"""The gates of ``labextension/``: tsc, eslint, prettier and the unit tests, each when asked for.

    python tests/tools/frontend.py tsc|eslint|prettier|vitest [--require all]

Node.js is the machine's or PyPI's; what ``package-lock.json`` names is installed first. A tool that
passed is not run again before a file of ``labextension/`` changes. Where Node.js or its packages
cannot be had, the gate is a gap (and, with ``--require all``, a failure).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tree import ROOT, files

sys.path.insert(0, str(ROOT / "build_backend"))

from prebuilt import MODULES, SOURCE, BuildError, modules, node_program

PASSED = ROOT / "build" / "labextension"
TOOLS = {
    "tsc": ("typescript/bin/tsc", "--noEmit"),
    "eslint": ("eslint/bin/eslint.js", "--max-warnings", "0", "."),
    "prettier": ("prettier/bin/prettier.cjs", "--check", "--log-level=warn", "."),
    "vitest": ("vitest/vitest.mjs", "run", "--reporter=dot"),
}


def main() -> int:
    """Exit status 0 where the tool is content, or where it cannot run and that is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("--require", default="what-can", choices=("what-can", "all"))
    options = parser.parse_args()
    PASSED.mkdir(parents=True, exist_ok=True)
    mark, digest = PASSED / options.tool, digest_of_sources()
    if mark.exists() and mark.read_text() == digest:
        return 0
    try:
        status = run(options.tool)
    except BuildError as error:
        print(f"gap: {options.tool}: {str(error).splitlines()[0]}")
        print(error)
        return 1 if options.require == "all" else 0
    if status == 0:
        mark.write_text(digest)
    return status


def run(tool: str) -> int:
    """The tool's exit status; raises ``BuildError`` where it cannot run here."""
    node = node_program()
    if node is None:
        raise BuildError("needs Node.js 20.19, 22.12 or newer")
    script, *arguments = TOOLS[tool]
    command: list[str | Path] = [node, MODULES / script, *arguments]
    with modules(node):
        return subprocess.run(command, cwd=SOURCE, check=False).returncode


def digest_of_sources() -> str:
    """Changes with every file of ``labextension/`` that is kept in git, and with this one."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in files():
        if path.is_relative_to(SOURCE):
            digest.update(os.fsencode(path) + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
