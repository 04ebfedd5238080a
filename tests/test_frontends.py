"""``%%remote`` where people write it: plain ``ipython``, ``jupyter console``, papermill."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from commands import notebook

from jupyter_hybrid.autoload import switch

BIN = Path(sys.executable).parent
#: Seconds that anything in these tests may take at the most.
PATIENCE = 60


def started(directory: Path, program: str, *arguments: str) -> pexpect.spawn:
    """The program on a terminal, of a user who has the magics loaded in every kernel."""
    switch(directory / "ipython" / "profile_default" / "ipython_config.py", True)
    env = {
        **os.environ,
        "IPYTHONDIR": str(directory / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
        "TERM": "xterm",
    }
    return pexpect.spawn(
        str(BIN / program),
        list(arguments),
        cwd=str(directory),
        env=env,
        encoding="utf-8",
        timeout=PATIENCE,
        dimensions=(50, 120),
    )


def test_plain_ipython(tmp_path: Path) -> None:
    ipython = started(tmp_path, "ipython", "--simple-prompt", "--no-banner", "--colors=NoColor")
    try:
        ipython.expect(r"In \[1\]: ")
        ipython.sendline("x = 20")
        ipython.expect(r"In \[2\]: ")
        ipython.sendline("%%remote\nprint('six times', 7, end='')\ny = x + 22\n1 / 0\n\n")
        ipython.expect(r"six times 7\r?\nlocal: failed after .* · back: y \(int\)")
        ipython.expect(r"ZeroDivisionError\S*: division by zero")
        ipython.expect(r"In \[3\]: ")
        ipython.sendline("y")
        ipython.expect(r"Out\[3\]: 42")
    finally:
        ipython.close(force=True)


def test_jupyter_console(tmp_path: Path) -> None:
    console = started(tmp_path, "jupyter-console", "--ZMQTerminalInteractiveShell.autoindent=False")
    try:
        console.expect(r"In \[")
        for line in ("%%remote", "print('six times', 6 + 1)", "y = 42"):
            console.send(line)
            # (the screen is drawn anew as it is typed)
            console.expect(re.escape(line[-1]))
            console.send("\r")
        console.send("\r\r")
        console.expect(r"six times 7")
        console.expect(r"back: y \(int\)")
    finally:
        console.close(force=True)


@pytest.mark.parametrize(("source", "status"), [("y = x * 2\nprint(y)", 0), ("x / 0", 1)])
def test_papermill(tmp_path: Path, source: str, status: int) -> None:
    cells = ("%load_ext jupyter_hybrid\nx = 21", f"%%remote\n{source}", "print('after', x)")
    document = notebook(*cells, name="python3", display_name="P")
    (tmp_path / "in.ipynb").write_text(json.dumps(document))
    command = [str(BIN / "papermill"), "in.ipynb", "out.ipynb", "--no-progress-bar"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    text = (tmp_path / "out.ipynb").read_text()
    if status == 0:
        assert "42\\n" in text and "back: y (int)" in text and "after 21" in text
    else:
        assert "ZeroDivisionError: division by zero" in done.stderr
        assert "local: failed after" in text and "after 21" not in text
