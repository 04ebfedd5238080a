"""Recipes of images, and what Docker and Apptainer are told of them."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_hybrid.containers.recipe import (
    Context,
    Recipe,
    parse_recipe,
    to_apptainer,
    to_dockerfile,
)
from jupyter_hybrid.errors import ConfigError

LAB = {
    "base": "nvcr.io/nvidia/pytorch:24.01-py3",
    "apt": ["graphviz", "git=1:2.39.2-1.1"],
    "packages": ["jupyterlab>=4"],
    "files": {"my notebooks": "/workspace/my notebooks"},
    "env": {"LAB": 'a "b" $HOME \\'},
    "labels": {"maintainer": "ada & co"},
    "entrypoint": ["jupyter", "lab", "--ip=0.0.0.0 "],
    "workdir": "/workspace",
}
BESIDE = Context(
    ("packages.tar.gz",),
    {"io.jupyter-hybrid.recipe": "sha256:1"},
    user="ada:1000",
    folders=frozenset({"my notebooks"}),
)

DOCKERFILE = r"""FROM nvcr.io/nvidia/pytorch:24.01-py3
USER 0
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends graphviz git=1:2.39.2-1.1 && rm -rf /var/lib/apt/lists/*
USER ada:1000
ADD ["packages.tar.gz", "/"]
COPY ["my notebooks", "/workspace/my notebooks"]
ENV LAB="a \"b\" \$HOME \\"
LABEL "io.jupyter-hybrid.recipe"="sha256:1"
LABEL "maintainer"="ada & co"
WORKDIR /workspace
ENTRYPOINT ["jupyter", "lab", "--ip=0.0.0.0 "]
"""  # noqa: E501
DEFINITION = r"""Bootstrap: docker
From: nvcr.io/nvidia/pytorch:24.01-py3

%files
    packages.tar.gz /packages.tar.gz
    "my notebooks/." "/workspace/my notebooks/"

%post
    set -e
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends graphviz git=1:2.39.2-1.1 && rm -rf /var/lib/apt/lists/*
    tar -xf /packages.tar.gz -C / && rm /packages.tar.gz

%environment
    export LAB='a "b" $HOME \'

%labels
    io.jupyter-hybrid.recipe sha256:1
    maintainer ada & co

%runscript
    cd /workspace
    exec jupyter lab '--ip=0.0.0.0 ' "$@"
"""  # noqa: E501


def test_what_docker_is_told() -> None:
    assert to_dockerfile(parse_recipe(LAB, "lab.yml"), BESIDE) == DOCKERFILE


def test_what_apptainer_is_told() -> None:
    assert to_apptainer(parse_recipe(LAB, "lab.yml"), BESIDE) == DEFINITION


def test_a_base_alone_is_a_recipe() -> None:
    assert to_dockerfile(Recipe("debian:12")) == "FROM debian:12\n"
    assert to_apptainer(Recipe("debian:12")) == "Bootstrap: docker\nFrom: debian:12\n"


def test_the_digest_changes_with_what_is_written() -> None:
    lab = parse_recipe(LAB, "lab.yml")
    assert lab.digest == parse_recipe(dict(reversed(LAB.items())), "x").digest
    assert lab.digest != parse_recipe({**LAB, "workdir": "/"}, "lab.yml").digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base": None}, "must have 'base'"),
        ({"pip": ["x"]}, "has 'pip'; a recipe has: base, apt, packages"),
        ({"apt": ["git; rm -rf /"]}, "'git; rm -rf /' cannot stand in 'apt'"),
        ({"apt": ["--allow"]}, "cannot stand in 'apt'"),
        ({"apt": 3}, "write a list"),
        ({"env": ["A=1"]}, "write names and values"),
        ({"env": {"A B": "1"}}, "cannot stand in 'env'"),
        ({"labels": {"a": "1\nRUN evil"}}, "cannot stand in 'values'"),
        ({"files": {"../x": "/x"}}, r"'\.\./x' cannot stand in 'files'"),
        ({"files": {"x": "x"}}, "'x' cannot stand in 'files'"),
    ],
)
def test_what_cannot_stand_in_a_recipe_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_recipe({**LAB, **changes}, "lab.yml")
