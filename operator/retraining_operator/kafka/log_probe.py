"""Finds the first offset of a partition that can be read again after an unreadable one."""

from __future__ import annotations

import time
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.protocol.consumer import FetchRequest, OffsetSpec

from retraining_operator.kafka.batches.record_batch import BatchError, read_batch

PROBE_SECONDS = 10.0
PROBE_BYTES = 1


class LogProbe:
    """Requests single batches beside the fetcher's own requests.

    Args:
        fetcher: A fetcher of kafka-python, whose connections are used.
    """

    def __init__(self, fetcher: Any) -> None:
        self._fetcher = fetcher

    def find_readable(
        self, partition: TopicPartition, position: int, *, or_end: bool
    ) -> int | None:
        """Find the first offset after a position that can be read again.

        Searches with doubling steps, then by bisection.

        Args:
            partition: The partition.
            position: The unreadable offset.
            or_end: Whether to return the partition's end if no offset before it can be read. If
                not, the caller waits, which loses nothing if the log is repaired meanwhile.

        Returns:
            The offset, or None if there is none at present.
        """
        deadline = time.monotonic() + PROBE_SECONDS
        failed, step = position, 1
        try:
            last = self._find_last(partition)
            tried = min(position + step, last)
            while not self._is_readable(partition, position, tried):
                if tried >= last and or_end and last >= position:
                    return last + 1
                if tried >= last or time.monotonic() > deadline:
                    return None
                failed, step = tried, step * 2
                tried = min(position + step, last)
            while tried - failed > 1:
                middle = (failed + tried) // 2
                if self._is_readable(partition, position, middle):
                    tried = middle
                else:
                    failed = middle
        except (KafkaError, OSError):
            return None
        return tried

    def _find_last(self, partition: TopicPartition) -> int:
        """Return the last offset of a partition, or -1.

        Raises:
            KafkaError: If the leader does not answer.
        """
        found = self._fetcher.offsets_by_times(
            {partition: OffsetSpec.LATEST}, int(PROBE_SECONDS * 1000)
        )[partition]
        return -1 if found is None else int(found.offset) - 1

    def _is_readable(self, partition: TopicPartition, position: int, offset: int) -> bool:
        """Return whether the batch at an offset is complete and starts after the position.

        Raises:
            KafkaError: If the leader is unavailable.
        """
        if offset <= position:
            return False
        node = self._fetcher._manager.cluster.leader_for_partition(partition)
        if node in {None, -1}:
            raise KafkaError("the partition has no leader")
        request = build_request(partition, offset, self._fetcher._isolation_level)
        response = self._fetcher._net.run(self._send, request, node)
        [topic] = response.responses
        [data] = topic.partitions
        if data.error_code:
            return False
        try:
            batch = read_batch(bytes(data.records or b""), 0)
        except BatchError:
            return False
        return batch.base_offset > position and batch.last_offset >= offset

    async def _send(self, request: Any, node: int) -> Any:
        manager = self._fetcher._manager
        return await manager.wait_for(
            manager.send(request, node_id=node), int(PROBE_SECONDS * 1000)
        )


def build_request(partition: TopicPartition, offset: int, isolation_level: Any) -> Any:
    """Build a request for one batch.

    Args:
        partition: The partition.
        offset: An offset of the batch.
        isolation_level: The isolation level of the consumer.

    Returns:
        The fetch request.
    """
    one = FetchRequest.FetchTopic.FetchPartition(
        partition=partition.partition,
        current_leader_epoch=-1,
        fetch_offset=offset,
        last_fetched_epoch=-1,
        partition_max_bytes=PROBE_BYTES,
    )
    return FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=PROBE_BYTES,
        isolation_level=isolation_level,
        session_id=0,
        session_epoch=-1,
        topics=[FetchRequest.FetchTopic(topic=partition.topic, partitions=[one])],
        forgotten_topics_data=[],
        rack_id="",
        max_version=12,
    )
