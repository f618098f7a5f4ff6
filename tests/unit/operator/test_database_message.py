"""The message of the operator about an error of the database."""

import psycopg2
import pytest

from retraining_operator.audit.connection import describe_error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (psycopg2.OperationalError("connection refused\nIs it running?"), "connection refused"),
        (psycopg2.OperationalError(), "OperationalError"),
        (
            UnicodeDecodeError("utf-8", b"Verbindung \xfcberlastet\n", 11, 12, "x"),
            "Verbindung \ufffdberlastet",
        ),
        (UnicodeDecodeError("utf-8", b" \n", 0, 1, "x"), "an error without a message"),
        (ValueError(" "), "ValueError"),
    ],
    ids=["the first line", "no text", "another encoding", "nothing but space", "another error"],
)
def test_error_is_described_by_its_first_line_or_its_class(error: Exception, text: str) -> None:
    assert describe_error(error) == text
