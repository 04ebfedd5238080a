"""Whatever is asked, the answer is one that the document promises; asked by schemathesis."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands import notebook, until
from servers import TOKEN, server

from jupyter_hybrid.server.contract import DOCUMENT

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
#: Requests to each operation, besides those that schemathesis makes of every keyword.
EXAMPLES = 15


#: Besides what is asked wrongly, a place, or a registry of images that a made-up name stands for,
#: may not do its part: 502, and no error of the server's. One of ours is a 500.
EXPECTED = '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "502"]\n'
#: What would take away the job that the others are asked about, or start dozens of them.
NOT_OF_A_JOB = ("deleteJob", "rerunJob")


@pytest.mark.timeout(400)
def test_nothing_that_is_asked_breaks_the_server(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    code = "print('ü'); open('made.txt', 'w').write('x')"
    (work / "work.ipynb").write_text(json.dumps(notebook(code, parameters="x = 1")))
    with server(work, home) as running:
        url = f"{running.url}jupyter-hybrid/api"
        job = running.ask("POST", "/jobs", {"path": "work.ipynb"})["id"]
        until(lambda: running.job(job)["final"], "the job's end")
        # about a job that is known
        settings = f'[parameters]\n"path.id" = "{job}"\n"query.path" = "work.ipynb"\n'
        (tmp_path / "schemathesis.toml").write_text(settings + EXPECTED)
        only = ["--include-path-regex", r"/jobs/\{id\}|/preferences"]
        for name in NOT_OF_A_JOB:
            only += ["--exclude-operation-id", name]
        ask_everything(tmp_path, url, *only)
        assert running.text(job) == "ü\n1\n"
        # and about whatever schemathesis thinks of, or finds in answers
        (tmp_path / "schemathesis.toml").write_text(EXPECTED)
        ask_everything(tmp_path, url)
        assert running.process.poll() is None
    log = (home / "server.log").read_text()
    assert "Traceback" not in log, log[log.index("Traceback") - 2000 :][:6000]


def ask_everything(directory: Path, url: str, *options: str) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(DOCUMENT), "--url", url]
    command += ["--header", f"Authorization: token {TOKEN}", "--checks", CHECKS, "--seed", "1"]
    command += ["--max-examples", str(EXAMPLES), "--no-color", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
