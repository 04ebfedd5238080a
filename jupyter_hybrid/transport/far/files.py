"""Requests about files and commands; relative names are below our directory."""

import os
import shutil
import signal
import socket
import subprocess
import time
from typing import Any, List

from .disk import born, content, hashed, look, mark, write
from .wire import CHUNK, Answer, Header, Refused

#: Bytes of a command's complaints that are kept.
COMPLAINTS = 1 << 16
#: Files up to this size travel whole in ``pack``.
PACKABLE = CHUNK // 4


class Files:
    """What can be asked about files and commands; a method for each request."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, name: str) -> str:
        """The path; relative ones are below our directory."""
        return os.path.join(self.root, name)

    def run(self, header: Header, payload: bytes) -> Answer:
        """Run a command to its end, or for ``timeout`` seconds."""
        environment = dict(os.environ, **header.get("env", {}))
        try:
            process = subprocess.Popen(
                header["argv"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=header.get("cwd"),
                start_new_session=True,
            )
        except OSError as error:
            said = "{}: {}".format(error.filename or header["argv"][0], error.strerror)
            return {"code": 127, "stderr": said}, b""
        code = None
        try:
            out, err = process.communicate(payload, header.get("timeout"))
            code = process.returncode
        except subprocess.TimeoutExpired:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                pass
            out, err = process.communicate()
        return {"code": code, "stderr": err[-COMPLAINTS:].decode("utf-8", "replace")}, out

    def once(self, header: Header, payload: bytes) -> Answer:
        """Run a command unless its record is there; what it prints becomes the record.

        The marker beside the record says that somebody has begun. What became of that is for the
        caller to find out, who then writes the record or removes the marker.
        """
        record = self.path(header["record"])
        marker = record + ".begun"
        if os.path.exists(record):
            return {"code": 0, "first": False}, content(record)
        try:
            descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return self._begun(record, marker)
        me = f"{socket.gethostname()} {os.getpid()} {born(os.getpid())}"
        with os.fdopen(descriptor, "w") as file:
            file.write(me)
        answer, out = self.run(header, payload)
        if answer["code"] == 0:
            write(record, out, 0o600)
        return dict(answer, first=True), out

    def _begun(self, record: str, marker: str) -> Answer:
        if os.path.exists(record):
            return {"code": 0, "first": False}, content(record)
        try:
            age = time.time() - os.stat(marker).st_mtime
            said = content(marker).decode("utf-8", "replace").split()
        except OSError:
            age, said = 0.0, []
        host, pid, ticks = [*said, "", "", ""][:3]
        here = host == socket.gethostname()
        # a machine that was just told its name has it before it says who it is
        alive = (not said and age < 5) or (here and pid.isdigit() and born(int(pid)) == ticks)
        answer = {"begun": True, "alive": alive, "here": here, "age": age}
        return dict(answer, said=" ".join(said)), b""

    def begin(self, header: Header, payload: bytes) -> Answer:
        """Mark the records as begun by an array of commands: ``array NAME NUMBER``.

        Says which of them somebody else has begun.
        """
        others = []
        for number, name in enumerate(header["records"]):
            marker, text = self.path(name) + ".begun", "array {} {}".format(header["array"], number)
            try:
                if os.path.exists(self.path(name)):
                    raise FileExistsError
                descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                # asked again over another connection, it finds its own
                if not os.path.exists(marker) or content(marker) != text.encode("ascii"):
                    others.append(number)
                continue
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
        return {"others": others}, b""

    def write(self, header: Header, payload: bytes) -> Answer:
        """Write small files by rename: ``files`` is [name, size, mode] in the payload's order."""
        start = 0
        for name, size, mode in header["files"]:
            write(self.path(name), payload[start : start + size], mode)
            start += size
        return {}, b""

    def lay(self, header: Header, payload: bytes) -> Answer:
        """As ``write``, where all paths in ``wanted`` are there; tells whether they are.

        Those in ``begun`` are made where they are not there, and left as they are else.
        """
        if not all(mark(self.path(name)) for name in header["wanted"]):
            return {"there": False}, b""
        for name in header["begun"]:
            path = self.path(name)
            os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self.write(header, payload)
        return {"there": True}, b""

    def read(self, header: Header, payload: bytes) -> Answer:
        """What is behind ``offset`` in a file; nothing where there is none."""
        look(os.path.dirname(self.path(header["path"])))
        try:
            with open(self.path(header["path"]), "rb", buffering=0) as file:
                file.seek(header["offset"])
                return {}, file.read(min(header.get("limit", CHUNK), CHUNK)) or b""
        except (FileNotFoundError, NotADirectoryError):
            return {"none": True}, b""

    def peek(self, header: Header, payload: bytes) -> Answer:
        """Small files at once: [size, age in seconds, bytes in the payload], or null, for each.

        Ages are by the file system's own clock, which need not be any machine's.
        """
        now = self._now()
        found: List[Any] = []
        contents: List[bytes] = []
        for folder in sorted({os.path.dirname(self.path(name)) for name in header["paths"]}):
            look(folder)
        for name in header["paths"]:
            try:
                status = os.stat(self.path(name))
                small = status.st_size <= header["limit"]
                contents.append(content(self.path(name)) if small else b"")
            except OSError:
                found.append(None)
                continue
            found.append([status.st_size, round(now - status.st_mtime, 2), len(contents[-1])])
        return {"found": found}, b"".join(contents)

    def _now(self) -> float:
        clock = self.path(".clock")
        try:
            with open(clock, "a"):
                os.utime(clock)
            return os.stat(clock).st_mtime
        except OSError:
            return time.time()

    def pack(self, header: Header, payload: bytes) -> Answer:
        """Files as far as they fit into one answer: [size or -1, bytes in the payload, words]."""
        sizes: List[Any] = []
        parts: List[bytes] = []
        total = 0
        for name in header["paths"]:
            try:
                size = os.stat(self.path(name)).st_size
                if size <= PACKABLE and total + size > CHUNK:
                    break
                parts.append(content(self.path(name)) if size <= PACKABLE else b"")
            except OSError as error:
                sizes.append([-1, 0, error.strerror])
                continue
            sizes.append([size, len(parts[-1]), ""])
            total += len(parts[-1])
        return {"sizes": sizes}, b"".join(parts)

    def digest(self, header: Header, payload: bytes) -> Answer:
        """The sha256 of a file."""
        return {"sha256": hashed(self.path(header["path"])).hexdigest()}, b""

    def walk(self, header: Header, payload: bytes) -> Answer:
        """Regular files below a directory: [path relative to it, size, mode, sha256 if wanted]."""
        top, found = self.path(header["path"]), []
        for folder, names, files in os.walk(top):
            names[:] = sorted(set(names) - set(header.get("without", ())))
            for name in sorted(files):
                path = os.path.join(folder, name)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                status = os.stat(path)
                digest = hashed(path).hexdigest() if header.get("hash") else ""
                mode = status.st_mode & 0o777
                found.append([os.path.relpath(path, top), status.st_size, mode, digest])
        return {"files": found}, b""

    def remove(self, header: Header, payload: bytes) -> Answer:
        """Remove files and directories below ours with all that is in them; they may be gone."""
        for name in header["paths"]:
            self._remove(os.path.normpath(self.path(name)))
        return {}, b""

    def _remove(self, path: str) -> None:
        if not path.startswith(self.root + os.sep):
            raise Refused(f"{path} is not below {self.root} and is not removed")
        if os.path.islink(path) or not os.path.isdir(path):
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass
            return
        for folder, names, _files in os.walk(path):
            # the job may have taken permissions away, its own included
            for entry in [folder] + [os.path.join(folder, name) for name in names]:
                try:
                    if not os.path.islink(entry):
                        os.chmod(entry, 0o700)
                except FileNotFoundError:
                    # another process removes the same
                    pass
        # what ends may write its last while we are at it
        for pause in (0.1, 0.3, 1.0, 0.0):
            shutil.rmtree(path, ignore_errors=True)
            if not os.path.isdir(path):
                return
            time.sleep(pause)
        raise Refused(f"{path} cannot be removed completely; remove it by hand")
