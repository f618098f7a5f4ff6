"""kafka-python's consumer with another fetcher, and with positions that only the caller sets.

kafka-python looks up committed offsets in `poll` and raises for all partitions if one has none.
With this consumer, a partition without a position is not read until the caller has set one.
"""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.structs import MemberState

from retraining_operator.kafka.client import build_client_options
from retraining_operator.kafka.fetcher import Fetcher
from retraining_operator.settings import Kafka

DYNAMIC_SESSION_SECONDS = 10
"""The group removes a killed member without a fixed identity after this time."""
STATIC_SESSION_SECONDS = 30
"""The same for a member with a fixed identity.

Its successor takes over at once, so this only has to be longer than the Lease. If the group removed
the member earlier, the broker would delay the group (group.initial.rebalance.delay.ms).
"""
METADATA_SECONDS = 10
"""New partitions, or a topic that was created again, are noticed after at most this time."""
MAX_RECONNECT_MS = 2000
FETCH_BYTES, PARTITION_FETCH_BYTES = 4_194_304, 524_288
"""Limits of an answer and of each partition in it. A larger batch is sent nevertheless, alone."""
AT_END = -1
"""Kafka's special timestamp for the end of a partition."""


class StartPositionMissingError(Exception):
    """A partition has no position, and the caller may set one now. Ends a poll early."""


class TopicConsumer(KafkaConsumer):  # type: ignore[misc]  # the package ships no types
    """Reads committed records of one topic.

    Args:
        settings: The brokers.
        group_id: The consumer group, or None to read without a group.
        instance_id: A fixed identity in the group, or None for a member that leaves the group
            with its connection.
        options: Further options of kafka-python's consumer.
    """

    def __init__(
        self, settings: Kafka, group_id: str | None, instance_id: str | None = None, **options: Any
    ) -> None:
        session = STATIC_SESSION_SECONDS if instance_id else DYNAMIC_SESSION_SECONDS
        grouped = (
            {"group_instance_id": instance_id, "session_timeout_ms": session * 1000}
            if group_id
            else {}
        )
        super().__init__(
            **build_client_options(settings),
            **grouped,
            group_id=group_id,
            enable_auto_commit=False,
            metrics_enabled=False,
            # the caller sets the start position
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            metadata_max_age_ms=METADATA_SECONDS * 1000,
            reconnect_backoff_max_ms=MAX_RECONNECT_MS,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            **options,
        )
        # kafka-python does not pass on its own option
        self._cluster.config["allow_auto_create_topics"] = False
        self.fetcher = self._fetcher = Fetcher(
            self._client, self._subscription, metrics=None, **self.config
        )
        self.placement_due_at: float | None = None
        """When positions may be set, in seconds of the monotonic clock; None for never."""

    def _poll_once(self, timer: Any, max_records: int, update_offsets: bool = True) -> Any:
        if not self.is_member:
            self._coordinator.poll(timeout_ms=timer.timeout_ms)
        if (
            self.placement_due_at is not None
            and self.placement_due_at <= time.monotonic()
            and self.find_unplaced()
        ):
            raise StartPositionMissingError
        return super()._poll_once(timer, max_records, update_offsets=update_offsets)

    def _refresh_committed_offsets(self, timeout_ms: float | None = None) -> bool:  # noqa: ARG002
        return True

    def find_unplaced(self) -> set[TopicPartition]:
        """Return the assigned partitions that have no position and are not being reset."""
        missing: set[TopicPartition] = self._subscription.missing_fetch_positions()
        return missing

    def clear_position(self, partition: TopicPartition) -> None:
        """Clear a partition's position, so that the caller sets it again."""
        state = self._subscription.assignment.get(partition)
        if state is not None:
            state.position = None
            state.reset_strategy = None
        self.fetcher.forget(partition)

    def get_current_offset(self, partition: TopicPartition) -> int | None:
        """Return the next offset to read, or None if it is unknown. Does not ask Kafka."""
        state = self._subscription.assignment.get(partition)
        position = state.position if state is not None else None
        return None if position is None else int(position.offset)

    @property
    def cluster_id(self) -> str:
        """Kafka's id of the cluster, or empty if Kafka has none."""
        return self._cluster.cluster_id or ""

    def get_topic_id(self, topic: str) -> str | None:
        """Return Kafka's id of a topic, or None if it is unknown."""
        known = self._cluster.topic_id(topic)
        return str(known) if known is not None and known.int else None

    def get_partition_numbers(self, topic: str) -> frozenset[int]:
        """Return the known partitions of a topic, empty if the topic is unknown.

        Does not ask Kafka.
        """
        return frozenset(self._cluster.partitions_for_topic(topic) or ())

    def is_forbidden(self, topic: str) -> bool:
        """Return whether Kafka has refused to describe a topic."""
        return topic in self._cluster.unauthorized_topics

    @property
    def is_static(self) -> bool:
        """Whether it has a fixed identity in the group."""
        return self.config["group_instance_id"] is not None

    @property
    def is_member(self) -> bool:
        """Whether this consumer is a member of its group."""
        return self._coordinator.state is MemberState.STABLE and not self._coordinator.need_rejoin()

    @property
    def is_fenced(self) -> bool:
        """Whether heartbeats have ended because another process took this member's identity."""
        return (
            self._coordinator.state is MemberState.STABLE
            and not self._coordinator._heartbeat_enabled
        )

    def rejoin(self) -> None:
        """Join the group again, so that the partitions are reassigned."""
        self._coordinator.request_rejoin()

    def fetch_committed(self, partitions: list[TopicPartition], timeout_seconds: float) -> Any:
        """Fetch the group's committed offsets with their metadata.

        Args:
            partitions: The partitions.
            timeout_seconds: How long to wait for the coordinator.

        Returns:
            kafka-python's OffsetAndMetadata by partition.

        Raises:
            KafkaError: If the coordinator does not answer.
        """
        return self._coordinator.fetch_committed_offsets(
            partitions, timeout_ms=int(timeout_seconds * 1000)
        )

    def find_coordinator(self, timeout_seconds: float) -> bool:
        """Find and connect to the group's coordinator. Return whether it was found in time.

        Raises:
            KafkaError: If the user has no right on the group.
        """
        return bool(
            self._coordinator.ensure_coordinator_ready(timeout_ms=int(timeout_seconds * 1000))
        )

    def find_offsets(
        self, timestamps: dict[TopicPartition, int], timeout_seconds: float
    ) -> dict[TopicPartition, int]:
        """Find offsets by timestamp.

        Args:
            timestamps: For each partition milliseconds since 1970 (UTC), or AT_END.
            timeout_seconds: How long to wait for the leaders.

        Returns:
            The first offset at or after the timestamp, for the partitions that have one.

        Raises:
            KafkaError: If a leader does not answer.
        """
        found = self._fetcher.offsets_by_times(dict(timestamps), int(timeout_seconds * 1000))
        return {partition: place.offset for partition, place in found.items() if place is not None}

    def get_leader_address(self, partition: TopicPartition) -> str | None:
        """Return host and port of a partition's leader, or None if it has none."""
        node = self._cluster.leader_for_partition(partition)
        return None if node in {None, -1} else self.get_address(node)

    def get_address(self, node: Any) -> str | None:
        """Return host and port of a broker as Kafka advertises them, or None if it is unknown."""
        broker = self._cluster.broker_metadata(node)
        return None if broker is None else f"{broker.host}:{broker.port}"

    def find_unreachable(self) -> list[str]:
        """Return the advertised addresses of brokers to which a needed connection is missing."""
        waiting = [
            node
            for node, connection in list(self._manager._conns.items())
            if not connection.connected
        ]
        failed = [
            node
            for node in {*self._manager._backoff, *waiting}
            if not self._cluster.is_bootstrap(node)
        ]
        addresses = {self.get_address(node) for node in failed}
        return sorted(address for address in addresses if address)

    def get_login_error(self) -> KafkaError | None:
        """Return the error of a failed login, which kafka-python never retries, or None."""
        failures = list(self._manager._auth_failures.values())
        return failures[0] if failures else None

    def refresh_metadata(self) -> None:
        """Request the metadata again."""
        self._cluster.request_update()
