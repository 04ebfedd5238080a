"""The sentences of the source: texts of two words or more, ``{}`` for each value in them.

    python tests/tools/said.py          what has no Japanese form, and forms of what is not said

A choice within a sentence (``{'a' if … else 'b'}``) makes two of it. Texts for programs are left
out where they are seen to be: what is logged, patterns of ``re``, statements for databases; others
stand, with the reason, in ``said_in_english.json``.
"""

from __future__ import annotations

import ast
import errno
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from jupyter_hybrid.server.wording import LANGUAGES
from jupyter_hybrid.server.wording.catalogue import read_catalogue
from jupyter_hybrid.server.wording.templates import Template

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "jupyter_hybrid"
#: What need not be said in other languages, by reason: folders and files, and single texts.
EXCEPTIONS = Path(__file__).with_name("said_in_english.json")
#: Receivers and functions whose texts nobody reads in a sentence.
_LOGS = ("log", "logger", "logging")
_PATTERNS = ("compile", "match", "search", "fullmatch", "sub", "split", "findall", "finditer")
_DATABASE = ("execute", "executescript", "executemany", "add_argument", "add_parser")
#: A place in a text that is filled by ``str.format``.
_NAMED = re.compile(r"\{\w*(?:![rs])?(?::[^{}]*)?\}")
_LETTERS = re.compile(r"[A-Za-z]{2,}")


def texts(node: ast.expr) -> list[str]:
    """What a text in the source can be, ``{}`` for each value; empty for what is no text."""
    if isinstance(node, ast.Constant):
        return [_NAMED.sub("{}", node.value)] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(parts) for parts in itertools.product(*map(_parts, node.values))]
    return []


def _parts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and not node.format_spec:
        return [text for branch in _branches(node.value) for text in texts(branch) or ["{}"]]
    return ["{}"]


def _branches(node: ast.expr) -> list[ast.expr]:
    """What a choice, or the other words for an empty value, are made between."""
    if isinstance(node, ast.IfExp):
        return [node.body, node.orelse]
    return node.values if isinstance(node, ast.BoolOp) else [node]


def said(source: str) -> Iterator[tuple[int, str]]:
    """Lines and texts of a source file."""
    yield from _said(ast.parse(source))


def _said(node: ast.AST) -> Iterator[tuple[int, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            # a docstring; the first line of an error's is what it says by default
            if isinstance(node, ast.ClassDef) and node.name in _ERRORS:
                yield child.lineno, str(child.value.value).strip().splitlines()[0]
        elif not _for_programs(child):
            found = texts(child) if isinstance(child, ast.expr) else []
            yield from ((child.lineno, text) for text in found)  # type: ignore[attr-defined]
            yield from _said(child) if not isinstance(child, ast.JoinedStr) else _inside(child)


def _inside(text: ast.JoinedStr) -> Iterator[tuple[int, str]]:
    """Texts within the values of a text."""
    for value in text.values:
        if isinstance(value, ast.FormattedValue):
            yield from _said(value)


def _for_programs(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    receiver = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    name = node.func.attr
    return receiver in _LOGS or (receiver == "re" and name in _PATTERNS) or name in _DATABASE


@cache
def of_package() -> dict[str, dict[str, int]]:
    """All texts, with their lines, by the file's path in the package."""
    return {
        path.relative_to(PACKAGE).as_posix(): {
            text: line for line, text in said(path.read_text("utf-8"))
        }
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def exceptions() -> dict[str, dict[str, list[str]]]:
    """Files and texts that stay in English, by reason."""
    read: dict[str, dict[str, list[str]]] = json.loads(EXCEPTIONS.read_text("utf-8"))
    return read


def wanted() -> dict[str, dict[str, int]]:
    """Sentences that people meet in the interface, by file."""
    stay = exceptions()
    files = tuple(path for paths in stay["files"].values() for path in paths)
    alone = {text for some in stay["texts"].values() for text in some}
    found = {}
    for path, lines in of_package().items():
        if not path.startswith(files):
            found[path] = {t: n for t, n in lines.items() if t not in alone and _sentence(t)}
    return {path: lines for path, lines in found.items() if lines}


def _sentence(text: str) -> bool:
    return len(_LETTERS.findall(text.replace("{}", " "))) >= 2 and " " in text.strip()


_ERRORS = {
    node.name
    for node in ast.parse((PACKAGE / "errors.py").read_text("utf-8")).body
    if isinstance(node, ast.ClassDef)
}


def missing(known: Mapping[str, str]) -> list[str]:
    """Sentences that a catalogue does not know, each with its place."""
    templates = [Template(text, said) for text, said in known.items()]
    return [
        f"jupyter_hybrid/{path}:{line}: {text!r}"
        for path, lines in wanted().items()
        for text, line in lines.items()
        if text not in known and not any(_covers(t, text, known) for t in templates)
    ]


def _covers(template: Template, text: str, known: Mapping[str, str]) -> bool:
    """Whether the text is the template's, with a word that is known for one of its values."""
    values = template.match(text) if "{}" in template.text and template.usable else None
    return values is not None and all(v in known or not re.search("[a-z]", v) for v in values)


def unheard(known: Mapping[str, str]) -> list[str]:
    """Keys of a catalogue that the source does not say.

    A key may be more than the source has: words for one of the values, which it knows. What the
    operating system says of a file or a connection is a key as well.
    """
    source = {text for lines in of_package().values() for text in lines}
    source |= {os.strerror(number) for number in errno.errorcode}
    templates = [Template(text, "") for text in source if "{}" in text]

    def heard(key: str, template: Template) -> bool:
        values = template.match(key) if template.weight >= 2 else None
        if values is None:
            return False
        # most of it is the template's, or the rest is said elsewhere
        mostly = 3 * template.weight >= Template(key, "").weight
        return mostly or all(value == "{}" or value in source for value in values)

    def within(key: str, text: str) -> bool:
        return text in key and 3 * Template(text, "").weight >= 2 * Template(key, "").weight

    return [
        key for key in known
        if key not in source
        and not any(heard(key, template) for template in templates)
        and not any(within(key, text) for text in source)
    ]  # fmt: skip


def main() -> int:
    """Print what is wrong with the catalogues; 0 where nothing is."""
    lacks = [f"no Japanese form: {line}" for line in missing(read_catalogue("ja-JP"))]
    for language in LANGUAGES:
        gone = unheard(read_catalogue(language))
        lacks += [f"{language} has a form of what is not said any more: {key!r}" for key in gone]
    if lacks:
        print(*lacks, sep="\n")
        print("(CONTRIBUTING, Rooms, says what to do)")
    return 1 if lacks else 0


if __name__ == "__main__":
    sys.exit(main())
