"""Run a cell or a notebook on the machine it needs, and get everything back."""

from ._version import __version__

__all__ = ["__version__"]
