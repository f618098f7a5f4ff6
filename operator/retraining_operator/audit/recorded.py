"""The condition Recorded: what the database answered to the row of a run."""

from __future__ import annotations

import psycopg2

from retraining_operator.api.conditions import Condition, ConditionType
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.audit.connection import describe_error
from retraining_operator.contract import postgres_error

MIGRATE = 'run "python -m retraining_job migrate" (database.migrate in the chart)'

DONE = Condition(
    ConditionType.RECORDED,
    "True",
    ConditionReason.RECORDED,
    "The outcome is in the table retraining_runs.",
)
NO_COLUMN = Condition(
    ConditionType.RECORDED,
    "True",
    ConditionReason.RECORDED,
    "The outcome is in the table retraining_runs, but the table lacks the column log_tail (the end "
    "of the log) or record_key (the record, by which a replay finds the run). "
    f"To add it, {MIGRATE}.",
)
NO_TABLE = Condition(
    ConditionType.RECORDED,
    "False",
    ConditionReason.NOT_MIGRATED,
    "The database has no table retraining_runs, so only this status has the outcome. "
    f"To add it, {MIGRATE}.",
)
NO_DATABASE = Condition(
    ConditionType.RECORDED,
    "False",
    ConditionReason.NO_DATABASE,
    "The operator was started without DATABASE_URL, so only this status has the outcome. "
    "Set database in the chart's values.",
)


def build_error_condition(error: psycopg2.Error) -> Condition:
    """Build the condition after an error of the database, classified by its SQLSTATE."""
    row = postgres_error(error.pgcode)
    text = f"{row.meaning}: {describe_error(error)}"
    if row.retried:
        return build_unavailable_condition(text)
    return build_refused_condition(f"{text}. {row.advice}")


def build_unavailable_condition(problem: str) -> Condition:
    """Build the condition while the database is unavailable."""
    return Condition(
        ConditionType.RECORDED,
        "False",
        ConditionReason.DATABASE_UNAVAILABLE,
        f"The outcome is not in the database yet. {problem.rstrip('.')}. The operator retries.",
    )


def build_refused_condition(problem: str) -> Condition:
    """Build the condition after an error that a person must correct."""
    return Condition(
        ConditionType.RECORDED,
        "False",
        ConditionReason.RECORD_REFUSED,
        f"The database does not accept the outcome. {problem.rstrip('.')}. The operator retries.",
    )
