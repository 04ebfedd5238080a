"""Jobs outlive the command that started them, and any other one can take them up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import PATIENCE, Home, command, notebook, until

#: Prints, and goes on once the file named in it exists.
WAITING = """\
import pathlib, time
print('begun', flush=True)
while not pathlib.Path({go!r}).exists():
    time.sleep(0.02)
print('gone on')
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    home.write("w.ipynb", notebook(WAITING.format(go=str(tmp_path / "go"))))
    yield home
    home.clean()


@pytest.fixture
def go(tmp_path: Path) -> Path:
    return tmp_path / "go"


EVIL = "ev\x1b]0;owned\x07il\x1b[2J \x9b31mname\nsecond"


def test_names_and_errors_are_shown_and_not_obeyed(home: Home) -> None:
    home.write("e.ipynb", notebook("print('\\x1b[31mred')", f"raise ValueError({EVIL!r})"))
    home.write("\x1b[5mblinks.txt", "x")
    # quiet: what cells and their tracebacks print is theirs
    done = home.hybrid("run", "e.ipynb", "--quiet", "--name", EVIL, "--files", "*.txt")
    shown = [done.stderr, home.hybrid("jobs").stdout, home.hybrid("status").stdout]
    shown.append(home.hybrid("run", "e.ipynb", "--files", "*.txt", "--dry-run").stdout)
    shown.append(home.hybrid("run", "\x1b[2Jabsent.ipynb").stderr)
    for text in shown[:3]:
        assert "evil 31mname" in text
    talk = "".join(shown)
    assert "blinks.txt" in talk and "absent.ipynb" in talk
    assert not [c for c in talk if not c.isprintable() and c != "\n"]
    assert home.json("status")["name"] == EVIL


def begun(process: subprocess.Popen[str]) -> None:
    """Wait until the job's first line was shown."""
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"


def test_a_detached_jobs_whole_life(home: Home, go: Path) -> None:
    done = home.hybrid("run", "w.ipynb", "--detach")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    until(lambda: home.json("status", job)["cells"]["current"], "the first cell")
    assert home.state(job[-8:]) == "RUNNING"
    assert "w" in home.hybrid("jobs").stdout
    assert until(lambda: home.hybrid("logs", job).stdout) == "begun\n"
    refused = home.hybrid("fetch", job)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert home.hybrid("delete", job).returncode == 2
    go.touch()
    assert home.hybrid("logs", "-f", job).stdout == "begun\ngone on\n"
    attached = home.hybrid("attach", job)
    assert (attached.returncode, attached.stdout) == (0, "begun\ngone on\n")
    fetched = home.json("fetch", job, "-o", "o.ipynb", "--to", "script")
    assert fetched["fetched"]["notebook"] == str(home.work / "o.ipynb")
    assert fetched["rendered"] == [str(home.work / "o.py")]
    kinds = [event["kind"] for event in home.json("logs", job)["events"]]
    assert kinds[0] == "started"
    assert kinds[-1] == "finished"
    lines = home.hybrid("logs", "-f", "--json", job).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == kinds
    assert home.hybrid("logs", "--runner", job).returncode == 0
    assert home.hybrid("cancel", job).stdout.endswith("had ended already: COMPLETED\n")
    assert home.hybrid("delete", job).returncode == 0
    gone = home.hybrid("status", job)
    assert (gone.returncode, gone.stderr.count("\n")) == (2, 1)
    assert home.json("jobs") == []


def test_cancel(home: Home) -> None:
    job = home.hybrid("run", "w.ipynb", "--detach").stdout.strip()
    until(lambda: home.hybrid("logs", job).stdout, "the first line")
    done = home.hybrid("cancel", job)
    assert (done.returncode, done.stdout) == (0, f"{job[-8:]} CANCELLED\n")
    assert home.hybrid("attach", job).returncode == 1
    (result,) = home.work.glob("w.*.ipynb")
    assert "begun" in result.read_text()


def test_no_name_is_the_name_of_no_job(home: Home) -> None:
    job = home.hybrid("run", "w.ipynb", "--detach").stdout.strip()
    for words in (("cancel", ""), ("cancel", "--force", " "), ("delete", ""), ("status", "")):
        done = home.hybrid(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert "the name of the job is empty" in done.stderr
    assert home.json("status", job)["wanted"] is None


def test_rerun_with_another_parameter(home: Home) -> None:
    home.write("p.ipynb", notebook("print(a)", parameters="a = 1"))
    assert home.hybrid("run", "p.ipynb", "-p", "a", "2").stdout == "2\n"
    assert home.hybrid("rerun").stdout == "2\n"
    again = home.hybrid("rerun", "last", "-p", "a", "3")
    assert (again.returncode, again.stdout) == (0, "3\n"), again.stderr
    refused = home.hybrid("rerun", "-p", "b", "3")
    assert refused.returncode == 2
    assert "no parameter 'b'" in refused.stderr
    assert len(home.json("jobs")) == 3


def test_the_first_interrupt_detaches(home: Home, go: Path) -> None:
    with home.started("run", "w.ipynb") as process:
        begun(process)
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Detached; the job goes on" in talk
    assert "Traceback" not in talk
    assert home.state() == "RUNNING"
    go.touch()
    assert home.hybrid("attach").stdout == "begun\ngone on\n"


def test_the_second_interrupt_cancels(home: Home) -> None:
    with home.started("run", "w.ipynb") as process:
        begun(process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "Detached" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "cancelled" in talk
    assert "wrote w." in talk
    assert home.state() == "CANCELLED"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_submit_that_takes_long_ends_with_the_signals_status(
    home: Home, number: signal.Signals
) -> None:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir(exist_ok=True)
    (config / "jupyter_hybrid_config.py").write_text(
        "import asyncio, pathlib\nfrom jupyter_hybrid.manager import Manager\n"
        "async def submit(self, request):\n"
        "    pathlib.Path('submitting').touch()\n    await asyncio.sleep(600)\n"
        "Manager.submit = submit\n"
    )
    with home.started("run", "w.ipynb") as process:
        until((home.work / "submitting").exists)
        process.send_signal(number)
        _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert "interrupted; 'jupyter hybrid jobs'" in talk and "Traceback" not in talk


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_results_that_take_long_can_be_left_for_later(home: Home, number: signal.Signals) -> None:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir(exist_ok=True)
    slow = config / "jupyter_hybrid_config.py"
    slow.write_text(
        "import asyncio, pathlib\nfrom jupyter_hybrid.manager import Manager\n"
        "async def fetch(self, job_id, **options):\n"
        "    pathlib.Path('bringing').touch()\n    await asyncio.sleep(600)\n"
        "Manager.fetch = fetch\n"
    )
    home.write("n.ipynb", notebook("print('done')"))
    with home.started("run", "n.ipynb") as process:
        until((home.work / "bringing").exists)
        process.send_signal(number)
        _, talk = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert "fetch" in talk and "brings the results" in talk and "Traceback" not in talk
    slow.unlink()
    assert home.hybrid("fetch").returncode == 0
    assert len(list(home.work.glob("n.*.ipynb"))) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_end_of_the_command_does_not_harm_the_job(
    home: Home, go: Path, number: signal.Signals
) -> None:
    with home.started("run", "w.ipynb") as process:
        begun(process)
        # a closed terminal signals the whole group
        os.killpg(process.pid, number)
        process.communicate(timeout=PATIENCE)
    assert process.returncode in (128 + number, -number)
    assert home.state() == "RUNNING"
    go.touch()
    attached = home.hybrid("attach")
    assert (attached.returncode, attached.stdout) == (0, "begun\ngone on\n")


def test_a_reader_that_leaves_is_no_error(home: Home) -> None:
    home.write("m.ipynb", notebook("for i in range(100_000): print('line', i)"))
    assert home.hybrid("run", "m.ipynb", "--quiet").returncode == 0
    shell = f"{subprocess.list2cmdline(command('logs'))} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", shell], env=home.environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("line 0\n", "")


@pytest.mark.parametrize("words", ["jobs --json", "logs", "run m.ipynb", "logs --json"])
def test_what_does_not_fit_on_the_disk_is_told(home: Home, words: str) -> None:
    home.write("m.ipynb", notebook("for i in range(2000): print('line', i)"))
    assert home.hybrid("run", "m.ipynb", "--quiet").returncode == 0
    del home.environ["JUPYTER_HYBRID_DEBUG"]
    shell = f"{subprocess.list2cmdline(command(*words.split()))} > /dev/full"
    done = subprocess.run(
        ["bash", "-c", shell],
        env=home.environ, cwd=home.work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    why = "No space left on device; make room there, or write it elsewhere"
    said = f"jupyter-hybrid: what this prints cannot be written: {why}\n"
    assert done.returncode == 1 and done.stderr.endswith(said), done.stderr
    assert "should not have happened" not in done.stderr


def test_closed_standard_streams_are_no_error(home: Home) -> None:
    home.write("h.ipynb", notebook("print(1)"))
    shell = f"exec {subprocess.list2cmdline(command('run', 'h.ipynb'))} >&- 2>&-"
    done = subprocess.run(["bash", "-c", shell], env=home.environ, cwd=home.work, check=False)
    assert done.returncode == 0
    assert home.state() == "COMPLETED"


def test_targets_and_offers(home: Home) -> None:
    (target,) = home.json("targets")
    assert (target["name"], target["executor"], target["default"]) == ("local", "local", True)
    assert "local" in home.hybrid("targets").stdout
    (offer,) = home.json("offers")
    assert offer["target"] == "local"
    assert offer["cpus"] >= 1
    impossible = home.hybrid("offers", "--target", "local", "--gpus", "99")
    assert impossible.returncode == 2
    assert impossible.stderr.count("\n") == 1


def test_doctor(home: Home) -> None:
    found: list[dict[str, Any]] = home.json("doctor")
    assert {"python", "store", "target local"} <= {finding["name"] for finding in found}


def test_no_jobs_yet(home: Home) -> None:
    assert home.json("jobs") == []
    assert "starts one" in home.hybrid("jobs").stderr
    done = home.hybrid("status")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_a_job_whose_target_has_left_the_configuration_can_be_deleted(
    home: Home, tmp_path: Path
) -> None:
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir(exist_ok=True)
    root = tmp_path / "far"
    options = {"executor": "local", "root": str(root)}
    settings = {"Hybrid": {"targets": {"local": {"executor": "local"}, "old": options}}}
    (config / "jupyter_hybrid_config.json").write_text(json.dumps(settings))
    home.write("n.ipynb", notebook("1"))
    assert home.hybrid("run", "n.ipynb", "--target", "old").returncode == 0
    (config / "jupyter_hybrid_config.json").unlink()
    done = home.hybrid("delete", "last")
    assert done.returncode == 0 and home.json("jobs") == []
    assert "no target named 'old'" in done.stderr and f"{root}/" in done.stderr, done.stderr
