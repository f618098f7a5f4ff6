"""The error tables: every class of SQLSTATE has a row, and unknown errors are retried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2 import errorcodes

from retraining_job.contract import (
    POSTGRES_ERRORS,
    REDIS_ERRORS,
    Failure,
    postgres_error,
    redis_error,
)
from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.postgres_errors import UNKNOWN

NO_ERRORS = {"00", "01", "02", "03"}
CODES = sorted(
    value for name, value in vars(errorcodes).items() if name.isupper() and len(value) == 5
)
ROWS = [*POSTGRES_ERRORS, *REDIS_ERRORS]


@pytest.mark.parametrize("code", CODES)
def test_every_code_of_postgresql_has_a_row(code: str) -> None:
    assert (postgres_error(code) is UNKNOWN) == (code[:2] in NO_ERRORS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.code)
def test_row_says_what_happened_and_what_to_do(row: ErrorClass) -> None:
    assert row.retried == (row.reason is Failure.DEPENDENCY_UNAVAILABLE)
    assert row.meaning[0].isupper()
    assert not row.meaning.endswith(".")
    assert row.advice.endswith(".")


def test_no_code_has_two_rows() -> None:
    for table in (POSTGRES_ERRORS, REDIS_ERRORS):
        assert len({row.code for row in table}) == len(table)


@given(st.text(max_size=5))
def test_unknown_code_is_retried_and_reported_as_unknown(code: str) -> None:
    for row in (postgres_error(f"Z{code}"), redis_error(f"Z{code}")):
        assert (row.reason, row.retried) == (Failure.DEPENDENCY_UNAVAILABLE, True)
        assert "does not know" in row.meaning
