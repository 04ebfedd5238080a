"""What a job's objects are called."""

from __future__ import annotations

#: Label that names the job; everything of ours has it.
JOB = "jupyter-hybrid/job"
#: Label of pods of a job beside its first: their number.
RANK = "jupyter-hybrid/rank"
MANAGED = {"app.kubernetes.io/managed-by": "jupyter-hybrid"}


def job_name(job_id: str) -> str:
    """The name of everything of a job: the same for each attempt, so that none comes twice."""
    return f"jh-{job_id}"
