"""The topics of a chaos run: one for each round, in the shapes that installations have them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewPartitions, NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError

from tests.e2e.world import ClusterWorld
from tests.system.endpoints import broker
from tests.system.kubectl import CommandError, wait_for

PARTITIONS = 3
MOST_PARTITIONS = 6
POSITIONS = ("earliest", "latest")
CODECS = (None, "lz4")
TRANSACTION_RECORDS = 3
TRANSACTION_SECONDS = 40.0
"""How long to wait for the end of a transaction: longer than Kafka is away after a kill."""
PAUSE_SECONDS = 0.5
"""Between two records, so that some arrive while a dependency is unavailable."""
READY_SECONDS = 120


@dataclass(frozen=True)
class RoundTopic:
    """The topic and the consumer group of one round."""

    name: str
    start_position: str

    @property
    def values(self) -> dict[str, str]:
        """Return the chart's values that make the operator read this topic."""
        return {"topic": self.name, "groupId": self.name, "startPosition": self.start_position}


def open_topic(world: ClusterWorld, number: int) -> RoundTopic:
    """Create the topic of a round. Rounds alternate between the two start positions.

    Args:
        world: The release.
        number: The number of the round.

    Returns:
        The topic.
    """
    topic = RoundTopic(f"{world.kafka.topic}-{number}", POSITIONS[number % len(POSITIONS)])

    def created() -> bool:
        with administrator() as admin:
            if topic.name not in admin.list_topics():
                admin.create_topics([NewTopic(topic.name, PARTITIONS, 1)])
        return True

    wait_for(f"the topic {topic.name}", lambda: answered(created), READY_SECONDS)
    return topic


def wait_for_consumer(world: ClusterWorld) -> None:
    """Wait until the leader has all partitions.

    From then on no record may be lost with `latest` either.
    """

    def consuming() -> bool:
        metrics = world.read_leader_metrics() or {}
        assigned = float(metrics.get("retraining_consumer_assigned_partitions", 0))
        return (
            assigned == PARTITIONS and float(metrics.get("retraining_consumer_consuming", 0)) == 1
        )

    wait_for("a leader with all partitions", consuming, READY_SECONDS)


def add_partition(topic: str) -> int:
    """Add a partition to a topic. Returns the new number of partitions, or 0 if none was added."""

    def grown() -> int:
        with administrator() as admin:
            [found] = admin.describe_topics([topic])
            count: int = len(found["partitions"]) + 1
            if count > MOST_PARTITIONS:
                return 0
            admin.create_partitions({topic: NewPartitions(total_count=count)})
            return count

    with suppress(CommandError):
        return int(answered(grown))
    return 0


def send(topic: str, count: int, mark: int, seconds: float) -> None:
    """Send records one after the other, and continue after each failure. A record may arrive twice.

    Some records are plain, some compressed, some are in transactions, and some of these are
    aborted. What counts is what a reader of committed records finds in the topic afterwards.

    Args:
        topic: its name.
        count: the number of records to be sent, not counting those of aborted transactions.
        mark: Is in each record's reason, so that a person can distinguish the rounds.
        seconds: how long to try at most.
    """
    source, sent, deadline = Random(mark), 0, time.monotonic() + seconds  # noqa: S311
    while sent < count and time.monotonic() < deadline:
        try:
            if source.random() < 0.3:
                sent += run_within(
                    TRANSACTION_SECONDS, partial(send_transaction, topic, mark, sent, source)
                )
            else:
                sent += send_some(topic, mark, sent, min(count - sent, 4), source)
        except (KafkaError, OSError):
            time.sleep(1)


def send_some(topic: str, mark: int, first: int, count: int, source: Random) -> int:
    """Send some records with one codec. Returns how many.

    Args:
        topic: The topic.
        mark: Makes names unique.
        first: The number of the first record.
        count: The number of records.
        source: Decides at random.

    Returns:
        The number of records.
    """
    options = {
        "bootstrap_timeout_ms": 5000,
        "acks": "all",
        "compression_type": source.choice(CODECS),
    }
    with closing(KafkaProducer(bootstrap_servers=[broker()], **options)) as producer:
        for number in range(first, first + count):
            producer.send(topic, reason(mark, str(number))).get(timeout=10)
            time.sleep(PAUSE_SECONDS)
    return count


def run_within(seconds: float, call: Callable[[], int]) -> int:
    """Run a call, and abandon it after a time.

    kafka-python waits without a limit for the end of a transaction if a kill loses the answer of
    the coordinator. The next transaction has the same id and fences the abandoned one.

    Args:
        seconds: The limit.
        call: The call.

    Returns:
        What it returns.

    Raises:
        KafkaTimeoutError: It has not returned in time, and may have succeeded or not.
    """
    future: Future[int] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised by the caller
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        raise KafkaTimeoutError(f"the transaction has not ended within {seconds} s") from None


def send_transaction(topic: str, mark: int, first: int, source: Random) -> int:
    """Send one transaction and commit or abort it. Returns how many records it has committed.

    A transaction that a kill leaves open is ended by the next one, which has the same id.

    Args:
        topic: The topic.
        mark: Makes names unique.
        first: The number of the first record.
        source: Decides at random.

    Returns:
        The number of committed records.
    """
    options: dict[str, Any] = {
        "bootstrap_timeout_ms": 5000,
        "transactional_id": topic,
        "transaction_timeout_ms": 10_000,
    }
    with closing(KafkaProducer(bootstrap_servers=[broker()], **options)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        for number in range(first, first + TRANSACTION_RECORDS):
            producer.send(topic, reason(mark, f"{number} in a transaction"))
        producer.flush(timeout=10)
        if source.random() < 0.4:
            producer.abort_transaction()
            return 0
        producer.commit_transaction()
    return TRANSACTION_RECORDS


def reason(mark: int, what: str) -> bytes:
    """Build a record's value.

    Args:
        mark: Makes names unique.
        what: How it is sent.

    Returns:
        The value, JSON.
    """
    return f'{{"reason": "chaos {mark}.{what}"}}'.encode()


def administrator() -> Any:
    """Open an administrator's connection, to be used in a `with` statement."""
    return closing(KafkaAdminClient(bootstrap_servers=[broker()]))


def answered(call: Any) -> Any:
    """Run a call of Kafka's clients.

    Raises:
        CommandError: Kafka is not available at the moment, so the caller may try again.
    """
    try:
        return call()
    except (KafkaError, OSError) as error:
        raise CommandError(f"Kafka does not answer: {error}") from error
