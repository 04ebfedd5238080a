"""Registries that break off, lie, send somewhere else or have no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from images import digest, documents, tar
from impatience import QUICK
from liar import Asked, Liar, Reply

from jupyter_hybrid.containers import complaints
from jupyter_hybrid.containers.blobs import read_blob
from jupyter_hybrid.containers.endpoints import RegistrySettings
from jupyter_hybrid.containers.manifests import MAX_MANIFEST, Descriptor
from jupyter_hybrid.containers.patience import Patience
from jupyter_hybrid.containers.references import Platform, parse_reference
from jupyter_hybrid.containers.registry import RegistryClient
from jupyter_hybrid.errors import ImageError, RegistryError

DATA = bytes(range(256)) * 400
BLOB = Descriptor("application/octet-stream", digest(DATA), len(DATA))
PATH = f"/v2/lab/x/blobs/{BLOB.digest}"
MANIFEST = "/v2/lab/x/manifests/1"
AMD64 = Platform("linux", "amd64")


@pytest.fixture
def liar() -> Iterator[Liar]:
    with Liar() as server:
        yield server


def a_client(
    settings: RegistrySettings | None = None, patience: Patience = QUICK
) -> RegistryClient:
    return RegistryClient(settings, patience)


async def read(liar: Liar, settings: RegistrySettings | None = None) -> bytes:
    async with a_client(settings) as client:
        session = client.session(client.settings.push_to(liar.host))
        return b"".join([part async for part in read_blob(session, "lab/x", BLOB)])


def part(asked: Asked, until: int | None = None, shift: int = 0) -> Reply:
    """What was asked for, by its range."""
    first = int(asked.headers["Range"].removeprefix("bytes=").rstrip("-"))
    span = f"bytes {first + shift}-{len(DATA) - 1}/{len(DATA)}"
    return Reply(
        206, DATA[first:until], (("Content-Range", span),), len(DATA) - first if until else None
    )


async def test_a_blob_that_breaks_off_is_taken_up_where_it_broke(liar: Liar) -> None:
    half = Reply(200, DATA[:40_000], length=len(DATA))
    liar.say("GET", PATH, half, lambda asked: part(asked, until=90_000), part)
    assert await read(liar) == DATA
    assert [asked.headers["Range"] for asked in liar.asked] == [
        None,
        "bytes=40000-",
        "bytes=90000-",
    ]


async def test_a_blob_may_break_off_more_often_than_there_are_attempts(liar: Liar) -> None:
    def a_little(asked: Asked) -> Reply:
        first = int((asked.headers["Range"] or "bytes=0-")[6:-1])
        return (
            part(asked, until=first + 10_000) if first else Reply(200, DATA[:10_000], (), len(DATA))
        )

    liar.say("GET", PATH, a_little)
    assert await read(liar) == DATA
    # a connection that broke at another moment is one more
    assert len(liar.asked) >= 11 > QUICK.attempts


async def test_a_registry_that_knows_no_ranges(liar: Liar) -> None:
    liar.say("GET", PATH, Reply(200, DATA[:40_000], length=len(DATA)), Reply(200, DATA))
    assert await read(liar) == DATA


async def test_one_that_says_more_than_it_ever_sends(liar: Liar) -> None:
    liar.say("GET", PATH, Reply(200, DATA[:100], length=len(DATA)), Reply(200, b"", length=9))
    with pytest.raises(RegistryError, match=r"connection to 127.* broke"):
        await read(liar)
    assert len(liar.asked) == 1 + QUICK.attempts


async def test_one_that_ends_early_without_a_word(liar: Liar) -> None:
    liar.say("GET", PATH, Reply(200, DATA[:100]), Reply(416))
    with pytest.raises(RegistryError, match="answered 416"):
        await read(liar)
    liar.say("GET", PATH, Reply(200, DATA[:100]), lambda asked: Reply(200, DATA[:100]))
    with pytest.raises(RegistryError, match=f"said {len(DATA)} bytes and sent 100"):
        await read(liar)


async def test_one_that_sends_more_than_the_manifest_said(liar: Liar) -> None:
    liar.say("GET", PATH, Reply(200, DATA + b"more"))
    with pytest.raises(RegistryError, match=f"sends more than the {len(DATA)} bytes"):
        await read(liar)


async def test_one_that_sends_another_part(liar: Liar) -> None:
    half = Reply(200, DATA[:40_000], length=len(DATA))
    liar.say("GET", PATH, half, lambda asked: part(asked, shift=-7))
    with pytest.raises(RegistryError, match="what follows byte 40000 and sent another part"):
        await read(liar)


async def test_content_that_is_not_what_its_digest_says(liar: Liar) -> None:
    manifest, config = documents([tar({"a": b"a"})])
    kind = (("Content-Type", "application/vnd.oci.image.manifest.v1+json"),)
    liar.say("GET", MANIFEST, Reply(200, manifest, kind))
    liar.say("GET", f"/v2/lab/x/blobs/{digest(config)}", Reply(200, config.replace(b"lab", b"lib")))
    async with a_client() as client:
        with pytest.raises(RegistryError, match="sent something else for sha256:"):
            await client.image(parse_reference(f"{liar.host}/lab/x:1"), AMD64)


@pytest.mark.parametrize("version", ["1", "@sha256:" + "0" * 64])
async def test_a_manifest_that_is_not_what_its_digest_says(liar: Liar, version: str) -> None:
    manifest, _ = documents([])
    said = (("Docker-Content-Digest", "sha256:" + "0" * 64),)
    liar.say("GET", f"/v2/lab/x/manifests/{version.lstrip('@')}", Reply(200, manifest, said))
    name = f"{liar.host}/lab/x" + (version if "@" in version else f":{version}")
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"digest is sha256:.* instead of sha256:000"):
            await client.image(parse_reference(name))


async def test_a_web_page_instead_of_an_image(liar: Liar) -> None:
    page = Reply(200, b"<html><title>Guest network", (("Content-Type", "text/html"),))
    liar.say("GET", MANIFEST, page)
    liar.say("GET", PATH, page)
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"text/html came that begins with '<html>"):
            await client.image(parse_reference(f"{liar.host}/lab/x:1"))
    with pytest.raises(RegistryError, match="answered with a web page"):
        await read(liar)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[]", "a manifest was expected"),
        (b'{"schemaVersion": 2}', "is damaged: KeyError"),
        (b'{"config": {}, "layers": [{"size": -1, "mediaType": "x"}]}', "-1 is not a size"),
        (
            b'{"config": {}, "layers": [{"size": 1, "mediaType": "x", "digest": "../../etc"}]}',
            "etc",
        ),
        (b'{"manifests": [{"platform": {"os": "linux"}}]}', "is damaged"),
    ],
)
async def test_damaged_manifests(liar: Liar, body: bytes, words: str) -> None:
    liar.say("GET", MANIFEST, Reply(200, body))
    async with a_client() as client:
        with pytest.raises(RegistryError, match=words):
            await client.image(parse_reference(f"{liar.host}/lab/x:1"))


async def test_the_old_format_is_told_as_such(liar: Liar) -> None:
    liar.say("GET", MANIFEST, Reply(200, b'{"schemaVersion": 1, "fsLayers": []}'))
    async with a_client() as client:
        with pytest.raises(ImageError, match=r"old format .*schema 1"):
            await client.image(parse_reference(f"{liar.host}/lab/x:1"))


async def test_an_endless_manifest_is_not_read_to_its_end(liar: Liar) -> None:
    liar.say("GET", MANIFEST, Reply(200, b" " * (MAX_MANIFEST + 10_000_000)))
    async with a_client() as client:
        with pytest.raises(RegistryError, match=f"answers more than {MAX_MANIFEST} bytes"):
            await client.image(parse_reference(f"{liar.host}/lab/x:1"))


# -- another host

Login = Callable[[str, str, str], None]


def wanting_a_password(inner: Reply) -> Callable[[Asked], Reply]:
    wants = Reply(401, headers=(("WWW-Authenticate", 'Basic realm="lab"'),))
    return lambda asked: inner if asked.headers["Authorization"] else wants


async def test_the_authorization_does_not_follow_to_another_host(liar: Liar, login: Login) -> None:
    login(liar.host, "ada", "open-sesame")
    with Liar() as storage:
        login(storage.host, "ada", "of-the-storage")
        elsewhere = (("Location", f"http://{storage.host}/bucket/x?signature=s"),)
        liar.say("GET", PATH, wanting_a_password(Reply(307, headers=elsewhere)))
        storage.say("GET", "/bucket/x", Reply(200, DATA))
        assert await read(liar) == DATA
        (asked,) = storage.asked
    assert asked.headers["Authorization"] is None
    assert liar.asked[-1].headers["Authorization"].startswith("Basic ")


async def test_it_does_follow_within_the_registry(liar: Liar, login: Login) -> None:
    login(liar.host, "ada", "open-sesame")
    liar.say("GET", PATH, wanting_a_password(Reply(302, headers=(("Location", "/other"),))))
    liar.say("GET", "/other", Reply(200, DATA))
    assert await read(liar) == DATA
    assert liar.asked[-1].headers["Authorization"].startswith("Basic ")


async def test_another_host_that_wants_a_password_gets_none(liar: Liar, login: Login) -> None:
    with Liar() as storage:
        login(storage.host, "ada", "open-sesame")
        liar.say("GET", PATH, Reply(307, headers=(("Location", f"http://{storage.host}/x"),)))
        storage.say("GET", "/x", wanting_a_password(Reply(200, DATA)))
        with pytest.raises(RegistryError, match="401"):
            await read(liar)
        assert [asked.headers["Authorization"] for asked in storage.asked] == [None]


async def test_round_in_circles(liar: Liar) -> None:
    liar.say("GET", PATH, Reply(302, headers=(("Location", PATH),)))
    with pytest.raises(RegistryError, match="round in circles"):
        await read(liar)
    assert len(liar.asked) == 6


async def test_tls_is_not_left_for_plain_http(tmp_path: Path) -> None:
    with Liar(tmp_path) as server:
        settings = RegistrySettings(registry_certificates={server.host: server.authority})
        for place in ("http://storage.example/x", "file:///etc/passwd", "ftp://storage.example/"):
            server.say("GET", PATH, Reply(302, headers=(("Location", place),)))
            with pytest.raises(RegistryError, match="which is not safe; nothing was sent there"):
                await read(server, settings)


async def test_a_password_goes_to_no_token_service_without_tls(
    tmp_path: Path, login: Login
) -> None:
    with Liar(tmp_path) as server:
        login(server.host, "ada", "open-sesame")
        settings = RegistrySettings(registry_certificates={server.host: server.authority})
        for realm in ("http://tokens.example/", "tokens", "file:///x"):
            wants = (("WWW-Authenticate", f'Bearer realm="{realm}",service="s"'),)
            server.say("GET", PATH, Reply(401, headers=wants))
            with pytest.raises(RegistryError, match="no https address; your login is not sent"):
                await read(server, settings)


async def test_the_certificate_of_another_host(tmp_path: Path) -> None:
    with Liar(tmp_path, address="127.0.0.2") as server:
        settings = RegistrySettings(registry_certificates={server.host: server.authority})
        async with a_client(settings) as client:
            with pytest.raises(RegistryError, match=r"127\.0\.0\.2:\d+ is somebody else's"):
                await client.image(parse_reference(f"{server.host}/lab/x:1"))


# -- no time


async def test_a_busy_registry_is_asked_again_when_it_says(liar: Liar) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    busy = Reply(429, b'{"errors": [{"code": "TOOMANYREQUESTS"}]}', (("Retry-After", "7"),))
    liar.say("GET", MANIFEST, busy, Reply(503), Reply(200, documents([])[0]))
    async with a_client(patience=Patience(sleep=sleep)) as client:
        await client.manifest(parse_reference(f"{liar.host}/lab/x:1"))
    # as long as it says; else a little longer each time, and not all clients at once
    assert waits[0] == 7
    assert 0.3 <= waits[1] <= 0.5


async def test_one_that_asks_to_wait_for_an_hour_is_told_so(liar: Liar) -> None:
    liar.say("GET", MANIFEST, Reply(429, b"", (("Retry-After", "3600"),)))
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"\(429\); it asks to wait 3600 s") as caught:
            await client.manifest(parse_reference(f"{liar.host}/lab/x:1"))
    assert len(liar.asked) == 1
    assert caught.value.transient


async def test_one_that_stays_broken_is_given_up(liar: Liar) -> None:
    body = b'{"errors": [{"code": "UNKNOWN", "message": "disk full"}]}'
    liar.say("GET", MANIFEST, Reply(500, body))
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"500 Internal Server Error .*UNKNOWN: disk full"):
            await client.manifest(parse_reference(f"{liar.host}/lab/x:1"))
    assert len(liar.asked) == QUICK.attempts


async def test_nobody_there() -> None:
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
            await client.manifest(parse_reference("127.0.0.1:9/lab/x:1"))
    assert caught.value.transient


async def test_not_allowed_with_a_login(liar: Liar, login: Login) -> None:
    login(liar.host, "ada", "open-sesame")
    liar.say("GET", MANIFEST, wanting_a_password(Reply(403)))
    async with a_client() as client:
        with pytest.raises(RegistryError, match=r"does not let 'ada' do that .*ask its owner"):
            await client.manifest(parse_reference(f"{liar.host}/lab/x:1"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 100.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-3", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert complaints.parse_retry_after(text, now=0.0) == seconds
