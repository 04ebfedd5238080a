"""The options of each verb, and the words they are explained with."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..errors import UsageError
from ..units import parse_duration, parse_size

_JOB = "id, its beginning or its end, or last"


def _checked(parse_text: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return parse_text(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error

    return convert


def _count(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} up")
        return int(text)

    return convert


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("parameters (as papermill takes them)")
    pair: dict[str, Any] = {"nargs": 2, "action": "append", "metavar": ("NAME", "VALUE")}
    text = 'set a parameter; 2, 0.5, true, null, [1, 2], {…} and "2" keep their types'
    group.add_argument("-p", "--parameters", dest="parameters", default=[], help=text, **pair)
    text = "set a parameter to the text as it stands"
    group.add_argument("-r", "--parameters-raw", dest="raw", default=[], help=text, **pair)
    many: dict[str, Any] = {"action": "append", "default": []}
    text = "parameters as YAML or JSON"
    group.add_argument("-y", "--parameters-yaml", dest="yaml", metavar="YAML", help=text, **many)
    text = "file with parameters as YAML or JSON"
    group.add_argument(
        "-f", "--parameters-file", dest="files_of", metavar="FILE", help=text, **many
    )
    text = "YAML in base 64"
    group.add_argument("-b", "--parameters-base64", dest="base64", metavar="B64", help=text, **many)


def _add_resources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where it runs")
    text = "where; 'jupyter hybrid targets' lists the names"
    group.add_argument("--target", "-t", metavar="NAME", help=text)
    group.add_argument("--gpus", type=_count(0), default=0, metavar="N", help="GPUs per node")
    group.add_argument("--gpu-type", metavar="MODEL", help="model of GPU, as the target names it")
    group.add_argument("--cpus", type=_count(1), metavar="N", help="cores per node")
    group.add_argument(
        "--mem", type=_checked(parse_size), metavar="SIZE", help="memory per node: 512M, 4G"
    )
    group.add_argument("--nodes", type=_count(1), default=1, metavar="N", help="number of nodes")
    text = "processes on each node, each of which runs the notebook (MPI, torchrun)"
    group.add_argument("--ntasks-per-node", type=_count(1), default=1, metavar="N", help=text)
    text = "wall time, after which the job is ended: 90, 30s, 2h, 1:30:00"
    group.add_argument("--time", type=_checked(parse_duration), metavar="TIME", help=text)
    group.add_argument("--image", metavar="IMAGE", help="container image")


def _add_results(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("results")
    text = "file for the executed notebook (default: NAME.JOB.ipynb beside the notebook)"
    group.add_argument("--output", "-o", metavar="OUT.ipynb", help=text)
    text = "also render it with nbconvert: html, pdf, markdown, script, …"
    group.add_argument("--to", action="append", default=[], metavar="FORMAT", help=text)
    group.add_argument(
        "--no-input", action="store_true", help="leave the code out of what --to makes"
    )


def _add_following(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", "-q", action="store_true", help="do not show what cells print")


def _run(parser: argparse.ArgumentParser) -> None:
    text = "the notebook; - for standard input. Several are a job each, submitted at once"
    parser.add_argument("notebooks", metavar="NOTEBOOK", nargs="+", help=text)
    _add_parameters(parser)
    text = "a job for each value: 1,2,5 or [1, 2, 5]; with several of these, for each combination"
    sweep: dict[str, Any] = {"action": "append", "default": [], "type": _variable}
    parser.add_argument("--sweep", metavar="NAME=VALUES", help=text, **sweep)
    parser.add_argument(
        "--unchecked", action="store_true", help="set parameters without checking names and types"
    )
    parser.add_argument(
        "--help-notebook", action="store_true", help="list the notebook's parameters and stop"
    )
    _add_resources(parser)
    group = parser.add_argument_group("the job")
    group.add_argument(
        "--name", metavar="NAME", help="what to call the job (default: the notebook's name)"
    )
    text = "kernel to use instead of the notebook's own"
    group.add_argument("--kernel", "-k", metavar="NAME", help=text)
    group.add_argument(
        "--cwd", metavar="DIR", help="where it runs (default: the notebook's folder)"
    )
    group.add_argument(
        "--files", action="append", default=[], metavar="GLOB", help="more files to send"
    )
    group.add_argument(
        "--env", action="append", default=[], type=_variable, metavar="NAME=VALUE",
        help="environment variable of the kernel; no secrets",
    )  # fmt: skip
    group.add_argument("--dry-run", action="store_true", help="list what would be sent and stop")
    group.add_argument("--detach", "-d", action="store_true", help="do not wait for the end")
    _add_results(parser)
    _add_following(parser)


def _jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", "-a", action="store_true", help="all jobs, not just those that run and the last 20"
    )
    parser.add_argument(
        "--state", action="append", default=[], metavar="STATE", help="only jobs in this state"
    )


def _job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "job", metavar="JOB", nargs="?", default="last", help=f"{_JOB} (the default)"
    )


def _named_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("jobs", metavar="JOB", nargs="+", help=_JOB)


def _logs(parser: argparse.ArgumentParser) -> None:
    _job(parser)
    parser.add_argument("--follow", "-f", action="store_true", help="go on until the job has ended")
    parser.add_argument("--runner", action="store_true", help="what the runner itself wrote")
    text = "what this process of a job of several printed (default: 0)"
    parser.add_argument("--rank", type=_count(0), default=0, metavar="N", help=text)


def _attach(parser: argparse.ArgumentParser) -> None:
    _job(parser)
    _add_results(parser)
    _add_following(parser)


def _cancel(parser: argparse.ArgumentParser) -> None:
    _named_jobs(parser)
    parser.add_argument("--force", action="store_true", help="at once, without saving anything")


def _fetch(parser: argparse.ArgumentParser) -> None:
    _job(parser)
    _add_results(parser)
    parser.add_argument(
        "--into", metavar="DIR", help="directory for files (default: where it ran from)"
    )


def _rerun(parser: argparse.ArgumentParser) -> None:
    _job(parser)
    _add_parameters(parser)
    parser.add_argument("--unchecked", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--detach", "-d", action="store_true", help="do not wait for the end")
    _add_results(parser)
    _add_following(parser)


def _offers(parser: argparse.ArgumentParser) -> None:
    _add_resources(parser)


def _autoload(parser: argparse.ArgumentParser) -> None:
    text = "without it, say what is switched"
    parser.add_argument("switch", metavar="on|off", nargs="?", choices=("on", "off"), help=text)
    text = "for your own kernels (default: for all of this environment)"
    parser.add_argument("--user", action="store_true", help=text)


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


def _image(parser: argparse.ArgumentParser) -> None:
    text = (
        "list [WORD …], tags IMAGE, show IMAGE, push BASE TARGET FOLDER [INSIDE], "
        "build RECIPE TARGET, convert IMAGE FILE.sif, rm IMAGE, or prune"
    )
    verbs = ("list", "tags", "show", "push", "build", "convert", "rm", "prune")
    parser.add_argument("what", choices=verbs, help=text)
    parser.add_argument("words", nargs="*", metavar="…", help="what that wants")
    text = "prune: what lies at this target (default: on this machine)"
    parser.add_argument("--target", "-t", metavar="NAME", help=text)


_Verb = tuple[str, str, Callable[[argparse.ArgumentParser], None]]

#: By name: what carries it out, what it does, and its options.
VERBS: dict[str, _Verb] = {
    "run": ("run:run", "run notebooks as jobs", _run),
    "jobs": ("jobs:jobs", "list jobs", _jobs),
    "status": ("jobs:status", "say where a job stands", _job),
    "logs": ("logs:logs", "print what a job's cells printed", _logs),
    "attach": ("run:attach", "show a job from its beginning and live until it ends", _attach),
    "cancel": ("jobs:cancel", "end jobs, keeping what they have done", _cancel),
    "fetch": ("jobs:fetch", "bring an ended job's notebook and files here", _fetch),
    "rerun": ("run:rerun", "run a job again, with its files of then", _rerun),
    "delete": ("jobs:delete", "forget ended jobs and remove what is kept of them", _named_jobs),
    "targets": ("places:targets", "list the places where jobs can run", _nothing),
    "offers": ("places:offers", "list the hardware that targets can give now", _offers),
    "image": ("images:image", "look images up, and make them", _image),
    "autoload": ("autoload:autoload", "load the magics in every kernel", _autoload),
    "doctor": ("places:doctor", "check this installation and say what to mend", _nothing),
}
