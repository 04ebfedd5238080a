"""Uploads that break are taken up where they broke; what is wrong is never finished."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flaky import Flaky
from images import digest
from impatience import QUICK
from liar import Asked, Liar, Reply
from registries import Daemon

from jupyter_hybrid.containers import uploads
from jupyter_hybrid.containers.blobs import BytesSource, FileSource, RemoteSource, read_blob
from jupyter_hybrid.containers.manifests import Descriptor
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.containers.session import Session
from jupyter_hybrid.containers.uploads import Upload
from jupyter_hybrid.errors import ImageError, RegistryError

DATA = os.urandom(25_000)
BLOB = Descriptor("application/octet-stream", digest(DATA), len(DATA))
SOURCE = BytesSource(BLOB, DATA)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "CHUNK", 10_000)


class Shelf(Liar):
    """A registry that keeps what arrives of an upload, however it breaks off."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = b""
        self.complete = False
        #: Bytes of which the next requests with content keep this many and then break.
        self.breaks: list[int] = []
        blob = f"/v2/lab/x/blobs/{BLOB.digest}"
        self.say("HEAD", blob, lambda _: Reply(200 if self.complete else 404))
        self.say("POST", "/v2/lab/x/blobs/uploads/", self._begin)
        self.say("PATCH", "/upload", self._take)
        self.say("GET", "/upload", self._status)
        self.say("PUT", "/upload", self._finish)

    def _begin(self, asked: Asked) -> Reply:
        self.kept = b""
        return Reply(202, headers=(("Location", "/upload?state=0"),))

    def _status(self, asked: Asked) -> Reply:
        span = f"0-{max(len(self.kept) - 1, 0)}"
        headers = (("Range", span), ("Location", f"/upload?state={len(self.kept)}"))
        return Reply(204, headers=headers)

    def _take(self, asked: Asked) -> Reply:
        first = int(asked.headers["Content-Range"].partition("-")[0])
        if first != len(self.kept):
            return Reply(416)
        if self.breaks:
            self.kept += asked.body[: self.breaks.pop(0)]
            # says nothing and hangs up
            return Reply(202, length=10)
        self.kept += asked.body
        return Reply(202, headers=(("Location", f"/upload?state={len(self.kept)}"),))

    def _finish(self, asked: Asked) -> Reply:
        if self.breaks:
            self.breaks.pop(0)
            return Reply(500)
        self.kept += asked.body
        self.complete = digest(self.kept) == BLOB.digest
        return Reply(201 if self.complete else 400)


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as server:
        yield server


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kept", [0, 2, 4_321, 10_000])
async def test_a_broken_chunk_is_taken_up_where_it_broke(shelf: Shelf, kept: int) -> None:
    shelf.breaks = [kept, 0]
    async with RegistryClient(patience=QUICK) as client:
        upload = Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE)
        assert await upload.run()
    assert shelf.complete
    assert len([a for a in shelf.asked if a.method == "POST"]) == 1
    # no more was sent than the two broken requests cost
    assert upload.sent <= len(DATA) + 20_000


@pytest.mark.usefixtures("small_chunks")
async def test_a_near_registry_gets_larger_pieces_until_one_breaks(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    # however busy this machine is
    monkeypatch.setattr(uploads, "SOON", 60.0)

    async def pieces() -> list[int]:
        async with RegistryClient(patience=QUICK) as client:
            assert await Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE).run()
        return [len(asked.body) for asked in shelf.asked if asked.method == "PATCH"]

    assert await pieces() == [10_000, 15_000]
    shelf.asked.clear()
    shelf.complete, shelf.breaks = False, [0]
    assert await pieces() == [10_000, 10_000, 15_000]
    monkeypatch.setattr(uploads, "SOON", 0.0)
    shelf.asked.clear()
    shelf.complete = False
    assert await pieces() == [10_000, 10_000, 5_000]


@pytest.mark.usefixtures("small_chunks")
async def test_where_it_broke_after_the_first_byte_cannot_be_told(shelf: Shelf) -> None:
    # "0-0" means one byte and none
    shelf.breaks = [1]
    async with RegistryClient(patience=QUICK) as client:
        assert await Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE).run()
    assert shelf.complete


def an_upload_to(client: RegistryClient, host: str) -> Session:
    return client.session(client.settings.push_to(host))


async def test_a_small_blob_is_sent_anew(shelf: Shelf) -> None:
    shelf.breaks = [0]
    async with RegistryClient(patience=QUICK) as client:
        assert await Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE).run()
    assert shelf.complete


@pytest.mark.usefixtures("small_chunks")
async def test_an_upload_that_was_forgotten_begins_anew(shelf: Shelf) -> None:
    shelf.breaks = [100]
    shelf.say("GET", "/upload", Reply(404))
    async with RegistryClient(patience=QUICK) as client:
        assert await Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE).run()
    assert shelf.complete


@pytest.mark.usefixtures("small_chunks")
async def test_one_that_breaks_for_ever_is_given_up(shelf: Shelf) -> None:
    shelf.breaks = [0] * 100
    async with RegistryClient(patience=QUICK) as client:
        with pytest.raises(RegistryError, match="broke"):
            await Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE).run()
    assert not shelf.complete


async def test_an_upload_elsewhere_gets_no_authorization(shelf: Shelf, login: object) -> None:
    assert callable(login)
    with Liar() as registry:
        login(registry.host, "ada", "open-sesame")
        wants = Reply(401, headers=(("WWW-Authenticate", 'Basic realm="lab"'),))
        there = Reply(202, headers=(("Location", f"http://{shelf.host}/upload?x=1"),))
        registry.say(
            "POST",
            "/v2/lab/x/blobs/uploads/",
            lambda asked: there if asked.headers["Authorization"] else wants,
        )
        async with RegistryClient(patience=QUICK) as client:
            assert await Upload(an_upload_to(client, registry.host), "lab/x", SOURCE).run()
    assert shelf.complete
    assert [asked.headers["Authorization"] for asked in shelf.asked] == [None]


async def test_an_upload_without_an_address(shelf: Shelf) -> None:
    shelf.say("POST", "/v2/lab/x/blobs/uploads/", Reply(202))
    async with RegistryClient(patience=QUICK) as client:
        with pytest.raises(RegistryError, match="opens an upload and does not say where"):
            await Upload(an_upload_to(client, shelf.host), "lab/x", SOURCE).run()


@pytest.mark.parametrize("now", [DATA[:-1], DATA + b"x", b"x" + DATA[1:], b""])
@pytest.mark.parametrize("chunk", [10_000, 100_000])
async def test_a_file_that_has_changed_is_not_finished(
    shelf: Shelf, tmp_path: Path, now: bytes, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK", chunk)
    (tmp_path / "layer").write_bytes(now)
    source = FileSource(BLOB, tmp_path / "layer")
    async with RegistryClient(patience=QUICK) as client:
        with pytest.raises(ImageError, match="is something else by now; remove it"):
            await Upload(an_upload_to(client, shelf.host), "lab/x", source).run()
    assert not [asked for asked in shelf.asked if asked.method == "PUT"]


async def test_a_file_that_is_gone(shelf: Shelf, tmp_path: Path) -> None:
    source = FileSource(BLOB, tmp_path / "layer")
    async with RegistryClient(patience=QUICK) as client:
        with pytest.raises(ImageError, match="layer cannot be read: No such file"):
            await Upload(an_upload_to(client, shelf.host), "lab/x", source).run()


# -- the real one, behind a line that breaks


@pytest.mark.needs("apt:docker-registry")
async def test_a_real_registry_behind_a_bad_line(
    open_registry: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK", 200_000)
    data = os.urandom(1_500_000)
    blob = Descriptor("application/octet-stream", digest(data), len(data))
    # docker-registry writes its own address into locations, by the Host header that it is sent
    with Flaky(open_registry.host, upward=[500_000, 900_000]) as line:
        async with RegistryClient(patience=QUICK) as client:
            session = an_upload_to(client, line.host)
            assert await Upload(session, "lab/flaky", BytesSource(blob, data)).run()
        assert line.broken == 2
    with Flaky(open_registry.host, downward=[200_000, 300_000, 700_000]) as line:
        async with RegistryClient(patience=QUICK) as client:
            session = an_upload_to(client, line.host)
            parts = [part async for part in read_blob(session, "lab/flaky", blob)]
        assert line.broken == 3
    assert b"".join(parts) == data


@pytest.mark.needs("apt:docker-registry")
async def test_from_one_registry_to_another_without_the_disk(
    open_registry: Daemon, mirror: Daemon, shelf: Shelf
) -> None:
    async with RegistryClient(patience=QUICK) as client:
        session = an_upload_to(client, open_registry.host)
        await Upload(session, "lab/here", SOURCE).run()
        source = RemoteSource(BLOB, session, "lab/here")
        assert await Upload(an_upload_to(client, shelf.host), "lab/x", source).run()
    assert shelf.complete


def test_ranges_of_registries() -> None:
    spans = {"0-99": 100, "bytes=0-99": 100, "0-0": 0, "": 0, "what": 0}
    assert {span: uploads._arrived(span) for span in spans} == spans
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", BLOB.digest)
