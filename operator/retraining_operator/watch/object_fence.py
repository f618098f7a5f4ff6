"""A fence around each object that is read: an error of one affects no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from retraining_operator.api.fields import Fields, MalformedObjectError
from retraining_operator.observability.problems import ObjectProblem, ProblemReporter


@contextmanager
def fence_object(problems: ProblemReporter, kind: str, body: Mapping[str, Any]) -> Iterator[None]:
    """Report an error of reading an object, and continue with the others.

    Args:
        problems: Reports the error once for each version of the object.
        kind: The kind of the object.
        body: The object.

    Yields:
        Once.
    """
    try:
        yield
    except MalformedObjectError as error:
        problems.report(
            ObjectProblem.UNREADABLE,
            build_key(kind, body),
            f"Ignored the {kind} {find_name(body)}: {error}. Check who has written it.",
        )
    except Exception as error:  # noqa: BLE001  # a defect must not stop the work for all others
        problems.report(
            ObjectProblem.DEFECT,
            build_key(kind, body),
            f"Ignored the {kind} {find_name(body)}: reading it failed because of a defect of the "
            "operator. Please report the traceback.",
            request_uid=Fields.of(body).fields("metadata").text("uid"),
            error=error,
        )


def find_name(body: Mapping[str, Any]) -> str:
    """Return the name of an object for a message, as far as it has one."""
    return Fields.of(body).fields("metadata").text("name") or "without a name"


def build_key(kind: str, body: Mapping[str, Any]) -> str:
    """Return a text that identifies one version of an object.

    Args:
        kind: The kind of the object.
        body: The object.

    Returns:
        The text.
    """
    metadata = Fields.of(body).fields("metadata")
    parts = (kind, metadata.text("name"), metadata.text("uid"), metadata.text("resourceVersion"))
    return "/".join(parts)
