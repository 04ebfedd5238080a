"""What accounts allow: read, refused where it never can be, told in offers."""

from __future__ import annotations

import pytest
from hpc import NEEDS
from jobs import until
from slurm_jobs import User

from jupyter_hybrid.errors import UsageError
from jupyter_hybrid.executors.base import Offer
from jupyter_hybrid.executors.slurm.hardware import Choice
from jupyter_hybrid.executors.slurm.limits import (
    limited,
    parse_associations,
    those_for,
    within,
)
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
    limits = those_for(parse_associations(ASSOCIATIONS), "", "v100")
    choice = Choice("", "v100", None, ())
    with pytest.raises(UsageError, match=words):
        within(choice, limits, asked, "dgx")


def test_an_offer_tells_what_the_account_allows() -> None:
    limits = those_for(parse_associations(ASSOCIATIONS), "", "v100")
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
            return any(a.longest for a in await user.executor.queue.limits())

        await until(told)
        with pytest.raises(UsageError, match="'research' allows 1 GPU in a job, not 2 GPUs"):
            await user.submit("1", gpus=2)
        with pytest.raises(UsageError, match="allows 30 min 00 s, not 1 h 00 min"):
            await user.submit("1", time=3600.0)
        (offer,) = await user.executor.offers(Resources(gpus=1))
        assert "up to 30 min 00 s" in offer.note
    finally:
        limit("-1", "-1")
