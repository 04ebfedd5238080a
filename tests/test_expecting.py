"""How long a notebook may be expected to run."""

from __future__ import annotations

from dataclasses import replace

from jobs import a_manager

from jupyter_hybrid.expecting import Expected, expected
from jupyter_hybrid.job import Job, State, new_job_id
from jupyter_hybrid.spec import JobSpec


def test_the_newest_jobs_of_the_same_notebook_count() -> None:
    store = a_manager().store
    spec = JobSpec(name="a", target="dgx", kind="notebook", notebook_path="/w/a.ipynb")
    other = replace(spec, notebook_path="/w/b.ipynb")
    cell = replace(spec, kind="cell", source_cell="x")
    # five of dgx count, the oldest does not; what failed, other notebooks and cells do not either
    took = [(spec, 5000.0), (spec, 50), (spec, 10), (spec, 20), (spec, 30), (spec, 40)]
    took += [(replace(spec, target="cloud"), 7), (other, 900), (cell, 900)]
    for number, (one, seconds) in enumerate([*took, (spec, 1)]):
        begun = 1000.0 * number
        state = State.FAILED if number == len(took) else State.COMPLETED
        job = Job(id=new_job_id(begun), spec=one, directory="/x", created_at=begun, state=state)
        store.add(replace(job, started_at=begun, finished_at=begun + seconds))
    assert expected(store, "/w/a.ipynb") == [Expected("cloud", 7, 1), Expected("dgx", 30, 5)]
    assert expected(store, "/w/none.ipynb") == []
