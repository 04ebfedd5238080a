"""Async code is called from code that is not, in kernels, scripts and what they fork."""

from __future__ import annotations

import subprocess
import sys

FORKED = """
import asyncio, os, sys
from jupyter_hybrid import blocking
async def twice(x):
    await asyncio.sleep(0)
    return await blocking.aside(lambda: 2 * x)
assert blocking.run(twice(1)) == 2
child = os.fork()
if child == 0:
    os._exit(blocking.run(twice(2)))
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) * 10 + blocking.run(twice(1)))
"""


def test_a_forked_child_has_a_loop_that_runs() -> None:
    # forking a process with threads is what newer versions of Python warn of
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (42, "")
