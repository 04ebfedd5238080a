"""The build backend of ``pyproject.toml``: setuptools', after the JupyterLab extension is built.

``[options.data_files]`` of ``setup.cfg`` is expanded when setuptools reads it, so what it names
must be there before; hence a backend around setuptools' and not a command of setuptools.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prebuilt import NODE, ROOT, BuildError, ensure_built, is_built, node_program
from setuptools import build_meta
from setuptools.build_meta import prepare_metadata_for_build_wheel

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable
Settings = dict[str, Any] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Node.js, but only where the extension has to be built and there is none."""
    own = [NODE] if not is_built() and node_program() is None else []
    return [*build_meta.get_requires_for_build_wheel(config_settings), *own]


get_requires_for_build_editable = get_requires_for_build_sdist = get_requires_for_build_wheel


def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """A wheel with the extension in it; its file name."""
    _built()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """A source distribution that holds the built extension too; its file name."""
    _built()
    return build_meta.build_sdist(sdist_directory, config_settings)


def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """An editable wheel, with the data files, which setuptools leaves out of those."""
    _built()
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    add_data_files(Path(wheel_directory) / name)
    return name


def _built() -> None:
    try:
        ensure_built()
    except BuildError as error:
        raise SystemExit(f"jupyter-hybrid: {error}") from None


def add_data_files(wheel: Path) -> None:
    """Put the data files of ``setup.cfg`` into a wheel that lacks them."""
    whole = wheel.with_suffix(".whole")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        (record,) = (name for name in old.namelist() if name.endswith(".dist-info/RECORD"))
        base = record.removesuffix(".dist-info/RECORD") + ".data/data"
        lines = old.read(record).decode().splitlines()
        for item in old.infolist():
            if item.filename != record:
                new.writestr(item, old.read(item))
        for folder, path in data_files():
            content, name = path.read_bytes(), f"{base}/{folder}/{path.name}"
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            new.writestr(name, content)
            lines.append(f"{name},sha256={digest.decode()},{len(content)}")
        new.writestr(record, "\n".join(lines) + "\n")
    whole.replace(wheel)


def data_files() -> Iterator[tuple[str, Path]]:
    """Folder below the environment, and file, of each data file that ``setup.cfg`` names."""
    from setuptools import Distribution

    before = Path.cwd()
    os.chdir(ROOT)
    try:
        project = Distribution()
        project.parse_config_files(ignore_option_errors=True)
        for folder, paths in project.data_files or []:
            for path in paths:
                yield folder, ROOT / path
    finally:
        os.chdir(before)
