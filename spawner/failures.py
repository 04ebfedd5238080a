"""Starts that fail for a reason that their user is told. Nothing is wrong with the hub then.

JupyterHub counts failed starts, and ends itself after some in a row (``consecutive_failure_limit``,
5 in zero-to-jupyterhub's chart): a wrong name of an image, sent five times, must not do that to
everybody. Since version 6 it leaves out its ``SpawnException``, which it also logs in one line.
"""

from __future__ import annotations

from typing import Any

from jupyterhub import spawner
from tornado.web import HTTPError

_Base: Any = getattr(spawner, "SpawnException", HTTPError)


class StartFailed(_Base):
    """The server cannot start; JupyterHub shows the message to its user."""

    #: What the hub's metrics call it.
    kind = "refused"
    code = 400

    def __init__(self, message: str) -> None:
        HTTPError.__init__(self, self.code, message, reason=self.kind)
        self.message = self.jupyterhub_message = message
        self.message_html = ""
        if _Base is not HTTPError:
            self.log_message = message

    def __str__(self) -> str:
        """The sentence alone."""
        return self.message


class NotOffered(StartFailed, ValueError):
    """The user asks for what is not to be had here."""

    kind = "not_offered"


class StartTimeout(StartFailed, TimeoutError):
    """The server did not start in its time."""

    kind = "timeout"
    code = 504
