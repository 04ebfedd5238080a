"""Executed notebooks: those of running jobs, and for who has not the kernel of their widgets."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fakes import Fake
from jobs import a_job, notebook

from jupyter_hybrid import executed
from jupyter_hybrid.events import Event, Kind
from jupyter_hybrid.executed import STATES, notebook_so_far, without_widgets
from jupyter_hybrid.runner import assemble
from jupyter_hybrid.runner.widgets import VIEW


def view(model: Any, text: str) -> dict[str, Any]:
    """An output with a widget in it."""
    data = {VIEW: {"model_id": model}, "text/plain": text}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def shown(models: Any, *outputs: dict[str, Any]) -> Any:
    cell = {"cell_type": "code", "metadata": {}, "source": "", "outputs": list(outputs)}
    metadata = {"widgets": {STATES: {"state": models}}, "title": "kept"}
    found = without_widgets({"cells": [cell], "metadata": metadata})
    assert found["metadata"] == {"title": "kept"}
    return found["cells"][0]["outputs"]


def test_bars_and_what_output_widgets_hold_are_shown_and_texts_of_others() -> None:
    printed = {"output_type": "stream", "name": "stdout", "text": "printed\n"}
    bar = {"_model_name": "FloatProgressModel", "value": 1.0, "max": 4.0}
    held = [printed, view("slider", "IntSlider(value=5)"), view("bar", "")]
    models = {
        "bar": {"state": bar},
        "slider": {"state": {"_model_name": "IntSliderModel", "value": 5}},
        "out": {"state": {"_model_name": "OutputModel", "outputs": held}},
        "empty": {"state": {"_model_name": "OutputModel"}},
    }
    found = shown(models, view("out", "Output()"), view("empty", "Output()"), printed)
    assert [output.get("text") or output["data"]["text/plain"] for output in found] == [
        "printed\n",
        "IntSlider(value=5)",
        "|#####               |",
        "printed\n",
    ]
    assert found[1]["data"] == {"text/plain": "IntSlider(value=5)"}
    assert 'value="0.2500"' in found[2]["data"]["text/html"]


def test_states_that_are_none_leave_the_text() -> None:
    inside = {"_model_name": "OutputModel", "outputs": [view("loop", "itself")]}
    for models in (
        None,
        {"a": 1},
        {"a": {"state": {"_model_name": "FloatProgressModel", "max": "much", "value": []}}},
        {"a": {"state": {"children": 7}}},
    ):
        assert shown(models, view("a", "said"))[0]["data"] == {"text/plain": "said"}
    assert shown({"loop": {"state": inside}}, view("loop", ""))[0]["data"] == {
        "text/plain": "itself"
    }


async def test_what_a_job_has_printed_for_days_is_put_together_in_parts_and_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executed, "PART", 7)
    threads, apply = set(), assemble.Assembly._apply

    def noted(self: Any, event: Event) -> None:
        threads.add(threading.current_thread())
        apply(self, event)

    monkeypatch.setattr(assemble.Assembly, "_apply", noted)
    place, data = Fake(), {"cell_id": "c0"}
    place.files["notebook.ipynb"] = json.dumps(notebook("1")).encode()
    events = [Event(1, 0.0, Kind.STARTED), Event(2, 0.0, Kind.CELL, data)]
    for n in range(3, 103):
        output = {"output_type": "stream", "name": "stdout", "text": f"{n}\n"}
        events.append(Event(n, 0.0, Kind.OUTPUT, {**data, "output": output}))
    place.events = b"".join(event.to_line() for event in events)
    found = await notebook_so_far(place, a_job(tmp_path, "1")[0])
    (output,) = found["cells"][0]["outputs"]
    assert output["text"] == "".join(f"{n}\n" for n in range(3, 103))
    assert threading.main_thread() not in threads
