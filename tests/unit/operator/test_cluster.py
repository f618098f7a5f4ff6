"""What the API server's refusals are taken for."""

import json

import pytest

from retraining_operator.cluster import AlreadyExists, ClusterAway, ClusterError, Conflict, Forbidden, Gone, read_error


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "Forbidden", Forbidden),
        (404, "NotFound", Gone),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", ClusterAway),  # a continued list; its kind is there all the same
        (429, "TooManyRequests", ClusterAway),
        (500, "InternalError", ClusterAway),
        (504, "Timeout", ClusterAway),
    ],
)
def test_answer_is_taken_for_what_it_is(status: int, reason: str, kind: type[ClusterError]) -> None:
    error = read_error(status, json.dumps({"kind": "Status", "message": "So it is.", "reason": reason}))
    assert type(error) is kind
    assert "So it is." in str(error)


def test_answer_that_is_no_status_is_given_as_it_is() -> None:
    assert str(read_error(502, "<html>Bad Gateway</html>")) == "The API server answered 502: <html>Bad Gateway</html>"
