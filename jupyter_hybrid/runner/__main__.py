"""``python -m jupyter_hybrid.runner JOBDIR --blobs DIR [--time SECONDS] [--mem BYTES] [--ranks]``.

Executes the job in the directory and leaves its exit record there. Exit status: 0 where there is
an exit record, whatever it says, 2 where there is nothing to do here, 1 where even that failed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from ..paths import JobPaths
from .claim import Claimed, claim_job

USAGE = (
    "usage: python -m jupyter_hybrid.runner JOBDIR --blobs DIR [--time SECONDS] [--mem BYTES] "
    "[--ranks]"
)


class _Usage(Exception):
    """The command line cannot be understood."""


def parse_arguments(argv: List[str]) -> tuple[Path, Path, Optional[float], Optional[int]]:
    """Job directory, blobs, seconds and bytes; argparse would take longer than all of this."""
    options: Dict[str, str] = {}
    rest = []
    words = iter(argv)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--blobs", "--time", "--mem"):
            options[name] = value if equals else next(words, "")
        elif word.startswith("-"):
            raise _Usage(f"unknown option {word}")
        else:
            rest.append(word)
    if len(rest) != 1 or not options.get("--blobs"):
        raise _Usage("one job directory and --blobs are needed")
    try:
        seconds = float(options["--time"]) if options.get("--time") else None
        mem = int(options["--mem"]) if options.get("--mem") else None
    except ValueError as error:
        raise _Usage(str(error)) from error
    return Path(rest[0]).absolute(), Path(options["--blobs"]).absolute(), seconds, mem


def _siblings(directory: Path) -> Any:
    from .ranks import Ranks

    return Ranks(directory)


def main(argv: List[str]) -> int:
    """Claim the job, fork, supervise."""
    try:
        directory, blobs, seconds, mem = parse_arguments([w for w in argv if w != "--ranks"])
        ranks = _siblings(directory) if "--ranks" in argv else None
        paths = JobPaths(directory if ranks is None else ranks.enter())
        if not paths.spec.exists():
            raise _Usage(
                f"{directory} holds no spec.json: it is not a job directory, or unfinished"
            )
        claim = claim_job(paths)
    except _Usage as error:
        sys.stderr.write(f"{error}\n{USAGE}\n")
        return 2
    except Claimed as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from .control import Control
    from .kernel import KernelNotStarted, socket_directory
    from .supervise import limits_of, read_spec, supervise

    control = Control()
    control.ranks = ranks
    try:
        # made here, so that it is removed here, however the runner ends
        control.sockets = socket_directory()
    except KernelNotStarted:
        # the runner says so in the exit record
        control.sockets = None
    try:
        spec = read_spec(paths.spec)
    except ValueError:
        # the runner says so in the exit record
        spec = {}
    child = os.fork()
    if child == 0:
        _run(paths, blobs, control, claim, spec)
    return supervise(paths, child, control, limits_of(spec, seconds, mem))


def _run(paths: JobPaths, blobs: Path, control: Any, claim: Any, spec: Dict[str, Any]) -> None:
    """The forked child: never returns, and never tidies up what its end tidies up anyway."""
    import signal

    from .conduct import Runner
    from .processes import PR_SET_PDEATHSIG, prctl
    from .supervise import remove_sockets

    status = 1
    try:
        control.hear_signals()
        runner = Runner(paths, blobs, control, claim)
        runner.start(spec)
        # a supervisor that is killed takes nothing with it: the runner then ends the job itself
        # (asked for once the kernel has begun to boot; that it was killed before is looked at next)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        runner.conduct()
        # the kernel ends with this process, and that of a rank of MPI must not end yet
        if control.ranks is not None and control.ranks.leave(paths) == 0:
            runner.part()
        if control.is_orphan():
            from .orphan import end_processes

            end_processes(str(paths.directory))
            remove_sockets(control.sockets)
        status = 0
    # the door of what comes before and after the runner's course
    except Exception as error:  # noqa: BLE001
        status = _bury_oneself(paths, control, error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury_oneself(paths: JobPaths, control: Any, error: Exception) -> int:
    """Leave the exit record of a job that did not get as far as its course; the exit status."""
    import traceback

    from .bury import bury
    from .conduct import record_of

    traceback.print_exception(type(error), error, error.__traceback__)
    try:
        bury(paths, record_of(error, "starting the job", paths.directory), control)
    # the log is all that is left; the supervisor tries again
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
