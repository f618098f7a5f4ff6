"""The table `retraining_runs`: its columns, the statements that write it, and how a row is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from retraining_job.contract.verdict import FORMER_AWAITING_APPROVAL, Withheld

RUN_TABLE = "retraining_runs"


class OperatorUpdate(Enum):
    """What the operator's upsert does to a column of an existing row."""

    NEVER = "never"
    """The stored value stays."""
    REPLACE = "replace"
    """The new value replaces the stored one."""
    FILL = "fill"
    """The new value replaces the stored one unless it is null."""


class RunColumn(NamedTuple):
    """One column of `retraining_runs`.

    Args:
        name: Its name.
        sql_type: Its type and constraints, in the syntax of `CREATE TABLE`.
        meaning: What it holds.
        operator_update: What the operator's upsert does to it.
        in_first_schema: Whether the table has had it from the start. Databases that were migrated
            early lack the other columns, so these are added one by one.
        former_name: Its name in databases that an earlier trainer has migrated, if it differs.
    """

    name: str
    sql_type: str
    meaning: str
    operator_update: OperatorUpdate = OperatorUpdate.FILL
    in_first_schema: bool = True
    former_name: str = ""


NEVER, REPLACE = OperatorUpdate.NEVER, OperatorUpdate.REPLACE

RUN_COLUMNS = (
    RunColumn("run_id", "TEXT PRIMARY KEY", "The run's id; the request's UID.", NEVER),
    RunColumn("request", "TEXT", "The RetrainRequest as namespace/name.", NEVER),
    RunColumn("trigger_reason", "TEXT", "Why the retrain was requested.", NEVER),
    RunColumn("preset", "TEXT", "`recommended` or `reference`.", NEVER),
    RunColumn("verdict", "TEXT", "The verdict of the run; null if it failed.", NEVER),
    RunColumn("reason", "TEXT NOT NULL", "The reason of the verdict or failure.", REPLACE),
    RunColumn("message", "TEXT NOT NULL", "What happened, with the numbers.", REPLACE),
    RunColumn("version", "BIGINT", "The version that the run published."),
    RunColumn("champion_version", "BIGINT", "The version that it was evaluated against."),
    RunColumn("n_samples", "INTEGER", "The number of events read."),
    RunColumn("metrics", "JSONB", "The metrics of challenger and champion.", former_name="figures"),
    RunColumn("window_first", "TIMESTAMPTZ", "The time of the oldest event."),
    RunColumn("window_last", "TIMESTAMPTZ", "The time of the newest event."),
    RunColumn("started_at", "TIMESTAMPTZ NOT NULL", "When the run started.", NEVER),
    RunColumn("finished_at", "TIMESTAMPTZ NOT NULL", "When the run finished.", REPLACE),
    RunColumn("promoted", "BOOLEAN", "Whether the challenger went live.", REPLACE, False),
    RunColumn("withheld", "TEXT", "Why a fit challenger did not go live.", REPLACE, False),
    RunColumn(
        "approval_by",
        "TEXT",
        "Who approved or rejected it. `(unverified)` follows a name that was not verified.",
        in_first_schema=False,
        former_name="decided_by",
    ),
    RunColumn("restored_from", "BIGINT", "The version a rollback restored.", in_first_schema=False),
    RunColumn("evidence", "JSONB", "What led to the verdict.", in_first_schema=False),
    RunColumn("report", "TEXT", "The evidence as an HTML page.", in_first_schema=False),
    RunColumn("log_tail", "TEXT", "The last log lines of a failed run.", in_first_schema=False),
    RunColumn(
        "record_key",
        "TEXT",
        "A digest of the Kafka record; null without one.",
        in_first_schema=False,
    ),
)

CREATE_RUN_TABLE = (
    f"CREATE TABLE {RUN_TABLE} ("
    + ", ".join(
        f"{column.name} {column.sql_type}" for column in RUN_COLUMNS if column.in_first_schema
    )
    + f"); CREATE INDEX {RUN_TABLE}_finished_at ON {RUN_TABLE} (finished_at DESC);"
)
"""Creates the first schema of the table. `ADDED_COLUMNS` complete it."""

ADDED_COLUMNS = tuple(column for column in RUN_COLUMNS if not column.in_first_schema)
"""The columns that were added after the first schema."""

RENAMED_COLUMNS = tuple(column for column in RUN_COLUMNS if column.former_name)
"""The columns that an earlier trainer has created under another name."""


def trainer_upsert(names: Sequence[str]) -> str:
    """Build the trainer's upsert.

    A stored failure or announcement is always replaced. A stored verdict is replaced in two cases:
    only the new row has a published version, or the stored challenger waits for approval and the
    new row has a verdict.

    Args:
        names: The columns that are written.

    Returns:
        The statement, with a parameter `%(name)s` for each column.
    """
    changes = [f"{name} = EXCLUDED.{name}" for name in names]
    condition = "stored.verdict IS NULL OR stored.version IS NULL AND EXCLUDED.version IS NOT NULL"
    if "withheld" in names:
        condition += f" OR {_IS_PENDING} AND EXCLUDED.verdict IS NOT NULL"
    return _upsert(names, changes, condition)


def operator_upsert(names: Sequence[str]) -> str:
    """Build the operator's upsert.

    A stored verdict is never overwritten; a stored failure is replaced by the final outcome. If an
    approval could not be carried out, the verdict stays and the other columns change.

    Args:
        names: The columns that are written.

    Returns:
        The statement, with a parameter `%(name)s` for each column, and `%(is_answered)s` for
        whether an approval was to be carried out.
    """
    updates = {column.name: column.operator_update for column in RUN_COLUMNS}
    changes = []
    for name in names:
        if updates[name] is OperatorUpdate.REPLACE:
            changes.append(f"{name} = EXCLUDED.{name}")
        elif updates[name] is OperatorUpdate.FILL:
            changes.append(f"{name} = coalesce(EXCLUDED.{name}, stored.{name})")
    condition = "stored.verdict IS NULL"
    if "withheld" in names:
        condition += f" OR {_IS_PENDING} AND %(is_answered)s"
    return _upsert(names, changes, condition)


def writable_names(row: Mapping[str, Any], present: Collection[str]) -> list[str]:
    """Return the columns of a row that can be written.

    Args:
        row: Values by column; other keys are parameters of the statement.
        present: The columns that the table in this database has.

    Returns:
        The names, in the order of the declaration.
    """
    names = [column.name for column in RUN_COLUMNS]
    return [name for name in names if name in row and name in present]


_IS_PENDING = f"stored.withheld IN ('{Withheld.AWAITING_APPROVAL}', '{FORMER_AWAITING_APPROVAL}')"


def _upsert(names: Sequence[str], changes: Sequence[str], condition: str) -> str:
    columns = ", ".join(names)
    values = ", ".join(f"%({name})s" for name in names)
    return (
        f"INSERT INTO {RUN_TABLE} AS stored ({columns}) VALUES ({values}) "  # noqa: S608
        f"ON CONFLICT (run_id) DO UPDATE SET {', '.join(changes)} WHERE {condition}"
    )
