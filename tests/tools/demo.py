"""Runs ``binder/demo.ipynb`` as a job, as a user would.

The notebook holds a ``%%remote`` cell: the job starts a job of its own.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = Path("binder", "demo.ipynb")
RESULT = Path("build", "demo", "demo.ipynb")


def main() -> int:
    """The exit status of ``jupyter hybrid run``."""
    (ROOT / RESULT).parent.mkdir(parents=True, exist_ok=True)
    arguments = ["run", str(NOTEBOOK), "--output", str(RESULT), "--to", "html"]
    print("$ jupyter hybrid " + shlex.join(arguments), flush=True)
    began = time.monotonic()
    script = Path(sys.executable).with_name("jupyter-hybrid")
    # the notebook has a %%remote cell, and no line that loads it
    subprocess.run([str(script), "autoload", "on", "--json"], stdout=subprocess.DEVNULL, check=True)
    status = subprocess.run([str(script), *arguments], cwd=ROOT, check=False).returncode
    if status == 0:
        jupyter = script.with_name("jupyter").relative_to(ROOT)
        print(f"\nDone in {time.monotonic() - began:.0f} s. Open the page in a browser.")
        print(f"{jupyter} hybrid jobs  lists the notebook's job, and that of its %%remote cell")
    return status


if __name__ == "__main__":
    sys.exit(main())
