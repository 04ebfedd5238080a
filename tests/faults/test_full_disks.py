"""Disks that are full, at every moment: a sentence, the right state, and nothing left running."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import PATIENCE, Home, notebook, until

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(300)]

MEGABYTE = 1_000_000
#: Makes a file system of that many bytes.
Disk = Callable[[int], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made: list[Path] = []

    def make(size: int) -> Path:
        directory = tmp_path / f"disk{len(made)}"
        directory.mkdir()
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
        if subprocess.run(argv, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount")
        made.append(directory)
        return directory

    yield make
    for directory in made:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(directory: Path, leave: int = 0) -> Path:
    """Fill the disk but for some bytes; returns the file to remove again."""
    file = directory / "filler"
    try:
        with file.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"\0" * 4096)
    except OSError:
        pass
    with file.open("r+b") as stream:
        stream.truncate(max(0, file.stat().st_size - leave))
    return file


def use(home: Home, store: Path, root: Path | None = None) -> None:
    """Our directory, and the jobs' if it is another one, are on these disks."""
    home.data = store
    home.environ["JUPYTER_HYBRID_DIR"] = str(store / "ours")
    (store / "ours").mkdir()
    config = Path(home.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    lines = ["c.Hybrid.lost_after = 0.4"]
    if root is not None:
        lines.append(
            f"c.Hybrid.targets = {{'local': {{'executor': 'local', 'root': {str(root)!r}}}}}"
        )
    (config / "jupyter_hybrid_config.py").write_text("\n".join(lines))


def told(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that did not succeed said, which is no traceback of ours."""
    assert done.returncode in (1, 2), (done.returncode, done.stdout, done.stderr)
    assert "jupyter_hybrid/" not in done.stderr, done.stderr
    return done.stderr


@pytest.mark.parametrize("leave", [0, 8, 16, 32, 48, 64, 80, 96, 128, 192, 400, 700, 1000])
def test_whatever_is_left_on_the_disk(home: Home, disk: Disk, leave: int) -> None:
    """From nothing at all to nearly enough, in kB; one disk for everything of ours."""
    store = disk(4 * MEGABYTE)
    use(home, store)
    filler = fill(store, leave * 1000)
    home.write("n.ipynb", notebook("print('first')", "print('x' * 300_000)", "print('last')"))
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb")
    if done.returncode == 0:
        assert leave > 300
        assert done.stdout.endswith("last\n")
    else:
        assert "space" in told(done) or "full" in done.stderr, done.stderr
    filler.unlink()
    for job in home.json("jobs"):
        until(lambda job=job: home.state(job["id"]) in ("COMPLETED", "FAILED", "CANCELLED", "LOST"))
    again = home.hybrid("run", "n.ipynb", "--output", "again.ipynb")
    assert again.returncode == 0, again.stderr


def test_the_jobs_disk_fills_while_the_cell_prints(home: Home, disk: Disk) -> None:
    store, root = disk(4 * MEGABYTE), disk(6 * MEGABYTE)
    use(home, store, root)
    home.write(
        "n.ipynb",
        notebook("print('first', flush=True)", "for i in range(10**9): print('x' * 1000)"),
    )
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb")
    assert "No space is left on the disk" in told(done)
    assert done.stdout.startswith("first\n")
    job = home.json("status", "last")
    assert (job["state"], job["exit"]["cause"]) == ("FAILED", "disk-full")
    text = (home.work / "out.ipynb").read_text()
    # (the kernel's journal, the events and the notebook share the disk; who is quicker gets more)
    assert '"first\\n"' in text and text.count("x" * 1000) > 300


def test_a_cell_fills_the_jobs_disk(home: Home, disk: Disk) -> None:
    store, root = disk(4 * MEGABYTE), disk(6 * MEGABYTE)
    use(home, store, root)
    home.write("n.ipynb", notebook("print('first')", "open('big', 'wb').write(b'x' * 100_000_000)"))
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb")
    assert "No space is left on the disk" in told(done)
    assert home.json("status", "last")["exit"]["cause"] == "disk-full"
    assert '"first\\n"' in (home.work / "out.ipynb").read_text()


def test_the_stores_disk_fills_while_the_job_runs(home: Home, disk: Disk) -> None:
    """The job and the one who watches it go on; the record catches up later."""
    store, root = disk(4 * MEGABYTE), disk(16 * MEGABYTE)
    use(home, store, root)
    flag = home.work / "go"
    home.write(
        "n.ipynb",
        notebook(
            f"import os, time\nprint('begun', flush=True)\n"
            f"while not os.path.exists({str(flag)!r}): time.sleep(0.02)",
            "print('ended')\nopen('out.txt', 'w').write('out')",
        ),
    )
    with home.started("run", "n.ipynb", "--output", "out.ipynb") as command:
        assert command.stdout is not None
        until(lambda: "begun" in command.stdout.readline())
        filler = fill(store)
        flag.touch()
        text, said = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0, said
    assert "ended" in text and "Traceback" not in said
    assert (home.work / "out.txt").read_text() == "out"
    filler.unlink()
    assert home.state() == "COMPLETED"


def test_the_workspaces_disk_is_full(home: Home, disk: Disk, tmp_path: Path) -> None:
    """Results wait at the job until there is room."""
    store, work = disk(16 * MEGABYTE), disk(2 * MEGABYTE)
    use(home, store)
    home.work = work
    home.write("n.ipynb", notebook("print('first')\nopen('out.bin', 'wb').write(b'x' * 1_000_000)"))
    filler = fill(work)
    done = home.hybrid("run", "n.ipynb")
    said = told(done)
    assert "No space left" in said
    assert home.state() == "COMPLETED"
    assert {path.name for path in work.iterdir()} == {"n.ipynb", "filler"}
    filler.unlink()
    fetched = home.hybrid("fetch", "last")
    assert fetched.returncode == 0, fetched.stderr
    assert (work / "out.bin").stat().st_size == 1_000_000


def test_an_input_larger_than_the_disk(home: Home, disk: Disk) -> None:
    store = disk(4 * MEGABYTE)
    use(home, store)
    (home.work / "data.bin").write_bytes(b"x" * 8 * MEGABYTE)
    home.write("n.ipynb", notebook("open('data.bin')"))
    assert "the disk is full" in told(home.hybrid("run", "n.ipynb"))
    assert home.json("jobs") == []
    home.write("n.ipynb", notebook("print('small')"))
    assert home.hybrid("run", "n.ipynb").returncode == 0
