"""The highest offset handled in each partition, kept in a ConfigMap: the guard that outlives requests and offsets.

Names keep a record from running twice while its RetrainRequest exists, and Kafka while the group's
offsets exist; both go in time. The ledger is written after a batch is handled and before its
offsets are committed. It only ever speaks of records that were handled, so two writers at once can
at worst know too little of each other, and then names guard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from retraining_operator.api.names import (
    ANNOTATION_TOUCHED,
    LABEL_MANAGED_BY,
    MANAGED_BY,
    build_handled_offsets_key,
)
from retraining_operator.api.trigger import KafkaPosition
from retraining_operator.kafka.progress import PartitionOffsets
from retraining_operator.kafka.start_position import FormerPartition
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import AlreadyExistsError, ConflictError, NotFoundError
from retraining_operator.kube.resources import CONFIG_MAPS

UNKNOWN = -1


@dataclass(frozen=True)
class HandledOffset:
    """What is known of one partition."""

    topic_id: str
    """Kafka's own id of the topic, another one after it was deleted and made again; empty where Kafka gives none."""
    offset: int = UNKNOWN
    latest_ms: int = UNKNOWN
    """The latest timestamp of all handled records: a record below `offset` that is later is of a new topic."""
    open: frozenset[int] = frozenset()
    """Offsets below that are not handled yet: malformed records that the dead-letter topic has not taken."""

    def covers(self, topic_id: str, origin: KafkaPosition) -> bool:
        """Tell whether a record was handled before; all that is known must agree, else it counts as new."""
        return (
            topic_id == self.topic_id
            and origin.timestamp_ms <= self.latest_ms
            and self.handled(origin.offset)
        )

    def handled(self, offset: int) -> bool:
        """Tell whether an offset of this very topic was handled."""
        return offset <= self.offset and offset not in self.open

    def merged(self, other: HandledOffset | None) -> HandledOffset:
        """Join with another writer's entry: what either has handled is handled.

        A topic made anew starts anew.
        """
        if other is None or other.topic_id != self.topic_id:
            return self
        return HandledOffset(
            self.topic_id,
            max(self.offset, other.offset),
            max(self.latest_ms, other.latest_ms),
            frozenset(
                at for at in self.open | other.open if not (self.handled(at) or other.handled(at))
            ),
        )


class HandledOffsets:
    """One topic's entries, by partition."""

    def __init__(self, cluster: KubeClient, name: str, topic: str) -> None:
        self._cluster = cluster
        self._name = name
        self._topic = topic
        self._manifest: dict[str, Any] | None = None
        self.entries: dict[int, HandledOffset] = {}

    async def load(self) -> None:
        """Read what is kept, where that was not done yet.

        Raises:
            ClusterError: where the API server is away or refuses.
        """
        if self._manifest is None:
            await self._reload()

    async def reload(self) -> int:
        """Read what is kept, whatever is known; another process may have written meanwhile.

        Returns:
            The resource version at which it was last written: every record that was handled since
                and is not in it has its RetrainRequest from a later version.

        Raises:
            ClusterError: where the API server is away or refuses.
        """
        await self._reload()
        if self._manifest is None or "resourceVersion" not in self._manifest["metadata"]:
            await self.touch()
        return int(self._manifest["metadata"]["resourceVersion"]) if self._manifest else 0

    async def touch(self) -> None:
        """Write it as it is, so that its resource version is a young one. Not while records are being handled.

        Raises:
            ClusterError: where the API server is away or refuses.
        """
        try:
            await self._write(
                {}, {ANNOTATION_TOUCHED: datetime.now(UTC).isoformat(timespec="seconds")}
            )
        except (ConflictError, NotFoundError):
            await self._reload()

    def covers(self, topic_id: str | None, origin: KafkaPosition) -> bool:
        """Tell whether a record was handled before."""
        entry = self.entries.get(origin.partition)
        return entry is not None and topic_id is not None and entry.covers(topic_id, origin)

    def replaced(self, topic_id: str | None) -> dict[int, FormerPartition]:
        """Return what is known of the partitions of an earlier topic of this name, and start their entries anew."""
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
        still_open: PartitionOffsets,
        put_aside: PartitionOffsets = frozenset(),
    ) -> None:
        """Keep that records were handled, but for those that are still open; write where that is news.

        Args:
            topic_id: of the topic that they are from.
            handled: records that are requests, or set aside, or named in `still_open`.
            still_open: partition and offset of malformed records that the dead-letter topic has not
                taken.
            put_aside: of those that it has taken since they were open.

        Raises:
            ClusterError: where the API server is away or refuses; the same call is to be repeated.
        """
        entries: dict[int, HandledOffset] = {}
        for origin in handled:
            known = (
                entries.get(origin.partition)
                or self.entries.get(origin.partition)
                or HandledOffset(topic_id)
            )
            entries[origin.partition] = HandledOffset(
                topic_id,
                max(known.offset, origin.offset),
                max(known.latest_ms, origin.timestamp_ms),
                known.open - {origin.offset},
            )
        for number in {partition for partition, _ in put_aside | still_open} & set(
            entries | self.entries
        ):
            known = entries.get(number) or self.entries[number]
            is_open = (known.open - offsets(put_aside, number)) | offsets(still_open, number)
            entries[number] = replace(known, open=is_open)
        news = {
            number: entry for number, entry in entries.items() if entry != self.entries.get(number)
        }
        while news:
            try:
                await self._write(news)
            except (
                ConflictError,
                NotFoundError,
            ):  # another writer was quicker, or somebody took the ledger away
                await self._reload()
                news = {
                    number: entry.merged(self.entries.get(number)) for number, entry in news.items()
                }
            else:
                self.entries |= news
                return

    async def _write(
        self, news: Mapping[int, HandledOffset], annotations: Mapping[str, str] | None = None
    ) -> None:
        manifest = self._manifest or empty_ledger(self._name, self._cluster.namespace)
        lines = {
            build_handled_offsets_key(self._topic, number): write_entry(self._topic, number, e)
            for number, e in news.items()
        }
        manifest = {**manifest, "data": {**(manifest.get("data") or {}), **lines}}
        if annotations:
            metadata = manifest["metadata"]
            metadata = {
                **metadata,
                "annotations": {**(metadata.get("annotations") or {}), **annotations},
            }
            manifest["metadata"] = metadata
        try:
            self._manifest = await (
                self._cluster.replace_config_map(manifest)
                if "resourceVersion" in manifest["metadata"]
                else self._cluster.create(CONFIG_MAPS, manifest)
            )
        except AlreadyExistsError as error:
            raise ConflictError(error.status, str(error)) from error

    async def _reload(self) -> None:
        try:
            self._manifest = await self._cluster.read(CONFIG_MAPS, self._name)
        except NotFoundError:
            self._manifest = empty_ledger(self._name, self._cluster.namespace)
        found = [read_entry(line) for line in (self._manifest.get("data") or {}).values()]
        kept = {partition: entry for topic, partition, entry in found if topic == self._topic}
        mine = {number: entry.merged(kept.get(number)) for number, entry in self.entries.items()}
        self.entries = {**kept, **mine}


def offsets(places: PartitionOffsets, partition: int) -> frozenset[int]:
    """Give the offsets in one partition."""
    return frozenset(offset for number, offset in places if number == partition)


def empty_ledger(name: str, namespace: str) -> dict[str, Any]:
    """Build the ConfigMap as it is first written; it belongs to no release and outlives an uninstallation."""
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL_MANAGED_BY: MANAGED_BY}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def write_entry(topic: str, partition: int, entry: HandledOffset) -> str:
    """Write an entry as one line of JSON, for people too."""
    return json.dumps(
        {
            "topic": topic,
            "partition": partition,
            "topicId": entry.topic_id,
            "offset": entry.offset,
            "latestTimestampMs": entry.latest_ms,
            "open": sorted(entry.open),
        }
    )


def read_entry(line: str) -> tuple[str, int, HandledOffset]:
    """Read topic, partition and entry; a line that a person has spoilt speaks of nothing."""
    try:
        fields = json.loads(line)
        return (
            fields["topic"],
            int(fields["partition"]),
            HandledOffset(
                fields["topicId"],
                int(fields["offset"]),
                int(fields["latestTimestampMs"]),
                frozenset(map(int, fields["open"])),
            ),
        )
    except (ValueError, KeyError, TypeError):
        return "", UNKNOWN, HandledOffset("")
