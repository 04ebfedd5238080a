"""Text that a cell prints: merged into few outputs, in linear time. Standard library only."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

#: A cell that alternates between outputs more often than this has its streams merged by name.
MANY_OUTPUTS = 400
#: Parts of a text with carriage returns are collapsed once there are this many.
MANY_PARTS = 2_000


def collapse_returns(text: str) -> str:
    """What a terminal would still show after carriage returns: progress bars keep their last state.

    nbclient's regular expression does the same, but in quadratic time on long lines.
    """
    if "\r" not in text:
        return text
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if "\r" in line:
            lines[index] = _last_state(line)
    return "\n".join(lines)


def _last_state(line: str) -> str:
    # a return at the very end has overwritten nothing yet
    body = line.rstrip("\r")
    return line[body.rfind("\r") + 1 :] if body else line[-1:]


class StreamTail:
    """The stream output that is being printed to; its text is joined only when it ends."""

    def __init__(self) -> None:
        self._output: Optional[Dict[str, Any]] = None
        self._parts: List[str] = []

    def add(self, outputs: List[Any], name: str, text: str) -> bool:
        """Append to the last stream of that name; False where the caller must add an output."""
        output = self._output
        if output is None or output["name"] != name or not outputs or outputs[-1] is not output:
            self.end()
            output = _stream_to_extend(outputs, name)
            if output is None:
                return False
            self.begin(output)
        self._parts.append(text)
        if len(self._parts) > MANY_PARTS:
            self.end()
        return True

    def begin(self, output: Dict[str, Any]) -> None:
        """This stream output is the last one from now on."""
        self.end()
        self._output, self._parts = output, [output["text"]]

    def end(self) -> None:
        """The output holds all of its text."""
        if self._output is not None:
            self._output["text"] = collapse_returns("".join(self._parts))
        self._output, self._parts = None, []


def _stream_to_extend(outputs: List[Any], name: str) -> Optional[Dict[str, Any]]:
    """The last output if it is this stream; in a cell with very many outputs, a recent one."""
    reach = 1 if len(outputs) < MANY_OUTPUTS else 2
    for output in reversed(outputs[-reach:]):
        if output["output_type"] != "stream":
            return None
        if output["name"] == name:
            found: Dict[str, Any] = output
            return found
    return None
