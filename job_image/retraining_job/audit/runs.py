"""From outcome to the database: the old service's row for each promotion, and a row for every run. Driven by `run`.

Both rows are written in one transaction that can be repeated, also by two processes at once: the
    run id guards the rows where the schema is migrated, the version and its time where it is not.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json, RealDictCursor

from retraining_job.audit.fitting import fitted
from retraining_job.audit.refusals import RefusedRowError, SilentRefusalError, checked, refusals
from retraining_job.audit.tables import Tables, tables_of
from retraining_job.contract import (
    RUN_TABLE,
    Result,
    Verdict,
    VerdictReason,
    read_row,
    trainer_upsert,
    writable_names,
)
from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.infra.postgres import database

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

    from retraining_job.audit.outcome import RunOutcome
    from retraining_job.settings import MigrateSettings, TrainSettings

AUDIT_LOCK = 7_385_001
"""Number of the advisory lock under which rows are written; any number will do that others do not use."""

LAST_VERSION = (
    "SELECT coalesce(max(version::text::bigint), 0) FROM {} WHERE version::text ~ '^[0-9]{{1,18}}$'"
)
"""Versions are texts in some installations."""

REPORT = """
    SELECT report FROM retraining_runs
    WHERE run_id = %(run)s OR request = %(run)s OR request LIKE '%%/' || %(run)s
    ORDER BY run_id = %(run)s DESC, finished_at DESC LIMIT 1
"""

as_json = partial(json.dumps, ensure_ascii=False)
"""Without escapes such as \\u00fc, which PostgreSQL reads in few encodings."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trail:
    """What the audit trail knows before a run does anything."""

    finished: Result | None
    """The verdict that an earlier start of this run has recorded."""
    last_version: int
    """The highest version ever recorded: no later one may be less, even where Redis was emptied. 0 for none."""


def read_trail(settings: TrainSettings) -> Trail:
    """Look what is recorded, and what there is to write to, before any work is done for it.

    Raises:
        BadConfigurationError: there is no table `model_versions`, or not with the old service's columns.
        DependencyAway: the database does not answer.
    """
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        trail = Trail(
            recorded(connection, tables, settings.run_id), last_version(connection, tables)
        )
    if not tables.run_columns:
        log.warning(
            "The database has no table retraining_runs, so only promotions are recorded, in model_versions. "
            'Run "python -m retraining_job migrate" to add it.'
        )
    return trail


def recorded(connection: Connection, tables: Tables, run_id: str) -> Result | None:
    """Find the verdict of a run."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        if tables.run_columns:
            cursor.execute(
                "SELECT * FROM retraining_runs WHERE run_id = %s AND verdict IS NOT NULL", [run_id]
            )
            if row := cursor.fetchone():
                return read_row(row)
        if tables.has_run_id:
            cursor.execute("SELECT * FROM model_versions WHERE run_id = %s", [run_id])
            if row := cursor.fetchone():
                return result_of_version(row)
    return None


def last_version(connection: Connection, tables: Tables) -> int:
    """Give the highest version in either table."""
    found = 0
    with connection.cursor() as cursor:
        for table in ["model_versions", *(["retraining_runs"] if tables.run_columns else [])]:
            cursor.execute(LAST_VERSION.format(table))
            [version] = cursor.fetchone() or [0]
            found = max(found, int(version))
    return found


def report_of(settings: MigrateSettings, run: str) -> str:
    """Give the report of a run, by its id or by the name of its RetrainRequest, of which the newest counts.

    Raises:
        BadDataError: there is no such run, or it has left no report.
    """
    with database(settings.database_url) as connection:
        if "report" not in tables_of(connection).run_columns:
            raise BadConfigurationError(
                'The database keeps no reports: run "python -m retraining_job migrate" to let it.'
            )
        with connection.cursor() as cursor:
            cursor.execute(REPORT, {"run": run})
            row = cursor.fetchone()
    if row is None:
        raise BadDataError(f"There is no run {run} in retraining_runs.")
    if row[0] is None:
        raise BadDataError(
            f"The run {run} has left no report: only runs of the recommended preset that were judged do."
        )
    return str(row[0])


def announce(settings: TrainSettings, outcome: RunOutcome) -> None:
    """Write down what is about to be published, once it is certain that it can be recorded.

    The evidence must be there even if the run dies right after it has published.

    Raises:
        BadConfigurationError: The database would refuse a row of the promotion.
        DependencyAway: The database does not answer.
    """
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        try_rows(connection, tables, settings, outcome)
        nothing_yet = {
            "verdict": None,
            "version": None,
            "promoted": False,
            "reason": VerdictReason.ANNOUNCED,
        }
        row = row_of(settings, outcome) | nothing_yet
        upsert_run(connection, tables, row)


def rehearse(settings: TrainSettings, outcome: RunOutcome) -> None:
    """Check that the rows of a promotion can be written, before anything is published.

    Raises:
        BadConfigurationError: The database refuses one of them; the text names table, constraint and
            value. DependencyAway: The database does not answer.
    """
    with database(settings.database_url) as connection:
        try_rows(connection, tables_of(connection), settings, outcome)


def try_rows(
    connection: Connection, tables: Tables, settings: TrainSettings, outcome: RunOutcome
) -> None:
    """Write both rows of a promotion, and take them back.

    That another run has taken the version meanwhile is no refusal: publishing notices it.

    Raises:
        BadConfigurationError: The database refuses one of them.
    """
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT rehearsal")
        try:
            insert_version(connection, tables, settings.reason, outcome.result)
            upsert_run(connection, tables, row_of(settings, outcome))
        except RefusedRowError as error:
            cursor.execute("ROLLBACK TO SAVEPOINT rehearsal")
            if error.is_duplicate and last_version(connection, tables) >= (
                outcome.result.version or 0
            ):
                return
            raise BadConfigurationError(f"{error} The challenger was not published.") from None
        cursor.execute("ROLLBACK TO SAVEPOINT rehearsal")


def record(settings: TrainSettings, outcome: RunOutcome) -> None:
    """Write the rows of a run that are not there yet.

    Raises:
        BadConfigurationError: The database refuses them; the text names table, constraint and value.
        DependencyAway: The database does not answer.
    """
    with database(settings.database_url) as connection:
        tables = tables_of(connection)
        lock(connection)
        if outcome.result.promoted:
            insert_version(connection, tables, settings.reason, outcome.result)
        upsert_run(connection, tables, row_of(settings, outcome))


def lock(connection: Connection) -> None:
    """Let one transaction at a time write the audit trail: not every installation has unique columns to rely on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])


def insert_version(connection: Connection, tables: Tables, reason: str, result: Result) -> None:
    """Write the old service's row.

    Every value goes as text: PostgreSQL gives it the column's type, which differs between
        installations.
    """
    precision = result.figures.challenger.precision if result.figures else None
    row: dict[str, Any] = {
        "version": str(result.version),
        # In whole seconds, so that a column of coarser times gives back what the guard below
        # compares with.
        "trained_at": result.finished_at.replace(microsecond=0).isoformat(),
        "trigger_reason": reason,
        "precision_score": None if precision is None else f"{precision:.4f}",
        "n_samples": None if result.n_samples is None else str(result.n_samples),
    }
    guards = ["version", "trained_at"]
    if tables.has_run_id:
        row["run_id"] = result.run_id
        guards = ["run_id"]
    row = fitted(row, tables.versions, tables.codec)
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    same = " AND ".join(f"{name} = %({name})s" for name in guards)
    there = f"SELECT FROM model_versions WHERE {same}"  # names of our own
    statement = f"INSERT INTO model_versions ({names}) SELECT {values} WHERE NOT EXISTS ({there})"
    with refusals(connection, tables, "model_versions", row), connection.cursor() as cursor:
        cursor.execute(f"{checked(statement)}; {there}", row)
        if cursor.fetchone() is None:
            raise SilentRefusalError


def upsert_run(connection: Connection, tables: Tables, row: dict[str, Any]) -> None:
    """Write the row of a run, if the table exists.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        row: Values by column. Columns that the table lacks are left out.

    Raises:
        RefusedRowError: The table refuses the row.
    """
    names = writable_names(row, tables.runs)
    if not names:
        return
    row = fitted({name: row[name] for name in names}, tables.runs, tables.codec)
    wrapped = {
        name: Json(value, dumps=as_json) if isinstance(value, dict) else value
        for name, value in row.items()
    }
    with refusals(connection, tables, RUN_TABLE, row), connection.cursor() as cursor:
        cursor.execute(checked(trainer_upsert(names)), wrapped)


def row_of(settings: TrainSettings, outcome: RunOutcome) -> dict[str, Any]:
    """Lay an outcome out as a row of `retraining_runs`, with what was asked for."""
    asked = {
        "request": settings.request or None,
        "trigger_reason": settings.reason,
        "preset": settings.preset,
    }
    return asked | facts_of(outcome)


def facts_of(outcome: RunOutcome) -> dict[str, Any]:
    """Lay out what became of a run; what is not known leaves standing what is there."""
    result = outcome.result
    row = {
        "run_id": result.run_id,
        "verdict": result.verdict,
        "promoted": result.promoted,
        "withheld": result.withheld,
        "reason": result.reason,
        "message": result.message,
        "version": result.version,
        "champion_version": result.champion_version,
        "n_samples": result.n_samples,
        "figures": result.figures.model_dump(exclude_none=True) if result.figures else None,
        "window_first": result.window.first if result.window else None,
        "window_last": result.window.last if result.window else None,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
    }
    beside = {
        "decided_by": outcome.decided_by,
        "restored_from": outcome.restored_from,
        "evidence": outcome.evidence.model_dump(mode="json") if outcome.evidence else None,
        "report": outcome.report,
    }
    return row | {name: value for name, value in beside.items() if value is not None}


def result_of_version(row: dict[str, Any]) -> Result:
    """Read what is left of a result where only the row of its promotion is."""
    return Result(
        run_id=row["run_id"],
        verdict=Verdict.PROMOTED,
        promoted=True,
        reason=VerdictReason.UNKNOWN,
        message=f"This run has put version {row['version']} live; its own row in retraining_runs is gone.",
        n_samples=row["n_samples"],
        version=int(row["version"]),
        started_at=row["trained_at"],
        finished_at=row["trained_at"],
    )
