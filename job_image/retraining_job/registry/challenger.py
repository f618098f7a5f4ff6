"""The stored form of a challenger that waits for approval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from retraining_job.contract import Result
from retraining_job.errors import BadDataError
from retraining_job.registry.live import STATE_LIMIT_BYTES, Stamp
from retraining_job.registry.manifest import ModelProvenance, describe_first_problem, sha256
from retraining_job.registry.signing import (
    NotSignedError,
    Purpose,
    SigningKeys,
    Subject,
    check_signature,
    sign_document,
)

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

CHALLENGER_LIMIT_BYTES = 4 * STATE_LIMIT_BYTES
"""A larger challenger is not read. Ours have about 30 KB."""


class Challenger(BaseModel):
    """A stored challenger. With a signing key, all of it is signed."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64"
    )

    provenance: ModelProvenance
    """How it was trained, for its manifest."""
    state: str
    state_sha256: str
    evaluated_against: Stamp
    """The live model that it was evaluated against."""
    result: Result
    """The result of its evaluation."""
    expires_at: AwareDatetime
    """Until then, it waits for approval."""
    rejected: bool = False


def challenger_subject(model_key: str, run_id: str) -> Subject:
    """Return what the signature of a challenger is about.

    Args:
        model_key: The Redis key of the model.
        run_id: The run that has trained it.

    Returns:
        The subject.
    """
    return Subject(Purpose.CHALLENGER, model_key, run_id)


def write_challenger(registry: RegistrySettings, challenger: Challenger) -> str:
    """Write the text of a challenger.

    Args:
        registry: The settings of the registry, with the run.
        challenger: The challenger.

    Returns:
        The text, with its signature if a key is set.
    """
    subject = challenger_subject(registry.model_key, registry.run_id)
    document = challenger.model_dump_json(exclude_none=True)
    return sign_document(SigningKeys.of(registry), subject, document)


def parse_challenger(
    signing_keys: SigningKeys, model_key: str, run_id: str, document: bytes
) -> Challenger:
    """Parse a stored challenger.

    Args:
        signing_keys: The keys of the installation.
        model_key: The Redis key of the model.
        run_id: The run whose challenger it must be.
        document: The challenger as it is stored.

    Returns:
        The challenger.

    Raises:
        BadDataError: It is damaged, of another run or, with a signing key, not signed.
    """
    where = f"The challenger of run {run_id}, under {model_key}:challenger:{run_id}"
    try:
        challenger = Challenger.model_validate_json(document)
        check_signature(signing_keys, challenger_subject(model_key, run_id), document)
    except ValidationError as error:
        problem = describe_first_problem(error)
        raise BadDataError(
            f"{where}, is damaged ({problem}) and cannot go live. Apply a new request."
        ) from None
    except NotSignedError as error:
        raise BadDataError(f"{where}, is not trusted: {error}. Apply a new request.") from None
    if challenger.result.run_id != run_id:
        raise BadDataError(f"{where}, is that of another run. Apply a new request.")
    if sha256(challenger.state.encode(errors="replace")) != challenger.state_sha256:
        raise BadDataError(
            f"{where}, is damaged: its state has changed, so it cannot go live. Apply a new "
            "request."
        )
    return challenger
