"""The page on which users choose: plain HTML, which works without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template

from .images import Image
from .profiles import NO_GPU, SLUG

#: Releases of a framework that are shown before one asks for the older ones.
SHOWN = 3


@cache
def template() -> Template:
    """The form, compiled once."""
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("form.html")


def render(profiles: Sequence[Mapping[str, Any]], wish: Mapping[str, Any]) -> str:
    """HTML of the form's fields, with what was chosen last ticked."""
    if wish.get("profile") not in (None, "", *(profile["slug"] for profile in profiles)):
        # one that is not there any more: with nothing ticked, what is chosen below would be lost
        wish = {}
    return template().render(profiles=[_shown(profile, wish) for profile in profiles])


def _shown(profile: Mapping[str, Any], wish: Mapping[str, Any]) -> dict[str, Any]:
    last = wish if (wish.get("profile") or SLUG) == profile["slug"] else {}
    options = profile.get("profile_options") or {}
    chosen = {name: _chosen(option, last.get(name)) for name, option in options.items()}
    shown: dict[str, Any] = {
        **profile,
        "chosen": chosen,
        "checked": wish.get("profile") == profile["slug"]
        or (not wish.get("profile") and profile.get("default")),
        "other": {name: last.get(f"{name}--unlisted-choice") or "" for name in options},
    }
    if "hardware" in profile:
        shown["frameworks"] = _frameworks(options["image"]["choices"], chosen["image"])
        shown["models"] = _models(options["gpu"]["choices"])
        shown["folders"] = {n: o for n, o in options.items() if n.startswith("folder-")}
    return shown


def _chosen(option: Mapping[str, Any], last: Any) -> str:
    choices = option.get("choices") or {}
    if isinstance(last, str) and last in choices:
        return last
    return next((key for key, choice in choices.items() if choice.get("default")), "")


def _frameworks(choices: Mapping[str, Any], chosen: str) -> list[dict[str, Any]]:
    """Images below their framework; older ones apart, open where one of them is chosen."""
    groups: dict[str, list[tuple[str, Image]]] = {}
    for key, choice in choices.items():
        groups.setdefault(choice["facts"].framework, []).append((key, choice["facts"]))
    return [
        {
            "name": name,
            "new": images[:SHOWN],
            "older": images[SHOWN:],
            "open": any(key == chosen for key, _ in images[SHOWN:]),
        }
        for name, images in groups.items()
    ]


def _models(choices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row for each model of GPU, with its numbers."""
    rows: dict[str, dict[str, Any]] = {}
    for key, choice in choices.items():
        if key == NO_GPU:
            continue
        row = rows.setdefault(
            choice["model"],
            {"name": choice["model"], "counts": [], "words": _free(choice), "free": choice["free"]},
        )
        row["counts"].append((key, choice["count"], choice["free"]))
    return list(rows.values())


def _free(choice: Mapping[str, Any]) -> str:
    """``3 of 8 free: 1 of 4 on-prem, 2 of 4 cloud``."""
    free, total = choice["totals"]
    if choice["free"] is None:
        return ""
    places = [f"{f} of {t} {where}" for where, f, t in choice["where"] if where]
    return f"{free} of {total} free" + (f": {', '.join(places)}" if len(places) > 1 else "")
