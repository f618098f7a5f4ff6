"""Reading of stored reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.audit.tables import read_tables
from retraining_job.contract import RUN_TABLE
from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.infra.read_only import read_only

if TYPE_CHECKING:
    from retraining_job.settings import AuditSettings

REPORT_LIMIT_CHARACTERS = 16_777_216
"""A longer text is no report of a trainer, whose reports have less than a megabyte."""

REPORT = f"""
    SELECT left(report::text, {REPORT_LIMIT_CHARACTERS + 1}) FROM {RUN_TABLE}
    WHERE run_id = %(run)s OR request = %(run)s OR request LIKE '%%/' || %(run)s
    ORDER BY run_id = %(run)s DESC, finished_at DESC LIMIT 1
"""  # noqa: S608  # only constants


def read_report(audit: AuditSettings, run: str) -> str:
    """Read the report of a run.

    Args:
        audit: Where runs are recorded.
        run: The run's id, or the name of its RetrainRequest, of which the newest run counts.

    Returns:
        The HTML page.

    Raises:
        BadDataError: There is no such run, or it has no report that a trainer can have written.
        BadConfigurationError: The database stores no reports.
    """
    with read_only(audit.database_url, audit.read_limits, RUN_TABLE) as reading:
        if "report" not in read_tables(reading.connection).run_columns:
            raise BadConfigurationError(
                "The database has no column for reports. "
                'Run "python -m retraining_job migrate" to add it.'
            )
        with reading.connection.cursor() as cursor:
            cursor.execute(REPORT, {"run": run})
            try:
                row = cursor.fetchone()
            except UnicodeDecodeError:
                raise BadDataError(f"The report of the run {run} is no text.") from None
    if row is None:
        raise BadDataError(f"There is no run {run} in {RUN_TABLE}.")
    [report] = row
    if report is None:
        raise BadDataError(
            f"The run {run} has no report. Only evaluated runs of the recommended preset have one."
        )
    if len(report) > REPORT_LIMIT_CHARACTERS:
        raise BadDataError(
            f"The report of the run {run} has more than {REPORT_LIMIT_CHARACTERS:,} characters, so "
            "no trainer has written it."
        )
    return str(report)
