"""Images, GPUs, places, sizes and folders as one profile of kubespawner's ``profile_list``.

Choices have what kubespawner wants of them, and besides what the form shows: ``facts``, ``free``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .hardware import Hardware, Model, slug
from .images import Image

#: The profile's name in ``user_options``.
SLUG = "ngc"
NO_GPU, ANY = "none", "any"
ANYWHERE = "anywhere"
Choices = dict[str, dict[str, Any]]


def profile(images: Sequence[Image], hardware: Hardware, options: Any) -> dict[str, Any]:
    """The profile that users of ``NGCSpawner`` choose from; ``options`` has its traits."""
    own: dict[str, Any] = {"image": image_option(images, other=options.other_images)}
    own["gpu"] = {"display_name": "GPUs", "choices": gpu_choices(hardware, options)}
    places = place_choices(hardware, options.location_label, options.locations)
    if len(places) > 1:
        own["place"] = {"display_name": "Place", "choices": places}
    if options.sizes:
        choices = {slug(name): size_choice(name, size) for name, size in options.sizes.items()}
        own["size"] = {"display_name": "Size", "choices": choices}
    for name, folder in options.folders.items():
        own[f"folder-{slug(name)}"] = folder_option(name, folder)
    return {
        "display_name": "NVIDIA image",
        "slug": SLUG,
        "default": True,
        "profile_options": own,
        "hardware": hardware,
    }


def image_option(images: Sequence[Image], *, other: bool) -> dict[str, Any]:
    """One choice for each image, and perhaps a field for another."""
    choices = {
        image.key: {
            "display_name": image.title,
            "kubespawner_override": {"image": image.image},
            "facts": image,
            **({"default": True} if image.default else {}),
        }
        for image in images
    }
    option: dict[str, Any] = {"display_name": "Image", "choices": choices}
    if other:
        option["unlisted_choice"] = {
            "enabled": True,
            "display_name": "Another image",
            "kubespawner_override": {"image": "{value}"},
        }
    return option


def gpu_choices(hardware: Hardware, options: Any) -> Choices:
    """No GPU, and each model in each number that one node has."""
    choices: Choices = {
        NO_GPU: {"display_name": "No GPU", "default": True, "kubespawner_override": {}}
    }
    models = list(hardware.models)
    known = {model.label for model in models}
    models += [Model(label) for label in options.gpu_names if label not in known]
    if len(models) != 1:
        every = tuple(node for model in hardware.models for node in model.nodes)
        models.insert(0, Model("", every))
    for model in models:
        # what the cluster does not tell may be there
        most = model.most if not hardware.reason else max(options.gpu_counts, default=0)
        for count in options.gpu_counts:
            if count <= most:
                key = f"{slug(model.label) or ANY}:{count}"
                choices[key] = _gpu_choice(model, count, hardware, options)
    return choices


def _gpu_choice(model: Model, count: int, hardware: Hardware, options: Any) -> dict[str, Any]:
    name = options.gpu_names.get(model.label) or model.label.replace("-", " ") or "Any model"
    override: dict[str, Any] = {"extra_resource_limits": {options.gpu_resource: str(count)}}
    if model.label:
        override["node_selector"] = {options.gpu_label: model.label}
    return {
        "display_name": f"{count} × {name}",
        "kubespawner_override": override,
        "model": name,
        "count": count,
        "free": None if hardware.reason else model.has_now(count),
        "where": [
            (options.locations.get(where, where) if where else "", free, total)
            for where, (free, total) in model.by_location().items()
        ],
        "totals": (model.free, model.total),
    }


def place_choices(hardware: Hardware, label: str, names: Mapping[str, str]) -> Choices:
    """Anywhere, and each value of the label by which a site tells its places apart."""
    choices: Choices = {ANYWHERE: {"display_name": "Anywhere", "kubespawner_override": {}}}
    if label:
        for value in dict.fromkeys((*names, *hardware.locations)):
            choices[slug(value)] = {
                "display_name": names.get(value, value),
                "kubespawner_override": {"node_selector": {label: value}},
            }
    return choices


def size_choice(name: str, size: Mapping[str, Any]) -> dict[str, Any]:
    """Cores and memory of a server: its limits; memory and half of the cores are guaranteed."""
    override: dict[str, Any] = {}
    if size.get("cpus"):
        override |= {"cpu_limit": float(size["cpus"]), "cpu_guarantee": float(size["cpus"]) / 2}
    if size.get("memory"):
        override |= {"mem_limit": size["memory"], "mem_guarantee": size["memory"]}
    cores = f"{size['cpus']:g} cores" if size.get("cpus") else ""
    return {
        "display_name": size.get("display_name") or name.capitalize(),
        "note": ", ".join(filter(None, (cores, _memory(size.get("memory"))))),
        "kubespawner_override": {**override, **(size.get("kubespawner_override") or {})},
        **({"default": True} if size.get("default") else {}),
    }


def _memory(text: Any) -> str:
    words = str(text or "").removesuffix("i")
    return f"{words[:-1]} {words[-1]}B memory" if words[-1:].isalpha() else words


def folder_option(name: str, folder: Mapping[str, Any]) -> dict[str, Any]:
    """A tick for one shared folder."""
    mark = {"default": True}
    override = {"chosen_folders": {name: True}}
    ticked = bool(folder.get("default"))
    return {
        "display_name": folder.get("display_name") or name,
        "mount": folder["mount"],
        "read_only": bool(folder.get("read_only")),
        "choices": {
            "yes": {
                "display_name": "Yes",
                "kubespawner_override": override,
                **(mark if ticked else {}),
            },
            "no": {
                "display_name": "No",
                "kubespawner_override": {},
                **({} if ticked else mark),
            },
        },
    }
