"""Clocks that are set while jobs run: nothing is lost, killed, negative or in the wrong order."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import Home, notebook, until

pytestmark = [pytest.mark.needs("program:gcc"), pytest.mark.timeout(300)]

DAY = 86_400.0
JUMPS = {"a day ahead": DAY, "a day back": -DAY, "fifty years ahead": 18_262 * DAY}


class WrongClock:
    """The clock of every process in a home."""

    def __init__(self, home: Home, directory: Path) -> None:
        source, library = Path(__file__).with_name("wrong_clock.c"), directory / "wrong_clock.so"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", library, source, "-ldl"], check=True
        )
        self._file = directory / "wrong"
        self.set(0.0)
        home.environ |= {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._file)}

    def set(self, seconds: float) -> None:
        """Wrong by so many seconds from now on."""
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))


@pytest.fixture
def clock(home: Home, tmp_path: Path) -> WrongClock:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    (config / "jupyter_hybrid_config.py").write_text("c.Hybrid.lost_after = 20.0\n")
    return WrongClock(home, tmp_path)


def waiting(home: Home, end: str = "print('second')") -> Path:
    """A notebook that waits for a file, which is returned."""
    goes_on = home.work / "goes-on"
    wait = f"import os, time\nwhile not os.path.exists({str(goes_on)!r}): time.sleep(0.02)"
    home.write("n.ipynb", notebook("print('first', flush=True)", f"{wait}\n{end}"))
    return goes_on


def seconds(job: dict[str, Any]) -> float:
    """How long the runner says that the job took."""
    return float(job["exit"]["seconds"])


@pytest.mark.parametrize("jump", JUMPS)
def test_the_clock_is_set_while_a_job_runs(home: Home, clock: WrongClock, jump: str) -> None:
    goes_on = waiting(home)
    with home.started("run", "n.ipynb", "--time", "100s") as command:
        assert command.stdout is not None
        until(lambda: "first" in command.stdout.readline())
        clock.set(JUMPS[jump])
        # others look meanwhile
        assert home.state() == "RUNNING"
        assert home.hybrid("jobs").returncode == 0
        goes_on.touch()
        said, errors = command.communicate(timeout=60)
    assert command.returncode == 0 and said == "second\n", errors
    job = home.json("status", "last")
    assert job["state"] == "COMPLETED" and 0 < seconds(job) < 100
    assert home.hybrid("attach", "last").stdout == "first\nsecond\n"
    # what is shown of it is no day, and not negative
    (shown,) = home.hybrid("jobs").stdout.splitlines()[1:]
    assert "-" not in shown.split("COMPLETED")[1] and " d " not in shown, shown


@pytest.mark.parametrize("jump", JUMPS)
def test_the_clock_is_set_while_nobody_looks(home: Home, clock: WrongClock, jump: str) -> None:
    goes_on = waiting(home)
    assert home.hybrid("run", "n.ipynb", "--detach").returncode == 0
    clock.set(JUMPS[jump])
    until(lambda: home.state() == "RUNNING")
    goes_on.touch()
    attached = home.hybrid("attach", "last")
    assert attached.returncode == 0 and attached.stdout == "first\nsecond\n", attached.stderr


@pytest.mark.parametrize("jump", JUMPS)
def test_a_runner_is_killed_after_the_clock_was_set(
    home: Home, clock: WrongClock, jump: str
) -> None:
    goes_on = waiting(home, "os.kill(os.getppid(), 9)\ntime.sleep(60)")
    with home.started("run", "n.ipynb") as command:
        assert command.stdout is not None
        until(lambda: "first" in command.stdout.readline())
        clock.set(JUMPS[jump])
        goes_on.touch()
        _, errors = command.communicate(timeout=60)
    assert command.returncode == 1 and "Traceback" not in errors
    job = home.json("status", "last")
    assert job["state"] == "FAILED" and 0 < seconds(job) < 100
    assert job["exit"]["finished_at"] - job["exit"]["started_at"] == pytest.approx(
        seconds(job), abs=0.1
    )


def test_the_last_job_is_the_one_that_was_submitted_last(home: Home, clock: WrongClock) -> None:
    home.write("n.ipynb", notebook("print(1)"))
    for number, jump in enumerate((0.0, -DAY, DAY, -DAY)):
        clock.set(jump)
        assert home.hybrid("run", "n.ipynb", "--name", f"job{number}").returncode == 0
        assert home.json("status", "last")["name"] == f"job{number}"
    assert [job["name"] for job in home.json("jobs")] == ["job3", "job2", "job1", "job0"]
