"""``jupyter_hybrid.submit`` and the job it gives back, blocking and awaited."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs import notebook

import jupyter_hybrid
from jupyter_hybrid import api
from jupyter_hybrid.errors import JobFailed, NotebookError, ParameterError

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(autouse=True)
def fresh_manager() -> Iterator[None]:
    api.manager.cache_clear()
    yield
    api.manager.cache_clear()


def write(path: Path, *sources: str, parameters: bool = False) -> Path:
    content = notebook(*sources)
    if parameters:
        content["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(content))
    return path


def test_submit_wait_and_read(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "a = 1", "print('a is', a)", parameters=True)
    job = jupyter_hybrid.submit(path, parameters={"a": 2})
    result = job.result(timeout=60)
    assert job.state is api.State.COMPLETED
    assert job.logs() == "a is 2\n"
    assert job.outputs()["c1"][0]["text"] == "a is 2\n"
    assert any("injected-parameters" in c["metadata"].get("tags", []) for c in result["cells"])
    assert job.cost is None
    assert api.Job(job.id).logs() == job.logs()


def test_every_method_that_blocks_can_be_awaited_too() -> None:
    names = {name for name, value in vars(api.Job).items() if inspect.isfunction(value)}
    blocking = {n for n in names if not n.startswith("_") and not n.endswith("_async")}
    assert {f"{name}_async" for name in blocking - {"events"}} <= names


def test_what_does_not_travel_is_noted(tmp_path: Path) -> None:
    (tmp_path / "far.csv").touch()
    job = jupyter_hybrid.submit(write(tmp_path / "n.ipynb", f"'{tmp_path / 'far.csv'}'"))
    (note,) = job.notes
    assert note.startswith(f"{tmp_path / 'far.csv'} is an absolute path")
    job.wait(timeout=60)


def test_a_failed_job_raises_its_own_sentence(tmp_path: Path) -> None:
    job = jupyter_hybrid.submit(write(tmp_path / "n.ipynb", "print('so far')", "1 / 0"))
    with pytest.raises(JobFailed, match=r"FAILED.*ZeroDivisionError"):
        job.result(timeout=60)
    assert job.logs() == "so far\n"


def test_waiting_has_a_limit_and_cancel_an_end(tmp_path: Path) -> None:
    job = jupyter_hybrid.submit(write(tmp_path / "n.ipynb", "import time; time.sleep(600)"))
    with pytest.raises(TimeoutError, match=rf"job {job.id} is \w+ after 0.2 seconds"):
        job.wait(timeout=0.2)
    job.cancel(force=True)
    assert job.wait(timeout=60) is api.State.CANCELLED


async def test_without_blocking(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.ipynb", f"print({n})") for n in range(3)]
    jobs = await asyncio.gather(*(jupyter_hybrid.submit_async(path) for path in paths))
    await asyncio.gather(*(job.result_async(60) for job in jobs))
    assert [await job.logs_async() for job in jobs] == ["0\n", "1\n", "2\n"]
    kinds = [event.kind async for event in jobs[0].events()]
    assert kinds[0] == api.Kind.STARTED and kinds[-1] == api.Kind.FINISHED


def test_a_price_makes_a_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.mkdir()
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(config))
    (config / "jupyter_hybrid_config.py").write_text(
        "c = get_config()\nc.Hybrid.targets = {'local': {'executor': 'local', 'price': 3600.0}}\n"
    )
    job = jupyter_hybrid.submit(write(tmp_path / "n.ipynb", "import time; time.sleep(0.3)"))
    job.wait(timeout=60)
    assert job.cost is not None and 0.3 < job.cost < 60


def test_what_is_wrong_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="there is no notebook"):
        jupyter_hybrid.submit(tmp_path / "absent.ipynb")
    path = write(tmp_path / "n.ipynb", "a = 1", parameters=True)
    with pytest.raises(ParameterError, match="b"):
        jupyter_hybrid.submit(path, parameters={"b": 1})
    assert api.manager().jobs() == []
