"""Checks before an image or a bundle leaves: rules of the site, each of which warns or refuses.

::

    c.Hybrid.checks = {
        "secrets": "refuse",
        "images": {"do": "refuse", "allow": ["nvcr.io/nvidia/*"]},
        "packages": {"do": "refuse", "forbid": ["mysqlclient", "numpy<1.22"]},
        "licences": {"do": "warn", "forbid": ["*AGPL*"]},
        "vulnerabilities": {"do": "warn", "database": "/srv/osv/PyPI"},
    }

A finding never holds the secret that it is about. What was found is kept with the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BundleError, ConfigError

WARN, REFUSE = "warn", "refuse"
#: Rules and what each may be told.
RULES: Mapping[str, frozenset[str]] = {
    "secrets": frozenset({"do"}),
    "images": frozenset({"do", "allow"}),
    "packages": frozenset({"do", "forbid"}),
    "licences": frozenset({"do", "forbid"}),
    "vulnerabilities": frozenset({"do", "database"}),
}


@dataclass(frozen=True)
class Subject:
    """What is about to leave."""

    #: The image's reference; empty where there is none.
    image: str = ""
    #: The notebook, as JSON.
    notebook: Mapping[str, Any] = field(default_factory=dict)
    #: Files that travel, and what they are called in messages.
    files: Sequence[tuple[str, Path]] = ()
    #: Versions and licences of the layer's packages, by name.
    packages: Mapping[str, str] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One thing that a rule found."""

    #: One of ``RULES``.
    rule: str
    #: ``warn`` or ``refuse``.
    do: str
    #: A sentence: what, where, and what to do.
    text: str

    def to_json(self) -> dict[str, str]:
        """A JSON object."""
        return asdict(self)


def parse_rules(configured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The rules of a configuration, each with its ``do``; raises ``ConfigError``."""
    rules = {}
    for name, value in configured.items():
        if name not in RULES:
            raise ConfigError(f"there is no check named {name!r}; there are: {', '.join(RULES)}")
        rule = {"do": value} if isinstance(value, str) else dict(value)
        unknown = sorted(set(rule) - RULES[name])
        if unknown:
            known = ", ".join(sorted(RULES[name]))
            raise ConfigError(f"the check {name!r} knows no {unknown[0]!r}, but: {known}")
        if rule.setdefault("do", WARN) not in (WARN, REFUSE):
            raise ConfigError(
                f"the check {name!r} is to do {rule['do']!r}; write {WARN!r} or {REFUSE!r}"
            )
        rules[name] = rule
    return rules


def check(
    subject: Subject, configured: Mapping[str, Any], kept: Path | None = None
) -> list[Finding]:
    """What the rules find in what is about to leave; raises ``ConfigError``.

    ``kept`` is a directory for what makes the next look faster.
    """
    return [
        Finding(name, rule["do"], text)
        for name, rule in parse_rules(configured).items()
        for text in _look(name, rule, subject, kept)
    ]


def _look(name: str, rule: Mapping[str, Any], subject: Subject, kept: Path | None) -> Iterator[str]:
    from . import packages, secrets

    if name == "secrets":
        return secrets.secrets_in(subject.notebook, subject.files)
    if name == "images":
        return packages.image_sentences(subject.image, rule.get("allow"))
    if name == "packages":
        return packages.forbidden(subject.packages, rule.get("forbid") or ())
    if name == "licences":
        return packages.licensed(subject.licences, rule.get("forbid") or ())
    return packages.vulnerable(subject.packages, rule.get("database"), kept)


def refuse(findings: Sequence[Finding]) -> None:
    """Raise ``BundleError`` with the sentences of what must not leave, if there is such a thing."""
    refused = [finding.text for finding in findings if finding.do == REFUSE]
    if refused:
        raise BundleError("this must not leave, by rules of this site: " + "; ".join(refused))
