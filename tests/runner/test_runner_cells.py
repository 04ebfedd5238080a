"""Notebooks that execute, and cells that fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.runner.widgets import VIEW
from runner.jobs import Make, code


def kinds(runner: Any) -> list[str]:
    return [event.kind for event in runner.events]


def test_a_notebook_completes_and_tells_everything_in_order(make: Make) -> None:
    job = make("print('one')", "1 + 1")
    assert job.run().message == ""
    assert kinds(job) == [
        "started", "kernel", "cell", "output", "cell_end", "cell", "output", "cell_end", "finished",
    ]  # fmt: skip
    assert [event.seq for event in job.events] == list(range(1, 10))
    cell = job.events[2].data
    assert (cell["cell_id"], cell["number"], cell["total"]) == ("c1", 1, 2)
    assert cell["line"] == "print('one')"
    assert job.outputs("c1") == [{"output_type": "stream", "name": "stdout", "text": ["one\n"]}]
    assert job.outputs("c2")[0]["data"] == {"text/plain": ["2"]}
    record = job.exit
    assert record.seconds is not None
    assert record.seconds < 60
    assert record.peak_memory is not None
    assert record.peak_memory > 20_000_000
    assert record.started_at is not None


def test_parameters_are_injected_as_papermill_does_it(make: Make) -> None:
    job = make(
        code("a = 1", "p", tags=["parameters"]),
        "print(a, b)",
        parameters={"a": [1, {"x": None}], "b": "it's"},
    )
    assert job.run().message == ""
    assert job.text() == "[1, {'x': None}] it's\n"
    ids = [cell["id"] for cell in job.result["cells"]]
    assert ids == ["p", "injected-parameters", "c2"]
    assert job.result["cells"][1]["metadata"]["tags"] == ["injected-parameters"]
    assert job.result["metadata"]["papermill"]["parameters"] == {"a": [1, {"x": None}], "b": "it's"}
    cell = [e.data for e in job.events if e.kind == "cell"][1]
    assert cell["cell_id"] == "injected-parameters"
    assert "a = [1" in cell["source"]


def test_a_cell_error_fails_the_job_and_marks_the_notebook(make: Make) -> None:
    job = make("print('before')", "1/0", "print('never')")
    record = job.run()
    assert (record.state, record.cause, record.cell_id) == ("FAILED", "cell-error", "c2")
    assert (record.ename, record.evalue) == ("ZeroDivisionError", "division by zero")
    assert any("ZeroDivisionError" in line for line in record.traceback)
    assert job.text() == "before\n"
    cells = job.result["cells"]
    assert cells[0]["metadata"]["tags"] == ["papermill-error-cell-tag"]
    assert cells[2]["metadata"]["tags"] == ["papermill-error-cell-tag"]
    assert cells[3]["id"] == "c2"
    states = {
        c["id"]: c["metadata"]["papermill"]["status"]
        for c in cells
        if c["id"][0] == "c" and "papermill" in c["metadata"]
    }
    assert states == {"c1": "completed", "c2": "failed", "c3": "pending"}
    assert [e.data["status"] for e in job.events if e.kind == "cell_end"] == ["ok", "error"]


def test_an_error_that_is_no_output_is_named(make: Make) -> None:
    record = make("%no_such_magic").run()
    assert (record.ename, record.cell_id) == ("UsageError", "c1")
    assert "UsageError: Line magic function `%no_such_magic` not found. Nothing" in record.message


@pytest.mark.parametrize(
    ("source", "state"),
    [("import sys; sys.exit(0)", "COMPLETED"), ("raise SystemExit(1)", "FAILED")],
)
def test_sys_exit_ends_the_notebook(make: Make, source: str, state: str) -> None:
    job = make(source, "print('never')")
    assert job.run().state == state
    assert "never" not in job.text()


def test_a_keyboard_interrupt_of_the_cells_own_fails_it(make: Make) -> None:
    record = make("raise KeyboardInterrupt").run()
    assert (record.state, record.cause, record.ename) == (
        "FAILED",
        "cell-error",
        "KeyboardInterrupt",
    )


def test_input_is_refused_with_a_sentence(make: Make) -> None:
    job = make("input('name? ')")
    record = job.run()
    assert record.cause == "input-refused"
    assert "parameter" in record.message
    error = next(job.content(e) for e in job.events if e.kind == "output")
    assert error["evalue"] == record.message
    assert "frontend" not in "".join(error["traceback"][-1:])


def test_large_outputs_go_to_blobs(make: Make) -> None:
    job = make("from IPython.display import HTML; HTML('x' * 100_000)", "print('y' * 100_000)")
    job.run()
    outputs = [e for e in job.events if e.kind == "output"]
    assert all(e.data["size"] > 100_000 and "output" not in e.data for e in outputs)
    assert job.content(outputs[0])["data"]["text/html"] == "x" * 100_000
    assert job.text() == "y" * 100_000 + "\n"


def test_updates_and_clears_are_told(make: Make) -> None:
    job = make(
        "from IPython.display import display, clear_output\n"
        "print('gone'); clear_output()\n"
        "h = display('first', display_id='d')",
        "h.update('second')",
        "print('old'); clear_output(wait=True); print('new')",
    )
    assert job.run().message == ""
    shown = next(e for e in job.events if e.kind == "output" and "transient" in e.data["output"])
    assert shown.data["output"]["transient"] == {"display_id": "d"}
    update = next(e for e in job.events if e.kind == "update")
    assert (update.data["cell_id"], update.data["display_id"]) == ("c2", "d")
    assert update.data["data"] == {"text/plain": "'second'"}
    assert [e.data["wait"] for e in job.events if e.kind == "clear"] == [False, True]
    assert job.outputs("c1")[0]["data"] == {"text/plain": ["'second'"]}
    assert job.outputs("c3") == [{"output_type": "stream", "name": "stdout", "text": ["new\n"]}]


def test_what_is_printed_is_in_the_events_at_once(make: Make) -> None:
    job = make(
        "import time\nfor _ in range(5):\n    print(time.time(), flush=False)\n    time.sleep(0.5)"
    )
    job.run()
    delays = [e.time - float(e.data["output"]["text"]) for e in job.events if e.kind == "output"]
    assert len(delays) == 5
    # none waits for ipykernel's timer of 0.2 s
    assert min(delays) < 0.15


def test_the_users_namespace_has_nothing_of_ours(make: Make) -> None:
    job = make(
        "before = set(dir())", "print(sorted(n for n in before if not n.startswith('_')))",
        "print(In[1][:6], len(_ih))",
    )  # fmt: skip
    job.run()
    assert job.text() == "['In', 'Out', 'exit', 'get_ipython', 'open', 'quit']\nbefore 4\n"


def test_the_kernel_can_import_values_and_sees_no_session(make: Make) -> None:
    job = make(
        "import os, sys, jupyter_hybrid.values, cloudpickle\n"
        "print(os.getcwd())\nprint(os.environ['JUPYTER_HYBRID_JOB_DIR'])\n"
        "print(sorted(n for n in os.environ if n.startswith(('JUPYTERHUB_', 'JPY_SESS'))))\n"
        "print(os.environ['MINE'], sys.path[-1])",
        env={"MINE": "yes"},
    )
    job.env = {"JUPYTERHUB_API_TOKEN": "secret", "JPY_SESSION_NAME": "/home/me/n.ipynb"}
    assert job.run().message == ""
    lines = job.text().splitlines()
    assert lines[:3] == [str(job.paths.work), str(job.paths.directory), "[]"]
    assert lines[3] == f"yes {job.paths.runtime / 'guest'}"


def in_bash(tmp_path: Path, name: str) -> dict[str, str]:
    """The environment in which bash's kernel goes by that name."""
    spec = tmp_path / "jupyter" / "kernels" / name / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "Bash", "language": "bash"}))
    return {"JUPYTER_PATH": str(tmp_path / "jupyter")}


def test_other_kernels_than_python(make: Make, tmp_path: Path) -> None:
    job = make("echo $((6 * n))", "pwd", kernel="bash", language="bash", parameters={"n": 7})
    job.env = in_bash(tmp_path, "bash")
    assert job.run().message == ""
    assert job.text() == f"42\n{job.paths.work}\n"


def test_parameters_for_a_language_papermill_does_not_know(make: Make, tmp_path: Path) -> None:
    job = make("echo $a", kernel="strange", language="cobol", parameters={"a": 1})
    job.env = in_bash(tmp_path, "strange")
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "bad-notebook")
    assert "cobol" in record.message


def test_a_kernel_that_is_not_installed(make: Make, tmp_path: Path) -> None:
    job = make("1", kernel="julia-1.9", language="julia")
    job.env = in_bash(tmp_path, "bash")
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "kernel-not-started")
    assert "julia-1.9" in record.message
    assert "bash" in record.message


def test_a_widget_progress_bar_has_a_static_form(make: Make) -> None:
    job = make(
        "from tqdm.notebook import tqdm\nimport time\n"
        "for i in tqdm(range(4), desc='epoch'):\n    time.sleep(0.15)"
    )
    assert job.run().message == ""
    shown = next(job.content(e) for e in job.events if e.kind == "output")
    assert shown["transient"]["display_id"].startswith("widget-")
    assert "<progress" in shown["data"]["text/html"]
    assert not any("widget-view" in mime for mime in shown["data"])
    texts = [e.data["data"]["text/plain"] for e in job.events if e.kind == "update"]
    assert "epoch: 100%|####################| 4/4" in texts[-1]
    assert any("50%|##########          | 2/4" in text for text in texts)
    final = job.outputs("c1")[0]["data"]
    assert "4/4" in "".join(final["text/plain"])
    assert "application/vnd.jupyter.widget-view+json" in final


def test_a_progress_bar_that_is_closed_goes_away(make: Make) -> None:
    job = make(
        "from tqdm.notebook import tqdm\nfor i in tqdm(range(2), desc='stays'):\n"
        "    for j in tqdm(range(2), desc='goes', leave=False): pass"
    )
    assert job.run().message == ""
    updates = [e.data["data"] for e in job.events if e.kind == "update"]
    assert updates.count({"text/plain": "", "text/html": ""}) == 2
    shown = ["".join(output["data"]["text/plain"]) for output in job.outputs("c1")]
    assert "stays: 100%" in shown[0]
    assert shown[1:] == ["", ""]


def test_what_an_output_widget_holds_is_shown_and_the_cell_ends(make: Make) -> None:
    job = make(
        "import ipywidgets as w\nfrom IPython.display import clear_output, display\n"
        "out = w.Output()\ndisplay(out, w.IntSlider(5))\n"
        "with out:\n    print('one')\n    clear_output()\n    display(2)\n    print('three')",
        "print('after')",
    )
    assert job.run().message == ""
    shown = [job.content(e) for e in job.events if e.kind == "output"]
    data = [output["data"] for output in shown if "data" in output]
    # there is no model where the events are read
    assert data[1] == {"text/plain": "IntSlider(value=5)"}
    assert {"text/plain": "2"} in data
    assert "one" in job.text()
    assert job.text().endswith("three\nafter\n")
    # the notebook has it in the widget's state
    assert VIEW in job.outputs("c1")[0]["data"]
    state = job.result["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    (held,) = [m["state"]["outputs"] for m in state.values() if m["state"].get("outputs")]
    assert [output["output_type"] for output in held] == ["display_data", "stream"]


def test_carriage_returns_leave_the_last_state(make: Make) -> None:
    job = make("import sys\nfor i in range(5):\n    sys.stderr.write(f'\\r{i}/4')")
    job.run()
    assert job.outputs("c1") == [{"output_type": "stream", "name": "stderr", "text": ["4/4"]}]


@pytest.mark.parametrize(
    "source",
    ["print('x' * 100_000_000)", "for i in range(1_000_000): print(i)"],
    ids=["100 MB", "a million lines"],
)
def test_a_flood(make: Make, source: str) -> None:
    job = make(source, "print('after')")
    assert job.run().message == ""
    assert len(job.events) < 2000
    (output,) = job.outputs("c1")
    text = "".join(output["text"])
    assert job.text() == text + "after\n"
    assert len(text) in (100_000_001, 6_888_890)


def test_a_burst_of_outputs_is_complete(make: Make) -> None:
    job = make("from IPython.display import display\nfor i in range(4000): display(i)")
    job.run()
    assert [o["data"]["text/plain"] for o in job.outputs("c1")] == [[str(i)] for i in range(4000)]


def test_an_exception_of_fifty_megabytes(make: Make) -> None:
    """All of it is in the notebook, its ends in the exit record."""
    job = make("raise ValueError('begin' + 'x' * 50_000_000 + 'end')")
    record = job.run()
    assert record.cause == "cell-error"
    assert job.paths.exit.stat().st_size < 64_000
    assert record.evalue is not None
    assert record.evalue.startswith("beginxxx") and record.evalue.endswith("xxxend")
    (output,) = job.outputs("c1")
    assert len(output["evalue"]) == 50_000_008


def test_events_that_the_cell_has_forged(make: Make, tmp_path: Path) -> None:
    """The notebook that is made of them shows no file from elsewhere."""
    secret = tmp_path / "secret"
    secret.write_text('{"output_type": "stream", "name": "stdout", "text": "secret"}')
    job = make(
        "import json, os, signal, time\nprint('begun', flush=True)\ntime.sleep(0.2)\n"
        "with open('../events.jsonl', 'a') as events:\n"
        f"    for blob in ({str(secret)!r}, '../../secret', '0' * 64, None, 7):\n"
        "        event = {'seq': 99, 'time': 1, 'kind': 'output', 'cell_id': 'c1', 'blob': blob}\n"
        "        print(json.dumps(event), file=events)\n"
        "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)"
    )
    record = job.run()
    assert record.cause == "runner-died"
    shown = json.dumps(job.outputs("c1"))
    assert "begun" in shown and "was shown here" in shown and '"secret"' not in shown


def test_the_cell_that_ended_the_notebook_is_blamed(make: Make) -> None:
    job = make(code("{}['c1']", "c1", tags=["raises-exception"]), code("1/0", "c2"), "print(3)")
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "cell-error")
    assert (record.cell_id, record.ename) == ("c2", "ZeroDivisionError")
    assert "ZeroDivisionError" in record.traceback[-1]
    assert "Nothing after it was executed" in record.message
    assert job.text() == ""


def test_a_cell_that_may_raise(make: Make) -> None:
    job = make(code("{}['c1']", "c1", tags=["raises-exception"]), code("print(2)", "c2"))
    record = job.run()
    assert (record.state, record.cause) == ("FAILED", "cell-error")
    assert (record.cell_id, record.ename) == ("c1", "KeyError")
    assert "Those after it were executed" in record.message
    assert job.text() == "2\n"


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        ("type('Tee', (), {'write': lambda self, text: len(text)})()", "has no attribute 'flush'"),
        ("type('Tee', (), {'__slots__': (), **HAS})()", "'write'"),
        ("CLOSED", "closed file"),
        ("None", "'NoneType'"),
    ],
    ids=["no-flush", "slots", "closed", "none"],
)
def test_a_stream_that_kernels_fail_at_is_put_back(make: Make, stream: str, why: str) -> None:
    begin = """\
import os, sys
HAS = {"write": lambda self, text: len(text), "flush": lambda self: None}
CLOSED = open(os.devnull, "w")
CLOSED.close()
sys.stdout = """
    job = make(begin + stream, "print('goes on')")
    assert job.run().message == ""
    (said,) = job.outputs("c1")
    assert said["name"] == "stderr"
    assert "sys.stdout is the kernel's again" in said["text"][0]
    assert why in said["text"][0]
    assert job.outputs("c2")[0]["text"] == ["goes on\n"]


def test_what_a_pager_would_show_is_an_output(make: Make) -> None:
    job = make("print('first')\nlen?", "%magic")
    assert job.run().message == ""
    printed, page = job.outputs("c1")
    assert printed["text"] == ["first\n"]
    assert page["output_type"] == "display_data"
    assert "number of items" in "".join(page["data"]["text/plain"])
    assert "magic function" in "".join(job.outputs("c2")[0]["data"]["text/plain"])
    shown = [job.content(event) for event in job.events if event.kind == "output"]
    assert [content["output_type"] for content in shown] == ["stream", *2 * ["display_data"]]


def test_what_is_said_after_its_cell_stands_with_that_cell(make: Make) -> None:
    begin = """\
import asyncio
from IPython.display import Markdown, display
go = asyncio.Event()

async def late():
    await go.wait()
    print("late")
    display(Markdown("*late*"))

task = asyncio.create_task(late())
print("early")"""
    job = make(begin, "print('before')\ngo.set()\nawait task\nprint('after')")
    assert job.run().message == ""
    printed, shown = job.outputs("c1")
    assert "".join(printed["text"]) == "early\nlate\n"
    assert shown["data"]["text/markdown"] == ["*late*"]
    (other,) = job.outputs("c2")
    assert "".join(other["text"]) == "before\nafter\n"
    said = [(e.data["cell_id"], job.content(e)) for e in job.events if e.kind == "output"]
    texts = {cell: "".join(c.get("text", "") for own, c in said if own == cell) for cell, _ in said}
    assert texts == {"c1": "early\nlate\n", "c2": "before\nafter\n"}
    assert [cell for cell, content in said if "data" in content] == ["c1"]
