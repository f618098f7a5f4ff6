"""Replays records of the topic: creates the RetrainRequests that are missing for them.

A replay reads without a consumer group and commits nothing. Its requests have the names that the
intake gives them, so a second replay, or the consumer at the same time, finds that they exist. The
handled offsets are ignored, because a person asks for the replay.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Any

from retraining_operator.api.record_request import build_request, compute_record_key
from retraining_operator.api.request import Manifest
from retraining_operator.api.trigger import MalformedRecordError, Trigger
from retraining_operator.audit.connection import AuditUnavailableError
from retraining_operator.intake.record_parser import format_position, parse_record
from retraining_operator.intake.replay_options import ReplayError
from retraining_operator.kafka.batches.item import Item
from retraining_operator.kafka.record_selection import RecordSelection, TopicReadError
from retraining_operator.kafka.topic_reader import TopicReader
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RequestRefusedError,
)
from retraining_operator.kube.resources import REQUESTS
from retraining_operator.watch.requested_positions import RequestedPositions

PARALLEL_RECORDS = 8

FindRecorded = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Returns those of some records, by their keys, whose run has a row in the database.

Their requests may have been deleted from the cluster since.
"""


class ReplayOutcome(StrEnum):
    """The outcome of a replay for one record."""

    CREATED = "created"
    WOULD_CREATE = "would be created"
    EXISTS = "exists"
    FINISHED = "finished earlier"
    MALFORMED = "malformed"
    REFUSED = "refused"


class Replay:
    """Creates missing RetrainRequests.

    Args:
        cluster: The API server.
        find_recorded: Finds the records whose requests have finished earlier.
        dry_run: Whether to create nothing.
    """

    def __init__(self, cluster: KubeClient, find_recorded: FindRecorded, *, dry_run: bool) -> None:
        self._cluster = cluster
        self._find_recorded = find_recorded
        self._dry_run = dry_run
        self._slots = asyncio.Semaphore(PARALLEL_RECORDS)
        self._requested: RequestedPositions | None = None
        """The records whose requests existed when the replay started, under any of their names."""

    async def create_missing(self, records: Sequence[Item]) -> list[tuple[ReplayOutcome, str]]:
        """Create the missing requests of some records.

        Returns:
            For each record its outcome and a line of text.

        Raises:
            KubeError: If the API server is unavailable. Requests that were created remain, and
                a repetition creates the rest.
        """
        requested = await self._list_requested()
        triggers: dict[int, Trigger] = {}
        outcomes: dict[int, tuple[ReplayOutcome, str]] = {}
        for index, record in enumerate(records):
            try:
                triggers[index] = parse_record(record)
            except MalformedRecordError as error:
                outcomes[index] = (
                    ReplayOutcome.MALFORMED,
                    f"{format_position(record)} malformed ({error.kind}): {error}",
                )
        possible = [self._build(trigger) for trigger in triggers.values()]
        keys = [key for manifest in possible if (key := compute_record_key(manifest))]
        finished = await self._find_recorded(keys)
        replayed = await asyncio.gather(
            *(self._replay_one(trigger, requested, finished) for trigger in triggers.values())
        )
        outcomes |= dict(zip(triggers, replayed, strict=True))
        return [outcomes[index] for index in sorted(outcomes)]

    async def _list_requested(self) -> RequestedPositions:
        if self._requested is None:
            requested = RequestedPositions()
            async for page in self._cluster.list_pages(REQUESTS):
                for body in page:
                    requested.add(body)
            self._requested = requested
        return self._requested

    def _build(self, trigger: Trigger, attempt: int = 0) -> Manifest:
        return build_request(trigger, self._cluster.namespace, attempt)

    async def _replay_one(
        self, trigger: Trigger, requested: RequestedPositions, finished: set[str]
    ) -> tuple[ReplayOutcome, str]:
        position, manifest = trigger.position, self._build(trigger)
        name = manifest["metadata"]["name"]
        try:
            async with self._slots:
                if compute_record_key(manifest) in finished:
                    outcome = ReplayOutcome.FINISHED
                elif known := requested.find(manifest):
                    outcome, name = ReplayOutcome.EXISTS, known
                else:
                    outcome, name = await self._create(trigger)
        except (ForbiddenError, NotFoundError):
            # A missing right, a quota or a missing CRD: the next record would fail as well.
            raise
        except RequestRefusedError as error:
            return ReplayOutcome.REFUSED, f"{position} {ReplayOutcome.REFUSED}: {error}"
        return outcome, f"{position} {outcome}: {name}"

    async def _create(self, trigger: Trigger) -> tuple[ReplayOutcome, str]:
        """Create a request under the first of its names that nobody else has taken.

        Returns:
            The outcome, and the name.
        """
        attempt, outcome = 0, None
        while outcome is None:
            manifest = self._build(trigger, attempt)
            outcome = await self._create_under_name(manifest)
            attempt += 1
        return outcome, manifest["metadata"]["name"]

    async def _create_under_name(self, manifest: Manifest) -> ReplayOutcome | None:
        """Create a request under its name. Returns None if the name is somebody else's."""
        name = manifest["metadata"]["name"]
        try:
            if not self._dry_run:
                await self._cluster.create(REQUESTS, manifest)
                return ReplayOutcome.CREATED
            existing = await self._cluster.read(REQUESTS, name)
        except AlreadyExistsError:
            existing = await self._cluster.read(REQUESTS, name)
        except NotFoundError:
            if self._dry_run:
                return ReplayOutcome.WOULD_CREATE
            raise
        is_own = compute_record_key(existing) == compute_record_key(manifest)
        return ReplayOutcome.EXISTS if is_own else None


async def replay(
    reader: TopicReader,
    selection: RecordSelection,
    replayer: Replay,
    write_line: Callable[[str], Any],
) -> Counter[ReplayOutcome]:
    """Replay the selected records.

    Args:
        reader: Reads the topic.
        selection: Which records.
        replayer: Creates the requests.
        write_line: Called with one line for each record and a last one that sums up.

    Returns:
        The number of records by outcome.

    Raises:
        ReplayError: If Kafka, the API server or the database is unavailable, or the selected
            records do not exist.
    """
    counts: Counter[ReplayOutcome] = Counter()
    batches = reader.read(selection)
    try:
        while (records := await asyncio.to_thread(next, batches, None)) is not None:
            for outcome, line in await replayer.create_missing(records):
                counts[outcome] += 1
                write_line(line)
    except TopicReadError as error:
        raise ReplayError(str(error)) from error
    except KubeError as error:
        raise ReplayError(
            f"{error} Requests that were created remain. Repeat the command for the rest."
        ) from error
    except AuditUnavailableError as error:
        raise ReplayError(
            f"{error}. Repeat the command once the database is available, or use "
            "--without-database."
        ) from error
    finally:
        await asyncio.to_thread(batches.close)  # type: ignore[attr-defined]  # it is a generator
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    write_line(f"{counts.total()} records: {summary or 'none'}.")
    return counts
