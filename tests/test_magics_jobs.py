"""Jobs outlive their cells: detach, attach, interrupt, and the verbs of ``%remote``."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_kernel import PATIENCE, Live, Result, live_kernel


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("magics")


@pytest.fixture(scope="module")
def hybrid(directory: Path) -> dict[str, str]:
    return {"JUPYTER_HYBRID_DIR": str(directory / "hybrid")}


@pytest.fixture(scope="module")
def kernel(directory: Path, hybrid: dict[str, str]) -> Iterator[Live]:
    with live_kernel(directory, **hybrid) as live:
        yield live


def job_of(text: str) -> str:
    whole, short = r"\b[0-9a-z]{26}\b", r"^[0-9a-z]{8}\b"
    found = re.search(whole, text) or re.search(short, text, re.MULTILINE)
    assert found, text
    return found.group()


class Interrupter:
    """Interrupts the kernel whenever the next of these texts has appeared."""

    def __init__(self, kernel: Live, *texts: str) -> None:
        self._kernel, self._texts = kernel, list(texts)

    def __call__(self, result: Result) -> None:
        if self._texts and self._texts[0] in result.text:
            del self._texts[0]
            self._kernel.signal(signal.SIGINT)


def until_state(kernel: Live, job: str, *states: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        text = kernel.run(f"%remote status {job}").text
        found = re.search(r"state +(\w+)", text)
        assert found
        if found.group(1) in states:
            return found.group(1)
        assert time.monotonic() < deadline, text
        time.sleep(0.1)


def test_attach_from_another_kernel_replays_and_sets_the_variables(
    kernel: Live, directory: Path, hybrid: dict[str, str]
) -> None:
    kernel.run("base = 20")
    result = kernel.run(
        "%%remote --detach\nprint('first')\nclass C:\n    v = base\nanswer = base + 22\nc = C()"
    )
    job = job_of(result.text)
    assert f"%remote attach {job}" in result.text
    with live_kernel(directory, **hybrid) as other:
        text = other.run(f"%remote attach {job[:20]}").text
        assert text.startswith("first\n") and "back: " in text
        assert other.value("(answer, c.v)") == (42, 20)
    text = kernel.run("%remote attach").text
    assert text.startswith("first\n") and kernel.value("answer") == 42


def test_what_was_changed_here_meanwhile_is_kept(kernel: Live) -> None:
    kernel.run("mine, same, gone, listed, x = 'before', 1, 2, [1], 0")
    text = kernel.run(
        "%%remote --detach\nmine, same, listed, new = 'theirs', 11, [2], 'new'\ndel gone\nｘ = 1"
    ).text
    job = re.findall(r"%remote attach (\w{26})", text)[0]
    kernel.run("mine = 'changed'; gone = 'made again'; listed = [1]; x = 2")
    result = kernel.run(f"%remote attach {job}")
    assert kernel.value("(mine, same, gone, listed, new, x)") == (
        "changed", 11, "made again", [1], "new", 2,
    )  # fmt: skip
    beside = f"mine_{job[-8:]}"
    assert f"mine (changed here meanwhile; the job's is {beside})" in result.text
    assert "gone (changed here meanwhile; the job deleted it)" in result.text
    assert "back: same (int), new (str)" in result.text
    assert kernel.value(f"({beside}, listed_{job[-8:]})") == ("theirs", [2])
    # once more brings the same
    kernel.run(f"%remote attach {job}")
    assert kernel.value("(mine, same)") == ("changed", 11)


def test_a_nan_is_no_change(kernel: Live) -> None:
    kernel.run("best, phase, kept = float('nan'), complex('nan'), float('nan')")
    text = kernel.run("%%remote --detach\nbest, phase, kept, none = 1, 2, 3, float('nan')").text
    job = re.findall(r"%remote attach (\w{26})", text)[0]
    # (another object, as where its cell is executed again)
    kernel.run("phase, kept = complex('nan'), 0.5")
    for _ in range(2):
        text = kernel.run(f"%remote attach {job}").text
        assert "back: best (int), phase (int), none (float)" in text
        assert kernel.value("(best, phase, kept)") == (1, 2, 0.5)


def test_what_was_changed_here_in_place_is_kept(kernel: Live) -> None:
    kernel.run(
        "import threading, numpy as np, pandas as pd\n"
        "class Model:\n    def __init__(self): self.weights = [0.0]\n"
        "steps, still, names, model, held = [1], [1], {'a', 'b'}, Model(), threading.Lock()\n"
        "table, other = pd.DataFrame({'x': [1, 2]}), pd.DataFrame({'x': [1, 2], 'y': [.5, 1.5]})\n"
        "big = np.zeros(200_000)"
    )
    text = kernel.run(
        "%%remote --detach\nsteps.append(2); still.append(2); names.add('c'); big[0] = 1\n"
        "model.weights = [1.0]; table['theirs'] = 1; other['theirs'] = 1; held = 5"
    ).text
    job = re.findall(r"%remote attach (\w{26})", text)[0]
    kernel.run("steps.append(3); model.weights[0] = 2.0; table['mine'] = 3; big[-1] = 2")
    # to look is no change
    kernel.run("other.describe(), other['x'].sum(), other.values, other.isna(), len(names), still")
    result = kernel.run(f"%remote attach {job}")
    for name in ("steps", "model", "table", "big"):
        assert f"{name} (changed here meanwhile; the job's is {name}_{job[-8:]})" in result.text
    assert f"held (perhaps changed here meanwhile; the job's is held_{job[-8:]})" in result.text
    assert kernel.value("(steps, model.weights, list(table), float(big[0] + big[-1]))") == (
        [1, 3], [2.0], ["x", "mine"], 2.0,
    )  # fmt: skip
    assert kernel.value("(still, sorted(names), list(other))") == (
        [1, 2], ["a", "b", "c"], ["x", "y", "theirs"],
    )  # fmt: skip
    theirs = f"(steps_{job[-8:]}, list(table_{job[-8:]}), float(big_{job[-8:]}[0]))"
    assert kernel.value(theirs) == ([1, 2], ["x", "theirs"], 1.0)
    # what came can be changed in place as well, before it comes once more
    kernel.run("still.append(4)")
    text = kernel.run(f"%remote attach {job}").text
    assert "still (changed here meanwhile" in text and "back: names (set)" in text
    assert kernel.value("still") == [1, 2, 4]


def test_interrupt_detaches_and_the_job_goes_on(kernel: Live) -> None:
    cell = (
        "%%remote\nimport time, pathlib\nprint('begun', flush=True)\n"
        "while not pathlib.Path(flag).exists(): time.sleep(0.05)\nprint('ended')\nmade = 5\n"
        "log.append('there')"
    )
    kernel.run("import pathlib, tempfile\nflag, log = tempfile.mkdtemp() + '/flag', ['here']")
    result = kernel.run(cell, ok=False, on=Interrupter(kernel, "begun"))
    assert result.reply["ename"] == "Detached" and "Traceback" not in result.error
    job = job_of(result.error)
    assert f"%remote attach {job}" in result.error and f"%remote cancel {job}" in result.error
    assert "Interrupt again now to cancel it" in result.text
    assert until_state(kernel, job, "RUNNING") == "RUNNING"
    kernel.run("pathlib.Path(flag).touch(); log.append('meanwhile')")
    text = kernel.run(f"%remote attach {job}").text
    assert "begun\nended\n" in text and kernel.value("made") == 5
    assert "log (changed here meanwhile" in text
    assert kernel.value(f"(log, log_{job[-8:]})") == (["here", "meanwhile"], ["here", "there"])


def test_second_interrupt_cancels_and_keeps_what_there_is(kernel: Live) -> None:
    result = kernel.run(
        "%%remote\nimport time\npartial = 'kept'\nprint('begun', flush=True)\ntime.sleep(60)",
        ok=False,
        on=Interrupter(kernel, "begun", "Interrupt again now"),
    )
    assert result.reply["ename"] == "JobFailed", result.error
    job = job_of(result.error)
    assert until_state(kernel, job, "CANCELLED") == "CANCELLED"
    assert kernel.value("partial") == "kept"


def test_a_job_that_is_cancelled_takes_along_the_one_it_began(
    kernel: Live, directory: Path
) -> None:
    inner = "%%remote --name inner\nimport time\nprint('inside', flush=True)\ntime.sleep(60)"
    notebook(directory / "outer.ipynb", "%load_ext jupyter_hybrid", inner)
    outer = job_of(kernel.run("%remote run outer.ipynb --detach --name outer").text)
    deadline = time.monotonic() + PATIENCE
    while "inside" not in kernel.run(f"%remote logs {outer}").text:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    (name,) = re.findall(
        r"^(\w{8}) +RUNNING .* inner", kernel.run("%remote jobs").text, re.MULTILINE
    )
    kernel.run(f"%remote cancel {outer}")
    assert until_state(kernel, name, "CANCELLED") == "CANCELLED"
    assert until_state(kernel, outer, "CANCELLED") == "CANCELLED"


def test_run_all_stops_at_a_cell_that_failed(kernel: Live) -> None:
    assert kernel.run("%%remote\n1/0", ok=False).status == "error"


def test_kill_of_the_calling_kernel_loses_nothing(
    directory: Path, hybrid: dict[str, str], kernel: Live
) -> None:
    with live_kernel(directory, **hybrid) as doomed:
        doomed.run("%%remote --detach --name survivor\nimport time\ntime.sleep(1)\nlate = 'here'")
        doomed.signal(signal.SIGKILL)
    text = kernel.run("%remote jobs").text
    line = next(line for line in text.splitlines() if "survivor" in line)
    kernel.run(f"%remote attach {job_of(line)}")
    assert kernel.value("late") == "here"


def notebook(path: Path, *sources: str, parameters: str = "a = 1") -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"c{i}", "source": source, "outputs": [],
         "metadata": {"tags": ["parameters"]} if i == 0 else {}, "execution_count": None}
        for i, source in enumerate([parameters, *sources])
    ]  # fmt: skip
    path.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )


def test_run_a_whole_notebook(kernel: Live, directory: Path) -> None:
    notebook(directory / "whole.ipynb", "print(a + 1)", "open('made.txt', 'w').write('x')")
    result = kernel.run("%remote run whole.ipynb -p a=41 --name whole")
    assert "local: completed" in result.text
    shown = [c["data"]["text/plain"] for c in result.of("display_data", "update_display_data")]
    assert any(text.startswith("local: cell ") for text in shown)
    path = Path(re.findall(r"^notebook: (.*)$", result.text, re.MULTILINE)[0])
    assert '"42\\n"' in path.read_text() and (directory / "made.txt").read_text() == "x"
    text = kernel.run("%remote logs last").text
    assert text == "42\n"
    result = kernel.run("%remote run whole.ipynb -p b=1", ok=False)
    assert result.reply["ename"] == "ParameterError"
    result = kernel.run("%remote run absent.ipynb", ok=False)
    assert result.reply["ename"] == "NotebookError"
    notebook(directory / "bad.ipynb", "1/0")
    result = kernel.run("%remote run bad.ipynb", ok=False)
    assert result.reply["ename"] == "ZeroDivisionError" and "1/0" in result.error
    assert "bad." in result.text
    detached = kernel.run("%remote run whole.ipynb --detach")
    job = job_of(detached.text)
    assert "local: completed" in kernel.run(f"%remote attach {job}").text
    assert "local: completed" in kernel.run(f"%remote rerun {job}").text
    assert "whole." in kernel.run(f"%remote fetch {job}").text


def test_a_whole_notebook_is_shown_as_it_goes_and_again_from_the_beginning(
    kernel: Live, directory: Path, hybrid: dict[str, str]
) -> None:
    go = directory / "go"
    notebook(
        directory / "shown.ipynb",
        "print('first')\n40 + 2",
        "from IPython.display import HTML, display\n"
        "handle = display(HTML('<i>0</i>'), display_id=True)\nhandle.update(HTML('<i>1</i>'))",
        "1 / 0",
        f"import pathlib, time\nprint('waiting', flush=True)\ngo = pathlib.Path({str(go)!r})\n"
        "while not go.exists(): time.sleep(0.02)",
    )
    content = json.loads((directory / "shown.ipynb").read_text())
    content["cells"][3]["metadata"]["tags"] = ["raises-exception"]
    (directory / "shown.ipynb").write_text(json.dumps(content))
    result = kernel.run(
        "%remote run shown.ipynb --name shown",
        ok=False,
        # the last cell ends once its text was seen here
        on=lambda so_far: go.touch() if "waiting" in so_far.text else None,
    )
    job = job_of(kernel.run("%remote jobs").text)
    with live_kernel(directory, **hybrid) as other:
        again = other.run(f"%remote attach {job}", ok=False)
    for shown in (result, again):
        assert shown.reply["ename"] == "ZeroDivisionError"
        text = re.sub(r"\x1b\[[0-9;]*m", "", shown.text)
        assert text.startswith("first\n") and text.index("ZeroDivisionError") < text.index("wait")
        published = shown.of("display_data", "execute_result")
        assert published[0]["data"]["text/plain"].startswith("local: ")
        assert [c["data"] for c in published[1:]] == [
            {"text/plain": "42"},
            {"text/html": "<i>0</i>", "text/plain": "<IPython.core.display.HTML object>"},
        ]
        updates = [u["data"].get("text/html") for u in shown.of("update_display_data")]
        assert "<i>1</i>" in updates


def test_the_line_above_a_notebook_comes_again_after_it_was_cleared(
    kernel: Live, directory: Path
) -> None:
    clear = "from IPython.display import clear_output\nclear_output(wait=True)"
    notebook(directory / "cleared.ipynb", f"print('gone')\n{clear}\nprint('kept')")
    result = kernel.run("%remote run cleared.ipynb")
    kinds = [kind for kind, _ in result.messages]
    kept = next(i for i, (_, c) in enumerate(result.messages) if "kept" in c.get("text", ""))
    cleared = kinds.index("clear_output")
    assert cleared < kept
    assert [c["data"]["text/plain"][:11] for kind, c in result.messages[cleared:kept]
            if kind == "display_data"] == ["local: cell"]  # fmt: skip


def test_verbs(kernel: Live) -> None:
    kernel.run("%%remote --name verbs\nprint('printed')\nq = 1")
    jobs = kernel.run("%remote jobs").text
    assert "verbs" in jobs and "COMPLETED" in jobs
    job = job_of(jobs)
    status = kernel.run(f"%remote status {job}").text
    assert re.search(r"state +COMPLETED", status) and re.search(r"target +local", status)
    assert kernel.run(f"%remote logs {job}").text == "printed\n"
    assert f"{job} is COMPLETED" in kernel.run(f"%remote cancel {job}").text
    assert re.search(r"local +local +default", kernel.run("%remote targets").text)
    assert "local" in kernel.run("%remote offers").text
    assert "attach" in kernel.run("%remote help").text
    assert "--gpus" in kernel.run("%%remote --help\nx").text
    assert "python" in kernel.run("%remote doctor").text.lower()
    again = kernel.run(f"%remote rerun {job}").text
    assert again.startswith("printed\n") and "back: q (int)" in again


def test_cancel_from_another_cell(kernel: Live) -> None:
    job = job_of(kernel.run("%%remote --detach\nimport time; time.sleep(60)").text)
    kernel.run(f"%remote cancel {job}")
    assert until_state(kernel, job, "CANCELLED") == "CANCELLED"
    result = kernel.run(f"%remote attach {job}", ok=False)
    assert result.reply["ename"] == "JobFailed" and "CANCELLED" in result.error


def test_no_name_is_the_name_of_no_job(kernel: Live) -> None:
    job = job_of(kernel.run("%%remote --detach\nimport time; time.sleep(60)").text)
    kernel.run("unset = ''")
    for line, words in (
        ("%remote cancel {unset}", "arguments are required: JOB"),
        ('%remote cancel "{unset}"', "the name of the job is empty"),
        ('%remote status ""', "the name of the job is empty"),
    ):
        result = kernel.run(line, ok=False)
        assert words in result.error and "Traceback" not in result.error
    assert until_state(kernel, job, "RUNNING") == "RUNNING"
    kernel.run(f"%remote cancel {job}")


def test_completion(kernel: Live) -> None:
    kernel.run("%%remote --name completed\nx = 1")
    job = job_of(kernel.run("%remote jobs").text)
    assert "local" in kernel.complete("%%remote lo")
    assert "--gpus" in kernel.complete("%%remote local --gp")
    assert "status" in kernel.complete("%remote st")
    assert job in kernel.complete("%remote logs ")
    assert job in kernel.complete(f"%remote attach {job[:20]}")
    assert "--runner" in kernel.complete("%remote logs --ru")
    assert "local" in kernel.complete("%remote run x.ipynb --target ")
