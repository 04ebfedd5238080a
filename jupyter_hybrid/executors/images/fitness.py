"""Whether an image of NVIDIA's suits the driver and the GPUs of this machine."""

from __future__ import annotations

from ...containers.ngc_releases import release_of, unfit
from ...containers.references import parse_reference
from ...errors import ImageError
from .. import hardware


def unfit_here(image: str) -> str:
    """Why the image will hardly use the GPUs here, in a sentence; empty where nothing is known."""
    try:
        reference = parse_reference(image)
    except ImageError:
        return ""  # a SIF
    release = release_of(reference.repository, reference.tag or "")
    if release is None:
        return ""
    reason = unfit(release, *hardware.driver())
    return f"{image} may find no GPU here: {reason}" if reason else ""
