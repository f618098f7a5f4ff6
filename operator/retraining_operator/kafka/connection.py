"""Connects the consumer to Kafka, however long that takes, and closes the connection."""

from __future__ import annotations

import contextlib
import threading

from kafka.errors import KafkaError

from retraining_operator.kafka.client import MissingCredentialError
from retraining_operator.kafka.consumer_status import ConsumerStatus
from retraining_operator.kafka.topic_consumer import TopicConsumer
from retraining_operator.settings import Kafka

BATCH_RECORDS = 200
RECONNECT_SECONDS = 2.0
CLOSE_SECONDS = 3.0


def connect(
    settings: Kafka,
    status: ConsumerStatus,
    stopping: threading.Event,
    instance_id: str | None = None,
) -> TopicConsumer | None:
    """Connect to Kafka. Retries until it succeeds.

    Args:
        settings: The brokers and the group.
        status: Gets the errors.
        stopping: Ends the retries.
        instance_id: A fixed identity in the group, or None.

    Returns:
        The consumer, or None if the process stops.
    """
    while not stopping.is_set():
        status.touch()
        try:
            return TopicConsumer(
                settings, settings.group_id, instance_id, max_poll_records=BATCH_RECORDS
            )
        except (KafkaError, OSError, MissingCredentialError) as error:
            status.report_error(error, prefix="Kafka does not answer: ", is_certain=True)
            stopping.wait(RECONNECT_SECONDS)
    return None


def close(consumer: TopicConsumer) -> None:
    """Close a consumer without committing."""
    with contextlib.suppress(KafkaError):
        consumer.close(autocommit=False, timeout_ms=int(CLOSE_SECONDS * 1000))
