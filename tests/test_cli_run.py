"""Notebooks run as jobs from the command line, and everything comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Home, notebook

RAISES = "def f():\n    raise ValueError('bad')\nf()"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    home.clean()


def result_of(home: Home, pattern: str = "n.*.ipynb") -> dict[str, Any]:
    (path,) = home.work.glob(pattern)
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def texts(content: dict[str, Any]) -> list[str]:
    outputs = [o for cell in content["cells"] for o in cell.get("outputs", [])]
    return ["".join(o["text"]) for o in outputs if o["output_type"] == "stream"]


def test_hello(home: Home) -> None:
    home.write("n.ipynb", notebook("print('hello')", "6 * 7"))
    done = home.hybrid("run", "n.ipynb")
    assert (done.returncode, done.stdout) == (0, "hello\n42\n"), done.stderr
    assert "completed" in done.stderr
    assert "wrote n." in done.stderr
    content = result_of(home)
    assert texts(content) == ["hello\n"]
    assert content["cells"][0]["execution_count"] == 1


def test_output_has_its_own_name_and_is_never_the_notebook(home: Home) -> None:
    source = home.write("n.ipynb", notebook("print(1)"))
    before = source.read_bytes()
    assert home.hybrid("run", "n.ipynb", "-o", "out/{x}.ipynb", "-p", "x", "7").returncode == 0
    assert texts(json.loads((home.work / "out" / "7.ipynb").read_text())) == ["1\n"]
    refused = home.hybrid("run", "n.ipynb", "--output", "n.ipynb")
    assert refused.returncode == 2
    assert "is the notebook itself" in refused.stderr
    assert source.read_bytes() == before
    assert len(home.json("jobs")) == 1


def test_json_is_one_document(home: Home) -> None:
    home.write("n.ipynb", notebook("print('hello')", "x = 1"))
    done = home.hybrid("run", "n.ipynb", "--json")
    document = json.loads(done.stdout)
    assert document["state"] == "COMPLETED"
    assert document["cells"] == {"done": 2, "total": 2, "current": ""}
    assert Path(document["fetched"]["notebook"]).is_file()
    assert document["problems"] == []


def test_json_is_readable_for_every_program(home: Home) -> None:
    """NaN, which Python writes and jq refuses, is null."""
    home.write("n.ipynb", notebook("print(rate)", parameters="rate = 0.5"))
    done = home.hybrid("run", "n.ipynb", "-p", "rate", "nan", "--json")
    assert done.returncode == 0 and "NaN" not in done.stdout
    assert json.loads(done.stdout)["parameters"] == {"rate": None}
    assert home.hybrid("logs").stdout == "nan\n"


def test_parameters_keep_their_types(home: Home) -> None:
    names = "integer text raw number flag nothing items table day"
    source = f"for v in ({', '.join(names.split())}):\n    print(type(v).__name__, v)"
    home.write(
        "n.ipynb",
        notebook(source, parameters="\n".join(f"{name} = None" for name in names.split())),
    )
    words = ["integer", "2", "text", '"2"', "number", "-0.5", "flag", "true", "nothing", "null"]
    words += ["items", '[1, "a"]', "table", '{"a": [null]}', "day", "2024-01-31"]
    pairs = [w for i in range(0, len(words), 2) for w in ("-p", words[i], words[i + 1])]
    done = home.hybrid("run", "n.ipynb", *pairs, "-r", "raw", "2")
    assert done.stdout.splitlines() == [
        "int 2",
        "str 2",
        "str 2",
        "float -0.5",
        "bool True",
        "NoneType None",
        "list [1, 'a']",
        "dict {'a': [None]}",
        "str 2024-01-31",
    ], done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("n.ipynb -p epoch 3", "no parameter 'epoch'; did you mean 'epochs'? It has: epochs"),
        ("n.ipynb -p epochs many", '"many" is a str'),
        ("n.ipynb -p not-a-name 3", "'not-a-name' cannot be the name of a parameter"),
        ("gone.ipynb", "there is no notebook"),
        ("n.ipynb --target moon", "there is no target named 'moon'"),
        ("n.ipynb --kernel moon", "no kernel named 'moon'"),
        ("n.ipynb --to docx", "nbconvert has no format 'docx'"),
        ("n.ipynb --cwd moon", "there is no directory"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    home: Home, words: str, sentence: str
) -> None:
    home.write("n.ipynb", notebook("1", parameters="epochs = 1"))
    done = home.hybrid("run", *words.split())
    assert done.returncode == 2
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert home.json("jobs") == []


def test_a_cell_that_raises_fails_the_job_and_everything_before_comes_back(home: Home) -> None:
    home.write("n.ipynb", notebook("print('before')", RAISES, "print('after')"))
    done = home.hybrid("run", "n.ipynb", "--to", "html", "--no-input")
    assert done.returncode == 1
    assert done.stdout == "before\n"
    assert "ValueError: bad" in done.stderr
    assert "\x1b[" not in done.stderr
    assert "failed" in done.stderr
    assert "before\n" in texts(result_of(home))
    (page,) = home.work.glob("n.*.html")
    assert "ValueError" in page.read_text()


def test_quiet_shows_no_output(home: Home) -> None:
    home.write("n.ipynb", notebook("print('hello')"))
    done = home.hybrid("run", "n.ipynb", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")


def test_progress_bars_are_one_line_where_nobody_watches(home: Home) -> None:
    source = "from tqdm import tqdm\nimport time\nfor _ in tqdm(range(50)):\n    time.sleep(0.01)"
    home.write("n.ipynb", notebook(source))
    done = home.hybrid("run", "n.ipynb")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("it/s") == 1


def test_files_travel_and_come_back(home: Home) -> None:
    home.write("data.csv", "1,2")
    home.write("helper.py", "def total(text): return sum(map(int, text.split(',')))")
    source = "import helper, pathlib\nn = helper.total(open('data.csv').read())\n"
    source += "_ = pathlib.Path('result.txt').write_text(str(n))"
    home.write("n.ipynb", notebook(source))
    preview = home.hybrid("run", "n.ipynb", "--dry-run")
    assert preview.returncode == 0, preview.stderr
    assert "data.csv" in preview.stdout
    assert "helper.py" in preview.stdout
    assert "nothing was sent" in preview.stdout
    paths = {file["path"] for file in home.json("run", "n.ipynb", "--dry-run")["files"]}
    assert {"data.csv", "helper.py"} <= paths
    assert home.json("jobs") == []
    done = home.hybrid("run", "n.ipynb")
    assert done.returncode == 0, done.stderr
    assert (home.work / "result.txt").read_text() == "3"
    assert "wrote result.txt" in done.stderr


def test_a_file_that_could_not_be_brought_is_no_success(home: Home) -> None:
    source = "import os\nos.makedirs('out')\nopen('out/model.pt', 'w').write('weights')\n"
    home.write("n.ipynb", notebook(source + "os.symlink('/etc', 'far')"))
    # where the directory of that name should be
    mine = home.write("out", "mine")
    home.write(".hybridignore", "out\n")
    done = home.hybrid("run", "n.ipynb")
    assert done.returncode == 1 and "completed" in done.stderr
    assert "  left behind: out/model.pt: " in done.stderr
    assert home.hybrid("fetch").returncode == 1
    mine.unlink()
    done = home.hybrid("fetch")
    # (a link that leads elsewhere is no file that anybody could miss)
    assert done.returncode == 0 and "left behind: far: a link out of" in done.stderr
    assert (home.work / "out" / "model.pt").read_text() == "weights"


def test_a_target_may_have_a_directory_of_its_own(home: Home, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    targets = {"local": {"executor": "local", "root": str(tmp_path / "root")}}
    config = tmp_path / "config" / "jupyter_hybrid_config.py"
    config.write_text(f"c.Hybrid.targets = {targets}\n")
    home.write("data.csv", "1,2")
    home.write("n.ipynb", notebook("print(open('data.csv').read())"))
    done = home.hybrid("run", "n.ipynb")
    assert (done.returncode, done.stdout) == (0, "1,2\n"), done.stderr
    assert home.json("run", "n.ipynb", "--dry-run")["new"] == 0


def test_rendering_does_not_replace_what_is_there(home: Home) -> None:
    mine = home.write("helper.py", "value = 'my own work'\n")
    home.write("n.ipynb", notebook("import helper\nprint(helper.value)"))
    done = home.hybrid("run", "n.ipynb", "--output", "helper.ipynb", "--to", "script")
    assert (done.returncode, done.stdout) == (0, "my own work\n"), done.stderr
    assert mine.read_text() == "value = 'my own work'\n"
    (beside,) = home.work.glob("helper.*.py")
    assert "import helper" in beside.read_text()
    assert f"wrote {beside.name}\n  kept helper.py" in done.stderr


def test_what_does_not_travel_is_told_by_preview_and_run(home: Home) -> None:
    home.write("secret.csv", "1,2")
    home.write(".hybridignore", "secret.csv\n")
    (home.work.parent / "far.csv").touch()
    source = f"import os\n[os.path.exists(p) for p in ('secret.csv', '{home.work.parent}/far.csv')]"
    home.write("n.ipynb", notebook(source))
    refused = "note: secret.csv does not travel: .hybridignore names it\n"
    absolute = f"note: {home.work.parent}/far.csv is an absolute path: it does not travel"
    for words in (("run", "n.ipynb", "--dry-run"), ("run", "n.ipynb"), ("rerun",)):
        told = home.hybrid(*words).stderr
        assert (refused in told and absolute in told) == (words[0] == "run"), (words, told)
    assert len(home.json("run", "n.ipynb")["notes"]) == 2


def test_cwd_and_environment(home: Home) -> None:
    (home.work / "elsewhere").mkdir()
    home.write("elsewhere/check.txt", "found")
    home.write("n.ipynb", notebook("import os\nprint(open('check.txt').read(), os.environ['WHO'])"))
    done = home.hybrid("run", "n.ipynb", "--cwd", "elsewhere", "--env", "WHO=me")
    assert done.stdout == "found me\n", done.stderr


def test_standard_input(home: Home) -> None:
    done = home.hybrid("run", "-", "-o", "o.ipynb", input=json.dumps(notebook("print('hi')")))
    assert done.stdout == "hi\n", done.stderr
    assert texts(json.loads((home.work / "o.ipynb").read_text())) == ["hi\n"]


def test_other_kernels(home: Home) -> None:
    subprocess.run(
        [sys.executable, "-m", "bash_kernel.install", "--prefix", str(home.data / "prefix")],
        env=home.environ,
        check=True,
        capture_output=True,
    )
    home.environ["JUPYTER_PATH"] = str(home.data / "prefix" / "share" / "jupyter")
    home.write("n.ipynb", notebook("echo hello from $0", name="bash", language="bash"))
    home.write("data.txt", "found\n")
    done = home.hybrid("run", "n.ipynb")
    assert "hello from" in done.stdout, done.stderr
    unseen = "note: in bash code no files are looked for: send what it needs with --files\n"
    assert unseen in done.stderr and unseen in home.hybrid("run", "n.ipynb", "--dry-run").stderr
    parameters = notebook("cat data.txt\necho $a", parameters="a=1", name="bash", language="bash")
    home.write("p.ipynb", parameters)
    done = home.hybrid("run", "p.ipynb", "-p", "a", "2", "--files", "data.txt")
    assert (done.returncode, done.stdout) == (0, "found\n2\n"), done.stderr
    assert unseen not in done.stderr
    assert (
        "note: parameters of bash notebooks are not checked before they are sent\n" in done.stderr
    )
    home.write("r.ipynb", notebook("1", name="ir", language="R"))
    refused = home.hybrid("run", "r.ipynb")
    assert refused.returncode == 2
    assert "the kernel 'ir' (R), which is not installed here; installed are bash" in refused.stderr


def test_help_of_a_notebook(home: Home) -> None:
    home.write("n.ipynb", notebook("1", parameters="epochs: int = 1  # how often\nrate = 0.1"))
    done = home.hybrid("run", "n.ipynb", "--help-notebook")
    assert done.stdout.splitlines()[1].split() == ["epochs", "int", "1", "how", "often"]
    assert home.json("run", "n.ipynb", "--help-notebook")[1]["type"] == "float"
