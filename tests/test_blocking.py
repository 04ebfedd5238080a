"""Async code is called from code that is not, in kernels, scripts and what they fork."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from jupyter_hybrid.blocking import within

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


async def test_a_cancel_that_comes_with_the_answer_is_not_lost() -> None:
    answer = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(within(5.0, answer))
    await asyncio.sleep(0)
    answer.set_result("there")
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()


async def test_what_does_not_come_in_time_is_waited_for_no_more() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(asyncio.TimeoutError):
        await within(0.01, slow())
    assert ended.is_set()
    assert await within(None, asyncio.sleep(0, "there")) == "there"
