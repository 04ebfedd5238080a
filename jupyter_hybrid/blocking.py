"""Between code that blocks and code that is asynchronous, both ways.

``run`` and ``start`` call async code from code that blocks: one event loop in a background thread.
Kernels run an event loop of their own in the main thread, so ``asyncio.run`` is not to be had
there; a thread's loop serves kernels, the command line and plain scripts alike.
``aside`` calls code that blocks from async code.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
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
    """A forked child has the loop, but not the thread that runs it: it gets its own."""
    global _lock, _loop
    if _loop is not None:
        # not closed, for it shares its selector with the parent's
        _of_parents.append(_loop)
    _lock, _loop = threading.Lock(), None


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

    Unlike ``asyncio.to_thread`` it is called, and ends, also where whoever waits is cancelled.
    """
    return await asyncio.shield(asyncio.to_thread(function, *args, **kwargs))
