"""``jupyter hybrid …``: the command line."""

from __future__ import annotations

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


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command and return its exit status; never raises, never shows a traceback."""
    terminal = Terminal.of_this_process()
    try:
        return _dispatch(list(sys.argv[1:] if argv is None else argv), terminal)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    except KeyboardInterrupt as interrupt:
        terminal.complain("interrupted; 'jupyter hybrid jobs' lists what runs on")
        # (with the signal's number where it was another one than Ctrl-C's)
        return 128 + interrupt.args[0] if interrupt.args else INTERRUPTED
    except BrokenPipeError:
        terminal.abandon_stdout()
        return BROKEN_PIPE
    except HybridError as error:
        terminal.complain(str(error))
        return error.exit_code
    # the door's one translator: whatever else is raised is a mistake of ours, told in a sentence
    except Exception as error:
        if os.environ.get("JUPYTER_HYBRID_DEBUG"):
            raise
        terminal.complain(_unexpected(error))
        return 1
    finally:
        terminal.flush()


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
