"""kill -9 of the command line: another one goes on, and nothing runs twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import PATIENCE, Home, notebook, until
from dying import AFTER_THE_START, BEFORE_THE_START, FETCHES, PREAMBLE

pytestmark = pytest.mark.timeout(300)


def doomed(home: Home, patch: str, *words: str) -> None:
    """A command that is killed where the patch says."""
    program = f"{PREAMBLE}{patch}\nfrom jupyter_hybrid.cli import main\nsys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=home.work,
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, (done.returncode, done.stdout, done.stderr)


def once(home: Home, *sources: str) -> None:
    """The notebook n.ipynb; its first cell leaves a line in ``ran``, outside its work directory."""
    first = f"open({str(home.work / 'ran')!r}, 'a').write('ran\\n')\nprint('first')"
    home.write("n.ipynb", notebook(first, *sources))


@pytest.fixture
def home(home: Home) -> Home:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    (config / "jupyter_hybrid_config.py").write_text("c.Hybrid.lost_after = 0.4\n")
    return home


@pytest.mark.parametrize("moment", BEFORE_THE_START)
def test_a_submit_that_died_before_the_start(home: Home, moment: str) -> None:
    once(home)
    doomed(home, BEFORE_THE_START[moment], "run", "n.ipynb")
    (job,) = home.json("jobs")
    assert job["state"] == "CREATED"
    attached = home.hybrid("attach", "last")
    assert attached.returncode == 1
    assert "interrupted before anything ran" in attached.stderr
    assert "submit it again" in attached.stderr and "Traceback" not in attached.stderr
    assert home.state() == "FAILED"
    assert not (home.work / "ran").exists()
    again = home.hybrid("run", "n.ipynb")
    assert again.returncode == 0, again.stderr
    assert (home.work / "ran").read_text() == "ran\n"


@pytest.mark.parametrize("moment", AFTER_THE_START)
def test_a_submit_that_died_after_the_start(home: Home, moment: str) -> None:
    once(home, "print('second')\nopen('out.txt', 'w').write('out')")
    doomed(home, AFTER_THE_START[moment], "run", "n.ipynb")
    attached = home.hybrid("attach", "last", "--output", "out.ipynb")
    assert attached.returncode == 0, attached.stderr
    assert "first\n" in attached.stdout and "second\n" in attached.stdout
    assert (home.work / "ran").read_text() == "ran\n"
    assert (home.work / "out.txt").read_text() == "out"
    assert home.state() == "COMPLETED"


def test_a_job_whose_submit_died_can_be_cancelled(home: Home) -> None:
    once(home, "import time; time.sleep(600)")
    doomed(home, AFTER_THE_START["half of the handle"], "run", "n.ipynb")
    until((home.work / "ran").exists)
    assert home.hybrid("cancel", "last").returncode == 0
    until(lambda: home.state() == "CANCELLED")


@pytest.mark.parametrize("phase", ["pending", "running"])
def test_the_command_line_is_killed(home: Home, phase: str) -> None:
    """Also with Ctrl-\\ in the terminal: the whole foreground group gets it."""
    goes_on = home.work / "goes-on"
    once(
        home,
        f"import os, time\nprint('second', flush=True)\n"
        f"while not os.path.exists({str(goes_on)!r}): time.sleep(0.02)\nprint('third')",
    )
    with home.started("run", "n.ipynb") as command:
        if phase == "pending":
            until(lambda: list(home.data.rglob("spawned.json")))
        else:
            assert command.stdout is not None
            until(lambda: "second" in command.stdout.readline())
        command.kill()
        command.wait()
    goes_on.touch()
    attached = home.hybrid("attach", "last")
    assert attached.returncode == 0, attached.stderr
    assert attached.stdout.split() == ["first", "second", "third"]
    assert (home.work / "ran").read_text() == "ran\n"


@pytest.mark.parametrize("moment", FETCHES)
def test_killed_while_fetching(home: Home, moment: str) -> None:
    once(home, "open('big.bin', 'wb').write(b'x' * 3_000_000)\nopen('a.txt', 'w').write('a')")
    doomed(home, FETCHES[moment], "run", "n.ipynb", "--output", "out.ipynb")
    big = home.work / "big.bin"
    assert not big.exists() or big.stat().st_size == 3_000_000
    assert home.state() == "COMPLETED"
    fetched = home.hybrid("fetch", "last", "--output", "out.ipynb")
    assert fetched.returncode == 0, fetched.stderr
    assert big.read_bytes() == b"x" * 3_000_000
    assert (home.work / "a.txt").read_text() == "a"
    assert "first" in (home.work / "out.ipynb").read_text()
    assert sorted(path.name for path in home.work.iterdir()) == [
        *("a.txt", "big.bin", "n.ipynb", "out.ipynb", "ran")
    ]
    assert (home.work / "ran").read_text() == "ran\n"


def test_a_submitter_that_is_slower_than_its_patience(home: Home) -> None:
    """Another process has given the job up meanwhile: it must not run after all."""
    once(home)
    ready, go = home.work / "ready", home.work / "go"
    slow = (
        "import contextlib, time\nreal = local.locked\n"
        "@contextlib.asynccontextmanager\n"
        "async def locked(directory):\n"
        f"    open({str(ready)!r}, 'w').close()\n"
        f"    while not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        "    async with real(directory):\n"
        "        yield\n"
        "local.locked = locked\n"
    )
    program = f"{PREAMBLE}{slow}from jupyter_hybrid.cli import main\nsys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", program, "run", "n.ipynb"],
        cwd=home.work,
        env=home.environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        until(ready.exists)
        until(lambda: home.state() == "FAILED")
        go.touch()
        _, said = command.communicate(timeout=PATIENCE)
    assert command.returncode == 1
    assert "ended meanwhile" in said and "Traceback" not in said

    assert home.state() == "FAILED"
    assert not (home.work / "ran").exists()
