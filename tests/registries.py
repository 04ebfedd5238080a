"""Debian's docker-registry on free ports of this machine, as child processes.

    open     anybody may do anything, over plain HTTP
    secure   TLS by a private authority, and a password file
    token    tokens of a token service that knows who may do what
    mirror   a pull-through cache of the open one; the configuration says that it is nvcr.io

``tests/services/registry/start`` starts them for people.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

USER, PASSWORD = "ada", "open-sesame"
#: bcrypt of the password, as ``htpasswd -B`` writes it.
HTPASSWD = "ada:$2b$05$abcdefghijklmnopqrstuutXu9KzOt.1yBoZUeFWoT/914/JfszCO\n"
#: Seconds that a registry has to start.
PATIENCE = 60.0
_LISTENS = re.compile(r"listening on (127\.0\.0\.1:\d+)")

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Daemon:
    """One registry that runs."""

    kind: str
    #: Address and port.
    host: str
    pid: int
    directory: str
    #: File of the authority that vouches for it; empty for plain HTTP.
    authority: str = ""

    @property
    def log(self) -> Path:
        return Path(self.directory, "log")

    def stop(self) -> None:
        """End it, and wait until it has ended where it is a child of ours."""
        process = _children.pop(self.pid, None)
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        if process is not None:
            process.wait()


@dataclass
class Options:
    """What makes one registry different from another."""

    kind: str
    upstream: str = ""
    #: Settings of ``auth.token``.
    token: Mapping[str, str] = field(default_factory=dict)
    #: True where it shall outlive whoever starts it.
    stays: bool = False


def start(directory: Path, options: Options) -> Daemon:
    """Start a registry that keeps all it has below the directory; it answers when this returns."""
    directory.mkdir(parents=True)
    authority = certify(directory) if options.kind == "secure" else ""
    config = directory / "config.json"
    config.write_text(json.dumps(configuration(directory, options)))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            # a test run that is killed must leave no daemon behind
            [
                *(() if options.stays else ("setpriv", "--pdeathsig", "TERM")),
                *("docker-registry", "serve", str(config)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENS.search((directory / "log").read_text())
        if found is not None:
            _children[process.pid] = process
            return Daemon(options.kind, found[1], process.pid, str(directory), authority)
        time.sleep(0.01)
    process.kill()
    process.wait()
    raise RuntimeError(f"no registry: {(directory / 'log').read_text()[-2000:]}")


def configuration(directory: Path, options: Options) -> dict[str, Any]:
    """Its configuration file, which may be JSON because that is YAML."""
    http: dict[str, Any] = {"addr": "127.0.0.1:0", "secret": "of the tests"}
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(directory / "storage")},
            "delete": {"enabled": True},
        },
        "http": http,
    }
    if options.kind == "secure":
        http["tls"] = {
            "certificate": str(directory / "server.pem"),
            "key": str(directory / "server.key"),
        }
        (directory / "htpasswd").write_text(HTPASSWD)
        path = str(directory / "htpasswd")
        config["auth"] = {"htpasswd": {"realm": "the lab's registry", "path": path}}
    if options.token:
        config["auth"] = {"token": dict(options.token)}
    if options.upstream:
        config["proxy"] = {"remoteurl": f"http://{options.upstream}"}
    return config


def certify(directory: Path, *names: str) -> str:
    """Make an authority, and by it a certificate for this machine and the names."""
    import trustme

    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost", *names)
    server.private_key_pem.write_to_path(str(directory / "server.key"))
    server.cert_chain_pems[0].write_to_path(str(directory / "server.pem"))
    path = directory / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


# -- for people: start, stop, logs


def state_file(directory: Path) -> Path:
    return directory / "registries.json"


def start_all(directory: Path) -> list[Daemon]:
    """Start an open registry, a secure one, and a mirror of the first; note how to stop them."""
    daemons = [start(directory / kind, Options(kind, stays=True)) for kind in ("open", "secure")]
    mirror = Options("mirror", upstream=daemons[0].host, stays=True)
    daemons.append(start(directory / "mirror", mirror))
    state_file(directory).write_text(json.dumps([asdict(daemon) for daemon in daemons], indent=1))
    return daemons


def started(directory: Path) -> list[Daemon]:
    """What ``start_all`` has started there."""
    return [Daemon(**daemon) for daemon in json.loads(state_file(directory).read_text())]
