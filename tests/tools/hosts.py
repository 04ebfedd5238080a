"""Keeps package registries' hosts and one machine's paths out of the project.

Packages come from wherever pip, npm and apt are configured to get them; a host's name in a file
breaks sites with a mirror. A path of the machine on which a file was written is nobody else's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from tree import ROOT, files

# written with gaps, so that this file does not find itself
FORBIDDEN = {
    "a package registry's host": "|".join(
        name.replace(" ", "").replace(".", r"\.")
        for name in (
            "py pi.org", "pythonhosted .org", "registry.npmjs .org", "registry.yarnpkg .com",
            "deb.debian .org", "security.debian .org", "archive.ubuntu .com", "conda.anaconda .org",
        )
    ),
    "the path of a home directory": r"(?<![\w.<{$])/(?:root|home/[a-z][\w-]*)/[\w.]",
}  # fmt: skip

#: Names of homes that documentation and tests make up.
MADE_UP = re.compile(r"/home/(?:jovyan|ada|user|me|you|researcher)/")


def main() -> int:
    """Exit status 1 where something is found; every place is named."""
    found = list(faults())
    for fault in found:
        print(fault)
    return 1 if found else 0


def faults() -> Iterator[str]:
    """``file:line: what`` for each."""
    patterns = {what: re.compile(pattern) for what, pattern in FORBIDDEN.items()}
    # the folder in which this checkout lies, where that is a name of its own
    if len(ROOT.parts) > 2:
        patterns["the path of this checkout"] = re.compile(re.escape(str(ROOT.parent)) + r"/[\w.]")
    for path in files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, start=1):
            for what, pattern in patterns.items():
                if pattern.search(MADE_UP.sub("", line)):
                    yield f"{path.relative_to(ROOT)}:{number}: {what}: {line.strip()[:80]}"


if __name__ == "__main__":
    sys.exit(main())
