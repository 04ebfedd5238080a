"""What accounts allow: read, refused where it never can be, told in offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hpc import NEEDS, Cluster
from jobs import until
from slurm_jobs import TICKS, User

from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.executors.base import Offer
from jupyter_hybrid.executors.slurm.hardware import Choice
from jupyter_hybrid.executors.slurm.limits import (
    limited,
    parse_associations,
    rules,
    those_for,
    within,
)
from jupyter_hybrid.executors.slurm.qos import parse_qualities, with_use
from jupyter_hybrid.spec import Resources

ASSOCIATIONS = """\
Current Association Manager state
Association Records
ClusterName=hpc Account=root UserName= Partition= Priority=0 ID=1 DefAssoc=No GrpTRES=cpu=N(0) \
MaxJobs= MaxWallPJ= MaxTRESPJ= MaxTRESPN= Comment=(null)
ClusterName=hpc Account=chem UserName= Partition= ID=3 ParentAccount=root(1) DefAssoc=Yes \
GrpTRES=cpu=N(0),mem=8000(500),gres/gpu=4(3),gres/gpu:v100=N(0) MaxJobs= MaxWallPJ= MaxTRESPJ=
ClusterName=hpc Account=chem UserName=ada(1000) Partition= ID=4 DefAssoc=Yes GrpJobs=N(0) \
GrpTRES=cpu=6(0),mem=N(0),gres/gpu=N(0) MaxJobs=3(2) MaxWallPJ=120 MaxTRESPJ=gres/gpu=2,node=1
ClusterName=hpc Account=physics UserName=ada(1000) Partition=v100 ID=5 DefAssoc=No \
GrpTRES=cpu=N(0) MaxJobs= MaxWallPJ= MaxTRESPJ=gres/gpu:v100=1
"""


RIGHTS = "chem||long|long,normal\nphysics|v100||quick\n"
QOS = """\
normal||||||||
long|gres/gpu=1|2-00:00:00|cpu=6,gres/gpu=4|3|mem=8G||node=2|
quick||00:30:00|||||gres/gpu:v100=3|5
rush|cpu=2|00:10:00||||||
"""
PARTITIONS = """\
PartitionName=v100 AllowQos=ALL Default=YES QoS=rush DefaultTime=00:10:00 State=UP
PartitionName=p100 AllowQos=ALL Default=NO QoS=N/A DefaultTime=00:10:00 State=UP
"""
#: Of Slurm 24.11.
IN_USE = """\
QOS Records
QOS=normal(1) UsageRaw=0.000000 GrpJobs=N(0) GrpTRES=cpu=N(0),node=N(0) MaxWallPJ= Priority=0 \
Account Limits=No Accounts User Limits=No Users
QOS=long(2) UsageRaw=0.000000 GrpJobs=N(1) GrpWall=N(0.00) GrpTRES=cpu=N(2),mem=N(1000),node=2(1) \
MaxWallPJ=2880 MaxTRESPJ=gres/gpu=1 MinPrioThresh=  MinTRESPJ= PreemptMode=OFF Priority=0 \
Account Limits= chem={MaxJobsPA=N(1) MaxSubmitJobsPA=N(1) MaxTRESPA=cpu=N(2),mem=8192(1000)} \
User Limits= bob(1001)={MaxJobsPU=3(3) MaxTRESPU=cpu=6(6)} ada(1000)={MaxJobsPU=3(1) \
MaxSubmitJobsPU=9(1) MaxTRESPU=cpu=6(2),mem=N(1000),gres/gpu=4(1),gres/gpu:v100=N(1)}
"""


def test_a_qos_is_asked_for_the_users_or_the_usual_one() -> None:
    known = parse_qualities(RIGHTS, QOS, PARTITIONS)
    names = [
        [qos.name for qos in known.chain(*asked)]
        for asked in (
            ("", "chem", "p100"),
            ("normal", "chem", "p100"),
            ("", "chem", "v100"),
            ("", "physics", "v100"),
            ("", "biology", "p100"),
            ("nosuch", "chem", "p100"),
        )
    ]
    assert names == [["long"], ["normal"], ["rush", "long"], ["rush", "quick"], ["normal"], []]
    assert parse_qualities("", "sacctmgr: error: no connection\n", "").chain("", "", "v100") == []


def test_limits_of_a_qos_and_what_is_in_use_of_them_are_read() -> None:
    (qos,) = parse_qualities(RIGHTS, QOS, "").chain("", "chem", "p100")
    assert (qos.longest, qos.each_job) == (172_800.0, {"gres/gpu": 1})
    used = with_use(qos, IN_USE, "ada", "chem")
    assert used.user == {"cpu": (6, 2), "gres/gpu": (4, 1), "jobs": (3, 1)}
    assert used.account == {"mem": (8 << 30, 1000 << 20)}
    assert used.everybody == {"node": (2, 1)}
    # who has had no job in it yet is not told of
    assert with_use(qos, IN_USE, "eve", "chem").user["jobs"] == (3, 0)
    assert with_use(qos, "", "ada", "chem") == qos


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Resources(gpus=2), "the QOS 'long' allows you 1 GPU in a job, not 2 GPUs"),
        (Resources(cpus=8), "the QOS 'long' allows you 6 cores at once, not 8 cores"),
        (Resources(mem=9 << 30), "the QOS 'long' allows your account .* of memory at once"),
        (Resources(nodes=3), "the QOS 'long' allows all its users 2 nodes at once, not 3 nodes"),
        (Resources(time=200_000.0), "the QOS 'long' allows you 2 d 0 h, not"),
    ],
)
def test_what_a_qos_never_allows_is_refused(asked: Resources, words: str) -> None:
    chain = parse_qualities(RIGHTS, QOS, PARTITIONS).chain("", "chem", "p100")
    with pytest.raises(UsageError, match=words):
        within(Choice("", "v100", None, ()), rules([], chain), asked, "dgx")


def test_what_a_qos_limits_the_association_does_not() -> None:
    own = those_for(parse_associations(ASSOCIATIONS), "", "v100")
    known = parse_qualities(RIGHTS, QOS, PARTITIONS)
    choice = Choice("", "", None, ())
    # the account allows two hours and one node; the QOS two days, the partition's ten minutes
    asked = Resources(time=7200.0)
    assert within(choice, rules(own, []), asked, "dgx").longest == 7200.0
    long = rules(own, known.chain("", "chem", "p100"))
    assert within(choice, long, Resources(time=86_400.0), "dgx").longest == 172_800.0
    rush = rules(own, known.chain("", "chem", "v100"))
    with pytest.raises(UsageError, match="the QOS 'rush' allows you 10 min"):
        within(choice, rush, asked, "dgx")
    with pytest.raises(UsageError, match="your account 'chem' allows 1 node in a job"):
        within(choice, rush, Resources(nodes=2), "dgx")


def test_an_offer_tells_what_a_qos_allows() -> None:
    (qos,) = parse_qualities(RIGHTS, QOS, "").chain("", "chem", "p100")
    found = rules([], [with_use(qos, IN_USE, "ada", "chem")])
    offer = Offer(target="dgx", hardware="", free_now=True, note="2 of 2 nodes free")
    told = limited(offer, Choice("", "", None, ()), found, Resources(gpus=1))
    assert told.note == (
        "2 of 2 nodes free; you may use 6 cores, 2 in use; you may use 4 GPUs, 1 in use; "
        "3 jobs at once, 1 running; all in the QOS 'long' may use 2 nodes, 1 in use"
    )
    assert told.free_now is True
    bob = rules([], [with_use(qos, IN_USE, "bob", "chem")])
    assert limited(offer, Choice("", "", None, ()), bob, Resources()).free_now is False


def test_limits_of_accounts_are_read() -> None:
    known = parse_associations(ASSOCIATIONS)
    own, all_of_chem = those_for(known, "", "v100")
    assert (own.account, own.user, own.longest, own.jobs) == ("chem", "ada", 7200.0, (3, 2))
    assert (own.each_job, own.at_once) == ({"gres/gpu": 2, "node": 1}, {"cpu": (6, 0)})
    assert all_of_chem.at_once == {"mem": (8000 << 20, 500 << 20), "gres/gpu": (4, 3)}
    assert [a.each_job for a in those_for(known, "physics", "v100")] == [{"gres/gpu:v100": 1}]
    assert those_for(known, "physics", "p100") == parse_associations("") == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Resources(gpus=3), "your account 'chem' allows 2 GPUs in a job, not 3 GPUs"),
        (Resources(nodes=2), "allows 1 node in a job, not 2 nodes"),
        (Resources(cpus=8), "allows 6 cores at once, not 8 cores"),
        (Resources(mem=9000 << 20), "of memory at once, not"),
        (Resources(time=10800.0), "allows 2 h 00 min, not 3 h 00 min"),
    ],
)
def test_what_an_account_never_allows_is_refused(asked: Resources, words: str) -> None:
    limits = rules(those_for(parse_associations(ASSOCIATIONS), "", "v100"), [])
    choice = Choice("", "v100", None, ())
    with pytest.raises(UsageError, match=words):
        within(choice, limits, asked, "dgx")


def test_an_offer_tells_what_the_account_allows() -> None:
    limits = rules(those_for(parse_associations(ASSOCIATIONS), "", "v100"), [])
    choice, asked = Choice("", "v100", 9000.0, ()), Resources(gpus=2)
    assert within(choice, limits, asked, "dgx").longest == 7200.0
    offer = Offer(target="dgx", hardware="", free_now=True, note="2 of 2 nodes free")
    told = limited(offer, choice, limits, asked)
    assert told.note == (
        "2 of 2 nodes free; you may use 6 cores, 0 in use; 3 jobs at once, 2 running; "
        "the account 'chem' may use 4 GPUs, 3 in use"
    )
    assert told.free_now is False
    assert limited(offer, choice, [], asked) == offer


@pytest.mark.needs(*NEEDS)
@pytest.mark.timeout(600)
async def test_limits_of_a_real_account(user: User) -> None:
    def limit(gpus: str, minutes: str) -> None:
        change = ["sacctmgr", "-i", "-Q", "modify", "user", user.cluster.user, "set"]
        change += [f"MaxTRESPerJob=gres/gpu={gpus}", f"MaxWall={minutes}"]
        user.cluster.on("hpc-login", *change)

    limit("1", "30")
    try:

        async def told() -> bool:
            # the database tells the controller in its own time
            user.executor.queue.forget()
            return "MaxWallPJ=30" in await user.executor.queue.in_use()

        await until(told)
        with pytest.raises(UsageError, match="'research' allows 1 GPU in a job, not 2 GPUs"):
            await user.submit("1", gpus=2)
        with pytest.raises(UsageError, match="allows 30 min 00 s, not 1 h 00 min"):
            await user.submit("1", time=3600.0)
        (offer,) = await user.executor.offers(Resources(gpus=1))
        assert "up to 30 min 00 s" in offer.note
    finally:
        limit("-1", "-1")


@contextmanager
def a_qos(cluster: Cluster, *limits: str) -> Iterator[str]:
    """A QOS with these limits, which the user gets for all jobs."""

    def site(*words: str) -> None:
        cluster.on("hpc-login", "sacctmgr", "-i", "-Q", *words)

    name, mine = f"small-{cluster.user}", ("modify", "user", cluster.user, "set")
    site("add", "qos", name, *limits)
    site(*mine, f"qos+={name}", f"defaultqos={name}")
    try:
        yield name
    finally:
        site(*mine, "defaultqos=-1")
        site(*mine, f"qos-={name}")
        site("delete", "qos", name)


@pytest.mark.needs(*NEEDS)
@pytest.mark.timeout(600)
async def test_limits_of_a_real_qos(user: User) -> None:
    limits = ("MaxWall=40", "MaxTRESPerJob=gres/gpu=1", "MaxTRESPerUser=cpu=3", "GrpTRES=node=2")
    with a_qos(user.cluster, *limits) as name:

        async def told() -> bool:
            # the database tells the controller in its own time
            user.executor.queue.forget()
            return f"QOS={name}(" in await user.executor.queue.in_use()

        await until(told)
        for words, asked in (
            ("allows you 1 GPU in a job, not 2 GPUs", {"gpus": 2}),
            ("allows you 3 cores at once, not 4 cores", {"cpus": 4}),
            ("allows you 40 min 00 s, not 1 h 00 min", {"time": 3600.0}),
        ):
            with pytest.raises(UsageError, match=f"the QOS '{name}' {words}"):
                await user.submit("1", **asked)
        job = await user.submit(TICKS.format(6000), cpus=2)
        await user.says(job, "tick")
        user.executor.queue.forget()
        (offer,) = await user.executor.offers(Resources(cpus=2))
        assert "up to 40 min 00 s" in offer.note and not offer.free_now
        assert "you may use 3 cores, 2 in use" in offer.note
        waits = await user.submit("1", cpus=2)

        async def explained() -> bool:
            user.executor.queue.forget()
            return "its QOS uses as much as it may" in (await user.manager.status(waits.id)).reason

        await until(explained)
        await user.leave()
