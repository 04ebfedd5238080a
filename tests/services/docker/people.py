"""start | stop | logs [DIRECTORY]: the Docker daemon of the tests, for people."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

import dockerd  # noqa: E402  (its folder is no package)

verb = sys.argv[1]
directory = Path(sys.argv[2] if len(sys.argv) > 2 else "/tmp/jupyter-hybrid-docker").absolute()
pid = directory / "pid"
if verb == "start":
    daemon = dockerd.Daemon(directory, int(pid.read_text())) if pid.exists() else None
    for name, value in (daemon or dockerd.start(directory, stays=True)).environment.items():
        print(f"export {name}={value}")
elif not pid.exists():
    sys.exit(f"nothing was started in {directory}")
elif verb == "logs":
    print(*(directory / "log").read_text().splitlines()[-20:], sep="\n")
else:
    dockerd.stop(dockerd.Daemon(directory, int(pid.read_text())))
