"""``jupyter hybrid image …`` and what ``doctor`` says of registries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from registries import Daemon

from jupyter_hybrid.cli import main
from jupyter_hybrid.doctor import examine

pytestmark = pytest.mark.needs("apt:docker-registry")


@pytest.fixture
def site(mirror: Daemon, tmp_path: Path) -> Path:
    """The settings of a site with a mirror, a short list, allowed images, and no network."""
    folder = tmp_path / "jupyter-config"
    folder.mkdir()
    settings = {
        "registry_mirrors": {"nvcr.io": mirror.host},
        "images": {"torch": "nvcr.io/nvidia/pytorch:24.01-py3"},
        "allowed_images": ["nvcr.io/nvidia/*"],
    }
    text = json.dumps({"Hybrid": settings})
    file = folder / "jupyter_hybrid_config.json"
    file.write_text(text)
    return file


@pytest.mark.usefixtures("site")
def test_tags_with_what_they_need(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "tags", "nvcr.io/nvidia/pytorch"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["TAG", "CUDA", "DRIVER", "FROM", "GPU", "FROM", "PYTHON"],
        ["24.01-py3", "12.3.2", "525", "6.0"],
        ["23.12-py3", "12.3.2", "525", "6.0"],
    ]


@pytest.mark.usefixtures("site")
def test_an_image_by_the_sites_name_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "show", "torch", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["image"].startswith("nvcr.io/nvidia/pytorch:24.01-py3@sha256:")
    assert said["needs"]["driver"] == 545
    assert said["labels"] == {"vendor": "a lab"}
    assert main(["image", "show", "torch"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["driver", "525 or newer"] in lines


@pytest.mark.usefixtures("site")
def test_a_folder_is_pushed_once(
    open_registry: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text("print(1)")
    target = f"{open_registry.host}/lab/by-hand:1"
    words = ["image", "push", "torch", target, str(tmp_path / "code"), "opt/lab"]
    assert main(words) == 0
    first = capsys.readouterr()
    assert first.out.startswith(f"{target}@sha256:")
    assert first.err.endswith("were sent\n")
    assert main(words) == 0
    second = capsys.readouterr()
    assert second.out == first.out
    assert second.err == "it was there\n"


def test_a_secret_in_a_folder_does_not_leave(
    site: Path, open_registry: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text("key = '" + "AKIA" + "QYLPMN5HFIQR7XYA'\n")
    target = f"{open_registry.host}/lab/secret:1"
    words = ["image", "push", "torch", target, str(tmp_path / "code")]
    document = json.loads(site.read_text())

    def push(rule: str) -> int:
        document["Hybrid"]["checks"] = {"secrets": rule}
        site.write_text(json.dumps(document))
        return main(words)

    assert push("refuse") == 2
    assert "train.py" in (said := capsys.readouterr().err) and "QYLP" not in said
    assert main(["image", "show", target]) == 2
    assert push("warn") == 0
    assert "note: train.py" in (said := capsys.readouterr().err) and "QYLP" not in said
    assert len(list(tmp_path.glob("jupyter-hybrid/images/checks/*.json"))) == 1


@pytest.mark.usefixtures("site")
def test_the_sites_list_without_a_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert main(["image", "list"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].split() == ["torch", "nvcr.io/nvidia/pytorch:24.01-py3"]
    assert "api.ngc.nvidia.com cannot be reached (through the proxy of HTTPS_PROXY)" in said.err


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("show", 2, "write: jupyter hybrid image show IMAGE"),
        ("push torch", 2, "write: jupyter hybrid image push BASE TARGET FOLDER [INSIDE]"),
        ("show ubuntu:22.04", 2, "docker.io/library/ubuntu is not on this site's list"),
        ("show nvcr.io/nvidia/pytorch:24.02-py3", 2, "of its 2 tags these come near: 24.01-py3"),
        ("push torch 127.0.0.1:9/x/y:1 /nowhere", 2, "/nowhere is not a folder"),
    ],
)
def test_what_is_wrong_is_a_sentence(
    words: str, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", *words.split()]) == status
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("site")
async def test_the_doctor_says_which_registries_answer(mirror: Daemon) -> None:
    found = {finding.name: finding for finding in await examine()}
    assert found["registry nvcr.io"].ok
    assert found["registry nvcr.io"].text == f"http://{mirror.host} answers"


async def test_the_doctor_names_those_that_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "jupyter-config"
    folder.mkdir()
    text = '{"Hybrid": {"registry_mirrors": {"nvcr.io": "127.0.0.1:9"}}}'
    (folder / "jupyter_hybrid_config.json").write_text(text)
    found = {finding.name: finding for finding in await examine()}
    assert not found["registry nvcr.io"].ok
    assert "127.0.0.1:9 cannot be reached" in found["registry nvcr.io"].text
    assert "registry_mirrors['nvcr.io']" in found["registry nvcr.io"].remedy
