"""The runner's pure parts: no process is started here."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.events import Event
from jupyter_hybrid.paths import JobPaths
from jupyter_hybrid.runner.__main__ import _Usage, parse_arguments
from jupyter_hybrid.runner.assemble import assemble, with_ids
from jupyter_hybrid.runner.emit import RESERVES, Emitter, StreamBuffer, rough_size
from jupyter_hybrid.runner.endings import bounded, death_words, write_exit
from jupyter_hybrid.runner.kernel import connection, kernel_environment, parse_log_tail
from jupyter_hybrid.runner.kernelspec import Kernel, parse_kernelspec
from jupyter_hybrid.runner.memory import human, parse_cgroup, parse_counter
from jupyter_hybrid.runner.processes import parse_proportional
from jupyter_hybrid.runner.streams import StreamTail, collapse_returns
from jupyter_hybrid.runner.widgets import as_html, as_text, has_progress
from jupyter_hybrid.spec import ExitRecord
from jupyter_hybrid.units import format_size


def cell(cell_id: str, source: str = "1", **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "id": cell_id, "metadata": metadata, "source": source}


def events(*records: dict[str, Any]) -> list[Event]:
    return [Event(i, 0.0, r.pop("kind"), r) for i, r in enumerate(records, 1)]


def stream(text: str, name: str = "stdout", cell_id: str = "a") -> dict[str, Any]:
    output = {"output_type": "stream", "name": name, "text": text}
    return {"kind": "output", "cell_id": cell_id, "output": output}


def display(text: str, display_id: str | None = None) -> dict[str, Any]:
    output: dict[str, Any] = {
        "output_type": "display_data",
        "data": {"text/plain": text},
        "metadata": {},
    }
    if display_id:
        output["transient"] = {"display_id": display_id}
    return {"kind": "output", "cell_id": "a", "output": output}


def assembled(*records: dict[str, Any], blobs: Path | None = None) -> list[dict[str, Any]]:
    notebook = {"cells": [cell("a"), cell("b")], "nbformat": 4, "nbformat_minor": 5}
    outputs: list[dict[str, Any]] = assemble(notebook, events(*records), blobs)["cells"][0][
        "outputs"
    ]
    return outputs


def test_streams_are_merged_and_updates_applied() -> None:
    outputs = assembled(
        stream("one "), stream("two\n"), stream("err", "stderr"), display("first", "d"),
        {"kind": "update", "cell_id": "b", "display_id": "d", "data": {"text/plain": "second"},
         "metadata": {}},
    )  # fmt: skip
    assert [o.get("text") for o in outputs[:2]] == ["one two\n", "err"]
    assert outputs[2] == {
        "output_type": "display_data",
        "data": {"text/plain": "second"},
        "metadata": {},
    }


@pytest.mark.parametrize(("wait", "after"), [(True, ["old"]), (False, [])])
def test_clears(wait: bool, after: list[str]) -> None:
    clear = {"kind": "clear", "cell_id": "a", "wait": wait}
    assert [o["text"] for o in assembled(stream("old"), dict(clear))] == after
    assert [o["text"] for o in assembled(stream("old"), clear, stream("new"))] == ["new"]


def test_a_second_attempt_begins_anew() -> None:
    started = {"kind": "started"}
    assert [o["text"] for o in assembled(stream("old"), started, stream("new"))] == ["new"]


def test_large_outputs_come_from_blobs_and_missing_ones_are_named(tmp_path: Path) -> None:
    output = stream("big")["output"]
    blob = tmp_path / ("f0" * 32)
    blob.write_text(json.dumps(output))
    event = {"kind": "output", "cell_id": "a", "blob": blob.name, "size": 5}
    assert assembled(dict(event), blobs=tmp_path) == [output]
    blob.unlink()
    (missing,) = assembled(event, blobs=tmp_path)
    assert "5 bytes" in missing["data"]["text/plain"]


def test_what_is_no_digest_names_no_file(tmp_path: Path) -> None:
    """The job can write into its events: nothing outside the directory is read for it."""
    blobs, secret = tmp_path / "blobs", tmp_path / ("5e" * 32)
    blobs.mkdir()
    secret.write_text(json.dumps(stream("secret")["output"]))
    (blobs / "01").write_text(secret.read_text())
    (blobs / ("ab" * 32)).symlink_to(secret)
    (blobs / ("cd" * 32)).mkdir()
    os.mkfifo(blobs / ("ef" * 32))
    (blobs / ("00" * 32)).write_text("[]")
    names: list[Any] = [f"../{secret.name}", str(secret), "01", "ab" * 32, "cd" * 32, "ef" * 32]
    for name in [*names, "00" * 32, None, 7, [], {}, ""]:
        shown = assembled({"kind": "output", "cell_id": "a", "blob": name, "size": 5}, blobs=blobs)
        assert ["was shown here" in output["data"]["text/plain"] for output in shown] == [True]


@pytest.mark.parametrize("character", ["x", "\x1b", "é", "\ud800", "😀"])
def test_an_exit_record_is_never_long(tmp_path: Path, character: str) -> None:
    evalue = f"begin{character * 3_000_000}end"
    frames = [f"frame {number} {character * 100}" for number in range(2_000)]
    write_exit(
        JobPaths(tmp_path),
        ExitRecord("FAILED", message=evalue, ename="E", evalue=evalue, traceback=(*frames, evalue)),
    )
    assert JobPaths(tmp_path).exit.stat().st_size < RESERVES[".reserve-exit"]
    record = ExitRecord.from_json(json.loads(JobPaths(tmp_path).exit.read_bytes()))
    for text in (record.message, record.evalue or "", record.traceback[-1]):
        assert text.startswith("begin") and text.endswith("end")
        assert "characters left out; the notebook has them" in text
    assert record.traceback[0] == frames[0]
    short = ExitRecord("FAILED", "x", "m" * 500, evalue="é" * 500, traceback=("a", "b" * 3000))
    assert bounded(short) == short


def test_the_injected_cell_is_put_behind_the_parameters() -> None:
    notebook = {"cells": [cell("x"), cell("p", tags=["parameters"]), cell("z")]}
    injected = {"kind": "cell", "cell_id": "injected-parameters", "source": "a = 1"}
    result = assemble(notebook, events(injected, stream("1", cell_id="injected-parameters")))
    assert [c["id"] for c in result["cells"]] == ["x", "p", "injected-parameters", "z"]
    assert result["cells"][2]["outputs"][0]["text"] == "1"
    assert notebook["cells"][0] == cell("x")


def test_ids_are_the_same_each_time() -> None:
    def make() -> dict[str, Any]:
        return {"cells": [{"cell_type": "code", "source": "1"}, {"cell_type": "raw", "id": "k"}]}

    first = [c["id"] for c in with_ids(make())["cells"]]
    assert first == [c["id"] for c in with_ids(make())["cells"]]
    assert first[1] == "k"


@pytest.mark.parametrize(
    "text",
    ["a\rb", "a\rb\n", "a\r\nb", "\r1\r2\r", "x\ry\rz\nend\r", "\r\r\n", "plain\n", "\r", ""],
)
def test_carriage_returns_as_nbclient_has_them(text: str) -> None:
    # its expression, which is quadratic
    assert collapse_returns(text) == re.sub(r".*\r(?=[^\n])", "", text)


def test_a_flood_of_alternating_streams_stays_small() -> None:
    tail, outputs = StreamTail(), []
    for i in range(5000):
        name, text = ("stdout", "stderr")[i % 2], f"{i} "
        if not tail.add(outputs, name, text):
            outputs.append({"output_type": "stream", "name": name, "text": text})
            tail.begin(outputs[-1])
    tail.end()
    assert len(outputs) < 500
    words = " ".join(o["text"] for o in outputs).split()
    assert sorted(map(int, words)) == list(range(5000))


class Timers:
    """Stands in for the event loop's timers, which fire when told to."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def __call__(self, seconds: float, action: Any) -> Timers:
        self.waiting.append(action)
        return self

    def cancel(self) -> None:
        self.waiting.clear()


def test_stream_messages_of_a_busy_moment_are_one_event(tmp_path: Path) -> None:
    paths, timers = JobPaths(tmp_path), Timers()
    emitter = Emitter(paths)
    buffer = StreamBuffer(emitter, timers)
    for i in range(100):
        buffer.add("a", "stdout", f"{i},")
    assert len(timers.waiting) == 1
    buffer.flush()
    lines = paths.events.read_bytes().splitlines()
    assert len(lines) == 2
    assert "".join(json.loads(line)["output"]["text"] for line in lines) == "".join(
        f"{i}," for i in range(100)
    )


@pytest.mark.parametrize("value", [{"a": ["x" * 1000, 1, None]}, ["é" * 10], "", {}])
def test_sizes_are_about_right(value: Any) -> None:
    assert len(json.dumps(value, ensure_ascii=False)) <= rough_size(value) + 2


def test_arguments() -> None:
    argv = ["/j", "--blobs", "/b", "--time", "1.5", "--mem=100"]
    assert parse_arguments(argv) == (Path("/j"), Path("/b"), 1.5, 100)
    assert parse_arguments(["/j", "--blobs=/b"]) == (Path("/j"), Path("/b"), None, None)
    for wrong in (["/j"], ["/j", "--what"], ["/j", "/k", "--blobs", "b"], [*argv, "--mem", "1G"]):
        with pytest.raises(_Usage):
            parse_arguments(wrong)


def test_what_proc_says() -> None:
    assert parse_proportional("Rss: 9 kB\nPss:    12 kB\nPss_Dirty: 3 kB\n") == 12 * 1024
    assert parse_counter("low 0\noom 1\noom_kill 3\n") == 3
    assert parse_counter("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n") == 2
    assert parse_counter("nothing") is None
    assert parse_cgroup("0::/user.slice/job\n")[0] == "/user.slice/job/memory.events"
    assert parse_cgroup("9:cpu,memory:/slurm/7\n")[0] == "/memory/slurm/7/memory.oom_control"


def test_words() -> None:
    assert death_words(-11) == "segmentation fault (SIGSEGV)"
    assert death_words(3) == "exit code 3"
    for power in range(52):
        for size in (2**power - 1, 2**power, 1000 * 2**power, 3**power):
            assert human(size) == format_size(size)
    assert parse_log_tail(b"\n\none\n\ntwo\n", 1) == "two"


def test_the_kernels_environment(tmp_path: Path) -> None:
    base = {"HOME": "/proc/1", "PATH": "/bin", "JPY_PARENT_PID": "1", "JUPYTERHUB_API_TOKEN": "s"}
    env = kernel_environment(
        base, Kernel("k", ("x",), env={"A": "1"}), {"B": "2"}, JobPaths(tmp_path)
    )
    assert {k: env[k] for k in ("PATH", "A", "B")} == {"PATH": "/bin", "A": "1", "B": "2"}
    assert "JUPYTERHUB_API_TOKEN" not in env
    assert "JPY_PARENT_PID" not in env
    assert Path(env["HOME"]).is_relative_to(tmp_path)
    assert env["PYTHONUSERBASE"] == "/proc/1/.local"


def test_connections_are_private() -> None:
    one, other = (connection(Path("/tmp/x"), "k") for _ in range(2))
    assert one["transport"] == "ipc"
    assert one["key"] != other["key"]


def test_kernelspecs() -> None:
    data = {"argv": ["python3", "-m", "k", "{connection_file}", "{resource_dir}"], "language": "R"}
    kernel = parse_kernelspec("k", Path("/share/k"), data)
    assert kernel.command(Path("/c"))[1:] == ["-m", "k", "/c", "/share/k"]
    assert kernel.command(Path("/c"))[0].startswith("/")
    assert (kernel.language, kernel.provisioner) == ("r", None)
    data["metadata"] = {"kernel_provisioner": {"provisioner_name": "k8s"}}  # type: ignore[assignment]
    assert parse_kernelspec("k", Path("/share/k"), data).provisioner == "k8s"


def test_a_widget_in_text_and_html() -> None:
    states = {
        "box": {"_model_name": "HBoxModel", "children": ["IPY_MODEL_l", "IPY_MODEL_p"]},
        "l": {"_model_name": "HTMLModel", "value": "a&lt;b:  50%"},
        "p": {"_model_name": "IntProgressModel", "value": 5, "min": 0, "max": 10},
        "loop": {"_model_name": "HBoxModel", "children": ["IPY_MODEL_loop"]},
    }
    assert has_progress(states, "box")
    assert not has_progress(states, "l")
    assert not has_progress(states, "loop")
    assert as_text(states, "box") == "a<b:  50%|##########          |"
    assert as_html(states, "box") == (
        '<div>a&lt;b:  50% <progress value="0.5000" max="1"></progress></div>'
    )
