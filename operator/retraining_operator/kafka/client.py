"""What every client of Kafka is given: where it is and how to log in.

Passwords come from a mounted Secret alone.
"""

from __future__ import annotations

from typing import Any

from retraining_operator.settings import Kafka

BOOTSTRAP_SECONDS = 5.0


class MissingCredentialError(Exception):
    """The mounted Secret lacks a key; the text names both and no value."""


def client_options(kafka: Kafka) -> dict[str, Any]:
    """Build the options that kafka-python's clients have in common.

    The Secret is read at each call, so that a password that was changed counts from the next
    connection on.

    Raises:
        MissingCredentialError: where the Secret has no username or no password, or a certificate without
            its key.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": kafka.bootstrap_servers.split(","),
        "client_id": "retraining-operator",
        "security_protocol": kafka.security_protocol,
        "bootstrap_timeout_ms": int(BOOTSTRAP_SECONDS * 1000),
    }
    if kafka.logs_in:
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": credential(kafka, kafka.username_key),
            "sasl_plain_password": credential(kafka, kafka.password_key),
        }
    if kafka.encrypted and kafka.existing_secret:
        options |= tls_files(kafka)
    return options


def tls_files(kafka: Kafka) -> dict[str, str]:
    """Give the files of the mounted Secret by which broker and operator are known; what is not there is left out.

    Without an authority of its own the image's count; without a certificate the operator shows
    none.

    Raises:
        MissingCredentialError: where there is a certificate and no key for it, or the other way round.
    """
    files = {
        "ssl_cafile": kafka.ca_key,
        "ssl_certfile": kafka.certificate_key,
        "ssl_keyfile": kafka.private_key_key,
    }
    found = {
        option: str(path)
        for option, key in files.items()
        if (path := kafka.secret_folder / key).is_file()
    }
    pair = {"ssl_certfile", "ssl_keyfile"}
    if len(missing := pair - found.keys()) == 1:
        raise MissingCredentialError(missing_key(kafka, files[missing.pop()]))
    return found


def credential(kafka: Kafka, key: str) -> str:
    """Read one key of the mounted Secret, without the line's end that an editor leaves there.

    Raises:
        MissingCredentialError: where it is not there or cannot be read.
    """
    try:
        return (kafka.secret_folder / key).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise MissingCredentialError(missing_key(kafka, key)) from None


def missing_key(kafka: Kafka, key: str) -> str:
    """Say which Secret lacks which key."""
    return (
        f"The Secret {kafka.existing_secret} (kafka.existingSecret) has no text under the key {key}"
    )
