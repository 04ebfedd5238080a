"""The button in a notebook, the dialog, and the job that comes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browser import Window, holds
from commands import notebook, until
from servers import Server

pytestmark = pytest.mark.needs("apt:chromium")

DIALOG = ".jp-hybrid-submit"
JOBS = re.compile(r"/jupyter-hybrid/api/jobs(\?|$)")
PARAMETERS = """\
steps: int = 3  # how often
rate = 0.5
label: str = "first"
verbose = False
sizes = [1, 2]
"""
HOSTILE = "<img src=x onerror=window.evil=1> \u202eabc 🙂 " + "x" * 150
PACKAGES = (
    ("keep", "torch", "2.6.0", "2.5.1", "torch is the image's 2.5.1; here it is 2.6.0"),
    ("layer", "einops", "0.8.0", "", ""),
    ("conflict", "numpy", ">=2", "1.26.4", "it asks for numpy>=2 and the image has 1.26.4"),
)
WORK = "print(label, steps, rate, verbose, sizes, open('data.csv').read())"

#: A second place, with a price, and one that is slow to say that it cannot be reached.
CONFIG = """\
c.Hybrid.targets = {
    "here too": {"executor": "local", "price": 1.25},
    "far": {"executor": "slurm", "host": "far", "ssh": ["sh", "-c", "sleep 3; exit 255"]},
}
c.Hybrid.default_target = "local"
"""


@pytest.fixture
def path(work: Path, request: pytest.FixtureRequest) -> str:
    """A notebook in a folder of its own, with a file that it reads."""
    folder = work / request.node.name.replace("[", "-").replace("]", "")
    folder.mkdir()
    content = notebook(WORK, parameters=PARAMETERS, name="python3", display_name="Python 3")
    (folder / "study.ipynb").write_text(json.dumps(content))
    (folder / "data.csv").write_text("1,2\n")
    return f"{folder.name}/study.ipynb"


def open_dialog(window: Window, path: str) -> Any:
    window.open(path)
    window.page.click(".jp-NotebookPanel-toolbar >> text=Run elsewhere")
    dialog = window.page.locator(DIALOG)
    dialog.locator("tr.jp-mod-selected").wait_for()
    return dialog


def field(dialog: Any, name: str) -> Any:
    """The field of a parameter."""
    return dialog.locator(f".jp-hybrid-parameter:has(code:text-is('{name}')) input")


def submitted(window: Window, running: Server, path: str, number: int = 1) -> dict[str, Any]:
    """Press the dialog's button; the job when it has ended."""
    window.page.click(f"{DIALOG} button.jp-mod-accept")
    window.page.wait_for_selector(DIALOG, state="detached")

    def job() -> dict[str, Any] | None:
        found = running.jobs_of(path)
        assert len(found) <= number
        return found[0] if len(found) == number and found[0]["final"] else None

    ended: dict[str, Any] = until(job, "the job's end")
    return ended


def test_one_click_and_enter_make_a_job(window: Window, running: Server, path: str) -> None:
    dialog = open_dialog(window, path)
    dialog.locator("text=1 file").wait_for()
    window.picture("submit")
    assert window.findings(DIALOG) == []
    window.page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    # the panel shows it, whatever its place makes of it
    window.page.locator(".jp-hybrid-Jobs >> text=study").first.wait_for()
    job = until(lambda: next((j for j in running.jobs_of(path) if j["final"]), None), "the end")
    assert job["state"] == "COMPLETED", job["reason"]
    assert running.text(job["id"]) == "first 3 0.5 False [1, 2] 1,2\n\n"
    assert window.complaints == []


def test_what_is_on_screen_is_sent_with_what_was_typed_and_kept_for_the_next_time(
    window: Window, running: Server, path: str
) -> None:
    window.open(path)
    window.page.click(".jp-Cell:nth-child(2) .cm-content")
    window.page.keyboard.press("Control+End")
    window.page.keyboard.insert_text("\nprint('not saved')")
    window.page.keyboard.press("Control+Alt+Enter")
    dialog = window.page.locator(DIALOG)
    dialog.locator("text=with changes that are not saved yet").wait_for()
    field(dialog, "steps").fill("10")
    field(dialog, "label").fill("3")
    field(dialog, "verbose").check()
    field(dialog, "sizes").fill("[7]")
    dialog.get_by_label("Name", exact=True).fill(HOSTILE)
    dialog.get_by_label("Time limit").fill("10m")
    first = submitted(window, running, path)
    assert running.text(first["id"]) == "3 10 0.5 True [7] 1,2\n\nnot saved\n"
    assert first["name"] == HOSTILE
    assert first["resources"]["time"] == 600
    window.command("jupyter-hybrid:submit")
    dialog.wait_for()
    holds(field(dialog, "steps"), "10")
    assert field(dialog, "label").input_value() == "3"
    assert dialog.get_by_label("Time limit").input_value() == "10m"
    assert dialog.get_by_label("Name", exact=True).input_value() == ""
    assert window.page.evaluate("window.evil") is None


def test_refusals_are_told_before_and_nothing_is_lost_by_closing(
    window: Window, running: Server, path: str
) -> None:
    dialog = open_dialog(window, path)
    field(dialog, "steps").fill("many")
    refusal = dialog.locator(".jp-hybrid-problems >> text=the parameter 'steps' is an int")
    refusal.wait_for()
    window.page.keyboard.press("Enter")
    refusal.wait_for()
    assert running.jobs_of(path) == []
    dialog.get_by_label("Memory").fill("900T")
    dialog.locator("text=ask for less").first.wait_for()
    window.picture("submit-problems")
    window.theme("JupyterLab Dark")
    assert window.findings(DIALOG) == []
    window.contrast("submit-problems")
    assert window.findings(DIALOG) == []
    window.theme("JupyterLab Light")
    window.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    window.command("jupyter-hybrid:submit")
    dialog.locator("text=Your choices from before are still here").wait_for()
    assert field(dialog, "steps").input_value() == "many"
    refusal.wait_for()
    dialog.locator("text=Start over").click()
    assert field(dialog, "steps").input_value() == "3"
    # what had the focus is gone, and the keyboard still works
    window.page.wait_for_function("document.activeElement.type === 'radio'")
    window.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")


def test_choices_survive_a_reload_of_the_page(window: Window, running: Server, path: str) -> None:
    dialog = open_dialog(window, path)
    field(dialog, "steps").fill("12")
    dialog.locator("summary", has_text="Variables").click()
    variables = dialog.locator("textarea")
    variables.fill("LAB=")
    # Enter is a new line there, and no submit
    variables.press("Enter")
    variables.press_sequentially("oops")
    dialog.locator(".jp-hybrid-problems >> text='oops' is no variable").wait_for()
    window.open(path)
    window.command("jupyter-hybrid:submit")
    dialog.locator("text=Your choices from before are still here").wait_for()
    assert field(dialog, "steps").input_value() == "12"
    dialog.locator("summary", has_text="Variables").click()
    assert variables.input_value() == "LAB=\noops"
    window.picture("submit-variables")
    variables.fill("LAB=x")
    assert submitted(window, running, path)["parameters"] == {"steps": 12}
    # how long it took is known from now on
    window.command("jupyter-hybrid:submit")
    dialog.locator("tr", has_text="local").locator("td >> text=/^about /").wait_for()
    window.picture("submit-durations")
    assert window.findings(DIALOG) == []


def test_a_submit_is_among_the_jobs_at_once_and_a_refusal_brings_the_dialog_back(
    window: Window, running: Server, path: str
) -> None:
    dialog = open_dialog(window, path)
    page, held = window.page, []

    def hold(route: Any) -> None:
        held.append(route) if route.request.method == "POST" else route.continue_()

    page.route(JOBS, hold)
    field(dialog, "steps").fill("4")
    dialog.get_by_label("Name", exact=True).fill("held back")
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    sending = page.locator(".jp-hybrid-Jobs-sending li")
    sending.locator("text=held back").wait_for()
    window.picture("sending")
    assert window.findings(".jp-hybrid-Jobs") == []
    page.wait_for_timeout(100)
    held[0].fulfill(status=400, json={"message": "no room for it", "reason": "UsageError"})
    dialog.locator(".jp-hybrid-problems >> text=no room for it").wait_for()
    assert sending.count() == 0
    assert field(dialog, "steps").input_value() == "4"
    page.unroute(JOBS)
    job = submitted(window, running, path)
    assert (job["name"], job["parameters"]) == ("held back", {"steps": 4})


@pytest.mark.timeout(300)
def test_a_submit_that_nobody_hears_comes_back_with_everything_in_it(
    window: Window, running: Server, path: str
) -> None:
    dialog = open_dialog(window, path)
    page = window.page
    dialog.locator("text=1 file").wait_for()
    field(dialog, "steps").fill("4")
    dialog.get_by_label("Name", exact=True).fill("patient")
    page.context.set_offline(True)
    page.keyboard.press("Enter")
    page.locator(".jp-hybrid-Jobs-sending li >> text=does not answer; trying again").wait_for()
    window.picture("sending-offline")
    said = dialog.locator(".jp-hybrid-problems >> text=does not answer. Nothing is lost")
    # JupyterLab may say so as well, and shows one dialog at a time
    theirs = page.locator(".jp-Dialog:has-text('Server Connection Error') button.jp-mod-accept")
    until(
        lambda: said.is_visible() or (theirs.is_visible() and theirs.click()), "the dialog", 180.0
    )
    assert field(dialog, "steps").input_value() == "4"
    assert dialog.get_by_label("Name", exact=True).input_value() == "patient"
    assert dialog.locator("tr.jp-mod-selected", has_text="local").is_visible()
    window.picture("submit-unheard")
    page.context.set_offline(False)
    job = submitted(window, running, path)
    assert (job["name"], job["parameters"]) == ("patient", {"steps": 4})


def test_a_job_runs_again_with_changes(window: Window, running: Server, path: str) -> None:
    dialog = open_dialog(window, path)
    dialog.locator("summary", has_text="Variables").click()
    dialog.locator("textarea").fill("LAB=a")
    field(dialog, "steps").fill("4")
    old = submitted(window, running, path)
    window.command("jupyter-hybrid:rerun-edited", id=old["id"])
    dialog.locator("text=The notebook and files of then are sent again").wait_for()
    holds(field(dialog, "steps"), "4")
    # those that were left as they are can be changed as well
    holds(field(dialog, "label"), "first")
    field(dialog, "label").fill("second")
    dialog.locator("summary", has_text="Variables").click()
    holds(dialog.locator("textarea"), "LAB=a")
    dialog.locator("textarea").fill("LAB=b")
    dialog.locator("summary", has_text="1 file").click()
    dialog.get_by_label("data.csv").wait_for()
    dialog.get_by_label("Kernel").fill("no-such")
    dialog.locator(".jp-hybrid-problems >> text=no kernel named 'no-such'").wait_for()
    window.picture("submit-again")
    assert window.findings(DIALOG) == []
    dialog.get_by_label("Kernel").fill("")
    dialog.get_by_label("data.csv").uncheck()
    dialog.locator("text=1 stays here").wait_for()
    job = submitted(window, running, path, number=2)
    assert job["parameters"] == {"steps": 4, "label": "second"}
    assert running.job(job["id"])["env"] == {"LAB": "b"}
    assert job["exit"]["ename"] == "FileNotFoundError"


def test_hostile_files_are_text(window: Window, work: Path) -> None:
    folder = work / "hostile"
    folder.mkdir()
    names = ["<img src=x onerror=window.evil=1>", "evil\u202egnp.csv", "two\nlines", "🙂" * 20]
    for name in names:
        (folder / name).write_text("1")
    code = f"for name in {names!r}: open(name)\n" + "\n".join(f"open({n!r})" for n in names)
    parameters = "a = '<img src=x onerror=window.evil=1>'  # <b>help</b>\n" + "b" * 30 + " = 1"
    content = notebook(code, parameters=parameters, name="python3", display_name="Python 3")
    (folder / "study.ipynb").write_text(json.dumps(content))
    dialog = open_dialog(window, "hostile/study.ipynb")
    dialog.locator("summary", has_text=f"{len(names)} files").click()
    shown = dialog.locator(".jp-hybrid-files li label").all_inner_texts()
    assert {text.strip() for text in shown} == {
        *(names[0], "evil\ufffdgnp.csv", "two lines", names[3])
    }
    dialog.locator("text=<b>help</b>").wait_for()
    window.picture("submit-hostile")
    assert window.page.evaluate("window.evil") is None
    assert window.page.locator("img[src=x]").count() == 0
    # a long name leaves room for the value, also in a narrow window
    window.page.set_viewport_size({"width": 320, "height": 900})
    assert dialog.locator(".jp-hybrid-parameter input").last.bounding_box()["width"] > 100
    window.picture("submit-narrow")


def test_packages_are_a_line_and_a_list(window: Window, running: Server, path: str) -> None:
    """(What is in a real image is seen in ``test_comparing``.)"""
    keys = ("kind", "name", "here", "image", "sentence")
    rows = [dict(zip(keys, row, strict=True)) for row in PACKAGES]
    answer = {"image": "nvcr.io/pytorch:26.08", "known": True, "rows": rows, "notes": ["so it is"]}
    answer["added"] = {"einops": "0.8.1", "typing-extensions": "4.15.0"}
    window.page.route(
        re.compile("/jupyter-hybrid/api/.*environment"),
        lambda route: route.fulfill(json={"environment": answer}),
    )
    dialog = open_dialog(window, path)
    line = "1 conflict · 2 are added · 1 is the image’s"
    dialog.locator("summary", has_text=line).click()
    dialog.locator("tr", has_text="einops").locator("text=0.8.1 (added)").wait_for()
    dialog.locator("text=asks for numpy>=2").scroll_into_view_if_needed()
    window.picture("submit-packages")
    assert window.findings(DIALOG) == []
    job = submitted(window, running, path)
    window.command("jupyter-hybrid:open-job", id=job["id"])
    window.page.click("role=tab[name=Details]")
    window.page.locator(".jp-hybrid-Page summary", has_text=line).click()
    window.picture("page-packages")
    window.theme("JupyterLab Dark")
    assert window.findings(".jp-hybrid-Page") == []


def test_files_may_stay_here(window: Window, running: Server, path: str) -> None:
    dialog = open_dialog(window, path)
    dialog.locator("summary", has_text="1 file").click()
    dialog.get_by_label("data.csv").uncheck()
    dialog.locator("text=1 stays here").wait_for()
    assert dialog.get_by_label("data.csv").evaluate("box => box === document.activeElement")
    window.picture("submit-files")
    job = submitted(window, running, path)
    assert (job["state"], job["exit"]["ename"]) == ("FAILED", "FileNotFoundError")


def test_a_slow_target_delays_nothing_and_a_refusal_stands_in_its_row(
    window: Window, running: Server, path: str
) -> None:
    dialog = open_dialog(window, path)
    # "far" has not answered yet: the dialog is whole without it
    assert dialog.locator("tr", has_text="far").locator("text=Asking").is_visible()
    dialog.locator("tr", has_text="here too").click()
    assert dialog.locator("button.jp-mod-accept").inner_text() == "Run on here too"
    dialog.locator("tr", has_text="here too").locator("td", has_text="1.25").wait_for()
    job = submitted(window, running, path)
    assert job["target"] == "here too"


def test_offers_say_when_a_job_would_begin(window: Window, path: str) -> None:
    """(What clusters say of that is seen in their own tests.)"""
    nothing = {"target": "far", "cpus": None, "mem": None, "price": None, "note": "", "gpus": 1}
    offers = [
        {**nothing, "hardware": f"1 {kind}", "gpu_type": kind, "free_now": free, "wait": wait}
        for kind, free, wait in (("a100", False, 300), ("v100", True, None), ("t4", False, None))
    ]
    window.page.route(
        re.compile("/offers.*target=far"),
        lambda route: route.fulfill(json={"offers": offers, "problems": []}),
    )
    dialog = open_dialog(window, path)
    rows = dialog.locator("tr", has_text="far")
    rows.nth(3).wait_for()
    assert rows.nth(0).locator("td").inner_text() == "Any of these"
    starts = [rows.nth(at).locator("td").nth(1).inner_text() for at in range(1, 4)]
    assert starts == ["in 5 min 00 s", "now", "when it is free"]
    rows.nth(2).click()
    assert dialog.locator("tr.jp-mod-selected").inner_text().split()[1:3] == ["1", "v100"]
    window.picture("submit-offers")
    assert window.findings(DIALOG) == []


def test_other_ways_to_the_dialog(window: Window, path: str) -> None:
    page, dialog = window.page, window.page.locator(DIALOG)
    # where no notebook is in front, from the root: its folder is selected, then what is in it
    window.open()
    window.command("jupyter-hybrid:submit")
    for item in path.split("/"):
        page.click(f".jp-Open-Dialog .jp-DirListing-item >> text={item}")
        page.click(".jp-Dialog button.jp-mod-accept")
    dialog.locator("text=Parameters").wait_for()
    page.keyboard.press("Escape")
    window.open(path)
    page.click("#jp-MainMenu >> text=File")
    page.click(".lm-Menu >> text=Run Elsewhere")
    dialog.locator("text=Parameters").wait_for()
    page.keyboard.press("Escape")
    page.click(".jp-DirListing-item[data-file-type=notebook]", button="right")
    page.click(".lm-Menu >> text=Run Elsewhere")
    dialog.locator("text=Parameters").wait_for()
    page.keyboard.press("Escape")
    window.command("launcher:create")
    page.click(".jp-LauncherCard >> text=Run Elsewhere")
    page.click(".jp-Open-Dialog .jp-DirListing-item[data-file-type=notebook]")
    page.click(".jp-Dialog button.jp-mod-accept")
    dialog.locator("text=Parameters").wait_for()
