"""Large buffers: what vouches for their content, and how it is known that one was written to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jupyter_hybrid.errors import ResultError
from jupyter_hybrid.values import Terms, dump, load, read_manifest, sign
from jupyter_hybrid.values.files import buffer_digest
from jupyter_hybrid.values.mappings import address, parse_smaps, written

#: Three blocks and a bit, so that several threads work on it.
BIG = np.arange(13 * 2**17, dtype=float)

SMAPS = """\
7f0000000000-7f0000400000 rw-p 00000000 fd:00 1234      /jobs/inputs/buffers/0.bin
Size:               4096 kB
Rss:                 132 kB
Anonymous:             8 kB
AnonHugePages:         0 kB
Swap:                  4 kB
SwapPss:               4 kB
VmFlags: rd wr mr mw me sd
7f0000400000-7f0000800000 rw-p 00000000 fd:00 1235      /jobs/inputs/buffers/1.bin
Size:               4096 kB
Anonymous:             0 kB
Swap:                  0 kB
"""

IN_A_JOB = """
import sys
from pathlib import Path
from jupyter_hybrid.values import read_manifest
from jupyter_hybrid.values.inside import give_back, receive
receive(changed=["a", "b", "pair"])
{cell}
try:
    give_back()
finally:
    {after}
print([record["name"] for record in read_manifest(Path("outputs"))["names"]])
"""


def test_what_was_written_is_what_comes_back(tmp_path: Path) -> None:
    dump({"big": BIG}, ["big"], tmp_path)
    (record,) = read_manifest(tmp_path)["buffers"]
    assert record == {"size": BIG.nbytes, "digest": buffer_digest(memoryview(BIG).cast("B"))}
    sign(tmp_path, b"key")
    back: dict[str, Any] = {}
    load(tmp_path, back, key=b"key")
    np.testing.assert_array_equal(back["big"], BIG)


@pytest.mark.parametrize("place", [0, 5 << 20, BIG.nbytes - 1])
def test_one_wrong_byte_anywhere_is_noticed(tmp_path: Path, place: int) -> None:
    dump({"big": BIG}, ["big"], tmp_path)
    sign(tmp_path, b"key")
    with (tmp_path / "buffers" / "0.bin").open("r+b") as file:
        byte = os.pread(file.fileno(), 1, place)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 1]), place)
    with pytest.raises(ResultError, match="not what the job wrote"):
        load(tmp_path, {}, key=b"key")


def test_what_nobody_can_vouch_for_does_not_pass_for_vouched(tmp_path: Path) -> None:
    dump({"big": BIG}, ["big"], tmp_path, terms=Terms(digests=False))
    sign(tmp_path, b"key")
    with pytest.raises(ResultError, match="not what the job wrote"):
        load(tmp_path, {}, key=b"key")
    # on the disk to which they were written they are read as they are, if they are whole
    back: dict[str, Any] = {}
    load(tmp_path, back, key=b"key", here=True)
    np.testing.assert_array_equal(back["big"], BIG)
    os.truncate(tmp_path / "buffers" / "0.bin", BIG.nbytes - 8)
    with pytest.raises(ResultError, match="not what the job wrote"):
        load(tmp_path, {}, key=b"key", here=True)


def test_a_digest_that_is_there_counts_here_as_well(tmp_path: Path) -> None:
    dump({"big": BIG}, ["big"], tmp_path)
    sign(tmp_path, b"key")
    with (tmp_path / "buffers" / "0.bin").open("r+b") as file:
        os.pwrite(file.fileno(), b"x", 9)
    with pytest.raises(ResultError, match="not what the job wrote"):
        load(tmp_path, {}, key=b"key", here=True)


def test_mappings_are_read_with_what_is_their_own() -> None:
    first, second = parse_smaps(SMAPS.splitlines(keepends=True))
    assert first == (0x7F0000000000, 0x7F0000400000, 12)
    assert second == (0x7F0000400000, 0x7F0000800000, 0)


def test_a_write_into_a_mapped_array_is_seen_and_a_read_is_none(tmp_path: Path) -> None:
    dump({"one": BIG, "two": -BIG}, ["one", "two"], tmp_path)
    back: dict[str, Any] = {}
    buffers = load(tmp_path, back).buffers
    assert written(buffers) == {address(buffer): False for buffer in buffers}
    assert back["one"].sum() == BIG.sum()
    back["two"][7] = 1
    assert [written(buffers)[address(buffer)] for buffer in buffers] == [False, True]


@pytest.mark.parametrize(
    ("cell", "back"),
    [
        ("a.sum(), b.sum()", []),
        ("a[3] = 7", ["a"]),
        ("b += 1", ["b"]),
        ("a = a.copy()", ["a"]),
        ("pair.sort(key=len)", []),
        ("pair.reverse()", ["pair"]),
        ("pair[0][3] = 7", ["pair"]),
    ],
)
def test_a_job_gives_back_the_arrays_that_it_wrote_to(
    tmp_path: Path, cell: str, back: list[str]
) -> None:
    sent = {"a": BIG, "b": -BIG, "pair": [2 * BIG, 3 * BIG]}
    dump(sent, list(sent), tmp_path / "inputs", terms=Terms(digests=False))
    done = in_a_job(tmp_path, cell)
    assert done.returncode == 0, done.stderr
    names = [name for name in sent if f"'{name}'" in done.stdout]
    assert names == back, done.stdout


BUSY = """
import itertools, sys, threading, time
sys.setswitchinterval(1e-6)
globals().update((f"many{i}", i) for i in range(5000))
over = False
def work():
    for i in itertools.count():
        globals()[f"more{i}"] = i
        time.sleep(1e-5)
        if over: return
thread = threading.Thread(target=work)
thread.start()
"""


def test_a_thread_that_goes_on_behind_its_cell_keeps_nothing_from_coming_back(
    tmp_path: Path,
) -> None:
    done = in_a_job(tmp_path, BUSY, "over = True")
    assert done.returncode == 0, done.stderr
    assert "'many4999'" in done.stdout and "'more0'" in done.stdout


def in_a_job(directory: Path, cell: str, after: str = "pass") -> subprocess.CompletedProcess[str]:
    """The cell between the job's first and last; the names that come back are printed."""
    (directory / "spec.json").write_text("{}")
    return subprocess.run(
        [sys.executable, "-c", IN_A_JOB.format(cell=cell, after=after)],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
