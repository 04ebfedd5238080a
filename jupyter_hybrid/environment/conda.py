"""conda's ``environment.yml`` in the words of PyPI, as far as PyPI has the same packages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError

#: Packages that have another name on PyPI; None: nothing there corresponds.
NAMES: dict[str, str | None] = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "matplotlib-base": "matplotlib",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "pytables": "tables",
    "py-xgboost": "xgboost",
    "dask-core": "dask",
    "seaborn-base": "seaborn",
    "graphviz": None,
    "python-graphviz": "graphviz",
    "tensorflow-gpu": "tensorflow",
    "ruamel_yaml": "ruamel.yaml",
    "msgpack-python": "msgpack",
    "pyqt": "PyQt5",
    "pytorch-cuda": None,
    "cudatoolkit": None,
    "cuda-version": None,
    "cudnn": None,
    "nccl": None,
    "mkl": None,
    "openmpi": None,
    "mpich": None,
    "nodejs": None,
    "gcc": None,
    "gxx": None,
    "compilers": None,
    "git": None,
    "make": None,
    "ffmpeg": None,
    "hdf5": None,
    "pip": None,
}
_SPEC = re.compile(r"(?:[\w./-]+::)?([A-Za-z0-9][\w.-]*)\s*(.*)")
_PLAIN = re.compile(r"[\w.*!+-]+")


@dataclass(frozen=True)
class CondaFile:
    """What an ``environment.yml`` asks for."""

    #: Lines of pip's format.
    lines: tuple[str, ...]
    #: What is asked of Python itself: ``==3.10.*``.
    python: str
    notes: tuple[str, ...]


def parse_conda(title: str, text: str) -> CondaFile | None:
    """Read the file's text; None where it lists nothing. Raises ``ConfigError``."""
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{title} is not YAML: {error}") from error
    listed = data.get("dependencies") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        return None
    lines, notes, python = [], [], ""
    for name, specifier in _specs(title, listed):
        if name == "python":
            python = specifier
            continue
        known = NAMES.get(name.lower(), name)
        if known is None:
            if name != "pip":
                notes.append(
                    f"{title} asks for {name}, which is no Python package: the image has to have it"
                )
            continue
        lines.append(known + specifier)
    for part in listed:
        if isinstance(part, dict):
            lines += [str(line) for line in part.get("pip") or ()]
    return CondaFile(tuple(lines), python, tuple(notes))


def _specs(title: str, listed: list[Any]) -> Iterator[tuple[str, str]]:
    for item in listed:
        if isinstance(item, dict):
            continue
        found = _SPEC.fullmatch(str(item).strip())
        if found is None:
            raise ConfigError(f"{title}: {item!r} is not a package of conda's")
        yield found[1], conda_specifier(found[2])


def conda_specifier(text: str) -> str:
    """``1.26`` and ``=1.26`` → ``==1.26.*``, ``=1.26=py311_0`` too; ``>=1,<2`` stays.

    (conda's package match specifications.)
    """
    # a build's name is known to conda only
    text = re.sub(r"\s+", "", text)
    exact = re.fullmatch(r"==([\w.!+-]+)(=.*)?", text)
    if exact is not None:
        return f"=={exact[1]}"
    fuzzy = re.fullmatch(r"=?([\w.!+-]+)(\.\*)?(=.*)?", text)
    if fuzzy is not None and _PLAIN.fullmatch(fuzzy[1]):
        # with a build, conda means that very version
        return f"=={fuzzy[1]}" if fuzzy[3] else f"=={fuzzy[1]}.*"
    return "" if text in ("", "*") else text
