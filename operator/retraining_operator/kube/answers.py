"""Reads the API server's successful answers. A proxy may have answered in its place."""

from __future__ import annotations

import json
from typing import Any

from retraining_operator.api.fields import Fields, is_object, read_integer
from retraining_operator.api.request import Manifest
from retraining_operator.kube.errors import ApiServerUnavailableError, read_watch_error
from retraining_operator.kube.resources import Listing

QUOTED_BYTES = 200
ADVICE = "Check whether a proxy has answered in its place."


def parse_object(body: bytes) -> Manifest:
    """Parse a JSON object.

    Raises:
        ApiServerUnavailableError: If it is something else.
    """
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ApiServerUnavailableError(
            f"The API server answered without JSON: {body[:QUOTED_BYTES].decode(errors='replace')}"
        )
    return found


def parse_watch_event(line: bytes) -> Manifest:
    """Parse one line of a watch.

    Returns:
        The watch event, with `type`, a text, and `object`, a JSON object.

    Raises:
        KubeError: If it is something else, or the error with which the watch ends.
    """
    event = parse_object(line)
    body = event.get("object")
    if not isinstance(event.get("type"), str) or not is_object(body):
        raise ApiServerUnavailableError(
            f"The API server sent a watch event without type or object. {ADVICE}"
        )
    if event["type"] == "ERROR":
        raise read_watch_error(Fields.of(body).integer("code"), json.dumps(body))
    return event


def read_items(answer: Manifest) -> list[Manifest]:
    """Read the objects of a list.

    Raises:
        ApiServerUnavailableError: If the answer is not a list.
    """
    items = answer.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiServerUnavailableError(f"The API server answered without a list. {ADVICE}")
    return items


def read_page(answer: Manifest) -> tuple[Listing, str]:
    """Read one page of a list.

    Returns:
        The page, and the token of the next page, empty if this is the last one.

    Raises:
        ApiServerUnavailableError: If the answer is not a list.
    """
    metadata = Fields.of(answer).fields("metadata")
    version = read_integer(metadata.values.get("resourceVersion"))
    if version is None:
        raise ApiServerUnavailableError(
            f"The API server answered with a list without a resource version. {ADVICE}"
        )
    token = metadata.values.get("continue")
    return Listing(read_items(answer), version), token if isinstance(token, str) else ""
