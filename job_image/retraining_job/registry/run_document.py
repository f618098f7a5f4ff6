"""The result documents of runs that have published, which Redis stores for some days.

A second attempt of a run finds the document and does not publish again. A forged document must not
end a run. With a signing key, a document counts if it is signed. Without one, it counts if a
manifest of the live or a former model, or the audit trail, names the same run and version.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import redis
from pydantic import ValidationError

from retraining_job.contract import RESULT_LIMIT_BYTES, Result
from retraining_job.registry.client import open_registry
from retraining_job.registry.history import read_stored_versions
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import read_live
from retraining_job.registry.manifest import describe_first_problem
from retraining_job.registry.signing import (
    NotSignedError,
    Purpose,
    SigningKeys,
    Subject,
    check_signature,
    sign_document,
)

if TYPE_CHECKING:
    from retraining_job.registry.freshness import AuditedVersions
    from retraining_job.registry.manifest import Manifest
    from retraining_job.settings import RegistrySettings

DOCUMENT_LIMIT_BYTES = 2 * RESULT_LIMIT_BYTES
"""A larger document is not read."""

log = logging.getLogger(__name__)


class ForgedDocumentError(Exception):
    """A document is not that of the run. The text is the end of a sentence."""


def run_subject(model_key: str, run_id: str) -> Subject:
    """Return what the signature of a run's document is about.

    Args:
        model_key: The Redis key of the model.
        run_id: The run.

    Returns:
        The subject.
    """
    return Subject(Purpose.RUN, model_key, run_id)


def write_run_document(registry: RegistrySettings, result: Result) -> str:
    """Write the document of a run that is about to publish.

    Args:
        registry: The settings of the registry.
        result: The result of the run.

    Returns:
        The text, with its signature if a key is set.
    """
    subject = run_subject(registry.model_key, result.run_id)
    return sign_document(SigningKeys.of(registry), subject, result.document())


def parse_run_document(
    signing_keys: SigningKeys, model_key: str, run_id: str, document: bytes
) -> Result:
    """Parse the document of a run.

    Args:
        signing_keys: The keys of the installation.
        model_key: The Redis key of the model.
        run_id: The run whose document it must be.
        document: The document as it is stored.

    Returns:
        The result of the run.

    Raises:
        ForgedDocumentError: It is damaged, of another run, of a run that has published nothing, or
            not signed.
    """
    try:
        check_signature(signing_keys, run_subject(model_key, run_id), document)
        result = Result.model_validate_json(document)
    except NotSignedError as error:
        raise ForgedDocumentError(str(error)) from None
    except ValidationError as error:
        raise ForgedDocumentError(f"it is damaged ({describe_first_problem(error)})") from None
    if result.run_id != run_id:
        raise ForgedDocumentError("it is the document of another run")
    if not result.promoted or result.version is None:
        raise ForgedDocumentError("it names no version that the run has published")
    return result


def is_confirmed(result: Result, manifests: list[Manifest], audited: AuditedVersions) -> bool:
    """Check whether something else than its document says that a run has published a version.

    Args:
        result: The result in the document.
        manifests: The manifests of the live model and of the former champions.
        audited: What the audit trail knows.

    Returns:
        True if a manifest or the audit trail names the same run and version.
    """
    if audited.own is not None and audited.own.version == result.version:
        return True
    published = {(manifest.run_id, manifest.version) for manifest in manifests}
    return (result.run_id, result.version) in published


def read_own_result(registry: RegistrySettings, audited: AuditedVersions) -> Result | None:
    """Read what this run has published at an earlier attempt. A forged document is removed.

    Args:
        registry: The settings of the registry, with the run.
        audited: What the audit trail knows.

    Returns:
        The result, or None if the run has not published.

    Raises:
        BadConfigurationError: The key holds a value of another type, or the URL is wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    document = read_run_document(registry, registry.run_id)
    if document is None:
        return None
    try:
        return judge_own_document(registry, document, audited)
    except ForgedDocumentError as error:
        key = Keys.of(registry).run(registry.run_id)
        log.warning(
            "The document under %s is not the result of this run: %s. Ignoring and removing it.",
            key,
            error,
        )
        remove_document(registry, key, document)
        return None


def judge_own_document(
    registry: RegistrySettings, document: bytes, audited: AuditedVersions
) -> Result:
    """Check that a document is the result of an earlier attempt of this run.

    Args:
        registry: The settings of the registry, with the run.
        document: The document as it is stored.
        audited: What the audit trail knows.

    Returns:
        The result.

    Raises:
        ForgedDocumentError: It is not.
    """
    signing_keys = SigningKeys.of(registry)
    result = parse_run_document(signing_keys, registry.model_key, registry.run_id, document)
    if signing_keys.are_set:
        return result
    # In this order, because a model that is replaced in between is then found in the history.
    manifests = [read_live(registry, with_model=False).manifest]
    manifests += [version.manifest for version in read_stored_versions(registry)]
    if not is_confirmed(result, [manifest for manifest in manifests if manifest], audited):
        raise ForgedDocumentError(
            f"neither a manifest in Redis nor the audit trail knows version {result.version} of it"
        )
    return result


def read_run_document(registry: RegistrySettings, run_id: str) -> bytes | None:
    """Read the document of a run, cut off if it is too long.

    Args:
        registry: The settings of the registry.
        run_id: The run.

    Returns:
        The document as it is stored, or None if there is none.
    """
    with open_registry(registry.redis_url) as client:
        key = Keys.of(registry).run(run_id)
        return cast(bytes, client.getrange(key, 0, DOCUMENT_LIMIT_BYTES)) or None


def remove_document(registry: RegistrySettings, key: str, document: bytes) -> None:
    """Remove a document, unless it has changed meanwhile.

    Args:
        registry: The settings of the registry.
        key: Its key.
        document: The document as it was read.
    """
    with (
        open_registry(registry.redis_url) as client,
        client.pipeline(transaction=True) as transaction,
    ):
        transaction.watch(key)  # type: ignore[no-untyped-call]
        if transaction.getrange(key, 0, DOCUMENT_LIMIT_BYTES) != document:
            return
        transaction.multi()
        transaction.unlink(key)
        try:
            transaction.execute()
        except redis.WatchError:
            log.warning("The document under %s changed while it was removed.", key)
