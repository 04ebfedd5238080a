"""``run --dry-run``: what would be sent, and how much of it is there already."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..documents import preview_document
from ..sentences import harmless, one_line
from ..units import format_size
from .terminal import Terminal

if TYPE_CHECKING:
    from ..capture.plan import Plan, Preview
    from ..manager import Manager
    from ..request import Request


def dry_run(
    manager: Manager, requests: Sequence[Request], options: Namespace, terminal: Terminal
) -> int:
    """List everything with sizes and reasons; nothing is sent or written."""
    from .. import staging

    documents = []
    looked_at = asyncio.run(_looked_at(manager, requests))
    for request, (plan, asked) in zip(requests, looked_at, strict=True):
        preview = staging.preview(plan, manager.config)
        if options.json:
            target = manager.config.target(request.target).name
            document = {"target": target, **preview_document(request, plan, preview)}
            documents.append({**document, **({"asked": asked} if asked else {})})
            continue
        if len(requests) > 1:
            terminal.write(f"{one_line(request.name)}\n")
        _tell(preview, asked, terminal)
        for note in staging.notes(request, plan):
            terminal.say(f"note: {harmless(note)}")
    if options.json:
        terminal.document(documents[0] if len(requests) == 1 else documents)
    return 0


def _tell(preview: Preview, asked: str, terminal: Terminal) -> None:
    if preview.rows:
        rows = [(row.path, format_size(row.size), row.why) for row in preview.rows]
        terminal.table(("FILE", "SIZE", "WHY"), rows)
    terminal.write(
        f"{len(preview.rows)} files, {format_size(preview.total)}, "
        f"{format_size(preview.new)} of it new; nothing was sent\n"
    )
    if asked:
        terminal.write(f"\n{asked}")


async def _looked_at(manager: Manager, requests: Sequence[Request]) -> list[tuple[Plan, str]]:
    plans = [(request, await manager.preview(request)) for request in requests]
    return [(plan, await manager.describe(request, plan)) for request, plan in plans]
