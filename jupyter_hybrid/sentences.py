"""What jobs and files are called, and what they say, made harmless for a terminal."""

from __future__ import annotations

import re

#: Escape sequences (ECMA-48): colours, which are group 1; other control sequences; strings such
#: as a window's title; short ones.
ESCAPE = re.compile(
    r"(\x1b\[[\d;:]*m)|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
)
#: Control characters but for line feeds and tabulators (those from 0x80 on begin sequences too),
#: and what turns the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

#: Docker's last words, whatever went wrong.
_ADVICE = re.compile(r"(Run|See) 'docker\b.* --help'")


def harmless(text: str) -> str:
    """The text without anything that a terminal obeys, but for the ends of its lines."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub("", ESCAPE.sub("", re.sub(r"\r\n?", "\n", text)))


def one_line(text: str) -> str:
    """The text in one line, without anything that a terminal obeys."""
    return re.sub(r"[\n\t]+", " ", harmless(text)).strip(" ")


def telling_lines(text: str) -> list[str]:
    """The lines in which a program says what went wrong: not empty, and no advice on its help."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not _ADVICE.match(line)]
