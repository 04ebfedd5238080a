"""start | stop | logs [DIRECTORY]: a storage for podman and buildah as the tests have it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

import podman  # noqa: E402  (its folder is no package)

verb = sys.argv[1]
# (podman wants a short path)
directory = Path(sys.argv[2] if len(sys.argv) > 2 else "/tmp/jh-podman").absolute()
there = (directory / "storage.conf").exists()
if verb == "start":
    directory.mkdir(exist_ok=True)
    for name, value in podman.configured(directory).items():
        print(f"export {name}={value}")
elif not there:
    sys.exit(f"nothing was started in {directory}")
elif verb == "logs":
    command = [*podman.words_for(directory), "events", "--stream=false", "--since=24h"]
    subprocess.run(command, env={**os.environ, **podman.configured(directory)}, check=True)
else:
    podman.remove(directory)
