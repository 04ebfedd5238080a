"""A home that cannot be written: everything works elsewhere, and says where that is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Home, notebook
from live_kernel import live_kernel

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(300)]

SOURCE = (
    "import os\nopen('made', 'w').write('made')\nmine = open(os.path.expanduser('~/mine'), 'w')"
)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Home]:
    """A user's home with a notebook in it, read-only."""
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    home = Home(tmp_path / "home")
    home.write("n.ipynb", notebook("print('first')", SOURCE))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_HYBRID_DIR"):
        home.environ.pop(name, None)
    home.environ["TMPDIR"] = str(tmp_path / "tmp")
    directory = str(tmp_path / "home")
    for words in (["--bind", directory, directory], ["-o", "remount,bind,ro", directory]):
        if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
    yield home
    subprocess.run(["umount", "--lazy", directory], check=True)


def test_jobs_run_and_it_is_said_where_they_are_kept(locked: Home, tmp_path: Path) -> None:
    done = locked.hybrid("run", "n.ipynb", "--output", str(tmp_path / "out.ipynb"))
    # (a file did not come, which who deletes the job next should know)
    assert done.returncode == 1 and done.stdout == "first\n", done.stderr
    assert "set JUPYTER_HYBRID_DIR to a directory of yours" in done.stderr
    assert "may not outlive a reboot" in done.stderr
    assert f"{tmp_path / 'tmp'}/jupyter-hybrid-" in done.stderr
    assert "first" in (tmp_path / "out.ipynb").read_text()
    assert "left behind: made: Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    # another process finds the job, and brings what was left behind
    assert locked.state() == "COMPLETED"
    locked.hybrid(*"fetch last --output out.ipynb --into into".split(), cwd=tmp_path)
    assert (tmp_path / "into" / "made").read_text() == "made"


def test_with_a_directory_that_the_user_names(locked: Home, tmp_path: Path) -> None:
    locked.environ["JUPYTER_HYBRID_DIR"] = str(tmp_path / "ours")
    done = locked.hybrid("run", "n.ipynb")
    assert done.returncode == 1 and done.stdout == "first\n"
    assert (
        "cannot be written: Read-only file system; name another file with --output" in done.stderr
    )
    assert "JUPYTER_HYBRID_DIR" not in done.stderr and "Traceback" not in done.stderr
    assert locked.state() == "COMPLETED"
    fetched = locked.hybrid("fetch", "last", "--output", str(tmp_path / "out.ipynb"))
    assert "first" in (tmp_path / "out.ipynb").read_text(), fetched.stderr


def test_a_cell_in_a_kernel(locked: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JUPYTER_HYBRID_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.delenv(name)
    environ = {**locked.environ, "IPYTHONDIR": str(tmp_path / "ipython")}
    with live_kernel(locked.work, **environ) as kernel:
        kernel.run("x = 20")
        result = kernel.run("%%remote\ny = x + 22\nprint('there')")
        said, there, receipt = result.text.splitlines()
        assert said.endswith("which may not outlive a reboot") and there == "there"
        assert "back: y (int)" in receipt
        assert kernel.run("%%remote\nprint('again')").text.startswith("again\n")
        assert kernel.value("y") == 42
    assert [job["state"] for job in json.loads(locked.hybrid("jobs", "--json").stdout)] == [
        "COMPLETED",
        "COMPLETED",
    ]
