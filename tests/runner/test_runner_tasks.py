"""Several processes of a job in one pod: the pod's keeper, as its process 1 would be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jupyter_hybrid.events import parse_events
from jupyter_hybrid.executors.kubernetes.mirror import Mirror, events_of
from runner.jobs import Make, Runner

#: Becomes the keeper; its children are reaped as a pod's process 1 does.
KEEP = (
    "import sys; from jupyter_hybrid.runner.pod import main; "
    "sys.exit(main(*sys.argv[1:4], {'--tasks': sys.argv[4]}))"
)
SAY = (
    "import os\nprint(*(os.environ[n] for n in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE')), flush=True)\n"
)


def kept(runner: Runner, tmp_path: Path) -> tuple[subprocess.CompletedProcess[bytes], Any]:
    """Run the job in two processes of the second pod of two; its last word."""
    env = {"NODE_RANK": "1", "RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}
    words = [str(tmp_path / "base"), str(runner.paths.directory), str(runner.blobs), "2"]
    done = subprocess.run(
        [sys.executable, "-c", KEEP, *words],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        timeout=120,
        check=False,
    )
    return done, json.loads(done.stdout.splitlines()[-1])["record"]


def printed(events: bytes) -> str:
    found, used = parse_events(events)
    assert used == len(events) and [e.seq for e in found] == list(range(1, len(found) + 1))
    return "".join(str(e.data["output"].get("text")) for e in found if e.kind == "output")


def test_each_knows_who_it_is_and_is_heard(make: Make, tmp_path: Path) -> None:
    runner = make(SAY)
    done, record = kept(runner, tmp_path)
    assert done.returncode == 0 and record["state"] == "COMPLETED", done.stdout
    assert printed(events_of(done.stdout)) == "2 0 4\n"
    assert printed(events_of(done.stdout, 3)) == "3 1 4\n"
    assert events_of(done.stdout, 4) == b""
    # whoever follows the pod sees the first one's only
    mirror = Mirror(tmp_path / "mirror")
    for line in done.stdout.splitlines(keepends=True):
        mirror.take(line)
    assert mirror.path.read_bytes() == events_of(done.stdout) and mirror.ended


def test_one_that_fails_ends_all(make: Make, tmp_path: Path) -> None:
    failing = SAY + "import time\nif os.environ['RANK'] == '3': 1 / 0\ntime.sleep(600)"
    done, record = kept(make(failing), tmp_path)
    assert done.returncode == 1 and record["ename"] == "ZeroDivisionError"
    assert (
        record["message"].startswith("Rank 3 on ")
        and "the others were ended" in (record["message"])
    )


def test_one_that_ends_without_a_word_ends_all(make: Make, tmp_path: Path) -> None:
    # the kernel's parents are the runner and its supervisor
    killing = (
        "if os.environ['RANK'] == '3':\n    import signal\n    parent = os.getppid()\n"
        "    stat = open(f'/proc/{parent}/stat').read().rpartition(')')[2].split()\n"
        "    for pid in (int(stat[1]), parent): os.kill(pid, signal.SIGKILL)\n"
    )
    done, record = kept(make(f"{SAY}{killing}import time\ntime.sleep(600)"), tmp_path)
    assert done.returncode == 1 and record["state"] == "FAILED"
    assert "Rank 3 on " in record["message"] and "without a word" in record["message"], record
