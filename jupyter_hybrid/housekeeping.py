"""What goes from the user's directory by itself: what died half-made, and old parts of images.

Of images, layers, unpacked layers and SIFs are kept; each can be made again, and is where it is
wanted. What a job that has not ended may see is left alone.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .bundle.blobs import BlobStore
from .executors.base import Freed
from .paths import blob_directory

if TYPE_CHECKING:
    from .config import Hybrid

#: Where a submit makes what it will move into the job's directory.
STAGING = "staging"
#: Seconds after which no submit can still be at work on it.
ABANDONED = 86_400.0
#: Seconds between two looks at what is kept of images.
EVERY = 86_400.0
#: A job sees what was made ready for it less than so many seconds before there was a job.
_BEFORE = 3600.0
#: What only submits that died leave, below the directory of images.
_LEFT = ("layers/.work-*", "unpacked/.new-*", "unpacked/.old-*", ".build-*", "tmp*", "sif/*.part")


def tidy(home: Path) -> int:
    """Remove what was abandoned in the staging directory and among the blobs; says how many."""
    removed = BlobStore(blob_directory(home)).sweep()
    limit = time.time() - ABANDONED
    for directory in (home / STAGING).glob("*"):
        # gone: another submit has just removed it
        with contextlib.suppress(OSError):
            if directory.stat().st_mtime < limit:
                shutil.rmtree(directory)
                removed += 1
    return removed


@dataclass(frozen=True)
class _Item:
    #: The first is what makes it count as there.
    paths: tuple[Path, ...]
    used: float
    size: int
    #: True where it is nothing that could be used.
    left: bool = False


def tidy_images_sometimes(config: Hybrid) -> None:
    """``tidy_images`` once a day, beside whatever the caller does; never raises."""
    stamp = config.home / "images" / "tidied"
    with contextlib.suppress(OSError):
        if stamp.exists() and time.time() - stamp.stat().st_mtime < EVERY:
            return
        stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp.touch()
        # a process that ends meanwhile leaves the rest to the next day
        threading.Thread(target=tidy_images, args=(config,), daemon=True).start()


def tidy_images(config: Hybrid) -> Freed:
    """Remove parts of images that were not used for long, and the oldest beyond the limit."""
    now, images = time.time(), config.home / "images"
    items = sorted(_items(images), key=lambda item: item.used)
    total, freed = sum(item.size for item in items), 0
    limit = min(now - ABANDONED, _oldest_job(config.home, now) - _BEFORE)
    for item in items:
        if item.used > limit:
            break
        too_old = item.used < now - config.image_cache_days * 86_400.0
        if item.left or too_old or total - freed > config.image_cache_size:
            freed += item.size if _removed(item) else 0
    return Freed(freed, total - freed)


async def tidy_target(config: Hybrid, name: str) -> Freed:
    """Remove what no job at the target wanted for ``image_cache_days``; raises as its executor."""
    from .executors.registry import load_executor

    return await load_executor(config.target(name)).prune(config.image_cache_days)


def _oldest_job(home: Path, now: float) -> float:
    from .store import Store

    return min((job.created_at for job in Store.open(home).unfinished()), default=now)


def _items(images: Path) -> Iterator[_Item]:
    for folder in ("layers", "files"):
        for record in (images / folder).glob("*.json"):
            if not record.name.endswith(".lock.json"):
                yield from _item(
                    record, record.with_suffix(".tar"), record.with_suffix(".lock.json")
                )
    for pattern in ("layers/wheels/*", "unpacked/[!.]*", "sif/*.sif", "pulls/*"):
        for path in images.glob(pattern):
            yield from _item(path)
    for pattern in _LEFT:
        for path in images.glob(pattern):
            yield from _item(path, left=True)


def _item(*paths: Path, left: bool = False) -> Iterator[_Item]:
    """The item, unless it goes while it is looked at."""
    with contextlib.suppress(OSError):
        used, size = paths[0].stat().st_mtime, 0
        for path in paths:
            for file in path.rglob("*") if path.is_dir() else [path]:
                if file.is_file() and not file.is_symlink():
                    status = file.stat()
                    size += status.st_size
                    # what is on its way is in use; files of layers are of one fixed time
                    used = max(used, status.st_mtime)
        yield _Item(paths, used, size, left)


def _removed(item: _Item) -> bool:
    first = item.paths[0]
    try:
        if first.is_dir():
            # whole or not there, also where this process ends meanwhile
            first = first.rename(first.with_name(f".old-{first.name}"))
            shutil.rmtree(first)
        else:
            first.unlink()
        for path in item.paths[1:]:
            path.unlink(missing_ok=True)
    except OSError:
        return False  # somebody else removes it, or may not be removed by this user
    return True
