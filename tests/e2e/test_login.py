"""Triggers from a broker with TLS and login or certificate: consumer, dead letters, replay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.secure_kafka import MECHANISM, PASSWORD, USER, SecureKafka, secret, secure_kafka
from tests.e2e.test_outcomes import load_good
from tests.e2e.world import OPERATOR, ClusterWorld
from tests.system import release
from tests.system.kubectl import wait_for

SPAN = ("--partition", "0", "--from-offset", "0", "--to-offset", "1")


@pytest.fixture(scope="module")
def kafka(installed: ClusterWorld) -> Iterator[SecureKafka]:
    with secure_kafka(installed.environment, installed.kubectl) as broker:
        yield broker


@contextmanager
def listening(world: ClusterWorld, kafka: SecureKafka, topic: str, **how: str) -> Iterator[None]:
    """Configure the release for this broker."""
    kafka.make(topic, f"{topic}-dead")
    which = {
        "topic": topic,
        "groupId": topic,
        "deadLetterTopic": f"{topic}-dead",
        "existingSecret": "kafka-login",
    }
    world.install(kafka=which | how)
    try:
        yield
    finally:
        world.install()


def check_triggers(world: ClusterWorld, kafka: SecureKafka, topic: str) -> str:
    """Send a trigger and a malformed record, and replay both. Returns the operator's output."""
    load_good(world)
    kafka.send(topic, "no JSON", '{"reason": "drift behind a door"}')
    [name] = world.wait_for_requests(1)
    assert world.wait_for_end(name)["verdict"] == "Promoted"
    wait_for("the dead letter", lambda: kafka.count(f"{topic}-dead") == 1, 30)
    replayed = world.kubectl(
        *(
            "exec",
            f"deployment/{release.DEPLOYMENT}",
            "--",
            "python",
            "-m",
            "retraining_operator",
            "replay",
        ),
        *SPAN,
    )
    assert f"finished earlier: {name}" in replayed  # as recorded in the database
    said = world.kubectl("logs", "--selector", OPERATOR, "--tail=-1")
    assert f"Listening to the topic {topic}" in said
    return said + replayed


def test_records_are_read_over_tls_with_a_login_and_the_password_is_not_shown(
    world: ClusterWorld, kafka: SecureKafka
) -> None:
    login = {"username": USER, "password": PASSWORD, "ca.crt": kafka.authority}
    world.kubectl.apply(secret("kafka-login", login))
    how = {
        "bootstrapServers": kafka.secure,
        "securityProtocol": "SASL_SSL",
        "saslMechanism": MECHANISM,
    }
    with listening(world, kafka, "by-login", **how):
        assert PASSWORD not in check_triggers(world, kafka, "by-login")


def test_records_are_read_with_a_client_certificate(
    world: ClusterWorld, kafka: SecureKafka
) -> None:
    own = {"ca.crt": kafka.authority, "tls.crt": kafka.certificate, "tls.key": kafka.private_key}
    world.kubectl.apply(secret("kafka-login", own))
    how = {"bootstrapServers": kafka.mutual, "securityProtocol": "SSL"}
    with listening(world, kafka, "by-certificate", **how):
        check_triggers(world, kafka, "by-certificate")
