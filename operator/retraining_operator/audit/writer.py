"""Records outcomes without blocking the event loop, several at a time over one short connection.

docs/decisions/0011 says why the operator does so. Writing a row again changes nothing, so a write
whose answer was lost is repeated.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import psycopg2

from retraining_operator.api.conditions import Condition
from retraining_operator.audit.connection import AuditUnavailableError, describe_error
from retraining_operator.audit.recorded import NO_DATABASE, build_unavailable_condition
from retraining_operator.audit.row import Row
from retraining_operator.audit.table import read_recorded_records, read_verdict, write_rows
from retraining_operator.contract import Result, UnreadableRowError, postgres_error

if TYPE_CHECKING:
    from pydantic import SecretStr

BATCH_SECONDS = 15
"""Time limit of a batch. The time limits of the connection do not cover a slow name service."""
BACKOFF_SECONDS = (0.5, 1, 2, 5, 10, 30, 60)
"""How long an unavailable database is not asked, after the first, second, ... failure."""

logger = logging.getLogger(__name__)


class AuditWriter:
    """Records outcomes in the database.

    Args:
        url: The database; None if there is none.
    """

    def __init__(self, url: SecretStr | None) -> None:
        self._url = url
        self._lock = asyncio.Lock()
        self._waiting: dict[str, Row] = {}
        self._answers: dict[str, Condition] = {}
        self._failures = 0
        self._problem: Condition | None = None
        self._retry_at = 0.0

    @property
    def backoff_seconds(self) -> float:
        """How long the database will not be asked, in seconds; 0 if it may be asked now."""
        return max(0.0, self._retry_at - time.monotonic()) if self._problem else 0.0

    async def record(self, row: Row) -> Condition:
        """Write a row and return the condition Recorded. Does not wait during a backoff."""
        if self._url is None:
            return NO_DATABASE
        run = row["run_id"]
        self._waiting[run] = row
        try:
            async with self._lock:
                if run in self._waiting:  # Otherwise the batch before has written it.
                    batch, self._waiting = self._waiting, {}
                    self._answers |= await self._write_batch(self._url, batch)
                return self._answers[run]
        finally:  # Also if this task is cancelled.
            self._waiting.pop(run, None)
            self._answers.pop(run, None)

    async def read_verdict(self, run_id: str) -> Result | None:
        """Read the verdict of a run. Returns None if there is none or no database answers."""
        if self._url is None or self.backoff_seconds:
            return None
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                return await asyncio.to_thread(read_verdict, self._url, run_id)
        except psycopg2.Error as error:
            problem = describe_error(error)
        except (AuditUnavailableError, UnreadableRowError) as error:
            problem = str(error)
        except TimeoutError:
            problem = f"it did not answer within {BATCH_SECONDS} s"
        logger.warning("Cannot read the verdict of run %s from the database: %s.", run_id, problem)
        return None

    async def _write_batch(self, url: SecretStr, batch: Mapping[str, Row]) -> dict[str, Condition]:
        if self._problem and self.backoff_seconds:
            return dict.fromkeys(batch, self._problem)
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                answers, problem = await asyncio.to_thread(write_rows, url, batch.values())
        except TimeoutError:
            answers = {}
            problem = build_unavailable_condition(
                f"The database did not answer within {BATCH_SECONDS} s"
            )
        self._problem = problem
        if problem is None:
            self._failures = 0
            return answers
        backoff = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._retry_at = time.monotonic() + backoff
        logger.warning("%s Retrying in %.1f s.", problem.message, backoff)
        return dict.fromkeys(batch, problem) | answers


async def find_recorded_records(url: SecretStr, keys: Sequence[str]) -> set[str]:
    """Find records whose run has ended, according to the database.

    Args:
        url: The database.
        keys: The keys of the records.

    Returns:
        Those whose run has ended.

    Raises:
        AuditUnavailableError: If the database is unavailable, refuses, or was not migrated, or if
            the URL is wrong.
    """
    try:
        return await asyncio.to_thread(read_recorded_records, url, keys)
    except psycopg2.Error as error:
        advice = postgres_error(error.pgcode).advice.rstrip(".")
        raise AuditUnavailableError(
            "Cannot read from the database which runs have ended: "
            f"{describe_error(error)}. {advice}"
        ) from None
