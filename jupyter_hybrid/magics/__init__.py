"""``%%remote`` and ``%remote`` in a notebook: registration, and nothing that costs time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def register(shell: Any) -> None:
    """Make the magics and their completion known to the shell."""

    def remote_cell(line: str, cell: str) -> None:
        """Run this cell as a job: what it reads travels, what it assigns comes back."""
        with _uninterrupted("%%remote"):
            from .cell import run_cell
        run_cell(shell, line, cell)

    def remote_line(line: str) -> None:
        """Look after jobs."""
        with _uninterrupted("%remote"):
            from .verbs import run_verb
        run_verb(shell, line)

    def complete(_: Any, event: Any) -> list[str]:
        from .completion import complete_remote

        return complete_remote(shell, event)

    def page() -> str:
        from .verbs import help_page

        return help_page()

    magics: tuple[Any, ...] = (remote_cell, remote_line)
    for function in magics:
        # what %remote? shows, made when somebody asks
        function.getdoc = page
    shell.register_magic_function(remote_cell, "cell", "remote")
    shell.register_magic_function(remote_line, "line", "remote")
    for key in ("%remote", "%%remote"):
        shell.set_hook("complete_command", complete, str_key=key)


@contextmanager
def _uninterrupted(magic: str) -> Iterator[None]:
    """An interrupt while our modules are imported, the first time, is one sentence."""
    try:
        yield
    except KeyboardInterrupt:
        from ..errors import HybridError

        raise HybridError(f"{magic}: interrupted; nothing was done") from None
