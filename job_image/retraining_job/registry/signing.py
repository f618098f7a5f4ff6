"""Signatures of the documents in Redis. They show that the trainer has written a document.

A signed document is the JSON text of an object that ends with its signature:

    {"version":7,"epoch":9, ... ,"signature":"<64 hexadecimal digits>"}

The signature is the HMAC-SHA256 of a header and of the stored bytes before the member `signature`:

    retraining-signature 2
    <purpose>
    <model key>
    <name>
    {"version":7,"epoch":9, ...

The bytes are signed as they are stored, so that no two programs need to write JSON in the same way.
The purpose, the model key and the name (a version or a run) are in the signed text, so that no
document can stand for one of another kind, model, version or run. docs/reference/signatures.md
specifies the format for other programs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import SecretStr

from retraining_job.contract import SIGNING_KEY, SIGNING_KEY_PREVIOUS
from retraining_job.settings import NO_KEY

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

FORMAT = "retraining-signature 2"

SUFFIX = re.compile(rb',"signature":"[0-9a-f]{64}"\}\Z')
SUFFIX_BYTES = len(b',"signature":""}') + 64

SETTING = f"signing.existingSecret ({SIGNING_KEY})"
PREVIOUS_SETTING = f"signing.previousSecretKey ({SIGNING_KEY_PREVIOUS})"


class Purpose(StrEnum):
    """What a document is for."""

    MANIFEST = "manifest"
    """The manifest of a version. Its name is the version."""
    RUN = "run"
    """The result document of a run that has published. Its name is the run's id."""
    CHALLENGER = "challenger"
    """A challenger that waits for approval. Its name is the run's id."""


@dataclass(frozen=True)
class Subject:
    """What a signature is about.

    Args:
        purpose: What the document is for.
        model_key: The Redis key of the model. It contains no line break.
        name: The version or the run.
    """

    purpose: Purpose
    model_key: str
    name: str

    @property
    def header(self) -> bytes:
        """The first four lines of the signed text."""
        return f"{FORMAT}\n{self.purpose}\n{self.model_key}\n{self.name}\n".encode()


@dataclass(frozen=True)
class SigningKeys:
    """The keys of an installation.

    Args:
        current: Signs. Empty if documents are not signed.
        previous: Its signatures are accepted, too. Empty if there is no such key.
    """

    current: SecretStr = NO_KEY
    previous: SecretStr = NO_KEY

    @classmethod
    def of(cls, registry: RegistrySettings) -> SigningKeys:
        """Return the keys of the settings."""
        return cls(registry.signing_key, registry.previous_signing_key)

    @property
    def are_set(self) -> bool:
        """Whether documents are signed."""
        return bool(self.current.get_secret_value())

    @property
    def accepted(self) -> list[SecretStr]:
        """The keys whose signatures are accepted, the one that signs first."""
        return [key for key in (self.current, self.previous) if key.get_secret_value()]


class NotSignedError(Exception):
    """A document is not signed with a key that is set. The text is the end of a sentence."""


def compute_signature(key: SecretStr, subject: Subject, payload: bytes) -> str:
    """Compute a signature.

    Args:
        key: The signing key.
        subject: What the signature is about.
        payload: The document before the member `signature`.

    Returns:
        64 hexadecimal digits.
    """
    secret = key.get_secret_value().encode()
    return hmac.new(secret, subject.header + payload, hashlib.sha256).hexdigest()


def sign_document(keys: SigningKeys, subject: Subject, document: str) -> str:
    """Sign a document, if a key is set.

    Args:
        keys: The keys of the installation.
        subject: What the document is about.
        document: The JSON text of an object with at least one member, without white space at its
            end.

    Returns:
        The document with its signature at the end, or unchanged if no key is set.
    """
    if not keys.are_set:
        return document
    payload = document.removesuffix("}")
    signature = compute_signature(keys.current, subject, payload.encode())
    return f'{payload},"signature":"{signature}"}}'


def check_signature(keys: SigningKeys, subject: Subject, document: bytes | None) -> None:
    """Check that a document is signed, if a key is set.

    Args:
        keys: The keys of the installation.
        subject: What the document must be about.
        document: The document as it is stored, or None if there is none.

    Raises:
        NotSignedError: It is not signed, or with another key, or it is about something else.
    """
    if not keys.are_set:
        return
    if document is None or not SUFFIX.search(document):
        raise NotSignedError(f"it is not signed, and {SETTING} requires a signature")
    if not is_signed_with(keys.accepted, subject, document):
        names = SETTING if len(keys.accepted) == 1 else f"{SETTING} or of {PREVIOUS_SETTING}"
        raise NotSignedError(
            f"its signature does not match the {subject.purpose} of {subject.name} under "
            f"{subject.model_key} and the key of {names}"
        )


def strip_signature(document: bytes) -> bytes:
    """Return a signed document without its signature."""
    return document[:-SUFFIX_BYTES] + b"}"


def is_signed_with(accepted: list[SecretStr], subject: Subject, document: bytes) -> bool:
    """Check whether a document ends with a signature of one of the keys.

    Args:
        accepted: The keys.
        subject: What the document must be about.
        document: The document as it is stored.

    Returns:
        True if it does.
    """
    payload, suffix = document[:-SUFFIX_BYTES], document[-SUFFIX_BYTES:]
    expected = [
        f',"signature":"{compute_signature(key, subject, payload)}"}}'.encode() for key in accepted
    ]
    return any(hmac.compare_digest(suffix, text) for text in expected)
