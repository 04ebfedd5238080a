"""The manager and places that misbehave: money is never forgotten, silence is never news."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fakes import Fake, a_manager_of, ended, lines, missing, running
from jobs import a_manager, a_request

from jupyter_hybrid import reconcile
from jupyter_hybrid.errors import PlaceError, ResultError, StoreError, UnknownJob, UsageError
from jupyter_hybrid.events import Event
from jupyter_hybrid.executors.base import Handle
from jupyter_hybrid.job import Job, State
from jupyter_hybrid.manager import CANCEL_AGAIN_AFTER
from jupyter_hybrid.spec import Cause, ExitRecord


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    monkeypatch.setattr(Fake, "ask_every", 0.01)
    return Fake()


async def test_a_refused_submit_is_a_failed_job_with_the_places_words(
    fake: Fake, tmp_path: Path
) -> None:
    fake.handles = [PlaceError("no quota left; ask for more")]
    manager = a_manager_of(fake)
    with pytest.raises(PlaceError, match="no quota left"):
        await manager.submit(a_request(tmp_path, "1", submit_key="abc"))
    (job,) = manager.jobs()
    assert job.state is State.FAILED and "no quota left" in job.reason
    # the same may be tried again, as another job
    assert job.submit_key == ""
    assert job.exit is not None and job.exit.cause == Cause.REFUSED
    assert "cancel" not in fake.calls


async def test_what_a_failed_submit_made_is_cancelled(fake: Fake, tmp_path: Path) -> None:
    fake.handles = [{"id": 1}, {"id": 1, "run": 2}, PlaceError("the third step failed")]
    fake.polls = [running(), ended("CANCELLED")]
    manager = a_manager_of(fake)
    with pytest.raises(PlaceError):
        await manager.submit(a_request(tmp_path, "1", submit_key="abc"))
    (job,) = manager.jobs()
    assert job.handle == {"id": 1, "run": 2} and job.submit_key == ""
    assert fake.calls == ["handle", "handle", "cancel", "poll"]
    # a cancel is a request: until the place confirms it, money may still be running
    assert not job.state.final
    await manager.reconcile()
    job = manager.get(job.id)
    assert job.state is State.FAILED and "the third step failed" in job.reason


async def test_what_was_made_and_cannot_be_saved_is_cancelled(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(job: Job) -> Job:
        raise StoreError("database or disk is full")

    fake.polls = [ended("CANCELLED")]
    manager = a_manager_of(fake)
    with monkeypatch.context() as patch:
        patch.setattr(manager.store, "save", full)
        with pytest.raises(StoreError, match="full"):
            await manager.submit(a_request(tmp_path, "1"))
    assert fake.calls == ["handle", "cancel", "poll"]
    assert fake.cancelled == [{"id": 1}]


async def test_what_was_made_for_a_job_that_was_given_up_is_cancelled(
    fake: Fake, tmp_path: Path
) -> None:
    manager = a_manager_of(fake)

    def given_up() -> Handle:
        (job,) = manager.store.unfinished()
        record = ExitRecord("FAILED", Cause.SUBMIT_INTERRUPTED, "nothing was started")
        manager.store.save(reconcile.finish(job, record, now=0.0))
        return {"id": 1, "run": 2}

    fake.handles = [{"id": 1}, given_up]
    with pytest.raises(PlaceError, match="was ended meanwhile"):
        await manager.submit(a_request(tmp_path, "1"))
    assert fake.cancelled == [{"id": 1, "run": 2}]


async def test_what_cannot_be_cancelled_now_is_cancelled_later(fake: Fake, tmp_path: Path) -> None:
    fake.handles = [{"id": 1}, PlaceError("the second step failed")]
    fake.cancels = [PlaceError("gateway time-out", transient=True)]
    fake.polls = [running(), ended("CANCELLED")]
    manager = a_manager_of(fake)
    with pytest.raises(PlaceError, match="second step"):
        await manager.submit(a_request(tmp_path, "1"))
    (job,) = manager.jobs()
    assert not job.state.final and job.wanted is State.CANCELLED
    another = a_manager_of(fake)
    await another.reconcile()
    assert fake.calls.count("cancel") == 2
    await another.reconcile()
    assert another.get(job.id).state is State.FAILED


async def test_every_handle_is_saved_before_the_next_step(fake: Fake, tmp_path: Path) -> None:
    class Died(BaseException):
        pass

    fake.handles = [{"id": 1}, {"id": 2}, Died()]
    manager = a_manager_of(fake)
    with pytest.raises(Died):
        await manager.submit(a_request(tmp_path, "1"))
    (job,) = a_manager_of(fake).jobs()
    assert (job.handle, job.state) == ({"id": 2}, State.CREATED)


async def test_silence_and_errors_of_the_place_change_nothing(fake: Fake, tmp_path: Path) -> None:
    manager = a_manager_of(fake, lost_after=0.0)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.polls = [None, PlaceError("squeue: error"), None, PlaceError("down")]
    for _ in range(4):
        await manager.reconcile()
    assert manager.get(job.id) == job


async def test_following_outlives_a_place_that_is_down(fake: Fake, tmp_path: Path) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.polls = [PlaceError("down"), None, PlaceError("down"), running(), ended()]
    items = [item async for item in manager.follow(job.id)]
    assert [i.state for i in items if not isinstance(i, Event)][-2:] == [
        State.RUNNING,
        State.COMPLETED,
    ]


async def test_what_an_ended_job_said_and_nobody_can_read_is_told(
    fake: Fake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.polls = [ended()]
    await manager.status(job.id)
    fake.events = PlaceError("no route to host")
    items = [item async for item in manager.follow(job.id)]
    assert not any(isinstance(item, Event) for item in items)
    assert items[-1] == manager.get(job.id)
    (record,) = caplog.records
    assert job.id in record.message and record.message.endswith("no route to host")


async def test_to_read_a_notebook_does_not_bring_the_files(fake: Fake, tmp_path: Path) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.polls = [ended()]
    fake.files["result.ipynb"] = b'{"cells": []}'
    assert await manager.notebook(job.id) == {"cells": []}
    assert "fetch" not in fake.calls
    fake.files["result.ipynb"] = b'{"cells'
    with pytest.raises(ResultError, match="neither a result nor the notebook"):
        await manager.notebook(job.id)
    assert "fetch" in fake.calls


async def test_a_job_that_is_deleted_meanwhile_stays_so(fake: Fake, tmp_path: Path) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    items = manager.follow(job.id)
    assert await anext(items) == job
    fake.polls = [ended(), missing()]
    await a_manager_of(fake).delete(job.id)
    with pytest.raises(UnknownJob, match="was deleted"):
        _ = [item async for item in items]
    assert manager.jobs() == []


async def test_missing_once_is_not_lost(fake: Fake, tmp_path: Path) -> None:
    manager = a_manager_of(fake, lost_after=0.0)
    job = await manager.submit(a_request(tmp_path, "1"))
    polls = [missing(), running(), *[missing()] * (reconcile.SIGHTINGS + 1)]
    fake.polls = [*polls]
    states = []
    for _ in polls:
        await manager.reconcile()
        states.append(manager.get(job.id).state)
    assert states[0] is State.PENDING
    assert set(states[1:-1]) == {State.RUNNING}
    assert states[-1] is State.LOST


async def test_events_that_come_twice_are_told_once(fake: Fake, tmp_path: Path) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.events = lines((1, "started"), (2, "cell"), (1, "started"), (2, "cell"), (3, "finished"))
    fake.events += b'{"half": "a li'
    fake.polls = [ended()]
    numbers = [event.seq async for event in manager.events(job.id)]
    assert numbers == [1, 2, 3]
    assert [event.seq async for event in manager.events(job.id, after=2)] == [3]


async def test_a_cancel_is_sent_again_until_the_place_confirms(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.polls = [running()]
    await manager.cancel(job.id)
    await manager.reconcile()
    assert fake.calls.count("cancel") == 1
    clock = iter(float(n) * CANCEL_AGAIN_AFTER * 2 for n in range(1, 100))
    monkeypatch.setattr("time.monotonic", lambda: next(clock) + 1e6)
    await manager.reconcile()
    assert fake.calls.count("cancel") == 2
    fake.polls = [ended("CANCELLED")]
    await manager.reconcile()
    assert manager.get(job.id).state is State.CANCELLED
    await manager.cancel(job.id)
    assert fake.calls.count("cancel") == 2


@pytest.mark.timeout(60)
async def test_places_are_asked_at_once(fake: Fake, tmp_path: Path) -> None:
    """Each answers once the other one has been asked."""
    places = {"fake": fake, "other": Fake("other")}
    manager = a_manager(targets={name: {"executor": "fake"} for name in places})
    manager._executors.update(places)
    for name, place in places.items():
        await manager.submit(a_request(tmp_path, "1", target=name))
        place.polls = [ended()]
    asked = {place: asyncio.Event() for place in places.values()}

    async def met(place: Fake) -> None:
        asked[place].set()
        await asyncio.gather(*(event.wait() for event in asked.values()))

    for place in asked:
        place.met = met
    assert len(await manager.reconcile()) == 2
    for event in asked.values():
        event.clear()
    assert {offer.target for offer in await manager.offers()} >= {"fake", "other"}


async def test_a_broken_target_does_not_hide_the_others(
    fake: Fake, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    fake.polls = [PlaceError("down")]
    local = await manager.submit(a_request(tmp_path, "print(1)", target="local"))
    async for _ in manager.follow(local.id):
        pass
    await manager.reconcile()
    assert manager.get(local.id).state is State.COMPLETED
    assert manager.get(job.id).state is State.PENDING
    assert "fake: down" in caplog.text


async def test_a_job_that_cannot_be_read_does_not_hide_the_others(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    manager = a_manager_of(fake)
    one, other = [await manager.submit(a_request(tmp_path, "1")) for _ in range(2)]
    fake.polls = [ended()]

    async def read(job: Job, name: str, offset: int) -> bytes:
        if job.id == one.id:
            raise PlaceError("permission denied")
        return b""

    monkeypatch.setattr(fake, "read", read)
    assert [job.id for job in await manager.reconcile()] == [other.id]
    assert manager.get(one.id).state is State.PENDING
    (record,) = caplog.records
    assert record.message == f"job {one.id} was passed over: permission denied"
    assert not record.exc_info


async def test_a_job_of_a_target_that_is_gone_can_be_cancelled_and_deleted(
    fake: Fake, tmp_path: Path
) -> None:
    fake.polls = [running()]
    manager = a_manager_of(fake)
    job = await manager.submit(a_request(tmp_path, "1"))
    later = a_manager(default_target="local")
    assert later.get(job.id).spec.target not in later.config.target_options()
    with pytest.raises(UsageError, match="cancel it before"):
        await later.delete(job.id)
    lost = await later.cancel(job.id)
    assert lost.state is State.LOST and "not configured any more" in lost.reason
    assert fake.calls == ["handle"]
    await later.delete(job.id)
    with pytest.raises(UnknownJob):
        later.get(job.id)
