"""A challenger that awaits a person's decision, where promotion is Manual. Driven by `run` and the command `decide`.

It is kept as its state, without a pickle, under a key of its run, and vanishes when nobody decides
in time. The first decision stands; each can be repeated and answers the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from retraining_job.contract import ApprovalDecision, Result
from retraining_job.errors import BadDataError
from retraining_job.registry.client import store
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Stamp, read_live
from retraining_job.registry.manifest import Manifest, ModelProvenance, sha256
from retraining_job.registry.publish import ModelPackage, Overtaken, Published, publish, published
from retraining_job.registry.restore import rebuilt_pickle
from retraining_job.registry.signing import NotSignedError, check_signature, signed

if TYPE_CHECKING:
    from retraining_job.settings import DecideSettings, TrainSettings

DAY = 24 * 3600


class Challenger(BaseModel):
    """What is kept of it."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    manifest: Manifest
    """Its version, epoch and pickle are not known before it goes live: 0 and empty."""
    state: str
    judged_against: Stamp
    result: Result
    """How it was judged."""
    rejected: bool = False


@dataclass(frozen=True)
class Rejected:
    """A person has rejected it, now or earlier; it will not go live."""

    challenger: Challenger


@dataclass(frozen=True)
class Expired:
    """There is nothing to decide on: nobody has decided in time, or the run has left no challenger."""


def store_challenger(
    settings: TrainSettings, parcel: ModelPackage, *, judged_against: Stamp, result: Result
) -> None:
    """Keep a challenger for `decision_days`; a parcel without a pickle will do.

    Raises:
        BadDataError: it has no state, so it cannot be kept.
        BadConfiguration: the keys or the URL are wrong.
        DependencyAway: Redis does not answer, or has no room; repeat the call.
    """
    if not parcel.state:
        raise BadDataError(
            "The challenger has no state, as plain river has trained it: it cannot be kept for a decision."
        )
    key = Keys.of(settings).challenger(settings.run_id)
    manifest = Manifest(
        **parcel.origin.model_dump(include=set(ModelProvenance.model_fields)),
        version=0,
        run_id=settings.run_id,
        published_at=datetime.now(UTC),
        pickle_sha256="",
        pickle_bytes=0,
        state_sha256=sha256(parcel.state.encode()),
    )
    challenger = Challenger(
        manifest=signed(settings.signing_key, key, manifest),
        state=parcel.state,
        judged_against=judged_against,
        result=result,
    )
    with store(settings.redis_url) as client:
        client.set(
            key, challenger.model_dump_json(exclude_none=True), ex=settings.decision_days * DAY
        )


def read_challenger(settings: TrainSettings) -> Challenger | None:
    """Read the challenger of this run; None where there is none.

    Raises:
        BadDataError: it is damaged, or not signed where a key is set.
    """
    key = Keys.of(settings).challenger(settings.run_id)
    with store(settings.redis_url) as client:
        text = client.get(key)
    if text is None:
        return None
    try:
        challenger = Challenger.model_validate_json(text)
        check_signature(settings.signing_key, key, challenger.manifest)
    except ValidationError:
        raise BadDataError(
            f"The challenger under {key} is damaged: it cannot be decided on. Retrain anew."
        ) from None
    except NotSignedError as error:
        raise BadDataError(
            f"The challenger under {key} cannot be believed: {error}. Retrain anew."
        ) from None
    if sha256(challenger.state.encode()) != challenger.manifest.state_sha256:
        raise BadDataError(
            f"The state of the challenger under {key} is damaged: it cannot be decided on. Retrain anew."
        )
    return challenger


def decide(
    settings: DecideSettings, *, floor: int, rehearse: Callable[[Result], None] | None = None
) -> Published | Overtaken | Rejected | Expired:
    """Do what a person has decided about the challenger of this run.

    Args:
        settings: with the run, the decision, and whose it is.
        floor: the highest version that the audit trail knows.
        rehearse: Called with the result before anything is published; raises if it could not be
            recorded.

    Returns:
        Published, where it is live now or has been; Overtaken, where the live model is no longer
        the one that it was judged against; Rejected; or Expired.

    Raises:
        BadDataError: what is kept of the challenger is damaged, or not signed.
        BadConfiguration: the keys or the URL are wrong.
        DependencyAway: Redis does not answer, or cannot take the model; repeat the call.
    """
    if done := published(settings):
        return Published(done)
    challenger = read_challenger(settings)
    if challenger is None:
        return Expired()
    if challenger.rejected:
        return Rejected(challenger)
    if settings.decision is ApprovalDecision.REJECT:
        return reject(settings, challenger)
    return approve(settings, challenger, floor=floor, rehearse=rehearse)


def approve(
    settings: DecideSettings,
    challenger: Challenger,
    *,
    floor: int,
    rehearse: Callable[[Result], None] | None,
) -> Published | Overtaken:
    """Put it live."""
    try:
        blob = rebuilt_pickle(settings, challenger.state)
    except ValueError as error:
        raise BadDataError(f"The state of the challenger {error}. Retrain anew.") from None
    version = max(read_live(settings, with_model=False).highest, floor) + 1
    origin = challenger.manifest.model_copy(update={"approved_by": settings.decided_by or None})
    by = f" by {settings.decided_by}" if settings.decided_by else ""
    message = f"{challenger.result.message} Approved{by}; it goes live as version {version}."
    now = {
        "promoted": True,
        "withheld": None,
        "version": version,
        "message": message,
        "finished_at": datetime.now(UTC),
    }
    result = challenger.result.model_copy(update=now)
    parcel = ModelPackage(blob, challenger.state, origin)
    if rehearse:
        rehearse(result)
    return publish(settings, parcel, judged_against=challenger.judged_against, result=result)


def reject(settings: TrainSettings, challenger: Challenger) -> Rejected | Expired:
    """Let it never go live; that it was rejected stays known for as long as it would have waited."""
    with store(settings.redis_url) as client:
        rejected = challenger.model_copy(update={"rejected": True}).model_dump_json(
            exclude_none=True
        )
        there = client.set(
            Keys.of(settings).challenger(settings.run_id), rejected, xx=True, keepttl=True
        )
    return Rejected(challenger) if there else Expired()
