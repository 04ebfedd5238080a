"""From the words of a command to its verb and options."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

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
#: What other programs call our verbs.
_ELSEWHERE = {
    **dict.fromkeys(("ls", "list", "ps", "queue", "history"), "jobs"),
    **dict.fromkeys(("kill", "stop", "abort"), "cancel"),
    **dict.fromkeys(("rm", "remove", "prune", "clean"), "delete"),
    **dict.fromkeys(("submit", "execute", "start"), "run"),
    **dict.fromkeys(("log", "tail", "output"), "logs"),
    **dict.fromkeys(("get", "download", "result", "results"), "fetch"),
    **dict.fromkeys(("check", "info"), "doctor"),
    **dict.fromkeys(("show", "watch", "follow"), "attach"),
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def complain_of(self, words: list[str]) -> NoReturn:
        """Exit for words that nothing can be made of."""
        known = [option for action in self._actions for option in action.option_strings]
        for word in words:
            if word.startswith("-"):
                self.error(f"there is no option {word}{_guess(word.partition('=')[0], known)}")
        self.error(f"what is {words[0]!r}?")

    def error(self, message: str) -> NoReturn:
        message = message.replace("expected 2 arguments", "write NAME VALUE or NAME=VALUE")
        see = " See" if message.endswith("?") else "; see"
        sys.stderr.write(f"{PROGRAM}: {message}{see} '{self.prog} --help'\n")
        sys.exit(2)


def parse(argv: list[str]) -> argparse.Namespace:
    """The command's options; exits with status 2 and a sentence where they are wrong."""
    argv, pairs = _take_pairs(argv)
    parser = _verbs(argv)
    if not argv:
        parser.print_help(sys.stderr)
        sys.exit(2)
    if argv[0] == "help":
        argv = [*argv[1:2], "--help"]
    if argv[0] not in VERBS and not argv[0].startswith("-"):
        meant = _ELSEWHERE.get(argv[0])
        guess = f"; did you mean {meant!r}?" if meant else _guess(argv[0], VERBS)
        parser.error(f"there is no verb {argv[0]!r}{guess or '; there are: ' + ', '.join(VERBS)}")
    arguments, rest = parser.parse_known_args(argv)
    own: _Parser = arguments.parser
    if rest:
        own.complain_of(rest)
    for name, given in pairs.items():
        if given and not hasattr(arguments, name):
            own.error(f"{arguments.verb} takes no parameters")
        setattr(arguments, name, given)
    return arguments


def _verbs(argv: list[str]) -> _Parser:
    parser = _Parser(
        prog="jupyter hybrid",
        description="Run notebooks on the machine they need, and get everything back.",
        epilog="JOB is an id, its beginning or its end, or last. "
        "'jupyter hybrid VERB --help' has the options of a verb.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for name, (action, text, add) in VERBS.items():
        verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        verb.set_defaults(action=action, parser=verb)
        # only the verb that is used needs its options
        if name in argv:
            add(verb)
            verb.add_argument("--json", action="store_true", help="print JSON for programs")
    return parser


def _guess(word: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _take_pairs(argv: list[str]) -> tuple[list[str], dict[str, list[tuple[str, str]]]]:
    """Take ``-p NAME VALUE`` out: argparse takes values such as ``-1e3`` and ``-x`` for options.

    ``-p NAME=VALUE``, which papermill does not know, is what people write from habit.
    """
    rest: list[str] = []
    pairs: dict[str, list[tuple[str, str]]] = {"parameters": [], "raw": []}
    position = 0
    while position < len(argv):
        word = argv[position]
        name, equals, value = (*argv[position + 1 :], "")[0].partition("=")
        if word in _PAIRS and equals and name.isidentifier():
            pairs[_PAIRS[word]].append((name, value))
            position += 2
            continue
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
