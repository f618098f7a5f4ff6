"""`python -m retraining_operator replay`: makes the requests that are missing for a range of records, and only those.

Reads beside the operator, in no group, and commits nothing. The requests have the names that the
consumer gives them, so that a second replay, or the consumer at the same time, finds them made. The
ledger does not count here: a person asks.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Any

from retraining_operator.api.request import Manifest, build_request, same_trigger
from retraining_operator.api.trigger import MalformedRecordError
from retraining_operator.audit.table import AuditUnavailableError
from retraining_operator.audit.writer import known
from retraining_operator.intake.record_parser import format_position, parse_record
from retraining_operator.kafka.offset_range import ReplayError, Span, add_arguments, read_span
from retraining_operator.kafka.partition_reader import Item
from retraining_operator.kafka.reader import TopicReader
from retraining_operator.kube.client import (
    REQUESTS,
    AlreadyExistsError,
    ForbiddenError,
    KubeClient,
    KubeError,
    NoClusterAccessError,
    NotFoundError,
    RequestRefusedError,
    connect,
)
from retraining_operator.settings import Settings

PARALLEL_RECORDS = 8

Known = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Gives those of some RetrainRequests (namespace/name) that are in the database: they may be pruned in the cluster."""


class ReplayOutcome(StrEnum):
    """What became of one record."""

    MADE = "made"
    WOULD_BE_MADE = "would be made"
    EXISTS = "exists"
    FINISHED = "finished earlier"
    MALFORMED = "malformed"
    REFUSED = "refused"


class Replay:
    """Makes what is missing."""

    def __init__(self, cluster: KubeClient, known: Known, *, dry_run: bool) -> None:
        self._cluster = cluster
        self._known = known
        self._dry_run = dry_run
        self._places = asyncio.Semaphore(PARALLEL_RECORDS)

    async def make(self, records: Sequence[Item]) -> list[tuple[ReplayOutcome, str]]:
        """Make the missing requests of some records; give each record's fate and its line.

        Raises:
            KubeError: where the API server is away; what was made stays, and a repeat makes the
                rest.
        """
        manifests: dict[int, Manifest] = {}
        fates: dict[int, tuple[ReplayOutcome, str]] = {}
        for at, record in enumerate(records):
            try:
                manifests[at] = build_request(parse_record(record), self._cluster.namespace)
            except MalformedRecordError as error:
                fates[at] = (
                    ReplayOutcome.MALFORMED,
                    f"{format_position(record)} malformed ({error.kind}): {error}",
                )
        finished = await self._known([key_of(manifest) for manifest in manifests.values()])
        made = await asyncio.gather(
            *(self._make(manifest, finished) for manifest in manifests.values())
        )
        fates |= dict(zip(manifests, made, strict=True))
        return [fates[at] for at in sorted(fates)]

    async def _make(self, manifest: Manifest, finished: set[str]) -> tuple[ReplayOutcome, str]:
        name, trigger = manifest["metadata"]["name"], manifest["spec"]["trigger"]
        place = f"{trigger['topic']}/{trigger['partition']}/{trigger['offset']}"
        try:
            async with self._places:
                fate = (
                    ReplayOutcome.FINISHED
                    if key_of(manifest) in finished
                    else await self._create(manifest)
                )
        except (
            ForbiddenError,
            NotFoundError,
        ):  # no right, a quota, or no CRD: the next record would fare no better
            raise
        except RequestRefusedError as error:
            return ReplayOutcome.REFUSED, f"{place} {ReplayOutcome.REFUSED}: {error}"
        return fate, f"{place} {fate}: {name}"

    async def _create(self, manifest: Manifest) -> ReplayOutcome:
        name = manifest["metadata"]["name"]
        try:
            if not self._dry_run:
                await self._cluster.create(REQUESTS, manifest)
                return ReplayOutcome.MADE
            existing = await self._cluster.read(REQUESTS, name)
        except AlreadyExistsError:
            existing = await self._cluster.read(REQUESTS, name)
        except NotFoundError:
            if self._dry_run:
                return ReplayOutcome.WOULD_BE_MADE
            raise
        if not same_trigger(manifest, existing):
            raise RequestRefusedError(
                409, f"a RetrainRequest named {name} exists that is not this record's"
            )
        return ReplayOutcome.EXISTS


def key_of(manifest: Manifest) -> str:
    """Give namespace and name, as the database keeps them."""
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def known_by(settings: Settings) -> Known:
    """Ask the database.

    Raises:
        ReplayError: where there is none to ask.
    """
    if settings.database_url is None:
        raise ReplayError(
            "What is finished stands in the database: set DATABASE_URL, or say --without-database."
        )
    return partial(known, settings.database_url)


async def nothing_known(_: Sequence[str]) -> set[str]:
    """Stand in for a database that is not asked."""
    return set()


async def replay(
    source: TopicReader, span: Span, maker: Replay, say: Callable[[str], Any]
) -> Counter[ReplayOutcome]:
    """Replay a span; one line for each record and one to sum up.

    Raises:
        ReplayError: one sentence that says what to do.
    """
    fates: Counter[ReplayOutcome] = Counter()
    batches = source.read(span)
    try:
        while (records := await asyncio.to_thread(next, batches, None)) is not None:
            for fate, line in await maker.make(records):
                fates[fate] += 1
                say(line)
    except KubeError as error:
        raise ReplayError(
            f"{error} What was made stays; repeat the command for the rest."
        ) from error
    except AuditUnavailableError as error:
        raise ReplayError(
            f"{error}. Repeat the command once it can be, or say --without-database."
        ) from error
    finally:
        await asyncio.to_thread(batches.close)  # type: ignore[attr-defined]  # it is a generator
    say(
        f"{fates.total()} records: {', '.join(f'{count} {fate}' for fate, count in fates.items()) or 'none'}."
    )
    return fates


def add_parser(commands: Any) -> None:
    """Declare the command among those of `python -m retraining_operator`."""
    parser = commands.add_parser(
        "replay", help="make the requests that are missing for records of the topic"
    )
    add_arguments(parser)
    parser.add_argument(
        "--without-database",
        action="store_true",
        help="do not ask the database: what is finished and pruned from the cluster is made again",
    )


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Carry the command out; give the process' exit code."""
    try:
        span = read_span(arguments)
        asked = nothing_known if arguments.without_database else known_by(settings)
        async with connect(settings.namespace) as cluster:
            maker = Replay(cluster, asked, dry_run=arguments.dry_run)
            fates = await replay(TopicReader(settings.kafka), span, maker, print)
    except (ReplayError, NoClusterAccessError) as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command for a person
        return 1
    return 1 if fates[ReplayOutcome.REFUSED] else 0
