"""What users ask for, by form, web address or REST: one set of words for all three.

::

    {"image": "pytorch-25.06-py3", "gpu": "v100:2", "place": "cloud", "size": "large",
     "folders": ["data"]}

An image may be named in full, a model of GPU by a part of its name, and ``"gpus": 2`` is the number
alone. ``?image=…&gpu=v100&gpus=2`` at ``/hub/spawn`` means the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_hybrid.containers.ngc import check_allowed
from jupyter_hybrid.containers.references import parse_reference
from jupyter_hybrid.errors import ImageError

from .hardware import slug
from .profiles import ANY, NO_GPU, SLUG

#: Words that mean our profile where no profile is named.
SHORT = ("image", "gpu", "gpus", "place", "size", "folders")
UNLISTED = "--unlisted-choice"


def from_fields(fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """Short words among the fields of a form or a web address."""
    found: dict[str, Any] = {}
    for name in SHORT:
        values = [value for value in fields.get(name, ()) if value]
        if values:
            found[name] = values if name == "folders" else values[-1]
    return found


def whole(wish: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """The wish in the words of the profile's options; what is not understood stays as it is.

    Raises ``ValueError`` where it cannot be taken for a wish at all.
    """
    wish = dict(wish)
    options = profile["profile_options"]
    if isinstance(wish.get("image"), str):
        wish |= _image(wish.pop("image"), options["image"])
    other = wish.get(f"image{UNLISTED}")
    if isinstance(other, str) and options["image"].get("unlisted_choice", {}).get("enabled"):
        # one of the list may stand there as well, and spaces are no image
        del wish[f"image{UNLISTED}"]
        wish |= _image(other, options["image"]) if other.strip() else {}
    gpu, count = wish.get("gpu"), wish.pop("gpus", None)
    if gpu or count is not None:
        wish["gpu"] = _gpu(str(gpu or ANY), count, options["gpu"]["choices"])
    for name in ("place", "size"):
        if isinstance(wish.get(name), str):
            wish[name] = slug(wish[name])
    folders = wish.pop("folders", None)
    if folders is not None:
        ticked = {f"folder-{slug(str(name))}" for name in _words(folders)}
        for option in options:
            if option.startswith("folder-"):
                wish[option] = "yes" if option in ticked else "no"
        # one that is not there is refused by its name, below
        wish |= dict.fromkeys(ticked - set(options), "yes")
    return {**wish, "profile": SLUG}


def _image(text: str, option: Mapping[str, Any]) -> dict[str, str]:
    choices = option["choices"]
    # (what is read out of it is what is checked: nodes get no more than that)
    text = text.strip().removeprefix("docker://")
    if text in choices:
        return {"image": text}
    for key, choice in choices.items():
        if choice["kubespawner_override"]["image"] == text:
            return {"image": key}
    if option.get("unlisted_choice", {}).get("enabled"):
        return {f"image{UNLISTED}": text}
    return {"image": text}


def _gpu(text: str, count: Any, choices: Mapping[str, Any]) -> str:
    model, _, number = text.partition(":")
    number = str((number or 1) if count in (None, "") else count)
    if model == NO_GPU or number == "0":
        return NO_GPU
    word = slug(model)
    known = list(dict.fromkeys(key.partition(":")[0] for key in choices if key != NO_GPU))
    # any model where there is one only is that one
    matching = [name for name in known if word == name or (word in name and word)]
    if word == ANY and ANY not in known:
        matching = known[:1]
    matching = [name for name in matching if name == word] or matching
    # of several models with that in their names: one that has so many free, or else at all
    keys = [key for key in (f"{name}:{number}" for name in matching) if key in choices]
    free = [key for key in keys if choices[key]["free"]]
    return (free or keys or [f"{(matching or [model])[0]}:{number}"])[0]


def _words(value: Any) -> list[Any]:
    if not isinstance(value, (str, list, tuple)):
        raise ValueError(f"folders: {value!r} is no list of names")
    return value.split(",") if isinstance(value, str) else list(value)


def check(wish: Mapping[str, Any], profile: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` with what may be chosen, where something else was."""
    for name in wish:
        if name.startswith("folder-") and name not in profile["profile_options"]:
            raise ValueError(f"there is no shared folder {name.removeprefix('folder-')!r}")
    check_choices(wish, profile)


def check_choices(wish: Mapping[str, Any], profile: Mapping[str, Any]) -> None:
    """The same for any profile, whose other options may mean something to the site."""
    for name, option in (profile.get("profile_options") or {}).items():
        value, other = wish.get(name), wish.get(f"{name}{UNLISTED}")
        if not isinstance(other, (str, int, float, type(None))) and other:
            raise ValueError(f"{_title(name, option)}: {other!r} is not the name of a choice")
        choices = option.get("choices") or {}
        # (what was written counts before what was ticked)
        if value and not other and not (isinstance(value, str) and value in choices):
            raise ValueError(f"{_title(name, option)}: {value!r} is none of {', '.join(choices)}")


def _title(name: str, option: Mapping[str, Any]) -> str:
    return str(option.get("display_name") or name).lower()


def check_image(text: Any, allowed: list[str]) -> None:
    """Raise ``ValueError`` where the text is no image, or none that the site allows."""
    if not isinstance(text, str):
        raise ValueError(f"image: {text!r} is not the name of an image")
    try:
        check_allowed(parse_reference(text), allowed, "c.NGCSpawner.allowed_images")
    except ImageError as error:
        raise ValueError(str(error)) from None
