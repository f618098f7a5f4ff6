"""Options that all Kafka clients share: the brokers, and how to log in.

Passwords are read only from a mounted Secret.
"""

from __future__ import annotations

from typing import Any

from retraining_operator.settings import Kafka

BOOTSTRAP_SECONDS = 5.0


class MissingCredentialError(Exception):
    """The mounted Secret lacks a key. The text names both and contains no value."""


def build_client_options(kafka: Kafka) -> dict[str, Any]:
    """Build the options that kafka-python's clients have in common.

    The Secret is read at each call, so that a changed password is used for the next connection.

    Raises:
        MissingCredentialError: If the Secret has no username or password, or a certificate without
            its key.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers.split(","),
        "client_id": "retraining-operator",
        "security_protocol": kafka.security_protocol,
        "bootstrap_timeout_ms": int(BOOTSTRAP_SECONDS * 1000),
    }
    if kafka.uses_sasl:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": read_credential(kafka, kafka.username_key),
            "sasl_plain_password": read_credential(kafka, kafka.password_key),
        }
    if kafka.uses_tls and kafka.existing_secret:
        options |= find_tls_files(kafka)
    return options


def find_tls_files(kafka: Kafka) -> dict[str, str]:
    """Find the TLS files of the mounted Secret. All of them are optional.

    Without a CA, the CAs of the image are trusted. Without a certificate, the operator presents
    none.

    Raises:
        MissingCredentialError: If there is a certificate without a key, or a key without a
            certificate.
    """
    files = {
        "ssl_cafile": kafka.ca_key,
        "ssl_certfile": kafka.certificate_key,
        "ssl_keyfile": kafka.private_key_key,
    }
    found: dict[str, str] = {}
    for option, key in files.items():
        path = kafka.secret_folder / key
        if path.is_file():
            found[option] = str(path)
    pair = {"ssl_certfile", "ssl_keyfile"}
    missing = pair - found.keys()
    if len(missing) == 1:
        raise MissingCredentialError(format_missing_key(kafka, files[missing.pop()]))
    return found


def read_credential(kafka: Kafka, key: str) -> str:
    """Read one key of the mounted Secret, without the newline that editors add.

    Args:
        kafka: Where the Secret is mounted.
        key: The key.

    Returns:
        The value.

    Raises:
        MissingCredentialError: If it does not exist or cannot be read.
    """
    try:
        return (kafka.secret_folder / key).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise MissingCredentialError(format_missing_key(kafka, key)) from None


def format_missing_key(kafka: Kafka, key: str) -> str:
    """Return a message that names the Secret and the key that it lacks.

    Args:
        kafka: The name of the Secret.
        key: The key.

    Returns:
        The message.
    """
    return (
        f"The Secret {kafka.existing_secret} (kafka.existingSecret) has no text under the key {key}"
    )
