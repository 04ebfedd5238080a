"""From a notebook's path to a request, refused here if it cannot be carried out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import NotebookError
from .kernels import choose_kernel
from .notebooks import Notebook, read_notebook
from .parameters import check, check_names, to_json
from .paths import JobPaths
from .request import Request
from .staging import sent_directory

if TYPE_CHECKING:
    from .config import Hybrid
    from .job import Job

#: What is to be had for Python only.
_NOT_LOOKED_FOR = "in {} code no files are looked for: send what it needs with --files"


def notebook_request(path: Path | str, **options: Any) -> Request:
    """A request for the notebook in this file; options as ``request_for``.

    Raises ``NotebookError`` or ``ParameterError`` before anything is sent.
    """
    return request_for(read_notebook(path), **options)


def request_for(
    notebook: Notebook,
    *,
    parameters: Mapping[str, Any] | None = None,
    kernel: str | None = None,
    directory: Path | None = None,
    unchecked: bool = False,
    here: bool,
    **options: Any,
) -> Request:
    """A request for this whole notebook; ``options`` are ``Request``'s own fields.

    ``directory`` is where the kernel starts (default: the notebook's own). ``unchecked`` does not
    compare the parameters with the notebook's ``parameters`` cell. ``here`` is what
    ``Hybrid.runs_here`` says: only then is it known which kernels there are.
    Raises ``ParameterError`` before anything is sent.
    """
    values = to_json(parameters or {})
    if here:
        chosen, language, note = choose_kernel(notebook, kernel)
    else:
        chosen, language, note = kernel or notebook.kernel, notebook.language, ""
    notes = [note] if note else []
    notes += check(values, notebook, unchecked=unchecked)
    if language != "python" and not options.get("files"):
        notes.append(_NOT_LOOKED_FOR.format(language))
    options["name"] = options.get("name") or _name(notebook)
    return Request(
        kind="notebook",
        notebook=notebook.content,
        notebook_path=notebook.path,
        directory=directory or (notebook.path.parent if notebook.path else Path.cwd()),
        parameters=values,
        kernel=chosen,
        language=language,
        code=notebook.sources() if language == "python" else (),
        notes=tuple(notes),
        **options,
    )


def _name(notebook: Notebook) -> str:
    return notebook.path.stem if notebook.path else "notebook"


def check_rerun(
    job: Job, parameters: Mapping[str, Any], config: Hybrid, *, unchecked: bool = False
) -> None:
    """Refuse parameters as a submit does, where the notebook that was sent can be read here.

    Raises ``ParameterError``.
    """
    check_names(parameters, job.spec.language)
    try:
        notebook = sent_notebook(job, config)
    except NotebookError:
        return
    check(parameters, notebook, unchecked=unchecked)


def sent_notebook(job: Job, config: Hybrid) -> Notebook:
    """The notebook that a job was sent with; raises ``NotebookError`` where it is not here."""
    return read_notebook(JobPaths(sent_directory(job, config)).notebook)


def rerun_kernel(
    job: Job, kernel: str | None, config: Hybrid, *, target: str, image: str | None
) -> dict[str, str | None]:
    """The fields of the spec for a rerun with this kernel, None for the notebook's own.

    Raises ``NotebookError`` where it is known that there is no such kernel.
    """
    notebook = sent_notebook(job, config)
    if config.runs_here(target, image):
        chosen, language, _ = choose_kernel(notebook, kernel)
    else:
        chosen, language = kernel or notebook.kernel, notebook.language
    return {"kernel": chosen, "language": language}
