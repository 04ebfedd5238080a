"""What can go wrong, on one screen.

Every message says what happened, with which value, and what to do next::

    HybridError                 (HTTP status, exit code)
     +-- UsageError             400, 2   the request cannot be carried out as it stands
     |    +-- NotebookError     400, 2   the notebook is missing or is not a notebook
     |    +-- ParameterError    400, 2   a parameter is unknown or has the wrong type
     |    +-- BundleError       400, 2   something that should travel cannot
     |    +-- ConfigError       400, 2   the configuration is wrong
     |    +-- ImageError        400, 2   an image is not there, not allowed, or of no use here
     |    +-- UnknownTarget     404, 2   no target has that name
     |    +-- UnknownJob        404, 2   no job has that id
     +-- Conflict               409, 1   somebody else changed the job meanwhile
     +-- StoreError             503, 1   the store cannot be read or written
     +-- PlaceError             502, 1   a place refused, or did not answer as it should
     |    +-- RegistryError     502, 1   so did a registry of images
     +-- ResultError            409, 1   results are incomplete, or not vouched for
     +-- JobFailed              422, 1   the job ended, but not well

This module is also imported by the runner, inside containers: Python 3.8, standard library only.
"""

from __future__ import annotations

from typing import Any, Optional


class HybridError(Exception):
    """jupyter-hybrid could not do what was asked."""

    #: HTTP status that the server answers with.
    status = 500
    #: Exit status of the command line.
    exit_code = 1

    def __init__(self, message: Optional[str] = None, **context: Any) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        #: Values the message speaks of, for callers that word it in another way.
        self.context = context

    def _render_traceback_(self) -> list[str]:
        """IPython's hook: a user sees the sentence, not our call stack."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(HybridError):
    """The request cannot be carried out as it stands."""

    status = 400
    exit_code = 2


class NotebookError(UsageError):
    """The notebook is missing or is not a notebook."""


class ParameterError(UsageError):
    """A parameter is unknown or has the wrong type."""


class BundleError(UsageError):
    """Something that should travel with the job cannot."""


class ConfigError(UsageError):
    """The configuration of jupyter-hybrid is wrong."""


class ImageError(UsageError):
    """An image is not there, not allowed, or of no use here."""


class UnknownTarget(UsageError):
    """No target has that name."""

    status = 404


class UnknownJob(UsageError):
    """No job has that id."""

    status = 404


class Conflict(HybridError):
    """Another process changed the job meanwhile."""

    status = 409


class StoreError(HybridError):
    """The store of jobs cannot be read or written."""

    status = 503


class PlaceError(HybridError):
    """A place refused, or did not answer as it should."""

    status = 502

    def __init__(
        self, message: Optional[str] = None, *, transient: bool = False, **context: Any
    ) -> None:
        super().__init__(message, **context)
        #: True where the same call may well succeed later.
        self.transient = transient


class RegistryError(PlaceError):
    """A registry of images refused, or did not answer as it should."""


class ResultError(HybridError):
    """The job's results are incomplete, or its key does not vouch for them."""

    status = 409


class JobFailed(HybridError):
    """The job ended, but not well."""

    status = 422
