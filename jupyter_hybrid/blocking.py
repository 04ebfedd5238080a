"""Between code that blocks and code that is asynchronous, both ways.

``run`` and ``start`` call async code from code that blocks: one event loop in a background thread.
Kernels run an event loop of their own in the main thread, so ``asyncio.run`` is not to be had
there; a thread's loop serves kernels, the command line and plain scripts alike.
``aside`` calls code that blocks from async code. ``within`` waits for something for a while.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

T = TypeVar("T")
P = ParamSpec("P")

#: Calls aside that wait at the same time; others wait for these.
WAITING = 32

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_threads: ThreadPoolExecutor | None = None
#: Loops that this process has from before it was forked.
_of_parents: list[asyncio.AbstractEventLoop] = []


def loop() -> asyncio.AbstractEventLoop:
    """The background loop, started at the first call."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(
                target=_loop.run_forever, name="jupyter-hybrid-loop", daemon=True
            ).start()
        return _loop


def _forget() -> None:
    """A forked child has the loop, but not the threads that run it and aside: it gets its own."""
    global _lock, _loop, _threads
    if _loop is not None:
        # not closed, for it shares its selector with the parent's
        _of_parents.append(_loop)
    _lock, _loop, _threads = threading.Lock(), None, None


os.register_at_fork(after_in_child=_forget)


def start(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin the coroutine in the background loop; its result is in the future."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The coroutine's result. An interrupt (Ctrl-C) cancels it and is raised here."""
    future = start(coroutine)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def aside(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the function returns, called in a thread, so that nothing else waits for it.

    Unlike ``asyncio.to_thread`` it is called, and ends, also where whoever waits is cancelled; and
    the threads are ours: a loop has six on a small machine, and where all of them wait for a store,
    a Jupyter server converts no notebook and lists no kernels.
    """
    return await asyncio.shield(_in_thread(partial(function, *args, **kwargs)))


async def _in_thread(call: Callable[[], T]) -> T:
    global _threads
    with _lock:
        if _threads is None:
            _threads = ThreadPoolExecutor(WAITING, "jupyter-hybrid-aside")
        threads = _threads
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(threads, context.run, call)


async def within(seconds: float | None, awaited: Awaitable[T]) -> T:
    """What is waited for; raises ``asyncio.TimeoutError`` where it does not come in time.

    Before Python 3.12 ``asyncio.wait_for`` loses a cancel that comes at the same moment as the
    answer: who shall end goes on for ever. (Source: CPython's issue 86296.)
    """
    async with timeout(seconds):
        return await awaited
