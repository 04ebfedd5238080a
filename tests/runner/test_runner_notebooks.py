"""Notebooks in every state of repair."""

from __future__ import annotations

import json

import pytest

from runner.jobs import Make


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "not JSON"),
        (b"[]", "not a notebook"),
        (b"{}", "not a notebook"),
        (b'{"nbformat": 4, "cells": {}}', "no list of cells"),
        (b'{"nbformat": 99, "cells": []}', "format 99"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_what_is_not_a_notebook(make: Make, content: bytes, words: str) -> None:
    record = make(content=content).run()
    assert (record.state, record.cause) == ("FAILED", "bad-notebook")
    assert words in record.message


def test_an_empty_notebook_completes(make: Make) -> None:
    job = make(content=b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []}')
    assert job.run().message == ""
    assert job.result["cells"] == []


def test_a_notebook_of_version_3(make: Make) -> None:
    cell = {
        "cell_type": "code",
        "input": "print 1\n".replace("print 1", "print(1)"),
        "language": "python",
        "outputs": [],
        "collapsed": False,
        "metadata": {},
    }
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    job = make(content=json.dumps(old).encode())
    assert job.run().message == ""
    assert job.text() == "1\n"


def test_a_notebook_without_cell_ids(make: Make) -> None:
    cells = [{"cell_type": "code", "metadata": {}, "source": ["print(1)\n", "1/0"]}]
    job = make(content=json.dumps({"nbformat": 4, "nbformat_minor": 2, "cells": cells}).encode())
    record = job.run()
    assert record.cause == "cell-error"
    assert [e.data["cell_id"] for e in job.events if e.kind == "cell"] == [record.cell_id]
    assert record.cell_id in [cell["id"] for cell in job.result["cells"]]
