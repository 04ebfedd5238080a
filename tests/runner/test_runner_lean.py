"""A kernel starts with few modules, and the user's code finds all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import jupyter_hybrid.runner

LEAN = Path(jupyter_hybrid.runner.__file__).with_name("lean.py")


def started(code: str) -> None:
    begin = f"scope = {{}}; exec(open({str(LEAN)!r}).read(), scope); scope['begin']()\n"
    program = begin + "import sys, ipykernel.kernelapp\n" + dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_manages_kernels_comes_when_it_is_used() -> None:
    started("""
        assert "jupyter_client.manager" not in sys.modules
        import jupyter_client
        assert jupyter_client.write_connection_file is jupyter_client.connect.write_connection_file
        assert "jupyter_client.manager" not in sys.modules
        from jupyter_client import KernelManager
        assert issubclass(jupyter_client.AsyncKernelManager, KernelManager)
        assert jupyter_client.session.Session is sys.modules["jupyter_client.session"].Session
        try:
            jupyter_client.nothing
        except AttributeError as error:
            assert "'jupyter_client' has no attribute 'nothing'" in str(error)
    """)


def test_all_of_it_comes_where_all_is_asked_for() -> None:
    started("""
        from jupyter_client import *
        assert KernelManager
    """)


def test_a_prompt_comes_when_it_is_used() -> None:
    started("""
        assert "prompt_toolkit" not in sys.modules
        from jupyter_hybrid.runner.bootstrap import let_import
        let_import()
        import IPython
        assert IPython.embed.__name__ == "embed"
        from IPython.terminal.embed import InteractiveShellEmbed
        assert "prompt_toolkit" in sys.modules and InteractiveShellEmbed
    """)
