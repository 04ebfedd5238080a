"""Cells that end badly: the right state, a sentence, all that was printed, and nothing left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Home, notebook, until
from live_kernel import Live

from jupyter_hybrid.executors.local_directory import claimed
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.process import is_running
from jupyter_hybrid.runner.processes import started_ticks

pytestmark = pytest.mark.timeout(300)

#: Source, further options, exit status, cause, and what the sentence says.
ENDINGS: dict[str, tuple[str, list[str], int, str | None, str]] = {
    "exit": ("import os; os._exit(3)", [], 1, "kernel-died", "exit code 3"),
    "exit 0": ("import os; os._exit(0)", [], 1, "kernel-died", "exit code 0"),
    "segfault": (
        "import ctypes; ctypes.string_at(0)", [], 1, "kernel-died", "segmentation fault (SIGSEGV)",
    ),
    "abort": ("import os; os.abort()", [], 1, "kernel-died", "SIGABRT"),
    "sys.exit(0)": ("import sys; sys.exit(0)", [], 0, None, "completed"),
    "exit()": ("exit()", [], 0, None, "completed"),
    "sys.exit(1)": ("import sys; sys.exit(1)", [], 1, "cell-error", "SystemExit"),
    "interrupt": ("raise KeyboardInterrupt", [], 1, "cell-error", "KeyboardInterrupt"),
    "memory": (
        "x = bytearray(10 * 2**30); x[::4096] = b'x' * len(x[::4096])", ["--mem", "1G"],
        1, "out-of-memory", "more than its limit of 1.0 GB",
    ),
    "little by little": (
        "x = []\nwhile True: x.append(b'x' * 10_000_000)", ["--mem", "1GB"],
        1, "out-of-memory", "--mem",
    ),
    "wall time": (
        "import time\nwhile True: time.sleep(1)", ["--time", "15s"], 1, "wall-time", "--time",
    ),
    "stubborn": (
        "import time\nwhile True:\n    try:\n        while True: time.sleep(1)\n"
        "    except BaseException: print('no')", ["--time", "15s"], 1, "wall-time", "--time",
    ),
    "recursion": ("def f(): f()\nf()", [], 1, "cell-error", "RecursionError"),
    "stopped": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", ["--time", "15s"],
        1, "wall-time", "--time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDINGS)
def test_a_notebook_that_ends_badly(home: Home, name: str) -> None:
    source, options, status, cause, words = ENDINGS[name]
    home.write(
        "n.ipynb",
        notebook("print('first')", f"print('before')\nopen('kept', 'w').write('kept')\n{source}",
                 "print('never')"),
    )  # fmt: skip
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb", *options)
    assert done.returncode == status, done.stderr
    assert words in done.stderr, done.stderr
    (verdict,) = (line for line in done.stderr.splitlines() if line.startswith(("✔", "✘")))
    assert words in verdict, verdict
    job = home.json("status", "last")
    assert job["state"] == ("FAILED" if cause else "COMPLETED")
    assert (job["exit"] or {}).get("cause") == cause
    shown = (home.work / "out.ipynb").read_text()
    assert '"first\\n"' in shown and '"before\\n"' in shown and "never\\n" not in shown
    assert done.stdout.startswith("first\nbefore\n")
    assert (home.work / "kept").read_text() == "kept"
    # attaching later tells the same, from the beginning
    again = home.hybrid("attach", "last", "--output", "again.ipynb")
    assert again.returncode == status and again.stdout.startswith("first\nbefore\n")


FORKS = """
import os, subprocess, sys, time
pids = []
def grown(argv=None, **options):
    pids.append(subprocess.Popen(argv or ['sleep', '600'], **options).pid)
grown()
grown(start_new_session=True)
grown(['sh', '-c', 'trap "" TERM INT HUP; sleep 600 & wait'])
def daemon(path):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir('/')
            for descriptor in range(3): os.close(descriptor)
            with open(path, 'w') as file: file.write(str(os.getpid()))
            os.execvpe('sleep', ['sleep', '600'], {})
        os._exit(0)
daemon(PATH)
while not os.path.exists(PATH) or not open(PATH).read(): time.sleep(0.01)
print(*pids, open(PATH).read())
"""


def left_of(home: Home, pids: list[int]) -> list[int]:
    """Those that run once the last job's supervisor has ended, which ends them as its last act.

    The command may end before: it has the job's result from the moment of the exit record.
    """
    supervisor = claimed(JobPaths(Path(home.json("status", "last")["directory"])))
    assert supervisor is not None
    until(lambda: not is_running(supervisor), "the supervisor's end")
    return [pid for pid in pids if started_ticks(pid) is not None]


@pytest.mark.parametrize(
    "end", ["", "os._exit(3)", "sys.exit(1)", "os.kill(os.getppid(), 9); time.sleep(60)"]
)
def test_children_do_not_outlive_the_job(home: Home, tmp_path: Path, end: str) -> None:
    """Also those that took every step to: an own session, no parent, an empty environment."""
    home.write("n.ipynb", notebook(FORKS.replace("PATH", repr(str(tmp_path / "daemon"))) + end))
    done = home.hybrid("run", "n.ipynb")
    pids = [int(word) for word in done.stdout.split()]
    assert len(pids) == 4, done.stderr
    assert left_of(home, pids) == []


def test_children_do_not_outlive_a_cancelled_job(home: Home, tmp_path: Path) -> None:
    daemon = str(tmp_path / "daemon")
    source = FORKS.replace("PATH", repr(daemon)) + "sys.stdout.flush(); time.sleep(600)"
    home.write("n.ipynb", notebook(source))
    for force in ([], ["--force"]):
        Path(daemon).unlink(missing_ok=True)
        with home.started("run", "n.ipynb") as command:
            assert command.stdout is not None
            pids = [int(word) for word in command.stdout.readline().split()]
            assert home.hybrid("cancel", "last", *force).returncode == 0
            assert command.wait(60) == 1
        assert len(pids) == 4
        assert left_of(home, pids) == []


#: Cells, what the error says, and variables that are here afterwards.
CELLS = {
    "exit": ("import os; os._exit(3)", "", "exit code 3"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "", "segmentation fault"),
    "memory": ("y = bytearray(10 * 2**30); y[::4096] = b'x' * len(y[::4096])", "--mem 1G", "--mem"),
    "wall time": ("import time; time.sleep(600)", "--time 15s", "wall time"),
    "interrupt": ("raise KeyboardInterrupt", "", "KeyboardInterrupt"),
    "sys.exit(1)": ("import sys; sys.exit(1)", "", "SystemExit"),
}


def test_cells_that_end_badly(start_kernel: Callable[..., Live], workspace: Path) -> None:
    kernel = start_kernel()
    before = "print('before')\nx = 1\nopen('kept', 'w').write('kept')\n"
    for name, (source, options, words) in CELLS.items():
        result = kernel.run(f"%%remote {options}\n{before}{source}", ok=False)
        assert result.status == "error", name
        assert result.text.startswith("before\n"), (name, result.text)
        assert words in result.error, (name, result.error)
        assert (workspace / "kept").read_text() == "kept", name
        (workspace / "kept").unlink()
        assert "FAILED" in kernel.run("%remote status").text, name
    for value, end in ((2, "import sys; sys.exit(0)"), (3, "quit()")):
        assert kernel.run(f"%%remote\nx = {value}\n{end}\nx = 0").status == "ok"
        assert kernel.value("x") == value
