"""From the log-in page to a cell in an image of NVIDIA's, as a researcher goes, in a browser."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import kube
import pytest
from browser import PICTURES, chromium
from hubs import Hub

pytestmark = [pytest.mark.needs(*hubs.NEEDS, "program:chromium"), pytest.mark.timeout(600)]

PATIENT = 120_000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Hub]:
    cluster = request.getfixturevalue("_kubernetes")
    if cluster.shared is None:
        pytest.skip("the hub's tests need the cluster of tests/services")
    site = {
        "images": [
            {"image": kube.IMAGE, "framework": "PyTorch", "name": "25.06", "python": "3.11"},
            *(f"nvcr.io/nvidia/pytorch:25.0{n}-py3" for n in range(5, 0, -1)),
            *(f"nvcr.io/nvidia/tensorflow:25.0{n}-tf2-py3" for n in (2, 1)),
        ],
        "image_python": kube.PYTHON,
        "folders": {"data": {"mount": "/data", "volume": {"emptyDir": {}}, "default": True}},
        "location_label": "kubernetes.io/os",
        "locations": {"linux": "On premises", "cloud": "Cloud"},
    }
    with kube.turn(fcntl.LOCK_SH):  # nobody breaks the cluster meanwhile
        site |= hubs.allow_jobs(cluster)
    inside = f"{homes(cluster).name}/{{unescaped_username}}"
    home = {
        "volume": {"hostPath": {"path": str(cluster.shared)}}, "sub_path": inside, "create": True,
    }  # fmt: skip
    with hubs.running(cluster, tmp_path_factory.mktemp("hub"), home=home, **site) as found:
        yield found
    shutil.rmtree(homes(cluster), ignore_errors=True)


def homes(cluster: kube.Kubernetes) -> Path:
    """Users' homes, on the storage that all pods see."""
    assert cluster.shared is not None
    return cluster.shared / f"browser-{os.getpid()}"


JOB = """\
%%remote --gpus 1 --gpu-type p100
import os
where = os.uname().nodename
with open('made.txt', 'w') as file: file.write('by the job')
print('live from', where)"""


def log_in(page: Any, hub: Hub, user: str) -> None:
    page.set_default_timeout(PATIENT)
    page.goto(f"{hub.url}/hub/login")
    page.fill("#username_input", user)
    page.fill("#password_input", "any")
    page.click("#login_submit")


def run(page: Any, code: str) -> None:
    """Run a cell, the last of the notebook."""
    page.locator(".jp-Notebook .jp-Cell .cm-content").last.click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")


def shown(page: Any, text: str) -> None:
    """Wait until it is among the outputs; what is there instead is kept as a picture."""
    try:
        page.locator(".jp-OutputArea-output", has_text=text).first.wait_for()
    finally:
        page.screenshot(path=str(_picture("hub-lab")))


def gpus(page: Any, count: int) -> None:
    # (the words beside it tell what others leave)
    page.locator(f'input[value="tesla-v100-sxm2-16gb:{count}"]').check(force=True)


def test_the_form_works_without_javascript(hub: Hub, kubernetes: kube.Kubernetes) -> None:
    with chromium() as browser:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        log_in(page, hub, "mia")
        page.goto(f"{hub.url}/hub/spawn/mia")
        gpus(page, 2)
        page.get_by_label("On premises").check()
        page.get_by_label("data").uncheck()
        page.get_by_text("3 older").click()
        page.screenshot(path=str(_picture("hub-form-without-javascript")), full_page=True)
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/spawn-pending/**")
        pods = hub.wait_for_pods()
    limits = pods[0]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "2"
    assert pods[0]["spec"]["nodeSelector"]["kubernetes.io/os"] == "linux"
    assert "jh-folder-data" not in {volume["name"] for volume in pods[0]["spec"]["volumes"]}
    hub.drop_now("mia")


def test_from_log_in_to_a_cell_on_a_gpu_node(hub: Hub, kubernetes_alone: kube.Kubernetes) -> None:
    kubernetes = kubernetes_alone
    with chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        log_in(page, hub, "ida")
        page.get_by_text("Server Options").wait_for()
        gpus(page, 1)
        page.screenshot(path=str(_picture("hub-form")), full_page=True)
        page.get_by_role("button", name="Start").click()
        page.get_by_text("Your server is starting up").wait_for()
        page.locator("#progress-message", has_text="server").wait_for()
        page.screenshot(path=str(_picture("hub-progress")))
        page.wait_for_url("**/user/ida/lab**")
        page.get_by_title("Python 3 (of the image)").first.click()
        # (a cell that is run before there is a kernel is not run at all)
        page.get_by_text("Python 3 (of the image) | Idle").wait_for()
        run(page, "import os, sys; print(sys.executable, os.getuid(), os.getcwd())")
        # the image's own Python, the user's number, the user's home
        shown(page, f"{kube.PYTHON} 5003 /home/ida")
        run(page, "%load_ext jupyter_hybrid")
        # the node has other GPUs now than those that the server was started for
        kubernetes.service("gpus", "4", hubs.P100)
        try:
            run(page, JOB)
            shown(page, "live from jh-")
        finally:
            kubernetes.service("gpus", "4")
        page.get_by_text("back: where").first.wait_for()
        run(page, "print('back here:', where, open('made.txt').read())")
        shown(page, "back here: jh-")
        shown(page, "by the job")
    _check_the_job(kubernetes)
    # it stays for an hour, as the site's targets say
    kubernetes.kubectl("delete", "jobs", "-l", "jupyter-hybrid/job")
    hub.drop_now("ida")


def _check_the_job(kubernetes: kube.Kubernetes) -> None:
    """It was for the other model; its file and the notebook that ran are in the user's home."""
    (pod,) = kubernetes.get("pods", "-l", "jupyter-hybrid/job")["items"]
    (term,) = pod["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == [hubs.P100]
    home = homes(kubernetes) / "ida"
    kept = [home / "made.txt", *home.rglob("result.ipynb")]
    assert len(kept) == 2 and {path.stat().st_uid for path in kept} == {5003}


def _picture(name: str) -> Any:
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES / f"{name}.png"
