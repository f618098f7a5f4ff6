"""What was sent, created and promoted, by topic, API server's audit log, Redis and PostgreSQL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from retraining_operator.api.names import build_request_name
from tests.cluster.paths import Paths
from tests.e2e.world import ClusterWorld
from tests.system.endpoints import broker

EVENT = '{"kind":"Event",'
CREATED = '"code":201'
LABEL = re.compile(r'"retraining\.dev/request":"([^"]+)"')


@dataclass(frozen=True)
class ChaosEvidence:
    """The state of the system at the end of a round."""

    records: list[str]
    """The names that the RetrainRequests of the records must have."""
    requests: dict[str, Any]
    jobs: Counter[str]
    """The number of Jobs ever created per request, by the API server's audit log."""
    versions: list[tuple[int, str]]
    """Version and run id of each row of model_versions."""
    runs: dict[str, tuple[str | None, int | None]]
    """Verdict and version of each row of retraining_runs."""
    live: int


def gather(world: ClusterWorld, topics: Iterable[str]) -> ChaosEvidence:
    """Read the state of the system after a round.

    Args:
        world: The release.
        topics: All topics that the run has used.

    Returns:
        The contents of topics, cluster, Redis and database.
    """
    versions = world.postgres.rows(
        "SELECT version, run_id FROM model_versions ORDER BY version::int"
    )
    runs = world.postgres.rows(
        "SELECT run_id, verdict, version FROM retraining_runs WHERE reason <> 'announced'"
    )
    return ChaosEvidence(
        records=[name for topic in topics for name in records(topic)],
        requests=world.requests(),
        jobs=created_jobs(world.kubectl.namespace),
        versions=[(int(version), run) for version, run in versions],
        runs={run: (verdict, int(version) if version else None) for run, verdict, version in runs},
        live=int(world.redis.run("GET", "model_version") or 0),
    )


def records(topic: str) -> list[str]:
    """Read all committed records of a topic. They count as sent, even if the producer got an error.

    Returns:
        The name of the RetrainRequest that each record must have.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=[broker()],
        enable_auto_commit=False,
        metrics_enabled=False,
        isolation_level="read_committed",
    )
    try:
        partitions = [
            TopicPartition(topic, number)
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[str] = []
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for batch in consumer.poll(1000).values():
                found += [
                    build_request_name(one.topic, one.partition, one.offset, one.timestamp)
                    for one in batch
                ]
        return found
    finally:
        consumer.close(autocommit=False)


def created_jobs(namespace: str) -> Counter[str]:
    """Count the Jobs that the API server has created for each request, by its audit log.

    The log is not parsed as JSON, because a killed API server leaves an incomplete line, to which
    the next one appends. Jobs that it created without writing to the log are not counted.
    """
    place = f'"resource":"jobs","namespace":"{namespace}"'
    found: Counter[str] = Counter()
    for path in sorted(Paths.here().log.glob("audit*.log")):
        for event in path.read_text().split(EVENT):
            label = LABEL.search(event)
            if label and place in event and CREATED in event:
                found[label[1]] += 1
    return found


def faults(found: ChaosEvidence) -> list[str]:
    """Return the violations of guarantees."""
    findings: list[str] = []
    findings += [
        f"the record of {name} has no RetrainRequest"
        for name in found.records
        if name not in found.requests
    ]
    findings += [
        f"{name} belongs to no record"
        for name, request in found.requests.items()
        if request["spec"].get("trigger") and name not in set(found.records)
    ]
    for name, request in found.requests.items():
        has_job = "jobName" in request.get("status", {})
        if found.jobs[name] > has_job:
            findings.append(
                f"{name} had {found.jobs[name]} Jobs, "
                f"and its status names {'one' if has_job else 'none'}"
            )
        if has_job and request["metadata"]["uid"] not in found.runs:
            findings.append(f"{name} had a Job, but its run has no row")
        uid, version = request["metadata"]["uid"], request.get("status", {}).get("version")
        if version and found.runs.get(uid, (None, None))[1] != version:
            findings.append(
                f"{name} says version {version}, but the row of its run says {found.runs.get(uid)}"
            )
    numbers = [version for version, _ in found.versions]
    if numbers != list(range(1, len(numbers) + 1)):
        findings.append(f"versions are missing or duplicated: {numbers}")
    doubled = [run for run, count in Counter(run for _, run in found.versions).items() if count > 1]
    findings += [f"the run {run} has more than one version" for run in doubled]
    if found.live != (numbers[-1] if numbers else 0):
        findings.append(f"version {found.live} is live, but the last row says {numbers[-1:]}")
    return findings
