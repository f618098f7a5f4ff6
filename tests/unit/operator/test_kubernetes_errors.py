"""Answers of the API server are classified by status, reason and causes, not by their text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_operator.api.kubernetes_error_table import (
    CONFLICT,
    DENIED,
    FORBIDDEN,
    INVALID,
    KUBERNETES_ERRORS,
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
from retraining_operator.api.kubernetes_errors import (
    Answer,
    classify_answer,
    format_error,
    read_answer,
)
from retraining_operator.api.reasons import ConditionReason

FIELD = {"reason": "FieldValueInvalid", "message": "wrong", "field": "spec.template"}
WORDS = {"message": "no trainers here"}


@pytest.mark.parametrize(
    ("status", "reason", "causes", "row"),
    [
        (400, "BadRequest", [], UNREADABLE),
        (400, "", [], DENIED),
        (400, "Denied", [], DENIED),
        (401, "Unauthorized", [], UNAUTHORIZED),
        (403, "Forbidden", [], FORBIDDEN),
        (
            403,
            "Forbidden",
            [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}],
            NAMESPACE_ENDS,
        ),
        (403, "Forbidden", [WORDS], DENIED),
        (403, "", [], DENIED),
        (404, "NotFound", [], NAMESPACE_ENDS),
        (409, "Conflict", [], CONFLICT),
        (409, "", [], DENIED),
        (413, "RequestEntityTooLarge", [], TOO_LARGE),
        (413, "RequestEntityTooLarge", [WORDS], DENIED),
        (422, "Invalid", [FIELD], INVALID),
        (422, "Invalid", [WORDS], DENIED),
        (422, "Invalid", [], DENIED),
        (429, "TooManyRequests", [], THROTTLED),
        (500, "InternalError", [WORDS], WEBHOOK_UNAVAILABLE),
        (503, "ServiceUnavailable", [], UNAVAILABLE),
        (504, "Timeout", [], TIMED_OUT),
        (418, "", [], UNKNOWN),
        (502, "", [], UNKNOWN),
    ],
)
def test_answer_has_its_row(
    status: int, reason: str, causes: list[dict[str, str]], row: ErrorRow
) -> None:
    answer = read_answer(
        status, {"reason": reason, "message": "anything", "details": {"causes": causes}}
    )
    assert classify_answer(answer) is row


def test_only_an_error_that_would_occur_again_ends_a_run() -> None:
    final = [row.code for row in KUBERNETES_ERRORS if not row.retried]
    assert final == [INVALID.code, UNREADABLE.code, TOO_LARGE.code]
    assert UNKNOWN.retried
    assert "does not know" in UNKNOWN.meaning


def test_every_row_says_what_it_means_and_what_to_do() -> None:
    assert len({row.code for row in KUBERNETES_ERRORS}) == len(KUBERNETES_ERRORS)
    for row in KUBERNETES_ERRORS:
        assert row.reason in set(ConditionReason)
        assert row.meaning[0].isupper()
        assert not row.meaning.endswith(".")
        assert row.advice.endswith(".")


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.integers(0, 999),
    st.fixed_dictionaries({}, optional={"reason": json_values, "details": json_values}),
)
def test_body_of_any_shape_has_a_row(status: int, body: dict[str, Any]) -> None:
    assert classify_answer(read_answer(status, body)) in KUBERNETES_ERRORS
    causes = {"details": {"causes": body.get("details")}}
    assert classify_answer(read_answer(status, causes)) in KUBERNETES_ERRORS


def test_message_is_one_line_that_contains_the_server_s_message() -> None:
    assert classify_answer(Answer(451)) is UNKNOWN
    text = format_error(FORBIDDEN, "exceeded\nquota: team.")
    assert text == f"{FORBIDDEN.meaning}: exceeded quota: team. {FORBIDDEN.advice}"
