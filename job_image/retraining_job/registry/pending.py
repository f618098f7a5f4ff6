"""Challengers that wait for approval, if promotion is Manual.

A challenger is stored as its state, without a pickle, under a key of its run. It expires if nobody
answers in time. The first approval or rejection counts. A later one returns the first outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

from retraining_job.contract import ApprovalAnswer, Result, parse_version
from retraining_job.errors import BadDataError
from retraining_job.registry.challenger import (
    CHALLENGER_LIMIT_BYTES,
    Challenger,
    parse_challenger,
    write_challenger,
)
from retraining_job.registry.client import open_registry
from retraining_job.registry.freshness import ACCEPT, UNKNOWN_TO_AUDIT, AuditedVersions
from retraining_job.registry.history import find_highest_version, read_stored_versions
from retraining_job.registry.integrity import UnreadableChampionError, check_version
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, Stamp, read_live
from retraining_job.registry.manifest import sha256
from retraining_job.registry.package import ModelPackage, get_next_version
from retraining_job.registry.publish import Overtaken, Published, publish
from retraining_job.registry.restore import write_pickle_from_state
from retraining_job.registry.run_document import read_own_result
from retraining_job.registry.signing import SigningKeys

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings


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
    """A person has rejected the challenger, now or earlier. It will not go live."""


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
    duration = timedelta(days=days)
    challenger = Challenger(
        provenance=package.provenance,
        state=package.state,
        state_sha256=sha256(package.state.encode()),
        evaluated_against=expected_live,
        result=result,
        expires_at=datetime.now(UTC) + duration,
    )
    with open_registry(registry.redis_url) as client:
        key = Keys.of(registry).challenger(registry.run_id)
        client.set(key, write_challenger(registry, challenger), ex=duration)


def read_challenger(registry: RegistrySettings) -> Challenger | None:
    """Read the challenger of this run. Returns None if there is none, or it has expired.

    Raises:
        BadDataError: It is damaged, or a key is set and it is not signed.
    """
    key = Keys.of(registry).challenger(registry.run_id)
    with open_registry(registry.redis_url) as client:
        document = cast(bytes, client.getrange(key, 0, CHALLENGER_LIMIT_BYTES))
    if not document:
        return None
    signing_keys = SigningKeys.of(registry)
    challenger = parse_challenger(signing_keys, registry.model_key, registry.run_id, document)
    return challenger if datetime.now(UTC) <= challenger.expires_at else None


def carry_out_approval(
    registry: RegistrySettings,
    approval: AuthoredAnswer,
    *,
    audited: AuditedVersions = UNKNOWN_TO_AUDIT,
    rehearse: Callable[[Result], None] | None = None,
) -> Published | Overtaken | Rejected | Expired:
    """Carry out the approval or rejection of the challenger of this run.

    Args:
        registry: The settings of the registry, with the run.
        approval: What a person has answered.
        audited: What the audit trail knows.
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
    if done := read_own_result(registry, audited):
        return Published(done)
    challenger = read_challenger(registry)
    if challenger is None:
        return Expired()
    if challenger.rejected:
        return Rejected()
    if approval.answer is ApprovalAnswer.REJECT:
        return reject(registry, challenger)
    return approve(registry, challenger, approval.author, audited=audited, rehearse=rehearse)


def approve(
    registry: RegistrySettings,
    challenger: Challenger,
    author: str,
    *,
    audited: AuditedVersions,
    rehearse: Callable[[Result], None] | None,
) -> Published | Overtaken:
    """Publish an approved challenger.

    Args:
        registry: The settings of the registry, with the run.
        challenger: The challenger.
        author: Who approved it; may be empty.
        audited: What the audit trail knows.
        rehearse: Raises if the result could not be recorded.

    Returns:
        What happened.

    Raises:
        BadDataError: The state cannot be read, the live version is no number or, with a signing
            key, the audit trail knows a newer model than the live one.
    """
    try:
        pickle = write_pickle_from_state(challenger.state, registry.deviation_class)
    except ValueError as error:
        raise BadDataError(f"The state of the challenger {error}. Apply a new request.") from None
    live = read_live(registry, with_model=False)
    check_evaluated_live(registry, live, challenger, audited)
    highest = find_highest_version(live, read_stored_versions(registry), audited)
    version = get_next_version(highest)
    provenance = challenger.provenance.model_copy(update={"approved_by": author or None})
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
    return publish(
        registry,
        package,
        expected_live=challenger.evaluated_against,
        result=result,
        audited=audited,
    )


def check_evaluated_live(
    registry: RegistrySettings, live: Live, challenger: Challenger, audited: AuditedVersions
) -> None:
    """Check that no newer model was live since a challenger was evaluated.

    Publishing compares the live model with the one that the challenger was evaluated against. If
    somebody has put the latter back, only the audit trail knows of the newer one.

    Args:
        registry: The settings of the registry, with the run.
        live: The contents of the live model's keys.
        challenger: The challenger.
        audited: What the audit trail knows.

    Raises:
        BadDataError: The live version is no number or, with a signing key, the audit trail knows a
            newer model.
    """
    try:
        check_version(live.version, Keys.of(registry).version)
    except UnreadableChampionError as error:
        raise BadDataError(f"{error} Nothing was changed.") from None
    evaluated = challenger.evaluated_against
    is_same = (live.stamp.version, live.stamp.epoch) == (evaluated.version, evaluated.epoch)
    version = parse_version(evaluated.version) or 0
    if live.is_signing and is_same and version < audited.required:
        raise BadDataError(
            f"The challenger was evaluated against version {version}, and the audit trail knows "
            f"version {audited.required}: Redis has lost newer models, or somebody has put an "
            f"older one back. Nothing was changed. {ACCEPT}"
        )


def reject(registry: RegistrySettings, challenger: Challenger) -> Rejected | Expired:
    """Mark a challenger as rejected, for as long as it would have waited.

    Args:
        registry: The settings of the registry, with the run.
        challenger: The challenger.

    Returns:
        Rejected, or Expired if it has expired meanwhile.
    """
    rejected = write_challenger(registry, challenger.model_copy(update={"rejected": True}))
    key = Keys.of(registry).challenger(registry.run_id)
    with open_registry(registry.redis_url) as client:
        is_stored = client.set(key, rejected, xx=True, keepttl=True)
    return Rejected() if is_stored else Expired()
