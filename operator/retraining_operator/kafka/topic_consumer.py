"""kafka-python's consumer with two changes: its own fetcher, and positions that only the caller sets.

The library looks up committed offsets inside of `poll` and raises for all partitions where one has
none. Here a partition without a position is simply not read until `Membership` has placed it.
"""

from __future__ import annotations

import time
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError
from kafka.structs import MemberState

from retraining_operator.kafka.client import client_options
from retraining_operator.kafka.fetcher import Fetcher
from retraining_operator.settings import Kafka

DYNAMIC_SESSION_SECONDS = 10
"""When the group gives up a member that was killed and whose successor has another identity."""
STATIC_SESSION_SECONDS = 30
"""The same for a member with a fixed identity. Its successor takes over at once, so this only has to outlast the
Lease: were the member gone before, the broker would let the group wait for others
    (group.initial.rebalance.delay.ms).
"""
METADATA_SECONDS = 10
"""How long new partitions, or a topic that was deleted and created again, may go unnoticed."""
SLOWEST_RECONNECT_MS = 2000


class StartPositionMissingError(Exception):  # no error: ends a poll early
    """A partition has no position and can be given one now."""


class TopicConsumer(KafkaConsumer):  # type: ignore[misc]  # the package ships no types
    """Reads one topic, committed records only.

    Args:
        settings: Where Kafka is.
        group_id: The group; None to read beside all groups.
        instance_id: A fixed identity in the group; None for a member that is gone when its
            connection is.
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
            **client_options(settings),
            **grouped,
            group_id=group_id,
            enable_auto_commit=False,
            metrics_enabled=False,
            # where to start is decided by the caller, for each of its causes
            auto_offset_reset="none",
            isolation_level="read_committed",
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            metadata_max_age_ms=METADATA_SECONDS * 1000,
            reconnect_backoff_max_ms=SLOWEST_RECONNECT_MS,
            **options,
        )
        self._cluster.config["allow_auto_create_topics"] = (
            False  # kafka-python does not pass its own option on
        )
        self.fetcher = self._fetcher = Fetcher(
            self._client, self._subscription, metrics=None, **self.config
        )
        self.place_from: float | None = None
        """From when on partitions may be placed, by the monotonic clock; None if nobody places them."""

    def _poll_once(self, timer: Any, max_records: int, update_offsets: bool = True) -> Any:
        if not self.is_member:
            self._coordinator.poll(timeout_ms=timer.timeout_ms)
        if self.place_from is not None and self.place_from <= time.monotonic() and self.unplaced():
            raise StartPositionMissingError
        return super()._poll_once(timer, max_records, update_offsets=update_offsets)

    def _refresh_committed_offsets(self, timeout_ms: float | None = None) -> bool:  # noqa: ARG002
        return True

    def unplaced(self) -> set[TopicPartition]:
        """Return the assigned partitions that have no position and await none."""
        missing: set[TopicPartition] = self._subscription.missing_fetch_positions()
        return missing

    def unplace(self, partition: TopicPartition) -> None:
        """Remove a partition's position, so that it is placed again."""
        state = self._subscription.assignment.get(partition)
        if state is not None:
            state.position = None
            state.reset_strategy = None
        self.fetcher.forget(partition)

    def current(self, partition: TopicPartition) -> int | None:
        """Return the offset that is read next; None if that is not known. Does not ask Kafka."""
        state = self._subscription.assignment.get(partition)
        position = state.position if state is not None else None
        return None if position is None else int(position.offset)

    @property
    def cluster_id(self) -> str:
        """Kafka's id of the cluster; empty if it gives none."""
        return self._cluster.cluster_id or ""

    def topic_id(self, topic: str) -> str | None:
        """Return Kafka's id of a topic; None if none is known."""
        known = self._cluster.topic_id(topic)
        return str(known) if known is not None and known.int else None

    def partition_numbers(self, topic: str) -> frozenset[int]:
        """Return the partitions of a topic as far as they are known; empty if the topic is not.

        Does not ask Kafka.
        """
        return frozenset(self._cluster.partitions_for_topic(topic) or ())

    def may_not_see(self, topic: str) -> bool:
        """Return whether Kafka has refused to tell about a topic."""
        return topic in self._cluster.unauthorized_topics

    @property
    def is_static(self) -> bool:
        """Whether it has a fixed identity in the group."""
        return self.config["group_instance_id"] is not None

    @property
    def is_member(self) -> bool:
        """Whether the group has let this consumer in."""
        return self._coordinator.state is MemberState.STABLE and not self._coordinator.need_rejoin()

    @property
    def is_fenced(self) -> bool:
        """Whether heartbeats have ended because another process has this member's identity."""
        return (
            self._coordinator.state is MemberState.STABLE
            and not self._coordinator._heartbeat_enabled
        )

    def rejoin(self) -> None:
        """Join the group again, so that the partitions are shared out anew."""
        self._coordinator.request_rejoin()

    def fetch_committed(self, partitions: list[TopicPartition], timeout_seconds: float) -> Any:
        """Return the group's committed offsets with their metadata.

        Raises:
            KafkaError: If the coordinator does not answer.
        """
        return self._coordinator.fetch_committed_offsets(
            partitions, timeout_ms=int(timeout_seconds * 1000)
        )

    def find_coordinator(self, timeout_seconds: float) -> bool:
        """Look up and connect to the broker that keeps the group; return whether it was found in time.

        Raises:
            KafkaError: If the user has no right on the group.
        """
        return bool(
            self._coordinator.ensure_coordinator_ready(timeout_ms=int(timeout_seconds * 1000))
        )

    def offsets_at(
        self, timestamps: dict[TopicPartition, int], timeout_seconds: float
    ) -> dict[TopicPartition, int]:
        """Return offsets by timestamp (-1 for the end, -2 for the beginning), of the partitions that have one.

        Raises:
            KafkaError: If a leader does not answer.
        """
        found = self._fetcher.offsets_by_times(dict(timestamps), int(timeout_seconds * 1000))
        return {partition: place.offset for partition, place in found.items() if place is not None}

    def leader_address(self, partition: TopicPartition) -> str | None:
        """Return host and port of a partition's leader; None if there is none."""
        node = self._cluster.leader_for_partition(partition)
        return None if node in {None, -1} else self.address(node)

    def address(self, node: Any) -> str | None:
        """Return host and port of a broker as Kafka advertises them."""
        broker = self._cluster.broker_metadata(node)
        return None if broker is None else f"{broker.host}:{broker.port}"

    def unreachable(self) -> list[str]:
        """Return the advertised addresses of the brokers that are wanted and to which there is no connection."""
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
        return sorted({address for node in failed if (address := self.address(node))})

    def login_failure(self) -> KafkaError | None:
        """Return the refusal of a login, which the library keeps for good."""
        failures = list(self._manager._auth_failures.values())
        return failures[0] if failures else None

    def refresh_metadata(self) -> None:
        """Have the metadata read again soon."""
        self._cluster.request_update()
