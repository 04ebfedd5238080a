"""Requests for whole notebooks, and for what an earlier job executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import notebook
from fakes import Fake, a_manager_of

from jupyter_hybrid import api, cli
from jupyter_hybrid.config import Hybrid
from jupyter_hybrid.errors import ParameterError
from jupyter_hybrid.job import Job
from jupyter_hybrid.magics.notebook import run_notebook, run_parser
from jupyter_hybrid.manager import Manager
from jupyter_hybrid.notebook_request import check_rerun
from jupyter_hybrid.paths import JobPaths, job_directory
from jupyter_hybrid.spec import JobSpec


@pytest.mark.parametrize("door", ["python", "magic", "command line"])
def test_a_kernel_of_another_machine_is_not_looked_for_here(
    door: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(notebook("1 + 1", name="ir-of-the-cluster", language="R")))
    manager = a_manager_of(Fake())
    monkeypatch.setattr(api, "manager", lambda: manager)
    monkeypatch.setattr(Manager, "default", lambda: manager)
    if door == "python":
        api.submit(path)
    elif door == "magic":
        run_notebook(None, manager, run_parser().parse_words([str(path), "--detach"]))
    else:
        assert cli.main(["run", str(path), "--detach"]) == 0
    (job,) = manager.jobs()
    assert (job.spec.kernel, job.spec.language) == ("ir-of-the-cluster", "R")


def test_a_job_that_ran_elsewhere_is_checked_by_what_was_sent_from_here(tmp_path: Path) -> None:
    config = Hybrid(directory=tmp_path)
    sent = JobPaths(job_directory(config.home, "01j"))
    sent.directory.mkdir(parents=True)
    sent.spec.write_text("{}")
    sent.notebook.write_text(json.dumps(notebook(parameters="rounds = 3")))
    spec = JobSpec(name="n", target="dgx", kind="notebook")
    job = Job(id="01j", spec=spec, directory="/scratch/of/the/cluster/jobs/01j", created_at=0.0)
    check_rerun(job, {"rounds": 4}, config)
    with pytest.raises(ParameterError, match="did you mean 'rounds'"):
        check_rerun(job, {"round": 4}, config)
    check_rerun(job, {"round": 4}, config, unchecked=True)
