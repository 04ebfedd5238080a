"""Walks the user's directories and collects what travels: files, links, empty directories.

Each file is looked at once (one ``stat``), and directories that do not travel are not entered.
"""

# plain strings, for a hundred thousand files pass through here
# ruff: noqa: PTH112, PTH114, PTH115, PTH118, PTH120

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from ..bundle import Link
from ..bundle.statcache import Stat
from ..errors import BundleError
from .ignore import ALWAYS, ENVIRONMENT_MARKS, FILE_NAME, Ignore
from .plan import PlannedFile, Refused

#: Files that travel without having been named; a home directory has more.
MOST_FILES = 100_000
_KINDS = {
    stat.S_IFIFO: "is a pipe",
    stat.S_IFSOCK: "is a socket",
    stat.S_IFBLK: "is a device",
    stat.S_IFCHR: "is a device",
}


class Tree:
    """What travels from below one base directory. Paths are relative to it, without ``..``.

    What is added first keeps its reason; add what the user named before what was found.
    """

    def __init__(self, base: str, exclude: Iterable[str] = ()) -> None:
        #: A real path without a slash at its end; ``""`` for the root directory.
        self.base = base.rstrip("/")
        self.ignore = Ignore(self.base)
        self.files: dict[str, PlannedFile] = {}
        self.links: dict[str, Link] = {}
        self.directories: set[str] = set()
        self.refused: dict[str, Refused] = {}
        self.notes: dict[str, None] = {}
        self._exclude = frozenset(exclude)
        #: Targets of kept links, which must travel too, and the links.
        self._targets: dict[str, str] = {}
        self._walked: set[tuple[str, bool]] = set()
        self._found = 0

    def add(self, path: str, why: str, *, explicit: bool = False) -> bool:
        """Add a file, or a directory with all that is in it. False where it does not travel."""
        resolved = self.resolve(path)
        if not resolved or self.source(resolved) in self._exclude:
            return False
        source = self.source(resolved)
        is_directory = os.path.isdir(source)
        reason = self.ignore.why(resolved, is_directory=is_directory)
        if reason is not None:
            self.refuse(resolved, reason)
            return False
        if is_directory:
            self.walk(resolved, why, explicit=explicit)
            return True
        self._take(resolved, why, explicit)
        return resolved in self.files

    def finish(self) -> None:
        """Add what the kept links lead to; call it last."""
        while self._targets:
            target, link = self._targets.popitem()
            self.add(target, f"the link {link} leads to it")

    def source(self, path: str) -> str:
        """The absolute path here."""
        return f"{self.base}/{path}" if path else self.base or "/"

    def refuse(self, path: str, reason: str) -> None:
        """Note that the path was found and does not travel."""
        self.refused.setdefault(path, Refused(path, reason))

    def entries(self, folder: str, *, hidden: bool = True) -> list[os.DirEntry[str]]:
        """What is in the folder and may travel, by name."""
        try:
            with os.scandir(self.source(folder)) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self.refuse(folder, f"cannot be listed: {error.strerror}")
            return []
        kept = [
            entry
            for entry in entries
            if entry.name not in ALWAYS
            and (hidden or entry.name[0] != ".")
            and entry.path not in self._exclude
        ]
        if not self.ignore.rules(folder):
            return kept
        return [entry for entry in kept if not self._ignored(folder, entry)]

    def _ignored(self, folder: str, entry: os.DirEntry[str]) -> bool:
        is_directory = entry.is_dir(follow_symlinks=False)
        return self.ignore.matches(join(folder, entry.name), is_directory=is_directory)

    def walk(self, folder: str, why: str, *, explicit: bool = False, hidden: bool = True) -> None:
        """Add all that is in the folder; without dot files where ``hidden`` is False."""
        pending = [folder]
        while pending:
            folder = pending.pop()
            if (folder, hidden) in self._walked:
                continue
            self._walked.add((folder, hidden))
            entries = self.entries(folder, hidden=hidden)
            if any(entry.name in ENVIRONMENT_MARKS for entry in entries):
                self.refuse(folder, "is an environment; packages are brought in another way")
                continue
            if not entries and folder and folder not in self.refused:
                self.directories.add(folder)
            for entry in entries:
                path = join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                else:
                    self.take_entry(path, entry, why, explicit)

    def take_entry(self, path: str, entry: os.DirEntry[str], why: str, explicit: bool) -> None:
        """Add the file or link that a listing has; for a file that costs one ``stat``."""
        if path in self.files or path in self.links:
            return
        if not entry.is_symlink():
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError as error:
                # gone since the folder was listed, as others' temporary files are
                self.refuse(path, f"cannot be looked at: {error.strerror}")
                return
            self._add_file(path, entry.path, found, why, explicit)
        elif self._is_sound(path):
            target = self._inside(path)
            if target is None:
                self._follow(path, why, explicit)
            elif target and not is_within(path, target):
                self._targets.setdefault(target, path)

    def _take(self, path: str, why: str, explicit: bool) -> None:
        if path in self.files:
            return
        source = self.source(path)
        try:
            found = os.stat(source)
        except OSError as error:
            self.refuse(path, f"cannot be looked at: {error.strerror}")
            return
        self._add_file(path, source, found, why, explicit)

    def _add_file(
        self, path: str, source: str, found: os.stat_result, why: str, explicit: bool
    ) -> None:
        mode = found.st_mode
        if not stat.S_ISREG(mode):
            self.refuse(path, _KINDS.get(stat.S_IFMT(mode), "is not a file"))
            return
        signs = Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        # without group's and others' right to write, which depends on the umask of the day
        self.files[path] = PlannedFile(
            path, source, found.st_size, mode & 0o755, why, signs, explicit
        )
        self._found += not explicit
        if self._found > MOST_FILES:
            raise BundleError(
                f"more than {MOST_FILES} files would travel ({why}, in {self.base}); "
                f"name those that are needed with --files, and the others in {FILE_NAME}"
            )

    # -- links ----------------------------------------------------------------------------------

    def resolve(self, path: str) -> str | None:
        """The path with the links on its way kept as links; None where one of them is refused."""
        done: list[str] = []
        rest = path.split("/") if path else []
        # as many links as the kernel follows in one path
        for _ in range(len(rest) + 40):
            if not rest:
                return "/".join(done)
            done.append(rest.pop(0))
            here = "/".join(done)
            if not os.path.islink(self.source(here)):
                continue
            if not self._is_sound(here):
                return None
            target = self._inside(here)
            if target is not None:
                done, rest = [], [*(target.split("/") if target else []), *rest]
        self.refuse(path, "leads through too many links")
        return None

    def _is_sound(self, path: str) -> bool:
        source = self.source(path)
        try:
            os.stat(source)
        except OSError as error:
            reason = f"is a link that cannot be followed: {error.strerror}"
            if error.errno == errno.ENOENT:
                reason = f"is a link that leads nowhere (to {os.readlink(source)})"
            elif error.errno == errno.ELOOP:
                reason = "is a loop of links"
            self.refuse(path, reason)
            return False
        return True

    def _inside(self, path: str) -> str | None:
        """Keep the link, and say where below the base it leads; None where it leads out."""
        source, folder = self.source(path), os.path.dirname(path)
        if not is_within(os.path.realpath(self.source(folder)), self.base):
            return None  # reached through a link out: its own links are followed as well
        real = os.path.realpath(source)
        if not is_within(real, self.base):
            return None
        text = os.readlink(source)
        target = os.path.normpath(os.path.join(folder, text))
        if text.startswith("/") or target.split("/")[0] == "..":
            target = os.path.relpath(real, self.base or "/")
            text = os.path.relpath(target, folder or ".")
        self.links[path] = Link(path, text)
        return "" if target == "." else target

    def _follow(self, path: str, why: str, explicit: bool) -> None:
        """Add what a link leads to outside of the base, in the link's place."""
        source = self.source(path)
        self.notes.setdefault(f"{path} is a link out of {self.base}; what it leads to travels")
        if not os.path.isdir(source):
            self._take(path, why, explicit)
            return
        real = os.path.realpath(source)
        names = path.split("/")[:-1]
        above = {os.path.realpath(self.source("/".join(names[:n]))) for n in range(len(names) + 1)}
        if any(is_within(folder, real) for folder in above):
            self.refuse(path, f"is a link to a directory that it is in ({real})")
            return
        self.walk(path, why, explicit=explicit)


def is_within(path: str, folder: str) -> bool:
    """True where the path is the folder or below it; both are normal."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def join(folder: str, name: str) -> str:
    """The path of what is called so in the folder; ``""`` is the base."""
    return f"{folder}/{name}" if folder else name
