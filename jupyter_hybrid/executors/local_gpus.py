"""The GPUs of this machine: which of them a job gets, and which are other jobs' already.

A job that has just started uses no memory of its GPU yet: what was given away is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..paths import JobPaths
from ..process import is_running
from ..spec import Resources
from . import hardware
from .local_directory import claimed, engine_of, origin, spawned
from .locks import is_locked, one_at_a_time, unwritable
from .records import read_record, write_record

#: What a job was given, in its directory.
NOTE = "gpus.json"
#: Held by who chooses, beside the directories of all jobs.
_LOCK = "gpus.lock"


def chosen(directory: Path, resources: Resources) -> tuple[str, ...]:
    """Indexes of GPUs for the job in the directory: those first that nobody uses."""
    if not resources.gpus:
        return ()
    with one_at_a_time(directory.parent / _LOCK):
        taken = _taken(directory)
        found = hardware.choose_gpus(resources.gpu_type, resources.gpus, taken)
        try:
            write_record(directory / NOTE, {"gpus": found, **origin()})
        except OSError as error:
            raise unwritable(directory, error) from error
    return found


def variables(gpus: Sequence[str]) -> Mapping[str, str]:
    """What lets a program see these alone; CUDA's own order is not that of nvidia-smi."""
    if not gpus:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _taken(own: Path) -> set[str]:
    """GPUs of the other jobs that run here."""
    here, taken = origin().items(), set[str]()
    for note in own.parent.glob(f"*/{NOTE}"):
        record, paths = read_record(note) or {}, JobPaths(note.parent)
        gpus = record.get("gpus")
        # (numbers of another machine are other GPUs)
        if paths.directory == own or not isinstance(gpus, list) or not here <= _texts(record):
            continue
        if not paths.exit.exists() and _runs(paths):
            taken.update(str(gpu) for gpu in gpus)
    return taken


def _texts(record: Mapping[str, object]) -> set[tuple[str, str]]:
    return {(key, value) for key, value in record.items() if isinstance(value, str)}


def _runs(paths: JobPaths) -> bool:
    """Whether it is being started, or goes on."""
    process = (None if engine_of(paths) else claimed(paths)) or spawned(paths)
    return is_locked(paths.directory) or (process is not None and is_running(process))
