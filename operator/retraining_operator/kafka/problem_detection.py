"""Detects from the state of the consumer why records are not read."""

from __future__ import annotations

import time

from kafka import TopicPartition
from kafka.errors import OffsetOutOfRangeError

from retraining_operator.kafka.consumer_problem import ConsumerProblem
from retraining_operator.kafka.errors import classify, explain
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.settings import Kafka

STALE_SECONDS = 10.0
"""If Kafka works, a fetch is answered within half a second."""


def find_topic_problem(consumer: TopicConsumer, settings: Kafka) -> ConsumerProblem | None:
    """Find what prevents reading the whole topic without raising an error.

    Args:
        consumer: The consumer.
        settings: The topic.

    Returns:
        The problem, or None.
    """
    if (error := consumer.get_login_error()) is not None:
        return ConsumerProblem(classify(error).reason, explain(error), is_certain=True)
    if consumer.is_forbidden(settings.topic):
        return ConsumerProblem(
            "TopicForbidden",
            "The user may not read the topic. "
            "Allow it READ and DESCRIBE on the topic (kafka.topic).",
            is_certain=True,
        )
    if not consumer.get_partition_numbers(settings.topic):
        return find_connection_problem(consumer) or ConsumerProblem(
            "TopicMissing",
            "Kafka has no such topic, or the user may not see it. Check the spelling (kafka.topic) "
            "and create the topic; the operator never creates it.",
        )
    return None


def find_group_problem(consumer: TopicConsumer) -> ConsumerProblem | None:
    """Return why the consumer is not a member of its group, or None if it is."""
    if consumer.is_member:
        return None
    return find_connection_problem(consumer) or ConsumerProblem(
        "Joining",
        "The group has not accepted this consumer yet. If this persists, check its other members.",
    )


def find_connection_problem(consumer: TopicConsumer) -> ConsumerProblem | None:
    """Return a problem that names the advertised addresses without a connection, or None."""
    addresses = consumer.find_unreachable()
    if not addresses:
        return None
    return ConsumerProblem(
        "Unreachable",
        f"No connection to the address that Kafka advertises: {', '.join(addresses)}. Correct the "
        "broker's advertised.listeners, or allow the address in network policies and DNS.",
    )


def find_partition_problem(
    consumer: TopicConsumer, assigned: set[TopicPartition], resumed_at: float | None
) -> ConsumerProblem | None:
    """Find what prevents reading a partition.

    Args:
        consumer: The consumer.
        assigned: Its partitions.
        resumed_at: Since when records are fetched, in seconds of the monotonic clock; None if no
            records are fetched at present.

    Returns:
        The first problem, or None if all partitions are read or none is assigned.
    """
    if resumed_at is None:
        return None
    fetcher, now = consumer.fetcher, time.monotonic()
    for partition in sorted(assigned):
        name = f"Partition {partition.partition}"
        fault = fetcher.faults.get(partition)
        if fault is not None and not isinstance(fault, OffsetOutOfRangeError):
            return ConsumerProblem(classify(fault).reason, f"{name}: {explain(fault)}")
        answered_at = fetcher.answered_at.get(partition)
        if answered_at is not None and now - max(answered_at, resumed_at) < STALE_SECONDS:
            continue
        leader = consumer.get_leader_address(partition)
        if leader is None:
            return ConsumerProblem(
                "NoLeader", f"{name} has no leader. Start the brokers that hold its replicas."
            )
        if (problem := find_connection_problem(consumer)) is not None:
            return problem
        return ConsumerProblem(
            "NotAnswered",
            f"{name}: its leader {leader} has not answered a fetch. "
            "Check the broker and the network.",
        )
    return None
