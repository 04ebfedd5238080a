"""``jupyter hybrid autoload`` adds lines to a file that is not ours, and takes them out again."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Home

from jupyter_hybrid.autoload import autoloading, switch
from jupyter_hybrid.errors import ConfigError


@pytest.mark.parametrize(
    "content", [b"", b"c.X.y = 1\n", b"c.X.y = 1", b"\n", b"# caf\xe9\r\nc.X.y = 1\r\n\r\n"]
)
def test_the_rest_of_the_file_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "profile_default" / "ipython_config.py"
    if content:
        file.parent.mkdir()
        file.write_bytes(content)
        file.chmod(0o640)
    assert switch(file, True) and autoloading(file)
    once = file.read_bytes()
    assert once.startswith(content)
    assert not switch(file, True) and file.read_bytes() == once
    assert switch(file, False) and not autoloading(file)
    assert file.exists() == bool(content)
    if content:
        assert file.read_bytes() == content and file.stat().st_mode & 0o777 == 0o640
    assert not switch(file, False)


def test_what_came_behind_our_lines_stays_too(tmp_path: Path) -> None:
    file = tmp_path / "ipython_config.py"
    file.write_text("first = 1\n")
    switch(file, True)
    with file.open("a") as stream:
        stream.write("last = 2\n")
    assert switch(file, False)
    assert file.read_text() == "first = 1\nlast = 2\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles" / "config.py"
    target.write_text("c.X.y = 1\n")
    link = tmp_path / "ipython_config.py"
    link.symlink_to(target)
    assert switch(link, True)
    assert link.is_symlink() and autoloading(target)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file" / "ipython_config.py"
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"ipython_config\.py cannot be"):
        switch(file, True)


def test_the_verb_for_a_user(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.environ["IPYTHONDIR"] = str(tmp_path / "mine")
    file = tmp_path / "mine" / "profile_default" / "ipython_config.py"
    assert {"scope": "user", "file": str(file), "on": False} in home.json("autoload")
    done = home.hybrid("autoload", "on", "--user")
    assert done.returncode == 0 and autoloading(file), done.stderr
    assert "running already" in done.stderr
    assert {"scope": "user", "file": str(file), "on": True} in home.json("autoload")
    # (the demo may have switched it on for all of the environment, too)
    assert str(file) in home.hybrid("doctor").stdout
    done = home.hybrid("autoload", "off", "--user")
    assert done.returncode == 0 and not file.exists()
    done = home.hybrid("autoload", "maybe")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
