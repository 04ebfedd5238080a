"""Targets and limits come from configuration files; what is wrong is named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from getpass import getuser
from pathlib import Path

import pytest

from jupyter_hybrid.config import Hybrid, load_config, loading
from jupyter_hybrid.errors import ConfigError, UnknownTarget


def test_local_is_there_without_any_file(tmp_path: Path) -> None:
    config = load_config([str(tmp_path)])
    target = config.target()
    assert (target.name, target.executor) == ("local", "local")


def test_the_users_file_wins_over_the_sites(tmp_path: Path) -> None:
    user, site = tmp_path / "user", tmp_path / "site"
    user.mkdir(), site.mkdir()
    (site / "jupyter_hybrid_config.json").write_text(
        '{"Hybrid": {"default_target": "dgx", "grace": 3.0, "targets": '
        '{"dgx": {"executor": "local", "root": "/scratch", "price": 2}}}}'
    )
    (user / "jupyter_hybrid_config.py").write_text("c = get_config()\nc.Hybrid.grace = 5.0\n")
    config = load_config([str(user), str(site)])
    assert (config.grace, config.default_target) == (5.0, "dgx")
    target = config.target("dgx")
    # one directory for several users: a private one below it for each
    assert target.root == Path("/scratch") / getuser()
    assert target.options == {"price": 2}


def test_unknown_targets_are_refused_naming_the_known(tmp_path: Path) -> None:
    with pytest.raises(UnknownTarget, match="no target named 'dxg'; there are: local"):
        load_config([str(tmp_path)]).target("dxg")


def test_only_this_environments_own_jobs_have_its_kernels() -> None:
    targets = {"boxed": {"executor": "local", "image": "lab:1"}, "dgx": {"executor": "slurm"}}
    config = Hybrid(targets=targets)
    assert config.runs_here(None, None)
    assert not config.runs_here("local", "nvidia/pytorch:26.10-py3")
    assert not config.runs_here("boxed", None)
    assert not config.runs_here("dgx", None)


@pytest.mark.parametrize("text", ["c.Hybrid.grace = 'soon'", "1/0", "c.Hybrid.targets = {'x': {}}"])
def test_wrong_configuration_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "jupyter_hybrid_config.py").write_text(f"c = get_config()\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        load_config([str(tmp_path)]).target("x")
    assert "\n" not in str(caught.value)


def test_every_setting_can_be_made_in_a_file() -> None:
    settings = {setting.name for setting in fields(Hybrid)}
    assert set(loading.Hybrid.class_trait_names(config=True)) == settings


def test_settings_that_no_file_makes_keep_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "jupyter_hybrid_config.py").write_text("c.Hybrid.grace = 3\n")
    config = load_config([str(tmp_path)])
    assert config == Hybrid(grace=3.0)
    assert config.max_bundle_size == 2**30


def test_traitlets_is_left_alone_where_there_is_no_file(tmp_path: Path) -> None:
    code = (
        "import sys; from jupyter_hybrid.config import load_config; "
        f"load_config([{str(tmp_path)!r}]); assert 'traitlets' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_relative_directories_do_not_depend_on_who_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "jupyter_hybrid_config.py").write_text("c.Hybrid.directory = '~/jobs'\n")
    config = load_config([str(tmp_path)])
    assert config.home == config.target().root == tmp_path / "jobs"


@pytest.mark.parametrize("program", ["1 / 0", "c.Hybrid.targets = {", "import sys; sys.exit(3)"])
def test_a_file_that_fails_is_named_and_ends_nothing_else(tmp_path: Path, program: str) -> None:
    file = tmp_path / "jupyter_hybrid_config.py"
    file.write_text(program)
    with pytest.raises(ConfigError, match=r"cannot be read: .*; mend or remove it") as caught:
        load_config([str(tmp_path)])
    assert str(file) in str(caught.value)
