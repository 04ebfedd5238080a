"""Images for the jobs of a cluster: files over there, each made once, with layers beside them.

::

    IMAGE ──digest──> images/DIGEST.sif ──look──> facts ──> layers/LOCK (runner, packages)

All of it is done on the login node, or in short jobs where the site wants nothing to run there.
Compute nodes need no network: what an image lacks is fetched here and sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from subprocess import CompletedProcess
from typing import TYPE_CHECKING

from ...containers.endpoints import RegistrySettings
from ...containers.engines import Apptainer, Command, Container, Mount
from ...containers.pull import blob_file, passing, pull
from ...containers.references import parse_reference
from ...containers.registry import RegistryClient
from ...environment.facts import FactsCache, ImageFacts, parse_probe, probe_command
from ...errors import ImageError, PlaceError, UsageError
from ...files import file_digest
from ...runner.kept import FORMAT, PLACE
from ...spec import JobSpec
from ...telling import Bytes, tell
from ...transport import Transport
from ...transport.blobs import Blob, send_blobs
from ...transport.room import require_room
from ...units import format_size
from ..base import Prepared, TargetConfig
from ..images.commands import complaint
from ..images.preparing import Layers, make_layers
from ..images.settings import NONE
from ..images.starting import IN_EVERY_IMAGE, Interior, Layered
from ..records import read_record, write_record
from .options import SlurmOptions
from .script import mounts_of

if TYPE_CHECKING:
    from ...containers.layer_store import PackageLayer
    from ...environment.needs import Environment

#: Seconds for an image on its way, for a look into it, and for compiling its layers.
MAKE, LOOK, COMPILE = 6 * 3600.0, 600.0, 900.0
#: Seconds for which the machine may be out of reach meanwhile.
PATIENCE = 60.0
#: Seconds for which it is not asked again whether what was made ready is still there.
LOOKED = 5.0
#: Fixed text; its arguments are a layer's directory and a command that compiles it. A lock goes
#: with its holder, and what cannot be compiled is left alone.
_COMPILE = """\
directory=$1; shift
exec 9>"$directory.lock"
flock 9
mkdir -p "$directory"
[ -e "$directory.compiled" ] || { "$@" 9>&-; : >"$directory.compiled"; }
"""
#: Fixed text; its arguments are the image's Python, the runner's directory and where to keep what
#: they start with. What cannot be kept is looked for by every job, as ever.
_KEEP = """\
"$1" -c 'import sys
scope = {"__name__": "kept"}
exec(compile(open(sys.argv[1], encoding="utf-8").read(), sys.argv[1], "exec"), scope)
scope["keep"](sys.argv[2], lambda: scope["load_kernel"](sys.argv[3]))' \\
  "$2/jupyter_hybrid/runner/kept.py" "$3/kernel" "$2/jupyter_hybrid/runner/lean.py"
"$1" "$2" --keep "$3/runner"
"""
#: Who gets images.
HERE, LOGIN, JOB = "here", "login", "job"


@dataclass(frozen=True)
class Sif:
    """An image over there."""

    #: Absolute path.
    path: str
    #: Named by its content.
    id: str
    #: False for a directory, whose files may change under the same name.
    fixed: bool = True


@dataclass(frozen=True)
class ReadyThere:
    """An image in which a job can be started."""

    interior: Interior
    prepared: Prepared


def engine_of(target: TargetConfig, options: SlurmOptions, image: str) -> Apptainer:
    """The engine of a target's jobs in images; raises ``UsageError`` where it has none."""
    if options.engine in ("", NONE):
        raise UsageError(
            f"the target {target.name!r} has no container engine; leave out --image {image}, or "
            "set its option 'engine' to 'apptainer'"
        )
    return Apptainer(options.engine, tuple(options.engine_options))


class ClusterImages:
    """Makes images ready on a cluster."""

    def __init__(self, target: TargetConfig, options: SlurmOptions, transport: Transport) -> None:
        self._target, self._options, self._transport = target, options, transport
        #: What was made ready last, and when it was seen to be there.
        self._last: tuple[tuple[str, str, str], ReadyThere, float] | None = None

    async def ready(self, image: str, spec: JobSpec, environment: Environment | None) -> ReadyThere:
        """Everything that the job's image needs, over there; made where it is not."""
        key = (image, spec.language, environment.fingerprint if environment else "")
        last = self._last
        if last is not None and last[0] == key:
            if time.monotonic() - last[2] < LOOKED:
                return last[1]
            # a site's rules remove what is old, and so does another of our processes
            if await self._is_ready(image, last[1]):
                self._last = (*last[:2], time.monotonic())
                return last[1]
        engine = engine_of(self._target, self._options, image)
        await self._check_root()
        sif = await self._sif(engine, image)
        try:
            facts = await self._facts(engine, sif, image)
            layers = await make_layers(facts, spec, environment, self._target.images)
        except ImageError as error:
            raise ImageError(f"{image}: {error}") from error
        interior = await self._interior(engine, sif, layers)
        prepared = layers.prepared(image, _named(sif))
        made = ReadyThere(interior, prepared)
        self._last = (key, made, time.monotonic())
        return made

    async def _is_ready(self, image: str, made: ReadyThere) -> bool:
        """Whether all of it is there, and wanted from now on."""
        interior = made.interior
        if image.startswith("/") and _named(await self._file(image)) != made.prepared.digest:
            return False
        places = [str(layered.unpacked) for layered in interior.layers]
        places += [str(interior.start.source)] if interior.start else []
        # (somebody else's file is not ours to touch)
        own = [] if image.startswith("/") else [interior.image]
        paths = [*own, *(f"{place}.compiled" for place in places)]
        header, _ = await self._transport.ask("wanted", paths=paths, patience=PATIENCE)
        return all(header["there"])

    async def known_facts(self, image: str) -> ImageFacts | None:
        """What an earlier look into the image found; None for one that nobody has looked into."""
        record = await asyncio.to_thread(read_record, self._known(image))
        if record is None:
            return None
        return FactsCache(self._target.images / "facts").get(str(record["digest"]))

    def _known(self, image: str) -> Path:
        return self._target.images / "clusters" / f"{_short(image)}.json"

    async def _check_root(self) -> None:
        """Raise ``ImageError`` where libraries cannot be loaded from our directory over there."""
        hello = (await self._transport.channel(PATIENCE)).hello
        if hello.get("noexec"):
            raise ImageError(
                f"{hello['root']} on {self._transport.host} is mounted with 'noexec', and what is "
                "added to images holds libraries, which cannot be loaded from there; name another "
                f"directory: the option 'root' of the target {self._target.name!r}"
            )

    # -- the image ------------------------------------------------------------------------------

    async def _sif(self, engine: Apptainer, image: str) -> Sif:
        if image.startswith("/"):
            return await self._file(image)
        known = self._known(image)
        record = await asyncio.to_thread(read_record, known)
        digest = str(record["digest"]) if record else ""
        root = await self._transport.root(PATIENCE)
        if not digest or not await self._there(f"{root}/images/{digest}.sif"):
            digest = await self._bring(engine, image, root)
            await asyncio.to_thread(known.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
            await asyncio.to_thread(write_record, known, {"image": image, "digest": digest})
        return Sif(f"{root}/images/{digest}.sif", digest)

    async def _file(self, path: str) -> Sif:
        """A SIF or sandbox that somebody made; raises ``ImageError`` where there is none."""
        look = ["stat", "-L", "-c", "%i %s %Y %F", path]
        done = await self._transport.run(look, patience=PATIENCE)
        if done.code != 0:
            host = self._transport.host
            raise ImageError(f"there is no image {path} on {host}: {done.stderr.strip()}")
        # read in full it would take a minute: another file of this name is of another time
        said = done.stdout.decode().strip()
        seen = f"{self._target.name} {path} {said}"
        return Sif(path, hashlib.sha256(seen.encode()).hexdigest(), said.endswith("regular file"))

    async def _there(self, path: str) -> bool:
        """Whether it is there, and wanted from now on."""
        header, _ = await self._transport.ask("wanted", paths=[path], patience=PATIENCE)
        return bool(header["there"][0])

    async def _bring(self, engine: Apptainer, image: str, root: str) -> str:
        """Make the SIF of an image in a registry, and return the image's digest."""
        settings = self._target.registries or RegistrySettings()
        cache = self._target.images / "configurations"
        async with RegistryClient(settings, cache=cache) as client:
            found = await client.image(parse_reference(image))
            digest = found.manifest.digest.rpartition(":")[2]
            source = f"docker://{found.reference.name}@sha256:{digest}"
            await require_room(self._transport, found.manifest.size, f"a SIF of {image}", PATIENCE)
            sif = f"{root}/images/{digest}.sif"
            if self._options.images != HERE:
                await self._make(engine, image, source, sif)
                return digest
            async with passing(self._target.images, found) as layout:
                if await self._there(sif):
                    return digest
                size = found.manifest.size
                await pull(client, found, layout, Bytes(f"pulling {image}", size))
                tell(f"sending {image} to {self._transport.host}", format_size(size))
                await self._send(layout, f"{root}/pulls/{digest}")
                await self._make(engine, image, f"oci:{root}/pulls/{digest}", sif)
                await self._transport.remove(f"pulls/{digest}", patience=PATIENCE)
        return digest

    async def _make(self, engine: Apptainer, image: str, source: str, sif: str) -> None:
        tell(f"{engine.name} makes a SIF of {image} on {self._transport.host}")
        done = await self._run(engine.make(source, Path(sif)), MAKE)
        if done.returncode != 0:
            raise ImageError(
                f"{self._transport.host} cannot make a SIF of {image}: {complaint(done)}"
                + _OFFLINE.format(self._target.name) * (self._options.images != HERE)
            )

    async def _send(self, layout: Path, target: str) -> None:
        """Bring an OCI layout there; layers that are there by their content are not sent."""
        blobs, placed = [], []
        for path in sorted(p for p in layout.rglob("*") if p.is_file()):
            name = path.relative_to(layout).as_posix()
            if name.startswith("locks/"):
                continue
            own = path == blob_file(layout, f"sha256:{path.name}")
            digest = path.name if own else await asyncio.to_thread(file_digest, path)
            blobs.append(Blob(digest, path.stat().st_size, path))
            placed.append([f"{target}/{name}", digest, 0o444])
        await send_blobs(self._transport, blobs, patience=PATIENCE)
        await self._transport.ask("place", files=placed, patience=PATIENCE)

    # -- what is in it, and what is added -------------------------------------------------------

    async def _facts(self, engine: Apptainer, sif: Sif, image: str) -> ImageFacts:
        cache = FactsCache(self._target.images / "facts")
        if (known := cache.get(sif.id)) is not None:
            return known
        look = Container(
            image=sif.path, argv=tuple(probe_command()), name="look", cwd=Path("/"),
            env=IN_EVERY_IMAGE,
        )  # fmt: skip
        done = await self._run(engine.run(look), LOOK)
        if done.returncode != 0 and not done.stdout.strip():
            raise PlaceError(f"{self._transport.host} cannot run {image}: {complaint(done)}")
        facts = parse_probe(done.stdout)
        cache.put(sif.id, facts)
        return facts

    async def _interior(self, engine: Apptainer, sif: Sif, layers: Layers) -> Interior:
        root = await self._transport.root(PATIENCE)
        added = [layer for layer in (layers.runner, layers.packages) if layer is not None]
        python = layers.facts.executable
        laid = [await self._layered(engine, layer, sif, python, root) for layer in added]
        interior = Interior(sif.path, python, laid[0], laid[1] if len(laid) > 1 else None)
        if not sif.fixed or _hides(self._options, layers.facts):
            return interior
        return await self._kept(engine, interior, sif, root)

    async def _kept(self, engine: Apptainer, interior: Interior, sif: Sif, root: str) -> Interior:
        """The same with the modules that every job in it starts with, in files over there."""
        locks = [layered.layer.lock for layered in interior.layers]
        key = hashlib.sha256(" ".join([str(FORMAT), sif.id, *locks]).encode()).hexdigest()
        place = f"{root}/layers/start-{key[:32]}"
        start = Mount(Path(place), PurePosixPath(PLACE), read_only=True)
        if not await self._there(f"{place}.compiled"):
            mounts = [mount for layered in interior.layers for mount in layered.mounts()]
            directory = interior.runner.layer.directory
            words = ("/bin/sh", "-c", _KEEP, "keep", interior.python, directory, PLACE)
            inside = Container(
                image=sif.path, argv=words, name="keep", cwd=Path("/"), env=IN_EVERY_IMAGE,
                mounts=(*mounts, replace(start, read_only=False)),
            )  # fmt: skip
            await self._once(place, engine.run(inside))
        return replace(interior, start=start)

    async def _layered(
        self, engine: Apptainer, layer: PackageLayer, sif: Sif, python: str, root: str
    ) -> Layered:
        """The layer as a directory over there, compiled by the image's Python."""
        place = f"{root}/layers/{layer.lock}"
        laid = Layered(layer, Path(place))
        if await self._there(f"{place}.compiled"):
            return laid
        digest = layer.layer.digest.rpartition(":")[2]
        blob = Blob(digest, layer.layer.size, layer.layer.path)
        await send_blobs(self._transport, [blob], patience=PATIENCE)
        await self._transport.ask("unpack", digest=digest, into=place, patience=PATIENCE)
        mount = replace(next(laid.mounts()), read_only=False)
        words = (python, "-m", "compileall", "-q", "-j", "0", str(mount.target))
        compiles = engine.run(
            Container(image=sif.path, argv=words, name="compile", cwd=Path("/"), mounts=(mount,))
        )
        await self._once(place, compiles)
        return laid

    async def _once(self, place: str, command: Command) -> None:
        """Run what makes this directory complete, unless somebody has."""
        argv = ("/bin/sh", "-c", _COMPILE, "compile", place, *command.argv)
        await self._run(Command(argv, command.env), COMPILE)

    async def _run(self, command: Command, seconds: float) -> CompletedProcess[str]:
        """Run it on the login node, or in a job of its own; all of these may be run twice."""
        setup = "\n".join((*self._options.setup, 'exec "$@"'))
        argv = ["/bin/bash", "-lc", setup, "image", *command.argv]
        if not self._options.setup:
            argv = list(command.argv)
        if self._options.images == JOB:
            argv = [*srun_words(self._options, seconds), *argv]
            # it may wait in the queue for longer than it takes
            seconds = max(seconds, MAKE)
        done = await self._transport.run(
            argv, timeout=seconds, env=dict(command.env), patience=PATIENCE
        )
        if done.code is None:
            what = shlex.join(command.argv[:2])
            raise PlaceError(f"{what} on {self._transport.host} took more than {seconds:.0f} s")
        out = done.stdout.decode("utf-8", "replace")
        return CompletedProcess(command.argv, done.code, out, done.stderr)


def _named(sif: Sif) -> str:
    return f"sha256:{sif.id}"


def _hides(options: SlurmOptions, facts: ImageFacts) -> bool:
    """Whether what the site lays over images may take the place of modules of theirs."""
    words = {word.partition("=")[0] for word in options.engine_options}
    if words & {"--bind", "-B", "--mount", "--overlay", "-o"}:
        return True
    places = [PurePosixPath(path) for path in (facts.prefix, *facts.site) if path]
    return any(
        mount.target == place or mount.target in place.parents or place in mount.target.parents
        for mount in mounts_of(options, "")
        for place in places
    )


_OFFLINE = (
    " (where it has no way to the registry, set the option 'images' of the target {!r} to 'here': "
    "then this machine fetches it)"
)


def srun_words(options: SlurmOptions, seconds: float) -> Sequence[str]:
    """A short job that does one thing and says what it says."""
    asked = {**options.asked, "job-name": "jupyter-hybrid-image", "ntasks": "1"}
    words = [f"--{name}={value}" for name, value in asked.items() if value]
    minutes = max(1, int(min(seconds, 3600.0) // 60))
    return ["srun", "--quiet", "--mpi=none", f"--time={minutes}", *words]


def _short(image: str) -> str:
    return hashlib.sha256(image.encode()).hexdigest()[:32]
