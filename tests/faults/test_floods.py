"""Cells that print more than anybody reads: all of it is kept, in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import Home, command, notebook
from live_kernel import Live

pytestmark = pytest.mark.timeout(300)

#: Cells, with what they print.
FLOODS = {
    "100 MB": (
        "line = 'x' * 999\nfor i in range(100_000): print(line)", ("x" * 999 + "\n") * 100_000,
    ),
    "one line of 100 MB": ("print('x' * 100_000_000)", "x" * 100_000_000 + "\n"),
    "a million lines": (
        "for i in range(1_000_000): print(i)", "".join(f"{i}\n" for i in range(1_000_000)),
    ),
    "a million writes": (
        "import sys\nfor i in range(1_000_000): sys.stdout.write('.')", "." * 1_000_000,
    ),
}  # fmt: skip
#: Bytes that any process of ours may need for them.
MEMORY = 900 * 1_000_000


@contextmanager
def largest(directory: Path) -> Iterator[dict[str, int]]:
    """The largest resident memory of every process that works below the directory, by command."""
    found: dict[str, int] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            for process in Path("/proc").iterdir():
                if not process.name.isdigit() or int(process.name) == os.getpid():
                    continue
                try:
                    words = (process / "cmdline").read_bytes().decode().split("\0")
                    if str(directory).encode() in (process / "environ").read_bytes():
                        status = (process / "status").read_text()
                        size = int(status.split("VmHWM:")[1].split()[0]) * 1024
                        found[" ".join(words)] = max(size, found.get(" ".join(words), 0))
                except (OSError, IndexError):
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_kept_whole(home: Home, tmp_path: Path, name: str) -> None:
    source, text = FLOODS[name]
    home.write("n.ipynb", notebook("print('first')", source, "print('last')"))
    printed = tmp_path / "printed"
    with printed.open("wb") as stdout, largest(tmp_path) as memory:
        argv = command("run", "n.ipynb", "--output", "out.ipynb")
        done = subprocess.run(
            argv,
            cwd=home.work,
            env=home.environ,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    cells = json.loads((home.work / "out.ipynb").read_text())["cells"]
    # not compared by pytest, which would explain the difference for an hour
    same = "".join(cells[1]["outputs"][0]["text"]) == text
    assert same and len(cells[1]["outputs"]) == 1
    assert cells[2]["outputs"][0]["text"] == ["last\n"]
    same = printed.read_text() == f"first\n{text.rstrip()}\nlast\n"
    assert same
    ours = {words: size for words, size in memory.items() if "ipykernel" not in words}
    assert ours and max(ours.values()) < MEMORY, ours


def test_a_flood_does_not_drown_the_calling_kernel(
    start_kernel: Callable[..., Live], tmp_path: Path
) -> None:
    """What is shown is cut, and says so; everything is in the job's log."""
    kernel = start_kernel()
    for name in ("100 MB", "one line of 100 MB"):
        result = kernel.run(f"%%remote\nprint('first')\n{FLOODS[name][0]}\nprint('last')\nx = 1")
        assert result.text.startswith("first\n") and "\nlast\n" in result.text
        assert len(result.text) < 1_100_000
        assert "of text not shown here; %remote logs" in result.text
    assert kernel.value("x") == 1
    status = Path(f"/proc/{kernel.pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) * 1024 < MEMORY


def test_many_displays_and_both_streams(home: Home) -> None:
    home.write(
        "n.ipynb",
        notebook(
            "from IPython.display import display\nfor i in range(5_000): display(i)",
            "import sys\nfor i in range(20_000):\n    print(i)\n    print(i, file=sys.stderr)",
        ),
    )
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb", "--quiet")
    assert done.returncode == 0, done.stderr[-2000:]
    shown, printed = json.loads((home.work / "out.ipynb").read_text())["cells"]
    assert [int(o["data"]["text/plain"][0]) for o in shown["outputs"]] == list(range(5_000))
    for name in ("stdout", "stderr"):
        texts = ["".join(o["text"]) for o in printed["outputs"] if o["name"] == name]
        assert "".join(texts).split() == [str(i) for i in range(20_000)]
