"""The README is true: its five minutes are executed and compared, its tables are complete."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from live_kernel import Live, Result, live_kernel
from tree import ROOT

from jupyter_hybrid.cells.line import cell_parser
from jupyter_hybrid.cli.options import VERBS as COMMANDS
from jupyter_hybrid.config import Hybrid, load_config
from jupyter_hybrid.job import State
from jupyter_hybrid.magics.verbs import VERBS

README = (ROOT / "README.md").read_text(encoding="utf-8")

#: What differs from one execution to the next, and what it is compared as, on both sides.
VARIES = (
    (r"\b01[0-9a-hjkmnp-tv-z]{24}\b", "ID"),
    (r"\b[0-9a-hjkmnp-tv-z]{8}\b", "SHORT"),
    (r"\b\d+(\.\d+)? (s|ms|min)\b", "TIME"),
    (r"\b\d+(\.\d+)? k?B\b", "SIZE"),
    (r"\bprocess \d+", "process N"),
    (r"\bIn\[\d+\]", "In[N]"),
    (r"\bcell-\d+", "cell-N"),
    # said of cells that took long enough
    (r"^\[\d/\d\] ok after TIME\n", ""),
    # how far a job has come after some seconds
    (r"^round ([4-9]|\d\d).*\n", ""),
    (r"[ \t]+", " "),
    (r" $", ""),
)


def five_minutes() -> list[tuple[str, str]]:
    """The blocks of the section: their language and text."""
    section = README.partition("\n## Five minutes\n")[2].partition("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def comparable(text: str) -> str:
    text = text.strip("\n") + "\n"
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text, flags=re.MULTILINE)
    return text


def shown(result: Result) -> str:
    """What a reader sees below a cell."""
    parts = []
    for kind, content in result.messages:
        if kind == "stream":
            parts.append(content["text"])
        elif "data" in content:
            parts.append(content["data"]["text/plain"] + "\n")
    return "".join(parts) + result.error


def commands(block: str) -> list[tuple[str, str]]:
    """Each command with the output that stands below it."""
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    assert found, block
    return found


def execute(command: str, directory: Path) -> str:
    """What a command says on a terminal, standard output and error as they come."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def follow(live: Live, directory: Path) -> list[str]:
    """Do as the section says, from its top to its bottom; returns what differs from it."""
    differences = []
    said: str | None = None
    for language, text in five_minutes():
        if language == "python":
            said = shown(live.run(text, ok=False))
        elif language == "text":
            assert said is not None, f"no cell stands before {text}"
            differences += compare(text, said)
        else:
            for command, expected in commands(text):
                differences += compare(expected, execute(command, directory))
    return differences


def compare(expected: str, said: str) -> list[str]:
    if comparable(expected) == comparable(said):
        return []
    return [f"the README says\n{expected}\nand here it is\n{said}"]


@pytest.mark.timeout(300)
def test_five_minutes_show_what_stands_there(tmp_path: Path) -> None:
    assert len(five_minutes()) > 15
    shutil.copy(ROOT / "binder" / "pi.ipynb", tmp_path)
    with live_kernel(tmp_path) as live:
        differences = follow(live, tmp_path)
    assert not differences, "\n\n".join(differences)


# -- the tables


def table_below(title: str, first: str) -> list[list[str]]:
    """The rows of the table whose header begins with ``first``, below the title."""
    text = README.partition(f"\n{title}\n")[2]
    rows = text.partition(f"\n| {first} |")[2].partition("\n\n")[0].split("\n")[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def options_in(text: str) -> set[str]:
    """The options that stand in code spans."""
    return {word for span in re.findall(r"`([^`]+)`", text) for word in re.findall(OPTION, span)}


OPTION = r"(?<![\w-])--?[a-z][\w-]*"


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """The options that a parser shows to its user."""
    shown = [a for a in parser._actions if a.help != argparse.SUPPRESS and a.dest != "help"]
    return {option for action in shown for option in action.option_strings}


DOORS = ("%%remote", "%remote", "jupyter hybrid")
#: By door and option, the verbs that take it; the cell magic has none.
Takes = dict[str, dict[str, set[str]]]


def taken() -> Takes:
    """What the parsers take."""
    found: Takes = {door: {} for door in DOORS}
    parsers = [("%%remote", "", cell_parser())]
    parsers += [("%remote", verb, make()) for verb, (make, _, _) in VERBS.items()]
    for verb, (_, _, add) in COMMANDS.items():
        add(parser := argparse.ArgumentParser())
        parsers.append(("jupyter hybrid", verb, parser))
    for door, verb, parser in parsers:
        for option in options_of(parser):
            found[door].setdefault(option, set()).add(verb)
    return found


def test_one_table_has_every_option_and_who_takes_it() -> None:
    named: Takes = {door: {} for door in DOORS}
    for first, *cells, meaning in table_below("## Options", "verb or option"):
        assert meaning, first
        if first.startswith("`-") and not first.startswith("`--json"):
            for door, cell in zip(DOORS, cells, strict=True):
                verbs, _, others = cell.replace("✓", "").partition("; ")
                for option in options_in(first) | options_in(others) if cell else ():
                    named[door].setdefault(option, set()).update(verbs.split(", "))
    assert named == taken()


def test_one_table_has_every_verb() -> None:
    rows = table_below("## Options", "verb or option")
    verbs = {r[0].strip("`").split()[0]: r[1:4] for r in rows if re.match("`[a-z]", r[0])}
    assert {verb for verb, row in verbs.items() if row[1]} == set(VERBS)
    assert {verb for verb, row in verbs.items() if row[2]} == {*COMMANDS, "help"}


def test_the_configuration_shown_can_be_read(tmp_path: Path) -> None:
    section = README.partition("\n## Configuration\n")[2].partition("\n## ")[0]
    (text,) = re.findall(r"^```python\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    (tmp_path / "jupyter_hybrid_config.py").write_text(text, encoding="utf-8")
    config = load_config([str(tmp_path)])
    assert set(config.target_options()) == {"local", "lab"}
    assert config.target("lab").options == {"python": "/opt/lab/bin/python", "price": 0.5}


def test_readme_has_every_setting_and_state() -> None:
    rows = table_below("## Configuration", "setting")
    assert {row[0].strip("`") for row in rows} == {setting.name for setting in fields(Hybrid)}
    rows = table_below("## When something goes wrong", "state")
    assert [row[0].strip("`") for row in rows] == [state.value for state in State]
