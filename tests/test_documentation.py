"""What the documentation says is so: links, commands, rooms, dependencies, and the example runs."""

from __future__ import annotations

import asyncio
import configparser
import json
import re
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tree import ROOT, files

from jupyter_hybrid.bundle import Bundle
from jupyter_hybrid.checks import RULES
from jupyter_hybrid.executors.base import TargetConfig
from jupyter_hybrid.executors.kubernetes.settings import Settings
from jupyter_hybrid.executors.local import OPTIONS as LOCAL_OPTIONS
from jupyter_hybrid.executors.slurm.options import SlurmOptions
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.spec import JobSpec, Resources

PAGES = [path for path in files(".md") if path.parent in (ROOT, ROOT / "docs")]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def configuration() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines_of(section: str, key: str) -> list[str]:
    text = configuration().get(section, key)
    return [line for line in text.split("\n") if line and not line.startswith("#")]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        page = (ROOT / name).parent / file if file else ROOT / name
        assert page.exists(), f"{name} links to {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", t).strip().lower().replace(" ", "-") for t in titles}
            assert anchor in slugs, f"{name} links to {target}"


@pytest.mark.parametrize("name", NAMES)
def test_make_targets_exist(name: str) -> None:
    existing = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", read(name), re.MULTILINE))
    assert named <= existing


def test_every_dependency_has_its_reason() -> None:
    section = read("CONTRIBUTING.md").partition("## Dependencies")[2].partition("\n## ")[0]
    explained = set(re.findall(r"^\| ([\w-]+) \| \S", section, re.MULTILINE)) - {"package", "---"}
    required = {re.split(r"[<>=!~ ]", line)[0] for line in lines_of("options", "install_requires")}
    assert explained == required


def test_every_dependency_is_needed() -> None:
    named = {"pyyaml": "yaml", "ipython": "IPython"}
    # started as a program, or imported by others if it is there
    indirect = {"ipykernel", "sniffio"}
    source = "\n".join(path.read_text() for path in files(".py") if "jupyter_hybrid" in path.parts)
    for line in lines_of("options", "install_requires"):
        name = re.split(r"[<>=!~ ;]", line)[0]
        imported = (
            rf'(\b(import|from) |import_module\(f?"){named.get(name, name.replace("-", "_"))}\b'
        )
        assert name in indirect or re.search(imported, source), name


def test_every_room_is_explained() -> None:
    section = read("CONTRIBUTING.md").partition("## Rooms")[2].partition("\n## ")[0]
    explained = set(re.findall(r"`(\w+)`", section))
    layers = "\n".join(lines_of("importlinter:contract:levels", "layers"))
    assert set(re.findall(r"\w+", layers)) <= explained


def test_every_gate_is_explained() -> None:
    from gates import gates

    section = read("CONTRIBUTING.md").partition("## Gates")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\w., ]+?) \|", section, re.MULTILINE)
    explained = {name for row in rows for name in row.split(", ")} - {"gate"}
    assert explained == {gate.name for gate in gates("all", [])}


def test_changelog_begins_with_what_is_not_released() -> None:
    titles = re.findall(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    assert titles[0] == "[Unreleased]"
    for title in titles[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title)


# -- the example executor


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The executor of CONTRIBUTING.md as a file."""
    section = read("CONTRIBUTING.md").partition("## Add an executor")[2]
    (source,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[:1]
    path = tmp_path_factory.mktemp("example") / "lab_spooler.py"
    path.write_text(source, encoding="utf-8")
    return path


def test_example_is_short_typed_and_tidy(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 100
    ruff = ["ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--ignore", "D102,PLW1510"]
    for command in (
        ["mypy", "--config-file", str(ROOT / "setup.cfg"), str(example)],
        [*ruff, str(example)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


LISTING = """\
ID   State      Output               E-Level  Times(r/u/s)   Command [run=1/1]
1    running    /tmp/ts-out.HFlS95                           [01k0000000000000000000000a]python -m
2    queued     (file)                                       [01k0000000000000000000000b]python -m
3    queued     (file)                                       somebody else's
0    finished   /tmp/ts-out.bmoGCh   3        1.00/0.00/0.00 [01k0000000000000000000000c]python -m
"""


def module(path: Path) -> Any:
    namespace: dict[str, Any] = {"__name__": path.stem}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    return namespace


def test_example_reads_its_listing(example: Path) -> None:
    assert module(example)["parse_listing"](LISTING) == {
        "01k0000000000000000000000a": ("1", "running"),
        "01k0000000000000000000000b": ("2", "queued"),
        "01k0000000000000000000000c": ("0", "finished"),
    }


def notebook(source: str) -> bytes:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": []}
    cell["execution_count"] = None
    return json.dumps(
        {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    ).encode()


def a_job(root: Path) -> Job:
    job_id = new_job_id()
    spec = JobSpec(name="hello", target="queue", kind="notebook")
    directory = str(root / "jobs" / job_id)
    return Job(id=job_id, spec=spec, directory=directory, created_at=time.time())


async def ended(executor: Any, job: Job) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status = (await executor.poll([job]))[job.id]
        if status.state.final:
            return status
        await asyncio.sleep(0.1)
    raise AssertionError(f"{job.id} did not end: {status}")


@pytest.mark.needs("apt:task-spooler")
async def test_example_runs_and_cancels_jobs(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TS_SOCKET", str(tmp_path / "socket"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    target = TargetConfig(name="queue", executor="spooler", root=tmp_path)
    executor = module(example)["SpoolerExecutor"](target)
    first, second = a_job(tmp_path), a_job(tmp_path)
    try:
        for job, source in ((first, "print('hel' + 'lo')"), (second, "never = 'runs'")):
            handles = [handle async for handle in executor.submit(job, Bundle(notebook(source)))]
            assert handles
        assert not (await executor.offers(Resources()))[0].free_now
        await executor.cancel(second)
        assert (await ended(executor, second)).state is State.CANCELLED
        assert (await ended(executor, first)).state is State.COMPLETED
        assert b"hello" in await executor.read(first, "events.jsonl", 0)
        assert JobPaths(await executor.fetch(first, tmp_path)).result.exists()
        await executor.cleanup(first)
        assert not Path(first.directory).exists()
    finally:
        await asyncio.to_thread(subprocess.run, ["tsp", "-K"], check=False)


@pytest.mark.parametrize(("title", "options"), [("Slurm", SlurmOptions), ("Kubernetes", Settings)])
def test_every_option_of_a_target_is_explained(title: str, options: type[Any]) -> None:
    section = read("docs/targets.md").partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+?) \| .+ \| .+ \|$", section, re.MULTILINE)
    explained = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(explained) == sorted(field.name for field in fields(options))


def test_every_option_of_a_local_target_is_explained() -> None:
    section = read("docs/targets.md").partition("## Local\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(explained) == sorted(LOCAL_OPTIONS)


def test_every_check_is_explained() -> None:
    section = read("docs/targets.md").partition("## Checks\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \|(.*)\|$", section, re.MULTILINE)
    assert {n: set(re.findall(r"`(\w+)`", told)) | {"do"} for n, told in rows} == dict(RULES)


def test_what_the_japanese_guide_names_is_on_the_screen() -> None:
    path = "jupyter_hybrid/locale/ja_JP/LC_MESSAGES/jupyter_hybrid.json"
    catalogue = json.loads(read(path))
    shown = {forms[0] for key, forms in catalogue.items() if key}
    named = set(re.findall(r"「(.+?)」", read("docs/ja.md")))
    # the menu is JupyterLab's
    assert named - shown == {"設定"}
