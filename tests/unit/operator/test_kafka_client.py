"""The operator logs in to Kafka with a mounted Secret; contradictory settings are refused."""

import logging
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer

from retraining_operator.kafka.client import MissingCredentialError, build_client_options
from retraining_operator.observability import logs
from retraining_operator.settings import Kafka, SettingsError, read_settings

PASSWORD = "hidden-word"  # noqa: S105  # the tests' own


def settings(folder: Path, **fields: Any) -> Kafka:
    return Kafka.model_validate(
        {"bootstrapServers": "one:9092,two:9092", "secretFolder": str(folder), **fields}
    )


def test_options_of_a_login_over_tls(tmp_path: Path) -> None:
    for key, text in (("user", "operator\n"), ("word", f"{PASSWORD}\n"), ("ca.crt", "PEM")):
        (tmp_path / key).write_text(text)
    options = build_client_options(
        settings(
            tmp_path,
            securityProtocol="SASL_SSL",
            saslMechanism="SCRAM-SHA-512",
            existingSecret="mine",
            usernameKey="user",
            passwordKey="word",
        )
    )
    assert options["bootstrap_servers"] == ["one:9092", "two:9092"]
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == (
        "operator",
        PASSWORD,
    )
    assert options["ssl_cafile"] == str(tmp_path / "ca.crt")


def test_options_without_login_hold_no_credentials(tmp_path: Path) -> None:
    options = build_client_options(settings(tmp_path))
    assert options["security_protocol"] == "PLAINTEXT"
    assert not {name for name in options if name.startswith(("sasl", "ssl"))}


def test_tls_without_a_configured_ca_trusts_that_of_the_image(tmp_path: Path) -> None:
    assert "ssl_cafile" not in build_client_options(settings(tmp_path, securityProtocol="SSL"))


def test_client_certificate_is_passed_to_the_client(tmp_path: Path) -> None:
    for key in ("user.crt", "user.key"):
        (tmp_path / key).write_text("PEM")
    own = {"certificateKey": "user.crt", "privateKeyKey": "user.key"}
    options = build_client_options(
        settings(tmp_path, securityProtocol="SSL", existingSecret="mine", **own)
    )
    assert options["ssl_certfile"] == str(tmp_path / "user.crt")
    assert options["ssl_keyfile"] == str(tmp_path / "user.key")
    assert "ssl_cafile" not in options


@pytest.mark.parametrize(("there", "missing"), [("tls.crt", "tls.key"), ("tls.key", "tls.crt")])
def test_certificate_without_its_key_is_reported(tmp_path: Path, there: str, missing: str) -> None:
    (tmp_path / there).write_text("PEM")
    with pytest.raises(MissingCredentialError, match=rf"mine \(kafka.existingSecret\).* {missing}"):
        build_client_options(settings(tmp_path, securityProtocol="SSL", existingSecret="mine"))


def test_every_client_knows_every_option(tmp_path: Path) -> None:
    for key in ("username", "password", "ca.crt", "tls.crt", "tls.key"):
        (tmp_path / key).write_text("x")
    login = settings(
        tmp_path, securityProtocol="SASL_SSL", saslMechanism="PLAIN", existingSecret="mine"
    )
    options = build_client_options(login)
    for client in (KafkaConsumer, KafkaProducer, KafkaAdminClient):
        assert set(options) <= set(client.DEFAULT_CONFIG)


def test_missing_key_is_named_and_no_value_shown(tmp_path: Path) -> None:
    (tmp_path / "username").write_text("operator")
    login = settings(
        tmp_path, securityProtocol="SASL_SSL", saslMechanism="PLAIN", existingSecret="mine"
    )
    with pytest.raises(MissingCredentialError, match=r"mine \(kafka.existingSecret\).* password"):
        build_client_options(login)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param(
            "securityProtocol: SASL_SSL, existingSecret: s",
            "kafka.saslMechanism",
            id="no mechanism",
        ),
        pytest.param(
            "securityProtocol: SASL_SSL, saslMechanism: PLAIN",
            "kafka.existingSecret",
            id="no Secret",
        ),
        pytest.param(
            "saslMechanism: PLAIN", "kafka.securityProtocol", id="a mechanism and no login"
        ),
        pytest.param(
            "existingSecret: s", "kafka.securityProtocol", id="a Secret that nothing would use"
        ),
        pytest.param(
            "securityProtocol: TLS", "kafka.securityProtocol", id="a protocol that does not exist"
        ),
        pytest.param(
            "deadLetterTopic: retraining-triggers",
            "kafka.deadLetterTopic",
            id="dead letters to itself",
        ),
        pytest.param(
            "startPosition: middle", "kafka.startPosition", id="a position that does not exist"
        ),
    ],
)
def test_contradicting_options_are_refused_with_one_message(
    tmp_path: Path, fields: str, named: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "namespace: fraud\nredis: {name: r}\ndatabase: {name: d}\njob: {image: i}\n"
        f"kafka: {{bootstrapServers: 'kafka:9092', {fields}}}"
    )
    with pytest.raises(SettingsError, match=named) as caught:
        read_settings(config)
    assert "\n" not in str(caught.value)


def test_libraries_stay_silent_below_a_warning_at_any_level() -> None:
    # At DEBUG kafka-python logs the password as it sends it.
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    try:
        logs.configure("text", "DEBUG")
        assert logging.getLogger("retraining_operator").isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("kafka.net.connection").isEnabledFor(logging.INFO)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("retraining_operator").setLevel(logging.NOTSET)
