"""Wheels: empty ones that stand for an image's packages, and ones made from what is installed.

The format is that of the binary distribution specification (PEP 427).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from ..environment.facts import ImageFacts, ImagePackage
from ..environment.installed import Installed
from ..environment.versions import stated_version
from ..errors import ImageError
from ..files import replacing

#: The oldest time that a zip archive can say.
_TIME = (1980, 1, 1, 0, 0, 0)
_GENERATED = {"RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json"}
_EXTRA = re.compile(r"\bextra\s*==")


def write_stubs(facts: ImageFacts, directory: Path) -> list[str]:
    """Empty wheels of the image's packages; returns constraints that let nothing else be chosen.

    What an image's packages need they have, or do without: that is left out, so that an image
    with quarrels of its own can still be added to. What their extras need is kept.
    """
    directory.mkdir(parents=True, exist_ok=True)
    constraints = []
    for name, package in sorted(facts.packages.items()):
        wheel = _stub(name, package)
        if wheel is None:
            continue
        file, content = wheel
        path = directory / file
        if not path.exists():
            with replacing(path) as out:
                out.write(content)
        constraints.append(f"{name} @ {path.absolute().as_uri()}")
    return constraints


def _stub(name: str, package: ImagePackage) -> tuple[str, bytes] | None:
    from packaging.version import InvalidVersion, Version

    try:
        version = str(Version(stated_version(package.version)))
    except InvalidVersion:
        return None
    requires = [line for line in package.requires if _EXTRA.search(line.partition(";")[2])]
    extras = sorted(
        {e for line in requires for e in re.findall(r"extra\s*==\s*['\"]([^'\"]+)", line)}
    )
    metadata = [
        *("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"),
        *(f"Provides-Extra: {extra}" for extra in extras),
        *(f"Requires-Dist: {line}" for line in requires),
    ]
    title = f"{name.replace('-', '_')}-{version}"
    files = {
        f"{title}.dist-info/METADATA": "\n".join((*metadata, "")).encode(),
        f"{title}.dist-info/WHEEL": _wheel(["py3-none-any"]),
    }
    content = _zip(files.items(), f"{title}.dist-info/RECORD")
    digest = hashlib.sha256(content).hexdigest()[:8]
    # images differ in what extras need; a build number keeps their stubs apart
    return f"{title}-0{int(digest, 16)}-py3-none-any.whl", content


def _wheel(tags: Iterable[str], pure: bool = True) -> bytes:
    lines = ["Wheel-Version: 1.0", "Generator: jupyter-hybrid"]
    lines += [f"Root-Is-Purelib: {str(pure).lower()}", *(f"Tag: {tag}" for tag in tags)]
    return "\n".join((*lines, "")).encode()


def _zip(files: Iterable[tuple[str, bytes]], record: str) -> bytes:
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files):
            archive.writestr(_entry(name), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            writer.writerow((name, f"sha256={digest.decode()}", len(content)))
        writer.writerow((record, "", ""))
        archive.writestr(_entry(record), rows.getvalue())
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o100644 << 16
    return entry


def repack(found: Installed, directory: Path) -> Path:
    """A wheel of what is installed here, byte for byte the same each time; returns its path.

    Raises ``ImageError`` where its record does not list its files, or names ones outside.
    """
    name = re.sub(r"[-_.]+", "_", found.title)
    title = f"{name}-{found.version}"
    tags, pure = _tags(found)
    files = dict(_files(found, f"{title}.dist-info"))
    files[f"{title}.dist-info/WHEEL"] = _wheel(tags, pure)
    content = _zip(files.items(), f"{title}.dist-info/RECORD")
    place = directory / hashlib.sha256(content).hexdigest()[:16]
    path = place / f"{title}-{_joined(tags)}.whl"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        with replacing(path) as out:
            out.write(content)
    return path


def _joined(tags: Iterable[str]) -> str:
    columns = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(sorted(set(column))) for column in columns)


def _tags(found: Installed) -> tuple[list[str], bool]:
    try:
        text = (found.info / "WHEEL").read_text(encoding="utf-8")
    except OSError:
        text = ""
    tags = re.findall(r"^Tag: *(\S+)", text, re.M)
    if not tags:
        raise ImageError(
            f"{found.title} {found.version} was not installed from a wheel, so it cannot travel: "
            f"install it anew with pip, or put it into a requirements.txt"
        )
    return tags, "Root-Is-Purelib: true" in text


def _files(found: Installed, info: str) -> Iterator[tuple[str, bytes]]:
    root = found.info.parent
    for row in csv.reader(io.StringIO(found.record)):
        if not row:
            continue
        path = PurePosixPath(row[0])
        if path.is_absolute() or ".." in path.parts:
            # programs in bin are made anew where the wheel is installed
            continue
        inside = path.parts[0] == found.info.name
        if path.suffix == ".pyc" or (inside and path.name in (*_GENERATED, "WHEEL")):
            continue
        target = f"{info}/{'/'.join(path.parts[1:])}" if inside else row[0]
        try:
            yield target, (root / path).read_bytes()
        except OSError as error:
            raise ImageError(
                f"{found.title} {found.version} is not complete here: {root / path}: "
                f"{error.strerror}; install it anew"
            ) from error
