"""ssh under bad conditions, on the real login node."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hpc import NEEDS, Cluster, hang_up
from jobs import until

from jupyter_hybrid import transport as transport_module
from jupyter_hybrid.errors import ConfigError, PlaceError
from jupyter_hybrid.transport import ssh as ssh_module
from jupyter_hybrid.transport.blobs import Blob, send_blobs
from jupyter_hybrid.transport.ssh import SSHTransport, parse_control_path

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]


class Hosts:
    """Makes transports of one test, and ends their connections."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.made = cluster, []

    def __call__(
        self, host: str = "hpc", *options: str, config: Path | None = None
    ) -> SSHTransport:
        program = ["ssh", "-F", str(config or self.cluster.config), *options]
        transport = SSHTransport(host, "~/jh", program=program)
        self.made.append(transport)
        return transport


@pytest.fixture
def to(cluster_alone: Cluster) -> Iterator[Hosts]:
    hosts = Hosts(cluster_alone)
    yield hosts
    for transport in hosts.made:
        hang_up(transport)
    cluster_alone.on("hpc-login", "sh", "-c", f"cp /etc/skel/.bashrc /home/{cluster_alone.user}")
    cluster_alone.restart_sshd()
    cluster_alone.ssh("rm -rf ~/jh")


def quietly(command: list[str]) -> None:
    none = subprocess.DEVNULL
    subprocess.run(command, check=True, stdin=none, stdout=none, stderr=none)


def changed(cluster: Cluster, folder: Path, **settings: str) -> Path:
    """The configuration with some settings changed."""
    kept = cluster.config.read_text().splitlines()
    first = [f"  {name} {value}" for name, value in settings.items()]
    path = folder / "changed"
    path.write_text("\n".join(["Host hpc", *first, *kept]) + "\n")
    return path


async def test_a_banner_and_a_noisy_shell_are_passed_over(to: Hosts, tmp_path: Path) -> None:
    to.cluster.restart_sshd("-o", "Banner=/etc/debian_version")
    noise = "echo 'welcome to the cluster'; head -c 100000 /dev/urandom; echo oops >&2\n"
    to.cluster.ssh("cat > ~/.bashrc", input=noise)
    transport = to(config=changed(to.cluster, tmp_path, LogLevel="INFO"))
    assert (await transport.run(["echo", "clean"])).stdout == b"clean\n"


async def test_one_session_a_connection_is_enough(to: Hosts) -> None:
    to.cluster.restart_sshd("-o", "MaxSessions=1")
    one, other = to(), to()
    assert (await one.run(["echo", "one"])).stdout == b"one\n"
    # another process of the same user: a connection of its own where the shared one is taken
    assert (await other.run(["echo", "other"])).stdout == b"other\n"
    assert (await one.run(["echo", "again"])).stdout == b"again\n"


async def test_processes_share_one_connection(to: Hosts) -> None:
    one, other = to(), to()
    await one.run(["true"])
    await other.run(["true"])
    count = "pgrep -u $(id -u) -x sshd-session | wc -l"
    assert (await one.run(["sh", "-c", count])).stdout.strip() == b"1"


async def test_a_server_that_was_restarted_is_reached_again(to: Hosts) -> None:
    transport = to()
    assert (await transport.run(["echo", "before"])).code == 0
    to.cluster.restart_sshd()
    assert (await transport.run(["echo", "after"])).stdout == b"after\n"


async def test_a_login_node_that_is_down_is_waited_for(to: Hosts) -> None:
    transport = to()
    await transport.run(["true"])
    to.cluster.stop_sshd()
    with pytest.raises(PlaceError, match=r"hpc cannot be reached.*it is tried again") as error:
        await transport.run(["true"])
    assert error.value.transient
    waiting = asyncio.create_task(transport.run(["echo", "back"], patience=60))
    await asyncio.sleep(1.0)
    to.cluster.restart_sshd()
    assert (await waiting).stdout == b"back\n"


async def test_a_transfer_survives_a_server_that_is_killed(to: Hosts, tmp_path: Path) -> None:
    large = os.urandom(60_000_000)
    (tmp_path / "large").write_bytes(large)
    blob = Blob(hashlib.sha256(large).hexdigest(), len(large), tmp_path / "large")
    transport = to()
    await transport.run(["true"])
    sending = asyncio.create_task(send_blobs(transport, [blob], patience=60))
    part = f"blobs/.incoming/{blob.digest}"
    while (await transport.peek([part], 0))[0] is None and not sending.done():
        await asyncio.sleep(0)
    assert not sending.done()
    await asyncio.to_thread(to.cluster.restart_sshd)
    sent = await sending
    assert sent < blob.size
    answer, _ = await transport.ask("digest", path=f"blobs/{blob.digest[:2]}/{blob.digest}")
    assert answer["sha256"] == blob.digest


async def test_a_command_under_way_outlives_the_connection(to: Hosts) -> None:
    transport = to()
    await transport.write({"job/x": b""})
    argv = ["sh", "-c", "sleep 2; echo 4711"]
    once = {"record": "job/id", "timeout": 20.0, "patience": 60.0}
    running = asyncio.create_task(transport.once(argv, b"", **once))
    while (await transport.peek(["job/id.begun"]))[0] is None:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(to.cluster.restart_sshd)
    header, out = await running
    # asked again, it was found begun; its record appears nevertheless
    assert header.get("begun") or out == b"4711\n"
    deadline = time.monotonic() + 20
    while (await transport.read("job/id")) != b"4711\n":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_connection_that_goes_dead_is_noticed(to: Hosts) -> None:
    transport = to("hpc", "-oServerAliveInterval=1", "-oServerAliveCountMax=2")
    await transport.run(["true"])
    user = to.cluster.user
    to.cluster.on("hpc-login", "pkill", "-STOP", "-u", user, "-x", "sshd-session")
    try:
        began = time.monotonic()
        assert (await transport.run(["echo", "again"], patience=60)).stdout == b"again\n"
        assert time.monotonic() - began < 30
    finally:
        to.cluster.on("hpc-login", "pkill", "-CONT", "-x", "sshd-session")


@contextmanager
def door(cluster: Cluster, name: str) -> Iterator[str]:
    """Another way to the login node, and the command that goes it."""
    listens = f"socat UNIX-LISTEN:/run/hpc/{name},fork TCP:127.0.0.1:22"
    start = f"setsid {listens} >/dev/null 2>&1 & echo $!"
    number = cluster.on("hpc-login", "sh", "-c", start).strip()
    socket = cluster.directory / "run" / name
    while not socket.exists():
        time.sleep(0.01)
    try:
        yield f"socat - UNIX-CONNECT:{socket}"
    finally:
        # with all that has come in by it
        cluster.on("hpc-login", "pkill", "-TERM", "-g", number)
        socket.unlink(missing_ok=True)


async def test_a_login_node_that_has_another_address_now(to: Hosts, tmp_path: Path) -> None:
    with door(to.cluster, f"old-{os.getpid()}.sock") as way:
        transport = to(config=changed(to.cluster, tmp_path, ProxyCommand=way))
        await transport.run(["true"])
    with door(to.cluster, f"new-{os.getpid()}.sock") as way:
        changed(to.cluster, tmp_path, ProxyCommand=way)
        assert (await transport.run(["echo", "there"], patience=60)).stdout == b"there\n"


async def test_an_unknown_host_key_needs_a_person(to: Hosts, tmp_path: Path) -> None:
    config = changed(to.cluster, tmp_path, UserKnownHostsFile="/dev/null")
    with pytest.raises(PlaceError, match=r"host key of hpc is not known yet.*'ssh hpc'") as error:
        await to(config=config).run(["true"])
    assert not error.value.transient


async def test_another_host_key_is_never_accepted(to: Hosts, tmp_path: Path) -> None:
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")]
    await asyncio.to_thread(quietly, make)
    key = (tmp_path / "other.pub").read_text()
    (tmp_path / "known").write_text(f"hpc {key}")
    config = changed(to.cluster, tmp_path, UserKnownHostsFile=str(tmp_path / "known"))
    with pytest.raises(PlaceError, match=r"another host key than before"):
        await to(config=config).run(["true"])


async def test_no_password_is_ever_asked_for(to: Hosts, tmp_path: Path) -> None:
    to.cluster.restart_sshd("-o", "PasswordAuthentication=yes")
    config = changed(to.cluster, tmp_path, IdentityFile="/dev/null")
    config.write_text(config.read_text().replace("  IdentityFile /r", "  #"))
    text = [line for line in config.read_text().splitlines() if "id_ed25519" not in line]
    config.write_text("\n".join(text) + "\n")
    began = time.monotonic()
    with pytest.raises(PlaceError, match=r"without a password or a code.*ssh-copy-id"):
        await to(config=config).run(["true"], patience=60)
    assert time.monotonic() - began < 20


async def test_a_host_that_is_not_there(to: Hosts, tmp_path: Path) -> None:
    config = tmp_path / "elsewhere"
    config.write_text("Host *\n  StrictHostKeyChecking yes\n")
    with pytest.raises(PlaceError, match=r"the name no\.such\.host\.invalid is not known"):
        await to("no.such.host.invalid", config=config).run(["true"])
    with pytest.raises(PlaceError, match=r"cannot be reached.*refused"):
        await to("127.0.0.1", "-p", "9", config=config).run(["true"])
    with pytest.raises(ConfigError, match=r"no name of a host"):
        SSHTransport("-oProxyCommand=evil", "~/jh")


async def test_jump_hosts_of_the_users_configuration_are_used(to: Hosts, tmp_path: Path) -> None:
    key = to.cluster.directory / "ssh" / "id_ed25519"
    known = to.cluster.directory / "ssh" / "known_hosts"
    config = tmp_path / "jump"
    config.write_text(
        f"{to.cluster.config.read_text()}\nHost inner\n  HostName 10.66.0.1\n"
        f"  User {to.cluster.user}\n  HostKeyAlias hpc\n  ProxyJump hpc\n  IdentityFile {key}\n"
        f"  UserKnownHostsFile {known}\n  StrictHostKeyChecking yes\n"
    )
    assert (await to("inner", config=config).run(["hostname"])).stdout == b"hpc-login\n"


async def test_a_connection_that_the_user_shares_is_used(to: Hosts, tmp_path: Path) -> None:
    socket = tmp_path / "cm"
    config = changed(to.cluster, tmp_path, ControlPath=str(socket))
    master = ["ssh", "-F", str(config), "-M", "-N", "-f", "hpc"]
    await asyncio.to_thread(quietly, master)
    # nothing but the connection that is there lets anybody in now
    text = [line for line in config.read_text().splitlines() if "id_ed25519" not in line]
    config.write_text("\n".join(text) + "\n  IdentityFile /dev/null\n")
    assert (await to(config=config).run(["echo", "in"])).stdout == b"in\n"
    await asyncio.to_thread(quietly, ["ssh", "-F", str(config), "-O", "exit", "hpc"])


async def test_a_connection_of_the_users_that_hangs_is_passed_by_and_stays(
    to: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "CONNECT", 6.0)
    socket = tmp_path / "cm"
    config = changed(to.cluster, tmp_path, ControlPath=str(socket))
    command = ["ssh", "-F", str(config), "-M", "-N", "hpc"]
    master = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL)
    try:
        await until(socket.exists)
        master.send_signal(signal.SIGSTOP)
        assert (await to(config=config).run(["echo", "in"])).stdout == b"in\n"
        master.send_signal(signal.SIGCONT)
        await asyncio.to_thread(quietly, ["ssh", "-F", str(config), "-O", "check", "hpc"])
        assert master.returncode is None
    finally:
        master.kill()
        await master.wait()


async def test_without_python_a_sentence_says_so(to: Hosts) -> None:
    program = ["ssh", "-F", str(to.cluster.config)]
    transport = SSHTransport("hpc", "~/jh", program=program, remote_python="/no/python3.9")
    to.made.append(transport)
    with pytest.raises(PlaceError, match=r"has no python3.*remote_python = "):
        await transport.run(["true"])


def test_the_control_path_in_sshs_configuration() -> None:
    assert parse_control_path("host x\ncontrolpath /run/user/1/%C\n") == Path("/run/user/1/%C")
    assert parse_control_path("controlmaster auto\ncontrolpath none\n") is None
    assert parse_control_path("") is None


def test_sockets_are_in_a_private_directory(tmp_path: Path) -> None:
    assert ssh_module.private(tmp_path / "own")
    (tmp_path / "open").mkdir(mode=0o755)
    assert not ssh_module.private(tmp_path / "open")
    (tmp_path / "link").symlink_to(tmp_path / "own")
    assert not ssh_module.private(tmp_path / "link")
