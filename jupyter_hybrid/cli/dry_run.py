"""``run --dry-run``: what would be sent, and how much of it is there already."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import TYPE_CHECKING

from ..documents import preview_document
from ..sentences import harmless
from ..units import format_size
from .terminal import Terminal

if TYPE_CHECKING:
    from ..capture.plan import Plan
    from ..manager import Manager
    from ..request import Request


def dry_run(manager: Manager, request: Request, options: Namespace, terminal: Terminal) -> int:
    """List everything with sizes and reasons; nothing is sent or written."""
    from .. import staging

    plan, asked = asyncio.run(_looked_at(manager, request))
    preview = staging.preview(plan, manager.config)
    if options.json:
        terminal.document(
            {
                "target": manager.config.target(request.target).name,
                **preview_document(request, plan, preview),
                **({"asked": asked} if asked else {}),
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
    if asked:
        terminal.write(f"\n{asked}")
    for note in staging.notes(request, plan):
        terminal.say(f"note: {harmless(note)}")
    return 0


async def _looked_at(manager: Manager, request: Request) -> tuple[Plan, str]:
    plan = await manager.preview(request)
    return plan, await manager.describe(request, plan)
