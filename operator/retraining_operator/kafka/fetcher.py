"""kafka-python's fetcher, with a boundary of its own: nothing that a broker answers for one partition stops the others.

The library raises from `poll` whatever one partition meets, and asks for the same bytes again at
once: it never gets past a batch that it cannot decode, and uses a whole core for that. Here a fault
of one partition is kept for whoever looks, the partition rests for a while, and a batch that cannot
be decoded becomes an item behind which reading goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import CompletedFetch
from kafka.consumer.fetcher import Fetcher as LibraryFetcher
from kafka.errors import CorruptRecordError, KafkaError, NoError, UnknownError, for_code
from kafka.protocol.consumer import FetchRequest, IsolationLevel, OffsetSpec

from retraining_operator.kafka.batches.item import UndecodableBatch
from retraining_operator.kafka.batches.partition_reader import PartitionReader
from retraining_operator.kafka.batches.record_batch import BatchError, Fault, read_batch
from retraining_operator.kafka.batches.transactions import AbortedTransaction

REST_SECONDS = 0.2
LONGEST_REST_SECONDS = 5.0
PATIENCE_SECONDS = 2.0
"""How long the same broken answer is asked for again: a connection may have spoilt it, or a leader may change."""
BROKER_PATIENCE_SECONDS = 30.0
"""The same where the broker itself cannot read its log: a replica may take over, or a disk come back."""
TRIES = 3
PROBE_SECONDS = 10.0
PROBE_BYTES = 1
LONGEST_KEPT_BYTES = 1_048_576
"""Of the raw bytes of a batch whose end is unknown: they may be a whole answer."""
BROKEN_LOG = (CorruptRecordError, UnknownError)


@dataclass
class Obstacle:
    """What a partition meets at one offset, again and again."""

    position: int
    since: float
    tries: int = 0


class Fetcher(LibraryFetcher):  # type: ignore[misc]  # the package ships no types
    """Fetches for each partition on its own. Takes the arguments of kafka-python's fetcher."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answered_at: dict[TopicPartition, float] = {}
        """When a broker last answered for a partition, by the monotonic clock."""
        self.ends: dict[TopicPartition, int] = {}
        """The offset behind the last record that a reader may see."""
        self.faults: dict[TopicPartition, KafkaError] = {}
        """What each partition met last; it goes when the partition is answered in order."""
        self.node_faults: dict[int, KafkaError] = {}
        self._asked: dict[int, dict[TopicPartition, int]] = {}
        self._rest_until: dict[TopicPartition, float] = {}
        self._rests: dict[TopicPartition, int] = {}
        self._obstacles: dict[TopicPartition, Obstacle] = {}
        self._longest_wait_ms = self.config["fetch_max_wait_ms"]

    def forget(self, partition: TopicPartition) -> None:
        """Forget what is known of a partition that is read elsewhere, or anew, from now on."""
        known: tuple[dict[TopicPartition, Any], ...] = (
            self.answered_at, self.ends, self.faults, self._rest_until, self._rests, self._obstacles,
        )  # fmt: skip
        for table in known:
            table.pop(partition, None)

    def _fetchable_partitions(self) -> list[TopicPartition]:
        now = time.monotonic()
        return [
            tp for tp in super()._fetchable_partitions() if self._rest_until.get(tp, 0.0) <= now
        ]

    def _create_fetch_requests(self) -> dict[int, tuple[Any, dict[TopicPartition, int]]]:
        # Nothing is known yet of a partition without an answer: ask without waiting for a record to
        # come.
        is_new = any(
            tp not in self.answered_at for tp in self._subscriptions.fetchable_partitions()
        )
        self.config["fetch_max_wait_ms"] = 0 if is_new else self._longest_wait_ms
        requests: dict[int, tuple[Any, dict[TopicPartition, int]]] = (
            super()._create_fetch_requests()
        )
        for node, (_, offsets) in requests.items():
            self._asked[node] = offsets
        return requests

    def _handle_fetch_response(
        self, node_id: int, fetch_offsets: Any, send_time: float, response: Any
    ) -> None:
        super()._handle_fetch_response(node_id, fetch_offsets, send_time, response)
        if response.error_code:
            return
        self.node_faults.pop(node_id, None)
        now = time.monotonic()
        failed = {
            TopicPartition(topic.topic, one.partition_index)
            for topic in response.responses
            for one in topic.partitions
            if one.error_code
        }
        for partition in fetch_offsets:
            if partition not in failed:
                self.answered_at[partition] = now

    def _handle_fetch_error(self, node_id: int, exception: Exception) -> None:
        if node_id in self._session_handlers:
            self._session_handlers[node_id].handle_error(exception)
        if isinstance(exception, KafkaError):
            self.node_faults[node_id] = exception
        for partition in self._asked.get(node_id, {}):
            self._rest(partition)

    def _parse_fetched_data(self, completed_fetch: CompletedFetch) -> PartitionReader | None:
        tp, data = completed_fetch.topic_partition, completed_fetch.partition_data
        kind = for_code(data.error_code)
        if kind is not NoError:
            self._subscriptions.move_partition_to_end(tp)
            return self._meet_error(completed_fetch, kind)
        state = self._subscriptions.assignment.get(tp)
        if (
            state is None
            or not state.is_fetchable()
            or state.position.offset != completed_fetch.fetched_offset
        ):
            return None
        if data.diverging_epoch is not None and data.diverging_epoch.end_offset >= 0:
            self._subscriptions.request_position_validation(tp)
            self._manager.cluster.request_update()
            return None
        return self._read(completed_fetch)

    def _read(self, fetch: CompletedFetch) -> PartitionReader | None:
        tp, data, position = fetch.topic_partition, fetch.partition_data, fetch.fetched_offset
        state = self._subscriptions.assignment[tp]
        self._note_end(tp, data)
        buffer = bytes(data.records or b"")
        if not buffer and position < self.ends.get(tp, -1):
            fault = f"Kafka has records up to offset {self.ends[tp] - 1} and gives none"
            return self._meet(at_offset(tp, position, Fault.UNREADABLE, fault))
        epoch = self._manager.cluster.leader_epoch_for_partition(tp)
        reader = PartitionReader(
            tp,
            position,
            buffer,
            data.high_watermark if data.high_watermark is not None else -1,
            [
                AbortedTransaction(one.producer_id, one.first_offset)
                for one in data.aborted_transactions or ()
            ],
            -1 if epoch is None else epoch,
        )
        reader.leader_epoch = state.position.leader_epoch
        first = reader.take(1)  # tells whether this answer leads anywhere
        if first:
            reader.put_back(first[0])
        elif reader.obstacle or (buffer and reader.is_stuck):
            nothing = at_offset(
                tp,
                position,
                Fault.TRUNCATED,
                "nothing in the answer belongs to this offset",
                buffer,
            )
            return self._meet(reader.obstacle or nothing)
        self._forget_fault(tp)
        if (
            reader.next_fetch_offset != position and not first
        ):  # only control records, or such as are left out
            state.position = state.position._replace(
                offset=reader.next_fetch_offset, leader_epoch=reader.leader_epoch
            )
        return reader if first else None

    def _note_end(self, tp: TopicPartition, data: Any) -> None:
        end = data.high_watermark
        stable = data.last_stable_offset
        if (
            self._isolation_level == IsolationLevel.READ_COMMITTED
            and stable is not None
            and stable >= 0
        ):
            end = stable
        if end is not None and end >= 0:
            self.ends[tp] = end
        if data.high_watermark is not None and data.high_watermark >= 0:
            self._subscriptions.assignment[tp].highwater = data.high_watermark

    def _meet_error(self, fetch: CompletedFetch, kind: type[KafkaError]) -> PartitionReader | None:
        tp = fetch.topic_partition
        if not self._subscriptions.is_assigned(tp):
            return None
        try:
            super()._parse_fetched_data(fetch)
        except KafkaError as error:
            self.faults[tp] = error
        else:
            self.faults[tp] = kind()
        self._rest(tp)
        position = self._subscriptions.assignment[tp].position
        if kind in BROKEN_LOG and position is not None and position.offset == fetch.fetched_offset:
            message = f"the broker cannot read its log there ({kind.message})"
            at = fetch.fetched_offset
            return self._meet(at_offset(tp, at, Fault.UNREADABLE, message))
        return None

    def _meet(self, item: UndecodableBatch) -> PartitionReader | None:
        """Meet what stands in the way without an end that is known; skip it if it stays."""
        tp = TopicPartition(item.topic, item.partition)
        now = time.monotonic()
        obstacle = self._obstacles.get(tp)
        if obstacle is None or obstacle.position != item.first_offset:
            obstacle = self._obstacles[tp] = Obstacle(item.first_offset, now)
        obstacle.tries += 1
        self._rest(tp)
        patience = BROKER_PATIENCE_SECONDS if item.fault is Fault.UNREADABLE else PATIENCE_SECONDS
        if obstacle.tries < TRIES or now - obstacle.since < patience:
            return None
        behind = self._find_readable(
            tp, item.first_offset, or_end=item.fault is not Fault.UNREADABLE
        )
        if behind is None:
            return None
        self._forget_fault(tp)
        kept = None if item.value is None else item.value[:LONGEST_KEPT_BYTES]
        return PartitionReader.of_one(replace(item, offset=behind - 1, value=kept))

    def _rest(self, tp: TopicPartition) -> None:
        rests = self._rests[tp] = self._rests.get(tp, -1) + 1
        seconds = min(REST_SECONDS * 2 ** min(rests, 10), LONGEST_REST_SECONDS)
        self._rest_until[tp] = time.monotonic() + seconds

    def _forget_fault(self, tp: TopicPartition) -> None:
        for table in (self.faults, self._rest_until, self._rests, self._obstacles):
            table.pop(tp, None)

    def _find_readable(self, tp: TopicPartition, position: int, *, or_end: bool) -> int | None:
        """Find the first offset behind a position that can be read again.

        Args:
            tp: The partition.
            position: What cannot be read.
            or_end: Whether to go to the partition's end if nothing before it can be read. If not,
                waiting costs nothing, since there is nothing to go on with, and a log that is
                mended meanwhile loses nothing.

        Returns:
            The offset; None if there is none at present.
        """
        deadline = time.monotonic() + PROBE_SECONDS
        failed, step = position, 1
        try:
            found = self.offsets_by_times({tp: OffsetSpec.LATEST}, int(PROBE_SECONDS * 1000))[tp]
            last = -1 if found is None else found.offset - 1
            while not self._is_readable(tp, position, tried := min(position + step, last)):
                if tried >= last and or_end and last >= position:
                    return last + 1
                if tried >= last or time.monotonic() > deadline:
                    return None
                failed, step = tried, step * 2
            while tried - failed > 1:
                middle = (failed + tried) // 2
                if self._is_readable(tp, position, middle):
                    tried = middle
                else:
                    failed = middle
        except (KafkaError, OSError):
            return None
        return tried

    def _is_readable(self, tp: TopicPartition, position: int, offset: int) -> bool:
        """Ask for one batch aside; return whether it is a whole one that begins behind the position.

        Raises:
            KafkaError: If the leader is unavailable.
        """
        if offset <= position:
            return False
        node = self._manager.cluster.leader_for_partition(tp)
        if node in {None, -1}:
            raise KafkaError("the partition has no leader")
        one = FetchRequest.FetchTopic.FetchPartition(
            partition=tp.partition, current_leader_epoch=-1, fetch_offset=offset, last_fetched_epoch=-1,
            partition_max_bytes=PROBE_BYTES,
        )  # fmt: skip
        request = FetchRequest(
            max_wait_ms=0, min_bytes=0, max_bytes=PROBE_BYTES, isolation_level=self._isolation_level, session_id=0,
            session_epoch=-1, topics=[FetchRequest.FetchTopic(topic=tp.topic, partitions=[one])],
            forgotten_topics_data=[], rack_id="", max_version=12,
        )  # fmt: skip
        response = self._net.run(self._ask, request, node)
        [data] = [found for topic in response.responses for found in topic.partitions]
        if data.error_code:
            return False
        try:
            batch = read_batch(bytes(data.records or b""), 0)
        except BatchError:
            return False
        return batch.base_offset > position and batch.last_offset >= offset

    async def _ask(self, request: Any, node: int) -> Any:
        return await self._manager.wait_for(
            self._manager.send(request, node_id=node), int(PROBE_SECONDS * 1000)
        )


def at_offset(
    tp: TopicPartition, offset: int, fault: Fault, message: str, value: bytes | None = None
) -> UndecodableBatch:
    """Build the item for something at an offset whose end is not known."""
    return UndecodableBatch(tp.topic, tp.partition, offset, offset, fault, message, value)
