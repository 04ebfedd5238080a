"""Other machines, by OpenSSH's own client: the user's configuration, keys, agent and jump hosts.

One connection is shared by all processes of the user (ControlMaster) and outlives them a while.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError, PlaceError
from . import Transport, remote_command
from .ssh_words import parse_complaint

#: Seconds that a shared connection stays without anybody using it.
PERSIST = 600
#: Longest path of a control socket: ssh makes it under a name that is 17 characters longer.
SOCKET_PATH = 107 - 17

_OPTIONS = {
    # never ask: there is no terminal in a kernel
    "BatchMode": "yes",
    "ConnectTimeout": "10",
    # a changed address is noticed after fifteen seconds
    "ServerAliveInterval": "5",
    "ServerAliveCountMax": "3",
    "EscapeChar": "none",
    "ForwardX11": "no",
    "ClearAllForwardings": "yes",
    "PermitLocalCommand": "no",
}
_UNSHARED = ("-oControlMaster=no", "-oControlPath=none")


class SSHTransport(Transport):
    """A machine that ssh reaches by this name. ``program`` are the words before ssh's options."""

    def __init__(
        self,
        host: str,
        root: str,
        *,
        program: Sequence[str] = ("ssh",),
        remote_python: str | None = None,
        persist: int = PERSIST,
    ) -> None:
        super().__init__(root)
        if not host or host.startswith("-") or any(c.isspace() for c in host):
            raise ConfigError(f"{host!r} is no name of a host for ssh; write host or user@host")
        self._host, self._program = host, tuple(program)
        self._python, self._persist = remote_python, persist
        #: Options for the shared connection, and those of the next attempt in their place.
        self._shared: tuple[str, ...] | None = None
        self._instead: tuple[str, ...] = ()
        #: True once a connection did not come up or broke: the user may have opened one since.
        self._outdated = False

    @property
    def host(self) -> str:
        """The name that ssh is given."""
        return self._host

    def reach(self, code: str) -> Sequence[str]:
        """ssh, with a connection that is shared where one is there."""
        if self._shared is None or self._outdated:
            self._outdated = False
            self._shared = self._sharing()
        shared, self._instead = self._instead or self._shared, ()
        options = [f"-o{name}={value}" for name, value in _OPTIONS.items()]
        command = remote_command(code, self._python)
        return [*self._program, "-T", *options, *shared, "--", self._host, command]

    def explain(self, complaint: str) -> PlaceError:
        """ssh's complaint in a sentence."""
        self._outdated = True
        words, transient = parse_complaint(complaint, self._host)
        return PlaceError(words, transient=transient)

    def recover(self) -> None:
        """Pass by a shared connection over which nobody comes in, or give it up where it is dead.

        The user's own is left alone: their terminals are on it, and it may have taken a password to
        open. So is one of ours that answers: it may be the machine that is slow, and our other
        processes are on it.
        """
        if self._own_socket() is None:
            self._instead = self._own_sharing(self._configuration())
        elif self._control("check"):
            self._instead = _UNSHARED
        else:
            self.hang_up()

    def hang_up(self) -> None:
        """End the shared connection where it is ours, for all processes that are on it. Blocks."""
        if (path := self._own_socket()) is not None:
            self._control("exit")
            with contextlib.suppress(OSError):
                path.unlink()

    def _own_socket(self) -> Path | None:
        """The socket of the shared connection; None where that is the user's, or there is none."""
        path = self._control_path()
        ours = path is not None and f"-oControlPath={path}" in (self._shared or ())
        return path if ours else None

    def _control(self, word: str) -> bool:
        """Whether the process that holds the shared connection has done it."""
        command = [*self._program, *(self._shared or ()), "-O", word, "--", self._host]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=5, check=False
            )
            return done.returncode == 0
        return False

    def _sharing(self) -> tuple[str, ...]:
        """Options for the shared connection: the user's own where it is there, else ours."""
        configuration = self._configuration()
        theirs = parse_control_path(configuration)
        if theirs is not None and theirs.exists():
            return (f"-oControlPath={theirs}",)
        return self._own_sharing(configuration)

    def _own_sharing(self, configuration: str) -> tuple[str, ...]:
        path = self._control_path()
        if path is None:
            return _UNSHARED
        return (
            f"-oControlPath={path}",
            "-oControlMaster=auto",
            f"-oControlPersist={self._persist}",
            *((f"-oCiphers={ciphers}",) if (ciphers := quick_ciphers(configuration)) else ()),
        )

    def _configuration(self) -> str:
        """What ssh makes of its configuration for this host; empty where it cannot tell."""
        command = [*self._program, "-G", "--", self._host]
        try:
            done = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout.decode("utf-8", "replace")

    def _control_path(self) -> Path | None:
        """Where our socket is: of this user, program and host. None where there is no place."""
        name = "\0".join([*self._program, self._host, os.environ.get("SSH_AUTH_SOCK", "")])
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
            if not parent:
                continue
            folder = Path(parent, f"jupyter-hybrid-ssh-{os.getuid()}")
            path = folder / digest
            if len(os.fsencode(path)) <= SOCKET_PATH and private(folder):
                return path
        return None


def private(folder: Path) -> bool:
    """Make the directory; whether it is ours and nobody else may look into it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    mine = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    return mine and not status.st_mode & 0o077


def parse_control_path(text: str) -> Path | None:
    """The control socket in the output of ``ssh -G``; None where none is configured."""
    for line in text.splitlines():
        word, _, value = line.partition(" ")
        if word == "controlpath" and value not in ("", "none"):
            return Path(value)
    return None


def quick_ciphers(text: str) -> str:
    """The ciphers in the output of ``ssh -G`` with AES-GCM first; empty where that is as it is.

    The same ones in another order: of those that the user's configuration allows, processors with
    instructions for AES take half the time for this one, which OpenSSH prefers from 10 on.
    """
    found = re.search(r"^ciphers (\S+)$", text, re.MULTILINE)
    ciphers = found[1].split(",") if found else []
    ordered = sorted(ciphers, key=lambda name: not re.match(r"aes\d+-gcm@", name))
    return ",".join(ordered) if ordered != ciphers and _has_aes() else ""


def _has_aes() -> bool:
    try:
        processor = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return False
    return re.search(r"\baes\b", processor) is not None
