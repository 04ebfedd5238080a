"""The user's workspace as Jupyter Server shows it: paths of the contents API, and only those."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.filemanager import FileContentsManager
from tornado.web import HTTPError

from ..errors import NotebookError, ResultError, UsageError
from ..notebooks import Notebook, from_content, tags_of

#: The drive of documents that several people edit at once; their files are where they always are.
SHARED = "RTC:"


class Workspace:
    """What is below the server's root, through its contents manager, whichever that is."""

    def __init__(self, contents: Any) -> None:
        self._contents = contents

    @property
    def files(self) -> bool:
        """True where the contents are files of this machine."""
        return isinstance(self._contents, FileContentsManager)

    @property
    def root(self) -> Path:
        """The server's root; of no meaning where the contents are no files."""
        return Path(self._contents.root_dir).absolute()

    async def clean(self, path: str) -> str:
        """The path in its one spelling; raises ``UsageError`` where it leads elsewhere.

        A hidden file is none, unless the server shows hidden files.
        """
        names = [name for name in path.removeprefix(SHARED).split("/") if name not in ("", ".")]
        if ".." in names or not possible(path):
            raise UsageError(f"{path!r} does not stay below the server's root; name a path there")
        clean = "/".join(names)
        if not getattr(self._contents, "allow_hidden", True):
            try:
                hidden = await ensure_async(self._contents.is_hidden(clean))
            except HTTPError as error:
                raise UsageError(_sentence(path, error)) from error
            if hidden:
                raise UsageError(
                    f"there is no {path!r} in the workspace: the server does not show hidden "
                    "files (ContentsManager.allow_hidden)"
                )
        return clean

    def local(self, path: str) -> Path | None:
        """Where a clean path is on this machine; None where the contents are no files."""
        return self.root.joinpath(*path.split("/")) if self.files else None

    def below(self, path: Path | str | None) -> str | None:
        """The contents path of a file of this machine; None where it is not below the root."""
        if path is None or not self.files:
            return None
        # both as they are written and where links lead, for people write either; the disk is asked
        # only where it has to be: a list has hundreds of paths
        written = _relative(Path(path), self.root)
        if written is not None:
            return written
        try:
            return _relative(Path(path).resolve(), self.root.resolve())
        # (Python up to 3.12 has a RuntimeError for links that lead in circles)
        except (OSError, RuntimeError):
            return None

    async def saved(self, path: str) -> Notebook:
        """The notebook as it is saved (a clean path); raises ``NotebookError``."""
        try:
            model = await ensure_async(self._contents.get(path, content=True, type="notebook"))
        except HTTPError as error:
            raise NotebookError(_sentence(path, error)) from error
        return from_content(model["content"], self.local(path), label=f"the notebook {path}")

    async def notebook(
        self, path: str, screen: Mapping[str, Any] | None
    ) -> tuple[Notebook, bool, bool]:
        """The notebook that is sent, whether it is the one on screen, and whether that is unsaved.

        Raises ``NotebookError`` where neither is a notebook.
        """
        if screen is None:
            return await self.saved(path), False, False
        shown = from_content(screen, self.local(path), label=f"the notebook {path}")
        try:
            unsaved = _said(shown) != _said(await self.saved(path))
        except NotebookError:
            # never saved, or broken on disk: what is on screen is what there is
            unsaved = True
        return shown, True, unsaved

    async def save(self, path: str, model: dict[str, Any]) -> str:
        """Save a new file or notebook beside what is there already; returns its path."""
        try:
            folder, _, name = path.rpartition("/")
            free = await ensure_async(self._contents.increment_filename(name, folder, insert="-"))
            path = f"{folder}/{free}" if folder else str(free)
            await self._make_folder(folder)
            await ensure_async(self._contents.save({**model, "path": path, "name": free}, path))
        except HTTPError as error:
            raise ResultError(_sentence(path, error)) from error
        return path

    async def _make_folder(self, folder: str) -> None:
        if not folder or await ensure_async(self._contents.dir_exists(folder)):
            return
        await self._make_folder(folder.rpartition("/")[0])
        await ensure_async(self._contents.save({"type": "directory", "content": None}, folder))


def possible(text: str) -> bool:
    """True for what can be a path, or a variable's value, on this machine."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _said(notebook: Notebook) -> list[tuple[str, str, tuple[str, ...]]]:
    cells = notebook.content["cells"]
    return [(cell["cell_type"], cell["source"], tags_of(cell)) for cell in cells]


def said(error: HTTPError) -> str:
    """What a refusal of Jupyter Server's says: tornado keeps it as a format, with its values."""
    return str(error.log_message % error.args) if error.log_message else ""


def _sentence(path: str, error: HTTPError) -> str:
    reason = said(error) or error.reason or "the contents manager refused"
    if error.status_code == 404:
        return f"there is no {path!r} in the workspace; save it, or check the path"
    return f"{path}: {reason}"


def _relative(place: Path, root: Path) -> str | None:
    """The path from the root, with ``/``; None where the place is not below it."""
    if not place.is_relative_to(root) or ".." in place.parts:
        return None
    relative = place.relative_to(root).as_posix()
    return "" if relative == "." else relative
