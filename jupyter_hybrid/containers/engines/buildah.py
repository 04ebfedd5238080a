"""Buildah: makes images and runs none, with the storage that podman has."""

from __future__ import annotations

import json

from ...errors import PlaceError, UsageError
from .base import Command, Container, ImageOnDisk
from .docker import Podman


class Buildah(Podman):
    """Buildah's command line, where it differs from podman's."""

    name = "buildah"

    def run(self, container: Container) -> Command:
        """Raises ``UsageError``: it runs commands of a build, and no containers for their own."""
        raise UsageError("buildah makes images and runs none: name docker, podman or apptainer")

    def inspect(self, image: str) -> Command:
        """``buildah inspect``: exit status 1 where there is no such image."""
        return Command((self.program, "inspect", "--type=image", image))

    def parse_inspect(self, text: str) -> ImageOnDisk:
        """The image's id and labels; buildah knows no registries that it came from."""
        try:
            data = json.loads(text)
            labels = (data["OCIv1"].get("config") or {}).get("Labels") or {}
            return ImageOnDisk(id=str(data["FromImageID"]), labels=labels)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PlaceError(
                f"{self.program} inspect answered what is no image: {text[:200]!r}"
            ) from error

    def storage(self) -> Command:
        """``buildah info``."""
        return Command((self.program, "info", "--format={{.store.GraphRoot}}"))
