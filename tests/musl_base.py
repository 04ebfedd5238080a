"""``musl``: an image like Alpine's, made from Debian's sources: busybox, musl, and a Python on it.

Everything is linked to musl's libc and nothing to glibc's: it needs wheels that are made for musl.
It takes a minute to compile, and is kept like all of ``bases``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import bases

NEEDS = ("apt:musl-tools", "apt:gcc", "program:make")
LOADER = "lib/ld-musl-x86_64.so.1"
#: Debian's compiler says that its libraries lie where glibc's do, and Python stumbles over that.
_COMPILER = """#!/bin/sh
case "$*" in *--print-multiarch*) exit 0;; esac
exec musl-gcc "$@"
"""
#: Parts of the standard library for which there would have to be more libraries, or that are old.
_WITHOUT = (
    *("_ctypes", "_curses", "_curses_panel", "_lzma", "_bz2", "_hashlib", "_ssl", "_tkinter"),
    *("readline", "_gdbm", "_dbm", "_crypt", "ossaudiodev", "_uuid", "nis", "spwd"),
)
#: What no job imports.
_SPARED = (
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "ensurepip",
    "tkinter",
    "turtledemo",
    "__pycache__",
)


def _musl(root: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        sources = {package: _source(package, place) for package in ("zlib", "python3.11")}
        compiler = place / "musl-cc"
        compiler.write_text(_COMPILER)
        compiler.chmod(0o755)
        _zlib(sources["zlib"], compiler)
        _python(sources["python3.11"], sources["zlib"], compiler)
        bases.busybox(root)
        shutil.copy2(_loader(place), root / "usr" / LOADER)
        # what wheels for musl call their libc
        (root / "usr/lib/libc.musl-x86_64.so.1").symlink_to(Path(LOADER).name)
        _install(sources["python3.11"], root / "opt/python")


def _source(package: str, place: Path) -> Path:
    """The package's own source, as it was released."""
    folder = place / package
    folder.mkdir()
    apt = _apt(place, "source", _of_sources)
    # (of a security update the patches may be gone already, and the release is all that is wanted)
    command = [*apt, "source", "--tar-only", "--download-only", package]
    subprocess.run(command, cwd=folder, capture_output=True, check=False)
    (archive,) = folder.glob("*.orig.tar.*")
    _run(folder, "tar", "--strip-components=1", "-xf", str(archive))
    return folder


def _loader(place: Path) -> Path:
    """Debian's newest musl: wheels of today are linked in a way that those before 1.2.4 cannot."""
    apt = _apt(place, "sid", _of_sid)
    folder = place / "musl"
    folder.mkdir()
    _run(folder, *apt, "download", "musl")
    (package,) = folder.glob("*.deb")
    _run(folder, "dpkg-deb", "-x", str(package), "unpacked")
    return folder / "unpacked/usr/lib/x86_64-linux-musl/libc.so"


def _apt(place: Path, name: str, changed: Callable[[str], str]) -> list[str]:
    """apt with sources of its own: this machine's own ones for Debian, changed."""
    # (one list and a directory, as apt has them: it reads the list first)
    apt_d, lists = place / f"{name}.d", place / f"{name}.lists"
    parts = apt_d / "sources.list.d"
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={apt_d / 'sources.list'}"]
    apt += ["-o", f"Dir::Etc::sourceparts={parts}", "-o", f"Dir::State::lists={lists}"]
    apt += ["-o", "APT::Sandbox::User=root"]
    if not apt_d.exists():
        parts.mkdir(parents=True)
        (lists / "partial").mkdir(parents=True)
        configured = Path("/etc/apt")
        for path in [configured / "sources.list", *(configured / "sources.list.d").iterdir()]:
            if path.is_file():
                target = apt_d / path.relative_to(configured)
                target.write_text(changed(path.read_text()) + "\n")
        _run(place, *apt, "update")
    return apt


def _of_sources(text: str) -> str:
    return re.sub(r"(?m)^(Types: *)?deb( |$)", r"\1deb-src\2", text)


def _of_sid(text: str) -> str:
    """Both ways to write apt's sources, for the newest packages."""
    lines = [line for line in text.splitlines() if line[:4] != "deb " or "security" not in line]
    stanzas = [s for s in re.split(r"\n{2,}", "\n".join(lines)) if "security" not in s]
    text = re.sub(r"(?m)^Suites:.*", "Suites: sid", "\n\n".join(stanzas))
    return re.sub(r"(?m)^(deb( +\[[^]]*\])? +\S+) .*", r"\1 sid main", text)


def _zlib(source: Path, compiler: Path) -> None:
    environment = {"CC": str(compiler), "CFLAGS": "-O1 -fPIC"}
    _run(source, "./configure", "--static", **environment)
    _run(source, "make", "-j2", "libz.a")


def _python(source: Path, zlib: Path, compiler: Path) -> None:
    left_out = {f"py_cv_module_{name}": "n/a" for name in _WITHOUT}
    # musl's threads have 128 kB of stack where the program does not say otherwise
    linked = f"-L{zlib} -Wl,-z,stack-size={8 << 20}"
    flags = {"CPPFLAGS": f"-I{zlib}", "LDFLAGS": linked, "CFLAGS": "-O0 -g0"}
    words = ["--prefix=/opt/python", "--without-ensurepip", "--disable-test-modules", "-q"]
    tools = {"CC": str(compiler), "PKG_CONFIG": "/bin/false"}
    _run(source, "./configure", *words, **flags, **left_out, **tools)
    # all of it in one program: there are no libraries for modules to be linked to
    modules = (source / "Modules/Setup.stdlib").read_text().replace("*shared*", "*static*")
    lines = [line for line in modules.splitlines() if not re.match(r"xx|_\w*test", line)]
    (source / "Modules/Setup.local").write_text("\n".join(lines) + "\n")
    _run(source, "make", "-s", "-j2", "python", "pybuilddir.txt")


def _install(source: Path, prefix: Path) -> None:
    library = prefix / "lib/python3.11"
    shutil.copytree(source / "Lib", library, ignore=shutil.ignore_patterns(*_SPARED))
    for name in ("lib-dynload", "site-packages"):
        (library / name).mkdir(exist_ok=True)
    built = source / (source / "pybuilddir.txt").read_text().strip()
    for path in built.glob("_sysconfigdata*.py"):
        shutil.copy2(path, library)
    (prefix / "bin").mkdir()
    shutil.copy2(source / "python", prefix / "bin/python3.11")
    (prefix / "bin/python3").symlink_to("python3.11")


def _run(folder: Path, *words: str, **environment: str) -> None:
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


bases.ROOTS["musl"] = _musl
bases.CONFIG["musl"] = ("ENV PATH=/opt/python/bin:/usr/bin:/bin",)
