"""Sites that are odd: a clock that is wrong, a directory without programs, a home that is full."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hpc import NEEDS, Cluster, hang_up
from jobs import until
from slurm_jobs import TICKS, User

from jupyter_hybrid.errors import ImageError
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import Cause

pytestmark = [pytest.mark.needs(*NEEDS), pytest.mark.timeout(600)]

#: Shows a machine's mount on others: open_tree, setns, move_mount. Its arguments are the path and
#: the processes, first that of the machine that has it.
SHARE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
path = os.fsencode(sys.argv[1])
own, *others = [os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY) for pid in sys.argv[2:]]
def done(result):
    if result < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    return result
for other in others:
    done(libc.setns(own, 0x20000))
    tree = done(libc.syscall(428, -100, path, 1))
    done(libc.setns(other, 0x20000))
    done(libc.syscall(429, tree, b"", -100, path, 4))
"""
CLOCK = Path(__file__).parents[2] / "faults" / "wrong_clock.c"


@pytest.mark.needs("program:gcc")
async def test_the_clock_of_the_login_node_is_ten_minutes_off(lone_user: User) -> None:
    ahead = -600.0
    user, cluster = lone_user, lone_user.cluster
    library = cluster.home / "wrong"
    library.mkdir(exist_ok=True)
    compiler = ["gcc", "-shared", "-fPIC", "-o", str(library / "clock.so"), str(CLOCK)]
    subprocess.run([*compiler, "-ldl"], check=True)  # noqa: ASYNC221
    (library / "ahead").write_bytes(struct.pack("d", ahead))
    library.chmod(0o755)
    there = f"/home/{cluster.user}/wrong"
    # all that a user runs there: Slurm's own programs on it are right, or nobody's tickets would be
    wrong = f"SetEnv LD_PRELOAD={there}/clock.so WRONG_CLOCK={there}/ahead"
    cluster.restart_sshd("-o", wrong)
    try:
        shown = float(cluster.ssh("python3 -c 'import time; print(time.time())'"))
        right = float(cluster.on("v100-01", "date", "+%s.%N"))
        assert abs(shown - right - ahead) < 60.0
        ended, text = await user.follow(await user.submit(TICKS.format(20)))
        assert (ended.state, text.count("tick")) == (State.COMPLETED, 20), ended.reason
        assert ended.exit is not None and 1.5 < (ended.exit.seconds or 0.0) < 60.0
        assert ended.started_at is not None and ended.finished_at is not None
        assert ended.created_at <= ended.started_at <= ended.finished_at
        waits = await user.submit("1", gpus=1)
        await user.manager.cancel(waits.id)
        over = (await user.follow(waits))[0]
        assert over.state in (State.CANCELLED, State.COMPLETED), (over.exit, over.reason)
    finally:
        cluster.restart_sshd()
        shutil.rmtree(library)


async def test_a_directory_without_programs_is_refused_for_images(user: User) -> None:
    cluster, engine = user.cluster, User(user.cluster, user.folder, engine="apptainer")
    cluster.ssh("mkdir -p ~/faults")
    uid, place = cluster.ssh("id -u").strip(), f"/home/{cluster.user}/faults"
    mount = ["mount", "-t", "tmpfs", "-o", f"noexec,size=9m,mode=700,uid={uid}", "tmpfs", place]
    cluster.on("hpc-login", *mount)
    try:
        with pytest.raises(ImageError, match=r"mounted with 'noexec'.*name another directory"):
            await engine.submit("1", image="/no/such.sif")
    finally:
        engine.executor.transport.close()
        cluster.on("hpc-login", "umount", place)


async def test_the_sites_lines_come_before_the_job(cluster: Cluster, tmp_path: Path) -> None:
    # what a module does: variables, and a function of bash that the login shell brings
    setup = "module() { export LOADED_$1=yes; }\nmodule python\nset -u"
    user = User(cluster, tmp_path, setup=setup, engine="none")
    try:
        source = "import os\nprint(os.environ['LOADED_python'], os.environ['HOME'])"
        ended, text = await user.follow(await user.submit(source))
        assert (ended.state, text) == (State.COMPLETED, f"yes /home/{cluster.user}\n"), ended.reason
    finally:
        await user.leave()


async def test_cancelled_while_the_sites_lines_run(cluster: Cluster, tmp_path: Path) -> None:
    user = User(cluster, tmp_path, setup="touch ~/begun-$SLURM_JOB_ID\nsleep 600", engine="none")
    try:
        job = await user.submit("1")
        await until(lambda: "begun-" in cluster.ssh("ls ~"))
        await user.manager.cancel(job.id)
        ended = (await user.follow(job))[0]
        # no runner was there to catch the signal: to Slurm its script has failed
        assert ended.state is State.CANCELLED and "it was cancelled" in ended.reason, ended.reason
    finally:
        cluster.ssh("rm -f ~/begun-*")
        await user.leave()


def process_of(cluster: Cluster, machine: str) -> str:
    """The machine's process 1, as this one sees it."""
    pid = (cluster.directory / "run" / f"{machine}.pid").read_text().split()[0]
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]


async def test_a_home_that_gets_full(user: User) -> None:
    """What was printed is kept, and who filled it is told."""
    cluster, machines = user.cluster, ("hpc-login", "p100-01")
    cluster.ssh("mkdir -p ~/faults")
    uid, place = cluster.ssh("id -u").strip(), f"/home/{cluster.user}/faults"
    mount = ["mount", "-t", "tmpfs", "-o", f"size=6m,mode=700,uid={uid}", "tmpfs", place]
    cluster.on("hpc-login", *mount)
    share = [sys.executable, "-c", SHARE, place, *(process_of(cluster, name) for name in machines)]
    subprocess.run(share, check=True)  # noqa: ASYNC221
    try:
        source = "print('first')\nopen('big', 'wb').write(b'x' * 100_000_000)"
        ended, text = await user.follow(await user.submit(source, gpus=1, gpu_type="p100"))
        assert (ended.state, text) == (State.FAILED, "first\n"), ended.reason
        assert ended.exit is not None and ended.exit.cause == Cause.DISK_FULL, ended.reason
        assert "No space is left on the disk" in ended.reason
        assert "first" in str(await user.manager.notebook(ended.id))
        # with room again, the next one runs
        cluster.ssh("rm ~/faults/jobs/*/*/big")
        ended, text = await user.follow(await user.submit("print('room')", gpu_type="p100", gpus=1))
        assert (ended.state, text) == (State.COMPLETED, "room\n"), ended.reason
    finally:
        hang_up(user.executor.transport)
        for name in machines:
            cluster.on(name, "umount", "--lazy", place)


async def test_what_no_job_wants_goes_and_what_one_in_the_queue_may_need_stays(user: User) -> None:
    def images() -> list[str]:
        return user.cluster.ssh("ls ~/faults/images").split()

    job = await user.submit(TICKS.format(6000))
    await user.says(job, "tick")
    make = "mkdir -p ~/faults/images; cd ~/faults/images; truncate -s 5M old.sif new.sif"
    ages = "touch -d '2 hours ago' old.sif; touch -d '30 minutes ago' new.sif"
    user.cluster.ssh(f"{make}; {ages}")
    told = await user.executor.kept()
    assert "10.0 MB of images; " in told and " free in /home/" in told
    assert (await user.executor.prune(1.0)).freed == 0
    assert (await user.executor.prune(0.0)).freed == 5 << 20
    assert images() == ["new.sif"]
    await user.manager.cancel(job.id)
    assert (await user.follow(job))[0].state is State.CANCELLED
    await until(lambda: not user.cluster.jobs())
    assert (await user.executor.prune(0.0)).kept == 0
    assert images() == []
    # whatever went is brought again
    ended, text = await user.follow(await user.submit("print('again')"))
    assert (ended.state, text) == (State.COMPLETED, "again\n"), ended.reason
