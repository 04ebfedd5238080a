"""All templates of a language, and the words of a sentence in it."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from .templates import WORD, Template

LOCALES = Path(__file__).parents[2] / "locale"
#: Characters of a sentence that is looked at: ours are shorter, and a place may say anything.
LONGEST = 2000
#: How deep sentences stand in sentences, how many parts of one are looked at in all, how deep these
#: stand in one another, and at how many marks one is taken asunder.
DEEPEST, PARTS, NESTED, CUTS = 6, 200, 60, 12
#: Characters of a text and of all its parts that are looked at: no sentence of ours was seen to
#: take more, and a server's loop waits while a page of sentences, whoever's, is worded.
LOOKED = 10_000
#: Letters that must be known more for it where a value is read over the end of something.
ASTRAY = 4
#: Sentences that are remembered: a list asks for the same ones again and again.
REMEMBERED = 4096
#: What stands between a name and a sentence, between sentences, around an aside, between options.
_MARK = re.compile(r"\n|; |: |\. |, | \(|\)(?![^ ,;.)])| (?=--)")


class Catalogue:
    """Words sentences in one language."""

    def __init__(self, translations: Mapping[str, str]) -> None:
        templates = [Template(text, said) for text, said in translations.items()]
        usable = [template for template in templates if template.usable]
        # where several fit, that of which most is fixed is the one that it was made by
        usable.sort(key=lambda template: (-template.weight, -sum(map(len, template.pieces))))
        often = Counter(word for template in usable for word in template.words)
        #: Their places in this order, by the rarest word that stands in all of their sentences.
        self._by_key: dict[str, list[int]] = {}
        for number, template in enumerate(usable):
            key = min(template.words, key=often.__getitem__)
            self._by_key.setdefault(key, []).append(number)
        self._templates = usable
        #: The sentence in this language; itself where no template knows it.
        self.word = lru_cache(REMEMBERED)(self._word)

    def _word(self, text: str) -> str:
        return text if len(text) > LONGEST else _Reader(self).read(text, DEEPEST).said

    def candidates(self, text: str) -> Sequence[Template]:
        """Templates that may stand in the text, the best first."""
        words = self._by_key.keys() & WORD.findall(text)
        return [self._templates[n] for n in sorted(n for word in words for n in self._by_key[word])]


def _whole(text: str, candidates: Sequence[Template]) -> Iterator[tuple[Template, list[str]]]:
    """The templates of which the text is a sentence, with its values."""
    for template in candidates:
        values = template.match(text)
        number = template.adjoining
        if values is not None and number is not None:
            # of two that stand side by side, the second begins where something of ours does
            both = values[number] + values[number + 1]
            at = min((at for at, _, _ in _endings(both, candidates, 0)), default=len(both))
            values[number : number + 2] = both[:at], both[at:]
        if values is not None:
            yield template, values


def _endings(
    text: str, candidates: Sequence[Template], first: int = 1
) -> Iterator[tuple[int, Template, list[str]]]:
    """Where in the text something begins that is only said behind something else."""
    for template in candidates:
        begins = template.pieces[0]
        at = text.find(begins, first) if template.behind else -1
        for _ in range(CUTS):
            values = template.match(text[at:]) if at >= 0 else None
            if values is not None:
                yield at, template, values
            at = text.find(begins, at + 1) if at >= 0 else -1


class _Reading(NamedTuple):
    """What a text says in the language, and how much of it was known."""

    said: str
    known: int


class _Reader:
    """Reads one text: of all ways to understand it, the one in which most of it is known."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._read: dict[str, _Reading] = {}
        #: How many parts were looked at, of how many characters, and how deep in parts we are.
        self._looked = self._characters = self._level = 0

    def read(self, text: str, depth: int) -> _Reading:
        """The text in the language; itself where nothing of it is known."""
        found = self._read.get(text)
        if found is None:
            nothing = found = _Reading(text, 0)
            # within a sentence one word is somebody's name for something, whatever it means
            speaks = depth == DEEPEST or " " in text
            within = depth > 0 and self._looked < PARTS and self._level < NESTED
            within = within and self._characters < LOOKED
            candidates = self._catalogue.candidates(text) if speaks and within else ()
            if candidates:
                self._read[text] = nothing  # it stands for itself within itself
                self._looked += 1
                self._characters += len(text)
                self._level += 1
                ways = self._ways(text, candidates, depth)
                # (of two that know the same, the first)
                found = max(ways, key=lambda way: way.known, default=nothing)
                self._level -= 1
                found = found if found.known > 0 else nothing
            self._read[text] = found
        return found

    def _ways(self, text: str, candidates: Sequence[Template], depth: int) -> Iterator[_Reading]:
        if text.endswith("."):
            sentence = self.read(text[:-1], depth)
            stop = "." if sentence.said[-1:].isascii() else "。"
            yield _Reading(sentence.said + stop, sentence.known)
        for template, values in _whole(text, candidates):
            yield self._filled(template, values, depth)
            ours = (value for n, value in enumerate(values) if not template.as_it_is(n))
            if not any(map(_MARK.search, ours)):
                return
        for at, template, values in _endings(text, candidates):
            head, end = self.read(text[:at], depth), self._filled(template, values, depth)
            # a blank that stands there in English is left out behind a letter of another script
            lost = template.text.startswith(" ") and not end.said.startswith(" ")
            gap = " " if lost and head.said[-1:].isascii() else ""
            yield _Reading(head.said + gap + end.said, head.known + end.known)
        for mark in itertools.islice(_MARK.finditer(text), CUTS):
            yield self._cut(text, mark, depth)

    def _filled(self, template: Template, values: Sequence[str], depth: int) -> _Reading:
        known = template.weight
        said = list(values)
        for number, value in enumerate(values):
            if not template.as_it_is(number):
                reading = self.read(value, depth - 1)
                said[number] = reading.said
                known += reading.known
                # a value seldom holds sentences in a row, or what begins as this does: they rather
                # stand beside it
                known -= ASTRAY * value.count("; ")
                known -= ASTRAY * (template.behind and template.pieces[0][:2] in value)
        worded = [n for n, value in enumerate(values) if said[n] != value]
        return _Reading(template.fill(said, worded), known)

    def _cut(self, text: str, mark: re.Match[str], depth: int) -> _Reading:
        """What stands before the mark and what stands behind it, each for itself."""
        stop = mark[0] == ". "
        before = self.read(text[: mark.start() + stop], depth)
        behind = self.read(text[mark.end() :], depth)
        between = mark[0][stop:]
        if stop and before.said.endswith("。"):
            between = ""
        return _Reading(before.said + between + behind.said, before.known + behind.known)


@cache
def catalogue(language: str) -> Catalogue:
    """The catalogue of a language, one of ``LANGUAGES``; read when it is first asked for."""
    return Catalogue(read_catalogue(language))


def read_catalogue(language: str) -> dict[str, str]:
    """Translations by template, as they are written."""
    translations: dict[str, str] = json.loads(path_of(language).read_bytes())
    return translations


def path_of(language: str) -> Path:
    """Where the sentences of a language are, beside what JupyterLab reads for our front end."""
    return LOCALES / language.replace("-", "_") / "LC_MESSAGES" / "sentences.json"


def available() -> list[str]:
    """The languages that there are catalogues of, as tags: ``ja-JP``."""
    names = (path.parts[-3] for path in LOCALES.glob("*/LC_MESSAGES/sentences.json"))
    return sorted(name.replace("_", "-") for name in names)
