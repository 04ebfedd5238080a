"""Headers of a tar's entries: the same bytes from every Python, and quickly. Pure.

The format is POSIX's ("pax, ustar Interchange Format"). ``tarfile`` writes it as well, at six times
the cost of each of an environment's ten thousand files, and fills unused fields in one way up to
Python 3.10 and in another one since: two people's layers of the same files would be two layers.
"""

from __future__ import annotations

import tarfile

#: 1980-01-01: the oldest time that zip archives, which people make of installed files, can say.
TIME = 315532800

FILE, LINK, DIRECTORY, _EXTENDED = b"0", b"2", b"5", b"x"
#: Bytes of the fields for a name (and for what a link points at) and for what stands before it.
_NAME, _PREFIX = 100, 155
#: The largest size that the field's octal digits say.
_SIZE = 8**11
#: User and group are 0; they have no names, and nothing is a device.
_OWNER, _TIME = b"0000000\0" * 2, b"%011o\0" % TIME
_REST = b"ustar\x0000" + bytes(32 + 32 + 8 + 8)
#: What all headers have of their sum.
_SUM = sum(_REST) + sum(b" " * 8)


def header(kind: bytes, name: str, mode: int, *, size: int = 0, link: str = "") -> bytes:
    """The header of one entry, which stands before its content."""
    path, target = (text.encode("utf-8", "surrogateescape") for text in (name, link))
    ascii_only = path.isascii() and target.isascii()
    if ascii_only and len(path) <= _NAME and len(target) <= _NAME and size < _SIZE:
        return _block(kind, path, mode, size, target)
    records, prefix = b"", b""
    if not path.isascii() or len(path) > _NAME:
        prefix, rest = _split(path)
        if not rest:
            records += _record(b"path", path)
        path = rest or path[:_NAME]
    if not target.isascii() or len(target) > _NAME:
        records += _record(b"linkpath", target)
        target = target[:_NAME]
    if size >= _SIZE:
        records += _record(b"size", b"%d" % size)
        size = 0
    extended = b""
    if records:
        extended = _block(_EXTENDED, b"././@PaxHeader", 0o644, len(records), b"") + records
        extended += bytes(-len(records) % tarfile.BLOCKSIZE)
    return extended + _block(kind, path, mode, size, target, prefix)


def _block(
    kind: bytes, path: bytes, mode: int, size: int, target: bytes, prefix: bytes = b""
) -> bytes:
    numbers = b"%07o\0%b%011o\0%b" % (mode, _OWNER, size, _TIME)
    # of all bytes, those of the sum itself taken as spaces; what is filled up is zeros
    total = _SUM + sum(b"%b%b%b%b%b" % (path, numbers, kind, target, prefix))
    return b"%b%b%06o\0 %b%b%b%b" % (
        path.ljust(_NAME, b"\0"),
        numbers,
        total,
        kind,
        target.ljust(_NAME, b"\0"),
        _REST,
        prefix.ljust(_PREFIX + 12, b"\0"),
    )


def _split(path: bytes) -> tuple[bytes, bytes]:
    """The path as prefix and name, which readers join by a slash; empty where that cannot be."""
    cut = path.rfind(b"/", 0, _PREFIX + 1)
    if not path.isascii() or cut < 1 or not 0 < len(path) - cut - 1 <= _NAME:
        return b"", b""
    return path[:cut], path[cut + 1 :]


def _record(key: bytes, value: bytes) -> bytes:
    """One record of an extended header: its own length, which counts itself, then the rest."""
    rest = b" %b=%b\n" % (key, value)
    length = len(rest) + 1
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    charset = b""
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        charset = b"21 hdrcharset=BINARY\n"
    return charset + b"%d%b" % (length, rest)
