"""Signatures: how a reader and the trainer know that the live model is one that the trainer has put there.

With a key set (`SIGNING_KEY`), each manifest carries the HMAC-SHA256, in hexadecimal digits, of
this one line:

    retraining-model 1 <model key> <version> <pickle_sha256> <state_sha256>

The version is part of it, so that an old model with its old signature cannot be passed off as a new
one. Nothing but the two checksums and the version is vouched for by it, and readers check no more.
The trainer also believes the shape of the input that a manifest records, so this has a signature of
its own, `input_signature`, of this line:

    retraining-input 1 <model key> <version> <SHA-256 of the shape as JSON>

A manifest without a shape, of an earlier trainer, has none.
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
    """A model is not signed with the key that is set; the text says so, as the end of a sentence."""


def signature(key: SecretStr, name: str, manifest: Manifest) -> str:
    """Sign a manifest for the Redis key that its model stands under; empty where no signing key is set."""
    if not key.get_secret_value():
        return ""
    line = f"retraining-model 1 {name} {manifest.version} {manifest.pickle_sha256} {manifest.state_sha256}"
    return hmac.new(key.get_secret_value().encode(), line.encode(), hashlib.sha256).hexdigest()


def input_signature(key: SecretStr, name: str, manifest: Manifest) -> str:
    """Sign the recorded shape of the input; empty where no signing key is set, or no shape is recorded."""
    if not key.get_secret_value() or manifest.input is None:
        return ""
    shape = hashlib.sha256(manifest.input.model_dump_json(exclude_unset=True).encode()).hexdigest()
    line = f"retraining-input 1 {name} {manifest.version} {shape}"
    return hmac.new(key.get_secret_value().encode(), line.encode(), hashlib.sha256).hexdigest()


def signed(key: SecretStr, name: str, manifest: Manifest) -> Manifest:
    """Return the manifest with its signatures."""
    signatures = {
        "signature": signature(key, name, manifest),
        "input_signature": input_signature(key, name, manifest),
    }
    return manifest.model_copy(update=signatures)


def accepted(key: SecretStr, name: str, manifest: Manifest) -> list[str]:
    """Return the signatures that count.

    A line break at the end of the key is no part of it. It was one once, so there are models that
    are signed with it.
    """
    with_line_break = SecretStr(f"{key.get_secret_value()}\n")
    return [signature(one, name, manifest) for one in (key, with_line_break)]


def check_signature(key: SecretStr, name: str, manifest: Manifest | None) -> None:
    """Make sure that a model is signed, where a key is set.

    Raises:
        NotSignedError: it is not, or with another key, or the signature is that of another version.
    """
    if not key.get_secret_value():
        return
    if manifest is None or not manifest.signature:
        raise NotSignedError(f"it is not signed, and {SETTING} asks for signatures")
    # As bytes, since compare_digest refuses text beyond ASCII, and a forger may write any.
    if not any(
        hmac.compare_digest(manifest.signature.encode(), one.encode())
        for one in accepted(key, name, manifest)
    ):
        raise NotSignedError(f"its signature does not fit it, its version and the key of {SETTING}")
    expected = input_signature(key, name, manifest)
    if not hmac.compare_digest(manifest.input_signature.encode(), expected.encode()):
        raise NotSignedError(
            f"the shape of the input that its manifest records is not signed with the key of {SETTING}"
        )
