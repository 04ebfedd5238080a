"""``run`` with several notebooks or values: a job each, submitted at once and shown side by side.

Places that have arrays of jobs make one of them.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..documents import job_document
from ..errors import HybridError, UsageError
from ..job import Job, State
from ..progress.plain import PlainProgress
from ..sentences import one_line
from .dry_run import dry_run
from .interrupts import Interrupts
from .naming import short_id
from .requests import fill_in, make_request, read_sweep
from .results import Results, bring_results
from .run import say_note, verdict
from .telling import telling
from .terminal import Terminal
from .watching import Detached, Watch, submitted, unless_interrupted

if TYPE_CHECKING:
    from typing import TextIO

    from ..manager import Manager
    from ..request import Request


class Labelled:
    """A stream in which each line says whose it is; what is no whole line yet waits."""

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream, self._label, self._rest = stream, label, ""

    def write(self, text: str) -> int:
        """Write the lines that are whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        self._stream.write("".join(f"{self._label} | {line}\n" for line in lines))
        return len(text)

    def flush(self) -> None:
        """What has been written leaves this process."""
        self._stream.flush()

    def end(self) -> None:
        """Write what is left as a line."""
        if self._rest:
            self.write("\n")


def run_several(manager: Manager, options: Namespace, terminal: Terminal, *, here: bool) -> int:
    """Submit all of the notebooks, or none where one of them is refused before anything is sent."""
    if options.notebooks.count("-") > 1:
        raise UsageError("standard input is one notebook; write - once")
    requests, outputs = [], []
    for name, swept in product(options.notebooks, read_sweep(options)):
        request = make_request(name, options, here=here, swept=swept)
        values = " ".join(f"{key}={value}" for key, value in swept.items())
        requests.append(replace(request, name=f"{request.name} {values}".rstrip()))
        outputs.append(fill_in(options.output, request.parameters) if options.output else None)
    named = [Path(output).expanduser().absolute() for output in outputs if output]
    if len(set(named)) < len(named):
        raise UsageError(
            f"--output {options.output} is one file, and there are {len(requests)} jobs; put "
            "{NAME} of a parameter into it, or leave it out: each is written beside its notebook"
        )
    if options.dry_run:
        return dry_run(manager, requests, options, terminal)
    return asyncio.run(_Several(manager, options, terminal).run(requests, outputs))


class _Several:
    def __init__(self, manager: Manager, options: Namespace, terminal: Terminal) -> None:
        self._manager, self._options, self._terminal = manager, options, terminal
        self._interrupts = Interrupts()

    async def run(self, requests: Sequence[Request], outputs: Sequence[str | None]) -> int:
        """From the submit to the results; the exit status."""
        with self._interrupts.heard():
            said = await submitted(self._submit(requests), self._interrupts)
            jobs, wanted = [], []
            for request, output, job in zip(requests, outputs, said, strict=True):
                if isinstance(job, HybridError):
                    self._terminal.complain(f"{one_line(request.name)}: {job}")
                    continue
                jobs.append(job)
                wanted.append(output)
                for note in job.notes:
                    say_note(f"{job.spec.name}: {note}", self._terminal)
            refused = len(requests) - len(jobs)
            if not self._options.detach:
                return await self._watch(jobs, wanted, refused)
            if self._options.json:
                self._terminal.document([job_document(job) for job in jobs])
            else:
                self._terminal.write("".join(f"{job.id}\n" for job in jobs))
            return 1 if refused else 0

    async def _submit(self, requests: Sequence[Request]) -> list[Job | HybridError]:
        """The jobs, and errors in the places of those that were refused."""
        with telling(self._terminal, quiet=self._options.quiet):
            submits = map(self._manager.submit, requests)
            said = await asyncio.gather(*submits, return_exceptions=True)
        found: list[Job | HybridError] = []
        for job in said:
            if not isinstance(job, Job | HybridError):
                raise job
            found.append(job)
        return found

    async def _watch(self, jobs: list[Job], outputs: list[str | None], refused: int) -> int:
        shown = [self._shown(job, jobs) for job in jobs]
        complete = not refused
        documents: list[dict[str, Any]] = []
        try:
            watch = Watch(self._manager, jobs, self._terminal, self._interrupts)
            jobs = await watch.until_end([progress for progress, _ in shown])
            for _, streams in shown:
                for stream in streams:
                    stream.end()
            for job, output in zip(jobs, outputs, strict=True):
                results = await self._results(job, output)
                complete = complete and job.state is State.COMPLETED and results.complete
                now = self._manager.get(job.id)
                documents.append({**job_document(now), **results.to_json()})
        except Detached as detached:
            if self._options.json:
                ids = [job.id for job in jobs]
                self._terminal.document([job_document(self._manager.get(one)) for one in ids])
            return detached.status
        if self._options.json:
            self._terminal.document(documents)
        return 0 if complete else 1

    def _shown(self, job: Job, jobs: Sequence[Job]) -> tuple[PlainProgress, list[Labelled]]:
        """What shows the job, and its streams."""
        label = one_line(job.spec.name)
        if sum(other.spec.name == job.spec.name for other in jobs) > 1:
            label = f"{label} {short_id(job)}"
        arrow = self._terminal.paint("▶", "blue")
        self._terminal.say(f"{arrow} {label} on {job.spec.target}, job {short_id(job)}")
        if self._options.quiet or self._options.json:
            return PlainProgress(None, None, self._say(label)), []
        out, err = Labelled(self._terminal.out, label), Labelled(self._terminal.err, label)
        return PlainProgress(out, err, self._say(label)), [out, err]

    def _say(self, label: str) -> Any:
        return lambda line: self._terminal.say(f"{label} | {line}")

    async def _results(self, job: Job, output: str | None) -> Results:
        self._terminal.out.flush()
        said = verdict(job, self._terminal)
        self._terminal.say(f"{one_line(job.spec.name)}, job {short_id(job)}: {said}")
        own = Namespace(**{**vars(self._options), "output": output})
        bringing = bring_results(self._manager, job, own, self._terminal)
        return await unless_interrupted(bringing, self._interrupts)
