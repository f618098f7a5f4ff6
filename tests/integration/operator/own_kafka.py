"""Kafka brokers as processes on this machine. A test may stop them and change their logs."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from retraining_operator.settings import Kafka

CACHE = Path.home() / ".cache" / "retraining-operator"
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"
START_SECONDS = 60
DEAF_ADDRESS = "192.0.2.1:9092"
"""An address for documentation, which no network routes (RFC 5737)."""
JAVA = (
    "java",
    "-Xms32m",
    "-Xmx256m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
)
USERS = {"admin": "admin-word", "reader": "reader-word"}


@dataclass
class Broker:
    """One broker."""

    number: int
    folder: Path
    port: int
    deaf_port: int
    login_port: int
    controller_port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Its address without login."""
        return f"localhost:{self.port}"

    def segment(self, topic: str, partition: int = 0) -> Path:
        """Return the first segment of a partition's log."""
        return self.folder / "logs" / f"{topic}-{partition}" / f"{0:020}.log"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = (self.folder / "broker.log").open("ab")
        self.process = subprocess.Popen(
            [
                *JAVA,
                "-cp",
                f"{libraries()}/*",
                "kafka.Kafka",
                str(self.folder / "server.properties"),
            ],
            stdout=log,
            stderr=log,
        )

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(KafkaError, OSError), closing(self.admin()) as admin:
                admin.list_topics()
                return
            time.sleep(0.3)
        raise AssertionError((self.folder / "broker.log").read_text()[-3000:])

    def stop(self, *, kill: bool = False) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait()
            self.process = None

    def admin(self) -> KafkaAdminClient:
        """Connect as an administrator."""
        return KafkaAdminClient(bootstrap_servers=self.address, bootstrap_timeout_ms=5000)

    def make(
        self,
        topic: str,
        partitions: int = 1,
        replicas: int = 1,
        configs: Mapping[str, str] | None = None,
    ) -> None:
        """Create a topic."""
        with closing(self.admin()) as admin:
            admin.create_topics(
                [NewTopic(topic, partitions, replicas, topic_configs=dict(configs or {}))]
            )

    def producer(self, **options: Any) -> KafkaProducer:
        """Connect as a producer."""
        return KafkaProducer(bootstrap_servers=self.address, **options)

    def send(self, topic: str, *values: bytes, partition: int = 0, **options: Any) -> None:
        """Send records, each in a batch of its own."""
        with closing(self.producer(**options)) as producer:
            for value in values:
                producer.send(topic, value, partition=partition).get(20)


@dataclass
class Brokers:
    """The brokers of one cluster."""

    all: list[Broker] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        """Their addresses without login."""
        return ",".join(broker.address for broker in self.all)

    def settings(self, topic: str, **fields: Any) -> Kafka:
        """Return the operator's settings for a topic."""
        return Kafka.model_validate(
            {"bootstrapServers": self.bootstrap, "topic": topic, "groupId": f"group-{topic}"}
            | fields
        )


@contextmanager
def own_kafka(folder: Path, count: int = 1) -> Iterator[Brokers]:
    """Run brokers for the block."""
    brokers = [
        Broker(
            number + 1,
            folder / f"broker-{number + 1}",
            port=free_port(),
            deaf_port=free_port(),
            login_port=free_port(),
            controller_port=free_port(),
        )
        for number in range(count)
    ]
    voters = ",".join(f"{broker.number}@localhost:{broker.controller_port}" for broker in brokers)
    try:
        for broker in brokers:
            broker.folder.mkdir(parents=True)
            write_properties(broker, voters, count)
        format_all(brokers)
        for broker in brokers:
            broker.start()
        for broker in brokers:
            broker.wait()
        yield Brokers(brokers)
    finally:
        for broker in brokers:
            broker.stop(kill=True)


def write_properties(broker: Broker, voters: str, count: int) -> None:
    """Write one broker's configuration."""
    users = " ".join(f'user_{name}="{word}"' for name, word in USERS.items())
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    settings = {
        "process.roles": "broker,controller",
        "node.id": broker.number,
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": (
            f"OPEN://localhost:{broker.port},DEAF://localhost:{broker.deaf_port},"
            f"LOGIN://localhost:{broker.login_port},CONTROLLER://localhost:{broker.controller_port}"
        ),
        "advertised.listeners": (
            f"OPEN://localhost:{broker.port},DEAF://{DEAF_ADDRESS},"
            f"LOGIN://localhost:{broker.login_port}"
        ),
        "listener.security.protocol.map": (
            "OPEN:PLAINTEXT,DEAF:PLAINTEXT,LOGIN:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "inter.broker.listener.name": "OPEN",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.login.plain.sasl.jaas.config": (
            f'{login} username="admin" password="admin-word" {users};'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:admin",
        "allow.everyone.if.no.acl.found": "false",
        "auto.create.topics.enable": "true",
        "offsets.topic.replication.factor": count,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        "log.dirs": broker.folder / "logs",
        "log.message.timestamp.after.max.ms": 9223372036854775807,
    }
    (broker.folder / "server.properties").write_text(
        "".join(f"{key}={value}\n" for key, value in settings.items())
    )


def format_all(brokers: Sequence[Broker]) -> None:
    """Format the brokers' folders."""
    for broker in brokers:
        command = [
            *JAVA,
            "-cp",
            f"{libraries()}/*",
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            CLUSTER_ID,
        ]
        done = subprocess.run(
            [*command, "--config", str(broker.folder / "server.properties")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def libraries() -> Path:
    """Return the folder with Kafka's libraries, which the broker's image also uses."""
    found = sorted(CACHE.glob("kafka-*/libs"), key=os.path.getmtime)
    assert found, (
        f"Kafka's libraries are not in {CACHE}: bring the test cluster up first (make system)."
    )
    return found[-1]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])
