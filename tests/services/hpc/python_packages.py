"""Installs Python packages into a virtual environment whose interpreter cannot run here.

python_packages.py ENVIRONMENT REQUIREMENT...

The environment is one of another Debian; wheels for its Python are taken from wherever pip is
configured to get packages.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import prepare  # noqa: E402


def main(directory: Path, requirements: list[str]) -> int:
    """The installer's exit status."""
    configuration = (directory / "pyvenv.cfg").read_text(encoding="utf-8")
    version = re.search(r"^version = (\d+\.\d+)", configuration, re.MULTILINE)
    if version is None:
        print(f"{directory} is not a virtual environment", file=sys.stderr)
        return 1
    target = directory / "lib" / f"python{version[1]}" / "site-packages"
    python = Path(sys.executable)
    environment = prepare.uv_environment(prepare.pip_settings(python))
    common = ["--quiet", "--python-version", version[1], "--only-binary", ":all:"]
    common += ["--target", str(target), *requirements]
    if environment is not None and prepare.fetch_uv(python):
        uv = [sys.executable, "-m", "uv", "pip", "install", "--no-python-downloads"]
        return subprocess.run([*uv, *common], env=environment, check=False).returncode
    pip = [sys.executable, "-m", "pip", "install", *common]
    return subprocess.run(pip, env=os.environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
