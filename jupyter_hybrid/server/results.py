"""A job's files: what travelled, what it made, and the way into the workspace."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from .. import staging
from ..admission import needs_of
from ..blocking import aside
from ..comparing import compare
from ..errors import ResultError, UsageError
from ..job import SHORT_ID, Job
from ..listing import made_file, made_files, sent_files
from ..results import Free, bring_back, marked
from .answers import comparison_answer, fetched_answer
from .base import Endpoint, endpoint
from .ranges import parse_range
from .streams import attachment
from .submissions import image_named

#: Bytes that are read and sent at a time.
PIECE = 1 << 20


class Sent(Endpoint):
    """What travelled with the job."""

    path = "/jobs/{id}/files"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """List it."""
        job = await self.job(job_id)
        files = await sent_files(self.manager.executor(job.spec.target), job)
        self.answer({"files": [{"path": file.path, "size": file.size} for file in files]})


class Needs(Endpoint):
    """What the job's image has of what the notebook needs."""

    path = "/jobs/{id}/environment"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """Compare them as they were sent with the image as it is known, or with another one."""
        job, query = await self.job(job_id), self.query()
        config = self.manager.config
        changes: dict[str, Any] = {}
        if query.get("target"):
            changes["target"] = config.target(query["target"]).name
        if "image" in query:
            changes["image"] = image_named(query["image"], config)
        spec = replace(job.spec, **changes)
        found = await compare(
            self.manager.executor(spec.target),
            spec,
            lambda: needs_of(spec, staging.read_bundle(job, config)),
            resolve=query["resolve"],
        )
        self.answer({"environment": comparison_answer(found)})


class Results(Endpoint):
    """What the job made and changed."""

    path = "/jobs/{id}/results"

    @endpoint("read")
    async def get(self, job_id: str) -> None:
        """List it."""
        directory = await self.manager.result_directory(await self.job(job_id))
        made = await asyncio.to_thread(made_files, directory)
        self.answer(
            {
                "files": [
                    {"path": f.path, "size": f.size, "change": "new" if f.new else "changed"}
                    for f in made.files
                ],
                "deleted": list(made.deleted),
            }
        )


class Download(Endpoint):
    """One file that the job made or changed."""

    path = "/jobs/{id}/results/{file}"

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the path; a file's name need not be text."""
        return value.decode("utf-8", "surrogateescape")

    @endpoint("read")
    async def get(self, job_id: str, name: str) -> None:
        """Send it, or the part of it that is asked for, as an attachment."""
        # (a job's id is text, as the store is)
        asked = job_id.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        directory = await self.manager.result_directory(await self.job(asked))
        path = made_file(directory, name)
        size = path.stat().st_size
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Disposition", attachment(path.name))
        part = parse_range(self.request.headers.get("Range"), size)
        start, end = part or (0, size)
        if part is not None and start >= end:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{size}")
            self.finish(set_content_type="application/octet-stream")
            return
        if part is not None:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.set_header("Content-Length", str(end - start))
        self.set_header("Content-Type", "application/octet-stream")
        await self._send(path, start, end)
        self.finish(set_content_type="application/octet-stream")

    async def _send(self, path: Path, start: int, end: int) -> None:
        with path.open("rb") as file:
            file.seek(start)
            while start < end:
                piece = await asyncio.to_thread(file.read, min(PIECE, end - start))
                if not piece:
                    raise ResultError(f"{path.name} became shorter while it was sent")
                start += len(piece)
                self.write(piece)
                await self.flush()


class Fetch(Endpoint):
    """The way of an ended job's results into the workspace."""

    path = "/jobs/{id}/fetch"

    @endpoint("write", ("write", "contents"))
    async def post(self, job_id: str) -> None:
        """Bring notebook and files to where they came from, or to where the body says."""
        job, body = await self.job(job_id), self.body()
        workspace = self.service.workspace
        wanted: dict[str, str] = {
            name: await workspace.clean(body[name]) for name in ("output", "into") if name in body
        }
        if wanted.get("output") == "":
            raise UsageError("the path for the executed notebook is empty; write one")
        options = {name: body.get(name, True) for name in ("notebook", "files")}
        if workspace.files:
            options.update(self._destinations(job, wanted))
            fetched = (await self.manager.fetch(job.id, **options)).to_json()
        else:
            fetched = await self._upload(job, options, wanted)
        self.answer(await aside(fetched_answer, self.service, fetched))

    def _destinations(self, job: Job, wanted: Mapping[str, str]) -> dict[str, Path | Free]:
        workspace = self.service.workspace
        places = {name: place for name, path in wanted.items() if (place := workspace.local(path))}
        if "into" not in places and workspace.below(job.base) is None:
            raise UsageError(
                f"job {job.id} was submitted from {job.base or 'nowhere'}, which is not below the "
                "server's root; say with 'into' in which folder its results shall be"
            )
        home = workspace.below(job.spec.notebook_path or job.base)
        if "output" not in places and (home is None or job.spec.notebook_path is None):
            places["output"] = places.get("into", Path(job.base)) / _file_name(job)
        # by any name there may be somebody's work, as that of an earlier fetch that was edited
        return {name: Free(at) if name == "output" else at for name, at in places.items()}

    async def _upload(
        self, job: Job, options: Mapping[str, bool], wanted: Mapping[str, str]
    ) -> dict[str, Any]:
        """Save the results through the contents manager, beside whatever is there."""
        job = await self.manager.status(job.id)
        directory = await self.manager.result_directory(job)
        save, into = self.service.workspace.save, wanted.get("into", "")
        with TemporaryDirectory(prefix="jupyter-hybrid-") as name:
            output, files = Path(name, "notebook.ipynb"), Path(name, "files")
            fetched = await asyncio.to_thread(
                bring_back, job, directory, output=output, into=files, **options
            )
            saved: dict[str, Any] = fetched.to_json()
            saved |= {"notebook": None, "path": None, "files": [], "paths": []}
            try:
                if fetched.notebook:
                    path = wanted.get("output") or str(PurePosixPath(into, _file_name(job)))
                    saved["path"] = await save(path, await aside(_notebook_model, fetched.notebook))
                    saved["notebook"] = saved["path"]
                for file in fetched.files:
                    path = str(PurePosixPath(into, Path(file).relative_to(files).as_posix()))
                    saved["paths"].append(await save(path, await aside(_file_model, file)))
                    saved["files"] = saved["paths"]
            finally:
                # where the contents manager has them, up to the one that it did not take
                if saved["notebook"] or saved["files"] or saved["left"]:
                    await self.manager.note_fetch(job, saved)
        return saved


def _notebook_model(file: str) -> dict[str, Any]:
    """What the contents API has of a notebook, path and name apart."""
    return {"type": "notebook", "format": "json", "content": json.loads(Path(file).read_bytes())}


def _file_model(file: str) -> dict[str, Any]:
    """The same of a file."""
    with Path(file).open("rb") as read:
        # in pieces (of whole groups of three bytes), for no other thread goes on during one
        pieces = iter(partial(read.read, 3 * PIECE), b"")
        data = "".join(base64.b64encode(piece).decode("ascii") for piece in pieces)
    return {"type": "file", "format": "base64", "content": data}


def _file_name(job: Job) -> str:
    # a job may be called what no file can
    name = job.spec.name.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    stem = name.replace("/", "-").strip(". ")[:100] or "notebook"
    return marked(Path(f"{stem}.ipynb"), job.id[-SHORT_ID:]).name
