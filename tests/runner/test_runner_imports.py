"""papermill comes without what a runner never calls, and with it where it cannot do without."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

STAND_INS = ("click", "entrypoints", "jsonschema", "requests", "tenacity", "yaml")


def loaded(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_nothing_of_the_stand_ins_is_left_behind() -> None:
    loaded(f"""
        import sys
        from jupyter_hybrid.runner.imports import load_papermill
        load_papermill()
        import papermill.execute, nbclient, nbformat
        assert not set({STAND_INS}) & set(sys.modules), sys.modules.keys()
        import jsonschema, tenacity, yaml
        assert yaml.safe_load("a: 1") == {{"a": 1}}
        assert tenacity.stop_after_attempt(3) is not None
    """)


def test_packages_of_clouds_are_left_alone() -> None:
    loaded("""
        import sys
        from jupyter_hybrid.runner.imports import CLOUDS, load_papermill
        load_papermill()
        import papermill.iorw
        assert not set(CLOUDS) & set(sys.modules), sys.modules.keys()
        assert papermill.iorw.S3.__module__ == "papermill.exceptions"
        import boto3
        assert boto3.Session
    """)


def test_a_papermill_that_needs_more_of_them_gets_the_real_ones() -> None:
    loaded("""
        import sys, types
        from jupyter_hybrid.runner import imports
        imports._stand_ins = lambda: {"yaml": types.ModuleType("yaml")}
        imports.load_papermill()
        import papermill.iorw, yaml
        assert issubclass(papermill.iorw.NoDatesSafeLoader, yaml.SafeLoader)
    """)
