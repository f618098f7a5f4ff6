"""Publishing: a challenger becomes the champion in one atomic step in Redis that is safe to repeat.

The same step stores the run's result document. A second attempt of the run finds the document and
does not publish again, even if the first attempt has not received Redis's answer.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining_job.contract import Result
from retraining_job.errors import BadConfigurationError, DependencyUnavailableError
from retraining_job.registry.client import build_wrong_type_error
from retraining_job.registry.freshness import UNKNOWN_TO_AUDIT, AuditedVersions
from retraining_job.registry.history import get_live_version, read_stored_versions
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import STATE_LIMIT_BYTES, read_live
from retraining_job.registry.manifest import Manifest, UnreadableManifestError, read_manifest
from retraining_job.registry.package import ModelPackage, build_manifest, write_manifest
from retraining_job.registry.places import choose_dropped
from retraining_job.registry.publish_script import (
    PublishArguments,
    ScriptAnswer,
    build_keys,
    run_script,
)
from retraining_job.registry.run_document import read_own_result, write_run_document

if TYPE_CHECKING:
    from retraining_job.registry.live import Stamp
    from retraining_job.settings import RegistrySettings

RUN_SECONDS = 7 * 24 * 3600
"""How long Redis knows that a run has published: longer than any Job is retried."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """The run's model has gone live, now or at an earlier attempt.

    Args:
        result: The result of the attempt that published it.
    """

    result: Result


@dataclass(frozen=True)
class Overtaken:
    """Another run has changed the live model since the champion was read.

    Args:
        version: The live version now; empty if there is none.
        run_id: The run that has published it; empty if it is unknown.
    """

    version: str
    run_id: str = ""

    def __str__(self) -> str:
        """Return the live version and its run: `version 8 of run weekly-3`."""
        run = f" of run {self.run_id}" if self.run_id else ""
        return f"version {self.version or '(none)'}{run}"


def publish(
    registry: RegistrySettings,
    package: ModelPackage,
    *,
    expected_live: Stamp,
    result: Result,
    audited: AuditedVersions = UNKNOWN_TO_AUDIT,
) -> Published | Overtaken:
    """Make a model live as `result.version`, unless the live model has changed meanwhile.

    The former champion goes into the history. Readers see all changes at once.

    Args:
        registry: The settings of the registry, with the run.
        package: The model.
        expected_live: The live model that it was evaluated against, and may replace.
        result: The result document of the run.
        audited: What the audit trail knows.

    Returns:
        What happened.

    Raises:
        BadConfigurationError: The keys or the URL are wrong, or the user lacks a right.
        BadDataError: The model's manifest would count as damaged.
        DependencyUnavailableError: Redis does not answer or cannot take the model. Repeat the call.
    """
    if package.state and len(package.state) > STATE_LIMIT_BYTES:
        log.warning(
            "The model's state has %s characters, more than the limit of %s. Storing its pickle "
            "instead.",
            f"{len(package.state):,}",
            f"{STATE_LIMIT_BYTES:,}",
        )
        package = replace(package, state=None)
    manifest = build_manifest(registry, package, expected_live, result)
    keys = build_keys(registry)
    arguments = PublishArguments(
        expected_version=expected_live.version,
        expected_epoch=expected_live.epoch,
        new_version=manifest.version,
        new_epoch=manifest.epoch,
        new_manifest=write_manifest(registry, manifest),
        new_state=package.state or "",
        result=write_run_document(registry, result),
        result_seconds=RUN_SECONDS,
        dropped=json.dumps([str(version) for version in find_dropped(registry, manifest)]),
        channel=Keys.of(registry).changes,
        notice=build_notice(manifest),
        new_threshold=get_published_threshold(registry, manifest),
    )
    answer = run_script(registry, keys, arguments, package.pickle)
    if answer.outcome != b"published":
        return read_refusal(answer)
    if answer.text == arguments.result.encode():
        return Published(Result.model_validate_json(answer.text))
    if earlier := read_own_result(registry, audited):
        return Published(earlier)
    raise DependencyUnavailableError(
        f"A forged document was under {keys.run}, so nothing was published. It was removed."
    )


def find_dropped(registry: RegistrySettings, manifest: Manifest) -> list[int]:
    """Find the versions that leave the history when a model goes live.

    The script changes nothing if another model has gone live since the champion was read. So the
    history cannot change between this call and the script, unless somebody changes it by hand.

    Args:
        registry: The settings of the registry.
        manifest: The manifest of the model.

    Returns:
        The versions.
    """
    live = read_live(registry, with_model=False)
    stored, former = read_stored_versions(registry), get_live_version(registry, live)
    return choose_dropped(stored, former, manifest, registry.history_versions)


def read_refusal(answer: ScriptAnswer) -> Overtaken:
    """Convert the script's answer if it has published nothing.

    Raises:
        BadConfigurationError: A key holds a value of another type, or the user lacks a right.
        DependencyUnavailableError: The upload was lost.
    """
    outcome, text, more = answer
    if outcome == b"overtaken":
        return find_winner(text, more)
    if outcome == b"wrong":
        raise build_wrong_type_error(text.decode(errors="replace"), more)
    if outcome == b"forbidden":
        raise BadConfigurationError(
            f"Redis does not allow the trainer's user to run "
            f"{text.decode(errors='replace')} on the key "
            f"{more.decode(errors='replace')}. Nothing was changed. Grant the user that right."
        )
    raise DependencyUnavailableError(
        "Redis dropped the uploaded model before it could go live. Its memory may be short."
    )


def get_published_threshold(registry: RegistrySettings, manifest: Manifest) -> str:
    """Return the threshold that goes live with a model.

    The manifest of each version has the threshold at which it was evaluated. Therefore a rollback
    restores the threshold of the version that it restores.

    Args:
        registry: The settings of the registry.
        manifest: The manifest of the model.

    Returns:
        The threshold as text, or an empty string if none is published.
    """
    if not registry.threshold_key or manifest.threshold is None:
        return ""
    return repr(manifest.threshold)


def build_notice(manifest: Manifest) -> str:
    """Build the JSON that is sent to the channel of changes."""
    what = "promoted" if manifest.restored_from is None else "restored"
    return json.dumps(
        {
            "version": manifest.version,
            "epoch": manifest.epoch,
            "run_id": manifest.run_id,
            "what": what,
        }
    )


def find_winner(version: bytes, meta: bytes) -> Overtaken:
    """Find the run that has published the live model.

    Args:
        version: The live version as it is stored.
        meta: The manifest as it is stored.

    Returns:
        The version, with the run if the manifest belongs to it.
    """
    text = version.decode(errors="replace")
    try:
        manifest = read_manifest(meta)
    except UnreadableManifestError:
        return Overtaken(text)
    return Overtaken(text, manifest.run_id if str(manifest.version) == text else "")
