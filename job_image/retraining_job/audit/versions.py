"""The highest version that the audit trail knows, and the one whose loss is accepted.

A new version must be higher. A row may have been written by anybody, so a version that no run can
have does not count: otherwise one row would leave no number for the next model.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from retraining_job.audit.tables import Column, Tables
from retraining_job.contract import HIGHEST_VERSION, RUN_TABLE, VerdictReason

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection  # noqa: N812

LARGEST_NUMBERS = {"int2": 2**15 - 1, "int4": 2**31 - 1}
ROOM = 1_000
"""One part in so many of the numbers that a column can hold is left for later versions."""

LAST_VERSION = """
    SELECT coalesce(max(number) FILTER (WHERE number <= %(limit)s), 0),
        count(*) FILTER (WHERE number IS NULL OR number > %(limit)s)
    FROM (
        SELECT CASE WHEN written ~ '^[0-9]{{1,18}}$' THEN written::bigint END AS number
        FROM (SELECT left(version::text, 40) AS written FROM {table}) AS texts
        WHERE written ~ '^-?[0-9]+$' OR written IN ('NaN', 'Infinity', '-Infinity')
    ) AS numbers
"""
"""The highest version that counts, and the number of rows whose number does not count. Versions are
texts in some installations, so a text that is no number is ignored."""

ACCEPTED_VERSION = f"""
    SELECT coalesce(max(number), 0)
    FROM (
        SELECT CASE WHEN written ~ '^[0-9]{{1,18}}$' THEN written::bigint END AS number
        FROM (
            SELECT left(champion_version::text, 40) AS written FROM {RUN_TABLE}
            WHERE reason::text = '{VerdictReason.LOSS_ACCEPTED}' AND verdict IS NULL
        ) AS texts
    ) AS numbers
    WHERE number <= %s
"""  # noqa: S608  # only constants

log = logging.getLogger(__name__)


def get_version_limit(column: Column) -> int:
    """Return the highest version in the audit trail that counts.

    It leaves room for later versions in the column `version` of `model_versions`.

    Args:
        column: That column.

    Returns:
        The limit.
    """
    largest = min(LARGEST_NUMBERS.get(column.kind, HIGHEST_VERSION), HIGHEST_VERSION)
    if column.length is not None:
        largest = min(largest, 10**column.length - 1)
    return largest - largest // ROOM


def read_last_version(connection: Connection, tables: Tables) -> int:
    """Read the highest version in either table that a run can have.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.

    Returns:
        The version, 0 if there is none.
    """
    limit = get_version_limit(tables.versions["version"])
    highest = 0
    with connection.cursor() as cursor:
        for table in ["model_versions", *([RUN_TABLE] if tables.run_columns else [])]:
            cursor.execute(LAST_VERSION.format(table=table), {"limit": limit})
            version, ignored = cursor.fetchone() or (0, 0)
            highest = max(highest, int(version))
            if ignored:
                log.warning(
                    "%s rows of %s have a version that no run can have: it is no whole number from "
                    "0 to %s. They do not count. Correct or delete them.",
                    f"{ignored:,}",
                    table,
                    f"{limit:,}",
                )
    return highest


def read_accepted_version(connection: Connection, tables: Tables, last: int) -> int:
    """Read the highest version of which a person has accepted that Redis has lost it.

    Args:
        connection: With an open transaction.
        tables: The tables and columns that exist.
        last: The highest version ever recorded. Nobody can have accepted the loss of a higher one.

    Returns:
        The version, 0 if there is none.
    """
    if not tables.run_columns >= {"champion_version", "reason", "verdict"}:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(ACCEPTED_VERSION, [last])
        [version] = cursor.fetchone() or [0]
    return int(version)
