"""What a magic in a cell means for names: ``%time f(x)``, ``!ls {path} $x``, ``%%bash``."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Magics whose argument or body is Python, and their options that take a value.
_PYTHON = {
    "time": "",
    "timeit": "nrp",
    "prun": "lsTD",
    "memit": "rtic",
    "mprun": "fTl",
    "lprun": "fTmus",
    "pinfo": "",
    "pinfo2": "",
    "psource": "",
    "debug": "b",
}
_SCRIPTS = frozenset({"bash", "sh", "script", "ruby", "perl", "pypy", "python", "python3", "cmd"})


@dataclass(frozen=True)
class MagicUse:
    """What one use of a magic reads, assigns and executes."""

    #: Python expressions that the line holds in braces or behind a dollar.
    expressions: tuple[str, ...] = ()
    #: Python to be analysed as part of the cell.
    code: str = ""
    #: Names the magic assigns.
    assigns: tuple[str, ...] = ()


def parse_magic(name: str, line: str, body: str | None = None) -> MagicUse:
    """What ``%name line`` means, or ``%%name line`` over a body."""
    expressions = expanded(line)
    if name in _PYTHON:
        statement = _after_options(line, _PYTHON[name])
        code = statement if body is None else f"{statement}\n{body}"
        return MagicUse((), code)
    if body is not None and name == "capture":
        words = [word for word in line.split() if not word.startswith("-")]
        return MagicUse((), body, tuple(words[:1]))
    if body is not None and name in _SCRIPTS:
        found = re.findall(r"--(?:out|err|proc)[ =]+(\w+)", line)
        return MagicUse(expressions, "", tuple(found))
    # the body of an unknown cell magic may be any language; what it reads is unknown
    return MagicUse(expressions)


def expanded(line: str) -> tuple[str, ...]:
    """The Python expressions that IPython expands in a line: ``{x + 1}`` and ``$x.name``."""
    braces = re.findall(r"(?<!\{)\{([^{}]+)\}(?!\})", line)
    dollars = re.findall(r"(?<!\$)\$([A-Za-z_][\w.]*)", line)
    return tuple(text.split("!r")[0].strip() for text in braces + dollars)


def _after_options(line: str, with_value: str) -> str:
    """The line without the options in front: ``-n 10 -r3 f(x)`` is ``f(x)``."""
    rest = line.strip()
    while match := re.match(r"(--?[A-Za-z][\w-]*)(=\S+)?\s*", rest):
        option = match[1]
        rest = rest[match.end() :]
        takes = option[1:] in with_value if len(option) == 2 else False
        if takes and not match[2]:
            rest = re.sub(r"^\S+\s*", "", rest)
    return rest
