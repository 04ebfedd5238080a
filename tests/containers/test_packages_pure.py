"""Indexes, locks, uv's complaints and tars: nothing is fetched."""

import base64
import gzip
import hashlib
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from jupyter_hybrid.containers.indexes import parse_pip_config, uv_environment, uv_variables
from jupyter_hybrid.containers.layers import GZIP, TAR, ZSTD
from jupyter_hybrid.containers.locks import Lock, Locked, parse_lock, uv_platform
from jupyter_hybrid.containers.stubs import repack, write_stubs
from jupyter_hybrid.containers.tar_headers import TIME
from jupyter_hybrid.containers.tars import Entry, opened, tree_entries, write_layer
from jupyter_hybrid.containers.uv import parse_complaint, source_only
from jupyter_hybrid.environment.facts import ImageFacts, ImagePackage
from jupyter_hybrid.environment.installed import installation
from jupyter_hybrid.errors import ImageError

LOCK = """\
numpy==1.24.4 \\
    --hash=sha256:bbb \\
    --hash=sha256:aaa
    # via seaborn
torch @ file:///stubs/torch-2.2.0-py3-none-any.whl
lab @ git+ssh://git@host.example/lab@0123abc
ruamel.yaml[jinja2]==0.18.6 ; python_version >= "3.7" \\
    --hash=sha256:ccc
"""
NO_SOLUTION_NEW = """\
error: No solution found when resolving dependencies
  cause: Because pandas==2.2.3 depends on numpy{python_full_version < '3.12'}>=1.23.2 and you require numpy<1.20, we can conclude that your requirements and pandas==2.2.3 are incompatible.
         And because you require pandas==2.2.3, we can conclude that your requirements are unsatisfiable.

hint: something long
"""  # noqa: E501
NO_SOLUTION_OLD = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because foo was not found in the package registry and you require foo, we can
      conclude that your requirements are unsatisfiable.
"""


def test_a_lock_is_read_without_what_the_image_has() -> None:
    found = parse_lock(LOCK, {"torch"})
    assert found == (
        Locked("lab", "", (), "git+ssh://git@host.example/lab@0123abc"),
        Locked("numpy", "1.24.4", ("sha256:aaa", "sha256:bbb")),
        Locked("ruamel-yaml", "0.18.6", ("sha256:ccc",)),
    )
    assert found[1].line == "numpy==1.24.4 --hash=sha256:aaa --hash=sha256:bbb"


def test_a_lock_is_named_by_what_is_in_it() -> None:
    one = Lock("3.10", "p", (Locked("a", "1", ("sha256:x",)),))
    assert one.digest == Lock.from_json(one.to_json()).digest
    others = [
        Lock("3.11", "p", one.packages),
        Lock("3.10", "q", one.packages),
        Lock("3.10", "p", one.packages, place="elsewhere"),
        Lock("3.10", "p", (Locked("a", "1", ("sha256:y",)),)),
    ]
    assert len({one.digest, *(lock.digest for lock in others)}) == 5
    # where a wheel made here happens to lie does not count; that it is one does
    here, there = (Lock("3", "p", (Locked("a", "", ("sha256:x",), u),)) for u in ("/x", "/y"))
    assert here.digest == there.digest


@pytest.mark.parametrize(
    ("machine", "libc", "platform"),
    [
        ("x86_64", ("glibc", "2.35"), "x86_64-manylinux_2_35"),
        ("x86_64", ("glibc", "2.27"), "x86_64-manylinux_2_17"),
        ("x86_64", ("glibc", "2.99"), "x86_64-manylinux_2_40"),
        ("arm64", ("glibc", "2.31"), "aarch64-manylinux_2_31"),
        ("aarch64", ("musl", "1.2.4"), "aarch64-unknown-linux-musl"),
    ],
)
def test_platforms(machine: str, libc: tuple[str, str], platform: str) -> None:
    assert uv_platform(ImageFacts("3.10.1", machine=machine, libc=libc)) == platform


@pytest.mark.parametrize(
    ("machine", "libc", "word"),
    [
        ("ppc64le", ("glibc", "2.31"), "ppc64le"),
        ("x86_64", ("", ""), "unknown C library"),
        ("x86_64", ("glibc", "2.12"), "2.12"),
    ],
)
def test_platforms_without_wheels(machine: str, libc: tuple[str, str], word: str) -> None:
    with pytest.raises(ImageError, match=word):
        uv_platform(ImageFacts("3.10.1", machine=machine, libc=libc))


def test_pips_settings_for_uv() -> None:
    files = (
        "[global]\nindex-url = https://one.example/simple\n[install]\nfind-links =\n  /a\n  /b\n",
        "[global]\nextra-index-url = https://two.example/simple\n    https://three.example/simple",
        "no section, which pip refuses by itself",
    )
    settings = parse_pip_config(files, {"PIP_INDEX_URL": "https://mirror.example/simple"})
    assert uv_variables(settings) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://two.example/simple https://three.example/simple",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_uvs_own_settings_win_over_pips(tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://pip.example/simple\n")
    environ = {"PIP_CONFIG_FILE": str(config), "HOME": str(tmp_path), "UV_TARGET": "/x"}
    assert uv_environment(environ=environ)["UV_DEFAULT_INDEX"] == "https://pip.example/simple"
    assert "UV_TARGET" not in uv_environment(environ=environ)
    environ["UV_DEFAULT_INDEX"] = "https://uv.example/simple"
    assert uv_environment(environ=environ)["UV_DEFAULT_INDEX"] == "https://uv.example/simple"
    assert uv_environment({"UV_DEFAULT_INDEX": "z"}, environ)["UV_DEFAULT_INDEX"] == "z"


def test_uvs_reason_in_one_sentence() -> None:
    assert parse_complaint(NO_SOLUTION_NEW) == (
        "Because pandas==2.2.3 depends on numpy>=1.23.2 and you require numpy<1.20, we can "
        "conclude that your requirements and pandas==2.2.3 are incompatible."
    )
    assert parse_complaint(NO_SOLUTION_OLD) == (
        "Because foo was not found in the package registry and you require foo."
    )
    assert "secret" not in parse_complaint("error: https://me:secret@index.example/simple: 401")
    assert parse_complaint("") == "uv gave no reason."
    assert len(parse_complaint("error: " + "word " * 1000)) < 520


def test_packages_without_wheels_are_told_from_the_complaint() -> None:
    exact = (
        "  cause: Because numpy==1.26.4 has no usable wheels and you require it\n"
        "hint: Wheels are required for `numpy` because building from source is disabled"
    )
    assert source_only(exact) == ["numpy==1.26.4"]
    assert source_only("Because all versions of docopt have no usable wheels and") == ["docopt"]
    assert source_only(NO_SOLUTION_OLD) == []


# -- tars


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "pkg" / "sub").mkdir(parents=True)
    (root / "pkg" / "__init__.py").write_text("x = 1\n")
    (root / "pkg" / "sub" / ("long" * 60 + ".py")).write_bytes(b"\0" * 3_000_000)
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o700)
    (root / "link").symlink_to("pkg/__init__.py")
    (root / "linked").symlink_to("pkg")
    return root


@pytest.mark.parametrize("media_type", [GZIP, ZSTD, TAR])
def test_the_same_files_make_the_same_layer(tree: Path, tmp_path: Path, media_type: str) -> None:
    one = write_layer(tree_entries(tree, "opt/x"), tmp_path / "one", media_type=media_type)
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            os.utime(path, (1, 1))
    two = write_layer(
        reversed([*tree_entries(tree, "opt/x")]), tmp_path / "two", media_type=media_type
    )
    assert (one.digest, one.diff_id, one.size) == (two.digest, two.diff_id, two.size)
    content = one.path.read_bytes()
    assert one.digest == "sha256:" + hashlib.sha256(content).hexdigest()
    assert one.size == len(content)
    plain = {
        GZIP: gzip.decompress,
        ZSTD: lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
        TAR: bytes,
    }[media_type](content)
    assert one.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()


def test_entries_of_a_layer_are_roots_and_timeless(tree: Path, tmp_path: Path) -> None:
    layer = write_layer(tree_entries(tree, "opt/x"), tmp_path / "layer")
    with layer.path.open("rb") as file, tarfile.open(fileobj=opened(file), mode="r|") as tar:
        entries = {entry.name: entry for entry in tar}
    assert list(entries) == sorted(entries, key=lambda name: name.split("/"))
    assert {(e.uid, e.gid, e.uname, e.mtime) for e in entries.values()} == {(0, 0, "", TIME)}
    modes = {name: entries[f"opt/x/{name}"].mode for name in ("pkg", "run", "pkg/__init__.py")}
    assert modes == {"pkg": 0o755, "run": 0o755, "pkg/__init__.py": 0o644}
    assert entries["opt/x/link"].linkname == "pkg/__init__.py"
    assert entries["opt/x/linked"].issym()
    assert entries["opt"].isdir()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/./b", "a/../../b"])
def test_a_layer_stays_within_the_root(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not a path"):
        write_layer([Entry(name, b"")], tmp_path / "layer")
    assert not (tmp_path / "layer").exists()


def test_what_cannot_be_packed_leaves_nothing(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    os.mkfifo(tree / "pipe")
    with pytest.raises(ImageError, match="pipe"):
        write_layer(tree_entries(tree, "opt"), tmp_path / "out" / "layer", comment="")
    assert [*tmp_path.glob("out/*")] == []


# -- wheels


def test_an_images_packages_as_empty_wheels(tmp_path: Path) -> None:
    facts = ImageFacts(
        "3.10.1",
        packages={
            "torch": ImagePackage("2.2.0a0+81ea7a4", ("numpy", "opt-einsum ; extra == 'fast'")),
            "odd": ImagePackage("not a version"),
        },
    )
    (line,) = write_stubs(facts, tmp_path)
    assert line.startswith("torch @ file://")
    assert write_stubs(facts, tmp_path) == [line]
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("torch-2.2.0.dist-info/METADATA").decode()
        record = archive.read("torch-2.2.0.dist-info/RECORD").decode()
        for row in record.splitlines()[:-1]:
            name, digest, size = row.split(",")
            content = archive.read(name)
            expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
            assert digest == "sha256=" + expected.decode().rstrip("=")
            assert int(size) == len(content)
    assert "Version: 2.2.0\n" in metadata
    assert "Requires-Dist: numpy" not in metadata
    assert "Provides-Extra: fast\nRequires-Dist: opt-einsum ; extra == 'fast'" in metadata


def test_what_is_installed_here_becomes_a_wheel_again(tmp_path: Path) -> None:
    found = installation().get("papermill")
    assert found is not None
    wheel = repack(found, tmp_path / "a")
    assert wheel.read_bytes() == repack(found, tmp_path / "b").read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert "papermill/__init__.py" in names
    assert not [name for name in names if name.endswith((".pyc", "direct_url.json", "INSTALLER"))]
