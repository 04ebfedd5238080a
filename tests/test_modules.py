import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_hybrid.capture import CaptureRequest, Plan, plan_files
from jupyter_hybrid.capture.modules import own_modules
from jupyter_hybrid.sources import parse_source


def lay_out(plan: Plan, work: Path) -> None:
    """What the runner does."""
    for item in plan.items:
        target = work / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(item.source).read_bytes())
    for link in plan.links:
        (work / link.path).parent.mkdir(parents=True, exist_ok=True)
        (work / link.path).symlink_to(link.to)


def execute(code: str, plan: Plan, work: Path) -> str:
    paths = os.pathsep.join(str(work / path) for path in plan.import_paths)
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=work / plan.cwd,
        env={"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_everything_imports_at_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, far = tmp_path / "project" / "lab", tmp_path / "far"
    write(lab / "helper.py", "from space.deep import seven\nimport far_pkg\n")
    write(lab / "space" / "deep" / "__init__.py", "from .more import seven\n")
    write(lab / "space" / "deep" / "more.py", "from ..other import seven\n")
    write(lab / "space" / "other.py", "seven = int(open('data/seven.txt').read())\n")
    write(lab / "data" / "seven.txt", "7")
    write(far / "far_pkg" / "__init__.py", "from . import table\nimport far_single\n")
    write(
        far / "far_pkg" / "table" / "__init__.py",
        "import pkgutil\nx = pkgutil.get_data(__name__, 't')",
    )
    write(far / "far_pkg" / "table" / "t", "table")
    write(far / "far_single.py", "eight = 8\n")
    write(lab.parent / "lib" / "added.py", "nine = 9\n")
    monkeypatch.syspath_prepend(far)
    code = (
        "import sys\nsys.path.append('../lib')\nimport helper, added, far_single\n"
        "print(helper.seven, far_single.eight, added.nine, helper.far_pkg.table.x)"
    )
    plan = plan_files(CaptureRequest(lab, (code,)))
    (tmp_path / "work").mkdir()
    lay_out(plan, tmp_path / "work")
    far.rename(tmp_path / "gone")
    lab.parent.rename(tmp_path / "gone too")
    assert execute(code, plan, tmp_path / "work") == "7 8 9 b'table'"


def test_modules_that_import_each_other(tmp_path: Path) -> None:
    write(tmp_path / "a.py", "import b, os, not_there\n")
    write(tmp_path / "b.py", "import a\n")
    found = own_modules([parse_source("import a.x")], tmp_path)
    assert [module.located.name for module in found] == ["a", "b"]


def test_broken_modules_travel_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"\xff\xfe import (\0")
    write(tmp_path / "pkg" / "__init__.py", "")
    (tmp_path / "pkg" / "x.py").symlink_to("nowhere.py")
    plan = plan_files(CaptureRequest(tmp_path, ("import a, pkg",)))
    assert [item.path for item in plan.items] == ["a.py", "pkg/__init__.py"]
    assert [row.path for row in plan.refused] == ["pkg/x.py"]


def test_a_changed_module_is_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a.py", "")
    write(tmp_path / "later.py", "")
    assert len(own_modules([parse_source("import a")], tmp_path)) == 1
    write(tmp_path / "a.py", "import later")
    assert len(own_modules([parse_source("import a")], tmp_path)) == 2
