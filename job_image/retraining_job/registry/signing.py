"""Signatures. They show readers and the trainer that a model was published by the trainer.

If a key is set (`SIGNING_KEY`), each manifest contains the HMAC-SHA256, in hexadecimal digits, of
this line:

    retraining-model 1 <model key> <version> <pickle_sha256> <state_sha256>

The line contains the version, so that an old model with its old signature is not accepted as a new
one. Readers check only this signature. The trainer also relies on the input shape that a manifest
records, so the shape has a second signature, `input_signature`, of this line:

    retraining-input 1 <model key> <version> <SHA-256 of the shape as JSON>

A manifest without a shape, from an earlier trainer, has none.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from pydantic import SecretStr

from retraining_job.contract import SIGNING_KEY

if TYPE_CHECKING:
    from retraining_job.registry.manifest import Manifest

SETTING = f"signing.existingSecret ({SIGNING_KEY})"


class NotSignedError(Exception):
    """A model is not signed with the key that is set. The text is the end of a sentence."""


def compute_signature(key: SecretStr, name: str, manifest: Manifest) -> str:
    """Compute the signature of a manifest.

    Args:
        key: The signing key.
        name: The Redis key of the model.
        manifest: The manifest.

    Returns:
        Hexadecimal digits. Empty if no signing key is set.
    """
    if not key.get_secret_value():
        return ""
    line = (
        f"retraining-model 1 {name} {manifest.version} "
        f"{manifest.pickle_sha256} {manifest.state_sha256}"
    )
    return hmac.new(key.get_secret_value().encode(), line.encode(), hashlib.sha256).hexdigest()


def compute_input_signature(key: SecretStr, name: str, manifest: Manifest) -> str:
    """Compute the signature of the recorded input shape.

    Args:
        key: The signing key.
        name: The Redis key of the model.
        manifest: The manifest.

    Returns:
        Hexadecimal digits. Empty if no signing key is set, or if no shape is recorded.
    """
    if not key.get_secret_value() or manifest.input is None:
        return ""
    shape = hashlib.sha256(manifest.input.model_dump_json(exclude_unset=True).encode()).hexdigest()
    line = f"retraining-input 1 {name} {manifest.version} {shape}"
    return hmac.new(key.get_secret_value().encode(), line.encode(), hashlib.sha256).hexdigest()


def sign_manifest(key: SecretStr, name: str, manifest: Manifest) -> Manifest:
    """Return a manifest with its signatures.

    Args:
        key: The signing key.
        name: The Redis key of the model.
        manifest: The manifest.

    Returns:
        A copy with both signatures.
    """
    signatures = {
        "signature": compute_signature(key, name, manifest),
        "input_signature": compute_input_signature(key, name, manifest),
    }
    return manifest.model_copy(update=signatures)


def get_accepted_signatures(key: SecretStr, name: str, manifest: Manifest) -> list[str]:
    """Return the signatures that are accepted.

    A line break at the end of the key is ignored. Earlier trainers did not ignore it, so models may
    be signed with the key and a line break.

    Args:
        key: The signing key.
        name: The Redis key of the model.
        manifest: The manifest.

    Returns:
        The signatures, in hexadecimal digits.
    """
    with_line_break = SecretStr(f"{key.get_secret_value()}\n")
    return [compute_signature(accepted, name, manifest) for accepted in (key, with_line_break)]


def check_signature(key: SecretStr, name: str, manifest: Manifest | None) -> None:
    """Check that a model is signed, if a key is set.

    Args:
        key: The signing key.
        name: The Redis key of the model.
        manifest: The manifest, or None if the model has none.

    Raises:
        NotSignedError: It is not signed, or with another key, or for another version.
    """
    if not key.get_secret_value():
        return
    if manifest is None or not manifest.signature:
        raise NotSignedError(f"it is not signed, and {SETTING} requires a signature")
    # As bytes, because compare_digest refuses non-ASCII text, which a forged manifest may contain.
    present = manifest.signature.encode()
    accepted = get_accepted_signatures(key, name, manifest)
    if not any(hmac.compare_digest(present, signature.encode()) for signature in accepted):
        raise NotSignedError(
            f"its signature does not match the model, its version and the key of {SETTING}"
        )
    expected = compute_input_signature(key, name, manifest)
    if not hmac.compare_digest(manifest.input_signature.encode(), expected.encode()):
        raise NotSignedError(
            "the shape of the input that its manifest records is not signed with the key of "
            f"{SETTING}"
        )
