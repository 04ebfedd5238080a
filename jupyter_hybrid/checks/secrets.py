"""Secrets in a notebook's cells and outputs, and in files. Never says what they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

#: detect-secrets' detectors. Those of high entropy are left out: notebooks are full of hashes.
_DETECTORS = (
    *("artifactory.ArtifactoryDetector", "aws.AWSKeyDetector", "basic_auth.BasicAuthDetector"),
    *("azure_storage_key.AzureStorageKeyDetector", "github_token.GitHubTokenDetector"),
    *("gitlab_token.GitLabTokenDetector", "jwt.JwtTokenDetector", "keyword.KeywordDetector"),
    *("npm.NpmDetector", "openai.OpenAIDetector", "private_key.PrivateKeyDetector"),
    *("pypi_token.PypiTokenDetector", "slack.SlackDetector", "stripe.StripeDetector"),
)
#: What detect-secrets does not know.
_MORE = {
    "NGC API Key": re.compile(r"\bnvapi-[\w-]{20,}"),
    "Hugging Face Token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
}
#: What stands where a secret would: an example of one.
_EXAMPLE = re.compile(r"(?i)^(\W*|x+|\*+|<.*>|your.*|.*example.*|.*changeme.*|password|secret)$")
#: Bytes of a file that are looked at, and of a line.
_MOST, _LONGEST = 1 << 20, 10_000
_TEXT = ("text/plain", "text/html", "text/markdown", "text/latex", "application/json")


def secrets_in(notebook: Mapping[str, Any], files: Sequence[tuple[str, Path]]) -> Iterator[str]:
    """A sentence for each secret: of which kind it seems to be, and where it stands."""
    for number, cell in enumerate(notebook.get("cells") or (), start=1):
        yield from _sentences(_text(cell.get("source")), f"cell {number}", "clear it there")
        for output in cell.get("outputs") or ():
            for text in _texts(output):
                where = f"the output of cell {number}"
                yield from _sentences(text, where, "clear the output, and do not print it")
    for name, path in files:
        try:
            with path.open("rb") as file:
                data = file.read(_MOST)
        except OSError:
            continue  # whoever sends it says so
        if b"\0" not in data:
            yield from _sentences(data.decode("utf-8", "replace"), name, "leave the file here")


def _texts(output: Mapping[str, Any]) -> Iterator[str]:
    yield _text(output.get("text"))
    yield "\n".join(map(str, output.get("traceback") or ()))
    data = output.get("data") or {}
    yield from (_text(data[kind]) for kind in _TEXT if kind in data)


def _text(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _sentences(text: str, where: str, do: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for kind in sorted(kinds_in(line[:_LONGEST])):
            yield f"{where}, line {number}, seems to hold a secret ({kind}): {do}"


def kinds_in(line: str) -> set[str]:
    """The kinds of secrets that seem to stand in the line."""
    found = {kind for kind, pattern in _MORE.items() if pattern.search(line)}
    for detector in _detectors():
        for secret in detector.analyze_line(filename="cell.py", line=line, line_number=1):
            if not _EXAMPLE.match(secret.secret_value or ""):
                found.add(secret.type)
    return found


@lru_cache(maxsize=1)
def _detectors() -> tuple[Any, ...]:
    from importlib import import_module

    names = (name.split(".") for name in _DETECTORS)
    return tuple(getattr(import_module(f"detect_secrets.plugins.{m}"), c)() for m, c in names)
