"""From the words of a command to its verb and options."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from .._version import __version__
from .options import VERBS
from .terminal import PROGRAM

#: Options that take a name and a value which may itself begin with a dash.
_PAIRS = {
    "-p": "parameters",
    "--parameters": "parameters",
    "-r": "raw",
    "--parameters-raw": "raw",
    "--parameters_raw": "raw",
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{PROGRAM}: {message}; see '{self.prog} --help'\n")
        sys.exit(2)


def parse(argv: list[str]) -> argparse.Namespace:
    """The command's options; exits with status 2 and a sentence where they are wrong."""
    argv, pairs = _take_pairs(argv)
    parser = _Parser(
        prog="jupyter hybrid",
        description="Run notebooks on the machine they need, and get everything back.",
        epilog="Jobs are named by their id, a unique part of its beginning or end, or 'last'.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, (action, text, add) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        verb.set_defaults(action=action)
        # only the verb that is used needs its options
        if name in argv:
            add(verb)
            verb.add_argument("--json", action="store_true", help="print JSON for programs")
    if not argv:
        parser.print_help(sys.stderr)
        sys.exit(2)
    arguments = parser.parse_args(argv)
    for name, given in pairs.items():
        if given and not hasattr(arguments, name):
            parser.error(f"{arguments.verb} takes no parameters")
        setattr(arguments, name, given)
    return arguments


def _take_pairs(argv: list[str]) -> tuple[list[str], dict[str, list[tuple[str, str]]]]:
    """Take ``-p NAME VALUE`` out: argparse takes values such as ``-1e3`` and ``-x`` for options."""
    rest: list[str] = []
    pairs: dict[str, list[tuple[str, str]]] = {"parameters": [], "raw": []}
    position = 0
    while position < len(argv):
        word = argv[position]
        if word in _PAIRS and position + 2 < len(argv):
            pairs[_PAIRS[word]].append((argv[position + 1], argv[position + 2]))
            position += 3
            continue
        if word == "--":
            rest += argv[position:]
            break
        rest.append(word)
        position += 1
    return rest, pairs
