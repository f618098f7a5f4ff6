"""From outcome to the database: the old service's row for each promotion, and a row for every run. Driven by `run`.

Both rows are written in one transaction that can be repeated, also by two processes at once: the run id guards the
rows where the schema is migrated, the version and its time where it is not.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json, RealDictCursor

from retraining_job.contract import Contenders, Result, Verdict, Window
from retraining_job.database import SETTING, database
from retraining_job.errors import BadConfiguration

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.settings import TrainSettings

AUDIT_LOCK = 7_385_001
"""Number of the advisory lock under which rows are written; any number will do that others do not use."""

VERSION_COLUMNS = ("version", "trained_at", "trigger_reason", "precision_score", "n_samples")

COLUMNS = """
    SELECT attname, typname, CASE WHEN typname = 'varchar' AND atttypmod > 4 THEN atttypmod - 4 END
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tables:
    """What the database offers for the audit."""

    has_runs: bool
    has_run_id: bool
    reason_length: int | None
    """The longest reason that `model_versions` takes, where it has a limit."""


def check_tables(settings: TrainSettings) -> Tables:
    """Look what there is to write to, before any work is done for it.

    Raises:
        BadConfiguration: there is no table `model_versions`, or not with the old service's columns.
        DependencyAway: the database does not answer.
    """
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
    if not tables.has_runs:
        log.warning(
            "The database has no table retraining_runs, so only promotions are recorded, in model_versions. "
            'Run "python -m retraining_job migrate" to add it.'
        )
    return tables


def tables_of(connection: Connection) -> Tables:
    """Look what there is to write to."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS, ["model_versions"])
        columns = {name: (kind, length) for name, kind, length in cursor.fetchall()}
        cursor.execute("SELECT to_regclass('retraining_runs') IS NOT NULL")
        [has_runs] = cursor.fetchone() or [False]
    if not columns:
        raise BadConfiguration(
            f"The database of {SETTING} has no table model_versions, where promotions are recorded: "
            'run "python -m retraining_job migrate" to make it.'
        )
    if missing := [name for name in VERSION_COLUMNS if name not in columns]:
        raise BadConfiguration(
            f"The table model_versions in the database of {SETTING} lacks the columns {', '.join(missing)}."
        )
    return Tables(
        has_runs,
        has_run_id=columns.get("run_id", ("none", None))[0] in {"text", "varchar"},  # else it is not our column
        reason_length=columns["trigger_reason"][1],
    )


def recorded(settings: TrainSettings) -> Result | None:
    """Find the verdict that an earlier start of this run has recorded."""
    with database(settings.database_url) as connection:
        if not tables_of(connection).has_runs:
            return None
        with connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute("SELECT * FROM retraining_runs WHERE run_id = %s AND verdict IS NOT NULL", [settings.run_id])
            row = cursor.fetchone()
    return result_of(row) if row else None


def record(settings: TrainSettings, result: Result) -> None:
    """Write the rows of a run that are not there yet.

    Raises:
        BadConfiguration: the database refuses them.
        DependencyAway: the database does not answer.
    """
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        if result.promoted:
            insert_version(connection, tables, settings, result)
        if tables.has_runs:
            upsert_run(connection, row_of(settings, result))


def insert_version(connection: Connection, tables: Tables, settings: TrainSettings, result: Result) -> None:
    """Write the old service's row.

    Every value goes as text: PostgreSQL gives it the column's type, which differs between installations.
    """
    if result.figures is None:
        raise ValueError("a promotion has figures")
    precision = result.figures.challenger.precision
    row = {
        "version": str(result.version),
        # In whole seconds, so that a column of coarser times gives back what the guard below compares with.
        "trained_at": result.finished_at.replace(microsecond=0).isoformat(),
        "trigger_reason": settings.reason[: tables.reason_length],
        "precision_score": None if precision is None else f"{precision:.4f}",
        "n_samples": str(result.n_samples),
    }
    guards = ["version", "trained_at"]
    if tables.has_run_id:
        row["run_id"] = result.run_id
        guards = ["run_id"]
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    same = " AND ".join(f"{name} = %({name})s" for name in guards)
    statement = (
        f"INSERT INTO model_versions ({names}) SELECT {values} "  # noqa: S608  # names of our own
        f"WHERE NOT EXISTS (SELECT FROM model_versions WHERE {same})"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, row)


def upsert_run(connection: Connection, row: dict[str, Any]) -> None:
    """Write the run's row; a failure gives way to a verdict, and every verdict to the one that has published."""
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in row)
    statement = (
        f"INSERT INTO retraining_runs AS kept ({names}) VALUES ({values}) "  # noqa: S608  # names of our own
        f"ON CONFLICT (run_id) DO UPDATE SET {changes} "
        "WHERE kept.verdict IS NULL OR kept.version IS NULL AND EXCLUDED.version IS NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, row)


def row_of(settings: TrainSettings, result: Result) -> dict[str, Any]:
    """Lay a result out as a row of `retraining_runs`."""
    return {
        "run_id": result.run_id,
        "request": settings.request or None,
        "trigger_reason": settings.reason,
        "preset": settings.preset,
        "verdict": result.verdict,
        "reason": result.reason,
        "message": result.message,
        "version": result.version,
        "champion_version": result.champion_version,
        "n_samples": result.n_samples,
        "figures": Json(result.figures.model_dump(exclude_none=True)) if result.figures else None,
        "window_first": result.window.first if result.window else None,
        "window_last": result.window.last if result.window else None,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
    }


def result_of(row: dict[str, Any]) -> Result:
    """Read a result back from its row."""
    return Result(
        run_id=row["run_id"],
        verdict=Verdict(row["verdict"]),
        promoted=row["verdict"] == Verdict.PROMOTED,
        reason=row["reason"],
        message=row["message"],
        n_samples=row["n_samples"],
        version=row["version"],
        champion_version=row["champion_version"],
        window=Window(first=row["window_first"], last=row["window_last"], rows=row["n_samples"])
        if row["window_first"]
        else None,
        figures=Contenders.model_validate(row["figures"]) if row["figures"] else None,
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
