"""Variables that travel to another process and home again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

#: Plays the kernel: runs the first script, hands over to another process, runs the second.
HOME = """
import subprocess, sys
from pathlib import Path
from jupyter_hybrid.values import dump, load
main = sys.modules["__main__"].__dict__
{before}
dumped = dump(main, {names!r}, Path("in"))
assert not dumped.refused, dumped.refused
subprocess.run([sys.executable, "away.py"], check=True)
loaded = load(Path("out"), main)
assert not loaded.refused, loaded.refused
{after}
"""
AWAY = """
import sys
from pathlib import Path
from jupyter_hybrid.values import dump, load
main = sys.modules["__main__"].__dict__
loaded = load(Path("in"), main)
assert not loaded.refused, loaded.refused
{there}
dumped = dump(main, {back!r}, Path("out"))
assert not dumped.refused, dumped.refused
"""


def round_trip(
    directory: Path, before: str, names: list[str], there: str, back: list[str], after: str
) -> None:
    """Run ``before`` here, ``there`` in another process, and ``after`` here again."""
    home = HOME.format(before=dedent(before), names=names, after=dedent(after))
    (directory / "home.py").write_text(home)
    (directory / "away.py").write_text(AWAY.format(there=dedent(there), back=back))
    done = subprocess.run(
        [sys.executable, "home.py"], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
