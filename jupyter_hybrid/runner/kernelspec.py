"""Find the kernel to start, without jupyter_client.

Standard library; jupyter_core only where a kernelspec has to be searched for.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..errors import HybridError

#: Names by which ipykernel's own kernelspec goes.
NATIVE = ("python3", "python")


class KernelMissing(HybridError):
    """The kernel that the notebook asks for is not installed here."""


@dataclass(frozen=True)
class Kernel:
    """How to start a kernel."""

    name: str
    argv: Tuple[str, ...]
    language: str = "python"
    env: Mapping[str, str] = field(default_factory=dict)
    resource_dir: str = ""
    #: Interrupts come by a signal or by a message.
    interrupt_mode: str = "signal"
    #: Name of a provisioner other than the local one; then jupyter_client starts the kernel.
    provisioner: Optional[str] = None

    def command(self, connection_file: Path) -> List[str]:
        """The argument list, its place-holders filled in."""
        values = {
            "connection_file": str(connection_file),
            "resource_dir": self.resource_dir,
            "prefix": sys.prefix,
        }

        def value(match: re.Match[str]) -> str:
            return values.get(match.group(1), match.group())

        argv = [re.sub(r"\{(\w+)\}", value, part) for part in self.argv]
        version = sys.version_info
        if argv[0] in ("python", f"python{version[0]}", f"python{version[0]}.{version[1]}"):
            # as jupyter_client does: a bare name means this environment, not what PATH has
            argv[0] = sys.executable
        return argv


def kernel_directories() -> List[Path]:
    """Directories that hold kernelspecs, in the order in which Jupyter looks."""
    from jupyter_core.paths import jupyter_path

    return [Path(directory) for directory in jupyter_path("kernels")]


def native() -> Kernel:
    """The Python kernel of this environment; raises ``KernelMissing`` where it has none."""
    if importlib.util.find_spec("ipykernel_launcher") is None:
        raise KernelMissing(
            f"{sys.executable} has no ipykernel, so it cannot run a Python notebook; install "
            "ipykernel in the job's environment or name an image that has it"
        )
    # no -Xfrozen_modules: it is there for debuggers, and nobody debugs a job
    argv = (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}")
    return Kernel("python3", argv)


def installed(directories: List[Path]) -> Dict[str, Path]:
    """Kernelspec directories by name; the first of a name wins."""
    found: Dict[str, Path] = {}
    for directory in directories:
        for file in sorted(directory.glob("*/kernel.json")):
            found.setdefault(file.parent.name.lower(), file.parent)
    return found


def parse_kernelspec(name: str, directory: Path, data: Mapping[str, Any]) -> Kernel:
    """The kernel that a ``kernel.json`` describes."""
    metadata = data.get("metadata") or {}
    provisioner = (metadata.get("kernel_provisioner") or {}).get("provisioner_name")
    return Kernel(
        name=name,
        argv=tuple(map(str, data["argv"])),
        language=str(data.get("language") or "").lower() or "python",
        env={str(k): str(v) for k, v in (data.get("env") or {}).items()},
        resource_dir=str(directory),
        interrupt_mode=str(data.get("interrupt_mode") or "signal"),
        provisioner=None if provisioner in (None, "local-provisioner") else str(provisioner),
    )


def _is_overridden() -> bool:
    # what decides whether a search is needed: looking costs less than importing jupyter_core
    homes = [
        os.environ.get("JUPYTER_DATA_DIR"),
        *os.environ.get("JUPYTER_PATH", "").split(os.pathsep),
        str(Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "jupyter"),
    ]
    return any(Path(home, "kernels", NATIVE[0]).exists() for home in homes if home)


def find_kernel(name: Optional[str]) -> Kernel:
    """The kernel of that name, or this environment's Python; raises ``KernelMissing``."""
    if name is None or (name in NATIVE and not _is_overridden()):
        return native()
    found = installed(kernel_directories())
    directory = found.get(name.lower())
    if directory is None:
        if name in NATIVE:
            return native()
        others = ", ".join(sorted(found) or NATIVE[:1])
        raise KernelMissing(
            f"The kernel {name!r} is not installed where the job ran. Installed there: {others}. "
            "Choose one of them, or an image that has the kernel."
        )
    try:
        data = json.loads((directory / "kernel.json").read_bytes())
        return parse_kernelspec(name, directory, data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KernelMissing(f"The kernelspec in {directory} cannot be read: {error}") from error
