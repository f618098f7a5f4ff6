"""Kafka's errors by class: each has a meaning and an advice, also an unknown one."""

import builtins

import kafka.errors
import pytest

from retraining_operator.kafka import client
from retraining_operator.kafka.error_table import TABLE, UNKNOWN, KafkaErrorClass
from retraining_operator.kafka.errors import classify, explain


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.class_name)
def test_row_names_a_class_that_exists_and_says_what_to_do(row: KafkaErrorClass) -> None:
    places = (kafka.errors, client, builtins)
    assert any(hasattr(place, row.class_name) for place in places)
    assert row.retried
    assert all(text.endswith(".") for text in (row.meaning, row.advice))


def test_most_specific_class_counts() -> None:
    assert classify(kafka.errors.GroupAuthorizationFailedError()).reason == "GroupForbidden"
    assert classify(kafka.errors.RequestTimedOutError()).reason in {"Passing", "UnknownError"}


def test_unknown_error_is_retried_and_reported_as_unknown() -> None:
    assert classify(ValueError("odd")) is UNKNOWN
    assert UNKNOWN.retried
    assert "does not know" in explain(ValueError("odd"))
