"""Modules of the user's own import at the job, wherever they are here, and stay out of results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from commands import Home, notebook
from live_kernel import Live


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def an_editable_install(directory: Path) -> Path:
    """A site directory in which ``wheelless`` is installed in place, as pip leaves it."""
    source = directory / "project/src"
    write(source / "wheelless/__init__.py", "from .deep import three\n")
    write(source / "wheelless/deep.py", "three = 3\n")
    site = directory / "site"
    write(site / "wheelless.pth", f"{source}\n")
    info = site / "wheelless-1.0.dist-info"
    write(info / "METADATA", "Metadata-Version: 2.1\nName: wheelless\nVersion: 1.0\n")
    write(info / "RECORD", "wheelless.pth,,\nwheelless-1.0.dist-info/METADATA,,\n")
    url = {"url": f"file://{directory / 'project'}", "dir_info": {"editable": True}}
    write(info / "direct_url.json", json.dumps(url))
    return site


def test_modules_from_elsewhere_import_in_a_cell(
    start_kernel: Callable[..., Live], workspace: Path, tmp_path: Path
) -> None:
    write(tmp_path / "far/onpath.py", "def twice(x): return 2 * x\nclass Net: gain = 7\n")
    site = an_editable_install(tmp_path)
    kernel = start_kernel()
    kernel.run(
        f"import sys, site\nsys.path.append({str(tmp_path / 'far')!r})\n"
        f"site.addsitedir({str(site)!r})\nimport onpath\nfrom onpath import Net\nnet = Net()"
    )
    kernel.run(
        "%%remote\nimport wheelless\nfrom pathlib import Path\nmade = onpath.twice(21), net.gain, "
        "wheelless.three, Path(wheelless.__file__).parts[-5:-2], sys.path.index('') == 0\n"
        "Path('made.txt').write_text('made')"
    )
    assert kernel.value("made[:3]") == (42, 7, 3)
    assert kernel.value("made[3]") == ("work", ".hybrid", "modules")
    assert {p.name for p in workspace.iterdir()} == {"ipython", "made.txt"}


def test_modules_from_elsewhere_import_in_a_notebook(home: Home, tmp_path: Path) -> None:
    """The command line finds them by PYTHONPATH; its job gets copies, and they stay there."""
    write(tmp_path / "far/onpath.py", "import os\nseven, here = 7, os.path.dirname(__file__)\n")
    home.environ["PYTHONPATH"] = str(tmp_path / "far")
    home.write(
        "n.ipynb",
        notebook(
            "import sys, os\nsys.path.remove(os.environ['PYTHONPATH'])\nimport onpath\n"
            "print(onpath.seven, 'work/.hybrid/modules' in onpath.here)\n"
            "open(onpath.here + '/cache.txt', 'w').write('by the way')"
        ),
    )
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb")
    assert done.returncode == 0, done.stderr
    assert "7 True" in (home.work / "out.ipynb").read_text()
    assert {p.name for p in home.work.iterdir()} == {"n.ipynb", "out.ipynb"}


def test_what_a_dead_runner_left_is_brought_back_without_our_own(
    home: Home, tmp_path: Path
) -> None:
    """Without the runner's list of changes all that differs comes, but no modules or caches."""
    write(tmp_path / "far/onpath.py", "seven = 7\n")
    home.environ["PYTHONPATH"] = str(tmp_path / "far")
    home.write(
        "n.ipynb",
        notebook(
            "import onpath, os, signal, time\nopen('kept.txt', 'w').write('kept')\n"
            "os.makedirs('__pycache__', exist_ok=True)\nopen('__pycache__/x.pyc', 'w').close()\n"
            "open('.hybrid/modules/cache.txt', 'w').close()\nprint('begun', flush=True)\n"
            "time.sleep(0.5)\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)"
        ),
    )
    done = home.hybrid("run", "n.ipynb", "--output", "out.ipynb")
    assert done.returncode == 1 and "drove the notebook died" in done.stderr, done.stderr
    assert {p.name for p in home.work.iterdir()} == {"n.ipynb", "out.ipynb", "kept.txt"}
