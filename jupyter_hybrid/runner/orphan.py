"""What a runner does instead of its supervisor, when that was killed: end the job's processes.

Standard library only.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import List

from .kernel import JOB_DIRECTORY
from .processes import (
    PR_SET_CHILD_SUBREAPER,
    environment,
    kill,
    kill_descendants,
    prctl,
    started_ticks,
)

#: The variable by which places that start jobs as processes know a job's own from those of a job
#: that it has submitted in its turn.
MARK = "JUPYTER_HYBRID_JOB"


def end_processes(directory: str, seconds: float = 2.0) -> None:
    """Of the job in the directory nothing is left running but this process.

    What has left its parents was the supervisor's and is init's now: the environment tells it.
    """
    # what loses its parents from now on comes here
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    kill_descendants(os.getpid())
    deadline = time.monotonic() + seconds
    while (found := _strays(directory)) and time.monotonic() < deadline:
        kill(found, signal.SIGSTOP)
        kill(found)
        time.sleep(0.002)


def _strays(directory: str) -> List[int]:
    mark = os.environ.get(MARK)
    found = []
    for name in os.listdir("/proc") if Path("/proc").is_dir() else ():
        if name.isdigit() and int(name) != os.getpid():
            variables = environment(int(name))
            if variables.get(JOB_DIRECTORY) == directory and variables.get(MARK) == mark:
                found.append(int(name))
    return [pid for pid in found if started_ticks(pid) is not None]
