"""Facts read from layers: of real trees, of whiteouts, of links."""

import errno
import gzip
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import zstandard

from jupyter_hybrid.containers.contents import read_contents
from jupyter_hybrid.environment.facts import ImageFacts, parse_probe, probe_command
from jupyter_hybrid.errors import ImageError

Member = tuple[str, bytes | str | None]
CONFIG = {"architecture": "amd64", "config": {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}}
SITE = "usr/lib/python3/dist-packages"


def layer(*members: Member, kind: str = "gzip") -> Callable[[], BinaryIO]:
    """A layer of files (bytes), symbolic links (str) and directories (None)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            elif content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.type, info.linkname = tarfile.SYMTYPE, content
            tar.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    pack: Any = {
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
        "plain": bytes,
    }[kind]
    data = pack(out.getvalue())
    return lambda: io.BytesIO(data)


def package(name: str, version: str, module: str = "", site: str = SITE) -> list[Member]:
    module = module or name
    info = f"{site}/{name}-{version}.dist-info"
    return [
        (f"{info}/METADATA", f"Name: {name}\nVersion: {version}\n".encode()),
        (
            f"{info}/RECORD",
            f"{module}/__init__.py,,\n{name}-{version}.dist-info/RECORD,,\n".encode(),
        ),
        (f"{site}/{module}/__init__.py", b""),
    ]


PYTHON: list[Member] = [
    ("lib", "usr/lib"),
    ("bin", "usr/bin"),
    ("usr/bin/python3", "python3.11"),
    ("usr/bin/python3.11", b"\x7fELF"),
    (
        "usr/lib/x86_64-linux-gnu/libc.so.6",
        b"..GNU C Library (Debian) stable release version 2.36.",
    ),
    ("usr/include/python3.11/patchlevel.h", b'#define PY_VERSION              "3.11.2"\n'),
]


def read(*layers: Callable[[], BinaryIO], config: dict[str, Any] | None = None) -> ImageFacts:
    return read_contents(layers, config or CONFIG)


@pytest.mark.parametrize("kind", ["gzip", "zstd", "plain"])
def test_an_image_of_two_layers(kind: str) -> None:
    facts = read(
        layer(*PYTHON, *package("numpy", "1.24.4"), kind=kind),
        layer(*package("PyYAML", "6.0", "yaml"), ("etc/pip/constraint.txt", b"numpy<2\n")),
    )
    assert (facts.python, facts.executable, facts.machine) == (
        "3.11.2",
        "/usr/bin/python3",
        "x86_64",
    )
    assert facts.libc == ("glibc", "2.36")
    versions = {name: p.version for name, p in facts.packages.items()}
    assert versions == {"numpy": "1.24.4", "pyyaml": "6.0"}
    assert facts.packages["pyyaml"].modules == ("yaml",)
    assert facts.regular == {"numpy", "yaml"}
    assert (facts.site, facts.pth) == ((f"/{SITE}",), f"/{SITE}")
    assert facts.constraints == "numpy<2\n"


def test_whiteouts_delete_what_is_below_and_no_more() -> None:
    base = layer(*PYTHON, *package("numpy", "1.24.4"), *package("numpydoc", "1"))
    upper = layer(
        (f"{SITE}/.wh.numpy-1.24.4.dist-info", b""),
        (f"{SITE}/.wh.numpy", b""),
        *package("numpy", "2.0.0"),
    )
    assert {n: p.version for n, p in read(base, upper).packages.items()} == {
        "numpy": "2.0.0",
        "numpydoc": "1",
    }


def test_an_opaque_directory_keeps_what_its_own_layer_has() -> None:
    base = layer(*PYTHON, *package("numpy", "1.24.4"))
    # the order within the layer does not matter (OCI image specification, "Whiteouts")
    new = package("pandas", "2.0")
    for members in ([*new, (f"{SITE}/.wh..wh..opq", b"")], [(f"{SITE}/.wh..wh..opq", b""), *new]):
        assert [*read(base, layer(*members)).packages] == ["pandas"]


def test_what_takes_a_directorys_place_removes_it() -> None:
    base = layer(*PYTHON, *package("numpy", "1.24.4"))
    assert read(base, layer((SITE, "/elsewhere"))).packages == {}
    elsewhere = package("scipy", "1.11", site="elsewhere/dist-packages")
    moved = layer((SITE, "/elsewhere/dist-packages"), *elsewhere)
    assert [*read(base, moved).packages] == ["scipy"]


def test_a_directory_takes_the_place_of_a_file() -> None:
    # what Debian and distutils write as one file they wrote as a directory before, or do later
    egg = f"{SITE}/olefile-0.46.egg-info"
    base = layer(*PYTHON, (egg, b"Name: olefile\nVersion: 0.46\n"))
    assert {n: p.version for n, p in read(base).packages.items()} == {"olefile": "0.46"}
    upper = layer((egg, None), (f"{egg}/PKG-INFO", b"Name: olefile\nVersion: 0.46.1\n"))
    assert {n: p.version for n, p in read(base, upper).packages.items()} == {"olefile": "0.46.1"}


def test_a_virtual_environment_on_the_path() -> None:
    site = "opt/venv/lib/python3.11/site-packages"
    venv: list[Member] = [
        ("opt/venv/bin/python3", "/usr/bin/python3"),
        ("opt/venv/pyvenv.cfg", b"home = /usr/bin\nversion = 3.11.2\n"),
        *package("torch", "2.2.0a0+81ea7a4", site=site),
    ]
    config = {"architecture": "arm64", "config": {"Env": ["PATH=/opt/venv/bin:/usr/bin"]}}
    facts = read(layer(*PYTHON, *package("numpy", "1")), layer(*venv), config=config)
    assert facts.executable == "/opt/venv/bin/python3"
    assert facts.machine == "aarch64"
    # it does not see the system's packages
    assert [*facts.packages] == ["torch"]
    assert facts.site == (f"/{site}",)


def test_hard_links_have_what_they_are_linked_to() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in (*PYTHON, *package("numpy", "1.24.4", site="pkgs/site-packages")):
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
                continue
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
        for name, _ in package("numpy", "1.24.4"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.LNKTYPE
            info.linkname = name.replace(SITE, "pkgs/site-packages")
            tar.addfile(info)
    assert read(lambda: io.BytesIO(out.getvalue())).packages["numpy"].version == "1.24.4"


def test_images_without_python_or_with_an_old_one() -> None:
    none = read(layer(("bin/busybox", b""), ("lib/ld-musl-x86_64.so.1", b"..\x001.2.4\x00..")))
    assert (none.python, none.libc) == (None, ("musl", "1.2.4"))
    old = read(layer(("usr/bin/python3.6", b""), ("usr/bin/python3", "python3.6")))
    assert (old.python, old.usable) == ("3.6", False)
    # one that is new enough counts, whatever "python3" is
    both = read(
        layer(("usr/bin/python3.6", b""), ("usr/bin/python3", "python3.6")),
        layer(("usr/bin/python3.9", b"")),
    )
    assert (both.python, both.executable) == ("3.9", "/usr/bin/python3.9")


def test_links_in_a_circle_end() -> None:
    assert read(layer(("usr/bin/python3", "python"), ("usr/bin/python", "python3"))).python is None


@pytest.mark.parametrize(
    "data", [b"no tar at all" * 100, gzip.compress(b"x" * 5000)[:20]], ids=["text", "cut gzip"]
)
def test_a_layer_that_is_none_is_named(data: bytes) -> None:
    with pytest.raises(ImageError, match="layer 2 of the image"):
        read(layer(*PYTHON), lambda: io.BytesIO(data))


@pytest.mark.parametrize(
    "names",
    [
        (f"{SITE}/{'a' * 300}.py",),
        (f"{SITE}/{'a/' * 3000}x.dist-info/METADATA",),
        (f"{SITE}/x.egg-info", f"{SITE}/x.egg-info/PKG-INFO"),
        (f"{SITE}/x.egg-info/PKG-INFO", f"{SITE}/x.egg-info"),
    ],
    ids=["long name", "long path", "file then directory", "directory then file"],
)
def test_what_no_file_system_takes_is_passed_over(names: tuple[str, ...]) -> None:
    odd = layer(*((name, b"x") for name in names))
    facts = read(layer(*PYTHON, *package("numpy", "1.24.4")), odd)
    assert [*facts.packages] == ["numpy"] and "numpy" in facts.regular


def test_a_full_disk_is_no_file_that_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ImageError, match="No space left on device"):
        read(layer(*PYTHON, *package("numpy", "1.24.4")))


def test_layers_and_the_probe_say_the_same(tmp_path: Path) -> None:
    """Of a real virtual environment with real packages, packed as a layer."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python3*/site-packages"))
    here = next(Path(sys.prefix).glob("lib/python3*/site-packages"))
    wanted = {"packaging", "yaml", "_yaml", "attr", "attrs", "traitlets"}
    for path in here.iterdir():
        if path.name.lower().partition("-")[0] in {*wanted, "pyyaml"}:
            (site / path.name).symlink_to(path)
    done = subprocess.run(
        probe_command([str(venv / "bin/python")]), capture_output=True, text=True, check=True
    )
    probed = parse_probe(done.stdout)
    packed = tmp_path / "layer.tar"
    with tarfile.open(packed, "w", dereference=True) as tar:
        tar.add(site, arcname=str(site).lstrip("/"))
        tar.add(venv / "pyvenv.cfg", arcname=str(venv / "pyvenv.cfg").lstrip("/"))
        libc = next(Path("/").glob("lib/*/libc.so.6"), None) or next(
            Path("/").glob("lib*/libc.so.6")
        )
        tar.add(libc, arcname=str(libc).lstrip("/"))
    real = f"usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    links = layer((real, b""), (str(venv / "bin/python3").lstrip("/"), f"/{real}"))
    config = {
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
        "config": {"Env": [f"PATH={venv}/bin"]},
    }
    facts = read(links, lambda: packed.open("rb"), config=config)
    assert facts.packages == probed.packages
    assert len(facts.packages) >= 3
    assert facts.regular == probed.regular
    assert (facts.site, facts.pth, facts.libc) == (probed.site, probed.pth, probed.libc)
    assert (facts.python, facts.machine) == (probed.python, probed.machine)
