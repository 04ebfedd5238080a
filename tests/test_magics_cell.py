"""``%%remote`` in a real kernel: a cell behaves there as it would here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_kernel import PATIENCE, Live, Result, live_kernel


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("magics")


@pytest.fixture(scope="module")
def kernel(directory: Path) -> Iterator[Live]:
    with live_kernel(directory, JUPYTER_HYBRID_DIR=str(directory / "hybrid")) as live:
        live.run("import os, numpy as np, pandas as pd\nhere = os.getpid()")
        yield live


def test_values_travel_in_and_out(kernel: Live) -> None:
    kernel.run("X = np.arange(100_000.0)\nscale = 2\ndef f(x): return x * scale")
    result = kernel.run("%%remote local --name first\nimport os\nthere = os.getpid()\n"
                        "total = f(X).sum()\nprint('hello')\ntotal")  # fmt: skip
    assert result.text.startswith("hello\n")
    assert re.search(r"local: .* s · back: there \(int\), total \(float64\)$", result.text.strip())
    (shown,) = result.of("execute_result")
    assert shown["data"]["text/plain"] == "np.float64(9999900000.0)"
    assert kernel.value("there != here and float(total)") == 9999900000.0


def test_rich_outputs(kernel: Live) -> None:
    result = kernel.run(
        "%%remote\n"
        "import sys\n"
        "from IPython.display import HTML, SVG, Image, clear_output, display\n"
        "print('gone'); clear_output(wait=True)\n"
        "handle = display(HTML('<b>0</b>'), display_id=True)\n"
        "for i in range(1, 4): handle.update(HTML(f'<b>{i}</b>'))\n"
        "display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))\n"
        "import base64\n"
        "display(Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk'\n"
        "    'YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==')))\n"
        "print('warn', file=sys.stderr)\n"
        "for i in range(5): print(f'\\r{i}', end='', flush=True)\n"
        "del handle"
    )  # fmt: skip
    kinds = [kind for kind, _ in result.messages]
    assert kinds.index("clear_output") < kinds.index("display_data")
    assert result.of("clear_output") == [{"wait": True}]
    shown = result.of("display_data")
    assert [sorted(c["data"])[0] for c in shown] == ["text/html", "image/svg+xml", "image/png"]
    updates = result.of("update_display_data")
    assert updates[-1]["data"]["text/html"] == "<b>3</b>"
    assert {u["transient"]["display_id"] for u in updates} == {shown[0]["transient"]["display_id"]}
    assert "warn\n" in "".join(c["text"] for c in result.of("stream") if c["name"] == "stderr")
    assert "\r4" in result.text


def test_a_progress_bar_of_widgets_has_a_static_form(kernel: Live) -> None:
    result = kernel.run(
        "%%remote\nimport time\nfrom tqdm.notebook import tqdm\n"
        "for i in tqdm(range(4), desc='epoch'):\n    time.sleep(0.15)"
    )
    (bar,) = result.of("display_data")
    shown = [bar, *result.of("update_display_data")]
    assert {c["transient"]["display_id"] for c in shown} == {bar["transient"]["display_id"]}
    # there is no widget in this kernel that a view could show
    assert all(sorted(c["data"]) == ["text/html", "text/plain"] for c in shown)
    assert "<progress" in shown[-1]["data"]["text/html"]
    texts = [c["data"]["text/plain"] for c in shown]
    assert any("2/4" in text for text in texts[:-1]) and "epoch: 100%" in texts[-1]


def test_a_figure_that_was_sent_is_drawn(kernel: Live) -> None:
    kernel.run("from matplotlib.figure import Figure\nfigure = Figure()\naxes = figure.subplots()")
    result = kernel.run("%%remote\naxes.set_title('t')\nfigure")
    (shown,) = result.of("execute_result")
    assert "image/png" in shown["data"], result.text


def test_run_all_stops_at_a_cell_that_failed_there(kernel: Live) -> None:
    # as notebooks do it: every cell is asked for at once, and the kernel drops those after an error
    cells = ("%%remote\nreached = 1\n1 / 0", "reached = 2")
    asked = [kernel.client.execute(cell, stop_on_error=True) for cell in cells]
    replies = {}
    while len(replies) < len(asked):
        reply = kernel.client.get_shell_msg(timeout=PATIENCE)
        replies[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
    assert [replies[msg_id] for msg_id in asked] == ["error", "aborted"]
    assert kernel.value("reached") == 1


def test_an_error_there_is_an_error_here(kernel: Live) -> None:
    result = kernel.run(
        "%%remote\nbefore = 1\ndef g(n):\n    return 1 / n  # the culprit\ng(0)\nafter = 2",
        ok=False,
    )
    assert result.status == "error" and result.reply["ename"] == "ZeroDivisionError"
    assert "line 4, in g(n)" in result.error and "return 1 / n  # the culprit" in result.error
    assert "jupyter_hybrid" not in result.error and "papermill" not in result.error
    number = result.reply["execution_count"]
    assert f"Cell In[{number}], line 5" in result.error
    assert "local: failed after" in result.text
    assert kernel.value("before, 'after' in globals()") == (1, False)


def test_an_error_has_colours_where_the_shell_has(kernel: Live) -> None:
    kernel.run("shell = get_ipython(); colours = shell.colors")
    for scheme, coloured in (("shell.colors", True), ("'nocolor'", False)):
        kernel.run(f"shell.colors = {scheme}")
        (error,) = kernel.run("%%remote\n1/0", ok=False).of("error")
        assert ("\x1b" in "".join(error["traceback"])) == coloured
    kernel.run("shell.colors = colours")


def test_an_error_there_can_be_caught_here(kernel: Live) -> None:
    code = (
        "try:\n    get_ipython().run_cell_magic('remote', '', {body!r})\n"
        "except {catch} as e:\n    caught = type(e).__name__, str(e)"
    )
    for body, catch, text in (
        ("int('x')", "ValueError", "invalid literal for int() with base 10: 'x'"),
        ("{}['k']", "KeyError", "'k'"),
        ("b'\\xff'.decode()", "UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff"),
        ("open('/nothing')", "FileNotFoundError", "[Errno 2]"),
    ):
        kernel.run(code.format(body=body, catch=catch))
        name, message = kernel.value("caught")
        assert name == catch and message.startswith(text)
    kernel.run(code.format(body="class Own(Exception): pass\nraise Own('x')", catch="Exception"))
    assert kernel.value("caught") == ("Own", "x")


def test_tracebacks_through_functions_of_other_cells(kernel: Live) -> None:
    made = kernel.run("def boom(x):\n    return 1 / x  # defined here")
    result = kernel.run("%%remote\nboom(0)", ok=False)
    assert "return 1 / x  # defined here" in result.error
    assert made.status == "ok"


def test_magics_async_and_futures(kernel: Live, directory: Path) -> None:
    (directory / "where").mkdir()
    kernel.run("from __future__ import annotations\npath = 'absent-directory'")
    result = kernel.run(
        "%%remote\nimport asyncio\nawait asyncio.sleep(0.01)\n%time y = 1\nfound = !echo {path}\n"
        "def typed(x: NotDefined): pass\n'last'"
    )
    assert "Wall time" in result.text
    assert kernel.run("%%remote\n!echo $((40 + 2))").text.startswith("42\r\n")
    assert result.of("execute_result")[0]["data"]["text/plain"] == "'last'"
    assert kernel.value("(y, list(found))") == (1, ["absent-directory"])
    result = kernel.run("%%remote\n%%bash --out listing\necho in bash")
    assert kernel.value("listing") == "in bash\n"
    assert "Wall time" in kernel.run("%%remote\n%%time\nz = 5").text
    assert kernel.value("z") == 5
    result = kernel.run("%%remote\ny = = 1", ok=False)
    assert result.reply["ename"] == "SyntaxError"


def test_what_does_not_pickle_is_refused_before_anything_is_sent(kernel: Live) -> None:
    kernel.run("import threading\nlock = threading.Lock()")
    before = kernel.run("%remote jobs").text
    result = kernel.run("%%remote\nlock.acquire()", ok=False)
    assert "lock (lock) cannot travel" in result.error and "--replay" in result.error
    assert "\n" not in result.error.strip()
    assert kernel.run("%remote jobs").text == before


def test_replay_executes_the_cells_above(kernel: Live, directory: Path) -> None:
    from test_cells import write_notebook

    remote = "%%remote --replay\nprint(helper())\nanswer = helper()"
    write_notebook(
        directory / "replay.ipynb",
        (
            "a",
            "import threading\nlock2 = threading.Lock()\ndef helper(): return lock2.locked(), 42",
            [],
        ),
        ("b", "raise SystemError('not there')", ["local"]),
        ("c", remote, []),
        ("d", "raise SystemError('below')", []),
    )
    kernel.run(f"os.environ['JPY_SESSION_NAME'] = {str(directory / 'replay.ipynb')!r}")
    kernel.run(remote)
    kernel.run("del os.environ['JPY_SESSION_NAME']")
    assert kernel.value("answer") == (False, 42)


def test_usage_errors_are_one_sentence(kernel: Live) -> None:
    for cell, words in (
        ("%%remote --gups 2\nx", "there is no option --gups. Did you mean --gpus?"),
        ("%%remote nowhere\nx", "no target named 'nowhere'; there are: local"),
        ("%%remote --time soon\nx", "'soon' is not a duration"),
        ("%%remote --gpus -1\nx", "--gpus -1: at least 0"),
        ("%%remote --gpus many\nx", "--gpus many: write a whole number"),
        ("%remote kancel", "there is no such verb. Did you mean cancel?"),
        ("%remote local", "%%remote local on top of a cell"),
        ("%%remote -i nothing\nx", "there is no variable 'nothing'"),
        ("%%remote -i x-y\nx", "write names of variables"),
        ("%%remote --name 'open\nx", "no closing quotation"),
        ("%%remote\n   ", "there is nothing below it"),
        ("%remote dance", "there is no such verb"),
        ("%remote", "say what to do"),
        ("%remote status nothing", "nothing"),
    ):
        result = kernel.run(cell, ok=False)
        assert result.status == "error" and words in result.error, (cell, result.error)
        assert "Traceback" not in result.error and result.error.count("\n") == 0


def test_dry_run_shows_and_sends_nothing(kernel: Live, directory: Path) -> None:
    (directory / "data.csv").write_text("1,2\n")
    before = kernel.run("%remote jobs").text
    kernel.run("big = np.zeros(1_000_000)")
    text = kernel.run("%%remote --dry-run\nbig, open('data.csv')").text
    assert re.search(r"big +ndarray +7\.6 MB", text) and "data.csv" in text
    assert "nothing was sent" in text and kernel.run("%remote jobs").text == before


def test_files_and_local_modules_travel(kernel: Live, directory: Path) -> None:
    (directory / "own_module.py").write_text("value = 'from the module'\n")
    (directory / "extra.txt").write_text("extra")
    result = kernel.run(
        "%%remote --files extra.txt\nfrom own_module import value\n"
        "name = 'extra' + '.txt'\ncontent = open(name).read()"
    )
    assert kernel.value("(value, content)") == ("from the module", "extra"), result.text


def test_a_file_travels_that_a_variable_names(kernel: Live, directory: Path) -> None:
    (directory / "data").mkdir()
    (directory / "data/a b.csv").write_text("1,2")
    kernel.run("from pathlib import Path\nfolder = Path('data')")
    result = kernel.run("%%remote\ncontent = (folder / 'a b.csv').read_text()")
    assert kernel.value("content") == "1,2", result.text


def test_too_much_text_is_cut(kernel: Live) -> None:
    result = kernel.run("%%remote\nfor i in range(400_000): print(i)")
    assert len(result.text) < 1_300_000
    assert "of text not shown here; %remote logs" in result.text
    assert "399999\n" in result.text


def test_input_is_refused_with_a_sentence(kernel: Live) -> None:
    result = kernel.run("%%remote\ninput('name?')", ok=False)
    assert result.status == "error" and "input()" in result.error
    result = kernel.run("%%remote\nx = 1\nbreakpoint()\nx = 2", ok=False)
    assert "nobody can type into it in a job" in result.error and "input()" not in result.error


def test_a_dead_kernel_and_wall_time_are_told(kernel: Live) -> None:
    result = kernel.run(
        "%%remote\nprint('last words', flush=True)\nimport os; os._exit(3)", ok=False
    )
    assert "last words" in result.text and result.reply["ename"] == "JobFailed"
    assert "3" in result.error and "Traceback" not in result.error
    result = kernel.run(
        "%%remote --time 10s\nprint('begun', flush=True)\nkept = 1\nimport time; time.sleep(60)",
        ok=False,
    )
    assert "begun" in result.text and result.reply["ename"] == "JobFailed"
    assert "wall time" in result.error.lower() or "10 s" in result.error
    assert kernel.value("kept") == 1


def test_text_appears_while_the_cell_works(kernel: Live, tmp_path: Path) -> None:
    def note(result: Result) -> None:
        for number in re.findall(r"^t (\d)$", result.text, re.MULTILINE):
            (tmp_path / number).touch()

    # each line is waited for until it is here
    result = kernel.run(
        "%%remote\nimport os, time\nend = time.time() + 60\nfor i in range(5):\n"
        f"    print('t', i, flush=True)\n    seen = f'{tmp_path}/{{i}}'\n"
        "    while not os.path.exists(seen) and time.time() < end: time.sleep(0.02)\n"
        "print('in time', time.time() < end)",
        on=note,
    )
    assert "in time True\n" in result.text
