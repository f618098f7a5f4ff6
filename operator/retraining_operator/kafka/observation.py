"""Looks at the consumer from outside: what of it keeps records from being read.

Driven by its own thread.
"""

from __future__ import annotations

import time

from kafka import TopicPartition
from kafka.errors import OffsetOutOfRangeError

from retraining_operator.kafka.consumption import ConsumerProblem
from retraining_operator.kafka.errors import classify, explain
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.settings import Kafka

STALE_SECONDS = 10.0
"""A fetch is answered within half a second if Kafka works."""


def general_trouble(consumer: TopicConsumer, settings: Kafka) -> ConsumerProblem | None:
    """Return what keeps the whole topic from being read, as far as no error says it; None if nothing does."""
    if (refusal := consumer.login_failure()) is not None:
        return ConsumerProblem(classify(refusal).reason, explain(refusal), is_certain=True)
    if consumer.may_not_see(settings.topic):
        return ConsumerProblem(
            "TopicForbidden",
            "The user may not read the topic. Allow it READ and DESCRIBE on the topic (kafka.topic).",
            is_certain=True,
        )
    if not consumer.partition_numbers(settings.topic):
        return unreachable_trouble(consumer) or ConsumerProblem(
            "TopicMissing",
            "Kafka has no such topic, or the user may not see it. Check the spelling (kafka.topic) and create the "
            "topic; the operator never creates it.",
        )
    return None


def group_trouble(consumer: TopicConsumer) -> ConsumerProblem | None:
    """Return why the group has not let the consumer in; None if it is a member."""
    if consumer.is_member:
        return None
    return unreachable_trouble(consumer) or ConsumerProblem(
        "Joining",
        "The group has not let this consumer in yet. If that stays, look for its other members.",
    )


def unreachable_trouble(consumer: TopicConsumer) -> ConsumerProblem | None:
    """Return a trouble that names the advertised addresses to which there is no connection; None without such."""
    addresses = consumer.unreachable()
    if not addresses:
        return None
    return ConsumerProblem(
        "Unreachable",
        f"No connection to the address that Kafka advertises: {', '.join(addresses)}. Correct the broker's "
        "advertised.listeners, or let network policies and DNS allow it.",
    )


def partition_trouble(
    consumer: TopicConsumer, assigned: set[TopicPartition], resumed_at: float | None
) -> ConsumerProblem | None:
    """Return what keeps a partition from being read; None if each is, or if there is none for this consumer.

    Args:
        consumer: Whose partitions they are.
        assigned: The partitions.
        resumed_at: Since when records are taken, by the monotonic clock; None while none are.
    """
    if resumed_at is None:
        return None
    fetcher, now = consumer.fetcher, time.monotonic()
    for partition in sorted(assigned):
        which = f"Partition {partition.partition}"
        fault = fetcher.faults.get(partition)
        if fault is not None and not isinstance(fault, OffsetOutOfRangeError):
            return ConsumerProblem(classify(fault).reason, f"{which}: {explain(fault)}")
        answered_at = fetcher.answered_at.get(partition)
        if answered_at is not None and now - max(answered_at, resumed_at) < STALE_SECONDS:
            continue
        leader = consumer.leader_address(partition)
        if leader is None:
            return ConsumerProblem(
                "NoLeader", f"{which} has no leader. Start the brokers that hold its replicas."
            )
        if (unreachable := unreachable_trouble(consumer)) is not None:
            return unreachable
        return ConsumerProblem(
            "NotAnswered",
            f"{which}: its leader {leader} has not answered a fetch. Look at the broker and the network.",
        )
    return None
