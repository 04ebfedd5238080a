"""What Slurm prints is read, and what it means is said. Recorded from Slurm 24.11."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.slurm import SlurmExecutor, listing
from jupyter_hybrid.executors.slurm.hardware import choose, offer, queued
from jupyter_hybrid.executors.slurm.listing import Node, Row
from jupyter_hybrid.executors.slurm.options import SlurmOptions
from jupyter_hybrid.executors.slurm.words import (
    ENDS,
    end_words,
    parse_refusal,
    state_of,
    waiting_words,
)
from jupyter_hybrid.job import State
from jupyter_hybrid.spec import JobSpec, Resources

QUEUE = """\
slurm_load_jobs: a warning that some site's wrapper prints
30|PENDING|v100|1795627800|1795628400|10:00|7||Priority|third.01m89h1mj4f64qrk90vn3tt33r
29|PENDING|v100|N/A|N/A|1-00:00:00|9||Resources|nb|with|bars.01abd
28|RUNNING|v100|1795626554|N/A|UNLIMITED|1|v100-[01-02]|None|nb.01abc
31_4|COMPLETING|v100|1795626554|1795626614|10:00|1|v100-01|None|array.x
"""

ACCOUNTS = """\
28|CANCELLED by 1000|0:0|1795626554|1795626557|10|v100-[01-02]|nb.01abc
29|CANCELLED by 1000|0:0|None|1795626557|10|None assigned|nb|x.01abd
30|OUT_OF_MEMORY|0:125|1795626554|1795626557|UNLIMITED|v100-01|third
31|RUNNING|0:0|1795626554|Unknown|10|v100-01|fourth
"""

REFUSALS = {
    "sbatch: error: invalid partition specified: nosuch\n"
    "sbatch: error: Batch job submission failed: Invalid partition name specified": (
        "there is no partition 'gpu' (sbatch: Invalid partition name specified)",
        False,
    ),
    "sbatch: error: Batch job submission failed: Requested node configuration is not available": (
        "no node has all that is asked for at once",
        False,
    ),
    "sbatch: error: Batch job submission failed: Invalid qos specification": (
        "the QOS 'high' may not be used",
        False,
    ),
    "sbatch: error: Batch job submission failed: Invalid account or account/partition combination "
    "specified": ("the account 'chem' may not be used", False),
    "sbatch: error: Memory specification can not be satisfied\nsbatch: error: Batch job submission "
    "failed: Requested node configuration is not available": ("no node has so much memory", False),
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect "
    "failure)": ("Slurm's controller does not answer", True),
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation": (
        "does not answer",
        True,
    ),
    "the site says no": ("sbatch refused the job: the site says no", False),
    "": ("without a word", False),
}


def test_the_queue_is_read_whatever_jobs_are_called() -> None:
    rows = listing.parse_queue(QUEUE)
    assert [(row.id, row.name, row.priority) for row in rows] == [
        ("30", "third.01m89h1mj4f64qrk90vn3tt33r", 7),
        ("29", "nb|with|bars.01abd", 9),
        ("28", "nb.01abc", 1),
        ("31_4", "array.x", 1),
    ]
    assert [row.start for row in rows] == [1795627800.0, None, 1795626554.0, 1795626554.0]
    assert [row.seconds for row in rows] == [600.0, None, None, 60.0]
    assert [row.limit for row in rows] == [600.0, 86400.0, None, 600.0]
    assert [state_of(row) for row in rows] == [State.PENDING] * 2 + [State.RUNNING] * 2
    assert state_of(Row("1", "A_STATE_OF_TOMORROW", "x")) is None
    assert listing.parse_queue("") == []


def test_accounting_is_read() -> None:
    rows = listing.parse_accounts(ACCOUNTS)
    assert [(row.state, row.name, row.nodes) for row in rows] == [
        ("CANCELLED", "nb.01abc", "v100-[01-02]"),
        ("CANCELLED", "nb|x.01abd", ""),
        ("OUT_OF_MEMORY", "third", "v100-01"),
        ("RUNNING", "fourth", "v100-01"),
    ]
    assert rows[2].signal == 125 and rows[3].end is None and rows[1].start is None
    assert rows[0].limit == 600.0 and rows[2].limit is None


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("gpu:v100:2", {"v100": 2}),
        ("gpu:v100:2(S:0-1),nvme:1", {"v100": 2}),
        ("gpu:a100:4(IDX:0,2-4),gpu:a100_3g.20gb:2(IDX:5-6)", {"a100": 4, "a100_3g.20gb": 2}),
        ("gpu:p100:0(IDX:N/A)", {"p100": 0}),
        ("gpu:4", {"": 4}),
        ("gpu:k80", {"k80": 1}),
        ("(null)", {}),
        ("", {}),
    ],
)
def test_gpus_in_gres(text: str, gpus: dict[str, int]) -> None:
    assert listing.parse_gres(text) == gpus


def sinfo(*rows: tuple[str, ...]) -> str:
    widths = listing.NODE_COLUMNS.values()
    lines = ["".join(f"{v:<{w}}" for v, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(lines) + "\n"


NODES = sinfo(
    ("p100", "p100-01", "idle", "0/4/0/4", "4000", "0", "1-00:00:00", "10:00",
     "gpu:p100:0(IDX:N/A)", "gpu:p100:2", "p100"),
    ("v100*", "v100-01", "mixed", "3/1/0/4", "4000", "2000", "1-00:00:00", "10:00",
     "gpu:v100:1(IDX:0-1)", "gpu:v100:2", "v100,nvlink"),
    ("v100*", "v100-02", "drained*", "0/0/4/4", "4000", "0", "1-00:00:00", "n/a",
     "gpu:v100:0", "gpu:v100:2", "(null)"),
)  # fmt: skip


def test_nodes_are_read() -> None:
    p100, one, two = listing.parse_nodes(NODES)
    assert p100 == Node(
        "p100", False, "p100-01", "idle", 4, 4, 4000 << 20, 4000 << 20, 86400.0,
        {"p100": 2}, {"p100": 0}, ("p100",),
    )  # fmt: skip
    assert (one.default, one.cpus_idle, one.mem_free, one.features) == (
        True,
        1,
        2000 << 20,
        ("v100", "nvlink"),
    )
    assert one.usable and not two.usable
    assert listing.parse_nodes("sinfo: error: something\n") == []


def chosen(asked: Resources, **options: object) -> str:
    nodes = listing.parse_nodes(NODES)
    found = choose(nodes, SlurmOptions(**options), asked, "dgx")  # type: ignore[arg-type]
    words = offer(found, asked, "dgx", 2.0)
    return f"{found.partition or '-'} {found.gpu_type} {words.free_now} {words.price:g}"


def test_an_offer_tells_free_gpus_by_type_and_who_waits() -> None:
    nodes = listing.parse_nodes(NODES)
    found = choose(nodes, SlurmOptions(), Resources(), "dgx")
    note = offer(found, Resources(), "dgx", None).note
    assert re.search(r"\d of \d nodes free, \d of \d v100 free, up to 1 d 0 h", note), note
    assert [queued(number) for number in (None, 0, 1, 5)] == [
        "", ", no jobs waiting", ", 1 job waiting", ", 5 jobs waiting",
    ]  # fmt: skip


def test_a_partition_is_chosen_for_what_is_asked() -> None:
    assert chosen(Resources()) == "v100  True 2"
    assert chosen(Resources(gpus=1, gpu_type="V100")) == "v100 v100 True 2"
    assert chosen(Resources(gpus=2)) == "v100  False 4"
    assert chosen(Resources(gpus=2, gpu_type="p100")) == "p100 p100 True 4"
    assert chosen(Resources(gpus=1), partition="p100") == "-  True 2"


@pytest.mark.parametrize(
    ("asked", "options", "words"),
    [
        (Resources(gpus=3), {}, "at most 2 GPUs in a node, not 3"),
        (Resources(gpus=1, gpu_type="h100"), {}, "no h100 GPU, but v100"),
        (Resources(cpus=64), {}, "at most 4 cores in a node, not 64"),
        (Resources(mem=2**40), {}, r"at most 3\.9 GB of memory in a node, not 1\.0 TB"),
        (Resources(time=3 * 86400.0), {}, "a limit of 1 d 0 h, not 3 d 0 h"),
        (Resources(nodes=3), {}, "2 such nodes, not 3"),
        (Resources(), {"partition": "nosuch"}, "'nosuch'.*it has: p100, v100"),
    ],
)
def test_what_can_never_run_is_refused_with_what_there_is(
    asked: Resources, options: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        chosen(asked, **options)


@pytest.mark.parametrize("said", REFUSALS)
def test_refusals(said: str) -> None:
    asked = {"partition": "gpu", "qos": "high", "account": "chem", "constraint": "x"}
    words, transient = parse_refusal(said, asked)
    assert REFUSALS[said][0] in words and transient is REFUSALS[said][1]


def waiting(reason: str, ahead: int | None = None, start: float | None = None) -> str:
    now = time.mktime((2026, 11, 25, 12, 0, 0, 0, 0, -1))
    row = Row("1", "PENDING", "x", start=None if start is None else now + start, reason=reason)
    return waiting_words(row, "2 v100", ahead, 600.0, now)


def test_why_a_job_waits_in_plain_words() -> None:
    # the cluster's clock is ten minutes ahead
    expected = "waiting for 2 v100: 3 jobs ahead, expected start 14:20"
    assert waiting("Priority", 3, 9000.0) == expected
    assert (
        waiting("Resources", 0) == "waiting for 2 v100: it is next, once what it asks for is free"
    )
    assert waiting("Resources", 1, 86400.0 + 600) == (
        "waiting for 2 v100: 1 job ahead, expected start Thu 12:00"
    )
    assert waiting("QOSMaxGRESPerUser").startswith("its QOS has as many GPUs")
    assert waiting("AssocGrpCpuLimit") == "your account uses as much as it may"
    assert waiting("ReqNodeNotAvail, UnavailableNodes:v100-02").startswith("nodes that it could")
    assert waiting("(Priority)", None) == "waiting for 2 v100: other jobs are before it"
    assert waiting("SomethingNew") == "Slurm says SomethingNew"
    assert waiting("") == "it was just submitted"


@pytest.mark.parametrize("state", ENDS)
def test_every_end_has_its_words(state: str) -> None:
    row = Row("1", state, "x", nodes="v100-01", limit=600.0)
    ended, cause, words = end_words(row)
    assert state_of(row) is State(ended) and cause
    assert "v100-01" in words and state in words
    told_to_end = end_words(row, cancelled=True)
    assert (told_to_end[0] == "CANCELLED") is (state in ("CANCELLED", "FAILED"))


def test_the_number_of_a_submitted_job() -> None:
    assert listing.parse_submitted("4711\n") == "4711"
    assert listing.parse_submitted("4711;dgx\n") == "4711"
    assert listing.parse_submitted("4711_12\n") == "4711_12"
    assert listing.parse_submitted("Welcome!\nproject budget: 3 h\n12\n") == "12"
    assert listing.parse_submitted("Submitted batch job 99\n") == "99"
    assert listing.parse_submitted("done\n") is None
    assert listing.parse_array("4711_3\n4711_[4-9]\n") == listing.parse_array("4711\n") == "4711"
    assert listing.parse_array("\n") is None


async def test_a_dry_run_does_not_bring_an_image_that_no_job_had_yet(tmp_path: Path) -> None:
    options = {"engine": "apptainer", "host": "nowhere.invalid"}
    target = TargetConfig(name="dgx", executor="slurm", root=tmp_path, options=options)
    executor = SlurmExecutor(target)
    spec = JobSpec(name="x", target="dgx", kind="notebook", image="lab/torch:1")
    assert await executor.describe(spec) == ""
    image, told = (await executor.foresee(spec, None)).splitlines()
    assert image == "image: lab/torch:1" and told.startswith("nobody has looked into it yet")
