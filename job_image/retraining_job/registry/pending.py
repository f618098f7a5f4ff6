"""Challengers that wait for approval, if promotion is Manual.

A challenger is stored as its state, without a pickle, under a key of its run. It expires if nobody
answers in time. The first approval or rejection counts. A later one returns the first outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from retraining_job.contract import ApprovalAnswer, Result
from retraining_job.errors import BadDataError
from retraining_job.registry.client import open_registry
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Stamp, read_live
from retraining_job.registry.manifest import Manifest, ModelProvenance, sha256
from retraining_job.registry.publish import (
    ModelPackage,
    Overtaken,
    Published,
    publish,
    read_own_result,
)
from retraining_job.registry.restore import write_pickle_from_state
from retraining_job.registry.signing import NotSignedError, check_signature, sign_manifest

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

DAY_SECONDS = 24 * 3600


class Challenger(BaseModel):
    """A stored challenger."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    manifest: Manifest
    """Version, epoch and pickle are unknown before it goes live, so they are 0 or empty."""
    state: str
    evaluated_against: Stamp = Field(
        validation_alias=AliasChoices("evaluated_against", "judged_against")
    )
    """The live model that it was evaluated against. Earlier trainers named it `judged_against`."""
    result: Result
    """The result of its evaluation."""
    rejected: bool = False


class AuthoredAnswer(NamedTuple):
    """What a person answers to a challenger that waits.

    Args:
        answer: Approve or reject.
        author: Who answered; empty if the approval names nobody.
    """

    answer: ApprovalAnswer
    author: str = ""


@dataclass(frozen=True)
class Rejected:
    """A person has rejected the challenger, now or earlier. It will not go live.

    Args:
        challenger: The challenger.
    """

    challenger: Challenger


@dataclass(frozen=True)
class Expired:
    """There is no challenger: nobody has answered in time, or the run has left none."""


def store_challenger(
    registry: RegistrySettings,
    package: ModelPackage,
    *,
    expected_live: Stamp,
    result: Result,
    days: int,
) -> None:
    """Store a challenger until it is approved or rejected.

    Args:
        registry: The settings of the registry.
        package: The challenger's package. It needs no pickle.
        expected_live: The live model that it was evaluated against.
        result: The result of its evaluation.
        days: How long it waits.

    Raises:
        BadDataError: It has no state, so it cannot be stored.
        BadConfigurationError: The keys or the URL are wrong.
        DependencyUnavailableError: Redis does not answer or has no memory left. Repeat the call.
    """
    if not package.state:
        raise BadDataError(
            "The challenger has no state, because plain river has trained it. It cannot be stored "
            "until it is approved."
        )
    key = Keys.of(registry).challenger(registry.run_id)
    manifest = Manifest(
        **package.provenance.model_dump(include=set(ModelProvenance.model_fields)),
        version=0,
        run_id=registry.run_id,
        published_at=datetime.now(UTC),
        pickle_sha256="",
        pickle_bytes=0,
        state_sha256=sha256(package.state.encode()),
    )
    challenger = Challenger(
        manifest=sign_manifest(registry.signing_key, key, manifest),
        state=package.state,
        evaluated_against=expected_live,
        result=result,
    )
    with open_registry(registry.redis_url) as client:
        client.set(key, challenger.model_dump_json(exclude_none=True), ex=days * DAY_SECONDS)


def read_challenger(registry: RegistrySettings) -> Challenger | None:
    """Read the challenger of this run. Returns None if there is none.

    Raises:
        BadDataError: It is damaged, or a key is set and it is not signed.
    """
    key = Keys.of(registry).challenger(registry.run_id)
    with open_registry(registry.redis_url) as client:
        text = client.get(key)
    if text is None:
        return None
    try:
        challenger = Challenger.model_validate_json(text)
        check_signature(registry.signing_key, key, challenger.manifest)
    except ValidationError:
        raise BadDataError(
            f"The challenger under {key} is damaged and cannot go live. Apply a new request."
        ) from None
    except NotSignedError as error:
        raise BadDataError(
            f"The challenger under {key} is not trusted: {error}. Apply a new request."
        ) from None
    if sha256(challenger.state.encode()) != challenger.manifest.state_sha256:
        raise BadDataError(
            f"The state of the challenger under {key} is damaged, so it cannot go live. Apply a "
            "new request."
        )
    return challenger


def carry_out_approval(
    registry: RegistrySettings,
    approval: AuthoredAnswer,
    *,
    floor: int,
    rehearse: Callable[[Result], None] | None = None,
) -> Published | Overtaken | Rejected | Expired:
    """Carry out the approval or rejection of the challenger of this run.

    Args:
        registry: The settings of the registry, with the run.
        approval: What a person has answered.
        floor: The highest version that the audit trail knows.
        rehearse: Called with the result before anything is published. Raises if the result could
            not be recorded.

    Returns:
        Published if the challenger is live now or has been. Overtaken if the live model is no
        longer the one that the challenger was evaluated against. Rejected, or Expired.

    Raises:
        BadDataError: The stored challenger is damaged or not signed.
        BadConfigurationError: The keys or the URL are wrong.
        DependencyUnavailableError: Redis does not answer or cannot take the model. Repeat the call.
    """
    if done := read_own_result(registry):
        return Published(done)
    challenger = read_challenger(registry)
    if challenger is None:
        return Expired()
    if challenger.rejected:
        return Rejected(challenger)
    if approval.answer is ApprovalAnswer.REJECT:
        return reject(registry, challenger)
    return approve(registry, challenger, approval.author, floor=floor, rehearse=rehearse)


def approve(
    registry: RegistrySettings,
    challenger: Challenger,
    author: str,
    *,
    floor: int,
    rehearse: Callable[[Result], None] | None,
) -> Published | Overtaken:
    """Publish an approved challenger.

    Args:
        registry: The settings of the registry, with the run.
        challenger: The challenger.
        author: Who approved it; may be empty.
        floor: The highest version that the audit trail knows.
        rehearse: Raises if the result could not be recorded.

    Returns:
        What happened.

    Raises:
        BadDataError: The state cannot be read.
    """
    try:
        pickle = write_pickle_from_state(challenger.state, registry.deviation_class)
    except ValueError as error:
        raise BadDataError(f"The state of the challenger {error}. Apply a new request.") from None
    version = max(read_live(registry, with_model=False).highest, floor) + 1
    provenance = challenger.manifest.model_copy(update={"approved_by": author or None})
    by = f" by {author}" if author else ""
    message = f"{challenger.result.message} Approved{by}; it goes live as version {version}."
    changes = {
        "promoted": True,
        "withheld": None,
        "version": version,
        "message": message,
        "finished_at": datetime.now(UTC),
    }
    result = challenger.result.model_copy(update=changes)
    package = ModelPackage(pickle, challenger.state, provenance)
    if rehearse:
        rehearse(result)
    return publish(registry, package, expected_live=challenger.evaluated_against, result=result)


def reject(registry: RegistrySettings, challenger: Challenger) -> Rejected | Expired:
    """Mark a challenger as rejected, for as long as it would have waited.

    Args:
        registry: The settings of the registry, with the run.
        challenger: The challenger.

    Returns:
        Rejected, or Expired if it has expired meanwhile.
    """
    rejected = challenger.model_copy(update={"rejected": True}).model_dump_json(exclude_none=True)
    key = Keys.of(registry).challenger(registry.run_id)
    with open_registry(registry.redis_url) as client:
        is_stored = client.set(key, rejected, xx=True, keepttl=True)
    return Rejected(challenger) if is_stored else Expired()
