"""What a kernel printed right before its death is kept, whatever killed it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from jupyter_hybrid.runner.journal import RING, Arrived, make_journal
from jupyter_hybrid.runner.processes import descendants
from runner.jobs import Make

DEATHS = {
    "os._exit": "import os; os._exit(3)",
    "segfault": "import ctypes; ctypes.string_at(0)",
    "kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "abort": "import os; os.abort()",
}


@pytest.mark.parametrize("death", DEATHS)
def test_text_that_was_never_flushed(make: Make, death: str) -> None:
    job = make(
        "print('first')",
        "import sys\nprint('sent', flush=True)\nprint('häßlich', '\\U0001f600', end='!\\n')\n"
        f"sys.stderr.write('warning\\n')\n{DEATHS[death]}",
    )
    record = job.run()
    assert record.cause == "kernel-died"
    assert job.text() == "first\nsent\nhäßlich \U0001f600!\nwarning\n"
    shown = "".join("".join(o["text"]) for o in job.outputs("c2"))
    assert shown == "sent\nhäßlich \U0001f600!\nwarning\n"


def test_the_end_of_a_flood(make: Make) -> None:
    job = make("for i in range(300_000): print('line', i)\nimport os; os._exit(3)")
    job.run()
    assert job.text().endswith("line 299998\nline 299999\n")
    lines = [int(line.split()[1]) for line in job.text().splitlines() if line.startswith("line")]
    # what the kernel's own queue held is lost, and said so; nothing comes twice
    assert lines == sorted(set(lines))
    assert len(lines) == 300_000 or "characters were lost when the kernel died]" in job.text()


def test_a_runner_that_dies_as_well(make: Make, tmp_path: Path) -> None:
    """What the kernel sends to a runner that stands still is known to the supervisor."""
    go, printed = tmp_path / "go", tmp_path / "printed"
    job = make(
        "print('one')",
        "print('begun', flush=True)\nimport os, time\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.005)\n"
        "for i in range(200):\n    print(i, flush=True)\n    time.sleep(0.005)\n"
        f"open({str(printed)!r}, 'w').close()\ntime.sleep(60)",
    ).start()
    job.until_printed("begun")
    assert job.process is not None
    runner = descendants(job.process.pid)[0]
    os.kill(runner, signal.SIGSTOP)
    go.touch()
    job.until(printed.exists)
    assert job.text() == "one\nbegun\n"
    os.kill(runner, signal.SIGKILL)
    record = job.wait()
    assert record.cause == "runner-died"
    numbers = [str(number) for number in range(200)]
    assert job.text().split() == ["one", "begun", *numbers]
    assert "".join(job.outputs("c2")[0]["text"]).split() == ["begun", *numbers]


def test_what_forked_children_print_is_counted(make: Make) -> None:
    job = make(
        # (what is still in ipykernel's buffer, a fork copies: it would be sent twice)
        "import os\nprint('parent', flush=True)\npid = os.fork()\n"
        "if pid == 0:\n    print('child')\n    os._exit(0)\n"
        "os.waitpid(pid, 0)\nprint('again')\nos._exit(3)"
    )
    job.run()
    assert sorted(job.text().split()) == ["again", "child", "parent"]


def test_the_journal() -> None:
    journal = make_journal()
    assert journal is not None and list(journal.lost({})) == []
    arrived = Arrived()
    arrived.add("x" * 300)
    arrived.add("y")
    assert (arrived.length, arrived.end) == (301, "x" * 199 + "y")
    assert RING == 256 * 1024
