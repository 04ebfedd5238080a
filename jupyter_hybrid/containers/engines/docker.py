"""Docker and podman: the same words, but for users and GPUs."""

from __future__ import annotations

import json
from pathlib import Path

from ...errors import PlaceError
from .base import Command, Container, Engine, ImageOnDisk, Mount

#: Label by which a site finds our containers: ``docker ps --filter label=jupyter-hybrid``.
LABEL = "jupyter-hybrid"
#: Variables that the client itself obeys: they are given by value, and not by its environment.
CLIENTS = ("DOCKER_", "CONTAINER", "BUILDAH_", "XDG_", "HOME", "PATH", "TMPDIR", "LD_", "REGISTRY_")
#: One JSON object, the same from both.
FORMAT = (
    '{"Id":{{json .ID}},"Size":{{json .Size}},"RepoDigests":{{json .RepoDigests}},'
    '"Labels":{{json .Config.Labels}}}'
)
#: Fixed text; its arguments are the directory and the program. Half a tar is no image for it.
_LOAD = 'tar -C "$1" -cf - manifest.json blobs | "$2" load --quiet'


class Docker(Engine):
    """Docker's command line; the daemon may be another machine's."""

    name = "docker"
    #: The option by which ``/dev/shm`` has as much room as the machine has memory.
    _unlimited_shm = "--ipc=host"

    def run(self, container: Container) -> Command:
        """``docker run``, with the image's entry point left out: the program sees to it."""
        argv = [self.program, "run", "--rm", "--pull=never", "--entrypoint="]
        argv += [f"--name={container.name}", f"--label={LABEL}={container.name}"]
        argv += [f"--workdir={container.cwd}", *self._user(container), *_limits(container)]
        # PyTorch's loaders share tensors there; Docker's own 64 MB end in bus errors
        limited = container.shm is not None
        argv.append(f"--shm-size={container.shm}" if limited else self._unlimited_shm)
        argv += [*self._gpus(container), *(_volume(mount) for mount in container.mounts)]
        if not container.network:
            argv.append("--network=none")
        if container.read_only:
            argv += ["--read-only", "--tmpfs=/tmp", "--tmpfs=/var/tmp"]
        env = {}
        for name, value in container.env.items():
            if name.startswith(CLIENTS):
                argv.append(f"--env={name}={value}")
            else:
                argv.append(f"--env={name}")
                env[name] = value
        argv += [*self.options, container.image, *container.argv]
        return Command(tuple(argv), env)

    def _user(self, container: Container) -> list[str]:
        return ["--user={}:{}".format(*container.user)]

    def _gpus(self, container: Container) -> list[str]:
        if not container.gpus:
            return []
        # the value is CSV: a list of devices is one quoted field of it
        return [f'--gpus="device={",".join(container.gpus)}"']

    def inspect(self, image: str) -> Command:
        """``docker image inspect``: exit status 1 where there is no such image."""
        return Command((self.program, "image", "inspect", f"--format={FORMAT}", image))

    def parse_inspect(self, text: str) -> ImageOnDisk:
        """The image in ``FORMAT``'s object."""
        try:
            data = json.loads(text)
            return ImageOnDisk(
                id=str(data["Id"]).rpartition(":")[2],
                size=data.get("Size"),
                digests=tuple(data.get("RepoDigests") or ()),
                labels=data.get("Labels") or {},
            )
        except (ValueError, KeyError, TypeError) as error:
            raise PlaceError(
                f"{self.program} image inspect answered what is no image: {text[:200]!r}"
            ) from error

    def load(self, layout: Path, name: str) -> Command | None:
        """``docker load`` of the layout, in which ``manifest.json`` says what the image is."""
        return Command(("/bin/sh", "-c", _LOAD, "load", str(layout), self.program))

    def tag(self, image: str, name: str) -> Command:
        """``docker tag``."""
        return Command((self.program, "tag", image, name))

    def build(self, directory: Path, name: str) -> Command:
        """``docker build``."""
        return Command((self.program, "build", "--quiet", f"--tag={name}", str(directory)))

    def push(self, name: str, *, plain: bool = False) -> Command:
        """``docker push``; which registries are spoken to without TLS its daemon knows."""
        return Command((self.program, "push", "--quiet", name))

    def remove_image(self, name: str) -> Command:
        """``docker rmi``: containers that use it keep it."""
        return Command((self.program, "rmi", name))

    def storage(self) -> Command:
        """``docker info``."""
        return Command((self.program, "info", "--format={{.DockerRootDir}}"))

    def remove(self, name: str) -> Command:
        """``docker rm --force``; one that is not there is no error."""
        return Command((self.program, "rm", "--force", name))


class Podman(Docker):
    """Podman: no daemon; as a user, its root is the user."""

    name = "podman"
    # (of the machine's own a rootless one also wants /dev/mqueue, which need not be there)
    _unlimited_shm = "--shm-size=0"

    def _user(self, container: Container) -> list[str]:
        user = super()._user(container)
        # the ids of a rootless container are others': these are to be what they are here
        return user if container.user[0] == 0 else ["--userns=keep-id", *user]

    def _gpus(self, container: Container) -> list[str]:
        # by the container device interface, whose description nvidia-ctk writes
        return [f"--device=nvidia.com/gpu={gpu}" for gpu in container.gpus]

    def load(self, layout: Path, name: str) -> Command:
        """``podman pull`` out of the layout."""
        return Command((self.program, "pull", "--quiet", f"oci:{layout}:{name}"))

    def build(self, directory: Path, name: str) -> Command:
        """``podman build``, in the format that keeps what docker's images have."""
        words = ("build", "--quiet", "--format=docker", "--pull=never", f"--tag={name}")
        return Command((self.program, *words, str(directory)))

    def push(self, name: str, *, plain: bool = False) -> Command:
        """``podman push``."""
        words = ("--tls-verify=false",) if plain else ()
        return Command((self.program, "push", "--quiet", *words, name))

    def storage(self) -> Command:
        """``podman info``."""
        return Command((self.program, "info", "--format={{.Store.GraphRoot}}"))

    def remove(self, name: str) -> Command:
        """``podman rm``, without its ten seconds of patience."""
        return Command((self.program, "rm", "--force", "--ignore", "--time=0", name))


def _limits(container: Container) -> list[str]:
    words = []
    if container.cpus is not None:
        words.append(f"--cpus={container.cpus}")
    if container.mem is not None:
        # swap included: a job that swaps is slower than one that fails
        words += [f"--memory={container.mem}", f"--memory-swap={container.mem}"]
    return words


def _volume(mount: Mount) -> str:
    # CSV as well: quoted, so that a path may hold a comma
    parts = ["type=bind", f"source={mount.source}", f"target={mount.target}"]
    if mount.read_only:
        parts.append("readonly")
    return "--mount=" + ",".join(_quoted(part) for part in parts)


def _quoted(field: str) -> str:
    if not any(c in field for c in ',"\n'):
        return field
    return '"' + field.replace('"', '""') + '"'
