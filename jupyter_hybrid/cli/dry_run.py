"""``run --dry-run``: what would be sent, and how much of it is there already."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import TYPE_CHECKING

from ..units import format_size
from .terminal import Terminal

if TYPE_CHECKING:
    from ..capture.plan import Plan, Preview
    from ..manager import Manager
    from ..request import Request


def dry_run(manager: Manager, request: Request, options: Namespace, terminal: Terminal) -> int:
    """List everything with sizes and reasons; nothing is sent or written."""
    plan = asyncio.run(manager.preview(request))
    preview = _preview(manager, request, plan)
    notes = [*request.notes, *plan.notes]
    if options.json:
        terminal.document(
            {
                "target": manager.config.target(request.target).name,
                "files": [
                    {"path": row.path, "size": row.size, "why": row.why, "new": row.new}
                    for row in preview.rows
                ],
                "links": [link.path for link in plan.links],
                "directories": list(plan.directories),
                "size": preview.total,
                "new": preview.new,
                "notes": notes,
                "refused": [{"path": r.path, "reason": r.reason} for r in plan.refused],
            }
        )
        return 0
    if preview.rows:
        rows = [(row.path, format_size(row.size), row.why) for row in preview.rows]
        terminal.table(("FILE", "SIZE", "WHY"), rows)
    terminal.write(
        f"{len(preview.rows)} files, {format_size(preview.total)}, "
        f"{format_size(preview.new)} of it new; nothing was sent\n"
    )
    for note in notes:
        terminal.say(f"note: {note}")
    for refused in plan.refused:
        terminal.say(f"does not travel: {refused.path}: {refused.reason}")
    return 0


def _preview(manager: Manager, request: Request, plan: Plan) -> Preview:
    from ..bundle.blobs import BlobStore
    from ..bundle.statcache import StatCache
    from ..paths import blob_directory

    directory = blob_directory(manager.config.target(request.target).root)
    if not directory.is_dir():
        # looking for what is there would make the directory
        return plan.preview()
    return plan.preview(BlobStore(directory), StatCache(directory))
