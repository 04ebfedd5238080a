"""What a page can hold of a job's outputs: the beginning and the end, and how much lies between.

A page that draws a hundred megabytes stands still for as long. What is shortened here is what is
shown; the job's log, its notebook and its results stay whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import api
from ..units import format_size

Output = dict[str, Any]

#: An output of this type says what is left out: job, characters and outputs. Where it stands for
#: one long text, that one's head and tail as well.
LEFT_OUT = "application/vnd.jupyter-hybrid.left-out+json"
#: Outputs that are shown of a cell, however short they are.
MANY = 200
#: Marks in HTML and SVG with which a page is quick; and characters, where they are few.
MARKS, LONG = 20_000, 8_000_000
#: Characters of an output that is more than the name of what it shows.
TEXT = 1000
#: Characters before a cut in which colours are looked for.
COLOURED = 1 << 16

_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
#: An escape sequence that has begun and not ended.
_BEGUN = re.compile(r"\x1b(\[[0-9;?]*)?\Z")
_DRAWN = ("text/html", "image/svg+xml")


def shortened_notebook(notebook: Mapping[str, Any], most: int, job: str) -> dict[str, Any]:
    """The notebook, each of its cells with about so many characters of outputs at most."""
    cells = [
        {**cell, "outputs": shortened(cell["outputs"], most, job)} if "outputs" in cell else cell
        for cell in notebook["cells"]
    ]
    return {**notebook, "cells": cells}


def shortened(outputs: Iterable[Output], most: int, job: str) -> list[Output]:
    """Outputs of one cell, with about so many characters of text at most; 0 leaves out all.

    Half of that is their beginning, half their end. An output that reaches beyond stays whole.
    """
    if most == 0:
        return []
    parts = [part for output in outputs for part in _parts(_single(output, most, job), most)]
    if all(part.output for part in parts) and sum(part.cost(most) for part in parts) <= most:
        return [part.output for part in parts if part.output]
    head = _fitting(parts, most)
    tail = _fitting(parts[: head - 1 if head else None : -1], most)
    gone = parts[head : len(parts) - tail]
    shown = [part.output or {} for part in (*parts[:head], *parts[len(parts) - tail :])]
    if gone:
        whole = sum(1 for part in gone if part.output)
        shown.insert(head, left_out(job, sum(part.length for part in gone), whole))
    return shown


def left_out(job: str, characters: int, outputs: int, **ends: str) -> Output:
    """An output that says what stands between others, or between its own head and tail."""
    said = {"job": job, "characters": characters, "outputs": outputs, **ends}
    text = f"… {format_size(characters)} more: the log and the notebook of job {job} have all …"
    # pictures, of which the log has the names
    if characters <= TEXT * outputs:
        text = f"… {outputs} more outputs: the notebook of job {job} has all …"
    plain = "\n".join(filter(None, (ends.get("head"), text, ends.get("tail"))))
    data = {LEFT_OUT: said, "text/plain": plain}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def shortened_data(data: Mapping[str, Any], most: int, job: str) -> Mapping[str, Any]:
    """What an output shows, in each of its forms, without the forms that are too long.

    Where no other form is left, its text with its head and tail.
    """
    texts = {mime: text for mime, text in data.items() if isinstance(text, str)}
    long = [mime for mime, text in texts.items() if _is_long(mime, text, most)]
    if not long:
        return data
    rest = {mime: value for mime, value in data.items() if mime not in long}
    plain = texts.get("text/plain", "")
    head, between, tail = ends(plain, most // 2)
    if rest.keys() - {"text/plain"}:
        return {**rest, "text/plain": head} if plain else rest
    characters = between or max(len(texts[mime]) for mime in long)
    shown: Mapping[str, Any] = left_out(job, characters, 0, head=head, tail=tail)["data"]
    return shown


def ends(text: str, half: int) -> tuple[str, int, str]:
    """The text's beginning and end, and the number of characters between them.

    Whole lines, where lines are not that long, and in their colours.
    """
    if len(text) <= 2 * half:
        return text, 0, ""
    first = text.rfind("\n", half // 2, half) + 1 or half - len(_cut(text, half))
    last = len(text) - half
    line = text.find("\n", last - 1, last + half // 2) + 1
    if line:
        last = line
    elif begun := _cut(text, last):
        found = re.compile("[A-Za-z]").search(text, last)
        last = found.end() if found and found.end() - last < len(begun) + 20 else last
    return text[:first], last - first, _colours(text, last) + text[last:]


def _cut(text: str, at: int) -> str:
    """The part of an escape sequence that a cut there would leave."""
    found = _BEGUN.search(text, max(0, at - 20), at)
    return found[0] if found else ""


def _colours(text: str, at: int) -> str:
    """The sequences by which the text has its colours there."""
    active: list[str] = []
    for found in _COLOUR.finditer(text, max(0, at - COLOURED), at):
        if found[1].split(";")[0] in ("", "0", "00"):
            active = []
        if found[1].strip("0;"):
            active.append(found[0])
    return "".join(active[-10:])


@dataclass(frozen=True)
class _Part:
    """An output, the beginning or the end of one; without an output what lies between those."""

    output: Output | None
    length: int

    def cost(self, most: int) -> int:
        return self.length + most // MANY


def _parts(output: Output, most: int) -> list[_Part]:
    if output.get("output_type") != "stream":
        return [_Part(output, _length(output))]
    text = output["text"]
    head, between, tail = ends(text, most // 2)
    if not between:
        return [_Part(output, len(text))]
    begin, end = ({**output, "text": part} for part in (head, tail))
    return [_Part(begin, len(head)), _Part(None, between), _Part(end, len(tail))]


def _fitting(parts: Sequence[_Part], most: int) -> int:
    """How many of them, from the first on, are shown."""
    left = most // 2
    for number, part in enumerate(parts):
        if left <= 0 or part.output is None:
            return number
        left -= part.cost(most)
    return len(parts)


def _single(output: Output, most: int, job: str) -> Output:
    """The output, by itself no longer than all may be; a stream stays whole."""
    output = api.joined(dict(output))
    kind = output.get("output_type")
    if kind == "stream":
        return {**output, "text": str(output.get("text", ""))}
    if kind == "error":
        return _error(output, most)
    data = output.get("data")
    return {**output, "data": shortened_data(data, most, job)} if isinstance(data, dict) else output


def _error(output: Output, most: int) -> Output:
    if _length(output) + len(str(output.get("evalue"))) <= most:
        return output
    lines = output.get("traceback")
    text = "\n".join(map(str, lines)) if isinstance(lines, list) else str(lines)
    head, between, tail = ends(text, most // 2)
    said = [f"… {format_size(between)} …"] if between else []
    evalue = str(output.get("evalue"))
    traceback = [part for part in (head, *said, tail) if part]
    return {**output, "evalue": evalue[:1000], "traceback": traceback}


def _length(output: Output) -> int:
    """Characters of text in it, other than a stream's."""
    if output.get("output_type") == "error":
        lines = output.get("traceback")
        return sum(len(str(line)) for line in lines) if isinstance(lines, list) else 0
    data = output.get("data")
    texts = data.items() if isinstance(data, Mapping) else ()
    return sum(len(t) for mime, t in texts if isinstance(t, str) and mime.startswith("text/"))


def _is_long(mime: str, text: str, most: int) -> bool:
    if mime in _DRAWN:
        return len(text) > LONG or (len(text) > most and text.count("<") > MARKS)
    return mime.startswith("text/") and len(text) > most
