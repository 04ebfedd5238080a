"""Which kernels are installed here, and which of them runs a notebook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import NotebookError, UsageError
from .notebooks import Notebook

#: Kernelspec name by which ipykernel installs itself.
PYTHON = "python3"


@dataclass(frozen=True)
class KernelSpec:
    """An installed kernel: what its ``kernel.json`` says."""

    name: str
    display_name: str
    language: str
    directory: Path
    argv: tuple[str, ...]


def installed_kernels() -> dict[str, KernelSpec]:
    """Kernels by name, found where Jupyter looks for them; the first of a name wins, as there."""
    from jupyter_core.paths import jupyter_path

    found: dict[str, KernelSpec] = {}
    for directory in jupyter_path("kernels"):
        for file in sorted(Path(directory).glob("*/kernel.json")):
            spec = _read_spec(file)
            if spec is not None:
                found.setdefault(spec.name, spec)
    return found


def _read_spec(file: Path) -> KernelSpec | None:
    try:
        data = json.loads(file.read_bytes())
        argv = tuple(str(part) for part in data["argv"])
    except (OSError, ValueError, KeyError, TypeError):
        # Jupyter passes over broken kernelspecs as well; doctor names them
        return None
    # names compare in lower case, as jupyter_client does it
    name = file.parent.name.lower()
    display_name, language = data.get("display_name", name), data.get("language", "")
    return KernelSpec(name, str(display_name), str(language), file.parent, argv)


def choose_kernel(
    notebook: Notebook, kernel: str | None, installed: Mapping[str, KernelSpec] | None = None
) -> tuple[str | None, str, str]:
    """Kernel and language a notebook runs with on this machine, and a note for the user.

    ``kernel`` overrides the notebook's own. None means this environment's Python. A Python
    kernelspec of another machine falls back to that, with a note; any other kernel that is not
    installed raises ``NotebookError`` naming those that are.
    """
    wanted = kernel or notebook.kernel
    is_python = notebook.language == "python"
    if is_python and wanted in (None, PYTHON):
        # what nearly every notebook says; looking for kernelspecs takes longer than reading it
        return wanted, "python", ""
    installed = installed_kernels() if installed is None else installed
    if wanted is not None and (spec := installed.get(wanted.lower())):
        return spec.name, _language(spec, notebook), ""
    if kernel is not None:
        raise NotebookError(f"no kernel named {kernel!r} is installed here; {_listing(installed)}")
    if is_python:
        return None, "python", f"the kernel {wanted!r} is not installed here; this Python runs it"
    same = [s for s in installed.values() if s.language.lower() == notebook.language.lower()]
    if wanted is None and same:
        note = f"the notebook names no kernel; {same[0].name} runs it"
        return same[0].name, notebook.language, note
    asked = f"the kernel {wanted!r} ({notebook.language})" if wanted else notebook.language
    raise NotebookError(
        f"the notebook asks for {asked}, which is not installed here; {_listing(installed)}"
    )


def require_python(kernel: str) -> None:
    """Raise ``UsageError`` unless a kernel of that name is installed here and speaks Python."""
    installed = installed_kernels()
    spec = installed.get(kernel.lower())
    if spec is None and kernel != PYTHON:
        raise UsageError(f"no kernel named {kernel!r} is installed here; {_listing(installed)}")
    if spec is not None and spec.language.lower() not in ("", "python"):
        raise UsageError(
            f"--kernel {kernel}: it speaks {spec.language}, and a %%remote cell is Python; "
            f"'%remote run' runs whole notebooks in {spec.language}"
        )


def _language(spec: KernelSpec, notebook: Notebook) -> str:
    if spec.language.lower() in ("", notebook.language.lower()):
        return notebook.language
    return spec.language


def _listing(installed: Mapping[str, KernelSpec]) -> str:
    return f"installed are {', '.join(sorted({*installed, PYTHON}))}: choose with --kernel"
