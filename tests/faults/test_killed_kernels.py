"""kill -9 of the kernel that called: another one goes on, and nothing runs twice or is lost."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dying import AFTER_THE_START, BEFORE_THE_START, FETCHES, PREAMBLE
from live_kernel import PATIENCE, Live

pytestmark = pytest.mark.timeout(300)

CELL = """%%remote
open(ran, 'a').write('ran\\n')
print('first', flush=True)
while not os.path.exists(goes_on): time.sleep(0.02)
open('big.bin', 'wb').write(b'x' * 3_000_000)
made = 'made there'
print('second')
"""
#: What a cell's receipt takes, in its order.
TAKEN = {
    **{name: patch for name, patch in FETCHES.items() if "file" in name},
    "before the variables": "from jupyter_hybrid.magics import cell\ncell.take_variables = die",
    "after the variables": (
        "from jupyter_hybrid.magics import cell\n"
        "cell.take_variables = dying(cell.take_variables, after=True)"
    ),
    "before it is recorded": FETCHES["before it is recorded"],
}


class Caller:
    """A kernel that calls, and what its cell leaves outside the job's directory."""

    def __init__(self, kernel: Live, directory: Path) -> None:
        self.kernel, self.ran, self.goes_on = kernel, directory / "ran", directory / "goes-on"
        kernel.run(f"import os, time\nran, goes_on = {str(self.ran)!r}, {str(self.goes_on)!r}")

    def dies(self, patch: str = "", when: Path | None = None) -> None:
        """Execute the cell and die: of the patch, or once there is such a file."""
        if patch:
            self.kernel.run(f"{PREAMBLE}{patch}")
        self.kernel.client.execute(CELL)
        deadline = time.monotonic() + PATIENCE
        while self.kernel.manager.provisioner.has_process and self.alive():
            assert time.monotonic() < deadline, "the kernel did not die"
            if when is not None and list(when.parent.rglob(when.name)):
                self.kernel.signal(9)
            time.sleep(0.01)

    def alive(self) -> bool:
        """Whether the kernel's process is there, and not a zombie."""
        try:
            stat = Path(f"/proc/{self.kernel.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


@pytest.fixture
def caller(start_kernel: Callable[..., Live], environment: Path, tmp_path: Path) -> Caller:
    config = Path(os.environ["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    (config / "jupyter_hybrid_config.py").write_text("c.Hybrid.lost_after = 0.4\n")
    return Caller(start_kernel(), tmp_path)


@pytest.fixture
def heir(caller: Caller, start_kernel: Callable[..., Live]) -> Live:
    return start_kernel()


def completed(caller: Caller, heir: Live, workspace: Path) -> None:
    """Another kernel shows everything, has the variables and the file; the cell ran once."""
    caller.goes_on.touch()
    text = heir.run("%remote attach").text
    assert text.startswith("first\nsecond\n"), text
    assert heir.value("made") == "made there"
    assert caller.ran.read_text() == "ran\n"
    assert (workspace / "big.bin").read_bytes() == b"x" * 3_000_000
    assert "COMPLETED" in heir.run("%remote status").text
    assert len(re.findall(r"^\w{8} ", heir.run("%remote jobs").text, re.MULTILINE)) == 1


@pytest.mark.parametrize("moment", BEFORE_THE_START)
def test_before_anything_ran(caller: Caller, heir: Live, moment: str) -> None:
    caller.dies(BEFORE_THE_START[moment])
    attached = heir.run("%remote attach", ok=False)
    assert "interrupted before anything ran" in attached.error, attached.error
    assert "submit it again" in attached.error and "Traceback" not in attached.error
    assert "FAILED" in heir.run("%remote status").text
    assert not caller.ran.exists()


@pytest.mark.parametrize("moment", AFTER_THE_START)
def test_before_the_handle_is_saved(
    caller: Caller, heir: Live, workspace: Path, moment: str
) -> None:
    caller.dies(AFTER_THE_START[moment])
    completed(caller, heir, workspace)


@pytest.mark.parametrize("sign", ["spawned.json", "ran"])
def test_while_the_job_is_pending_or_runs(
    caller: Caller, heir: Live, workspace: Path, environment: Path, sign: str
) -> None:
    caller.dies(when=caller.ran if sign == "ran" else environment / sign)
    completed(caller, heir, workspace)


@pytest.mark.parametrize("moment", TAKEN)
def test_while_it_takes_what_came_back(
    caller: Caller, heir: Live, workspace: Path, moment: str
) -> None:
    caller.goes_on.touch()
    caller.dies(TAKEN[moment])
    big = workspace / "big.bin"
    assert not big.exists() or big.stat().st_size == 3_000_000
    completed(caller, heir, workspace)
    assert sorted(path.name for path in workspace.iterdir() if path.name != "ipython") == [
        "big.bin"
    ]
