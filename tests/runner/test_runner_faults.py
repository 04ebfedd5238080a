"""Everything that can go wrong, for real: the right record and all outputs up to that point."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_hybrid.runner.control import Control
from jupyter_hybrid.runner.endings import out_of_time
from jupyter_hybrid.runner.processes import descendants, started_ticks
from runner.jobs import Make, Runner

FOREVER = "print('begun', flush=True)\nimport time\nwhile True: time.sleep(0.05)"


def gone(pid: int) -> bool:
    return started_ticks(pid) is None


def begun(job: Runner) -> list[int]:
    """Wait for the first output; all processes of the job."""
    job.until_printed("begun")
    assert job.process is not None
    return descendants(job.process.pid)


def test_the_exit_code_of_a_dead_kernel_is_named(make: Make) -> None:
    job = make("print('before')", "import os; os._exit(3)", "print('never')")
    record = job.run()
    assert (record.state, record.cause, record.code) == ("FAILED", "kernel-died", 3)
    assert "exit code 3" in record.message
    assert job.text() == "before\n"
    states = [c["metadata"]["papermill"]["status"] for c in job.result["cells"]]
    assert states == ["completed", "failed", "pending"]
    assert [e.data["status"] for e in job.events if e.kind == "cell_end"] == ["ok", "stopped"]


def test_a_segmentation_fault_is_named(make: Make) -> None:
    record = make("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").run()
    assert (record.cause, record.signal) == ("kernel-died", signal.SIGSEGV)
    assert "segmentation fault (SIGSEGV)" in record.message


def test_a_signal_that_somebody_sent_is_no_crash(make: Make) -> None:
    record = make("import os, signal; os.kill(os.getpid(), signal.SIGTERM)").run()
    assert (record.cause, record.signal) == ("kernel-died", signal.SIGTERM)
    assert "sent it this signal" in record.message
    assert "crashed" not in record.message


def test_memory_above_the_limit(make: Make) -> None:
    job = make("print('begun', flush=True)\nx = b'x' * 1_000_000_000\nimport time; time.sleep(30)")
    record = job.run("--mem", str(400 * 2**20))
    assert (record.state, record.cause) == ("FAILED", "out-of-memory")
    assert "limit of 400 MB" in record.message
    assert record.peak_memory is not None
    assert record.peak_memory > 400_000_000
    assert job.text() == "begun\n"


def test_shared_pages_count_once(make: Make) -> None:
    job = make(
        "import os, time\nx = bytearray(os.urandom(1)) * 200_000_000\n"
        "for _ in range(4):\n    if os.fork() == 0:\n        time.sleep(1.5); os._exit(0)\n"
        "time.sleep(1.2)"
    )
    assert job.run("--mem", "600000000").message == ""


def test_cancel_keeps_what_was_shown(make: Make) -> None:
    job = make("print('one')", FOREVER, "print('never')").start()
    processes = begun(job)
    job.paths.cancel.touch()
    job.signal()
    record = job.wait()
    assert (record.state, record.cause) == ("CANCELLED", "cancelled")
    assert "cancelled" in record.message
    assert job.text().startswith("one\nbegun\n")
    assert all(map(gone, processes))
    assert job.outputs("c2")[0]["text"] == ["begun\n"]
    states = [c["metadata"]["papermill"]["status"] for c in job.result["cells"]]
    assert states == ["completed", "failed", "pending"]
    assert [e.data["status"] for e in job.events if e.kind == "cell_end"] == ["ok", "stopped"]
    assert json.loads(job.paths.changes.read_bytes()) == {"files": [], "links": [], "deleted": []}


def test_a_preempted_cell_may_clean_up(make: Make) -> None:
    job = make(
        "try:\n    print('begun', flush=True)\n    import time; time.sleep(60)\n"
        "finally:\n    open('checkpoint', 'w').write('saved')"
    ).start()
    begun(job)
    job.signal()
    record = job.wait()
    # nobody has asked for it
    assert (record.state, record.cause) == ("FAILED", "preempted")
    assert "Submit it again" in record.message
    changes = json.loads(job.paths.changes.read_bytes())
    assert [f["path"] for f in changes["files"]] == ["checkpoint"]


def test_a_cancel_file_is_enough(make: Make) -> None:
    job = make(FOREVER).start()
    begun(job)
    job.paths.cancel.touch()
    assert job.wait().state == "CANCELLED"


def test_a_cell_that_will_not_be_interrupted(make: Make) -> None:
    job = make(
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + FOREVER, grace=1.0
    ).start()
    begun(job)
    job.paths.cancel.touch()
    job.signal()
    assert job.wait(20).state == "CANCELLED"
    assert job.text() == "begun\n"


def test_wall_time(make: Make) -> None:
    job = make(FOREVER)
    record = job.run("--time", "3")
    assert (record.state, record.cause) == ("FAILED", "wall-time")
    assert "3 s" in record.message
    assert record.seconds is not None
    # the supervisor counts from its own start, the record from that of the runner below it
    assert 1 < record.seconds < 30


def test_a_long_wall_time_is_told_in_digits() -> None:
    assert "wall time of 1209600 s." in out_of_time(1_209_600.0).message


def test_a_runner_that_hangs_is_killed_after_the_grace_period(make: Make) -> None:
    job = make(FOREVER, grace=0.5).start("--time", "8")
    processes = begun(job)
    os.kill(processes[0], signal.SIGSTOP)
    record = job.wait()
    assert (record.state, record.cause) == ("FAILED", "wall-time")
    assert "".join(job.outputs("c1")[0]["text"]) == "begun\n"
    assert all(map(gone, processes))


#: The runner stands still while it writes down what has changed.
STAND_STILL = "import os; os.mkfifo(os.environ['JUPYTER_HYBRID_JOB_DIR'] + '/.changes.json.part')\n"


def test_wall_time_of_a_runner_that_knew_of_it(make: Make) -> None:
    job = make(STAND_STILL + FOREVER, grace=0.5)
    began = time.time()
    record = job.run("--time", "8")
    assert (record.state, record.cause) == ("FAILED", "wall-time")
    assert record.started_at is not None and record.finished_at is not None
    assert began <= record.started_at < record.finished_at - 2
    assert "".join(job.outputs("c1")[0]["text"]) == "begun\n"


def test_preemption_of_a_runner_that_stands_still(make: Make) -> None:
    job = make(STAND_STILL + FOREVER, grace=0.5).start()
    begun(job)
    job.signal()
    record = job.wait()
    assert (record.state, record.cause) == ("FAILED", "preempted")


def test_sigterm_to_every_process_of_the_job(make: Make) -> None:
    job = make("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + FOREVER).start()
    for pid in begun(job):
        os.kill(pid, signal.SIGTERM)
    record = job.wait()
    assert (record.state, record.cause) == ("FAILED", "preempted")


def test_memory_of_a_runner_that_knew_of_it(make: Make) -> None:
    job = make(STAND_STILL + "x = b'x' * 1_000_000_000\n" + FOREVER, grace=0.5)
    job.start("--mem", "400000000")
    job.until(job.paths.result.exists)
    job.signal()
    record = job.wait()
    assert (record.state, record.cause) == ("FAILED", "out-of-memory")


def test_a_killed_child_hands_back_its_status() -> None:
    program = (
        "import os, signal, time\nfrom jupyter_hybrid.runner.processes import kill_descendants\n"
        "pid = os.fork()\nif pid == 0: time.sleep(60)\n"
        "print(kill_descendants(os.getpid()) == {pid: signal.SIGKILL})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"True\n"


def test_what_is_said_is_known_on_both_sides() -> None:
    control = Control()
    # more than a pipe holds, to a runner that stands still
    for number in range(5000):
        control.say("memory", number, 400_000_000)
    control.say("wall-time", 3.0)
    assert control.received()["wall-time"] == [3.0]
    assert control.received().keys() == {"memory", "wall-time"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_runner_dies(make: Make, number: int) -> None:
    job = make("print('one')", FOREVER).start()
    processes = begun(job)
    os.kill(processes[0], number)
    record = job.wait()
    assert (record.state, record.cause, record.signal) == ("FAILED", "runner-died", number)
    assert signal.Signals(number).name in record.message
    assert "".join(job.outputs("c2")[0]["text"]) == "begun\n"
    assert job.events[-1].kind == "finished"
    assert all(map(gone, processes))


def test_the_supervisor_dies(make: Make) -> None:
    job = make(FOREVER).start()
    processes = begun(job)
    job.signal(signal.SIGKILL)
    job.until(job.paths.exit.exists)
    assert (job.exit.state, job.exit.cause) == ("FAILED", "runner-died")
    job.until(lambda: all(map(gone, processes)))
    assert "begun" in "".join(job.outputs("c1")[0]["text"])


def test_nothing_outlives_a_supervisor_that_was_killed(make: Make, tmp_path: Path) -> None:
    """Neither what has a session of its own nor what has lost its parents; other jobs do."""
    job = make(
        "import os, subprocess, time\n"
        "own = subprocess.Popen(['sleep', '600'], start_new_session=True, env={})\n"
        "stray = subprocess.run('setsid sleep 600 >/dev/null 2>&1 & echo $!', shell=True, "
        "capture_output=True).stdout\n"
        "other = {**os.environ, 'JUPYTER_HYBRID_JOB': 'another'}\n"
        "other = subprocess.run('setsid sleep 600 >/dev/null 2>&1 & echo $!', shell=True, "
        "capture_output=True, env=other).stdout\n"
        "print(own.pid, int(stray), int(other), 'begun', flush=True)\ntime.sleep(600)"
    ).start()
    processes = begun(job)
    own, stray, other = map(int, job.text().split()[:3])
    try:
        assert not gone(own)
        assert not gone(stray)
        job.signal(signal.SIGKILL)
        job.until(job.paths.exit.exists)
        assert gone(own)
        assert gone(stray)
        assert not gone(other)
        job.until(lambda: all(gone(pid) for pid in processes if pid != other))
    finally:
        os.kill(other, signal.SIGKILL)


def test_the_kernel_dies_with_both(make: Make) -> None:
    job = make(FOREVER).start()
    processes = begun(job)
    assert job.process is not None
    os.kill(processes[0], signal.SIGSTOP)
    os.killpg(job.process.pid, signal.SIGKILL)
    job.until(lambda: all(map(gone, processes)))


def test_no_descendant_is_left(make: Make, tmp_path: Path) -> None:
    job = make(
        "import subprocess, os\n"
        "p = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "        import time; time.sleep(600)\n"
        "    os._exit(0)\n"
        f"while not os.path.exists({str(tmp_path / 'pid')!r}): pass\n"
        "print(p.pid)"
    )
    assert job.run().message == ""
    assert gone(int(job.text()))
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_kernel_that_ends_before_its_first_cell(make: Make, tmp_path: Path) -> None:
    spec = tmp_path / "kernels" / "broken" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = ["/bin/sh", "-c", "echo no licence >&2; exit 7"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Broken", "language": "python"}))
    job = make("1", kernel="broken")
    job.env = {"JUPYTER_PATH": str(tmp_path)}
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "kernel-not-started")
    assert "exit code 7" in record.message
    assert "no licence" in record.message


def test_a_full_disk(make: Make, small_disk: Path) -> None:
    job = make("print('begun', flush=True)", "for i in range(10**9): print('x' * 1000)")
    job.move_to(small_disk)
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "disk-full")
    assert "No space" in record.message
    assert job.text().startswith("begun\n")
    assert job.events[-1].kind == "finished"


def test_a_cell_that_fills_the_disk(make: Make, small_disk: Path) -> None:
    job = make("print('begun')", "open('big', 'wb').write(b'x' * 100_000_000)")
    job.move_to(small_disk)
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "disk-full")
    assert job.text() == "begun\n"


def test_a_work_directory_that_cannot_be_made(make: Make) -> None:
    job = make("print(1)")
    job.paths.work.write_text("in the way")
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "internal")
    assert f"{job.paths.work}: File exists" in record.message
    assert "FileExistsError" in job.paths.log.read_text()
    assert job.events[-1].kind == "finished"


def test_events_that_cannot_be_written(make: Make) -> None:
    job = make("print(1)")
    job.paths.events.mkdir()
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "internal")
    assert f"While starting the job: {job.paths.events}: Is a directory" in record.message
    assert "IsADirectoryError" in job.paths.log.read_text()
    assert job.process is not None
    assert job.process.returncode == 0


def test_a_cell_that_uses_up_a_quota(make: Make) -> None:
    job = make("import errno, os\nraise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), 'big')")
    record = job.run()
    assert (record.state, record.cause, record.ename) == ("FAILED", "disk-full", "OSError")
    assert record.message.startswith("Your disk quota is used up where ")


def test_a_full_disk_for_the_kernels_sockets(make: Make, small_disk: Path) -> None:
    with (
        (small_disk / "big").open("wb", buffering=0) as file,
        pytest.raises(OSError, match="space"),
    ):
        while True:
            file.write(b"x" * 100)
    job = make("print(1)")
    job.env = {"TMPDIR": str(small_disk)}
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "disk-full")
    assert str(small_disk) in record.message


def test_parameters_that_are_not_names(make: Make) -> None:
    record = make("1", parameters={"a b": 1}).run()
    assert (record.state, record.cause) == ("FAILED", "bad-notebook")
    assert "'a b'" in record.message


def test_outputs_are_signed_and_named(make: Make) -> None:
    job = make(
        "import os, pathlib, jupyter_hybrid.values as v\n"
        "v.dump({'x': 1}, ['x'], pathlib.Path(os.environ['JUPYTER_HYBRID_JOB_DIR']) / 'outputs')"
    )
    assert job.run().message == ""
    from jupyter_hybrid.values import load

    got: dict[str, object] = {}
    load(job.paths.outputs, got, key=b"k" * 32)
    assert got == {"x": 1}
    (event,) = [e for e in job.events if e.kind == "variables"]
    assert event.data["names"][0]["name"] == "x"
