"""``jupyter hybrid …``: the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    except KeyboardInterrupt:
        terminal.complain("interrupted; 'jupyter hybrid jobs' lists what runs on")
        return INTERRUPTED
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
    _show_warnings(terminal)
    return _verb(arguments, terminal)


def _verb(arguments: Namespace, terminal: Terminal) -> int:
    from importlib import import_module

    module, name = arguments.action.split(":")
    action = getattr(import_module(f".{module}", __name__), name)
    status = action(arguments, terminal)
    if not isinstance(status, int):
        raise UsageError(f"{name} gave no exit status")
    return status


def _show_warnings(terminal: Terminal) -> None:
    """What the manager logs (a target that does not answer) reads like our other sentences."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            terminal.complain(record.getMessage())

    logger = logging.getLogger("jupyter_hybrid")
    logger.propagate = False
    logger.handlers = [Handler(logging.WARNING)]


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
