"""Processes are known by more than their number, outlive their maker, and are ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_hybrid.process import (
    ProcessHandle,
    boot_id,
    handle_of,
    is_running,
    kill_tree,
    parse_stat,
    read_stat,
    send_signal,
    spawn_detached,
    wait_end,
)


def spawn(tmp_path: Path, program: str, **env: str) -> ProcessHandle:
    return spawn_detached(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, **env},
        log=tmp_path / "log",
    )


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, f"{path} was not written"
        time.sleep(0.01)
    return path.read_text()


def test_stat_of_a_process_whose_name_is_hostile() -> None:
    text = "42 (a) b (c)) S 1 42 43 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987 1 2 3"
    stat = parse_stat(text)
    assert (stat.state, stat.parent, stat.session, stat.started_ticks) == ("S", 1, 43, 987)


def test_a_process_in_a_session_of_its_own_writes_to_its_log(tmp_path: Path) -> None:
    handle = spawn(tmp_path, "import os; print('sid', os.getsid(0) == os.getpid())")
    assert wait_end(handle, 20)
    assert (tmp_path / "log").read_text() == "sid True\n"
    assert ProcessHandle.from_json(handle.to_json()) == handle


def test_reused_pids_and_other_boots_are_not_the_process(tmp_path: Path) -> None:
    handle = spawn(tmp_path, "import time; time.sleep(60)")
    try:
        assert is_running(handle)
        assert handle.started_ticks is not None
        later = replace(handle, started_ticks=handle.started_ticks + 1)
        assert not is_running(later)
        assert not is_running(replace(handle, boot_id="another"))
        assert not send_signal(later, signal.SIGKILL)
        assert is_running(handle)
    finally:
        kill_tree(handle)
    assert not is_running(handle)


def test_a_zombie_is_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    handle = handle_of(child.pid)
    deadline = time.monotonic() + 20
    while (stat := read_stat(child.pid)) and stat.state != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not is_running(handle)
    assert child.wait() == 0


def test_other_children_are_not_reaped(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    handle = spawn(tmp_path, "")
    assert wait_end(handle, 20)
    assert child.wait(20) == 7


def test_it_outlives_its_maker(tmp_path: Path) -> None:
    maker = (
        "import os, sys, json; from pathlib import Path\n"
        "from jupyter_hybrid.process import spawn_detached\n"
        "h = spawn_detached([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " cwd=Path('.'), env=os.environ, log=Path('log'))\n"
        "print(json.dumps(h.to_json()), flush=True)\n"
        "os.killpg(0, 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", maker],
        cwd=tmp_path,
        capture_output=True,
        start_new_session=True,
        check=False,
    )
    assert done.returncode == -9
    import json

    handle = ProcessHandle.from_json(json.loads(done.stdout))
    assert is_running(handle)
    kill_tree(handle)
    assert not is_running(handle)


def test_descendants_that_left_the_session_are_found_by_their_mark(tmp_path: Path) -> None:
    program = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open('pid', 'w').write(str(os.getpid())); time.sleep(60)\n"
        "    os._exit(0)\n"
        "os.wait(); time.sleep(60)\n"
    )
    handle = spawn(tmp_path, program, TEST_MARK="mine")
    daemon = handle_of(int(wait_for(tmp_path / "pid")))
    assert daemon.pid in kill_tree(handle, "TEST_MARK=mine")
    assert not is_running(daemon)
    assert not is_running(handle)


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spawn_detached(["/absent/program"], cwd=tmp_path, env={}, log=tmp_path / "log")


def test_the_boot_has_an_id() -> None:
    assert boot_id() == boot_id() != ""
