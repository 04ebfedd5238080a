"""Serve requests until the connection ends, then finish what is under way.

A ``sbatch`` that was started is recorded whether or not anybody still listens.
"""

import os
import pwd
import signal
import socket
import sys
import threading
import time
from typing import Callable, Dict, List

from .blobs import Blobs
from .disk import words
from .files import Files
from .room import Room
from .shelf import Shelf
from .wire import CHUNK, Answer, Connection, Header, Refused

#: Seconds between two looks at watched files, while they grow and while they do not.
BUSY, QUIET = 0.02, 0.25
#: How much longer each pause of a silence is: what comes next is seen late by 2 % of the silence.
LONGER = 1.02
#: Requests that may take long: the others do not wait for them.
SLOW = frozenset("run once remove walk digest unpack missing known sweep room prune".split())

Action = Callable[[Header, bytes], Answer]


class Watch:
    """Sends what is appended to files. Network file systems tell nobody that a file has grown."""

    def __init__(self, connection: Connection, path: Callable[[str], str]) -> None:
        self._connection, self._path = connection, path
        self._offsets: Dict[str, int] = {}
        self._wake = threading.Event()

    def watch(self, header: Header, payload: bytes) -> Answer:
        """Send what is behind ``offset`` in the file now, and whatever is appended later."""
        self._offsets[header["path"]] = header["offset"]
        self._wake.set()
        return {}, b""

    def unwatch(self, header: Header, payload: bytes) -> Answer:
        """Send no more of that file."""
        self._offsets.pop(header["path"], None)
        return {}, b""

    def _look(self) -> bool:
        news = False
        for name, offset in list(self._offsets.items()):
            try:
                with open(self._path(name), "rb", buffering=0) as file:
                    if os.fstat(file.fileno()).st_size <= offset:
                        continue
                    file.seek(offset)
                    data = file.read(CHUNK) or b""
            except OSError:
                continue
            if data and self._offsets.get(name) == offset:
                self._offsets[name] = offset + len(data)
                self._connection.send({"watched": name, "offset": offset}, data)
                news = True
        return news

    def keep_looking(self) -> None:
        """The thread of it."""
        pause = BUSY
        while True:
            if self._wake.wait(pause if self._offsets else None):
                self._wake.clear()
                pause = BUSY
            pause = BUSY if self._look() else min(pause * LONGER, QUIET)


def user() -> str:
    """Who we are on this machine."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def own_directory(named: str) -> str:
    """The directory as an absolute path, made and private to us; raises ``Refused``."""
    path = os.path.expanduser(os.path.expandvars(named.replace("{user}", user())))
    host = socket.gethostname()
    if not os.path.isabs(path):
        raise Refused(
            f"the directory {named!r} is {path!r} on {host}, which is not absolute; "
            "write one that begins with / or ~"
        )
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        status = os.stat(path)
    except OSError as error:
        raise Refused(f"the directory {named} cannot be used: {words(path, error)}") from error
    if status.st_uid != os.geteuid():
        raise Refused(
            f"the directory {path} on {host} is another user's ({status.st_uid}); "
            f"name one of your own, such as {path}/{{user}}"
        )
    if status.st_mode & 0o077:
        os.chmod(path, 0o700)
    return os.path.realpath(path)


def actions(root: str, connection: Connection) -> Dict[str, Action]:
    """What can be asked, by name."""
    files, blobs = Files(root), Blobs(root)
    watch = Watch(connection, files.path)
    threading.Thread(target=watch.keep_looking, daemon=True).start()
    found: Dict[str, Action] = {}
    for asked in (files, blobs, watch, Room(root), Shelf(root)):
        for name in dir(asked):
            if not name.startswith("_"):
                found[name] = getattr(asked, name)
    return found


def answer(action: Action, root: str, connection: Connection, header: Header, data: bytes) -> None:
    """Carry out one request and send the answer."""
    try:
        fields, payload = action(header, data)
    except Refused as error:
        fields, payload = {"error": str(error)}, b""
    except OSError as error:
        fields, payload = {"error": words(root, error), "errno": error.errno}, b""
    # the other side words it; nobody reads a traceback here
    except Exception as error:  # noqa: BLE001
        fields, payload = {"error": f"{type(error).__name__}: {error}"}, b""
    connection.send(dict(fields, id=header["id"]), payload)


def greet(connection: Connection, named: str) -> str:
    """Say who and where we are; returns our directory, empty where there is none."""
    hello: Header = {
        "user": user(),
        "host": socket.gethostname(),
        "python": list(sys.version_info[:3]),
        "time": time.time(),
    }
    try:
        hello["root"] = own_directory(named)
        hello["noexec"] = bool(os.statvfs(hello["root"]).f_flag & os.ST_NOEXEC)
    except Refused as error:
        hello["error"] = str(error)
    connection.send(hello)
    return str(hello.get("root", ""))


def main(marker: bytes, named: str) -> None:
    """Say hello behind the marker, then serve."""
    os.umask(0o077)
    read, write = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    # what anything prints here must not get between the messages
    os.dup2(2, 1)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.write(write, marker)
    connection = Connection(read, write)
    root = greet(connection, named)
    if root:
        serve(connection, root)


def serve(connection: Connection, root: str) -> None:
    """Answer until the connection ends."""
    known = actions(root, connection)
    threads: List[threading.Thread] = []
    while True:
        message = connection.receive()
        if message is None:
            return
        header, payload = message
        if header["op"] == "blob":
            known["blob"](header, payload)
            continue
        arguments = (known[header["op"]], root, connection, header, payload)
        if header["op"] not in SLOW:
            answer(*arguments)
            continue
        threads = [thread for thread in threads if thread.is_alive()]
        threads.append(threading.Thread(target=answer, args=arguments))
        threads[-1].start()
