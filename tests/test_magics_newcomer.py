"""What a newcomer does to ``%%remote`` and ``%remote``, and the sentences that come back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from commands import notebook
from live_kernel import Live, live_kernel
from tree import ROOT


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    directory = tmp_path_factory.mktemp("newcomer")
    with live_kernel(directory, JUPYTER_HYBRID_DIR=str(directory / "hybrid")) as live:
        yield live


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("x = 1\ndef broken(:", "def broken(:", "SyntaxError: invalid syntax"),
        ("x = 1\nreturn 3", "return 3", "SyntaxError: 'return' outside function"),
        ("if 1:\n    x = 1\n  y = 2", "y = 2", "IndentationError: unindent does not match"),
    ],
)
def test_what_is_not_python_is_refused_on_the_line(
    kernel: Live, source: str, line: str, words: str
) -> None:
    result = kernel.run(f"%%remote\n{source}", ok=False)
    number = len(source.split("\n")) + 1
    assert re.search(rf"^  Cell In\[\d+\], line {number}\n +{re.escape(line)}\n", result.error)
    assert words in result.error and "jupyter_hybrid" not in result.error
    assert not result.text


def test_a_syntax_error_there_is_shown_as_there(kernel: Live) -> None:
    result = kernel.run("%%remote\nexec('x =')", ok=False)
    assert "SyntaxError" in result.error and "jupyter_hybrid" not in result.error


def test_what_a_function_might_use_may_stay_here(kernel: Live) -> None:
    kernel.run(
        "import threading\nlock = threading.Lock()\n"
        "def perhaps(wanted): return lock if wanted else 'without'"
    )
    result = kernel.run("%%remote\nprint(perhaps(False))")
    assert "lock was not sent: lock objects do not pickle" in result.text
    assert "without\n" in result.text
    result = kernel.run("%%remote\nperhaps(True)", ok=False)
    assert "name 'lock' is not defined" in result.error


def test_the_receipt_has_a_line_of_its_own_and_no_imports(kernel: Live) -> None:
    cell = "import json\nfrom math import sin\nfrom pathlib import Path\n!echo hi\nx = sin(0)"
    result = kernel.run(f"%%remote\n{cell}\nprint('no end', end='')")
    assert re.search(r"^no end\nlocal: .* · back: x \(float\)$", result.text, re.MULTILINE)
    assert kernel.value("(json.dumps(1), sin(0), Path('a').name)") == ("1", 0.0, "a")


def test_an_image_is_not_ignored_in_silence(kernel: Live) -> None:
    """Nobody listens there; a machine without an engine says that first."""
    result = kernel.run("%%remote --image 127.0.0.1:1/lab/pytorch:1\nprint('ran')", ok=False)
    assert re.search(r"127\.0\.0\.1:1|docker, podman", result.error), result.error
    assert "ran" not in result.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%remote --help", "bring back these variables only"),
        ("%remote -h", "Show this"),
        ("%remote run --help", "-p NAME=VALUE"),
        ("%remote cancel -h", "end it at once"),
    ],
)
def test_help_is_where_people_look_for_it(kernel: Live, line: str, words: str) -> None:
    assert words in kernel.run(line).text


@pytest.mark.parametrize("line", ["%remote?", "%%remote?"])
def test_a_question_mark_shows_every_option_and_verb(kernel: Live, line: str) -> None:
    result = kernel.run(line)
    (page,) = (entry["data"]["text/plain"] for entry in result.reply["payload"])
    for words in ("--gpu-type MODEL", "bring back these variables only", "cancel   Ask a job"):
        assert words in page


def test_a_cell_is_for_python(kernel: Live) -> None:
    before = kernel.run("%remote jobs").text
    result = kernel.run("%%remote --kernel absent\n1", ok=False)
    assert "no kernel named 'absent' is installed here; installed are" in result.error
    kernel.run(
        "import json, os, pathlib\nspec = pathlib.Path('jupyter/kernels/talk/kernel.json')\n"
        "spec.parent.mkdir(parents=True)\nos.environ['JUPYTER_PATH'] = os.path.abspath('jupyter')\n"
        '_ = spec.write_text(\'{"argv": ["talk"], "language": "smalltalk"}\')'
    )
    result = kernel.run("%%remote --kernel talk\nx = 1", ok=False)
    assert "it speaks smalltalk, and a %%remote cell is Python" in result.error
    assert kernel.run("%remote jobs").text == before
    kernel.run("del os.environ['JUPYTER_PATH']")


def test_parameters_may_be_written_as_on_the_command_line(kernel: Live) -> None:
    path = ROOT / "binder" / "pi.ipynb"
    text = kernel.run(f"%remote run '{path}' -p rounds 1 -p throws=10 --dry-run").text
    assert "nothing was sent" in text
    result = kernel.run(f"%remote run '{path}' -p rounds many", ok=False)
    assert "'rounds' is an int" in result.error
    result = kernel.run(f"%remote run '{path}' -p rounds", ok=False)
    assert "write -p name=value" in result.error


def test_what_does_not_travel_is_told_by_preview_and_run(kernel: Live) -> None:
    code = "import os\n[os.path.exists(p) for p in ('secret.csv', 'table.csv')]"
    document = notebook(code)
    kernel.run(
        "import json, pathlib\npathlib.Path('table.csv').write_text('x' * 3000)\n"
        "pathlib.Path('secret.csv').touch()\n"
        "pathlib.Path('.hybridignore').write_text('secret.csv')\n"
        f"pathlib.Path('ignores.ipynb').write_text(json.dumps({document!r}))"
    )
    refused = "note: secret.csv does not travel: .hybridignore names it\n"
    preview = kernel.run("%remote run ignores.ipynb --dry-run").text
    assert refused in preview and re.search(r"^table\.csv +2\.9 kB +\S", preview, re.MULTILINE)
    assert "1 files, 2.9 kB, 2.9 kB of it new; nothing was sent\n" in preview
    assert refused in kernel.run("%remote run ignores.ipynb").text
    assert ", 0 B of it new" in kernel.run("%remote run ignores.ipynb --dry-run").text
    for line in ("%%remote --dry-run", "%%remote", "%%remote --detach"):
        assert refused in kernel.run(f"{line}\n{code}").text
    kernel.run("pathlib.Path('.hybridignore').unlink()")


def test_names_are_shown_and_not_obeyed(kernel: Live) -> None:
    kernel.run("evil = '\\x1b[2Jev\\x9bil\\x07'\nopen('\\x1b[5mblinks.txt', 'w').close()")
    text = kernel.run(
        "%%remote --name {evil} --files *.txt\nopen('\\x1b[3Jmade', 'w').close()"
    ).text
    text += kernel.run("%remote jobs").text + kernel.run("%remote status").text
    text += kernel.run("%%remote --dry-run --files *.txt\n1").text
    assert "evil\n" in text and "blinks.txt" in text and "files: made" in text
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_jobs_go_by_the_end_of_their_ids(kernel: Live) -> None:
    kernel.run("%%remote --name short\nprint('found')")
    (short,) = re.findall(r"^(\w{8}) +COMPLETED .* short$", kernel.run("%remote jobs").text, re.M)
    assert kernel.run(f"%remote logs {short}").text == "found\n"
    assert short in kernel.complete(f"%remote logs {short[:3]}")
