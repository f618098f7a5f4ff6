"""What a proxy answers in the API server's place is an error that can be retried."""

import json

import pytest

from retraining_operator.api.request import Manifest
from retraining_operator.kube.answers import parse_object, parse_watch_event, read_items, read_page
from retraining_operator.kube.errors import ApiServerUnavailableError, ExpiredError

PAGE = {"metadata": {"resourceVersion": "7"}, "items": [{"a": 1}]}


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"<html>", b"\xff", b"[" * 100_000])
def test_answer_without_an_object_is_quoted(body: bytes) -> None:
    with pytest.raises(ApiServerUnavailableError, match="answered without JSON"):
        parse_object(body)


@pytest.mark.parametrize(
    "event", [{}, {"type": "ADDED"}, {"type": "ERROR", "object": 3}, {"type": 3, "object": {}}]
)
def test_watch_event_without_type_or_object_ends_the_watch(event: Manifest) -> None:
    with pytest.raises(ApiServerUnavailableError, match="without type or object"):
        parse_watch_event(json.dumps(event).encode())


@pytest.mark.parametrize(("code", "error"), [(410, ExpiredError), (500, ApiServerUnavailableError)])
def test_error_event_ends_the_watch(code: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_watch_event(json.dumps({"type": "ERROR", "object": {"code": code}}).encode())


@pytest.mark.parametrize("code", [None, "x", -1, 2**70, []])
def test_error_event_without_a_code_can_be_retried(code: object) -> None:
    with pytest.raises(ApiServerUnavailableError):
        parse_watch_event(json.dumps({"type": "ERROR", "object": {"code": code}}).encode())


def test_watch_event_is_returned() -> None:
    event = {"type": "ADDED", "object": {"a": 1}}
    assert parse_watch_event(json.dumps(event).encode()) == event


@pytest.mark.parametrize("items", [None, {}, "x", [3]])
def test_answer_without_objects_is_no_list(items: object) -> None:
    with pytest.raises(ApiServerUnavailableError, match="without a list"):
        read_items({"items": items})


@pytest.mark.parametrize("metadata", [None, [], {}, {"resourceVersion": "x"}])
def test_list_without_a_version_is_no_page(metadata: object) -> None:
    with pytest.raises(ApiServerUnavailableError, match="resource version"):
        read_page({**PAGE, "metadata": metadata})


@pytest.mark.parametrize(("token", "expected"), [("t", "t"), ("", ""), (None, ""), (3, "")])
def test_page_has_a_version_and_the_token_of_the_next(token: object, expected: str) -> None:
    page, found = read_page({**PAGE, "metadata": {"resourceVersion": "7", "continue": token}})
    assert (list(page), page.resource_version, found) == ([{"a": 1}], 7, expected)
