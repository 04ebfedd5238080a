import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_hybrid.capture.ignore import Ignore
from jupyter_hybrid.errors import BundleError

names = st.sampled_from(["a", "b", "ab", "a.b"])
globs = st.sampled_from(["a", "b", "*", "a*", "*.b", "?", "[ab]", "**"])
patterns = st.builds(
    lambda bang, start, parts, end: bang + start + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    st.lists(globs, min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    (path / "a" / "b").mkdir(parents=True)
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    outer=st.lists(patterns, max_size=3),
    inner=st.lists(patterns, max_size=2),
    paths=st.lists(
        st.lists(names, min_size=1, max_size=3).map("/".join), min_size=1, max_size=9, unique=True
    ),
)
def test_the_same_is_ignored_as_by_git(
    repository: Path, outer: list[str], inner: list[str], paths: list[str]
) -> None:
    for name in (".hybridignore", ".gitignore"):
        (repository / name).write_text("\n".join(outer))
        (repository / "a" / name).write_text("\n".join(inner))
    # git takes what does not exist for a file, and "a" and "a/b" for what they are: directories
    answer = subprocess.run(
        ["git", "-C", str(repository), "check-ignore", "--no-index", "--", *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode in (0, 1), answer.stderr
    ignore = Ignore(repository)
    found = [p for p in paths if ignore.why(p, is_directory=(repository / p).is_dir()) is not None]
    assert found == answer.stdout.split()


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / ".hybridignore").write_bytes(b"\xff*\n")
    assert Ignore(tmp_path).why(os.fsdecode(b"\xffa")) == ".hybridignore names it"


def test_what_never_travels_needs_no_rule(tmp_path: Path) -> None:
    ignore = Ignore(tmp_path)
    assert ignore.why("a/.git/config") == ".git never travels"
    assert ignore.why("a/.gitignore") is None


@pytest.mark.parametrize(
    "text", ["/", "//", "a[", "!#", "", "#", "\\#", "!", "[z-a]", "x\\", "[!x]", "  "]
)
def test_odd_patterns_ignore_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ".hybridignore").write_text(text)
    assert Ignore(tmp_path).why("x") is None


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("x ", "x"),
        ("x\\ ", "x "),
        ("x\r", "x"),
        ("\\!x", "!x"),
        ("\\#x", "#x"),
        ("\\*", "*"),
        ("[]x]", "]"),
        ("[^a-w]", "x"),
        ("[+--]", "-"),
        ("[[]", "["),
        ("a.b", "a.b"),
        ("a/**/**/b", "a/b"),
        ("**/**/b", "c/b"),
        ("x\ny\n", "y"),
    ],
)
def test_patterns_with_special_characters(repository: Path, line: str, path: str) -> None:
    (repository / "a" / ".hybridignore").unlink(missing_ok=True)
    (repository / "a" / ".gitignore").unlink(missing_ok=True)
    for name in (".hybridignore", ".gitignore"):
        (repository / name).write_text(line, newline="")
    argv = ["git", "-C", str(repository), "check-ignore", "-q", "--no-index", "--", path]
    assert subprocess.run(argv, check=False).returncode == 0
    assert Ignore(repository).why(path) is not None


def test_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / ".hybridignore").symlink_to(".hybridignore")
    with pytest.raises(BundleError, match=r"\.hybridignore' cannot be read"):
        Ignore(tmp_path).why("y")
