"""What a job needs of other people's packages: from its cells and its own modules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..environment.declared import declared_beside
from ..environment.implicit import uses_of
from ..environment.modules import imports_at_run_time, imports_of
from ..environment.needs import Environment, Imports, capture
from ..sources import Source, parse_source
from .literals import names_in
from .modules import own_modules


def job_environment(
    code: Iterable[str],
    directory: Path,
    *,
    language: str = "python",
    loaded: Iterable[str] = (),
    declared: Path | None = None,
) -> Environment:
    """The environment of a notebook's cells that lie in the directory.

    ``loaded`` are the modules of the kernel (``sys.modules``), for ``%%remote``: they count where
    the code imports what only shows when it runs, for else each small cell would bring along all
    that the notebook has ever imported. ``declared`` is where a requirements file is looked for,
    without it beside the notebook. Raises ``ConfigError`` for one that cannot be understood.
    """
    sources = [parse_source(text, language) for text in code]
    roots = tuple((directory / root).resolve() for root in names_in(sources).import_roots)
    own = own_modules(sources, directory, roots)
    for module in own:
        sources += [source for path in module.sources if (source := _read(path)) is not None]
    return capture(
        Imports(
            names=tuple(dict.fromkeys(n for s in sources for n in imports_of(s, deep=True))),
            directory=directory,
            roots=roots,
            uses=tuple(dict.fromkeys(use for s in sources for use in uses_of(s))),
            loaded=tuple(loaded) if any(map(imports_at_run_time, sources)) else (),
        ),
        declared_beside(declared or directory),
    )


def _read(path: str) -> Source | None:
    try:
        return parse_source(Path(path).read_bytes().decode("utf-8", "replace"))
    except OSError:
        return None  # it is named where the files are planned
