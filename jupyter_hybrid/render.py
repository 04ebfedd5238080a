"""Render a result with nbconvert: complete or partial, of jobs that failed as well."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from .errors import ResultError, UsageError
from .files import replacing
from .job import SHORT_ID

#: Formats that people ask for under another name.
_ALIASES = {
    "md": "markdown",
    "tex": "latex",
    "python": "script",
    "py": "script",
}
#: Programs without which a format cannot be made, and the Debian packages that have them.
_PROGRAMS = {
    "pandoc": "pandoc",
    "xelatex": "texlive-xetex texlive-fonts-recommended texlive-plain-generic",
}


_log = logging.getLogger(__name__)
# nbconvert warns of images without alternative text and the like: not this user's business
_log.setLevel(logging.ERROR)


def check_format(name: str) -> str:
    """nbconvert's name of the format; raises ``UsageError`` naming those there are.

    A format that needs a program which is not installed is refused here, before a job runs for it.
    """
    from nbconvert.exporters import get_export_names

    name = _ALIASES.get(name, name)
    # these are not documents, or need a browser of their own
    names = get_export_names()  # type: ignore[no-untyped-call]
    known = [n for n in names if n not in ("custom", "notebook", "qtpng", "qtpdf")]
    if name not in known:
        raise UsageError(f"nbconvert has no format {name!r}; it has: {', '.join(sorted(known))}")
    _require_programs(name)
    return name


def render(
    source: Path | Mapping[str, Any],
    name: str,
    output: Path | None = None,
    *,
    no_input: bool = False,
) -> Path:
    """Write the notebook in another format and return the file that was written.

    ``source`` is a notebook's path or its nbformat 4 JSON (then ``output`` is needed); the default
    output is beside the notebook, with the format's own suffix. Images of formats without inline
    images go to a directory ``STEM_files`` beside it. What is there under that name and is not the
    same is kept: then the output's name has the job's id in it, or a number.
    Raises ``UsageError`` for an unknown format and ``ResultError`` where it cannot be rendered.
    """
    name = check_format(name)
    notebook, where = _read(source)
    if output is None and where is None:
        raise UsageError("name the file to render to")
    if where is not None and output is not None and output.absolute() == where.absolute():
        raise UsageError(f"{output} is the notebook itself; name another file")
    for stem in _names(output or where or Path(), notebook):
        body, files, suffix = _export(notebook, name, stem, where, no_input=no_input)
        target = output or stem.with_name(stem.name + suffix)
        made = {**{target.parent / file: content for file, content in files.items()}, target: body}
        if output is not None or all(_is_free(*item) for item in made.items()):
            break
    try:
        for path, content in made.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as stream:
                stream.write(content)
    except OSError as error:
        raise ResultError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _names(path: Path, notebook: Mapping[str, Any]) -> Iterator[Path]:
    """Paths without suffix, the best one first: with the job's id in it, then with a number."""
    stem = path.with_suffix("")
    yield stem
    origin = (notebook.get("metadata") or {}).get("jupyter_hybrid") or {}
    short = str(origin.get("job") or "")[-SHORT_ID:]
    if short and not stem.name.endswith(f".{short}"):
        stem = stem.with_name(f"{stem.name}.{short}")
        yield stem
    for number in count(2):
        yield stem.with_name(f"{stem.name}-{number}")


def _is_free(path: Path, content: bytes) -> bool:
    """True where nothing is there, or just this."""
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _read(source: Path | Mapping[str, Any]) -> tuple[dict[str, Any], Path | None]:
    if isinstance(source, Mapping):
        return dict(source), None
    try:
        notebook: dict[str, Any] = json.loads(source.read_bytes())
    except (OSError, ValueError) as error:
        raise ResultError(f"{source} cannot be read as a notebook: {error}") from error
    return notebook, source


def _export(
    notebook: dict[str, Any], name: str, stem: Path, where: Path | None, *, no_input: bool
) -> tuple[bytes, dict[str, bytes], str]:
    """The document, the files beside it by relative path, and the document's suffix."""
    from nbconvert.exporters import get_exporter
    from nbformat import v4
    from traitlets.config import Config

    config = Config()
    if no_input:
        config.TemplateExporter.exclude_input = True
        config.TemplateExporter.exclude_input_prompt = True
        config.TemplateExporter.exclude_output_prompt = True
    exporter = get_exporter(name)(config=config, log=_log)  # type: ignore[no-untyped-call]
    resources = {
        "unique_key": stem.name,
        "output_files_dir": f"{stem.name}_files",
        "metadata": {"name": stem.name, "path": str((where or stem).parent)},
    }
    try:
        # the version's own reader joins lines, and does not complain of what it does not know
        node = v4.reads(json.dumps(_with_language(notebook)))  # type: ignore[no-untyped-call]
        body, made = exporter.from_notebook_node(node, resources=resources)
    # nbconvert raises whatever its templates, filters and LaTeX raise
    except Exception as error:
        raise ResultError(_sentence(name, error)) from error
    content = body.encode("utf-8", "backslashreplace") if isinstance(body, str) else bytes(body)
    return content, dict(made.get("outputs") or {}), str(made["output_extension"])


def _with_language(notebook: dict[str, Any]) -> dict[str, Any]:
    """A notebook that names no language is Python's: nbconvert's ``script`` must not guess text."""
    metadata = dict(notebook.get("metadata") or {})
    if not metadata.get("language_info"):
        language = (metadata.get("kernelspec") or {}).get("language") or "python"
        metadata["language_info"] = {"name": language}
        if language == "python":
            metadata["language_info"].update(nbconvert_exporter="python", file_extension=".py")
    return {**notebook, "metadata": metadata}


def _require_programs(name: str) -> None:
    from shutil import which

    needed = {"pdf": ("pandoc", "xelatex"), "latex": ("pandoc",), "rst": ("pandoc",),
              "asciidoc": ("pandoc",)}.get(name, ())  # fmt: skip
    for program in needed:
        if which(program) is None:
            raise UsageError(
                f"{name} needs the program {program}, which is not installed: "
                f"'apt-get install {_PROGRAMS[program]}', or choose --to html"
            )
    if name == "webpdf":
        from importlib.util import find_spec

        if find_spec("playwright") is None:
            raise UsageError(
                "webpdf needs playwright: pip install 'nbconvert[webpdf]', or choose --to html"
            )


def _sentence(name: str, error: Exception) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    reason = lines[0] if lines else type(error).__name__
    return f"the result cannot be rendered to {name}: {reason}; the notebook itself is complete"
