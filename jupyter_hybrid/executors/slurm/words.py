"""Slurm's words in plain ones: states, reasons for waiting, refusals. Pure."""

from __future__ import annotations

import re
import time

from ...job import State
from ...spec import Cause
from ...units import format_duration
from .listing import Row

#: Slurm's states by ours. The rest is unknown and changes nothing.
WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "SPECIAL_EXIT", "REQUEUE_FED"})
WORKING = frozenset(
    {"RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING",
     "STAGE_OUT"}
)  # fmt: skip
#: How a job may end without a word of its runner: state, cause, sentence.
ENDS = {
    "COMPLETED": ("FAILED", Cause.RUNNER_DIED, "its script ended, but it left no exit record; "
                  "'logs --runner' shows what it wrote"),
    "FAILED": ("FAILED", Cause.RUNNER_DIED, "its script failed before the notebook could run; "
               "'logs --runner' shows what it wrote"),
    "CANCELLED": ("CANCELLED", Cause.CANCELLED, "it was cancelled"),
    "TIMEOUT": ("FAILED", Cause.WALL_TIME, "its time was up and it did not end by itself; "
                "ask for more with --time"),
    "DEADLINE": ("FAILED", Cause.WALL_TIME, "its deadline had passed"),
    "OUT_OF_MEMORY": ("FAILED", Cause.OUT_OF_MEMORY, "it used more memory than it was given; "
                      "ask for more with --mem"),
    "NODE_FAIL": ("FAILED", Cause.RUNNER_DIED, "the node it ran on failed; submit it again"),
    "BOOT_FAIL": ("FAILED", Cause.RUNNER_DIED, "its node could not be started; submit it again"),
    "PREEMPTED": ("FAILED", Cause.PREEMPTED, "a job with more rights took its place; submit it "
                  "again"),
    "REVOKED": ("FAILED", Cause.REFUSED, "another cluster took it"),
}  # fmt: skip

#: Slurm's reasons for waiting, the usual ones.
REASONS = {
    "Priority": "other jobs are before it",
    "Resources": "it is next, once what it asks for is free",
    "BeginTime": "it was put back into the queue and may start again soon",
    "Cleaning": "its earlier attempt is being cleaned up",
    "Dependency": "it waits for another job",
    "DependencyNeverSatisfied": "the job it waits for did not end well, so it will never start",
    "JobHeldAdmin": "an administrator holds it back; ask them",
    "JobHeldUser": "it is held; 'scontrol release' lets it go",
    "JobHoldMaxRequeue": "it failed to start too often and is held; ask the administrators",
    "launch failed requeued held": "its node could not start it, and it is held; ask the "
    "administrators",
    "Licenses": "it waits for a licence",
    "Reservation": "its reservation has not begun",
    "ReqNodeNotAvail": "nodes that it could use are down or reserved",
    "NodeDown": "a node that it needs is down",
    "PartitionDown": "its partition takes jobs, but starts none now",
    "PartitionInactive": "its partition is switched off",
    "PartitionTimeLimit": "it asks for more time than its partition allows, so it will never start",
    "PartitionNodeLimit": "it asks for more nodes than its partition allows, or they are down",
    "PartitionConfig": "its partition does not allow what it asks for",
    "BadConstraints": "no node has what it asks for, so it will never start",
    "InvalidAccount": "its account is not valid",
    "InvalidQOS": "its QOS is not valid",
    "FrontEndDown": "the cluster's front end is down",
    "SystemFailure": "Slurm had a failure; ask the administrators",
    "None": "it was just submitted",
    "": "it was just submitted",
}
_LIMITS = (
    (r"^QOS.*([Gg][Rr][Ee][Ss]|GPU)", "its QOS has as many GPUs in use as it may"),
    (r"^QOS.*(Cpu|Node|Mem|TRES)", "its QOS uses as much as it may"),
    (r"^QOS.*(Job|Submit)", "its QOS has as many jobs as it may"),
    (r"^QOS.*Wall", "it asks for more time than its QOS allows"),
    (
        r"^(Assoc|Association).*([Gg][Rr][Ee][Ss]|GPU)",
        "your account has as many GPUs in use as it may",
    ),
    (r"^(Assoc|Association).*(Cpu|Node|Mem|TRES|Resource)", "your account uses as much as it may"),
    (r"^(Assoc|Association).*(Job|Submit)", "your account has as many jobs as it may"),
    (r"^(Assoc|Association).*(Wall|Time)", "it asks for more time than your account allows"),
    (r"^MaxMemPerLimit", "it asks for more memory per core than is allowed"),
)

#: What sbatch says, what that means; ``{value}`` is what was asked for.
_REFUSALS = (
    (r"invalid partition", "there is no partition {partition!r}", "partition"),
    (r"[Ii]nvalid account", "the account {account!r} may not be used (there)", "account"),
    (r"[Ii]nvalid qos", "the QOS {qos!r} may not be used", "qos"),
    (r"[Ii]nvalid feature", "no node has the feature {constraint!r}", "constraint"),
    (r"reservation is invalid", "there is no reservation {reservation!r}", "reservation"),
    (r"[Ii]nvalid license", "there are no licences {licenses!r}", "licenses"),
    (r"Memory specification can not", "no node has so much memory", ""),
    (r"node configuration is not available", "no node has all that is asked for at once", ""),
    (r"time limit is invalid|exceeds? .*time limit", "so much time is not allowed", ""),
    (r"AssocMaxSubmitJobLimit|MaxSubmitJobs", "your account has as many jobs as it may", ""),
    (r"violates accounting/QOS policy", "it is beyond a limit of your account or QOS", ""),
)
#: Complaints that go away by themselves.
_TRANSIENT = re.compile(
    r"Unable to contact slurm controller|Socket timed out|Connection refused|temporarily unable"
    r"|Zero Bytes were transmitted|Slurm backup controller|Communication connection failure"
    r"|Resource temporarily unavailable|Unexpected message received|Connection timed out"
)


def state_of(row: Row) -> State | None:
    """Our state for Slurm's; None for words that we do not know."""
    if row.state in WAITING:
        return State.PENDING
    if row.state in WORKING:
        return State.RUNNING
    return State(ENDS[row.state][0]) if row.state in ENDS else None


def waiting_words(row: Row, what: str, ahead: int | None, offset: float, now: float) -> str:
    """Why the job waits, in a sentence, and until when as far as Slurm knows.

    ``what`` is what it asks for, ``ahead`` how many jobs of its partition go first, ``offset``
    what the cluster's clock is ahead of ours in seconds.
    """
    reason = row.reason
    key = reason.strip("()").split(",")[0]
    words = REASONS.get(key)
    if words is None:
        words = next((said for pattern, said in _LIMITS if re.search(pattern, key)), None)
    if words is None:
        words = f"Slurm says {reason}"
    if key in ("Priority", "Resources"):
        if ahead:
            words = f"{ahead} job{'s' if ahead > 1 else ''} ahead"
        words = f"waiting for {what}: {words}"
    if row.start is not None and (start := row.start - offset) > now:
        words += f", expected start {_clock(start, now)}"
    return words


def _clock(moment: float, now: float) -> str:
    local, today = time.localtime(moment), time.localtime(now)
    if local[:3] == today[:3]:
        return time.strftime("%H:%M", local)
    return time.strftime("%a %H:%M" if moment - now < 6 * 86400 else "%d %b %H:%M", local)


def end_words(row: Row, *, cancelled: bool = False) -> tuple[str, str, str]:
    """State, cause and sentence for a job that ended without an exit record.

    ``cancelled`` is one that we told to end: a script that had no time to catch our signal failed.
    """
    state, cause, words = ENDS["CANCELLED" if cancelled and row.state == "FAILED" else row.state]
    if row.state == "TIMEOUT" and row.limit:
        limit = format_duration(row.limit)
        words = f"its {limit} were up and it did not end by itself; ask for more with --time"
    where = f" on {row.nodes}" if row.nodes and row.state != "NODE_FAIL" else ""
    if row.state == "NODE_FAIL" and row.nodes:
        words = f"its node {row.nodes} failed; submit it again"
    return state, cause, f"Slurm ended the job{where} ({row.state}): {words}"


def parse_refusal(text: str, asked: dict[str, str]) -> tuple[str, bool]:
    """Why sbatch refused, in a sentence, and whether it may accept the same later."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines
    said = (
        re.sub(r"^.*?error: (?:Batch job submission failed: )?", "", errors[-1]) if errors else ""
    )
    if _TRANSIENT.search(text):
        return f"Slurm's controller does not answer ({said.strip()})", True
    for pattern, words, option in _REFUSALS:
        if re.search(pattern, text):
            value = asked.get(option, "") if option else ""
            sentence = words.format(**{option: value}) if option else words
            return f"{sentence} (sbatch: {said.strip()})", False
    return f"sbatch refused the job: {said.strip() or 'without a word'}", False
