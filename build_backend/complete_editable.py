"""setuptools' build backend, whose editable wheels also hold ``[options.data_files]``.

setuptools leaves data files out of editable wheels (PEP 660), so that a checkout would lack what
every other installation has: the file that loads ``%%remote`` in each kernel.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path
from typing import Any

from setuptools import Distribution
from setuptools.build_meta import build_editable as _build_editable

# the rest of the interface (PEP 517 and 660) is setuptools' own
from setuptools.build_meta import (  # noqa: F401  isort: skip
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)


def build_editable(
    wheel_directory: str,
    config_settings: Any = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the editable wheel; its file name in ``wheel_directory``."""
    name = str(_build_editable(wheel_directory, config_settings, metadata_directory))
    add_files(Path(wheel_directory, name), data_files())
    return name


def data_files() -> list[tuple[str, Path]]:
    """``[options.data_files]`` of setup.cfg: folder below the prefix, and file."""
    distribution = Distribution()
    distribution.parse_config_files()
    return [
        (folder, Path(file)) for folder, files in distribution.data_files or [] for file in files
    ]


def add_files(wheel: Path, files: list[tuple[str, Path]]) -> None:
    """Add data files to a wheel, and to its RECORD."""
    with zipfile.ZipFile(wheel) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    record = next(name for name in members if name.endswith(".dist-info/RECORD"))
    lines = [line for line in members.pop(record).decode().splitlines() if line]
    for folder, file in files:
        content = file.read_bytes()
        name = f"{record.removesuffix('.dist-info/RECORD')}.data/data/{folder}/{file.name}"
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        members[name] = content
        lines.append(f"{name},sha256={digest},{len(content)}")
    members[record] = "".join(f"{line}\n" for line in lines).encode()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content)
