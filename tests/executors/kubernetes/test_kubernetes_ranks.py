"""Jobs on several nodes: each pod runs the notebook, rank 0's is the record, and all end as one."""

from __future__ import annotations

from typing import Any

import kube
import pytest
from kube_jobs import Place

from jupyter_hybrid.events import Kind, parse_events
from jupyter_hybrid.executors.kubernetes import manifest, ranks
from jupyter_hybrid.executors.kubernetes.settings import Settings
from jupyter_hybrid.job import Job
from jupyter_hybrid.spec import JobSpec, Resources

pytestmark = pytest.mark.timeout(300)

#: Each rank tells rank 0 who it is, at the address that frameworks use.
MEET = """\
import os, socket, time
rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    server = socket.create_server(("", place[1]))
    for _ in range(1, size):
        connection, _ = server.accept()
        print(connection.recv(100).decode())
else:
    while True:
        try:
            connection = socket.create_connection(place)
            break
        except OSError:
            time.sleep(0.1)
    connection.sendall(f"rank {rank} of {size}, {os.environ['LOCAL_RANK']}".encode())
"""


@pytest.mark.needs(*kube.NEEDS)
async def test_ranks_meet_and_the_job_ends_with_all_of_them(place: Place) -> None:
    """Two processes in each of two pods."""
    job = await place.start(MEET, "print('rank', rank)", nodes=2, ntasks_per_node=2)
    record = await place.ended(job)
    assert record.state == "COMPLETED", record
    *others, own = place.printed(job).splitlines()
    assert sorted(others) == [f"rank {n} of 4, {n % 2}" for n in (1, 2, 3)] and own == "rank 0"
    for rank in (1, 2, 3):
        content = await place.executor.read(job, f"ranks/{rank}/events.jsonl", 0)
        found, used = parse_events(content)
        assert used == len(content) and found[-1].kind == Kind.FINISHED
        said = [e.data["output"].get("text") for e in found if e.kind == Kind.OUTPUT]
        assert f"rank {rank}\n" in said
        assert await place.executor.read(job, f"ranks/{rank}/events.jsonl", used) == b""
    assert await place.executor.read(job, "ranks/7/events.jsonl", 0) == b""


@pytest.mark.needs(*kube.NEEDS)
async def test_a_rank_that_fails_ends_all(place: Place) -> None:
    source = "import os, time\nif os.environ['RANK'] == '1': 1 / 0\nprint('on', flush=True)"
    failing = await place.start(f"{source}\ntime.sleep(600)", nodes=2)
    killed = await place.start(
        "import os, signal, time\nprint('on', flush=True)\ntime.sleep(2)\n"
        "if os.environ['RANK'] == '1': os.kill(1, signal.SIGKILL); os.kill(os.getppid(), 9)\n"
        "time.sleep(600 if os.environ['RANK'] == '0' else 0)",
        nodes=2,
    )
    record = await place.ended(failing)
    assert (record.state, record.ename) == ("FAILED", "ZeroDivisionError"), record
    assert "Rank 1 on jh-" in record.message and "the others were ended" in record.message
    assert "on" in place.result(failing)
    record = await place.ended(killed)
    assert record.state == "FAILED" and "Rank 1" in record.message, record


def made(minor: int, **asked: Any) -> dict[str, Any]:
    resources = Resources(nodes=3, **asked)
    spec = JobSpec(name="n", target="c", kind="notebook", resources=resources)
    job = Job(id="01m89w43ce0c4evwa9v7wy2sck", spec=spec, directory="", created_at=0.0)
    inside = manifest.Inside(python="python3", directory="/j", code="/c", blobs="/b")
    plan = manifest.Plan(image="i:1", receiver="", inside=inside, minor=minor, small=True)
    return manifest.make_job(job, Settings(), plan)


def test_several_processes_in_a_pod_share_what_it_has() -> None:
    job = made(24, ntasks_per_node=2, cpus=8, mem=4 << 30)
    pod = job["spec"]["template"]["spec"]
    found = environment(pod)
    assert (found["WORLD_SIZE"], found["LOCAL_WORLD_SIZE"]) == ("6", "2")
    assert found["OMP_NUM_THREADS"] == "4"
    command = pod["containers"][0]["command"]
    assert command[command.index("--tasks") + 1] == "2"
    assert command[command.index("--mem") + 1] == str(2 << 30)
    assert "--tasks" not in made(24)["spec"]["template"]["spec"]["containers"][0]["command"]


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return {e["name"]: e.get("value", e.get("valueFrom")) for e in container["env"]}


def test_an_indexed_job_makes_all_pods_where_the_cluster_has_such() -> None:
    job = made(24)
    assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 3)
    assert job["spec"]["parallelism"] == 3 and job["spec"]["backoffLimit"] == 0
    pod = job["spec"]["template"]["spec"]
    assert pod["subdomain"] == job["metadata"]["name"]
    found = environment(pod)
    index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
    assert found["RANK"] == {"fieldRef": {"fieldPath": index}}
    assert (found["WORLD_SIZE"], found["LOCAL_RANK"], found["MASTER_PORT"]) == ("3", "0", "29500")
    name = "jh-$(JUPYTER_HYBRID_JOB)"
    assert found["MASTER_ADDR"] == f"{name}-0.{name}"
    order = [e["name"] for e in pod["containers"][0]["env"]]
    assert order.index("JUPYTER_HYBRID_JOB") < order.index("MASTER_ADDR")


def test_the_others_are_plain_pods_where_it_has_not() -> None:
    job = made(20)
    assert "completionMode" not in job["spec"] and job["spec"]["completions"] == 1
    assert "subdomain" not in job["spec"]["template"]["spec"]
    job["metadata"]["uid"] = "u"
    pod = ranks.make_rank(job, 2, "10.0.0.7")
    assert pod["metadata"]["name"] == f"{job['metadata']['name']}-2"
    (owner,) = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Job", "u")
    found = environment(pod["spec"])
    assert (found["RANK"], found["MASTER_ADDR"], found["WORLD_SIZE"]) == ("2", "10.0.0.7", "3")
    command = pod["spec"]["containers"][0]["command"]
    assert command[command.index("--linger") + 1] == "0"
