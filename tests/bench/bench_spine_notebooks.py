"""Whole notebooks: how long a small one takes, each of many cells, and many notebooks at once."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from commands import Home
from harness import Bench
from spine import PROGRAMS, a_home, hybrid, program, python_notebook

#: One output of 4 MB, as a picture is kept in a notebook.
PICTURE = (
    "import base64, os\n"
    "from IPython.display import display\n"
    "data = base64.b64encode(os.urandom(3 << 20)).decode()\n"
    "display({'image/png': data}, raw=True)"
)

#: Seconds per cell, from the first cell's begin to the last one's end, as nbclient's hooks see it.
BARE = """
import sys, time
import nbformat
from nbclient import NotebookClient

times = []
note = lambda **_: times.append(time.time())
notebook = nbformat.read(sys.argv[1], 4)
skip = int(sys.argv[2])
NotebookClient(notebook, on_cell_start=note, on_cell_complete=note).execute()
times = times[2 * skip:]
print((times[-1] - times[0]) / (len(times) // 2))
"""

#: How often papermill may lose a port.
ATTEMPTS = 5


def rows(bench: Bench) -> None:
    """Measure."""
    with a_home() as home:
        _hello(bench, home)
        _cells(bench, home)
        _at_once(bench, home)


def _hello(bench: Bench, home: Home) -> None:
    home.write("hello.ipynb", python_notebook("print('hello')"))

    def ours() -> None:
        if "hello" not in hybrid(home, "run", "hello.ipynb"):
            raise RuntimeError("the output did not come back")

    def papermill() -> None:
        program(home, "papermill", "hello.ipynb", "papermill.ipynb")

    def nbconvert() -> None:
        words = ("nbconvert", "--execute", "--to", "notebook", "--output", "converted.ipynb")
        program(home, "jupyter", *words, "hello.ipynb")

    name = "hello notebook, submit to finished"
    bench.compare(f"{name}, against papermill", ours=ours, peer=papermill, bar=0.45)
    bench.compare(f"{name}, against nbconvert", ours=ours, peer=nbconvert, bar=0.45)


def _cells(bench: Bench, home: Home) -> None:
    trivial = [f"x = {number}" for number in range(200)]
    home.write("trivial.ipynb", python_notebook(*trivial))
    home.write("picture.ipynb", python_notebook(PICTURE, *trivial[:100]))
    script = home.write("bare.py", BARE)
    for name, file, skip in (
        ("200 trivial cells, per cell", "trivial.ipynb", 0),
        ("100 cells after a 4 MB image, per cell", "picture.ipynb", 1),
    ):

        def ours(file: str = file, skip: int = skip) -> float:
            hybrid(home, "run", file)
            return _seconds_per_cell(home, skip)

        def nbclient(file: str = file, skip: int = skip) -> float:
            return float(program(home, "python", str(script), file, str(skip)))

        bench.compare(name, ours=ours, peer=nbclient, bar=1.3)


def _seconds_per_cell(home: Home, skip: int) -> float:
    """From the begin of the first cell that counts to the end of the last, by the job's events."""
    job = json.loads(hybrid(home, "status", "last", "--json"))
    lines = Path(job["directory"], "events.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    begins = [event["time"] for event in events if event["kind"] == "cell"][skip:]
    ends = [event["time"] for event in events if event["kind"] == "cell_end"][skip:]
    return float(ends[-1] - begins[0]) / len(begins)


def _at_once(bench: Bench, home: Home) -> None:
    for number in range(20):
        home.write(f"many-{number}.ipynb", python_notebook(f"print({number} * 1000 + {number})"))

    def ours() -> None:
        words = [["jupyter-hybrid", "run", f"many-{n}.ipynb", "-q"] for n in range(20)]
        _together(home, [[*w, "--output", f"ours-{n}.ipynb"] for n, w in enumerate(words)])
        _check(home, "ours")

    def papermill() -> float:
        # its kernels take TCP ports that were free a moment ago; of so many, two may take the same
        for _ in range(ATTEMPTS):
            began = time.perf_counter()
            try:
                commands = [["papermill", f"many-{n}.ipynb", f"peer-{n}.ipynb"] for n in range(20)]
                _together(home, commands)
            except RuntimeError as error:
                if "Address already in use" not in str(error):
                    raise
                continue
            took = time.perf_counter() - began
            _check(home, "peer")
            return took
        raise RuntimeError(f"papermill's kernels took each other's ports {ATTEMPTS} times")

    bench.compare("20 notebooks at once, total", ours=ours, peer=papermill, bar=1.1)


def _together(home: Home, commands: list[list[str]]) -> None:
    """Start all, wait for all."""
    running = [
        subprocess.Popen(
            [str(PROGRAMS / name), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=home.work,
            env=home.environ,
        )
        for name, *words in commands
    ]
    # all have ended before one of them is an error
    said = [process.communicate()[1] for process in running]
    for process, words, text in zip(running, commands, said, strict=True):
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(words)} failed: {text.decode()}")


def _check(home: Home, prefix: str) -> None:
    """Every notebook has its own result; the files are gone afterwards."""
    for number in range(20):
        path = home.work / f"{prefix}-{number}.ipynb"
        (output,) = json.loads(path.read_bytes())["cells"][0]["outputs"]
        text = "".join(output["text"])
        if text.strip() != str(number * 1000 + number):
            raise RuntimeError(f"{path.name} has {text!r}")
        path.unlink()
