"""What NVIDIA's monthly releases hold and want: CUDA, driver, GPU, Python.

The images of one month are built on one base, so one row serves pytorch, tensorflow and the rest.
The table is ``ngc_releases.csv``. Its rows marked ``notes`` are from the release notes of the
Triton Inference Server ("Driver Requirements", "GPU Requirements") of that month, at
docs.nvidia.com/deeplearning/triton-inference-server/release-notes; those marked ``matrix`` from
the table ``vllm-python-py3`` of the release compatibility matrix of the same server
(docs/introduction/compatibility.md in its repository). Compute capabilities are from the notes: the
last that says 6.0 is 24.10, the first that says 7.5 is 25.03; in between nothing is claimed.

``ngc_frameworks.csv`` has images of a framework by release. PyTorch's versions (pre-releases of
what is written) are from the table "PyTorch compatibility with NVIDIA containers and JetPack" of
NVIDIA's notes on PyTorch for Jetson, which is of the same releases; where nobody says: empty.
Releases after 25.06 are those with which public Dockerfiles on GitHub begin (there is no 25.07).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

#: Drivers with which every CUDA of a major version runs ("Minor Version Compatibility", table 1, at
#: docs.nvidia.com/deploy/cuda-compatibility).
OLDEST_DRIVERS: Mapping[int, int] = {11: 450, 12: 525, 13: 580}

_RELEASE = re.compile(r"(\d\d\.\d\d)(?:\.\d+)?-(?:tf(?P<tf>[12])-)?py3(?P<rest>-.*)?")
_CUDA = re.compile(
    r"(?P<cuda>\d+\.\d+\.\d+)-(?:cudnn\d*-)?(?P<kind>base|runtime|devel)?-?"
    r"(?P<os>ubuntu|ubi|rockylinux|centos|opensuse)?(?P<version>[\d.]*).*"
)
#: ``${RAPIDS_VER}-cuda${CUDA_VER}-py${PYTHON_VER}`` (README of rapidsai/docker).
_RAPIDS = re.compile(r"(\d\d\.\d\d)(?:\.\d+)?-cuda(\d+(?:\.\d+)*)-py(\d\.\d+).*")


@dataclass(frozen=True)
class Release:
    """What an image of NVIDIA's holds; empty where nobody says."""

    #: ``24.01``; empty for CUDA's own images.
    name: str = ""
    #: ``12.3.2``.
    cuda: str = ""
    #: The driver that this CUDA comes with: the branch, such as 545; 0 where unknown.
    driver: int = 0
    #: The lowest compute capability of a GPU: ``7.5``.
    capability: str = ""
    python: str = ""

    @property
    def oldest_driver(self) -> int:
        """The oldest driver that runs it, by CUDA's minor version compatibility; 0: unknown."""
        return OLDEST_DRIVERS.get(int(self.cuda.partition(".")[0] or 0), self.driver)


@dataclass(frozen=True)
class Framework:
    """One image of the catalogue that is made for a framework."""

    #: ``pytorch``.
    name: str
    #: ``nvcr.io/nvidia/pytorch:25.06-py3``.
    image: str
    release: Release
    #: The framework's own version; empty where nobody says.
    version: str = ""


@cache
def frameworks() -> tuple[Framework, ...]:
    """Images of frameworks: one framework after the other, each the newest release first."""
    text = files(__package__).joinpath("ngc_frameworks.csv").read_text(encoding="utf-8")
    rows = sorted(csv.DictReader(text.splitlines()), key=lambda row: _key(row["release"]))
    found = [
        Framework(
            row["framework"],
            f"nvcr.io/nvidia/{row['framework']}:{row['tag']}",
            releases().get(row["release"]) or Release(row["release"]),
            row["version"],
        )
        for row in reversed(rows)
    ]
    return tuple(sorted(found, key=lambda framework: framework.name))


@cache
def releases() -> Mapping[str, Release]:
    """The monthly releases by name, the oldest first."""
    text = files(__package__).joinpath("ngc_releases.csv").read_text(encoding="utf-8")
    return {
        row["release"]: Release(
            row["release"], row["cuda"], int(row["driver"]), row["capability"], row["python"]
        )
        for row in csv.DictReader(text.splitlines())
    }


def release_of(repository: str, tag: str) -> Release | None:
    """What a tag of ``nvidia/…`` says of its image; None where it says nothing that is known."""
    name = repository.rpartition("/")[2]
    if repository == "nvidia/cuda" and (found := _CUDA.fullmatch(tag)):
        return Release(cuda=found["cuda"])
    if "rapids" in repository and (found := _RAPIDS.fullmatch(tag)):
        return Release(found[1], found[2], python=found[3])
    if name and (monthly := _RELEASE.fullmatch(tag)):
        return releases().get(monthly[1]) or Release(monthly[1])
    return None


def unfit(release: Release, driver: str = "", capability: str = "") -> str:
    """Why the image will not run with this driver (``535.104.05``) or GPU (``7.0``); else empty.

    Nothing is claimed where the machine or the release does not tell.
    """
    branch = int(driver.partition(".")[0]) if driver[:1].isdigit() else 0
    if branch and release.oldest_driver and branch < release.oldest_driver:
        text = (
            f"its CUDA {release.cuda} needs driver {release.oldest_driver} or newer, and the "
            f"driver there is {driver}"
        )
        return text + _instead(lambda other: other.oldest_driver <= branch)
    if capability and release.capability and _key(capability) < _key(release.capability):
        text = (
            f"it is made for GPUs of compute capability {release.capability} and above, and those "
            f"there have {capability}"
        )
        return text + _instead(lambda other: _suits(other, capability))
    return ""


def _instead(suits: Callable[[Release], bool]) -> str:
    newest = next((r for r in reversed([*releases().values()]) if suits(r)), None)
    return f"; the newest release that runs there is {newest.name}" if newest else ""


def _suits(release: Release, capability: str) -> bool:
    return bool(release.capability) and _key(release.capability) <= _key(capability)


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
