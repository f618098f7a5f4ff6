"""Stores the highest handled offset of each partition in a ConfigMap.

Three things prevent a second run of a record: the name of its RetrainRequest while the request
exists, the offsets of the consumer group while Kafka stores them, and the handled offsets after
that. The handled offsets are written after a batch is handled and before its offsets are committed,
so they contain only records that were handled. If two processes write at once, an entry may lack
what only the other process has handled. Then the names prevent a second run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from retraining_operator.api.fields import Fields
from retraining_operator.api.names import (
    ANNOTATION_TOUCHED,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    build_handled_offsets_key,
)
from retraining_operator.api.trigger import KafkaPosition
from retraining_operator.intake.handled_offset import HandledOffset, format_entry, parse_entry
from retraining_operator.kafka.progress import PartitionOffsets
from retraining_operator.kafka.start_position import FormerPartition
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from retraining_operator.kube.resources import CONFIG_MAPS

logger = logging.getLogger(__name__)


class HandledOffsets:
    """The handled offsets of one topic by partition.

    Args:
        cluster: The API server.
        name: Name of the ConfigMap.
        topic: The topic. One ConfigMap may contain several.
    """

    def __init__(self, cluster: KubeClient, name: str, topic: str) -> None:
        self._cluster = cluster
        self._name = name
        self._topic = topic
        self._manifest: dict[str, Any] | None = None
        self._malformed: set[str] = set()
        """Keys of entries that were reported as malformed."""
        self.entries: dict[int, HandledOffset] = {}

    async def reload(self) -> int:
        """Read the ConfigMap, which another process may have written meanwhile.

        Returns:
            The resource version of the last write. A record that was handled since and is not
            included has a RetrainRequest of a later version.

        Raises:
            KubeError: If the API server is unavailable or refuses.
        """
        await self._read()
        if self._manifest is None or "resourceVersion" not in self._manifest["metadata"]:
            await self.touch()
        metadata = Fields.of(self._manifest).fields("metadata")
        return metadata.require_version() if self._manifest else 0

    async def touch(self) -> None:
        """Write the ConfigMap unchanged, to renew its resource version.

        Must not run while records are handled.

        Raises:
            KubeError: If the API server is unavailable or refuses.
        """
        try:
            await self._write(
                {}, {ANNOTATION_TOUCHED: datetime.now(UTC).isoformat(timespec="seconds")}
            )
        except (ConflictError, NotFoundError):
            await self._read()

    def covers(self, topic_id: str | None, position: KafkaPosition) -> bool:
        """Return whether a record was handled before.

        Args:
            topic_id: Kafka's id of the record's topic, or None if it is uncertain.
            position: The record's position.

        Returns:
            True if it was handled.
        """
        entry = self.entries.get(position.partition)
        return entry is not None and topic_id is not None and entry.covers(topic_id, position)

    def reset_former(self, topic_id: str | None) -> dict[int, FormerPartition]:
        """Reset the entries of an earlier topic of the same name, and return their content."""
        if topic_id is None:
            return {}
        former = {
            number: FormerPartition(frozenset({entry.offset + 1, *entry.open}), entry.latest_ms)
            for number, entry in self.entries.items()
            if entry.topic_id != topic_id
        }
        self.entries |= dict.fromkeys(former, HandledOffset(topic_id))
        return former

    async def advance(
        self,
        topic_id: str,
        handled: Iterable[KafkaPosition],
        open_offsets: PartitionOffsets,
        delivered: PartitionOffsets = frozenset(),
    ) -> None:
        """Store that records were handled. Writes only if that changes an entry.

        Args:
            topic_id: Kafka's id of the records' topic.
            handled: Records that are requests or dead letters, or named in `open_offsets`.
            open_offsets: Malformed records that the dead-letter topic has not acknowledged.
            delivered: Formerly open records that it has acknowledged since.

        Raises:
            KubeError: If the API server is unavailable or refuses. The call can be repeated.
        """
        entries: dict[int, HandledOffset] = {}
        for position in handled:
            number = position.partition
            known = entries.get(number) or self.entries.get(number) or HandledOffset(topic_id)
            entries[number] = replace(known, topic_id=topic_id).add(position)
        changed_numbers = {partition for partition, _ in delivered | open_offsets}
        for number in changed_numbers & set(entries | self.entries):
            known = entries.get(number) or self.entries[number]
            still_open = known.open - filter_partition(delivered, number)
            entries[number] = replace(
                known, open=still_open | filter_partition(open_offsets, number)
            )
        await self._store(
            {
                number: entry
                for number, entry in entries.items()
                if entry != self.entries.get(number)
            }
        )

    async def _store(self, changed: dict[int, HandledOffset]) -> None:
        while changed:
            try:
                await self._write(changed)
            except (ConflictError, NotFoundError):
                # Another process has written the ConfigMap, or somebody has deleted it.
                await self._read()
                changed = {
                    number: entry.merge(self.entries.get(number))
                    for number, entry in changed.items()
                }
            else:
                self.entries |= changed
                return

    async def _write(
        self, changed: Mapping[int, HandledOffset], annotations: Mapping[str, str] | None = None
    ) -> None:
        manifest = self._manifest or build_config_map(self._name, self._cluster.namespace)
        lines = {
            build_handled_offsets_key(self._topic, number): format_entry(self._topic, number, entry)
            for number, entry in changed.items()
        }
        manifest = {**manifest, "data": {**(manifest.get("data") or {}), **lines}}
        if annotations:
            metadata = manifest["metadata"]
            present = metadata.get("annotations") or {}
            manifest["metadata"] = {**metadata, "annotations": {**present, **annotations}}
        try:
            self._manifest = await (
                self._cluster.replace_config_map(manifest)
                if "resourceVersion" in manifest["metadata"]
                else self._cluster.create(CONFIG_MAPS, manifest)
            )
        except AlreadyExistsError as error:
            raise ConflictError(error.status, str(error)) from error

    async def _read(self) -> None:
        try:
            self._manifest = await self._cluster.read(CONFIG_MAPS, self._name)
        except NotFoundError:
            self._manifest = build_config_map(self._name, self._cluster.namespace)
        stored: dict[int, HandledOffset] = {}
        for key, line in Fields.of(self._manifest).fields("data").values.items():
            parsed = parse_entry(line)
            if parsed is None:
                self._log_malformed(str(key))
                continue
            topic, partition, entry = parsed
            if topic == self._topic:
                stored[partition] = entry
        merged = {number: entry.merge(stored.get(number)) for number, entry in self.entries.items()}
        self.entries = {**stored, **merged}

    def _log_malformed(self, key: str) -> None:
        """Log once that an entry cannot be read. Names still prevent a second run of a record."""
        if key not in self._malformed:
            self._malformed.add(key)
            logger.warning(
                "The entry %s of the ConfigMap %s is not one that the operator writes. It is "
                "ignored. The consumer group's offsets and the names of requests decide which "
                "records were handled.",
                key,
                self._name,
            )


def filter_partition(offsets: PartitionOffsets, partition: int) -> frozenset[int]:
    """Return the offsets of one partition.

    Args:
        offsets: Pairs of partition and offset.
        partition: The partition.

    Returns:
        Its offsets.
    """
    return frozenset(offset for number, offset in offsets if number == partition)


def build_config_map(name: str, namespace: str) -> dict[str, Any]:
    """Build the empty ConfigMap. It belongs to no Helm release, so it survives an uninstall.

    Args:
        name: Its name.
        namespace: Its namespace.

    Returns:
        The manifest.
    """
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
