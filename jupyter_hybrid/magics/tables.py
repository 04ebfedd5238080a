"""Text of tables and previews, aligned for a cell's output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .. import staging
from ..columns import aligned
from ..sentences import harmless, one_line
from ..units import format_size

if TYPE_CHECKING:
    from ..capture.plan import Plan, Preview
    from ..cells import Prepared
    from ..request import Request


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they must be."""
    lines = [list(header), *([one_line(cell) for cell in row] for row in rows)]
    return "".join(f"{line}\n" for line in aligned(lines))


def preview_text(prepared: Prepared, plan: Plan) -> str:
    """What a cell's job would send, with sizes; nothing is sent."""
    rows = [
        (v.name, v.module or v.type, "" if v.module else format_size(v.size), "variable")
        for v in prepared.sent
    ]
    rows += [(v.name, v.type, "", f"not sent: {v.note}") for v in prepared.stayed]
    preview = plan.preview()
    rows += [(row.path, "file", format_size(row.size), row.why) for row in preview.rows]
    total = sum(variable.size for variable in prepared.sent) + preview.total
    text = table(("WHAT", "TYPE", "SIZE", "WHY"), rows) if rows else ""
    text += notes_text(staging.notes(prepared.request, plan))
    return f"{text}{len(rows)} things, {format_size(total)}; nothing was sent\n"


def notebook_preview_text(request: Request, plan: Plan, preview: Preview) -> str:
    """What a notebook's job would send, with sizes; nothing is sent."""
    rows = [(row.path, format_size(row.size), row.why) for row in preview.rows]
    text = table(("FILE", "SIZE", "WHY"), rows) if rows else ""
    text += notes_text(staging.notes(request, plan))
    sizes = f"{format_size(preview.total)}, {format_size(preview.new)} of it new"
    return f"{text}{len(rows)} files, {sizes}; nothing was sent\n"


def notes_text(notes: Iterable[str]) -> str:
    """What the user should know, a line each."""
    return "".join(f"note: {harmless(note)}\n" for note in notes)
