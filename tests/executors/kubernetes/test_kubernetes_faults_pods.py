"""Pods that end before their jobs do, and pods that print more than the node keeps."""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import time
from pathlib import Path

import kube
import pytest
from jobs import until
from kube_jobs import Place, ticking, ticks

from jupyter_hybrid.errors import PlaceError
from jupyter_hybrid.executors.kubernetes.api import Api
from jupyter_hybrid.executors.kubernetes.delivery import finished
from jupyter_hybrid.spec import Cause

TESTS = Path(kube.__file__).parent
pytestmark = [pytest.mark.needs(*kube.NEEDS), pytest.mark.timeout(300)]


async def test_a_pod_is_deleted_from_outside(place: Place) -> None:
    """As by ``kubectl drain``: politely, and then at once."""
    jobs = [await place.start(ticking(600), "print('never')") for _ in range(2)]
    for job in jobs:
        await place.prints(job, "tick 3")
    names = [place.pod(job)["metadata"]["name"] for job in jobs]
    place.cluster.kubectl("delete", "pod", names[0], "--wait=false")
    place.cluster.kubectl("delete", "pod", names[1], "--force", "--grace-period=0")
    for job in jobs:
        record = await place.ended(job)
        assert (record.state, record.cause) == ("FAILED", Cause.PREEMPTED), record
        assert "tick 3" in place.printed(job) and "never" not in place.printed(job)
    # whoever was asked to end had the time to save
    assert "tick 3" in place.result(jobs[0])


async def test_a_node_evicts_a_pod_that_fills_its_disk(place: Place) -> None:
    place.executor = place.another(shm_size="1Mi")
    fill = "open('/dev/shm/large', 'wb').write(b'x' * 8_000_000)\nprint('filled', flush=True)"
    job = await place.start(f"{fill}\nimport time; time.sleep(600)")
    record = await place.ended(job)
    assert (record.state, record.cause) == ("FAILED", Cause.PREEMPTED), record
    assert "evicted the job's pod: " in record.message and '"shm"' in record.message
    assert place.printed(job) == "filled\n"


async def test_a_job_that_takes_more_memory_than_it_asked_for(place: Place) -> None:
    job = await place.start("print('early', flush=True)\nx = b'x' * (600 << 20)", mem=256 << 20)
    record = await place.ended(job)
    assert (record.state, record.cause) == ("FAILED", Cause.OUT_OF_MEMORY), record
    assert "early" in place.printed(job)
    assert "early" in place.result(job)


async def test_a_million_lines_and_a_log_that_the_node_has_cut(place: Place) -> None:
    """What the node dropped before anybody read it is read from the job's own file."""
    lines = "for n in range(200_000): print(n)"
    # beside what is printed in a cell, a million lines in the pod's log; of that the node keeps
    # 10 MB in one piece, and it looks every ten seconds
    noise = (
        "import time\nwith open('/proc/1/fd/1', 'w') as log:\n"
        "    for n in range(1000): log.write(('x' * 40 + '\\n') * 1000)\n"
        "print('noise', flush=True)\ntime.sleep(15)\nprint('last', flush=True)\ntime.sleep(2)"
    )
    job = await place.start("print('first')", lines, noise)
    pod = place.pod(job)["metadata"]["name"]
    last = ("logs", pod, "--tail=3")
    await until(lambda: "last" in place.cluster.kubectl(*last, check=False), 120.0)
    assert '"started"' not in place.cluster.kubectl("logs", pod, "--limit-bytes=2000")
    record = await place.ended(job)
    assert record.state == "COMPLETED", record
    first, numbers, rest = json.loads(place.result(job))["cells"]
    same = "".join(numbers["outputs"][0]["text"]) == "".join(f"{n}\n" for n in range(200_000))
    assert same and len(numbers["outputs"]) == 1
    printed = [cell["outputs"][0]["text"] for cell in (first, rest)]
    assert printed == [["first\n"], ["noise\n", "last\n"]]
    live = place.printed(job)
    assert live.startswith("first\n0\n1\n") and live.endswith("noise\nlast\n")


@pytest.mark.needs("program:gcc")
@pytest.mark.skipif(bool(kube.FOREIGN), reason="mounts a directory of this machine")
async def test_the_clock_of_the_job_is_not_that_of_its_node(place: Place) -> None:
    """Whoever goes on to follow it compares no clocks."""
    shared = place.cluster.shared
    assert shared is not None
    library, source = shared / "wrong_clock.so", TESTS / "faults" / "wrong_clock.c"
    compiling = ("gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl")
    await asyncio.to_thread(subprocess.run, compiling, check=True)
    (shared / "wrong").write_bytes(struct.pack("d", 3600.0))
    place.options |= {
        "env": {"LD_PRELOAD": "/shared/wrong_clock.so", "WRONG_CLOCK": "/shared/wrong"},
        "volumes": [{"mount": "/shared", "host_path": str(shared), "read_only": True}],
        "allow_host_path": True,
    }
    place.executor = place.another()
    job = await place.start(f"import time\nprint(time.time())\n{ticking(20)}")
    await place.prints(job, "tick 2")
    place.executor = place.another()
    assert (await place.ended(job)).state == "COMPLETED"
    clock, _, rest = place.printed(job).partition("\n")
    assert float(clock) > time.time() + 3000.0 and rest == ticks(20)


async def test_a_command_that_says_nothing_is_given_up(place: Place) -> None:
    """A node may never answer for a container that ends in the moment in which it is asked."""
    job = await place.start(ticking(600))
    await place.prints(job, "tick 1")
    api = Api("cloud", place.executor.settings)
    async with api.execute(place.pod(job)["metadata"]["name"], ["sleep", "60"]) as socket:
        with pytest.raises(PlaceError, match=r"said nothing for 0\.5 s") as raised:
            await finished(socket, quiet=0.5)
    assert raised.value.transient
