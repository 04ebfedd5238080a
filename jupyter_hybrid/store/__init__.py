"""What is remembered of jobs on the submitting side."""

from .jobs import Store
from .location import default_directory

__all__ = ["Store", "default_directory"]
