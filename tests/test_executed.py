"""Executed notebooks for who has not the kernel of their widgets."""

from __future__ import annotations

from typing import Any

from jupyter_hybrid.executed import STATES, without_widgets
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
