"""The layers of the hub's server: what is large is made once, whatever a site lays on top."""

from __future__ import annotations

import asyncio
import tarfile
import zipfile
from pathlib import Path

import pytest

from jupyter_hybrid.containers.layers import Layer
from jupyter_hybrid.containers.servers import ServerLayers, server_layers
from jupyter_hybrid.errors import ImageError

PYTHONS = ("3.11", "3.12")


def wheel(directory: Path, content: str) -> str:
    """A requirement of a wheel that lies here, always of the same name and version."""
    path = directory / "ours-1.0-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\nName: ours\nVersion: 1.0\nRequires-Dist: six==1.17.0\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ours.py", content)
        archive.writestr("ours-1.0.dist-info/METADATA", metadata)
        archive.writestr("ours-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("ours-1.0.dist-info/RECORD", "")
    return f"ours @ {path.as_uri()}"


def made(directory: Path, *own: str) -> ServerLayers:
    return asyncio.run(server_layers(directory / "made", ["idna==3.10"], own, PYTHONS))


def names(layer: Layer) -> set[str]:
    with tarfile.open(layer.path) as tar:
        return {name.removeprefix("opt/jupyter-hybrid/server/") for name in tar.getnames()}


def test_what_a_site_adds_lies_on_layers_that_stay_the_same(tmp_path: Path) -> None:
    first = made(tmp_path, wheel(tmp_path, "x = 1\n"))
    *below, own, other, programs = first.layers
    for python, layer, above in zip(PYTHONS, below, (own, other), strict=True):
        # (what ours needs is below it)
        assert {f"py{python}/idna/__init__.py", f"py{python}/six.py"} <= names(layer)
        assert f"py{python}/ours.py" not in names(layer)
        assert f"py{python}/ours.py" in names(above)
        assert f"py{python}/six.py" not in names(above)
        assert first.packages[python]["six"] == "1.17.0"
    assert {"start.py", "kernel.py"} <= names(programs)
    # another wheel of the same name and version
    second = made(tmp_path, wheel(tmp_path, "x = 2\n"))
    assert second.layers[:2] == first.layers[:2] and second.layers[-1] == programs
    assert not {layer.digest for layer in second.layers[2:4]} & {own.digest, other.digest}
    with tarfile.open(second.layers[2].path) as tar:
        content = tar.extractfile(f"opt/jupyter-hybrid/server/py{PYTHONS[0]}/ours.py")
        assert content is not None and content.read() == b"x = 2\n"


def test_without_anything_of_a_site_s_own(tmp_path: Path) -> None:
    assert len(made(tmp_path).layers) == len(PYTHONS) + 1


def test_what_is_no_requirement_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"'/a/b.whl' is no requirement"):
        made(tmp_path, "/a/b.whl")
