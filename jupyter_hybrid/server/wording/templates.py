"""One sentence as the source writes it, ``{}`` for each value, and how it is said elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

#: A place of a translation: the value's number, and whether the value stays as it is.
_PLACE = re.compile(r"( ?)\{(\d)(!s)?\}( ?)")
#: Letters of scripts that are written without blanks between words.
_CLOSE = re.compile("[\u3001-\u30ff\u4e00-\u9fff]")
#: Letters in a row that stand alone: between characters that are none, or at the template's end.
_ALONE = re.compile(r"(?<![A-Za-z{}])[A-Za-z]+(?![A-Za-z{}])")
WORD = re.compile(r"[A-Za-z]+")
#: Letters that a template with values must have, to be told from a sentence of somebody else's, and
#: those below which its only value is no more than a word.
LEAST, SURE = 3, 8
_WORDS = re.compile("[A-Za-z]{2,} [A-Za-z]{2,}")


@dataclass(frozen=True)
class Template:
    """A template and its translation, in which ``{0}``, ``{1}`` … stand in any order.

    ``{0!s}`` takes the value as it is, though it looks like a sentence of ours. A template that
    ends with a blank is said before something else.
    """

    text: str
    translation: str
    #: What stands before, between and behind the values.
    pieces: Sequence[str] = field(init=False)
    #: How much of it is fixed: its letters.
    weight: int = field(init=False)
    #: True for a part that is only ever said behind something else.
    behind: bool = field(init=False)
    #: The number of a value that the next one stands right behind; None where there is none.
    adjoining: int | None = field(init=False)

    def __post_init__(self) -> None:
        pieces = self.text.split("{}")
        if self.text.endswith(" "):
            object.__setattr__(self, "translation", f"{self.translation}{{{len(pieces) - 1}}}")
            pieces = [*pieces, ""]
        object.__setattr__(self, "pieces", pieces)
        object.__setattr__(self, "weight", sum(map(len, WORD.findall("".join(pieces)))))
        begins, middle = pieces[0], pieces[1:-1]
        behind = begins[:1] in tuple(" ,;:.") and begins.strip() != ""
        object.__setattr__(self, "behind", behind)
        object.__setattr__(self, "adjoining", middle.index("") if "" in middle else None)

    @property
    def words(self) -> list[str]:
        """Words that stand in every sentence of this template."""
        # (a value may touch what stands beside it, so that only words apart from it are sure)
        return _ALONE.findall(self.text)

    @property
    def usable(self) -> bool:
        """False where too little of it is fixed to know a sentence by it."""
        return self.words != [] and (len(self.pieces) == 1 or self.weight >= LEAST)

    def match(self, text: str) -> list[str] | None:
        """The values in a text that is a sentence of this template, each as short as can be.

        Piece after piece is looked for once, so that no text takes long, however it was made.
        """
        if len(self.pieces) == 1:
            return [] if text == self.text else None
        first, *middle, last = self.pieces
        start, end = len(first), len(text) - len(last)
        if start > end or not text.startswith(first) or not text.endswith(last):
            return None
        values = []
        for piece in middle:
            at = text.find(piece, start, end)
            if at < 0:
                return None
            values.append(text[start:at])
            start = at + len(piece)
        values.append(text[start:end])
        weak = self.weight < SURE and len(values) == 1
        return None if weak and _WORDS.search(values[0]) else values

    def as_it_is(self, number: int) -> bool:
        """True where the value of this number is none of ours to word."""
        return f"{{{number}!s}}" in self.translation

    def fill(self, values: Sequence[str], worded: Collection[int] = ()) -> str:
        """The translation with these values, of which those ``worded`` are in its language."""
        text = self.translation

        def value(place: re.Match[str]) -> str:
            said, ours = values[int(place[2])], int(place[2]) in worded
            before, behind = text[: place.start()][-1:], text[place.end() :][:1]
            # the blank is there for values of another script
            left = "" if ours and _CLOSE.match(before) and _CLOSE.match(said) else place[1]
            right = "" if ours and _CLOSE.match(behind) and _CLOSE.match(said[-1:]) else place[4]
            return f"{left}{said}{right}"

        return _PLACE.sub(value, text)


def places(translation: str) -> list[int]:
    """The numbers of the values that a translation has places for, in its order."""
    return [int(place[2]) for place in _PLACE.finditer(translation)]
