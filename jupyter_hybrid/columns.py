"""Columns of text as a terminal shows them, where a Japanese character is as wide as two others."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, whose columns are as wide as they must be."""
    from rich.cells import cell_len, set_cell_size

    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(map(set_cell_size, line, widths)).rstrip() for line in lines]


def cut(text: str, width: int, more: str = "") -> str:
    """The text within so many columns; where it is wider, ``more`` stands at its end."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - len(more)) + more
