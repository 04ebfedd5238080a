"""A real kernel with jupyter-hybrid loaded, driven as a notebook front end drives one."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop

#: Seconds that anything in these tests may take at the most.
PATIENCE = 120.0


class Result:
    """What one cell showed."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.times: list[float] = []
        self.reply: dict[str, Any] = {}

    def add(self, message: dict[str, Any]) -> None:
        self.messages.append((message["msg_type"], message["content"]))
        self.times.append(time.time())

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [content for kind, content in self.messages if kind in kinds]

    @property
    def text(self) -> str:
        """Everything printed."""
        return "".join(content["text"] for content in self.of("stream"))

    @property
    def status(self) -> str:
        return str(self.reply.get("status"))

    @property
    def error(self) -> str:
        """The error as shown, without colours."""
        import re

        lines = "\n".join("\n".join(c["traceback"]) for c in self.of("error"))
        return re.sub(r"\x1b\[[0-9;]*m", "", lines)


class Live:
    """A kernel that is running."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, source: str, *, ok: bool = True, on: Callable[..., Any] | None = None) -> Result:
        """Execute a cell; ``on(result)`` is called after each message."""
        result = Result()
        msg_id = self.client.execute(source, allow_stdin=False)
        deadline = time.monotonic() + PATIENCE
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != msg_id:
                continue
            if message["msg_type"] == "status":
                if message["content"]["execution_state"] == "idle":
                    break
                continue
            result.add(message)
            if on is not None:
                on(result)
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        while reply["parent_header"].get("msg_id") != msg_id:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
        result.reply = reply["content"]
        if ok:
            assert result.status == "ok", result.error or result.reply
        return result

    @property
    def pid(self) -> int:
        """The kernel's process."""
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr]

    def signal(self, number: int) -> None:
        """Signal the kernel, from any thread.

        The manager's own methods would leave an event loop behind in each thread but the first.
        """
        os.kill(self.pid, number)

    def value(self, expression: str) -> Any:
        """The value of an expression, by its literal."""
        import ast

        result = self.run(f"print(repr(({expression})))")
        return ast.literal_eval(result.text)

    def complete(self, code: str) -> list[str]:
        reply = self.client.complete(code, reply=True, timeout=PATIENCE)
        return list(reply["content"]["matches"])


@contextmanager
def live_kernel(directory: Path, **environ: str) -> Iterator[Live]:
    """A kernel in the directory, with the extension loaded."""
    manager = KernelManager(
        kernel_name="python3", transport="ipc", ip=str(Path(tempfile.mkdtemp(prefix="jhk")) / "k")
    )
    env = {**os.environ, "IPYTHONDIR": str(directory / "ipython"), **environ}
    manager.start_kernel(cwd=str(directory), env=env)
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        live = Live(manager, client)
        live.run("%load_ext jupyter_hybrid")
        yield live
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
        # jupyter_client makes a loop for its blocking calls and leaves it to the interpreter's end
        ensure_event_loop().close()
