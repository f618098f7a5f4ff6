"""Errors of calls to the API server, and how its error answers are converted into them."""

from __future__ import annotations

import json

from retraining_operator.api import names
from retraining_operator.api.kubernetes_errors import Answer, read_answer

REFUSED_STATUSES = {400, 403, 404, 405, 409, 413, 415, 422}
"""HTTP statuses that reject the call itself. After any other one the same call may succeed later.

410 is not among them: a list took so long that the API server has expired its continue token.
"""
GONE_STATUS = 410


class KubeError(Exception):
    """The API server did not do what was requested."""

    answer: Answer | None = None
    """Its error answer, or a stand-in if it did not answer in time. None if it was not reached."""
    _server_message: str = ""

    @property
    def server_message(self) -> str:
        """Return the API server's own message, or this error's text if there is none."""
        return self._server_message or str(self)


class ApiServerUnavailableError(KubeError):
    """The API server did not answer or could not serve. The same call may succeed later."""


class NoClusterAccessError(KubeError):
    """There is neither a service account nor a kubeconfig to connect with."""


class RequestRefusedError(KubeError):
    """The API server rejected the call.

    Args:
        status: The HTTP status.
        message: The API server's message.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class AlreadyExistsError(RequestRefusedError):
    """An object of that name exists."""


class ConflictError(RequestRefusedError):
    """The object has changed since it was read."""


class NotFoundError(RequestRefusedError):
    """The object, or its kind, does not exist."""

    @property
    def is_about_request(self) -> bool:
        """Whether it is a RetrainRequest that does not exist."""
        return self.answer is not None and self.answer.kind == names.PLURAL


class ForbiddenError(RequestRefusedError):
    """The service account lacks a right, or a quota is used up."""


class ExpiredError(KubeError):
    """The API server no longer has the changes since that resource version."""


def read_error(status: int, body: str) -> KubeError:
    """Parse an error answer.

    Args:
        status: The HTTP status.
        body: The answer's body: a Status object, or any text if a proxy answered.

    Returns:
        The error, with the classified answer and the API server's message.
    """
    try:
        content = json.loads(body)
        message, answer = str(content.get("message", body)), read_answer(status, content)
    except (ValueError, AttributeError, RecursionError):
        message, answer = body, Answer(status)
    error = _build_error(status, message, answer.reason)
    error.answer, error._server_message = answer, message
    return error


def read_watch_error(status: int, body: str) -> KubeError:
    """Parse the error with which a watch was rejected or has ended.

    Args:
        status: The HTTP status.
        body: A Status object.

    Returns:
        `ExpiredError` if the resource version is too old, else as `read_error`.
    """
    error = read_error(status, body)
    return ExpiredError(str(error)) if status == GONE_STATUS else error


def _build_error(status: int, message: str, reason: str) -> KubeError:
    if status not in REFUSED_STATUSES:
        return ApiServerUnavailableError(f"The API server answered {status}: {message}")
    if status == 409:
        return (AlreadyExistsError if reason == "AlreadyExists" else ConflictError)(status, message)
    kinds = {403: ForbiddenError, 404: NotFoundError}
    return kinds.get(status, RequestRefusedError)(status, message)
