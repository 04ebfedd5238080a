"""Outputs made of kernel messages, as nbformat nodes."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

from nbformat import NotebookNode, from_dict

#: nbformat has no types; these have.
node: Callable[..., Any] = NotebookNode
as_node: Callable[[Any], Any] = from_dict

#: Kinds of messages that are outputs, with the keys each has.
OUTPUTS = {
    "execute_result": ("metadata", "data", "execution_count"),
    "display_data": ("metadata", "data"),
    "error": ("ename", "evalue", "traceback"),
    "stream": ("name", "text"),
}

REFUSED = (
    "This cell asks for input, but nobody can answer in a job. Pass the value as a parameter or "
    "a variable instead of calling input()."
)
NO_DEBUGGER = (
    "This cell starts a debugger, but nobody can type into it in a job. Take breakpoint(), %debug "
    "or %pdb out; a failed cell's traceback comes back as it is."
)


def quick_output(msg: Dict[str, Any]) -> Any:
    """The output in a message; raises ``ValueError`` where it is none.

    nbformat's function of this purpose checks each output against the schema, which the kernel
    fulfils anyway, and compiles the schema for the first.
    """
    kind = msg["header"]["msg_type"]
    keys = OUTPUTS.get(kind)
    if keys is None:
        raise ValueError(f"{kind} is not an output")
    return node(output_type=kind, **{key: as_node(msg["content"].get(key)) for key in keys})


def stream_message(content: Dict[str, str]) -> Dict[str, Any]:
    """A message about printed text, as the kernel would have sent it."""
    return {"msg_type": "stream", "parent_header": {}, "content": content}


def pages(reply: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    """Messages that display what a reply wants to be shown in a pager (payload ``page``)."""
    for payload in reply["content"].get("payload") or ():
        if payload.get("source") == "page" and payload.get("data"):
            yield {
                "msg_type": "display_data",
                "header": {"msg_type": "display_data"},
                "parent_header": {},
                "content": {"data": payload["data"], "metadata": {}},
            }


def refuse_input(content: Dict[str, Any]) -> None:
    """Say in the error that a job cannot ask; the kernel's own words speak of frontends."""
    lines = content.get("traceback") or []
    debugs = any("cmdloop" in line and "pdb" in line for line in lines)
    said = NO_DEBUGGER if debugs else REFUSED
    content["evalue"] = said
    content["traceback"] = [*lines[:-1], f"StdinNotImplementedError: {said}"]
