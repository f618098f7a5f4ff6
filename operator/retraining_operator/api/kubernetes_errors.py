"""Classification of the API server's answers to the creation of a Job.

Answers are classified by HTTP status, by the `reason` of the Status object and by its
`details.causes`, never by their English text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retraining_operator.api.kubernetes_error_table import (
    CONFLICT,
    DENIED,
    FORBIDDEN,
    INVALID,
    NAMESPACE_ENDS,
    THROTTLED,
    TIMED_OUT,
    TOO_LARGE,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNKNOWN,
    UNREADABLE,
    WEBHOOK_UNAVAILABLE,
    ErrorRow,
)

NAMESPACE_TERMINATING = "NamespaceTerminating"
CLIENT_TIMEOUT = "ClientTimeout"
"""The reason of an answer that did not come within the time limit of the call."""

OWN_ANSWERS: dict[tuple[int, str], ErrorRow] = {
    (400, "BadRequest"): UNREADABLE,
    (401, "Unauthorized"): UNAUTHORIZED,
    (403, "Forbidden"): FORBIDDEN,
    (404, "NotFound"): NAMESPACE_ENDS,
    (409, "Conflict"): CONFLICT,
    (413, "RequestEntityTooLarge"): TOO_LARGE,
    (422, "Invalid"): DENIED,
    (429, "TooManyRequests"): THROTTLED,
    (500, "InternalError"): WEBHOOK_UNAVAILABLE,
    (503, "ServiceUnavailable"): UNAVAILABLE,
    (504, "Timeout"): TIMED_OUT,
    (0, CLIENT_TIMEOUT): TIMED_OUT,
}
"""The API server's own answers, by HTTP status and reason."""
DENIALS = frozenset({400, 401, 403, 409, 413, 422})
"""HTTP statuses of a denial by an admission webhook or a policy.

A webhook that names no status gets 400 without a reason.
"""


@dataclass(frozen=True)
class Answer:
    """An error answer of the API server.

    Args:
        status: The HTTP status; 0 if no answer came.
        reason: The `reason` of the Status object; empty if there is none.
        causes: The `reason` of each of its `details.causes`.
        fields: The `field` of each of its `details.causes`.
        has_causes: Whether there are any causes.
        kind: The plural of the kind of object that the answer is about, such as `jobs`; empty if
            it names none.
    """

    status: int
    reason: str = ""
    causes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    has_causes: bool = False
    kind: str = ""


def read_answer(status: int, body: Mapping[str, Any]) -> Answer:
    """Read an error answer.

    A proxy may answer in place of the API server, so every part of the body may have any type.

    Args:
        status: The HTTP status.
        body: The parsed body, a Status object if it comes from the API server.

    Returns:
        The answer.
    """
    details = body.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    objects = causes if isinstance(causes, list) else []
    found = [cause for cause in objects if isinstance(cause, Mapping)]
    return Answer(
        status=status,
        reason=str(body.get("reason") or ""),
        causes=tuple(str(cause["reason"]) for cause in found if cause.get("reason")),
        fields=tuple(str(cause["field"]) for cause in found if cause.get("field")),
        has_causes=bool(found),
        kind=str(details.get("kind") or "") if isinstance(details, Mapping) else "",
    )


def classify_answer(answer: Answer) -> ErrorRow:
    """Return the row of the error table for an answer to the creation of a Job."""
    if answer.status == 403 and NAMESPACE_TERMINATING in answer.causes:
        return NAMESPACE_ENDS
    if answer.fields and answer.status == 422:
        return INVALID
    if answer.has_causes and answer.status in DENIALS:
        # A ValidatingAdmissionPolicy may use any of these statuses. Its causes name no field.
        return DENIED
    row = OWN_ANSWERS.get((answer.status, answer.reason))
    if row:
        return row
    return DENIED if answer.status in DENIALS else UNKNOWN


def format_error(row: ErrorRow, text: str) -> str:
    """Format the message of an error.

    Args:
        row: The row of the error table.
        text: What Kubernetes reports.

    Returns:
        What it means, what Kubernetes reports, and what to do.
    """
    return f"{row.meaning}: {' '.join(text.split()).rstrip('.')}. {row.advice}"
