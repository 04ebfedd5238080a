"""File contents by their sha256, below ``blobs``: whole and checked, or under another name."""

import hashlib
import json
import os
import threading
import time
from typing import Any, Dict, List, Tuple

from .disk import DAY, content, hashed, link, mark, scratch_name, words, write_all
from .wire import Answer, Header, Refused

#: Seconds after which a half-sent blob is nobody's any more.
ABANDONED = 7 * DAY


class Blobs:
    """The blobs below our directory."""

    def __init__(self, root: str) -> None:
        self._top = os.path.join(root, "blobs")
        #: Of blobs that are arriving: how much is here, and the hash of that.
        self._hashes: Dict[str, Tuple[int, Any]] = {}
        self._unpacking = threading.Lock()
        self._bad: Dict[str, List[List[str]]] = {}

    def path(self, digest: str) -> str:
        """Where the blob is or would be."""
        return os.path.join(self._top, digest[:2], digest)

    def _part(self, digest: str) -> str:
        return os.path.join(self._top, ".incoming", digest)

    def missing(self, header: Header, payload: bytes) -> Answer:
        """Which of the blobs (32 bytes each in the payload) are not here."""
        return {"missing": self._missing(payload, header["sizes"])}, b""

    def known(self, header: Header, payload: bytes) -> Answer:
        """Of a manifest that is here as a blob: which of its files are not."""
        try:
            entries = json.loads(content(self.path(header["digest"])).decode("ascii"))["files"]
        except (OSError, ValueError, KeyError):
            return {"known": False}, b""
        digests = b"".join(bytes.fromhex(entry["digest"]) for entry in entries)
        return {"known": True, "missing": self._missing(digests, [e["size"] for e in entries])}, b""

    def _missing(self, digests: bytes, sizes: List[int]) -> List[List[int]]:
        """[number, bytes that are here already] of those that are not here with their size."""
        found = []
        for number, size in enumerate(sizes):
            digest = digests[32 * number : 32 * number + 32].hex()
            if self._has(digest, size):
                continue
            try:
                found.append([number, min(os.stat(self._part(digest)).st_size, size)])
            except OSError:
                found.append([number, 0])
        return found

    def _has(self, digest: str, size: int) -> bool:
        path = self.path(digest)
        try:
            status = os.stat(path)
            # its time says when it was wanted last
            if status.st_size == size and time.time() - status.st_mtime > DAY:
                os.utime(path)
        except OSError:
            return False
        # a crash of the machine may have left less than was written
        return status.st_size == size

    def blob(self, header: Header, payload: bytes) -> None:
        """A piece of a blob, at its offset. What goes wrong is told by ``blobs_done``."""
        digest = str(header["digest"])
        try:
            if header["offset"] == 0 and len(payload) == header["size"]:
                self._whole(digest, payload)
            else:
                self._one_of_several(digest, header["size"], header["offset"], payload)
        except OSError as error:
            self._note(header, words(self._top, error))
        except Refused as error:
            self._note(header, str(error))

    def _note(self, header: Header, said: str) -> None:
        self._bad.setdefault(header["batch"], []).append([header["digest"], said])

    def blobs_done(self, header: Header, payload: bytes) -> Answer:
        """What went wrong with the blobs of a batch: [digest, words]."""
        return {"bad": self._bad.pop(header["batch"], [])}, b""

    def _one_of_several(self, digest: str, size: int, offset: int, payload: bytes) -> None:
        """As ``_piece``, where others may be sending the same: whoever is first names it."""
        if not self._has(digest, size):
            try:
                self._piece(digest, size, offset, payload)
                return
            except (FileNotFoundError, PermissionError, Refused):
                # what is whole may not be written any more, and gets its name in this very moment
                if not self._comes(digest, size):
                    raise
        self._hashes.pop(digest, None)
        try:
            os.unlink(self._part(digest))
        except OSError:
            pass

    def _piece(self, digest: str, size: int, offset: int, payload: bytes) -> None:
        part = self._part(digest)
        known = self._hashes.pop(digest, None)
        if known is None or known[0] != offset:
            os.makedirs(os.path.dirname(part), 0o700, exist_ok=True)
            # begun over another connection: what is there counts as well
            known = (offset, hashed(part, offset) if offset else hashlib.sha256())
        known[1].update(payload)
        end = offset + len(payload)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            if os.fstat(descriptor).st_size < offset:
                raise Refused(f"what had come of the blob {digest[:12]} is gone; submit it again")
            write_all(descriptor, payload, offset)
            if end < size:
                self._hashes[digest] = (end, known[1])
                return
            os.ftruncate(descriptor, size)
            os.fchmod(descriptor, 0o444)
        finally:
            os.close(descriptor)
        if known[1].hexdigest() != digest:
            os.unlink(part)
            raise Refused(f"the blob {digest[:12]} arrived damaged; it is sent again next time")
        self._settle(part, digest)

    def _whole(self, digest: str, payload: bytes) -> None:
        if hashlib.sha256(payload).hexdigest() != digest:
            raise Refused(f"the blob {digest[:12]} arrived damaged; it is sent again next time")
        scratch = scratch_name(self._part(digest))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            descriptor = os.open(scratch, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(scratch), 0o700, exist_ok=True)
            descriptor = os.open(scratch, flags, 0o600)
        try:
            write_all(descriptor, payload, 0)
            os.fchmod(descriptor, 0o444)
        except OSError:
            # a full disk needs every byte
            os.unlink(scratch)
            raise
        finally:
            os.close(descriptor)
        self._settle(scratch, digest)

    def _comes(self, digest: str, size: int) -> bool:
        """Whether the blob is here within a second."""
        for _ in range(20):
            if self._has(digest, size):
                return True
            time.sleep(0.05)
        return False

    def _settle(self, scratch: str, digest: str) -> None:
        path = self.path(digest)
        try:
            os.rename(scratch, path)
        except FileNotFoundError:
            # (or somebody else has named the file that both of us were sending)
            if not os.path.exists(path):
                os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
                os.rename(scratch, path)

    def place(self, header: Header, payload: bytes) -> Answer:
        """Give blobs a second name: ``files`` is [absolute path, digest, mode]."""
        for target, digest, mode in header["files"]:
            os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
            link(self.path(digest), target, mode)
        return {}, b""

    def unpack(self, header: Header, payload: bytes) -> Answer:
        """Unpack a tar archive that is here as a blob into a directory, once."""
        # several may be asked for at the same time, and their scratch directory has one name
        with self._unpacking:
            if not mark(header["into"]):
                self._unpack(self.path(header["digest"]), header["into"])
        return {"path": header["into"]}, b""

    def _unpack(self, archive: str, target: str) -> None:
        import shutil
        import tarfile

        os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
        scratch = scratch_name(target)
        shutil.rmtree(scratch, ignore_errors=True)
        with tarfile.open(archive) as file:
            file.extractall(scratch)
        try:
            os.rename(scratch, target)
        except OSError:
            # another process has just done it
            shutil.rmtree(scratch, ignore_errors=True)

    def sweep(self, header: Header, payload: bytes) -> Answer:
        """Remove what nobody went on sending for a week."""
        incoming, removed = os.path.join(self._top, ".incoming"), 0
        for name in os.listdir(incoming) if os.path.isdir(incoming) else ():
            path = os.path.join(incoming, name)
            try:
                if time.time() - os.stat(path).st_mtime > ABANDONED:
                    os.unlink(path)
                    removed += 1
            except OSError:
                continue
        return {"removed": removed}, b""
