"""The package of a model that goes live, and the manifest that is built from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from retraining_job.contract import HIGHEST_VERSION, Result
from retraining_job.errors import BadDataError
from retraining_job.registry.manifest import (
    Manifest,
    ModelProvenance,
    describe_first_problem,
    find_impossible_time,
    manifest_subject,
    sha256,
)
from retraining_job.registry.signing import SigningKeys, sign_document

if TYPE_CHECKING:
    from retraining_job.registry.live import Stamp
    from retraining_job.settings import RegistrySettings


@dataclass(frozen=True)
class ModelPackage:
    """A model, ready to be published.

    Args:
        pickle: The pickle for the readers.
        state: The text from which the trainer rebuilds the model. Without it, the history stores
            the pickle.
        provenance: How the model was trained, for the manifest.
    """

    pickle: bytes
    state: str | None
    provenance: ModelProvenance


def build_manifest(
    registry: RegistrySettings, package: ModelPackage, expected_live: Stamp, result: Result
) -> Manifest:
    """Build the manifest of a model that goes live.

    Its epoch is at least its version, so that it grows even if Redis has lost the former one.

    Args:
        registry: The settings of the registry, with the run.
        package: The model.
        expected_live: The live model that it was evaluated against, and may replace.
        result: The result document, with the new version.

    Returns:
        The manifest.

    Raises:
        BadDataError: It would count as damaged, so later runs could not read the model.
        ValueError: The result has no version.
    """
    if result.version is None:
        raise ValueError("a published model needs a version")
    now = datetime.now(UTC)
    try:
        manifest = Manifest(
            **package.provenance.model_dump(include=set(ModelProvenance.model_fields)),
            version=result.version,
            epoch=max(expected_live.changes + 1, result.version),
            run_id=registry.run_id,
            published_at=now,
            pickle_sha256=sha256(package.pickle),
            pickle_bytes=len(package.pickle),
            state_sha256=sha256(package.state.encode()) if package.state else "",
        )
        problem = find_impossible_time(manifest, now)
    except ValidationError as error:
        problem = describe_first_problem(error)
    if problem:
        raise BadDataError(
            f"Later runs could not read the manifest of this model ({problem}). Nothing was "
            "published."
        )
    return manifest


def write_manifest(registry: RegistrySettings, manifest: Manifest) -> str:
    """Write the text of a manifest, with its signature if a key is set.

    Args:
        registry: The settings of the registry.
        manifest: The manifest.

    Returns:
        The text that is stored in Redis.
    """
    subject = manifest_subject(registry.model_key, manifest.version)
    return sign_document(SigningKeys.of(registry), subject, manifest.text())


def get_next_version(highest: int) -> int:
    """Return the version of the next model.

    Args:
        highest: The highest version that is proven.

    Returns:
        The next number.

    Raises:
        BadDataError: There is none within the range.
    """
    if highest >= HIGHEST_VERSION:
        raise BadDataError(
            f"Version {highest} is the highest possible one, so no model can go live. If it is an "
            "error, correct it in model_versions, retraining_runs and Redis."
        )
    return highest + 1
