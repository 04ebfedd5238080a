"""Run a cell or a notebook on the machine it needs, and get everything back."""

from __future__ import annotations

from typing import Any

from ._version import __version__

__all__ = ["Job", "Resources", "State", "__version__", "submit", "submit_async"]


def __getattr__(name: str) -> Any:
    """The Python interface, imported when it is first used: kernels import this package too."""
    if name in __all__:
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext jupyter_hybrid``: make ``%%remote`` and ``%remote`` known."""
    from .magics import register

    register(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Where Jupyter Server finds the extension; nobody else imports it."""
    from .server.app import HybridApp

    return [{"module": "jupyter_hybrid.server", "app": HybridApp}]
