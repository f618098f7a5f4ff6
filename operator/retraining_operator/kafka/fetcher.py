"""kafka-python's fetcher with isolated partitions: an error of one does not stop the others.

If one partition has an error, kafka-python raises it from `poll` and requests the same bytes again
at once. It never gets past a batch that it cannot decode, and its retries use a whole core. This
fetcher stores the fault of a partition, applies a backoff to the partition, and replaces an
undecodable batch by an item after which reading continues.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from kafka import TopicPartition
from kafka.consumer.fetcher import CompletedFetch
from kafka.consumer.fetcher import Fetcher as LibraryFetcher
from kafka.errors import CorruptRecordError, KafkaError, NoError, UnknownError, for_code
from kafka.protocol.consumer import IsolationLevel

from retraining_operator.kafka.batches.item import UndecodableBatch
from retraining_operator.kafka.batches.partition_reader import PartitionReader
from retraining_operator.kafka.batches.record_batch import Fault
from retraining_operator.kafka.batches.transactions import AbortedTransaction
from retraining_operator.kafka.fetch_retries import PartitionBackoff, UnreadableOffsets
from retraining_operator.kafka.log_probe import LogProbe

KEPT_VALUE_LIMIT_BYTES = 1_048_576
"""Limit for the raw bytes of a batch whose end is unknown: they may be a whole response."""
POLL_LIMIT_BYTES = 4_194_304
"""Limit for the records of one poll. The records of the next one are decoded only then."""
BROKEN_LOG = (CorruptRecordError, UnknownError)


class Fetcher(LibraryFetcher):  # type: ignore[misc]  # the package ships no types
    """Fetches partitions independently of each other.

    Args:
        arguments: The arguments of kafka-python's fetcher.
        options: The options of kafka-python's fetcher.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.answered_at: dict[TopicPartition, float] = {}
        """When a broker last answered for a partition, in seconds of the monotonic clock."""
        self.ends: dict[TopicPartition, int] = {}
        """The offset after the last record that a reader may see."""
        self.faults: dict[TopicPartition, KafkaError] = {}
        """The last error of each partition; removed when the partition is read again."""
        self.log_probe = LogProbe(self)
        self._requested: dict[int, dict[TopicPartition, int]] = {}
        self._backoff = PartitionBackoff()
        self._unreadable_offsets = UnreadableOffsets()
        self._budget_bytes = POLL_LIMIT_BYTES
        self._max_wait_ms = self.config["fetch_max_wait_ms"]

    def forget(self, partition: TopicPartition) -> None:
        """Forget a partition that was reassigned, or whose position was changed."""
        self.answered_at.pop(partition, None)
        self.ends.pop(partition, None)
        self._clear_fault(partition)

    def _fetchable_partitions(self) -> list[TopicPartition]:
        now = time.monotonic()
        return [tp for tp in super()._fetchable_partitions() if self._backoff.is_due(tp, now)]

    def _create_fetch_requests(self) -> dict[int, tuple[Any, dict[TopicPartition, int]]]:
        # While a partition has no answer yet, request it without waiting for new records.
        is_new = any(
            tp not in self.answered_at for tp in self._subscriptions.fetchable_partitions()
        )
        self.config["fetch_max_wait_ms"] = 0 if is_new else self._max_wait_ms
        requests: dict[int, tuple[Any, dict[TopicPartition, int]]] = (
            super()._create_fetch_requests()
        )
        for node, (_, offsets) in requests.items():
            self._requested[node] = offsets
        return requests

    def fetched_records(self, *arguments: Any, **options: Any) -> Any:
        """Fetch records as kafka-python does, at most about POLL_LIMIT_BYTES at once.

        Args:
            *arguments: The arguments of kafka-python.
            **options: The options of kafka-python.

        Returns:
            The result of kafka-python.
        """
        self._budget_bytes = POLL_LIMIT_BYTES
        return super().fetched_records(*arguments, **options)

    def _append(
        self, drained: Any, part: PartitionReader, max_records: int, update_offsets: bool
    ) -> int:
        if not part:
            return 0
        part.budget_bytes = self._budget_bytes
        count = int(super()._append(drained, part, max_records, update_offsets))
        self._budget_bytes = part.budget_bytes
        # As many records as possible: kafka-python then asks no partition for more.
        return count if self._budget_bytes > 0 else max_records

    def _handle_fetch_response(
        self, node_id: int, fetch_offsets: Any, send_time: float, response: Any
    ) -> None:
        super()._handle_fetch_response(node_id, fetch_offsets, send_time, response)
        if response.error_code:
            return
        now = time.monotonic()
        failed = set()
        for topic in response.responses:
            for one in topic.partitions:
                if one.error_code:
                    failed.add(TopicPartition(topic.topic, one.partition_index))
        for partition in fetch_offsets:
            if partition not in failed:
                self.answered_at[partition] = now

    def _handle_fetch_error(self, node_id: int, exception: Exception) -> None:
        if node_id in self._session_handlers:
            self._session_handlers[node_id].handle_error(exception)
        for partition in self._requested.get(node_id, {}):
            self._backoff.extend(partition)

    def _parse_fetched_data(self, completed_fetch: CompletedFetch) -> PartitionReader | None:
        tp, data = completed_fetch.topic_partition, completed_fetch.partition_data
        kind = for_code(data.error_code)
        if kind is not NoError:
            self._subscriptions.move_partition_to_end(tp)
            return self._handle_error(completed_fetch, kind)
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
        self._store_end(tp, data)
        buffer = bytes(data.records or b"")
        if not buffer and position < self.ends.get(tp, -1):
            message = f"Kafka has records up to offset {self.ends[tp] - 1} but returns none"
            return self._handle_unreadable(build_item(tp, position, Fault.UNREADABLE, message))
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
        first = reader.take(1)
        if first:
            reader.put_back(first[0])
        elif reader.unreadable or (buffer and reader.is_stuck):
            message = "the response contains nothing for this offset"
            missing = build_item(tp, position, Fault.TRUNCATED, message, buffer)
            return self._handle_unreadable(reader.unreadable or missing)
        self._clear_fault(tp)
        if reader.next_fetch_offset != position and not first:
            # Only control records, or records of aborted transactions.
            state.position = state.position._replace(
                offset=reader.next_fetch_offset, leader_epoch=reader.leader_epoch
            )
        return reader if first else None

    def _store_end(self, tp: TopicPartition, data: Any) -> None:
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

    def _handle_error(
        self, fetch: CompletedFetch, kind: type[KafkaError]
    ) -> PartitionReader | None:
        tp = fetch.topic_partition
        if not self._subscriptions.is_assigned(tp):
            return None
        try:
            super()._parse_fetched_data(fetch)
        except KafkaError as error:
            self.faults[tp] = error
        else:
            self.faults[tp] = kind()
        self._backoff.extend(tp)
        position = self._subscriptions.assignment[tp].position
        if kind in BROKEN_LOG and position is not None and position.offset == fetch.fetched_offset:
            message = f"the broker cannot read its log there ({kind.message})"
            at = fetch.fetched_offset
            return self._handle_unreadable(build_item(tp, at, Fault.UNREADABLE, message))
        return None

    def _handle_unreadable(self, item: UndecodableBatch) -> PartitionReader | None:
        """Handle an unreadable offset: retry it, and if that has failed long enough, skip it."""
        tp = TopicPartition(item.topic, item.partition)
        self._backoff.extend(tp)
        if not self._unreadable_offsets.count_try(item):
            return None
        end = self.log_probe.find_readable(
            tp, item.first_offset, or_end=item.fault is not Fault.UNREADABLE
        )
        if end is None:
            return None
        self._clear_fault(tp)
        kept = None if item.value is None else item.value[:KEPT_VALUE_LIMIT_BYTES]
        return PartitionReader.of_one(replace(item, offset=end - 1, value=kept))

    def _clear_fault(self, tp: TopicPartition) -> None:
        self.faults.pop(tp, None)
        self._backoff.reset(tp)
        self._unreadable_offsets.reset(tp)


def build_item(
    tp: TopicPartition, offset: int, fault: Fault, message: str, value: bytes | None = None
) -> UndecodableBatch:
    """Build the item for an unreadable offset whose end is unknown.

    Args:
        tp: The partition.
        offset: The offset.
        fault: The kind of fault.
        message: What is wrong.
        value: The raw bytes, if the broker has sent any.

    Returns:
        An item for this one offset.
    """
    return UndecodableBatch(tp.topic, tp.partition, offset, offset, fault, message, value)
