"""What is unpacked for a layer, looked over and laid out as it is to be in the image."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..environment.diff import Difference
from ..environment.facts import ImageFacts
from ..environment.probe import canonical
from ..errors import ImageError
from .locks import Lock, platform_words
from .tars import Entry, tree_entries

#: What an installer puts beside the modules.
_BESIDE = ("bin", "share", "etc", "include", "lib")
#: The first line of a program that an installer wrote for the interpreter here.
_SHEBANG = re.compile(
    rb"\A(#!/bin/sh\r?\n'''exec' [^\n]*\n' '''\r?\n|#![^\n]*\bpython[\d.]*[ \t]*\r?\n)"
)


def look_over(
    found: Sequence[Mapping[str, Any]], lock: Lock, facts: ImageFacts
) -> tuple[dict[str, str], list[str]]:
    """Versions of what was unpacked (``scan``), and notes.

    Raises ``ImageError`` for what would not work in the image: a build for this machine, or a
    package whose modules the image's own hide.
    """
    packages, notes = {}, list[str]()
    urls = {package.name: package.url for package in lock.packages}
    for data in found:
        name = canonical(data["name"])
        packages[name] = data["version"]
        tags = Path(data["info"], "WHEEL").read_text(encoding="utf-8", errors="replace")
        built = name in lock.built or (urls.get(name) and not urls[name].endswith(".whl"))
        if built and not re.search(r"^Tag: *\S+-none-any\s*$", tags, re.M):
            raise ImageError(
                f"{name} {data['version']} has no wheel for {platform_words(facts)}, and it is "
                "not pure Python, so it cannot be built here: choose a version that has one, or "
                "an image that has it"
            )
        modules = [module for module in data["modules"] if module not in _BESIDE]
        hidden = [module for module in modules if module in facts.regular]
        if hidden and hidden == modules:
            owner = facts.owner(hidden[0])
            whose = f"{owner} {facts.packages[owner].version}" if owner else "no package of its own"
            raise ImageError(
                f"{name} {data['version']} would not be seen in the image, which has "
                f"{hidden[0]} from {whose}: leave {name} out, or choose another image"
            )
        notes += [f"{module} stays the image's, not {name}'s" for module in hidden]
    return packages, notes


def differences(packages: Mapping[str, str], difference: Difference) -> list[str]:
    """A sentence for each package whose version is not the one here."""
    told = {row.name for row in difference.rows if row.sentence}
    return [
        f"{name} is {packages[name]} in the job; here it is {here}"
        for name, here in sorted(difference.preferences.items())
        if name in packages and packages[name].partition("+")[0] != here and name not in told
    ]


def environment_entries(
    tree: Path, directory: str, facts: ImageFacts, lock: Lock
) -> Iterator[Entry]:
    """The tree below ``directory`` in the image, and the file by which its Python finds it."""
    yield from recorded(_packages(tree, directory, facts))
    if name := pth_file(facts, lock):
        # behind everything else that Python looks through; their own .pth files are heeded
        yield Entry(
            name.lstrip("/"), f"import site; site.addsitedir({'/' + directory!r})\n".encode()
        )


def _packages(tree: Path, directory: str, facts: ImageFacts) -> Iterator[Entry]:
    for entry in tree_entries(tree, directory):
        inside = entry.name.removeprefix(f"{directory}/")
        if inside in (".lock", "CACHEDIR.TAG") or inside.endswith((".pyc", "/REQUESTED")):
            continue
        if inside.startswith("bin/") and isinstance(entry.source, Path):
            yield Entry(entry.name, _program(entry.source, facts), entry.executable)
        elif inside.endswith((".dist-info/direct_url.json", ".dist-info/uv_cache.json")):
            # paths of this machine
            continue
        else:
            yield entry


def recorded(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The same entries, whose packages record what is there and nothing else.

    An installer records its programs as they were written for the interpreter here: without this,
    two people's layers of one lock would be two.
    """
    found = {entry.name: entry for entry in entries}
    for name, entry in found.items():
        if name.endswith(".dist-info/RECORD") and isinstance(entry.source, Path):
            site = posixpath.dirname(posixpath.dirname(name))
            yield Entry(name, _record(entry.source, site, found))
        else:
            yield entry


def _record(path: Path, site: str, there: Mapping[str, Entry]) -> bytes:
    """A RECORD (binary distribution format): path, hash and size of each file."""
    rows = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            entry = there.get(posixpath.normpath(f"{site}/{row[0]}")) if row else None
            if entry is not None and isinstance(entry.source, bytes):
                digest = base64.urlsafe_b64encode(hashlib.sha256(entry.source).digest())
                name = f"sha256={digest.rstrip(b'=').decode()}"
                rows.append([row[0], name, str(len(entry.source))])
            elif entry is not None:
                rows.append(row)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sorted(rows))
    return out.getvalue().encode()


def licences(found: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What each package that was unpacked (``scan``) says of its licence (core metadata)."""
    # takes as long to import as the rest here, and most submits make no layer
    from email.parser import HeaderParser

    said = {}
    for data in found:
        info = Path(data["info"], "METADATA")
        try:
            text = info.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # (behind the first empty line is the description: of some a hundred kilobytes)
        message = HeaderParser().parsestr(text.partition("\n\n")[0])
        named = message.get("License-Expression") or message.get("License") or ""
        classified = [
            line.rpartition("::")[2].strip()
            for line in message.get_all("Classifier") or ()
            if line.startswith("License ::")
        ]
        # some put the licence's whole text there
        short = str(named).strip().partition("\n")[0][:100]
        said[canonical(data["name"])] = " / ".join(
            dict.fromkeys(filter(None, (short, *classified)))
        )
    return said


def pth_file(facts: ImageFacts, lock: Lock) -> str:
    """The file in the image by which its Python finds the layer; empty where it reads none.

    Python looks through these files by their names: this one is the last.
    """
    return f"{facts.pth}/zz-jupyter-hybrid-{lock.digest[:16]}.pth" if facts.pth else ""


def _program(path: Path, facts: ImageFacts) -> bytes:
    """The program with the image's interpreter in its first line."""
    content = path.read_bytes()
    line = f"#!{facts.executable}\n".encode()
    return _SHEBANG.sub(lambda _: line, content, count=1)
