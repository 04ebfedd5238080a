"""What a program starts with comes from one file where that counts, and from its own elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from jupyter_hybrid.runner import kept, kernel, lean
from runner.jobs import Make

#: Keeps a package of three modules, one of which looks for what there is not.
KEEP = """
import sys
sys.path.insert(0, {own!r})
from jupyter_hybrid.runner import kept
def load():
    import thing.deep, _bisect
kept.{what}
"""
#: Uses it; the files of the modules may be gone.
USE = """
import sys
sys.path.insert(0, {own!r})
from jupyter_hybrid.runner import kept
assert kept.use({file!r}) is {counts}
"""


@pytest.fixture
def thing(tmp_path: Path) -> Path:
    """The directory of a package ``thing``."""
    package = tmp_path / "own" / "thing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep.py").write_text(
        "try:\n    import nowhere\nexcept ImportError as error:\n    missed = error.name\n"
        "def broken():\n    raise ValueError(__file__)\n"
    )
    return package.parent


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_kept_modules_need_no_files_and_are_like_any_other(thing: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "file")
    python(KEEP.format(own=str(thing), what=f"keep({file!r}, load)"))
    for path in sorted(thing.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (thing / "nowhere.py").write_text("")
    use = USE.format(own=str(thing), file=file, counts=True)
    said = python(
        use
        + """
import thing.deep, traceback
assert thing.deep.missed == "nowhere"
assert thing.__path__ == [thing.__spec__.origin.rpartition("/")[0]]
assert type(thing.deep.__loader__).__name__ == "Kept"
try:
    thing.deep.broken()
except ValueError as error:
    print(error, traceback.extract_tb(error.__traceback__)[-1].lineno)
import bisect, json.tool
"""
    )
    assert said == f"{thing}/thing/deep.py 6\n"


def test_a_file_of_another_interpreter_does_not_count(thing: Path, tmp_path: Path) -> None:
    file = str(tmp_path / "file")
    python(KEEP.format(own=str(thing), what=f"keep({file!r}, load)"))
    assert python(USE.format(own=str(tmp_path), file=file, counts=False)) == ""
    Path(file).write_bytes(Path(file).read_bytes()[:1000])
    assert python(USE.format(own=str(thing), file=file, counts=False)) == ""
    assert python(USE.format(own=str(thing), file="/no/such", counts=False)) == ""


def test_a_kernel_starts_with_what_was_kept(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "scope = {'__name__': 'kept'}\nexec(open(sys.argv[1]).read(), scope)\n"
    script += "scope['keep'](sys.argv[2], lambda: scope['load_kernel'](sys.argv[3]))"
    files = kept.__file__, tmp_path / "kernel", lean.__file__
    command = [sys.executable, "-c", f"import sys\n{script}", *files]
    subprocess.run([*map(str, command)], check=True)
    monkeypatch.setattr(kernel, "PLACE", str(tmp_path))
    source = """
        import sys
        print(type(sys.modules["ipykernel.kernelapp"].__loader__).__name__)
        print([f for f in sys.meta_path if type(f).__name__ == "Finder"])
        import colorsys
        print(type(colorsys.__loader__).__name__)
    """
    job = make(dedent(source))
    job.by = (sys.executable, "-c", RUNS.format(place=str(tmp_path)))
    assert job.run().message == ""
    assert job.text() == "Kept\n[]\nSourceFileLoader\n"


#: Runs a job whose image has its files elsewhere.
RUNS = """
import sys
from jupyter_hybrid.runner import kernel
kernel.PLACE = {place!r}
from jupyter_hybrid.runner.__main__ import main
sys.exit(main(sys.argv[4:]))
"""


def test_a_runner_keeps_what_it_executes_jobs_with(tmp_path: Path) -> None:
    file = str(tmp_path / "runner")
    code = "from jupyter_hybrid.runner import kept\n"
    python(f"{code}kept.keep({file!r}, kept.load_runner)")
    use = f"{code}assert kept.use({file!r})\nkept.load_runner()\nimport sys\n"
    names = "papermill.execute", "jupyter_hybrid.runner.engine", "asyncio.events"
    kinds = python(f"{use}print([type(sys.modules[n].__loader__).__name__ for n in {names}])")
    assert kinds == f"{['Kept'] * 3}\n"


def test_compiled_modules_come_from_copies_that_nobody_sees(tmp_path: Path) -> None:
    file = str(tmp_path / "runner")
    code = "from jupyter_hybrid.runner import kept\n"
    python(f"{code}kept.keep({file!r}, kept.load_runner)")
    name = "zmq.backend.cython._zmq"
    use = f"{code}assert kept.use({file!r})\nkept.load_runner()\nimport sys\n"
    show = f"module = sys.modules[{name!r}]\nprint(type(module.__loader__).__name__)\n"
    show += "print(module.__file__ == module.__spec__.origin)\n"
    show += "print(f' {module.__file__}\\n' in open('/proc/self/maps').read())\n"
    assert python(use + show) == "KeptLibrary\nTrue\nFalse\n"
    # without the copies they come from where they are
    shutil.rmtree(tmp_path / "lib")
    assert python(use + show) == "KeptLibrary\nTrue\nTrue\n"
