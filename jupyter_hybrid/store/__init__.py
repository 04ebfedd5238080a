"""What is remembered of jobs on the submitting side."""

from .jobs import Store
from .location import default_directory
from .preferences import Preferences

__all__ = ["Preferences", "Store", "default_directory"]
