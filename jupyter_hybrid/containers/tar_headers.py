"""Headers of a tar's entries, the same bytes from every Python. Pure."""

from __future__ import annotations

import tarfile

#: 1980-01-01: the oldest time that zip archives, which people make of installed files, can say.
TIME = 315532800

FILE, LINK, DIRECTORY = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
#: The longest name, or target of a link, and the size that the format's first version has room for.
_NAME, _SIZE = 99, 8**11 - 1
#: Where a block has its sum, and the numbers of a device (POSIX, "ustar Interchange Format").
_SUM, _DEVICE = slice(148, 156), slice(329, 345)


def header(kind: bytes, name: str, mode: int, *, size: int = 0, link: str = "") -> bytes:
    """The header of one entry, which stands before its content."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, size, link, TIME
    short = len(name) <= _NAME and len(link) <= _NAME and size <= _SIZE
    if short and name.isascii() and link.isascii():
        # the same bytes as below, at a third of the time
        return _same(info.tobuf(tarfile.USTAR_FORMAT))
    data = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    last = len(data) - tarfile.BLOCKSIZE
    if not last:
        return _same(data)
    # an extended header, its records, and the header itself
    first, records = data[: tarfile.BLOCKSIZE], data[tarfile.BLOCKSIZE : last]
    return _same(first) + records + _same(data[last:])


def _same(block: bytes) -> bytes:
    """The block with zeros where nothing is a device: up to Python 3.10 there are digits."""
    made = bytearray(block)
    made[_DEVICE] = bytes(16)
    # of all bytes, those of the sum itself taken as spaces
    made[_SUM] = b" " * 8
    made[_SUM] = b"%06o\0 " % sum(made)
    return bytes(made)
