"""Connect to the kernel that has been started and get it ready for the first cell."""

from __future__ import annotations

import asyncio
import time
from queue import Empty
from typing import Any, Dict, Optional

import zmq
import zmq.asyncio
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ..spec import Cause
from .endings import Ending, death_words, failed
from .kernel import LogTail, RunningKernel
from .session import Session

#: Seconds that a kernel may take until it answers.
PATIENCE = 300.0


def adopt(kernel: RunningKernel) -> AsyncKernelManager:
    """A manager for the kernel's process, as if it had started it."""
    manager = AsyncKernelManager(connection_file=str(kernel.connection_file))
    manager.load_connection_file()
    provisioner: Any = LocalProvisioner(parent=manager, kernel_id="job")
    provisioner.process = kernel.process
    provisioner.pid = provisioner.pgid = kernel.process.pid
    manager.provisioner = provisioner
    return manager


async def connect_client(client: Any, session: Session) -> Dict[str, Any]:
    """Give the notebook client its kernel; returns the kernel's information.

    Raises ``Ending`` where the kernel died or does not answer.
    """
    kernel, log = session.kernel, session.kernel_log
    if kernel is None:
        # a provisioner of the site's own starts the kernel its own way
        client.km = client.create_kernel_manager()
        await client.async_start_new_kernel(cwd=str(session.kernel_cwd), env=session.kernel_env)
        await client.async_start_new_kernel_client()
        return await _handshake(client.kc, client.km, session, log)
    # made while it boots
    client.km = adopt(kernel)
    context = zmq.asyncio.Context()
    context.setsockopt(zmq.RECONNECT_IVL, 10)
    # a burst of outputs is queued, not dropped
    context.setsockopt(zmq.RCVHWM, 0)
    client.kc = client.km.client(context=context)
    client.kc.allow_stdin = False
    await _sockets(kernel, session, log)
    by_message = kernel.kernel.interrupt_mode == "message"
    one_of_several = session.control.ranks is not None
    client.kc.start_channels(stdin=False, hb=False, control=by_message or one_of_several)
    if by_message:
        session.interrupt_by_message = lambda: _ask(client.kc, "interrupt_request")
    if one_of_several:
        session.end_by_message = lambda: _ask(client.kc, "shutdown_request", restart=False)
    return await _handshake(client.kc, client.km, session, log)


def _ask(kc: Any, kind: str, **content: Any) -> None:
    kc.control_channel.send(kc.session.msg(kind, content))


def _dead(kernel: Optional[RunningKernel], session: Session, log: LogTail) -> Ending:
    session.check()
    record = session.why_kernel_died()
    if record.cause == Cause.KERNEL_DIED:
        code = kernel.process.poll() if kernel is not None else None
        words = "" if code is None else f": {death_words(code)}"
        tail = log.read()
        said = f" It wrote:\n{tail}" if tail else ""
        record = failed(Cause.KERNEL_START, f"The kernel ended before its first cell{words}.{said}")
    return Ending(record)


def _silent() -> Ending:
    return Ending(
        failed(
            Cause.KERNEL_START,
            f"The kernel did not answer within {PATIENCE:g} s. It must speak the Jupyter protocol "
            "over IPC sockets; %remote logs shows what it wrote.",
        )
    )


async def _sockets(kernel: RunningKernel, session: Session, log: LogTail) -> None:
    """Wait until the kernel has bound its sockets: connecting earlier costs ZeroMQ's back-off."""
    waiting = kernel.sockets()
    deadline = time.monotonic() + PATIENCE
    while waiting:
        if waiting[0].exists():
            waiting.pop(0)
            continue
        session.check()
        if kernel.process.poll() is not None:
            raise _dead(kernel, session, log)
        if time.monotonic() > deadline:
            raise _silent()
        await asyncio.sleep(0.002)


async def _handshake(kc: Any, km: Any, session: Session, log: LogTail) -> Dict[str, Any]:
    """Both channels work: the kernel has answered and its outputs arrive here."""
    wanted = {kc.kernel_info(): "info"}
    if session.bootstrap:
        wanted[kc.execute(session.bootstrap, silent=True, store_history=False)] = "bootstrap"
    last = [*wanted][-1]
    info: Dict[str, Any] = {}
    deadline = time.monotonic() + PATIENCE
    while wanted:
        try:
            reply = await kc.shell_channel.get_msg(timeout=0.25)
        except Empty:
            session.check()
            if not await km.is_alive():
                raise _dead(session.kernel, session, log) from None
            if time.monotonic() > deadline:
                raise _silent() from None
            continue
        what = wanted.pop(reply["parent_header"].get("msg_id"), "")
        if what == "info":
            info = reply["content"]
        elif what == "bootstrap" and reply["content"].get("status") != "ok":
            reason = f"{reply['content'].get('ename')}: {reply['content'].get('evalue')}"
            session.note(f"The kernel could not be prepared for a job ({reason}).")
    while not await _heard_idle(kc, last):
        # the subscription came too late for that one
        session.check()
        last = kc.kernel_info()
        if time.monotonic() > deadline:
            raise _silent()
    return info


async def _heard_idle(kc: Any, msg_id: str) -> bool:
    """Whether the kernel's outputs come through, up to the end of that request."""
    while True:
        try:
            msg = await kc.iopub_channel.get_msg(timeout=0.2)
        except Empty:
            return False
        idle = msg["content"].get("execution_state") == "idle"
        if idle and msg["parent_header"].get("msg_id") == msg_id:
            return True
