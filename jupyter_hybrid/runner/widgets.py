"""A static form of progress bars made of widgets, which need a live kernel to be seen otherwise."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional

VIEW = "application/vnd.jupyter.widget-view+json"
#: Seconds between two updates of one bar.
INTERVAL = 0.1
#: Seconds that the messages of one step are waited for.
STEP = 0.02
#: Characters of the bar in the text form.
WIDTH = 20

PROGRESS = ("FloatProgressModel", "IntProgressModel")
TEXT = ("HTMLModel", "LabelModel", "HTMLMathModel")

States = Mapping[str, Mapping[str, Any]]


def leaves(states: States, model_id: str, depth: int = 8) -> List[Mapping[str, Any]]:
    """The texts and bars in the widget, from left to right."""
    state = states.get(model_id, {})
    if state.get("_model_name") in PROGRESS + TEXT:
        return [state]
    found: List[Mapping[str, Any]] = []
    for child in state.get("children") or () if depth else ():
        if isinstance(child, str) and child.startswith("IPY_MODEL_"):
            found.extend(leaves(states, child[len("IPY_MODEL_") :], depth - 1))
    return found


def has_progress(states: States, model_id: str) -> bool:
    """Whether the widget is, or holds, a progress bar."""
    return any(state.get("_model_name") in PROGRESS for state in leaves(states, model_id))


def plain(markup: str) -> str:
    """The text of a piece of HTML."""
    # tqdm pads with figure spaces, so that browsers do not collapse them
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\u2007", " ")


def fraction(state: Mapping[str, Any]) -> float:
    """How far a bar is, from 0 to 1."""
    low, high = float(state.get("min") or 0.0), float(state.get("max") or 0.0)
    value = float(state.get("value") or 0.0)
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0


def as_text(states: States, model_id: str) -> str:
    """The widget in one line of text, as tqdm prints it: ``epoch:  40%|####      | 4/10``."""
    parts = []
    for state in leaves(states, model_id):
        if state.get("_model_name") in PROGRESS:
            done = round(fraction(state) * WIDTH)
            description = str(state.get("description") or "")
            parts.append(f"{description}|{'#' * done}{' ' * (WIDTH - done)}|")
        else:
            parts.append(plain(str(state.get("value") or "")))
    return "".join(parts).strip()


def as_html(states: States, model_id: str) -> str:
    """The widget in HTML that needs no script."""
    parts = []
    for state in leaves(states, model_id):
        if state.get("_model_name") in PROGRESS:
            description = html.escape(plain(str(state.get("description") or "")))
            parts.append(
                f'{description} <progress value="{fraction(state):.4f}" max="1"></progress> '
            )
        else:
            parts.append(html.escape(plain(str(state.get("value") or ""))))
    return f"<div>{''.join(parts).strip()}</div>"


def static_form(states: States, model_id: str) -> Dict[str, Any]:
    """Data of an output that shows the widget as it is now."""
    return {"text/plain": as_text(states, model_id), "text/html": as_html(states, model_id)}


@dataclass
class Shown:
    """A widget with progress bars that a cell has shown."""

    model_id: str
    display_id: str
    #: The output in the notebook.
    output: Dict[str, Any]
    models: FrozenSet[str]
    dirty: bool = False


class ProgressWidgets:
    """Follows shown progress bars and says at most ten times a second how far each is."""

    def __init__(
        self,
        states: Callable[[], States],
        update: Callable[[str, Dict[str, Any]], None],
        call_later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self._states, self._update, self._call_later = states, update, call_later
        self._shown: List[Shown] = []
        self._timer: Any = None
        self._last = 0.0

    def show(self, output: Dict[str, Any], display_id: Optional[str]) -> Optional[str]:
        """The display id by which the output will be updated; None if it shows no progress bar."""
        states = self._states()
        view = (output.get("data") or {}).get(VIEW)
        model_id = str(view.get("model_id")) if isinstance(view, dict) else ""
        if not has_progress(states, model_id):
            return None
        display_id = display_id or f"widget-{model_id}"
        output["data"]["text/plain"] = as_text(states, model_id)
        self._shown.append(
            Shown(model_id, display_id, output, frozenset(_models(states, model_id)))
        )
        return display_id

    def changed(self, comm_id: str) -> None:
        """The kernel changed a widget; texts and bar of one step come in several messages."""
        for shown in self._shown:
            if comm_id in shown.models:
                shown.dirty = True
                if self._timer is None:
                    wait = self._last + INTERVAL - time.monotonic()
                    self._timer = self._call_later(max(STEP, wait), self.settle)

    def closed(self, comm_id: str) -> None:
        """The kernel closed a widget: its bar goes away, as one of tqdm's does with leave=False."""
        for shown in [shown for shown in self._shown if shown.model_id == comm_id]:
            self._shown.remove(shown)
            shown.output["data"] = {"text/plain": ""}
            self._update(shown.display_id, {"text/plain": "", "text/html": ""})

    def settle(self) -> None:
        """What every bar shows now has been said."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for shown in self._shown:
            if shown.dirty:
                self._say(self._states(), shown)

    def _say(self, states: States, shown: Shown) -> None:
        data = static_form(states, shown.model_id)
        shown.output["data"]["text/plain"] = data["text/plain"]
        shown.dirty, self._last = False, time.monotonic()
        # children may have come meanwhile
        shown.models = frozenset(_models(states, shown.model_id))
        self._update(shown.display_id, data)


def _models(states: States, model_id: str, depth: int = 8) -> List[str]:
    found = [model_id]
    for child in states.get(model_id, {}).get("children") or () if depth else ():
        if isinstance(child, str) and child.startswith("IPY_MODEL_"):
            found.extend(_models(states, child[len("IPY_MODEL_") :], depth - 1))
    return found
