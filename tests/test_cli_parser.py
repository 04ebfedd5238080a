"""The command line is understood, or refused in one sentence with status 2."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest

from jupyter_hybrid.cli import main
from jupyter_hybrid.cli.options import VERBS
from jupyter_hybrid.cli.parser import parse
from jupyter_hybrid.cli.requests import check_output, fill_in, read_parameters, resources_of
from jupyter_hybrid.cli.terminal import Terminal
from jupyter_hybrid.errors import ParameterError, UsageError
from jupyter_hybrid.spec import Resources


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_parameters_keep_their_types_and_may_begin_with_a_dash() -> None:
    words = "run n.ipynb -p a 2 -p b -1e3 -r c -x -p d [1,2] --parameters e true -y {f:1} -p g -g"
    words += " -p h=3"
    options = parse(words.split())
    assert read_parameters(options) == {
        "a": 2,
        "b": -1000.0,
        "c": "-x",
        "d": [1, 2],
        "e": True,
        "f:1": None,
        "g": "-g",
        "h": 3,
    }


def test_the_last_way_to_give_a_parameter_counts(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{b: 2, f: 2, y: 2}")
    text = base64.b64encode(b"{b: 1, f: 1, y: 1, p: 1}").decode()
    options = parse([*f"run n -b {text} -f {file} -p p 4 -r r 4 -y".split(), "{y: 3, p: 3}"])
    assert read_parameters(options) == {"b": 2, "f": 2, "y": 3, "p": 4, "r": "4"}
    with pytest.raises(ParameterError, match="not base 64"):
        read_parameters(parse(["run", "n", "-b", "?"]))


def test_resources() -> None:
    options = parse(
        "run n --gpus 2 --gpu-type v100 --cpus 4 --mem 4G --nodes 2 --time 1h30m".split()
    )
    expected = Resources(gpus=2, gpu_type="v100", cpus=4, mem=4 * 2**30, nodes=2, time=5400.0)
    assert resources_of(options) == expected


@pytest.mark.parametrize("words", ["help", "help run", "--help", "run -h"])
def test_help_is_where_people_look_for_it(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 0
    assert ("--gpus N" if "run" in words else "rerun") in capsys.readouterr().out


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_and_json(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "usage:"),
        ("fly", "there is no verb 'fly'; there are: run, jobs,"),
        ("rnu n", "there is no verb 'rnu'; did you mean 'run'? See 'jupyter hybrid --help'"),
        ("kill last", "did you mean 'cancel'?"),
        (
            "run n --gpu 2",
            "did you mean '--gpus'? See 'jupyter hybrid run --help'",
        ),
        ("logs --folow", "there is no option --folow; did you mean '--follow'?"),
        ("status a b", "what is 'b'? See 'jupyter hybrid status --help'"),
        ("autoload maybe", "invalid choice: 'maybe'"),
        ("run", "required: NOTEBOOK"),
        ("run n --time soon", "'soon' is not a duration"),
        ("run n --mem much", "'much' is not a size"),
        ("run n --cpus 0", "'0' is not a whole number from 1 up"),
        ("run n --env X", "'X' is not NAME=VALUE"),
        ("run n -p a", "write NAME VALUE or NAME=VALUE"),
        ("status -p a 1", "status takes no parameters"),
        ("run /nowhere/n.ipynb", "there is no directory /nowhere"),
        ("jobs --state BORED", "there is no state 'BORED'"),
    ],
)
def test_usage_is_refused_in_one_sentence(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert not words or captured.err.count("\n") == 1


def test_what_should_not_happen_is_one_sentence_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("jupyter_hybrid.cli._dispatch", broken)
    assert main([]) == 1
    sentence = capsys.readouterr().err
    assert "ZeroDivisionError: oops; please report it with" in sentence
    trace = Path(sentence.split()[-1])
    assert "in broken" in trace.read_text()
    trace.unlink()
    monkeypatch.setenv("JUPYTER_HYBRID_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main([])


def test_paths_take_parameters_as_papermill_does(tmp_path: Path) -> None:
    assert fill_in("out/{a:03d}-{b[0]}-{c}.ipynb", {"a": 42, "b": [1], "c": None}) == (
        "out/042-1-None.ipynb"
    )
    assert "{" not in fill_in("{pm[run_uuid]}", {})
    with pytest.raises(ParameterError, match="'x', which is not given"):
        fill_in("{x}", {})
    with pytest.raises(ParameterError, match="cannot be filled in"):
        fill_in("{x", {})
    odd = tmp_path / "{x}.ipynb"
    odd.touch()
    assert fill_in(str(odd), {}) == str(odd)


def test_the_output_is_never_the_notebook(tmp_path: Path) -> None:
    notebook = tmp_path / "n.ipynb"
    notebook.touch()
    link = tmp_path / "link.ipynb"
    link.symlink_to(notebook)
    for output in (notebook, link):
        with pytest.raises(UsageError, match="is the notebook itself"):
            check_output(str(output), notebook)
    with pytest.raises(UsageError, match="is a directory"):
        check_output(str(tmp_path), notebook)
    check_output(str(tmp_path / "new" / "out.ipynb"), notebook)


def test_terminals_get_what_they_can_show() -> None:
    fancy = Terminal(Screen(), Screen(), {"TERM": "xterm", "LANG": "de_DE.UTF-8"})
    assert "\x1b[" in fancy.paint("x", "red")
    assert not Terminal(Screen(), Screen(), {"TERM": "xterm", "NO_COLOR": "1"}).colour
    assert not Terminal(Screen(), Screen(), {"TERM": "dumb"}).err_is_terminal
    assert Terminal(io.StringIO(), io.StringIO(), {"TERM": "xterm"}).paint("x", "red") == "x"
    poor = Terminal(Screen(), Screen(), {"TERM": "xterm", "LC_ALL": "C", "LANG": "de_DE.UTF-8"})
    poor.say("✔ done → there…")
    assert isinstance(poor.err, Screen)
    assert poor.err.getvalue() == "+ done -> there...\n"


def test_tables() -> None:
    terminal = Terminal(io.StringIO(), io.StringIO(), {})
    terminal.table(("A", "B"), [("1", "x"), ("22", "")])
    assert isinstance(terminal.out, io.StringIO)
    assert terminal.out.getvalue() == "A   B\n1   x\n22\n"
