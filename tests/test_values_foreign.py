"""Variables that another Python wrote: data comes, code is refused with the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_hybrid.values import MANIFEST, dump, load, pickling


def test_code_of_another_python_is_refused_before_it_can_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace: dict[str, Any] = {"plain": [1, 2]}
    exec("def f(x): return x\nclass A:\n    def g(self): return 1\na = A()", namespace)
    dump(namespace, ["plain", "f", "A", "a"], tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    manifest["python"] = [2, 7]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    # as in another process, where nothing of it is known
    monkeypatch.setattr(pickling, "_known", {})
    arrived: dict[str, Any] = {}
    loaded = load(tmp_path, arrived)
    assert [v.name for v in loaded.names] == ["plain"] and arrived["plain"] == [1, 2]
    assert {v.name for v in loaded.unreadable} == {"f", "A", "a"}
    assert all("functions of Python 2.7 cannot be read" in v.note for v in loaded.unreadable)
