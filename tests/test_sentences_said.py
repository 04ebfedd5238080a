"""Every sentence that people meet in JupyterLab has a Japanese form, and every form a sentence."""

from __future__ import annotations

import re

import pytest
import said

from jupyter_hybrid.server.wording import LANGUAGES, catalogue
from jupyter_hybrid.server.wording.catalogue import read_catalogue
from jupyter_hybrid.server.wording.templates import Template, places

JAPANESE = read_catalogue("ja-JP")


def test_what_is_said_has_a_japanese_form() -> None:
    missing = said.missing(JAPANESE)
    assert not missing, (
        "without a Japanese form (jupyter_hybrid/locale/ja_JP/LC_MESSAGES/sentences.json; what is "
        "no sentence of the interface stands in tests/tools/said_in_english.json):\n"
        + "\n".join(missing)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_has_a_form_is_said(language: str) -> None:
    assert said.unheard(read_catalogue(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_value_is_said_once(language: str) -> None:
    wrong = {
        text: translation
        for text, translation in read_catalogue(language).items()
        if sorted(places(translation)) != list(range(text.count("{}")))
        or re.search(r"\{\}|\{\d[^!}]", translation)
    }
    assert wrong == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_end_as_they_do(language: str) -> None:
    for text, translation in read_catalogue(language).items():
        assert text.endswith(".") == translation.endswith((".", "。")), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sentence_is_taken_for_what_it_is(language: str) -> None:
    """And for none of those that are nearly alike."""
    for text, translation in read_catalogue(language).items():
        template = Template(text, translation)
        assert template.usable and template.words, text
        values = [f"/value{number}" for number in range(len(template.pieces) - 1)]
        if template.adjoining is None:
            ends = zip(template.pieces, [*values, ""], strict=True)
            sentence = "".join(piece + value for piece, value in ends)
            assert catalogue(language).word(sentence) == template.fill(values)


def test_japanese_knows_no_options_of_the_command_line() -> None:
    # where the terminal is the only way
    allowed = ("--replay", "nvidia-ctk")
    wrong = [t for t in JAPANESE.values() if re.search(r"(^|\s)--?[a-z]", t)]
    assert [t for t in wrong if not any(word in t for word in allowed)] == []


def test_exceptions_are_still_there() -> None:
    source = {text for lines in said.of_package().values() for text in lines}
    texts = {text for some in said.exceptions()["texts"].values() for text in some}
    assert texts - source == set()
    for path in (path for some in said.exceptions()["files"].values() for path in some):
        assert (said.PACKAGE / path).exists(), path


def test_a_new_sentence_is_missed_and_a_choice_is_two() -> None:
    code = "raise UsageError(f\"{'never' if n else 'always'} ask {who!r} for {n:g} more\")"
    texts = [text for _, text in said.said(code)]
    assert texts[:2] == ["never ask {} for {} more", "always ask {} for {} more"]
    short = {text: form for text, form in JAPANESE.items() if text != "the disk is full"}
    assert any("the disk is full" in line for line in said.missing(short))
    assert said.unheard({"nobody ever says {} of this": ""}) == ["nobody ever says {} of this"]
