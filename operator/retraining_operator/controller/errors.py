"""Errors that make the reconciler try a step again later."""

from __future__ import annotations

from retraining_operator.api.kubernetes_errors import classify_answer, format_error
from retraining_operator.controller.backoff import REFUSED_SECONDS
from retraining_operator.kube.errors import KubeError, RequestRefusedError


class RetryLaterError(Exception):
    """A step cannot be completed yet.

    The database has not accepted an outcome, a pod is still running, or a Job was rejected.

    Args:
        backoff_seconds: How long to wait before the next try.
    """

    def __init__(self, backoff_seconds: float) -> None:
        super().__init__()
        self.backoff_seconds = backoff_seconds


class JobNotCreatedError(Exception):
    """The API server has not created a Job, and may do so later.

    Args:
        error: The API server's error.
    """

    def __init__(self, error: KubeError) -> None:
        super().__init__(str(error))
        self.error = error
        self.message = format_refusal(error)

    @property
    def is_definite(self) -> bool:
        """Whether the Job certainly does not exist. After any other error it may exist."""
        return self.error.answer is not None and 400 <= self.error.answer.status < 500

    @property
    def retry_error(self) -> Exception:
        """The error to raise: a longer wait if the Job was rejected, else the original error."""
        if isinstance(self.error, RequestRefusedError):
            return RetryLaterError(REFUSED_SECONDS)
        return self.error


def format_refusal(error: KubeError) -> str:
    """Build the message for a Job that the API server did not create."""
    if error.answer is None:
        return str(error)
    return format_error(classify_answer(error.answer), error.server_message)
