"""A layer's files, unpacked on this machine: all of them below one directory, or none at all.

A layer that others made may hold names that lead elsewhere. In an image that is the engine's
affair; here such a layer is refused by the name of what is wrong with it.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ImageError
from .tars import opened

#: "Whiteouts" of the OCI image specification: what begins so deletes a file of the layers below.
_WHITEOUT = ".wh."
_KINDS = {
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.CONTTYPE: "a file of a kind that nobody knows",
}
#: What a file may be allowed here: no set-user-id, nothing that others may write.
_MODE = 0o755


def unpack(path: Path, directory: Path) -> None:
    """Unpack a layer as ``directory``, which must not exist; it has all files or is not there.

    Files belong to whoever calls. Raises ``ImageError`` naming the first entry that leads
    elsewhere, for what is no tar, and where the disk is full.
    """
    scratch = Path(tempfile.mkdtemp(prefix=".unpack-", dir=directory.parent))
    try:
        with _reading(path) as tar:
            for member in tar:
                _check(member, path)
                _extract(tar, member, scratch, path)
        scratch.chmod(_MODE)
        scratch.rename(directory)
    except OSError as error:
        raise ImageError(f"{path} cannot be unpacked as {directory}: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check(member: tarfile.TarInfo, path: Path) -> None:
    """Raise ``ImageError`` unless the entry stays below the directory it is unpacked in."""
    name = PurePosixPath(member.name)
    wrong = ""
    if name.is_absolute() or ".." in name.parts or "\0" in member.name:
        wrong = "a name that leads out of the layer"
    elif name.name.startswith(_WHITEOUT):
        wrong = "a mark that deletes a file of the image"
    elif (member.issym() and not _stays(name.parent, member.linkname)) or (
        member.islnk() and not _inside(member.linkname)
    ):
        wrong = f"a link that leads out of the layer, to {member.linkname!r}"
    elif not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        wrong = _KINDS.get(member.type, "a thing of a kind that nobody knows")
    if wrong:
        raise ImageError(f"the layer {path.name} is refused: its {member.name!r} is {wrong}")


def _inside(name: str) -> bool:
    pure = PurePosixPath(name)
    return not pure.is_absolute() and ".." not in pure.parts


def _stays(folder: PurePosixPath, target: str) -> bool:
    """True for a relative link that climbs no higher than the layer's root, and only first.

    ``a/..`` may be anywhere where ``a`` is a link itself.
    """
    parts = PurePosixPath(target).parts
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    depth = len([part for part in folder.parts if part != "."])
    return (
        bool(parts)
        and _inside("/".join(parts[climbs:]) or ".")
        and climbs <= depth
        and (not target.startswith("/"))
    )


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, path: Path) -> None:
    target = root / member.name
    _make_parents(root, PurePosixPath(member.name).parent, path)
    if member.isdir():
        if not target.is_dir() or target.is_symlink():
            target.mkdir()
        return
    # a layer may name a file twice: the last one counts
    if target.is_symlink() or target.is_file():
        target.unlink()
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        source = root / member.linkname
        _make_parents(root, PurePosixPath(member.linkname).parent, path)
        if not stat.S_ISREG(os.lstat(source).st_mode):
            raise ImageError(f"the layer {path.name} is refused: {member.name!r} links to no file")
        os.link(source, target)
    else:
        content = tar.extractfile(member)
        with target.open("xb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, 1 << 20)
        target.chmod(member.mode & _MODE | 0o600)
        os.utime(target, (member.mtime, member.mtime))


def _make_parents(root: Path, folder: PurePosixPath, path: Path) -> None:
    here = root
    for part in folder.parts:
        here = here / part
        if here.is_symlink():
            raise ImageError(
                f"the layer {path.name} is refused: it writes through its link "
                f"{str(here.relative_to(root))!r}"
            )
        here.mkdir(exist_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[tarfile.TarFile]:
    """The layer's tar; what is wrong with it is told by its name."""
    import zstandard
    from isal import isal_zlib

    broken: Any = (tarfile.TarError, EOFError, zlib.error, isal_zlib.error, zstandard.ZstdError)
    try:
        with (
            path.open("rb") as file,
            opened(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            yield tar
    except broken as error:
        raise ImageError(f"the layer {path.name} is damaged, or no tar: {error}") from error
    except OSError as error:
        # gzip's own errors are of this kind as well
        if error.errno is None:
            raise ImageError(f"the layer {path.name} is damaged: {error}") from error
        raise
