"""The runner is a guest: read-only homes, no /proc, and shells that ignore signals."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_hybrid.executors.local_directory import claimed
from jupyter_hybrid.process import is_running
from jupyter_hybrid.runner.homes import BELOW, DIRECTORIES, READ_AS_WELL, writable_homes
from runner.jobs import Make, Runner

#: Ignores what a shell ignores for what it starts behind ``&`` or by ``nohup``.
IGNORING = (
    "sh", "-c", "trap '' INT QUIT HUP; exec \"$@\"", "sh",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def read_only(home: Path) -> Iterator[Path]:
    """A home that not even root can write into."""
    for argv in (["mount", "--bind"], ["mount", "-o", "remount,ro,bind"]):
        subprocess.run([*argv, str(home), str(home)], check=True, capture_output=True)
    yield home
    subprocess.run(["umount", "--lazy", str(home)], check=True)


def kernelspec(directory: Path, argv: list[str], **more: str) -> dict[str, str]:
    """The environment in which a kernel ``own`` of this command is installed."""
    file = directory / "jupyter" / "kernels" / "own" / "kernel.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"argv": argv, "display_name": "Own", "language": "python", **more}))
    return {"JUPYTER_PATH": str(directory / "jupyter")}


def begun(job: Runner) -> None:
    job.until_printed("begun")


WRITES = """
import os, pathlib
from IPython.paths import get_ipython_dir
from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir, jupyter_runtime_dir
places = [get_ipython_dir(), jupyter_config_dir(), jupyter_data_dir(), jupyter_runtime_dir()]
places += [os.environ[name] for name in NAMES]
for place in places:
    pathlib.Path(place).mkdir(parents=True, exist_ok=True)
    pathlib.Path(place, "written").write_text("x")
print(*places, sep="\\n")
"""


@pytest.mark.needs("root")
def test_a_read_only_home(make: Make, read_only: Path) -> None:
    """Everything that is kept somewhere is kept at the job."""
    job = make(WRITES.replace("NAMES", repr(sorted(DIRECTORIES))))
    job.env = {"HOME": str(read_only), **dict.fromkeys([*DIRECTORIES][1:], "")}
    assert job.run().message == ""
    assert all(line.startswith(str(job.paths.runtime)) for line in job.text().splitlines())
    assert list(read_only.iterdir()) == []


def test_what_can_only_be_read_is_read(home: Path) -> None:
    env = {"HOME": str(home), "JUPYTER_DATA_DIR": "/proc/1", "JUPYTER_PATH": "/more"}
    changed = writable_homes(env, home / "runtime")
    assert changed["JUPYTER_PATH"] == "/proc/1:/more"


@pytest.mark.parametrize("name", [*DIRECTORIES, "XDG_RUNTIME_DIR"])
def test_each_directory_is_looked_at_by_itself(home: Path, tmp_path: Path, name: str) -> None:
    """A file in its place, or a folder that nobody may write into; the others are left alone."""
    runtime = tmp_path / "runtime"
    (tmp_path / "file").touch()
    for place in ("/proc/1", "/proc/1/not-there", str(tmp_path / "file"), "/proc/self/no\n/x"):
        changed = writable_homes({"HOME": str(home), name: place}, runtime)
        assert changed[name].startswith(str(runtime))
        assert os.access(changed[name], os.W_OK)
        follow = {key for key, (parent, _) in BELOW.items() if parent in changed}
        assert name == "HOME" or changed.keys() - READ_AS_WELL.values() - follow == {name}


def test_a_folder_of_somebody_elses_in_a_home_of_ones_own(home: Path, tmp_path: Path) -> None:
    """As ``sudo`` leaves it; here it cannot be made, for a file has its name."""
    (home / ".ipython").touch()
    changed = writable_homes({"HOME": str(home)}, tmp_path / "runtime")
    assert changed == {"IPYTHONDIR": str(tmp_path / "runtime/ipython")}


def test_what_can_be_written_stays_where_it_is(home: Path, tmp_path: Path) -> None:
    """Also below a place that has moved."""
    env = {"HOME": "/proc/1", "XDG_CONFIG_HOME": str(home)}
    changed = writable_homes(env, tmp_path / "runtime")
    assert changed["HOME"] == str(tmp_path / "runtime/home")
    assert changed["PYTHONUSERBASE"] == "/proc/1/.local"
    assert "XDG_CONFIG_HOME" not in changed
    assert changed["MPLCONFIGDIR"] == str(home / "matplotlib")
    assert writable_homes({}, tmp_path / "runtime").keys() >= DIRECTORIES.keys()


LISTENING = """
import os, pathlib, time
def ports():
    own = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
           if os.path.lexists(f"/proc/self/fd/{fd}")}
    lines = [line.split() for name in ("tcp", "tcp6")
             for line in pathlib.Path("/proc/self/net", name).read_text().splitlines()[1:]]
    return [line[1] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in own]
end = time.monotonic() + 30
while ports() and time.monotonic() < end:
    time.sleep(0.01)
print("ports:", ports(), flush=True)
pid = os.fork()
if pid == 0:
    print("child", flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def test_a_kernel_listens_on_no_port(make: Make) -> None:
    """Every user of the machine could connect to one; what a child prints comes another way."""
    job = make(LISTENING, "import time; time.sleep(0.5)")
    assert job.run().message == ""
    assert job.text() == "ports: []\nchild\n"


def test_a_job_of_a_shell_that_ignores_interrupts(make: Make) -> None:
    """Neither the kernel nor what it starts ignores them, and a cancelled cell may clean up."""
    job = make(
        "import subprocess\ntry:\n    print('begun', flush=True)\n"
        "    subprocess.run(['sleep', '600'])\n"
        "except KeyboardInterrupt:\n    open('cleaned', 'w').close()\n    raise"
    )
    job.by = IGNORING
    job.start()
    begun(job)
    job.paths.cancel.touch()
    assert job.wait().state == "CANCELLED"
    assert (job.paths.work / "cleaned").exists()


def test_a_kernel_starts_with_no_signal_ignored(make: Make, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = (
        f"grep SigIgn /proc/self/status > {shlex.quote(str(seen))}; "
        f'exec {shlex.quote(sys.executable)} -m ipykernel_launcher -f "$1"'
    )
    job = make("print('ran')", kernel="own")
    job.env = kernelspec(tmp_path, ["sh", "-c", script, "sh", "{connection_file}"])
    job.by = IGNORING
    assert job.run().message == ""
    ignored = int(seen.read_text().split()[1], 16)
    assert not ignored & (1 << signal.SIGINT - 1 | 1 << signal.SIGQUIT - 1)


#: What a cell sees of the kernel's own start.
START = """
import multiprocessing, sys
print("debugpy" in sys.modules, sys.argv[0].rpartition("/")[2], "" in sys.path)
import debugpy, jedi
print(debugpy.__name__, jedi.__name__)
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.map(abs, [-3]))
"""


def test_debuggers_are_imported_by_who_wants_one(make: Make) -> None:
    job = make(START)
    assert job.run().message == ""
    lines = job.text().splitlines()
    assert lines == ["False ipykernel_launcher.py True", "debugpy jedi", "[3]"]


#: A kernel that dies of an interrupt by a signal, and says that it was asked by a message.
BY_MESSAGE = """
import os, signal, sys
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
def interrupted(*_):
    if not os.path.exists(sys.argv[-1]):
        os._exit(9)
    raise KeyboardInterrupt
class Kernel(IPythonKernel):
    def pre_handler_hook(self):
        signal.signal(signal.SIGINT, interrupted)
    def post_handler_hook(self):
        pass
    async def interrupt_request(self, stream, ident, parent):
        open(sys.argv[-1], "w").close()
        self.session.send(stream, "interrupt_reply", {"status": "ok"}, parent, ident=ident)
        os.kill(os.getpid(), signal.SIGINT)
IPKernelApp.launch_instance(["-f", sys.argv[1]], kernel_class=Kernel)
"""


def test_a_kernel_that_wants_a_message_for_an_interrupt(make: Make, tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(BY_MESSAGE)
    argv = [sys.executable, str(tmp_path / "kernel.py"), "{connection_file}", str(tmp_path / "got")]
    job = make(
        # said where the interrupt may arrive: what comes of it is fast
        "import time\ntry:\n    print('begun', flush=True)\n    time.sleep(600)\n"
        "finally:\n    open('cleaned', 'w').close()",
        kernel="own",
    )
    job.env = kernelspec(tmp_path, argv, interrupt_mode="message")
    job.start()
    begun(job)
    job.paths.cancel.touch()
    job.signal()
    assert job.wait().state == "CANCELLED"
    assert (tmp_path / "got").exists()
    assert (job.paths.work / "cleaned").exists()


@pytest.mark.needs("root")
def test_a_place_without_proc(make: Make, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = f"while not os.path.exists({str(go)!r}): time.sleep(0.02)"
    job = make(f"import os, time\nprint('begun', flush=True)\n{waits}\nprint('ended')")
    job.by = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh")
    job.start()
    begun(job)
    runner = claimed(job.paths)
    assert runner is not None and (runner.boot_id, runner.started_ticks) == (None, None)
    assert is_running(runner)
    second = [*job.by, sys.executable, "-m", "jupyter_hybrid.runner", str(job.paths.directory)]
    done = subprocess.run([*second, "--blobs", "b"], capture_output=True, text=True, check=False)
    go.touch()
    assert done.returncode == 2 and "already runs" in done.stderr
    assert job.wait().message == ""
    assert job.text() == "begun\nended\n"
    assert not is_running(runner)
