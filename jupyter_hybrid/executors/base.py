"""The contract between the manager and a place where jobs run.

::

    manager ── submit ──> handle, handle, …   (each saved before the next step can fail)
            ── poll ────> {job id: status}    (a job left out means "no news")
            ── read ────> bytes               (tail of events or log)
            ── cancel, cleanup                (idempotent)
            ── fetch ───> directory           (complete, or ResultError)

No executor touches store, ledger or kernel. Handles are small JSON objects that any other process
can use: everything an executor must remember of a job is in its handle or at the place.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..bundle import Bundle
from ..errors import UsageError
from ..job import Job, State
from ..spec import ExitRecord, JobSpec, Resources

if TYPE_CHECKING:
    from ..containers.endpoints import RegistrySettings
    from ..environment.facts import ImageFacts
    from ..environment.needs import Environment

#: What a place calls a job: JSON values.
Handle = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Hardware a target can give, and what that costs."""

    target: str
    #: In words: ``2 cores, 24 GB``.
    hardware: str
    cpus: int | None = None
    #: Bytes.
    mem: int | None = None
    gpus: int = 0
    gpu_type: str | None = None
    #: True where a job would start at once; None where the place cannot tell.
    free_now: bool | None = None
    #: Seconds until a job would start; None where the place cannot tell.
    wait: float | None = None
    #: Price per hour in the site's currency; None where no price is configured.
    price: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """What a place says of a job."""

    state: State
    #: In plain words, why it waits or what happened.
    reason: str = ""
    #: The runner's exit record or the place's own accounting, where the job has ended.
    exit: ExitRecord | None = None
    #: True where the place does not know the job; the manager calls it LOST after the grace period.
    missing: bool = False
    #: With ``missing``: False where the place is sure that nothing was ever started.
    started: bool = True
    #: With ``missing``: seconds for which the place may still hear how the job ended.
    late: float = 0.0
    #: With ``missing``: seconds since its runner was last heard of, where that is known.
    silent: float | None = None
    #: A handle better than the stored one (the job was adopted after a crash, or requeued).
    handle: Handle | None = None


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An image that is ready for a job, and what the user and the site should know of it."""

    #: The reference; empty where the job runs in no image.
    image: str = ""
    #: The image's own digest, where it is known: what is found out of it is kept by that.
    digest: str = ""
    #: Versions, and what is said of their licences, of the packages that are added to it.
    packages: Mapping[str, str] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)
    #: What the user should know of the packages.
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Freed:
    """What became of what was kept for later jobs, in bytes."""

    freed: int
    kept: int


@dataclass(frozen=True, kw_only=True)
class TargetConfig:
    """One named place in the configuration."""

    name: str
    #: The executor's name in the entry point group ``jupyter_hybrid.executors``.
    executor: str
    #: Directory at the place that is ours: ``blobs/`` and ``jobs/`` are below it.
    root: Path
    #: Directory here with the blobs that bundles name; None where that is the root itself.
    home: Path | None = None
    #: The executor's own options.
    options: Mapping[str, Any] = field(default_factory=dict)
    #: How registries of images are reached; None: as everybody's.
    registries: RegistrySettings | None = None

    @property
    def images(self) -> Path:
        """Directory here for what is made and learned of images."""
        return (self.home or self.root) / "images"


class Executor(ABC):
    """Speaks to one kind of place. One instance serves one target."""

    #: Name in the entry point group ``jupyter_hybrid.executors``.
    name: ClassVar[str]
    #: Seconds between two polls for a job that somebody follows.
    ask_every: ClassVar[float] = 0.25
    #: True where ``prepare`` adds to an image what the notebook needs and the image lacks.
    adds_packages: bool = False

    def __init__(self, target: TargetConfig) -> None:
        self.target = target

    @abstractmethod
    async def offers(self, resources: Resources) -> Sequence[Offer]:
        """What this target can give now; raises ``UsageError`` where it never can."""

    async def check(self, resources: Resources) -> None:
        """Raise ``UsageError`` where this target never can give that.

        Asked before each submit: a place may know that without asking for all that it offers.
        """
        await self.offers(resources)

    async def describe(self, spec: JobSpec) -> str:
        """What a submit would ask of the place, as that has it written; "" where there is nothing.

        Nothing is asked for. Raises as ``submit`` where it could not be.
        """
        return ""

    def image(self, spec: JobSpec) -> str:
        """The image that the job would run in; "" where it runs in none."""
        return spec.image or ""

    async def known_facts(self, spec: JobSpec) -> ImageFacts | None:
        """What is known of the image that the job would run in; None where nobody has looked yet.

        Brings nothing and changes nothing, so that a form may ask while somebody types.
        """
        return None

    async def foresee(self, spec: JobSpec, environment: Environment | None) -> str:
        """What ``prepare`` would do, in lines for people.

        No image is brought, no layer made. Raises as ``prepare`` where there is no such image.
        """
        from .images.foreseeing import foreseen

        facts = await self.known_facts(spec)
        lines = [f"image: {self.image(spec)}", *foreseen(facts, environment, spec.language)]
        return "\n".join(lines) + "\n"

    async def engine(self) -> str:
        """What runs images at this target, in words for ``doctor``; "" where nothing is to be said.

        Raises ``PlaceError`` where it is not at work.
        """
        return ""

    async def kept(self) -> str:
        """What lies at this target for later jobs, and the room there, in words for ``doctor``.

        "" where nothing is to be said. Raises ``PlaceError`` where it does not answer.
        """
        return ""

    async def prune(self, days: float) -> Freed:
        """Remove what no job at this target wanted for so many days, and can be made again.

        Raises ``UsageError`` where nothing of the kind is kept.
        """
        raise UsageError(f"the target {self.target.name!r} keeps nothing that could be removed")

    async def prepare(self, spec: JobSpec, environment: Environment | None) -> Prepared:
        """Have the job's image and what it lacks ready, before there is a job; idempotent.

        A second call for the same costs next to nothing, and ``submit`` makes it where nobody has.
        Raises ``ImageError`` where the image is not there, or lacks what cannot be added to it.
        """
        return Prepared(image=self.image(spec))

    def coming(self) -> AbstractContextManager[object]:
        """Held from the moment a submit is wanted until it is over, in the task that submits.

        A place that takes several jobs at once may let others wait a moment for it.
        """
        return nullcontext()

    @abstractmethod
    def submit(self, job: Job, bundle: Bundle) -> AsyncIterator[Handle]:
        """Start the job, yielding a handle as soon as something exists that could be cancelled.

        Each handle replaces the one before. A second submit of the same job finds what the first
        one made and adopts it; it never starts the job twice. Raises ``PlaceError``.
        """

    @abstractmethod
    async def poll(self, jobs: Sequence[Job]) -> Mapping[str, JobStatus]:
        """What the place says of these jobs, by job id. A job left out means "no news".

        Also asked for jobs without a handle (a submit that died): an executor that finds such a
        job at the place says so, with its handle. Raises ``PlaceError`` where the place as a
        whole does not answer; that changes nothing but the back-off.
        """

    @abstractmethod
    async def read(self, job: Job, name: str, offset: int) -> bytes:
        """What is behind ``offset`` in a file of the job (relative to its directory; ``JobPaths``).

        ``b""`` means nothing new, also where the file does not exist yet; of a job that has ended,
        by its record or by the last ``poll``, it means the end. May return less than there is;
        call again.
        """

    async def idle(self, job: Job, seconds: float) -> None:
        """Return when there may be news of the job for ``read``; here, after so many seconds.

        For places that tell when something happens, so that nobody looks in vain.
        """
        await asyncio.sleep(seconds)

    @abstractmethod
    async def cancel(self, job: Job, *, force: bool = False) -> None:
        """Ask the job to end: politely, so that everything is saved, or at once with ``force``.

        Idempotent; a job the place does not know is not an error. ``poll`` tells that it ended.
        """

    @abstractmethod
    async def cleanup(self, job: Job) -> None:
        """Remove what the place still holds of an ended job. Idempotent."""

    @abstractmethod
    async def fetch(self, job: Job, directory: Path) -> Path:
        """Bring the results here, complete, or raise ``ResultError``.

        Returns the directory that holds them, laid out as ``JobPaths`` says: ``directory``, or the
        job's own where that can be read from here.
        """
