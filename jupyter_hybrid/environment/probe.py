"""What a Python has: its version, its platform, its packages. Runs in images, and here.

As a program it prints one line, ``MARK`` and a JSON object, whatever banner came before it.
Standard library of Python 3.8 only; ``probing`` runs it, ``ImageFacts`` reads it.
"""

# plain strings: thousands of entries, and pathlib takes as long to import as all of this
# ruff: noqa: PTH100, PTH109, PTH112, PTH118, PTH119, PTH207

from __future__ import annotations

import glob
import json
import os
import platform
import re
import site
import sys
import sysconfig
from typing import Any, Dict, Iterable, List, Optional

MARK = "jupyter-hybrid-facts:"

_FIELD = re.compile(r"^(Name|Version|Requires-Python|Requires-Dist|Provides-Extra): *(.*)$", re.M)
#: The first component of each path in a RECORD (CSV; a path with a comma stands in quotes).
_TOP = re.compile(r'^"?([^/,"\n]+)(/|,|")', re.M)
_EXTENSIONS = (".py", ".so", ".pyd")


def canonical(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _read(*parts: str) -> str:
    try:
        with open(os.path.join(*parts), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def parse_metadata(text: str) -> Dict[str, Any]:
    """Name, version, requirements and extras of a METADATA or PKG-INFO file."""
    found: Dict[str, Any] = {"requires": [], "extras": []}
    head = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    for key, value in _FIELD.findall(head):
        if key == "Requires-Dist":
            found["requires"].append(value.strip())
        elif key == "Provides-Extra":
            found["extras"].append(value.strip())
        else:
            found.setdefault(key.lower().replace("-", "_"), value.strip())
    return found


def module_name(entry: str) -> str:
    """The module that a file or directory of a site directory is; empty where it is none."""
    if entry.endswith((".dist-info", ".egg-info", ".data", ".pth", ".egg-link")):
        return ""
    name = entry
    if entry.endswith(_EXTENSIONS):
        name = entry.partition(".")[0]
    return name if name.isidentifier() and name != "__pycache__" else ""


def modules_in_record(text: str) -> List[str]:
    """Top-level modules among the paths of a RECORD."""
    names = (module_name(entry) for entry, _ in set(_TOP.findall(text)))
    return sorted({name for name in names if name})


def _modules(info: str, name: str, beside: Iterable[str]) -> List[str]:
    record = _read(info, "RECORD")
    if record:
        return modules_in_record(record)
    listed = _read(info, "top_level.txt").split()
    if listed:
        return sorted({entry.partition("/")[0] for entry in listed})
    # Debian's packages come without either
    guesses = (name, name.replace("-", "_"), name.lower().replace("-", "_"), name.lower())
    return [guess for guess in guesses if guess in beside][:1]


def scan(directory: str) -> List[Dict[str, Any]]:
    """The distributions whose records are in the directory, by the order of their names."""
    try:
        entries = sorted(os.listdir(directory))
    except OSError:
        return []
    beside = {module_name(entry) for entry in entries}
    found = []
    for entry in entries:
        if not entry.endswith((".dist-info", ".egg-info")):
            continue
        info = os.path.join(directory, entry)
        text = _read(info, "METADATA") or _read(info, "PKG-INFO") or _read(info)
        data = parse_metadata(text)
        if not data.get("name") or not data.get("version"):
            # what an interrupted or removed install leaves behind
            continue
        data["modules"] = _modules(info, data["name"], beside)
        data["info"] = info
        found.append(data)
    return found


def _is_regular(path: str) -> bool:
    if not os.path.isdir(path):
        return True
    return any(name.startswith("__init__.") for name in os.listdir(path))


def regular_modules(directory: str) -> List[str]:
    """Modules of the directory that hide all others of their name: no namespace packages."""
    try:
        entries = os.listdir(directory)
    except OSError:
        return []
    named = ((module_name(entry), os.path.join(directory, entry)) for entry in entries)
    return sorted({name for name, path in named if name and _is_regular(path)})


def site_directories() -> List[str]:
    """Directories of ``sys.path`` that hold packages, in order; not the standard library."""
    library = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    found = []
    for path in map(os.path.abspath, sys.path):
        if path in library or path in found or os.path.basename(path) == "lib-dynload":
            continue
        if os.path.isdir(path) and path != os.getcwd():
            found.append(path)
    return found


def libc() -> List[str]:
    """``["glibc", "2.36"]``, ``["musl", "1.2.3"]``, or empty strings where it is neither."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        if version:
            return [name, version]
    except (AttributeError, ValueError, OSError):
        pass
    for loader in glob.glob("/lib/ld-musl-*.so.1"):
        with open(loader, "rb") as file:
            versions = re.findall(rb"\0(1\.\d+\.\d+)\0", file.read())
        return ["musl", versions[0].decode() if versions else ""]
    return ["", ""]


def constraints() -> str:
    """What pip is told never to change: ``PIP_CONSTRAINT``'s files, else NGC's one."""
    named = os.environ.get("PIP_CONSTRAINT", "").split() or ["/etc/pip/constraint.txt"]
    return "\n".join(text for text in map(_read, named) if text)


def pth_directory(directories: List[str]) -> Optional[str]:
    """The last directory whose ``.pth`` files Python reads: what they add comes behind all."""
    try:
        read = [os.path.abspath(path) for path in site.getsitepackages()]
    except AttributeError:
        read = []
    usable = [path for path in directories if path in read]
    # one that is not there yet is read once something is put there
    found = usable or read
    return found[-1] if found else None


def facts() -> Dict[str, Any]:
    """Everything, as JSON values; of packages that are there twice, the one that is imported."""
    directories = site_directories()
    packages: Dict[str, Any] = {}
    regular: List[str] = []
    for directory in directories:
        for data in scan(directory):
            name = canonical(data["name"])
            kept = {key: data[key] for key in ("version", "requires", "modules")}
            packages.setdefault(name, kept)
        regular += regular_modules(directory)
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "machine": platform.machine(),
        "libc": libc(),
        "packages": packages,
        "regular": sorted(set(regular)),
        "site": directories,
        "pth": pth_directory(directories),
        "constraints": constraints(),
    }


if __name__ == "__main__":
    sys.stdout.write("\n" + MARK + json.dumps(facts()) + "\n")
