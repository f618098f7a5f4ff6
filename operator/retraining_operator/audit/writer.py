"""Rows of runs in the database that no trainer could write, and the tails of their logs. Driven by the worker.

See docs/decisions/0011 for why the operator does that. Writing a row again changes nothing, so a
write whose answer was lost is simply repeated.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import psycopg2
from pydantic import ValidationError

from retraining_operator.api.conditions import Values
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.audit.row import Row
from retraining_operator.audit.table import (
    AuditUnavailableError,
    build_unavailable_condition,
    describe_error,
    read_recorded_requests,
    read_verdict,
    write_rows,
)
from retraining_operator.contract import Result

if TYPE_CHECKING:
    from pydantic import SecretStr

BATCH_SECONDS = 15
"""A name service that hangs is not bounded by any of these."""
PAUSES_SECONDS = (0.5, 1, 2, 5, 10, 30, 60)
"""How long a database that was away is left alone, after the first, second, ... failure in a row."""
NO_DATABASE: Values = (
    "False",
    ConditionReason.NO_DATABASE,
    "The operator was started without DATABASE_URL, so the outcome stands here alone; the chart sets it.",
)

logger = logging.getLogger(__name__)


class AuditWriter:
    """Writes rows for whoever asks at the same time over one short-lived connection, and never for long."""

    def __init__(self, url: SecretStr | None) -> None:
        """Remember where the database is; None where there is none to write to."""
        self._url = url
        self._turn = asyncio.Lock()
        self._waiting: dict[str, Row] = {}
        self._answers: dict[str, Values] = {}
        self._failures = 0
        self._away: Values | None = None
        self._away_until = 0.0

    @property
    def backoff_seconds(self) -> float:
        """For how long a database that was away is still left alone."""
        return max(0.0, self._away_until - time.monotonic()) if self._away else 0.0

    async def record(self, row: Row) -> Values:
        """Write a row, and say what the condition Recorded says of it; at once while the database is left alone."""
        if self._url is None:
            return NO_DATABASE
        run = row["run_id"]
        self._waiting[run] = row
        try:
            async with self._turn:
                if run in self._waiting:  # else the one before has taken it along
                    batch, self._waiting = self._waiting, {}
                    self._answers |= await self._answered(self._url, batch)
                return self._answers[run]
        finally:  # also where this is cancelled
            self._waiting.pop(run, None)
            self._answers.pop(run, None)

    async def read_verdict(self, run_id: str) -> Result | None:
        """Give a run's verdict, where its trainer has recorded one and the database answers."""
        if self._url is None or self.backoff_seconds:
            return None
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                return await asyncio.to_thread(read_verdict, self._url, run_id)
        except psycopg2.Error as error:
            why = describe_error(error)
        except AuditUnavailableError as error:
            why = str(error)
        except (ValidationError, TimeoutError) as error:
            why = type(error).__name__
        logger.warning("The database cannot be asked for the verdict of run %s: %s.", run_id, why)
        return None

    async def _answered(self, url: SecretStr, batch: Mapping[str, Row]) -> dict[str, Values]:
        if self._away and self.backoff_seconds:
            return dict.fromkeys(batch, self._away)
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                answers, trouble = await asyncio.to_thread(write_rows, url, batch.values())
        except TimeoutError:
            answers, trouble = (
                {},
                build_unavailable_condition(
                    f"The database did not answer within {BATCH_SECONDS} s"
                ),
            )
        self._away = trouble
        if trouble is None:
            self._failures = 0
            return answers
        pause = PAUSES_SECONDS[min(self._failures, len(PAUSES_SECONDS) - 1)]
        self._failures += 1
        self._away_until = time.monotonic() + pause
        logger.warning("%s Trying again in %.1f s.", trouble[2], pause)
        return dict.fromkeys(batch, trouble) | answers


async def find_recorded_requests(url: SecretStr, requests: Sequence[str]) -> set[str]:
    """Give those of some requests, as namespace/name, whose run has ended before, by its row.

    Raises:
        AuditUnavailableError: the database is away or refuses, has no table retraining_runs, or the URL is
            wrong.
    """
    try:
        return await asyncio.to_thread(read_recorded_requests, url, requests)
    except psycopg2.Error as error:
        raise AuditUnavailableError(
            f"The database cannot be asked what is finished: {describe_error(error)}"
        ) from None
