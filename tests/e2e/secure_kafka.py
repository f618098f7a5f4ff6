"""A second Kafka broker in the release's namespace. It requires TLS and a login or certificate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic, UserScramCredentialUpsertion

from tests.system.environment import Environment
from tests.system.kubectl import Kubectl

NAME = "secure-kafka"
MECHANISM = "SCRAM-SHA-512"
USER, PASSWORD = "operator", "hidden-word-of-the-test"  # the test's own
SECURE_PORT, MUTUAL_PORT, OPEN_PORT = 9094, 9095, 19092
"""The first requires TLS and a login, the second TLS and a client certificate, the third nothing.

The test sends through the third.
"""
TLS = Path("/etc/kafka-tls")


@dataclass(frozen=True)
class SecureKafka:
    """The broker and its addresses."""

    host: str
    """Its host name, which only pods can resolve."""
    outside: str
    authority: str
    """The broker's certificate, PEM."""
    certificate: str
    """The client certificate that the broker accepts, PEM."""
    private_key: str

    @property
    def secure(self) -> str:
        """The address that requires TLS and a login."""
        return f"{self.host}:{SECURE_PORT}"

    @property
    def mutual(self) -> str:
        """The address that requires TLS and a client certificate."""
        return f"{self.host}:{MUTUAL_PORT}"

    def make(self, *topics: str) -> None:
        """Create topics."""
        with closing(KafkaAdminClient(bootstrap_servers=self.outside)) as admin:
            admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])

    def send(self, topic: str, *values: str) -> None:
        """Send records."""
        with closing(KafkaProducer(bootstrap_servers=self.outside)) as producer:
            for value in values:
                producer.send(topic, value.encode()).get(10)

    def count(self, topic: str) -> int:
        """Count the records of a topic."""
        partition = TopicPartition(topic, 0)
        with closing(KafkaConsumer(bootstrap_servers=self.outside)) as consumer:
            return int(consumer.end_offsets([partition])[partition])


@contextmanager
def secure_kafka(environment: Environment, kubectl: Kubectl) -> Iterator[SecureKafka]:
    """Run the broker for the block."""
    host = f"{NAME}.{kubectl.namespace}.svc"
    (authority, broker_key), (user, user_key) = certificate(host), certificate(USER)
    kubectl.apply(
        secret(f"{NAME}-tls", {"keystore.pem": broker_key + authority, "truststore.pem": user})
    )
    image = environment.services.get("statefulset", "kafka")["spec"]["template"]["spec"][
        "containers"
    ][0]["image"]
    for manifest in (service(), pod(image, host)):
        kubectl.apply(manifest)
    try:
        kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=90s")
        outside = f"{kubectl.get('pod', NAME)['status']['podIP']}:{OPEN_PORT}"
        give_login(outside)
        yield SecureKafka(host, outside, authority, user, user_key)
    finally:
        kubectl(
            "delete", f"pod/{NAME}", f"service/{NAME}", f"secret/{NAME}-tls", "--grace-period=1"
        )


def give_login(outside: str) -> None:
    """Create the user at the broker."""
    with closing(KafkaAdminClient(bootstrap_servers=outside)) as admin:
        answer = admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(USER, MECHANISM, PASSWORD)]
        )
    assert answer == {USER: None}


def certificate(name: str) -> tuple[str, str]:
    """Create a self-signed certificate. Returns it and its key."""
    with TemporaryDirectory() as folder:
        key, found = Path(folder) / "key.pem", Path(folder) / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
             f"/CN={name}",
             "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(found)],
            check=True, capture_output=True,
        )  # fmt: skip
        return found.read_text(), key.read_text()


def secret(name: str, content: dict[str, str]) -> dict[str, Any]:
    """Build a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": content}


def service() -> dict[str, Any]:
    """Build the Service whose name is in the certificate."""
    ports = [{"name": "secure", "port": SECURE_PORT}, {"name": "mutual", "port": MUTUAL_PORT}]
    spec = {
        "selector": {"app.kubernetes.io/name": NAME},
        "ports": ports,
        "publishNotReadyAddresses": True,
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}


def pod(image: str, host: str) -> dict[str, Any]:
    """Build the broker."""
    settings = {
        "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": (
            f"SECURE://:{SECURE_PORT},MUTUAL://:{MUTUAL_PORT},OPEN://:{OPEN_PORT},"
            "CONTROLLER://localhost:9093"
        ),
        "KAFKA_ADVERTISED_LISTENERS": (
            f"SECURE://{host}:{SECURE_PORT},MUTUAL://{host}:{MUTUAL_PORT},"
            f"OPEN://$(POD_IP):{OPEN_PORT}"
        ),
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
            "SECURE:SASL_SSL,MUTUAL:SSL,OPEN:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "KAFKA_INTER_BROKER_LISTENER_NAME": "OPEN",
        "KAFKA_SASL_ENABLED_MECHANISMS": MECHANISM,
        "KAFKA_LISTENER_NAME_SECURE_SCRAM___SHA___512_SASL_JAAS_CONFIG": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "KAFKA_SSL_KEYSTORE_TYPE": "PEM",
        "KAFKA_SSL_KEYSTORE_LOCATION": str(TLS / "keystore.pem"),
        "KAFKA_LISTENER_NAME_MUTUAL_SSL_TRUSTSTORE_TYPE": "PEM",
        "KAFKA_LISTENER_NAME_MUTUAL_SSL_TRUSTSTORE_LOCATION": str(TLS / "truststore.pem"),
        "KAFKA_LISTENER_NAME_MUTUAL_SSL_CLIENT_AUTH": "required",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_LOG_DIRS": "/data/logs",
        "KAFKA_HEAP_OPTS": "-Xms64m -Xmx256m",
    }
    address = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    container = {
        "name": "kafka",
        "image": image,
        "env": [address, *({"name": name, "value": value} for name, value in settings.items())],
        "readinessProbe": {"tcpSocket": {"port": OPEN_PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "tls", "mountPath": str(TLS), "readOnly": True},
        ],
    }
    spec = {
        "enableServiceLinks": False,
        "securityContext": {"fsGroup": 1000},
        "containers": [container],
        "volumes": [
            {"name": "data", "emptyDir": {}},
            {"name": "tls", "secret": {"secretName": f"{NAME}-tls"}},
        ],
    }
    labels = {"app.kubernetes.io/name": NAME}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "labels": labels},
        "spec": spec,
    }
