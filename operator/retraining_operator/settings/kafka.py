"""How to connect to Kafka, and which topic has the triggers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from retraining_operator.settings.section import Section


class Kafka(Section):
    """The topic of the triggers, and how to connect to Kafka."""

    bootstrap_servers: str = Field(min_length=1)
    topic: str = Field(default="retraining-triggers", min_length=1, max_length=249)
    group_id: str = Field(default="retraining-operator", min_length=1)
    start_position: Literal["earliest", "latest"] = "earliest"
    dead_letter_topic: str = Field(default="", max_length=249)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    existing_secret: str = ""
    username_key: str = Field(default="username", min_length=1)
    password_key: str = Field(default="password", min_length=1)
    ca_key: str = Field(default="ca.crt", min_length=1)
    certificate_key: str = Field(default="tls.crt", min_length=1)
    private_key_key: str = Field(default="tls.key", min_length=1)
    secret_folder: Path = Path("/etc/retraining-operator-kafka")
    """Where the chart mounts that Secret."""

    @property
    def uses_sasl(self) -> bool:
        """Whether the connection authenticates with username and password."""
        return self.security_protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted with TLS."""
        return self.security_protocol.endswith("SSL")

    @model_validator(mode="after")
    def check(self) -> Self:
        """Check that the settings do not contradict each other.

        Raises:
            PydanticCustomError: If they do.
        """
        problem = next(find_contradictions(self), None)
        if problem:
            raise PydanticCustomError("contradiction", "{problem}", {"problem": problem})
        return self


def find_contradictions(kafka: Kafka) -> Iterator[str]:
    """Find settings that contradict each other; yields one message for each."""
    protocol = f"kafka.securityProtocol is {kafka.security_protocol}"
    if kafka.uses_sasl and not kafka.sasl_mechanism:
        yield f"{protocol} and needs kafka.saslMechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    if kafka.uses_sasl and not kafka.existing_secret:
        yield f"{protocol} and needs kafka.existingSecret, a Secret with username and password"
    if kafka.sasl_mechanism and not kafka.uses_sasl:
        yield f"kafka.saslMechanism is set but {protocol}; set that to SASL_SSL or SASL_PLAINTEXT"
    if kafka.existing_secret and kafka.security_protocol == "PLAINTEXT":
        yield (
            f"kafka.existingSecret is set but {protocol}, "
            "which uses neither password nor certificate"
        )
    if kafka.dead_letter_topic == kafka.topic:
        yield (
            "kafka.deadLetterTopic is kafka.topic itself, "
            "so malformed records would come back for ever"
        )
