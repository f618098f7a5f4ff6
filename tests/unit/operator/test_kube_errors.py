"""Conversion of the API server's error answers, and the connection."""

import json
from pathlib import Path

import pytest

from retraining_operator.kube.connection import connect, find_proxy
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ApiServerUnavailableError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NoClusterAccessError,
    NotFoundError,
    read_error,
)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (409, "AlreadyExists", AlreadyExistsError),
        (409, "Conflict", ConflictError),
        (
            410,
            "Expired",
            ApiServerUnavailableError,
        ),  # a continued list; its kind is there all the same
        (429, "TooManyRequests", ApiServerUnavailableError),
        (500, "InternalError", ApiServerUnavailableError),
        (504, "Timeout", ApiServerUnavailableError),
    ],
)
def test_error_answer_is_converted_by_status_and_reason(
    status: int, reason: str, kind: type[KubeError]
) -> None:
    error = read_error(
        status, json.dumps({"kind": "Status", "message": "So it is.", "reason": reason})
    )
    assert type(error) is kind
    assert "So it is." in str(error)


def test_answer_without_a_status_object_is_quoted() -> None:
    assert (
        str(read_error(502, "<html>Bad Gateway</html>"))
        == "The API server answered 502: <html>Bad Gateway</html>"
    )


def test_answer_that_is_nested_too_deep_is_quoted() -> None:
    assert type(read_error(502, "[" * 100_000)) is ApiServerUnavailableError


def test_proxy_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert find_proxy("https://api.example.com:6443") is None
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    assert find_proxy("https://api.example.com:6443") == "http://proxy.example.com:3128"
    monkeypatch.setenv("NO_PROXY", "10.96.0.1,.example.com")
    assert find_proxy("https://api.example.com:6443") is None
    assert find_proxy("https://10.96.0.1:443") is None


async def test_missing_cluster_access_is_reported_with_one_message(tmp_path: Path) -> None:
    with pytest.raises(NoClusterAccessError, match="KUBECONFIG"):
        async with connect("fraud", str(tmp_path / "none")):
            pass
