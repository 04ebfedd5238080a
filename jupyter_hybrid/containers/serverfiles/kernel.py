"""A kernel of the image's Python: with all that the image has, and behind it what it lacks."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # (Python puts the directory of what it runs first)
    sys.path[0] = ""
    here = Path(__file__).resolve().parent
    sys.path.append(str(here / "py{}.{}".format(*sys.version_info)))
    runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
