"""Signing of the documents that are in Redis: the live manifest, and what an earlier key signed."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

import redis

from retraining_job.errors import DependencyUnavailableError
from retraining_job.registry.challenger import CHALLENGER_LIMIT_BYTES, challenger_subject
from retraining_job.registry.client import open_registry
from retraining_job.registry.history import parse_entry, read_stored_versions
from retraining_job.registry.keys import Keys
from retraining_job.registry.manifest import manifest_subject
from retraining_job.registry.run_document import DOCUMENT_LIMIT_BYTES, run_subject
from retraining_job.registry.signing import (
    NotSignedError,
    SigningKeys,
    Subject,
    check_signature,
    sign_document,
    strip_signature,
)

if TYPE_CHECKING:
    from redis.client import Pipeline

    from retraining_job.settings import RegistrySettings

log = logging.getLogger(__name__)


def sign_again(signing_keys: SigningKeys, subject: Subject, document: bytes) -> str | None:
    """Sign a document with the present key, if it is signed with the present or the previous one.

    Args:
        signing_keys: The keys of the installation.
        subject: What the document is about.
        document: The document as it is stored.

    Returns:
        The document with its new signature, or None if neither key has signed it.
    """
    try:
        check_signature(signing_keys, subject, document)
        text = strip_signature(document).decode()
    except (NotSignedError, UnicodeDecodeError):
        return None
    return sign_document(signing_keys, subject, text)


def rotate_history(registry: RegistrySettings) -> None:
    """Sign the manifests of all former champions again.

    Args:
        registry: The settings of the registry.
    """
    keys, signing_keys = Keys.of(registry), SigningKeys.of(registry)
    for version in read_stored_versions(registry):
        number, field = version.number, str(version.number)
        if version.problem:
            log.warning("Version %d of the history was not signed: %s.", number, version.problem)
            continue
        replace_value(
            registry,
            keys.history,
            partial(read_field, keys.history, field),
            partial(sign_entry, signing_keys, manifest_subject(registry.model_key, number)),
            partial(write_field, keys.history, field),
        )


def sign_entry(signing_keys: SigningKeys, subject: Subject, text: bytes) -> str | None:
    """Sign the manifest of a former champion again.

    Args:
        signing_keys: The keys of the installation.
        subject: What its manifest is about.
        text: Its entry in the history.

    Returns:
        The entry with the new signature, or None if neither key has signed its manifest.
    """
    entry = parse_entry(text)
    if entry is None or entry.manifest is None:
        return None
    manifest = sign_again(signing_keys, subject, entry.manifest.encode(errors="replace"))
    return manifest and json.dumps({"manifest": manifest, "state": entry.state})


def read_field(key: str, field: str, pipeline: Pipeline) -> object:
    """Read a field of a hash, or None if there is none.

    Args:
        key: The hash.
        field: The field.
        pipeline: The connection.

    Returns:
        The value.
    """
    return pipeline.hget(key, field)


def write_field(key: str, field: str, pipeline: Pipeline, text: str) -> object:
    """Write a field of a hash.

    Args:
        key: The hash.
        field: The field.
        pipeline: The connection.
        text: The value.

    Returns:
        What the client answers.
    """
    return pipeline.hset(key, field, text)


def rotate_runs(registry: RegistrySettings) -> None:
    """Sign the result documents and the challengers of all runs again.

    Args:
        registry: The settings of the registry.
    """
    keys, signing_keys = Keys.of(registry), SigningKeys.of(registry)
    kinds = (
        (keys.run(""), run_subject, DOCUMENT_LIMIT_BYTES),
        (keys.challenger(""), challenger_subject, CHALLENGER_LIMIT_BYTES),
    )
    for prefix, build_subject, limit in kinds:
        for key in find_keys(registry, prefix):
            subject = build_subject(registry.model_key, key.removeprefix(prefix))
            is_signed = replace_value(
                registry,
                key,
                partial(read_text, key, limit),
                partial(sign_again, signing_keys, subject),
                partial(write_text, key),
            )
            if not is_signed:
                log.warning("%s was not signed: neither key has signed it.", key)


def read_text(key: str, limit: int, pipeline: Pipeline) -> object:
    """Read a text up to a limit.

    Args:
        key: The key.
        limit: Most bytes to read.
        pipeline: The connection.

    Returns:
        The text; empty if there is none.
    """
    return pipeline.getrange(key, 0, limit)


def write_text(key: str, pipeline: Pipeline, text: str) -> object:
    """Write a text that expires as the former one.

    Args:
        key: The key.
        pipeline: The connection.
        text: The text.

    Returns:
        What the client answers.
    """
    return pipeline.set(key, text, keepttl=True)


def find_keys(registry: RegistrySettings, prefix: str) -> list[str]:
    """Find the keys that begin with a prefix.

    Args:
        registry: The settings of the registry.
        prefix: The prefix.

    Returns:
        The keys.
    """
    pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix)
    with open_registry(registry.redis_url) as client:
        found = cast(list[bytes], list(client.scan_iter(f"{pattern}*", count=1_000)))
    return [key.decode(errors="replace") for key in found]


def replace_value(
    registry: RegistrySettings,
    key: str,
    read: Callable[[Pipeline], object],
    change: Callable[[bytes], str | None],
    write: Callable[[Pipeline, str], object],
) -> bool:
    """Replace a value in Redis, unless it has changed meanwhile.

    Args:
        registry: The settings of the registry.
        key: The key that is watched.
        read: Reads the value.
        change: Returns the new value, or None to change nothing.
        write: Writes the new value.

    Returns:
        Whether there is a new value. True if there is no value any more.

    Raises:
        DependencyUnavailableError: The value has changed meanwhile, or Redis does not answer.
            Repeat the call.
    """
    with (
        open_registry(registry.redis_url) as client,
        client.pipeline(transaction=True) as transaction,
    ):
        transaction.watch(key)  # type: ignore[no-untyped-call]
        value = cast(bytes | None, read(transaction))
        if not value:
            return True
        text = change(value)
        if text is None:
            return False
        transaction.multi()
        write(transaction, text)
        try:
            transaction.execute()
        except redis.WatchError:
            raise DependencyUnavailableError(
                f"{key} changed while it was being signed. Repeat the command."
            ) from None
    return True
