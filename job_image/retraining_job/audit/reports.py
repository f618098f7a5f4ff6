"""Reading of stored reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.audit.tables import read_tables
from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.infra.postgres import database

if TYPE_CHECKING:
    from pydantic import SecretStr

REPORT = """
    SELECT report FROM retraining_runs
    WHERE run_id = %(run)s OR request = %(run)s OR request LIKE '%%/' || %(run)s
    ORDER BY run_id = %(run)s DESC, finished_at DESC LIMIT 1
"""


def read_report(database_url: SecretStr, run: str) -> str:
    """Read the report of a run.

    Args:
        database_url: The URL of the database.
        run: The run's id, or the name of its RetrainRequest, of which the newest run counts.

    Returns:
        The HTML page.

    Raises:
        BadDataError: There is no such run, or it has no report.
        BadConfigurationError: The database stores no reports.
    """
    with database(database_url) as connection:
        if "report" not in read_tables(connection).run_columns:
            raise BadConfigurationError(
                "The database has no column for reports. "
                'Run "python -m retraining_job migrate" to add it.'
            )
        with connection.cursor() as cursor:
            cursor.execute(REPORT, {"run": run})
            row = cursor.fetchone()
    if row is None:
        raise BadDataError(f"There is no run {run} in retraining_runs.")
    if row[0] is None:
        raise BadDataError(
            f"The run {run} has no report. Only evaluated runs of the recommended preset have one."
        )
    return str(row[0])
