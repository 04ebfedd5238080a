"""What an image has, read from its layers without running it.

The layers come from the bottom to the top; whiteouts (OCI image specification, "Image Layer
Filesystem Changeset") delete what lower ones have. Of the files only those are kept that tell of
Python: some megabytes of an image of twenty gigabytes.
"""

from __future__ import annotations

import errno
import posixpath
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..environment.facts import CANDIDATES, OLDEST, ImageFacts, ImagePackage
from ..environment.probe import canonical, regular_modules, scan
from ..errors import ImageError
from .tars import opened

#: Files whose content is read.
_READ = re.compile(
    r"(site|dist)-packages/[^/]+\.(dist-info|egg-info)(/(METADATA|PKG-INFO|RECORD|top_level\.txt))?$"
    r"|pyvenv\.cfg$|include/python3\.\d+/patchlevel\.h$|^etc/pip/constraint\.txt$"
    r"|lib/([\w-]+/)?libc\.so\.6$|lib64/libc\.so\.6$|lib/ld-musl-[\w-]+\.so\.1$"
)
#: Files of which it matters that they are there.
_SEEN = re.compile(
    r"bin/python[\d.]*$|(site|dist)-packages/[^/]+$|(site|dist)-packages/[^/]+/__init__\.[^/]+$"
    r"|lib/([\w-]+/)?libc-2\.\d+\.so$|lib64/libc-2\.\d+\.so$"
)
#: Bytes of one file that is read; a record of all of CUDA's headers has some.
_MOST = 64 << 20
#: Files that no image has which ever ran: too long a name, or below another file.
_ODD = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
#: Links that are followed before a path counts as a circle, as Linux has it.
_LINKS = 40


@dataclass
class _Root:
    """The files of an image, as far as they matter; paths without the first slash."""

    #: Content, or empty for files that are only known to be there.
    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def lay(self, upper: _Root, gone: set[str], emptied: set[str]) -> None:
        """Lay an upper layer over these; what it deletes is gone, with all below it."""
        covered = gone | set(upper.files) | set(upper.links)
        entries: tuple[dict[str, Any], ...] = (self.files, self.links)
        for kept in entries:
            for name in [n for n in kept if _is_below(n, covered, emptied)]:
                del kept[name]
        self.files.update(upper.files)
        self.links.update(upper.links)

    def resolve(self, path: str) -> str:
        """Where the path leads, all links followed; empty for a circle."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        found: list[str] = []
        followed = 0
        while parts:
            part = parts.pop(0)
            if part == "..":
                found = found[:-1]
                continue
            target = self.links.get("/".join((*found, part)))
            if target is None:
                found.append(part)
                continue
            followed += 1
            if followed > _LINKS:
                return ""
            found = [] if target.startswith("/") else found
            parts = [p for p in target.split("/") if p not in ("", ".")] + parts
        return "/".join(found)

    def read(self, path: str) -> str:
        """The text of a file; empty where there is none."""
        return self.files.get(self.resolve(path), b"").decode("utf-8", "replace")

    def below(self, path: str) -> Iterator[str]:
        """Files below a directory that is no link."""
        return (name for name in self.files if name.startswith(f"{path}/"))


def _is_below(path: str, covered: set[str], emptied: set[str]) -> bool:
    """True for what is covered, and for what is in a directory that is covered or emptied."""
    if path in covered:
        return True
    while path:
        path = posixpath.dirname(path)
        if path in covered or path in emptied:
            return True
    return False


def read_contents(
    layers: Iterable[Callable[[], BinaryIO]], config: Mapping[str, Any]
) -> ImageFacts:
    """The facts of an image whose layers (tar, gzip or zstd; the lowest first) can be opened.

    ``config`` is the image's configuration (OCI image specification). Raises ``ImageError`` for a
    layer that is no tar, or ends in its middle.
    """
    root = _Root()
    for number, layer in enumerate(layers, start=1):
        try:
            with layer() as stream:
                inner: Any = opened(stream)
                with tarfile.open(fileobj=inner, mode="r|") as tar:
                    _lay(root, tar)
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            raise ImageError(f"layer {number} of the image cannot be read: {error}") from error
    return _Reader(root, config).facts()


def _lay(root: _Root, tar: tarfile.TarFile) -> None:
    upper, gone, emptied = _Root(), set[str](), set[str]()
    for member in tar:
        path = posixpath.normpath(member.name.lstrip("/"))
        folder, name = posixpath.split(path)
        if name == _OPAQUE:
            emptied.add(folder)
        elif name.startswith(_WHITEOUT):
            gone.add(posixpath.join(folder, name[len(_WHITEOUT) :]))
        elif member.issym():
            upper.links[path] = member.linkname
        elif member.isdir():
            # a directory where there was a link or a file: as an egg's was when it became one
            for below in (root, upper):
                below.links.pop(path, None)
                below.files.pop(path, None)
        elif member.islnk():
            origin = posixpath.normpath(member.linkname.lstrip("/"))
            content = upper.files.get(origin, root.files.get(origin))
            if content is not None or _SEEN.search(path):
                upper.files[path] = content or b""
        elif member.isfile() and _READ.search(path) and member.size <= _MOST:
            file = tar.extractfile(member)
            upper.files[path] = file.read() if file is not None else b""
        elif member.isfile() and _SEEN.search(path):
            upper.files[path] = b""
    root.lay(upper, gone, emptied)


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except ValueError:
        # a name that is none
        return
    except OSError as error:
        if error.errno not in _ODD:
            words = error.strerror or error
            raise ImageError(f"what the image has cannot be looked at here: {words}") from error


class _Reader:
    """Reads Python's own things out of an image's files."""

    def __init__(self, root: _Root, config: Mapping[str, Any]) -> None:
        inner = config.get("config") or {}
        pairs = (entry.partition("=") for entry in inner.get("Env") or ())
        self._env = {name: value for name, _, value in pairs}
        self._machine = str(config.get("architecture") or "")
        self._root = root

    def facts(self) -> ImageFacts:
        """All of it."""
        found = [python for python in self._pythons() if python[1] != (0, 0)]
        machine = _MACHINES.get(self._machine, self._machine)
        if not found:
            return ImageFacts(machine=machine, libc=self._libc())
        usable = [python for python in found if python[1] >= OLDEST]
        executable, minor = usable[0] if usable else max(found, key=lambda python: python[1])
        prefix = self._prefix(executable)
        site = self._site(prefix, minor)
        packages, regular = self._packages(site)
        return ImageFacts(
            python=self._version(prefix, minor),
            executable=f"/{executable}",
            prefix=f"/{prefix}",
            machine=machine,
            libc=self._libc(),
            packages=packages,
            regular=frozenset(regular),
            site=tuple(f"/{path}" for path in site),
            pth=f"/{site[-1] if site else self._first_site(prefix, minor)}",
            constraints=self._root.read(
                self._env.get("PIP_CONSTRAINT") or "etc/pip/constraint.txt"
            ),
        )

    def _pythons(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Interpreters by the order in which they are looked for, with their minor versions."""
        folders = self._env.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
        for name in CANDIDATES:
            places = [name] if name.startswith("/") else [f"{p}/{name}" for p in folders.split(":")]
            for place in places:
                real = self._root.resolve(place)
                if real in self._root.files:
                    yield place.strip("/"), self._minor(place.strip("/"), real)

    def _minor(self, place: str, real: str) -> tuple[int, int]:
        named = re.search(r"python(\d)\.(\d+)$", real)
        if named is None:
            library = f"{posixpath.dirname(posixpath.dirname(real))}/lib/"
            found = [
                re.search(r"/lib/python(\d)\.(\d+)/", f) for f in self._root.below(library[:-1])
            ]
            named = next((match for match in found if match), None)
        return (int(named[1]), int(named[2])) if named else (0, 0)

    def _prefix(self, executable: str) -> str:
        parent = posixpath.dirname(posixpath.dirname(executable))
        if self._root.read(f"{parent}/pyvenv.cfg"):
            return parent
        return posixpath.dirname(posixpath.dirname(self._root.resolve(executable)))

    def _site(self, prefix: str, minor: tuple[int, int]) -> list[str]:
        named = "python{}.{}".format(*minor)
        venv = self._root.read(f"{prefix}/pyvenv.cfg")
        own = [f"{prefix}/lib/{named}/site-packages", f"{prefix}/lib64/{named}/site-packages"]
        system = [f"usr/local/lib/{named}/dist-packages", "usr/lib/python3/dist-packages"]
        wanted = [
            path.strip("/") for path in (self._env.get("PYTHONPATH") or "").split(":") if path
        ]
        wanted += own
        if prefix == "usr" or re.search(r"include-system-site-packages *= *true", venv):
            wanted += system
        resolved = dict.fromkeys(self._root.resolve(path) for path in wanted)
        return [path for path in resolved if path and any(True for _ in self._root.below(path))]

    def _first_site(self, prefix: str, minor: tuple[int, int]) -> str:
        """Where Python looks once there is something; Debian's own has another place for it."""
        if prefix == "usr":
            return "usr/lib/python3/dist-packages"
        return "{}/lib/python{}.{}/site-packages".format(prefix, *minor)

    def _version(self, prefix: str, minor: tuple[int, int]) -> str:
        named = "{}.{}".format(*minor)
        venv = self._root.read(f"{prefix}/pyvenv.cfg")
        texts = (self._root.read(f"{prefix}/include/python{named}/patchlevel.h"), venv)
        found = re.search(
            rf'(?:PY_VERSION +"|version(?:_info)? *= *)({re.escape(named)}\.\d+)', "\n".join(texts)
        )
        return found[1] if found else named

    def _packages(self, site: Iterable[str]) -> tuple[dict[str, ImagePackage], set[str]]:
        packages: dict[str, ImagePackage] = {}
        regular: set[str] = set()
        for path in site:
            with tempfile.TemporaryDirectory() as name:
                for file in self._root.below(path):
                    _write(Path(name, file[len(path) + 1 :]), self._root.files[file])
                for data in scan(name):
                    package = ImagePackage(
                        data["version"], tuple(data["requires"]), tuple(data["modules"])
                    )
                    packages.setdefault(canonical(data["name"]), package)
                regular.update(regular_modules(name))
        return packages, regular

    def _libc(self) -> tuple[str, str]:
        for path, content in self._root.files.items():
            if re.search(r"/ld-musl-[\w-]+\.so\.1$", f"/{path}"):
                musl = re.search(rb"\0(1\.\d+\.\d+)\0", content)
                return "musl", musl[1].decode() if musl else ""
            if path.endswith("libc.so.6"):
                glibc = re.search(rb"GNU C Library [^\n]*release version (\d+\.\d+)", content)
                if glibc:
                    return "glibc", glibc[1].decode()
            older = re.search(r"libc-(2\.\d+)\.so$", path)
            if older:
                return "glibc", older[1]
        return "", ""
