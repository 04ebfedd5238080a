"""What a transport promises, on this machine and over ssh on a real login node."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import tarfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hpc import NEEDS, Cluster, hang_up
from jobs import until

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.transport import LocalTransport, Transport
from jupyter_hybrid.transport.blobs import Blob, send_blobs
from jupyter_hybrid.transport.far import disk
from jupyter_hybrid.transport.ssh import SSHTransport
from jupyter_hybrid.transport.watching import Watches

pytestmark = pytest.mark.timeout(600)
NAMED = "~/jh {user}"


@pytest.fixture(params=["local", pytest.param("ssh", marks=pytest.mark.needs(*NEEDS))])
async def transport(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transport]:
    if request.param == "local":
        local = LocalTransport(str(tmp_path / "there"))
        yield local
        local.close()
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    ssh = SSHTransport("hpc", NAMED, program=["ssh", "-F", str(cluster.config)])
    yield ssh
    hang_up(ssh)
    cluster.ssh("rm -rf ~/jh*")


def blob(data: bytes) -> Blob:
    return Blob(hashlib.sha256(data).hexdigest(), len(data), data)


async def test_a_command_runs_with_its_input_and_tells_how_it_ended(transport: Transport) -> None:
    done = await transport.run(["cat"], b"\0 input \xff")
    assert (done.code, done.stdout, done.stderr) == (0, b"\0 input \xff", "")
    done = await transport.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.stdout, done.stderr) == (3, b"out\n", "err\n")
    done = await transport.run(["no-such-program"])
    assert done.code == 127 and "no-such-program: No such file" in done.stderr
    done = await transport.run(["printenv", "WORD"], env={"WORD": "a b"})
    assert done.stdout == b"a b\n"


async def test_a_command_that_hangs_is_killed_and_holds_nobody_up(transport: Transport) -> None:
    hangs = asyncio.create_task(transport.run(["sh", "-c", "sleep 60 & wait"], timeout=0.5))
    began = time.monotonic()
    assert (await transport.run(["true"])).code == 0
    assert time.monotonic() - began < 30
    assert (await hangs).code is None


async def test_files_are_written_whole_and_read_behind_an_offset(transport: Transport) -> None:
    await transport.write({"a/b": b"0123456789", "c": b""}, 0o640)
    assert await transport.read("a/b", 4) == b"456789"
    assert await transport.read("a/b", 10) == await transport.read("a/nothing") == b""
    found = await transport.peek(["a/b", "nothing", "c"])
    assert found[0] is not None and found[2] is not None and found[1] is None
    assert (found[0].content, found[2].content) == (b"0123456789", b"")
    assert -1 < found[0].age < 60
    listed = await transport.walk("a", hashed=True)
    assert listed == [("b", 10, 0o640 & ~0o077, hashlib.sha256(b"0123456789").hexdigest())]
    await transport.remove("a", "c", "never")
    assert await transport.peek(["a/b", "c"]) == [None, None]
    with pytest.raises(PlaceError, match="is not below"):
        await transport.remove("../elsewhere")


async def test_small_files_are_laid_where_what_they_need_is(transport: Transport) -> None:
    root = await transport.root()
    asked = {"files": [["j/a", 1, 0o600], ["j/b", 2, 0o600]], "begun": ["j/log"]}
    header, _ = await transport.ask("lay", b"abb", wanted=[f"{root}/runner"], **asked)
    assert header == {"there": False, "id": header["id"]}
    assert await transport.peek(["j/a", "j/log"]) == [None, None]
    await transport.write({"runner": b"", "j/log": b"said"})
    header, _ = await transport.ask("lay", b"abb", wanted=[f"{root}/runner"], **asked)
    assert header["there"] and await transport.read("j/b") == b"bb"
    # laid once more, what a job has said stays
    assert await transport.read("j/log") == b"said"


async def test_contents_travel_once(transport: Transport, tmp_path: Path) -> None:
    large = os.urandom(3_000_000)
    (tmp_path / "large").write_bytes(large)
    blobs = [blob(b"small"), blob(b""), blob(b"small")]
    blobs.append(Blob(hashlib.sha256(large).hexdigest(), len(large), tmp_path / "large"))
    assert await send_blobs(transport, blobs, patience=0) >= 3_000_005
    assert await send_blobs(transport, blobs, patience=0) == 0
    root = await transport.root()
    await transport.ask(
        "place", files=[[f"{root}/x/{n}", b.digest, 0o444] for n, b in enumerate(blobs)]
    )
    listed = {
        name: (size, digest) for name, size, _, digest in await transport.walk("x", hashed=True)
    }
    assert listed == {str(n): (b.size, b.digest) for n, b in enumerate(blobs)}


async def test_a_transfer_goes_on_where_it_broke_off(transport: Transport, tmp_path: Path) -> None:
    large = os.urandom(40_000_000)
    (tmp_path / "large").write_bytes(large)
    found = Blob(hashlib.sha256(large).hexdigest(), len(large), tmp_path / "large")
    sending = asyncio.create_task(send_blobs(transport, [found], patience=60))
    part = f"blobs/.incoming/{found.digest}"
    while (await transport.peek([part], 0))[0] is None and not sending.done():
        await asyncio.sleep(0)
    transport.close()
    sent = await sending
    # what was sent after the break is less than all
    assert sent <= found.size
    assert (await transport.ask("digest", path=f"blobs/{found.digest[:2]}/{found.digest}"))[0][
        "sha256"
    ] == found.digest


async def test_several_send_the_same_at_once(tmp_path: Path) -> None:
    transports = [LocalTransport(str(tmp_path / "there")) for _ in range(4)]
    for number in range(5):
        data = os.urandom(3 << 20)
        source = tmp_path / f"{number}"
        source.write_bytes(data)
        sent = Blob(hashlib.sha256(data).hexdigest(), len(data), source)
        await asyncio.gather(*(send_blobs(one, [sent], patience=60.0) for one in transports))
        path = tmp_path / "there/blobs" / sent.digest[:2] / sent.digest
        assert path.read_bytes() == data
        assert not list((tmp_path / "there/blobs/.incoming").iterdir())
    for one in transports:
        one.close()


async def test_damage_on_the_way_is_noticed(transport: Transport) -> None:
    wrong = Blob(hashlib.sha256(b"right").hexdigest(), 5, b"wrong")
    with pytest.raises(PlaceError, match="arrived damaged"):
        await send_blobs(transport, [wrong], patience=0)
    assert await send_blobs(transport, [blob(b"right")], patience=0) == 5


async def test_a_command_runs_once_for_its_record(transport: Transport) -> None:
    await transport.write({"job/x": b""})

    async def once() -> bytes:
        script = b"echo ran >> log; echo result $$"
        argv = ["sh", "-c", f"cd '{await transport.root()}'; . /dev/stdin"]
        header, out = await transport.once(argv, script, record="job/id", timeout=20, patience=0)
        return b"begun" if header.get("begun") else out

    first = await once()
    assert first.startswith(b"result") and await once() == first
    assert await transport.read("log") == b"ran\n"
    await transport.remove("job/id")
    assert await once() == b"begun"


async def test_what_is_appended_comes_by_itself(transport: Transport) -> None:
    watches = Watches(transport)
    assert await watches.read("log", 0) == b""
    root = await transport.root()
    script = f"for n in 1 2 3; do echo $n >> '{root}/log'; sleep 0.1; done"
    writing = asyncio.create_task(transport.run(["sh", "-c", script]))
    content = b""
    deadline = time.monotonic() + 20
    while content != b"1\n2\n3\n":
        await watches.wait("log", 1.0)
        content += await watches.read("log", len(content))
        assert time.monotonic() < deadline
    await writing
    # who comes later reads from the beginning, and who is at the end waits
    assert await watches.read("log", 0) == b"1\n2\n3\n"
    transport.close()
    await transport.run(["sh", "-c", f"echo 4 >> '{root}/log'"])
    assert await watches.read("log", 6) == b"4\n"
    watches.forget("log")


async def test_nobody_waits_for_what_has_come_already(transport: Transport) -> None:
    watches = Watches(transport)
    assert await watches.read("log", 0) == b""
    await transport.run(["sh", "-c", f"echo 1 >> '{await transport.root()}/log'"])
    await until(lambda: watches._watches["log"].end == 2)
    began = time.monotonic()
    await watches.wait("log", 60.0)
    assert time.monotonic() - began < 30
    assert await watches.read("log", 0) == b"1\n"


#: Writes into a directory for half a second, or as long as there is one.
WRITER = """
import os, sys, time
end, number = time.monotonic() + 0.5, 0
while time.monotonic() < end and os.path.isdir(sys.argv[1]):
    number += 1
    try:
        open(os.path.join(sys.argv[1], str(number)), "w").close()
    except FileNotFoundError:
        break
"""


async def test_what_is_written_meanwhile_is_removed_as_well(transport: Transport) -> None:
    there = f"{await transport.root()}/job"
    for _ in range(5):
        await transport.write({"job/first": b""})
        writing = asyncio.create_task(transport.run(["python3", "-c", WRITER, there]))
        while (await transport.run(["test", "-e", f"{there}/1"])).code != 0:
            await asyncio.sleep(0.01)
        await transport.remove("job")
        await writing
        assert (await transport.run(["test", "-e", there])).code == 1


async def test_who_looks_behind_the_end_of_a_file_keeps_nobody_from_its_news(
    transport: Transport,
) -> None:
    watches = Watches(transport)
    await transport.run(["sh", "-c", f"echo 1 > '{await transport.root()}/log'"])
    assert await watches.read("log", 1 << 20) == b""
    assert await watches.read("log", 0) == b"1\n"
    assert await watches.read("log", 2) == b""
    await transport.run(["sh", "-c", f"echo 2 >> '{await transport.root()}/log'"])
    await until(lambda: watches._watches["log"].end == 4)
    assert await watches.read("log", 2) == b"2\n"


async def test_a_full_disk_is_told_in_a_sentence(
    transport: Transport, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    root = await transport.root()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k,mode=777", "tmpfs", f"{root}/blobs"]
    await transport.write({"blobs/.keep": b""})
    if isinstance(transport, LocalTransport):
        await transport.run(mount)
        undo = ["umount", f"{root}/blobs"]
    else:
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.on("hpc-login", *mount)
    try:
        with pytest.raises(PlaceError, match=r"disk is full .*make room there, or name another"):
            await send_blobs(transport, [blob(os.urandom(300_000))], patience=0)
        assert await send_blobs(transport, [blob(b"little")], patience=0) == 6
    finally:
        if isinstance(transport, LocalTransport):
            await transport.run(undo)
        else:
            cluster.on("hpc-login", "umount", f"{root}/blobs")


async def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    transport = LocalTransport(str(tmp_path / "theirs"))
    with pytest.raises(PlaceError, match=r"is another user's \(12345\).*theirs/\{user\}"):
        await transport.root()
    transport = LocalTransport("$NOWHERE/x")
    with pytest.raises(PlaceError, match="not absolute"):
        await transport.root()


class Away(LocalTransport):
    """A machine that takes its time to say that it cannot be reached."""

    attempts = 0

    def reach(self, code: str) -> list[str]:
        self.attempts += 1
        return ["sh", "-c", "sleep 1; echo away >&2; exit 255"]


async def test_a_machine_that_is_away_holds_up_nobody_else(tmp_path: Path) -> None:
    transport = Away(str(tmp_path))
    waiting = [asyncio.ensure_future(transport.root()) for _ in range(40)]
    # asyncio's own threads are free meanwhile
    await asyncio.to_thread(lambda: None)
    assert not any(one.done() for one in waiting)
    for error in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(error, PlaceError) and "away" in str(error)
    # and who waited for the first attempt makes none of his own
    assert transport.attempts == 1
    with pytest.raises(PlaceError, match="away"):
        await transport.root()
    assert transport.attempts == 2


async def test_an_archive_is_unpacked_once_by_many_at_once(transport: Transport) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for number in range(200):
            info = tarfile.TarInfo(f"d/{number}")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
    content = blob(packed.getvalue())
    await send_blobs(transport, [content], patience=10)
    into = f"{await transport.root()}/unpacked"
    asked = (transport.ask("unpack", digest=content.digest, into=into) for _ in range(8))
    await asyncio.gather(*asked)
    assert len(await transport.walk("unpacked")) == 200


async def test_what_nobody_went_on_sending_is_removed(transport: Transport) -> None:
    assert (await transport.ask("sweep"))[0]["removed"] == 0
    await transport.write({"blobs/.incoming/old": b"x", "blobs/.incoming/new": b"x"})
    old = f"{await transport.root()}/blobs/.incoming/old"
    assert (await transport.run(["touch", "-d", "8 days ago", old])).code == 0
    assert (await transport.ask("sweep"))[0]["removed"] == 1
    assert await transport.read("blobs/.incoming/new") == b"x"


def test_why_nothing_can_be_written_is_said_in_a_sentence() -> None:
    for number, words in (
        (errno.EDQUOT, "the disk quota is used up at /s/ada on "),
        (errno.ENOSPC, "the disk is full at /s/ada on "),
        (errno.EROFS, "Read-only file system"),
    ):
        error = OSError(number, os.strerror(number))
        assert words in disk.words("/s/ada", error)
