"""What does not travel: ``.hybridignore`` files, and what never should."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BundleError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

FILE_NAME = ".hybridignore"

#: The directory in which modules from elsewhere are laid out at the job.
MODULES = ".hybrid/modules"

#: Names that never travel, files or directories.
ALWAYS = frozenset(
    {
        *(".git", ".hg", ".svn", ".jj", ".DS_Store"),
        *("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"),
        *(".venv", "node_modules", ".tox", ".nox", ".eggs", ".hypothesis", ".virtual_documents"),
        # ours: what does not travel, and what the job's modules lie in
        *(FILE_NAME, ".hybrid"),
    }
)
#: A directory that holds one of these is an environment, whatever its name.
ENVIRONMENT_MARKS = frozenset({"pyvenv.cfg", "conda-meta"})


class Ignore:
    """The ``.hybridignore`` files from a base directory downwards, in gitignore's syntax."""

    def __init__(self, base: str | Path) -> None:
        self._base = os.fspath(base)
        self._rules: dict[str, tuple[tuple[int, GitIgnoreSpec], ...]] = {}

    def why(self, path: str, *, is_directory: bool = False) -> str | None:
        """Why the path (relative to the base) does not travel; None where it does.

        As in gitignore, what is below an ignored directory is ignored.
        """
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            part = "/".join(names[:depth])
            if names[depth - 1] in ALWAYS:
                return f"{names[depth - 1]} never travels"
            if self.matches(part, is_directory=is_directory or depth < len(names)):
                return f"{FILE_NAME} names it"
        return None

    def matches(self, path: str, *, is_directory: bool) -> bool:
        """True where the deepest ``.hybridignore`` that has a word on this very path ignores it."""
        rules = self.rules(path.rpartition("/")[0])
        if not rules:
            return False
        slash = "/" if is_directory else ""
        for start, spec in reversed(rules):
            included = spec.check_file(path[start:] + slash).include
            if included is not None:
                return included
        return False

    def rules(self, folder: str) -> tuple[tuple[int, GitIgnoreSpec], ...]:
        """The files that apply in the folder, outermost first, with the length of their prefix."""
        known = self._rules.get(folder)
        if known is None:
            above = self.rules(folder.rpartition("/")[0]) if folder else ()
            own = _read(f"{self._base}/{folder}/{FILE_NAME}" if folder else self._base_file())
            prefix = len(folder) + 1 if folder else 0
            known = above if own is None else (*above, (prefix, own))
            self._rules[folder] = known
        return known

    def _base_file(self) -> str:
        return f"{self._base}/{FILE_NAME}"


def _read(path: str) -> GitIgnoreSpec | None:
    try:
        data = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise BundleError(f"{path!r} cannot be read: {error.strerror}") from error
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(os.fsdecode(data).splitlines())
    except ValueError as error:
        raise BundleError(f"{path!r} is not in gitignore's syntax: {error}") from error
