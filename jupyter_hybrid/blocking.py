"""Call async code from code that is not: one event loop in a background thread.

Kernels run an event loop of their own in the main thread, so ``asyncio.run`` is not to be had
there; a thread's loop serves kernels, the command line and plain scripts alike.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

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
