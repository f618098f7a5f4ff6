"""Explains errors of kafka-python: what they mean and what to do.

An error is looked up by its own class, then by the classes that it derives from, so the most
specific row wins. An error that is not in the table is retried and reported as unknown.
"""

from __future__ import annotations

from retraining_operator.kafka.error_table import TABLE, UNKNOWN, KafkaErrorClass

BY_CLASS = {row.class_name: row for row in TABLE}


def classify(error: BaseException) -> KafkaErrorClass:
    """Return the row of an error."""
    for parent in type(error).__mro__:
        if row := BY_CLASS.get(parent.__name__):
            return row
    return UNKNOWN


def describe(error: BaseException) -> str:
    """Return class and message of an error. Some errors of kafka-python have no message."""
    return f"{type(error).__name__} {error}".strip().rstrip(".")


def explain(error: BaseException) -> str:
    """Return what an error means and what to do, with class and message in parentheses."""
    row = classify(error)
    return f"{row.meaning} {row.advice} ({describe(error)})"
