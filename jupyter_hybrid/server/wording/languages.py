"""Which language an answer is in (RFC 9110, ``Accept-Language``)."""

from __future__ import annotations

from functools import lru_cache

from .catalogue import available

#: Those that sentences can be said in. The first is the one in which they are written; its
#: catalogue has words for who sits in a browser, where those of the source name a command line.
LANGUAGES = ("en", *(language for language in available() if language != "en"))
#: Characters of the header, and languages in it, that are looked at.
_LONGEST, _MOST = 1000, 20


@lru_cache(maxsize=64)
def chosen_language(accepted: str) -> str:
    """The one of ``LANGUAGES`` that fits a header best; English where none does."""
    wishes = [_wish(text) for text in accepted[:_LONGEST].split(",")[:_MOST]]
    # (sorting keeps the order of those that are wanted equally)
    for tag, quality in sorted(wishes, key=lambda wish: -wish[1]):
        found = _named(tag)
        if found is not None and quality > 0:
            return found
    return LANGUAGES[0]


def _wish(text: str) -> tuple[str, float]:
    tag, *options = (part.strip() for part in text.split(";"))
    for option in options:
        name, _, value = option.partition("=")
        if name.strip().lower() == "q":
            try:
                return tag, float(value)
            except ValueError:
                return tag, 0.0
    return tag, 1.0


def _named(tag: str) -> str | None:
    """The language of a tag: ``ja``, ``ja-JP`` and ``JA_jp`` are the same to us."""
    primary = tag.replace("_", "-").lower().partition("-")[0]
    return next((known for known in LANGUAGES if known.partition("-")[0] == primary), None)
