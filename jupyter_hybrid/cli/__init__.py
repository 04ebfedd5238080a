"""``jupyter hybrid …``: the command line."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import HybridError, UsageError
from .terminal import Terminal

if TYPE_CHECKING:
    from argparse import Namespace

#: Exit statuses besides 0 (completed), 1 (the job did not) and 2 (usage).
INTERRUPTED, BROKEN_PIPE = 130, 141
#: Errors of disks, mostly of the one that standard output goes to.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit status; never raises, never shows a traceback."""
    terminal = Terminal.of_this_process()
    status, sentence = _outcome(list(sys.argv[1:] if argv is None else argv), terminal)
    unwritten = terminal.flush()
    if unwritten is not None and status == 0:
        status, sentence = 1, _no_room(unwritten)
    if sentence:
        terminal.complain(sentence)
    return status


def _outcome(argv: list[str], terminal: Terminal) -> tuple[int, str]:
    """The exit status, and what is to be said of it."""
    try:
        return _dispatch(argv, terminal), ""
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2, ""
    except KeyboardInterrupt as interrupt:
        # (with the signal's number where it was another one than Ctrl-C's)
        status = 128 + interrupt.args[0] if interrupt.args else INTERRUPTED
        return status, "interrupted; 'jupyter hybrid jobs' lists what runs on"
    except BrokenPipeError:
        terminal.abandon_stdout()
        return BROKEN_PIPE, ""
    except HybridError as error:
        return error.exit_code, str(error)
    # the door's one translator: whatever else is raised is a mistake of ours, told in a sentence
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return 1, _no_room(error)
        if os.environ.get("JUPYTER_HYBRID_DEBUG"):
            raise
        return 1, _unexpected(error)


def _dispatch(argv: list[str], terminal: Terminal) -> int:
    from .parser import parse

    arguments = parse(argv)
    with _told(terminal):
        return _verb(arguments, terminal)


def _verb(arguments: Namespace, terminal: Terminal) -> int:
    from importlib import import_module

    module, name = arguments.action.split(":")
    action = getattr(import_module(f".{module}", __name__), name)
    status = action(arguments, terminal)
    if not isinstance(status, int):
        raise UsageError(f"{name} gave no exit status")
    return status


@contextmanager
def _told(terminal: Terminal) -> Iterator[None]:
    """What is logged or warned of (a target that is silent) reads like our other sentences."""
    import logging
    import warnings

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            terminal.complain(record.getMessage())

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        terminal.complain(str(message))

    logger = logging.getLogger("jupyter_hybrid")
    handler = Handler(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


def _no_room(error: OSError) -> str:
    what = f"{error.filename} cannot" if error.filename else "what this prints cannot"
    return f"{what} be written: {error.strerror}; make room there, or write it elsewhere"


def _unexpected(error: Exception) -> str:
    import tempfile
    import traceback

    what = f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="jupyter-hybrid-", suffix=".log", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"this should not have happened: {what}; JUPYTER_HYBRID_DEBUG=1 shows where"
    return f"this should not have happened: {what}; please report it with {file.name}"
