"""Reads the contents of planned files into the blobs, as far as they are not known to be there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ..bundle import FileEntry
from ..bundle.blobs import BlobStore, StoredFile
from ..bundle.statcache import Known, StatCache
from .plan import Plan, PlannedFile

#: Hashing and waiting for the disk both leave Python to the other threads.
_THREADS = 8


def store_plan(plan: Plan, blobs: BlobStore, cache: StatCache) -> tuple[FileEntry, ...]:
    """Put every planned file's content into the blobs; what is known to be there is not read.

    Raises ``BundleError`` naming a file that vanished, changes, or cannot be read.
    """
    known = cache.lookup({item.source: item.stat for item in plan.items})
    entries: dict[str, FileEntry] = {}
    unread: list[PlannedFile] = []
    for item in plan.items:
        content = known.get(item.source)
        if content and content.sure and blobs.has(content.digest, item.size):
            entries[item.path] = FileEntry(item.path, content.digest, item.size, item.mode)
        else:
            unread.append(item)
    for item, file in zip(unread, _store(unread, blobs, cache, known), strict=True):
        entries[item.path] = FileEntry(item.path, file.digest, file.size, item.mode)
    return tuple(entries[item.path] for item in plan.items)


def _store(
    items: Sequence[PlannedFile], blobs: BlobStore, cache: StatCache, known: dict[str, Known]
) -> list[StoredFile]:
    stored: list[StoredFile] = []
    if not items:
        return stored
    read_at = time.time()

    def store(item: PlannedFile) -> StoredFile:
        content = known.get(item.source)
        return blobs.store_file(item.source, content.digest if content else None)

    pool = ThreadPoolExecutor(min(_THREADS, len(items)), "jupyter-hybrid-store")
    try:
        for file in pool.map(store, items):
            stored.append(file)
    finally:
        pool.shutdown(cancel_futures=True)
        # also after an error: what was read need not be read again
        sources = (item.source for item in items)
        cache.remember(zip(sources, stored, strict=False), read_at)
    return stored
