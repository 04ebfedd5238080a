"""start | stop | logs [DIRECTORY]: the registries of the tests, for people."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

import registries  # noqa: E402  (its folder is no package)

verb = sys.argv[1]
directory = Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "build" / "registries")
there = registries.state_file(directory).exists()
if verb == "start":
    if not there:
        registries.start_all(directory)
    for daemon in registries.started(directory):
        login = f"  login {registries.USER} {registries.PASSWORD}, authority {daemon.authority}"
        print(f"{daemon.kind:<7} {daemon.host}{login if daemon.authority else ''}")
elif not there:
    sys.exit(f"nothing was started in {directory}")
elif verb == "logs":
    for daemon in registries.started(directory):
        lines = daemon.log.read_text().splitlines()[-20:]
        print(f"== {daemon.kind} ({daemon.log})", *lines, sep="\n")
else:
    for daemon in registries.started(directory):
        daemon.stop()
    shutil.rmtree(directory)
