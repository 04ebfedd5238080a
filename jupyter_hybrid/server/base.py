"""What all handlers share: who may, how a request is read, and how an error is worded."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from http.client import responses
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado.web import HTTPError, authenticated

from .. import documents
from ..blocking import aside
from ..errors import HybridError, UsageError
from . import contract, wording
from .workspace import said

if TYPE_CHECKING:
    from ..job import Job
    from ..manager import Manager
    from .service import Service

#: What Jupyter Server's authorizer is asked about.
RESOURCE = "jupyter-hybrid"
#: A value as JSON, in as few characters as it takes.
to_text = partial(documents.to_text, separators=(",", ":"))

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])


def endpoint(action: str, *also: tuple[str, str]) -> Callable[[Method], Method]:
    """A method of a handler, for signed-in users who may do ``action`` with jobs.

    ``also`` are pairs of (action, resource) that they must be allowed as well. Errors of ours are
    answered as the sentence that they are, with their HTTP status.
    """

    def wrap(method: Method) -> Method:
        @wraps(method)
        async def answered(self: Endpoint, *words: str) -> None:
            for other, resource in also:
                await self.require(other, resource)
            self.service.news.somebody_looks()
            try:
                await method(self, *words)
            except HybridError as error:
                self.refuse(error)

        permitted: Any = authorized(action=action, resource=RESOURCE)(answered)
        return cast("Method", authenticated(permitted))

    return wrap


class Endpoint(APIHandler):
    """One path of the OpenAPI document."""

    #: As the document writes it.
    path: ClassVar[str]
    auth_resource = RESOURCE

    def initialize(self, service: Service) -> None:
        """Called by tornado with what the extension made."""
        self.service = service

    @property
    def manager(self) -> Manager:
        """The manager of this server's user; raises ``ConfigError``."""
        return self.service.manager

    async def job(self, job_id: str) -> Job:
        """The record of the job with exactly this id; raises ``UnknownJob``."""
        return await aside(self.manager.store.get, job_id)

    async def require(self, action: str, resource: str) -> None:
        """Answer 403 unless the user may do that with Jupyter's own resource."""
        user = self.current_user
        if not await ensure_async(self.authorizer.is_authorized(self, user, action, resource)):
            raise HTTPError(403, f"User is not authorized to {action} on resource: {resource}.")

    def query(self) -> dict[str, Any]:
        """The query's values, in the types that the document gives them; raises ``UsageError``."""
        given = {name: self.get_query_argument(name) for name in self.request.query_arguments}
        return contract.read_query(self.path, str(self.request.method).lower(), given)

    def body(self) -> dict[str, Any]:
        """The body, which is as the document says; raises ``UsageError``."""
        text = self.request.body.strip()
        try:
            body = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            raise UsageError(f"the request's body is not JSON: {error}") from error
        contract.check_body(self.path, str(self.request.method).lower(), body)
        return cast("dict[str, Any]", body)

    def answer(self, value: Any, status: int = 200) -> None:
        """Answer with JSON, its sentences in the language that was asked for."""
        self.set_status(status)
        fields = wording.sentences_of(self.path, str(self.request.method).lower(), status)
        if fields is not None:
            language = wording.chosen_language(self.request.headers.get("Accept-Language", ""))
            self.set_header("Content-Language", language)
            self.add_header("Vary", "Accept-Language")
            value = wording.worded(value, fields, wording.catalogue(language).word)
        self.finish(to_text(value))

    def refuse(self, error: HybridError) -> None:
        """Answer with an error of ours, which is a sentence for the user."""
        self.answer({"message": str(error), "reason": type(error).__name__}, error.status)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """What was not foreseen is told in a sentence too; the server's log has the traceback."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        if isinstance(error, HTTPError):
            message = said(error) or responses.get(status_code, "")
            self.answer({"message": message, "reason": error.reason}, status_code)
            return
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        message = f"this should not have happened: {what}; the log of Jupyter Server has the rest"
        self.answer({"message": message, "reason": type(error).__name__}, status_code)
