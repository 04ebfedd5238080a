"""The options of ``%%remote`` and ``%remote``, as people type them."""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import UsageError
from ..spec import Resources
from ..units import parse_duration, parse_size
from .options import CellOptions

_NO_NUMBER = r"\1 \2: write a whole number"


class Parser(argparse.ArgumentParser):
    """Refuses with one sentence instead of ending the process."""

    def __init__(self, magic: str, **settings: Any) -> None:
        super().__init__(prog=magic, add_help=False, allow_abbrev=False, **settings)

    def format_usage(self) -> str:
        """The magic and what it takes, in one line."""
        optional = any(action.option_strings for action in self._actions)
        words = [_word(action) for action in self._actions if not action.option_strings]
        return " ".join([self.prog, *words, *(["[OPTIONS]"] if optional else [])])

    def error(self, message: str) -> NoReturn:
        """Raise ``UsageError``, naming the option that was perhaps meant."""
        hint, end = "", "."
        message = re.sub(r"argument (\S+): invalid int value: '(.*)'", _NO_NUMBER, message)
        if message.startswith("unrecognized arguments: "):
            word = message.split(": ", 1)[1].split(maxsplit=1)[0]
            message = f"there is no option {word}" if word.startswith("-") else f"what is {word!r}"
            end = "." if word.startswith("-") else "?"
            known = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(word.split("=")[0], known, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"{self.prog}: {message}{end}{hint} See %remote help.")

    def parse_line(self, line: str) -> argparse.Namespace:
        """Parse the line; raises ``UsageError``."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"{self.prog} {line}: {str(error).lower()}") from None
        return self.parse_words(words)

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of the line; raises ``UsageError``."""
        return self.parse_args(words)


def add_resources(parser: Parser) -> None:
    """Options for hardware, time and image."""
    parser.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs per node")
    parser.add_argument("--gpu-type", metavar="MODEL", help="model of GPU, as the target names it")
    parser.add_argument("--cpus", type=int, metavar="N", help="cores per node")
    parser.add_argument("--mem", type=parse_size, metavar="SIZE", help="memory per node: 512M, 4G")
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="number of nodes")
    text = "processes on each node, each of which runs the notebook (MPI, torchrun)"
    parser.add_argument("--ntasks-per-node", type=int, default=1, metavar="N", help=text)
    text = "wall time, after which the job is ended: 90, 30s, 2h, 1:30:00"
    parser.add_argument("--time", type=parse_duration, metavar="TIME", help=text)
    parser.add_argument("--image", metavar="IMAGE", help="container image")
    parser.add_argument("--kernel", metavar="NAME", help="kernel to use instead of the usual one")
    parser.add_argument("--name", metavar="NAME", help="what the job is called")
    parser.add_argument(
        "--files", nargs="+", action="extend", default=[], metavar="GLOB", help="files to send too"
    )
    parser.add_argument("--detach", action="store_true", help="do not wait for the job")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and stop")


def resources(options: argparse.Namespace) -> Resources:
    """The hardware and time asked for; raises ``UsageError``."""
    for name, least in (("gpus", 0), ("cpus", 1), ("nodes", 1), ("ntasks_per_node", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UsageError(f"--{name.replace('_', '-')} {value}: at least {least} is needed")
    return Resources(
        gpus=options.gpus,
        gpu_type=options.gpu_type,
        cpus=options.cpus,
        mem=options.mem,
        nodes=options.nodes,
        ntasks_per_node=options.ntasks_per_node,
        time=options.time,
    )


def cell_parser() -> Parser:
    """The options of ``%%remote``."""
    parser = Parser("%%remote", description="Run this cell as a job on a target.")
    text = "where it runs; %%remote targets lists the names"
    parser.add_argument("target", metavar="TARGET", nargs="?", help=text)
    add_resources(parser)
    parser.add_argument(
        "-i",
        dest="send",
        action="append",
        default=[],
        metavar="NAMES",
        help="send these variables as well: x,y",
    )
    parser.add_argument(
        "-o",
        dest="returns",
        action="append",
        metavar="NAMES",
        help="bring back these variables only: x,y",
    )
    parser.add_argument(
        "--replay", action="store_true", help="execute the cells above there, send no values"
    )
    parser.add_argument("--help", action="store_true", help="show this")
    return parser


def cell_options(options: argparse.Namespace) -> CellOptions:
    """The parsed line as what a cell asks for; raises ``UsageError``."""
    returns = options.returns
    return CellOptions(
        target=options.target,
        resources=resources(options),
        image=options.image,
        kernel=options.kernel,
        send=_names("-i", options.send),
        returns=None if returns is None else _names("-o", returns),
        files=tuple(options.files),
        replay=options.replay,
        name=options.name,
    )


def _names(option: str, texts: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for text in texts for name in text.split(",") if name.strip()]
    for name in names:
        if not name.isidentifier():
            raise UsageError(f"{option} {name}: write names of variables: {option} x,y")
    # as Python reads them: ﬁt is fit
    return tuple(dict.fromkeys(unicodedata.normalize("NFKC", name) for name in names))


def help_text(parser: Parser) -> str:
    """The options, one a line."""
    text = parser.format_help().partition("\n\n")[2]
    return f"{parser.format_usage()}\n\n{text}"


def _word(action: argparse.Action) -> str:
    word = str(action.metavar or action.dest)
    return f"[{word}]" if action.nargs == "?" else word
