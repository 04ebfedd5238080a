"""What a job's runner printed is shown whole, whenever it is asked for."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake, a_manager_of, ended, running
from jobs import a_request

from jupyter_hybrid.cli.logs import logs
from jupyter_hybrid.cli.terminal import Terminal
from jupyter_hybrid.job import Job
from jupyter_hybrid.manager import Manager

LOG = "runner.log"


class Dying(Fake):
    """A place whose runner says what it died of when it has been asked about twice."""

    async def read(self, job: Job, name: str, offset: int) -> bytes:
        # in pieces that end within characters
        return (await super().read(job, name, offset))[:4]


@pytest.fixture
async def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dying:
    place = Dying()
    manager = a_manager_of(place)
    await manager.submit(a_request(tmp_path, "1"))
    monkeypatch.setattr(Manager, "default", lambda: manager)
    place.files[LOG] = "始める\n".encode()

    async def met(fake: Fake) -> None:
        if len(fake.polls) == 1:
            fake.files[LOG] = "始める\n失敗: MemoryError\n".encode()

    place.met, place.polls = met, [running(), ended("FAILED")]
    return place


def shown(**options: Any) -> str:
    out = io.StringIO()
    chosen = {"job": "last", "runner": True, "rank": 0, "follow": False, "json": False, **options}
    assert logs(Namespace(**chosen), Terminal(out, io.StringIO(), {})) == 0
    return out.getvalue()


def test_what_the_runner_says_last_is_shown(dying: Dying) -> None:
    assert shown(follow=True) == "始める\n失敗: MemoryError\n"
    assert json.loads(shown(json=True))["log"] == "始める\n失敗: MemoryError\n"


def test_until_now_is_until_now_and_half_a_character_is_shown_as_one(dying: Dying) -> None:
    dying.polls = [running(), running()]
    dying.files[LOG] += "失".encode()[:2]
    assert shown() == "始める\n�"
